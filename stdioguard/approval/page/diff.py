"""What a write would change: the file as it is now against what the call holds, line by line.

The page's process is the person's own and may read what they may read. It reads a file that a model has named, so: regular files only,
never one that would block, no more than `MAX_FILE` bytes, and what it reads goes to the person's browser and nowhere else.
"""

from __future__ import annotations

import difflib
import os
import stat
from typing import Any

from stdioguard.approval.page import pieces
from stdioguard.guard import display

MAX_FILE = 512 << 10
MAX_LINES = 4000
"""Lines of either side; the time that a comparison takes grows faster than they do."""
MAX_ROWS = 1200
MAX_EDITS = 40

_PATHS = ("path", "file_path", "filepath", "file", "filename", "target_file", "target", "uri")
_CONTENTS = ("content", "contents", "text", "new_content", "file_text", "data", "body", "code")
_OLD_NEW = (("oldText", "newText"), ("old_text", "new_text"), ("old_string", "new_string"), ("old_str", "new_str"), ("old", "new"),
            ("search", "replace"))  # fmt: skip


def used(arguments: dict[str, Any]) -> tuple[str | None, list[str]]:
    """Return the argument that names the file of a write, and those that its differences show; none where the call is no write."""
    where = next((name for name in _PATHS if type(arguments.get(name)) is str), None)
    if _pairs(arguments.get("edits")):
        return where, ["edits"]
    for old, new in _OLD_NEW:
        if type(arguments.get(old)) is str and type(arguments.get(new)) is str:
            return where, [old, new]
    content = next((name for name in _CONTENTS if type(arguments.get(name)) is str and name != where), None)
    return (where, [content]) if where and content else (None, [])


def of(arguments: dict[str, Any], cwd: str) -> dict[str, Any] | None:
    """Return what a write would change, or `None` where the arguments are not those of a write.

    `rows` are `[class, pieces]`; `notes` says what they were compared with, in the guard's own words; `covers` names the arguments that
    are shown whole by that.
    """
    where, names = used(arguments)
    if not names:
        return None
    found = _changes(arguments, cwd, where, names)
    if where and found["covers"]:
        found["path"] = pieces.path(arguments[where])
        found["covers"] = [where, *found["covers"]]
    return found


def _changes(arguments: dict[str, Any], cwd: str, where: str | None, names: list[str]) -> dict[str, Any]:
    notes: list[str] = []
    current = _read(arguments[where], cwd, notes) if where else None
    if names == ["edits"]:
        changes = _pairs(arguments["edits"])
    elif len(names) == 2:
        changes = [(arguments[names[0]], arguments[names[1]])]
    elif current is None:
        return {"rows": [], "notes": notes, "covers": []}
    else:
        return _shown(_compared(current, arguments[names[0]], notes), notes, names)
    whole = _applied(current, changes, notes) if current else None
    if current and whole is not None:
        return _shown(_compared(current, whole, notes), notes, names)
    return _shown([row for old, new in changes for row in _compared(old, new, notes)], notes, names)


def _shown(rows: list[list[Any]], notes: list[str], names: list[str]) -> dict[str, Any]:
    kept, before, cut = pieces.capped(rows, MAX_ROWS)
    added, removed = sum(row[0] == "add" for row in rows), sum(row[0] == "del" for row in rows)
    return {
        "rows": kept,
        "gap": [before, cut] if cut else None,
        "added": added,
        "removed": removed,
        "notes": notes,
        "covers": names,
    }


def _pairs(edits: Any) -> list[tuple[str, str]]:
    """Return the replacements in a list of edits, or none unless every one of them is understood."""
    if type(edits) is not list or not 0 < len(edits) <= MAX_EDITS:
        return []
    found = []
    for edit in edits:
        if type(edit) is not dict:
            return []
        names = next(((old, new) for old, new in _OLD_NEW if type(edit.get(old)) is str and type(edit.get(new)) is str), None)
        if names is None or len(edit) != 2:  # what is not understood is not hidden behind a comparison
            return []
        found.append((edit[names[0]], edit[names[1]]))
    return found


def _applied(current: str, changes: list[tuple[str, str]], notes: list[str]) -> str | None:
    """Return the file after the edits, if each can mean one place only; else the edits are shown by themselves."""
    for old, new in changes:
        if not old or current.count(old) != 1:
            notes.append("An edit does not match exactly one place of the file as it is now; the edits are shown by themselves.")
            return None
        current = current.replace(old, new)
    return current


def _compared(old: str, new: str, notes: list[str]) -> list[list[Any]]:
    before, after = pieces.lines(old) if old else [], pieces.lines(new) if new else []
    if old and new and old.endswith("\n") != new.endswith("\n"):
        notes.append("The last line gets a line ending." if new.endswith("\n") else "The last line loses its line ending.")
    start = 0
    while start < min(len(before), len(after)) and before[start] == after[start]:
        start += 1
    end = 0
    while end < min(len(before), len(after)) - start and before[-1 - end] == after[-1 - end]:
        end += 1
    if max(len(before), len(after)) - start - end > MAX_LINES:
        notes.append("Too many lines to compare: all that may differ is shown as removed and added.")
        middle = [("replace", start, len(before) - end, start, len(after) - end)]
        groups = [middle]
    else:
        groups = list(difflib.SequenceMatcher(None, before, after).get_grouped_opcodes(3))
    rows: list[list[Any]] = []
    for group in groups:
        rows.append(["hunk", [f"from line {group[0][1] + 1}"]])
        for tag, i1, i2, j1, j2 in group:
            if tag == "equal":
                rows += [["same", pieces.plain(line)] for line in before[i1:i2]]
            else:
                rows += [["del", pieces.plain(line)] for line in before[i1:i2]]
                rows += [["add", pieces.plain(line)] for line in after[j1:j2]]
    return rows


def _read(name: str, cwd: str, notes: list[str]) -> str | None:
    """Return the text of a file, empty where there is none, or `None` and the reason in `notes`."""
    path = os.path.join(cwd, name)
    if not path.startswith("/") or "\0" in path or name.startswith(("~", "file:")):
        notes.append("Compared with no file: where the path leads is not known here.")
        return None
    try:
        status = os.stat(path)  # before it is opened as well: to open a device may do something
        if stat.S_ISREG(status.st_mode) and status.st_size <= MAX_FILE:
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
            try:
                status = os.fstat(descriptor)
                data = os.read(descriptor, MAX_FILE + 1) if stat.S_ISREG(status.st_mode) else b""
            finally:
                os.close(descriptor)
        if not stat.S_ISREG(status.st_mode):
            notes.append("The path is no regular file; it was not read.")
            return None
        if status.st_size > MAX_FILE or len(data) > MAX_FILE:
            notes.append(f"The file has {status.st_size:,} bytes now, too many to compare.")
            return None
        text = data.decode("utf-8")
    except FileNotFoundError:
        notes.append("There is no such file now.")
        return ""
    except UnicodeDecodeError:
        notes.append(f"The file is not text now ({len(data):,} bytes).")
        return None
    except (OSError, ValueError) as error:
        notes.append(f"The file cannot be read here: {getattr(error, 'strerror', None) or 'not a path'}.")
        return None
    if os.path.realpath(path) != os.path.normpath(path):
        notes.append(f"A link leads elsewhere: the file is {display.shortened(os.path.realpath(path), 300)}.")
    notes.append("Compared with the file as it is now.")
    return text
