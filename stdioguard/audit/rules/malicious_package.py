"""A package that was found to be malware."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stdioguard.audit import advisories, packages
from stdioguard.audit.interface import Level, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.audit.interface import EntryView, Finding


def check(view: EntryView) -> Iterator[Finding]:
    """Yield a finding for a package that is known to be malicious, unless it names one of its harmless versions."""
    for package in packages.of(view):
        if package.source not in ("registry", "installed"):
            continue
        version = packages.installed_version(view, package) or (package.version if package.is_pinned else None)
        for advisory in advisories.of(package.ecosystem, package.name):
            if advisory.kind == "malicious" and (version is None or advisory.affects(version)):
                message = f"{package.name} is malware ({advisory.id}): {advisory.summary}"
                yield view.finding(RULE, message, package.path)
                break


RULE = Rule(
    slug="malicious-package",
    title="A package is known to be malware",
    severity=Level.HIGH,
    confidence=Level.HIGH,
    subject="entry",
    advice="Remove the server, and change every secret that it could read.",
    cwe=506,
    owasp="MCP04",
    check=check,
)
