"""A configuration text: its value, where each key and value stands in it, and edits that leave every other byte alone.

One idea serves every format. A strict decoder says what the text means. A walk over the same text says where each part of it stands. An
edit splices new text at those places, and what comes out is decoded again and compared: where anything but what was asked for has
changed, the edit is refused. So a mistake in the walk, or a file that is odder than it looks, costs a refusal and never a user's file.

What belongs to one format is in a module of its own beside this one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from stdioguard.installs.formats.places import Node, Path, Span, Splice, said
from stdioguard.installs.formats.values import (
    MAX_DEPTH,
    REMOVE,
    UNSET,
    FormatError,
    checked,
    copy,
    is_too_deep,
    put,
    same,
    value_at,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["REMOVE", "Change", "Document", "FormatError", "Path", "Span"]


@dataclass(frozen=True, slots=True)
class Change:
    """One edit: exactly one of `value` (perhaps REMOVE) and `raw` is given.

    A `value` is written in the file's own style; where its key is not there, it is inserted after the last member of its parent. A `raw`
    is the exact text to put in the place of a value that is there.
    """

    path: Path
    value: Any = UNSET
    raw: str | None = None

    def __post_init__(self) -> None:
        if (self.value is UNSET) == (self.raw is None):
            raise TypeError("a Change has a value or a raw text, and not both")


class Document(ABC):
    """One text in one format. It never changes: `edited` gives another."""

    text: str
    """Without a byte order mark."""
    bom: bool
    """Whether the file began with a UTF-8 byte order mark."""
    form: str
    value: Any
    """A dict of dict, list, str, int, float, bool and None. Dates are str. Nothing in it is shared. It is not to be changed: edits are
    compared with it."""
    newline: str
    """What ends an inserted line."""
    plain: bool
    """Whether strict JSON says all of it; always False for TOML and YAML."""
    empty: bool
    """Whether the file holds nothing, which clients read as no settings. It can't be edited."""

    def __init__(self, text: str, form: str, *, bom: bool = False) -> None:
        """Decode `text`. Raises FormatError."""
        self.text = text
        self.form = form
        self.bom = bom
        first = text.find("\n")
        self.newline = "\r\n" if first > 0 and text[first - 1] == "\r" else "\n"
        self.plain = False
        self.empty = False
        self._root: Node | None = None
        self._duplicates: dict[Path, None] = {}
        try:
            self.value = self._decoded()
        except RecursionError as error:
            raise FormatError(f"more than {MAX_DEPTH} lists and objects inside each other") from error
        if not isinstance(self.value, dict):
            raise FormatError(f"the file holds {_a(self.value)}, where clients expect keys and values")
        if is_too_deep(self.value):
            raise FormatError(f"more than {MAX_DEPTH} lists and objects inside each other")

    # What a format provides.

    @abstractmethod
    def _decoded(self) -> Any:
        """Return what the text means, by a strict decoder."""

    @abstractmethod
    def _walked(self) -> Node:
        """Return where everything stands, and note duplicate keys in `_duplicates`, in their order."""

    @abstractmethod
    def _written(self, value: Any, old: Node) -> str:
        """Return `value` as text in the style of `old`, in whose place it is put."""

    @abstractmethod
    def _inserted(self, parent: Node, step: str | int, value: Any) -> list[Splice]:
        """Return what inserts a member after the last one of `parent`."""

    @abstractmethod
    def _removed(self, parent: Node, node: Node) -> list[Splice]:
        """Return what takes a member out; the inverse of `_inserted`, to the character."""

    def _replaced(self, node: Node, text: str) -> Splice:
        return Splice(node.start, node.end, text)

    # Where things are.

    def root(self) -> Node:
        """Return the places of everything; found on first use. Raises FormatError."""
        if self._root is None:
            self._root = self._walked()
        return self._root

    @property
    def duplicates(self) -> list[Path]:
        """The paths of keys that stand more than once in one object. The last one counts, as in every client."""
        self.root()
        return list(self._duplicates)

    def node(self, path: Path) -> Node | None:
        """Return where the value of `path` stands, or None where it has no place of its own."""
        node: Node | None = self.root()
        for step in path:
            if node is None or node.kind == "shared":
                return None
            node = node.child(step)
        return node

    def span(self, path: Path) -> Span | None:
        """Return where the value stands; None where it is absent, shared, or spread over several places."""
        node = self.node(path)
        return None if node is None or node.kind in {"spread", "shared"} else Span(node.start, node.end)

    def key_span(self, path: Path) -> Span | None:
        """Return where the value's key stands (in TOML, for a table: its name in the first header that opens it), or None."""
        node = self.node(path)
        return node.key if node is not None else None

    def raw(self, path: Path) -> str | None:
        """Return the value's own text, or None where it has no place of its own."""
        span = self.span(path)
        return self.text[span.start : span.end] if span is not None else None

    def place(self, offset: int) -> tuple[int, int]:
        """Return line and column, from 1, of a character of the text."""
        before = self.text[:offset].replace("\r\n", "\n").replace("\r", "\n")
        return before.count("\n") + 1, len(before) - before.rfind("\n")

    def data(self) -> bytes:
        """Return the file's bytes."""
        return (b"\xef\xbb\xbf" if self.bom else b"") + self.text.encode("utf-8")

    def broken(self, why: str, offset: int) -> FormatError:
        """Return the error for something at a place of the text."""
        line, column = self.place(offset)
        return FormatError(f"line {line}, column {column}: {why}")

    # Edits.

    def edited(self, changes: Sequence[Change]) -> Self:
        """Return the document with all `changes`, made in their order.

        Raises FormatError where one of them can't be made without touching anything else.
        """
        document = self
        batch: list[Change] = []
        taken: list[Splice] = []
        for change in changes:
            if any(change.path[: len(before.path)] == before.path for before in batch):
                document = document._applied(batch, taken)
                batch, taken = [], []
            splices, alone = document._splices(change)
            if batch and (alone or any(_meet(a, b) for a in splices for b in taken)):
                document = document._applied(batch, taken)
                batch, taken = [], []
                splices, alone = document._splices(change)
            batch.append(change)
            taken.extend(splices)
            if alone:
                document = document._applied(batch, taken)
                batch, taken = [], []
        return document._applied(batch, taken) if batch else document

    def _splices(self, change: Change) -> tuple[list[Splice], bool]:
        """Return what makes `change` here, and whether it moves its neighbours, so that it must be made before the next one."""
        path = change.path
        if not path:
            raise FormatError("the whole file is not one value to be edited")
        if self.empty:
            raise FormatError("the file is empty, so there is nothing to edit in it")
        for known in self.duplicates:
            if path[: len(known)] == known:
                raise FormatError(f"{said(known)} is there more than once; keep one of them and try again")
        node = self.node(path)
        if node is not None and node.kind == "shared":
            raise FormatError(f"{said(path)} is an alias of what stands elsewhere in the file, so it can't be edited alone")
        if node is None and value_at(self.value, path) is not UNSET:
            raise FormatError(
                f"{said(path)} comes from an alias or a merge of what stands elsewhere in the file; it can't be edited alone"
            )
        if change.raw is not None or (node is not None and change.value is not REMOVE):
            if node is None:
                raise FormatError(f"{said(path)} is not in the file")
            if node.kind == "spread":
                raise FormatError(f"{said(path)} is a table whose lines stand in several places; edit its keys")
            text = change.raw if change.raw is not None else self._written(checked(change.value, path), node)
            return [self._replaced(node, text)], False
        parent = self.node(path[:-1])
        if node is not None:
            if parent is None or node.kind == "spread":
                raise FormatError(f"{said(path)} is a table whose lines stand in several places; it is not removed")
            return self._removed(parent, node), True
        if change.value is REMOVE:
            raise FormatError(f"{said(path)} is not in the file")
        if parent is None or parent.kind == "shared" or parent.members is None:
            raise FormatError(
                f"{said(path)} has nothing to be put into: {said(path[:-1])} is not an object of its own in the file"
            )
        step = path[-1]
        if isinstance(step, str) != isinstance(parent.members, dict) or (isinstance(step, int) and step != len(parent.members)):
            raise FormatError(f"{said(path)} is not a place to insert at")
        return self._inserted(parent, step, checked(change.value, path)), True

    def _applied(self, changes: list[Change], splices: list[Splice]) -> Self:
        """Splice, decode again, and compare with what was asked for."""
        pieces, done = [], 0
        for splice in sorted(splices, key=lambda splice: (splice.start, splice.end)):
            pieces += [self.text[done : splice.start], splice.text]
            done = splice.end
        text = "".join([*pieces, self.text[done:]])
        names = ", ".join(said(change.path) for change in changes[:3]) + (" and more" if len(changes) > 3 else "")
        try:
            result = type(self)(text, self.form, bom=self.bom)
            duplicates = result.duplicates
        except FormatError as error:
            raise FormatError(f"editing {names} would break the file ({error})") from error
        expected = copy(self.value)
        for change in changes:
            if change.raw is not None:
                now = value_at(result.value, change.path)
                if result.raw(change.path) != change.raw or now is UNSET:
                    raise FormatError(f"the text for {said(change.path)} is not one value")
                put(expected, change.path, now)
            else:
                put(expected, change.path, change.value)
        if not same(result.value, expected) or duplicates != self.duplicates:
            raise FormatError(f"editing {names} would change something else in the file too; edit it by hand")
        return result


def _a(value: Any) -> str:
    names = {list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


def _meet(one: Splice, other: Splice) -> bool:
    return one.start <= other.end and other.start <= one.end
