"""The keys of other issuers (RFC 7517): from a file, from a URL by way of a cache, or one secret that both sides hold.

What a key may be used for is decided by the key and the profile: an algorithm of a token counts only with a key of its kind and its curve,
so that no text of a public key ever becomes a secret (RFC 8725, sections 2.1 and 3.1). A session only reads; `fetch` alone uses the
network. Fetched keys are fresh for an hour and asked for again then; while that fails they stay good until `grace` is over.
"""

from __future__ import annotations

import os
from _blake2 import blake2b
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicNumbers
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers

from stdioguard.identity import keys, secrets
from stdioguard.policy import places, private
from stdioguard.wire import strict_json
from stdioguard.wire.errors import MalformedError

if TYPE_CHECKING:
    from typing import Any

    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    PublicKey = Ed25519PublicKey | EllipticCurvePublicKey | RSAPublicKey

MAX_SIZE = 1 << 20
"""Bytes in the largest key set that is read, from wherever."""
TIMEOUT = 5.0
FRESH = 3600.0
PATIENCE = 30.0
"""Seconds between two attempts to fetch: tokens with invented key ids must not become a flood of requests."""
SKEW = 60.0
"""Seconds by which two clocks of honest machines may differ."""
MIN_SECRET = 32
"""Bytes in the shortest secret for HS256 (RFC 7518, section 3.2)."""

_KINDS = {"EdDSA": ("OKP", "Ed25519"), "ES256": ("EC", "P-256"), "RS256": ("RSA", None)}
_MEMBERS = ("kty", "crv", "x", "y", "n", "e", "kid", "use", "key_ops", "alg")
_SMALL_ORDER = frozenset(
    bytes.fromhex(text)
    for text in (
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    )
)
"""Points of Ed25519 under which anybody can sign, with the bit of the sign cleared (RFC 8032, section 8.9; RFC 7748, section 6.1)."""


class KeySetError(Exception):
    """A key that cannot be had, in one line."""


