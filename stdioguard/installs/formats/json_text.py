"""JSON as clients read it: strict, or with comments and trailing commas (JSONC), which real files named `.json` have too.

`json` says what the text means. What it does not know is blanked with as many spaces first, so that offsets stay. The tokens that this
needs also show where everything stands, which is why no parser of its own is wanted for that.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from stdioguard.installs.formats.document import Document
from stdioguard.installs.formats.flow import Grammar, Layout, inserted, layout_of, nested, removed, written
from stdioguard.installs.formats.places import Node, Path, Span, Splice, line_indent, starts_line
from stdioguard.installs.formats.values import MAX_VALUES, FormatError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Token = tuple[str, int, int]
"""Kind ("string", "comment", "mark" for punctuation, "word" for the rest), start and end."""


class JsonDocument(Document):
    """Strict JSON, or JSON with comments and trailing commas."""

    tokens_pattern: ClassVar[re.Pattern[str]] = re.compile(
        r"""[ \t\r\n]*+(?:
            (?P<string>"(?>[^"\\]+|\\.)*+")
          | (?P<mark>[{}\[\]:,])
          | (?P<comment>//[^\r\n]*+ | /\*.*?\*/)
          | (?P<word>[^\s{}\[\]:,"/]++)
        )""",
        re.VERBOSE | re.DOTALL,
    )
    blank: ClassVar[re.Pattern[str]] = re.compile(r"[ \t\r\n]*+")
    grammar: ClassVar[Grammar] = Grammar(
        gap=re.compile(r"(?>[ \t\r\n]++|//[^\r\n]*+|/\*.*?\*/)*+", re.DOTALL),
        remark=re.compile(r"[ \t]*+(?://[^\r\n]*+|/\*[^\r\n]*?\*/)"),
    )

    # Reading.

    def _decoded(self) -> Any:
        try:
            value = _loads(self.text)
        except ValueError:
            return self._decoded_with_comments()
        self.plain = True
        return value

    def _decoded_with_comments(self) -> Any:
        tokens = list(self._tokens())
        kept = [token for token in tokens if token[0] != "comment"]
        if not kept:
            self.empty = True
            return {}
        blanks = [(start, end) for kind, start, end in tokens if kind == "comment"]
        for before, comma, after in zip(kept, kept[1:], kept[2:], strict=False):
            if self.text[comma[1]] == "," and comma[0] == "mark" and self._closes(after) and not self._opens_or_parts(before):
                blanks.append(comma[1:])
        pieces, done = [], 0
        for start, end in sorted(blanks):
            pieces += [self.text[done:start], " " * (end - start)]
            done = end
        pieces.append(self.text[done:])
        try:
            return _loads("".join(pieces))
        except json.JSONDecodeError as error:
            raise self.broken(for_people(error), error.pos) from error
        except ValueError as error:
            raise FormatError(for_people(error)) from error

    def _closes(self, token: Token) -> bool:
        return token[0] == "mark" and self.text[token[1]] in "]}"

    def _opens_or_parts(self, token: Token) -> bool:
        return token[0] == "mark" and self.text[token[1]] in "[{,:"

    def _tokens(self) -> Iterator[Token]:
        """Give all tokens with comments. Raises FormatError at what is none."""
        text, at, match = self.text, 0, self.tokens_pattern.match
        count = 0
        while found := match(text, at):
            kind = found.lastgroup or ""
            yield kind, found.start(kind), found.end()
            at = found.end()
            count += 1
            if count > 5 * MAX_VALUES:  # a member has a key, a colon, a value and a comma
                raise FormatError(f"more than {MAX_VALUES} values")
        blank = self.blank.match(text, at)
        at = blank.end() if blank else at
        if at < len(text):
            started = {'"': "a string", "'": "a string", "/": "a comment"}.get(text[at])
            raise self.broken(f"{started} that does not end" if started else f"unexpected {text[at]!a}", at)

    def _key_name(self, start: int, end: int) -> str:
        """Return the key that the text of a token spells."""
        text = self.text[start:end]
        return text[1:-1] if "\\" not in text else str(json.loads(text))

    def _walked(self) -> Node:
        if self.empty:
            return Node(0, len(self.text), kind="flow", members={})
        root: Node | None = None
        stack: list[tuple[Node, Path]] = []
        key: Span | None = None
        name = ""
        for kind, start, end in self._tokens():
            if kind == "comment":
                continue
            mark = self.text[start] if kind == "mark" else ""
            if mark and mark in "]}":
                stack.pop()[0].end = end
                continue
            if mark and mark in ",:":
                continue
            if stack and isinstance(stack[-1][0].members, dict) and key is None:
                key, name = Span(start, end), self._key_name(start, end)
                continue
            node = Node(start, end, key)
            if mark:
                node.kind = "flow"
                node.members = {} if mark == "{" else []
            path: Path = ()
            if stack:
                parent, above = stack[-1]
                path = (*above, len(parent.order) if key is None else name)
                self._attach(parent, node, name, path)
            root = root or node
            key = None
            if mark:
                stack.append((node, path))
        if root is None or stack:
            raise FormatError("the text ends too early")
        return root

    def _attach(self, parent: Node, node: Node, name: str, path: Path) -> None:
        parent.order.append(node)
        if isinstance(parent.members, list):
            parent.members.append(node)
        elif parent.members is not None:
            if name in parent.members:
                self._duplicates[path] = None
            parent.members[name] = node

    # Writing.

    def _written(self, value: Any, old: Node) -> str:
        layout = layout_of(self.text, old, self._unit(), self.newline, self.grammar)
        if not old.order and isinstance(value, list | dict):
            layout = self._layout_for_new(line_indent(self.text, old.begin), old)
        return written(value, layout, self._scalar, self._key(": "))

    def _inserted(self, parent: Node, step: str | int, value: Any) -> list[Splice]:
        colon, indent, opening = ": ", None, ""
        if parent.order:
            last = parent.order[-1]
            if last.key is not None:
                between = self.text[last.key.end : last.start]
                colon = between if between in {":", ": ", " : "} else colon
                opening = self.text[last.key.start]
            indent = starts_line(self.text, last.begin)
            layout = Layout(indent=None, newline=self.newline, comma="," if colon == ":" else ", ")
        else:
            inside = self.text[parent.start + 1 : parent.end - 1]
            if "\n" in inside:
                indent = line_indent(self.text, parent.end - 1) + self._unit()
            layout = Layout(indent=indent, newline=self.newline)
        inner = Layout(indent=None, comma=layout.comma) if indent is None else self._layout_for_new(indent, parent)
        piece = written(value, inner, self._scalar, self._key(colon))
        if isinstance(step, str):
            piece = self._key(colon, opening)(step) + piece
        return inserted(self.text, parent, piece, self.grammar, layout)

    def _removed(self, parent: Node, node: Node) -> list[Splice]:
        return removed(self.text, parent, node, self.grammar)

    def _key(self, colon: str, _opening: str = "") -> Callable[[str], str]:
        """Return what writes a key and its colon; in JSON5 in the style of the key that begins with `_opening`."""
        return lambda name: _string(name) + colon

    def _scalar(self, value: Any) -> str:
        if isinstance(value, str):
            return _string(value)
        try:
            return json.dumps(value, allow_nan=False)
        except ValueError as error:
            raise FormatError("JSON can't hold a number that is infinite or none") from error

    def _unit(self) -> str:
        """Return one level of indentation: that of the first member on a line of its own."""
        root = self.root()
        for node in [root, *(child for child in root.order if child.kind == "flow")]:
            for child in node.order[:1]:
                indent = starts_line(self.text, child.begin)
                base = line_indent(self.text, node.begin)
                if indent is not None and indent.startswith(base) and indent != base:
                    return indent[len(base) :]
        return "  "

    def _layout_for_new(self, indent: str, near: Node) -> Layout:
        """Choose lines of their own for the members of a new container if the file's other lists are written so."""
        on_lines = on_one = 0
        if starts_line(self.text, near.begin) is None and "\n" not in self.text:
            return Layout(indent=None)
        todo = [self.root()]
        while todo and on_lines + on_one < 20:
            node = todo.pop()
            if isinstance(node.members, list) and node.order:
                if starts_line(self.text, node.order[0].begin) is not None:
                    on_lines += 1
                else:
                    on_one += 1
            todo.extend(child for child in node.order if child.kind == "flow")
        return nested(indent, self._unit(), self.newline) if on_lines > on_one else Layout(indent=None)


def _loads(text: str) -> Any:
    return json.loads(text, parse_constant=_refuse_constant)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _string(text: str) -> str:
    written_plainly = json.dumps(text, ensure_ascii=False)
    try:
        written_plainly.encode("utf-8")
    except UnicodeEncodeError:
        return json.dumps(text)  # half a surrogate pair, which only an escape can spell
    return written_plainly


def for_people(error: ValueError) -> str:
    """Return what the decoder says, as the end of a line."""
    message = str(error)
    if isinstance(error, json.JSONDecodeError):
        message = error.msg[:1].lower() + error.msg[1:].removesuffix(" at")
    if "BOM" in message:
        return "a second byte order mark"
    return "a number of too many digits" if "digits" in message else message
