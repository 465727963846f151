"""Decisions that a person wants to be remembered: for what, for whom, and until when.

A grant holds for one client, server and tool, each as it was (the pins), and for calls all of whose arguments meet its constraints. It
is a file in the configuration directory, `grants/ID.json`, or, for a session, in the guard's memory: then a note in the queue's folder,
`ID.grant.json`, lets it be seen, and ends it when it is removed. High risk is approved for a session at most.
"""

from __future__ import annotations

import contextlib
import os
import time

from stdioguard.approval import queue
from stdioguard.guard.gates import arguments
from stdioguard.policy import places, private
from stdioguard.wire import strict_json
from stdioguard.wire.errors import MalformedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from stdioguard.guard.asking import Question

MAX_GRANTS = 1000
_SIZE = 1 << 18
_NOTE = ".grant.json"
_FIELDS = (
    "id", "approved", "client", "server", "server_pin", "tool", "tool_pin", "risk", "constraints", "scope", "until", "created",
    "channel",
)  # fmt: skip


class Grant:
    """One remembered decision. `constraints` are by argument: `{"equals": V}`, `{"inside": FOLDER}` or `{"any": true}`.

    `until` and `created` are seconds since the epoch, `until` may be `None`.
    """

    __slots__ = _FIELDS

    def __init__(self, members: dict[str, Any]) -> None:
        self.id: str = members["id"]
        self.approved: bool = members["approved"]
        self.client: str = members["client"]
        self.server: str = members["server"]
        self.server_pin: str = members["server_pin"]
        self.tool: str = members["tool"]
        self.tool_pin: str = members["tool_pin"]
        self.risk: str = members["risk"]
        self.constraints: dict[str, dict[str, Any]] = members["constraints"]
        self.scope: str = members["scope"]
        self.until: float | None = members["until"]
        self.created: float = members["created"]
        self.channel: str = members["channel"]

    def members(self) -> dict[str, Any]:
        """Return the grant as it is written."""
        return {field: getattr(self, field) for field in _FIELDS}

    def covers(self, question: Question, now: float) -> bool:
        """Tell whether the grant decides this call, now (seconds since the epoch)."""
        return self._is_for(question, now) and meets(self.constraints, question.arguments)

    def might_cover(self, question: Question, now: float) -> bool:
        """Tell whether this call may be one that the grant decides, in another spelling or with an argument more."""
        given = question.arguments
        return self._is_for(question, now) and all(
            name in given and _might_meet(constraint, given[name]) for name, constraint in self.constraints.items()
        )

    def _is_for(self, question: Question, now: float) -> bool:
        same = (self.client, self.server, self.server_pin, self.tool, self.tool_pin)
        return (
            same == (question.client, question.server, question.server_pin, question.tool, question.tool_pin)
            and bool(self.tool_pin)
            and self.risk == question.risk
            and (self.until is None or now < self.until)
            and question.remember
            and not question.task
        )


def meets(constraints: dict[str, dict[str, Any]], given: dict[str, Any]) -> bool:
    """Tell whether every argument is constrained, and meets it: nothing passes that the person has not seen a line for."""
    if given.keys() != constraints.keys():
        return False
    return all(_meets(constraints[name], value) for name, value in given.items())


def _meets(constraint: dict[str, Any], value: Any) -> bool:
    if constraint.keys() == {"any"}:
        return constraint["any"] is True
    if constraint.keys() == {"equals"}:
        return strict_json.canonical(constraint["equals"]) == strict_json.canonical(value)
    if constraint.keys() != {"inside"} or type(value) is not str or type(constraint["inside"]) is not str:
        return False
    folder = constraint["inside"]
    # As the argument gate judges it, and more strictly, since nobody looks: what a server could take for something else (a variable, an
    # escape, a path from where it happens to be) is inside nothing. Then a person is asked. The folder is what it led to when it was
    # granted: a link that is put in its place afterwards leads elsewhere.
    return _is_plain(value) and os.path.isabs(folder) and arguments.is_inside(value, [folder], os.path.realpath)


def _might_meet(constraint: dict[str, Any], value: Any) -> bool:
    """Tell whether an argument may mean one that meets a constraint: a path has many spellings."""
    if _meets(constraint, value):
        return True
    meant = constraint.get("inside", constraint.get("equals"))
    if type(value) is not str or type(meant) is not str or "/" not in meant:
        return False
    if len(value) > arguments.MAX_PATH:
        return "/" in value
    # A path that is not absolute leads to a place that the server knows; other spellings may be its own.
    if not _is_plain(value) and (value.startswith("~") or any(char in value for char in "$%:/\0")):
        return True
    folders = [os.path.realpath(meant)] if "\0" not in meant else []
    real = os.path.realpath(value)
    return real in folders or ("inside" in constraint and arguments.is_inside(value, folders, os.path.realpath))


def _is_plain(path: str) -> bool:
    return os.path.isabs(path) and path.isprintable() and not any(char in path for char in "$%\\")


