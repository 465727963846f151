"""The server's view of the file system: a new root in which only what the plan grants is there, read-only but for what is writable.

It is built with the mount API of Linux 5.2 and 5.12 (open_tree(2), mount_setattr(2), move_mount(2)): each source is opened
without following a link, cloned, restricted while it is attached nowhere, and only then put in its place.
"""

from __future__ import annotations

import os

from stdioguard.sandbox.linux import kernel, system

TYPE_CHECKING = False
if TYPE_CHECKING:
    from stdioguard.sandbox.plan import Plan

# include/uapi/linux/mount.h
_OPEN_TREE_CLONE = 1
_MOVE_FROM_DESCRIPTOR = 4
_RDONLY = 0x1
_NOSUID = 0x2
_NODEV = 0x4
_NOEXEC = 0x8
_IDMAP = 0x00100000

_MS_NOSUID = 2
_MS_NODEV = 4
_MS_NOEXEC = 8
_MS_REC = 0x4000
_MS_PRIVATE = 1 << 18

_STAGE = "/tmp"  # noqa: S108 - covered, in a namespace of our own, by the root in the making
_SMALL = "size=4m,mode=755"
_SCRATCH = "size=512m,mode=1777"
"""What `/tmp` and `/dev/shm` may hold each: they are memory, and not below the plan's limit."""


class Source:
    """A piece of the host's file system on its way into the view. One that is `granted` may be shown with mapped owners."""

    __slots__ = ("attributes", "descriptor", "granted", "is_directory", "path")

    def __init__(self, path: str, attributes: int, *, granted: bool) -> None:
        self.path = path
        self.attributes = attributes
        self.granted = granted
        origin = kernel.open_canonical(path)
        self.is_directory = os.fstat(origin).st_mode & 0o170000 == 0o040000
        flags = _OPEN_TREE_CLONE | kernel.AT_EMPTY_PATH | kernel.AT_RECURSIVE | os.O_CLOEXEC
        try:
            self.descriptor = kernel.call("open_tree", origin, b"", flags, path=path)
        finally:
            os.close(origin)

    def restrict(self, owners: int | None) -> None:
        """Set the mount's attributes, and map its owners where `owners` is a user namespace."""
        attributes = self.attributes | (_IDMAP if owners is not None else 0)
        data = b"".join(value.to_bytes(8, "little") for value in (attributes, 0, 0, owners or 0))
        kernel.call(
            "mount_setattr", self.descriptor, b"", kernel.AT_EMPTY_PATH | kernel.AT_RECURSIVE, data, len(data), path=self.path
        )


def sources(plan: Plan) -> list[Source]:
    """Open everything that the view is made of, parents before children. Raises `OSError`."""
    base = dict.fromkeys(system.present()[0], _RDONLY | _NOSUID | _NODEV) | dict.fromkeys(system.DEVICES, _NOSUID | _NOEXEC)
    readable = dict.fromkeys((*plan.runtime, *plan.read), _RDONLY | _NOSUID | _NODEV)
    writable = dict.fromkeys((*plan.write, plan.home, plan.cache, plan.tmp), _NOSUID | _NODEV)
    wanted = dict.fromkeys(_present_sockets(plan), _RDONLY | _NOSUID | _NODEV | _NOEXEC) | base | readable | writable
    chosen: dict[str, int] = {}
    for path in sorted(wanted):
        nearest = max((p for p in chosen if path.startswith(p + "/")), key=len, default=None)
        if nearest is None or chosen[nearest] != wanted[path]:
            chosen[path] = wanted[path]
    return [Source(path, attributes, granted=path not in base) for path, attributes in chosen.items()]


def _present_sockets(plan: Plan) -> list[str]:
    """Return where the granted sockets are; one that nobody has made yet is left to a grant of its folder."""
    found = map(os.path.realpath, plan.sockets)
    return [path for path in found if os.path.exists(path) and os.stat(path).st_mode & 0o170000 == 0o140000]


