"""The person's own proof, for decisions on high risk: a passphrase that signs, so that no program that can write files can approve.

An agent with a shell can run every command that a person can. What it does not have is what the person knows. `stdioguard approvals
passphrase` asks for a passphrase on the terminal, and keeps a public key made of it: `approval-key.json` in the configuration directory.
Approving makes the private key anew from the passphrase (scrypt, RFC 7914), and signs id, digest and what is granted; the guard verifies
that with the public key as it was when the session began. What is on the disk approves nothing; guessing costs a scrypt each.
"""

from __future__ import annotations

import os

from stdioguard.policy import places
from stdioguard.wire import strict_json
from stdioguard.wire.errors import MalformedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SHORTEST = 8
"""Characters of the shortest passphrase."""
_SEEN = (
    "id", "session", "client", "server", "server_pin", "tool", "tool_pin", "risk", "rule", "arguments", "arguments_size", "digest", "task",
    "remember", "cwd",
)  # fmt: skip
"""Members of a question that are shown, or that what is shown depends on."""
_COST = {"n": 1 << 15, "r": 8, "p": 1}


class WrongPassphraseError(Exception):
    """A passphrase that is not the one that was set."""


def path() -> str:
    """Return where the public key is."""
    return os.path.join(places.directory("config"), "approval-key.json")


def read() -> dict[str, Any] | None:
    """Return the public key and what the private one is made with, or `None` where no passphrase was set, or another could have set it."""
    try:
        descriptor = os.open(path(), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        status = os.fstat(descriptor)
        if status.st_uid != os.geteuid() or status.st_mode & 0o177077 != 0o100000:
            return None
        found = strict_json.decode(os.read(descriptor, 4096))
        return found if type(found) is dict and len(bytes.fromhex(found["public"])) == 32 else None
    except (OSError, MalformedError, KeyError, TypeError, ValueError):
        return None
    finally:
        os.close(descriptor)


def setting(passphrase: str) -> dict[str, Any]:
    """Return what `read` will find: the public key that belongs to a passphrase, with a new salt."""
    salt = os.urandom(16)
    found: dict[str, Any] = {"salt": salt.hex(), **_COST}
    return {**found, "public": _private(passphrase, found).public_key().public_bytes_raw().hex()}


def sign(passphrase: str, setting: dict[str, Any], decision: dict[str, Any]) -> str:
    """Return the signature of a decision (hex). Raises `WrongPassphraseError`."""
    private = _private(passphrase, setting)
    if private.public_key().public_bytes_raw().hex() != setting["public"]:
        raise WrongPassphraseError("that is not the passphrase")
    return str(private.sign(_signed(decision)).hex())


def seen(members: dict[str, Any]) -> str:
    """Return what stands for a question as a person has seen it (SHA-256, hex): a decision that names it is for nothing else.

    What is in the queue any program of this user can rewrite: another server's name over the same call, for one.
    """
    import hashlib  # noqa: PLC0415 - where a person has decided

    return hashlib.sha256(strict_json.canonical({name: members.get(name) for name in _SEEN}).encode("ascii")).hexdigest()


def is_signed(setting: dict[str, Any], decision: dict[str, Any]) -> bool:
    """Tell whether a decision bears the signature of whoever knows the passphrase."""
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - for high risk only
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415

    try:
        signature = bytes.fromhex(decision["signature"])
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(setting["public"])).verify(signature, _signed(decision))
    except (InvalidSignature, KeyError, TypeError, ValueError):
        return False
    return True


def _signed(decision: dict[str, Any]) -> bytes:
    members = {key: value for key, value in decision.items() if key != "signature"}
    return b"stdioguard decision\0" + strict_json.canonical(members).encode("ascii")


def _private(passphrase: str, setting: dict[str, Any]) -> Any:
    import hashlib  # noqa: PLC0415 - for high risk only

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415

    cost = {name: int(setting[name]) for name in _COST}
    if not (2 <= cost["n"] <= 1 << 20 and cost["r"] <= 32 and cost["p"] <= 16):
        raise ValueError("the cost of the passphrase is out of range")
    seed = hashlib.scrypt(passphrase.encode(), salt=bytes.fromhex(setting["salt"]), maxmem=1 << 28, dklen=32, **cost)
    return Ed25519PrivateKey.from_private_bytes(seed)
