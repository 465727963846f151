"""A helper that makes a remote server's headers is a program that the client runs, though the entry looks like an address only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stdioguard.audit.interface import Level, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.audit.interface import EntryView, Finding

_KEYS = ("headersHelper", "headers_helper", "headersCommand")


def check(view: EntryView) -> Iterator[Finding]:
    """Yield a finding for an entry with a helper; in a project's file it is others' code."""
    for key in _KEYS:
        value = view.entry.extra.get(key)
        if isinstance(value, (str, list)) and value:
            severity = Level.MEDIUM if view.config.is_shared else RULE.severity
            yield view.finding(
                RULE, f"{key} is a command that the client runs at each connection", (*view.entry.path, key), severity=severity
            )


RULE = Rule(
    slug="headers-helper",
    title="A remote server's entry runs a command",
    severity=Level.LOW,
    confidence=Level.HIGH,
    subject="entry",
    advice="Look at the program, and keep such entries out of repositories.",
    cwe=829,
    owasp="MCP05",
    check=check,
)
