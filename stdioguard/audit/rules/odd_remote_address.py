"""An address that names nobody: a bare number, somebody's tunnel, or the machine's own cloud."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stdioguard.audit import addresses
from stdioguard.audit.interface import Level, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.audit.interface import EntryView, Finding

_TUNNELS = (
    ".ngrok.io", ".ngrok.app", ".ngrok.dev", ".ngrok-free.app", ".ngrok-free.dev", ".trycloudflare.com", ".loca.lt", ".localtunnel.me",
    ".serveo.net", ".lhr.life", ".localhost.run", ".pinggy.io", ".pinggy.link", ".bore.pub", ".devtunnels.ms", ".tunnelmole.net",
    ".playit.gg", ".telebit.io", ".zrok.io", ".webhook.site", ".requestbin.net", ".pipedream.net", ".oast.fun", ".interact.sh",
    ".burpcollaborator.net",
)  # fmt: skip
"""Services that hand out names to whoever asks, for a while; and those that collect what is sent to them."""


def check(view: EntryView) -> Iterator[Finding]:
    """Yield a finding for an address of one of these kinds."""
    for address in addresses.of(view):
        if address.kind == addresses.METADATA:
            message = f"{address.host} is a cloud's own address, which gives out this machine's credentials"
            yield view.finding(RULE, message, address.path, severity=Level.HIGH)
        elif address.kind == addresses.PUBLIC:
            message = f"{address.host} is a bare address: no certificate says whose it is, and it may be another's tomorrow"
            yield view.finding(RULE, message, address.path, severity=Level.LOW)
        elif f".{address.host}".endswith(_TUNNELS):
            message = f"{address.host} is a tunnel's name, which anybody can have next"
            yield view.finding(RULE, message, address.path)


RULE = Rule(
    slug="odd-remote-address",
    title="A remote server's address does not say whose it is",
    severity=Level.MEDIUM,
    confidence=Level.HIGH,
    subject="entry",
    advice="Use the name that the service's owner publishes.",
    cwe=346,
    owasp="MCP09",
    check=check,
)
