"""Patterns for the names of tools and prompts and for URIs: literal characters, `*` for any run of characters, `?` for exactly one.

No character classes, no escapes: a tool name has no character that would need them (SEP-986), and a pattern that reads the same
to everybody is worth more than a powerful one. Matching is by exact code point and sees case.
"""

from __future__ import annotations

import re

_VALID = re.compile(r"[A-Za-z0-9_.\-*?/:]{1,128}\Z")
_VALID_FOR_URIS = re.compile(r"[!-~]{1,512}\Z")


def problem(pattern: str, *, uris: bool = False) -> str | None:
    """Return what is wrong with `pattern`, or `None`. Those for URIs may hold whatever a URI may."""
    if not pattern:
        return "a pattern may not be empty"
    if uris and not _VALID_FOR_URIS.match(pattern):
        return "a pattern for URIs holds printable ASCII without spaces, at most 512 characters"
    if not uris and not _VALID.match(pattern):
        return "a pattern holds letters, digits, _ . - / : and the wildcards * and ? only, at most 128 characters"
    if "**" in pattern:
        return "a pattern holds * singly; ** means nothing here"
    return None


def is_literal(pattern: str) -> bool:
    """Tell whether `pattern` matches itself alone."""
    return "*" not in pattern and "?" not in pattern


def specificity(pattern: str) -> tuple[int, int]:
    """Return a key by which the more specific pattern is the greater: a literal first, then more literal characters."""
    return (1 if is_literal(pattern) else 0, sum(char not in "*?" for char in pattern))


def compiled(pattern: str) -> re.Pattern[str]:
    """Translate `pattern` to a regular expression for `fullmatch`."""
    parts = (".*" if char == "*" else "." if char == "?" else re.escape(char) for char in pattern)
    return re.compile("".join(parts), re.DOTALL)


def can_both_match(one: str, other: str) -> bool:
    """Tell whether some name matches both patterns (the languages intersect)."""
    reached = {(0, 0)}
    frontier = [(0, 0)]
    while frontier:
        left, right = frontier.pop()
        if left == len(one) and right == len(other):
            return True
        for step in _steps(one, other, left, right):
            if step not in reached:
                reached.add(step)
                frontier.append(step)
    return False


def _steps(one: str, other: str, left: int, right: int) -> list[tuple[int, int]]:
    a = one[left] if left < len(one) else ""
    b = other[right] if right < len(other) else ""
    steps = []
    if a == "*":
        steps.append((left + 1, right))
    if b == "*":
        steps.append((left, right + 1))
    if a and b:
        if a == "*" and b != "*":
            steps.append((left, right + 1))
        elif b == "*" and a != "*":
            steps.append((left + 1, right))
        elif a != "*" and (a == b or "?" in (a, b)):
            steps.append((left + 1, right + 1))
    return steps
