"""Under a broker that forbids nothing, every call returns what it returns bare, and leaves the same on disk.

Two equal trees, one sequence of operations, run once bare and once with every call answered by the broker. What differs on purpose is
listed in `perform` and in the tests at the end.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import random
import re
import socket
import stat
from collections.abc import Sequence
from typing import Any

import pytest

from tests.sandbox.linux import brokered
from tests.sandbox.linux.brokered import AT_FDCWD, NOBODY, Setting, call, run

pytestmark = pytest.mark.skipif(brokered.MACHINE != "x86_64", reason="the table names calls that other machines do not have")

USERS = [None, NOBODY] if os.geteuid() == 0 else [None]
IDS = [f"user {user}" for user in USERS]

Operation = tuple[Any, ...]


def plant(root: str) -> None:
    """Make a tree with one of everything that can be in the way of a path."""
    here = os.getcwd()
    os.chdir(root)
    for name, mode in (("f", 0o644), ("ro", 0o444), ("x", 0o755), ("none", 0), ("x (deleted)", 0o600), ("HEAD", 0o644)):
        with open(name, "w") as file:
            file.write(f"in {name}")
        os.chmod(name, mode)
    for name in ("d", "d/sub", "e", "sticky", "setgid", "closed", "nosearch"):
        os.mkdir(name)
    for name in ("d/f", "d/g", "d/sub/f", "closed/f", "nosearch/f", "setgid/f", "sticky/f", b"\xff\n"):
        with open(name, "w") as file:
            file.write("deep")
    for target, name in (
        ("f", "lf"), ("d", "ld"), ("d/", "lds"), ("f/", "lfs"), (f"{root}/d", "labs"), (f"{root}/f", "lfabs"), ("nowhere", "dangling"),
        ("missing/x", "dangling2"), ("loop2", "loop1"), ("loop1", "loop2"), ("..", "up"), (".", "here"), ("d/sub/..", "round"),
        ("/proc/self", "me"), ("/proc/self/cwd", "mycwd"), ("/proc/thread-self/cwd/f", "myf"), ("/proc/self/fd", "fds"), ("/dev/fd/20", "f20"),
        ("ld/sub", "chain"), ("none/x", "through"), ("/", "top"), ("d/new", "ldnew"), ("/dev/null", "null"), ("e/../lf", "twisted"),
    ):  # fmt: skip
        os.symlink(target, name)
    os.symlink("f", "link0")
    for number in range(1, 42):
        os.symlink(f"link{number - 1}", f"link{number}")
    os.mkfifo("fifo")
    with socket.socket(socket.AF_UNIX) as made:
        made.bind("sock")
    os.link("f", "hard")
    os.chmod("sticky", 0o1777)
    os.chmod("setgid", 0o2755)
    os.chmod("closed", 0o555)
    os.chmod("nosearch", 0o666)
    os.chdir(here)


PATHS: list[str | bytes] = [
    "f", "ro", "x", "none", "x (deleted)", "d", "e", "d/f", "d/sub", "d/sub/f", "closed", "closed/f", "nosearch/f", "sticky/f", "setgid",
    "lf", "ld", "lds", "lfs", "labs", "lfabs", "dangling", "dangling2", "loop1", "up", "here", "round", "mycwd", "myf", "chain", "through",
    "ldnew", "null", "twisted", "link39", "link40", "fifo", "sock", "hard", "f20", b"\xff\n", "ROOT/f", "ROOT/lf", "ROOT/d/new", "ROOT",
    "", ".", "..", "/", "f/", "d/", "lf/", "ld/", "dangling/", "d/.", "d/..", "f/.", "f/..", "./f", "d//f", "d/../f", "ld/../f", "f/x",
    "new", "new/", "new/x", "d/new", "d/new/", "ld/new", "labs/new", "closed/new", "nosearch/new", "setgid/new", "sticky/new", "up/new",
    "/proc/self/cwd/f", "/proc/thread-self/cwd/new", "/proc/self/root/proc/self/cwd/f", "me/cwd/f", "fds/20", "/dev/fd/20", "/dev/fd/21",
    "/proc/self/fd/22", "/proc/self/fd/23", "/proc/self/fd/99", "/proc/self/exe", "/dev/stdin/x", "/proc/self/nothing", "/nowhere/x",
    "mycwd/new", "here/here/here/f", "n" * 255, "n" * 256, "d/" * 2046 + "f", "d/../" * 818 + "f", "x" * 4095, "y" * 4096, "top/proc/self/cwd/f",
    "HEAD", "new\udc80\n",
]  # fmt: skip

THE_MACHINES = ("/", "null", "/proc/self/exe")
"""Paths of `PATHS` that lead out of the tree, to what is not the test's: they are opened to read and nothing else."""

