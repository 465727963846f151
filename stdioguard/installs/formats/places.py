"""Where the parts of a text stand, and what is put in their place. Nothing here knows a format."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

Path: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of `Document.text`: from character `start` up to, not including, character `end`."""

    start: int
    end: int


@dataclass(slots=True)
class Node:
    """Where one value stands, and its key if it has one."""

    start: int
    end: int
    key: Span | None = None
    kind: str = "scalar"
    """"scalar"; "flow", between brackets with commas; "block", lines of their own; "spread", a table whose lines are in several
    places; "shared", an alias of what stands elsewhere; "empty", a value of no characters."""
    members: dict[str, Node] | list[Node] | None = None
    """The children by key (the last of several with one key) or by index."""
    order: list[Node] = field(default_factory=list)
    """All children as they follow each other in the text."""

    @property
    def begin(self) -> int:
        """Where the member begins: with its key, where it has one."""
        return self.key.start if self.key is not None else self.start

    def child(self, step: str | int) -> Node | None:
        """Return the child of that key or index, or None."""
        if isinstance(self.members, dict):
            return self.members.get(step) if isinstance(step, str) else None
        if isinstance(self.members, list) and isinstance(step, int) and 0 <= step < len(self.members):
            return self.members[step]
        return None


@dataclass(frozen=True, slots=True)
class Splice:
    """Put `text` in the place of the characters from `start` to `end`."""

    start: int
    end: int
    text: str


def starts_line(text: str, offset: int) -> str | None:
    """Return the white space between the line's beginning and `offset`, or None where something else stands there."""
    begin = max(text.rfind("\n", 0, offset), text.rfind("\r", 0, offset)) + 1
    before = text[begin:offset]
    return before if not before.strip(" \t") else None


def line_indent(text: str, offset: int) -> str:
    """Return the white space that the line of `offset` begins with."""
    begin = max(text.rfind("\n", 0, offset), text.rfind("\r", 0, offset)) + 1
    end = begin
    while end < len(text) and text[end] in " \t":
        end += 1
    return text[begin:end]


def said(path: Path) -> str:
    """Write a path for people: `mcpServers.x.args[0]`."""
    said = ""
    for step in path:
        if isinstance(step, int):
            said += f"[{step}]"
        else:
            shown = step if step.isprintable() and step and not set(step) & set(". []\"'") else ascii(step)
            said += f".{shown}" if said else shown
    return said or "the file"
