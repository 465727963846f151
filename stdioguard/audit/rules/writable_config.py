"""A client's configuration is a list of commands that the client runs: whoever can change it runs commands as its user."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from stdioguard.audit import starts
from stdioguard.audit.interface import Level, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.audit.interface import ConfigView, Finding


def check(config: ConfigView) -> Iterator[Finding]:
    """Yield a finding for each place on the way to the file that others can change."""
    if not config.machine.is_here:
        return
    user = config.machine.uid if config.user is None else config.user
    for problem in config.machine.hazards(os.path.abspath(config.file), user):
        if problem[1] == "owner" and config.leads_elsewhere:
            continue  # told by foreign-config
        advice, fix = starts.mend(problem, user)
        yield config.finding(
            RULE, f"others can change what this client starts: {starts.said(problem, user)}", advice=advice, fix=fix
        )


RULE = Rule(
    slug="writable-config",
    title="Others can change a client's configuration",
    severity=Level.HIGH,
    confidence=Level.HIGH,
    subject="config",
    advice="Take the right to write there from everybody else.",
    cwe=732,
    owasp="MCP02",
    check=check,
)
