"""Reading a client's configuration file, and replacing it without losing what it had or what another program just wrote.

Whoever owns a folder may put a link in it, at any moment. So where root handles a file below somebody else's folder, it does so as that
user, and a link leads it nowhere that this user could not go. The rest is care: a lock among our own, a comparison with what was read, a
temporary file beside the target with its mode, owner and attributes, a backup, one atomic rename.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import hashlib
import os
import secrets
import stat
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from stdioguard.installs.formats import MAX_SIZE
from stdioguard.policy import places

if TYPE_CHECKING:
    from collections.abc import Iterator

KEPT_BACKUPS: Final = 50
"""Of one file; the oldest go first."""
LOCK_WAIT: Final = 10.0
"""Seconds to wait for another stdioguard that edits."""
LEFT_BEHIND: Final = 60.0
"""Seconds after which a temporary file is no one's any more."""


class FileProblem(Exception):  # noqa: N818 - it is the file's, and no program's, error
    """A file that can't be read or replaced. It is as it was. As text: one line with what to do."""

    def __init__(self, path: str, why: str, fix: str) -> None:
        line = f"{path}: {why}; {fix}"
        super().__init__(line if line.isprintable() else line.encode("unicode_escape").decode("ascii"))
        self.path = path
        self.why = why
        self.fix = fix


class Missing(FileProblem):
    """There is no such file."""


class Changed(FileProblem):
    """Another program wrote the file after it was read. Read it again, plan again, try again."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A file as it was when it was read."""

    path: str
    """As given, made absolute."""
    real: str
    """Where its links lead."""
    data: bytes
    mode: int
    """Permission bits."""
    uid: int
    gid: int
    mtime: float
    inode: int
    device: int
    links: int
    """Names of the same file."""


def read(path: str | os.PathLike[str], *, limit: int = MAX_SIZE) -> Snapshot:
    """Read a regular file of at most `limit` bytes, through links. Raises FileProblem."""
    name = os.path.abspath(path)
    with _acting_as(_handler(name)):
        return _read(name, limit)


def replace(snapshot: Snapshot, data: bytes, *, backup: bool | bytes = True) -> str | None:
    """Put `data` in the place of what was read, and return the path of the backup of what was there (None without one).

    A `backup` of bytes is kept in the place of what was there, which may hold secrets.

    Links stay links: the file they lead to is replaced. Raises Changed where the file is no longer what was read, and FileProblem where it
    can't be replaced; it is as it was then, and nothing is left beside it. Where nothing changes nothing is written.
    """
    try:
        handler = _handler(snapshot.path)
    except Missing as error:
        raise _removed(snapshot) from error
    with _locked(snapshot.path):
        with _acting_as(handler):
            fresh = _unchanged(snapshot)
            _sweep(fresh)
            if data == fresh.data:
                return None
            _check_ours(fresh, handler)
        saved = _save(fresh, backup if isinstance(backup, bytes) else fresh.data) if backup is not False else None
        try:
            with _acting_as(handler):
                _write(fresh, data)
        except BaseException:
            if saved is not None:
                _forget(saved)
            raise
        return saved


# Reading.


