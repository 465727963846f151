"""Calls on a file's metadata, which Landlock does not cover: on what nothing grants, on what is granted for reading, on what is protected."""

from __future__ import annotations

import ctypes
import fcntl
import os
import struct
from typing import Any

from ..catalogue import add, attempt
from ..kernel import AT_EMPTY_PATH, AT_FDCWD, call
from ..stakes import Attribute, Existence, Kept, LinkTarget, Stirred


def _chmod(path: str) -> None:
    os.chmod(path, 0o777)


def _chmod_through_proc(path: str) -> None:
    os.chmod(f"/proc/self/fd/{os.open(path, os.O_PATH)}", 0o777)


def _fchmodat2(path: str) -> None:
    call("fchmodat2", os.open(path, os.O_PATH), b"", 0o777, AT_EMPTY_PATH)


def _chmod_from_its_folder(path: str) -> None:
    os.chdir(os.path.dirname(path))
    os.chmod(os.path.basename(path), 0o777)


def _chown(path: str) -> None:
    """To the group that it has: as for any owner, that is allowed, and it clears the set-user-id bits; times tell that it was done."""
    os.chown(path, os.stat(path).st_uid, os.stat(path).st_gid)
    os.utime(path, (1, 1))


def _utime(path: str) -> None:
    os.utime(path, (1, 1))


def _utime_of_the_link_itself(path: str) -> None:
    os.utime(path, (1, 1), follow_symlinks=False)


def _set_attribute(path: str) -> None:
    os.setxattr(path, "user.evil", b"x")


def _set_attribute_of_the_link_itself(path: str) -> None:
    os.setxattr(path, "user.evil", b"x", follow_symlinks=False)


def _set_attribute_below_a_descriptor(path: str) -> None:
    """setxattrat(2), new in Linux 6.13: a filter that lists the old calls does not know it."""
    text = ctypes.create_string_buffer(b"x")
    arguments = struct.pack("QII", ctypes.addressof(text), 1, 0)
    call("setxattrat", AT_FDCWD, os.fsencode(path), 0, b"user.evil", arguments, len(arguments))


ON_A_PATH = {
    "change-the-mode": _chmod, "change-the-mode-through-proc": _chmod_through_proc, "change-the-mode-of-a-path-descriptor": _fchmodat2,
    "change-the-mode-from-its-folder": _chmod_from_its_folder, "change-the-owner": _chown, "change-the-times": _utime,
    "change-the-times-without-following": _utime_of_the_link_itself, "set-an-attribute": _set_attribute,
    "set-an-attribute-without-following": _set_attribute_of_the_link_itself,
    "set-an-attribute-below-a-descriptor": _set_attribute_below_a_descriptor,
}  # fmt: skip
_NEW = {"_fchmodat2", "_set_attribute_below_a_descriptor"}
for _slug, _function in ON_A_PATH.items():
    _control = {}
    if _function.__name__ in _NEW:
        _control = {"uncontrolled": dict.fromkeys(("root", "user"), ("ok|ENOSYS", "the call is newer than some kernels"))}
    _new = "|ENOSYS" if _control else ""
    for _what, _path, _expected in (
        (
            "of-what-nothing-grants",
            "{elsewhere}/{slug}/kept.txt",
            {"namespaces": "ENOENT" + _new, "plain": "EACCES|EPERM" + _new},
        ),
        (
            "of-what-is-granted-for-reading",
            "{library}/{slug}/kept.txt",
            {"namespaces": "EROFS|EACCES" + _new, "plain": "EACCES|EPERM" + _new},
        ),
        ("of-what-is-protected", "{project}/{slug}/.git/hooks/pre-commit", {"expected": "EACCES" + _new}),
        ("of-what-is-denied", "{project}/{slug}/.env", {"expected": "EACCES" + _new}),
    ):
        add(_function, Kept(_path), name=f"{_slug}-{_what}", group="metadata", **_expected, **_control)


# By a descriptor that was got by reading: no path is left to look at.


def _fchmod(path: str) -> None:
    os.fchmod(os.open(path, os.O_RDONLY), 0o777)


