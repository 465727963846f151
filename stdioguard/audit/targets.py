"""Which files an audit looks at: those of this user's clients, or what is given: a file, a project, a home, a folder of anything."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from stdioguard.installs import find

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_ENDINGS = (".json", ".jsonc", ".json5", ".toml", ".yaml", ".yml", ".code-workspace")
_MARKS = re.compile(
    rb"mcp_?servers|context_servers|\"(?:mcp|servers|mcp_config)\"\s*:|^extensions:", re.IGNORECASE | re.MULTILINE
)
_READ = 1 << 20
"""Bytes of a file that are looked through for what only configurations of servers have."""


def of(paths: Sequence[str]) -> Iterator[find.Found]:
    """Yield each file once: of every client of this user (for root: of every user), or what `paths` name."""
    seen: set[str] = set()
    for place in _own() if not paths else (place for path in paths for place in _given(path)):
        real = os.path.realpath(place.path) + place.key
        if real not in seen:
            seen.add(real)
            yield place


def _own() -> Iterator[find.Found]:
    for home in find.homes():
        for place in find.config_files(home):
            yield place
            if place.client == "Claude Code" and place.path.endswith(".claude.json"):
                yield from find.known_projects(find.read_entries(place))


def _given(path: str) -> Iterator[find.Found]:
    if not os.path.isdir(path):
        yield find.given(path)
        return
    root = os.path.abspath(path)
    yield from (place for place in find.config_files(find.Home(root)) if place.path.startswith(root + os.sep))
    known = find.projects(root).files
    yield from known
    there = {place.path for place in known}
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in find.SKIPPED)
        for name in sorted(files):
            file = os.path.join(folder, name)
            if name.endswith(_ENDINGS) and file not in there and _looks_like_one(file):
                yield find.given(file)


def _looks_like_one(path: str) -> bool:
    try:
        # A FIFO would keep the audit waiting for its other end.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0))
    except OSError:
        return True  # the listing will say why it cannot be read
    try:
        return _MARKS.search(os.read(descriptor, _READ)) is not None
    except OSError:
        return False
    finally:
        os.close(descriptor)