_FLAGS = [
    os.O_RDONLY, os.O_WRONLY, os.O_RDWR, 3, os.O_RDONLY | os.O_CLOEXEC, os.O_RDONLY | os.O_TRUNC, os.O_WRONLY | os.O_TRUNC,
    os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC, os.O_RDONLY | os.O_DIRECTORY, os.O_RDONLY | os.O_NOFOLLOW, os.O_RDWR | os.O_NOFOLLOW,
    os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY, os.O_WRONLY | os.O_DIRECTORY, os.O_RDONLY | os.O_NOATIME, os.O_RDWR | os.O_SYNC,
    os.O_RDONLY | os.O_CREAT, os.O_WRONLY | os.O_CREAT, os.O_RDWR | os.O_CREAT | os.O_TRUNC, os.O_WRONLY | os.O_CREAT | os.O_EXCL,
    os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, os.O_RDONLY | os.O_CREAT | os.O_TRUNC,
    os.O_RDONLY | os.O_CREAT | os.O_DIRECTORY, os.O_TMPFILE | os.O_RDWR, os.O_TMPFILE | os.O_RDONLY, os.O_TMPFILE | os.O_WRONLY | os.O_EXCL,
    os.O_RDONLY | os.O_EXCL, 3 | os.O_CREAT, os.O_RDONLY | 0x40000000,
]  # fmt: skip
_MODES = [0o644, 0o666, 0, 0o444, 0o1777, 0o600]


_IN_ONLYDIR, _IN_DONT_FOLLOW, _IN_MASK_CREATE, _IN_MASK_ADD, _IN_ONESHOT = 1 << 24, 1 << 25, 1 << 28, 1 << 29, 1 << 31
_LOOKS = ("getxattr", "lgetxattr", "listxattr", "llistxattr")


def looks(path: str | bytes) -> list[Operation]:
    """Return what can be asked about one path."""
    found: list[Operation] = []
    for name in ("getxattr", "lgetxattr"):
        for attribute, size in (
            ("user.a", 64), ("user.a", 0), ("user.a", 5), ("user.a", 4), ("user.b", 64), ("user.large", 200), ("user.large", 5000),
            ("user.large", 1 << 40), ("user.empty", 64), ("user.empty", 0), ("user.none", 64), ("nonsense", 64), ("", 64),
            ("user." + "n" * 250, 64), ("user." + "n" * 251, 64), ("system.posix_acl_access", 64),
            ("security.selinux", 255), ("trusted.a", 64),
        ):  # fmt: skip
            found.append((name, path, attribute, size))
    found += [(name, path, size) for name in ("listxattr", "llistxattr") for size in (0, 1, 6, 4096, 1 << 40)]
    every = 0xFFF
    for mask in (
        every, 0, 0x100, every | _IN_ONLYDIR, every | _IN_DONT_FOLLOW, every | _IN_DONT_FOLLOW | _IN_ONLYDIR, 0x2 | _IN_MASK_CREATE,
        0x4 | _IN_MASK_ADD, 0x4 | _IN_MASK_ADD | _IN_MASK_CREATE, 0x8 | _IN_ONESHOT, 0x10 | 1 << 20, 1 << 40 | every,
    ):  # fmt: skip
        found.append(("inotify_add_watch", 24, path, mask))
    return [*found, *(("inotify_add_watch", instance, path, every) for instance in (20, 31, 999))]


