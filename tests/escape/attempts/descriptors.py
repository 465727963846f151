"""Descriptors: those that the client left open, and those that the guard has."""

from __future__ import annotations

import os
import socket

from ..catalogue import attempt
from ..stakes import Inherited, Reached


@attempt(Inherited(), expected="EBADF")
def read_a_file_that_the_client_left_open(numbers: list[int]) -> bytes:
    return os.pread(numbers[0], 200, 0)


@attempt(Inherited(), expected="EBADF|ENOENT|ENOTDIR")
def read_below_a_folder_that_the_client_left_open(numbers: list[int]) -> bytes:
    return os.read(os.open("descriptor.txt", os.O_RDONLY, dir_fd=numbers[1]), 200)


@attempt(Inherited(), expected="EBADF|ENOTSOCK")
def write_to_a_socket_that_the_client_left_open(numbers: list[int]) -> int:
    return socket.socket(fileno=os.dup(numbers[2])).send(b"evil")


@attempt(Inherited(), expected="ok|EACCES")
def read_through_every_descriptor_there_is() -> bytes:
    found = b""
    for number in range(3, 1024):
        try:
            found += os.pread(number, 200, 0)
        except OSError:
            continue
    return found


class _Open(Reached):
    """Any descriptor but the standard ones and those that the attacker's own process has made."""

    def happened(self, outcome: dict[str, object]) -> bool:
        return any(f"'{number}'" in str(outcome["detail"]) for number in self.host.current.passed) if self.host.current else False


@attempt(_Open(), expected="ok|EACCES")
def list_ones_own_descriptors() -> list[str]:
    return [repr(name) for name in os.listdir("/proc/self/fd")]


@attempt(Inherited(), expected="ENOENT|EACCES")
def reopen_a_file_that_the_client_left_open(numbers: list[int]) -> bytes:
    return os.read(os.open(f"/proc/self/fd/{numbers[0]}", os.O_RDONLY), 200)


@attempt(
    Reached(),
    expected="EBADF|EINVAL|EPERM|EACCES",
    uncontrolled=dict.fromkeys(("root", "user"), ("EBADF", "there is no such descriptor without a sandbox")),
)
def answer_ones_own_trapped_calls() -> int:
    """A listener of a system-call filter that stayed open in the server would let it allow itself anything (seccomp_unotify(2))."""
    import fcntl

    last = OSError(9, "no listener")
    for number in range(3, 1024):
        try:
            return fcntl.ioctl(number, 0xC0502100, bytearray(80), True)  # SECCOMP_IOCTL_NOTIF_RECV
        except OSError as error:
            if error.errno not in (9, 25, 22):
                last = error
    raise last
