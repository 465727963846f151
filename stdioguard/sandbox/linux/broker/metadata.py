"""Mode, owner, times and extended attributes: of files in the server's own and its writable folders, and of those without a name.

Trapped where no mount view keeps the rest of the file system read-only: Landlock does not cover these calls.
"""

from __future__ import annotations

import ctypes
import errno
import os
from stat import S_IFDIR, S_IFMT, S_ISGID, S_ISUID
from struct import Struct

from stdioguard.sandbox.linux import kernel, trapped
from stdioguard.sandbox.linux.broker.calls import AT_FDCWD
from stdioguard.sandbox.linux.broker.files import names_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from stdioguard.sandbox.linux.broker.calls import Call
    from stdioguard.sandbox.linux.broker.service import Broker

_AT_SYMLINK_NOFOLLOW = 0x100
_AT_EMPTY_PATH = 0x1000
_UTIME_OMIT = (1 << 30) - 2
_NAME_MAX = 255  # XATTR_NAME_MAX
_VALUE_MAX = 65536  # XATTR_SIZE_MAX
_MICROSECONDS = 1_000_000

_PAIR = Struct("qq")
_TIMES = Struct("qqqq")

_libc = ctypes.CDLL(None, use_errno=True)
_NUMBERS = trapped.NUMBERS[kernel.MACHINE]


def _open_file(broker: Broker, call: Call, index: int = 0) -> str:
    """Return a path to a copy of the caller's descriptor, once it may be changed."""
    copy = call.descriptor(call.integer(index))
    _judge(broker, copy)
    return f"/proc/self/fd/{copy}"


def _file(broker: Broker, call: Call, number: int, path: bytes, *, follow: bool, empty: bool = False) -> str:
    """Return a path to what the caller names, once it may be changed. `empty`: an empty path means the descriptor itself."""
    found = call.directory(number) if empty and not path else broker.resolver.find(call, number, path, follow=follow)
    _judge(broker, found)
    return f"/proc/self/fd/{found}"


def _judge(broker: Broker, found: int) -> None:
    for name in names_of(found):
        broker.rules.changing(name)


# --- mode ---


def chmod(broker: Broker, call: Call) -> int:
    """chmod(2)."""
    return _chmod(_file(broker, call, AT_FDCWD, call.string(0), follow=True), call.integer(1))


def fchmod(broker: Broker, call: Call) -> int:
    """fchmod(2)."""
    copy = call.descriptor(call.integer(0))
    _judge(broker, copy)
    mode = call.integer(1)
    _refuse_set_id(mode, os.fstat(copy))
    os.fchmod(copy, mode & 0o7777)
    return 0


def fchmodat(broker: Broker, call: Call) -> int:
    """fchmodat(2), which has no flags in the kernel."""
    return _chmod(_file(broker, call, call.integer(0), call.string(1), follow=True), call.integer(2))


def fchmodat2(broker: Broker, call: Call) -> int:
    """fchmodat2(2), Linux 6.6."""
    flags = call.integer(3)
    if flags & ~(_AT_SYMLINK_NOFOLLOW | _AT_EMPTY_PATH):
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    path = _file(
        broker, call, call.integer(0), call.string(1), follow=not flags & _AT_SYMLINK_NOFOLLOW, empty=bool(flags & _AT_EMPTY_PATH)
    )
    return _chmod(path, call.integer(2))


def _chmod(path: str, mode: int) -> int:
    _refuse_set_id(mode, os.stat(path))
    os.chmod(path, mode & 0o7777)
    return 0


def _refuse_set_id(mode: int, status: os.stat_result) -> None:
    """Refuse to make a program run with this user's rights for others. On a directory set-group-ID only says whose the files in it are."""
    if mode & S_ISUID or (mode & S_ISGID and S_IFMT(status.st_mode) != S_IFDIR):
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))


# --- owner ---


def chown(broker: Broker, call: Call) -> int:
    """chown(2)."""
    return _chown(_file(broker, call, AT_FDCWD, call.string(0), follow=True), call, 1)


def lchown(broker: Broker, call: Call) -> int:
    """lchown(2)."""
    return _chown(_file(broker, call, AT_FDCWD, call.string(0), follow=False), call, 1)


def fchown(broker: Broker, call: Call) -> int:
    """fchown(2)."""
    copy = call.descriptor(call.integer(0))
    _judge(broker, copy)
    os.fchown(copy, call.integer(1), call.integer(2))
    return 0


def fchownat(broker: Broker, call: Call) -> int:
    """fchownat(2)."""
    flags = call.integer(4)
    if flags & ~(_AT_SYMLINK_NOFOLLOW | _AT_EMPTY_PATH):
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    path = _file(
        broker, call, call.integer(0), call.string(1), follow=not flags & _AT_SYMLINK_NOFOLLOW, empty=bool(flags & _AT_EMPTY_PATH)
    )
    return _chown(path, call, 2)


def _chown(path: str, call: Call, index: int) -> int:
    os.chown(path, call.integer(index), call.integer(index + 1))
    return 0


# --- times ---


def utime(broker: Broker, call: Call) -> int:
    """utime(2): seconds."""
    times = None
    if call.arguments[1]:
        accessed, modified = _PAIR.unpack(call.memory(call.arguments[1], _PAIR.size))
        times = _TIMES.pack(accessed, 0, modified, 0)
    return _set_times(_file(broker, call, AT_FDCWD, call.string(0), follow=True), times)


