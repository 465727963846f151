"""Which program has started the guard: extra evidence for who the client is, and never the only one.

Any process of the same user can start that program, feed it input, or load code into it (a debugger, `LD_PRELOAD`, a plug-in), so the
parent's name says *not just anything*, not *that client*. It is asked for beside a secret, never in place of one.
"""

from __future__ import annotations

import os
import sys

from stdioguard.identity.clients import ClientError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def record(path: str) -> dict[str, Any]:
    """Return `{"path", "owner"}` of a program: its canonical path, and the user whose file it is.

    Raises `ClientError` where it cannot be a process's executable, or where others could put another one in its place.
    """
    canonical = os.path.realpath(path)
    if not canonical.isprintable():
        raise ClientError(f"{canonical!a:.200} is no path of a program that can be written down")
    try:
        status = os.stat(canonical)
    except OSError as error:
        raise ClientError(f"the program {canonical} cannot be found: {error.strerror}") from None
    if status.st_mode & 0o170000 != 0o100000 or not status.st_mode & 0o111:
        raise ClientError(f"{canonical} is no program: not a file that can be run")
    if _is_script(canonical):
        raise ClientError(f"{canonical} is a script, which runs as its interpreter; give the program that the process really is")
    why = _changeable(canonical, status)
    if why:
        raise ClientError(f"{why}, so it says nothing of who started it")
    return {"path": canonical, "owner": status.st_uid}


def started_by(wanted: dict[str, Any], pid: int | None = None) -> str:
    """Return nothing if the guard's parent, or the process `pid`, is running the program that `record` described; else why not.

    What was found of the parent holds as long as it is the parent: a guard that has confined itself may not look at it any more
    (Landlock keeps a process from looking into those outside its domain).
    """
    found = (os.getppid(), wanted["path"], wanted["owner"])
    if pid is None and found in _proved:
        return ""
    why = _why_not(wanted, found[0] if pid is None else pid)
    if pid is None and not why:
        if os.getppid() != found[0]:
            return "the program that started the guard is gone"  # and its number may have been another's while we looked
        _proved.add(found)
    return why


def altered(wanted: dict[str, Any]) -> str:
    """Return nothing if the program that `record` described is still what it was to be; else why not."""
    path: str = wanted["path"]
    try:
        status = os.stat(path, follow_symlinks=False)
    except OSError as error:
        return f"{path}, which must start the guard, cannot be found: {error.strerror}"
    if status.st_uid != wanted["owner"]:
        return f"{path} is user {status.st_uid}'s now, not user {wanted['owner']}'s"
    return _changeable(path, status)


_proved: set[tuple[int, str, int]] = set()


def _why_not(wanted: dict[str, Any], pid: int) -> str:
    import psutil  # noqa: PLC0415 - for clients that are bound to a program only

    class Process(psutil.Process):
        """Where the executable may not be looked at, psutil takes the process's word for it: `argv[0]`. Give it none to take."""

        def cmdline(self) -> list[str]:
            return []

    why = altered(wanted)
    if why:
        return why
    path: str = wanted["path"]
    try:
        process = Process(pid)
        executable, users = process.exe(), set(process.uids())
        # On Linux the link leads to the file itself, also where another has its name by now (proc(5)).
        running = os.stat(f"/proc/{pid}/exe" if sys.platform == "linux" else executable)
        now = os.stat(path, follow_symlinks=False)
    except (psutil.Error, OSError) as error:
        why = "it may not be looked at" if isinstance(error, psutil.AccessDenied | PermissionError) else "it is gone"
        return f"the program that started the guard (process {pid}) is not known: {why}"
    if os.path.realpath(executable) != path:
        return f"the guard was started by {executable or 'a program without a file'}, not by {path}"
    if (running.st_dev, running.st_ino) != (now.st_dev, now.st_ino):
        return f"{path} is another file than the one that runs and started the guard; if it was updated, restart it"
    if not users <= {os.geteuid(), 0}:
        return f"process {pid}, which started the guard, is another user's"
    return ""


def _is_script(path: str) -> bool:
    """Tell whether the kernel starts an interpreter for a file (execve(2)). One that may be run and not read is none."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        return os.read(descriptor, 2) == b"#!"
    finally:
        os.close(descriptor)


def _changeable(path: str, status: os.stat_result) -> str:
    """Return why others could change the program, or nothing: by its mode, its owner, or a folder in which they may rename it."""
    if status.st_uid not in (os.geteuid(), 0):
        return f"{path} belongs to user {status.st_uid}"
    if status.st_mode & 0o022:
        return f"others may write {path} (chmod go-w mends that)"
    folder = os.path.dirname(path)
    while True:
        try:
            mode = os.stat(folder).st_mode
        except OSError as error:
            return f"{folder} cannot be looked at: {error.strerror}"
        if mode & 0o002 and not mode & 0o1000:
            return f"others may rename what is in {folder} (chmod o-w mends that)"
        if folder == os.path.dirname(folder):
            return ""
        folder = os.path.dirname(folder)
