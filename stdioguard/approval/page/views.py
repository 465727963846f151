"""A question as the page shows it: every text in pieces, what may be decided, and nothing that the page has to interpret."""

from __future__ import annotations

import hashlib
import json
import os
from typing import TYPE_CHECKING, Any

from stdioguard.approval import shown
from stdioguard.approval.page import diff, pieces
from stdioguard.guard import display
from stdioguard.wire import strict_json

if TYPE_CHECKING:
    from stdioguard.approval.queue import Waiting

MAX_ROWS = 800
"""Rows of one argument."""
MAX_ARGUMENTS = 60

_PATH_NAMES = frozenset((
    "path", "paths", "file", "files", "filename", "file_path", "filepath", "dir", "directory", "folder", "source", "destination", "src",
    "dst", "target", "cwd", "root", "repo_path",
))  # fmt: skip
_COMMAND_NAMES = frozenset((
    "command", "commands", "cmd", "script", "shell", "argv", "args", "arguments", "exec", "run", "code", "bash", "query", "sql",
))  # fmt: skip


def view(question: Waiting, *, passphrase: bool) -> dict[str, Any]:
    """Return one question for the page; `passphrase` tells whether one is set."""
    members = question.members
    arguments: dict[str, Any] = members["arguments"] if type(members.get("arguments")) is dict else {}
    size, risk = members.get("arguments_size"), shown.risk(members)
    cwd = members["cwd"] if type(members.get("cwd")) is str else ""
    blocked = why_not(members, passphrase=passphrase)
    changes = diff.of(arguments, cwd)
    covered = changes["covers"] if changes is not None else []
    others = [name for name in arguments if name not in covered]
    found = {
        "id": question.id,
        "digest": str(members.get("digest", "")),
        "server": pieces.name(str(members.get("server", ""))),
        "tool": pieces.name(str(members.get("tool", ""))),
        "client": pieces.name(str(members.get("client", ""))),
        "rule": pieces.name(str(members.get("rule", "")), 300),
        "cwd": pieces.path(cwd),
        "risk": risk,
        "created": members.get("created", 0),
        "deadline": members["deadline"],
        "task": members.get("task") is True,
        "parked": members.get("parked") is True,
        "size": size if type(size) is int else None,
        "arguments": [_argument(name, arguments[name]) for name in others[:MAX_ARGUMENTS]],
        "more": [pieces.name(name, 80) for name in others[MAX_ARGUMENTS : MAX_ARGUMENTS * 4]],
        "more_count": max(0, len(others) - MAX_ARGUMENTS),
        "diff": changes,
        "blocked": blocked,
        "signed": risk == "high",
        "remember": remembers(members),
        "lasting": remembers(members) and risk != "high",
        "limits": [_limit(name, item) for name, item in arguments.items()] if remembers(members) else [],
    }
    found["version"] = tag(found)
    found["times"] = members.get("times", 1)
    return found


def remembers(members: dict[str, Any]) -> bool:
    """Tell whether more than `once` may be offered. What cannot be shown whole cannot be remembered, nor what has no pin."""
    arguments = members.get("arguments")
    is_whole = type(arguments) is dict and len(arguments) <= MAX_ARGUMENTS and members.get("arguments_size") is None
    return members.get("remember") is True and is_whole and bool(members.get("tool_pin"))


def why_not(members: dict[str, Any], *, passphrase: bool) -> str | None:
    """Return why a question cannot be approved on this page, with what to do; `None` where it can."""
    objection = shown.objection(members)
    if objection == shown.CHANGED:
        return "What is shown is not the call that would run: something has changed the question. Deny it."
    if shown.risk(members) == "high" and not passphrase:
        return "High risk needs your passphrase, and none is set. Run this in a terminal, once: stdioguard approvals passphrase"
    if objection == shown.UNPROVED:
        return "This page cannot prove that what it shows is what would run, so it signs nothing. Deny it, or answer in a dialog."
    return None


def folders(item: Any) -> list[str]:
    """Return the folders that a path argument is inside of, the nearest first; none for what is no plain absolute path.

    A folder that the path only leads through, by a link, is not one: the guard judges where a path ends.
    """
    if (
        type(item) is not str
        or not item.startswith("/")
        or len(item) > 4096
        or os.path.normpath(item) != item.rstrip("/")
        or "\0" in item
    ):
        return []
    found = []
    folder = os.path.dirname(item.rstrip("/"))
    while folder not in ("/", ""):
        found.append(folder)
        folder = os.path.dirname(folder)
    real = os.path.realpath(item)
    return [folder for folder in found if real.startswith(os.path.realpath(folder).rstrip("/") + "/")]


def _limit(name: str, item: Any) -> dict[str, Any]:
    """Return how far an argument can be held to: the editor's choices."""
    return {
        "name": name,
        "shown": pieces.name(name, 80),
        "value": pieces.plain(
            display.shortened(item, 160) if type(item) is str else display.shortened(strict_json.readable(item), 160)
        ),
        "folders": [{"folder": folder, "shown": pieces.path(folder)} for folder in folders(item)],
    }


def _argument(name: str, item: Any) -> dict[str, Any]:
    kind, rows = _rows(name, item)
    kept, before, cut = pieces.capped(rows, MAX_ROWS)
    text = item if type(item) is str else ""
    found: dict[str, Any] = {"name": pieces.name(name, 80), "kind": kind, "rows": kept, "characters": len(text)}
    if cut:
        found["gap"] = [before, cut]
        found["digest"] = display.shortened_digest(text or strict_json.canonical(item))
    return found


def _rows(name: str, item: Any) -> tuple[str, list[pieces.Row]]:
    """Return what an argument is (`text`, `path`, `url`, `command`, `value`) and its rows."""
    word = name.lower()
    if type(item) is list and item and all(type(one) is str for one in item):
        if word in _PATH_NAMES:
            return "path", [pieces.path(one) for one in item]
        if word in _COMMAND_NAMES:
            return "command", [pieces.command(one) for one in item]
    if type(item) is not str:
        return "value", [pieces.plain(line) for line in _pretty(item)]
    if word in _COMMAND_NAMES:
        return "command", pieces.ended([pieces.command(line) for line in item.split("\n")])
    if "\n" not in item:
        address = pieces.url(item)
        if address is not None:
            return "url", [address]
        if word in _PATH_NAMES or word.endswith(("_path", "_file", "_dir")) or item.startswith(("/", "~/", "./", "../")):
            return "path", [pieces.path(item)]
    return "text", pieces.ended([pieces.plain(line) for line in item.split("\n")])


def _pretty(item: Any) -> list[str]:
    return json.dumps(item, ensure_ascii=False, indent=2, default=repr).split("\n")


def tag(found: Any) -> str:
    """Return a text that is equal for equal views, and only for those."""
    return hashlib.sha256(json.dumps(found).encode("ascii")).hexdigest()[:32]