class KeySet:
    """The keys of one issuer. `settings` is its table in a compiled profile, whose check has seen to the URL."""

    def __init__(self, issuer: str, settings: dict[str, Any]) -> None:
        self.issuer = issuer
        self.url: str | None = settings["jwks_url"]
        self._secret: str | None = settings["key"]
        self._grace = float(settings["grace"])
        self._path: str = settings["jwks_file"] or _cache_path(issuer, self.url or "")
        self._mark: object = None
        self._known: _Keys | None = None
        self._attempted = float("-inf")
        self._missed = False

    def key(self, kid: str | None, algorithm: str, now: float) -> PublicKey | bytes:
        """Return the key to verify a token with, the only one that fits where it names none. Raises `KeySetError`.

        A key that is not there makes a set with a URL stale.
        """
        if self._secret is not None:
            if algorithm != "HS256":
                raise KeySetError("the algorithm is not that of a secret")
            return _secret(self._secret.removeprefix("secret:"))
        if algorithm not in _KINDS:
            raise KeySetError("the algorithm is not that of a public key")
        found = self._cached() if self.url is not None else self._filed()
        if found is None:
            raise KeySetError("the issuer's keys were never fetched")
        if self.url is not None and not -SKEW <= now - found.fetched <= self._grace:
            raise KeySetError("the issuer's keys could not be fetched for longer than its grace")
        try:
            return found.key(kid, algorithm)
        except KeyError:
            self._missed = True
            raise KeySetError(
                "no key of that id" if kid is not None else "no key id, and not exactly one key that fits"
            ) from None

    def is_stale(self, now: float, *, missed: bool = False) -> bool:
        """Tell whether `fetch` is worth its while. `missed` says that a key is missed elsewhere, in the process that asks for this one."""
        if self.url is None or 0 <= now - self._attempted < PATIENCE:
            return False
        found = self._cached()
        if found is None:
            return True
        age = now - found.fetched
        # Asked for before they are refused, also where the grace is shorter than an hour.
        return not -SKEW <= age < min(FRESH, self._grace / 2) or ((missed or self._missed) and age >= PATIENCE)

    def fetch(self, now: float, timeout: float = TIMEOUT) -> None:
        """Fetch the keys from the URL and put them in the cache; takes no longer than `timeout` seconds.

        Raises `OSError` or `ValueError`, in one line; the keys that were there stay.
        """
        if self.url is None:
            return
        self._attempted = now
        from stdioguard.identity.download import download  # noqa: PLC0415 - sockets and TLS, in the process that fetches

        entries = _entries(_decoded(download(self.url, timeout, MAX_SIZE)))
        data = strict_json.encode({"url": self.url, "fetched": now, "keys": entries}).encode("ascii")
        if len(data) > MAX_SIZE:
            raise ValueError(f"{self.url}: more than {MAX_SIZE >> 20} MB of keys")
        places.private_directory(places.directory("cache"))
        places.private_directory(os.path.dirname(self._path))
        private.replace(self._path, data)

    def _filed(self) -> _Keys:
        """Return the keys of the profile's file."""
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            raise KeySetError(f"{self._path}: {error.strerror}") from None
        try:
            status = os.fstat(descriptor)
            if status.st_mode & 0o170000 != 0o100000 or status.st_uid not in (0, os.geteuid()):
                raise KeySetError(f"{self._path} is not a file of yours or of root")
            if status.st_mode & 0o022:
                raise KeySetError(f"{self._path} can be changed by others; run: chmod go-w {self._path}")
            known = self._unchanged(status)
            if known is None:
                known = _Keys(_entries(_decoded(os.read(descriptor, MAX_SIZE + 1))))
                self._remember(status, known)
        except (OSError, ValueError) as error:
            raise KeySetError(f"{self._path}: {error}") from None
        finally:
            os.close(descriptor)
        return known

    def _cached(self) -> _Keys | None:
        """Return the fetched keys, if they are there and nobody else can have written them."""
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError:
            return None
        try:
            status = os.fstat(descriptor)
            if status.st_uid != os.geteuid() or status.st_mode & 0o177777 != 0o100600:
                return None
            known = self._unchanged(status)
            if known is None:
                document = _decoded(os.read(descriptor, MAX_SIZE + 1))
                if document["url"] != self.url or type(document["fetched"]) not in (int, float):
                    return None
                known = _Keys(_entries(document), fetched=document["fetched"])
                self._remember(status, known)
        except (OSError, ValueError, KeyError):
            return None
        finally:
            os.close(descriptor)
        return known

    def _unchanged(self, status: os.stat_result) -> _Keys | None:
        return self._known if _mark(status) == self._mark else None

    def _remember(self, status: os.stat_result, known: _Keys) -> None:
        self._mark, self._known, self._missed = _mark(status), known, False


class _Keys:
    """A key set as it was read. A key is made of its numbers when it is asked for, since most never are."""

    def __init__(self, entries: list[dict[str, Any]], *, fetched: float = 0.0) -> None:
        self.fetched = fetched
        self._entries = entries
        self._by_kid: dict[str, dict[str, Any] | None] = {}
        for entry in entries:
            kid = entry.get("kid")
            if type(kid) is str:
                # Two keys of one id: which one is meant would depend on who reads (RFC 7517, section 4.5).
                self._by_kid[kid] = None if kid in self._by_kid else entry
        self._made: dict[tuple[str | None, str], PublicKey] = {}

    def key(self, kid: str | None, algorithm: str) -> PublicKey:
        """Return a key. Raises `KeyError` where there is none, and `KeySetError` for one that is not to be used."""
        made = self._made.get((kid, algorithm))
        if made is None:
            entry = self._by_kid[kid] if kid is not None else self._only(algorithm)
            if entry is None:
                raise KeyError
            if not _fits(entry, algorithm):
                raise KeySetError("the key of that id is not for that algorithm, or not for signatures")
            made = self._made[kid, algorithm] = _public_key(entry, algorithm)
        return made

    def _only(self, algorithm: str) -> dict[str, Any] | None:
        fitting = [entry for entry in self._entries if _fits(entry, algorithm)]
        kid = fitting[0].get("kid") if fitting else None
        return fitting[0] if len(fitting) == 1 and (kid is None or self._by_kid.get(kid) is not None) else None


