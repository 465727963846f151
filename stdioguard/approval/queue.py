"""Questions that wait for a person, as files that every channel of that person can see, and nobody else.

    RUNTIME/approvals/ID.json            a question, written by the guard whose call waits; it goes with that guard
    RUNTIME/approvals/ID.decision.json   the decision, written once by a channel, taken by the guard
    RUNTIME/approvals/ID.grant.json      what a running session remembers (see `grants`)
    RUNTIME/approvals/NAME.PID.RANDOM    any of them on its way

A decision counts for the digest that it names, until the question's deadline, once. The guard alone judges that: what is in these
files is a claim. A claim that the guard would not take is in nobody's way: a channel puts a decision in its place. Times that decide are
on `clock`, which goes on while the machine sleeps and which nobody sets.
"""

from __future__ import annotations

import os
import time

from stdioguard.policy import places, private
from stdioguard.wire import strict_json
from stdioguard.wire.errors import MalformedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

VERSION = 1
MAX_SIZE = 1 << 20
SCOPES = ("once", "session", "until", "always")
"""How long a decision holds; see `grants`."""

CHANNELS = ("terminal", "page")
"""Those whose decisions come by these files."""
LEFT_BEHIND = 60.0
"""Seconds after which a decision without a question, or a file on its way, is nobody's any more."""
FOREIGN_FOR = 3600.0
"""Seconds for which the question of a guard in another pid namespace is left where it is: none waits for so long."""

_TRIES = 8
_TEXTS = ("session", "client", "server", "server_pin", "tool", "tool_pin", "rule", "digest", "cwd")
_ID_LENGTH = 8
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
"""Those that a person cannot take for one another."""


