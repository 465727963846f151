"""What the profile's `network` lets a server reach. Decisions only: nothing here resolves or connects.

An empty list grants nothing (CVE-2025-66479 was an empty list read as an open one). A name that no rule grants is never looked up:
the look-up itself would carry data out.
"""

from __future__ import annotations

from stdioguard.policy import addresses, hosts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from stdioguard.policy.addresses import Address
    from stdioguard.policy.hosts import Rule


class Refused(Exception):  # noqa: N818 - a verdict, not a fault
    """The rules do not grant this. `reason` is for people; `rule` is the entry of `network` that would, empty where none can."""

    def __init__(self, reason: str, rule: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.rule = rule


class Rules:
    """The rules of one profile. Raises `HostError` where an entry is none: a list that cannot be read grants nothing."""

    def __init__(self, entries: Iterable[str]) -> None:
        self._rules = [hosts.rule(entry) for entry in entries]

    def name(self, name: str, port: int) -> str:
        """Return the rule that grants a name, in canonical form, on a port. Raises `Refused`."""
        for rule in self._rules:
            if rule.port == port and _covers(rule, name):
                return rule.text
        raise Refused("not in the profile's network list", hosts.written(name, port))

    def granted(self, address: Address, port: int) -> str | None:
        """Return the rule that grants exactly this address, or a range that it is in; None where there is no such rule."""
        translated = addresses.embedded(address)
        for rule in self._rules:
            if rule.port != port or rule.network is None or address not in rule.network:
                continue
            if rule.network.num_addresses == 1:
                return rule.text
            # Behind a translator is all of IPv4, and in a range may be a metadata service: neither comes with the range.
            if address not in addresses.METADATA and (translated is None or addresses.special(translated) is None):
                return rule.text
        return None

    def address(self, address: Address, port: int, name_rule: str | None = None) -> str:
        """Return the rule that lets an address be dialled: it is granted itself, or it is public and what led to it is granted.

        `name_rule` is the rule that granted the name at this address, None where the address itself was asked for. Raises `Refused`.
        """
        rule = self.granted(address, port)
        if rule is not None:
            return rule
        kind = addresses.special(address)
        if kind is not None:
            what, grantable = kind
            raise Refused(f"{address} is {what}", hosts.written(address, port) if grantable else "")
        if name_rule is not None:
            return name_rule
        for candidate in self._rules:
            if candidate.kind == hosts.PUBLIC and candidate.port == port:
                return candidate.text
        raise Refused("not in the profile's network list", hosts.written(address, port))


def _covers(rule: Rule, name: str) -> bool:
    if rule.kind == hosts.NAME:
        return name == rule.name
    if rule.kind == hosts.BELOW:
        return name.endswith("." + rule.name)
    return rule.kind == hosts.PUBLIC
