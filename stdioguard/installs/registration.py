"""The clients that `wrap` registers: each proves itself with a token file, for the servers that it starts and no others.

What a person has registered or narrowed stays as it is: a name that is taken gets a neighbour, and scopes are added only for what is
wrapped anew.
"""

from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING

from stdioguard.identity import clients, register
from stdioguard.identity.clients import ClientError
from stdioguard.installs import journal
from stdioguard.policy import load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

FOR_NOTHING = "wrapped"
"""The scope of a client whose profiles name none: a client without any would not be one."""


def name_for(wanted: str) -> str:
    """Return the name to register a client under: the wanted one, unless a person has given it to another. Raises `ClientError`."""
    for name in (wanted, f"{wanted}-wrapped"):
        there = clients.find(name)
        if there is None or (there == name and _is_ours(name)):
            return name
        if clients.read(there).state(time.time()) != "active":
            return there
    raise ClientError(f"clients {wanted} and {wanted}-wrapped are registered for something else; see stdioguard client list")


def token_file(name: str) -> str:
    """Return the path of a client's token file."""
    return register.default_token_file(name)


def grant(name: str, servers: dict[str, str]) -> Callable[[], None]:
    """Let a client use `servers` (profiles by name), and return what takes that back. Raises `ClientError`."""
    scopes = sorted({scope for profile in servers.values() for scope in _scopes(profile)})
    there = clients.find(name)
    before = clients.read(name) if there is not None else None
    if before is None or before.state(time.time()) != "active":
        register.add(name, scopes=scopes or [FOR_NOTHING], servers=sorted(servers))
        return lambda: end(name)
    all_servers, all_scopes = before.servers, before.scopes
    new = [server for server in servers if server not in all_servers]
    if all_servers and new:
        register.change(name, servers=[*all_servers, *new], scopes=sorted({*all_scopes, *scopes}))
    if not register.holds(token_file(name), lambda text: register.is_secret_of(text, name)):
        register.rotate(name)
    return lambda: _put_back(name, all_servers, all_scopes)


def is_granted(name: str, server: str) -> bool:
    """Tell whether a client is registered, may use a server, and has its token file. Raises `ClientError`."""
    there = clients.find(name)
    client = clients.read(there) if there is not None else None
    if client is None or client.state(time.time()) != "active" or (client.servers and server not in client.servers):
        return False
    return register.holds(token_file(name), lambda text: register.is_secret_of(text, name))


def withdraw(name: str, servers: Iterable[str]) -> None:
    """Let a client use `servers` no more; one that has none left is none any more. Raises `ClientError`."""
    if clients.find(name) != name:
        return
    client = clients.read(name)
    if client.state(time.time()) != "active" or not client.servers:
        return
    gone = set(servers)
    left = [server for server in client.servers if server not in gone]
    if left:
        register.change(name, servers=left)
    else:
        end(name)


def end(name: str) -> None:
    """Revoke a client and remove its token file. Raises `ClientError`."""
    register.revoke(name)
    if register.holds(token_file(name), lambda text: register.is_secret_of(text, name)):
        with contextlib.suppress(OSError):
            os.unlink(token_file(name))


def _put_back(name: str, servers: list[str], scopes: list[str]) -> None:
    register.change(name, servers=servers or ["*"], scopes=scopes)


def _is_ours(name: str) -> bool:
    return any(entry.registered == name for book in journal.everything() for entry in book.entries)


def _scopes(profile: str) -> set[str]:
    """Return every scope that a profile asks for somewhere."""
    policy = load.load(profile)
    rules = [*policy.tools.all(), *policy.prompts.all(), *policy.resources.all()]
    return {scope for rule in rules for scope in rule.scopes}
