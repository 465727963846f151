"""Cline: like most, but its command-line version puts how a server is reached into an object of its own, `transport`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from stdioguard.installs.dialects.standard import Standard, text_or_none, texts
from stdioguard.installs.dialects.zed import nested

if TYPE_CHECKING:
    from stdioguard.installs.entries import Entry
    from stdioguard.installs.formats.document import Path


@dataclass(frozen=True)
class Cline(Standard):
    """`{"transport": {"type": "stdio", "command": "npx", "args": [], "env": {}}, "disabled": false}`."""

    client: str = "Cline"

    def entry(self, name: str, member: Any, path: Path) -> Entry:
        """Read one entry, in either form."""
        entry = super().entry(name, member, path)
        inner = member.get("transport") if isinstance(member, dict) else None
        if not isinstance(inner, dict) or "command" in member:
            return entry
        entry = replace(entry, extra={key: value for key, value in entry.extra.items() if key != "transport"})
        if "command" in inner:
            return replace(nested(entry, inner, "transport", ("command",)), cwd=text_or_none(inner.get("cwd")))
        url = text_or_none(inner.get("url"))
        if url is None:
            return replace(entry, problem="its transport names neither a command nor an address", kind="broken")
        fields = replace(
            entry.fields, url_path=(*path, "transport", "url"),
            headers_path=(*path, "transport", "headers") if isinstance(inner.get("headers"), dict) else None,
        )  # fmt: skip
        return replace(entry, kind="remote", problem="", url=url, headers=texts(inner.get("headers")), fields=fields)


CLINE = Cline()
