"""Which channels have somebody in front of them now: a live list in a terminal, an open page.

    RUNTIME/approvals/watching/CHANNEL-PID     held with an exclusive lock for as long as the channel lives

The lock goes with the process, however that ends (flock(2)), so a file that nobody holds says nothing. What is here decides whether a
call waits for an answer, never what the answer is: another program of the same user that holds such a file can only make calls wait.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import time

from stdioguard.approval import queue
from stdioguard.policy import places

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_NAME = re.compile(r"([a-z]{1,16})-[0-9]{1,10}")
_PATIENCE = 2.0
"""Seconds in which a lock must be had: who looks holds one for microseconds."""


def folder() -> str:
    """Make and return the folder of the marks. Raises `OSError` where it cannot be private."""
    return places.private_directory(os.path.join(queue.folder(), "watching"))


@contextlib.contextmanager
def present(channel: str) -> Iterator[None]:
    """Say, as long as this lasts, that a person can see questions on `channel`. Raises `OSError` where that cannot be said."""
    path = os.path.join(folder(), f"{channel}-{os.getpid()}")
    descriptor = _held(path)
    try:
        yield
    finally:
        # First the name, then the lock: nobody finds it free and takes away what is another's by then.
        with contextlib.suppress(OSError):
            os.unlink(path)
        os.close(descriptor)


def channels() -> set[str]:
    """Return the channels that are live now; marks that nobody holds are removed."""
    found: set[str] = set()
    try:
        where = os.path.join(places.directory("runtime"), "approvals", "watching")
        entries = os.listdir(where)
    except OSError:
        return found
    for entry in entries:
        match = _NAME.fullmatch(entry)
        if match and _is_held(os.path.join(where, entry)):
            found.add(match[1])
    return found


def _held(path: str) -> int:
    """Return a descriptor of the file at `path` with an exclusive lock."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Who looked between the two lines may have taken the file away, and then this is a lock on nothing.
            if os.path.samestat(os.fstat(descriptor), os.lstat(path)):
                return descriptor
        except (BlockingIOError, FileNotFoundError):
            if time.monotonic() > deadline:
                os.close(descriptor)
                raise
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
        time.sleep(0.01)


def _is_held(path: str) -> bool:
    # Another one who looks may hold a free mark for the moment in which it is removed.
    if not _refuses_a_lock(path):
        return False
    time.sleep(0.002)
    return _refuses_a_lock(path)


def _refuses_a_lock(path: str) -> bool:
    """Tell whether somebody holds the mark at `path`; one that nobody holds is removed."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        return isinstance(error, BlockingIOError)
    try:
        # A name is taken away by whoever holds its file alone, and only if it is that file's name still.
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(descriptor), os.lstat(path)):
            os.unlink(path)
    except OSError:
        pass
    finally:
        os.close(descriptor)
    return False
