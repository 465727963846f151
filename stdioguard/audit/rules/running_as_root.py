"""A server that runs as root can do everything to the machine, and so can whoever talks the model into it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stdioguard.audit import running
from stdioguard.audit.interface import Finding, Level, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.audit.engine import Report


def check(report: Report) -> Iterator[Finding]:
    """Yield a finding for each server of root's that no guard confines; where its client is not root's, it has gained rights."""
    for server in report.running:
        if server.process.uid != 0 or server.is_guarded:
            continue
        parent = next(iter(running.ancestors(report.machine, server.process)), None) if report.machine is not None else None
        gained = parent is not None and parent.uid != 0
        severity = Level.HIGH if gained else RULE.severity
        message = f"process {server.process.pid} runs as root" + (", and its parent does not" if gained else "")
        if server.view is None:
            yield Finding(RULE.slug, severity, RULE.confidence, f"{server.started.identity}: {message}", "")
        else:
            yield server.view.finding(RULE, message, severity=severity)


RULE = Rule(
    slug="running-as-root",
    title="A server is running as root",
    severity=Level.MEDIUM,
    confidence=Level.HIGH,
    subject="machine",
    advice="Run the client as an ordinary user, or put stdioguard in front of the server.",
    cwe=250,
    owasp="MCP02",
    check=check,
)
