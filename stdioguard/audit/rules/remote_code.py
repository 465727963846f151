"""A server that is a file at an address: no registry, no version, no record of what was there yesterday."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stdioguard.audit import packages
from stdioguard.audit.interface import Level, Rule
from stdioguard.audit.shown import host_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.audit.interface import EntryView, Finding


def check(view: EntryView) -> Iterator[Finding]:
    """Yield a finding for code that is fetched from an address without a digest."""
    started = view.started
    if view.entry.kind == "stdio" and started.ecosystem in ("command", "deno") and started.source == "url":
        if started.version is None:
            yield view.finding(RULE, f"the code comes from {host_of(started.spec)} at each start", view.word(started.index))
        return
    for package in packages.of(view):
        if package.source == "url" and not package.is_pinned:
            yield view.finding(RULE, f"the package comes from {host_of(package.spec)}, not from a registry", package.path)


RULE = Rule(
    slug="remote-code",
    title="A server's code is fetched from an address",
    severity=Level.MEDIUM,
    confidence=Level.HIGH,
    subject="entry",
    advice="Install a version of it, or add its digest (#sha256=...).",
    cwe=494,
    owasp="MCP04",
    check=check,
)
