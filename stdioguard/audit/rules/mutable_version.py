"""A tag such as `latest` and a range such as `^1.2` are other code from one day to the next, though they look like a version."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stdioguard.audit import packages
from stdioguard.audit.interface import Level, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.audit.interface import EntryView, Finding


def check(view: EntryView) -> Iterator[Finding]:
    """Yield a finding for the first package of a registry whose version is a tag or a range."""
    for package in packages.of(view):
        if package.source != "registry" or package.version is None or package.is_pinned:
            continue
        if package.ecosystem == "oci" and ("/" not in package.name or package.version != "latest"):
            continue  # built on this machine; a tag that is a version is seldom moved, and the digest is `unpinned-image`'s business
        yield view.finding(
            RULE,
            f"{package.ecosystem} package {package.name} has the version {package.version}, which moves: each start may run other code",
            package.path,
        )
        return


RULE = Rule(
    slug="mutable-version",
    title="A server's version is a tag or a range that moves",
    severity=Level.LOW,
    confidence=Level.HIGH,
    subject="entry",
    advice="Name an exact version that you have looked at, such as name@1.2.3; for an image its digest.",
    cwe=1357,
    owasp="MCP04",
    check=check,
)
