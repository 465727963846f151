from __future__ import annotations

import http.client
import json
import os
import pty
import re
import select
import signal
import socket
import subprocess
import sys
import time

import pytest

from stdioguard.approval import presence, queue
from stdioguard.approval.page import security, server
from stdioguard.approval.page.app import Page
from stdioguard.approval.page.security import LINK_LIFE, MAX_BODY, Sessions
from tests.approval.page.served import ask, decided, serving


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("STDIOGUARD_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture(name="served")
def _served(home):
    with serving() as served:
        yield served


@pytest.fixture(name="inside")
def _inside(served):
    return served.log_in()


def approval(members, served):
    version = next(one["version"] for one in served.shown())
    return {"id": members["id"], "digest": members["digest"], "version": version, "approved": True}


READS = ["/api/waiting", "/api/decisions", "/api/sessions", "/api/grants"]
WRITES = ["/api/decide", "/api/deny", "/api/revoke"]


@pytest.mark.parametrize("path", READS)
def test_nothing_is_shown_to_who_has_not_logged_in(served, path):
    assert served.raw("GET", path)[0] == 401


@pytest.mark.parametrize("path", WRITES)
def test_nothing_is_decided_by_who_has_not_logged_in(served, path):
    assert served.raw("POST", path, {})[0] == 401


def test_who_has_logged_in_sees_what_waits(inside):
    members = ask()
    assert [one["id"] for one in inside.shown()] == [members["id"]]


def test_an_honest_approval_reaches_the_guard(inside):
    members = ask()
    status, _, _ = inside.raw("POST", "/api/decide", approval(members, inside))
    assert status == 200
    written = decided(members)
    assert len(written.pop("seen")) == 64
    assert written == {"id": members["id"], "digest": members["digest"], "approved": True, "channel": "page"}


ATTACKS = {
    "no cookie": {"Cookie": None},
    "another cookie": {"Cookie": "stdioguard-1=x"},
    "no key": {"X-Stdioguard-Key": None},
    "another key": {"X-Stdioguard-Key": "A" * 43},
    "two keys": {"X-Stdioguard-Key": ["A" * 43, "B" * 43]},
    "no origin": {"Origin": None},
    "another origin": {"Origin": "https://evil.example"},
    "the origin null": {"Origin": "null"},
    "another port's origin": {"Origin": "http://127.0.0.1:1"},
    "the origin localhost": {"Origin": "http://localhost:PORT"},
    "a longer origin": {"Origin": "http://127.0.0.1:PORT.evil.example"},
    "two origins": {"Origin": ["http://127.0.0.1:PORT", "https://evil.example"]},
    "another site": {"Sec-Fetch-Site": "cross-site"},
    "another port of this host": {"Sec-Fetch-Site": "same-site"},
    "a rebound name": {"Host": "evil.example:PORT"},
    "a host without its port": {"Host": "127.0.0.1"},
    "localhost": {"Host": "localhost:PORT"},
    "the host in other clothes": {"Host": "127.1:PORT"},
    "a form": {"Content-Type": "application/x-www-form-urlencoded"},
    "plain text": {"Content-Type": "text/plain"},
    "no type": {"Content-Type": None},
    "a type with more": {"Content-Type": "application/json, text/plain"},
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_decision_needs_every_proof_that_the_page_sent_it(inside, attack):
    members = ask()
    body = approval(members, inside)
    put = {
        name: [one.replace("PORT", str(inside.port)) for one in value]
        if isinstance(value, list)
        else value and value.replace("PORT", str(inside.port))
        for name, value in ATTACKS[attack].items()
    }
    status, found, headers = inside.raw("POST", "/api/decide", body, put)
    assert 400 <= status < 500, found
    assert "access-control-allow-origin" not in headers
    assert queue.decision(members["id"]) is None
    assert inside.raw("POST", "/api/decide", body)[0] == 200  # the honest twin


@pytest.mark.parametrize(
    "attack",
    ["no cookie", "no key", "another origin", "another site", "another port of this host", "a rebound name", "localhost"],
)
def test_what_waits_is_read_by_the_page_alone(inside, attack):
    ask()
    put = {name: value and value.replace("PORT", str(inside.port)) for name, value in ATTACKS[attack].items()}
    status, found, _ = inside.raw("GET", "/api/waiting", headers=put)
    assert status in (401, 403, 421)
    assert set(found) == {"error"}
    assert inside.raw("GET", "/api/waiting")[0] == 200


def test_the_halves_of_two_sessions_make_none(served):
    one, other = served.log_in(), served.log_in()
    assert one.raw("GET", "/api/decisions")[0] == other.raw("GET", "/api/decisions")[0] == 200
    assert one.raw("GET", "/api/decisions", headers={"X-Stdioguard-Key": other.key})[0] == 401


def test_another_servers_cookie_of_the_same_name_neither_helps_nor_harms(inside):
    tossed = inside.cookie.split("=")[0] + "=tossed"
    assert inside.raw("GET", "/api/decisions", headers={"Cookie": tossed})[0] == 401
    assert inside.raw("GET", "/api/decisions", headers={"Cookie": f"{tossed}; {inside.cookie}"})[0] == 200


def test_a_login_link_is_good_once(served):
    token = served.page.sessions.link()
    assert served.raw("POST", "/api/login", {"token": token})[0] == 200
    status, found, headers = served.raw("POST", "/api/login", {"token": token})
    assert (status, "key" in found, headers["set-cookie"]) == (401, False, None)


def test_a_login_link_is_good_for_two_minutes():
    now = [1000.0]
    sessions = Sessions(lambda: now[0])
    early, late = sessions.link(), sessions.link()
    now[0] += LINK_LIFE - 1
    assert sessions.log_in(early) is not None
    now[0] += 1
    assert sessions.log_in(late) is None


@pytest.mark.parametrize("token", ["", "x", None, 7, ["x"], {"a": 1}, "\ud800"])
def test_nothing_but_a_link_logs_in(served, token):
    assert served.raw("POST", "/api/login", {"token": token})[0] == 401


@pytest.mark.parametrize("attack", ["another origin", "no origin", "another site", "a rebound name"])
def test_another_site_cannot_use_a_link(served, attack):
    token = served.page.sessions.link()
    put = {name: value and value.replace("PORT", str(served.port)) for name, value in ATTACKS[attack].items()}
    assert served.raw("POST", "/api/login", {"token": token}, put)[0] in (403, 421)
    assert served.raw("POST", "/api/login", {"token": token})[0] == 200


def test_a_login_token_has_256_bits():
    assert len({Sessions().link() for _ in range(50)}) == 50
    assert all(len(Sessions().link()) == 43 for _ in range(5))


def test_the_cookie_is_for_no_script_and_no_other_site(served):
    _, _, headers = served.raw("POST", "/api/login", {"token": served.page.sessions.link()})
    cookie = headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "domain" not in cookie


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/"), ("GET", "/page.js"), ("GET", "/nothing"), ("GET", "/api/waiting"), ("POST", "/api/decide"), ("GET", "/../x")],
)
def test_every_answer_has_the_headers(served, method, path):
    _, _, headers = served.raw(method, path)
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "require-trusted-types-for 'script'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy.replace("https", "http").split("'self'")[0]
    assert headers["x-frame-options"] == "DENY"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    assert headers["cross-origin-opener-policy"] == headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["access-control-allow-origin"] is None
    assert headers["server"] is None


def test_the_files_hold_nothing_inline_and_nothing_of_others(served):
    _, html, _ = served.raw("GET", "/")
    assert not re.search(r"\son\w+=|<style|style=|javascript:|<script(?![^>]*src=\"/page.js\")", html)
    for name in ("/", "/page.css", "/page.js", "/cards.js", "/dialogs.js", "/dom.js", "/lists.js", "/shown.js"):
        status, text, _ = served.raw("GET", name)
        assert status == 200
        assert "http://" not in text
        assert "https://" not in text
        assert "innerHTML" not in text
        assert "insertAdjacentHTML" not in text
        assert "eval(" not in text


TRAVERSALS = [
    "/../app.py",
    "/%2e%2e/app.py",
    "/..%2fapp.py",
    "/page.js/../app.py",
    "/app.py",
    "/%2fetc/passwd",
    "//etc/passwd",
    "/page.js%00",
    "/api/../../x",
    "/static/..\\app.py",
]


@pytest.mark.parametrize("path", TRAVERSALS)
def test_no_path_leads_out_of_the_files_that_are_served(inside, path):
    status, found, _ = inside.raw("GET", path)
    assert status in (401, 403, 404)
    assert "import" not in str(found)
    assert inside.raw("GET", "/page.js")[0] == 200


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "HEAD", "GET"])
@pytest.mark.parametrize("path", WRITES)
def test_nothing_but_a_post_changes_anything(inside, method, path):
    members = ask()
    body = json.dumps(approval(members, inside)).encode()
    status, _, _ = inside.raw(method, path, body if method != "GET" else None, {"Content-Type": "application/json"})
    assert status in (403, 404, 405)
    assert queue.decision(members["id"]) is None