def restrict(parts: list[Source], owners: int | None) -> None:
    """Set the attributes of every part; `owners` is a user namespace for mapped owners (see `namespaces.finish_swap`).

    Raises `OSError`, with the path, where the file system there cannot map owners.
    """
    for part in parts:
        part.restrict(owners if part.granted else None)


def enter(plan: Plan, parts: list[Source]) -> None:
    """Build the view and make it the root of this process, which is the first of its pid namespace. Raises `OSError`."""
    kernel.mount("", "/", "", _MS_REC | _MS_PRIVATE)
    kernel.mount("tmpfs", _STAGE, "tmpfs", _MS_NOSUID | _MS_NODEV, _SMALL)
    for path in ("/proc", "/dev", "/etc", "/run", "/var"):
        os.mkdir(_STAGE + path)
    for path in system.SCRATCH:
        os.mkdir(_STAGE + path)
        kernel.mount("tmpfs", _STAGE + path, "tmpfs", _MS_NOSUID | _MS_NODEV, _SCRATCH)
    for part in parts:
        target = _STAGE + part.path
        _make_place(target, part.is_directory)
        kernel.call(
            "move_mount", part.descriptor, b"", kernel.AT_FDCWD, os.fsencode(target), _MOVE_FROM_DESCRIPTOR, path=part.path
        )
        os.close(part.descriptor)
    os.mkdir(_STAGE + "/dev/pts")
    kernel.mount("devpts", _STAGE + "/dev/pts", "devpts", _MS_NOSUID | _MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0600,max=64")
    _write_settings(plan)
    for path, target in (*system.present()[1], *system.DEVICE_LINKS, *plan.links):
        _make_link(_STAGE + path, target)
    _make_place(_STAGE + plan.cwd, True)
    # Before the host's own is gone: in a user namespace one may be mounted only where one is seen (mount_namespaces(7)).
    kernel.mount("proc", _STAGE + "/proc", "proc", _MS_NOSUID | _MS_NODEV | _MS_NOEXEC)
    data = b"".join(value.to_bytes(8, "little") for value in (_RDONLY, 0, 0, 0))
    kernel.call("mount_setattr", kernel.AT_FDCWD, os.fsencode(_STAGE), 0, data, len(data), path="/")
    os.chdir(_STAGE)
    kernel.call("pivot_root", b".", b".")  # the old root is stacked upon the new one (pivot_root(2))
    kernel.unmount_detached(".")
    os.chdir("/")


def _make_place(path: str, is_directory: bool) -> None:
    """Make a directory or an empty file to mount upon, unless it is there."""
    if os.path.lexists(path):
        return
    parent = os.path.dirname(path)
    if is_directory:
        os.makedirs(path, 0o755)
        return
    os.makedirs(parent, 0o755, exist_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o644))


def _make_link(path: str, target: str) -> None:
    if not os.path.lexists(path):
        os.makedirs(os.path.dirname(path), 0o755, exist_ok=True)
        os.symlink(target, path)


def _write_settings(plan: Plan) -> None:
    """Write the files of `system.USERS` for the one user and the one host that there are."""
    user, group = plan.user or (os.geteuid(), os.getegid())
    name = plan.environment.get("USER", "") or "user"
    if not name.replace("-", "").replace("_", "").replace(".", "").isalnum():
        name = "user"
    root = "" if user == 0 else "root:x:0:0:root:/:/usr/sbin/nologin\n"
    texts = {
        "passwd": f"{root}{name}:x:{user}:{group}::{plan.home}:/bin/sh\n",
        "group": f"{'' if group == 0 else 'root:x:0:' + chr(10)}{name}:x:{group}:\n",
        "hosts": "127.0.0.1 localhost\n::1 localhost\n",
        "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
    }
    for file, text in texts.items():
        path = f"{_STAGE}/etc/{file}"
        if not os.path.lexists(path):
            descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o644)
            os.write(descriptor, os.fsencode(text))
            os.close(descriptor)
