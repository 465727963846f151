"""System calls that Python has no function for, as thin as can be: one function a call, `OSError` where it fails.

Numbers are those of `asm/unistd.h`; both architectures share them from 424 on. Nothing here decides anything.
"""

from __future__ import annotations

import ctypes
import errno
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

MACHINE = os.uname().machine
SUPPORTED = MACHINE in ("x86_64", "aarch64")

_NUMBERS = {
    "x86_64": {
        "pivot_root": 155,
        "capset": 126,
        "capget": 125,
        "keyctl": 250,
        "seccomp": 317,
        "execveat": 322,
        "ptrace": 101,
        "clone": 56,
    },
    "aarch64": {
        "pivot_root": 41,
        "capset": 91,
        "capget": 90,
        "keyctl": 219,
        "seccomp": 277,
        "execveat": 281,
        "ptrace": 117,
        "clone": 220,
    },
}
_COMMON = {
    "open_tree": 428,
    "move_mount": 429,
    "fsopen": 430,
    "fsconfig": 431,
    "fsmount": 432,
    "pidfd_open": 434,
    "pidfd_getfd": 438,
    "mount_setattr": 442,
    "landlock_create_ruleset": 444,
    "landlock_add_rule": 445,
    "landlock_restrict_self": 446,
    "openat2": 437,
}
NUMBER = {**_COMMON, **_NUMBERS.get(MACHINE, {})}

AT_FDCWD = -100
AT_EMPTY_PATH = 0x1000
AT_RECURSIVE = 0x8000
AT_SYMLINK_NOFOLLOW = 0x100

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

_SIGCHLD = 17

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_CAPBSET_READ = 23
PR_CAPBSET_DROP = 24
PR_SET_SECUREBITS = 28
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
PR_GET_NO_NEW_PRIVS = 39
PR_CAP_AMBIENT = 47

# NOROOT and NO_CAP_AMBIENT_RAISE on, NO_SETUID_FIXUP and KEEP_CAPS off, all four locked.
_SECUREBITS = 0b11101011

_libc = ctypes.CDLL(None, use_errno=True)
_syscall = _libc.syscall
_syscall.restype = ctypes.c_long
_prctl = _libc.prctl
_fork = ctypes.PyDLL(None, use_errno=True).syscall  # one that keeps the interpreter's lock, as the child must have it
_fork.restype = ctypes.c_long
_prctl.argtypes = (ctypes.c_int, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong)


def call(
    name: str,
    *arguments: int | bytes | ctypes.Array[ctypes.c_char] | ctypes.Array[ctypes.c_char_p] | None,
    path: str | None = None,
) -> int:
    """Make the system call `name` and return its result. Integers are passed as 64 bits. Raises `OSError` with `path`."""
    number = NUMBER.get(name)
    if number is None:
        raise OSError(errno.ENOSYS, f"{name} is not known on {MACHINE}")
    return checked(
        _syscall(ctypes.c_long(number), *[ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]), path or name
    )


def checked(result: int, what: str) -> int:
    """Return `result`, or raise what errno says where it is -1."""
    if result == -1:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), what)
    return result


def open_canonical(path: str) -> int:
    """Open a path for reference (O_PATH) without following any link, at its end or before (openat2(2), RESOLVE_NO_SYMLINKS)."""
    how = b"".join(value.to_bytes(8, "little") for value in (os.O_PATH | os.O_CLOEXEC, 0, 0x04))
    return call("openat2", AT_FDCWD, os.fsencode(path), how, len(how), path=path)


def prctl(option: int, first: int = 0, second: int = 0, third: int = 0) -> int:
    """Change something of this process."""
    return checked(_prctl(option, first, second, third, 0), "prctl")


def fork_into(namespaces: int) -> int:
    """Fork into new namespaces, CLONE_NEW... flags (clone(2)). Return the child's process id, and 0 in the child. Raises `OSError`.

    For a process with one thread: the interpreter is told of the fork as by `os.fork`, the C library is not. Without it a process is
    needed in between, which leaves the namespaces and forks.
    """
    ctypes.pythonapi.PyOS_BeforeFork()
    pid: int = _fork(ctypes.c_long(NUMBER["clone"]), ctypes.c_long(namespaces | _SIGCHLD), *[ctypes.c_long(0)] * 4)
    code = ctypes.get_errno()
    if pid == 0:
        ctypes.pythonapi.PyOS_AfterFork_Child()
        return 0
    ctypes.pythonapi.PyOS_AfterFork_Parent()
    if pid == -1:
        raise OSError(code, os.strerror(code), "clone")
    return pid


