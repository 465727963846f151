"""Open, create, remove, rename and link, on behalf of the caller.

What is opened is first found without being opened (O_PATH), so that a refusal leaves no trace: no wake-up of a FIFO, no truncation. What is
made or taken away is named by a directory that is held and one component in it. Neither can be changed between look and use.
"""

from __future__ import annotations

import errno
import os
from stat import S_IFDIR, S_IFIFO, S_IFLNK, S_IFMT, S_IFREG, S_ISGID, S_ISUID

from stdioguard.sandbox.linux.broker import calls
from stdioguard.sandbox.linux.broker.calls import AT_FDCWD
from stdioguard.sandbox.linux.broker.paths import joined, name_of
from stdioguard.sandbox.linux.broker.rules import DELETED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from stdioguard.sandbox.linux.broker.calls import Call
    from stdioguard.sandbox.linux.broker.service import Broker

_AT_REMOVEDIR = 0x200
_AT_SYMLINK_FOLLOW = 0x400
_AT_EMPTY_PATH = 0x1000
_RENAME_NOREPLACE = 1
_RENAME_EXCHANGE = 2

_TMPFILE = os.O_TMPFILE & ~os.O_DIRECTORY
_MOST_LINKS = 40
_SET_ID = S_ISUID | S_ISGID


# --- open ---


def open_(broker: Broker, call: Call) -> None:
    """open(2)."""
    _open(broker, call, AT_FDCWD, call.string(0), call.integer(1), call.integer(2))


def openat(broker: Broker, call: Call) -> None:
    """openat(2)."""
    _open(broker, call, call.integer(0), call.string(1), call.integer(2), call.integer(3))


def creat(broker: Broker, call: Call) -> None:
    """creat(2)."""
    _open(broker, call, AT_FDCWD, call.string(0), os.O_CREAT | os.O_WRONLY | os.O_TRUNC, call.integer(1))


def _open(broker: Broker, call: Call, number: int, path: bytes, flags: int, mode: int) -> None:
    if flags & os.O_PATH:
        # The kernel hands over nothing that was opened for reference only, so the filter lets these opens pass.
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    if flags & _TMPFILE:
        _open_nameless(broker, call, number, path, flags, mode)
        return
    if flags & os.O_CREAT and flags & os.O_DIRECTORY:  # Linux 6.4; older ones made a plain file of it, which nobody wants
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    if flags & os.O_CREAT:
        _create(broker, call, number, path, flags, mode & 0o7777)
        return
    found = broker.resolver.find(call, number, path, follow=not flags & os.O_NOFOLLOW, directory=bool(flags & os.O_DIRECTORY))
    _open_found(broker, call, found, flags)


def _open_found(broker: Broker, call: Call, found: int, flags: int) -> None:
    kind = S_IFMT(os.fstat(found).st_mode)
    if kind == S_IFLNK:
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    if kind == S_IFDIR and flags & os.O_CREAT:
        raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
    access = flags & os.O_ACCMODE
    for name in names_of(found):
        broker.rules.opening(name, reads=access != os.O_WRONLY, writes=bool(access or flags & os.O_TRUNC))
    again = flags & ~(os.O_CREAT | os.O_NOFOLLOW) | os.O_NOCTTY | os.O_CLOEXEC
    path = f"/proc/self/fd/{found}"
    if kind == S_IFIFO and access != os.O_RDWR and not flags & os.O_NONBLOCK:
        broker.waiting.open(call, path, again, close_on_exec=bool(flags & os.O_CLOEXEC))
        return
    call.give(call.keep(os.open(path, again)), close_on_exec=bool(flags & os.O_CLOEXEC))


def names_of(found: int) -> tuple[str, ...]:
    """Return the paths by which the rules judge an open file: none for one that has lost its last name."""
    path = name_of(found)
    if not path.endswith(DELETED):
        return (path,)
    status = os.fstat(found)
    try:
        here = os.lstat(path)
    except OSError:
        here = None
    if status.st_nlink == 0 and (here is None or (here.st_dev, here.st_ino) != (status.st_dev, status.st_ino)):
        return ()
    return path, path[: -len(DELETED)]  # a name that ends like this, or a file that has another name somewhere


