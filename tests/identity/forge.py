"""A world of issuers whose private keys the tests hold, and drafts of tokens that can be spoiled in any place before they are written out.

Nothing here uses the code under test to write a token: base64url, JSON and signatures are put together by hand, so that every rule can be
broken on purpose.
"""

from __future__ import annotations

import base64
import copy
import functools
import hmac
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa, x25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from stdioguard.identity import keys
from stdioguard.identity.clients import Client
from stdioguard.identity.tokens import Verified, Verifier

NOW = 1_800_000_000
SERVER = "files"
ISSUER = "https://login.example"
SHARED = "https://shared.example"
OTHER = "https://other.example"
SECRET = "a secret of both sides, forty bytes long"

Signer = Callable[[bytes], bytes]


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@functools.cache
def private(kind: str) -> Any:
    """Return a private key, the same one for the same word: what comes after a dash only tells two of a kind apart."""
    match kind.partition("-")[0]:
        case "ed":
            return ed25519.Ed25519PrivateKey.generate()
        case "ed448":
            return ed448.Ed448PrivateKey.generate()
        case "x25519":
            return x25519.X25519PrivateKey.generate()
        case "ec":
            return ec.generate_private_key(ec.SECP256R1())
        case "p384":
            return ec.generate_private_key(ec.SECP384R1())
        case "k256":
            return ec.generate_private_key(ec.SECP256K1())
        case "rsa":
            return rsa.generate_private_key(65537, 2048)
        case "rsa1024":
            return rsa.generate_private_key(65537, 1024)  # a weak key is what is tested
        case "rsa_e3":
            return rsa.generate_private_key(3, 2048)
    raise AssertionError(kind)


def jwk(kind: str, **members: Any) -> dict[str, Any]:
    """Return the public half as a JWK with the key id `kind`; a member that is `None` is left out."""
    public = private(kind).public_key()
    if isinstance(public, rsa.RSAPublicKey):
        numbers = public.public_numbers()
        found = {"kty": "RSA", "n": b64(_bytes(numbers.n)), "e": b64(_bytes(numbers.e))}
    elif isinstance(public, ec.EllipticCurvePublicKey):
        point = public.public_numbers()
        size = (public.curve.key_size + 7) // 8
        name = {"secp256r1": "P-256", "secp384r1": "P-384", "secp256k1": "secp256k1"}[public.curve.name]
        found = {"kty": "EC", "crv": name, "x": b64(point.x.to_bytes(size, "big")), "y": b64(point.y.to_bytes(size, "big"))}
    else:
        name = {"ed": "Ed25519", "ed448": "Ed448", "x25519": "X25519"}[kind.partition("-")[0]]
        found = {"kty": "OKP", "crv": name, "x": b64(public.public_bytes_raw())}
    found = {**found, "kid": kind, **members}
    return {name: value for name, value in found.items() if value is not None}


