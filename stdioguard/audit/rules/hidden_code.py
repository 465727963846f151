"""Code that is encoded, so that nobody can read in the config what it does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stdioguard.audit import code, words
from stdioguard.audit.interface import Level, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.audit.interface import EntryView, Finding


def check(view: EntryView) -> Iterator[Finding]:
    """Yield a finding for a line or for code that decodes what it runs."""
    lines = words.shell_lines(view)
    encoded = bool(lines) and any(word.lower() in ("-encodedcommand", "-enc", "-ec") for word in view.argv)
    parts: list[words.Word | code.Code] = [*lines, *code.of(view)]
    for part in parts:
        if encoded or code.hides(part.text):
            yield view.finding(RULE, "the command decodes what it runs, so that the config does not show it", part.path)
            return


RULE = Rule(
    slug="hidden-code",
    title="A server's command hides what it runs",
    severity=Level.HIGH,
    confidence=Level.HIGH,
    subject="entry",
    advice="Remove the server unless you know who wrote this; then put the code into a file.",
    cwe=506,
    owasp="MCP05",
    check=check,
)
