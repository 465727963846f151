"""connect, bind and listen: on a copy of the caller's socket, with a copy of the address that was looked at.

A socket with a path is connected to through a reference to the very file that was judged. A peer that asks who is there (SO_PEERCRED) is
told the broker's process id, and the right user.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
from stat import S_IFMT, S_IFSOCK

from stdioguard.sandbox.linux.broker.calls import AT_FDCWD
from stdioguard.sandbox.linux.broker.paths import joined, name_of
from stdioguard.sandbox.linux.broker.rules import Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from stdioguard.sandbox.linux.broker.calls import Call
    from stdioguard.sandbox.linux.broker.service import Broker

_UNSPEC, _UNIX, _INET, _INET6 = 0, 1, 2, 10
_SOL_SOCKET, _SO_DOMAIN = 1, 39
_MOST = 128  # struct sockaddr_storage
_MOST_UNIX = 110  # struct sockaddr_un
_LEAST_INET, _LEAST_INET6 = 16, 24

_libc = ctypes.CDLL(None, use_errno=True)


def connect(broker: Broker, call: Call) -> int | None:
    """connect(2)."""
    address = _address(call)
    socket = call.descriptor(call.integer(0))
    family = _family(address)
    if family == _UNIX:
        address = _unix_peer(broker, call, address)
    elif family != _UNSPEC:  # that one takes back a connection
        _internet(broker, address, binds=False)
    if fcntl.fcntl(socket, fcntl.F_GETFL) & os.O_NONBLOCK:
        return _checked(_libc.connect(socket, address, len(address)))
    broker.waiting.connect(call, socket, address)
    return None


def bind(broker: Broker, call: Call) -> int:
    """bind(2)."""
    address = _address(call)
    socket = call.descriptor(call.integer(0))
    if _family(address) == _UNIX:
        return _bind_unix(broker, call, socket, address)
    _internet(broker, address, binds=True)
    return _checked(_libc.bind(socket, address, len(address)))


def listen(broker: Broker, call: Call) -> int:
    """listen(2). Without bind it takes an address by itself, for families that have ports."""
    socket = call.descriptor(call.integer(0))
    domain = ctypes.c_int(-1)
    size = ctypes.c_int(4)
    _checked(_libc.getsockopt(socket, _SOL_SOCKET, _SO_DOMAIN, ctypes.byref(domain), ctypes.byref(size)))
    if domain.value != _UNIX:
        broker.rules.internet("listen", 0, binds=True)
    return _checked(_libc.listen(socket, call.integer(1)))


def _address(call: Call) -> bytes:
    size = call.integer(2)
    if not 0 <= size <= _MOST:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    return call.memory(call.arguments[1], size)


def _family(address: bytes) -> int:
    if len(address) < 2:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    return int.from_bytes(address[:2], "little")


def _internet(broker: Broker, address: bytes, *, binds: bool) -> None:
    family = _family(address)
    port = int.from_bytes(address[2:4], "big")
    if family in (_INET, _UNSPEC) and len(address) >= _LEAST_INET:
        broker.rules.internet(".".join(map(str, address[4:8])), port, binds=binds)
    elif family == _INET6 and len(address) >= _LEAST_INET6:
        broker.rules.internet("[" + address[8:24].hex(":", 2) + "]", port, binds=binds)
    elif family in (_UNSPEC, _INET, _INET6):
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    else:
        raise Refused(f"address family {family}", "[sandbox] network")


def _path(broker: Broker, address: bytes) -> bytes:
    """Return the path of a UNIX address, or nothing where it has none and that is allowed."""
    if len(address) > _MOST_UNIX:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    path = address[2:].partition(b"\0")[0]
    if not path:
        broker.rules.abstract(os.fsdecode(address[3:]))
    return path


def _unix_peer(broker: Broker, call: Call, address: bytes) -> bytes:
    """Return an address of the socket that `address` means, once it has been judged."""
    path = _path(broker, address)
    if not path:
        return address
    found = broker.resolver.find(call, AT_FDCWD, path)
    broker.rules.unix(name_of(found), binds=False)
    if S_IFMT(os.fstat(found).st_mode) != S_IFSOCK:
        raise OSError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))
    return _UNIX.to_bytes(2, "little") + b"/proc/self/fd/%d\0" % found


def _bind_unix(broker: Broker, call: Call, socket: int, address: bytes) -> int:
    """Bind from within the directory, so that the path, which stays the socket's name, is as the caller wrote it wherever it can be."""
    path = _path(broker, address)
    if not path:
        return _checked(_libc.bind(socket, address, len(address)))
    directory, name = broker.resolver.parent(call, AT_FDCWD, path)
    canonical = joined(directory, name)
    broker.rules.unix(canonical, binds=True)
    broker.take_umask(call)
    if b"/" not in path:
        chosen = address
    else:
        long = os.fsencode(canonical) + b"\0"
        chosen = _UNIX.to_bytes(2, "little") + (long if len(long) <= _MOST_UNIX - 2 else name + b"\0")
        if path + b"\0" == long:
            chosen = address
    os.fchdir(directory)
    try:
        return _checked(_libc.bind(socket, chosen, len(chosen)))
    finally:
        os.chdir("/")


def _checked(result: int) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


HANDLERS = {"connect": connect, "bind": bind, "listen": listen}
