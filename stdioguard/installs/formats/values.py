"""The plain values that a file holds: limits, comparison, and the change of a value that an edit of the text must come to."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from stdioguard.installs.formats.places import said

if TYPE_CHECKING:
    from stdioguard.installs.formats.places import Path

MAX_DEPTH: Final = 128
"""Lists and objects inside each other. No client's file comes near it, and it keeps every walk over a value within the stack."""

MAX_VALUES: Final = 200_000
"""In one file whose parts are told apart. A file has megabytes because its texts are long, not because they are many."""


class FormatError(Exception):
    """The text can't be read, or can't be edited without touching something else. One line for people."""

    def __init__(self, message: str) -> None:
        """Keep what the file says from writing to a terminal, or from filling it."""
        shown = message if len(message) <= 300 else f"{message[:297]}..."
        super().__init__(shown if shown.isprintable() else shown.encode("unicode_escape").decode("ascii"))


class _Marker:
    """A value that no file can hold."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return self._name


UNSET: Final = _Marker("UNSET")
REMOVE: Final = _Marker("REMOVE")
"""As the value of a `Change`: take the key and its value out."""


def same(one: Any, other: Any) -> bool:
    """Tell whether two values are the same, where 1, 1.0 and true are three values and NaN is itself. Order of keys is no matter."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other) or (isinstance(one, float) and math.isnan(one) and math.isnan(other))


def value_at(value: Any, path: Path) -> Any:
    """Return what a path leads to, or UNSET."""
    for step in path:
        is_key = isinstance(value, dict) and isinstance(step, str) and step in value
        if is_key or (isinstance(value, list) and isinstance(step, int) and 0 <= step < len(value)):
            value = value[step]
        else:
            return UNSET
    return value


def put(value: Any, path: Path, new: Any) -> None:
    """Make one change of a plain value, as the text's change is meant."""
    for step in path[:-1]:
        value = value[step]
    step = path[-1]
    if new is REMOVE:
        del value[step]
    elif isinstance(value, list) and step == len(value):
        value.append(copy(new))
    else:
        value[step] = copy(new)


def copy(value: Any) -> Any:
    """Copy without sharing: one object in two places becomes two."""
    if isinstance(value, dict):
        return {key: copy(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [copy(item) for item in value]
    return value


def checked(value: Any, path: Path) -> Any:
    """Return `value` with lists for tuples, or raise FormatError where no file can hold it."""
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {key: checked(item, path) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [checked(item, path) for item in value]
    if value is None or type(value) in {str, int, float, bool}:
        return value
    raise FormatError(f"{said(path)} can't be set to a {type(value).__name__}")


def is_too_deep(value: Any) -> bool:
    """Tell whether more than MAX_DEPTH lists and objects are inside each other, without recursion."""
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            item
            for container in level
            for item in (container.values() if isinstance(container, dict) else container)
            if isinstance(item, dict | list)
        ]
        if not level:
            return False
    return True
