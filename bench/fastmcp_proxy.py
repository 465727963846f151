"""The FastMCP contestant: its stdio proxy in front of the command given, as its documentation sets one up.

Usage: `python fastmcp_proxy.py COMMAND [ARG]...`
"""

from __future__ import annotations

import sys

from fastmcp.client.transports import StdioTransport
from fastmcp.server import create_proxy

if __name__ == "__main__":
    create_proxy(StdioTransport(sys.argv[1], sys.argv[2:]), name="bench").run(
        transport="stdio", show_banner=False, log_level="ERROR"
    )
