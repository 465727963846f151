"""The register of clients: a file for each, `clients/NAME.json` in the configuration directory, mode 0600.

A file is replaced whole, so that a running session sees the client before a change or after it. A client that was revoked stays in the
register, so that its servers go on asking for a proof.
"""

from __future__ import annotations

import os
import re
import time

from stdioguard.policy import places, private, scopes
from stdioguard.wire import strict_json
from stdioguard.wire.errors import MalformedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

VERSION = 1
MAX_SIZE = 1 << 18
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,63}\Z")
"""ASCII only: two names that look alike are alike, and so is their case (`find` folds it)."""


class ClientError(Exception):
    """A client that cannot be made, found or used, in one line for people."""


class Client:
    """One client. Times are seconds since the epoch; `secrets` are in the form of `credentials.hashed`, the newest last.

    `servers` are the names of the servers that it may use, all of them where there is none. `program` is `{"path", "owner"}` of the
    program that must have started the guard, or `None`.
    """

    __slots__ = ("created", "expires", "id", "name", "program", "revoked", "roles", "scopes", "secrets", "servers")

    def __init__(self, name: str) -> None:
        self.name = name
        self.id = f"{name}#{os.urandom(6).hex()}"
        self.created = time.time()
        self.expires: float | None = None
        self.revoked: float | None = None
        self.scopes: list[str] = []
        self.roles: list[str] = []
        self.servers: list[str] = []
        self.program: dict[str, Any] | None = None
        self.secrets: list[dict[str, Any]] = []

    def serves(self, server: str) -> bool:
        """Tell whether the client is registered for a server."""
        return not self.servers or server in self.servers

    def state(self, now: float) -> str:
        """Return `active`, `revoked` or `expired`."""
        if self.revoked is not None:
            return "revoked"
        return "expired" if self.expires is not None and now >= self.expires else "active"

    def document(self) -> dict[str, Any]:
        """Return the client as it is written."""
        return {"version": VERSION, **{field: getattr(self, field) for field in self.__slots__}}


def folder() -> str:
    """Return where the register is; it need not exist."""
    return os.path.join(places.directory("config"), "clients")


def path_of(name: str) -> str:
    """Return the file of a client. Raises `ClientError` where that is no name."""
    if not NAME.match(name):
        raise ClientError(f"{name!a:.80} is no client name: letters, digits, _ . and - only, at most 64")
    return os.path.join(folder(), f"{name}.json")


def names() -> list[str]:
    """Return the names in the register, sorted."""
    try:
        entries = os.listdir(folder())
    except FileNotFoundError:
        return []
    return sorted(entry[:-5] for entry in entries if entry.endswith(".json") and NAME.match(entry[:-5]))


def read(name: str) -> Client:
    """Return a client. Raises `ClientError`, also for a file that others may change, and for one that was not written by `write`."""
    path = path_of(name)
    try:
        data = private.read(path, MAX_SIZE)
    except FileNotFoundError:
        raise ClientError(f"there is no client {name}; see stdioguard client list") from None
    except OSError as error:
        raise ClientError(error.strerror or str(error)) from None
    try:
        return _parsed(name, strict_json.decode(data))
    except (MalformedError, KeyError, TypeError, ValueError):
        raise ClientError(f"{path} is damaged; remove it and add the client anew") from None


def everyone() -> list[Client]:
    """Return every client. Raises `ClientError` where one cannot be read: what it asks for is not known then."""
    return [read(name) for name in names()]


def find(name: str) -> str | None:
    """Return the name in the register that is the same to a file system or an eye that folds case, or `None`."""
    return next((known for known in names() if known.casefold() == name.casefold()), None)


def write(client: Client) -> None:
    """Write a client's file whole or not at all. Raises `OSError`."""
    path = path_of(client.name)
    places.private_directory(places.directory("config"))
    places.private_directory(folder())
    private.replace(path, strict_json.encode(client.document()).encode("ascii"))


def _parsed(name: str, document: Any) -> Client:
    if document["version"] != VERSION or document["name"] != name:
        raise ValueError
    client = Client(name)
    for field in ("expires", "revoked"):
        value = document[field]
        if value is not None and type(value) not in (int, float):
            raise ValueError
        setattr(client, field, value)
    for field in ("scopes", "roles", "servers"):
        values = document[field]
        if type(values) is not list or not all(type(value) is str for value in values):
            raise ValueError
        setattr(client, field, values)
    if not all(map(scopes.is_scope, client.scopes)) or type(document["id"]) is not str:
        raise ValueError
    client.id, client.created, client.program = document["id"], float(document["created"]), document["program"]
    if client.program is not None and (type(client.program["path"]) is not str or type(client.program["owner"]) is not int):
        raise ValueError
    client.secrets = document["secrets"]
    for kept in client.secrets:
        if type(kept["id"]) is not str or len(bytes.fromhex(kept["salt"])) != 16 or len(bytes.fromhex(kept["hash"])) != 32:
            raise ValueError
        if kept["until"] is not None and type(kept["until"]) not in (int, float):
            raise ValueError
    return client
