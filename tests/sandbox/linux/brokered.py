"""Run things under the broker as a launch does: one process that answers, its child that calls.

    test ── fork ──> the broker's process ── fork ──> the caller, under a filter that traps

The same runs *bare*, without filter and broker, so that results, errnos and what is left on disk can be compared.
"""

from __future__ import annotations

import array
import ctypes
import fcntl
import os
import pickle
import select
import shutil
import signal
import socket
import stat
import struct
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from stdioguard.sandbox.linux import landlock, trapped
from stdioguard.sandbox.linux.broker import Broker
from stdioguard.sandbox.patterns import Fence
from tests.sandbox.linux import filtered

MACHINE = os.uname().machine
NUMBERS = trapped.NUMBERS[MACHINE]
_FREE = {"inotify_init1": {"x86_64": 294, "aarch64": 26}[MACHINE]}
"""Of calls that are not trapped."""
NOBODY = 65534
AT_FDCWD = -100

_ALLOW, _NOTIFY = 0x7FFF0000, 0x7FC00000
_SUBREAPER, _DUMPABLE, _NO_NEW_PRIVS = 36, 4, 38
_libc = ctypes.CDLL(None, use_errno=True)


def program(names: Iterable[str], *, reads: bool = True) -> bytes:
    """Return a filter that traps calls by name; of opens, all but references (O_PATH), or without `reads` those alone that change something."""
    lines = [(0x20, 0, 0, 0)]  # load the number
    for name in names:
        if name not in NUMBERS:
            continue
        if name in ("open", "openat"):
            flags = 16 + 8 * (1 if name == "open" else 2)
            changes = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
            lines += [
                (0x15, 0, 5, NUMBERS[name]),
                (0x20, 0, 0, flags),
                (0x45, 2, 0, os.O_PATH),
                (0x05, 0, 0, 0) if reads else (0x45, 0, 1, changes),
                (0x06, 0, 0, _NOTIFY),
                (0x06, 0, 0, _ALLOW),
            ]
        else:
            lines += [(0x15, 0, 1, NUMBERS[name]), (0x06, 0, 0, _NOTIFY)]
    lines.append((0x06, 0, 0, _ALLOW))
    return b"".join(struct.pack("HBBI", *line) for line in lines)


ALL = tuple(name for name in NUMBERS if name not in trapped.SIGNALS)


@dataclass
class Setting:
    """What the broker is made with. `programs` are filters in place of the one that traps `names`.

    With `domain` a Landlock domain lets the broker and the caller read these paths and /proc, and nothing else.
    """

    deny: Sequence[str] = ()
    protected: Sequence[str] = ()
    readable: Sequence[str] = ()
    writable: Sequence[str] = ("/",)
    private: Sequence[str] = ()
    sockets: Sequence[str] = ()
    inet: tuple[str, int] | str | None = "any"
    names: Sequence[str] = ALL
    reads: bool = True
    user: int | None = None
    programs: list[bytes] | None = None
    domain: Sequence[str] | None = None


@dataclass
class Result:
    """What the caller returned, how it ended, and what the broker told."""

    value: Any
    status: int
    told: list[dict[str, str]] = field(default_factory=list)


def run(action: Callable[[], Any], setting: Setting | None, *, user: int | None = None) -> Result:
    """Run `action` in a process of its own: under the broker that `setting` describes, or bare. Its value is pickled."""
    read, write = os.pipe()
    events, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        status = 98
        try:
            os.close(read)
            os.close(events)
            status = _supervise(action, setting, user, write, tell)
        except BaseException as error:
            os.write(2, f"in the broker's process: {error!r}\n".encode())
        finally:
            os._exit(status)
    os.close(write)
    os.close(tell)
    said = _drain(read)
    told = _drain(events)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    import json

    return Result(pickle.loads(said) if said else None, status, [json.loads(line) for line in told.splitlines()])


def _drain(descriptor: int) -> bytes:
    chunks = []
    while chunk := os.read(descriptor, 1 << 16):
        chunks.append(chunk)
    os.close(descriptor)
    return b"".join(chunks)


def become(user: int | None) -> None:
    """Give up root for a user. A process that did so cannot be looked into until it says that it may."""
    if user is not None and os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
        _libc.prctl(_DUMPABLE, 1, 0, 0, 0)


def _supervise(action: Callable[[], Any], setting: Setting | None, user: int | None, write: int, tell: int) -> int:
    become(user)
    _libc.prctl(_SUBREAPER, 1, 0, 0, 0)
    os.umask(0o022)
    if setting is not None and setting.domain is not None:
        _enter_domain(setting.domain)
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        try:
            ours.close()
            os.close(tell)
            # Actions use numbers that they choose, however many files the test's own process has open.
            write = fcntl.fcntl(write, fcntl.F_DUPFD_CLOEXEC, 500)
            os.setsid()
            programs = []
            if setting is not None:
                programs = setting.programs or [program(setting.names, reads=setting.reads)]
            filtered.enter(programs, theirs)
            os.write(write, pickle.dumps(action()))
            os._exit(0)
        except BaseException as error:
            os.write(2, f"in the caller: {type(error).__name__} {error}\n".encode())
            os._exit(99)
    os.close(write)
    theirs.close()
    if setting is None:
        os.close(tell)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) & 0xFF
    made = Broker(
        Fence(setting.deny, setting.protected),
        readable=list(setting.readable),
        writable=list(setting.writable),
        private=list(setting.private),
        sockets=list(setting.sockets),
        inet=setting.inet,
        report=tell,
    )
    _, ancillary, _, _ = ours.recvmsg(1, socket.CMSG_SPACE(4))
    ours.close()
    listener = array.array("i", ancillary[0][2])[0]
    before = _open_files()
    status = serve(made, listener, pid)
    left = {number: what for number, what in _open_files().items() if before.get(number) != what}
    assert not left, f"the broker has left open: {left}"
    return status


