"""A registration that never ends outlives the reason for it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from stdioguard.audit.interface import Finding, Level, Rule
from stdioguard.identity import clients

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.audit.engine import Report


def check(report: Report) -> Iterator[Finding]:
    """Yield a finding for each client that is registered without an end; the worse where it may use every server."""
    if report.machine is None or not report.machine.is_here:
        return
    for name in clients.names():
        try:
            client = clients.read(name)
        except (clients.ClientError, OSError):
            continue
        if client.expires is None and client.state(time.time()) == "active":
            everywhere = not client.servers
            message = f"the client {name} is registered without an end" + (", for every server" if everywhere else "")
            severity = Level.LOW if everywhere else RULE.severity
            yield Finding(
                RULE.slug,
                severity,
                RULE.confidence,
                message,
                clients.path_of(name),
                advice=f"Run stdioguard client change {name} --expires 90d.",
            )


RULE = Rule(
    slug="client-without-expiry",
    title="A client is registered without an end",
    severity=Level.INFO,
    confidence=Level.HIGH,
    subject="machine",
    advice="Give it an end with stdioguard client change.",
    cwe=613,
    owasp="MCP01",
    check=check,
)
