"""HTTP/1: CONNECT, and requests in absolute form. h11 reads and writes it, on both sides.

Nothing that a client sent is passed on as bytes: each request is read, judged and written anew, on a connection of its own that is
closed after the answer. Two requests never share one, so there is no second request for a first one to hide (RFC 9112, 11.2).

There is no `Via`: servers answer otherwise where they see one, and the server behind the proxy shall see what it would without.
"""

from __future__ import annotations

import errno
import re
import time

import h11

from stdioguard.policy import hosts
from stdioguard.sandbox.network import dial, pump
from stdioguard.sandbox.network.rules import Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence

    from stdioguard.policy.hosts import Host
    from stdioguard.sandbox.network.proxy import Proxy

LARGEST_HEAD = 64 * 1024
_HOP_BY_HOP = frozenset(
    (b"connection", b"keep-alive", b"te", b"trailer", b"transfer-encoding", b"upgrade", b"content-length", b"expect", b"host")
)
"""Not passed on (RFC 9110, 7.6.1), beside all that begin with `proxy-` and those that `Connection` names.

Host, the length and the coding are written anew, from what was judged and from what h11 counts.
"""
_ABSOLUTE = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*)://([^/?#]*)([/?][^#]*)?\Z")


class _Unfit(Exception):  # noqa: N818 - the client's
    """A request that is answered with an error, before anything is looked at that it names."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class _Client:
    """A client's connection: the socket, and what h11 has made of its bytes."""

    __slots__ = ("http", "socket")

    def __init__(self, connection: socket.socket, early: bytes) -> None:
        self.socket = connection
        self.http = h11.Connection(h11.SERVER, max_incomplete_event_size=LARGEST_HEAD)
        self.http.receive_data(early)


class _Target:
    """What a request is for. `path` is what the upstream is asked, empty for CONNECT."""

    __slots__ = ("host", "path", "port")

    def __init__(self, host: Host, port: int, path: str = "") -> None:
        self.host = host
        self.port = port
        self.path = path


def serve(connection: socket.socket, early: bytes, proxy: Proxy, deadline: float) -> None:
    """Serve one connection whose first bytes are `early`. Raises `OSError` where the client is gone."""
    client = _Client(connection, early)
    while True:
        try:
            request = _request(client, deadline)
            if request is None:
                return
            _authorised(request, proxy)
            target = _target(request, proxy)
        except _Unfit as error:
            extra = [("Proxy-Authenticate", 'Basic realm="stdioguard"')] if error.status == 407 else []
            _answer(client, error.status, str(error), extra)
            return
        except h11.RemoteProtocolError as error:
            _answer(client, error.error_status_hint, f"not a request: {error}")
            return
        if not _served(client, request, target, proxy):
            return
        client.http.start_next_cycle()
        deadline = time.monotonic() + proxy.limits.between


def _request(client: _Client, deadline: float) -> h11.Request | None:
    """Return the next request; None where there is none any more."""
    while True:
        event = client.http.next_event()
        if isinstance(event, h11.Request):
            return event
        if isinstance(event, h11.ConnectionClosed):
            return None
        left = deadline - time.monotonic()
        if left <= 0:
            if client.http.trailing_data[0]:
                raise _Unfit(408, "the request did not come in time")
            return None
        client.socket.settimeout(left)
        try:
            client.http.receive_data(client.socket.recv(LARGEST_HEAD))
        except TimeoutError:
            continue


def _authorised(request: h11.Request, proxy: Proxy) -> None:
    if proxy.secret is None:
        return
    given = [value for name, value in request.headers if name == b"proxy-authorization"]
    if not given:
        raise _Unfit(407, "the proxy's variables carry a user and a password: use them")
    scheme, _, encoded = given[0].partition(b" ")
    if len(given) != 1 or scheme.lower() != b"basic" or not proxy.is_encoded_secret(encoded.strip()):
        raise _Unfit(407, "the user or the password is not the proxy's")


