"""What git would do with a file, without asking git: a repository's own configuration can make it start programs."""

from __future__ import annotations

import fnmatch
import os

_DEPTH = 40
_LARGEST = 1 << 16


def repository_of(path: str) -> str:
    """Return the folder of the repository that a file is in; empty if it is in none."""
    folder = os.path.dirname(os.path.abspath(path))
    for _ in range(_DEPTH):
        if os.path.lexists(os.path.join(folder, ".git")):
            return folder
        above = os.path.dirname(folder)
        if above == folder:
            return ""
        folder = above
    return ""


def is_ignored(path: str, root: str) -> bool:
    """Tell whether a repository's lists name a file, or a folder that it is in; patterns with `!` and nested lists count as well."""
    path = os.path.abspath(path)
    parts = os.path.relpath(path, root).split(os.sep)
    lists = [(os.path.join(root, ".git", "info", "exclude"), 0)]
    lists += [(os.path.join(root, *parts[:depth], ".gitignore"), depth) for depth in range(len(parts))]
    ignored = False
    for file, depth in lists:
        for line in _lines(file):
            wanted = line.removeprefix("!")
            if any(_matches(wanted, parts[depth:end]) for end in range(depth + 1, len(parts) + 1)):
                ignored = not line.startswith("!")
    return ignored


def _matches(pattern: str, parts: list[str]) -> bool:
    plain = pattern.strip("/")
    if plain.startswith("**/"):
        plain = plain[3:]
    elif "/" in pattern.rstrip("/"):
        return fnmatch.fnmatchcase("/".join(parts), plain)
    return fnmatch.fnmatchcase(parts[-1], plain)


def _lines(path: str) -> list[str]:
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0))
    except OSError:
        return []
    try:
        text = os.read(descriptor, _LARGEST).decode("utf-8", "replace")
    except OSError:
        return []
    finally:
        os.close(descriptor)
    return [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
