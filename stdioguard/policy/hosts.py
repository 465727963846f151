"""Hosts, ports and the rules of a profile's `network`: each has one spelling, and what is not in it is refused.

Every bypass of a host list that has been published is two readers that read one text in two ways: a NUL that ends a name for the
resolver and not for the comparison, an address that looks like a name (`0x7f.1`), a suffix that is no label (CVE-2025-66479 and its
relatives in other proxies). So a text is read once, here, and what goes on is the value.
"""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address, ip_network

from stdioguard.policy import addresses

TYPE_CHECKING = False
if TYPE_CHECKING:
    from stdioguard.policy.addresses import Network

Host = str | IPv4Address | IPv6Address
"""A text is a name in canonical form, never an address."""

NAME = "name"
BELOW = "below"
PUBLIC = "public"
ADDRESS = "address"

_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9_]([a-z0-9_\-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_\-]{0,61}[a-z0-9_])?)*\Z")
_PORT = re.compile(r"[1-9][0-9]{0,4}\Z")
# What inet_aton(3), and so every resolver, takes for a number: decimal, octal or hexadecimal. A name that ends in one is an address to
# some readers (URL Standard, "ends in a number").
_NUMBER = re.compile(r"(0x[0-9a-f]*|[0-9]+)\Z")


class HostError(ValueError):
    """What is wrong with a host, a port or a rule, in words for people."""


def host(text: str, *, bare: bool = False) -> Host:
    """Return the host that `text` names: an address, or a name in lower case without the root's dot.

    An IPv6 address stands in brackets, or with `bare` also without. Names outside ASCII are refused: there is more than one way to
    encode them, and clients do it before they ask. Raises `HostError`.
    """
    if text.startswith("["):
        if not text.endswith("]"):
            raise HostError("a bracket is not closed")
        return _ipv6(text[1:-1])
    if bare and ":" in text:
        return _ipv6(text)
    name = text.removesuffix(".")
    if not name.isascii():  # before lower(), which makes ASCII of some letters that are not
        raise HostError("a name outside ASCII is written in its xn-- form")
    name = name.lower()
    if not _NAME.match(name):
        raise HostError("neither a host's name nor an address")
    if _NUMBER.match(name.rpartition(".")[2]):
        try:
            return IPv4Address(name)
        except AddressValueError:
            raise HostError("an odd spelling of an address; write four decimal numbers, such as 127.0.0.1") from None
    return name


def _ipv6(text: str) -> IPv6Address:
    if "%" in text:
        raise HostError("an address is written without a zone")
    try:
        return IPv6Address(text)
    except AddressValueError:
        raise HostError("not an IPv6 address") from None


def port(text: str) -> int:
    """Return the port that `text` names. Raises `HostError`."""
    if not _PORT.match(text) or int(text) > 65535:
        raise HostError("a port is 1 to 65535")
    return int(text)


def authority(text: str, default: int | None = None) -> tuple[Host, int]:
    """Return host and port of `host:port`; without a port, `default`. Raises `HostError`."""
    name, colon, number = text.rpartition(":")
    if not colon or text.endswith("]"):
        if default is None:
            raise HostError("a port is missing")
        return host(text), default
    return host(name), port(number)


def written(place: Host, number: int) -> str:
    """Return `host:port` as a rule and a URL write it."""
    return f"[{place}]:{number}" if isinstance(place, IPv6Address) else f"{place}:{number}"


def is_this_machine(name: str) -> bool:
    """Tell whether a name means the loopback addresses whatever a resolver says (RFC 6761, 6.3)."""
    return name == "localhost" or name.endswith(".localhost")


class Rule:
    """One entry of `network`. `kind` is NAME, BELOW (the names below `name`), PUBLIC or ADDRESS; `text` is its canonical spelling."""

    __slots__ = ("kind", "name", "network", "port", "text")

    def __init__(self, kind: str, number: int, text: str, *, name: str = "", network: Network | None = None) -> None:
        self.kind = kind
        self.port = number
        self.text = text
        self.name = name
        self.network = network


def rule(text: str) -> Rule:
    """Read a rule: `name:port`, `*.name:port`, `*:port`, `address:port`, `10.0.0.0/8:port` or `[fd00::/8]:port`.

    Raises `HostError`.
    """
    place, colon, digits = text.rpartition(":")
    if not colon:
        raise HostError("a port is missing")
    number = port(digits)
    if place == "*":
        return Rule(PUBLIC, number, f"*:{number}")
    if place.startswith("*."):
        below = host(place[2:])
        if not isinstance(below, str):
            raise HostError("there is nothing below an address")
        _not_this_machine(below, number)
        return Rule(BELOW, number, f"*.{below}:{number}", name=below)
    if "/" in place:
        return _network(place, number)
    found = host(place)
    if isinstance(found, str):
        _not_this_machine(found, number)
        return Rule(NAME, number, f"{found}:{number}", name=found)
    _grantable(ip_network(found))
    return Rule(ADDRESS, number, written(found, number), network=ip_network(found))


def _network(place: str, number: int) -> Rule:
    bracketed = place.startswith("[") and place.endswith("]")
    inner = place[1:-1] if bracketed else place
    base, _, length = inner.partition("/")
    found = host(f"[{base}]" if bracketed else base)
    if isinstance(found, str) or not re.match(r"(0|[1-9][0-9]{0,2})\Z", length):
        raise HostError("a range is written 10.0.0.0/8:443 or [fd00::/8]:443")
    try:
        network = ip_network(f"{found}/{length}")
    except ValueError:
        raise HostError("a range begins with its first address, and its length fits the address") from None
    _grantable(network)
    return Rule(ADDRESS, number, f"[{network}]:{number}" if bracketed else f"{network}:{number}", network=network)


def _grantable(network: Network) -> None:
    wrong = addresses.problem(network)
    if wrong:
        raise HostError(wrong)


def _not_this_machine(name: str, number: int) -> None:
    if is_this_machine(name):
        raise HostError(f'this machine is granted by address: "127.0.0.1:{number}", or "[::1]:{number}"')
