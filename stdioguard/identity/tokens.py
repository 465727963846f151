"""Tokens: JWTs signed here (`stdioguard token issue`) or by an issuer of the profile, and what must be true of one before it counts.

A token is looked at from the outside in, and nothing of it is believed before its signature: its form, its header, whose it says it is, the
signature under a key that the profile or this machine chose, then the claims, and last the clock. RFC 8725 lists what went wrong elsewhere.
PyJWT does the signatures; the form is checked here, since it forgives what two readers may read differently.

    {"alg": "EdDSA", "typ": "JWT", "kid": <thumbprint of the key>}
    {"iss": "stdioguard", "aud": <server>, "sub": <client>, "client_id": <its id>, "jti", "iat", "nbf", "exp", "scope"}

A token of ours without `scope` has all that its client has; with it, what both have. One of another issuer has what it says.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jwt.api_jws import PyJWS
from jwt.exceptions import PyJWTError

from stdioguard.identity import clients, credentials, keys, revocations
from stdioguard.identity.issuers import SKEW, KeySet, KeySetError
from stdioguard.policy.scopes import covers, is_scope
from stdioguard.wire import strict_json
from stdioguard.wire.errors import MalformedError

if TYPE_CHECKING:
    from typing import Any

    from stdioguard.identity.clients import Client

ISSUER = "stdioguard"
ALGORITHM = "EdDSA"
MAX_TTL = 90 * 86400

_ALGORITHMS = ["EdDSA", "ES256", "RS256", "HS256"]
_FORM = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\Z")
_HEADER = frozenset({"alg", "typ", "kid"})
_TYPES = frozenset({"jwt", "at+jwt"})
_NAME = re.compile(r"[!-~]{1,128}\Z")
"""Printable ASCII without white space: two names that look alike are alike."""
_ID = re.compile(r"[!-~]{1,256}\Z")
_MAX_KID = 256
_LAST_SECOND = 253402300799
"""The end of the year 9999: a later time is a mistake in units, or meant to break somebody's arithmetic."""

_jws = PyJWS(algorithms=_ALGORITHMS, options={"verify_signature": True, "enforce_minimum_key_length": True})


class TokenError(Exception):
    """A token that does not count; the text is the reason, for the record, and holds nothing of the token."""


class Untimely(TokenError):  # noqa: N818 - genuine, and not now
    """A genuine token for this server that has run out, is not valid yet, or was revoked: no sign of an attack."""


@dataclass(frozen=True, slots=True)
class Verified:
    """What a token says, once that counts. Times are seconds since the epoch."""

    issuer: str
    subject: str
    """The client's name: for our own tokens as in the register, else whatever the issuer calls it."""
    client_id: str | None
    """`Client.id` of the client that the token was made for; `None` for other issuers, whose names are their own."""
    jti: str
    """What the token is revoked by."""
    scopes: frozenset[str] | None
    """`None` for one of our own that has all that its client has."""
    roles: frozenset[str]
    not_before: float
    expires: float


@dataclass(frozen=True, slots=True)
class _Parts:
    header: dict[str, Any]
    claims: dict[str, Any]
    payload: bytes


class Verifier:
    """Verifies tokens for one server. `issuers` are those of a compiled profile. Raises `ValueError` where one is called as we are."""

    def __init__(self, server: str, issuers: dict[str, dict[str, Any]]) -> None:
        for issuer in issuers:
            if issuer.strip().casefold() == ISSUER:
                raise ValueError(
                    f'[identity.issuers."{issuer}"]: no other issuer can have the name of the tokens of this machine'
                )
        self._server = server
        self._issuers = issuers
        self.key_sets = {issuer: KeySet(issuer, settings) for issuer, settings in issuers.items()}

    def stale(self, now: float) -> list[KeySet]:
        """Return the key sets that should be fetched."""
        return [key_set for key_set in self.key_sets.values() if key_set.is_stale(now)]

    def verify(self, token: str, now: float) -> Verified:
        """Return what a token says. Raises `TokenError`, for whatever is wrong with the token or with what it is checked by."""
        parts = _parts(token)
        issuer = parts.claims.get("iss")
        if type(issuer) is not str or (issuer != ISSUER and issuer not in self.key_sets):
            raise TokenError("no issuer that is known here")
        algorithm, kid = parts.header["alg"], parts.header.get("kid")
        if algorithm not in ([ALGORITHM] if issuer == ISSUER else self._issuers[issuer]["algorithms"]):
            raise TokenError("an algorithm that the issuer may not use")
        try:
            key = _own_key(kid) if issuer == ISSUER else self.key_sets[issuer].key(kid, algorithm, now)
        except (KeySetError, OSError, ValueError) as error:
            raise TokenError(str(error)) from None
        _check_signature(token, key, algorithm, parts.payload)
        own = issuer == ISSUER
        verified = _own(parts.claims, self._server) if own else _foreign(token, parts.claims, self._issuers[issuer], self._server)
        _check_now(verified, parts.claims, now)
        return verified


