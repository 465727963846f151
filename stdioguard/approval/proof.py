"""The person's own proof, for decisions on high risk: a passphrase that signs, so that no program that can write files can approve.

An agent with a shell can run every command that a person can. What it does not have is what the person knows. `stdioguard approvals
passphrase` asks for a passphrase on the terminal, and keeps a public key made of it: `approval-key.json` in the configuration directory.
Approving makes the private key anew from the passphrase (scrypt, RFC 7914), and signs id, digest and what is granted; the guard verifies
that with the public key as it was when the session began. What is on the disk approves nothing; guessing costs a scrypt each.
"""

from __future__ import annotations

import os

from stdioguard.policy import places, private
from stdioguard.policy.policy import CONFIRM
from stdioguard.wire import strict_json
from stdioguard.wire.errors import MalformedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final

    from stdioguard.policy.policy import Policy

SHORTEST = 12
"""Characters of the shortest passphrase that can be set."""
_SEEN = (
    "id", "session", "client", "server", "server_pin", "tool", "tool_pin", "risk", "rule", "arguments", "arguments_size", "digest", "task",
    "remember", "cwd",
)  # fmt: skip
"""Members of a question that are shown, or that what is shown depends on."""
_COST = {"n": 1 << 17, "r": 8, "p": 1}
"""Of passphrases that are set now: 128 MiB, about half a second. A key says its own, so older ones hold."""
_FORM: Final = "NFC"
"""The normal form in which a passphrase is taken: keyboards and systems disagree on how a letter with an accent is sent."""
_MEMORY = 1 << 28
"""Bytes that scrypt may use."""


class WrongPassphraseError(Exception):
    """A passphrase that is not the one that was set."""


def path() -> str:
    """Return where the public key is."""
    return os.path.join(places.directory("config"), "approval-key.json")


def read() -> dict[str, Any] | None:
    """Return the public key and what the private one is made with, or `None` where no passphrase was set, or another could have set it."""
    try:
        found = strict_json.decode(private.read(path(), 4096))
        return found if type(found) is dict and len(bytes.fromhex(found["public"])) == 32 and _is_payable(found) else None
    except (OSError, MalformedError, KeyError, TypeError, ValueError):
        return None


def missing_for(policy: Policy) -> str | None:
    """Return what a person has to do before calls of high risk can run under a profile, in one line; `None` where nothing is."""
    asked_about = any(rule.action == CONFIRM and rule.risk == "high" for rule in policy.tools.all())
    if not asked_about or "client" in policy.consent["high"] or read() is not None:
        return None
    return "calls of high risk can only be denied until a passphrase is set: run stdioguard approvals passphrase"


def setting(passphrase: str) -> dict[str, Any]:
    """Return what `read` will find: the public key that belongs to a passphrase, with a new salt."""
    salt = os.urandom(16)
    found: dict[str, Any] = {"salt": salt.hex(), "form": _FORM, **_COST}
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

    if not _is_payable(setting):
        raise ValueError("the cost of the passphrase is out of range")
    if setting.get("form") == _FORM:
        import unicodedata  # noqa: PLC0415 - as above

        passphrase = unicodedata.normalize(_FORM, passphrase)
    cost = {name: setting[name] for name in _COST}
    seed = hashlib.scrypt(passphrase.encode(), salt=bytes.fromhex(setting["salt"]), maxmem=_MEMORY, dklen=32, **cost)
    return Ed25519PrivateKey.from_private_bytes(seed)


def _is_payable(setting: dict[str, Any]) -> bool:
    """Tell whether a key's cost is one that scrypt takes, and that a person can wait for."""
    n, r, p = (setting.get(name) for name in ("n", "r", "p"))
    if type(n) is not int or type(r) is not int or type(p) is not int or setting.get("form", _FORM) != _FORM:
        return False
    bytes.fromhex(setting["salt"])
    return 2 <= n <= 1 << 20 and n & (n - 1) == 0 and 1 <= r <= 32 and 1 <= p <= 16 and 128 * r * (n + p + 2) <= _MEMORY
