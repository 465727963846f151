"""The confinement of stdioguard's own processes, once everything that they need is open.

The guard has no network and changes no file but its own; the proxy sees no file but its resolver's; neither starts a program.
"""

from __future__ import annotations

import errno

from stdioguard.sandbox.linux import kernel, landlock, trapped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

# Numbers are those of `asm/unistd.h`.
_NEVER = {
    "x86_64": (59, 101, 155, 165, 166, 272, 304, 308, 310, 311, 321, 322, 323, 425, 428, 429, 438),
    "aarch64": (221, 117, 41, 40, 39, 97, 265, 268, 270, 271, 280, 281, 282, 425, 428, 429, 438),
}
"""execve ptrace pivot_root mount umount2 unshare open_by_handle_at setns process_vm_readv process_vm_writev bpf execveat userfaultfd
io_uring_setup open_tree move_mount pidfd_getfd."""
_SOCKETS = {"x86_64": (41, 42, 49, 50, 53), "aarch64": (198, 203, 200, 201, 199)}
"""socket connect bind listen socketpair."""

# include/uapi/linux/filter.h, bpf_common.h, seccomp.h
_LOAD = 0x20
_JUMP_EQUAL = 0x15
_JUMP_GREATER_OR_EQUAL = 0x35
_RETURN = 0x06
_KILL = 0x80000000
_ERRNO = 0x00050000 | errno.EPERM
_ALLOW = 0x7FFF0000
_X32 = 0x40000000


def confine(writable: Sequence[str]) -> None:
    """Confine the guard for good; below `writable` it may still make, change and remove files. Raises `OSError`."""
    rules = landlock.Ruleset(landlock.ability(), files=landlock.CHANGES, network=landlock.BIND_TCP | landlock.CONNECT_TCP)
    for path in writable:
        rules.allow(path, landlock.CHANGES)
    rules.allow("/dev/null", landlock.DEVICE)
    _confine(rules, _NEVER[kernel.MACHINE] + _SOCKETS[kernel.MACHINE])


def confine_fetcher(writable: Sequence[str]) -> None:
    """Confine the process that fetches keys for good: it has the network, and changes files below `writable` only. Raises `OSError`."""
    rules = landlock.Ruleset(landlock.ability(), files=landlock.CHANGES, scopes=landlock.SCOPE_SIGNAL)
    for path in writable:
        rules.allow(path, landlock.CHANGES)
    _confine(rules, _NEVER[kernel.MACHINE])


def confine_proxy() -> None:
    """Confine the proxy for good. Raises `OSError`."""
    from stdioguard.sandbox.network.proxy import resolver_files  # noqa: PLC0415 - loaded in that process alone

    rules = landlock.Ruleset(landlock.ability(), files=(1 << 16) - 1, scopes=landlock.SCOPE_SIGNAL)
    for path in resolver_files():
        rules.allow(path, landlock.READ)
    _confine(rules, _NEVER[kernel.MACHINE])


def _confine(rules: landlock.Ruleset, refused: Sequence[int]) -> None:
    kernel.prctl(kernel.PR_SET_DUMPABLE, 0)
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    rules.enforce()
    kernel.load_filter(_program(refused))


def _program(refused: Sequence[int]) -> bytes:
    steps = [
        (_LOAD, 0, 0, 4),  # seccomp_data.arch
        (_JUMP_EQUAL, 1, 0, trapped.AUDIT_ARCH[kernel.MACHINE]),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, 0),  # seccomp_data.nr
        (_JUMP_GREATER_OR_EQUAL, 0, 1, _X32),
        (_RETURN, 0, 0, _KILL),
        *((_JUMP_EQUAL, len(refused) - at, 0, number) for at, number in enumerate(refused)),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _ERRNO),
    ]
    return b"".join(code.to_bytes(2, "little") + bytes((yes, no)) + value.to_bytes(4, "little") for code, yes, no, value in steps)
