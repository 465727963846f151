"""Proof, not promise: in the server's own process, with everything in force and before exec, each guarantee is tried to be broken.

A check returns by what means its guarantee holds, or raises `Failed`. Each tries something that works outside the sandbox: the canaries
are files of stdioguard's own that the same user can read, write and connect to.
"""

from __future__ import annotations

import _socket  # the C half alone: `socket` costs the launch milliseconds
import errno
import os

from stdioguard.sandbox import guarantees
from stdioguard.sandbox.linux import kernel, system

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from stdioguard.sandbox.guarantees import State
    from stdioguard.sandbox.plan import Plan

_HIDDEN = (errno.ENOENT, errno.EACCES, errno.EPERM)
_CANARY = ".stdioguard-canary"
_LONGEST_ADDRESS = 107  # bytes of a UNIX socket's path (unix(7), sun_path less its NUL)
_PLAIN = ".stdioguard-probe"
"""A name that no rule speaks of, so that what refuses it is the view and Landlock alone."""
_KEYCTL_GET_KEYRING_ID = 0
_PTRACE_TRACEME = 0


class Failed(Exception):  # noqa: N818 - a finding, not an error of the program
    """A guarantee that does not hold, though everything was set up."""

    def __init__(self, guarantee: str, why: str) -> None:
        super().__init__(why)
        self.guarantee = guarantee


class _Absent(Exception):  # noqa: N818
    """A guarantee that this configuration does not give."""


class _Probe:
    __slots__ = ("abi", "isolated", "plan")

    def __init__(self, plan: Plan, abi: int, *, isolated: bool) -> None:
        self.plan = plan
        self.abi = abi
        self.isolated = isolated


def run(plan: Plan, abi: int, *, isolated: bool) -> dict[str, State]:
    """Probe every guarantee; return the state of each. Raises `Failed` for the first that is neither there, optional nor waived."""
    probe = _Probe(plan, abi, isolated=isolated)
    found: dict[str, State] = {}
    for name, check in _CHECKS.items():
        try:
            found[name] = (guarantees.ENFORCED, check(probe))
        except (_Absent, OSError) as reason:
            if plan.waives(name):
                found[name] = (guarantees.WAIVED, str(reason))
            elif name in guarantees.OPTIONAL:
                found[name] = (guarantees.ABSENT, str(reason))
            else:
                raise Failed(name, str(reason)) from None
    return found


def _means(probe: _Probe) -> str:
    return " and ".join((["mount view"] if probe.isolated else []) + ([f"Landlock {probe.abi}"] if probe.abi else []))


def _files(probe: _Probe) -> str:
    _refused(lambda: os.close(os.open(probe.plan.canary, os.O_RDONLY | os.O_CLOEXEC)), _HIDDEN, "a file of stdioguard's was read")
    for folder in ("/usr", "/", os.path.dirname(probe.plan.program)):
        if probe.isolated and any(f"{folder}/".startswith(f"{scratch}/") for scratch in system.SCRATCH):
            continue  # in the view that is memory of the server's own, but for what is mounted there
        path = os.path.join(folder, _PLAIN)
        _not_created(path, (*_HIDDEN, errno.EROFS), f"a file was made in {folder}")
    if probe.isolated:
        root = os.stat("/")
        if (root.st_dev, root.st_ino) == probe.plan.host_root:
            raise _Absent("the root folder is the host's")
    path = os.path.join(probe.plan.tmp, _PLAIN)
    _create(path)  # the other way round: what is granted works, so the refusals above are no accident
    os.unlink(path)
    return _means(probe)


def _protected(probe: _Probe) -> str:
    for folder in probe.plan.write[:4]:
        if os.path.isdir(folder):
            path = os.path.join(folder, _CANARY)
            _not_created(path, (errno.EACCES,), f"a protected name was made in {folder}")
    return "system calls answered by init"


def _network(probe: _Probe) -> str:
    if probe.isolated:
        if os.readlink("/proc/self/ns/net") == probe.plan.host_network:
            raise _Absent("the network namespace is the host's")
        packet = _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM)
        # TEST-NET-1 (RFC 5737). connect(2) of a datagram socket sends nothing: it asks for a route.
        _refused(lambda: packet.connect(("192.0.2.1", 9)), (errno.ENETUNREACH,), "there is a route to other hosts")
        packet.close()
        return "network namespace"
    denied = (errno.EACCES, errno.EPERM, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT, errno.ESOCKTNOSUPPORT)
    _refused(lambda: _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM), denied, "a UDP socket was made")
    _refused(lambda: _socket.socket(_socket.AF_INET, _socket.SOCK_RAW, 1), denied, "a raw socket was made")
    _refused(lambda: _connect_tcp(9), denied, "a connection was tried")
    return "seccomp" if not probe.plan.network else "seccomp, connections made by init"


