"""SOCKS 5 (RFC 1928), CONNECT only, and its user and password (RFC 1929)."""

from __future__ import annotations

import errno
import time
from ipaddress import IPv4Address, IPv6Address

from stdioguard.policy import hosts
from stdioguard.sandbox.network import dial, pump
from stdioguard.sandbox.network.rules import Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket

    from stdioguard.policy.hosts import Host
    from stdioguard.sandbox.network.proxy import Proxy

VERSION = 5
_NO_AUTHENTICATION, _USER_AND_PASSWORD, _NONE = 0, 2, 0xFF
_GRANTED, _FAILED, _NOT_ALLOWED, _NET, _HOST, _REFUSED, _COMMAND, _KIND = 0, 1, 2, 3, 4, 5, 7, 8
_REPLIES = {errno.ENETUNREACH: _NET, errno.EHOSTUNREACH: _HOST, errno.ETIMEDOUT: _HOST, errno.ECONNREFUSED: _REFUSED, 0: _HOST}


class _Malformed(Exception):  # noqa: N818 - the client's, and the end of it
    """What came is no SOCKS, or came too slowly."""


class _Reader:
    """Exactly as many bytes as are asked for, before a deadline."""

    def __init__(self, client: socket.socket, early: bytes, deadline: float) -> None:
        self._client = client
        self._early = early
        self._deadline = deadline

    def take(self, count: int) -> bytes:
        while len(self._early) < count:
            left = self._deadline - time.monotonic()
            if left <= 0:
                raise _Malformed
            self._client.settimeout(left)
            data = self._client.recv(512)
            if not data:
                raise _Malformed
            self._early += data
        taken, self._early = self._early[:count], self._early[count:]
        return taken

    def rest(self) -> bytes:
        return self._early


def serve(client: socket.socket, early: bytes, proxy: Proxy, deadline: float) -> None:
    """Serve one connection whose first bytes are `early`. Raises `OSError` where the client is gone."""
    reader = _Reader(client, early, deadline)
    try:
        if not _authenticated(client, reader, proxy):
            return
        place = _request(client, reader, proxy)
    except _Malformed:
        return
    if place is None:
        return
    host, port = place
    try:
        upstream = dial.reach(host, port, proxy.rules, proxy.reports, proxy.resolver)
    except Refused:
        _reply(client, _NOT_ALLOWED)
        return
    except dial.Unreachable as error:
        _reply(client, _REPLIES.get(error.code, _FAILED))
        return
    with upstream:
        _reply(client, _GRANTED)
        pump.tunnel(client, upstream, reader.rest(), idle=proxy.limits.tunnel, idle_half=proxy.limits.exchange)


def _authenticated(client: socket.socket, reader: _Reader, proxy: Proxy) -> bool:
    _, count = reader.take(2)
    methods = reader.take(count)
    wanted = _NO_AUTHENTICATION if proxy.secret is None else _USER_AND_PASSWORD
    if wanted not in methods:
        client.sendall(bytes((VERSION, _NONE)))
        return False
    client.sendall(bytes((VERSION, wanted)))
    if wanted == _NO_AUTHENTICATION:
        return True
    version, length = reader.take(2)
    user = reader.take(length)
    password = reader.take(reader.take(1)[0])
    right = proxy.is_secret(user + b":" + password) and version == 1
    client.sendall(bytes((1, 0 if right else 1)))
    return right


def _request(client: socket.socket, reader: _Reader, proxy: Proxy) -> tuple[Host, int] | None:
    """Return what is to be connected to; None where the answer has been given already."""
    version, command, _, kind = reader.take(4)
    if version != VERSION:
        raise _Malformed
    raw = ""
    host: Host | None
    if kind == 1:
        host = IPv4Address(reader.take(4))
    elif kind == 4:
        host = IPv6Address(reader.take(16))
    elif kind == 3:
        raw = reader.take(reader.take(1)[0]).decode("latin-1")
        host = None
    else:
        _reply(client, _KIND)
        return None
    port = int.from_bytes(reader.take(2), "big")
    if command != 1:
        _reply(client, _COMMAND)
        return None
    try:
        place = hosts.host(raw, bare=True) if host is None else host
        hosts.port(str(port))
    except hosts.HostError as error:
        proxy.reports.deny(raw if host is None else str(host), port, f"malformed: {error}")
        _reply(client, _NOT_ALLOWED)
        return None
    return place, port


def _reply(client: socket.socket, code: int) -> None:
    """Answer, with no bound address: the client has no use for it."""
    client.sendall(bytes((VERSION, code, 0, 1)) + bytes(6))
