"""TOML: tables under headers, dotted keys, inline tables.

`tomllib` says what the text means; the walk here only has to find its way through a text that is known to be right.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import re
import tomllib
from typing import Any, Final

from stdioguard.installs.formats.document import Document
from stdioguard.installs.formats.flow import Grammar, Layout, inserted, layout_of, nested, removed, written
from stdioguard.installs.formats.places import Node, Span, Splice, line_indent, starts_line
from stdioguard.installs.formats.values import FormatError

_STRING = r'''"""(?>[^"\\]+|\\.|"{1,2}(?!"))*+"{3,5}|\'\'\'(?>[^\']+|\'{1,2}(?!\'))*+\'{3,5}|"(?>[^"\\\n]+|\\.)*+"|'[^'\n]*+\''''
_SIMPLE_KEY = r"""[A-Za-z0-9_-]++|"(?>[^"\\\n]+|\\.)*+"|'[^'\n]*+\'"""
_KEY_PART = re.compile(_SIMPLE_KEY, re.DOTALL)
_TOO_LONG_KEY = re.compile(rf"(?<![A-Za-z0-9_-])(?:(?:{_SIMPLE_KEY})[ \t]*+\.[ \t]*+){{24}}")
_SCALAR = re.compile(rf"{_STRING}|[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}} [0-9][^\s,\]}}#]*+|[^\s,\]}}#]++", re.DOTALL)
_BLANK = re.compile(r"[ \t]*+")
_GAP = re.compile(r"(?>[ \t\r\n]++|#[^\n]*+)*+")
_REST_OF_LINE = re.compile(r"[ \t]*+(?:#[^\r\n]*+)?")
_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
_GRAMMAR: Final = Grammar(gap=_GAP, remark=re.compile(r"[ \t]*+#[^\r\n]*+"))


class _Table(Node):
    """A table that is not between brackets."""

    __slots__ = ("last_line", "prefix")

    def __init__(self, key: Span | None = None) -> None:
        super().__init__(0, 0, key, "spread", {})
        self.last_line: int | None = None
        """The end of the last line that says something of its own keys; None where it has no lines."""
        self.prefix = ""
        """What stands before its own keys, where dotted keys make it."""


class TomlDocument(Document):
    """A TOML file."""

    def _decoded(self) -> Any:
        # Half a megabyte of `a.a.a...` would keep tomllib busy for hours.
        long_key = _TOO_LONG_KEY.search(self.text)
        if long_key:
            raise self.broken("a key of more than 24 parts", long_key.start())
        self.empty = not self.text.strip()
        try:
            return _plain(tomllib.loads(self.text))
        except tomllib.TOMLDecodeError as error:
            raise FormatError(str(error)[:1].lower() + str(error)[1:]) from error
        except ValueError as error:
            raise FormatError("a number of too many digits") from error

    # Places.

    def _walked(self) -> Node:
        text, at = self.text, 0
        root = _Table()
        root.end = len(text)
        table = root
        while True:
            at = self._skip(_GAP, at)
            if at >= len(text):
                return root
            if text[at] == "[":
                table, at = self._header(root, at)
            else:
                at = self._pair(table, at, table)
            at = self._skip(_REST_OF_LINE, at)

    def _header(self, root: _Table, at: int) -> tuple[_Table, int]:
        """Return the table that a header opens."""
        double = self.text.startswith("[[", at)
        parts, at = self._key_parts(at + (2 if double else 1))
        table: Node = root
        for name, span in parts[:-1]:
            table = _latest(self._opened(table, name, span))
        name, span = parts[-1]
        if double:
            lists = table.child(name)
            if lists is None:
                lists = Node(0, 0, span, "spread", [])
                self._attach(table, name, lists)
            made = _Table(span)
            self._attach(lists, len(lists.order), made)
            table = made
        else:
            table = self._opened(table, name, span)
        at = self._skip(_BLANK, at) + (2 if double else 1)
        if not isinstance(table, _Table):
            raise self.broken("a header that opens no table", span.start)
        table.last_line = self._skip(_REST_OF_LINE, at)
        table.prefix = ""
        return table, at

    def _opened(self, parent: Node, name: str, span: Span) -> Node:
        table = parent.child(name)
        if table is None:
            table = _Table(span)
            self._attach(parent, name, table)
        return table

    def _pair(self, table: Node, at: int, section: _Table | None) -> int:
        """Read `key = value`, and return where it ends. `section` is None inside an inline table."""
        begin = at
        parts, at = self._key_parts(at)
        made = []
        for name, span in parts[:-1]:
            table = self._opened(table, name, span)
            if isinstance(table, _Table):
                table.prefix = table.prefix or self.text[begin : span.end]
                made.append(table)
        name, span = parts[-1]
        at = self._skip(_BLANK, self._skip(_BLANK, at) + 1)
        node, at = self._value(at)
        node.key = span if len(parts) == 1 else Span(span.start, span.end)
        self._attach(table, name, node)
        if section is not None:
            line = self._skip(_REST_OF_LINE, at)
            for one in (section, *made):
                one.last_line = line
        return at

    def _key_parts(self, at: int) -> tuple[list[tuple[str, Span]], int]:
        parts = []
        while True:
            at = self._skip(_BLANK, at)
            found = _KEY_PART.match(self.text, at)
            if not found:
                raise self.broken("a key was expected", at)
            parts.append((_key_name(found[0]), Span(at, found.end())))
            dot = self._skip(_BLANK, found.end())
            if self.text[dot : dot + 1] != ".":
                return parts, found.end()
            at = dot + 1

    def _value(self, at: int) -> tuple[Node, int]:
        """Return the value that begins at `at`, and its end."""
        text = self.text
        if text[at : at + 1] not in {"[", "{"}:
            found = _SCALAR.match(text, at)
            if not found:
                raise self.broken("a value was expected", at)
            return Node(at, found.end()), found.end()
        node = Node(at, at, None, "flow", {} if text[at] == "{" else [])
        at += 1
        while True:
            at = self._skip(_GAP, at)
            if text[at : at + 1] in {"]", "}"}:
                node.end = at + 1
                return node, at + 1
            if isinstance(node.members, dict):
                at = self._pair(node, at, None)
            else:
                item, at = self._value(at)
                self._attach(node, len(node.order), item)
            at = self._skip(_GAP, at)
            if text[at : at + 1] == ",":
                at += 1
            elif text[at : at + 1] not in {"]", "}"}:
                raise self.broken("a comma was expected", at)

    def _attach(self, parent: Node, step: str | int, node: Node) -> None:
        parent.order.append(node)
        if isinstance(parent.members, dict) and isinstance(step, str):
            parent.members[step] = node
        elif isinstance(parent.members, list):
            parent.members.append(node)

    def _skip(self, pattern: re.Pattern[str], at: int) -> int:
        found = pattern.match(self.text, at)
        return found.end() if found else at

    # Edits.

    def _written(self, value: Any, old: Node) -> str:
        layout = layout_of(self.text, old, "  ", self.newline, _GRAMMAR)
        if isinstance(value, dict) or layout.indent is None:
            layout = Layout(indent=None)  # an inline table stays on its line
        return written(value, layout, self._scalar, _key)

    def _inserted(self, parent: Node, step: str | int, value: Any) -> list[Splice]:
        piece = written(value, Layout(indent=None), self._scalar, _key)
        if isinstance(step, str):
            piece = _key(step) + piece
        if parent.kind == "flow":
            indent = line_indent(self.text, parent.end - 1) + "  " if "\n" in self.text[parent.start : parent.end] else None
            return inserted(
                self.text, parent, piece, _GRAMMAR, nested(indent, "  ", self.newline) if indent else Layout(indent=None)
            )
        if not isinstance(parent, _Table) or parent.last_line is None:
            raise FormatError(f"the table has no lines of its own to put {piece.split(' ')[0]} after")
        indent = ""
        for child in reversed(parent.order):
            own = starts_line(self.text, child.begin) if child.kind != "spread" and child.key is not None else None
            if own is not None:
                indent = own
                break
        if parent.prefix:
            line = parent.order[0].begin
            indent = line_indent(self.text, line)
            piece = f"{parent.prefix}.{piece}"
        return [Splice(parent.last_line, parent.last_line, f"{self.newline}{indent}{piece}")]

    def _removed(self, parent: Node, node: Node) -> list[Splice]:
        if parent.kind == "flow":
            return removed(self.text, parent, node, _GRAMMAR)
        begin = max(self.text.rfind("\n", 0, node.begin), -1)
        end = self._skip(_REST_OF_LINE, node.end)
        if begin < 0:  # the first line
            return [Splice(0, min(self._skip(re.compile(r"\r?\n?"), end), len(self.text)), "")]
        if self.text[begin - 1 : begin] == "\r":
            begin -= 1
        return [Splice(begin, end, "")]

    def _scalar(self, value: Any) -> str:
        if isinstance(value, str):
            return _string(value)
        if isinstance(value, bool):
            return "true" if value else "false"
        if value is None:
            raise FormatError("TOML has no null")
        if isinstance(value, float):
            if math.isfinite(value):
                text = repr(value)
                return text if "." in text or "e" not in text else text.replace("e", ".0e")
            return "nan" if math.isnan(value) else ("inf" if value > 0 else "-inf")
        return str(value)


def _latest(node: Node) -> Node:
    """Return the table that a header's part means: of an array of tables, the last one."""
    return node.order[-1] if isinstance(node.members, list) and node.order else node


def _key_name(text: str) -> str:
    if text[0] == "'":
        return text[1:-1]
    if text[0] == '"':
        (name,) = tomllib.loads(f"{text} = 0")
        return str(name)
    return text


def _key(name: str) -> str:
    return f"{name if _BARE.fullmatch(name) else _string(name)} = "


def _string(text: str) -> str:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise FormatError("TOML can't hold half a surrogate pair") from error
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return value.isoformat()
    return value
