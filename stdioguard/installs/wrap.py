"""Put stdioguard in front of the servers of one configuration file.

A plan is made from the file as it is read, checked by reading the result back, and only then carried out: secrets are kept, the client
is registered, the journal is written, and last the file is replaced, if it is still the one that was read. What fails takes back what came
before it.
"""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from stdioguard.identity import secrets
from stdioguard.installs import commands, dialects, files, find, journal, naming, plaintext, registration, wrapped
from stdioguard.installs.formats.document import Change, Document, FormatError
from stdioguard.launch import references
from stdioguard.policy import load
from stdioguard.wire import strict_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from stdioguard.installs.entries import Entry
    from stdioguard.installs.journal import Journal

ATTEMPTS = 3
"""How often a plan is made anew where another program writes to the file meanwhile."""

WRAPPED, ALREADY, LEFT, FAILED = "wrapped", "already wrapped", "left alone", "failed"


@dataclass
class Options:
    """What a person has chosen. `program` is what wrapped entries start."""

    program: str
    profile: str | None = None
    """The profile for every entry, or `None` to choose by package."""
    keep_secrets: bool = False
    """Whether literal secrets stay where they are."""
    register: bool = True
    """Whether clients are registered, so that only they get in."""


@dataclass
class Row:
    """What was done to one entry, or would be."""

    client: str
    file: str
    level: str
    name: str
    outcome: str
    server: str = ""
    profile: str = ""
    secrets: list[str] = field(default_factory=list)
    """Names of the secrets that were moved."""
    why: str = ""


@dataclass
class _Kept:
    """A secret that moves: its name, its value, and which server may have it."""

    name: str
    value: str
    bound: dict[str, Any]


@dataclass
class Plan:
    """What is to be done to one file, in full."""

    listing: find.Listing
    rows: list[Row]
    after: Document | None = None
    """The file as it will be; `None` where nothing changes."""
    journal: Journal | None = None
    secrets: list[_Kept] = field(default_factory=list)
    granted: dict[str, dict[str, str]] = field(default_factory=dict)
    """Profiles by server by the name under which a client is registered."""

    def without_secrets(self) -> bytes:
        """Return the file as it was, but for the secrets that have moved: what is kept of it is not to hold them."""
        document = self.listing.document
        if document is None or not self.secrets:
            return self.listing.snapshot.data if self.listing.snapshot is not None else b""
        return (b"\xef\xbb\xbf" if document.bom else b"") + self.masked()[0].encode()

    def masked(self) -> tuple[str, str]:
        """Return the texts before and after, with no secret in either, for people to compare."""
        before = self.listing.document.text if self.listing.document is not None else ""
        after = self.after.text if self.after is not None else before
        for kept in sorted(self.secrets, key=lambda kept: -len(kept.value)):
            for text in (kept.value, strict_json.encode(kept.value)[1:-1]):
                before, after = before.replace(text, "[secret]"), after.replace(text, "[secret]")
        return before, after


class _Problem(Exception):  # noqa: N818 - it is the entry's
    """Why one entry cannot be wrapped, in one line for people."""


def wrap(found: find.Found, wanted: Callable[[Entry], bool], options: Options, *, dry: bool = False) -> Plan:
    """Wrap the entries of a file that are `wanted`, and return what was done. With `dry` nothing is.

    Raises `files.FileProblem`, `JournalError` and `ClientError`; the file is as it was then.
    """
    for _ in range(ATTEMPTS):
        plan = _plan(find.read_entries(found), wanted, options)
        if dry or plan.after is None:
            return plan
        try:
            _carry_out(plan)
        except files.Changed:
            continue
        return plan
    raise files.FileProblem(found.path, "another program writes to it again and again", "close the client, then try again")


