"""The key that signs this machine's own tokens: an Ed25519 key in `config/keys`, made when the first token is issued.

    signing.pem    the private half (PKCS 8), for `stdioguard token issue` alone
    signing.pub    the public half (SubjectPublicKeyInfo), all that a guard reads to check a token

Both are 0600 and the user's own: whoever can write the public half can sign tokens. The private half decides; the public one is written
anew where it does not belong to it, so that taking away `signing.pem` replaces the key and ends every token of the old one.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from stdioguard.policy import places, private

MAX_SIZE = 64 * 1024


def folder() -> str:
    """Return where the keys are; it need not exist."""
    return os.path.join(places.directory("config"), "keys")


def signing_key() -> tuple[str, Ed25519PrivateKey]:
    """Return the key and its id, and make it where there is none; two processes that do so at once get the same.

    Raises `OSError` (`PermissionError` with the command that mends it) or `ValueError` where what is there cannot be used.
    """
    places.private_directory(places.directory("config"))
    places.private_directory(folder())
    path = os.path.join(folder(), "signing.pem")
    try:
        data = private.read(path, MAX_SIZE)
    except FileNotFoundError:
        _make(path)
        data = private.read(path, MAX_SIZE)
    try:
        key = load_pem_private_key(data, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        hint = "remove it, and a new one is made; no token of the old one is good then"
        raise ValueError(f"{path} holds no Ed25519 key; {hint}")  # noqa: TRY004 - what is in a file
    _publish(key.public_key())
    return thumbprint(key.public_key()), key


def public_key() -> tuple[str, Ed25519PublicKey] | None:
    """Return the public half and its id, or `None` where no token was ever issued. Raises like `signing_key`."""
    path = os.path.join(folder(), "signing.pub")
    if os.path.lexists(folder()):
        places.private_directory(folder())
    try:
        data = private.read(path, MAX_SIZE)
    except FileNotFoundError:
        return None
    try:
        key = load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError(f"{path} holds no Ed25519 key; remove it and issue a token")  # noqa: TRY004 - what is in a file
    return thumbprint(key), key


def thumbprint(key: Ed25519PublicKey) -> str:
    """Return the id of a key: its JWK's SHA-256 thumbprint (RFC 7638, section 3; RFC 8037, appendix A.3)."""
    members = f'{{"crv":"Ed25519","kty":"OKP","x":"{base64url(key.public_bytes_raw())}"}}'
    return base64url(hashlib.sha256(members.encode("ascii")).digest())


def base64url(data: bytes) -> str:
    """Return `data` in unpadded base64url (RFC 7515, section 2)."""
    return base64.urlsafe_b64encode(data).decode("ascii").rstrip("=")


def from_base64url(text: str) -> bytes:
    """Return what `text` stands for. Raises `ValueError` where any other text than the one of `base64url` is given.

    The decoders of the library pass over characters that they do not know, and over left-over bits: one value has many spellings then.
    """
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if base64url(data) != text:
        raise ValueError("not base64url")
    return data


def _make(path: str) -> None:
    """Put a new key at `path`, whole, or leave the one that another process has put there meanwhile."""
    data = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with contextlib.suppress(FileExistsError):
        private.create(path, data)


def _publish(key: Ed25519PublicKey) -> None:
    path = os.path.join(folder(), "signing.pub")
    data = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    try:
        if private.read(path, MAX_SIZE) == data:
            return
    except FileNotFoundError:
        pass
    private.replace(path, data)
