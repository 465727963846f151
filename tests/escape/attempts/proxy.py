"""A session that has some hosts: what else its proxy could be talked into. Without a proxy (the control) the target is simply dialled."""

from __future__ import annotations

import base64
import os
import socket
import struct
from typing import Any
from urllib.parse import urlsplit

from ..catalogue import add, attempt
from ..stakes import METADATA, OWN, PUBLIC, Listener, Stake

PORT, OTHER, WEB = 8443, 8444, 8500
HOSTS = (
    f"allowed.test:{PORT}", f"allowed.test:{WEB}", f"rebound.test:{PORT}", f"own.test:{PORT}", f"metadata.test:{PORT}",
    f"*.wild.test:{PORT}",
)  # fmt: skip


class Upstream(Listener):
    """A listener that several attempts share: at one address and port there can be only one."""

    def __init__(self, address: str = PUBLIC, port: int = PORT) -> None:
        super().__init__(address, port=port)

    def prepare(self) -> None:
        known = self.host.upstreams
        if (self.address, self.port) not in known:
            super().prepare()
            known[self.address, self.port] = self.listener
        self.listener, self.bound = known[self.address, self.port], self.port


def _dial() -> tuple[socket.socket, str] | None:
    """Connect to the proxy; return the socket and the header that logs in. `None` without a proxy."""
    url = os.environ.get("HTTPS_PROXY")
    if not url:
        return None
    parts = urlsplit(url)
    client = socket.create_connection((parts.hostname or "", parts.port or 0), 3)
    login = ""
    if parts.username:
        word = base64.b64encode(f"{parts.username}:{parts.password}".encode()).decode()
        login = f"Proxy-Authorization: Basic {word}\r\n"
    return client, login


def _direct(address: str, port: int) -> str:
    with socket.create_connection((address, port), 3) as client:
        client.send(b"hello")
    return "dialled"


def _judge(client: socket.socket, more: bytes = b"") -> str:
    """Read the proxy's answer. Raises `PermissionError` where it refuses and `ConnectionResetError` where it hangs up."""
    client.settimeout(2)
    try:
        answer = client.recv(4096)
    except TimeoutError:
        return "no answer"
    if not answer:
        raise ConnectionResetError(104, "hung up")
    words = answer.split(None, 2)
    if len(words) > 1 and words[1] != b"200":
        raise PermissionError(13, answer.decode("latin-1")[:200])
    client.send(more or b"hello")
    return answer.decode("latin-1")


def _connect(address: str, port: int, target: str, host: str | None = None) -> str:
    """Ask for a target, by the same name in both places: a proxy that refuses two different ones has not looked at either."""
    found = _dial()
    if found is None:
        return _direct(address, port)
    client, login = found
    host = host or target.partition("\r\n")[0]
    client.send(f"CONNECT {target} HTTP/1.1\r\nHost: {host}\r\n{login}\r\n".encode("latin-1"))
    return _judge(client)


HOST = f"127.0.0.1:{PORT}"
ODD = {
    "another-host": (f"other.test:{PORT}", PUBLIC, PORT), "another-port": (f"allowed.test:{OTHER}", PUBLIC, OTHER),
    "an-address-for-a-name": (f"{PUBLIC}:{PORT}", PUBLIC, PORT), "a-name-that-ends-like-one": (f"evilallowed.test:{PORT}", PUBLIC, PORT),
    "a-name-that-begins-like-one": (f"allowed.test.evil.test:{PORT}", PUBLIC, PORT), "the-parent-of-a-pattern": (f"wild.test:{PORT}", PUBLIC, PORT),
    "a-name-that-only-ends-like-a-pattern": (f"evilwild.test:{PORT}", PUBLIC, PORT),
    "a-name-with-a-nul": (f"evil.test\0.wild.test:{PORT}", PUBLIC, PORT), "a-name-with-an-escaped-nul": (f"evil.test%00.wild.test:{PORT}", PUBLIC, PORT),
    "a-name-with-a-line-end": (f"evil.test:{PORT}\r\nX: allowed.test:{PORT}", PUBLIC, PORT),
    "a-name-after-a-user": (f"allowed.test@evil.test:{PORT}", PUBLIC, PORT), "a-name-before-a-fragment": (f"evil.test#.wild.test:{PORT}", PUBLIC, PORT),
    "a-name-before-a-slash": (f"evil.test/.wild.test:{PORT}", PUBLIC, PORT), "a-name-before-a-backslash": (f"evil.test\\.wild.test:{PORT}", PUBLIC, PORT),
    "a-name-with-two-ports": (f"evil.test:{PORT}:allowed.test:{PORT}", PUBLIC, PORT),
    "the-loopback-address": (HOST, "127.0.0.1", PORT), "the-name-of-the-loopback-address": (f"localhost:{PORT}", "127.0.0.1", PORT),
    "the-name-of-the-loopback-address-with-a-dot": (f"localhost.:{PORT}", "127.0.0.1", PORT),
    "a-mapped-loopback-address": (f"[::ffff:127.0.0.1]:{PORT}", "127.0.0.1", PORT), "a-translated-loopback-address": (f"[64:ff9b::7f00:1]:{PORT}", "127.0.0.1", PORT),
    "the-loopback-address-as-a-number": (f"2130706433:{PORT}", "127.0.0.1", PORT), "the-loopback-address-in-hexadecimal": (f"0x7f000001:{PORT}", "127.0.0.1", PORT),
    "the-loopback-address-in-octal": (f"0177.0.0.1:{PORT}", "127.0.0.1", PORT), "a-short-loopback-address": (f"127.1:{PORT}", "127.0.0.1", PORT),
    "the-null-address": (f"0.0.0.0:{PORT}", "127.0.0.1", PORT), "the-null-ipv6-address": (f"[::]:{PORT}", "127.0.0.1", PORT),
    "a-granted-name-that-leads-to-the-loopback-address": (f"rebound.test:{PORT}", "127.0.0.1", PORT),
    "a-granted-name-that-leads-to-the-machines-own-public-address": (f"own.test:{PORT}", OWN, PORT),
    "the-metadata-address": (f"{METADATA}:80", METADATA, 80), "a-mapped-metadata-address": ("[::ffff:a9fe:a9fe]:80", METADATA, 80),
    "the-metadata-address-as-a-number": ("2852039166:80", METADATA, 80),
    "a-granted-name-that-leads-to-the-metadata-address": (f"metadata.test:{PORT}", METADATA, PORT),
}  # fmt: skip
NO = {"expected": "EACCES|ECONNRESET"}
for _slug, (_target, _address, _port) in ODD.items():
    add(
        _connect, Upstream(_address, _port), name=f"ask-the-proxy-for-{_slug}", group="proxy", profile="proxied", world=True,
        bound={"target": _target}, **NO,
    )  # fmt: skip


