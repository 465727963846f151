"""The launch on Linux, seen from the guard, and the first steps of init.

    guard ── fork, into new namespaces where there are any ──> init ── fork ──> the server

Each restriction is applied on the thread that executes, in the one order that works. Init and the server have the same user, view
and Landlock domain; the server has one Landlock layer more, so that it cannot trace or signal init. What they tell the guard is
described in `setup`.
"""

from __future__ import annotations

import _socket  # the C half alone: `socket` costs the launch milliseconds
import fcntl
import json
import os
import signal

from stdioguard.sandbox.linux import filters, init, kernel, landlock, namespaces, view
from stdioguard.sandbox.linux.setup import NAMESPACES, OWNERS, Refused, Setup, options, say, wait_for_guard
from stdioguard.sandbox.signals import default_signals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, NoReturn

    from stdioguard.sandbox import guarantees
    from stdioguard.sandbox.plan import Plan

PROXY_PORT = 1080
"""The proxy's port inside a network namespace, where no other is taken."""


class Server:
    """A server to be started: on `streams`, telling refusals on the descriptor `tell`, with resource limits as `(kind, value)`."""

    def __init__(self, plan: Plan, streams: tuple[int, int, int], tell: int, umask: int, limits: list[tuple[int, int]]) -> None:
        self._plan = plan
        self._descriptors = (*streams, tell)
        self._umask = umask
        self._limits = limits

    def start(
        self, start_proxy: Callable[[int, str | None], None], *, isolated: bool
    ) -> tuple[int, int, dict[str, guarantees.State]]:
        """Start it and return when it has been executed: init's process id, its leash, and the guarantees that were proved.

        Init and all below it end when the leash, a descriptor, is closed. `isolated` asks for namespaces. `start_proxy` is given a
        listening socket, and a secret where others can reach that. Raises `Refused`, and `OSError` where the program cannot be executed.
        """
        plan = self._plan
        abi = landlock.ability()
        if not abi and not plan.waives("files"):
            raise Refused(
                "files", "the kernel has no Landlock, or it is switched off; use Linux 5.13 or newer with landlock in lsm="
            )
        programs, owners = self._made_before(abi, isolated=isolated)
        secret: str | None = None
        port = PROXY_PORT
        if plan.network and not isolated:
            listener = _listen(0)
            port, secret = listener.getsockname()[1], os.urandom(16).hex()
            start_proxy(listener.detach(), secret)
        if plan.network:
            plan.use_proxy(port, secret)
        setup = Setup(plan, self._umask, self._limits, programs, abi, isolated=isolated)
        pid, read, leash = self._fork(setup, owners)
        try:
            states = _follow(pid, read, leash, start_proxy)
        except BaseException:
            os.close(leash)
            _collect(pid)
            raise
        finally:
            os.close(read)
        return pid, leash, states

    def _made_before(self, abi: int, *, isolated: bool) -> tuple[list[bytes], int | None]:
        """Return the system-call filters, and the user namespace for mapped owners where these are wanted."""
        user = self._plan.user if isolated else None
        swap = namespaces.begin_swap() if user else None  # it has time to be made while the filters are found
        owners = None
        try:
            programs = _programs(self._plan, abi, isolated=isolated)
        finally:
            if swap and user:
                try:
                    owners = namespaces.finish_swap(swap, *user)
                except OSError as error:
                    raise Refused("identity", f"no user namespace for mapped owners: {error.strerror}") from None
        return programs, owners

    def _fork(self, setup: Setup, owners: int | None) -> tuple[int, int, int]:
        """Make init; return its process id, and the guard's ends of the report pipe and of the leash."""
        mapped = None if namespaces.is_privileged() else (os.geteuid(), os.getegid())
        read, report = os.pipe2(os.O_CLOEXEC)
        held, leash = os.pipe2(os.O_CLOEXEC)
        inherited = [*self._descriptors[:3], report, held, self._descriptors[3], *([] if owners is None else [owners])]
        try:
            pid = namespaces.fork(own_user=mapped is not None) if setup.isolated else os.fork()
        except OSError as error:
            os.close(read)
            os.close(leash)
            raise Refused(NAMESPACES if setup.isolated else "sandbox", f"{error.strerror}: {error.filename}") from None
        else:
            if pid == 0:
                _become_init(setup, inherited, mapped)
        finally:
            for descriptor in (report, held, *([] if owners is None else [owners])):
                os.close(descriptor)
        return pid, read, leash


