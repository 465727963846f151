"""opencode, Kilo and Crush: `mcp` holds servers whose command is one list, with `environment` beside it (Crush: a program and `args`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stdioguard.installs.dialects.standard import BRACES, COMMAND, CURLY, DOLLAR, Standard

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.installs.entries import Entry
    from stdioguard.installs.formats.document import Path


@dataclass(frozen=True)
class OpenCode(Standard):
    """`{"type": "local", "command": ["npx", "-y", "x"], "environment": {}, "enabled": true}`."""

    client: str = "opencode"
    variables: tuple[str, ...] = (CURLY,)
    env: tuple[str, ...] = ("environment", "env")

    def _each(self, name: str, member: Any, path: Path) -> Iterator[Entry]:
        own = ("command", "url", "type", "enabled", "disabled")
        if name == "servers" and isinstance(member, dict) and not any(one in member for one in own):
            return  # newer versions: `mcp.servers`, which is a key of its own
        if isinstance(member, dict) and set(member) <= {"enabled"}:
            return  # turns a server of another file on or off
        yield self.entry(name, member, path)


OPENCODE = OpenCode()
KILO = OpenCode(client="Kilo Code", variables=(CURLY, BRACES))
CRUSH = Standard(client="Crush", variables=(BRACES, DOLLAR, COMMAND))
