"""The store behind `secret:NAME`: what a profile, an issuer or a wrapped entry names and nobody's config holds.

    secrets/NAME        the value, where it is kept in a file
    secrets/NAME.json   where the value is kept, and what it is bound to; no secret

Both are below the configuration directory, 0600, the folder 0700. A value is kept in the system's keyring where there is one that works
(`keychain.py`), else in the file. A file that somebody has written by hand has no `NAME.json` and is bound to nothing.

What a secret is bound to is decided and checked by who uses it (`launch/references.py`); here it is kept. In the keyring it stands beside
the value, in one item: a folder of somebody else's making, to which HOME or XDG_CONFIG_HOME was turned, could otherwise name a value
that is in the keyring and bind it to something else.
"""

from __future__ import annotations

import os
import re
import time

from stdioguard.policy import places, private
from stdioguard.wire import strict_json
from stdioguard.wire.errors import MalformedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PREFIX = "secret:"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,63}\Z")
MAX_SIZE = 64 * 1024
"""Bytes in the largest value."""
KEYRING = "keyring"
FILE = "file"
_VERSION = 1
_ENDING = ".json"


class SecretError(Exception):
    """A secret that cannot be had or kept, in one line that says what to do. `is_missing` tells whether there is none of that name."""

    def __init__(self, text: str, *, is_missing: bool = False) -> None:
        super().__init__(text)
        self.is_missing = is_missing


class Kept:
    """What is known of a secret without its value: its name, where it is (`KEYRING` or `FILE`), and what it is bound to, if to anything."""

    __slots__ = ("bound", "name", "where")

    def __init__(self, name: str, where: str, bound: dict[str, Any] | None) -> None:
        self.name = name
        self.where = where
        self.bound = bound


def reference(text: str) -> str | None:
    """Return the name in a text that is wholly `secret:NAME`; `None` for any other text."""
    name = text.removeprefix(PREFIX)
    return name if name != text and NAME.match(name) and not name.endswith(_ENDING) else None


def folder() -> str:
    """Return where the store's files are; it need not exist."""
    return os.path.join(places.directory("config"), "secrets")


def get(name: str) -> str:
    """Return the value of a secret. Raises `SecretError`."""
    _check(name)
    kept = find(name)
    if kept is None:
        raise _missing(name)
    if kept.where == KEYRING:
        return _from_keyring(kept)
    path = os.path.join(folder(), name)
    try:
        value = private.read(path, MAX_SIZE).rstrip(b"\r\n")
    except FileNotFoundError:
        raise _missing(name) from None
    except OSError as error:
        raise SecretError(f"{PREFIX}{name} cannot be read: {error.strerror or error}") from None
    if not value or b"\0" in value:
        raise SecretError(f"{PREFIX}{name} is empty or holds a NUL; write another to {path}")
    return value.decode("utf-8", "surrogateescape")


def find(name: str) -> Kept | None:
    """Return what is known of the secret of a name, or `None` where there is none. Raises `SecretError`."""
    _check(name)
    path = os.path.join(folder(), name)
    try:
        if os.path.lexists(folder()):
            places.private_directory(folder())
        data = private.read(path + _ENDING, MAX_SIZE)
    except FileNotFoundError:
        return Kept(name, FILE, None) if os.path.lexists(path) else None
    except OSError as error:
        raise SecretError(f"{PREFIX}{name} cannot be read: {error.strerror or error}") from None
    return _parsed(name, data, path + _ENDING)


def bound_to(name: str) -> dict[str, Any] | None:
    """Return what a secret is bound to, or `None` for one that is bound to nothing. Raises `SecretError`, also where there is none."""
    kept = find(name)
    if kept is None:
        raise _missing(name)
    return kept.bound


def listed() -> list[Kept]:
    """Return what is known of every secret, by name. Raises `SecretError`."""
    try:
        entries = os.listdir(places.private_directory(folder())) if os.path.lexists(folder()) else []
    except OSError as error:
        raise SecretError(f"the secrets cannot be read: {error.strerror or error}") from None
    found = (find(name) for name in sorted({entry.removesuffix(_ENDING) for entry in entries}) if NAME.match(name))
    return [kept for kept in found if kept is not None]


def put(name: str, value: str, *, bound: dict[str, Any] | None, replace: bool = False) -> str:
    """Keep a value under a name, and return where: `KEYRING` or `FILE`. Raises `SecretError`.

    A name that is in use is refused, unless it is to be replaced. The binding is there before the value is: a crash between the two
    leaves nothing that anybody may use.
    """
    _check(name)
    data = value.encode("utf-8", "surrogateescape")
    if not data.rstrip(b"\r\n") or data != data.rstrip(b"\r\n") or b"\0" in data or len(data) > MAX_SIZE:
        raise SecretError(f"{PREFIX}{name}: a value has 1 to {MAX_SIZE} bytes, no NUL and no line end at its end")
    before = find(name)
    if before is not None and not replace:
        raise SecretError(f"{PREFIX}{name} is there already; choose another name")
    path = os.path.join(folder(), name)
    description = _described(name, FILE, bound)
    try:
        places.private_directory(places.directory("config"))
        places.private_directory(folder())
        if not _write(path + _ENDING, description, replace=replace):
            raise SecretError(f"{PREFIX}{name} is there already; choose another name")
        try:
            return _put(name, value, data, bound, before)
        except OSError:
            if before is None:
                os.unlink(path + _ENDING)
            raise
    except OSError as error:
        raise SecretError(f"{PREFIX}{name} cannot be kept: {error.strerror or error}: {error.filename or path}") from None


