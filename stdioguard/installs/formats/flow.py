"""Members between brackets with commas: `{...}` and `[...]` of JSON, TOML's inline tables and arrays, YAML's flow style.

Putting a member in and taking it out again are written side by side here, because the second undoes the first to the character.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stdioguard.installs.formats.places import Node, Splice, line_indent, starts_line

if TYPE_CHECKING:
    import re
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Grammar:
    """What may stand between two tokens of a format."""

    gap: re.Pattern[str]
    """White space and comments, any number of them."""
    remark: re.Pattern[str]
    """A comment that follows on the same line, with the blanks before it."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How a container is written."""

    indent: str | None
    """Of each member, on lines of their own; None for all on one line."""
    closing: str = ""
    """Of the closing bracket, where members have lines of their own."""
    unit: str = "  "
    """One more level."""
    trailing: bool = False
    """Whether a comma follows the last member."""
    comma: str = ", "
    newline: str = "\n"


def inserted(text: str, node: Node, piece: str, grammar: Grammar, layout: Layout) -> list[Splice]:
    """Return what puts `piece` after the last member of `node`."""
    if not node.order:
        at = node.start + 1
        if layout.indent is None:
            return [Splice(at, at, piece)]
        at = _after_remarks(text, at, grammar)
        return [Splice(at, at, layout.newline + layout.indent + piece)]
    last = node.order[-1]
    after = _skip(text, last.end, grammar)
    has_comma = text[after : after + 1] == ","
    at = after + 1 if has_comma else last.end
    own = starts_line(text, last.begin)
    if own is None:
        return [Splice(at, at, f" {piece}," if has_comma else f"{layout.comma}{piece}")]
    line_end = _after_remarks(text, at, grammar)
    added = f"{layout.newline}{own}{piece}"
    if has_comma:
        return [Splice(line_end, line_end, f"{added},")]
    if line_end == at:
        return [Splice(at, at, f",{added}")]
    return [Splice(at, at, ","), Splice(line_end, line_end, added)]


def removed(text: str, parent: Node, node: Node, grammar: Grammar) -> list[Splice]:
    """Return what takes `node` out of `parent`, with the comma that it no longer needs."""
    index = next(i for i, child in enumerate(parent.order) if child is node)
    before = parent.start + 1
    comma = -1
    if index:
        comma = _skip(text, parent.order[index - 1].end, grammar)
        before = comma + 1
    begin = node.begin
    while begin > before and text[begin - 1] in " \t\r\n":
        begin -= 1
    after = _skip(text, node.end, grammar)
    if text[after : after + 1] == ",":
        return [Splice(begin, after + 1, "")]
    if index:
        return [Splice(comma, comma + 1, ""), Splice(begin, node.end, "")]
    return [Splice(begin, node.end, "")]


def written(value: Any, layout: Layout, scalar: Callable[[Any], str], key: Callable[[str], str]) -> str:
    """Write a value; a container in `layout`, what is inside it one level further in."""
    if isinstance(value, dict):
        pieces = [key(name) + written(item, _inner(layout), scalar, key) for name, item in value.items()]
        opening, closing = "{", "}"
    elif isinstance(value, list):
        pieces = [written(item, _inner(layout), scalar, key) for item in value]
        opening, closing = "[", "]"
    else:
        return scalar(value)
    if not pieces:
        return opening + closing
    if layout.indent is None:
        return opening + layout.comma.join(pieces) + closing
    start = layout.newline + layout.indent
    return f"{opening}{start}{f',{start}'.join(pieces)}{',' if layout.trailing else ''}{layout.newline}{layout.closing}{closing}"


def layout_of(text: str, node: Node, unit: str, newline: str, grammar: Grammar) -> Layout:
    """Return how `node` is written now, for what is put in its place."""
    if node.order:
        indent = starts_line(text, node.order[0].begin)
        if indent is not None:
            after = _skip(text, node.order[-1].end, grammar)
            closing = starts_line(text, node.end - 1)
            return Layout(
                indent=indent,
                closing=line_indent(text, node.begin) if closing is None else closing,
                unit=unit,
                trailing=text[after : after + 1] == ",",
                newline=newline,
            )
        if len(node.order) > 1 and text[node.order[0].end : node.order[1].begin] == ",":
            return Layout(indent=None, comma=",")
    return Layout(indent=None)


def nested(indent: str, unit: str, newline: str, *, trailing: bool = False) -> Layout:
    """Return the layout of a container that begins on a line of that indentation and has its members on lines of their own."""
    return Layout(indent=indent + unit, closing=indent, unit=unit, newline=newline, trailing=trailing)


def _inner(layout: Layout) -> Layout:
    if layout.indent is None:
        return layout
    return nested(layout.indent, layout.unit, layout.newline, trailing=layout.trailing)


def _skip(text: str, offset: int, grammar: Grammar) -> int:
    found = grammar.gap.match(text, offset)
    return found.end() if found else offset


def _after_remarks(text: str, offset: int, grammar: Grammar) -> int:
    while found := grammar.remark.match(text, offset):
        offset = found.end()
    return offset
