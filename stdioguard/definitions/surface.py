"""Every string of a definition, in its place: what a model reads, however deep it lies, and what kind of member it is.

The walk is iterative and counted: a definition of any shape and size takes bounded time, and what was left out is told.
"""

from __future__ import annotations

from stdioguard.definitions.folding import BREAK, Folded, words_of_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from stdioguard.definitions.findings import Other

    Path = tuple["Path", str] | None

MAX_NODES = 10_000
MAX_TEXT = 200_000
"""Characters of a definition that are judged; of one long string the beginning and the end."""

MAX_ONE_TEXT = 100_000
DEEP = 40
"""Levels of nesting that no honest schema needs."""

# What a member is. Prose is where a description belongs; a name is an identifier; the rest is a schema's data, where prose is out of place.
PROSE, NAME, PROPERTY, DATA, REFERENCE, JOINED = "prose", "name", "property", "data", "reference", "joined"

_NAMED_MEMBERS = frozenset({"properties", "patternProperties", "$defs", "definitions", "dependentSchemas", "dependentRequired"})
_PROSE = frozenset({"description", "instructions", "title", "summary", "markdownDescription"})
_REFERENCES = frozenset({"$ref", "$dynamicRef", "$recursiveRef", "$schema", "$id", "id", "src", "uri", "uriTemplate"})
_SCHEMA_WORDS = frozenset(
    {"type", "format", "mimeType", "sizes", "contentEncoding", "contentMediaType", "$anchor", "$dynamicAnchor"}
)


