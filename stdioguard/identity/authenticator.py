"""Whose credential it is, and what that one may do now: the core's `Authenticator`, on the register, tokens, and the clock.

What was found out is looked at again at most `interval` seconds later: a client's file that was replaced, a token that was revoked, the
token file of the launch with a fresh token in it. Expiry is checked at every message, against the wall clock and against one that nobody
sets, so that neither a clock set back nor a machine that slept makes a token live longer.
"""

from __future__ import annotations

import os
import time

from stdioguard.guard.callers import Caller
from stdioguard.identity import clients, credentials, throttle
from stdioguard.policy import places

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from stdioguard.identity.clients import Client
    from stdioguard.identity.tokens import Verified, Verifier

_MAX_CACHED = 32
_NOBODYS = credentials.hashed("")
"""What a credential of no client is compared with, so that it takes as long as one of some client."""


class _Proof:
    """What a caller's credential rests on: the client's record, and a secret of it or a token."""

    __slots__ = ("client", "secret", "verified")

    def __init__(self, client: Client | None, *, secret: str | None = None, verified: Verified | None = None) -> None:
        self.client = client
        self.secret = secret
        self.verified = verified


class _Wrong(Exception):  # noqa: N818 - a credential that is nobody's, on its way to `authenticate`
    """Why a credential is not good. It is not an attack where a token was good once."""

    def __init__(self, why: str, *, attack: bool = True) -> None:
        super().__init__(why)
        self.attack = attack


