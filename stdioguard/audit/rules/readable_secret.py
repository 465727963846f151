"""A config with secrets that other users of the machine can read."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from stdioguard.audit import secrets
from stdioguard.audit.interface import Fix, Level, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.audit.interface import ConfigView, Finding


def check(config: ConfigView) -> Iterator[Finding]:
    """Yield a finding for a file with secrets where every folder on the way, and the file itself, is open to others."""
    if not config.machine.is_here or os.name != "posix":
        return
    if not any(found.confidence >= Level.MEDIUM for view in config.entries for found in secrets.of(view)):
        return
    steps = [step for step in config.machine.steps(config.file) if not step.is_link]
    if not steps or config.machine.status(steps[-1].path) is None:
        return
    *folders, file = steps
    everybody = file.mode & 0o004 and all(step.mode & 0o001 for step in folders)
    group = (
        file.mode & 0o040
        and file.gid != file.uid
        and all(step.mode & (0o011 if step.gid == file.gid else 0o001) for step in folders)
    )
    if not everybody and not group:
        return
    who = "every user of this machine" if everybody else f"the users of the group {file.gid}"
    mode = file.mode & 0o7700
    yield config.finding(
        RULE,
        f"the file holds secrets, and {who} can read it",
        severity=RULE.severity if everybody else Level.MEDIUM,
        fix=Fix("take the rights of others from it", "chmod", target=file.path, mode=mode),
    )


RULE = Rule(
    slug="readable-secret",
    title="A config with secrets can be read by others",
    severity=Level.HIGH,
    confidence=Level.HIGH,
    subject="config",
    advice="Run chmod 600 on it.",
    cwe=732,
    owasp="MCP01",
    check=check,
)
