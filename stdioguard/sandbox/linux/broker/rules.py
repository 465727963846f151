"""What may be done to which path: the fence of denied and protected names, the server's own folders, the granted sockets.

Paths are canonical, as the kernel spells them (`/proc/self/fd`). What is no path there, such as `pipe:[123]`, is something without a
name, and free. Inside the server's own folders no name is protected: nobody's programs look there, and `git clone` has to work somewhere.
So that nobody ever does, no symbolic link from outside may lead into them (see `_mark`), and no directory may be moved out of them.
"""

from __future__ import annotations

import errno
import os
import unicodedata  # noqa: F401 - `patterns` needs it for names that are not ASCII, when no module can be found any more

from stdioguard.sandbox.linux.system import SCRATCH
from stdioguard.sandbox.patterns import folded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from stdioguard.sandbox.patterns import Fence

DELETED = " (deleted)"
"""What the kernel appends to the path of a file that has lost its name (proc(5))."""

_OUTSIDE = "metadata may be changed in writable folders only"
_OTHER_PROCESS = "files of processes outside the sandbox"
_INTO_OWN = "no link into the server's own folders"


class Refused(OSError):  # noqa: N818 - a verdict, not a fault
    """The rules refuse. `rule` is the pattern or the sentence for the record."""

    def __init__(self, path: str, rule: str) -> None:
        super().__init__(errno.EACCES, os.strerror(errno.EACCES), path)
        self.path = path
        self.rule = rule


class Rules:
    """The rules of one server. Each method raises `Refused`, or returns."""

    __slots__ = ("_fence", "_granted", "_inet", "_marks", "_metadata", "_own", "_sockets")

    def __init__(
        self,
        fence: Fence,
        *,
        readable: list[str],
        writable: list[str],
        private: list[str],
        sockets: list[str],
        inet: tuple[str, int] | str | None,
    ) -> None:
        private = [path for path in private if path]
        self._fence = fence
        # A grant below the view's own /tmp is mounted there, and is no less the user's for it.
        self._granted = tuple(path.rstrip("/") + "/" for path in (*readable, *writable))
        self._own = tuple(path.rstrip("/") + "/" for path in private)
        self._metadata = tuple(path.rstrip("/") + "/" for path in (*writable, *private))
        self._sockets = frozenset(sockets)
        self._inet = inet
        self._marks = frozenset(_mark(path) for path in private if path not in SCRATCH)

    def is_own(self, path: str) -> bool:
        """Tell whether a path is in one of the server's own folders."""
        inside = path + "/"
        return inside.startswith(self._own) and not inside.startswith(self._granted)

    # --- files and directories ---

    def opening(self, path: str, *, reads: bool, writes: bool) -> None:
        """An open of what is there, or will be if it is a file."""
        if self.is_own(path) or not path.startswith("/"):
            return
        rule = self._fence.forbids_writing(path) if writes else None
        if rule is None and reads:
            rule = self._fence.forbids_reading(path)
        if rule is not None:
            raise Refused(path, rule)

    def making(self, path: str) -> None:
        """A directory to be made, or one in which a file without a name is."""
        if not self.is_own(path):
            _enforce(path, self._fence.forbids_making(path))

    def writing(self, path: str) -> None:
        """A file, device or socket to be made, written or removed; a directory to be removed."""
        if not self.is_own(path):
            _enforce(path, self._fence.forbids_writing(path))

    def linking(self, path: str, target: str) -> None:
        """A symbolic link to be made, or moved to `path`."""
        if self.is_own(path):
            return
        _enforce(path, self._fence.forbids_linking(path))
        components = folded(target).split("/")
        if not self._marks.isdisjoint(components):
            raise Refused(path, _INTO_OWN)
        if "proc" in components and (components[0] == "" or ".." in components):
            raise Refused(path, _OTHER_PROCESS)  # /proc/PID/cwd leads anywhere while the process lives

    def moving(self, path: str, to: str) -> None:
        """A directory to be moved. Out of the server's own folders, or into them, it can be copied only (EXDEV)."""
        own = self.is_own(path)
        if own != self.is_own(to):
            _enforce(path if not own else to, self._fence.forbids_writing(path if not own else to))
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        if not own:
            _enforce(path, self._fence.forbids_moving(path, to))

    def looking(self, path: str) -> bool:
        """Attributes to be read, or changes to be told. Return whether that settles it: where `False`, Landlock is to be asked."""
        if self.is_own(path) or not path.startswith("/"):
            return True
        _enforce(path, self._fence.forbids_reading(path))
        # In a mount view nothing is there but what may be read; and it comes with a network namespace.
        return self._inet == "any" or (path + "/").startswith(self._granted)

    def changing(self, path: str) -> None:
        """Metadata to be changed."""
        if not path.startswith("/"):
            return
        if not (path + "/").startswith(self._metadata):
            raise Refused(path, _OUTSIDE)
        if not self.is_own(path):
            _enforce(path, self._fence.forbids_making(path))

    # --- sockets ---

    def unix(self, path: str, *, binds: bool) -> None:
        """A socket with a path: to be made in the server's own folders, to be reached there or where it was granted."""
        if not self.is_own(path) and (binds or path not in self._sockets):
            raise Refused(path, "[sandbox] sockets")

    def abstract(self, name: str) -> None:
        """A UNIX socket without a path: they belong to the network namespace."""
        if self._inet != "any":
            raise Refused("@" + name, "abstract sockets")

    def internet(self, host: str, port: int, *, binds: bool) -> None:
        """An address of IPv4 or IPv6."""
        if self._inet != "any" and (binds or self._inet != (host, port)):
            raise Refused(f"{host}:{port}", "[sandbox] network")


def _enforce(path: str, rule: str | None) -> None:
    if rule is not None:
        raise Refused(path, rule)


def _mark(path: str) -> str:
    """Return the component of an own folder's path that no link from outside may hold.

    Whoever gets to a folder through links has looked up each component of its canonical path in the one before; so if none of the links
    holds one of these components, no combination of links, moved or not, ends in the folder. The one to look for is the least usual.
    """
    components = folded(path).split("/")
    return max(components, key=lambda name: ("stdioguard" in name, len(name)))
