"""A person allows tools by their server's name: one that looks like another's is allowed by mistake."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stdioguard.audit import likeness
from stdioguard.audit.interface import Level, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.audit.engine import Report
    from stdioguard.audit.interface import EntryView, Finding


def check(report: Report) -> Iterator[Finding]:
    """Yield a finding for names with look-alike or invisible characters, and for two names of one client that look the same."""
    seen: dict[tuple[str, str], EntryView] = {}
    for config in report.configs:
        # Files that are given by path are not known to be one client's together.
        scope = config.file if config.listing.found.level == "given" else config.client
        for view in config.entries:
            name = view.entry.name
            odd = likeness.oddities(name)
            other = seen.setdefault((scope, likeness.skeleton(name)), view)
            if odd:
                yield view.finding(RULE, f"its name has {odd}", view.entry.path, on_key=True)
            elif other.entry.name != name:
                imitates = likeness.spelled(other.entry.name) != likeness.spelled(name)
                yield view.finding(
                    RULE,
                    f"its name looks like that of another server, {other.entry.name}",
                    view.entry.path,
                    on_key=True,
                    severity=RULE.severity if imitates else Level.LOW,
                    related=(other.entry.file,),
                )


RULE = Rule(
    slug="confusable-server-name",
    title="A server's name looks like another's",
    severity=Level.MEDIUM,
    confidence=Level.MEDIUM,
    subject="machine",
    advice="Give it a name that cannot be taken for another, or remove it.",
    cwe=1007,
    owasp="MCP09",
    check=check,
)