def _read(path: str, limit: int) -> Snapshot:
    try:
        real = os.path.realpath(path, strict=True)
        # Not blocking: the other end of a FIFO may never come.
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NOCTTY", 0)
        if not stat.S_ISREG(os.stat(real).st_mode):  # opening a device can have an effect
            raise FileProblem(path, "is no regular file", "remove it or name another")
        descriptor = os.open(real, flags | getattr(os, "O_BINARY", 0))
    except OSError as error:
        raise _problem(path, error, "read") from error
    with open(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise FileProblem(path, "is no regular file", "remove it or name another")
        try:
            data = b"" if status.st_size > limit else file.read(limit + 1)
        except OSError as error:
            raise _problem(path, error, "read") from error
    if status.st_size > limit or len(data) > limit:
        raise FileProblem(path, f"has more than {limit} bytes", "a client's configuration is smaller; look at what is in it")
    return Snapshot(
        path,
        real,
        data,
        stat.S_IMODE(status.st_mode),
        status.st_uid,
        status.st_gid,
        status.st_mtime,
        status.st_ino,
        status.st_dev,
        status.st_nlink,
    )


def _unchanged(snapshot: Snapshot) -> Snapshot:
    """Read again, and return the file if it still holds the same. Raises Changed."""
    try:
        fresh = _read(snapshot.path, max(len(snapshot.data), MAX_SIZE))
    except Missing as error:
        raise _removed(snapshot) from error
    if fresh.data != snapshot.data or fresh.real != snapshot.real:
        raise Changed(snapshot.path, "was changed meanwhile by another program", "try again")
    return fresh


def _removed(snapshot: Snapshot) -> Changed:
    return Changed(snapshot.path, "was removed meanwhile by another program", "try again")


# Whose file it is.


def _handler(path: str, links: int = 40) -> int | None:
    """Return the user whose rights are enough for `path`; None for our own. Raises FileProblem.

    It is the owner of the first part of the path that is not root's: from there on, that user decides where the path leads.
    """
    if sys.platform == "win32" or os.geteuid() != 0:
        return None
    part, closed = "", True
    parts = path.split("/")[1:]
    for index, name in enumerate(parts):
        folder_is_closed, part = closed, f"{part}/{name}"
        try:
            status = os.lstat(part)
            if status.st_uid != 0:
                # Somebody's file in a folder that only root can change stays that file.
                is_last_and_fixed = index == len(parts) - 1 and folder_is_closed and stat.S_ISREG(status.st_mode)
                return None if is_last_and_fixed else status.st_uid
            leads = os.readlink(part) if stat.S_ISLNK(status.st_mode) else None
        except OSError as error:
            raise _problem(path, error, "read") from error
        if leads is not None:
            if not links:
                raise _problem(path, OSError(errno.ELOOP, ""), "read")
            # Root's own link: what it leads to is judged as if it were named instead.
            return _handler(os.path.normpath(os.path.join(os.path.dirname(part), leads, *parts[index + 1 :])), links - 1)
        closed = not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return None


@contextlib.contextmanager
def _acting_as(uid: int | None) -> Iterator[None]:
    """Have the rights of `uid`, and no others, for file access. Only root can; the whole process changes, threads too."""
    if uid is None or sys.platform == "win32":
        yield
        return
    import pwd  # noqa: PLC0415 - not on Windows

    gid, groups = os.getegid(), os.getgroups()
    try:
        entry = pwd.getpwuid(uid)
        theirs, others = entry.pw_gid, os.getgrouplist(entry.pw_name, entry.pw_gid)
    except KeyError:  # a user that the machine has no name for, as in containers
        theirs, others = uid, []
    try:
        os.setgroups(others)
        os.setegid(theirs)
        os.seteuid(uid)
        yield
    finally:
        os.seteuid(0)
        os.setegid(gid)
        os.setgroups(groups)


def _check_ours(file: Snapshot, handler: int | None) -> None:
    """Raise FileProblem where replacing the file would change more than its content, or reach where it should not."""
    if sys.platform == "win32":
        return
    if not file.mode & stat.S_IWUSR:
        raise FileProblem(file.path, "is read-only", f"run: chmod u+w {file.real}")
    if file.links > 1:
        raise FileProblem(file.path, f"has {file.links} names (hard links), and replacing one would part them", "edit it by hand")
    user = os.geteuid() if handler is None else handler
    if user not in {0, file.uid}:
        raise FileProblem(file.path, f"belongs to user {file.uid}, not to user {user}", f"run: chown {user} {file.real}")
    home = os.path.realpath(_home(user))
    folder = os.path.realpath(os.path.dirname(file.path))
    roots = [home] if _is_below(os.path.dirname(file.path), _home(user)) else [home, folder]
    if file.real != file.path and not any(_is_below(file.real, root) for root in roots):
        raise FileProblem(
            file.path, f"is a link that leads out of {roots[-1]}", f"if that is meant, name the file itself: {file.real}"
        )


def _home(uid: int) -> str:
    home = os.path.expanduser("~") if uid == os.getuid() else ""
    if home.startswith("/"):
        return home
    import pwd  # noqa: PLC0415 - not on Windows

    try:
        return pwd.getpwuid(uid).pw_dir
    except KeyError:
        return "/nonexistent"


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")


# Writing.


def _write(file: Snapshot, data: bytes) -> None:
    """Write a temporary file beside the target, compare once more, rename."""
    folder, name = os.path.split(file.real)
    temporary = f"{_mark(name)}{secrets.token_hex(6)}"
    at: int | None = None
    made = False
    try:
        if os.open in os.supports_dir_fd:  # the folder stays the same one, whatever its name leads to by now
            at = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        else:
            temporary, name = os.path.join(folder, temporary), file.real
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        descriptor = os.open(temporary, flags, 0o600, dir_fd=at)
        made = True
        with open(descriptor, "wb") as new:
            new.write(data)
            new.flush()
            _make_alike(descriptor, file)
            os.fsync(descriptor)
        _unchanged(file)
        if at is not None and _exchanged(at, temporary, name):
            _check_exchanged(at, temporary, name, file, data)
        else:
            os.replace(temporary, name, src_dir_fd=at, dst_dir_fd=at)
            made = False
        if at is not None:
            with contextlib.suppress(OSError):  # it is replaced; some file systems can't do this
                os.fsync(at)
    except OSError as error:
        raise _problem(file.path, error, "replaced") from error
    finally:
        if made:
            with contextlib.suppress(OSError):
                os.unlink(temporary, dir_fd=at)
        if at is not None:
            os.close(at)


def _mark(name: str) -> str:
    """Return how the names begin that a file has before it takes the place of `name`."""
    return f".{name[:200]}.stdioguard-"


def _sweep(file: Snapshot) -> None:
    """Remove what an edit that was killed has left beside a file: it may hold a secret that has moved since."""
    folder, name = os.path.split(file.real)
    with contextlib.suppress(OSError):
        for entry in os.scandir(folder):
            if not entry.name.startswith(_mark(name)) or not entry.is_file(follow_symlinks=False):
                continue
            status = entry.stat(follow_symlinks=False)
            # Ours are edited one after the other, but those of root and of the user are not: what is young may be in use.
            if status.st_uid == file.uid and abs(time.time() - status.st_ctime) > LEFT_BEHIND:
                os.unlink(entry.path)


def _exchanged(folder: int, one: str, other: str) -> bool:
    """Exchange two names of a folder in one step (renameat2(2), renameatx_np(2)). False where the system can't."""
    names = {"linux": "renameat2", "darwin": "renameatx_np"}
    call = getattr(ctypes.CDLL(None, use_errno=True), names.get(sys.platform, ""), None)
    if call is None:
        return False
    if call(folder, os.fsencode(one), folder, os.fsencode(other), ctypes.c_uint(2)) == 0:  # RENAME_EXCHANGE, RENAME_SWAP
        return True
    code = ctypes.get_errno()
    if code in {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EPERM}:  # not on this file system, or not in this container
        return False
    raise OSError(code, os.strerror(code))


def _check_exchanged(folder: int, temporary: str, name: str, file: Snapshot, data: bytes) -> None:
    """Look at what the exchange took away, which is what was there at that moment; if it is not what was read, give it back."""
    if _content(folder, temporary, len(file.data)) == file.data:
        return
    _exchanged(folder, temporary, name)
    if _content(folder, temporary, len(data)) != data:  # and they wrote once more in between
        _exchanged(folder, temporary, name)
    raise Changed(file.path, "was changed meanwhile by another program", "try again")


def _content(folder: int, name: str, size: int) -> bytes | None:
    """Return a file's bytes, or None where it is no file or has more than `size`."""
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW, dir_fd=folder)
    except OSError:
        return None
    with open(descriptor, "rb") as file:
        content = file.read(size + 1) if stat.S_ISREG(os.fstat(descriptor).st_mode) else None
    return content if content is not None and len(content) <= size else None


