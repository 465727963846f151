"""A package from a repository's branch or tag is whatever was pushed last."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stdioguard.audit import packages
from stdioguard.audit.interface import Level, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.audit.interface import EntryView, Finding


def check(view: EntryView) -> Iterator[Finding]:
    """Yield a finding for a package of a repository without a full commit."""
    for package in packages.of(view):
        if package.source != "git" or package.is_pinned:
            continue
        at = f"{package.version}, which moves" if package.version else "no revision"
        yield view.finding(
            RULE, f"{package.name} comes from a git repository at {at}: each start may run other code", package.path
        )


RULE = Rule(
    slug="unpinned-git",
    title="A server comes from a git repository without a commit",
    severity=Level.LOW,
    confidence=Level.HIGH,
    subject="entry",
    advice="Add the full commit: git+https://host/owner/name@<40 hex digits>, for npm #<40 hex digits>.",
    cwe=1357,
    owasp="MCP04",
    check=check,
)
