"""Which files an audit looks at: those of this user's clients, or what is given: a file, a project, a home, a folder of anything."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from stdioguard.guard.display import visible
from stdioguard.installs import bundles, find

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MAX_DEPTH = 40
"""Folders inside each other below one that is given."""
MAX_FOLDERS = find.MAX_FOLDERS

_ENDINGS = (".json", ".jsonc", ".json5", ".toml", ".yaml", ".yml", ".code-workspace")
_MARKS = re.compile(
    rb"mcp_?servers|context_servers|\"(?:mcp|servers|mcp_config)\"\s*:|^extensions:", re.IGNORECASE | re.MULTILINE
)
_OF_A_HOME = (
    ".bashrc", ".profile", ".zshrc", ".bash_history", ".zsh_history", ".config", ".local", ".ssh", ".claude.json", "AppData", "Library",
)  # fmt: skip
"""What homes have, and repositories have not."""
_READ = 1 << 20
"""Bytes of a file that are looked through for what only configurations of servers have."""


def of(paths: Sequence[str], problems: list[str] | None = None) -> Iterator[find.Found]:
    """Yield each file once: of every client of this user (for root: of every user), or what `paths` name.

    What could not be looked through is added to `problems`, in one line each.
    """
    seen: set[tuple[str, str]] = set()
    known: set[str] = set()
    told = problems if problems is not None else []
    for place in _own() if not paths else (place for path in paths for place in _given(path, told)):
        real = os.path.realpath(place.path)
        # One file may be two clients'. Where a client's key is known, guessing finds nothing more in it.
        if (real, place.key) not in seen and (place.key or real not in known):
            yield place
        seen.add((real, place.key))
        known.add(real)


def _own() -> Iterator[find.Found]:
    for home in find.homes():
        for place in find.config_files(home):
            yield place
            if place.client == "Claude Code" and place.path.endswith(".claude.json"):
                yield from find.known_projects(find.read_entries(place))


def _given(path: str, problems: list[str]) -> Iterator[find.Found]:
    if not os.path.isdir(path):
        yield find.given(path)
        return
    root = os.path.abspath(path)
    own = [place for place in find.config_files(find.Home(root)) if place.path.startswith(root.rstrip(os.sep) + os.sep)]
    known = find.projects(root).files
    # What both have, such as .cursor/mcp.json, is a person's in a home and comes with the repository in a project.
    yield from [*own, *known] if _is_home(root) else [*known, *own]
    there = {place.path for place in known}
    yield from (find.given(file) for file in _files(root, problems) if file not in there and _looks_like_one(file))


def _is_home(root: str) -> bool:
    return any(os.path.lexists(os.path.join(root, name)) for name in _OF_A_HOME)


def _files(root: str, problems: list[str]) -> Iterator[str]:
    """Yield the files below a folder that could be configurations, in order. Links to folders are not followed."""
    queue = [(root, 0)]
    count = 0
    while queue:
        folder, depth = queue.pop()
        count += 1
        if count > MAX_FOLDERS or depth > MAX_DEPTH:
            why = f"more than {MAX_FOLDERS} folders" if count > MAX_FOLDERS else f"folders deeper than {MAX_DEPTH}"
            problem = f"{visible(root)}: {why}: not all of it was looked through; name the folders one by one"
            problems += [problem] if problem not in problems else []
            if count > MAX_FOLDERS:
                return
            continue
        try:
            with os.scandir(folder) as scan:
                entries = sorted(scan, key=lambda entry: entry.name)
        except OSError as error:
            if folder == root:
                problems.append(f"{visible(root)}: {error.strerror}")
            continue
        inside = []
        for entry in entries:
            if entry.name in find.SKIPPED:
                continue
            try:
                is_folder = entry.is_dir(follow_symlinks=False)
                is_file = not is_folder and entry.name.endswith((*_ENDINGS, *bundles.ENDINGS)) and not entry.is_dir()
            except OSError:
                continue
            if is_folder:
                inside.append((entry.path, depth + 1))
            elif is_file:
                yield entry.path
        queue += reversed(inside)


def _looks_like_one(path: str) -> bool:
    if bundles.is_bundle(path):
        return True
    try:
        # A FIFO would keep the audit waiting for its other end.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0))
    except FileNotFoundError:
        return False  # a link to nowhere, among files that nobody has named
    except OSError:
        return True  # the listing will say why it cannot be read
    try:
        return _MARKS.search(os.read(descriptor, _READ)) is not None
    except OSError:
        return False
    finally:
        os.close(descriptor)