def _follow(pid: int, read: int, leash: int, start_proxy: Callable[[int, str | None], None]) -> dict[str, guarantees.State]:
    """Follow a launch on its report pipe, to the end. Raises what the child says."""
    states: dict[str, guarantees.State] | None = None
    for line in _lines(read):
        said = json.loads(line)
        if "listener" in said:
            start_proxy(kernel.take_descriptor(pid, said["listener"]), None)
            os.write(leash, b"1")
        else:
            states = _outcome(said)
    if states is None:
        raise Refused("sandbox", "the child ended before it could say why")
    return states


def _outcome(said: dict[str, Any]) -> dict[str, guarantees.State]:
    """Return the guarantees that a child has proved, or raise what it says."""
    if "ready" in said:
        return {name: (state, how) for name, (state, how) in said["ready"].items()}
    if "errno" in said:
        raise OSError(said["errno"], os.strerror(said["errno"]), said["what"])
    raise Refused(said["failed"], said["why"])


def _lines(descriptor: int) -> Iterator[bytes]:
    held = b""
    while True:
        chunk = os.read(descriptor, 4096)
        held += chunk
        *lines, held = held.split(b"\n")
        yield from lines
        if not chunk:
            return


def _programs(plan: Plan, abi: int, *, isolated: bool) -> list[bytes]:
    try:
        return filters.programs(options(plan, abi, isolated=isolated), plan.seccomp)
    except filters.WrongProfile as error:
        raise Refused("syscalls", str(error)) from None  # a mistake in a file is mended, not waived
    except (OSError, filters.Unavailable) as error:
        if plan.waives("syscalls"):
            return []
        raise Refused("syscalls", str(error)) from None


def _collect(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    except (ProcessLookupError, ChildProcessError):
        pass


# --- in the child -------------------------------------------------------------------------------------------------------------


def _become_init(setup: Setup, descriptors: list[int], mapped: tuple[int, int] | None) -> NoReturn:
    """Be the child: take the descriptors, settle in the new namespaces, be init. Never returns."""
    step = "sandbox"
    try:
        for number, descriptor in enumerate(_above(descriptors)):
            os.dup2(descriptor, number, inheritable=number < 3)
        os.closerange(len(descriptors), (1 << 31) - 1)
        os.setsid()
        default_signals()
        os.umask(0o022)
        # A guard that holds a client's token allows no dump of itself, and then its children do not own their files in /proc.
        kernel.prctl(kernel.PR_SET_DUMPABLE, 1)
        if setup.isolated:
            step = NAMESPACES
            namespaces.settle(mapped)
            _enter_view(setup.plan, mapped=len(descriptors) > OWNERS)
        step = "sandbox"
        init.run(setup)
    except Refused as refusal:
        say(failed=refusal.step, why=str(refusal))
    except OSError as error:
        say(failed=step, why=f"{error.strerror}: {error.filename}" if error.filename else str(error.strerror or error))
    except BaseException as error:  # noqa: BLE001 - nothing may escape into a second copy of the guard
        say(failed=step, why=f"{type(error).__name__}: {error}")
    finally:
        os._exit(70)


def _above(descriptors: list[int]) -> list[int]:
    """Return copies of `descriptors` that none of the numbers from 0 on will overwrite."""
    return [fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 10) for descriptor in descriptors]


def _enter_view(plan: Plan, *, mapped: bool) -> None:
    """Leave the host's file system; `mapped` says that `OWNERS` tells whose the files are in the view."""
    parts = view.sources(plan)
    try:
        view.restrict(parts, OWNERS if mapped else None)
    except OSError as error:
        if not mapped:
            raise
        raise Refused("identity", f"owners cannot be mapped there: {error.filename}: {error.strerror}") from None
    if mapped:
        os.close(OWNERS)
    if plan.network:
        listener = _listen(PROXY_PORT)
        say(listener=listener.fileno())
        wait_for_guard()
        listener.close()
    view.enter(plan, parts)


def _listen(port: int) -> _socket.socket:
    listener = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
    listener.bind(("127.0.0.1", port))
    listener.listen(128)
    return listener
