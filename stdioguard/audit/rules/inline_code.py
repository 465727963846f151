"""Code in a config is seen by no review, no scanner and no lock file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stdioguard.audit import code
from stdioguard.audit.interface import Level, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.audit.interface import EntryView, Finding


def check(view: EntryView) -> Iterator[Finding]:
    """Yield a finding for code on the command line; one that only imports a module and calls it is a note."""
    for part in code.of(view):
        if code.hides(part.text) or code.fetches(part.text):
            return
        severity = Level.INFO if code.only_starts(part) else RULE.severity
        yield view.finding(RULE, f"the server is code on the command line of {part.program}", part.path, severity=severity)
        return


RULE = Rule(
    slug="inline-code",
    title="A server is code on the command line",
    severity=Level.LOW,
    confidence=Level.HIGH,
    subject="entry",
    advice="Put the code into a file that only you can write, and start that.",
    cwe=94,
    owasp="MCP05",
    check=check,
)
