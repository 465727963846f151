"""A secret in an address ends up in logs, histories and error messages of everything that it passes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stdioguard.audit import secrets
from stdioguard.audit.interface import Level, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.audit.interface import EntryView, Finding


def check(view: EntryView) -> Iterator[Finding]:
    """Yield a finding for each secret in the address of a remote server."""
    for found in secrets.of(view):
        if found.kind == "url":
            message = f"the server's address holds a secret ({found.why})"
            yield view.finding(RULE, message, found.path, span=found.span, confidence=found.confidence)


RULE = Rule(
    slug="secret-address",
    title="A secret stands in a server's address",
    severity=Level.MEDIUM,
    confidence=Level.HIGH,
    subject="entry",
    advice="Send it in a header that the client fills in, or sign in with OAuth.",
    cwe=598,
    owasp="MCP01",
    check=check,
)
