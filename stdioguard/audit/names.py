"""Which well-known name another imitates: compared word by word, since `mcp-server-git` and `mcp-server-gif` are both honest names."""

from __future__ import annotations

import functools
import re

_CONFUSED = str.maketrans({"0": "o", "1": "l", "3": "e", "5": "s", "i": "l"})
"""Characters that look alike in a terminal's or an editor's letters."""

_LONG = 10
"""Letters of a word in which two mistakes are still the same word."""
_SHORT = 5
"""Shorter words are too often other words."""


def imitated(name: str, known: frozenset[str]) -> str:
    """Return the known name that a name could be taken for; empty if there is none, or if the name is known itself."""
    if name in known or len(name) > 100:
        return ""
    joined = _joined(known).get("".join(_words(name)), "")
    if joined and joined.startswith("@") == name.startswith("@"):
        return joined  # the same letters with other separators: `@model-contextprotocol/server-git`
    for other in _by_length(known).get(len(_words(name)), ()):
        if name.startswith("@") == other.startswith("@") and _is_like(_words(name), _words(other)):
            return other
    return ""


@functools.cache
def _by_length(known: frozenset[str]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for name in sorted(known):
        found.setdefault(len(_words(name)), []).append(name)
    return found


@functools.cache
def _joined(known: frozenset[str]) -> dict[str, str]:
    return {"".join(_words(name)): name for name in sorted(known)}


@functools.lru_cache(maxsize=4096)
def _words(name: str) -> tuple[str, ...]:
    return tuple(re.split(r"[-_./@]+", name.lower().lstrip("@")))


def _is_like(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Tell whether two names are the same words but for one, which is misspelled."""
    differing = [(left, right) for left, right in zip(one, other, strict=True) if left != right]
    if len(differing) != 1:
        return False
    left, right = differing[0]
    if left.rstrip("0123456789") == right.rstrip("0123456789"):
        return False  # a number tells one version or fork from another
    if _look(left) == _look(right) and len(right) > 2:
        return True
    if min(len(left), len(right)) < _SHORT:
        return False
    return _distance(left, right) <= (2 if len(right) >= _LONG else 1)


def _look(word: str) -> str:
    return word.replace("rn", "m").replace("vv", "w").translate(_CONFUSED)


def _distance(one: str, other: str) -> int:
    """Return the number of letters to insert, remove, replace or exchange with their neighbour (optimal string alignment), up to 3."""
    if abs(len(one) - len(other)) > 2:
        return 3
    older: list[int] = []
    old: list[int] = []
    row = list(range(len(other) + 1))
    for i, left in enumerate(one, 1):
        older, old, row = old, row, [i]
        for j, right in enumerate(other, 1):
            cost = min(old[j] + 1, row[j - 1] + 1, old[j - 1] + (left != right))
            if i > 1 and j > 1 and left == other[j - 2] and one[i - 2] == right:
                cost = min(cost, older[j - 2] + 1)
            row.append(cost)
    return row[-1]