def _put(name: str, value: str, data: bytes, bound: dict[str, Any] | None, before: Kept | None) -> str:
    """Put the value of a name that is taken into the keyring, or else into its file, and out of where it was before."""
    path = os.path.join(folder(), name)
    if not _keyring_takes(name, value, bound):
        _write(path, data, replace=True)
        if before is not None and before.where == KEYRING:
            _keyring("forget", name)
        return FILE
    _write(path + _ENDING, _described(name, KEYRING, bound), replace=True)
    if os.path.lexists(path):
        os.unlink(path)
    return KEYRING


def bind(name: str, bound: dict[str, Any]) -> str:
    """Bind a secret anew, where its entry has changed, and return where it is kept. Raises `SecretError`, also for one of another server.

    The caller has to know that the entry is the one which the secret was moved out of: an entry only says which secret it wants.
    """
    before = bound_to(name)
    if before is None or before.get("server") != bound.get("server"):
        raise SecretError(f"{PREFIX}{name} is not of the server {bound.get('server')}, so it is not bound to that")
    return put(name, get(name), bound=bound, replace=True)


def forget(name: str) -> None:
    """Remove a secret. One that is not there is no mistake. Raises `SecretError` where it stays."""
    kept = find(name)
    if kept is None:
        return
    if kept.where == KEYRING and _keyring("forget", name) is None:
        raise SecretError(f"{PREFIX}{name} stays: the system's keyring does not answer; unlock it and try again")
    path = os.path.join(folder(), name)
    try:
        for file in (path, path + _ENDING):
            if os.path.lexists(file):
                os.unlink(file)
    except OSError as error:
        raise SecretError(f"{PREFIX}{name} cannot be removed: {error.strerror}: {error.filename}") from None


def _check(name: str) -> None:
    if not NAME.match(name) or name.endswith(_ENDING):
        shown = "".join(char if char.isprintable() else "?" for char in name[:64])
        raise SecretError(
            f"{PREFIX}{shown}: a name has 1 to 64 of A-Z a-z 0-9 _ . - and does not end in {_ENDING}", is_missing=True
        )


def _missing(name: str) -> SecretError:
    path = os.path.join(folder(), name)
    hint = f"write it to {path} and run: chmod 700 {folder()}; chmod 600 {path}"
    return SecretError(f"{PREFIX}{name} is not there; {hint}", is_missing=True)


def _described(name: str, where: str, bound: dict[str, Any] | None) -> bytes:
    """Return what stands in `NAME.json`. Raises `SecretError` where a binding would not come back as it is, such as one that is no text."""
    document = {"version": _VERSION, "kept": where, "bound": bound, "made": int(time.time())}
    try:
        data = strict_json.encode(document).encode("ascii")
        if len(data) <= MAX_SIZE and strict_json.decode(data)["bound"] == bound:
            return data
    except (MalformedError, ValueError, TypeError):
        pass
    raise SecretError(f"{PREFIX}{name} cannot be bound: what it is bound to is no text, or too long")


def _parsed(name: str, data: bytes, path: str) -> Kept:
    try:
        document = strict_json.decode(data)
        if (
            document["version"] == _VERSION
            and document["kept"] in (KEYRING, FILE)
            and type(document["bound"]) in (dict, type(None))
        ):
            return Kept(name, document["kept"], document["bound"])
    except (MalformedError, KeyError, TypeError):
        pass
    raise SecretError(f"{PREFIX}{name} cannot be used: {path} is damaged; remove it and the secret, and set the secret anew")


# The keyring, through a process of its own (see keychain.py)


def _keyring_takes(name: str, value: str, bound: dict[str, Any] | None) -> bool:
    """Put a value into the keyring, if this store may use it and it gives back what it is given."""
    if os.environ.get("STDIOGUARD_HOME") or not _is_text(value):
        return False
    return _keyring("put", name, strict_json.encode({"value": value, "bound": bound}).encode("ascii")) is not None


def _is_text(value: str) -> bool:
    """Tell whether a value holds no byte that is no UTF-8: a keyring keeps text."""
    return not any("\udc80" <= char <= "\udcff" for char in value)


def _keyring(act: str, name: str, item: bytes = b"") -> bytes | None:
    from stdioguard.identity import keychain  # noqa: PLC0415 - starts a process, for secrets that are kept there only

    return keychain.ask(act, name, item)


def _from_keyring(kept: Kept) -> str:
    if os.environ.get("STDIOGUARD_HOME"):
        raise SecretError(f"{PREFIX}{kept.name} is in the keyring, which a STDIOGUARD_HOME does not use; set the secret anew")
    item = _keyring("get", kept.name)
    if item is None:
        raise SecretError(
            f"{PREFIX}{kept.name} is in the system's keyring, which does not give it; unlock the keyring and start again"
        )
    try:
        document = strict_json.decode(item)
        value, bound = document["value"], document["bound"]
    except (MalformedError, KeyError, TypeError):
        value = bound = None
    if type(value) is not str or bound != kept.bound:
        path = os.path.join(folder(), kept.name + _ENDING)
        raise SecretError(f"{PREFIX}{kept.name} in the keyring is not the one that {path} tells of; set the secret anew")
    return value


# Files


def _write(path: str, data: bytes, *, replace: bool) -> bool:
    """Put a file in its place, whole; return `False` where there is one that may not be replaced. Raises `OSError`."""
    try:
        (private.replace if replace else private.create)(path, data)
    except FileExistsError:
        return False
    return True