def _open_nameless(broker: Broker, call: Call, number: int, path: bytes, flags: int, mode: int) -> None:
    """open(2) with O_TMPFILE: the file gets a name by linkat(2), which is looked at then."""
    found = broker.resolver.find(call, number, path, follow=not flags & os.O_NOFOLLOW)
    _refuse_set_id(mode)
    if S_IFMT(os.fstat(found).st_mode) == S_IFDIR:
        broker.rules.making(name_of(found))
    broker.take_umask(call)
    made = os.open(f"/proc/self/fd/{found}", flags & ~os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    call.give(call.keep(made), close_on_exec=bool(flags & os.O_CLOEXEC))


def _create(broker: Broker, call: Call, number: int, path: bytes, flags: int, mode: int) -> None:
    """open(2) with O_CREAT: the last component need not exist, and if it is a link, what it leads to need not."""
    directory, name = broker.resolver.parent(call, number, path)
    for _ in range(_MOST_LINKS + 1):
        if broker.resolver.is_process_file(directory):  # nothing can be made there, and its links are special
            found = broker.resolver.find_from(call, directory, name, follow=not flags & os.O_NOFOLLOW)
            if flags & os.O_EXCL:
                raise OSError(errno.EEXIST, os.strerror(errno.EEXIST))
            _open_found(broker, call, found, flags)
            return
        there = _status(directory, name)
        if there is None or S_IFMT(there.st_mode) != S_IFLNK or flags & os.O_EXCL or name.endswith(b"/"):
            break
        if flags & os.O_NOFOLLOW:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        directory, name = broker.resolver.parent_from(call, directory, os.readlink(name, dir_fd=directory))
    else:
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    access = flags & os.O_ACCMODE
    writes = there is None or bool(access or flags & os.O_TRUNC)
    if not _is_dots(name):
        broker.rules.opening(joined(directory, name), reads=access != os.O_WRONLY, writes=writes)
    if there is None:
        _refuse_set_id(mode)
        broker.take_umask(call)
    elif S_IFMT(there.st_mode) == S_IFIFO and not flags & os.O_EXCL:
        found = broker.resolver.find_from(call, directory, name, follow=False)
        _open_found(broker, call, found, flags)
        return
    made = os.open(name, flags | os.O_NOFOLLOW | os.O_NOCTTY | os.O_CLOEXEC, mode, dir_fd=directory)
    call.give(call.keep(made), close_on_exec=bool(flags & os.O_CLOEXEC))


def truncate(broker: Broker, call: Call) -> int:
    """truncate(2)."""
    length = call.arguments[1]
    if length >= 1 << 63:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    found = broker.resolver.find(call, AT_FDCWD, call.string(0))
    for name in names_of(found):
        broker.rules.opening(name, reads=False, writes=True)
    os.truncate(f"/proc/self/fd/{found}", length)
    return 0


# --- make and remove ---


def mkdir(broker: Broker, call: Call) -> int:
    """mkdir(2)."""
    return _mkdir(broker, call, AT_FDCWD, call.string(0), call.integer(1))


def mkdirat(broker: Broker, call: Call) -> int:
    """mkdirat(2)."""
    return _mkdir(broker, call, call.integer(0), call.string(1), call.integer(2))


def _mkdir(broker: Broker, call: Call, number: int, path: bytes, mode: int) -> int:
    directory, name = broker.resolver.parent(call, number, path)
    if not _is_dots(name):
        broker.rules.making(joined(directory, name))
    broker.take_umask(call)
    os.mkdir(name, mode & 0o7777, dir_fd=directory)
    return 0


def mknod(broker: Broker, call: Call) -> int:
    """mknod(2)."""
    return _mknod(broker, call, AT_FDCWD, call.string(0), call.integer(1))


def mknodat(broker: Broker, call: Call) -> int:
    """mknodat(2)."""
    return _mknod(broker, call, call.integer(0), call.string(1), call.integer(2))


def _mknod(broker: Broker, call: Call, number: int, path: bytes, mode: int) -> int:
    if S_IFMT(mode) not in (0, S_IFREG, S_IFIFO):
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))
    _refuse_set_id(mode)
    directory, name = broker.resolver.parent(call, number, path)
    if not _is_dots(name):
        broker.rules.writing(joined(directory, name))
    broker.take_umask(call)
    os.mknod(name, mode & 0o177777, dir_fd=directory)
    return 0


def rmdir(broker: Broker, call: Call) -> int:
    """rmdir(2)."""
    return _remove(broker, call, AT_FDCWD, call.string(0), directory=True)


def unlink(broker: Broker, call: Call) -> int:
    """unlink(2)."""
    return _remove(broker, call, AT_FDCWD, call.string(0), directory=False)


def unlinkat(broker: Broker, call: Call) -> int:
    """unlinkat(2)."""
    flags = call.integer(2)
    if flags & ~_AT_REMOVEDIR:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    return _remove(broker, call, call.integer(0), call.string(1), directory=bool(flags))


def _remove(broker: Broker, call: Call, number: int, path: bytes, *, directory: bool) -> int:
    above, name = broker.resolver.parent(call, number, path)
    if not _is_dots(name):
        broker.rules.writing(joined(above, name))
    if directory:
        os.rmdir(name, dir_fd=above)
    else:
        os.unlink(name, dir_fd=above)
    return 0


# --- rename and link ---


def rename(broker: Broker, call: Call) -> int:
    """rename(2)."""
    return _rename(broker, call, (AT_FDCWD, call.string(0)), (AT_FDCWD, call.string(1)), 0)


def renameat(broker: Broker, call: Call) -> int:
    """renameat(2)."""
    return _rename(broker, call, (call.integer(0), call.string(1)), (call.integer(2), call.string(3)), 0)


