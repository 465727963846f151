"""Run things under a system-call filter: single calls, or whole programs, with a stand-in for the broker.

The stand-in answers each trapped call as a test says: it lets it go on, or makes it fail with an errno that nothing else gives. Going on is
what the real broker never does; here it shows that programs live with the filter.
"""

from __future__ import annotations

import array
import ctypes
import os
import select
import signal
import socket
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from stdioguard.sandbox.linux import trapped

TRAPPED = 117
"""EUCLEAN: what the stand-in answers where a test wants to see that a call was trapped."""

_NEW_LISTENER, _WAIT_KILLABLE = 8, 32
_SECCOMP = {"x86_64": 317, "aarch64": 277}[os.uname().machine]

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


@dataclass
class Outcome:
    """What became of a call: its result and errno, or the signal that killed the process."""

    result: int = 0
    errno: int = 0
    signal: int = 0


@dataclass
class Run:
    """What became of a program, and which calls it was stopped at."""

    status: int
    output: str
    trapped: list[int] = field(default_factory=list)


Answer = Callable[[int], int]
"""From the number of a trapped call to the errno that it fails with, or 0: it goes on."""


def go_on(_number: int) -> int:
    return 0


def say_trapped(_number: int) -> int:
    return TRAPPED


def syscall(number: int, *arguments: int) -> tuple[int, int]:
    """Make a system call and return its result and errno."""
    ctypes.set_errno(0)
    result = _libc.syscall(ctypes.c_long(number), *[ctypes.c_ulong(value & (1 << 64) - 1) for value in arguments])
    return result, ctypes.get_errno()


def install(program: bytes, flags: int) -> int:
    """Install a filter in this process; return the listener, or 0."""
    code = ctypes.create_string_buffer(program, len(program))
    header = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(program) // 8, ctypes.addressof(code)))
    result, errno = syscall(_SECCOMP, 1, flags, ctypes.addressof(header))
    if result < 0:
        raise OSError(errno, os.strerror(errno))
    return result


def enter(programs: Sequence[bytes], channel: socket.socket) -> None:
    """In a child: install filters, and hand the listener of the first over."""
    if not programs:
        channel.close()
        return
    if _libc.prctl(38, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "no_new_privs")
    listener = install(programs[0], _NEW_LISTENER | _WAIT_KILLABLE)
    channel.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [listener]))])
    os.close(listener)
    for program in programs[1:]:
        install(program, 0)
    channel.close()


def outcome(
    programs: Sequence[bytes], action: Callable[[], tuple[int, int]], answer: Answer = say_trapped, *, alone: bool = False
) -> Outcome:
    """Return what becomes of `action` (which returns result and errno) in a process of its own under `programs`.

    `alone` gives it a session of its own.
    """
    read, write = os.pipe()

    def child() -> None:
        os.write(write, struct.pack("qi", *action()))

    pid, channel = _fork(programs, child, alone=alone)
    os.close(write)
    _serve(pid, channel, answer, bool(programs))
    status = os.waitpid(pid, 0)[1]
    said = os.read(read, 64)
    os.close(read)
    if os.WIFSIGNALED(status):
        return Outcome(signal=os.WTERMSIG(status))
    assert len(said) == struct.calcsize("qi"), f"the child ended with {status} and said {said!r}"
    result, errno = struct.unpack("qi", said)
    return Outcome(result, errno if result == -1 else 0)


def calls(
    programs: Sequence[bytes], wanted: Sequence[tuple[int, ...]], answer: Answer = say_trapped, *, alone: bool = True
) -> list[Outcome]:
    """Make several calls (number and arguments) in one process, one after the other."""
    read, write = os.pipe()

    def child() -> None:
        for number, *arguments in wanted:
            os.write(write, struct.pack("qi", *syscall(number, *arguments)))

    pid, channel = _fork(programs, child, alone=alone)
    os.close(write)
    _serve(pid, channel, answer, bool(programs))
    status = os.waitpid(pid, 0)[1]
    said = b"".join(iter(lambda: os.read(read, 65536), b""))
    os.close(read)
    assert status == 0, f"the child ended with status {status} after {len(said) // 12} of {len(wanted)} calls"
    return [Outcome(result, errno if result == -1 else 0) for result, errno in struct.iter_unpack("=qi", said)]