def _plan(listing: find.Listing, wanted: Callable[[Entry], bool], options: Options) -> Plan:
    plan = Plan(listing, [])
    document = listing.document
    if document is None:
        return plan
    book = journal.of(listing.found.path)
    taken = {entry.server: entry.started for other in journal.everything() for entry in other.entries}
    for entry in listing.entries:
        if not wanted(entry):
            continue
        row = Row(entry.client, entry.file, entry.level, entry.name, WRAPPED)
        plan.rows.append(row)
        try:
            document = _wrap_one(plan, row, entry, document, book, taken, options)
        except _Problem as problem:
            row.outcome, row.why = LEFT, str(problem)
        except (FormatError, ValueError) as problem:
            row.outcome, row.why = FAILED, str(problem)
    if any(row.outcome == WRAPPED for row in plan.rows):
        plan.after, plan.journal = document, book
    return plan


def _wrap_one(
    plan: Plan, row: Row, entry: Entry, document: Document, book: Journal, taken: dict[str, str], options: Options
) -> Document:
    """Return the document with one entry wrapped, and note in the plan what goes with it."""
    if entry.kind == "remote":
        raise _Problem("a remote server: there is no process here to guard")
    if entry.problem or not entry.argv:
        raise _Problem(entry.problem or "it names no command")
    if not entry.editable:
        raise _Problem(entry.fixed)
    before = wrapped.read(entry.argv)
    if before is not None:
        row.server, row.profile = before.server, before.profile
        if before.words(options.program) == entry.argv and options.profile in (None, before.profile):
            row.outcome = ALREADY
            return document
        return _renew(plan, row, entry, document, book, before, options)
    started = commands.recognise(entry.argv)
    name = naming.server_name(entry.name, started.identity, taken)
    profile = options.profile or commands.profile_for(started) or "default"
    new = wrapped.Wrapped(list(entry.argv), server=name, profile=profile, environment=sorted(entry.env))
    if options.register:
        new.client = registration.name_for(naming.client_name(entry.client))
        new.token_file = registration.token_file(new.client)
    record = journal.Entry(
        list(entry.path), entry.name, entry.client, name, profile, new.client, started.identity, created=time.time()
    )
    moves = _Moves(name, dialects.dialect(plan.listing.found.client, plan.listing.found.key).literal)
    if not options.keep_secrets:
        document = moves.out_of(entry, new, document, record)
    document = _rewritten(document, entry, new.words(options.program), record, moves)
    if moves.secrets:
        moves.bind(entry, new)
    _check(plan, document, entry, new.words(options.program))
    taken[name] = started.identity
    book.entries = [*(other for other in book.entries if other.path != record.path), record]
    record.secrets = [one.name for one in moves.secrets]
    plan.secrets += moves.secrets
    plan.granted.setdefault(new.client, {})[name] = profile
    row.server, row.profile, row.secrets = name, profile, record.secrets
    if profile == "default":
        row.why = f"no profile is for {started.identity}: it gets no files and no network, and each call asks a person"
    return document


def _renew(
    plan: Plan, row: Row, entry: Entry, document: Document, book: Journal, before: wrapped.Wrapped, options: Options
) -> Document:
    """Bring an entry that is wrapped already up to date: the program may have moved, the profile be another one."""
    if options.profile is not None:
        before.profile = row.profile = options.profile
    words = before.words(options.program)
    record = book.entry(entry.path)
    again = journal.Entry(list(entry.path), entry.name, entry.client, before.server, before.profile)
    document = _rewritten(document, entry, words, again)
    if record is not None:
        first = {tuple(edit.path): edit for edit in record.edits}
        for edit in again.edits:
            known = first.get(tuple(edit.path))
            if known is not None and known.after == edit.before:
                known.after = edit.after
        record.profile = before.profile
    _check(plan, document, entry, words)
    return document


def _rewritten(
    document: Document, entry: Entry, words: list[str], record: journal.Entry, moves: _Moves | None = None
) -> Document:
    """Let an entry start `words`, and note the texts before and after each change."""
    changes = dialects.dialect(entry.client).rewrite(entry, words)
    after = document.edited(changes)
    for change in changes:
        text = document.raw(change.path)
        edit = journal.Edit(list(change.path), after.raw(change.path) or "", text)
        if moves is not None and text is not None and moves.is_in(text):
            edit.before, edit.secret, edit.verbatim = None, moves.keep_text(text), True
        record.edits.append(edit)
    return after