def _make_alike(descriptor: int, file: Snapshot) -> None:
    """Give the new file owner, mode and attributes of the old one."""
    if sys.platform == "win32":
        return
    status = os.fstat(descriptor)
    if (status.st_uid, status.st_gid) != (file.uid, file.gid):
        os.fchown(descriptor, file.uid, file.gid)
    os.fchmod(descriptor, file.mode)
    if sys.platform == "linux":
        # After the mode: a list of access rights is kept as an attribute and holds the mode as well.
        with contextlib.suppress(OSError):
            for name in os.listxattr(file.real):
                with contextlib.suppress(OSError):  # some are the kernel's to give
                    os.setxattr(descriptor, name, os.getxattr(file.real, name))


# Our own folders: the lock and the backups.


@contextlib.contextmanager
def _locked(path: str) -> Iterator[None]:
    """Hold the lock of all edits by this user's stdioguard. It goes with the process, however that ends (flock(2))."""
    try:
        places.private_directory(places.directory("runtime"))
        lock = os.path.join(places.directory("runtime"), "installs.lock")
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
    except OSError as error:
        raise FileProblem(path, f"there is no place for the lock ({error})", "see to that folder and try again") from error
    try:
        end = time.monotonic() + LOCK_WAIT
        while not _try_lock(descriptor):
            if time.monotonic() > end:
                raise FileProblem(path, "another stdioguard is editing configurations", "try again when it is done")
            time.sleep(0.02)
        yield
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt  # noqa: PLC0415

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl  # noqa: PLC0415 - not on Windows

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def backups() -> str:
    """Return the folder of the backups; it need not exist."""
    return os.path.join(places.directory("state"), "backups")


