"""The confinement of the process that shows dialogs, and of the dialog programs, which inherit it.

These have to run a program and to reach the desktop by its sockets. They have no other network, change no file, and look into no process.
A desktop program reads a theme, fonts and libraries from anywhere, so reading is not limited.
"""

from __future__ import annotations

import errno

from stdioguard.sandbox.linux import kernel, landlock, trapped

# Numbers are those of `asm/unistd.h`.
_NEVER = {
    "x86_64": (101, 155, 165, 166, 272, 304, 308, 310, 311, 321, 323, 425, 428, 429, 438),
    "aarch64": (117, 41, 40, 39, 97, 265, 268, 270, 271, 280, 282, 425, 428, 429, 438),
}
"""ptrace pivot_root mount umount2 unshare open_by_handle_at setns process_vm_readv process_vm_writev bpf userfaultfd io_uring_setup
open_tree move_mount pidfd_getfd."""
_SOCKET = {"x86_64": 41, "aarch64": 198}
_AF_UNIX = 1

# include/uapi/linux/filter.h, bpf_common.h, seccomp.h
_LOAD = 0x20
_EQUAL = 0x15
_GREATER_OR_EQUAL = 0x35
_RETURN = 0x06
_KILL = 0x80000000
_REFUSE = 0x00050000 | errno.EPERM
_NO_FAMILY = 0x00050000 | errno.EAFNOSUPPORT
_ALLOW = 0x7FFF0000
_X32 = 0x40000000


def confine() -> None:
    """Confine this process and its descendants for good. Raises `OSError`.

    Abstract sockets are left: an X server's and a bus's may be among them, and libxcb does not try the other kind after a refusal.
    """
    ability = landlock.ability()
    network = landlock.BIND_TCP | landlock.CONNECT_TCP
    rules = landlock.Ruleset(ability, files=landlock.CHANGES, network=network, scopes=landlock.SCOPE_SIGNAL)
    rules.allow("/dev/null", landlock.DEVICE)
    kernel.prctl(kernel.PR_SET_DUMPABLE, 0)
    kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
    rules.enforce()
    kernel.load_filter(_program())


def _program() -> bytes:
    refused = _NEVER[kernel.MACHINE]
    steps = [
        (_LOAD, 0, 0, 4),  # seccomp_data.arch
        (_EQUAL, 1, 0, trapped.AUDIT_ARCH[kernel.MACHINE]),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, 0),  # seccomp_data.nr
        (_GREATER_OR_EQUAL, 0, 1, _X32),
        (_RETURN, 0, 0, _KILL),
        *((_EQUAL, len(refused) - at + 4, 0, number) for at, number in enumerate(refused)),
        (_EQUAL, 0, 2, _SOCKET[kernel.MACHINE]),
        (_LOAD, 0, 0, 16),  # seccomp_data.args[0]: the family
        (_EQUAL, 0, 1, _AF_UNIX),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _NO_FAMILY),
        (_RETURN, 0, 0, _REFUSE),
    ]
    return b"".join(code.to_bytes(2, "little") + bytes((yes, no)) + value.to_bytes(4, "little") for code, yes, no, value in steps)
