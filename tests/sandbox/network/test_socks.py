"""SOCKS 5 through the proxy: the same verdicts as for HTTP, and nothing but CONNECT."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from tests.sandbox.network.running import RunningProxy, everything, exactly, running
from tests.sandbox.network.upstream import Upstream, echo, listening

if TYPE_CHECKING:
    from collections.abc import Iterator

GREETING = b"\x05\x01\x00"


@pytest.fixture(scope="module")
def world() -> Iterator[tuple[RunningProxy, Upstream]]:
    names = {"echo.test": [["127.0.0.1"]], "inside.test": [["10.0.0.1"]]}
    with listening(echo) as upstream:
        rules = [f"127.0.0.1:{upstream.port}", f"echo.test:{upstream.port}", f"inside.test:{upstream.port}"]
        with running(rules, names=names) as proxy:
            yield proxy, upstream


def name(text: bytes) -> bytes:
    return b"\x03" + bytes((len(text),)) + text


def connect(destination: bytes, port: int, command: int = 1) -> bytes:
    return b"\x05" + bytes((command,)) + b"\x00" + destination + port.to_bytes(2, "big")


def reply(proxy: RunningProxy, request: bytes) -> int:
    """The code with which a request is answered."""
    with proxy.connect() as connection:
        connection.sendall(GREETING + request)
        connection.shutdown(socket.SHUT_WR)
        answer = everything(connection)
    assert answer[:4] == b"\x05\x00\x05" + answer[3:4]
    return answer[3]


@pytest.mark.parametrize(
    "destination",
    [name(b"echo.test"), name(b"ECHO.test."), name(b"127.0.0.1"), b"\x01\x7f\x00\x00\x01", name(b"localhost")],
)
def test_a_granted_host_is_reached_by_name_and_by_address(world: tuple[RunningProxy, Upstream], destination: bytes) -> None:
    proxy, upstream = world
    with proxy.connect() as connection:
        connection.sendall(GREETING + connect(destination, upstream.port) + b"early")
        assert exactly(connection, 12)[3] == 0
        connection.sendall(b" and late")
        connection.shutdown(socket.SHUT_WR)
        assert everything(connection) == b"early and late"


@pytest.mark.parametrize(
    ("destination", "expected"),
    [
        (name(b"evil.test"), 2),
        (name(b"evil.test\0.echo.test"), 2),
        (name(b"echo.test\0"), 2),
        (name(b"echo.test\r\n"), 2),
        (name(b"echo.test:443"), 2),
        (name(b"127.1"), 2),
        (name(b"2130706433"), 2),
        (name(b"0x7f.0.0.1"), 2),
        (name(b"\xe9cho.test"), 2),
        (name(b"::ffff:127.0.0.1"), 2),
        (name(b"[::1]"), 2),
        (name(b"::1"), 2),
        (name(b""), 2),
        (name(b"a" * 255), 2),
        (name(b"inside.test"), 2),
        (b"\x01\x0a\x00\x00\x01", 2),
        (b"\x01\x00\x00\x00\x00", 2),
        (b"\x01\xa9\xfe\xa9\xfe", 2),
        (b"\x04" + bytes(15) + b"\x01", 2),
        (b"\x04" + bytes(10) + b"\xff\xff\x7f\x00\x00\x01", 2),
        (b"\x02\x7f\x00\x00\x01", 8),
        (b"\x05\x7f\x00\x00\x01", 8),
    ],
)
def test_a_host_that_is_not_granted_is_refused(world: tuple[RunningProxy, Upstream], destination: bytes, expected: int) -> None:
    proxy, upstream = world
    before = len(upstream.received)
    assert reply(proxy, connect(destination, upstream.port)) == expected
    assert len(upstream.received) == before
    assert reply(proxy, connect(name(b"echo.test"), upstream.port)) == 0  # the honest twin


def test_port_0_is_refused(world: tuple[RunningProxy, Upstream]) -> None:
    assert reply(world[0], connect(name(b"echo.test"), 0)) == 2


@pytest.mark.parametrize("command", [0, 2, 3, 255])
def test_nothing_but_connect_is_done(world: tuple[RunningProxy, Upstream], command: int) -> None:
    proxy, upstream = world
    assert reply(proxy, connect(name(b"echo.test"), upstream.port, command)) == 7


def test_a_closed_port_is_told(world: tuple[RunningProxy, Upstream]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with running([f"127.0.0.1:{port}"]) as proxy:
        assert reply(proxy, connect(b"\x01\x7f\x00\x00\x01", port)) == 5


@pytest.mark.parametrize("greeting", [b"\x05\x00", b"\x05\x01\x02", b"\x05\x02\x01\x80"])
def test_a_client_that_offers_no_method_in_common_is_sent_away(world: tuple[RunningProxy, Upstream], greeting: bytes) -> None:
    assert world[0].say(greeting) == b"\x05\xff"


@pytest.mark.parametrize(
    "data", [b"\x05", b"\x05\x01", GREETING + b"\x04\x01\x00\x01", GREETING + b"\x05\x01\x00", GREETING + b"\x05\x01\x00\x03\xff"]
)
def test_half_a_request_ends_with_the_connection(world: tuple[RunningProxy, Upstream], data: bytes) -> None:
    proxy, upstream = world
    with proxy.connect() as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        assert everything(connection) in (b"", b"\x05\x00")
    assert reply(proxy, connect(name(b"echo.test"), upstream.port)) == 0


def test_a_request_in_single_bytes_is_read_like_one_in_a_piece(world: tuple[RunningProxy, Upstream]) -> None:
    proxy, upstream = world
    with proxy.connect() as connection:
        for byte in GREETING + connect(name(b"echo.test"), upstream.port):
            connection.sendall(bytes((byte,)))
        assert exactly(connection, 12)[3] == 0


def test_refusals_are_reported_with_the_rule_that_would_allow_them() -> None:
    with running([]) as proxy:
        assert reply(proxy, connect(name(b"evil.test"), 443)) == 2
        assert reply(proxy, connect(b"\x04" + bytes(15) + b"\x01", 443)) == 2
        assert reply(proxy, connect(name(b"a\0b"), 443)) == 2
        _, first, second, third = proxy.reports(4)
        assert (first["host"], first["port"], first["verdict"], first["rule"]) == ("evil.test", 443, "deny", "evil.test:443")
        assert (second["host"], second["rule"], second["reason"]) == ("::1", "[::1]:443", "::1 is loopback")
        assert (third["host"], third["rule"]) == ("a\0b", "")
        assert third["reason"].startswith("malformed: ")
