"""Whoever reads a client's token is that client to the guard."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

from stdioguard.audit.interface import Fix, Level, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.audit.interface import EntryView, Finding


def check(view: EntryView) -> Iterator[Finding]:
    """Yield a finding for a token file that others may read, that is another user's, or that is not there."""
    if view.guard is None or not view.guard.token_file.startswith("/") or not view.machine.is_here:
        return
    path, machine = view.guard.token_file, view.machine
    user = machine.uid if view.config.user is None else view.config.user
    status = machine.status(path)
    at = next((view.outer(index) for index, word in enumerate(view.entry.argv[: view.offset]) if path in word), None)
    if status is None:
        if machine.is_missing(path):
            advice = f"Run stdioguard client rotate {view.guard.client}."
            yield view.finding(RULE, f"its token file {path} is not there", at, severity=Level.LOW, advice=advice)
    elif status.st_uid not in (user, 0):
        yield view.finding(RULE, f"its token file {path} is another user's", at)
    elif status.st_mode & 0o077 and stat.S_ISREG(status.st_mode):
        mode = stat.S_IMODE(status.st_mode)
        fix = Fix("take the token from others", "chmod", target=path, mode=mode & 0o600)
        yield view.finding(RULE, f"others may read its token file {path} (mode {mode:04o})", at, fix=fix)


RULE = Rule(
    slug="open-token-file",
    title="Others may read a client's token",
    severity=Level.HIGH,
    confidence=Level.HIGH,
    subject="entry",
    advice="Run chmod 600 on it, and stdioguard client rotate, since it may have been read.",
    cwe=732,
    owasp="MCP01",
    check=check,
)
