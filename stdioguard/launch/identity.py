"""Who may speak in the session: the launch's credential, taken out of the environment, and whether a client must prove itself at all."""

from __future__ import annotations

import os
import select
import sys
import time

from stdioguard.launch.errors import REFUSED, LaunchError
from stdioguard.policy import places

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from stdioguard.identity.authenticator import Authenticator
    from stdioguard.policy.policy import Policy
    from stdioguard.sandbox.ownership import Checker

VARIABLE = "STDIOGUARD_TOKEN"
SERVER_VARIABLE = "MCP_SHARED_SECRET"

_PATIENCE = 2.0
"""Seconds that a client that is refused has to ask something, so that it is told by an answer and not only by our end."""
_MAX_TOKEN_FILE = 16 << 10


class NotAuthenticated(LaunchError):  # noqa: N818 - a decision, shown to the user
    """A launch whose client is nobody. Its first requests are answered before it ends; `why` is for the record."""

    def __init__(self, text: str, why: str) -> None:
        super().__init__(REFUSED, text)
        self.why = why


def take_token(own: dict[str, str]) -> str | None:
    """Take the token out of the environment: out of `own`, out of what children would inherit, and out of `/proc/PID/environ`."""
    token = own.pop(VARIABLE, None)
    if token is None:
        return None
    os.environ.pop(VARIABLE, None)
    if sys.platform == "linux":
        from stdioguard.sandbox.linux import memory  # noqa: PLC0415 - where there is a token

        memory.forget_variable(VARIABLE)
    return token or None


def authenticator(
    policy: Policy, server: str, *, only: str | None, token_file: str | None, token: str | None, checker: Checker
) -> Authenticator | None:
    """Return what authenticates the clients of `server`, or `None` where every client is served.

    `only`, `token_file` and `token` are what the launch was given. Raises `NotAuthenticated` where its credential is not good, and
    `PermissionRefused` where others could read the file.
    """
    said: str | None = policy.handshake["client"]
    given = only is not None or token_file is not None
    if said == "off" and not given:
        return None
    if said is None and not given and not policy.issuers and not _is_registered(server):
        return None
    from stdioguard.identity.authenticator import Authenticator  # noqa: PLC0415 - where clients are told apart

    if sys.platform == "linux":
        from stdioguard.sandbox.linux import kernel  # noqa: PLC0415 - where there will be a credential in memory

        kernel.prctl(kernel.PR_SET_DUMPABLE, 0)
    ask = None
    if policy.issuers:
        from stdioguard.launch import keys  # noqa: PLC0415 - where tokens of others are accepted

        ask = keys.KeyKeeper(policy.issuers).ask if keys.wanted(policy.issuers) else None
    found = Authenticator(
        server,
        required=given or said != "optional",
        roles=policy.roles,
        issuers=policy.issuers,
        only=only,
        read_launch=_reader(token_file, token, checker),
        ask_for_keys=ask,
    )
    why = found.admit()
    if why:
        # The reason is the guard's to know: what is shown is the same for every wrong credential.
        raise NotAuthenticated(
            f'not authenticated: the client\'s token is not good for the server "{server}"; '
            "the record says why, and stdioguard token inspect",
            why,
        )
    return found


def _is_registered(server: str) -> bool:
    """Tell whether some client, revoked ones too, is registered for the server.

    A register that cannot be read, or that others could have changed, is one with clients: who removes them must not open the door.
    """
    folder = os.path.join(places.directory("config"), "clients")
    try:
        entries = os.listdir(folder)
        status = os.lstat(folder)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    if status.st_uid != os.geteuid() or status.st_mode & 0o170022 != 0o040000:
        return True
    if not any(entry.endswith(".json") for entry in entries):
        return False
    from stdioguard.identity import clients  # noqa: PLC0415 - where there are some

    try:
        return any(client.serves(server) for client in clients.everyone())
    except clients.ClientError:
        return True


class _TokenFile:
    """A file with a credential in it, read again when it has changed."""

    def __init__(self, path: str, checker: Checker) -> None:
        self.path = path
        self._checker: Checker | None = checker

    def __call__(self, before: object) -> tuple[str, object] | None:
        """Return the credential and a mark of the file's state, or `None` where that is the one `before`, or the file cannot be read."""
        try:
            if self._checker is not None:
                # With everything above it, once: who can change a folder there can change it under any check.
                checked = self._checker.opened(self.path, "the token file", private=True)
                self._checker, descriptor, self.path = None, checked.fd, checked.realpath
            else:
                descriptor = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            if before is None:
                raise LaunchError(REFUSED, f"the token file {self.path} cannot be read: {error.strerror}") from None
            return None
        try:
            status = os.fstat(descriptor)
            mark = (status.st_dev, status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_size)
            if status.st_nlink > 1 and before is None:
                text = f"the token file {self.path} has another name too, by which the server might read it; make it anew, by its one name"
                raise LaunchError(REFUSED, text)
            if (
                mark == before
                or status.st_nlink > 1
                or status.st_uid not in (0, os.geteuid())
                or status.st_mode & 0o170077 != 0o100000
            ):
                return None
            data = os.read(descriptor, _MAX_TOKEN_FILE)
        finally:
            os.close(descriptor)
        return data.decode("utf-8", "replace").removesuffix("\n").removesuffix("\r"), mark


def _reader(token_file: str | None, token: str | None, checker: Checker) -> Callable[[object], tuple[str, object] | None] | None:
    """Return what reads the launch's credential, a file or once the variable's; `None` where the launch brings none."""
    if token_file is not None:
        return _TokenFile(os.path.abspath(token_file), checker)
    if token is None:
        return None
    held = [token]

    def once(before: object) -> tuple[str, object] | None:
        return (held.pop(), VARIABLE) if held and before is None else None

    return once


def answer_refusals() -> None:
    """Answer what a refused client asks first, on the standard streams, with the one error that there is."""
    from stdioguard.guard import answers  # noqa: PLC0415 - for clients that are nobody
    from stdioguard.guard.gates.identity import RULE  # noqa: PLC0415
    from stdioguard.guard.verdicts import NOT_AUTHENTICATED  # noqa: PLC0415
    from stdioguard.wire import strict_json  # noqa: PLC0415
    from stdioguard.wire.errors import MalformedError  # noqa: PLC0415
    from stdioguard.wire.framing import FrameReader, Oversized  # noqa: PLC0415
    from stdioguard.wire.messages import Request, Response, parse  # noqa: PLC0415

    error = answers.error(NOT_AUTHENTICATED, RULE, "not authenticated")
    frames = FrameReader()
    deadline = time.monotonic() + _PATIENCE
    answered = False
    try:
        while not answered and select.select([0], [], [], max(0.0, deadline - time.monotonic()))[0]:
            data = os.read(0, 1 << 16)
            if not data:
                return
            for frame in frames.feed(data):
                try:
                    message = parse(frame) if not isinstance(frame, Oversized) else None
                except MalformedError:
                    continue
                if isinstance(message, Request):
                    line = strict_json.encode(Response(message.id, error=error).envelope())
                    os.write(1, line.encode("ascii") + b"\n")
                    answered = message.method != "server/discover"  # a client that only probed goes on to `initialize`
    except OSError:
        return
