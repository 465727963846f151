"""What `wrap` has done to each file, so that `unwrap` can put it back to the byte and `status` can tell what has changed since.

One file a configuration, below the state directory, named by a digest of the path. It holds the exact texts that were replaced. A text that
held a secret is not among them: that one is kept where the secret is.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

import msgspec

from stdioguard.installs import wrapped
from stdioguard.policy import places, private

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from stdioguard.installs.entries import Entry as InFile
    from stdioguard.installs.formats.document import Path

VERSION = 1
LOCK_WAIT = 30.0
"""Seconds to wait for another `wrap` or `unwrap` of this user."""


def digest(text: str | None) -> str:
    """Return what tells a text of a file from another."""
    return hashlib.sha256((text or "").encode("utf-8", "surrogatepass")).hexdigest()[:32]


class JournalError(Exception):
    """A journal that cannot be read or written, in one line for people."""


@dataclass
class Edit:
    """One value of a configuration that was changed. `path` is the way to it."""

    path: list[str | int]
    after: str
    """The digest of the text that `wrap` has written: there may be secrets in it that stay in the file."""
    before: str | None = None
    """The text that was there; `None` where nothing was, or where a secret keeps it."""
    secret: str = ""
    """The name of the secret that is the value that was there, or, with `verbatim`, its text."""
    verbatim: bool = False
    earlier: str = ""
    """The digest of what `wrap` had written before it brought the entry up to date: after a crash the file may still have it."""

    def is_in(self, text: str | None) -> bool:
        """Tell whether a text of the file is what `wrap` has written."""
        return text is not None and digest(text) in (self.after, self.earlier)


@dataclass
class Entry:
    """One wrapped entry."""

    path: list[str | int]
    name: str
    client: str
    """The client's name for people."""
    server: str
    profile: str
    registered: str = ""
    """The name under which the client is registered; empty where it is not."""
    started: str = ""
    """What its command starts, as `commands.recognise` says it."""
    secrets: list[str] = field(default_factory=list)
    """Names of the secrets that were moved out of the file for it."""
    created: float = 0.0
    edits: list[Edit] = field(default_factory=list)

    def follow(self, entry: InFile) -> None:
        """Go with an entry that its client has renamed, or whose neighbours in a list have changed."""
        depth = len(self.path)
        for edit in self.edits:
            edit.path = [*entry.path, *edit.path[depth:]]
        self.path, self.name = list(entry.path), entry.name


@dataclass
class Journal:
    """Every wrapped entry of one file; `file` is its path with links resolved."""

    file: str
    version: int = VERSION
    entries: list[Entry] = field(default_factory=list)

    def match(self, entries: Iterable[InFile]) -> dict[Path, Entry]:
        """Return what was done to each of a file's entries, by the way to it. What is left over is not in the file any more.

        Clients rename entries, and take some out of lists: then the name under which the server is guarded tells which one it is.
        """
        entries = list(entries)
        by_place = {(tuple(record.path), record.name): record for record in self.entries}
        found = {entry.path: by_place[entry.path, entry.name] for entry in entries if (entry.path, entry.name) in by_place}
        for entry in entries:
            said = wrapped.read(entry.argv)
            if entry.path in found or said is None:
                continue
            left = (record for record in self.entries if record not in found.values() and record.server == said.server)
            record = next(left, None)
            if record is not None:
                record.follow(entry)
                found[entry.path] = record
        return found

    def forget(self, entry: Entry) -> None:
        """Take an entry out that is wrapped no more."""
        self.entries = [other for other in self.entries if other is not entry]

    def write(self) -> None:
        """Write the journal, or remove it where nothing is wrapped. Raises `JournalError`."""
        path = _path(self.file)
        try:
            places.private_directory(places.directory("state"))
            places.private_directory(os.path.dirname(path))
            if self.entries:
                private.replace(path, msgspec.json.encode(asdict(self)))
            elif os.path.lexists(path):
                os.unlink(path)
        except OSError as error:
            raise JournalError(f"{path} cannot be written: {error.strerror or error}; nothing was changed") from None
        except UnicodeEncodeError:
            raise JournalError(f"{self.file!a}: its path or a name in it is no UTF-8; nothing was changed") from None


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Let one `wrap` or `unwrap` of this user work at a time, from its reading to its writing. Raises `JournalError`."""
    path = os.path.join(_folder(), "lock")
    try:
        places.private_directory(places.directory("state"))
        places.private_directory(_folder())
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
    except OSError as error:
        raise JournalError(f"{path} cannot be written: {error.strerror or error}; nothing was changed") from None
    try:
        end = time.monotonic() + LOCK_WAIT
        while not _is_locked(descriptor):
            if time.monotonic() > end:
                raise JournalError("another stdioguard wrap or unwrap is at work; nothing was changed, try again when it is done")
            time.sleep(0.02)
        yield
    finally:
        os.close(descriptor)  # and the lock with it, as with the process, however that ends (flock(2))


def _is_locked(descriptor: int) -> bool:
    if sys.platform == "win32":
        return True  # the comparison before a file is replaced remains
    import fcntl  # noqa: PLC0415 - not on Windows

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def of(file: str) -> Journal:
    """Return the journal of a file, an empty one where nothing of it is wrapped. Raises `JournalError`."""
    real = os.path.realpath(file)
    try:
        journal = _read(_path(real))
    except FileNotFoundError:
        return Journal(real)
    if journal.file != real:
        raise JournalError(f"{_path(real)} is another file's; remove it")
    return journal


def everything() -> Iterator[Journal]:
    """Yield the journal of each file in which something is wrapped; a damaged one is left out."""
    folder = _folder()
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return
    for name in names:
        if name.endswith(".json"):
            try:
                yield _read(os.path.join(folder, name))
            except (OSError, JournalError):
                continue


def _folder() -> str:
    return os.path.join(places.directory("state"), "wrapped")


def _path(real: str) -> str:
    return os.path.join(_folder(), hashlib.sha256(os.fsencode(real)).hexdigest()[:32] + ".json")


def _read(path: str) -> Journal:
    """Read one journal. Raises `FileNotFoundError` and `JournalError`."""
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if hasattr(os, "geteuid") and (
                status.st_uid != os.geteuid() or status.st_mode & 0o177 or status.st_mode & 0o170000 != 0o100000
            ):
                raise JournalError(f"{path} is not a file that only you can read; remove it")
            journal: Journal = msgspec.json.decode(file.read(), type=Journal)
    except FileNotFoundError:
        raise
    except (OSError, msgspec.MsgspecError) as error:
        raise JournalError(f"{path} cannot be read: {error}; remove it, then unwrap goes by what the entries say") from None
    if journal.version != VERSION:
        raise JournalError(f"{path} is of another version of stdioguard")
    return journal
