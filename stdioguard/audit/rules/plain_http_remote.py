"""What goes over http:// is read and changed by whoever is on the way: tokens, answers, and the tools' own texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stdioguard.audit import addresses
from stdioguard.audit.interface import Level, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.audit.interface import EntryView, Finding


def check(view: EntryView) -> Iterator[Finding]:
    """Yield a finding for an address without TLS that is not this machine's; a private network's is less bad."""
    told = False
    for address in addresses.of(view):
        if address.scheme in ("http", "ws") and address.kind not in (addresses.LOOPBACK, addresses.METADATA):
            told = True
            private = address.kind == addresses.PRIVATE
            message = f"its connection to {address.host} is not encrypted"
            yield view.finding(RULE, message, address.path, severity=Level.LOW if private else RULE.severity)
    if not told and view.started.name in addresses.BRIDGES and "--allow-http" in view.argv:
        local = [address for address in addresses.of(view) if address.kind == addresses.LOOPBACK]
        if not local:
            message = "--allow-http lets its connection go without encryption"
            yield view.finding(RULE, message, view.word(view.argv.index("--allow-http")), severity=Level.LOW)


RULE = Rule(
    slug="plain-http-remote",
    title="A remote server is reached without encryption",
    severity=Level.MEDIUM,
    confidence=Level.HIGH,
    subject="entry",
    advice="Use https://, or a tunnel that ends on this machine.",
    cwe=319,
    owasp="MCP07",
    check=check,
)
