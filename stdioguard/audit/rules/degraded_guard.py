"""A guard that was told to go on without a guarantee looks like one that gives it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stdioguard.audit.interface import Level, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.audit.interface import EntryView, Finding

_OPTION = "--allow-degraded"


def check(view: EntryView) -> Iterator[Finding]:
    """Yield a finding for each guarantee that an entry does without; all of the sandbox is the worst."""
    if view.guard is None:
        return
    words = view.entry.argv[: view.offset]
    for index, word in enumerate(words):
        name, equals, value = word.partition("=")
        if name != _OPTION:
            continue
        given = value if equals else (words[index + 1] if index + 1 < len(words) else "")
        severity = Level.HIGH if given == "sandbox" else RULE.severity
        yield view.finding(RULE, f"it goes on without the guarantee {given}", view.outer(index), severity=severity)


RULE = Rule(
    slug="degraded-guard",
    title="A guarded server does without a guarantee",
    severity=Level.MEDIUM,
    confidence=Level.HIGH,
    subject="entry",
    advice="See what stdioguard doctor says about this machine, and take the option out.",
    cwe=693,
    owasp="MCP02",
    check=check,
)