def _target(request: h11.Request, proxy: Proxy) -> _Target:
    """Return what a request is for. Raises `_Unfit` where that is not one thing, for every reader."""
    if request.http_version not in (b"1.0", b"1.1"):
        raise _Unfit(505, "HTTP/1.1 is spoken here")
    lengths = _values(request.headers, b"content-length")
    codings = _values(request.headers, b"transfer-encoding")
    if codings and (lengths or request.http_version == b"1.0"):
        raise _Unfit(400, "a message has one length (RFC 9112, 6.1)")
    text = request.target.decode("ascii")
    if request.method == b"CONNECT":
        if codings or lengths not in ([], [b"0"]):
            raise _Unfit(400, "CONNECT has no body")
        host, port = _place(text, None, proxy)
        # Some clients leave out the port of this Host, which says nothing that the target does not.
        _same_host(request, host, port, port, proxy)
        return _Target(host, port)
    found = _ABSOLUTE.match(text)
    if not found:
        raise _Unfit(400, "this is a proxy: ask for http://host/path, or CONNECT host:port")
    scheme, place, path = found[1].lower(), found[2], found[3] or ""
    if scheme != "http":
        raise _Unfit(400, f"{scheme} goes through a proxy by CONNECT")
    host, port = _place(place, 80, proxy)
    _same_host(request, host, port, 80, proxy)
    return _Target(host, port, path if path.startswith("/") else f"/{path}")


def _place(text: str, default: int | None, proxy: Proxy) -> tuple[Host, int]:
    try:
        return hosts.authority(text, default)
    except hosts.HostError as error:
        proxy.reports.deny(text, 0, f"malformed: {error}")
        raise _Unfit(403, str(error)) from None


def _same_host(request: h11.Request, host: Host, port: int, default: int, proxy: Proxy) -> None:
    """Refuse a Host that names another host than the target: whoever reads it next might believe it.

    h11 has seen to it that there is one at most, and in HTTP/1.1 exactly one.
    """
    for value in _values(request.headers, b"host"):
        try:
            same = hosts.authority(value.decode("latin-1"), default) == (host, port)
        except hosts.HostError:
            same = False
        if not same:
            proxy.reports.deny(str(host), port, "malformed: Host and target name different hosts")
            raise _Unfit(400, "Host and target name different hosts")


def _served(client: _Client, request: h11.Request, target: _Target, proxy: Proxy) -> bool:
    """Do what was asked. Return whether the client may ask again on the same connection."""
    place = hosts.written(target.host, target.port)
    try:
        upstream = dial.reach(target.host, target.port, proxy.rules, proxy.reports, proxy.resolver)
    except Refused as refusal:
        hint = f'; to allow it, add "{refusal.rule}" to `network` in the profile' if refusal.rule else ""
        _answer(client, 403, f"stdioguard refuses {place}: {refusal.reason}{hint}", reason=f"stdioguard refuses {place}")
        return False
    except dial.Unreachable as error:
        _answer(client, 504 if error.code == errno.ETIMEDOUT else 502, f"{place} cannot be reached: {error}")
        return False
    with upstream:
        if request.method == b"CONNECT":
            _joined(client, upstream, proxy)
            return False
        return _exchanged(client, upstream, request, target, proxy)


def _joined(client: _Client, upstream: socket.socket, proxy: Proxy) -> None:
    while client.http.next_event() is not h11.PAUSED:
        pass  # the end of a request that has no body
    early, _ = client.http.trailing_data
    client.socket.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
    pump.tunnel(client.socket, upstream, early, idle=proxy.limits.tunnel, idle_half=proxy.limits.exchange)


class _Exchange:
    """One request and its answer between two connections of h11: bytes of one side to bytes for the other."""

    def __init__(self, client: h11.Connection, request: h11.Request, target: _Target) -> None:
        self.client = client
        self.upstream = h11.Connection(h11.CLIENT, max_incomplete_event_size=LARGEST_HEAD)
        self.answered = False
        self.done = False
        self.head = self.upstream.send(_rewritten(request, target)) + self.from_client(None)
        self.interim = b""
        if client.they_are_waiting_for_100_continue:
            self.interim = client.send(h11.InformationalResponse(status_code=100, headers=[], reason=b"Continue"))

    def wants_client(self) -> bool:
        return self.client.their_state is h11.SEND_BODY

    def from_client(self, data: bytes | None) -> bytes:
        if data is not None:
            self.client.receive_data(data)
        written = b""
        while self.wants_client():
            event = self.client.next_event()
            if isinstance(event, h11.Data):
                written += self.upstream.send(event)
            elif isinstance(event, h11.EndOfMessage):
                written += self.upstream.send(h11.EndOfMessage())  # trailers end here
            else:
                break
        return written

    def from_upstream(self, data: bytes) -> bytes:
        self.upstream.receive_data(data)
        written = b""
        while not self.done:
            event = self.upstream.next_event()
            if isinstance(event, h11.Response):
                self.answered = True
                written += self.client.send(_passed_on(event))
            elif isinstance(event, h11.Data):
                written += self.client.send(event)
            elif isinstance(event, h11.EndOfMessage):
                written += self.client.send(h11.EndOfMessage())
                self.done = True
            elif not isinstance(event, h11.InformationalResponse):
                break
        return written


