"""What is done to the register of clients: a client is added, given a new secret, changed, revoked.

Each operation reads, changes and writes under one lock, so that of two at once none is lost, and each is done whole or not at all: the
secret is handed out and its hash is in the register, or neither is. A launch and a running session read the register without the lock
(see `clients`); they never load this module.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import time
from typing import TYPE_CHECKING

from stdioguard.identity import clients, credentials, launcher
from stdioguard.identity.clients import Client, ClientError
from stdioguard.policy import places, private, scopes
from stdioguard.wire import strict_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Deliver = Callable[[Client, str], None]
    """Takes the client and its secret to whoever asked, instead of a file. What it raises undoes the operation."""

GRACE = 86400
"""Seconds for which the secrets before the newest go on being good."""
MAX_SPAN = 10 * 365 * 86400
"""Seconds that anything may be good for; what is meant to be forever has no end written."""
MAX_SECRETS = 16
"""Secrets of one client that are good at once: each costs a comparison."""
LOCK_WAIT = 10.0
"""Seconds that an operation waits for another one."""


def words(texts: Iterable[str]) -> list[str]:
    """Return the words of texts, separated by commas or white space: each once, in their order."""
    return list(dict.fromkeys(word for text in texts for word in re.split(r"[,\s]+", text) if word))


def check_scopes(values: list[str]) -> list[str]:
    """Return the values. Raises `ValueError` where one is no scope, in words for people."""
    for value in values:
        if not scopes.is_scope(value):
            raise ValueError(f"{value!a:.140} is no scope; write words with : between them, such as files:read or files:*")
    return values


def check_roles(values: list[str]) -> list[str]:
    """Return the values. Raises `ValueError` where one can be no role of a profile."""
    for value in values:
        if not clients.NAME.match(value):
            raise ValueError(f"{value!a:.80} is no role: letters, digits, _ . and - only, at most 64")
    return values


def check_servers(values: list[str]) -> list[str]:
    """Return the values, none for `*`, which is every server. Raises `ValueError` where one can be no server's name.

    An empty value is an error and not *every server*: it is what a variable that was never set gives.
    """
    for value in values:
        if not value or len(value) > 128 or not value.isprintable():
            raise ValueError(f"{value!a:.140} is no server's name; write * for every server")
    return [] if "*" in values else list(dict.fromkeys(values))


def default_token_file(name: str) -> str:
    """Return where a client's secret is handed out if nothing else is said."""
    return os.path.join(places.directory("config"), "tokens", f"{name}.token")


def add(
    name: str,
    *,
    scopes: list[str],
    roles: Iterable[str] = (),
    servers: Iterable[str] = (),
    expires: int | None = None,
    program: str | None = None,
    token_file: str | None = None,
    deliver: Deliver | None = None,
) -> tuple[Client, str | None]:
    """Register a client and hand its secret out. Return it, and the path of its token file unless `deliver` took the secret.

    `expires` is in seconds from now; `program` is the path of the one that must have started the guard. A `token_file` must not exist;
    the default one is replaced where it holds a secret of a client of that name that is registered no more. Raises `ClientError`,
    `ValueError` as the checks do, and what `deliver` raises; nothing was changed then.
    """
    client = Client(name)
    client.scopes, client.roles, client.servers = check_scopes(scopes), check_roles(list(roles)), check_servers(list(servers))
    if not client.scopes and not client.roles:
        raise ClientError(f"client {name} would be granted nothing; give it a scope or a role")
    client.expires = client.created + expires if expires is not None else None
    client.program = launcher.record(program) if program is not None else None
    with _locked():
        before = _forerunner(name, client.created)
        return client, _hand_out(client, before, token_file, deliver, replaces=token_file is None)


def rotate(
    name: str, *, grace: int = GRACE, token_file: str | None = None, deliver: Deliver | None = None
) -> tuple[Client, str | None]:
    """Give an active client a new secret; those it has are good for `grace` seconds more, or until their own end if that is sooner.

    A `token_file` that exists is replaced, if it holds a secret of this client. Returns and raises as `add`.
    """
    with _locked():
        now = time.time()
        client, before = active(name, now), clients.read(name)
        for kept in client.secrets:
            kept["until"] = now + grace if kept["until"] is None else min(kept["until"], now + grace)
        client.secrets = [kept for kept in client.secrets if kept["until"] > now]
        if len(client.secrets) >= MAX_SECRETS:
            raise ClientError(f"client {name} has {MAX_SECRETS} secrets that are still good; end them with --grace 0s")
        return client, _hand_out(client, before, token_file, deliver, replaces=True)


