"""Start the server's process with as little of the guard's as can be: no descriptors, no privileges to gain, no terminal, no core.

The guard forks and sets the child up itself (rather than through `subprocess`) because each step must happen in the child, in this
order, on the thread that calls exec, and because it is the place where the sandbox goes.
"""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import signal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import NoReturn

# include/uapi/linux/prctl.h
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_NO_NEW_PRIVS = 38

_PIPE_SIZE = 1 << 20
_LINUX = sys.platform == "linux"


class Child:
    """A started server: its process id, and the guard's ends of its standard streams."""

    __slots__ = ("pid", "stderr", "stdin", "stdout")

    def __init__(self, pid: int, stdin: int, stdout: int, stderr: int) -> None:
        self.pid = pid
        self.stdin = stdin
        self.stdout = stdout
        self.stderr = stderr


def adopt_orphans() -> None:
    """Make this process the parent of every descendant that loses its own (prctl(2), PR_SET_CHILD_SUBREAPER).

    A server's daemon then stays where the shutdown finds it. Only Linux has this.
    """
    if _LINUX:
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def limits(memory: int | None, processes: int | None) -> list[tuple[int, int]]:
    """Return the resource limits of a server as `(resource, value)`.

    `memory` bytes limit the data segment, not the address space: V8 and Go reserve far more than they use. `processes` is on top of
    what the user runs already, since RLIMIT_NPROC counts all of a user's threads (getrlimit(2)); root is exempt from it.
    """
    wanted = [(resource.RLIMIT_CORE, 0)]
    if memory is not None:
        wanted.append((resource.RLIMIT_DATA, memory))
    if processes is not None and _LINUX:
        wanted.append((resource.RLIMIT_NPROC, _threads_of_user() + processes))
    return wanted


def _threads_of_user() -> int:
    user = os.getuid()
    count = 0
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                if os.stat(f"/proc/{entry}").st_uid == user:
                    count += os.stat(f"/proc/{entry}/task").st_nlink - 2
            except OSError:
                continue
    return count


def start(
    program: str, argv: list[str], environment: Mapping[str, str], wanted_limits: list[tuple[int, int]], umask: int
) -> Child:
    """Start `program` and return when it has been executed. Raises `OSError` where it cannot be."""
    stdin, to_server = _pipe()
    from_server, stdout = _pipe()
    from_errors, stderr = _pipe()
    failure, report = _pipe()
    prctl = _prctl_function()
    guard = os.getpid()
    pid = os.fork()
    if pid == 0:
        _become(
            program, argv, environment, wanted_limits, umask,
            streams=(stdin, stdout, stderr), report=report, guard=guard, prctl=prctl,
        )  # fmt: skip
    for descriptor in (stdin, stdout, stderr, report):
        os.close(descriptor)
    data = b""
    while chunk := os.read(failure, 64):
        data += chunk
    os.close(failure)
    if data:
        os.waitpid(pid, 0)
        for descriptor in (to_server, from_server, from_errors):
            os.close(descriptor)
        code = int(data)
        raise OSError(code, os.strerror(code), program)
    os.set_blocking(to_server, False)
    return Child(pid, to_server, from_server, from_errors)


def _pipe() -> tuple[int, int]:
    """Make a pipe whose ends are above the standard descriptors, even where the guard was started without some of these."""
    import fcntl  # noqa: PLC0415 - with its only use

    ends = []
    for end in os.pipe():
        high = fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10)
        os.close(end)
        ends.append(high)
    if _LINUX:
        try:
            fcntl.fcntl(ends[1], fcntl.F_SETPIPE_SZ, _PIPE_SIZE)
        except OSError:
            pass  # above the user's quota (pipe(7)): the default size does
    return ends[0], ends[1]


def _become(
    program: str,
    argv: list[str],
    environment: Mapping[str, str],
    wanted_limits: list[tuple[int, int]],
    umask: int,
    *,
    streams: tuple[int, int, int],
    report: int,
    guard: int,
    prctl: ctypes._FuncPointer | None,
) -> NoReturn:
    """In the child: give up what the server shall not have, and execute it. Never returns."""
    try:
        os.setsid()
        for number, descriptor in enumerate(streams):
            os.dup2(descriptor, number, inheritable=True)
        os.dup2(report, 3, inheritable=False)
        _close_from(4)
        report = 3
        signal.set_wakeup_fd(-1)
        _default_signals()
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        os.umask(umask)
        for kind, value in wanted_limits:
            hard = resource.getrlimit(kind)[1]
            limit = value if hard == resource.RLIM_INFINITY else min(value, hard)
            resource.setrlimit(kind, (limit, limit))
        if prctl is not None:
            _checked(prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
            _checked(prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0))
            if os.getppid() != guard:
                os._exit(1)  # the guard died before the signal was asked for
        os.execve(program, argv, environment)  # noqa: S606 - a shell is the last thing wanted here
    except OSError as error:
        os.write(report, str(error.errno or errno.EIO).encode())
    except BaseException:  # noqa: BLE001 - nothing may escape into a second copy of the guard
        os.write(report, str(errno.EIO).encode())
    finally:
        os._exit(127)


def _default_signals() -> None:
    """Undo what was ignored, by the guard or by whoever started it: an ignored signal stays ignored across exec."""
    for number in range(1, signal.NSIG):
        try:
            signal.signal(number, signal.SIG_DFL)
        except (OSError, ValueError):
            continue  # SIGKILL, SIGSTOP, and those that the C library keeps to itself


def _close_from(lowest: int) -> None:
    if _LINUX:
        os.closerange(lowest, (1 << 31) - 1)  # one system call, close_range(2)
        return
    for name in os.listdir("/dev/fd"):
        if int(name) >= lowest:
            try:
                os.close(int(name))
            except OSError:
                continue


def _prctl_function() -> ctypes._FuncPointer | None:
    if not _LINUX:
        return None
    function = ctypes.CDLL(None, use_errno=True).prctl
    function.argtypes = (ctypes.c_int, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong)
    function.restype = ctypes.c_int
    return function


def _prctl(option: int, value: int) -> None:
    function = _prctl_function()
    if function is not None:
        _checked(function(option, value, 0, 0, 0))


def _checked(result: int) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
