"""Continue: a list of servers that name themselves, and `${{ secrets.NAME }}`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stdioguard.installs.dialects.cline import in_transport
from stdioguard.installs.dialects.standard import BRACES, MUSTACHE, Standard

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.installs.entries import Entry
    from stdioguard.installs.formats.document import Path


@dataclass(frozen=True)
class Continue(Standard):
    """`mcpServers: [{name, command, args, env}]`; items that only name a block of Continue's hub (`uses`) start nothing from here.

    Before config.yaml, `experimental.modelContextProtocolServers: [{transport: {type: "stdio", command, args}}]`.
    """

    client: str = "Continue"
    variables: tuple[str, ...] = (MUSTACHE, BRACES)

    def _each(self, name: str, member: Any, path: Path) -> Iterator[Entry]:
        if not (isinstance(member, dict) and "uses" in member and "command" not in member):
            yield in_transport(self.entry(name, member, path), member)


CONTINUE = Continue()
