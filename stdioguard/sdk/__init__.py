"""For programs: `stdioguard.sdk.server` for authors of servers, `stdioguard.sdk.client` for clients in Python.

This module imports nothing. The two submodules import the MCP SDK, which nothing else in the package but the demo does.
"""