def operations(path: str | bytes) -> list[Operation]:
    """Return everything that can be done with one path."""
    if path in THE_MACHINES:
        opens = [("open", path, flags | os.O_NONBLOCK, 0) for flags in (os.O_RDONLY, os.O_RDONLY | os.O_NOFOLLOW, os.O_DIRECTORY)]
        return [*opens, *looks(path)]
    found: list[Operation] = looks(path)
    for number, flags in enumerate(_FLAGS):
        found.append(("open", path, flags | os.O_NONBLOCK, _MODES[number % len(_MODES)]))
        if number % 3 == 0:
            for directory in ("d", "dpath", "file", "bad"):
                found.append(("openat", directory, path, flags | os.O_NONBLOCK, _MODES[number % len(_MODES)]))
    found += [("creat", path, 0o640), ("truncate", path, 3), ("truncate", path, -1), ("truncate", path, 0)]
    found += [("mkdir", path, 0o777), ("mkdirat", "d", path, 0o1750), ("rmdir", path), ("unlink", path)]
    found += [("unlinkat", "d", path, 0), ("unlinkat", "cwd", path, 0x200), ("unlinkat", "cwd", path, 4)]
    found += [
        ("mknod", path, stat.S_IFREG | 0o666, 0),
        ("mknod", path, stat.S_IFIFO | 0o777, 0),
        ("mknodat", "d", path, 0o640, 0),
    ]
    found += [("symlink", "target", path), ("symlinkat", path, "d", "made"), ("symlink", "", path), ("symlink", "d", path)]
    for other in ("f", "d", "lf", "new2", "d/new2", "e", "missing/y", "d/sub", "."):
        found += [("rename", path, other), ("rename", other, path)]
        found += [("link", path, other), ("link", other, path)]
    for flags in (1, 2, 3, 8):
        found.append(("renameat2", "cwd", path, "d", "f", flags))
    found += [
        ("renameat", "d", path, "cwd", "moved"),
        ("linkat", "cwd", path, "d", "linked", 0x400),
        ("linkat", "d", path, "cwd", "linked", 0),
    ]
    found += [("linkat", "cwd", path, "cwd", "linked2", 0x4000)]
    found += [("chmod", path, 0o640), ("chmod", path, 0o1755), ("fchmodat", "d", path, 0o600), ("chown", path, -1, -1)]
    found += [
        ("fchmodat2", "cwd", path, 0o604, 0x100),
        ("fchmodat2", "cwd", path, 0o604, 0),
        ("fchmodat2", "cwd", path, 0o604, 8),
    ]
    found += [
        ("lchown", path, -1, -1),
        ("chown", path, 0, 0),
        ("fchownat", "d", path, -1, 12345, 0x100),
        ("fchownat", "cwd", path, -1, -1, 0x1000),
    ]
    found += [
        ("utime", path, b"\x01" + bytes(7) + b"\x02" + bytes(7)),
        ("utimes", path, _times(3, 4, 5, 6)),
        ("utimes", path, _times(3, 10**6, 0, 0)),
    ]
    found += [("utimensat", "cwd", path, _times(7, 8, 9, 10), 0x100), ("utimensat", "d", path, _times(1, (1 << 30) - 2, 5, 6), 0)]
    found += [
        ("utimensat", "cwd", path, _times(1, (1 << 30) - 2, 5, (1 << 30) - 2), 0),
        ("futimesat", "cwd", path, _times(1, 2, 3, 4)),
    ]
    found += [("utimensat", "cwd", path, _times(1, -5, 5, 6), 0), ("utimensat", "dpath", path, _times(5, 5, 5, 6), 0x1000)]
    found += [
        ("setxattr", path, "user.a", b"value", 5, 0),
        ("setxattr", path, "user.a", b"other", 5, 1),
        ("lsetxattr", path, "user.b", b"v", 1, 0),
    ]
    found += [
        ("setxattr", path, "nonsense", b"v", 1, 0),
        ("setxattr", path, "", b"v", 1, 0),
        ("setxattr", path, "user." + "n" * 260, b"v", 1, 0),
        ("setxattr", path, "user.large", b"large" * 50, 250, 0),
        ("setxattr", path, "user.empty", b"", 0, 0),
    ]
    found += [("removexattr", path, "user.a"), ("lremovexattr", path, "user.b"), ("removexattr", path, "user.none")]
    return found