def unshare(flags: int) -> None:
    """Leave namespaces."""
    checked(_libc.unshare(ctypes.c_int(flags)), "unshare")


def sethostname(name: bytes) -> None:
    """Name the host."""
    checked(_libc.sethostname(name, ctypes.c_size_t(len(name))), "sethostname")


def mount(source: str, target: str, kind: str, flags: int, data: str = "") -> None:
    """Mount a file system."""
    result = _libc.mount(
        os.fsencode(source), os.fsencode(target), os.fsencode(kind) or None, ctypes.c_ulong(flags), os.fsencode(data) or None
    )
    checked(result, target)


def unmount_detached(target: str) -> None:
    """Detach a mount and all below it."""
    checked(_libc.umount2(os.fsencode(target), ctypes.c_int(2)), target)


def drop_capabilities() -> None:
    """Empty every capability set, the bounding set and the ambient set, and lock the securebits (capabilities(7)).

    Dropping from the bounding set and setting securebits need CAP_SETPCAP; without it there is nothing to drop.
    """
    prctl_quietly(PR_CAP_AMBIENT, 4)  # PR_CAP_AMBIENT_CLEAR_ALL
    number = 0
    while number < 64 and _prctl(PR_CAPBSET_READ, number, 0, 0, 0) >= 0:
        prctl_quietly(PR_CAPBSET_DROP, number)
        number += 1
    prctl_quietly(PR_SET_SECUREBITS, _SECUREBITS)


def clear_capabilities() -> None:
    """Give up the permitted, effective and inheritable sets (capset(2), version 3)."""
    call("capset", (0x20080522).to_bytes(4, "little") + bytes(4), bytes(24))


def capabilities() -> int:
    """Return the permitted, effective and inheritable sets of this process, or-ed together."""
    words = _capability_words()
    return (words[0] | words[1] | words[2]) | (words[3] | words[4] | words[5]) << 32


def has_capability(number: int) -> bool:
    """Tell whether a capability is in the effective set."""
    words = _capability_words()
    return bool((words[0] | words[3] << 32) >> number & 1)


def _capability_words() -> list[int]:
    """Effective, permitted, inheritable; the low 32 of each, then the high ones (capget(2), version 3)."""
    header = ctypes.create_string_buffer((0x20080522).to_bytes(4, "little") + bytes(4), 8)
    data = ctypes.create_string_buffer(24)
    call("capget", header, data)
    return [int.from_bytes(data.raw[at : at + 4], "little") for at in range(0, 24, 4)]


def prctl_quietly(option: int, first: int = 0) -> None:
    """Do a prctl(2) whose refusal means that there was nothing to give up."""
    _prctl(option, first, 0, 0, 0)


def take_descriptor(pid: int, descriptor: int) -> int:
    """Return a copy of a descriptor of another process (pidfd_getfd(2))."""
    process = call("pidfd_open", pid, 0)
    try:
        return call("pidfd_getfd", process, descriptor, 0)
    finally:
        os.close(process)


def load_filter(program: bytes, flags: int = 0) -> int:
    """Install a seccomp filter (seccomp(2), SECCOMP_SET_MODE_FILTER); `program` is an array of `sock_filter`. Return its result."""
    code = ctypes.create_string_buffer(program, len(program))
    header = (len(program) // 8).to_bytes(8, "little") + ctypes.addressof(code).to_bytes(8, "little")
    return call("seccomp", 1, flags, header)


def execute(descriptor: int, argv: Sequence[str], environment: dict[str, str]) -> None:
    """Execute what `descriptor` refers to: execveat(2). Returns only by raising `OSError`."""
    call("execveat", descriptor, b"", _strings(argv), _strings([f"{k}={v}" for k, v in environment.items()]), AT_EMPTY_PATH)


def _strings(texts: Sequence[str]) -> ctypes.Array[ctypes.c_char_p]:
    encoded = [os.fsencode(text) for text in texts]
    return (ctypes.c_char_p * (len(encoded) + 1))(*encoded, None)
