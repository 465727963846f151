"""Start a server with the official SDK's client, list its tools and call one: run as a process of its own, with a client's environment.

Reads from stdin what to start, writes to stdout what came of it, both JSON.
"""

from __future__ import annotations

import json
import sys

import anyio
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client


async def main() -> None:
    wanted = json.load(sys.stdin)
    program, *args = wanted["argv"]
    parameters = StdioServerParameters(command=program, args=args, env=wanted["env"], cwd=wanted["cwd"])
    with anyio.fail_after(60):
        async with Client(stdio_client(parameters, errlog=sys.stderr), mode="legacy") as client:
            tools = [tool.name for tool in (await client.list_tools()).tools]
            result = await client.call_tool(wanted["tool"], wanted["arguments"])
            texts = [getattr(part, "text", "") for part in result.content]
    print(json.dumps({"tools": sorted(tools), "text": "".join(texts), "is_error": result.is_error}))


anyio.run(main)
