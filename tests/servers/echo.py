"""A server of the SDK's, in both eras, with one tool: `echo` returns its argument."""

from __future__ import annotations

from mcp.server.mcpserver import MCPServer

app = MCPServer("echo", log_level="ERROR")


@app.tool()
async def echo(a: int) -> dict[str, int]:
    """Return the number."""
    return {"a": a}


if __name__ == "__main__":
    app.run()
