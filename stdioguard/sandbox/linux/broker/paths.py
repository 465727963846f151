"""From what a caller names to what it means: resolved as the kernel would for the caller, to a reference (O_PATH) to one file.

Three ways, each slower than the one before. A path without links is the kernel's to resolve (openat2(2), RESOLVE_NO_SYMLINKS). So is one
with links that are paths, as long as it ends outside /proc: there, `self` would be the broker. All others are walked here, one component
after the other, with the caller's `self` in place of the broker's.

What is below the /proc directory of a process that is not the server's, the broker's own above all, is never opened: the broker could
read its own memory, and write it.
"""

from __future__ import annotations

import ctypes
import errno
import os
from stat import S_IFDIR, S_IFLNK, S_IFMT

from stdioguard.sandbox.linux.broker import calls
from stdioguard.sandbox.linux.broker.calls import AT_FDCWD
from stdioguard.sandbox.linux.broker.rules import Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from stdioguard.sandbox.linux.broker.calls import Call

_MOST_LINKS = 40  # path_resolution(7)
_PROC_SUPER_MAGIC = 0x9FA0
_OTHERS = "files of processes outside the sandbox"
_GENERATIONS = 64

_libc = ctypes.CDLL(None, use_errno=True)


class Resolver:
    """Resolves paths for callers. Remembers only which devices are /proc."""

    __slots__ = ("_process_files",)

    def __init__(self) -> None:
        self._process_files: dict[int, bool] = {}

    def find(self, call: Call, number: int, path: bytes, *, follow: bool = True, directory: bool = False) -> int:
        """Return a reference to what `path` means for the caller, relative to its descriptor `number` (or AT_FDCWD).

        Raises `OSError` as the kernel would, and `Refused` for what is another process's.
        """
        return self.find_from(call, _start(call, number, path), path, follow=follow, directory=directory)

    def find_from(self, call: Call, start: int, path: bytes, *, follow: bool = True, directory: bool = False) -> int:
        """As `find`, relative to a directory of the broker's."""
        flags = (0 if follow else os.O_NOFOLLOW) | (os.O_DIRECTORY if directory else 0)
        found = -1
        try:
            found = call.keep(calls.reference(start, path, flags))
        except OSError as error:
            if error.errno != errno.ELOOP:
                raise
            try:
                found = call.keep(calls.reference_plain(start, path, flags))
            except OSError:
                pass
            if found < 0 or self.is_process_file(found):
                found = self._walk(call, start, path, follow=follow, directory=directory)
        if self.is_process_file(found):
            self._check_process(call, found)
        return found

    def parent(self, call: Call, number: int, path: bytes) -> tuple[int, bytes]:
        """Return the directory in which the last component of `path` is looked up, and that component with the slashes after it."""
        return self.parent_from(call, _start(call, number, path), path)

    def parent_from(self, call: Call, start: int, path: bytes) -> tuple[int, bytes]:
        """As `parent`, relative to a directory of the broker's."""
        stripped = path.rstrip(b"/")
        if not stripped:
            if not path:
                raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))
            return self.find_from(call, start, b"/", directory=True), b"."
        above, slash, name = stripped.rpartition(b"/")
        if slash:
            start = self.find_from(call, start, above or b"/", directory=True)
        return start, name + path[len(stripped) :]

    def is_process_file(self, descriptor: int) -> bool:
        """Tell whether a descriptor refers to something in /proc."""
        device = os.fstat(descriptor).st_dev
        known = self._process_files.get(device)
        if known is None:
            buffer = (ctypes.c_long * 32)()
            if _libc.fstatfs(descriptor, buffer) != 0:
                return True
            known = self._process_files[device] = buffer[0] == _PROC_SUPER_MAGIC
        return known

    # --- by hand ---

    def _walk(self, call: Call, start: int, path: bytes, *, follow: bool, directory: bool) -> int:
        here = _open_directory(b"/", start) if path.startswith(b"/") else os.open(b".", os.O_PATH | os.O_CLOEXEC, dir_fd=start)
        if path.endswith(b"/"):
            directory = follow = True
        todo = _components(path)
        links = 0
        try:
            while todo:
                name = todo.pop()
                in_proc = self.is_process_file(here)
                own = _own_name(call, here, name) if in_proc and (todo or follow) else None
                if own is not None:
                    links += 1
                    todo += _components(own)
                    continue
                found = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=here)
                if S_IFMT(os.fstat(found).st_mode) != S_IFLNK or not (todo or follow):
                    here = _instead(here, found)
                    continue
                links += 1
                if links > _MOST_LINKS:
                    os.close(found)
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
                if in_proc and _is_magic(here, name):
                    os.close(found)
                    self._check_process(call, here)
                    here = _instead(here, os.open(name, os.O_PATH | os.O_CLOEXEC, dir_fd=here))
                    continue
                target = os.readlink(b"", dir_fd=found)
                os.close(found)
                if target.startswith(b"/"):
                    here = _instead(here, _open_directory(b"/", here))
                if not todo and target.endswith(b"/"):
                    directory = True
                todo += _components(target)
            if directory and S_IFMT(os.fstat(here).st_mode) != S_IFDIR:
                raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        except BaseException:
            os.close(here)
            raise
        return call.keep(here)

    def _check_process(self, call: Call, descriptor: int) -> None:
        """Refuse what is below the directory of a process, unless that descends from the broker, as all of the server does."""
        path = name_of(descriptor)
        components = path.split("/")
        if components[1] != "proc":
            raise Refused(path, _OTHERS)  # mounted elsewhere: nothing of the server's
        if len(components) > 2 and components[2].isdigit() and not descends(int(components[2])):
            raise Refused(path, _OTHERS)


