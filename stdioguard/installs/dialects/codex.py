"""Codex: TOML tables with no variables of its own, a token's variable by name, and headers under other names. Mistral Vibe and Grok too."""

from __future__ import annotations

from stdioguard.installs.dialects.standard import Standard

CODEX = Standard(client="Codex", variables=(), headers=("http_headers", "headers"), off=())
"""It refuses members that it does not know, so nothing may ever be added to an entry."""

VIBE = Standard(client="Mistral Vibe", variables=())
"""A list of tables (`[[mcp_servers]]`) that name themselves; `transport = "stdio"`."""

GROK = Standard(client="Grok Build")
