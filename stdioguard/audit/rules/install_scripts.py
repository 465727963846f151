"""A package's own install scripts run with all of the user's power when it is installed or updated."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stdioguard.audit import packages
from stdioguard.audit.interface import Level, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.audit.interface import EntryView, Finding

_SCRIPTS = ("preinstall", "install", "postinstall")


def check(view: EntryView) -> Iterator[Finding]:
    """Yield a finding for an installed package with install scripts. What is not installed yet cannot be known without asking."""
    for package in packages.of(view):
        manifest = packages.manifest_of(view, package)
        scripts = packages.json_of(manifest).get("scripts") if manifest else None
        found = [name for name in _SCRIPTS if isinstance(scripts, dict) and name in scripts]
        if found:
            message = f"{package.name} runs a {found[0]} script whenever it is installed or updated"
            yield view.finding(RULE, message, package.path, related=(manifest,))


RULE = Rule(
    slug="install-scripts",
    title="An installed server runs scripts when it is installed",
    severity=Level.INFO,
    confidence=Level.HIGH,
    subject="entry",
    advice="Install it with --ignore-scripts where it works without them.",
    cwe=829,
    owasp="MCP04",
    check=check,
)