def name_of(descriptor: int) -> str:
    """Return the canonical path of what a descriptor refers to. Raises ENAMETOOLONG where that is longer than a path can be."""
    return os.readlink(f"/proc/self/fd/{descriptor}")


def joined(directory: int, name: bytes) -> str:
    """Return the canonical path of a name in a directory; the name is no link."""
    above = name_of(directory)
    return f"{above}/{os.fsdecode(name.rstrip(b'/'))}" if above != "/" else "/" + os.fsdecode(name.rstrip(b"/"))


def _start(call: Call, number: int, path: bytes) -> int:
    return AT_FDCWD if path.startswith(b"/") else call.directory(number)


def _components(path: bytes) -> list[bytes]:
    """Return the components, the first one last."""
    found = [name for name in path.split(b"/") if name and name != b"."]
    if path.endswith(b"/."):
        found.append(b".")  # what is before it must be a directory
    found.reverse()
    return found


def _open_directory(path: bytes, here: int) -> int:
    return os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=here)


def _instead(old: int, new: int) -> int:
    os.close(old)
    return new


def _is_magic(here: int, name: bytes) -> bool:
    try:
        os.close(calls.reference_plain(here, name))
    except OSError as error:
        return error.errno == errno.ELOOP
    return False


def _own_name(call: Call, here: int, name: bytes) -> bytes | None:
    """Return what `self` and `thread-self` at the root of /proc mean for the caller."""
    if name not in (b"self", b"thread-self") or name_of(here) != "/proc":
        return None
    process = call.process()
    return b"%d" % process if name == b"self" else b"%d/task/%d" % (process, call.thread)


def descends(process: int) -> bool:
    """Tell whether a process, or a thread of one, descends from the broker. Neither the broker itself nor a thread of its own does."""
    own = os.getpid()
    for _ in range(_GENERATIONS):
        try:
            with open(f"/proc/{process}/stat", "rb") as file:
                process = int(file.read().rpartition(b") ")[2].split()[1])
        except OSError:
            return False
        if process == own:
            return True
        if process <= 1:
            return False
    return False
