"""The secrets of clients: how one is written, made, kept as a salted hash, and recognised.

    sgc:NAME:SECRET      SECRET is 32 random bytes in unpadded base64url

The name says whose record to look at and proves nothing. A fast hash is enough: 256 random bits cannot be guessed however fast one
tries (NIST SP 800-63B, 5.1.2: look-up secrets of 112 bits and more).
"""

from __future__ import annotations

import os
from _blake2 import blake2b  # hashlib's own, which costs a launch milliseconds to import
from _operator import _compare_digest as same  # hmac.compare_digest
from binascii import b2a_base64, hexlify, unhexlify

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PREFIX = "sgc:"
MAX_LENGTH = 8192
"""Characters in the longest credential of any kind that is looked at."""

_PERSON = b"stdioguard.sgc"


def mint(name: str) -> str:
    """Return a new secret for a client."""
    return f"{PREFIX}{name}:{random_text(32)}"


def random_text(size: int) -> str:
    """Return `size` random bytes in unpadded base64url."""
    return b2a_base64(os.urandom(size), newline=False).decode().rstrip("=").translate(_URL)


_URL = str.maketrans("+/", "-_")


def hashed(credential: str, *, until: float | None = None) -> dict[str, Any]:
    """Return the form in which a secret is kept: an `id` to call it by, `salt`, `hash`, and until when it counts."""
    salt = os.urandom(16)
    return {
        "id": os.urandom(4).hex(),
        "salt": hexlify(salt).decode(),
        "hash": hexlify(_digest(credential, salt)).decode(),
        "until": until,
    }


def matches(credential: str, kept: dict[str, Any]) -> bool:
    """Tell in constant time whether a credential is the one that was kept."""
    return same(_digest(credential, unhexlify(kept["salt"])), unhexlify(kept["hash"]))


def fingerprint(credential: str) -> bytes:
    """Return what a credential is remembered by: a digest, so that looking it up tells nothing by the time it takes."""
    return _digest(credential, b"")


def client_in(credential: str) -> str:
    """Return the name that a credential claims to be of; it may be anything."""
    return credential[len(PREFIX) :].rpartition(":")[0]


def _digest(credential: str, salt: bytes) -> bytes:
    return blake2b(credential.encode("utf-8", "surrogatepass"), digest_size=32, salt=salt, person=_PERSON).digest()
