"""Real clients find the proxy by its variables alone, speak HTTP and TLS through it, and see why they are refused.

The host's name exists nowhere but in the proxy's resolver, so a client that gets an answer went through the proxy.
"""

from __future__ import annotations

import datetime
import ipaddress
import json
import os
import re
import shutil
import ssl
import subprocess
import sys
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from stdioguard.sandbox.network.environment import proxy_environment
from tests.sandbox.network.running import RunningProxy, running

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME = "web.test"
HELLO = b"hello through the proxy"
SECRET = "s3cret-0123456789abcdef"


def needs(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"{program} is not installed")


@dataclass
class World:
    """A web server that speaks HTTP and TLS, and the proxy that leads to it."""

    http: str
    https: str
    proxy: RunningProxy
    rules: list[str]
    authority: Path
    secret: str | None
    repository: Path

    def environment(self) -> dict[str, str]:
        url = self.proxy.url if self.secret is None else self.proxy.url.replace("//", f"//stdioguard:{self.secret}@")
        return {**self.without_proxy(), **proxy_environment(url, self.rules)}

    def without_proxy(self) -> dict[str, str]:
        names = ("CURL_CA_BUNDLE", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "GIT_SSL_CAINFO")
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.authority.parent),
            "GIT_TERMINAL_PROMPT": "0",
            "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
            **{name: str(self.authority) for name in names},
        }

    def run(self, *command: str, proxied: bool = True) -> subprocess.CompletedProcess[str]:
        environment = self.environment() if proxied else self.without_proxy()
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, cwd=self.authority.parent)


