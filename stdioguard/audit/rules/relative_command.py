"""A relative program or script is whatever has that name in the folder that the client happens to be in."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from stdioguard.audit.interface import Level, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.audit.interface import EntryView, Finding


def check(view: EntryView) -> Iterator[Finding]:
    """Yield a finding for a relative path in a user's own config. In a project's config it is the project's own file."""
    if view.entry.kind != "stdio" or view.entry.cwd or view.entry.project or view.config.listing.found.level != "user":
        return
    started = view.started
    if started.source != "path" or re.match(r"[A-Za-z]:[\\/]|[\\/~$%{]", started.spec):
        return
    message = f"{started.spec} is relative: the client starts what has that name in the folder that it happens to be in"
    yield view.finding(RULE, message, view.word(started.index))


RULE = Rule(
    slug="relative-command",
    title="A server's program or script is a relative path",
    severity=Level.LOW,
    confidence=Level.HIGH,
    subject="entry",
    advice="Write the whole path, or give the entry a cwd.",
    cwe=426,
    owasp="MCP05",
    check=check,
)