def issue(client: Client, server: str, scopes: list[str], ttl: int, now: float) -> str:
    """Return a new token for a client and a server, good from now on for `ttl` seconds.

    Without scopes it grants all that the client has, roles too, as that changes. Raises `ValueError`, in words for people, for what the
    client does not have itself, and `OSError` where there is no key to sign with.
    """
    state = client.state(now)
    if state != "active":
        raise ValueError(f"client {client.name} is {state}; it gets no tokens")
    if not _NAME.match(server):
        raise ValueError(f"{server!a:.80} is no name of a server")
    if not client.serves(server):
        raise ValueError(f"client {client.name} is registered for {', '.join(client.servers)}, not for {server}")
    if type(ttl) is not int or not 1 <= ttl <= MAX_TTL:
        raise ValueError("a token lives from 1s to 90d")
    own = frozenset(client.scopes)
    for scope in scopes:
        if not is_scope(scope):
            raise ValueError(f"{scope!a:.80} is no scope: words with : between them, such as files:read or files:*")
        if not covers(own, scope):
            has = f"its scopes are {' '.join(client.scopes)}" if own else "it has no scopes of its own"
            also = "; what its roles grant comes with a token without scopes" if client.roles else ""
            raise ValueError(f"client {client.name} does not have {scope}; {has}{also}")
    issued = int(now)
    if client.expires is not None and issued + ttl > client.expires:
        raise ValueError(
            f"client {client.name} expires in {max(0, int(client.expires) - issued)}s; no token of it can live longer"
        )
    kid, key = keys.signing_key()
    claims: dict[str, Any] = {
        "iss": ISSUER,
        "aud": server,
        "sub": client.name,
        "client_id": client.id,
        "jti": os.urandom(16).hex(),
        "iat": issued,
        "nbf": issued,
        "exp": issued + ttl,
    }
    if scopes:
        claims["scope"] = " ".join(dict.fromkeys(scopes))
    token = _jws.encode(strict_json.encode(claims).encode("ascii"), key, ALGORITHM, headers={"kid": kid})
    if len(token) > credentials.MAX_LENGTH:
        raise ValueError(f"these scopes make a token of more than {credentials.MAX_LENGTH} characters; use fewer, or a wildcard")
    return token


def inspect(token: str) -> dict[str, Any]:
    """Return the `header` and the `claims` of a token, of which nothing was verified but its form. Raises `TokenError`."""
    parts = _parts(token)
    return {"header": parts.header, "claims": parts.claims}


def derived_id(token: str) -> str:
    """Return what a token of another issuer is revoked by where it has no `jti`.

    It is made of what is signed. The signature can be another one for the same token: one of ECDSA has two forms.
    """
    return f"sha256:{hashlib.sha256(token.rpartition('.')[0].encode('ascii')).hexdigest()}"


def _parts(token: object) -> _Parts:
    """Take a token apart, strictly. Raises `TokenError`."""
    if type(token) is not str or len(token) > credentials.MAX_LENGTH:
        raise TokenError("no text, or too long for a token")
    form = _FORM.match(token)
    if form is None:
        raise TokenError("not three parts of base64url with dots between them")
    try:
        head, payload, _ = map(keys.from_base64url, form.groups())
    except ValueError:
        raise TokenError("a part that is not base64url as it is written") from None
    header, claims = _object(head, "header"), _object(payload, "payload")
    unknown = header.keys() - _HEADER
    if unknown:
        # Among them are those by which a token would bring its own key, and `crit`, which is to be refused if not understood
        # (RFC 7515, sections 4.1.2 to 4.1.11; RFC 8725, section 3.10).
        raise TokenError("a header with more than alg, typ and kid")
    if type(header.get("alg")) is not str:
        raise TokenError("a header without an algorithm")
    kind, kid = header.get("typ", "JWT"), header.get("kid", "")
    if type(kind) is not str or kind.lower() not in _TYPES:
        raise TokenError("a header with another type than JWT and at+jwt")
    if type(kid) is not str or len(kid) > _MAX_KID:
        raise TokenError("a header with a key id that is none")
    return _Parts(header, claims, payload)