for _slug, _target, _host in (
    ("another-host-in-the-name-of-a-granted-one", f"other.test:{PORT}", f"allowed.test:{PORT}"),
    ("a-granted-host-in-the-name-of-another", f"allowed.test:{PORT}", f"other.test:{PORT}"),
):
    add(
        _connect, Upstream(), name=f"ask-the-proxy-for-{_slug}", group="proxy", profile="proxied", world=True,
        bound={"target": _target, "host": _host}, **NO,
    )  # fmt: skip


@attempt(Upstream(port=OTHER), profile="proxied", world=True, **NO)
def ask_the_proxy_for_another_port_with_a_plain_request(address: str, port: int) -> str:
    found = _dial()
    if found is None:
        return _direct(address, port)
    found[0].send(f"GET http://allowed.test:{port}/ HTTP/1.1\r\nHost: allowed.test:{port}\r\n{found[1]}\r\n".encode())
    return _judge(found[0])


@attempt(Upstream("127.0.0.1"), profile="proxied", world=True, **NO)
def ask_the_proxy_with_a_host_header_that_lies(address: str, port: int) -> str:
    found = _dial()
    if found is None:
        return _direct(address, port)
    found[0].send(f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{found[1]}\r\n".encode())
    return _judge(found[0])


@attempt(Upstream(port=OTHER), profile="proxied", world=True, expected="ok|EACCES|ECONNRESET")
def hide_a_second_request_behind_the_first(address: str, port: int) -> str:
    """Pipelined: the first target is granted, the second is not."""
    found = _dial()
    if found is None:
        return _direct(address, port)
    client, login = found
    one, two = (
        f"GET http://allowed.test:{number}/ HTTP/1.1\r\nHost: allowed.test:{number}\r\n{login}\r\n" for number in (PORT, port)
    )
    client.send((one + two).encode())
    return _judge(client)


@attempt(Upstream(port=OTHER), profile="proxied", world=True, expected="ok|EACCES|ECONNRESET")
def hide_a_request_in_a_body_of_two_lengths(address: str, port: int) -> str:
    found = _dial()
    if found is None:
        return _direct(address, port)
    client, login = found
    hidden = f"GET http://allowed.test:{port}/ HTTP/1.1\r\nHost: allowed.test:{port}\r\n{login}\r\n"
    head = f"POST http://allowed.test:{PORT}/ HTTP/1.1\r\nHost: allowed.test:{PORT}\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n"
    client.send((head + login + "\r\n0\r\n\r\n" + hidden).encode())
    return _judge(client)


def _socks(address: str, port: int, request: bytes) -> str:
    found = _dial()
    if found is None:
        return _direct(address, port)
    client, _ = found
    client.settimeout(2)
    parts = urlsplit(os.environ["HTTPS_PROXY"])
    if request[:1] == b"\x05":
        client.send(b"\x05\x01\x02" if parts.username else b"\x05\x01\x00")
        client.recv(2)
        if parts.username:
            user, word = parts.username.encode(), (parts.password or "").encode()
            client.send(b"\x01" + bytes([len(user)]) + user + bytes([len(word)]) + word)
            client.recv(2)
    client.send(request)
    answer = client.recv(256)
    if not answer:
        raise ConnectionResetError(104, "hung up")
    if answer[1] not in ((0,) if request[:1] == b"\x05" else (0x5A,)):
        raise PermissionError(13, answer.hex())
    client.send(b"hello")
    return answer.hex()


def _five(kind: int, address: bytes, port: int, command: int = 1) -> bytes:
    return struct.pack("BBBB", 5, command, 0, kind) + address + port.to_bytes(2, "big")


def _name(text: bytes) -> bytes:
    return bytes([len(text)]) + text


for _slug, (_request, _address, _port) in {
    "the-loopback-address": (_five(1, bytes([127, 0, 0, 1]), PORT), "127.0.0.1", PORT),
    "a-mapped-loopback-address": (_five(4, bytes(10) + b"\xff\xff\x7f\0\0\1", PORT), "127.0.0.1", PORT),
    "another-host": (_five(3, _name(b"other.test"), PORT), PUBLIC, PORT),
    "another-port": (_five(3, _name(b"allowed.test"), OTHER), PUBLIC, OTHER),
    "a-name-with-a-nul": (_five(3, _name(b"evil.test\0.wild.test"), PORT), PUBLIC, PORT),
    "an-address-written-as-a-name": (_five(3, _name(b"127.0.0.1"), PORT), "127.0.0.1", PORT),
    "an-incoming-connection": (_five(1, bytes(4), PORT, command=2), PUBLIC, PORT),
    "datagrams": (_five(1, bytes(4), PORT, command=3), PUBLIC, PORT),
    "the-loopback-address-by-the-old-protocol": (b"\x04\x01" + PORT.to_bytes(2, "big") + b"\x7f\0\0\1\0", "127.0.0.1", PORT),
    "another-host-by-the-old-protocol": (b"\x04\x01" + PORT.to_bytes(2, "big") + b"\0\0\0\1\0other.test\0", PUBLIC, PORT),
}.items():
    add(
        _socks, Upstream(_address, _port), name=f"ask-the-proxy-in-socks-for-{_slug}", group="proxy", profile="proxied", world=True,
        bound={"request": _request}, **NO,
    )  # fmt: skip


class _SamePort(Listener):
    """A listener on the proxy's own port at another address: Landlock's rules for TCP name ports and no addresses."""

    def prepare(self) -> None:
        self.listener = socket.socket()

    def arguments(self) -> dict[str, Any]:
        assert self.host.current is not None
        found = self.host.current.call("case", {"name": "port-of-the-proxy", "words": {}}, 10)
        self.listener.close()
        self.port = int(found["detail"] or 0)
        Listener.prepare(self)
        return super().arguments()


for _slug, _address in (
    ("at-another-loopback-address", "127.1.2.3"),
    ("at-a-public-address", PUBLIC),
    ("at-the-metadata-address", METADATA),
):
    add(
        _direct, _SamePort(_address), name=f"connect-to-the-proxys-port-{_slug}", group="proxy", profile="proxied", world=True,
        namespaces="ENETUNREACH|ECONNREFUSED|EACCES", plain="EACCES|EPERM",
    )  # fmt: skip


class _OpenProxy(Stake):
    """The proxy itself: another program on the machine, without the session's secret, must get nothing from it."""

    def prepare(self) -> None:
        self.upstream = Upstream()
        self.upstream.place(self.host, self.slug)

    def happened(self, outcome: dict[str, Any]) -> bool:
        self.upstream.arguments()
        try:
            with socket.create_connection(("127.0.0.1", int(outcome["detail"])), 1) as client:
                client.send(f"CONNECT allowed.test:{PORT} HTTP/1.1\r\nHost: allowed.test:{PORT}\r\n\r\n".encode())
                client.settimeout(1)
                client.recv(100)
        except (OSError, ValueError):
            pass
        return self.upstream.happened(outcome)


@attempt(
    _OpenProxy(), profile="proxied", world=True, expected="ok",
    uncontrolled=dict.fromkeys(("root", "user"), ("ok", "without a sandbox there is no proxy")),
)  # fmt: skip
def leave_the_proxy_open_to_others() -> str:
    return str(urlsplit(os.environ.get("HTTPS_PROXY", "")).port or 0)


@attempt(Upstream(), profile="closed", world=True, namespaces="ENETUNREACH|ECONNREFUSED", plain="EACCES|EPERM|EAFNOSUPPORT")
def reach_a_host_that_another_sessions_profile_grants(address: str, port: int) -> str:
    return _direct(address, port)


@attempt(Upstream(), profile="proxied", world=True, namespaces="ENETUNREACH|ECONNREFUSED", plain="EACCES|EPERM")
def reach_a_granted_host_past_the_proxy(address: str, port: int) -> str:
    return _direct(address, port)


del _slug, _target, _host, _address, _port, _request
