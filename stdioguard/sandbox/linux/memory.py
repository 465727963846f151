"""What this process was started with is in its memory, and `/proc/PID/environ` shows it: a secret among it has to be overwritten there."""

from __future__ import annotations

import ctypes

from stdioguard.sandbox.linux import kernel

_ENV_START = 49
_ENV_END = 50
"""Fields of `/proc/PID/stat` from 0 (proc_pid_stat(5)), which reading one's own needs no privilege for."""


def forget_variable(name: str) -> None:
    """Overwrite a variable's value where the kernel put it, and allow no dump of this process from now on (prctl(2), PR_SET_DUMPABLE).

    Not being dumpable also keeps other processes of the same user from reading `/proc/PID/environ` and `/proc/PID/mem`.
    """
    kernel.prctl(kernel.PR_SET_DUMPABLE, 0)
    with open("/proc/self/stat", "rb") as file:
        fields = file.read().rpartition(b")")[2].split()  # the command's name may hold anything; it is field 1
    start, end = int(fields[_ENV_START - 2]), int(fields[_ENV_END - 2])
    if not 0 < start < end:
        raise OSError(1, "the environment cannot be found in memory")
    block = ctypes.string_at(start, end - start)
    wanted = name.encode() + b"="
    at = 0
    for entry in block.split(b"\0"):
        if entry.startswith(wanted):
            ctypes.memset(start + at + len(wanted), ord("*"), len(entry) - len(wanted))
        at += len(entry) + 1
