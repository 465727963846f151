"""Of a server that runs in two versions at once one is the older: what was mended in the newer is still open."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stdioguard.audit.interface import Level, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.audit.engine import Report
    from stdioguard.audit.interface import Finding
    from stdioguard.audit.running import Running


def check(report: Report) -> Iterator[Finding]:
    """Yield a finding for each package of which processes with different exact versions are running."""
    by_name: dict[str, dict[str, Running]] = {}
    for server in report.running:
        started = server.started
        if server.view is not None and started.is_pinned and started.version and started.ecosystem in ("npm", "pypi", "oci"):
            by_name.setdefault(started.identity, {}).setdefault(started.version, server)
    for name, versions in by_name.items():
        if len(versions) > 1:
            first = next(iter(versions.values()))
            assert first.view is not None  # noqa: S101 - only such are kept above
            yield first.view.finding(RULE, f"{name} runs in {len(versions)} versions at once: {', '.join(sorted(versions))}")


RULE = Rule(
    slug="several-versions",
    title="A server runs in several versions at once",
    severity=Level.LOW,
    confidence=Level.HIGH,
    subject="machine",
    advice="Name one version in every entry, and restart the clients.",
    cwe=1104,
    owasp="MCP04",
    check=check,
)
