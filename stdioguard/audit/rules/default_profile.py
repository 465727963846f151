"""The default profile asks about every call and grants nothing else: people tire of it, where a fitting profile would ask rarely."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stdioguard.audit.interface import Level, Rule
from stdioguard.installs import commands

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.audit.interface import EntryView, Finding


def check(view: EntryView) -> Iterator[Finding]:
    """Yield a finding for a guarded server that has the default profile though there is one for it."""
    if view.guard is None or view.guard.profile != "default":
        return
    better = commands.profile_for(view.started)
    if better is not None and better != "default":
        message = f"it has the default profile, though there is one for it: {better}"
        path = next((view.outer(index) for index, word in enumerate(view.entry.argv) if word == "default"), None)
        yield view.finding(RULE, message, path, advice=f"Run stdioguard wrap again, or name --profile {better}.")


RULE = Rule(
    slug="default-profile",
    title="A guarded server has the default profile though there is one for it",
    severity=Level.LOW,
    confidence=Level.HIGH,
    subject="entry",
    advice="Name the profile that is made for it.",
    cwe=1188,
    owasp="MCP02",
    check=check,
)
