"""YAML 1.2, by the events of `ruamel.yaml`: value and places are built from them in one pass, without recursion.

Only the plain types of YAML's core schema are made; a tag that asks for another is refused. Aliases and merge keys are followed, up to a
limit, and what comes through them has no place of its own and so can't be edited.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import AliasEvent, DocumentStartEvent, MappingStartEvent, ScalarEvent, SequenceStartEvent
from ruamel.yaml.nodes import ScalarNode

from stdioguard.installs.formats.document import Document
from stdioguard.installs.formats.flow import Grammar, Layout, inserted, layout_of, nested, removed, written
from stdioguard.installs.formats.places import Node, Path, Span, Splice, line_indent, starts_line
from stdioguard.installs.formats.values import MAX_DEPTH, FormatError

_MAX_VALUES: Final = 50_000
"""Of one file, with each alias counted as what it stands for. It takes the library a few seconds to get there."""
_TAG: Final = "tag:yaml.org,2002:"
_MERGE: Final = object()
"""The key `<<`."""
_GRAMMAR: Final = Grammar(gap=re.compile(r"(?>[ \t\r\n]++|#[^\r\n]*+)*+"), remark=re.compile(r"[ \t]+#[^\r\n]*+"))
_REST_OF_LINE = re.compile(r"(?:[ \t]+#[^\r\n]*+)?")
_PLAIN = re.compile(r"[A-Za-z_/.][A-Za-z0-9_./+=@%~-]*+(?::[A-Za-z0-9_./+=@%~-]++)*+")
_OLD_WORDS: Final = frozenset({"y", "n", "yes", "no", "on", "off"})
"""Booleans of YAML 1.1, which some readers still are."""
_UNPRINTABLE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


class _Open:
    """A list or object whose end has not come yet."""

    __slots__ = ("anchor", "key", "merges", "node", "path", "step", "value", "weight")

    def __init__(self, value: dict[str, Any] | list[Any], node: Node, path: Path, anchor: str | None) -> None:
        self.value = value
        self.node = node
        self.path = path
        self.anchor = anchor
        self.key: Span | None = None
        self.step: Any = None
        self.merges: list[Any] = []
        self.weight = 1


class YamlDocument(Document):
    """A YAML file with one document in it."""

    def _decoded(self) -> Any:
        self._yaml = YAML(typ="safe", pure=True)
        self._known: dict[str, tuple[Any, int] | None] = {}
        self._found: dict[Path, None] = {}
        self._count = 0
        try:
            return self._built()
        except MarkedYAMLError as error:
            why = " ".join(str(error.problem or error.context).split())
            mark = error.problem_mark or error.context_mark
            raise (self.broken(why, mark.index) if mark is not None else FormatError(why)) from error
        except (YAMLError, ValueError) as error:
            raise FormatError(" ".join(str(error).split())[:200]) from error

    def _walked(self) -> Node:
        self._duplicates = self._found
        return self._tree

    # From events to values and places.

    def _built(self) -> Any:
        documents = 0
        stack: list[_Open] = []
        top: tuple[Any, Node] | None = None
        for event in self._yaml.parse(self.text):
            if isinstance(event, DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise self.broken("a second document begins, where clients expect one", event.start_mark.index)
                continue
            done: tuple[Any, Node, int] | None = None
            if isinstance(event, MappingStartEvent | SequenceStartEvent):
                stack.append(self._opened(event, stack))
                continue
            if isinstance(event, ScalarEvent):
                done = self._scalar_read(event, stack)
            elif isinstance(event, AliasEvent):
                done = self._alias(event)
            elif type(event).__name__ in {"MappingEndEvent", "SequenceEndEvent"}:
                done = self._closed(stack.pop(), event)
            if done is None:
                continue
            if stack:
                self._given(stack[-1], *done)
            else:
                top = done[:2]
        if top is None or (top[0] is None and top[1].kind == "empty"):
            self.empty = True
            self._tree = Node(0, len(self.text), None, "block", {})
            return {}
        self._tree = top[1]
        return top[0]

    def _counted(self, weight: int, event: Any) -> None:
        self._count += weight
        if self._count > _MAX_VALUES:
            raise self.broken(f"more than {_MAX_VALUES} values, with its aliases followed", event.start_mark.index)

    def _opened(self, event: Any, stack: list[_Open]) -> _Open:
        self._counted(1, event)
        if len(stack) >= MAX_DEPTH:
            raise self.broken(f"more than {MAX_DEPTH} lists and objects inside each other", event.start_mark.index)
        is_map = isinstance(event, MappingStartEvent)
        if event.tag not in {None, "!", _TAG + ("map" if is_map else "seq")}:
            raise self.broken(f"the tag {event.tag!a} is not understood", event.start_mark.index)
        if stack and isinstance(stack[-1].value, dict) and stack[-1].step is None:
            raise self.broken("a key that is a list or an object", event.start_mark.index)
        above = stack[-1] if stack else None
        step = None if above is None else above.step if isinstance(above.value, dict) else len(above.value)
        path = (*above.path, step) if above is not None and isinstance(step, str | int) else ()
        node = Node(event.start_mark.index, 0, None, "flow" if event.flow_style else "block", {} if is_map else [])
        if event.anchor is not None:
            self._known[event.anchor] = None  # an alias of it inside itself
        return _Open({} if is_map else [], node, path, event.anchor)

    def _closed(self, done: _Open, event: Any) -> tuple[Any, Node, int]:
        if done.node.kind == "flow":
            done.node.end = event.end_mark.index
        else:
            done.node.end = done.node.order[-1].end if done.node.order else done.node.start
        if isinstance(done.value, dict):
            for merged in done.merges:
                for source in merged if isinstance(merged, list) else [merged]:
                    if not isinstance(source, dict):
                        raise self.broken("a merge of what is no object", done.node.start)
                    for name, item in source.items():
                        done.value.setdefault(name, item)
        if done.anchor is not None:
            self._known[done.anchor] = (done.value, done.weight)
        return done.value, done.node, done.weight

    def _alias(self, event: Any) -> tuple[Any, Node, int]:
        known = self._known.get(event.anchor)
        if known is None:
            raise self.broken(f"the alias {event.anchor!a} has nothing to stand for", event.start_mark.index)
        value, weight = known
        self._counted(weight, event)
        return _unshared(value), Node(event.start_mark.index, event.end_mark.index, None, "shared"), weight

    def _scalar_read(self, event: Any, stack: list[_Open]) -> tuple[Any, Node, int]:
        self._counted(1, event)
        start, end = event.start_mark.index, event.end_mark.index
        if event.style in {"|", ">"}:
            end = start + len(self.text[start:end].rstrip())
        node = Node(start, end)
        if start == end:
            node = self._empty_place(start, stack)
        is_key = bool(stack) and isinstance(stack[-1].value, dict) and stack[-1].step is None
        if is_key:
            is_merge = event.value == "<<" and event.implicit[0] and event.tag is None
            return (_MERGE if is_merge else event.value), node, 1
        value = self._resolved(event)
        if event.anchor is not None:
            self._known[event.anchor] = (value, 1)
        return value, node, 1

    def _empty_place(self, start: int, stack: list[_Open]) -> Node:
        """Return where a value could be written that has no characters: right after its key's colon."""
        key = stack[-1].key if stack else None
        if key is None:
            return Node(start, start, None, "empty")
        found = _GRAMMAR.gap.match(self.text, key.end)
        at = found.end() if found else key.end
        return Node(at + 1, at + 1, None, "empty") if self.text[at : at + 1] == ":" else Node(start, start, None, "shared")

    def _resolved(self, event: Any) -> Any:
        tag = event.tag
        if tag is None or tag == "!":
            tag = self._yaml.resolver.resolve(ScalarNode, event.value, event.implicit) if tag is None else _TAG + "str"
        kind = str(tag).removeprefix(_TAG)
        node = ScalarNode(tag, event.value)
        if kind in {"str", "timestamp", "merge", "value"}:
            return event.value
        if kind == "null":
            return None
        if kind == "bool" and event.value.lower() in {"true", "false"}:
            return event.value.lower() == "true"
        try:
            if kind == "bool":
                return self._yaml.constructor.construct_yaml_bool(node)
            if kind == "int":
                return int(self._yaml.constructor.construct_yaml_int(node))
            if kind == "float":
                return float(self._yaml.constructor.construct_yaml_float(node))
        except (ValueError, KeyError, IndexError) as error:
            raise self.broken(f"{event.value[:40]!a} is no {kind} that can be read", event.start_mark.index) from error
        raise self.broken(f"the tag {str(tag)!a} is not understood", event.start_mark.index)

    def _given(self, parent: _Open, value: Any, node: Node, weight: int) -> None:
        """Put what was read into what it stands in: as a key, a member or an item."""
        parent.weight += weight
        if isinstance(parent.value, list):
            parent.value.append(value)
            parent.node.order.append(node)
            if isinstance(parent.node.members, list):
                parent.node.members.append(node)
            return
        if parent.step is None:
            if not isinstance(value, str) and value is not _MERGE:
                raise self.broken("a key that is no text", node.start)
            parent.key, parent.step = Span(node.start, node.end), value
            return
        node.key = parent.key
        parent.node.order.append(node)
        if parent.step is _MERGE:
            parent.merges.append(value)
        else:
            if parent.step in parent.value:
                self._found[(*parent.path, parent.step)] = None
            parent.value[parent.step] = value
            if isinstance(parent.node.members, dict):
                parent.node.members[parent.step] = node
        parent.key = parent.step = None

    # Edits.

    def _replaced(self, node: Node, text: str) -> Splice:
        if node.kind == "empty":
            return Splice(node.start, node.end, f" {text}" if text else "")
        before = self.text[node.start - 1 : node.start]
        if not text and before == " ":  # the inverse: the value's space goes with it
            return Splice(node.start - 1, node.end, "")
        return Splice(node.start, node.end, text)

    def _written(self, value: Any, old: Node) -> str:
        if isinstance(value, list) and value and old.kind == "block" and isinstance(old.members, list):
            dash = old.start - (max(self.text.rfind("\n", 0, old.start), self.text.rfind("\r", 0, old.start)) + 1)
            return f"{self.newline}{' ' * dash}".join(
                f"- {written(item, Layout(indent=None), self._scalar, self._key)}" for item in value
            )
        if isinstance(value, str):
            return self._scalar(value, self.text[old.start : old.start + 1])
        layout = layout_of(self.text, old, "  ", self.newline, _GRAMMAR) if old.kind == "flow" else Layout(indent=None)
        return written(value, layout, self._quoted, self._key)

    def _inserted(self, parent: Node, step: str | int, value: Any) -> list[Splice]:
        if parent.kind == "flow":
            piece = written(value, Layout(indent=None), self._quoted, self._key)
            piece = self._key(step) + piece if isinstance(step, str) else piece
            indent = line_indent(self.text, parent.end - 1) + "  " if "\n" in self.text[parent.start : parent.end] else None
            return inserted(
                self.text, parent, piece, _GRAMMAR, nested(indent, "  ", self.newline) if indent else Layout(indent=None)
            )
        if not isinstance(step, str) or not parent.order or parent.kind != "block":
            raise FormatError("an item can't be added to that list")
        last = parent.order[-1]
        first_key = parent.order[0].begin
        column = first_key - (max(self.text.rfind("\n", 0, first_key), self.text.rfind("\r", 0, first_key)) + 1)
        indent = " " * column
        dash = self._dash_indent()
        if isinstance(value, list) and value and dash is not None:
            line = self.newline + indent + dash
            text = "".join(f"{line}- {written(item, Layout(indent=None), self._scalar, self._key)}" for item in value)
            piece = f"{self._key(step).rstrip()}{text}"
        else:
            piece = self._key(step) + written(
                value, Layout(indent=None), self._quoted if isinstance(value, list | dict) else self._scalar, self._key
            )
        at = self._line_end(last.end)
        return [Splice(at, at, f"{self.newline}{indent}{piece}")]

    def _removed(self, parent: Node, node: Node) -> list[Splice]:
        if parent.kind == "flow":
            return removed(self.text, parent, node, _GRAMMAR)
        if starts_line(self.text, node.begin) is None:
            raise FormatError("the key shares its line with something else; take it out by hand")
        end = self._line_end(node.end)
        begin = self.text.rfind("\n", 0, node.begin)
        if begin < 0:
            found = re.compile(r"[ \t]*\r?\n?").match(self.text, end)
            return [Splice(0, found.end() if found else end, "")]
        if self.text[begin - 1 : begin] == "\r":
            begin -= 1
        return [Splice(begin, end, "")]

    def _line_end(self, at: int) -> int:
        found = _REST_OF_LINE.match(self.text, at)
        return found.end() if found else at

    def _dash_indent(self) -> str | None:
        """Return how far the file's first block list stands in from its key; None where it has no such list."""
        todo = [self.root()]
        while todo:
            node = todo.pop()
            if isinstance(node.members, list) and node.kind == "block" and node.key is not None:
                own = starts_line(self.text, node.start)
                key = starts_line(self.text, node.key.start)
                if own is not None and key is not None and len(own) >= len(key):
                    return " " * (len(own) - len(key))
            todo.extend(child for child in reversed(node.order) if child.members)
        return None

    def _key(self, name: str) -> str:
        return f"{self._scalar(name)}: "

    def _quoted(self, value: Any) -> str:
        """Write a value that stands between brackets, where more characters have a meaning."""
        return self._scalar(value, '"')

    def _scalar(self, value: Any, quote: str = "") -> str:
        """Write one value; `quote` is what the text in whose place it comes began with."""
        if isinstance(value, str):
            return self._string(value, quote)
        if isinstance(value, float):
            if math.isnan(value):
                return ".nan"
            return repr(value) if abs(value) != float("inf") else (".inf" if value > 0 else "-.inf")
        return {True: "true", False: "false", None: "null"}[value] if value is None or isinstance(value, bool) else str(value)

    def _string(self, text: str, quote: str) -> str:
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise FormatError("YAML can't hold half a surrogate pair") from error
        if quote == "'" and text.isprintable():
            return "'" + text.replace("'", "''") + "'"
        if quote != '"' and _PLAIN.fullmatch(text) and text.lower() not in _OLD_WORDS:
            tag = self._yaml.resolver.resolve(ScalarNode, text, (True, False))
            if str(tag) == _TAG + "str":
                return text
        return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(text, ensure_ascii=False))


def _unshared(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _unshared(item) for key, item in value.items()}
    return [_unshared(item) for item in value] if isinstance(value, list) else value
