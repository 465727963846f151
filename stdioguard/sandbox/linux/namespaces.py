"""Namespaces of the server's own: user (for an ordinary user), mount, pid, ipc, uts and network."""

from __future__ import annotations

import errno
import fcntl
import os

from stdioguard.sandbox.linux import kernel

_CAP_SYS_ADMIN = 21
_ALL = kernel.CLONE_NEWNS | kernel.CLONE_NEWPID | kernel.CLONE_NEWIPC | kernel.CLONE_NEWUTS | kernel.CLONE_NEWNET

# netdevice(7)
_SIOCSIFFLAGS = 0x8914
_IFF_UP = 1

HOST_NAME = b"localhost"
_LAST_ID = 4294967294


def is_privileged() -> bool:
    """Tell whether this process may make namespaces without a user namespace, and mount with changed owners in them."""
    return os.geteuid() == 0 and kernel.has_capability(_CAP_SYS_ADMIN)


def fork(*, own_user: bool) -> int:
    """Fork into namespaces of the child's own, of which it is the first process. Return its process id, and 0 in it.

    `own_user` asks for a user namespace as well, without which an ordinary user gets none of them. Raises `OSError`.
    """
    return kernel.fork_into(_ALL | kernel.CLONE_NEWUSER if own_user else _ALL)


def settle(mapped: tuple[int, int] | None) -> None:
    """Make the new namespaces ready for use, in the child. Raises `OSError`.

    In a user namespace there is one user and one group, `mapped`, the same as outside (user_namespaces(7)).
    """
    if mapped is not None:
        user, group = mapped
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"{user} {user} 1")
        _write("/proc/self/gid_map", f"{group} {group} 1")
    kernel.sethostname(HOST_NAME)
    _loopback_up()


def begin_swap() -> tuple[int, int, int]:
    """Start the process that makes the user namespace of `finish_swap`; there is other work to do until that is made."""
    ready, done = os.pipe()
    held, release = os.pipe()
    helper = os.fork()
    if helper == 0:
        try:
            os.close(ready)
            os.close(release)
            kernel.unshare(kernel.CLONE_NEWUSER)
            os.write(done, b"1")
            os.read(held, 1)  # until the descriptor below is open
        finally:
            os._exit(0)
    os.close(done)
    os.close(held)
    return helper, ready, release


def finish_swap(begun: tuple[int, int, int], user: int, group: int) -> int:
    """Return a descriptor of a user namespace in which root and `user` have changed places, for mounts with mapped owners.

    Files of root are `user`'s in such a mount, and what `user` makes there is root's outside (mount_setattr(2), MOUNT_ATTR_IDMAP).
    Raises `OSError`.
    """
    helper, ready, release = begun
    try:
        if not os.read(ready, 1):
            raise OSError(errno.EPERM, "no user namespace for mapped owners")
        for kind, own in (("uid", user), ("gid", group)):
            rest = _LAST_ID - own
            _write(f"/proc/{helper}/{kind}_map", f"0 {own} 1\n1 1 {own - 1}\n{own} 0 1\n{own + 1} {own + 1} {rest}\n")
        return os.open(f"/proc/{helper}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.close(ready)
        os.close(release)
        os.waitpid(helper, 0)


def _loopback_up() -> None:
    import _socket  # noqa: PLC0415 - with its only use

    control = _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM | _socket.SOCK_CLOEXEC)
    try:
        fcntl.ioctl(control.fileno(), _SIOCSIFFLAGS, b"lo".ljust(16, b"\0") + _IFF_UP.to_bytes(2, "little") + bytes(22))
    finally:
        control.close()


def _write(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)
