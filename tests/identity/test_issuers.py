"""The keys of other issuers: files that others cannot change, and a server on this machine that is honest, slow, or hostile."""

from __future__ import annotations

import datetime
import json
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from stdioguard.identity import issuers, secrets
from stdioguard.identity.issuers import KeySet, KeySetError
from stdioguard.identity.tokens import TokenError
from tests.identity import forge
from tests.identity.forge import ISSUER, NOW, World, jwk, private, settings

HOUR = 3600
Answer = Callable[[BaseHTTPRequestHandler], None]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STDIOGUARD_HOME", str(tmp_path))
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


class Site:
    """An issuer's web server. `answer` says how it answers the next requests, and `asked` how often it was asked for what."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.answer: Answer = serving(jwk("ed"))
        self.asked: list[str] = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.asked.append(self.path)
                try:
                    site.answer(self)
                except OSError:
                    pass  # a client that has had enough

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        if context is not None:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_port
        self.url = f"http{'s' if context else ''}://127.0.0.1:{self.port}/jwks"
        self._thread = threading.Thread(target=lambda: self._server.serve_forever(0.02), daemon=True)
        self._thread.start()

    def close(self) -> None:
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()


@pytest.fixture
def site() -> Iterator[Site]:
    found = Site()
    yield found
    found.close()


def sending(body: bytes, status: int = 200, **headers: str) -> Answer:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    return answer


def serving(*entries: Any) -> Answer:
    return sending(json.dumps({"keys": entries}).encode())


def of_url(site: Site, **given: Any) -> KeySet:
    return KeySet(ISSUER, settings(jwks_url=site.url, **given))


def cache_file(home: Path) -> Path:
    (found,) = (home / "cache" / "jwks").iterdir()
    return found


def is_ed(key: Any, kind: str = "ed") -> bool:
    return bool(key.public_bytes_raw() == private(kind).public_key().public_bytes_raw())


# --- from a URL -------------------------------------------------------------------------------------------------------------------


def test_keys_are_fetched_once_and_used_from_the_cache(site: Site, home: Path) -> None:
    key_set = of_url(site)
    assert key_set.is_stale(NOW)
    with pytest.raises(KeySetError, match="never fetched"):
        key_set.key("ed", "EdDSA", NOW)
    key_set.fetch(NOW)
    assert is_ed(key_set.key("ed", "EdDSA", NOW))
    assert is_ed(of_url(site).key("ed", "EdDSA", NOW))  # another process
    assert not key_set.is_stale(NOW + HOUR - 1)
    assert not of_url(site).is_stale(NOW + HOUR - 1)
    assert key_set.is_stale(NOW + HOUR)
    assert site.asked == ["/jwks"]
    assert cache_file(home).stat().st_mode & 0o777 == 0o600


def test_a_token_is_verified_by_keys_of_a_url(site: Site, home: Path) -> None:
    world = World(home)
    world.issuers = {ISSUER: settings(jwks_url=site.url)}
    verifier = world.verifier()
    token = world.draft("ed").text()
    with pytest.raises(TokenError, match="never fetched"):
        verifier.verify(token, NOW)
    (stale,) = verifier.stale(NOW)
    stale.fetch(NOW)
    assert verifier.stale(NOW) == []
    assert verifier.verify(token, NOW).issuer == ISSUER


def test_a_new_key_is_asked_for_at_once_but_not_more_than_twice_a_minute(site: Site, home: Path) -> None:
    key_set = of_url(site)
    key_set.fetch(NOW)
    site.answer = serving(jwk("ed"), jwk("ed-2"))
    for later in (5, 29, 100):
        with pytest.raises(KeySetError, match="no key of that id"):
            key_set.key("ed-2", "EdDSA", NOW + later)
        assert key_set.is_stale(NOW + later) == (later == 100)
    key_set.fetch(NOW + 100)
    assert is_ed(key_set.key("ed-2", "EdDSA", NOW + 100), "ed-2")
    assert is_ed(key_set.key("ed", "EdDSA", NOW + 100))
    assert not key_set.is_stale(NOW + 200)  # nobody misses anything any more
    with pytest.raises(KeySetError):
        key_set.key("invented", "EdDSA", NOW + 200)
    key_set.fetch(NOW + 200)
    for later in (201, 229):
        with pytest.raises(KeySetError):
            key_set.key("invented", "EdDSA", NOW + later)
        assert not key_set.is_stale(NOW + later)


def test_a_process_that_only_fetches_is_told_that_a_key_is_missed(site: Site, home: Path) -> None:
    key_set = of_url(site)
    key_set.fetch(NOW)
    for later in (29, 30, HOUR - 1):
        assert not key_set.is_stale(NOW + later)
        assert key_set.is_stale(NOW + later, missed=True) == (later >= 30)
    key_set.fetch(NOW + 40)
    assert not key_set.is_stale(NOW + 69, missed=True)


def test_keys_that_another_process_fetched_are_seen(site: Site, home: Path) -> None:
    key_set, other = of_url(site), of_url(site)
    key_set.fetch(NOW)
    assert is_ed(key_set.key("ed", "EdDSA", NOW))
    site.answer = serving(jwk("ed-2"))
    other.fetch(NOW + 60)
    assert is_ed(key_set.key("ed-2", "EdDSA", NOW + 60), "ed-2")
    with pytest.raises(KeySetError, match="no key of that id"):
        key_set.key("ed", "EdDSA", NOW + 60)  # it was withdrawn
    assert not key_set.is_stale(NOW + 89)  # whoever fetched them, they are half a minute old only then
    assert key_set.is_stale(NOW + 90)


def test_without_its_issuer_a_set_is_good_until_the_grace_is_over(site: Site, home: Path) -> None:
    key_set = of_url(site, grace=2 * HOUR)
    key_set.fetch(NOW)
    site.close()
    for later in (HOUR, 2 * HOUR):
        assert key_set.is_stale(NOW + later)
        with pytest.raises(OSError, match="refused"):
            key_set.fetch(NOW + later)
        assert is_ed(key_set.key("ed", "EdDSA", NOW + later))
    for later in (2 * HOUR + 1, 10**6):
        with pytest.raises(KeySetError, match="longer than its grace"):
            key_set.key("ed", "EdDSA", NOW + later)
        assert of_url(site, grace=2 * HOUR).is_stale(NOW + later)


def test_a_set_with_a_short_grace_is_asked_for_before_that_is_over(site: Site, home: Path) -> None:
    key_set = of_url(site, grace=600)
    key_set.fetch(NOW)
    assert not key_set.is_stale(NOW + 299)
    assert key_set.is_stale(NOW + 300)
    assert is_ed(key_set.key("ed", "EdDSA", NOW + 600))
    with pytest.raises(KeySetError):
        key_set.key("ed", "EdDSA", NOW + 601)


def test_after_a_failure_half_a_minute_passes(site: Site, home: Path) -> None:
    key_set = of_url(site)
    site.answer = sending(b"", 503)
    with pytest.raises(OSError, match="503"):
        key_set.fetch(NOW)
    assert not key_set.is_stale(NOW + 29)
    assert key_set.is_stale(NOW + 30)
    assert key_set.is_stale(NOW - 1000)  # a clock that was set back does not make it wait for long


def test_keys_from_the_future_are_not_kept_for_ever(site: Site, home: Path) -> None:
    key_set = of_url(site)
    key_set.fetch(NOW + 10**6)
    with pytest.raises(KeySetError):
        key_set.key("ed", "EdDSA", NOW)
    assert key_set.is_stale(NOW)
    key_set.fetch(NOW)
    assert is_ed(key_set.key("ed", "EdDSA", NOW - 30))


def redirect(request: BaseHTTPRequestHandler) -> None:
    if request.path == "/jwks":
        sending(b"", 302, Location="/elsewhere")(request)
    else:
        serving(jwk("ed-evil"))(request)


def chunked(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.send_header("Transfer-Encoding", "chunked")
    request.end_headers()
    for _ in range(40):
        request.wfile.write(b"10000\r\n" + b" " * 65536 + b"\r\n")
    request.wfile.write(b"0\r\n\r\n")


def cut_short(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.send_header("Content-Length", "1000")
    request.end_headers()
    request.wfile.write(b'{"keys": [')


def raw(data: bytes) -> Answer:
    return lambda request: request.wfile.write(data) and None


BAD_ANSWERS: dict[str, tuple[Answer, str]] = {
    "redirect": (redirect, "302"),
    "permanent redirect": (sending(b"", 308, Location="/elsewhere"), "308"),
    "not found": (sending(b'{"keys": []}', 404), "404"),
    "no content": (sending(b"", 204), "204"),
    "not modified": (sending(b"", 304), "304"),
    "2 MB": (sending(json.dumps({"keys": [], "pad": "x" * (2 << 20)}).encode()), "more than 1 MB"),
    "2 MB in chunks": (chunked, "more than 1 MB"),
    "cut short": (cut_short, "not JSON"),
    "not JSON": (sending(b"<html>sign in</html>"), "not JSON"),
    "empty": (sending(b""), "not JSON"),
    "duplicate keys": (sending(b'{"keys": [], "keys": []}'), "same key twice"),
    "a list": (sending(json.dumps([jwk("ed-evil")]).encode()), "no JSON object"),
    "one key": (sending(json.dumps(jwk("ed-evil")).encode()), 'no list "keys"'),
    "keys that are no list": (sending(b'{"keys": {}}'), 'no list "keys"'),
    "deep": (sending(b'{"keys": ' + b"[" * 10000 + b"]" * 10000 + b"}"), "nesting"),
    "no HTTP": (raw(b"SSH-2.0-OpenSSH\r\n"), "SSH|BadStatusLine"),
    "a reason of two lines": (raw(b"HTTP/1.1 500 a\x0bforged line\r\n\r\n"), "500"),
    "endless headers": (raw(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n{}"), "headers"),
    "nothing": (lambda request: None, "closed|reset"),
}


@pytest.mark.parametrize("name", BAD_ANSWERS)
def test_a_bad_answer_is_one_line_and_leaves_the_keys_that_were_there(name: str, site: Site, home: Path) -> None:
    answer, reason = BAD_ANSWERS[name]
    key_set = of_url(site)
    key_set.fetch(NOW)
    before = cache_file(home).read_bytes()
    site.answer = answer
    with pytest.raises((OSError, ValueError), match=reason) as failure:
        key_set.fetch(NOW + HOUR)
    assert len(str(failure.value).splitlines()) == 1
    assert str(failure.value).isprintable()
    assert cache_file(home).read_bytes() == before
    assert "/elsewhere" not in site.asked
    assert is_ed(key_set.key("ed", "EdDSA", NOW + HOUR))


def dripping(head: bytes, drop: bytes) -> Answer:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.wfile.write(head)
        for _ in range(200):
            request.wfile.write(drop)
            time.sleep(0.05)

    return answer


SLOW: dict[str, Answer] = {
    "silent": lambda request: time.sleep(10),
    "slow headers": dripping(b"HTTP/1.1 200 OK\r\nX: ", b"y"),
    "slow body": dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b" "),
    "slow chunk": dripping(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0"),
}


@pytest.mark.parametrize("name", SLOW)
def test_an_issuer_that_hangs_is_left_when_the_time_is_up_and_so_is_its_connection(name: str, site: Site, home: Path) -> None:
    key_set = of_url(site)
    key_set.fetch(NOW)
    site.answer = SLOW[name]
    working = set(threading.enumerate())
    start = time.monotonic()
    with pytest.raises(OSError, match=r"within 0.3 seconds|timed out"):
        key_set.fetch(NOW + HOUR, timeout=0.3)
    assert time.monotonic() - start < 3  # it would take the server ten
    assert is_ed(key_set.key("ed", "EdDSA", NOW + HOUR))
    fetching = [thread for thread in threading.enumerate() if thread not in working and "work" in thread.name]
    for thread in fetching:
        thread.join(3)
    assert not any(thread.is_alive() for thread in fetching)


def test_five_seconds_are_given_where_nothing_else_is_said() -> None:
    assert issuers.TIMEOUT == 5


def test_a_url_of_a_file_is_no_url(home: Path) -> None:
    path = home / "keys.json"
    path.write_text(json.dumps({"keys": [jwk("ed")]}))
    key_set = KeySet(ISSUER, settings(jwks_url=f"file://{path}"))
    with pytest.raises(OSError, match="unknown url type"):
        key_set.fetch(NOW)


def test_a_proxy_of_the_environment_never_sees_what_is_for_this_machine(
    site: Site, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = Site()
    proxy.answer = serving(jwk("ed-evil", kid="ed"))
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
    monkeypatch.setenv("no_proxy", "")
    key_set = of_url(site)
    key_set.fetch(NOW)
    proxy.close()
    assert proxy.asked == []
    assert is_ed(key_set.key("ed", "EdDSA", NOW))


def certificate(folder: Path) -> tuple[Path, Path]:
    import ipaddress

    key = ed25519.Ed25519PrivateKey.generate()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    today = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 7, today - datetime.timedelta(1), today + datetime.timedelta(1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, None)
    )
    cert, secret = folder / "cert.pem", folder / "key.pem"
    cert.write_bytes(made.public_bytes(Encoding.PEM))
    secret.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    assert made.fingerprint(hashes.SHA256())
    return cert, secret


def test_only_a_server_with_a_certificate_that_is_trusted_is_believed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cert, secret = certificate(home)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, secret)
    site = Site(context)
    try:
        key_set = of_url(site)
        with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
            key_set.fetch(NOW)
        with pytest.raises(KeySetError, match="never fetched"):
            key_set.key("ed", "EdDSA", NOW)
        monkeypatch.setenv("SSL_CERT_FILE", str(cert))
        key_set.fetch(NOW)
        assert is_ed(key_set.key("ed", "EdDSA", NOW))
    finally:
        site.close()


# --- the cache -----------------------------------------------------------------------------------------------------------------------


def test_of_a_key_only_the_public_half_gets_into_the_cache(site: Site, home: Path) -> None:
    site.answer = serving(
        jwk("ed", d="c2VjcmV0", x5u="https://evil.example"), {"kty": "oct", "k": "c2VjcmV0", "kid": "o"}, "no key", 5
    )
    key_set = of_url(site)
    key_set.fetch(NOW)
    assert is_ed(key_set.key("ed", "EdDSA", NOW))
    assert "c2VjcmV0" not in cache_file(home).read_text()
    assert "evil" not in cache_file(home).read_text()


@pytest.mark.parametrize("mode", [0o644, 0o660, 0o602, 0o4600, 0o400, 0o700])
def test_a_cache_whose_mode_is_not_ours_is_ignored(mode: int, site: Site, home: Path) -> None:
    key_set = of_url(site)
    key_set.fetch(NOW)
    assert key_set.key("ed", "EdDSA", NOW)
    cache_file(home).chmod(mode)
    for one in (key_set, of_url(site)):
        with pytest.raises(KeySetError, match="never fetched"):
            one.key("ed", "EdDSA", NOW)
    assert of_url(site).is_stale(NOW)
    key_set.fetch(NOW + 60)
    assert key_set.key("ed", "EdDSA", NOW + 60)


def test_a_cache_that_is_a_link_or_another_users_is_ignored(site: Site, home: Path) -> None:
    key_set = of_url(site)
    key_set.fetch(NOW)
    path = cache_file(home)
    path.rename(home / "elsewhere")
    path.symlink_to(home / "elsewhere")
    with pytest.raises(KeySetError, match="never fetched"):
        key_set.key("ed", "EdDSA", NOW)
    path.unlink()
    (home / "elsewhere").rename(path)
    assert key_set.key("ed", "EdDSA", NOW)
    if os.geteuid() == 0:
        os.chown(path, 65534, -1)
        with pytest.raises(KeySetError, match="never fetched"):
            key_set.key("ed", "EdDSA", NOW)


@pytest.mark.parametrize(
    "change",
    [
        {"url": "https://evil.example/jwks"},
        {"fetched": "now"},
        {"fetched": True},
        {"fetched": None},
        {"keys": None},
        {"keys": {"ed": 1}},
    ],
    ids=str,
)
def test_a_cache_that_was_not_written_by_us_is_ignored(change: dict[str, Any], site: Site, home: Path) -> None:
    key_set = of_url(site)
    key_set.fetch(NOW)
    document = json.loads(cache_file(home).read_text())
    cache_file(home).write_text(json.dumps({**document, **change}))
    with pytest.raises(KeySetError, match="never fetched"):
        key_set.key("ed", "EdDSA", NOW)
    cache_file(home).write_text(json.dumps(document))
    assert key_set.key("ed", "EdDSA", NOW)
    cache_file(home).write_text(json.dumps(document)[:-1])
    with pytest.raises(KeySetError, match="never fetched"):
        key_set.key("ed", "EdDSA", NOW)


def test_each_issuer_and_each_url_has_a_cache_of_its_own(site: Site, home: Path) -> None:
    of_url(site).fetch(NOW)
    for other in (KeySet("https://b.example", settings(jwks_url=site.url)), KeySet(ISSUER, settings(jwks_url=site.url + "2"))):
        with pytest.raises(KeySetError, match="never fetched"):
            other.key("ed", "EdDSA", NOW)


def test_nothing_is_kept_in_a_folder_that_others_can_change(site: Site, home: Path) -> None:
    (home / "cache").mkdir(mode=0o700)
    (home / "cache" / "jwks").mkdir()
    (home / "cache" / "jwks").chmod(0o777)
    with pytest.raises(PermissionError, match="chmod 700"):
        of_url(site).fetch(NOW)
    assert os.listdir(home / "cache" / "jwks") == []


# --- from a file ----------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def path(home: Path) -> Path:
    return write(home / "issuer.jwks", jwk("ed"))


def write(path: Path, *entries: Any) -> Path:
    path.write_text(json.dumps({"keys": entries}))
    path.chmod(0o644)
    return path


def of_file(path: Path) -> KeySet:
    return KeySet(ISSUER, settings(jwks_file=str(path)))


def test_a_file_that_has_changed_is_read_again(path: Path, home: Path) -> None:
    key_set = of_file(path)
    assert is_ed(key_set.key("ed", "EdDSA", NOW))
    assert not key_set.is_stale(NOW)
    before = path.stat()
    write(path, jwk("ed-2", kid="ed"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))  # the same size, inode and time of writing
    assert path.stat().st_size == before.st_size
    assert is_ed(key_set.key("ed", "EdDSA", NOW), "ed-2")
    write(home / "new", jwk("ed-3", kid="ed")).rename(path)
    assert is_ed(key_set.key("ed", "EdDSA", NOW), "ed-3")
    path.unlink()
    with pytest.raises(KeySetError, match="No such file"):
        key_set.key("ed", "EdDSA", NOW)


def test_a_file_that_has_not_changed_is_not_parsed_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key_set = of_file(path)
    first = key_set.key("ed", "EdDSA", NOW)
    monkeypatch.setattr(os, "read", lambda *_: pytest.fail("read again"))
    assert key_set.key("ed", "EdDSA", NOW) is first


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_can_change_is_refused_also_when_it_was_read_before(mode: int, path: Path) -> None:
    key_set = of_file(path)
    assert key_set.key("ed", "EdDSA", NOW)
    path.chmod(mode)
    for one in (key_set, of_file(path)):
        with pytest.raises(KeySetError, match=f"chmod go-w {path}"):
            one.key("ed", "EdDSA", NOW)
    path.chmod(0o444)
    assert key_set.key("ed", "EdDSA", NOW)


def test_what_is_no_plain_file_is_refused(path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert of_file(path).key("ed", "EdDSA", NOW)
    (home / "link").symlink_to(path)
    os.mkfifo(home / "fifo", 0o600)
    (home / "folder").mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        monkeypatch.chdir(home)  # the name of a socket is short
        listener.bind("socket")
        for name in ("link", "fifo", "folder", "socket", "nothing"):
            with pytest.raises(KeySetError):
                of_file(home / name).key("ed", "EdDSA", NOW)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user_is_refused(path: Path) -> None:
    assert of_file(path).key("ed", "EdDSA", NOW)
    os.chown(path, 65534, -1)
    with pytest.raises(KeySetError, match="not a file of yours or of root"):
        of_file(path).key("ed", "EdDSA", NOW)


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[]", b'{"keys": 5}', b'{"keys": [], "Keys": []}', b"\xff", b'{"keys": []}' + b" " * (1 << 20)]
)
def test_a_file_that_is_no_key_set_is_refused_in_one_line(content: bytes, path: Path) -> None:
    path.write_bytes(content)
    with pytest.raises(KeySetError) as refusal:
        of_file(path).key("ed", "EdDSA", NOW)
    assert str(path) in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_line_ends_of_any_kind_are_only_white_space(path: Path) -> None:
    path.write_bytes(json.dumps({"keys": [jwk("ed")]}, indent=1).replace("\n", "\r\n").encode() + b"\r\n")
    assert is_ed(of_file(path).key("ed", "EdDSA", NOW))


# --- which key ------------------------------------------------------------------------------------------------------------------------


def test_without_an_id_the_only_key_that_fits_is_used(path: Path) -> None:
    write(path, jwk("ed"), jwk("ec"), jwk("rsa"), jwk("ed-2", use="enc"), jwk("ed-3", kid=None, alg="Ed25519"), {"kty": "oct"})
    key_set = of_file(path)
    assert is_ed(key_set.key(None, "EdDSA", NOW))
    assert key_set.key(None, "ES256", NOW).curve.name == "secp256r1"  # type: ignore[union-attr]
    assert key_set.key(None, "RS256", NOW).key_size == 2048  # type: ignore[union-attr]
    for more in (jwk("ed-4"), jwk("ed-4", kid=None)):
        write(path, jwk("ed"), more)
        with pytest.raises(KeySetError, match="not exactly one"):
            key_set.key(None, "EdDSA", NOW)
    write(path, jwk("ed"), jwk("ec", kid="ed"))
    with pytest.raises(KeySetError, match="not exactly one"):
        key_set.key(None, "EdDSA", NOW)
    write(path, jwk("ed", kid=None))
    assert is_ed(key_set.key(None, "EdDSA", NOW))
    for no_id in (7, ["ed"], {}):
        write(path, jwk("ed", kid=no_id))
        with pytest.raises(KeySetError, match="not exactly one"):
            key_set.key(None, "EdDSA", NOW)


@pytest.mark.parametrize("algorithm", ["HS256", "none", "", "ES384", "PS256", "HS512", "eddsa"])
def test_no_other_algorithm_has_a_public_key(algorithm: str, path: Path) -> None:
    write(path, jwk("ed"), {"kty": "oct", "k": forge.b64(b"x" * 32), "kid": "o"})
    for kid in ("ed", "o", None):
        with pytest.raises(KeySetError, match="not that of a public key"):
            of_file(path).key(kid, algorithm, NOW)
    assert of_file(path).key("ed", "EdDSA", NOW)


@pytest.mark.parametrize("sign", [0, 0x80])
@pytest.mark.parametrize("point", sorted(issuers._SMALL_ORDER), ids=bytes.hex)
def test_a_key_under_which_anybody_can_sign_is_refused(point: bytes, sign: int, path: Path) -> None:
    point = point[:-1] + bytes([point[-1] | sign])
    write(path, jwk("ed", x=forge.b64(point)))
    with pytest.raises(KeySetError, match="small order"):
        of_file(path).key("ed", "EdDSA", NOW)


def test_every_point_of_small_order_is_known() -> None:
    """Add up the curve's points by the book (RFC 8032, section 5.1.4): eight have an order that divides 8."""
    p = 2**255 - 19
    d = -121665 * pow(121666, -1, p) % p

    def add(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
        (x1, y1), (x2, y2) = one, other
        product = d * x1 * x2 * y1 * y2
        return (x1 * y2 + x2 * y1) * pow(1 + product, -1, p) % p, (y1 * y2 + x1 * x2) * pow(1 - product, -1, p) % p

    def decoded(y: int) -> tuple[int, int] | None:
        square = (y * y - 1) * pow(d * y * y + 1, -1, p) % p
        x = pow(square, (p + 3) // 8, p)
        if x * x % p != square:
            x = x * pow(2, (p - 1) // 4, p) % p
        return (x, y % p) if x * x % p == square else None

    known = {int.from_bytes(point, "little") for point in issuers._SMALL_ORDER}
    found = set()
    for y in known:
        point = decoded(y)
        assert point is not None
        double = add(point, point)
        four = add(double, double)
        assert add(four, four) == (0, 1)
        found |= {point, (-point[0] % p, point[1])}
    assert len(found) == 8
    # A second spelling is there wherever y + p still has 255 bits.
    assert {y % p for y in known if y % p < 19} == {y - p for y in known if y >= p}


# --- the secret -----------------------------------------------------------------------------------------------------------------------


def test_a_secret_is_read_each_time_from_a_file_of_ones_own(home: Path) -> None:
    world = World(home)
    key_set = KeySet(forge.SHARED, world.issuers[forge.SHARED])
    assert key_set.key(None, "HS256", NOW) == key_set.key("any", "HS256", NOW) == forge.SECRET.encode()
    assert not key_set.is_stale(NOW)
    for algorithm in ("RS256", "EdDSA", "ES256", "HS512", "none"):
        with pytest.raises(KeySetError, match="not that of a secret"):
            key_set.key(None, algorithm, NOW)
    world.set_secret(b"y" * 32)
    assert key_set.key(None, "HS256", NOW) == b"y" * 32
    world.secret.chmod(0o640)
    with pytest.raises(KeySetError, match=f"chmod 600 {world.secret}"):
        key_set.key(None, "HS256", NOW)
    world.secret.chmod(0o600)
    world.secret.parent.chmod(0o755)
    with pytest.raises(KeySetError, match="chmod 700"):
        key_set.key(None, "HS256", NOW)
    world.secret.parent.chmod(0o700)
    for short in (b"", b"y" * 31, b"\n" * 40, b"y" * 40 + b"\0"):
        world.set_secret(short)
        with pytest.raises(KeySetError, match="shorter than 32|empty or holds a NUL"):
            key_set.key(None, "HS256", NOW)
    world.set_secret(b"y" * (64 << 10))
    with pytest.raises(KeySetError, match="larger than 64 KB"):
        key_set.key(None, "HS256", NOW)
    world.secret.unlink()
    with pytest.raises(KeySetError, match=f"write it to {world.secret}"):
        key_set.key(None, "HS256", NOW)
    secrets.put(world.secret.name, "y" * 32, bound={"server": "x"})
    with pytest.raises(KeySetError, match="is a server's"):
        key_set.key(None, "HS256", NOW)
    secrets.put(world.secret.name, "y" * 32, bound=None, replace=True)
    assert key_set.key(None, "HS256", NOW) == b"y" * 32
