"""In whose hands a path is: what is run, and each folder and link on the way to it, must be for the user and root alone to change.

A path is walked from `/`, one name at a time. A folder is judged before a name in it is looked up, and in a folder that only the user and
root can change, what a name leads to stays what it was; so by the end of the walk nobody else can put another file in its
place. What the walk ends at is opened once, compared with what was seen, and judged again by its descriptor.

Only what another ordinary user could really use is refused: a group without other members, a sticky folder and the group of the machine's
administrators are harmless (`owners.Groups`).
"""

from __future__ import annotations

import errno
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import NoReturn

    from stdioguard.sandbox import owners

    Problem = tuple[str, str, os.stat_result, str]
    """One thing that is wrong on a path: where, which kind (`refusals` has words for each), the status there, and whose doing."""

_MAX_LINKS = 40
"""path_resolution(7)."""

_NOBODY = 65534
"""What an owner that has no name in this user namespace is shown as (/proc/sys/kernel/overflowuid)."""

_FORMAT, _DIRECTORY, _FILE, _LINK = 0o170000, 0o040000, 0o100000, 0o120000
_SETUID, _SETGID, _STICKY = 0o4000, 0o2000, 0o1000

ANY = "file or folder"
FILE = "regular file"
PROGRAM = "program"
FOLDER = "folder"


class PermissionRefused(Exception):  # noqa: N818 - a decision, shown to the user
    """Something that another user could change, or that is too open: `str()` is one line with the command that mends it."""


