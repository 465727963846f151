"""`curl ... | sh`: whoever controls the address, or the way to it, runs code at each start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stdioguard.audit import code, words
from stdioguard.audit.interface import Level, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.audit.interface import EntryView, Finding


def check(view: EntryView) -> Iterator[Finding]:
    """Yield a finding for a shell's line, or for code, that fetches what it runs."""
    parts: list[words.Word | code.Code] = [*words.shell_lines(view), *code.of(view)]
    for part in parts:
        how = code.fetches(part.text)
        if how:
            message = "the command fetches code from an address and runs it"
            yield view.finding(RULE, message, part.path, confidence=Level.HIGH if how == "at once" else Level.MEDIUM)
            return


RULE = Rule(
    slug="download-and-run",
    title="A server's command fetches code and runs it",
    severity=Level.HIGH,
    confidence=Level.HIGH,
    subject="entry",
    advice="Install a version that you have looked at, and start that.",
    cwe=494,
    owasp="MCP05",
    check=check,
)
