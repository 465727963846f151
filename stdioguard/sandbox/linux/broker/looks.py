"""Extended attributes that are read, and files that are watched: of nothing that may not be opened to read.

Landlock covers none of these calls. Where there is no mount view, it is asked by way of a call that it does cover: what the rules do not
know, the runtime and the system, may be read if init, which is in the same domain, can open it.
"""

from __future__ import annotations

import ctypes
import errno
import os
from stat import S_IFDIR, S_IFMT, S_IFREG

from stdioguard.sandbox.linux import system
from stdioguard.sandbox.linux.broker.calls import AT_FDCWD
from stdioguard.sandbox.linux.broker.files import names_of
from stdioguard.sandbox.linux.broker.metadata import attribute_name, too_new
from stdioguard.sandbox.linux.broker.rules import Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from stdioguard.sandbox.linux.broker.calls import Call
    from stdioguard.sandbox.linux.broker.service import Broker

_MOST = 65536  # XATTR_SIZE_MAX, XATTR_LIST_MAX
_NOT_GRANTED = "[sandbox] read"
_IN_DONT_FOLLOW = 0x02000000
_IN_ONLYDIR = 0x01000000

_libc = ctypes.CDLL(None, use_errno=True)
_getxattr = _libc["getxattr"]
_getxattr.argtypes = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_size_t)
_getxattr.restype = ctypes.c_ssize_t
_listxattr = _libc["listxattr"]
_listxattr.argtypes = (ctypes.c_char_p, ctypes.c_void_p, ctypes.c_size_t)
_listxattr.restype = ctypes.c_ssize_t
_inotify_add_watch = _libc["inotify_add_watch"]
_inotify_add_watch.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_uint32)

# One thread answers these; the buffer is its own.
_value = (ctypes.c_char * _MOST)()


def _find(broker: Broker, call: Call, path: bytes, *, follow: bool, directory: bool = False) -> bytes:
    """Return a path to what the caller names, once it may be looked at. If that is a link, then the link itself is meant."""
    found = broker.resolver.find(call, AT_FDCWD, path, follow=follow, directory=directory)
    for name in names_of(found):
        if not broker.rules.looking(name) and not _is_readable(broker, found, name):
            raise Refused(name, _NOT_GRANTED)
    return b"/proc/self/fd/%d" % found


def _is_readable(broker: Broker, found: int, name: str) -> bool:
    """Tell whether Landlock lets a file be read; or its folder, where to open the file would do something, or mode and owner forbid it."""
    if broker.resolver.is_process_file(found) or name in system.DEVICES:
        return True
    if S_IFMT(os.fstat(found).st_mode) in (S_IFREG, S_IFDIR) and _opens(f"/proc/self/fd/{found}", 0):
        return True
    return _opens(os.path.dirname(name), os.O_DIRECTORY | os.O_NOFOLLOW)


def _opens(path: str, flags: int) -> bool:
    try:
        os.close(os.open(path, flags | os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError as error:
        return error.errno == errno.EAGAIN  # a lease, which comes after Landlock
    return True


# --- extended attributes ---


def getxattr(broker: Broker, call: Call) -> int:
    """getxattr(2)."""
    return _get(broker, call, follow=True)


def lgetxattr(broker: Broker, call: Call) -> int:
    """lgetxattr(2)."""
    return _get(broker, call, follow=False)


def _get(broker: Broker, call: Call, *, follow: bool) -> int:
    name = attribute_name(call)
    path = _find(broker, call, call.string(0), follow=follow)
    size = min(call.arguments[3], _MOST)
    return _hand_over(call, _getxattr(path, name, _value, size), call.arguments[2], size)


def listxattr(broker: Broker, call: Call) -> int:
    """listxattr(2)."""
    return _list(broker, call, follow=True)


def llistxattr(broker: Broker, call: Call) -> int:
    """llistxattr(2)."""
    return _list(broker, call, follow=False)


def _list(broker: Broker, call: Call, *, follow: bool) -> int:
    path = _find(broker, call, call.string(0), follow=follow)
    size = min(call.arguments[2], _MOST)
    return _hand_over(call, _listxattr(path, _value, size), call.arguments[1], size)


def _hand_over(call: Call, length: int, address: int, size: int) -> int:
    """Write what is in the buffer where the caller wants it. With a size of 0 it asks for the length alone."""
    if length < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    if size and length:
        call.write(address, _value, length)
    return length


# --- watches ---


def inotify_add_watch(broker: Broker, call: Call) -> int:
    """inotify_add_watch(2), on a copy of the caller's instance; the kernel says if it is none."""
    instance = call.descriptor(call.integer(0))
    mask = call.arguments[2] & 0xFFFFFFFF
    path = _find(broker, call, call.string(1), follow=not mask & _IN_DONT_FOLLOW, directory=bool(mask & _IN_ONLYDIR))
    watch: int = _inotify_add_watch(instance, path, mask & ~_IN_DONT_FOLLOW)  # the path that is followed here is the broker's own
    if watch < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return watch


HANDLERS = {
    "getxattr": getxattr,
    "lgetxattr": lgetxattr,
    "listxattr": listxattr,
    "llistxattr": llistxattr,
    "inotify_add_watch": inotify_add_watch,
    "getxattrat": too_new,
    "listxattrat": too_new,
    "file_getattr": too_new,
}
