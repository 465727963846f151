"""An entry for a program that is not there fails, until somebody puts something there."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from stdioguard.audit.interface import Level, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.audit.interface import EntryView, Finding


def check(view: EntryView) -> Iterator[Finding]:
    """Yield a finding for each program and script with a known place and nothing there; the worse if others can put something there."""
    if view.entry.disabled or view.config.is_shared:
        return
    for file in view.files:
        if file.what not in ("program", "script", "interpreter") or not view.machine.is_missing(file.path):
            continue
        above = os.path.dirname(file.path)
        while view.machine.is_missing(above):
            above = os.path.dirname(above)
        user = view.machine.uid if view.config.user is None else view.config.user
        status = view.machine.status(above)
        taken = bool(view.machine.hazards(above, user)) and status is not None
        message = f"its {file.what} {file.path} is not there"
        if taken:
            message += f", and others can put one there, in {above}"
        yield view.finding(RULE, message, view.word(file.index), severity=Level.HIGH if taken else RULE.severity)


RULE = Rule(
    slug="missing-program",
    title="A server's program or script is not there",
    severity=Level.LOW,
    confidence=Level.HIGH,
    subject="entry",
    advice="Remove the entry, or install the program again.",
    cwe=426,
    owasp="MCP09",
    check=check,
)