def test_a_get_with_a_decision_in_its_query_decides_nothing(inside):
    members = ask()
    for path in WRITES:
        assert inside.raw("GET", f"{path}?id={members['id']}&digest={members['digest']}&approved=true")[0] == 405
    assert queue.decision(members["id"]) is None


def test_a_body_is_bounded_whatever_it_claims(inside):
    assert inside.raw("POST", "/api/deny", b'{"x":"' + b"a" * (MAX_BODY - 10) + b'"}')[0] == 400
    assert inside.raw("POST", "/api/deny", b'{"x":"' + b"a" * MAX_BODY + b'"}')[0] == 413
    assert inside.raw("POST", "/api/deny", b"{}", {"Content-Length": "9" * 30})[0] in (400, 413)
    with socket.create_connection(("127.0.0.1", inside.port), 10) as raw:
        head = (
            f"POST /api/deny HTTP/1.1\r\nHost: 127.0.0.1:{inside.port}\r\nOrigin: {inside.origin}\r\nContent-Type: application/json\r\n"
            f"Cookie: {inside.cookie}\r\nX-Stdioguard-Key: {inside.key}\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        raw.sendall(head.encode())
        chunk = b"1000\r\n" + b"a" * 4096 + b"\r\n"
        try:
            for _ in range(64):
                raw.sendall(chunk)
        except OSError:
            pass
        assert b"413" in raw.recv(4096).split(b"\r\n")[0]


@pytest.mark.parametrize(
    "body", [b"", b"null", b"[]", b"7", b"{", b"\xff", b"[" * 10000, b'{"approved": 1}', b'{"id": {}, "digest": []}']
)
@pytest.mark.parametrize("path", [*WRITES, "/api/login"])
def test_a_body_that_makes_no_sense_is_refused(inside, path, body):
    status, found, _ = inside.raw("POST", path, body)
    assert 400 <= status < 500
    assert set(found) == {"error"}


def test_a_header_cannot_be_injected_through_what_is_echoed(inside):
    with socket.create_connection(("127.0.0.1", inside.port), 10) as raw:
        raw.sendall(
            f"GET /%0d%0aSet-Cookie:%20a=b HTTP/1.1\r\nHost: 127.0.0.1:{inside.port}\r\nConnection: close\r\n\r\n".encode()
        )
        head = b""
        while part := raw.recv(4096):
            head += part
    assert b"404" in head.split(b"\r\n")[0]
    assert b"set-cookie" not in head.lower()


def test_two_hosts_in_one_request_are_refused(inside):
    with socket.create_connection(("127.0.0.1", inside.port), 10) as raw:
        raw.sendall(
            f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{inside.port}\r\nHost: evil.example\r\nConnection: close\r\n\r\n".encode()
        )
        assert raw.recv(4096).split(b"\r\n")[0].split()[1] in (b"400", b"421")


def test_the_page_is_shown_in_no_frame(served):
    assert served.raw("GET", "/", headers={"Sec-Fetch-Dest": "iframe", "Sec-Fetch-Site": "cross-site"})[0] == 403
    assert (
        served.raw("GET", "/", headers={"Sec-Fetch-Dest": "document", "Sec-Fetch-Site": "cross-site"})[0] == 200
    )  # a link that is followed


def test_another_site_cannot_load_the_pages_scripts(served):
    assert served.raw("GET", "/page.js", headers={"Sec-Fetch-Dest": "script", "Sec-Fetch-Site": "cross-site"})[0] == 403
    assert served.raw("GET", "/page.js", headers={"Sec-Fetch-Dest": "script"})[0] == 200


def test_a_web_socket_is_not_spoken(inside):
    put = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version": "13",
    }
    assert inside.raw("GET", "/api/decisions", headers=put)[0] == 200  # taken as the plain request that it is, with its proofs
    assert inside.raw("GET", "/api/decisions", headers=put | {"Cookie": None})[0] == 401


