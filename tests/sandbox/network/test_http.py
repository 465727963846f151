"""HTTP through the proxy: what is passed on, what is answered, and that one request is one request for everybody."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest

from tests.sandbox.network.running import RunningProxy, everything, exactly, running
from tests.sandbox.network.upstream import OK, Upstream, echo, listening, recording

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME = "web.test"


@pytest.fixture
def web() -> Iterator[Upstream]:
    with listening(recording()) as upstream:
        yield upstream


@pytest.fixture
def proxy(web: Upstream) -> Iterator[RunningProxy]:
    with running([f"{NAME}:{web.port}", f"127.0.0.1:{web.port}"], names={NAME: [["127.0.0.1"]]}) as found:
        yield found


def status(answer: bytes) -> int:
    assert answer.startswith(b"HTTP/1.1 "), answer
    return int(answer.split()[1])


def headers(message: bytes) -> dict[str, str]:
    lines = message.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")[1:]
    return {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}


def test_a_request_is_passed_on_in_origin_form_and_its_answer_comes_back(proxy: RunningProxy, web: Upstream) -> None:
    place = f"{NAME}:{web.port}"
    answer = proxy.say(f"GET http://{place}/a?b=c HTTP/1.1\r\nHost: {place}\r\nX-Own: 1\r\nConnection: close\r\n\r\n".encode())
    assert status(answer) == 200
    assert answer.endswith(b"\r\n\r\nok")
    assert web.received == [f"GET /a?b=c HTTP/1.1\r\nHost: {place}\r\nX-Own: 1\r\nConnection: close\r\n\r\n".encode()]


def test_a_tunnel_carries_bytes_as_they_are() -> None:
    with listening(echo) as upstream, running([upstream.place]) as proxy, proxy.connect() as connection:
        early = bytes(range(256))
        connection.sendall(f"CONNECT {upstream.place} HTTP/1.1\r\nHost: {upstream.place}\r\n\r\n".encode() + early)
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += connection.recv(1)
        assert head.startswith(b"HTTP/1.1 200 ")
        assert exactly(connection, 256) == early
        large = bytes(3_000_000)
        sender = threading.Thread(target=lambda: (connection.sendall(large), connection.shutdown(socket.SHUT_WR)))
        sender.start()
        assert len(everything(connection)) == len(large)
        sender.join()


def test_a_refusal_names_the_rule_that_would_allow_it_in_its_text_and_the_place_in_its_reason(proxy: RunningProxy) -> None:
    for request in (
        b"CONNECT evil.test:443 HTTP/1.1\r\nHost: evil.test:443\r\n\r\n",
        b"GET http://evil.test:443/ HTTP/1.0\r\n\r\n",
    ):
        answer = proxy.say(request)
        assert answer.startswith(b"HTTP/1.1 403 stdioguard refuses evil.test:443\r\n")
        assert b'add "evil.test:443" to `network`' in answer
    assert proxy.queries() == []
    assert proxy.decisions(2) == [("evil.test", 443, "deny"), ("evil.test", 443, "deny")]


def test_an_address_inside_is_refused_by_what_it_is(proxy: RunningProxy) -> None:
    answer = proxy.say(b"CONNECT 169.254.169.254:80 HTTP/1.1\r\nHost: 169.254.169.254:80\r\n\r\n")
    assert status(answer) == 403
    assert b"metadata" in answer


# Each is a request that some servers have read as another one. None of it may get as far as a connection to the upstream.
UNFIT = {
    "a length and a coding": b"POST http://{place}/ HTTP/1.1\r\nHost: {place}\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a coding and a length": b"POST http://{place}/ HTTP/1.1\r\nHost: {place}\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
    "a coding in HTTP/1.0": b"POST http://{place}/ HTTP/1.0\r\nHost: {place}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": b"POST http://{place}/ HTTP/1.1\r\nHost: {place}\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
    "two lengths in one": b"POST http://{place}/ HTTP/1.1\r\nHost: {place}\r\nContent-Length: 4, 5\r\n\r\nabcde",
    "a length with a sign": b"POST http://{place}/ HTTP/1.1\r\nHost: {place}\r\nContent-Length: +4\r\n\r\nabcd",
    "a length in words": b"POST http://{place}/ HTTP/1.1\r\nHost: {place}\r\nContent-Length: 0x4\r\n\r\nabcd",
    "a length of a thousand digits": b"POST http://{place}/ HTTP/1.1\r\nHost: {place}\r\nContent-Length: "
    + b"1" * 1000
    + b"\r\n\r\nabcd",
    "two codings": b"POST http://{place}/ HTTP/1.1\r\nHost: {place}\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n",
    "a coding and more": b"POST http://{place}/ HTTP/1.1\r\nHost: {place}\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "a coding with a comma": b"POST http://{place}/ HTTP/1.1\r\nHost: {place}\r\nTransfer-Encoding: chunked,\r\n\r\n0\r\n\r\n",
    "a coding with a control character": b"POST http://{place}/ HTTP/1.1\r\nHost: {place}\r\nTransfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "an unknown coding": b"POST http://{place}/ HTTP/1.1\r\nHost: {place}\r\nTransfer-Encoding: identity\r\n\r\nabcd",
    "a space before the colon": b"POST http://{place}/ HTTP/1.1\r\nHost: {place}\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "a space before the name": b"GET http://{place}/ HTTP/1.1\r\n Host: {place}\r\n\r\n",
    "a header without a colon": b"GET http://{place}/ HTTP/1.1\r\nHost: {place}\r\nX\r\n\r\n",
    "a NUL in a value": b"GET http://{place}/ HTTP/1.1\r\nHost: {place}\r\nX: a\0b\r\n\r\n",
    "a bare CR in a value": b"GET http://{place}/ HTTP/1.1\r\nHost: {place}\r\nX: a\rb: c\r\n\r\n",
    "no Host": b"GET http://{place}/ HTTP/1.1\r\n\r\n",
    "two Hosts": b"GET http://{place}/ HTTP/1.1\r\nHost: {place}\r\nHost: {place}\r\n\r\n",
    "another Host": b"GET http://{place}/ HTTP/1.1\r\nHost: evil.test\r\n\r\n",
    "another port in Host": b"GET http://{place}/ HTTP/1.1\r\nHost: web.test:1\r\n\r\n",
    "no port in Host": b"GET http://{place}/ HTTP/1.1\r\nHost: web.test\r\n\r\n",
    "an empty Host": b"GET http://{place}/ HTTP/1.1\r\nHost:\r\n\r\n",
    "another Host in HTTP/1.0": b"GET http://{place}/ HTTP/1.0\r\nHost: evil.test\r\n\r\n",
    "another Host in CONNECT": b"CONNECT {place} HTTP/1.1\r\nHost: evil.test:443\r\n\r\n",
    "a user in the target": b"GET http://{place}@evil.test/ HTTP/1.1\r\nHost: evil.test\r\n\r\n",
    "a user before the target": b"GET http://u:p@{place}/ HTTP/1.1\r\nHost: {place}\r\n\r\n",
    "a fragment": b"GET http://{place}/#@evil.test HTTP/1.1\r\nHost: {place}\r\n\r\n",
    "a backslash": b"GET http://{place}\\@evil.test/ HTTP/1.1\r\nHost: {place}\r\n\r\n",
    "origin form": b"GET / HTTP/1.1\r\nHost: {place}\r\n\r\n",
    "asterisk form": b"OPTIONS * HTTP/1.1\r\nHost: {place}\r\n\r\n",
    "two slashes": b"GET //{place}/ HTTP/1.1\r\nHost: {place}\r\n\r\n",
    "https in absolute form": b"GET https://{place}/ HTTP/1.1\r\nHost: {place}\r\n\r\n",
    "ftp": b"GET ftp://{place}/ HTTP/1.1\r\nHost: {place}\r\n\r\n",
    "file": b"GET file:///etc/passwd HTTP/1.1\r\nHost: {place}\r\n\r\n",
    "CONNECT to a URL": b"CONNECT http://{place}/ HTTP/1.1\r\nHost: {place}\r\n\r\n",
    "CONNECT without a port": b"CONNECT web.test HTTP/1.1\r\nHost: web.test\r\n\r\n",
    "CONNECT with a path": b"CONNECT {place}/x HTTP/1.1\r\nHost: {place}\r\n\r\n",
    "CONNECT with a body": b"CONNECT {place} HTTP/1.1\r\nHost: {place}\r\nContent-Length: 4\r\n\r\nabcd",
    "CONNECT with a coding": b"CONNECT {place} HTTP/1.1\r\nHost: {place}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "CONNECT with a NUL": b"CONNECT evil.test\0.{place} HTTP/1.1\r\nHost: {place}\r\n\r\n",
    "CONNECT with a bare CR": b"CONNECT evil.test\r.{place} HTTP/1.1\r\nHost: {place}\r\n\r\n",
    "CONNECT with an escape": b"CONNECT evil.test%00.{place} HTTP/1.1\r\nHost: {place}\r\n\r\n",
    "CONNECT outside ASCII": b"CONNECT w\xc3\xa9b.{place} HTTP/1.1\r\nHost: {place}\r\n\r\n",
    "HTTP/0.9": b"GET http://{place}/\r\n\r\n",
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/9.9": b"GET http://{place}/ HTTP/9.9\r\nHost: {place}\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64),
    "SOCKS 4": b"\x04\x01\x01\xbb\x7f\x00\x00\x01\x00",
    "noise": b"\xff\xfe\x00\x01\r\n\r\n",
}


@pytest.fixture(scope="module")
def shared() -> Iterator[tuple[RunningProxy, Upstream]]:
    with (
        listening(recording(quiet=0.05)) as web,
        running([f"{NAME}:{web.port}", f"127.0.0.1:{web.port}"], names={NAME: [["127.0.0.1"]]}) as proxy,
    ):
        yield proxy, web


@pytest.mark.parametrize("request_bytes", UNFIT.values(), ids=UNFIT.keys())
def test_a_request_that_can_be_read_in_two_ways_reaches_nobody(
    shared: tuple[RunningProxy, Upstream], request_bytes: bytes
) -> None:
    proxy, web = shared
    web.received.clear()
    place = f"{NAME}:{web.port}".encode()
    with proxy.connect() as connection:
        connection.sendall(request_bytes.replace(b"{place}", place))
        connection.shutdown(socket.SHUT_WR)
        answer = everything(connection)
    assert status(answer) in (400, 403, 501, 505)
    assert headers(answer)["connection"] == "close"
    assert web.received == []
    # The honest twin, on the same proxy.
    assert status(proxy.say(b"GET http://%b/ HTTP/1.1\r\nHost: %b\r\nConnection: close\r\n\r\n" % (place, place))) == 200


def test_what_follows_a_request_is_never_sent_behind_it(proxy: RunningProxy, web: Upstream) -> None:
    place = f"{NAME}:{web.port}"
    smuggled = f"GET http://evil.test/ HTTP/1.1\r\nHost: evil.test\r\n\r\nGET /admin HTTP/1.1\r\nHost: {place}\r\n\r\n"
    answer = proxy.say(f"POST http://{place}/ HTTP/1.1\r\nHost: {place}\r\nContent-Length: 4\r\n\r\nabcd{smuggled}".encode())
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"HTTP/1.1 403 " in answer
    assert answer.count(b"HTTP/1.1 ") == 2
    assert web.received == [f"POST / HTTP/1.1\r\nHost: {place}\r\nConnection: close\r\nContent-Length: 4\r\n\r\nabcd".encode()]


def test_a_bad_chunk_ends_the_request_where_it_is(proxy: RunningProxy, web: Upstream) -> None:
    place = f"{NAME}:{web.port}"
    head = f"POST http://{place}/ HTTP/1.1\r\nHost: {place}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    for body in (b"4\r\nabcdXX0\r\n\r\n", b"-4\r\nabcd\r\n0\r\n\r\n", b"4;\nabcd\r\n0\r\n\r\n", b"0x4\r\nabcd\r\n0\r\n\r\n"):
        answer = proxy.say(head + body + b"GET /admin HTTP/1.1\r\n\r\n")
        assert status(answer) == 400, body
    assert not any(b"/admin" in received for received in web.received)
    assert not any(received.endswith(b"0\r\n\r\n") for received in web.received)


def test_a_chunked_body_is_written_anew_without_extensions_and_trailers(proxy: RunningProxy, web: Upstream) -> None:
    place = f"{NAME}:{web.port}"
    head = f"POST http://{place}/ HTTP/1.1\r\nHost: {place}\r\nTransfer-Encoding: chunked\r\nTrailer: X-Evil\r\nConnection: close\r\n\r\n"
    answer = proxy.say(head.encode() + b"4;ext=1\r\nabcd\r\n0\r\nX-Evil: 1\r\n\r\n")
    assert status(answer) == 200
    (received,) = web.received
    assert received.endswith(b"\r\n\r\n4\r\nabcd\r\n0\r\n\r\n")
    assert b"ext" not in received
    assert b"Evil" not in received


def test_what_is_for_the_proxy_alone_stays_with_it(proxy: RunningProxy, web: Upstream) -> None:
    place = f"{NAME}:{web.port}"
    lines = [
        "Connection: close, X-Mine, Host", "X-Mine: 1", "Keep-Alive: timeout=5", "Proxy-Connection: keep-alive", "TE: trailers",
        "Proxy-Authorization: Basic c3RkaW9ndWFyZDpzZWNyZXQ=", "Proxy-Future: 1", "Upgrade: h2c", "X-Stays: 1", "Authorization: Bearer t",
    ]  # fmt: skip
    answer = proxy.say("\r\n".join([f"GET http://{place}/ HTTP/1.1", f"Host: {place}", *lines, "", ""]).encode())
    assert status(answer) == 200
    (received,) = web.received
    assert headers(received) == {"host": place, "x-stays": "1", "authorization": "Bearer t", "connection": "close"}


def test_what_is_for_the_proxy_alone_in_an_answer_stays_with_it() -> None:
    answer = (
        b"HTTP/1.1 200 OK\r\nConnection: close, X-Mine\r\nX-Mine: 1\r\nProxy-Authenticate: Basic\r\nKeep-Alive: 1\r\nX-Stays: 1\r\n"
        b"Content-Length: 2\r\n\r\nok"
    )
    with listening(recording(answer)) as web, running([web.place]) as proxy:
        found = proxy.say(
            f"GET http://{web.place}/ HTTP/1.1\r\nHost: {web.place}\r\n\r\nGET x HTTP/1.1\r\nHost: x\r\n\r\n".encode()
        )
        assert headers(found) == {"x-stays": "1", "content-length": "2"}


BAD_ANSWERS = {
    "nothing": b"",
    "noise": b"\x00\x01\x02\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nokk",
    "an unknown coding": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "a switch that nobody asked for": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nfree",
    "a head without an end": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 30_000,
}


@pytest.mark.parametrize("answer", BAD_ANSWERS.values(), ids=BAD_ANSWERS.keys())
def test_an_answer_that_is_none_becomes_a_502(answer: bytes) -> None:
    with listening(recording(answer)) as web, running([web.place]) as proxy:
        found = proxy.say(f"GET http://{web.place}/ HTTP/1.1\r\nHost: {web.place}\r\n\r\n".encode())
        assert status(found) == 502
        assert b"free" not in found


def test_an_answer_that_is_cut_off_looks_cut_off() -> None:
    for answer in (
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhalf",
    ):
        with listening(recording(answer)) as web, running([web.place]) as proxy:
            client = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=20)
            client.request("GET", f"http://{web.place}/", headers={"Host": web.place})
            with pytest.raises(http.client.IncompleteRead):
                client.getresponse().read()


def test_an_answer_without_a_length_reaches_old_and_new_clients_whole() -> None:
    with listening(recording(b"HTTP/1.0 200 OK\r\n\r\n" + b"x" * 100_000)) as web, running([web.place]) as proxy:
        new = proxy.say(f"GET http://{web.place}/ HTTP/1.1\r\nHost: {web.place}\r\nConnection: close\r\n\r\n".encode())
        assert headers(new)["transfer-encoding"] == "chunked"
        assert new.endswith(b"\r\n0\r\n\r\n")
        old = proxy.say(f"GET http://{web.place}/ HTTP/1.0\r\n\r\n".encode())
        assert old.partition(b"\r\n\r\n")[2] == b"x" * 100_000


def test_a_head_request_and_an_empty_answer_have_no_body() -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
    with listening(recording(answer)) as web, running([web.place]) as proxy:
        found = proxy.say(f"HEAD http://{web.place}/ HTTP/1.1\r\nHost: {web.place}\r\nConnection: close\r\n\r\n".encode())
        assert headers(found)["content-length"] == "5"
        assert found.endswith(b"\r\n\r\n")
    with listening(recording(b"HTTP/1.1 204 No Content\r\n\r\n")) as web, running([web.place]) as proxy:
        assert (
            status(proxy.say(f"GET http://{web.place}/ HTTP/1.1\r\nHost: {web.place}\r\nConnection: close\r\n\r\n".encode()))
            == 204
        )


def test_one_connection_serves_requests_to_several_hosts_each_judged_by_itself() -> None:
    with (
        listening(recording(quiet=0.1)) as one,
        listening(recording(quiet=0.1)) as other,
        running([one.place, other.place]) as proxy,
    ):
        client = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=20)
        for place, expected in ((one.place, 200), (other.place, 200), (one.place, 200), ("127.0.0.1:1", 403)):
            client.request("GET", f"http://{place}/", headers={"Host": place})
            response = client.getresponse()
            response.read()
            assert response.status == expected
        assert (len(one.received), len(other.received)) == (2, 1)
        assert sum(verdict == "allow" for *_, verdict in proxy.decisions(4)) >= 2


def test_a_client_that_waits_for_100_is_told_to_go_on() -> None:
    with listening(recording()) as web, running([web.place]) as proxy, proxy.connect() as connection:
        connection.sendall(
            f"POST http://{web.place}/ HTTP/1.1\r\nHost: {web.place}\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n".encode()
        )
        assert connection.recv(100).startswith(b"HTTP/1.1 100 ")
        connection.sendall(b"abcd")
        assert b"200 OK" in connection.recv(1000)
        assert web.received[0].endswith(b"\r\n\r\nabcd")
        assert b"Expect" not in web.received[0]


def test_an_answer_before_the_end_of_the_request_is_passed_on() -> None:
    def impatient(connection: socket.socket, _: Upstream) -> None:
        connection.recv(1000)
        connection.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    with listening(impatient) as web, running([web.place]) as proxy, proxy.connect() as connection:
        connection.sendall(f"POST http://{web.place}/ HTTP/1.1\r\nHost: {web.place}\r\nContent-Length: 99999999\r\n\r\n".encode())

        def upload() -> None:
            try:
                while True:
                    connection.sendall(bytes(65536))
            except OSError:
                return

        threading.Thread(target=upload, daemon=True).start()
        assert status(everything(connection)) == 413


def test_large_bodies_pass_both_ways_at_once() -> None:
    size = 4_000_000

    def mirror(connection: socket.socket, _: Upstream) -> None:
        data = b""
        while not data.endswith(b"\r\n\r\n"):
            data += connection.recv(1)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        left = size
        while left:
            data = connection.recv(65536)
            left -= len(data)
            connection.sendall(data)

    with listening(mirror) as web, running([web.place]) as proxy, proxy.connect() as connection:
        connection.sendall(f"POST http://{web.place}/ HTTP/1.1\r\nHost: {web.place}\r\nContent-Length: {size}\r\n\r\n".encode())
        body = bytes(range(256)) * (size // 256)
        threading.Thread(target=connection.sendall, args=(body,), daemon=True).start()
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += connection.recv(1)
        assert exactly(connection, size) == body


def test_a_side_that_does_not_read_holds_up_the_one_that_writes() -> None:
    sent = 0

    def deaf(connection: socket.socket, _: Upstream) -> None:
        time.sleep(5)

    with listening(deaf) as web, running([web.place]) as proxy, proxy.connect() as connection:
        connection.sendall(f"CONNECT {web.place} HTTP/1.1\r\nHost: {web.place}\r\n\r\n".encode())
        assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")
        connection.settimeout(1.0)
        with pytest.raises(TimeoutError):
            while sent < 200_000_000:
                sent += connection.send(bytes(65536))
        assert sent < 50_000_000  # the kernel's buffers, and 256 KiB


def test_a_head_that_does_not_end_is_refused_at_the_limit(proxy: RunningProxy, web: Upstream) -> None:
    for line in (b"X: y\r\n", b"y" * 6):
        with proxy.connect() as connection:
            connection.sendall(b"GET http://%b/ HTTP/1.1\r\n" % web.place.encode())
            try:
                for _ in range(2000):
                    connection.sendall(line * 100)
            except OSError:
                pass
            answer = everything(connection)
        # What was sent meanwhile may turn the end into a reset, which takes the answer with it.
        assert answer == b"" or status(answer) == 431
    assert web.received == []


def test_a_slow_head_is_given_its_time_and_no_more() -> None:
    with running([], limits={"head": 1.0}) as proxy:
        for first in (b"GET http://a.test/ HTTP/1.1\r\n", b"\x05", b""):
            with proxy.connect() as connection:
                started = time.monotonic()
                connection.sendall(first)
                connection.settimeout(0.2)
                answer = b""
                while time.monotonic() - started < 15:
                    try:
                        data = connection.recv(1000)
                        if not data:
                            break
                        answer += data
                    except TimeoutError:
                        if first.startswith(b"GET"):
                            connection.sendall(b"X")  # a byte now and then buys no time
                    except OSError:
                        break
                assert 0.9 < time.monotonic() - started < 10
                assert not first.startswith(b"GET") or status(answer) == 408


def test_an_upstream_that_says_nothing_is_given_up() -> None:
    with listening(lambda connection, _: time.sleep(20)) as web, running([web.place], limits={"exchange": 0.5}) as proxy:
        assert status(proxy.say(f"GET http://{web.place}/ HTTP/1.1\r\nHost: {web.place}\r\n\r\n".encode())) == 504


def test_a_host_that_cannot_be_reached_is_told_apart_from_one_that_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with running([f"127.0.0.1:{port}", "gone.test:443"], names={}) as proxy:
        answer = proxy.say(f"CONNECT 127.0.0.1:{port} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
        assert status(answer) == 502
        assert b"Connection refused" in answer
        answer = proxy.say(b"CONNECT gone.test:443 HTTP/1.1\r\nHost: gone.test:443\r\n\r\n")
        assert status(answer) == 502
        assert b"cannot be resolved" in answer


def test_the_control_server_answers_ok_without_the_proxy(web: Upstream) -> None:
    with socket.create_connection(("127.0.0.1", web.port), timeout=20) as connection:
        connection.sendall(b"GET /admin HTTP/1.1\r\nHost: evil.test\r\n\r\n")
        assert everything(connection) == OK
    assert web.received == [b"GET /admin HTTP/1.1\r\nHost: evil.test\r\n\r\n"]
