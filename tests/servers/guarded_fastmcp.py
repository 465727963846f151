"""The same with FastMCP, as far as the tests need it: `RequireGuard` among FastMCP's own middlewares."""

from __future__ import annotations

import json
import os

from fastmcp import Context, FastMCP
from fastmcp.server.middleware import Middleware

from stdioguard.sdk.server import RequireGuard

LATER: list[str] = []
"""What a middleware after the guard is shown."""


class Later(Middleware):
    async def on_message(self, context, call_next):
        LATER.append(repr(context.message))
        return await call_next(context)


app = FastMCP("guarded", middleware=[RequireGuard(), Later()])
inner = FastMCP("inner")


@app.tool
async def echo(text: str) -> str:
    """Return the text."""
    return text


@inner.tool
async def inside() -> str:
    """Return a text from a server within this one."""
    return "from within"


@app.tool
async def nested(ctx: Context) -> str:
    """Call another tool, which has the middlewares run again for the same request."""
    return (await ctx.fastmcp.call_tool("echo", {"text": "nested"})).content[0].text


@app.tool
async def seen(ctx: Context) -> str:
    """Return all that a tool is handed of its call, its client and its process."""
    request = ctx.request_context
    client = request.session.client_params
    return json.dumps(
        {
            "environment": dict(os.environ),
            "meta": request.meta,
            "params": request._srctx.params,
            "inner": request._srctx.meta,
            "client": client and client.model_dump(mode="json", by_alias=True),
            "later": LATER,
        },
        default=repr,
    )


@app.resource("notes://one")
def one() -> str:
    """A note."""
    return "a note"


app.mount(inner)

if __name__ == "__main__":
    app.run(show_banner=False)
