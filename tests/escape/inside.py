"""What several attempts do, on the attacker's side."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import signal
import time
from typing import TYPE_CHECKING

from .kernel import AT_FDCWD, call

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def read(path: str, folder: int | None = None) -> bytes:
    """Return the first bytes of a file."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK, dir_fd=folder)
    try:
        return os.read(descriptor, 8192)
    finally:
        os.close(descriptor)


def write(path: str, text: str = "changed\n", flags: int = os.O_WRONLY | os.O_CREAT, mode: int = 0o644) -> str:
    """Write a file, made where it is not there."""
    descriptor = os.open(path, flags | os.O_NONBLOCK, mode)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)
    return "written"


def reach(what: Callable[[], object], *also: str) -> str:
    """Do something whose success would be too much; some errors also show that the kernel got as far as looking at the arguments."""
    try:
        what()
    except OSError as error:
        if errno.errorcode.get(error.errno or 0) in also:
            return f"reached: {error}"
        raise
    return "done"


def renameat2(old: str, new: str, flags: int) -> int:
    return call("renameat2", AT_FDCWD, os.fsencode(old), AT_FDCWD, os.fsencode(new), flags)


def openat2(path: str, flags: int = os.O_RDONLY, resolve: int = 0, folder: int = AT_FDCWD) -> int:
    """Open with openat2(2) and return the descriptor."""
    how = (ctypes.c_uint64 * 3)(flags, 0, resolve)
    return call("openat2", folder, os.fsencode(path), how, ctypes.sizeof(how))


def linkat(old: int | str, new: str, flags: int = 0) -> int:
    """Make a hard link to a path, or to what a descriptor stands for."""
    if isinstance(old, int):
        return call("linkat", old, b"", AT_FDCWD, os.fsencode(new), flags)
    return call("linkat", AT_FDCWD, os.fsencode(old), AT_FDCWD, os.fsencode(new), flags)


def output(*command: str, timeout: float = 3.0) -> bytes:
    """Run a program and return what it prints, errors with it. Raises `OSError` where it cannot be run at all."""
    reading, writing = os.pipe()
    failure, report = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.dup2(writing, 1)
            os.dup2(writing, 2)
            os.execvp(command[0], command)
        except OSError as error:
            os.write(report, str(error.errno or 5).encode())
        finally:
            os._exit(127)
    os.close(writing)
    os.close(report)
    number = os.read(failure, 16)
    os.close(failure)
    signal.alarm(int(timeout) + 1)
    found = b""
    while chunk := os.read(reading, 8192):
        found += chunk
    os.close(reading)
    os.waitpid(pid, 0)
    signal.alarm(0)
    if number:
        raise OSError(int(number), os.strerror(int(number)), command[0])
    return found


def in_child(what: Callable[[], object]) -> str:
    """Do something in a child of its own (a namespace made in it ends with it). Raises its `OSError`."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            what()
            os.write(writing, b"0")
        except OSError as error:
            os.write(writing, str(error.errno or 5).encode())
        finally:
            os._exit(0)
    os.close(writing)
    text = os.read(reading, 16)
    os.close(reading)
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        os.kill(os.getpid(), os.WTERMSIG(status))
    number = int(text or b"5")
    if number:
        raise OSError(number, os.strerror(number))
    return "done"


@contextlib.contextmanager
def meanwhile(what: Callable[[int], object]) -> Iterator[None]:
    """Do something over and over, in a process of its own, with the number of the turn."""
    pid = os.fork()
    if pid == 0:
        try:
            turn = 0
            while True:
                turn += 1
                what(turn)
        finally:
            os._exit(0)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def for_a_moment() -> Iterator[int]:
    """Count for as long as a race is worth trying: long enough to be won on a slow machine without a sandbox."""
    end = time.monotonic() + 0.25
    turn = 0
    while time.monotonic() < end:
        yield turn
        turn += 1


def parent_of(pid: int | str) -> int:
    """Return the parent of a process."""
    with open(f"/proc/{pid}/stat") as file:
        return int(file.read().rpartition(")")[2].split()[1])


def libc_call(name: str, *arguments: object) -> int:
    """Call a C library function that returns -1 for failure. Raises `OSError`."""
    from .kernel import libc

    result = int(getattr(libc, name)(*arguments))
    if result == -1:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result
