"""From a host that was asked for to a connection: judge, resolve once, judge each address, and dial what was judged.

Nothing after this resolves a name again, so a name that means something else the second time (DNS rebinding) means nothing.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import time
from ipaddress import IPv4Address, IPv6Address, ip_address

from stdioguard.policy import hosts
from stdioguard.sandbox.network.rules import Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from stdioguard.policy.addresses import Address
    from stdioguard.policy.hosts import Host
    from stdioguard.sandbox.network.reports import Reports
    from stdioguard.sandbox.network.rules import Rules

    Resolver = Callable[[str], Sequence[str]]
    """Takes a name, gives its addresses in the order in which they are to be tried, as text. Raises `OSError`."""

PATIENCE = 30.0
"""Seconds for a connection to be made, over all addresses of a host."""
_HEAD_START = 0.25  # RFC 8305, 5: before the next address is tried beside the one before
_MOST_ADDRESSES = 8
_LOOPBACK = (IPv4Address("127.0.0.1"), IPv6Address("::1"))


class Unreachable(Exception):  # noqa: N818 - a fact about the network
    """A host that is granted cannot be reached. `code` is an errno, or 0 where its name cannot be resolved."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


def resolve(name: str) -> list[str]:
    """Ask the system's resolver. Raises `OSError`."""
    # As bytes: a text would be encoded once more, by rules of Python's own.
    found = socket.getaddrinfo(name.encode("ascii"), None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def reach(host: Host, port: int, rules: Rules, reports: Reports, resolver: Resolver) -> socket.socket:
    """Return a connection to `host`, reported. Raises `Refused`, reported too, or `Unreachable`."""
    shown = str(host)
    try:
        addresses, rule = judge(host, port, rules, resolver)
    except Refused as refusal:
        reports.deny(shown, port, refusal.reason, refusal.rule)
        raise
    reports.allow(shown, port, rule)
    return _connected(addresses, port)


def judge(host: Host, port: int, rules: Rules, resolver: Resolver) -> tuple[list[Address], str]:
    """Return the addresses that may be dialled, and the rule that lets them. Raises `Refused`, or `Unreachable`.

    Of a name's addresses those that are refused are left out; where none is left, the first one's refusal counts.
    """
    name_rule = None
    if not isinstance(host, str):
        found: list[Address] = [host]
    elif hosts.is_this_machine(host):
        found = list(_LOOPBACK)
    else:
        name_rule = rules.name(host, port)
        found = _resolved(host, resolver)
    granted: list[Address] = []
    rule, refusal = "", None
    for address in found:
        try:
            verdict = _address(address, port, rules, name_rule)
        except Refused as refused:
            refusal = refusal or refused
        else:
            granted.append(address)
            rule = rule or name_rule or verdict
    if not granted:
        if refusal is None:
            raise Unreachable(0, f"{host} has no address")
        raise refusal
    return granted[:_MOST_ADDRESSES], rule


def _resolved(name: str, resolver: Resolver) -> list[Address]:
    try:
        texts = resolver(name)
    except OSError as error:
        raise Unreachable(0, f"{name} cannot be resolved: {error.strerror or error}") from None
    return [ip_address(text.partition("%")[0]) for text in texts]


def _address(address: Address, port: int, rules: Rules, name_rule: str | None) -> str:
    rule = rules.address(address, port, name_rule)
    if rules.granted(address, port) is None and is_own(address):
        # Public by its number, and yet this machine: what listens here may trust whoever comes from here.
        raise Refused(f"{address} is this machine's own address", hosts.written(address, port))
    return rule


def is_own(address: Address) -> bool:
    """Tell whether an address is one of this machine's: the kernel would then come from there itself. Sends nothing (udp(7))."""
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((str(address), 9))
            own: str = probe.getsockname()[0]
    except OSError:
        return False  # no way there, so neither is it here
    return ip_address(own.partition("%")[0]) == address


def _connected(addresses: Sequence[Address], port: int) -> socket.socket:
    """Connect to the first address that answers, each with a head start before the next."""
    waiting = list(addresses)
    under_way: dict[int, socket.socket] = {}
    poller = select.poll()
    code = errno.EHOSTUNREACH
    deadline = time.monotonic() + PATIENCE
    try:
        while waiting or under_way:
            now = time.monotonic()
            if now >= deadline:
                code = errno.ETIMEDOUT
                break
            if waiting:
                attempt, result = _started(waiting.pop(0), port)
                if attempt is not None and result == 0:
                    return attempt
                if attempt is None:
                    code = result
                    continue
                under_way[attempt.fileno()] = attempt
                poller.register(attempt, select.POLLOUT)
            for descriptor, _ in poller.poll(1000 * min(deadline - now, _HEAD_START if waiting else PATIENCE)):
                poller.unregister(descriptor)
                attempt = under_way.pop(descriptor)
                result = attempt.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if result == 0:
                    return attempt
                attempt.close()
                code = result
    finally:
        for left in under_way.values():
            left.close()
    raise Unreachable(code, os.strerror(code))


def _started(address: Address, port: int) -> tuple[socket.socket | None, int]:
    """Start connecting; return the socket and 0 or EINPROGRESS, or None and what went wrong."""
    try:
        attempt = socket.socket(socket.AF_INET6 if address.version == 6 else socket.AF_INET, socket.SOCK_STREAM)
    except OSError as error:
        return None, error.errno or errno.EIO
    attempt.setblocking(False)
    attempt.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    attempt.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    result = attempt.connect_ex((str(address), port))
    if result in (0, errno.EINPROGRESS):
        return attempt, result
    attempt.close()
    return None, result