def test_only_loopback_is_listened_on(served):
    listener = server._listener(0)
    try:
        assert listener.getsockname()[0] == "127.0.0.1"
    finally:
        listener.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", served.port), 1)


def test_what_fails_inside_says_nothing_of_why(inside, monkeypatch, capfd):
    monkeypatch.setattr("stdioguard.approval.page.records.decisions", lambda: 1 / int("sekrit"[6:] or 0))
    status, found, _ = inside.raw("GET", "/api/decisions")
    assert (status, found) == (500, {"error": "the page failed on this request"})
    said = capfd.readouterr().err
    assert said == "stdioguard: the approvals page failed on a request: ZeroDivisionError\n"


def test_the_page_is_said_to_be_watched_while_a_browser_is_there(served, monkeypatch):
    monkeypatch.setattr("stdioguard.approval.page.app._GONE_AFTER", 0.4)
    time.sleep(0.6)
    assert "page" not in presence.channels()
    inside = served.log_in()
    inside.shown()
    assert until(lambda: "page" in presence.channels())
    assert until(lambda: "page" not in presence.channels())


def until(true, seconds=5):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if true():
            return True
        time.sleep(0.02)
    return False


def test_the_server_ends_when_nobody_looks(home, monkeypatch):
    monkeypatch.setattr(server, "IDLE", 0.5)
    with serving() as served:
        assert until(lambda: served.page.stopping)


