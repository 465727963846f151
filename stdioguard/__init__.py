"""stdioguard: a guard between desktop clients and local MCP servers."""

__version__ = "0.3.1"