class Text:
    """One string: its place, what it says, and how the rules compare it. `parameter` is the property that it describes, if any."""

    __slots__ = ("_folded", "_path", "_sentences", "base", "kind", "member", "parameter", "raw", "signals")

    def __init__(self, path: Path, member: str, kind: str, raw: str, parameter: str = "", base: int = 0) -> None:
        self._path = path
        self.member = member
        self.kind = kind
        self.raw = raw
        self.parameter = parameter
        self.base = base
        self._folded: Folded | None = None
        self._sentences: list[tuple[int, int]] | None = None
        self.signals: dict[str, list[tuple[int, int]]] = {}
        """Matches of the shared phrases, as they are asked for (see `signals`)."""

    @property
    def where(self) -> str:
        """The JSON pointer of this member."""
        return pointer(self._path)

    @property
    def is_top(self) -> bool:
        """Whether this is a description of the tool itself, not of a part of its schema."""
        return self.member == "description" and self._path is not None and self._path[0] is None

    @property
    def folded(self) -> Folded:
        """The text as it is compared."""
        if self._folded is None:
            self._folded = Folded(words_of_name(self.raw) if self.kind in {NAME, PROPERTY} else self.raw)
        return self._folded

    @property
    def sentences(self) -> list[tuple[int, int]]:
        """Where each sentence begins and ends in the folded text."""
        if self._sentences is None:
            self._sentences = []
            start, text = 0, self.folded.text
            while start < len(text):
                end = text.find(BREAK, start)
                end = len(text) if end < 0 else end
                if end - start > 2:
                    self._sentences.append((start, end))
                start = end + 1
        return self._sentences

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Return the span in the member of a span in the folded text. Of a name the whole is meant."""
        if self.kind in {NAME, PROPERTY}:
            return 0, len(self.raw)
        first, last = self.folded.span(start, end)
        return self.base + first, self.base + last


class Definition:
    """What is judged: the members as they came, every text in them, and what was too much to read."""

    __slots__ = ("deepest", "joined", "members", "name", "others", "parameters", "server", "texts", "unread", "words")

    def __init__(self, members: Mapping[str, Any], server: str, others: Iterable[Other]) -> None:
        self.members = members
        self.server = server
        self.others = others
        name = members.get("name")
        self.name = name if isinstance(name, str) else ""
        self.texts: list[Text] = []
        self.parameters: list[Text] = []
        self.joined: list[Text] = []
        """Neighbouring texts as one: a sentence may be spread over them."""
        self.unread = 0
        """Characters, or members, that were not looked at."""
        self.deepest: Path = None
        self._walk(members)
        self._join()
        self.words = self._domain()

    def _walk(self, members: Mapping[str, Any]) -> None:
        stack: list[tuple[Any, Path, str, str, int]] = [(members, None, "", "", 0)]
        nodes, room = 0, MAX_TEXT
        while stack:
            value, path, member, parameter, depth = stack.pop()
            nodes += 1
            if nodes > MAX_NODES or room <= 0:
                self.unread += len(value) if isinstance(value, str) else 1
                if nodes > 4 * MAX_NODES:
                    self.unread += len(stack)
                    break
                continue
            if depth > DEEP and self.deepest is None:
                self.deepest = path
            if isinstance(value, str):
                room -= self._text(path, member, value, parameter, room)
            elif isinstance(value, dict):
                named = member in _NAMED_MEMBERS and depth < 4 * DEEP
                for key, item in reversed(list(value.items())):
                    if not isinstance(key, str):
                        continue
                    here = (path, key)
                    stack.append((item, here, "" if named else key, key if named else parameter, depth + 1))
                    if named or (key[:1] != "$" and (len(key) > 24 or not key.isascii())):
                        stack.append((key, here, "*" if named else "key", parameter, depth + 1))
            elif isinstance(value, (list, tuple)):
                inner = "required" if member == "required" else member
                stack.extend(
                    (item, (path, str(index)), inner, parameter, depth + 1) for index, item in reversed(list(enumerate(value)))
                )

    def _text(self, path: Path, member: str, value: str, parameter: str, room: int) -> int:
        kind = self._kind(path, member)
        if len(value) > (most := min(MAX_ONE_TEXT, room)):
            self.unread += len(value) - most
            half = most // 2
            self.texts.append(Text(path, member, kind, value[:half], parameter))
            self.texts.append(Text(path, member, kind, value[-half:], parameter, base=len(value) - half))
            return most
        text = Text(path, member, kind, value, parameter)
        if kind == PROPERTY:
            self.parameters.append(text)
        if value:
            self.texts.append(text)
        return len(value)

    @staticmethod
    def _kind(path: Path, member: str) -> str:
        if member in {"*", "required"}:
            return PROPERTY
        if member == "key":
            return DATA
        if member == "name":
            # An argument of a prompt is named by a member; `name` in the values of a schema's enum and the like is data.
            return NAME if path is not None and path[0] is None else PROPERTY
        if member in _PROSE:
            return PROSE
        if member in _REFERENCES:
            return REFERENCE
        return NAME if member in _SCHEMA_WORDS else DATA

    def _join(self) -> None:
        for kinds, glue in (((PROPERTY,), " "), ((PROSE,), " "), ((DATA,), " ")):
            pieces = [text for text in self.texts if text.kind in kinds and len(text.raw) < 2000 and text.member != "required"][
                :400
            ]
            if len(pieces) > 1:
                joined = glue.join(words_of_name(text.raw) if text.kind == PROPERTY else text.raw for text in pieces)
                self.joined.append(Text(None, "", JOINED, joined))

    def _domain(self) -> str:
        """Return what the tool says first of itself: its name, title and the first sentence of its description."""
        parts = [words_of_name(self.name), words_of_name(self.server)]
        for key in ("title", "description"):
            said = self.members.get(key)
            if isinstance(said, str):
                parts.append(Folded(said[:300]).text.lstrip(" \n" + BREAK).split(BREAK, 1)[0][:200])
        return " ".join(parts)


def pointer(path: Path) -> str:
    """Return the JSON pointer of a path."""
    keys: list[str] = []
    while path is not None:
        path, key = path
        keys.append(key.replace("~", "~0").replace("/", "~1"))
    return "".join("/" + key for key in reversed(keys))
