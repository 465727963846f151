"""A server whose authors have archived it gets no fixes any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stdioguard.audit import packages
from stdioguard.audit.advisories import known
from stdioguard.audit.interface import Level, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.audit.interface import EntryView, Finding


def check(view: EntryView) -> Iterator[Finding]:
    """Yield a finding for a package that is known to be archived."""
    for package in packages.of(view):
        entry = known().archived.get(package.ecosystem, {}).get(package.name)
        if entry is None or package.source not in ("registry", "installed"):
            continue
        note = f"; {entry['note']}" if "note" in entry else ""
        advice = f"Use {entry['instead']}." if "instead" in entry else "Look for a server that somebody maintains."
        yield view.finding(RULE, f"{package.name} is archived and gets no fixes{note}", package.path, advice=advice)


RULE = Rule(
    slug="archived-package",
    title="A server is archived by its authors",
    severity=Level.LOW,
    confidence=Level.HIGH,
    subject="entry",
    advice="Use a server that is maintained.",
    cwe=1104,
    owasp="MCP04",
    check=check,
)