def _fchown(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    os.fchown(descriptor, os.stat(path).st_uid, os.stat(path).st_gid)
    os.utime(descriptor, (1, 1))


def _futimes(path: str) -> None:
    os.utime(os.open(path, os.O_RDONLY), (1, 1))


def _fsetxattr(path: str) -> None:
    os.setxattr(os.open(path, os.O_RDONLY), "user.evil", b"x")


def _set_flags(path: str) -> None:
    """What chattr(1) does: here `no atime updates`, which an owner may set; `immutable` needs a capability."""
    descriptor = os.open(path, os.O_RDONLY)
    flags = struct.unpack("q", fcntl.ioctl(descriptor, 0x80086601, bytes(8)))[0]  # FS_IOC_GETFLAGS
    fcntl.ioctl(descriptor, 0x40086602, struct.pack("q", flags | 0x80))  # FS_IOC_SETFLAGS, FS_NOATIME_FL


for _slug, _function in {
    "change-the-mode-by-a-descriptor": _fchmod, "change-the-owner-by-a-descriptor": _fchown, "change-the-times-by-a-descriptor": _futimes,
    "set-an-attribute-by-a-descriptor": _fsetxattr, "set-the-inode-flags-by-a-descriptor": _set_flags,
}.items():  # fmt: skip
    _control = {}
    if _function is _set_flags:
        _control = {"uncontrolled": dict.fromkeys(("root", "user"), ("ok|ENOTTY|EOPNOTSUPP", "some file systems have no flags"))}
    _read_only = "EROFS|EPERM" if _function is _set_flags else "EROFS|EACCES"  # this ioctl(2) itself is refused
    for _what, _path, _expected in (
        ("of-what-is-granted-for-reading", "{library}/{slug}/kept.txt", {"namespaces": _read_only, "plain": "EACCES|EPERM"}),
        ("of-what-is-protected", "{project}/{slug}/.git/hooks/pre-commit", {"expected": "EPERM|EACCES"}),
    ):
        add(_function, Kept(_path), name=f"{_slug}-{_what}", group="metadata", **_expected, **_control)


# What metadata tells.

GONE = {"namespaces": "ENOENT", "plain": "EACCES|ENOENT|EPERM"}
SEEN: dict[str, Any] = {
    "namespaces": "ENOENT",
    "plain": "ok",
    "weaker": {"plain": "Landlock has no rule for metadata, and no call is trapped to look at it"},
}


@attempt(Existence(), **SEEN)
def learn_that_a_file_exists_by_stat(path: str) -> str:
    return f"exists, {os.stat(path).st_size} bytes"


@attempt(Existence(), **SEEN)
def learn_that_a_file_exists_by_access(path: str) -> str:
    if not os.access(path, os.F_OK):
        raise FileNotFoundError(2, path)
    return "exists"


@attempt(Existence(), **SEEN)
def learn_that_a_file_exists_by_a_path_descriptor(path: str) -> str:
    return f"exists, {os.fstat(os.open(path, os.O_PATH)).st_size} bytes"


@attempt(LinkTarget(), **SEEN)
def read_the_target_of_a_symlink_that_nothing_grants(path: str) -> str:
    return os.readlink(path)


@attempt(Attribute(), **GONE)
def read_an_attribute_of_a_file_that_nothing_grants(path: str) -> bytes:
    return os.getxattr(path, "user.secret")


@attempt(Attribute("{project}/{slug}/.env"), expected="EACCES")
def read_an_attribute_of_a_denied_file(path: str) -> bytes:
    return os.getxattr(path, "user.secret")


@attempt(Stirred(), **GONE)
def watch_a_folder_that_nothing_grants(folder: str) -> bytes:
    """inotify(7) needs only the right to read the folder, which Landlock does not look at there."""
    watcher = call("inotify_init1", 0)
    call("inotify_add_watch", watcher, os.fsencode(folder), 0xFFF)
    return os.read(watcher, 4096)


@attempt(Stirred("{home}"), namespaces="EACCES|timeout", plain="EACCES|EPERM", timeout=1.2)
def watch_the_home_folder(folder: str) -> bytes:
    watcher = call("inotify_init1", 0)
    call("inotify_add_watch", watcher, os.fsencode(folder), 0xFFF)
    return os.read(watcher, 4096)


@attempt(Stirred("{project}/denied/{slug}"), expected="EACCES")
def watch_a_denied_folder(folder: str) -> bytes:
    watcher = call("inotify_init1", 0)
    call("inotify_add_watch", watcher, os.fsencode(folder), 0xFFF)
    return os.read(watcher, 4096)


@attempt(
    Stirred(),
    expected="EPERM|ENOSYS",
    uncontrolled=dict.fromkeys(("root", "user"), ("ok|EPERM|ENOENT|ENOSYS|EINVAL", "needs a kernel with fanotify for this user")),
)
def watch_a_folder_with_fanotify(folder: str) -> bytes:
    watcher = call("fanotify_init", 0x200 | 0xC00, 0)  # FAN_REPORT_FID, FAN_REPORT_DFID_NAME
    call("fanotify_mark", watcher, 1, 0x100 | 0x08000000, AT_FDCWD, os.fsencode(folder))  # FAN_MARK_ADD, FAN_CREATE on children
    return os.read(watcher, 4096)


@attempt(Kept("{elsewhere}/{slug}/kept", folder=True), **GONE)
def change_the_mode_of_a_folder_that_nothing_grants(path: str) -> None:
    os.chmod(path, 0o777)


@attempt(Kept("{home}", folder=True), namespaces="EROFS|EPERM|EACCES|ok", plain="EACCES|EPERM")
def change_the_mode_of_the_home_folder(path: str) -> None:
    """With another mode every other user of the machine can read it. In a mount view it may be the server's own."""
    os.chmod(path, 0o711)


del _function, _what, _path, _expected, _control, _slug, _new