def _times(*values: int) -> bytes:
    return b"".join(value.to_bytes(8, "little", signed=True) for value in values)


def _is_fifo(path: str | bytes) -> bool:
    try:
        return stat.S_ISFIFO(os.stat(path).st_mode)
    except (OSError, ValueError):
        return False


def _move(descriptor: int, number: int) -> None:
    if descriptor != number:
        os.dup2(descriptor, number)
        os.close(descriptor)


class Caller:
    """Does operations in one tree, and says what came of them."""

    def __init__(self, root: str) -> None:
        self.root = root
        os.chdir(root)
        self.directories = {"cwd": AT_FDCWD, "bad": 999, "d": 30, "dpath": 31, "file": 32}
        for number, (path, flags) in {
            20: ("f", os.O_RDONLY), 21: ("d", os.O_RDONLY), 22: ("x", os.O_RDONLY), 23: ("gone", os.O_RDWR | os.O_CREAT),
            30: ("d", os.O_RDONLY), 31: ("d", os.O_PATH), 32: ("f", os.O_RDONLY),
        }.items():  # fmt: skip
            _move(os.open(path, flags), number)
        os.unlink("gone")
        _move(call("inotify_init1", os.O_NONBLOCK)[0], 24)

    def perform(self, operation: Operation) -> Any:
        """Do it, and return the errno, or what can be seen of the result."""
        name, *arguments = operation
        plain: list[Any] = []
        for value in arguments:
            if (
                isinstance(value, str)
                and value in self.directories
                and name.endswith(("at", "at2"))
                and not isinstance(value, bytes)
            ):
                plain.append(self.directories[value])
            elif isinstance(value, str):
                plain.append(value.replace("ROOT", self.root))
            else:
                plain.append(value)
        if name in _LOOKS:
            return self._look(name, *plain)
        if name == "creat" and _is_fifo(plain[0]):
            return "it would wait for a reader"
        result, number = call(name, *plain)
        if number:
            return errno.errorcode[number]
        if name in ("open", "openat", "creat"):
            return self._describe(result)
        return result

    def _look(self, name: str, path: Any, *arguments: Any) -> Any:
        """Return the result and all of the memory that it may have been written to."""
        *attribute, size = arguments
        value = ctypes.create_string_buffer(b"?" * 6000, 6000)
        result, number = call(name, path, *attribute, value, size)
        return errno.errorcode[number] if number else (result, value.raw.rstrip(b"?"))

    def _describe(self, descriptor: int) -> Any:
        status = os.fstat(descriptor)
        # A file that is made is opened with O_NOFOLLOW in any case, which F_GETFL shows, and nobody looks at.
        flags = fcntl.fcntl(descriptor, fcntl.F_GETFL) & ~os.O_NOFOLLOW
        seen: list[Any] = [stat.filemode(status.st_mode), oct(flags), fcntl.fcntl(descriptor, fcntl.F_GETFD)]
        seen.append(
            os.readlink(f"/proc/self/fd/{descriptor}").replace(self.root, "ROOT").replace(os.path.dirname(self.root), "TOP")
        )
        if seen[-1].startswith("/proc"):
            seen[-1] = "…"  # a process's number
        elif "/#" in seen[-1]:
            seen[-1] = seen[-1].partition("/#")[0]  # an inode's
        elif stat.S_ISREG(status.st_mode):
            for action in (
                lambda: os.read(descriptor, 100),
                lambda: os.write(descriptor, b"W"),
                lambda: os.ftruncate(descriptor, 2),
            ):
                try:
                    seen.append(action())
                except OSError as error:
                    seen.append(error.errno)
        os.close(descriptor)
        return seen


