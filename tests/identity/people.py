"""Clients for tests: registered below one `STDIOGUARD_HOME`, with the credentials that they hold, and a clock that tests set.

    people = People(tmp_path)
    secret = people.add("alice", "files:read")
    authenticator = people.authenticator("files", read_launch=...)
    people.clock.passes(60)

The register is written as `stdioguard.identity.clients` writes it, so that a file is what a running session reads.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stdioguard.identity import authenticator as authenticators
from stdioguard.identity import clients, credentials, revocations, tokens
from stdioguard.identity.authenticator import Authenticator
from stdioguard.identity.clients import Client

SERVER = "test-server"


@contextlib.contextmanager
def at(home: Path) -> Iterator[None]:
    """Let stdioguard's places be below `home`."""
    before = os.environ.get("STDIOGUARD_HOME")
    os.environ["STDIOGUARD_HOME"] = str(home)
    try:
        yield
    finally:
        if before is None:
            del os.environ["STDIOGUARD_HOME"]
        else:
            os.environ["STDIOGUARD_HOME"] = before


class Clock:
    """The time, as people set it (`wall`), and as it passes whatever they set (`ticking`)."""

    def __init__(self) -> None:
        self.wall = float(int(time.time()))
        self.ticking = 1000.0

    def passes(self, seconds: float) -> None:
        """Let time pass on both."""
        self.wall += seconds
        self.ticking += seconds


class People:
    """The register of one home, and the clock by which its clients expire."""

    def __init__(self, home: Path, clock: Clock | None = None) -> None:
        self.home = home
        self.clock = clock or Clock()
        self.failures = 0
        """How often an authenticator counted an attack."""

    def add(
        self,
        name: str,
        *scopes: str,
        roles: tuple[str, ...] = (),
        servers: tuple[str, ...] = (),
        expires: float | None = None,
        program: dict[str, Any] | None = None,
    ) -> str:
        """Register a client, also over one of that name; return its secret. `expires` is in seconds from now."""
        client = Client(name)
        client.scopes, client.roles, client.servers, client.program = list(scopes), list(roles), list(servers), program
        client.expires = None if expires is None else self.clock.wall + expires
        return self._hand_out(client)

    def change(self, name: str, **fields: Any) -> Client:
        """Set fields of a client."""
        with at(self.home):
            client = clients.read(name)
            for field, value in fields.items():
                setattr(client, field, value)
            clients.write(client)
        return client

    def rotate(self, name: str, grace: float = 60.0) -> str:
        """Give a client a new secret; the one before is good for `grace` seconds more."""
        with at(self.home):
            client = clients.read(name)
        for kept in client.secrets:
            kept["until"] = self.clock.wall + grace
        return self._hand_out(client)

    def revoke(self, name: str) -> None:
        """Revoke a client, as `stdioguard client revoke` does."""
        self.change(name, revoked=self.clock.wall, secrets=[])

    def token(self, name: str, *scopes: str, server: str = SERVER, ttl: int = 3600) -> str:
        """Issue a token for a client; without scopes it has all that the client has."""
        with at(self.home):
            return tokens.issue(clients.read(name), server, list(scopes), ttl, self.clock.wall)

    def revoke_token(self, token: str) -> None:
        """Revoke one token."""
        with at(self.home):
            claims = tokens.inspect(token)["claims"]
            revocations.revoke(claims["iss"], claims["jti"], claims["exp"], self.clock.wall)

    def token_file(self, credential: str, path: Path | None = None) -> Path:
        """Write a token file, whole, also over one that is there."""
        path = path or self.home / "token"
        scratch = path.with_name(f"{path.name}.{os.urandom(4).hex()}")
        scratch.touch(0o600)
        scratch.write_text(credential + "\n")
        scratch.replace(path)
        return path

    def authenticator(self, server: str = SERVER, *, required: bool = True, **options: Any) -> Authenticator:
        """Return what authenticates the clients of `server` by this register and clock, and looks at every file each time."""
        made = Authenticator(
            server,
            required=required,
            roles=options.pop("roles", {}),
            issuers=options.pop("issuers", {}),
            wait=self._failed,
            clock=lambda: self.clock.wall,
            **options,
        )
        made.interval = 0.0
        return made

    @contextlib.contextmanager
    def present(self) -> Iterator[People]:
        """Make this home and clock those of this process."""
        ticking = authenticators._ticking
        authenticators._ticking = lambda: self.clock.ticking
        try:
            with at(self.home):
                yield self
        finally:
            authenticators._ticking = ticking

    def _failed(self) -> None:
        self.failures += 1

    def _hand_out(self, client: Client) -> str:
        secret = credentials.mint(client.name)
        client.secrets = [*client.secrets, credentials.hashed(secret)]
        with at(self.home):
            clients.write(client)
        return secret


class Launched:
    """A launch's credential, as `launch.identity` reads it: `put` replaces it, as a fresh token file does."""

    def __init__(self, credential: str | None) -> None:
        self._held: tuple[str, int] | None = None
        if credential is not None:
            self.put(credential)

    def put(self, credential: str) -> None:
        """Replace the credential."""
        self._held = (credential, 1 if self._held is None else self._held[1] + 1)

    def __call__(self, before: object) -> tuple[str, object] | None:
        return None if self._held is None or self._held[1] == before else self._held


def parts(credential: str) -> list[str]:
    """Return what of a credential must be found nowhere: its secret part, or the parts of a token, each whole or in a usual disguise."""
    import base64
    import urllib.parse

    if credential.startswith(credentials.PREFIX):
        secrets = [credential.rpartition(":")[2]]
    else:
        secrets = [part for part in credential.split(".")[1:] if len(part) > 20]
    found = []
    for secret in secrets:
        data = secret.encode()
        found += [secret, data.hex(), urllib.parse.quote(secret, safe=""), secret[::-1]]
        # Base64 of a text that holds it, at each of the three places that it can begin at.
        for shift in range(3):
            text = base64.b64encode(b"\0" * shift + data).decode()
            found.append(text[4 if shift else 0 : -4])
        with contextlib.suppress(ValueError):
            found.append(base64.urlsafe_b64decode(secret + "=" * (-len(secret) % 4)).hex())
    return list(dict.fromkeys(found))


TELLER = """
import json, os, sys

heard = []
for line in sys.stdin:
    message = json.loads(line)
    heard.append(message)
    if "id" not in message or "method" not in message:
        continue
    method, params, told = message["method"], message.get("params", {}), {}
    if method == "initialize":
        told = {"protocolVersion": params["protocolVersion"], "capabilities": {"tools": {}}, "serverInfo": {"name": "teller", "version": "1"}}
    elif method == "server/discover":
        told = {"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}}
    elif method == "tools/list":
        told = {"tools": [{"name": name, "inputSchema": {"type": "object"}} for name in ("heard", "run", "secret_tool")]}
    elif method == "tools/call":
        found = None
        if params["name"] == "heard":
            # As text: the guard takes keys of its own out of everything that a server says.
            found = json.dumps({"heard": heard, "environment": dict(os.environ)})
        elif params["name"] == "run":
            space = {}
            try:
                exec(params.get("arguments", {}).get("code", ""), space)
                found = space.get("found")
            except BaseException as error:
                found = repr(error)
        told = {"content": [], "structuredContent": {"found": found}}
    if "io.modelcontextprotocol/protocolVersion" in params.get("_meta", {}):
        told["resultType"] = "complete"
    print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": told}), flush=True)
"""
"""A server that tells what it was told (`heard`), and does what it is told (`run`: Python that leaves its result in `found`)."""
