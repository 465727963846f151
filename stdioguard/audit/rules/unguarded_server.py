"""A local server that its client starts directly has all of the user's power."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stdioguard.audit.interface import Fix, Level, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.audit.interface import EntryView, Finding


def check(view: EntryView) -> Iterator[Finding]:
    """Yield a finding for a server that is not wrapped. One that is in a repository is its readers' business."""
    if view.entry.kind != "stdio" or view.entry.disabled or view.guard is not None or view.config.is_shared:
        return
    if view.config.listing.found.form == "mcpb":
        return  # not installed yet
    fix = Fix("put stdioguard in front of it", "wrap") if view.entry.editable else None
    yield view.finding(RULE, f"{view.entry.name} runs with all of your rights", fix=fix)


RULE = Rule(
    slug="unguarded-server",
    title="A local server runs without a guard",
    severity=Level.INFO,
    confidence=Level.HIGH,
    subject="entry",
    advice="Run stdioguard wrap.",
    cwe=250,
    owasp="MCP05",
    check=check,
)