def resolved(constraints: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return constraints whose folders are where they lead to now."""
    found = {}
    for name, constraint in constraints.items():
        folder = constraint.get("inside")
        if type(folder) is str and os.path.isabs(folder) and "\0" not in folder:
            found[name] = {**constraint, "inside": os.path.realpath(folder)}
        else:
            found[name] = constraint
    return found


def make(question: Question, decision: dict[str, Any]) -> Grant | None:
    """Return the grant that a decision asks for, or `None` where it asks for none, or for one that this call itself would not meet."""
    scope, constraints, until = decision.get("scope", "once"), decision.get("constraints"), decision.get("until")
    if scope not in queue.SCOPES or scope == "once" or not question.remember or not question.tool_pin or question.task:
        return None
    if type(constraints) is not dict or not all(type(value) is dict for value in constraints.values()):
        return None
    if scope == "until" and type(until) not in (int, float):
        return None
    if decision["approved"] and question.risk == "high" and scope != "session":
        return None  # a file that anything of this user's can write shall not approve high risk
    constraints = resolved(constraints)
    return (
        Grant(
            {
                "id": queue.new_id(),
                "approved": decision["approved"],
                "client": question.client,
                "server": question.server,
                "server_pin": question.server_pin,
                "tool": question.tool,
                "tool_pin": question.tool_pin,
                "risk": question.risk,
                "constraints": constraints,
                "scope": scope,
                "until": until if scope == "until" else None,
                "created": time.time(),
                "channel": str(decision.get("channel", "")),
            }
        )
        if meets(constraints, question.arguments)
        else None
    )


def folder() -> str:
    """Return where grants are kept; it need not exist."""
    return os.path.join(places.directory("config"), "grants")


def keep(grant: Grant) -> None:
    """Write a grant. Raises `OSError`."""
    places.private_directory(places.directory("config"))
    places.private_directory(folder())
    if len(os.listdir(folder())) >= MAX_GRANTS:
        raise OSError(28, f"more than {MAX_GRANTS} grants; revoke some with stdioguard grants revoke", folder())
    private.replace(os.path.join(folder(), f"{grant.id}.json"), strict_json.encode(grant.members()).encode("ascii"))


def listed() -> list[Grant]:
    """Return the grants that are kept, the oldest first; what is damaged, or another user's, is not one. What has ended is removed."""
    try:
        entries = os.listdir(folder())
    except OSError:
        return []
    found = []
    for entry in entries:
        name, _, rest = entry.partition(".")
        grant = _read(name) if queue.is_id(name) and rest == "json" else None
        if grant is None:
            continue
        if grant.until is not None and grant.until <= time.time():
            with contextlib.suppress(OSError):
                revoke(name)
        else:
            found.append(grant)
    return sorted(found, key=lambda grant: grant.created)


def note(grant: Grant) -> tuple[int, int, int]:
    """Let a grant of this process's session be seen, and revoked; return which file does that. Raises `OSError`."""
    path = os.path.join(queue.folder(), f"{grant.id}{_NOTE}")
    whole = {**grant.members(), "guard": os.getpid(), "started": queue.started(os.getpid()), "namespace": queue.namespace()}
    private.replace(path, strict_json.encode(whole).encode("ascii"), lasting=False)
    return _which(path)


def is_noted(id: str, file: tuple[int, int, int]) -> bool:  # noqa: A002
    """Tell whether a session's grant has not been revoked: whether its note, as `note` has written it, is there."""
    try:
        return _which(os.path.join(queue.folder(), f"{id}{_NOTE}")) == file
    except OSError:
        return False


def _which(path: str) -> tuple[int, int, int]:
    # The number of a file that was removed is given to the next one; the time at which its inode changed last nobody can set.
    status = os.lstat(path)
    return status.st_dev, status.st_ino, status.st_ctime_ns


def of_sessions() -> list[Grant]:
    """Return the grants that running sessions have noted, to be shown: nothing is decided by a note. Those of guards that are gone go."""
    try:
        where = queue.folder()
        entries = os.listdir(where)
    except OSError:
        return []
    found = []
    for entry in entries:
        name = entry.removesuffix(_NOTE)
        if name == entry or not queue.is_id(name):
            continue
        try:
            members = strict_json.decode(private.read(os.path.join(where, entry), _SIZE))
            grant, is_alive = Grant(members), queue.is_alive(members)
        except (OSError, MalformedError, KeyError, TypeError):
            continue
        if not is_alive:
            end(name)
        elif grant.id == name and _is_whole(grant):
            found.append(grant)
    return found


def end(id: str) -> None:  # noqa: A002
    """Take the note of a session's grant away, if it is there."""
    with contextlib.suppress(OSError):
        os.unlink(os.path.join(queue.folder(), f"{id}{_NOTE}"))


def remembered() -> list[Grant]:
    """Return every grant there is, kept or of a session, the oldest first: to be shown."""
    return sorted([*listed(), *of_sessions()], key=lambda grant: grant.created)


def revoke(id: str) -> bool:  # noqa: A002 - the contract's word
    """Remove a grant; return whether it was there. Raises `OSError`."""
    if not queue.is_id(id):
        return False
    found = False
    note = os.path.join(places.directory("runtime"), "approvals", f"{id}{_NOTE}")
    for path in (os.path.join(folder(), f"{id}.json"), note):
        try:
            os.unlink(path)
        except FileNotFoundError:
            continue
        found = True
    return found


def _read(id_: str) -> Grant | None:
    try:
        grant = Grant(strict_json.decode(private.read(os.path.join(folder(), f"{id_}.json"), _SIZE)))
    except (OSError, MalformedError, KeyError, TypeError):
        return None
    return grant if grant.id == id_ and _is_whole(grant) and not (grant.approved and grant.risk == "high") else None


def _is_whole(grant: Grant) -> bool:
    """Tell whether what was read has the types of a grant: it may have been written by anything of this user's."""
    return (
        type(grant.approved) is bool
        and type(grant.created) in (int, float)
        and type(grant.constraints) is dict
        and all(type(value) is dict for value in grant.constraints.values())
        and (grant.until is None or type(grant.until) in (int, float))
    )