class _Moves:
    """The literal secrets of one entry, on their way to where secrets are kept."""

    def __init__(self, server: str, is_literal: Callable[[str], bool]) -> None:
        self.secrets: list[_Kept] = []
        self._server = server
        self._is_literal = is_literal
        self._given: dict[str, str] = {}

    def out_of(self, entry: Entry, new: wrapped.Wrapped, document: Document, record: journal.Entry) -> Document:
        """Put references in the place of secrets: of variables in the document, of arguments in the new command line."""
        self._given = dict(entry.env)
        seen = set()
        for found in plaintext.secrets_in(entry):
            where = found.path[-1]
            if found.path in seen or found.kind not in ("argument", "env"):
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
                self._given[where] = reference
                document = self._variable(entry, where, value, reference, document, record)
        return document

    def _variable(
        self, entry: Entry, name: str, value: str, reference: str, document: Document, record: journal.Entry
    ) -> Document:
        path = (*(entry.fields.env_path or ()), name)
        text = document.raw(path) or ""
        after = document.edited([Change(path, value=reference)])
        edit = journal.Edit(list(path), after.raw(path) or "", None, secrets.reference(reference) or "")
        if after.edited([Change(path, value=value)]).raw(path) != text:
            edit.secret, edit.verbatim = self.keep_text(text), True  # written in another way than we would
        record.edits.append(edit)
        return after

    def is_in(self, text: str) -> bool:
        """Tell whether a text of the file holds one of them."""
        return any(kept.value in text or strict_json.encode(kept.value)[1:-1] in text for kept in self.secrets)

    def keep_text(self, text: str) -> str:
        """Keep a text of the file as it is, since a secret is in it. Return the name that it is kept under."""
        return self._keep("text", text)

    def bind(self, entry: Entry, new: wrapped.Wrapped) -> None:
        """Say which launch may have them: this server's, with this command and these variables."""
        try:
            bound = references.binding(
                new.server,
                new.command,
                profile=new.profile,
                given=self._given,
                cwd=entry.cwd or entry.project or None,
                own=os.environ,
                passed=load.load(new.profile).sandbox["environment"],
                is_literal=self._is_literal,
            )
        except references.BindingError as error:
            raise _Problem(f"{error}; or leave its secrets where they are with --keep-secrets") from None
        for kept in self.secrets:
            kept.bound = bound

    def _keep(self, key: str, value: str) -> str:
        """Return the name that a value is to be kept under: one that nothing has, so that no entry gets another's."""
        wanted = name = naming.secret_name(self._server, key)
        count = 1
        while any(kept.name == name and kept.value != value for kept in self.secrets) or secrets.find(name) is not None:
            count += 1
            name = f"{wanted}-{count}"
        if all(kept.name != name for kept in self.secrets):
            self.secrets.append(_Kept(name, value, {}))
        return name


def _label(entry: Entry, index: int) -> str:
    """Return what an argument is called, by its option, or the one before it."""
    option, equals, _ = entry.argv[index].partition("=")
    before = entry.argv[index - 1] if index else ""
    return (option if equals else before if before.startswith("-") else "").lstrip("-") or f"argument{index}"


def _check(plan: Plan, document: Document, entry: Entry, words: list[str]) -> None:
    """Read the result as the client will: the entry must start what it should, and every other entry must be there still."""
    after = {one.path: one for one in find.entries_of(plan.listing.found, document.value)}
    if entry.path not in after or after[entry.path].argv != words:
        raise _Problem("its shape is not understood well enough to change it safely")
    if any(other.path not in after for other in plan.listing.entries):
        raise _Problem("changing it would change another entry")


def _carry_out(plan: Plan) -> None:
    if plan.after is None or plan.journal is None or plan.listing.snapshot is None:
        raise AssertionError("a plan without an end")
    with contextlib.ExitStack() as undo:
        for kept in plan.secrets:
            secrets.put(kept.name, kept.value, bound=kept.bound)
            undo.callback(secrets.forget, kept.name)
        for name, servers in plan.granted.items():
            if name:
                undo.callback(registration.grant(name, servers))
        before = journal.of(plan.listing.found.path)
        plan.journal.write()
        undo.callback(before.write)
        files.replace(plan.listing.snapshot, plan.after.data(), backup=plan.without_secrets())
        undo.pop_all()
