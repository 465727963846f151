"""Which files of this machine a server's command line leads to, and in words what lets others change one.

Programs, the scripts that they are given, the interpreters that first lines name, and the folders that packages are loaded from. What
depends on a variable of the client's, or on a working directory that is not known, is left out.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stdioguard.audit.interface import Fix
from stdioguard.sandbox import refusals

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.audit.interface import EntryView
    from stdioguard.audit.machine import Machine
    from stdioguard.sandbox.ownership import Problem


@dataclass(frozen=True, slots=True)
class StartedFile:
    """A file that is run or loaded."""

    what: str
    """`program`, `script`, `interpreter` or `package folder`."""
    path: str
    """Absolute; it need not exist."""
    index: int | None = None
    """Which word of the server's own command line names it."""


def of(view: EntryView) -> list[StartedFile]:
    """Return the files that an entry leads to, those that are run first first."""
    if not view.machine.is_here or view.entry.kind != "stdio" or not view.argv:
        return []
    found = list(dict.fromkeys(_of(view)))
    return [*found, *(StartedFile("package folder", folder, found[0].index) for folder in _package_folders(view, found))]


def folder(view: EntryView) -> str:
    """Return the folder that relative words count from; empty where it is not known."""
    for place in (view.entry.cwd or "", view.entry.project, view.config.listing.found.project):
        if place.startswith("/") and not is_open(place):
            return place
    return ""


def search_path(view: EntryView) -> str | None:
    """Return the PATH that the entry sets, `None` where it sets none or not in full."""
    path = view.entry.env.get("PATH")
    return path if path and not is_open(path) else None


def is_open(word: str) -> bool:
    """Tell whether a client fills something into a word."""
    return "$" in word or "%" in word or "{" in word or word.startswith("~")


def _of(view: EntryView) -> Iterator[StartedFile]:
    started = view.started
    programs = [(view.argv[0], 0)]
    if started.program and started.program != view.argv[0]:
        programs.append((started.program, view.argv.index(started.program) if started.program in view.argv else 0))
    for word, index in programs:
        path = _program(view, word)
        if path:
            yield StartedFile("program", path, index)
            yield from _interpreters(view, path, index)
    if started.source in ("path", "installed") and started.spec and started.spec != started.program:
        path = _placed(view, started.spec)
        if path:
            yield StartedFile("script", path, started.index)


def _program(view: EntryView, word: str) -> str:
    if is_open(word) or "\\" in word:
        return ""
    return _placed(view, word) if "/" in word else view.machine.program(word, search_path(view))


def _placed(view: EntryView, word: str) -> str:
    if is_open(word) or "\\" in word or "://" in word:
        return ""
    if os.path.isabs(word):
        return os.path.normpath(word)
    base = folder(view)
    return os.path.normpath(os.path.join(base, word)) if base else ""


def _interpreters(view: EntryView, path: str, index: int) -> Iterator[StartedFile]:
    """Yield the interpreter that a script's first line names; through env(1) the one that PATH has."""
    line = view.machine.head(path).partition(b"\n")[0]
    words = os.fsdecode(line[2:]).split() if line.startswith(b"#!") else []
    if not words or not words[0].startswith("/"):
        return
    yield StartedFile("interpreter", words[0], index)
    if os.path.basename(words[0]) == "env":
        name = next((word for word in words[1:] if not word.startswith("-") and "=" not in word), "")
        found = view.machine.program(name, search_path(view)) if name else ""
        if found:
            yield StartedFile("interpreter", found, index)


def _package_folders(view: EntryView, started: list[StartedFile]) -> list[str]:
    """Return the folders that code is loaded from beside the files that are named: `node_modules`, a virtual environment's packages."""
    found = []
    for one in started:
        head, marker, rest = one.path.rpartition("/node_modules/")
        if marker:
            found += [
                f"{head}/node_modules",
                os.path.join(f"{head}/node_modules", *rest.split("/")[: 2 if rest[0] == "@" else 1]),
            ]
        environment = os.path.dirname(os.path.dirname(one.path))
        if one.what != "script" and view.machine.status(os.path.join(environment, "pyvenv.cfg")) is not None:
            found += _site_packages(view.machine, os.path.join(environment, "lib"))
    return [folder for folder in dict.fromkeys(found) if view.machine.status(folder) is not None]


def _site_packages(machine: Machine, library: str) -> list[str]:
    try:
        names = sorted(os.listdir(library))[:16]
    except OSError:
        return []
    folders = [os.path.join(library, name, "site-packages") for name in names if name.startswith("python")]
    return [folder for folder in folders if (status := machine.status(folder)) is not None and stat.S_ISDIR(status.st_mode)]


def said(problem: Problem, user: int) -> str:
    """Return what is wrong with a path: `/opt/tools can be changed by every user (mode 0777)`."""
    where, kind, status, detail = problem
    return f"{where} {refusals.reason(user, kind, status, detail)[0]}"


def mend(problem: Problem, user: int) -> tuple[str, Fix | None]:
    """Return the advice that mends it, and the change, where taking rights away from a file of this user's is enough."""
    where, kind, status, _ = problem
    words, owner = refusals.command(where, kind, status)
    advice = f"Run: {'' if user in (0, owner) else 'sudo '}{words} {refusals.quoted(where)}"
    if kind != "writable" or refusals.is_shared(status) or status.st_uid != user:
        return advice, None
    mode = stat.S_IMODE(status.st_mode) & ~0o022
    return advice, Fix(f"take the right to write from others: {where}", "chmod", target=where, mode=mode)
