"""The literal secrets of one entry, on their way out of its file: what is kept under which name, and what stands there instead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stdioguard.identity import secrets
from stdioguard.installs import journal, masking, naming, plaintext
from stdioguard.installs.formats.document import Change

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from stdioguard.installs import wrapped
    from stdioguard.installs.entries import Entry
    from stdioguard.installs.formats.document import Document


@dataclass
class Kept:
    """A secret that moves: its name, its value, and which server may have it. Bound to nothing that starts, it is `unwrap`'s alone."""

    name: str
    value: str
    bound: dict[str, Any]
    is_text: bool = False
    """Whether it is a piece of the file that holds secrets, for `unwrap`."""


class Moves:
    """The literal secrets of one entry, on their way to where secrets are kept."""

    def __init__(self, server: str, is_literal: Callable[[str], bool], taken: Iterable[str]) -> None:
        self.secrets: list[Kept] = []
        self.given: dict[str, str] = {}
        """The entry's variables, with references."""
        self._server = server
        self._is_literal = is_literal
        self._taken = set(taken)

    def out_of(self, entry: Entry, new: wrapped.Wrapped, document: Document, record: journal.Entry) -> Document:
        """Put references in the place of secrets: of variables in the document, of arguments in the new command line."""
        self.given = dict(entry.env)
        seen = set()
        for found in plaintext.secrets_in(entry):
            where = found.path[-1]
            if found.path in seen or found.path[0] not in ("argv", "env"):
                continue
            seen.add(found.path)
            text = entry.argv[where] if isinstance(where, int) else entry.env[where]
            if not self._is_literal(text):
                continue  # the client fills in a part of it
            span = found.span if isinstance(where, int) else (0, len(text))  # of a variable the whole value
            value, _ = plaintext.moved(text, span, "x")
            name = self._keep(where if isinstance(where, str) else _label(entry, where), value)
            _, reference = plaintext.moved(text, span, name)
            if isinstance(where, int):
                new.command[where] = reference
            else:
                self.given[where] = reference
                document = self._variable(entry, where, value, reference, document, record)
        return document

    def _variable(
        self, entry: Entry, name: str, value: str, reference: str, document: Document, record: journal.Entry
    ) -> Document:
        path = (*(entry.fields.env_path or ()), name)
        text = document.raw(path) or ""
        after = document.edited([Change(path, value=reference)])
        edit = journal.Edit(list(path), journal.digest(after.raw(path)), None, secrets.reference(reference) or "")
        if after.edited([Change(path, value=value)]).raw(path) != text:
            edit.secret, edit.verbatim = self.keep_text(text), True  # written in another way than we would
        record.edits.append(edit)
        return after

    def is_in(self, text: str, entry: Entry) -> bool:
        """Tell whether a text of the file holds a secret of the entry, whether or not it moves."""
        words = (
            entry.argv[int(found.path[1])][slice(*found.span)] for found in plaintext.secrets_in(entry) if found.path[0] == "argv"
        )
        values = {*words, *(kept.value for kept in self.secrets)}
        return any(spelled in text for value in values for spelled in masking.spellings(value))

    def keep_text(self, text: str) -> str:
        """Keep a text of the file as it is, since a secret is in it. Return the name that it is kept under."""
        name = self._keep("text", text)
        next(kept for kept in self.secrets if kept.name == name).is_text = True
        return name

    def stay(self, entry: Entry) -> Moves:
        """Let every secret stay where it is."""
        self.given = dict(entry.env)
        return self

    def bind(self, bound: dict[str, Any]) -> None:
        """Say which launch may have them."""
        for kept in self.secrets:
            kept.bound = {} if kept.is_text else bound

    def _keep(self, key: str, value: str) -> str:
        """Return the name that a value is to be kept under: one that nothing has, so that no entry gets another's."""
        wanted = name = naming.secret_name(self._server, key)
        count = 1
        while any(kept.name == name and kept.value != value for kept in self.secrets) or self._is_taken(name):
            count += 1
            name = f"{wanted}-{count}"
        if all(kept.name != name for kept in self.secrets):
            self.secrets.append(Kept(name, value, {}))
        return name

    def _is_taken(self, name: str) -> bool:
        return name in self._taken or secrets.find(name) is not None


def _label(entry: Entry, index: int) -> str:
    """Return what an argument is called, by its option, or the one before it."""
    option, equals, _ = entry.argv[index].partition("=")
    before = entry.argv[index - 1] if index else ""
    return (option if equals else before if before.startswith("-") else "").lstrip("-") or f"argument{index}"
