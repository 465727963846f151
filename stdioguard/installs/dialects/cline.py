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
        return in_transport(super().entry(name, member, path), member)


def in_transport(entry: Entry, member: Any) -> Entry:
    """Return an entry with what the object `transport` inside it says, if it has one; any other as it is."""
    inner = member.get("transport") if isinstance(member, dict) else None
    if not isinstance(inner, dict) or "command" in member:
        return entry
    entry = replace(entry, extra={key: value for key, value in entry.extra.items() if key != "transport"})
    if "command" in inner:
        return replace(nested(entry, inner, "transport", ("command",)), cwd=text_or_none(inner.get("cwd")))
    url = text_or_none(inner.get("url"))
    if url is None:
        return replace(entry, problem="its transport names neither a command nor an address", kind="broken")
    where = (*entry.path, "transport")
    headers = (*where, "headers") if isinstance(inner.get("headers"), dict) else None
    fields = replace(entry.fields, url_path=(*where, "url"), headers_path=headers)
    return replace(entry, kind="remote", problem="", url=url, headers=texts(inner.get("headers")), fields=fields)


CLINE = Cline()