def run(programs: Sequence[bytes], argv: Sequence[str], *, cwd: str, environment: dict[str, str], answer: Answer = go_on) -> Run:
    """Run a program under the filters to its end and return what it wrote."""
    read, write = os.pipe()

    def child() -> None:
        os.dup2(write, 1)
        os.dup2(write, 2)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.execvpe(argv[0], list(argv), environment)

    seen: list[int] = []

    def remembered(number: int) -> int:
        seen.append(number)
        return answer(number)

    pid, channel = _fork(programs, child, cwd=cwd)
    os.close(write)
    chunks: list[bytes] = []
    _serve(pid, channel, remembered, bool(programs), output=(read, chunks))
    status = os.waitpid(pid, 0)[1]
    os.set_blocking(read, False)
    try:
        while chunk := os.read(read, 65536):
            chunks.append(chunk)
    except BlockingIOError:
        pass
    os.close(read)
    return Run(status, b"".join(chunks).decode(errors="replace"), seen)


def _fork(
    programs: Sequence[bytes], child: Callable[[], None], *, alone: bool = False, cwd: str | None = None
) -> tuple[int, socket.socket]:
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        try:
            ours.close()
            if cwd is not None:
                os.chdir(cwd)
            if alone:
                os.setsid()
            enter(programs, theirs)
            child()
            os._exit(0)
        except BaseException as error:
            os.write(2, f"in the child: {error!r}\n".encode())
            os._exit(99)
    theirs.close()
    return pid, ours


def _serve(
    pid: int, channel: socket.socket, answer: Answer, filtered: bool, output: tuple[int, list[bytes]] | None = None
) -> None:
    """Answer trapped calls until the process and all that it started have gone."""
    listener = -1
    if filtered:
        _, ancillary, _, _ = channel.recvmsg(1, socket.CMSG_SPACE(4))
        if ancillary:
            listener = struct.unpack("i", ancillary[0][2])[0]
    channel.close()
    poll = select.poll()
    if listener >= 0:
        poll.register(listener, select.POLLIN)
    ended = os.pidfd_open(pid)
    poll.register(ended, select.POLLIN)
    if output is not None:
        poll.register(output[0], select.POLLIN)
    alive = True
    while alive:
        for descriptor, event in poll.poll(60_000) or _give_up(pid):
            if descriptor == ended:
                alive = False
            elif output is not None and descriptor == output[0]:
                chunk = os.read(descriptor, 65536) if event & select.POLLIN else b""
                output[1].append(chunk)
                if not chunk:
                    poll.unregister(descriptor)
            elif event & select.POLLIN:
                _answer(listener, answer)
            else:
                poll.unregister(descriptor)
    os.close(ended)
    if listener >= 0:
        os.close(listener)


def _give_up(pid: int) -> list[tuple[int, int]]:
    os.kill(pid, signal.SIGKILL)
    raise AssertionError("nothing happened for a minute")


def _answer(listener: int, answer: Answer) -> None:
    import fcntl

    request = bytearray(80)
    try:
        fcntl.ioctl(listener, trapped.NOTIF_RECV, request)
        identifier, _pid, _flags, number, arch, *_ = struct.unpack(trapped.NOTIF, request)
        assert arch == trapped.AUDIT_ARCH[os.uname().machine]
        errno = answer(number)
        response = struct.pack(trapped.NOTIF_RESP, identifier, 0, -errno, 0 if errno else trapped.RESP_CONTINUE)
        fcntl.ioctl(listener, trapped.NOTIF_SEND, response)
    except FileNotFoundError:
        pass  # the process has gone meanwhile