class Checked:
    """A file or folder that was found in good hands, held open.

    `path` is as it was named, absolute; `realpath` has no links; `links` are those that were met on the way. `dev` and `ino` tell whether
    what is found there later is still it.
    """

    __slots__ = ("dev", "fd", "ino", "links", "path", "realpath")

    def __init__(self, path: str, realpath: str, fd: int, status: os.stat_result, links: dict[str, str]) -> None:
        self.path = path
        self.realpath = realpath
        self.fd = fd
        self.dev = status.st_dev
        self.ino = status.st_ino
        self.links = links

    def close(self) -> None:
        """Close the descriptor, once."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


class Checker:
    """Check paths of one launch. What was seen of a folder is remembered, so that each is looked at once.

    `users` are ids that are trusted beside root's and the user's own: the one that a server is to run as.
    """

    __slots__ = ("_entries", "_groups", "_statuses", "_user", "users")

    def __init__(self, users: Iterable[int] = ()) -> None:
        self._user = os.geteuid()
        self.users = frozenset((0, self._user, *users))
        self._groups: owners.Groups | None = None
        self._statuses: dict[str, os.stat_result] = {}
        self._entries: dict[str, tuple[Problem, ...]] = {}

    def opened(self, path: str, what: str, kind: str = FILE, *, private: bool = False) -> Checked:
        """Open the file or folder at an absolute `path`, which the message of a refusal calls `what`.

        `kind` is `FILE`, `PROGRAM` (a file, not setuid or setgid), `FOLDER` or `ANY`; nobody but its owner may read what is `private`.
        The descriptor can be read where the user may read, and executed or compared where not. Raises `PermissionRefused`, and
        `OSError` where the path leads nowhere.
        """
        realpath, links, problems, status = self._walked(path)
        if status.st_mode & _FORMAT not in (_FILE, _DIRECTORY) or (kind != ANY and _is_folder(status) != (kind == FOLDER)):
            self._refuse(what, path, [(path, "kind", status, kind)])
        flags = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | (os.O_DIRECTORY if _is_folder(status) else 0)
        try:
            fd = os.open(realpath, os.O_RDONLY | flags)
        except PermissionError:
            fd = os.open(realpath, getattr(os, "O_PATH", os.O_RDONLY) | flags)  # a program need not be readable
        try:
            seen, status = status, os.fstat(fd)
            if (seen.st_dev, seen.st_ino) != (status.st_dev, status.st_ino):
                self._refuse(what, path, [(realpath, "replaced", status, "")])
            problems += self._own_problems(realpath, status, private=private)
            if kind == PROGRAM and status.st_mode & (_SETUID | _SETGID) and status.st_mode & 0o111:
                problems.append((realpath, "setuid", status, ""))
            if problems:
                self._refuse(what, path, problems)
        except BaseException:
            os.close(fd)
            raise
        return Checked(path, realpath, fd, status, links)

    def seen(self, path: str) -> tuple[str, dict[str, str], os.stat_result]:
        """Return where an absolute `path` really is, the links that lead there, and its status; nothing is judged. Raises `OSError`."""
        realpath, links, _, status = self._walked(path)
        return realpath, links, status

    def located(self, path: str, what: str) -> tuple[str, dict[str, str]]:
        """Return where an absolute `path` really is, and the links that lead there. Raises like `opened`."""
        realpath, links, problems, status = self._walked(path)
        problems += self._own_problems(realpath, status, private=False)
        if problems:
            self._refuse(what, path, problems)
        return realpath, links

    def problems(self, path: str) -> list[Problem]:
        """Return everything that lets another user decide what an absolute `path` leads to, for reports. Raises `OSError`."""
        realpath, _, problems, status = self._walked(path)
        return problems + self._own_problems(realpath, status, private=False)

    def missing(self, path: str, what: str) -> None:
        """Check the folders above an absolute `path` that may not exist, down to the last that does. Raises `PermissionRefused`.

        Of a sticky folder anybody can take the next name first; who makes a folder there must look at what was made.
        """
        while True:
            try:
                _, _, problems, status = self._walked(path)
            except (FileNotFoundError, NotADirectoryError):
                path = os.path.dirname(path)
                continue
            if not status.st_mode & _STICKY:
                problems += self._own_problems(path, status, private=False)
            if problems:
                self._refuse(what, path, problems)
            return

    def _walked(self, path: str) -> tuple[str, dict[str, str], list[Problem], os.stat_result]:
        """Follow `path` and return what it leads to, the links on the way, what is wrong there, and the status at the end."""
        problems: list[Problem] = []
        links: dict[str, str] = {}
        followed = 0
        real = ""
        status = self._status("/")
        pending = path.split("/")[::-1]
        while pending:
            name = pending.pop()
            if name in ("", "."):
                continue
            if name == "..":
                real = real.rpartition("/")[0]
                status = self._status(real or "/")
                continue
            folder, entry = real or "/", f"{real}/{name}"
            above, status = status, self._status(entry)
            problems += self._entry_problems(folder, above, entry, status)
            if status.st_mode & _FORMAT != _LINK:
                real = entry
                continue
            followed += 1
            if followed > _MAX_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
            target = links[entry] = os.readlink(entry)
            pending += target.split("/")[::-1]
            if target.startswith("/"):
                real = ""
            status = self._status(real or "/")
        return real or "/", links, problems, status

    def _status(self, path: str) -> os.stat_result:
        status = self._statuses.get(path)
        if status is None:
            status = self._statuses[path] = os.lstat(path)
        return status

    def _entry_problems(self, folder: str, above: os.stat_result, entry: str, status: os.stat_result) -> tuple[Problem, ...]:
        """Return what lets another user change which file `entry` of `folder` is, or what is in it."""
        known = self._entries.get(entry)
        if known is not None:
            return known
        problems: list[Problem] = []
        if folder == "/" and not self._trusts(above, shared=False):
            problems.append((folder, "owner", above, ""))
        others = self._others(folder, above)
        # In a sticky folder only the owners of an entry and of the folder can remove or rename it (unlink(2), EPERM).
        if others and not above.st_mode & _STICKY:
            problems.append((folder, "writable", above, others))
        if not self._trusts(status, shared=bool(others)):
            problems.append((entry, "owner", status, ""))
        if status.st_dev != above.st_dev:
            problems += self._mounted_by_another(entry, status)
        self._entries[entry] = tuple(problems)
        return self._entries[entry]

    def _own_problems(self, path: str, status: os.stat_result, *, private: bool) -> list[Problem]:
        problems: list[Problem] = []
        others = self._others(path, status)
        if others:
            problems.append((path, "writable", status, others))
        if not self._trusts(status, shared=False):
            problems.append((path, "owner", status, ""))
        if private and status.st_mode & 0o077 and not others:
            problems.append((path, "open", status, ""))
        return problems

    def _trusts(self, status: os.stat_result, *, shared: bool) -> bool:
        if status.st_uid in self.users:
            return True
        # In a user namespace without root (Flatpak, bubblewrap) the machine's own files have the owner of everything that is unknown
        # there. What lies where anybody can make files may then be anybody's; the rest, only root could have put in place.
        if status.st_uid != _NOBODY or shared:
            return False
        from stdioguard.sandbox import owners  # noqa: PLC0415 - in such a namespace only

        return owners.is_root_unknown()

    def _others(self, path: str, status: os.stat_result) -> str:
        """Return who, beside the trusted users, may write to a file or folder; empty if nobody."""
        mode = status.st_mode
        if mode & _FORMAT == _LINK or not mode & 0o022:
            return ""
        if mode & 0o002:
            return "every user"
        from stdioguard.sandbox import owners  # noqa: PLC0415 - where a group may write

        if self._groups is None:
            self._groups = owners.Groups(self.users)
        # Of an access list these bits are the mask: where they do not grant writing, no entry does (acl(5)).
        return self._groups.writers(path, status.st_gid)

    def _mounted_by_another(self, path: str, status: os.stat_result) -> list[Problem]:
        """Distrust a FUSE file system of another user's: it shows the owners and modes that its server likes (fuse(4))."""
        if os.major(status.st_dev) != 0 or sys.platform != "linux":
            return []
        from stdioguard.sandbox import owners  # noqa: PLC0415 - for file systems without a disk

        user = owners.fuse_user(os.minor(status.st_dev), owners.mounts())
        return [] if user is None or user in self.users else [(path, "mounted", status, owners.user_name(user))]

    def _refuse(self, what: str, path: str, problems: list[Problem]) -> NoReturn:
        from stdioguard.sandbox import refusals  # noqa: PLC0415 - few launches need words

        raise PermissionRefused(refusals.sentence(self._user, what, path, problems))


def _is_folder(status: os.stat_result) -> bool:
    return status.st_mode & _FORMAT == _DIRECTORY