def _object(data: bytes, part: str) -> dict[str, Any]:
    try:
        value = strict_json.decode(data)
    except MalformedError as error:
        raise TokenError(f"a {part} that is not strict JSON ({error.rule})") from None
    if type(value) is not dict:
        raise TokenError(f"a {part} that is no object")
    return value


def _own_key(kid: str | None) -> Any:
    found = keys.public_key()
    if found is None:
        raise TokenError("no token was ever issued here")
    if kid != found[0]:
        raise TokenError("no key of that id: it was not signed here, or before the key was replaced")
    return found[1]


def _check_signature(token: str, key: Any, algorithm: str, payload: bytes) -> None:
    try:
        checked = _jws.decode(token, key, algorithms=[algorithm])
    except (PyJWTError, ValueError, TypeError):
        raise TokenError("a wrong signature") from None
    if checked != payload:
        raise TokenError("a payload that is read in two ways")


def _own(claims: dict[str, Any], server: str) -> Verified:
    """Return what a token that was signed here says."""
    if type(claims.get("aud")) is not str or claims["aud"] != server:
        raise TokenError("a token for another server")
    name = _text(claims, "sub", clients.NAME)
    scopes = _scopes(claims, "scope") if "scope" in claims else None
    if scopes is not None and type(claims["scope"]) is not str:
        raise TokenError("no usable claim scope")
    times = [_time(claims, claim) for claim in ("iat", "nbf", "exp")]
    return Verified(
        issuer=ISSUER,
        subject=name,
        client_id=_text(claims, "client_id", _NAME),
        jti=_text(claims, "jti", _ID),
        scopes=scopes if scopes is None else frozenset(filter(is_scope, scopes)),
        roles=frozenset(),
        not_before=times[1],
        expires=times[2],
    )


def _foreign(token: str, claims: dict[str, Any], settings: dict[str, Any], server: str) -> Verified:
    """Return what another issuer's token says."""
    audience = claims.get("aud")
    for_whom = [audience] if type(audience) is str else audience
    if type(for_whom) is not list or not all(type(one) is str for one in for_whom):
        raise TokenError("no usable claim aud")
    if (settings["audience"] or server) not in for_whom:
        raise TokenError("a token for another server")
    claim = settings["scope_claim"]
    items = _scopes(claims, claim)
    return Verified(
        issuer=claims["iss"],
        subject=_text(claims, settings["client_claim"], _NAME),
        client_id=None,
        jti=_text(claims, "jti", _ID) if "jti" in claims else derived_id(token),
        scopes=frozenset(filter(is_scope, items)),
        roles=frozenset(item for item in items if _NAME.match(item)) if claim == "roles" else frozenset(),
        not_before=_time(claims, "nbf") if "nbf" in claims else 0.0,
        expires=_time(claims, "exp"),
    )


def _check_now(verified: Verified, claims: dict[str, Any], now: float) -> None:
    """Hold a genuine token against the clock, without leeway: this machine has but one."""
    if "iat" in claims and _time(claims, "iat") > now + SKEW:
        raise TokenError("issued in the future: the issuer's clock or this one is wrong")
    try:
        revoked = revocations.is_revoked(verified.issuer, verified.jti)
    except OSError as error:
        raise TokenError(f"whether it was revoked cannot be told: {error.strerror}") from None
    if revoked:
        raise Untimely("it was revoked")
    if now >= verified.expires:
        raise Untimely("it has expired")
    if now < verified.not_before:
        raise Untimely("it is not valid yet")


def _text(claims: dict[str, Any], claim: str, form: re.Pattern[str]) -> str:
    value = claims.get(claim)
    if type(value) is not str or not form.match(value):
        raise TokenError(f"no usable claim {claim}")
    return value


def _time(claims: dict[str, Any], claim: str) -> float:
    """Return a NumericDate (RFC 7519, section 2)."""
    value = claims.get(claim)
    if (type(value) is int or type(value) is float) and 0 <= value <= _LAST_SECOND:
        return float(value)
    raise TokenError(f"no usable claim {claim}")


def _scopes(claims: dict[str, Any], claim: str) -> list[str]:
    """Return the items of a claim that grants something: a text with spaces (RFC 8693, section 4.2), or for other claims a list too."""
    value = claims.get(claim)
    if value is None:
        return []
    if type(value) is str:
        return value.split(" ")
    if type(value) is not list or claim == "scope":
        raise TokenError(f"no usable claim {claim}")
    return [item for item in value if type(item) is str]