class Authenticator:
    """Authenticates the clients of one server, for one session.

    `roles` are those of the profile, `issuers` its `[identity.issuers]`. `only` is the one client that may be accepted. `read_launch`
    returns the launch's credential and a value that changes with where it came from, `None` where there is none any more.
    `ask_for_keys` has issuers' keys fetched, some time.
    """

    interval = 0.5

    def __init__(
        self,
        server: str,
        *,
        required: bool,
        roles: dict[str, list[str]],
        issuers: dict[str, dict[str, Any]],
        only: str | None = None,
        read_launch: Callable[[object], tuple[str, object] | None] | None = None,
        ask_for_keys: Callable[[], None] | None = None,
        wait: Callable[[], None] = throttle.failed,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.required = required
        self._server = server
        self._roles = roles
        self._issuers = issuers
        self._only = only
        self._read_launch = read_launch
        self._ask_for_keys = ask_for_keys
        self._wait = wait
        self._clock = clock
        self._began = (clock(), _ticking())
        self.is_attack = False
        self._verifier: Verifier | None = None
        self._clients: dict[str, tuple[float, object, Client | None]] = {}
        self._cached: dict[bytes, Caller] = {}
        self._launched: Caller | None = None
        self._launch_from: object = None
        self._launch_seen = float("-inf")
        self._token_seen: dict[tuple[str, str], tuple[float, bool]] = {}

    # --- what the core asks -----------------------------------------------------------------------------------------------------

    def authenticate(self, credential: object) -> tuple[Caller | None, str]:
        """Return whose credential it is, or `None` and why it is nobody's, for the record."""
        try:
            return self._whose(credential, "message"), ""
        except _Wrong as wrong:
            self.is_attack = wrong.attack
            if wrong.attack:
                self._wait()
            return None, str(wrong)

    def launched(self) -> Caller | None:
        """Return the caller that the launch has proved; where its token file has changed, by the token that is there now."""
        if self._read_launch is None:
            return None
        now = _ticking()
        if now - self._launch_seen >= self.interval:
            self._launch_seen = now
            found = self._read_launch(self._launch_from)
            if found is not None:
                credential, self._launch_from = found
                try:
                    renewed = self._whose(credential, "launch")
                    if self._launched is None or renewed.is_same(self._launched):
                        self._launched = renewed
                except _Wrong:
                    pass  # what was good goes on being that until it runs out
        current = self.review(self._launched) if self._launched is not None else None
        if current is not None:
            self._launched = current
        return current

    def admit(self) -> str:
        """Check the launch's own credential before there is a session. Return why it is not good, or nothing where it is."""
        if self._read_launch is None:
            return ""
        self._launch_seen = _ticking()
        found = self._read_launch(None)
        if found is None:
            return "there is no token"
        credential, self._launch_from = found
        try:
            self._launched = self._whose(credential, "launch")
        except _Wrong as wrong:
            self._wait()
            return str(wrong)
        return ""

    def folders(self) -> list[str]:
        """Make and return the folders that are written in during a session. One that cannot be made is none that could be written."""
        try:
            places.private_directory(places.directory("state"))
            return [places.private_directory(throttle.folder())]
        except OSError:
            return []

    def review(self, caller: Caller) -> Caller | None:
        """Return the caller with what it is granted now, or `None` where its credential is worth nothing any more."""
        if not self._is_good(caller):
            return None
        proof: _Proof = caller.credential
        known = proof.client
        if known is None or self._client(known.name) is known:
            return caller
        try:
            renewed = self._same_or_new(caller, self._caller(self._renewed(proof, known), caller.via))
        except _Wrong:
            return None
        return renewed if self._is_good(renewed) else None

    def is_revoked(self, caller: Caller) -> bool:
        """Tell whether the caller's client or token was revoked, rather than run out."""
        proof: _Proof = caller.credential
        if proof.verified is not None and self._is_token_revoked(proof.verified):
            return True
        if proof.client is None:
            return False
        client = self._client(proof.client.name)
        return client is None or client.id != proof.client.id or client.revoked is not None

    # --- whose it is ------------------------------------------------------------------------------------------------------------

    def _whose(self, credential: object, via: str) -> Caller:
        if type(credential) is not str or not credential or len(credential) > credentials.MAX_LENGTH:
            raise _Wrong("a credential that is no text, or too long")
        key = credentials.fingerprint(credential)
        cached = self._cached.get(key)
        if cached is not None:
            current = self.review(cached)
            if current is not None:
                self._cached[key] = current
                return current
            del self._cached[key]
        is_secret = credential.startswith(credentials.PREFIX)
        caller = self._caller(self._by_secret(credential) if is_secret else self._by_token(credential), via)
        if len(self._cached) < _MAX_CACHED:
            self._cached[key] = caller
        return caller

    def _by_secret(self, credential: str) -> _Proof:
        name = credentials.client_in(credential)
        client = self._client(name) if clients.NAME.match(name) else None
        found = None
        for kept in client.secrets if client is not None and client.secrets else [_NOBODYS]:
            if credentials.matches(credential, kept):
                found = kept
        if client is None or found is None or found is _NOBODYS:
            raise _Wrong("a secret of no client" if client is None else f"not the secret of client {client.name}")
        if found["until"] is not None and self._now() >= found["until"]:
            raise _Wrong(f"a secret of client {client.name} that was replaced", attack=False)
        return _Proof(self._usable(client), secret=found["id"])

    def _by_token(self, credential: str) -> _Proof:
        from stdioguard.identity import tokens  # noqa: PLC0415 - PyJWT and cryptography, where a token is presented

        if self._verifier is None:
            self._verifier = tokens.Verifier(self._server, self._issuers)
        try:
            verified = self._verifier.verify(credential, self._now())
        except tokens.Untimely as error:
            raise _Wrong(str(error), attack=False) from None
        except tokens.TokenError as error:
            if self._ask_for_keys is not None:
                self._ask_for_keys()  # perhaps for a key that is new; then it is good the next time
            raise _Wrong(str(error)) from None
        if self._is_token_revoked(verified):
            raise _Wrong(f"token {verified.jti} was revoked", attack=False)
        if verified.client_id is None:
            return _Proof(None, verified=verified)
        client = self._client(verified.subject)
        if client is None or client.id != verified.client_id:
            raise _Wrong(f"a token of client {verified.subject}, which is not registered any more", attack=False)
        return _Proof(self._usable(client), verified=verified)

    def _usable(self, client: Client) -> Client:
        """Return the client, if it may use this server now, started as it was."""
        state = client.state(self._now())
        if state != "active":
            raise _Wrong(f"client {client.name} is {state}", attack=False)
        if not client.serves(self._server):
            raise _Wrong(f"client {client.name} is not registered for the server {self._server}")
        if client.program is not None:
            from stdioguard.identity import launcher  # noqa: PLC0415 - psutil, for clients that are bound to a program

            why = launcher.started_by(client.program)
            if why:
                raise _Wrong(f"client {client.name}: {why}")
        return client

    def _caller(self, proof: _Proof, via: str) -> Caller:
        client, verified = proof.client, proof.verified
        grants = []
        ends = []
        if client is not None:
            grants.append(frozenset(client.scopes) | self._of_roles(client.roles))
            ends += [client.expires, *(kept["until"] for kept in client.secrets if kept["id"] == proof.secret)]
        if verified is not None:
            ends.append(verified.expires)
            if verified.scopes is not None:
                grants.append(verified.scopes | self._of_roles(verified.roles))
        expires = min((end for end in ends if end is not None), default=None)
        name = client.name if client is not None else f"{verified.subject} of {verified.issuer}" if verified is not None else ""
        if self._only is not None and (client is None or name != self._only):
            raise _Wrong(f"a credential of {name}, where that of {self._only} is asked for")
        return Caller(
            name,
            client.id if client is not None else name,
            verified.jti if verified is not None else proof.secret or "",
            grants,
            expires=expires,
            credential=proof,
            via=via,
        )

    def _of_roles(self, names: Iterable[str]) -> frozenset[str]:
        return frozenset(scope for name in names for scope in self._roles.get(name, ()))

    def _renewed(self, proof: _Proof, known: Client) -> _Proof:
        """Return the proof on the client's record as it is now."""
        client = self._client(known.name)
        if client is None or client.id != known.id:
            raise _Wrong("the client is not registered any more", attack=False)
        client = self._usable(client)
        if proof.secret is not None and not any(kept["id"] == proof.secret for kept in client.secrets):
            raise _Wrong("the secret was replaced", attack=False)
        return _Proof(client, secret=proof.secret, verified=proof.verified)

    @staticmethod
    def _same_or_new(old: Caller, new: Caller) -> Caller:
        """Keep the old caller where only its record's file is another."""
        if (old.grants, old.expires) == (new.grants, new.expires):
            old.credential = new.credential
            return old
        return new

    def _now(self) -> float:
        """Return the time: what the wall clock says, and no less than what has passed since the session began."""
        wall, ticking = self._began
        return max(self._clock(), wall + _ticking() - ticking)

    # --- what is looked at again --------------------------------------------------------------------------------------------------

    def _is_good(self, caller: Caller) -> bool:
        proof: _Proof = caller.credential
        if caller.expires is not None and self._now() >= caller.expires:
            return False
        return proof.verified is None or not self._is_token_revoked(proof.verified)

    def _client(self, name: str) -> Client | None:
        """Return a client's record; the same object as long as its file is the same. One that cannot be read is nobody."""
        now = _ticking()
        seen, mark, client = self._clients.get(name, (float("-inf"), None, None))
        if now - seen < self.interval:
            return client
        try:
            status = os.lstat(clients.path_of(name))
            found: object = (status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_mode, status.st_uid)
            if found != mark:
                client = clients.read(name)
        except (OSError, clients.ClientError):
            found, client = None, None
        if len(self._clients) < _MAX_CACHED or name in self._clients:
            self._clients[name] = (now, found, client)
        return client

    def _is_token_revoked(self, verified: Verified) -> bool:
        now = _ticking()
        key = (verified.issuer, verified.jti)
        seen, revoked = self._token_seen.get(key, (float("-inf"), False))
        if revoked or now - seen < self.interval:
            return revoked
        from stdioguard.identity import revocations  # noqa: PLC0415 - where there are tokens

        try:
            revoked = revocations.is_revoked(*key)
        except OSError:
            revoked = True
        if len(self._token_seen) >= _MAX_CACHED:
            self._token_seen.clear()
        self._token_seen[key] = (now, revoked)
        return revoked


def _ticking() -> float:
    """Return seconds on a clock that nobody sets, and that goes on while the machine sleeps where there is one (clock_gettime(2))."""
    return time.clock_gettime(_CLOCK)


_CLOCK: int = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
