"""What rules ask of the machine: files, folders, programs, processes. Every answer is asked for once and remembered; nothing is executed.

`offline` views of files that somebody gives by path (a repository, another machine's home) have no machine behind them: rules about owners
and programs are silent then.
"""

from __future__ import annotations

import contextlib
import os
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stdioguard.sandbox.ownership import Checker, Problem


@dataclass(frozen=True, slots=True)
class Step:
    """One step on the way to a file: a folder, a link or the file itself."""

    path: str
    mode: int
    uid: int
    gid: int
    target: str = ""
    """Where a link leads; empty for anything else."""

    @property
    def is_link(self) -> bool:
        """Whether it is a symbolic link."""
        return stat.S_ISLNK(self.mode)


@dataclass(frozen=True)
class Process:
    """A process, as far as this user may know it."""

    pid: int
    parent: int
    uid: int
    name: str
    argv: tuple[str, ...]
    listens: tuple[tuple[str, int], ...] = ()
    """Addresses and ports at which it waits for connections."""


@dataclass
class Machine:
    """This machine, for one audit. `is_here` tells whether the files that are looked at are started on it."""

    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    is_here: bool = True
    uid: int = field(default_factory=lambda: os.geteuid() if hasattr(os, "geteuid") else -1)
    _status: dict[str, os.stat_result | None] = field(default_factory=dict, repr=False)
    running: dict[int, Process] | None = None
    """Every process by its id; `None` until they are asked for."""
    _programs: dict[tuple[str, str], str] = field(default_factory=dict, repr=False)
    _checkers: dict[int, Checker] = field(default_factory=dict, repr=False)
    _hazards: dict[tuple[str, int], list[Problem]] = field(default_factory=dict, repr=False)
    _heads: dict[str, bytes] = field(default_factory=dict, repr=False)

    def status(self, path: str) -> os.stat_result | None:
        """Return the status of a path, links not followed; `None` where it cannot be had."""
        if path not in self._status:
            try:
                self._status[path] = os.lstat(path)
            except (OSError, ValueError):
                self._status[path] = None
        return self._status[path]

    def steps(self, path: str) -> list[Step]:
        """Return every step from the root to a file, through links; it ends where something is missing. At most 40 links."""
        found: list[Step] = []
        rest = os.path.abspath(path).split(os.sep)[1:]
        so_far, links = "/", 0
        while True:
            status = self.status(so_far)
            if status is None:
                return found
            if stat.S_ISLNK(status.st_mode):
                links += 1
                try:
                    target = os.readlink(so_far)
                except OSError:
                    return found
                found.append(Step(so_far, status.st_mode, status.st_uid, status.st_gid, target))
                if links > 40:
                    return found
                rest = os.path.normpath(os.path.join(os.path.dirname(so_far), target)).split(os.sep)[1:] + rest
                so_far = "/"
            else:
                found.append(Step(so_far, status.st_mode, status.st_uid, status.st_gid))
            rest = [part for part in rest if part]
            if not rest:
                return list({step.path: step for step in found}.values())
            so_far = os.path.join(so_far, rest.pop(0))

    def target(self, path: str) -> os.stat_result | None:
        """Return the status of what a path leads to through links; `None` where it cannot be had."""
        try:
            return os.stat(path)
        except (OSError, ValueError):
            return None

    def is_missing(self, path: str) -> bool:
        """Tell whether nothing is at a path; one that this user may not look at is not known to be missing."""
        if self.status(path) is not None:
            return False
        try:
            os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            return True
        except (OSError, ValueError):
            return False
        return False

    def hazards(self, path: str, user: int | None = None) -> list[Problem]:
        """Return what lets somebody else change an absolute path of `user` (default: this user). Nothing where it cannot be looked at."""
        key = (path, self.uid if user is None else user)
        if key not in self._hazards:
            from stdioguard.sandbox.ownership import Checker  # noqa: PLC0415 - only where there are files to look at

            checker = self._checkers.setdefault(key[1], Checker([key[1]]))
            try:
                self._hazards[key] = checker.problems(path) if path.startswith("/") else []
            except (OSError, ValueError):
                self._hazards[key] = []
        return self._hazards[key]

    def head(self, path: str, size: int = 4096) -> bytes:
        """Return how a regular file begins; nothing where it cannot be read."""
        if path not in self._heads:
            self._heads[path] = _head(path, size)
        return self._heads[path]

    def processes(self) -> dict[int, Process]:
        """Return the processes that this user may see, by id; none where the files looked at are not this machine's."""
        if self.running is None:
            self.running = _processes() if self.is_here else {}
        return self.running

    def program(self, word: str, path: str | None = None) -> str:
        """Return the file that a program's name starts: by `path` or the usual PATH; empty where there is none."""
        search = path if path is not None else self.environment.get("PATH", os.defpath)
        key = (word, search)
        if key not in self._programs:
            self._programs[key] = _found(word, search)
        return self._programs[key]


def _found(word: str, search: str) -> str:
    if "/" in word:
        return word if os.path.isabs(word) and os.access(word, os.X_OK) else ""
    for folder in search.split(os.pathsep):
        candidate = os.path.join(folder, word)
        if folder.startswith("/") and os.access(candidate, os.X_OK) and os.path.isfile(candidate):
            return candidate
    return ""


def _head(path: str, size: int) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0))
    except (OSError, ValueError):
        return b""
    try:
        return os.read(descriptor, size) if stat.S_ISREG(os.fstat(descriptor).st_mode) else b""
    except OSError:
        return b""
    finally:
        os.close(descriptor)


def _processes() -> dict[int, Process]:
    import psutil  # noqa: PLC0415 - only for the rules about what is running

    listens: dict[int, list[tuple[str, int]]] = {}
    # One table for the whole machine: where others' sockets cannot be told apart, the pid is missing and the row says nothing.
    with contextlib.suppress(psutil.Error, OSError, RuntimeError):
        for row in psutil.net_connections("tcp"):
            if row.status == psutil.CONN_LISTEN and row.pid and row.laddr:
                listens.setdefault(row.pid, []).append((row.laddr[0], row.laddr[1]))
    found = {}
    for process in psutil.process_iter():
        try:
            with process.oneshot():
                # What runs now decides: a program that has given up root is not root's.
                uid = process.uids().effective if hasattr(process, "uids") else -1
                seen = Process(
                    process.pid,
                    process.ppid(),
                    uid,
                    process.name(),
                    tuple(process.cmdline()),
                    tuple(listens.get(process.pid, ())),
                )
        except (psutil.Error, OSError):
            continue
        if seen.argv:
            found[seen.pid] = seen
    return found