def clock() -> float:
    """Return seconds on the clock of deadlines."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def new_id() -> str:
    """Return a new id of a question: short enough to be typed."""
    return "".join(_LETTERS[byte % len(_LETTERS)] for byte in os.urandom(_ID_LENGTH))


def is_id(text: str) -> bool:
    """Tell whether a text could be the id of a question."""
    return len(text) == _ID_LENGTH and all(char in _LETTERS for char in text)


def folder() -> str:
    """Make and return the folder of the queue. Raises `OSError` where it cannot be private."""
    return places.private_directory(os.path.join(places.private_directory(places.directory("runtime")), "approvals"))


def trouble(size: int = 0) -> str | None:
    """Return why no question with arguments of `size` bytes can be written, in one line; `None` where it can."""
    where = os.path.join(places.directory("runtime"), "approvals")
    try:
        path = _scratch(os.path.join(folder(), f"{new_id()}.json"))
        private.fill(path, bytes(4096 + size), lasting=False)
        os.unlink(path)
    except OSError as error:
        return f"{error.strerror}: {error.filename or where}" if error.strerror else str(error)
    return None


class Waiting:
    """A question as the channels see it. `members` are those of the file, `left` seconds until its deadline."""

    __slots__ = ("id", "left", "members")

    def __init__(self, id: str, members: dict[str, Any]) -> None:  # noqa: A002
        self.id = id
        self.members = members
        self.left: float = members["deadline"] - clock()


def write(id: str, members: dict[str, Any]) -> None:  # noqa: A002
    """Write or replace a question, whole. `members` are JSON; whose it is and `version` are added. Raises `OSError`."""
    guard = {"guard": os.getpid(), "started": started(os.getpid()), "namespace": namespace()}
    whole = {**members, "version": VERSION, "id": id, **guard}
    path = os.path.join(folder(), f"{id}.json")
    private.replace(path, _fits(strict_json.encode(whole).encode("ascii"), path), lasting=False)


def remove(id: str) -> None:  # noqa: A002
    """Take a question and its decision away, if they are there."""
    for name in (f"{id}.json", f"{id}.decision.json"):
        try:
            os.unlink(os.path.join(folder(), name))
        except OSError:
            continue


def waiting() -> list[Waiting]:
    """Return the questions that can still be decided, the oldest first; what a guard that is gone has left behind is removed."""
    try:
        where = folder()
        entries = os.listdir(where)
    except OSError:
        return []
    found = []
    here = namespace()
    for entry in entries:
        name, _, rest = entry.partition(".")
        if not is_id(name):
            continue
        if rest != "json":
            _sweep(where, entry)
            continue
        members = _read(os.path.join(where, entry))
        if members is None or not _is_question(members):
            continue
        if members.get("namespace", here) != here:
            # Its guard's number says nothing here, so nobody can tell whether it lives.
            if _age(os.path.join(where, entry)) > FOREIGN_FOR:
                remove(name)
        elif started(members["guard"]) != members["started"] or members["deadline"] <= clock():
            remove(name)
        elif not _counts(_read(os.path.join(where, f"{name}.decision.json")), name, members):
            found.append(Waiting(name, members))
    return sorted(found, key=lambda question: question.members["created"])


def decide(id: str, digest: str, *, approved: bool, channel: str, **more: Any) -> bool:  # noqa: A002
    """Write the decision on a question; return whether this was the first one that counts. Raises `OSError`.

    `more` are `scope`, `until`, `constraints` (see `grants`), `seen` and `signature` (see `proof`).
    """
    data = strict_json.encode({"id": id, "digest": digest, "approved": approved, "channel": channel, **more}).encode("ascii")
    where = folder()
    path, question = os.path.join(where, f"{id}.decision.json"), _read(os.path.join(where, f"{id}.json"))
    asked = {**(question or {}), "digest": digest}
    for _ in range(_TRIES):
        try:
            private.create(path, _fits(data, path), lasting=False)
        except FileExistsError:
            if _counts(_read(path), id, asked):
                return False
            _displace(path, id, asked)
        else:
            return True
    raise OSError(16, "another program writes decisions on this question again and again", path)


def decision(id: str) -> dict[str, Any] | None:  # noqa: A002
    """Return what a channel has written on a question, once: the file is gone then, whatever it was."""
    try:
        path = os.path.join(folder(), f"{id}.decision.json")
        taken = _scratch(path)
        # What is read is what was taken: between a look at a name and its removal there may be another file under it.
        os.rename(path, taken)
    except OSError:
        return None  # there is none, somebody else has taken it, or others can write in the folder
    members = _read(taken)
    _discard(taken)
    return members


def _counts(said: dict[str, Any] | None, id: str, asked: dict[str, Any]) -> bool:  # noqa: A002
    """Tell whether a guard would take `said` as the decision on a question, as far as a channel can know."""
    if said is None or said.get("id") != id or said.get("digest") != asked.get("digest"):
        return False
    if type(said.get("approved")) is not bool or said.get("channel") not in CHANNELS:
        return False
    if not said["approved"]:
        return True
    from stdioguard.approval import proof  # noqa: PLC0415 - where a decision is there already

    seen = proof.seen(asked) if "session" in asked else said.get("seen")
    if asked.get("risk") == "high":
        key = proof.read()
        return key is not None and said.get("seen") == seen and proof.is_signed(key, said)
    return bool(said.get("seen", seen) == seen)


def _displace(path: str, id: str, asked: dict[str, Any]) -> None:  # noqa: A002
    """Take away what is no decision, whatever it is. What has become one meanwhile is put back: it was first."""
    taken = _scratch(path)
    try:
        os.rename(path, taken)
    except FileNotFoundError:
        return  # the guard was quicker
    if _counts(_read(taken), id, asked):
        try:
            os.link(taken, path)
        except FileExistsError:
            pass
    _discard(taken)


def _sweep(where: str, entry: str) -> None:
    """Remove a decision whose question is gone, or a file that never got its name, once it is old."""
    name, _, rest = entry.partition(".")
    path = os.path.join(where, entry)
    is_orphan = rest == "decision.json" and not os.path.lexists(os.path.join(where, f"{name}.json"))
    if (is_orphan or rest.startswith(("json.", "decision.json.", "grant.json."))) and _age(path) > LEFT_BEHIND:
        _discard(path)


def _age(path: str) -> float:
    """Return how many seconds ago a file was written; a time to come is as far away."""
    try:
        return abs(time.time() - os.lstat(path).st_mtime)
    except OSError:
        return 0.0


def _discard(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        try:
            os.rmdir(path)
        except OSError:
            pass  # a folder with something in it is no decision under any name


def namespace() -> str:
    """Return which numbers of processes are meant; empty where there is but one kind."""
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def is_alive(members: dict[str, Any]) -> bool:
    """Tell whether the guard that has written a file runs, or may run where nobody here can tell."""
    return bool(members["namespace"] != namespace() or started(members["guard"]) == members["started"])


def started(pid: int) -> str:
    """Return when a process was started, in a form that a later process of the same number cannot have; empty where there is none."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[19].decode()
    except (OSError, IndexError):
        pass
    if os.path.exists("/proc/self/stat"):
        return ""
    import psutil  # noqa: PLC0415 - where there is no /proc

    try:
        return str(psutil.Process(pid).create_time())
    except psutil.Error:
        return ""


def _is_question(members: dict[str, Any]) -> bool:
    """Tell whether a file's members are those of a question: it may have been written by anything of this user's."""
    number = (int, float)
    return (
        members.get("version") == VERSION
        and type(members.get("guard")) is int
        and type(members.get("started")) is str
        and type(members.get("deadline")) in number
        and type(members.get("created")) in number
        and type(members.get("arguments")) is dict
        and all(type(members.get(name)) is str for name in _TEXTS)
    )


def _fits(data: bytes, path: str) -> bytes:
    if len(data) > MAX_SIZE:
        raise OSError(27, "File too large", path)
    return data


def _scratch(path: str) -> str:
    """Return a name beside `path` that nobody else uses."""
    return f"{path}.{os.getpid()}.{os.urandom(4).hex()}"


def _read(path: str) -> dict[str, Any] | None:
    """Return the members of a file that this user has written, or `None`."""
    try:
        found = strict_json.decode(private.read(path, MAX_SIZE))
    except (OSError, MalformedError):
        return None
    return found if type(found) is dict else None
