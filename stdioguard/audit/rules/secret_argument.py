"""What stands on a command line is shown to every user of the machine, for as long as the server runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stdioguard.audit import secrets
from stdioguard.audit.interface import Fix, Level, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.audit.interface import EntryView, Finding


def check(view: EntryView) -> Iterator[Finding]:
    """Yield a finding for each secret among the arguments."""
    for found in secrets.of(view):
        if found.kind == "argument":
            yield view.finding(
                RULE,
                f"{found.place} holds a secret, which every user of the machine can read while the server runs ({found.why})",
                found.path,
                span=found.span,
                severity=Level.LOW if found.is_minor else RULE.severity,
                confidence=found.confidence,
                fix=Fix("move it into stdioguard's store", "secret") if view.entry.editable else None,
            )


RULE = Rule(
    slug="secret-argument",
    title="A secret stands among a server's arguments",
    severity=Level.MEDIUM,
    confidence=Level.HIGH,
    subject="entry",
    advice="Move it with stdioguard wrap, or hand it over in a variable.",
    cwe=214,
    owasp="MCP01",
    check=check,
)