def _bytes(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def eddsa(key: Any) -> Signer:
    return key.sign  # type: ignore[no-any-return]


def ecdsa(key: Any, algorithm: hashes.HashAlgorithm | None = None, *, der: bool = False) -> Signer:
    size = (key.curve.key_size + 7) // 8

    def sign(data: bytes) -> bytes:
        signature = key.sign(data, ec.ECDSA(algorithm or hashes.SHA256()))
        return signature if der else b"".join(part.to_bytes(size, "big") for part in decode_dss_signature(signature))

    return sign


def rs(key: Any, algorithm: hashes.HashAlgorithm | None = None) -> Signer:
    return lambda data: key.sign(data, padding.PKCS1v15(), algorithm or hashes.SHA256())


def ps(key: Any) -> Signer:
    return lambda data: key.sign(data, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())


def hs(secret: bytes, algorithm: str = "sha256") -> Signer:
    return lambda data: hmac.new(secret, data, algorithm).digest()


def other_half(signature: bytes) -> bytes:
    """Return the other valid form of an ES256 signature: (r, n - s)."""
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    assert encode_dss_signature(r, order - s)
    return signature[:32] + (order - s).to_bytes(32, "big")


def settings(**given: Any) -> dict[str, Any]:
    """Return an issuer's table as in a compiled profile."""
    defaults = {
        "jwks_url": None,
        "jwks_file": None,
        "key": None,
        "algorithms": ["EdDSA", "ES256", "RS256"],
        "audience": None,
        "scope_claim": "scope",
        "client_claim": "sub",
        "grace": 86400,
    }
    assert not given.keys() - defaults.keys()
    return {**defaults, **given}


class World:
    """A configuration below `home`: our own key, a client, and three issuers; `STDIOGUARD_HOME` must be `home`."""

    def __init__(self, home: Path) -> None:
        assert os.environ["STDIOGUARD_HOME"] == str(home)
        self.home = home
        self.client = Client("claude-code")
        self.client.scopes = ["files:*"]
        self.kid, self.own_key = keys.signing_key()
        self.jwks = home / "login.jwks"
        self.set_keys(jwk("ed"), jwk("ec"), jwk("rsa"))
        other = home / "other.jwks"
        other.write_text(json.dumps({"keys": [jwk("ed-other")]}))
        other.chmod(0o600)
        secrets = home / "config" / "secrets"
        secrets.mkdir(mode=0o700)
        self.secret = secrets / "shared"
        self.set_secret(SECRET.encode())
        self.issuers = {
            ISSUER: settings(jwks_file=str(self.jwks)),
            OTHER: settings(jwks_file=str(other)),
            SHARED: settings(key="secret:shared", algorithms=["HS256"]),
        }

    def set_keys(self, *entries: Any) -> None:
        self.jwks.write_text(json.dumps({"keys": entries}))
        self.jwks.chmod(0o600)

    def set_secret(self, secret: bytes) -> None:
        self.secret.write_bytes(secret + b"\n")
        self.secret.chmod(0o600)

    def verifier(self, server: str = SERVER) -> Verifier:
        return Verifier(server, self.issuers)

    def verify(self, token: Any, now: float = NOW) -> Verified:
        return self.verifier().verify(token, now)

    def draft(self, kind: str) -> Draft:
        """Return a draft of a valid token: `own`, or `ed`, `ec`, `rsa` or `hs` of another issuer."""
        times = {"iat": NOW - 10, "nbf": NOW - 10, "exp": NOW + 600}
        if kind == "own":
            header = {"alg": "EdDSA", "typ": "JWT", "kid": self.kid}
            who = {"iss": "stdioguard", "aud": SERVER, "sub": self.client.name, "client_id": self.client.id}
            return Draft(self, header, {**who, "jti": "0123456789abcdef", **times, "scope": "files:read"}, eddsa(self.own_key))
        algorithm, signer = {
            "ed": ("EdDSA", lambda: eddsa(private("ed"))),
            "ec": ("ES256", lambda: ecdsa(private("ec"))),
            "rsa": ("RS256", lambda: rs(private("rsa"))),
            "hs": ("HS256", lambda: hs(SECRET.encode())),
        }[kind]
        header = {"alg": algorithm, "typ": "JWT", "kid": kind}
        who = {"iss": SHARED if kind == "hs" else ISSUER, "aud": SERVER, "sub": "agent-7", "jti": "id-1"}
        return Draft(self, header, {**who, **times, "scope": "files:read"}, signer())


class Draft:
    """A token that is not written out yet. `head` and `body` take the place of the JSON of `header` and `claims`."""

    def __init__(self, world: World, header: Any, claims: Any, sign: Signer) -> None:
        self.world = world
        self.header = header
        self.claims = claims
        self.sign = sign
        self.head: bytes | None = None
        self.body: bytes | None = None
        self.last: list[Callable[[str], str]] = []
        self.after: list[Callable[[], None]] = []

    def copy(self) -> Draft:
        found = Draft(self.world, copy.deepcopy(self.header), copy.deepcopy(self.claims), self.sign)
        found.head, found.body = self.head, self.body
        return found

    def text(self) -> str:
        head = self.head if self.head is not None else json.dumps(self.header).encode()
        body = self.body if self.body is not None else json.dumps(self.claims).encode()
        signed = f"{b64(head)}.{b64(body)}"
        token = f"{signed}.{b64(self.sign(signed.encode()))}"
        for change in self.last:
            token = change(token)
        for act in self.after:
            act()
        return token


def weakly_signed(draft: Draft, point: bytes) -> None:
    """Sign with no private key at all, under a public key of small order, by trying ids until the equation holds (RFC 8032, 5.1.7)."""
    key = ed25519.Ed25519PublicKey.from_public_bytes(point)
    forged = b"\x01" + bytes(63)  # R is the neutral element, S is 0: that holds where the hash is a multiple of the order
    draft.sign = lambda data: forged
    for number in range(1000):
        draft.claims["jti"] = f"forged-{number}"
        signed = draft.text().rpartition(".")[0].encode()
        try:
            key.verify(forged, signed)
        except Exception:
            continue
        return
    raise AssertionError("no forgery found: the control of this attack is gone")
