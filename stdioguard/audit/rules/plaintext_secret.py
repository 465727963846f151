"""A key in a config is read by every program of the user's, every backup and every sync of the folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stdioguard.audit import secrets
from stdioguard.audit.interface import Fix, Level, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.audit.interface import EntryView, Finding


def check(view: EntryView) -> Iterator[Finding]:
    """Yield a finding for each secret in a variable, a header or another setting."""
    for found in secrets.of(view):
        if found.kind in ("env", "header", "setting"):
            fix = Fix("move it into stdioguard's store", "secret") if view.entry.editable and found.kind == "env" else None
            yield view.finding(
                RULE,
                f"{found.place} holds a secret in plain text ({found.why})",
                found.path,
                span=found.span,
                severity=Level.LOW if found.is_minor else RULE.severity,
                confidence=found.confidence,
                fix=fix,
            )


RULE = Rule(
    slug="plaintext-secret",
    title="A secret stands in a config in plain text",
    severity=Level.MEDIUM,
    confidence=Level.HIGH,
    subject="entry",
    advice="Move it with stdioguard wrap, or let the client ask for it (${input:...}) or take it from the environment.",
    cwe=312,
    owasp="MCP01",
    check=check,
)
