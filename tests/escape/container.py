"""Take away namespaces, as container runtimes and hardened distributions do, from a process that is about to be executed.

`unshare`, `setns` and `clone` with a namespace flag fail with EPERM, `clone3` with ENOSYS (so that C libraries fall back to `clone`, whose
flags a filter can see). It is what Docker's default seccomp profile does; root also keeps only Docker's default capabilities.
"""

from __future__ import annotations

import ctypes
import os
import struct

from .kernel import MACHINE, libc, number

_ALLOW, _EPERM, _ENOSYS = 0x7FFF0000, 0x00050001, 0x00050026
_NAMESPACES = 0x7E020080
_LOAD, _EQUAL, _ANY_BIT, _RETURN = 0x20, 0x15, 0x45, 0x06
_ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}

# moby/profiles: oci/caps/defaults.go. Numbers of include/uapi/linux/capability.h.
_KEPT = {0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 18, 27, 29, 31}


def program() -> bytes:
    """Return the filter as BPF. Other architectures' entries (i386, x32) are left alone: this is no sandbox."""
    refused = [number(name) for name in ("unshare", "setns")]
    clone, clone3 = number("clone"), number("clone3")
    lines: list[tuple[int, int, int, int]] = [(_LOAD, 0, 0, 4), (_EQUAL, 1, 0, _ARCHITECTURE[MACHINE]), (_RETURN, 0, 0, _ALLOW)]
    lines.append((_LOAD, 0, 0, 0))
    for call in refused:
        lines += [(_EQUAL, 0, 1, call), (_RETURN, 0, 0, _EPERM)]
    lines += [(_EQUAL, 0, 1, clone3), (_RETURN, 0, 0, _ENOSYS)]
    lines += [(_EQUAL, 0, 3, clone), (_LOAD, 0, 0, 16), (_ANY_BIT, 0, 1, _NAMESPACES), (_RETURN, 0, 0, _EPERM)]
    lines.append((_RETURN, 0, 0, _ALLOW))
    return b"".join(struct.pack("HBBI", *line) for line in lines)


def enter() -> None:
    """Put this process in such a container, for good."""
    code = program()
    buffer = ctypes.create_string_buffer(code)
    fprog = struct.pack("HxxxxxxQ", len(code) // 8, ctypes.addressof(buffer))
    if os.geteuid() != 0:
        libc.prctl(38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS: without it only root may install a filter
    if libc.prctl(22, 2, fprog, 0, 0) != 0:  # PR_SET_SECCOMP, SECCOMP_MODE_FILTER
        raise OSError(ctypes.get_errno(), "seccomp")
    if os.geteuid() == 0:
        for capability in range(64):
            if capability not in _KEPT:
                libc.prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP; takes effect at the coming exec