def _mark(status: os.stat_result) -> tuple[int, ...]:
    # The time of the last change beside that of the last writing: the latter can be set to anything (utimensat(2)).
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _cache_path(issuer: str, url: str) -> str:
    name = blake2b(f"{issuer}\0{url}".encode("utf-8", "surrogatepass"), digest_size=32).hexdigest()
    return os.path.join(places.directory("cache"), "jwks", f"{name}.json")


def _decoded(data: bytes) -> dict[str, Any]:
    """Return the JSON object that is a file or an answer. Raises `ValueError`."""
    if len(data) > MAX_SIZE:
        raise ValueError(f"more than {MAX_SIZE >> 20} MB")
    try:
        document = strict_json.decode(data.replace(b"\r\n", b"\n"))
    except MalformedError as error:
        raise ValueError(f"not JSON that everybody reads alike: {error.detail}") from None
    if type(document) is not dict:
        raise ValueError("not a key set: no JSON object")
    return document


def _entries(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the keys of a JWKS, with the members that count here: a private half gets no further. Raises `ValueError`."""
    entries = document.get("keys")
    if type(entries) is not list:
        raise ValueError('not a key set: no list "keys"')
    return [{name: entry[name] for name in _MEMBERS if name in entry} for entry in entries if type(entry) is dict]


def _fits(entry: dict[str, Any], algorithm: str) -> bool:
    kind, curve = _KINDS[algorithm]
    operations = entry.get("key_ops", ["verify"])
    return (
        entry.get("kty") == kind
        and entry.get("crv") == curve
        and type(entry.get("kid", "")) is str
        and entry.get("use", "sig") == "sig"
        and type(operations) is list
        and "verify" in operations
        and entry.get("alg", algorithm) == algorithm
    )


def _public_key(entry: dict[str, Any], algorithm: str) -> PublicKey:
    """Make a key of its numbers. Raises `KeySetError` for one that is weak or no key at all."""
    try:
        if algorithm == "EdDSA":
            point = _number(entry, "x", 32)
            if point[:-1] + bytes([point[-1] & 0x7F]) in _SMALL_ORDER:
                raise KeySetError("the key is weak: a point of small order")
            return Ed25519PublicKey.from_public_bytes(point)
        if algorithm == "ES256":
            x, y = (int.from_bytes(_number(entry, name, 32), "big") for name in ("x", "y"))
            return EllipticCurvePublicNumbers(x, y, SECP256R1()).public_key()
        n, e = (int.from_bytes(_number(entry, name), "big") for name in ("n", "e"))
        # FIPS 186-5, section 5.4 and appendix A.1.1; the upper bounds keep a hostile key from costing seconds.
        if not 2048 <= n.bit_length() <= 8192 or not 1 << 16 < e < 1 << 32:
            raise KeySetError(
                "the key is weak: an RSA key of 2048 to 8192 bits with an exponent of 65537 or a little more is wanted"
            )
        return RSAPublicNumbers(e, n).public_key()
    except (ValueError, TypeError, KeyError):
        raise KeySetError("the key of that id is damaged") from None


def _number(entry: dict[str, Any], name: str, size: int | None = None) -> bytes:
    data = keys.from_base64url(entry[name])
    if size is not None and len(data) != size:
        raise ValueError
    return data


def _secret(name: str) -> bytes:
    """Return the secret that an issuer shares, from where servers' secrets are. Raises `KeySetError`."""
    try:
        kept = secrets.find(name)
        if kept is not None and (kept.bound is not None or kept.where == secrets.KEYRING):
            hint = f"write another to a file of its own below {secrets.folder()}"
            raise KeySetError(f"secret:{name} is a server's, or in the keyring, which a running session does not reach; {hint}")
        secret = secrets.get(name).encode("utf-8", "surrogateescape")
    except secrets.SecretError as error:
        raise KeySetError(str(error)) from None
    if len(secret) < MIN_SECRET:
        raise KeySetError(f"secret:{name} is shorter than {MIN_SECRET} bytes; write a longer one to {secrets.folder()}/{name}")
    return secret