def _sockets(probe: _Probe) -> str:
    def reach(kind: int) -> None:
        client = _socket.socket(_socket.AF_UNIX, kind)
        path, folder = probe.plan.canary + ".sock", -1
        try:
            if len(os.fsencode(path)) > _LONGEST_ADDRESS:  # then it can be reached by way of its folder alone
                folder = os.open(os.path.dirname(path), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
                path = f"/proc/self/fd/{folder}/{os.path.basename(path)}"
            client.connect(path)
        finally:
            client.close()
            if folder >= 0:
                os.close(folder)

    denied = (*_HIDDEN, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT, errno.ESOCKTNOSUPPORT)
    _refused(lambda: reach(_socket.SOCK_STREAM), denied, "a socket of stdioguard's was reached")
    _refused(lambda: reach(_socket.SOCK_DGRAM), denied, "a datagram socket was made")
    return "mount view, connections made by init" if probe.isolated else "connections made by init"


def _syscalls(probe: _Probe) -> str:
    denied = (errno.EPERM, errno.ENOSYS)
    # The harmless ones first: the first that works ends the check, and without a filter what follows would have an effect.
    _refused(lambda: kernel.call("keyctl", _KEYCTL_GET_KEYRING_ID, -3, 1), denied, "a keyring was found")
    _refused(lambda: kernel.call("ptrace", _PTRACE_TRACEME, 0, 0, 0), denied, "ptrace was accepted")
    _refused(lambda: kernel.call("open_tree", kernel.AT_FDCWD, b"/", 1), denied, "a mount was cloned")
    _refused(lambda: kernel.unshare(kernel.CLONE_NEWUSER), denied, "a user namespace was made")
    return "seccomp"


def _privileges(probe: _Probe) -> str:
    if kernel.capabilities():
        raise _Absent(f"capabilities are left: {kernel.capabilities():#x}")
    if kernel.prctl(kernel.PR_GET_NO_NEW_PRIVS) != 1:
        raise _Absent("no_new_privs is not set")
    return "no_new_privs, no capabilities"


def _identity(probe: _Probe) -> str:
    if 0 in os.getresuid() or 0 in os.getresgid():
        raise _Absent(probe.plan.why_root or "it was started as root")
    return f"user {os.geteuid()}"


def _processes(probe: _Probe) -> str:
    if probe.isolated:
        if os.getppid() != 1:
            raise _Absent("the process is not in a pid namespace of its own")
        return "pid namespace"
    if probe.abi >= 6:
        _refused(lambda: os.kill(probe.plan.guard, 0), (errno.EPERM,), "the guard could be signalled")
        raise _Absent("no pid namespace: names and arguments of other processes can be read; tracing and signals are refused")
    raise _Absent("no pid namespace: names and arguments of other processes can be read; tracing is refused")


def _ipc(probe: _Probe) -> str:
    if probe.isolated:
        return "ipc namespace, /dev/shm of its own"
    raise _Absent("no ipc namespace")


_CHECKS: dict[str, Callable[[_Probe], str]] = {
    "files": _files,
    "protected": _protected,
    "network": _network,
    "sockets": _sockets,
    "syscalls": _syscalls,
    "privileges": _privileges,
    "identity": _identity,
    "processes": _processes,
    "ipc": _ipc,
}


def _create(path: str) -> None:
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))


def _not_created(path: str, expected: tuple[int, ...], otherwise: str) -> None:
    _refused(lambda: _create(path), expected, otherwise)


def _connect_tcp(port: int) -> None:
    client = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM)
    try:
        client.connect(("127.0.0.1", port))
    finally:
        client.close()


def _refused(attempt: Callable[[], object], expected: tuple[int, ...], otherwise: str) -> None:
    try:
        attempt()
    except OSError as error:
        if error.errno in expected:
            return
        raise _Absent(f"{otherwise}: {error.strerror}") from None
    raise _Absent(otherwise)
