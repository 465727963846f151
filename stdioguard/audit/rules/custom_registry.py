"""Another registry than the usual one decides what is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stdioguard.audit import registries
from stdioguard.audit.interface import Level, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.audit.interface import EntryView, Finding


def check(view: EntryView) -> Iterator[Finding]:
    """Yield a finding for each registry that the words or the variables name. One without TLS is worse: anybody on the way answers."""
    for found in registries.of(view):
        if found.is_usual:
            continue
        if found.is_plain:
            message = f"packages come from {found.host} over {found.scheme}: anybody on the way can replace them"
            yield view.finding(RULE, message, found.path, severity=Level.HIGH, advice="Use the registry's https address.")
        else:
            yield view.finding(RULE, f"packages come from {found.host} and not from the usual registry", found.path)


RULE = Rule(
    slug="custom-registry",
    title="Packages come from another registry than the usual one",
    severity=Level.INFO,
    confidence=Level.HIGH,
    subject="entry",
    advice="Keep it only where you trust who runs that registry.",
    cwe=494,
    owasp="MCP04",
    check=check,
)