def test_the_server_stays_while_somebody_looks(home, monkeypatch):
    monkeypatch.setattr(server, "IDLE", 1.0)
    with serving() as served:
        inside = served.log_in()
        for _ in range(8):
            time.sleep(0.25)
            assert inside.raw("GET", "/api/waiting?known=")[0] == 200
        assert not served.page.stopping


MAIN = "import sys; from stdioguard.approval.page.server import main; sys.exit(main(open_browser=False))"


def test_the_link_goes_into_no_file_that_others_can_read(home, tmp_path):
    path = tmp_path / "log"
    path.touch(0o644)
    path.chmod(0o644)
    with path.open("w") as file:
        made = subprocess.run([sys.executable, "-c", MAIN], stdout=file, stderr=subprocess.PIPE, text=True, timeout=30)
    assert (made.returncode, path.read_text()) == (77, "")
    assert made.stderr.count("\n") == 1
    assert "#login" not in made.stderr


def test_without_a_terminal_the_link_goes_to_who_reads_the_output(home):
    process = subprocess.Popen([sys.executable, "-c", MAIN], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        said = [process.stdout.readline() for _ in range(3)]
        assert re.fullmatch(r"  http://127\.0\.0\.1:\d+/#login=[\w-]{43}\n", said[2])
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
        process.stdout.close()
        process.stderr.close()


def test_who_opens_connections_and_says_nothing_does_not_keep_the_browser_out(home, monkeypatch):
    monkeypatch.setattr(server, "PATIENCE", 0.5)
    monkeypatch.setattr(security, "PATIENCE", 0.5)
    with serving() as served:
        inside = served.log_in()
        head = f"POST /api/login HTTP/1.1\r\nHost: {served.page.gate.host}\r\nOrigin: {served.page.gate.origin}\r\n"
        halves = (
            b"",
            b"GET / HTTP/1.1\r\nHost: ",
            f"{head}Content-Type: application/json\r\nContent-Length: 10\r\n\r\n".encode(),
        )
        port = int(served.page.gate.host.rpartition(":")[2])
        idle = [socket.create_connection(("127.0.0.1", port)) for _ in range(300)]
        for number, connection in enumerate(idle):
            connection.sendall(halves[number % 3])
        assert until(lambda: inside.raw("GET", "/api/grants")[0] == 200)
        for connection in idle:
            connection.close()


def test_on_a_terminal_the_link_logs_in_and_ctrl_c_ends_it(home):
    main, side = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", MAIN], stdin=side, stdout=side, stderr=subprocess.PIPE, start_new_session=True
    )
    os.close(side)
    try:
        said = b""
        end = time.monotonic() + 20
        while b"ends it." not in said and time.monotonic() < end:
            if select.select([main], [], [], 1)[0]:
                said += os.read(main, 4096)
        port, token = re.search(rb"http://127\.0\.0\.1:(\d+)/#login=([\w-]{43})", said).groups()
        connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=10)
        origin = f"http://127.0.0.1:{int(port)}"
        connection.request(
            "POST", "/api/login", json.dumps({"token": token.decode()}), {"Content-Type": "application/json", "Origin": origin}
        )
        assert connection.getresponse().status == 200
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
        assert process.stderr.read() == b""
    finally:
        process.kill()
        process.wait()
        process.stderr.close()
        os.close(main)


def test_a_browser_is_opened_without_the_link_on_its_command_line(home, monkeypatch):
    opened = []
    monkeypatch.setattr("webbrowser.open", lambda url: opened.append(url) or True)
    with server._handed_over("http://127.0.0.1:1/#login=SECRET") as hidden:
        server._open(hidden.path)
        assert oct(os.stat(hidden.path).st_mode & 0o7777) == "0o600"
        text = open(hidden.path).read()
    assert "SECRET" in text
    assert opened == [f"file://{hidden.path}"]
    assert not os.path.exists(hidden.path)


def test_a_port_that_is_taken_is_said_in_one_line(home, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    taken = server._listener(0)
    try:
        port = taken.getsockname()[1]
        assert server.main(port, open_browser=False) == 78
    finally:
        taken.close()
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert str(port) in said


def test_a_page_keeps_no_secret_that_lets_somebody_in():
    page = Page(1)
    token = page.sessions.link()
    cookie, key = page.sessions.log_in(token) or ("", "")
    kept = repr(page.sessions.__dict__)
    assert page.sessions.admits([cookie], key)
    assert not any(secret in kept for secret in (token, cookie, key))
