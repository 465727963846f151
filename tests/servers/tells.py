"""A server whose only tool tells what it was given: its arguments, its variables and its folder."""

from __future__ import annotations

import json
import os
import sys


def main() -> None:
    for line in sys.stdin:
        message = json.loads(line)
        if "id" not in message:
            continue
        if message["method"] == "initialize":
            result = {
                "protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": {"name": "tells", "version": "1"},
            }  # fmt: skip
        elif message["method"] == "tools/list":
            result = {"tools": [{"name": "tell", "inputSchema": {"type": "object"}}]}
        elif message["method"] == "tools/call":
            text = json.dumps({"argv": sys.argv[1:], "environment": dict(os.environ), "cwd": os.getcwd()})
            result = {"content": [{"type": "text", "text": text}]}
        else:
            print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "error": {"code": -32601, "message": "no"}}), flush=True)
            continue
        print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}), flush=True)


main()
