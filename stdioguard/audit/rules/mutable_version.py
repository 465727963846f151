"""A tag such as `latest` and a range such as `^1.2` are other code from one day to the next, though they look like a version."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stdioguard.audit import packages
from stdioguard.audit.interface import Level, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.audit.interface import EntryView, Finding
    from stdioguard.audit.packages import Package


def check(view: EntryView) -> Iterator[Finding]:
    """Yield one finding for the packages of registries whose version is a tag or a range."""
    found = [package for package in packages.of(view) if _moves(package)]
    if found:
        first, *others = found
        named = dict.fromkeys(f"{other.name} {other.version}" for other in others if other.name != first.name)
        also = f", as does {' and '.join(named)}" if named else ""
        yield view.finding(
            RULE,
            f"{first.ecosystem} package {first.name} has the version {first.version}, which moves{also}: each start may run other code",
            first.path,
        )


def _moves(package: Package) -> bool:
    if package.source != "registry" or package.version is None or package.is_pinned:
        return False
    # Without a folder it is built on this machine; a tag that is a version is seldom moved.
    return package.ecosystem != "oci" or ("/" in package.name and package.version == "latest")


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
