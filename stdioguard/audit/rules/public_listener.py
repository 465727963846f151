"""A local server speaks over pipes; one that also listens on the network is open to whoever reaches the machine, and to web pages."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from stdioguard.audit import running
from stdioguard.audit.interface import Finding, Level, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.audit.engine import Report


def check(report: Report) -> Iterator[Finding]:
    """Yield a finding for each server that, itself or by what it has started, waits at an address that other machines reach."""
    for server in report.running:
        if report.machine is None:
            return
        open_at = sorted(
            {
                f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
                for process in running.family(report.machine, server.process)
                for host, port in process.listens
                if _is_public(host)
            }
        )
        if not open_at:
            continue
        message = f"process {server.process.pid} waits for connections from other machines at {', '.join(open_at[:4])}"
        if server.view is None:
            yield Finding(RULE.slug, RULE.severity, RULE.confidence, f"{server.started.identity}: {message}", "")
        else:
            yield server.view.finding(RULE, message)


def _is_public(host: str) -> bool:
    try:
        return not ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False


RULE = Rule(
    slug="public-listener",
    title="A local server listens on the network",
    severity=Level.HIGH,
    confidence=Level.HIGH,
    subject="machine",
    advice="Bind it to 127.0.0.1, or put stdioguard in front of it: then it cannot listen.",
    cwe=1327,
    owasp="MCP07",
    check=check,
)