def change(
    name: str,
    *,
    scopes: list[str] | None = None,
    roles: list[str] | None = None,
    servers: list[str] | None = None,
    expires: int | None = None,
    forever: bool = False,
) -> Client:
    """Replace what an active client is granted, as far as it is given, and keep its secrets.

    `expires` is in seconds from now; `forever` takes the end away. Raises `ClientError`, and `ValueError` as the checks do; nothing was
    changed then.
    """
    with _locked():
        now = time.time()
        client = active(name, now)
        client.scopes = client.scopes if scopes is None else check_scopes(scopes)
        client.roles = client.roles if roles is None else check_roles(roles)
        client.servers = client.servers if servers is None else check_servers(servers)
        if not client.scopes and not client.roles:
            raise ClientError(f"client {name} would be granted nothing; to end it: stdioguard client revoke {name}")
        if expires is not None or forever:
            client.expires = None if expires is None else now + expires
        _write(client)
        return client


def revoke(name: str) -> tuple[Client, bool]:
    """Revoke a client, drop its secrets and remove its token file. Return it, and whether it was active or expired until now.

    It stays in the register, so that its servers go on asking for a proof. Raises `ClientError`.
    """
    with _locked():
        client = known(name)
        is_news = client.revoked is None
        if is_news or client.secrets:
            client.revoked = client.revoked if client.revoked is not None else time.time()
            client.secrets = []
            _write(client)
        path = default_token_file(name)
        # By name, not by hash: it is a secret of this client, worth nothing, also where an earlier revocation could not remove it.
        if holds(path, lambda text: is_secret_of(text, name)):
            try:
                os.unlink(path)
            except OSError as error:
                raise ClientError(f"client {name} is revoked, but {path} stays: {error.strerror}; remove it") from None
        return client, is_news


def known(name: str) -> Client:
    """Return a client by exactly its name. Raises `ClientError`."""
    alike = clients.find(name)
    if alike is not None and name not in clients.names():
        raise ClientError(f"there is no client {name}; there is one {alike}")
    return clients.read(name)


def active(name: str, now: float) -> Client:
    """Return a client that is neither revoked nor expired. Raises `ClientError`."""
    client = known(name)
    state = client.state(now)
    if state != "active":
        raise ClientError(f"client {name} is {state}; make it anew: stdioguard client add {name}")
    return client


def is_secret_of(text: str, name: str) -> bool:
    """Tell whether a text is in the form of a client's secrets; it need not be a good one."""
    return re.fullmatch(rf"{credentials.PREFIX}{re.escape(name)}:[A-Za-z0-9_\-]+", text) is not None


