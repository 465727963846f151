"""A server that is running without a guard has all of its user's rights now, whatever the configuration says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stdioguard.audit.interface import Finding, Level, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.audit.engine import Report


def check(report: Report) -> Iterator[Finding]:
    """Yield a finding for each server that runs without a guard; the worse where its entry has one."""
    for server in report.running:
        if server.is_guarded:
            continue
        pid = server.process.pid
        if server.view is None:
            message = f"{server.started.identity} (process {pid}) runs without a guard, and is in no configuration that is known"
            yield Finding(
                RULE.slug, Level.LOW, Level.MEDIUM, message, "", advice="Find out which client has started it, and why."
            )
        elif server.view.guard is not None:
            message = (
                f"process {pid} runs without the guard that its entry has: its client has not read the entry since it was wrapped"
            )
            yield server.view.finding(RULE, message, severity=Level.MEDIUM, advice="Restart the client.")
        else:
            yield server.view.finding(RULE, f"process {pid} runs without a guard")


RULE = Rule(
    slug="running-unguarded",
    title="A server is running without a guard",
    severity=Level.INFO,
    confidence=Level.HIGH,
    subject="machine",
    advice="Run stdioguard wrap, and restart the client.",
    cwe=250,
    owasp="MCP09",
    check=check,
)
