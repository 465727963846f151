"""Gemini CLI and Qwen Code: an address counts before a command, the shell's own variables are filled in, and lists turn servers off."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from stdioguard.installs.dialects.standard import BRACES, DOLLAR, PERCENT, Standard, at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.installs.entries import Entry
    from stdioguard.installs.formats.document import Path


@dataclass(frozen=True)
class Gemini(Standard):
    """`mcpServers`; beside it `mcp.allowed` and `mcp.excluded` (formerly `allowMCPServers`, `excludeMCPServers`) with servers' names."""

    client: str = "Gemini CLI"
    variables: tuple[str, ...] = (BRACES, DOLLAR, PERCENT)
    url: tuple[str, ...] = ("httpUrl", "url")
    url_first: bool = True

    def entries(self, value: Any, key: Path) -> Iterator[Entry]:
        """Yield the entries; one that the lists leave out is disabled."""
        allowed = _names(value, ("mcp", "allowed"), ("allowMCPServers",))
        excluded = _names(value, ("mcp", "excluded"), ("excludeMCPServers",)) or []
        for entry in super().entries(value, key):
            off = entry.name in excluded or (allowed is not None and entry.name not in allowed)
            yield replace(entry, disabled=entry.disabled or off)


def _names(value: Any, *paths: Path) -> list[Any] | None:
    return next((found for found in (at(value, path) for path in paths) if isinstance(found, list)), None)


GEMINI = Gemini()
QWEN = Gemini(client="Qwen Code")
