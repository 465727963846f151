"""Everything that descends from the server, and how it is made to go.

On Linux the guard adopts orphans (`child.prepare`), so all descendants are below it whatever sessions and groups they have made.
Elsewhere a process that has left both the tree and the server's process group is not found; `docs/platforms.md` says so.
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


class Tree:
    """The processes that this process has started or adopted since the tree was made, and theirs.

    What was there before is left alone: a shell that started helpers may have become the guard by exec.
    """

    def __init__(self) -> None:
        self.root: int | None = None
        """The server's own process, which leads its process group."""
        self._before = frozenset(_children(os.getpid())) if _LINUX else frozenset()

    def members(self) -> list[int]:
        """Return the process ids of all that is left; what has ended and been collected is not among them."""
        if self.root is None:
            return []
        if not _LINUX:
            return _members_elsewhere(self.root)
        found: list[int] = []
        frontier = [pid for pid in _children(os.getpid()) if pid not in self._before]
        while frontier:
            pid = frontier.pop()
            found.append(pid)
            frontier += _children(pid)
        return found

    def signal_all(self, number: int) -> None:
        """Send a signal to every member."""
        for pid in self.members():
            try:
                os.kill(pid, number)
            except (ProcessLookupError, PermissionError):
                continue

    def kill_all(self, *, patience: float = 2.0) -> tuple[dict[int, int], list[int]]:
        """Kill every member until none is left or `patience` seconds have passed; return what was collected and what is left.

        One pass is not enough: a process may fork between being listed and being killed. A pass takes microseconds, a fork more.
        """
        ended: dict[int, int] = {}
        deadline = time.monotonic() + patience
        while True:
            ended |= reap()
            left = self.members()
            if not left or time.monotonic() > deadline:
                return ended, left
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except (ProcessLookupError, PermissionError):
                    continue


def _children(pid: int) -> list[int]:
    """Return the children of a process, whichever of its threads made them (proc_pid_task(5))."""
    found: list[int] = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children", "rb") as file:
                found += map(int, file.read().split())
    except FileNotFoundError:
        if os.path.exists(f"/proc/{pid}/stat"):  # a kernel without CONFIG_PROC_CHILDREN
            import psutil  # noqa: PLC0415 - costly, and seldom needed

            return [child.pid for child in psutil.Process(pid).children()]
    except OSError:
        pass
    return found


def _members_elsewhere(root: int) -> list[int]:
    import psutil  # noqa: PLC0415 - costly, and needed only where something did not end by itself

    found: list[int] = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and (os.getpgid(process.pid) == root or root in [p.pid for p in process.parents()]):
                found.append(process.pid)
        except (psutil.Error, OSError):
            continue
    return found