def utimes(broker: Broker, call: Call) -> int:
    """utimes(2): microseconds."""
    times = _from_microseconds(call, 1)
    return _set_times(_file(broker, call, AT_FDCWD, call.string(0), follow=True), times)


def futimesat(broker: Broker, call: Call) -> int:
    """futimesat(2): microseconds, and without a path the descriptor itself."""
    times = _from_microseconds(call, 2)
    if not call.arguments[1]:
        return _set_times(_open_file(broker, call), times)
    return _set_times(_file(broker, call, call.integer(0), call.string(1), follow=True), times)


def utimensat(broker: Broker, call: Call) -> int:
    """utimensat(2): nanoseconds, and without a path the descriptor itself."""
    times = call.memory(call.arguments[2], _TIMES.size) if call.arguments[2] else None
    flags = call.integer(3)
    if times is not None and _TIMES.unpack(times)[1::2] == (_UTIME_OMIT, _UTIME_OMIT):
        return 0
    if flags & ~(_AT_SYMLINK_NOFOLLOW | _AT_EMPTY_PATH) or (flags and not call.arguments[1]):
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    if not call.arguments[1]:
        return _set_times(_open_file(broker, call), times)
    path = _file(
        broker, call, call.integer(0), call.string(1), follow=not flags & _AT_SYMLINK_NOFOLLOW, empty=bool(flags & _AT_EMPTY_PATH)
    )
    return _set_times(path, times)


def _from_microseconds(call: Call, index: int) -> bytes | None:
    if not call.arguments[index]:
        return None
    accessed, more, modified, still_more = _TIMES.unpack(call.memory(call.arguments[index], _TIMES.size))
    if not (0 <= more < _MICROSECONDS and 0 <= still_more < _MICROSECONDS):
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    return _TIMES.pack(accessed, more * 1000, modified, still_more * 1000)


def _set_times(path: str, times: bytes | None) -> int:
    """utimensat(2), with its special values."""
    number = ctypes.c_long(_NUMBERS["utimensat"])
    if _libc.syscall(number, ctypes.c_long(AT_FDCWD), os.fsencode(path), times, ctypes.c_long(0)) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return 0


# --- extended attributes ---


def setxattr(broker: Broker, call: Call) -> int:
    """setxattr(2)."""
    name, value = _attribute(call)
    return _setxattr(_file(broker, call, AT_FDCWD, call.string(0), follow=True), name, value, call)


def lsetxattr(broker: Broker, call: Call) -> int:
    """lsetxattr(2)."""
    name, value = _attribute(call)
    return _setxattr(_file(broker, call, AT_FDCWD, call.string(0), follow=False), name, value, call)


def fsetxattr(broker: Broker, call: Call) -> int:
    """fsetxattr(2)."""
    name, value = _attribute(call)
    return _setxattr(_open_file(broker, call), name, value, call)


def _attribute(call: Call) -> tuple[bytes, bytes]:
    size = call.arguments[3]
    if size > _VALUE_MAX:
        raise OSError(errno.E2BIG, os.strerror(errno.E2BIG))
    return attribute_name(call), call.memory(call.arguments[2], size) if size else b""


def attribute_name(call: Call) -> bytes:
    """Return the name of the attribute that a call is about. Raises `OSError`: EFAULT, ERANGE."""
    try:
        name = call.string(1)
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        name = b""
    if not 0 < len(name) <= _NAME_MAX:
        raise OSError(errno.ERANGE, os.strerror(errno.ERANGE))
    return name


def _setxattr(path: str, name: bytes, value: bytes, call: Call) -> int:
    os.setxattr(path, name, value, call.integer(4))
    return 0


def removexattr(broker: Broker, call: Call) -> int:
    """removexattr(2)."""
    name = attribute_name(call)
    os.removexattr(_file(broker, call, AT_FDCWD, call.string(0), follow=True), name)
    return 0


def lremovexattr(broker: Broker, call: Call) -> int:
    """lremovexattr(2)."""
    name = attribute_name(call)
    os.removexattr(_file(broker, call, AT_FDCWD, call.string(0), follow=False), name)
    return 0


def fremovexattr(broker: Broker, call: Call) -> int:
    """fremovexattr(2)."""
    name = attribute_name(call)
    os.removexattr(_open_file(broker, call), name)
    return 0


def too_new(broker: Broker, call: Call) -> int:
    """Say that the kernel does not have a call: C libraries do without."""
    raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))


HANDLERS = {
    "chmod": chmod,
    "fchmod": fchmod,
    "fchmodat": fchmodat,
    "fchmodat2": fchmodat2,
    "chown": chown,
    "lchown": lchown,
    "fchown": fchown,
    "fchownat": fchownat,
    "utime": utime,
    "utimes": utimes,
    "futimesat": futimesat,
    "utimensat": utimensat,
    "setxattr": setxattr,
    "lsetxattr": lsetxattr,
    "fsetxattr": fsetxattr,
    "removexattr": removexattr,
    "lremovexattr": lremovexattr,
    "fremovexattr": fremovexattr,
    "setxattrat": too_new,
    "removexattrat": too_new,
    "file_setattr": too_new,
}
