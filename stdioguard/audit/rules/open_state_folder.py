"""stdioguard's own folders hold records of calls, registrations and what was wrapped: others must neither read nor change them."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from stdioguard.audit.interface import Finding, Fix, Level, Rule
from stdioguard.policy import places

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.audit.engine import Report


def check(report: Report) -> Iterator[Finding]:
    """Yield a finding for each of the folders that is there and is open to others, or is another user's."""
    machine = report.machine
    if machine is None or not machine.is_here:
        return
    state = places.directory("state")
    for folder in (
        places.directory("config"),
        state,
        places.directory("cache"),
        os.path.join(state, "records"),
        os.path.join(state, "wrapped"),
    ):
        status = machine.status(folder)
        if status is None or not stat.S_ISDIR(status.st_mode):
            continue
        mode = stat.S_IMODE(status.st_mode)
        if status.st_uid != machine.uid:
            yield Finding(
                RULE.slug,
                RULE.severity,
                RULE.confidence,
                f"{folder} belongs to user {status.st_uid}",
                folder,
                advice="Remove it.",
            )
        elif mode & 0o077:
            fix = Fix("close the folder to others", "chmod", target=folder, mode=mode & 0o700)
            severity = Level.HIGH if mode & 0o022 else RULE.severity
            yield Finding(RULE.slug, severity, RULE.confidence, f"{folder} is open to others (mode {mode:04o})", folder, fix=fix)


RULE = Rule(
    slug="open-state-folder",
    title="stdioguard's own folders are open to others",
    severity=Level.MEDIUM,
    confidence=Level.HIGH,
    subject="machine",
    advice="Run chmod 700 on it.",
    cwe=732,
    owasp="MCP08",
    check=check,
)