def holds(path: str, belongs: Callable[[str], bool]) -> bool:
    """Tell whether a token file is a plain file of this user, with a credential in it of which `belongs` says that it may be replaced."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        status = os.fstat(descriptor)
        if status.st_mode & 0o170000 != 0o100000 or status.st_uid != os.geteuid():
            return False
        text = os.read(descriptor, credentials.MAX_LENGTH + 2).decode("ascii")
    except (OSError, UnicodeDecodeError):
        return False
    finally:
        os.close(descriptor)
    return belongs(text.strip())


class TokenFile:
    """A token file that is written and not yet in force: `publish` puts it in its place, `withdraw` leaves all as it was.

    `belongs` tells of what is there already whether it may be replaced; without it nothing may be there. A link is never followed.
    Raises `ClientError`.
    """

    def __init__(self, path: str, credential: str, belongs: Callable[[str], bool] | None = None) -> None:
        self.path = os.path.abspath(path)
        data = f"{credential}\n".encode("ascii")
        try:
            if belongs is not None and holds(self.path, belongs):
                self._written = f"{self.path}.{os.urandom(4).hex()}"
                private.replace(self._written, data)
            else:
                self._written = self.path
                private.fill(self.path, data)  # which fails where anything else is there
        except FileExistsError:
            what = "exists already" if belongs is None else "is no token file of this client"
            raise ClientError(f"{self.path} {what}, so it stays as it is; remove it, or name another file") from None
        except OSError as error:
            raise ClientError(f"the token file {self.path} cannot be written: {error.strerror}; nothing was changed") from None

    def publish(self) -> None:
        """Put the file in its place, or take it back. Raises `ClientError`."""
        if self._written == self.path:
            return
        try:
            os.replace(self._written, self.path)
        except OSError as error:
            self.withdraw()
            raise ClientError(f"the token file {self.path} cannot be replaced: {error.strerror}; nothing was changed") from None

    def withdraw(self) -> None:
        """Take the file back."""
        with contextlib.suppress(OSError):
            os.unlink(self._written)


def _hand_out(
    client: Client, before: Client | None, token_file: str | None, deliver: Deliver | None, *, replaces: bool
) -> str | None:
    """Mint a secret, write the client, and hand the secret out; all of it, or the register is as it was `before`.

    A token file that a running session looks at changes last: what it then says is in the register.
    """
    credential = credentials.mint(client.name)
    client.secrets.append(credentials.hashed(credential))
    if deliver is not None:
        _write(client)
        try:
            deliver(client, credential)
        except BaseException:
            _put_back(client, before)
            raise
        return None
    if token_file is None:
        token_file = default_token_file(client.name)
        try:
            places.private_directory(places.directory("config"))
            places.private_directory(os.path.dirname(token_file))
        except OSError as error:
            raise ClientError(f"no token file can be written: {_why(error)}; nothing was changed") from None
    file = TokenFile(token_file, credential, (lambda text: is_secret_of(text, client.name)) if replaces else None)
    try:
        _write(client)
    except BaseException:
        file.withdraw()
        raise
    try:
        file.publish()
    except BaseException:
        _put_back(client, before)
        raise
    return file.path


def _write(client: Client) -> None:
    if len(strict_json.encode(client.document())) > clients.MAX_SIZE:
        raise ClientError(
            f"client {client.name} has more scopes, roles and servers than a record can hold; use wildcards or a role"
        )
    try:
        clients.write(client)
    except OSError as error:
        raise ClientError(f"the register cannot be written: {_why(error)}; nothing was changed") from None


def _put_back(client: Client, before: Client | None) -> None:
    try:
        if before is None:
            os.unlink(clients.path_of(client.name))
        else:
            clients.write(before)
    except OSError as error:
        again = "rotate" if before is not None and before.revoked is None else "revoke"
        raise ClientError(
            f"the secret was not handed out, and the register cannot be put back: {_why(error)}; run: stdioguard client {again} "
            f"{client.name}"
        ) from None


def _why(error: OSError) -> str:
    if error.strerror is None:
        return str(error)
    return f"{error.filename}: {error.strerror}" if error.filename else f"{clients.folder()}: {error.strerror}"


def _forerunner(name: str, now: float) -> Client | None:
    """Return the client that had the name before and is none any more. Raises `ClientError` where the name is taken."""
    alike = clients.find(name)
    if alike is None:
        return None
    if alike != name:
        raise ClientError(f"there is a client {alike} already, which differs in case only; use another name")
    before = clients.read(name)
    if before.state(now) == "active":
        raise ClientError(
            f"there is a client {name} already; for a new secret: stdioguard client rotate {name}, to end it: stdioguard client "
            f"revoke {name}"
        )
    return before


@contextlib.contextmanager
def _locked() -> Iterator[None]:
    """Hold the register's lock. It goes with the process, however that ends (flock(2))."""
    path = os.path.join(clients.folder(), ".lock")
    try:
        places.private_directory(places.directory("config"))
        places.private_directory(clients.folder())
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ClientError(f"the register cannot be written: {_why(error)}; nothing was changed") from None
    try:
        deadline = time.monotonic() + LOCK_WAIT
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise ClientError(
                        f"another stdioguard command has held {path} for {LOCK_WAIT:.0f} seconds; end it, then try again; "
                        "nothing was changed"
                    ) from None
                time.sleep(0.02)
        yield
    finally:
        os.close(descriptor)
