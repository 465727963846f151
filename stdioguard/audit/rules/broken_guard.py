"""A wrapped entry starts stdioguard by a path: what is there now need not be what `wrap` has put there."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from stdioguard.audit.interface import Level, Rule
from stdioguard.installs import shim

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.audit.interface import EntryView, Finding


def check(view: EntryView) -> Iterator[Finding]:
    """Yield a finding for a wrapped entry whose guard is missing, or is another installation than this."""
    if view.guard is None or not view.machine.is_here or view.config.is_shared:
        return
    program = view.entry.argv[0]
    if not os.path.isabs(program):
        return
    path = view.entry.fields.command_path
    if view.machine.is_missing(program):
        yield view.finding(RULE, f"its guard {program} is not there, so the server does not start", path)
    elif program == shim.path() and not shim.is_right(program):
        yield view.finding(RULE, "its guard is another installation of stdioguard than this one", path, severity=Level.LOW)


RULE = Rule(
    slug="broken-guard",
    title="A wrapped entry's guard is missing or another one",
    severity=Level.MEDIUM,
    confidence=Level.HIGH,
    subject="entry",
    advice="Run stdioguard wrap again, which brings it up to date.",
    cwe=754,
    owasp="MCP08",
    check=check,
)