class Handler(BaseHTTPRequestHandler):
    """Says hello; below /repository.git it is git's own server."""

    protocol_version = "HTTP/1.1"
    root = ""

    def do_GET(self) -> None:
        if self.path.startswith("/repository.git"):
            self.git(b"")
        elif self.path == "/thing":  # as npm's registry describes a package
            about = {
                "name": "thing",
                "dist-tags": {"latest": "1.2.3"},
                "versions": {"1.2.3": {"name": "thing", "version": "1.2.3"}},
            }
            self.answer("200 OK", [("Content-Type", "application/json")], json.dumps(about).encode())
        else:
            self.answer("200 OK", [("Content-Type", "text/plain")], HELLO)

    def do_POST(self) -> None:
        body = b""
        if self.headers.get("Transfer-Encoding") == "chunked":
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path.startswith("/repository.git"):
            self.git(body)
        else:
            self.answer("200 OK", [], body)

    def git(self, body: bytes) -> None:
        path, _, query = self.path.partition("?")
        variables = {
            "GIT_PROJECT_ROOT": self.root, "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": path, "QUERY_STRING": query, "REMOTE_USER": "x",
            "REQUEST_METHOD": self.command, "CONTENT_TYPE": self.headers.get("Content-Type", ""), "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""), "PATH": os.environ["PATH"], "HOME": self.root,
        }  # fmt: skip
        done = subprocess.run(["git", "http-backend"], input=body, env=variables, capture_output=True)
        head, _, rest = done.stdout.partition(b"\r\n\r\n")
        fields = [tuple(line.split(": ", 1)) for line in head.decode().split("\r\n")]
        status = next((value for name, value in fields if name == "Status"), "200 OK")
        self.answer(status, [(name, value) for name, value in fields if name != "Status"], rest)

    def answer(self, status: str, fields: list[tuple[str, str]], body: bytes) -> None:
        self.send_response(int(status.split()[0]))
        for name, value in fields:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def certificate(folder: Path) -> Path:
    """Make a certificate for the host and return the file that it is in, with its key in `key.pem` beside it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, NAME)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=2))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName(NAME), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    form = serialization.PrivateFormat.PKCS8
    (folder / "key.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
    path = folder / "certificate.pem"
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return path


def make_repository(folder: Path) -> Path:
    """Make a bare repository with one commit."""
    bare, work = folder / "repository.git", folder / "work"

    def git(*words: str) -> None:
        identity = ["-c", "user.name=x", "-c", "user.email=x@example.com"]
        subprocess.run(
            ["git", *identity, *words], check=True, capture_output=True, env={"PATH": os.environ["PATH"], "HOME": str(folder)}
        )

    if shutil.which("git"):
        git("init", "--bare", "-b", "main", str(bare))
        git("-C", str(bare), "config", "http.receivepack", "true")
        git("clone", str(bare), str(work))
        (work / "file").write_text("in the repository\n")
        git("-C", str(work), "checkout", "-b", "main")
        git("-C", str(work), "add", "file")
        git("-C", str(work), "commit", "-m", "one")
        git("-C", str(work), "push", "origin", "main")
    return bare


@pytest.fixture(scope="module", params=[None, SECRET], ids=["open", "secret"])
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("web")
    authority = certificate(folder)
    handler = type("Rooted", (Handler,), {"root": str(folder)})
    servers = [ThreadingHTTPServer(("127.0.0.1", 0), handler) for _ in range(2)]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority, folder / "key.pem")
    servers[1].socket = context.wrap_socket(servers[1].socket, server_side=True)
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    ports = [server.server_port for server in servers]
    rules = [f"{NAME}:{port}" for port in ports] + [f"127.0.0.0/8:{port}" for port in ports]
    with running(rules, secret=request.param, names={NAME: [["127.0.0.1"]]}) as proxy:
        yield World(
            f"http://{NAME}:{ports[0]}",
            f"https://{NAME}:{ports[1]}",
            proxy,
            rules[:2],
            authority,
            request.param,
            make_repository(folder),
        )
    for server in servers:
        server.shutdown()
        server.server_close()


PYTHON = {
    "urllib": "import sys, urllib.request as u; print(u.urlopen(sys.argv[1], timeout=20).read().decode())",
    "requests": "import sys, requests as r; a = r.get(sys.argv[1], timeout=20); a.raise_for_status(); print(a.text)",
    "httpx": "import sys, httpx as h; a = h.get(sys.argv[1], timeout=20); a.raise_for_status(); print(a.text)",
    "httpx, five at once": (
        "import sys, asyncio, httpx as h\nasync def main():\n async with h.AsyncClient() as c:\n"
        "  a = await asyncio.gather(*[c.get(sys.argv[1]) for _ in range(5)])\n  print({x.text for x in a}.pop())\nasyncio.run(main())"
    ),
}


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("library", ["urllib", "requests", "httpx", "httpx, five at once"])
def test_python_clients_get_through(world: World, library: str, scheme: str) -> None:
    url = getattr(world, scheme)
    pytest.importorskip(library.partition(",")[0])
    done = world.run(sys.executable, "-c", PYTHON[library], url)
    assert done.stdout.strip().encode() == HELLO, done.stderr
    alone = world.run(sys.executable, "-c", PYTHON[library], url, proxied=False)
    assert alone.returncode != 0
    assert HELLO.decode() not in alone.stdout


@pytest.mark.parametrize("library", ["urllib", "requests", "httpx"])
def test_python_clients_say_who_refused_what(world: World, library: str) -> None:
    pytest.importorskip(library)
    done = world.run(sys.executable, "-c", PYTHON[library], "https://evil.test/")
    assert done.returncode != 0
    assert "stdioguard refuses evil.test:443" in done.stderr


@needs("curl")
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_curl_gets_through(world: World, scheme: str) -> None:
    url = getattr(world, scheme)
    done = world.run("curl", "-sS", "--fail", url, url)
    assert done.stdout.encode() == HELLO * 2, done.stderr
    posted = world.run("curl", "-sS", "--fail", "-d", "x" * 5000, "-H", "Expect: 100-continue", url)
    assert posted.stdout == "x" * 5000, posted.stderr
    assert world.run("curl", "-sS", "--fail", url, proxied=False).returncode != 0


@needs("curl")
def test_curl_gets_through_by_socks_with_the_name_resolved_by_the_proxy(world: World) -> None:
    proxy = world.environment()["ALL_PROXY"].replace("http://", "socks5h://")
    assert world.run("curl", "-sS", "--fail", "-x", proxy, world.https).stdout.encode() == HELLO
    refused = world.run("curl", "-sS", "--fail", "-x", proxy, "https://evil.test/")
    assert refused.returncode == 97
    assert "(2)" in refused.stderr


@needs("curl")
def test_curl_shows_the_refusal(world: World) -> None:
    assert "403" in world.run("curl", "-sS", "https://evil.test/").stderr
    assert 'add "evil.test:80" to `network`' in world.run("curl", "-sS", "http://evil.test/").stdout


@needs("curl")
def test_the_hosts_loopback_is_reached_through_the_proxy_only_where_it_is_granted(world: World) -> None:
    port = world.http.rpartition(":")[2]
    for place in (f"127.0.0.1:{port}", f"localhost:{port}"):
        granted = {**world.environment(), **proxy_environment(world.environment()["http_proxy"], [f"127.0.0.1:{port}"])}
        before = len(world.proxy.reports())
        done = subprocess.run(["curl", "-sS", f"http://{place}/"], env=granted, capture_output=True, timeout=30)
        assert done.stdout == HELLO
        assert len(world.proxy.reports(before + 1)) > before


@needs("wget")
def test_wget_gets_through(world: World) -> None:
    done = world.run("wget", "-q", "-O-", "--ca-certificate", str(world.authority), world.https)
    assert done.stdout.encode() == HELLO, done.stderr
    assert world.run("wget", "-q", "-O-", world.http).stdout.encode() == HELLO


@needs("git")
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_git_clones_and_pushes(world: World, scheme: str, tmp_path: Path) -> None:
    url = f"{getattr(world, scheme)}/repository.git"
    clone = tmp_path / "clone"
    done = world.run("git", "clone", "-q", url, str(clone))
    assert done.returncode == 0, done.stderr
    assert (clone / "file").read_text() == "in the repository\n"
    (clone / f"large-{scheme}-{world.secret}").write_bytes(os.urandom(3_000_000))  # more than http.postBuffer: chunked
    identity = ("-c", "user.name=x", "-c", "user.email=x@example.com")
    world.run("git", "-C", str(clone), "add", ".")
    world.run("git", "-C", str(clone), *identity, "commit", "-q", "-m", "two")
    pushed = world.run("git", "-C", str(clone), "push", "-q", "origin", "main")
    assert pushed.returncode == 0, pushed.stderr
    assert world.run("git", "ls-remote", url, proxied=False).returncode != 0


@needs("git")
def test_git_says_that_it_was_refused(world: World) -> None:
    done = world.run("git", "ls-remote", "https://evil.test/x.git")
    assert done.returncode != 0
    assert "403" in done.stderr


@needs("npm")
def test_npm_takes_the_proxy_over_a_projects_own_settings(world: World, tmp_path: Path) -> None:
    (tmp_path / ".npmrc").write_text("proxy=http://evil.test:1\nhttps-proxy=http://evil.test:1\n")
    (tmp_path / "package.json").write_text('{"name":"x","version":"1.0.0"}')
    for registry in (world.http, world.https):
        command = [
            "npm",
            "view",
            "thing",
            "version",
            "--registry",
            registry,
            "--cache",
            str(tmp_path / "cache"),
            "--fetch-retries",
            "0",
        ]
        environment = {**world.environment(), "npm_config_cafile": str(world.authority)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, cwd=tmp_path)
        assert done.stdout.strip() == "1.2.3", done.stderr


@needs("node")
@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(
    "script",
    [
        "fetch(process.argv[1]).then(a => a.text()).then(t => console.log(t))",
        "const u = process.argv[1]; require(u.startsWith('https') ? 'https' : 'http').get(u, a => a.pipe(process.stdout))",
    ],
    ids=["fetch", "get"],
)
def test_node_gets_through(world: World, script: str, scheme: str) -> None:
    version = subprocess.run(["node", "--version"], capture_output=True, text=True).stdout
    major, minor = (int(number) for number in re.findall(r"\d+", version)[:2])
    if (major, minor) < (22, 21) or major == 23 or (major, minor) in {(24, minor) for minor in range(5)}:
        pytest.skip(f"node {version.strip()} knows no proxy variables for its own http and fetch")
    done = world.run("node", "-e", script, getattr(world, scheme))
    assert done.stdout.strip().encode() == HELLO, done.stderr


@needs("node")
def test_a_node_client_that_knows_proxies_gets_through_on_every_version(world: World) -> None:
    # What the many packages for this do: CONNECT by hand, with the credentials of the variable.
    script = """
    const proxy = new URL(process.env.HTTPS_PROXY), target = new URL(process.argv[1]);
    const auth = proxy.password && 'Basic ' + Buffer.from(proxy.username + ':' + proxy.password).toString('base64');
    require('http').request({ host: proxy.hostname, port: proxy.port, method: 'CONNECT', path: target.host,
      headers: { host: target.host, ...(auth && { 'proxy-authorization': auth }) } }).on('connect', (answer, socket) => {
        require('https').get({ socket, host: target.hostname, servername: target.hostname, agent: false }, a => a.pipe(process.stdout));
      }).end();
    """
    done = world.run("node", "-e", script, world.https)
    assert done.stdout.encode() == HELLO, done.stderr


def test_no_variable_needs_a_package_for_socks_nor_holds_another_place() -> None:
    variables = proxy_environment("http://127.0.0.1:8080", ["example.com:443"])
    assert "socks" not in " ".join(variables.values())
    assert variables["NO_PROXY"] == variables["no_proxy"] == variables["npm_config_noproxy"] == "localhost,127.0.0.1,::1"
    assert all(
        value == "http://127.0.0.1:8080"
        for name, value in variables.items()
        if name.lower().endswith("_proxy") and "no" not in name.lower()[:2]
    )


@pytest.mark.parametrize("rule", ["127.0.0.1:8080", "127.0.0.0/8:8080", "[::1]:8080"])
def test_where_the_hosts_loopback_is_granted_it_goes_through_the_proxy(rule: str) -> None:
    assert proxy_environment("http://127.0.0.1:1", ["example.com:443", rule])["NO_PROXY"] == ""
