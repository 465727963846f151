"""Everything that descends from the server, and how it is made to go.

On Linux the guard adopts orphans, so all descendants are below it whatever sessions and groups they have made. Elsewhere a process that
has left both the tree and the server's process group is not found; `docs/platforms.md` says so.
"""

from __future__ import annotations

import os
import signal
import sys
import time

_LINUX = sys.platform == "linux"


def reap() -> dict[int, int]:
    """Collect the children that have ended: process id to wait status."""
    ended: dict[int, int] = {}
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ended
        if pid == 0:
            return ended
        ended[pid] = status


def is_empty(group: int) -> bool:
    """Tell whether nothing of the server is left. Children that have ended must have been collected."""
    if _LINUX:
        try:
            os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return True
        return False
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def signal_all(number: int, group: int) -> None:
    """Send a signal to every descendant, and to the server's process group."""
    import psutil  # noqa: PLC0415 - costly, and needed only where something did not end by itself

    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        pass
    for process in psutil.Process().children(recursive=True):
        try:
            process.send_signal(number)
        except psutil.Error:
            continue


def kill_all(group: int, *, patience: float = 2.0) -> dict[int, int]:
    """Kill every descendant until none is left or `patience` seconds have passed; return what was collected.

    One pass is not enough: a process may fork between being listed and being killed.
    """
    ended: dict[int, int] = {}
    deadline = time.monotonic() + patience
    while True:
        ended |= reap()
        if is_empty(group) or time.monotonic() > deadline:
            return ended
        signal_all(signal.SIGKILL, group)
        time.sleep(0.01)
