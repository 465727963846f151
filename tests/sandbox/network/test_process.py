"""The proxy as a process: what it holds, what it gives up, when it ends, who may use it, and what it tells the guard."""

from __future__ import annotations

import base64
import json
import os
import select
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stdioguard.sandbox.linux import landlock
from stdioguard.sandbox.network.proxy import Proxy
from stdioguard.sandbox.network.reports import Reports
from stdioguard.sandbox.network.rules import Rules
from tests.sandbox.network.running import everything, exactly, running
from tests.sandbox.network.upstream import echo, listening, recording

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def status_of(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def test_the_process_ends_with_the_guard_whatever_is_under_way() -> None:
    with listening(echo) as upstream, running([upstream.place]) as proxy, proxy.connect() as connection:
        connection.sendall(f"CONNECT {upstream.place} HTTP/1.1\r\nHost: {upstream.place}\r\n\r\n".encode())
        assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")
        held = os.dup(proxy.guard_end)
        os.close(held)
        assert proxy.process.poll() is None  # one of two ends: the guard is there
    assert proxy.process.returncode == 0
    assert everything(connection) == b"" if connection.fileno() >= 0 else True


@linux
@pytest.mark.skipif(os.getuid() != 0, reason="what the process holds shows to root alone, which is the point of the next test")
def test_the_process_holds_its_own_descriptors_and_none_of_the_guards() -> None:
    with running([]) as proxy:
        folder = Path(f"/proc/{proxy.process.pid}/fd")
        targets = sorted(os.readlink(entry) for entry in folder.iterdir() if int(entry.name) > 2)
        kinds = sorted(target.partition(":")[0] for target in targets)
        # The list of look-ups, which the test asks for; then the report, the guard's end, both ends of a pipe of its own, the listener.
        assert kinds[0].startswith("/")
        assert kinds[1:] == ["pipe", "pipe", "pipe", "pipe", "socket"]
        assert os.readlink(folder / "0") == os.readlink(folder / "1") == "/dev/null"


@linux
@pytest.mark.skipif(os.getuid() == 0, reason="root may read any process")
def test_another_process_of_the_same_user_cannot_look_into_it() -> None:
    assert os.listdir("/proc/self/fd")  # as it can into what has not asked for this
    with running([]) as proxy:
        for entry in ("fd", "environ", "mem"):
            with pytest.raises(PermissionError):
                os.listdir(f"/proc/{proxy.process.pid}/{entry}") if entry == "fd" else open(f"/proc/{proxy.process.pid}/{entry}")


@linux
def test_the_process_gains_nothing_and_leaves_no_core() -> None:
    with running([]) as proxy:
        assert status_of(proxy.process.pid)["NoNewPrivs"] == "1"
        limits = Path(f"/proc/{proxy.process.pid}/limits").read_text()
        assert "Max core file size        0" in limits
        assert "Max file size             0" in limits


@linux
def test_the_process_cannot_be_traced_by_its_user_nor_misled_by_its_environment() -> None:
    script = (
        "import os\nfrom stdioguard.sandbox.linux import kernel\nfrom stdioguard.sandbox.network import proxy\n"
        "proxy._own_environment()\nbefore = kernel.prctl(3)\nproxy._harden()\n"  # 3 is PR_GET_DUMPABLE
        "os.write(2, repr((before, kernel.prctl(3), dict(os.environ))).encode())\n"
    )
    hostile = {**os.environ, "HOSTALIASES": "/tmp/aliases", "RES_OPTIONS": "ndots:9", "LOCALDOMAIN": "evil.test"}
    done = subprocess.run([sys.executable, "-c", script], env=hostile, capture_output=True, text=True, timeout=30)
    assert done.stderr == "(1, 0, {'LOCALDOMAIN': ''})", done.stderr


def test_what_confine_raises_ends_the_process_before_the_first_connection() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    reports, report = os.pipe()
    parent, alive = os.pipe()
    errors, error = os.pipe()
    pid = os.fork()
    if pid == 0:
        from stdioguard.sandbox.network import proxy

        def confine() -> None:
            raise OSError(1, "Operation not permitted")

        os.dup2(error, 2)
        proxy.serve(listener.fileno(), ["*:443"], secret=None, report=report, parent=parent, confine=confine)
    for descriptor in (report, error, parent):
        os.close(descriptor)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 1
    assert os.read(reports, 1000) == b""
    assert b"the network proxy ended: PermissionError" in os.read(errors, 1000)
    for descriptor in (reports, errors, alive):
        os.close(descriptor)
    listener.close()


@pytest.mark.parametrize(("rules", "secret"), [(["example.com"], None), (["example.com:443"], "")])
def test_rules_that_cannot_be_read_and_an_empty_secret_start_nothing(rules: list[str], secret: str | None) -> None:
    with pytest.raises(ValueError, match="port is missing|empty secret"):
        Proxy(Rules(rules), Reports(-1), secret=secret)
    with pytest.raises((AssertionError, IndexError)), running(rules, secret=secret):
        raise RuntimeError("it runs")


@linux
@pytest.mark.skipif(not landlock.ability(), reason="the kernel has no Landlock")
@pytest.mark.parametrize("secret", [None, "s3cret"])
def test_a_process_that_sees_no_files_does_its_work(secret: str | None) -> None:
    """Whatever is loaded late would be missed here; `test_internet` has the resolver's part."""
    with listening(recording(quiet=0.05)) as web:
        with running(
            [web.place, f"web.test:{web.port}"], secret=secret, names={"web.test": [["127.0.0.1"]]}, landlock=True
        ) as proxy:
            credentials = "" if secret is None else f"Proxy-Authorization: {basic('stdioguard:s3cret')}\r\n"
            for place in (web.place, f"web.test:{web.port}"):
                request = f"POST http://{place}/ HTTP/1.1\r\nHost: {place}\r\n{credentials}Transfer-Encoding: chunked\r\nConnection: close\r\n"
                assert proxy.say(f"{request}\r\n1\r\nx\r\n0\r\n\r\n".encode()).startswith(b"HTTP/1.1 200 ")
            assert proxy.say(f"CONNECT evil.test:1 HTTP/1.1\r\nHost: evil.test\r\n{credentials}\r\n".encode()).startswith(
                b"HTTP/1.1 403 "
            )
            assert proxy.say(b"nonsense\r\n\r\n").startswith(b"HTTP/1.1 400 ")
            wrong = f"CONNECT {web.place} HTTP/1.1\r\nHost: {web.place}\r\nProxy-Authorization: Basic ????\r\n\r\n"
            assert proxy.say(wrong.encode()).startswith(b"HTTP/1.1 200 " if secret is None else b"HTTP/1.1 407 ")
            assert not [line for line in proxy.reports() if "fault" in str(line.get("reason"))]


# The secret


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


def test_without_the_secret_nobody_gets_anything() -> None:
    with listening(recording(quiet=0.05)) as web, running([web.place], secret="s3cret") as proxy:
        request = f"GET http://{web.place}/ HTTP/1.1\r\nHost: {web.place}\r\nConnection: close\r\n"
        tunnel = f"CONNECT {web.place} HTTP/1.1\r\nHost: {web.place}\r\n"
        wrong = (
            None, basic("stdioguard:"), basic("stdioguard:S3CRET"), basic("stdioguard:s3cret2"), basic("stdioguard:s3cre"),
            basic("s3cret"), basic(":s3cret"), basic("root:s3cret"), "Basic", "Basic !!!!", "Bearer s3cret", "Digest s3cret",
            "Basic " + base64.b64encode(b"\xff\x00").decode(),
        )  # fmt: skip
        for credentials in wrong:
            line = "" if credentials is None else f"Proxy-Authorization: {credentials}\r\n"
            for head in (request, tunnel):
                answer = proxy.say(f"{head}{line}\r\n".encode())
                assert answer.startswith(b"HTTP/1.1 407 "), credentials
                assert b'\r\nProxy-Authenticate: Basic realm="stdioguard"\r\n' in answer
        twice = f"Proxy-Authorization: {basic('stdioguard:s3cret')}\r\nProxy-Authorization: {basic('a:b')}\r\n"
        assert proxy.say(f"{request}{twice}\r\n".encode()).startswith(b"HTTP/1.1 407 ")
        assert web.received == []
        right = f"Proxy-Authorization: {basic('stdioguard:s3cret')}\r\n"
        assert proxy.say(f"{request}{right}\r\n".encode()).startswith(b"HTTP/1.1 200 ")
        assert b"s3cret" not in web.received[0]
        assert b"Proxy" not in web.received[0]
        reported = [line["reason"] for line in proxy.reports(3) if line.get("verdict") == "deny"]
        assert set(reported) == {"wrong user or password for the proxy"}


def test_without_the_secret_socks_gives_nothing_either() -> None:
    with listening(echo) as upstream, running([upstream.place], secret="s3cret") as proxy:
        connect = b"\x05\x01\x00\x01\x7f\x00\x00\x01" + upstream.port.to_bytes(2, "big")

        def login(user: bytes, password: bytes, version: int = 1) -> bytes:
            return bytes((version, len(user))) + user + bytes((len(password),)) + password

        assert proxy.say(b"\x05\x01\x00" + connect) == b"\x05\xff"
        for attempt in (
            login(b"stdioguard", b"wrong"), login(b"stdioguard", b""), login(b"", b"s3cret"), login(b"", b""),
            login(b"stdioguard:s3cret", b""), login(b"stdioguard", b"s3cret", version=5),
        ):  # fmt: skip
            assert proxy.say(b"\x05\x02\x00\x02" + attempt + connect) == b"\x05\x02\x01\x01"
        assert upstream.received == []
        with proxy.connect() as connection:
            connection.sendall(b"\x05\x02\x00\x02" + login(b"stdioguard", b"s3cret") + connect + b"hello")
            assert exactly(connection, 4) == b"\x05\x02\x01\x00"
            assert exactly(connection, 15)[10:] == b"hello"


def test_without_a_secret_credentials_are_neither_needed_nor_passed_on() -> None:
    with listening(recording(quiet=0.05)) as web, running([web.place]) as proxy:
        request = f"GET http://{web.place}/ HTTP/1.0\r\nProxy-Authorization: {basic('a:b')}\r\n\r\n"
        assert proxy.say(request.encode()).startswith(b"HTTP/1.1 200 ")
        assert b"Authorization" not in web.received[0]


# Rebinding


def test_a_name_is_looked_up_once_and_the_address_that_was_checked_is_dialled() -> None:
    with listening(echo) as allowed:
        # The second answer is a machine inside; it would be dialled by whoever looked up again to connect.
        names = {"rebind.test": [["127.0.0.1"], ["127.0.0.2"]]}
        with running([f"rebind.test:{allowed.port}", f"127.0.0.1:{allowed.port}"], names=names) as proxy:
            with proxy.connect() as connection:
                connection.sendall(
                    f"CONNECT rebind.test:{allowed.port} HTTP/1.1\r\nHost: rebind.test:{allowed.port}\r\n\r\nhello".encode()
                )
                head = b""
                while not head.endswith(b"\r\n\r\n"):
                    head += connection.recv(1)
                assert head.startswith(b"HTTP/1.1 200 ")
                assert exactly(connection, 5) == b"hello"
            assert proxy.queries() == ["rebind.test"]
            # Asked anew, the name is judged anew.
            answer = proxy.say(
                f"CONNECT rebind.test:{allowed.port} HTTP/1.1\r\nHost: rebind.test:{allowed.port}\r\n\r\n".encode()
            )
            assert answer.startswith(b"HTTP/1.1 403 ")
            assert b"127.0.0.2 is loopback" in answer


def test_an_address_that_does_not_answer_gives_way_to_the_next() -> None:
    with listening(echo) as upstream:
        place = f"several.test:{upstream.port}"
        rules = [place, f"127.0.0.0/8:{upstream.port}", f"[::1]:{upstream.port}"]
        # Nothing listens on ::1 and 127.0.0.3; the address inside is left out.
        with running(rules, names={"several.test": [["10.0.0.1", "::1", "127.0.0.3", "127.0.0.1"]]}) as proxy:
            with proxy.connect() as connection:
                connection.sendall(f"CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n\r\n".encode())
                assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")


# Limits and reports


def test_connections_beyond_the_limit_wait_until_one_ends() -> None:
    with listening(echo) as upstream, running([upstream.place], limits={"connections": 3}) as proxy:
        request = f"CONNECT {upstream.place} HTTP/1.1\r\nHost: {upstream.place}\r\n\r\n".encode()
        held = [proxy.connect() for _ in range(3)]
        for connection in held:
            connection.sendall(request)
            assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")
        with proxy.connect() as fourth:
            fourth.sendall(request)
            assert not select.select([fourth], [], [], 0.5)[0]
            held.pop().close()
            assert fourth.recv(1000).startswith(b"HTTP/1.1 200 ")
        for connection in held:
            connection.close()


def test_many_connections_at_once_are_all_served() -> None:
    with listening(echo) as upstream, running([upstream.place]) as proxy:
        request = f"CONNECT {upstream.place} HTTP/1.1\r\nHost: {upstream.place}\r\n\r\n".encode()
        connections = [proxy.connect() for _ in range(200)]
        for connection in connections:
            connection.sendall(request)
        for connection in connections:
            assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")
            connection.close()


def test_a_flood_of_different_hosts_is_counted_and_not_listed() -> None:
    with running([]) as proxy:
        answers = 0
        for number in range(1100):
            answers += proxy.say(f"CONNECT h{number}.test:443 HTTP/1.1\r\nHost: h{number}.test\r\n\r\n".encode()).startswith(
                b"HTTP/1.1 403 "
            )
            proxy.reports()
        assert answers == 1100
        lines = proxy.reports(1001)
        time.sleep(0.1)
        lines = proxy.reports()
        assert sum("host" in line for line in lines) == 1000
        assert [line["others"] for line in lines if "others" in line] == [1, 2, 4, 8, 16, 32, 64]


def reported(act: object) -> list[dict[str, object]]:
    readable, writable = os.pipe()
    reports = Reports(writable)
    act(reports)  # type: ignore[operator]
    os.close(writable)
    with open(readable, "rb") as file:
        return [json.loads(line) for line in file]


def test_a_decision_that_repeats_is_told_at_powers_of_two() -> None:
    def act(reports: Reports) -> None:
        for _ in range(1000):
            reports.deny("a.test", 443, "why", "a.test:443")
        reports.allow("a.test", 443, "*:443")

    lines = reported(act)
    assert [line.get("times", 1) for line in lines] == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1]
    assert lines[-1] == {"event": "network", "host": "a.test", "port": 443, "verdict": "allow", "rule": "*:443"}


