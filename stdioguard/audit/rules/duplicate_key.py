"""Of a key that is written twice one client takes the first and another the last: a reviewer sees one, the client runs the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stdioguard.audit.interface import Level, Rule
from stdioguard.installs.formats.document import FormatError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.audit.interface import ConfigView, Finding
    from stdioguard.installs.formats.document import Path


def check(config: ConfigView) -> Iterator[Finding]:
    """Yield a finding for each key that is twice in the same object, in or above a server."""
    document = config.listing.document
    if document is None:
        return
    try:
        duplicates = list(document.duplicates)
    except FormatError:
        return
    for path in duplicates:
        name = _server(config, path)
        if name is not None:
            message = f"{'.'.join(map(str, path))} is written twice: which one counts depends on the client"
            yield config.finding(RULE, message, path, on_key=True, entry=name)


def _server(config: ConfigView, path: Path) -> str | None:
    """Return the name of the server that a path is in, empty for all of them; `None` for what is not about servers."""
    for view in config.entries:
        own = view.entry.path
        if path[: len(own)] == own:
            return view.entry.name
        if own[: len(path)] == path:
            return ""
    return None


RULE = Rule(
    slug="duplicate-key",
    title="A key is written twice",
    severity=Level.MEDIUM,
    confidence=Level.HIGH,
    subject="config",
    advice="Remove one of the two.",
    cwe=694,
    owasp="MCP09",
    check=check,
)
