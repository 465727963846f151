"""Claude Code: besides the servers for all projects, `~/.claude.json` has some for single projects."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from stdioguard.installs.dialects.standard import Standard, at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.installs.entries import Entry
    from stdioguard.installs.formats.document import Path


@dataclass(frozen=True)
class ClaudeCode(Standard):
    """`mcpServers`, and `projects.<folder>.mcpServers`."""

    client: str = "Claude Code"

    def entries(self, value: Any, key: Path) -> Iterator[Entry]:
        """Yield the entries at the key, and after them those of single projects."""
        if not _is_elsewhere(at(value, key)):
            yield from super().entries(value, key)
        if key != ("mcpServers",):
            return
        for folder, project in projects(value).items():
            if isinstance(project.get("mcpServers"), (dict, list)):
                for entry in super().entries(value, ("projects", folder, "mcpServers")):
                    yield replace(entry, project=folder)


def _is_elsewhere(servers: Any) -> bool:
    """Tell whether a plugin's manifest only names the files that its servers are in."""
    return isinstance(servers, str) or (isinstance(servers, list) and all(isinstance(one, str) for one in servers))


def projects(value: Any) -> dict[str, dict[str, Any]]:
    """Return the projects that `~/.claude.json` knows, by folder."""
    known = value.get("projects") if isinstance(value, dict) else None
    return {folder: project for folder, project in known.items() if isinstance(project, dict)} if isinstance(known, dict) else {}


CLAUDE_CODE = ClaudeCode()