_LINK_OF_PROC = re.compile(r"/proc/\d+/(task/\d+/)?(fd/\d+|cwd|root|exe)")
_IN_PROC = ("/proc/", "/dev/", "me/", "fds/", "top/proc/")
_OF_A_LINK = ("lchown", "lsetxattr", "lremovexattr", "utimensat", "fchmodat2", "fchownat")


def _has_two_faults(operation: Operation, one: str, other: str) -> bool:
    """Tell whether two things may be wrong with a call: which of them is told is nobody's promise."""
    if {"EINVAL", "EBADF"} & {one, other} or operation[0].startswith(("rename", "link", "symlink", "unlink")):
        return True
    # The folder of its own descriptors is a process's to write to, whatever the mode is; nothing can be made or removed there.
    return other == "EACCES" and operation[0] not in _LOOKS and str(operation[1]).startswith(_IN_PROC)


def compare(sequences: Sequence[Sequence[Operation]], user: int | None) -> int:
    """Do each sequence in two equal trees, bare and brokered; return how many operations succeeded."""
    with brokered.folder(user) as place:
        done = []
        # The server's own folder: elsewhere links into /proc are refused.
        for kind in (None, Setting(writable=(), private=[place])):
            top = f"{place}/{'bare' if kind is None else 'held'}"

            def make(top: str = top) -> None:
                os.mkdir(top)
                for number in range(len(sequences)):
                    os.makedirs(f"{top}/{number}/tree")  # a folder for each, since some paths lead above the tree
                    plant(f"{top}/{number}/tree")

            brokered.as_user(user, make)

            def act(top: str = top) -> list[list[Any]]:
                return [
                    [caller.perform(operation) for operation in sequence]
                    for number, sequence in enumerate(sequences)
                    for caller in [Caller(f"{top}/{number}/tree")]
                ]

            result = run(act, kind, user=user)
            assert result.status == 0
            # Of what lies in /proc nothing is changed, the links to open files among it.
            others = [line for line in result.told if not _LINK_OF_PROC.fullmatch(line["path"])]
            assert others == []
            done.append((result.value, top))
        (bare, bare_top), (held, held_top) = done
        succeeded = 0
        for number, sequence in enumerate(sequences):
            for operation, one, other in zip(sequence, bare[number], held[number], strict=True):
                if other == "EACCES" and operation[0] in _OF_A_LINK:
                    continue
                if isinstance(one, str) and isinstance(other, str) and _has_two_faults(operation, one, other):
                    continue
                if operation[0] == "inotify_add_watch" and operation[2] == "null" and type(one) is type(other) is int:
                    continue  # everybody uses /dev/null: a watch for one event may be over by now, and the next has another number
                assert one == other, f"{operation}: {one} bare, {other} under the broker; in {sequence}"
                succeeded += not isinstance(one, str)
            one, other = (brokered.snapshot(f"{top}/{number}") for top in (bare_top, held_top))
            changed = {name: (one.get(name), other.get(name)) for name in {*one, *other} if one.get(name) != other.get(name)}
            assert not changed, f"{changed} after {sequence}"
        return succeeded


@pytest.mark.parametrize("user", USERS, ids=IDS)
@pytest.mark.parametrize("order", range(3))
def test_every_call_on_every_path_does_what_it_does_bare(order: int, user: int | None) -> None:
    sequences = []
    for path in PATHS:
        wanted = operations(path)
        random.Random(f"{path!r}{order}").shuffle(wanted)
        sequences.append(wanted)
    assert compare(sequences, user) > 1000
