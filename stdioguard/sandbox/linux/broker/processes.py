"""clone and its kin: as many processes and threads as the profile grants. Trapped where it names a number.

RLIMIT_NPROC would not do: it does not bind root, and it counts all that the user runs, so that a browser's threads would use up a server's.

The kernel does the call, since nobody can fork in another's place, and nothing that decides is read from memory: that a call makes no
namespace is the filter's word, which sees the flags in their register. A call that was let go on may be on its way for as long as its
thread waits for a processor. So each is counted from the moment it is let go on.
"""

from __future__ import annotations

import errno
import os
import time

from stdioguard.sandbox.linux.broker.rules import Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from stdioguard.sandbox.linux.broker.calls import Call
    from stdioguard.sandbox.linux.broker.service import Broker

_TRIES, _PAUSE = 10, 0.001
"""How often to look, and seconds between, before a call is refused for others that are on their way."""


class Tasks:
    """How many processes and threads there may be: `most`, or any number.

    The first call that would make one is refused whatever the number is: it is the launch's, which proves so that they are counted.
    """

    __slots__ = ("_made", "_most", "_proved", "_room")

    def __init__(self, most: int | None) -> None:
        self._most = most
        self._proved = False
        self._room = 0
        self._made: dict[int, set[str]] = {}
        """Threads whose call was let go on since the last count, with what was there before it."""

    def take(self, thread: int) -> None:
        """Count one more, that `thread` makes. Raises `OSError` with EAGAIN, as fork(2) does at a limit."""
        if self._most is None:
            return
        if not self._proved:
            self._proved = True
            raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        self._made.pop(thread, None)  # it makes another, so that one is done
        if self._room <= 0 and not self._find_room(self._most):
            raise Refused("", f"processes = {self._most}", errno.EAGAIN)
        self._room -= 1
        self._made[thread] = _below(thread)

    def _find_room(self, most: int) -> bool:
        """Count anew: what has ended since makes room."""
        for _ in range(_TRIES):
            self._made = {thread: before for thread, before in self._made.items() if _is_on_its_way(thread, before)}
            self._room = (
                most - len(self._made) - _count()
            )  # in this order: what arrives between is counted twice, never not at all
            if self._room > 0 or not self._made:
                break
            time.sleep(_PAUSE)
        return self._room > 0


def _make(broker: Broker, call: Call) -> None:
    broker.tasks.take(call.thread)
    call.go_on()


def _is_on_its_way(thread: int, before: set[str]) -> bool:
    """Tell whether a thread may not have made yet what it was let make: there is nothing new, and it has not gone to sleep since."""
    if _below(thread) - before:
        return False
    try:
        with open(f"/proc/{thread}/stat", "rb") as file:
            return file.read().rpartition(b") ")[2][:1] not in (b"S", b"Z", b"X")
    except OSError:
        return False


def _count() -> int:
    """Return how many threads the processes below this one have together; what has ended and was not waited for is one."""
    # One that loses its parent during the first walk is found in the second.
    return sum(map(_threads, _processes() | _processes()))


def _processes() -> set[int]:
    """Return the processes below this one: in a pid namespace of its own, all but itself."""
    if os.getpid() == 1:
        return {int(name) for name in os.listdir("/proc") if name.isdigit()} - {1}
    found: set[int] = set()
    waiting = [os.getpid()]
    while waiting:
        process = waiting.pop()
        try:
            threads = os.listdir(f"/proc/{process}/task")
        except OSError:
            continue
        new = {int(child) for thread in threads for child in _children(process, thread)} - found
        found |= new
        waiting += new
    return found


def _threads(process: int) -> int:
    try:
        return max(1, os.stat(f"/proc/{process}/task").st_nlink - 2)
    except OSError:
        return 0  # it has gone


def _below(thread: int) -> set[str]:
    """Return the children of a thread, and the threads of its process."""
    try:
        return {*os.listdir(f"/proc/{thread}/task"), *_children(thread, thread)}
    except OSError:
        return set()


def _children(process: int, thread: int | str) -> list[str]:
    try:
        with open(f"/proc/{process}/task/{thread}/children") as file:
            return file.read().split()
    except OSError:
        return []


HANDLERS = {"clone": _make, "fork": _make, "vfork": _make}
