"""Without a profile that can be read the guard refuses to start the server; people then take the guard away."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stdioguard.audit import profiles
from stdioguard.audit.interface import Level, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.audit.interface import EntryView, Finding


def check(view: EntryView) -> Iterator[Finding]:
    """Yield a finding for a guarded server whose profile is missing or has a mistake."""
    if view.guard is None or not view.machine.is_here:
        return
    problem = profiles.problem(view.guard.profile)
    if problem:
        yield view.finding(RULE, f"its profile cannot be used: {problem}")


RULE = Rule(
    slug="broken-profile",
    title="A guarded server's profile cannot be used",
    severity=Level.MEDIUM,
    confidence=Level.HIGH,
    subject="entry",
    advice="Correct the profile; stdioguard profile check says what is wrong.",
    cwe=754,
    owasp="MCP08",
    check=check,
)
