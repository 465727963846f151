"""A configuration that is a link into another user's folder says what that user likes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stdioguard.audit.interface import Level, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.audit.interface import ConfigView, Finding


def check(config: ConfigView) -> Iterator[Finding]:
    """Yield a finding for a file that is reached through a link and is neither the user's nor root's."""
    if config.machine.is_here and config.leads_elsewhere:
        real = config.listing.snapshot.real if config.listing.snapshot is not None else ""
        yield config.finding(RULE, f"it is a link to {real}, which belongs to another user")


RULE = Rule(
    slug="foreign-config",
    title="A client's configuration is another user's file",
    severity=Level.HIGH,
    confidence=Level.HIGH,
    subject="config",
    advice="Replace the link by a file of your own, after reading what it starts.",
    cwe=59,
    owasp="MCP09",
    check=check,
)
