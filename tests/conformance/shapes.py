"""What the test server is made of: its registries, and MCP results in their wire form."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from mcp.server.context import ServerRequestContext

Context = ServerRequestContext[Any, Any]
Handler = Callable[[Context, Any], Awaitable[Any]]

MODERN = "2026-07-28"
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
SILENCE = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQAAAAA="
NAME_FORM = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
OK_FORM = {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]}

tools: dict[str, tuple[dict[str, Any], Handler]] = {}
prompts: dict[str, tuple[dict[str, Any], Handler]] = {}


def tool(description: str, schema: dict[str, Any] | None = None) -> Callable[[Handler], Handler]:
    """Register a tool under its function's name; `schema` is the whole input schema."""

    def register(handler: Handler) -> Handler:
        name, shape = handler.__name__, schema or {"type": "object"}
        tools[name] = ({"name": name, "description": description, "inputSchema": shape}, handler)
        return handler

    return register


def prompt(description: str, *arguments: str) -> Callable[[Handler], Handler]:
    """Register a prompt under its function's name; every argument is required."""

    def register(handler: Handler) -> Handler:
        names = [{"name": name, "description": f"The {name}.", "required": True} for name in arguments]
        prompts[handler.__name__] = (
            {"name": handler.__name__, "description": description, "arguments": names},
            handler,
        )
        return handler

    return register


def strings(*names: str) -> dict[str, Any]:
    """The schema of an object with these required strings."""
    properties = {name: {"type": "string"} for name in names}
    return {"type": "object", "properties": properties, "required": list(names)}


def text(value: str) -> dict[str, Any]:
    return {"type": "text", "text": value}


def image() -> dict[str, Any]:
    return {"type": "image", "data": PIXEL, "mimeType": "image/png"}


def embedded(uri: str, value: str, mime: str = "text/plain") -> dict[str, Any]:
    return {"type": "resource", "resource": {"uri": uri, "mimeType": mime, "text": value}}


def content(*blocks: dict[str, Any] | str) -> dict[str, Any]:
    return {"content": [text(block) if isinstance(block, str) else block for block in blocks]}


def messages(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": block} for block in blocks]}


def elicitation(message: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"method": "elicitation/create", "params": {"message": message, "requestedSchema": schema}}


def sampling(question: str) -> dict[str, Any]:
    asked = [{"role": "user", "content": text(question)}]
    return {"method": "sampling/createMessage", "params": {"messages": asked, "maxTokens": 100}}


def ask(requests: dict[str, Any], state: str | None = None) -> dict[str, Any]:
    """An input-required result of the 2026-07-28 revision."""
    result: dict[str, Any] = {"resultType": "input_required", "inputRequests": requests}
    return result if state is None else {**result, "requestState": state}


def answer(params: Any, key: str) -> Any:
    return (params.input_responses or {}).get(key)