def _enter_domain(paths: Sequence[str]) -> None:
    rules = landlock.Ruleset(landlock.ability(), files=landlock.WRITE)
    for path in ("/proc", *paths):
        rules.allow(path, landlock.READ)
    _libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0)
    rules.enforce()


def _open_files() -> dict[str, str]:
    found = {}
    for number in os.listdir("/proc/self/fd"):
        try:
            found[number] = os.readlink(f"/proc/self/fd/{number}")
        except FileNotFoundError:
            continue  # the listing's own
    return found


def serve(broker: Broker, listener: int, pid: int) -> int:
    """Answer until the process has ended; then kill what it has left. Return its status."""
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    ended = os.pidfd_open(pid)
    poll.register(ended, select.POLLIN)
    while True:
        ready = poll.poll(60_000)
        if not ready:
            os.kill(pid, signal.SIGKILL)
            raise AssertionError("nothing happened for a minute")
        for descriptor, event in ready:
            if descriptor == listener and event & select.POLLIN:
                broker.handle(listener)
            elif descriptor == listener:
                poll.unregister(listener)
            elif len(ready) == 1:
                status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) & 0xFF
                os.close(ended)
                with open(f"/proc/self/task/{os.getpid()}/children") as file:
                    for child in file.read().split():
                        os.kill(int(child), signal.SIGKILL)
                return status


# --- calls ---


def call(name: str, *arguments: int | bytes | str | None) -> tuple[int, int]:
    """Make a system call by name; return its result and errno. Texts are paths."""
    encoded: list[Any] = []
    for value in arguments:
        if isinstance(value, str):
            value = os.fsencode(value)
        encoded.append(ctypes.c_long(value) if isinstance(value, int) else value)
    ctypes.set_errno(0)
    result = int(filtered._libc.syscall(ctypes.c_long(NUMBERS.get(name) or _FREE[name]), *encoded))
    return result, ctypes.get_errno() if result == -1 else 0


def errno_of(name: str, *arguments: int | bytes | str | None) -> int:
    """Make a system call and return its errno, closing what it opened."""
    result, number = call(name, *arguments)
    if number == 0 and name in ("open", "openat", "creat"):
        os.close(result)
    return number


# --- trees ---


@contextmanager
def folder(user: int | None = None) -> Iterator[str]:
    """Make a folder that every user can get to, and that belongs to `user`."""
    path = os.path.realpath(tempfile.mkdtemp(prefix="brokered-"))
    os.chmod(path, 0o755)
    if user is not None and os.geteuid() == 0:
        os.chown(path, user, user)
    try:
        yield path
    finally:
        for at, names, _ in os.walk(path):
            for name in names:
                if not os.path.islink(f"{at}/{name}"):
                    os.chmod(f"{at}/{name}", 0o700)
        shutil.rmtree(path, ignore_errors=True)


def as_user(user: int | None, action: Callable[[], Any]) -> Any:
    """Run something as a user, bare."""
    result = run(action, None, user=user)
    assert result.status == 0
    return result.value


def snapshot(root: str) -> dict[str, tuple[Any, ...]]:
    """Return what is in a tree: for every name its type, mode, owner, links, contents, attributes and those times that somebody has set."""
    found: dict[str, tuple[Any, ...]] = {}
    inodes: dict[int, int] = {}

    def look(path: str) -> None:
        status = os.lstat(path)
        kind = stat.S_IFMT(status.st_mode)
        if closed := os.geteuid() != 0 and kind in (stat.S_IFREG, stat.S_IFDIR) and status.st_mode & 0o500 != 0o500:
            os.chmod(path, 0o700)
        content: Any = None
        if kind == stat.S_IFLNK:
            content = os.readlink(path).replace(root, "ROOT")
        elif kind == stat.S_IFREG:
            with open(path, "rb") as file:
                content = file.read()
        number = inodes.setdefault(status.st_ino, len(inodes))
        # The broker reads links, which is an access.
        accessed = () if kind == stat.S_IFLNK else (status.st_atime_ns,)
        times = tuple(ns for ns in (*accessed, status.st_mtime_ns) if ns < 10**18)
        attributes = (
            ()
            if kind in (stat.S_IFLNK, stat.S_IFIFO, stat.S_IFSOCK)
            else tuple((name, os.getxattr(path, name)) for name in sorted(os.listxattr(path)) if name.startswith("user."))
        )
        place = os.path.relpath(path, root)
        found[place] = (status.st_mode, status.st_uid, status.st_gid, number, status.st_nlink, content, attributes, times)
        if kind == stat.S_IFDIR:
            for name in sorted(os.listdir(path)):
                look(f"{path}/{name}")
        if closed:
            os.chmod(path, stat.S_IMODE(status.st_mode))

    look(root)
    return found