def _save(file: Snapshot, data: bytes) -> str:
    """Keep `data` as the backup of a file, for this user only, and return its path."""
    mark = f"-{hashlib.sha256(os.fsencode(file.real)).hexdigest()[:8]}-{os.path.basename(file.real)[:150]}"
    now = time.time()
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime(now)) + f".{int(now % 1 * 1e6):06d}Z"
    target = os.path.join(backups(), f"{stamp}{mark}")
    made = False
    try:
        places.private_directory(places.directory("state"))
        folder = places.private_directory(backups())
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
        made = True
        with open(descriptor, "wb") as copy:
            copy.write(data)
            copy.flush()
            os.fsync(descriptor)
        for old in sorted(name for name in os.listdir(folder) if name.endswith(mark))[:-KEPT_BACKUPS]:
            _forget(os.path.join(folder, old))
    except OSError as error:
        if made:
            _forget(target)
        raise FileProblem(file.path, f"its backup can't be written ({error.strerror or error})", f"see to {backups()}") from error
    return target


def _forget(path: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(path)


def _problem(path: str, error: OSError, what: str) -> FileProblem:
    """Say what the system refused, and what can be done about it."""
    if error.errno == errno.ENOENT:
        return Missing(path, "is not there", "check the name")
    known = {
        errno.EACCES: ("its folder or file gives no right to that", "check who owns them and their mode"),
        errno.EPERM: ("the system does not allow it, as for an immutable file", "see lsattr, or ls -lO on macOS"),
        errno.EROFS: ("its disk is read-only", "mount it for writing"),
        errno.ENOSPC: ("its disk is full", "make room"),
        errno.EDQUOT: ("its owner's quota is used up", "make room"),
        errno.EBUSY: ("it is a mount point of its own", "edit it by hand"),
        errno.ELOOP: ("its links lead in a circle, or changed meanwhile", "look at them with ls -l"),
        errno.ENOTDIR: ("a part of its path is no folder", "check the name"),
    }
    why, fix = known.get(error.errno or 0, (error.strerror or str(error), "see to that and try again"))
    return FileProblem(path, f"can't be {what}: {why}", fix)
