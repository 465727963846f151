"""A server that answers only the guard: the `mcp` SDK and `RequireGuard`. Its tools tell what code in it can see of the secret."""

from __future__ import annotations

import json
import os
from typing import Annotated, Any

from mcp.server.mcpserver import Context, Elicit, ElicitationResult, MCPServer, Resolve
from mcp.types import NotificationParams
from pydantic import BaseModel

from stdioguard.sdk.server import RequireGuard

HEARD: list[str] = []
app = MCPServer("guarded", middleware=[RequireGuard()], log_level="ERROR")


class Name(BaseModel):
    name: str


def question(about: str) -> Elicit[Name]:
    return Elicit(about, Name)


@app.tool()
async def echo(text: str) -> str:
    """Return the text."""
    return text


@app.tool()
async def ask(about: str, answer: Annotated[ElicitationResult[Name], Resolve(question)]) -> str:
    """Ask the person at the client something, in words that the caller chooses."""
    return answer.data.name if answer.action == "accept" else answer.action


@app.tool()
async def heard() -> str:
    """Return the notifications that came through."""
    return json.dumps(HEARD)


@app.tool()
async def seen(ctx: Context[Any]) -> str:
    """Return all that a tool is handed of its call, its client and its process."""
    request = ctx.request_context
    client = request.session.client_params
    return json.dumps(
        {
            "environment": dict(os.environ),
            "params": request.params,
            "meta": request.meta,
            "client": client and client.model_dump(mode="json", by_alias=True),
        },
        default=repr,
    )


@app.resource("notes://one")
def one() -> str:
    """A note."""
    return "a note"


async def _hear(_ctx: Any, _params: NotificationParams) -> None:
    HEARD.append("notifications/example/noticed")


app._lowlevel_server.add_notification_handler("notifications/example/noticed", NotificationParams, _hear)

if __name__ == "__main__":
    app.run()