def test_a_report_is_one_short_line_of_ascii_whatever_the_host() -> None:
    readable, writable = os.pipe()
    reports = Reports(writable)
    hostile = 'a\r\n{"event":"network","verdict":"allow"}\x1b]52;c;\x07\u202e\U000e0041\ud800' + "x" * 100_000
    reports.deny(hostile, 443, hostile, hostile)
    os.close(writable)
    with open(readable, "rb") as file:
        (line,) = file.readlines()
    assert line.isascii()
    assert line.rstrip(b"\n").decode().isprintable()
    assert len(line) < select.PIPE_BUF
    assert json.loads(line)["verdict"] == "deny"


def test_nothing_is_dialled_before_it_is_on_record() -> None:
    """A guard that does not read holds the proxy up; nothing goes out meanwhile."""
    with listening(echo) as upstream, running([upstream.place, "*:443"]) as proxy:
        os.set_blocking(proxy._reports, False)
        import fcntl

        room = fcntl.fcntl(proxy._reports, 1032)  # F_GETPIPE_SZ
        filled = 0
        number = 0
        while filled < room:
            # Refusals whose reports fill the pipe: nobody reads them.
            label = f"{number:04d}" + "x" * 50
            place = ".".join([label] * 4) + ":80"
            with proxy.connect() as connection:
                connection.sendall(f"CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n\r\n".encode())
                connection.settimeout(1.0)
                try:
                    answered = connection.recv(10)
                except TimeoutError:
                    break
                assert answered
            filled += 2 * len(place)
            number += 1
        with proxy.connect() as connection:
            connection.sendall(f"CONNECT {upstream.place} HTTP/1.1\r\nHost: {upstream.place}\r\n\r\n".encode())
            assert not select.select([connection], [], [], 0.5)[0]
            assert upstream.received == []
            proxy.reports(number)
            while not select.select([connection], [], [], 0.1)[0]:
                proxy.reports()
            assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")