def _exchanged(client: _Client, upstream: socket.socket, request: h11.Request, target: _Target, proxy: Proxy) -> bool:
    place = hosts.written(target.host, target.port)
    exchange = None
    status, problem = 504, f"{place} did not answer in time"
    try:
        exchange = _Exchange(client.http, request, target)
        out = pump.Way(client.socket, upstream, exchange.from_client, exchange.head, exchange.wants_client)
        back = pump.Way(upstream, client.socket, exchange.from_upstream, exchange.interim, lambda: not exchange.done)
        if pump.pump(out, back, lambda: exchange.done and not back.pending, lambda: proxy.limits.exchange):
            status, problem = 502, f"{place} closed the connection"
    except h11.ProtocolError as error:
        of_client = client.http.their_state is h11.ERROR
        status, problem = (400, f"not a request: {error}") if of_client else (502, f"{place} gave no answer: {error}")
    if exchange is None or not exchange.answered:
        _answer(client, status, problem)
        return False
    if not exchange.done:
        return False  # closed before its end: the client sees that something is missing
    if client.http.our_state is h11.DONE and client.http.their_state is h11.DONE:
        return True
    pump.close_gently(client.socket)
    return False


def _rewritten(request: h11.Request, target: _Target) -> h11.Request:
    host = hosts.written(target.host, target.port).removesuffix(":80").encode("ascii")
    headers = [(b"Host", host), *_end_to_end(request.headers), (b"Connection", b"close")]
    lengths = _values(request.headers, b"content-length")
    if _values(request.headers, b"transfer-encoding"):
        headers.append((b"Transfer-Encoding", b"chunked"))
    elif lengths:
        headers.append((b"Content-Length", lengths[0]))
    return h11.Request(method=request.method, target=target.path.encode("ascii"), headers=headers)


def _passed_on(response: h11.Response) -> h11.Response:
    headers = _end_to_end(response.headers)
    lengths = _values(response.headers, b"content-length")
    if lengths and not _values(response.headers, b"transfer-encoding"):
        headers.append((b"Content-Length", lengths[0]))
    return h11.Response(status_code=response.status_code, headers=headers, reason=response.reason)


def _end_to_end(headers: h11._headers.Headers) -> list[tuple[bytes, bytes]]:
    named = {name.strip().lower() for value in _values(headers, b"connection") for name in value.split(b",")}
    kept = []
    for raw, value in headers.raw_items():
        name = raw.lower()
        if name not in _HOP_BY_HOP and name not in named and not name.startswith(b"proxy-"):
            kept.append((raw, value))
    return kept


def _values(headers: Sequence[tuple[bytes, bytes]], wanted: bytes) -> list[bytes]:
    return [value for name, value in headers if name == wanted]


def _answer(client: _Client, status: int, text: str, extra: Sequence[tuple[str, str]] = (), reason: str = "") -> None:
    """Answer with a text of the proxy's own and close.

    The reason is all that most clients show of an answer to CONNECT, so it says what the text does, in short.
    """
    body = f"{text}\n".encode("ascii", "backslashreplace")
    headers = [
        ("Content-Type", "text/plain; charset=us-ascii"),
        ("Content-Length", str(len(body))),
        ("Connection", "close"),
        *extra,
    ]
    response = h11.Response(status_code=status, headers=headers, reason=(reason or text)[:200].encode("ascii", "replace"))
    try:
        data = client.http.send(response)
        if client.http.our_state is h11.SEND_BODY:
            data += client.http.send(h11.Data(data=body)) + client.http.send(h11.EndOfMessage())
    except h11.LocalProtocolError:
        return  # it is too late for an answer
    client.socket.settimeout(10)
    client.socket.sendall(data)
    pump.close_gently(client.socket)