def renameat2(broker: Broker, call: Call) -> int:
    """renameat2(2). RENAME_WHITEOUT makes a device, which is refused."""
    flags = call.integer(4)
    if flags & ~(_RENAME_NOREPLACE | _RENAME_EXCHANGE):
        code = errno.EPERM if flags == 4 else errno.EINVAL
        raise OSError(code, os.strerror(code))
    return _rename(broker, call, (call.integer(0), call.string(1)), (call.integer(2), call.string(3)), flags)


def _rename(broker: Broker, call: Call, old: tuple[int, bytes], new: tuple[int, bytes], flags: int) -> int:
    exchange = bool(flags & _RENAME_EXCHANGE)
    above, name = broker.resolver.parent(call, *old)
    to_above, to_name = broker.resolver.parent(call, *new)
    if not _is_dots(name) and not _is_dots(to_name):
        path, to = joined(above, name), joined(to_above, to_name)
        _check_move(broker, _status(above, name), (above, name), path, to)
        if exchange:
            _check_move(broker, _status(to_above, to_name), (to_above, to_name), to, path)
    if flags:
        calls.rename(above, name, to_above, to_name, flags)
    else:
        os.rename(name, to_name, src_dir_fd=above, dst_dir_fd=to_above)
    return 0


def _check_move(broker: Broker, status: os.stat_result | None, place: tuple[int, bytes], path: str, to: str) -> None:
    """Ask the rules for what is moved, by what it is; where nothing is, for the names."""
    kind = 0 if status is None else S_IFMT(status.st_mode)
    if kind == S_IFDIR:
        broker.rules.moving(path, to)
        return
    broker.rules.writing(path)
    if kind == S_IFLNK:
        directory, name = place
        broker.rules.linking(to, os.fsdecode(os.readlink(name.rstrip(b"/"), dir_fd=directory)))
    else:
        broker.rules.writing(to)


def link(broker: Broker, call: Call) -> int:
    """link(2)."""
    return _link(broker, call, (AT_FDCWD, call.string(0)), (AT_FDCWD, call.string(1)), 0)


def linkat(broker: Broker, call: Call) -> int:
    """linkat(2). AT_EMPTY_PATH is done as by AT_SYMLINK_FOLLOW on /proc/self/fd, which needs no capability."""
    return _link(broker, call, (call.integer(0), call.string(1)), (call.integer(2), call.string(3)), call.integer(4))


def _link(broker: Broker, call: Call, old: tuple[int, bytes], new: tuple[int, bytes], flags: int) -> int:
    if flags & ~(_AT_SYMLINK_FOLLOW | _AT_EMPTY_PATH):
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    number, path = old
    if not path and flags & _AT_EMPTY_PATH:
        found = call.directory(number)
    else:
        found = broker.resolver.find(call, number, path, follow=bool(flags & _AT_SYMLINK_FOLLOW))
    above, name = broker.resolver.parent(call, *new)
    status = os.fstat(found)
    if S_IFMT(status.st_mode) != S_IFDIR:  # the kernel refuses to link these
        for existing in names_of(found):
            broker.rules.writing(existing)
        if not _is_dots(name):
            to = joined(above, name)
            broker.rules.writing(to)
            if S_IFMT(status.st_mode) == S_IFLNK:
                broker.rules.linking(to, os.fsdecode(os.readlink(b"", dir_fd=found)))
    os.link(f"/proc/self/fd/{found}", name, dst_dir_fd=above, follow_symlinks=True)
    return 0


def symlink(broker: Broker, call: Call) -> int:
    """symlink(2)."""
    return _symlink(broker, call, call.string(0), AT_FDCWD, call.string(1))


def symlinkat(broker: Broker, call: Call) -> int:
    """symlinkat(2)."""
    return _symlink(broker, call, call.string(0), call.integer(1), call.string(2))


def _symlink(broker: Broker, call: Call, target: bytes, number: int, path: bytes) -> int:
    if not target:
        raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))
    directory, name = broker.resolver.parent(call, number, path)
    if not _is_dots(name):
        broker.rules.linking(joined(directory, name), os.fsdecode(target))
    os.symlink(target, name, dir_fd=directory)
    return 0


def _status(directory: int, name: bytes) -> os.stat_result | None:
    try:
        return os.stat(name.rstrip(b"/"), dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _is_dots(name: bytes) -> bool:
    """Tell whether a last component names no entry: the kernel refuses to make, remove or move these, with its own errno."""
    return name.rstrip(b"/") in (b".", b"..")


def _refuse_set_id(mode: int) -> None:
    if mode & _SET_ID:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))


HANDLERS = {
    "open": open_,
    "openat": openat,
    "creat": creat,
    "truncate": truncate,
    "mkdir": mkdir,
    "mkdirat": mkdirat,
    "mknod": mknod,
    "mknodat": mknodat,
    "rmdir": rmdir,
    "unlink": unlink,
    "unlinkat": unlinkat,
    "rename": rename,
    "renameat": renameat,
    "renameat2": renameat2,
    "link": link,
    "linkat": linkat,
    "symlink": symlink,
    "symlinkat": symlinkat,
}
