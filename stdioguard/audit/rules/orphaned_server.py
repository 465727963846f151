"""A server whose client has ended keeps its rights and its secrets, and nobody looks at it any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stdioguard.audit import running
from stdioguard.audit.interface import Level, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.audit.engine import Report
    from stdioguard.audit.interface import Finding


def check(report: Report) -> Iterator[Finding]:
    """Yield a finding for each process with an entry's command line that the system has adopted."""
    if report.machine is None:
        return
    for server in report.running:
        parent = report.machine.processes().get(server.process.parent)
        # Process 1 of a container can be the client itself; a session's own systemd adopts as process 1 does.
        if server.view is not None and parent is not None and parent.name in running.INITS and parent.pid != server.process.pid:
            message = f"process {server.process.pid} runs on without a client, below {parent.name}"
            yield server.view.finding(RULE, message, confidence=Level.HIGH if parent.pid == 1 else RULE.confidence)


RULE = Rule(
    slug="orphaned-server",
    title="A server runs on after its client",
    severity=Level.LOW,
    confidence=Level.MEDIUM,
    subject="machine",
    advice="End the process.",
    cwe=772,
    owasp="MCP09",
    check=check,
)
