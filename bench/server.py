"""A small, fast MCP server for the benchmark: standard library only, one thread, no SDK.

It answers `initialize`, `ping`, `tools/list` and two tools: `echo` returns its text, `big` returns `bytes`
bytes of text. Everything else is an error. It does as little as a correct server can, so that what is
measured in front of it shows.
"""

from __future__ import annotations

import json
import sys
from typing import Any

# Like a page of source code: quotes and newlines to escape, and now and then a character outside ASCII.
_PAGE = (
    '    value = lookup("name", default=None)  # one line of plain text, as a file reader returns it\n' * 20
    + "    # a line with a dash \N{EN DASH} and an accent: caf\N{LATIN SMALL LETTER E WITH ACUTE}\n"
)
_TOOLS = [
    {
        "name": "echo",
        "description": "Returns its text.",
        "inputSchema": {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]},
    },
    {
        "name": "big",
        "description": "Returns text of the given size.",
        "inputSchema": {
            "type": "object",
            "properties": {"bytes": {"type": "integer"}},
            "required": ["bytes"],
        },
    },
]
_big_results: dict[int, bytes] = {}


def text_of(size: int) -> str:
    """Return `size` bytes of text (a character cut at the end is left out)."""
    page = _PAGE.encode()
    return (page * (size // len(page) + 1))[:size].decode(errors="ignore")


def _text_result(text: str) -> bytes:
    return json.dumps({"content": [{"type": "text", "text": text}]}).encode()


def _answer(method: str, params: dict[str, Any]) -> bytes | None:
    """Return the encoded result, or None for what this server does not do."""
    if method == "tools/call":
        arguments = params.get("arguments", {})
        if params.get("name") == "echo":
            return _text_result(arguments["text"])
        if params.get("name") == "big":
            size = arguments["bytes"]
            if size not in _big_results:  # built once: the second call costs the server one write
                _big_results[size] = _text_result(text_of(size))
            return _big_results[size]
        return None
    if method == "tools/list":
        return json.dumps({"tools": _TOOLS}).encode()
    if method == "initialize":
        result = {
            "protocolVersion": params["protocolVersion"],
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "bench", "version": "1"},
        }
        return json.dumps(result).encode()
    return b"{}" if method == "ping" else None


def main() -> None:
    """Serve until stdin ends."""
    out = sys.stdout.buffer
    for line in sys.stdin.buffer:
        message = json.loads(line)
        if "id" not in message or "method" not in message:
            continue
        result = _answer(message["method"], message.get("params") or {})
        out.write(b'{"jsonrpc":"2.0","id":%b,' % json.dumps(message["id"]).encode())
        if result is None:
            out.write(b'"error":{"code":-32601,"message":"not here"}}\n')
        else:
            out.write(b'"result":')
            out.write(result)
            out.write(b"}\n")
        out.flush()


if __name__ == "__main__":
    main()
