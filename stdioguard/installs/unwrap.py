"""Take stdioguard out of the servers of one configuration file.

An entry whose texts are as `wrap` left them gets back what was there, to the byte. Where a client or a person has changed it since, only
what is stdioguard's own is taken out: the entry starts what follows `--`, and what names a secret of this entry holds its value again.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from stdioguard.identity import secrets
from stdioguard.installs import dialects, files, find, journal, masking, registration, wrapped
from stdioguard.installs.entries import Entry, Fields
from stdioguard.installs.formats.document import REMOVE, Change, FormatError
from stdioguard.installs.plan import ATTEMPTS, FAILED, LEFT, Row

if TYPE_CHECKING:
    from collections.abc import Callable

    from stdioguard.installs.formats.document import Document
    from stdioguard.installs.journal import Entry as Wrapping
    from stdioguard.installs.journal import Journal

UNWRAPPED, RESTORED, GONE = "unwrapped", "restored", "forgotten"


@dataclass
class Plan:
    """What is to be done to one file."""

    listing: find.Listing
    rows: list[Row]
    after: Document | None = None
    journal: Journal | None = None
    ended: list[Wrapping] = field(default_factory=list)
    """Entries that are wrapped no more."""

    def masked(self) -> tuple[str, str]:
        """Return the texts before and after, with no secret in either, for people to compare."""
        before = self.listing.document
        if before is None:
            return "", ""
        hidden = masking.texts(self.listing.found, [before, self.after or before])
        return hidden[0], hidden[1]


def unwrap(
    found: find.Found, wanted: Callable[[Entry], bool], *, keep_secrets: bool = False, named: bool = False, dry: bool = False
) -> Plan:
    """Unwrap the entries of a file that are `wanted`. With `keep_secrets` references stay where secrets were; with `dry` nothing is done.

    Secrets of an entry that is not in the file any more are removed only where it is `named`. Raises `files.FileProblem`,
    `JournalError`, `ClientError` and `SecretError`; the file is as it was then.
    """
    if dry:
        return _plan(find.read_entries(found), wanted, keep_secrets=keep_secrets, named=named)
    for _ in range(ATTEMPTS):
        with journal.alone():
            plan = _plan(find.read_entries(found), wanted, keep_secrets=keep_secrets, named=named)
            try:
                if plan.after is not None and plan.listing.snapshot is not None and plan.listing.document is not None:
                    backup = masking.data(plan.listing.found, plan.listing.document)
                    files.replace(plan.listing.snapshot, plan.after.data(), backup=backup)
            except files.Changed:
                continue
            _clean_up(plan, keep_secrets=keep_secrets)
            return plan
    raise files.FileProblem(found.path, "another program writes to it again and again", "close the client, then try again")


def _plan(listing: find.Listing, wanted: Callable[[Entry], bool], *, keep_secrets: bool, named: bool) -> Plan:
    plan = Plan(listing, [], journal=journal.of(listing.found.path))
    document, book = listing.document, plan.journal
    if document is None or book is None:
        return plan
    records = book.match(listing.entries)
    for entry in listing.entries:
        record = records.get(entry.path)
        said = wrapped.read(entry.argv)
        if not wanted(entry) or (said is None and record is None):
            continue
        row = Row(entry.client, entry.file, entry.level, entry.name, UNWRAPPED)
        plan.rows.append(row)
        if said is not None:
            row.server, row.profile = said.server, said.profile
        try:
            document = _unwrapped(document, row, entry, said, record, keep_secrets=keep_secrets)
        except (FormatError, ValueError) as problem:
            row.outcome, row.notes = FAILED, [str(problem)]
            continue
        except secrets.SecretError as problem:
            row.outcome, row.notes = FAILED, [f"{problem}; with --keep-secrets the references stay"]
            continue
        if record is not None:
            plan.ended.append(record)
    for record in book.entries:
        if all(record is not other for other in records.values()):
            _dropped(plan, record, wanted, named=named)
    if document is not listing.document:
        plan.after = document
    return plan


def _dropped(plan: Plan, record: Wrapping, wanted: Callable[[Entry], bool], *, named: bool) -> None:
    """Forget an entry that is not in the file any more, but not its secrets, unless it is named: nothing else has them."""
    found = plan.listing.found
    if not wanted(Entry(record.client, found.path, found.level, record.name, tuple(record.path), "stdio", Fields(()))):
        return
    row = Row(record.client, found.path, found.level, record.name, GONE, record.server, record.profile)
    plan.rows.append(row)
    if record.secrets and not named:
        row.outcome = LEFT
        row.notes = [f"it is not in the file any more; its {len(record.secrets)} secrets are kept until --server NAME names it"]
    else:
        row.notes = [
            "it is not in the file any more" + (f"; its {len(record.secrets)} secrets are removed" if record.secrets else "")
        ]
        plan.ended.append(record)


def _unwrapped(
    document: Document, row: Row, entry: Entry, said: wrapped.Wrapped | None, record: Wrapping | None, *, keep_secrets: bool
) -> Document:
    edits = record.edits if record is not None else []
    is_as_left = bool(edits) and all(edit.is_in(document.raw(tuple(edit.path))) for edit in edits)
    if said is not None and is_as_left and not (keep_secrets and any(edit.secret for edit in edits)):
        for edit in reversed(edits):
            document = document.edited([_back(edit)])
        row.outcome = RESTORED
        return document
    before = document
    own = list(said.command if said is not None else entry.argv)
    if not keep_secrets:
        theirs = _Theirs(row, said, record)
        own = [theirs.word(word) for word in own]
        for name, value in entry.env.items():
            if entry.fields.env_path is not None and theirs.is_theirs(value):
                document = document.edited([Change((*entry.fields.env_path, name), value=_value(value))])
    if own != entry.argv:
        document = document.edited(dialects.dialect(entry.client).rewrite(entry, own))
    if document is before:
        row.outcome = GONE
        row.notes.append("it starts its server without stdioguard already")
    return document


def _back(edit: journal.Edit) -> Change:
    """Return the change that undoes an edit. Raises `SecretError`."""
    path = tuple(edit.path)
    if edit.secret:
        value = secrets.get(edit.secret)
        return Change(path, raw=value) if edit.verbatim else Change(path, value=value)
    return Change(path, raw=edit.before) if edit.before is not None else Change(path, REMOVE)


class _Theirs:
    """Which secrets have come out of one entry, and so may return to it.

    A file is not to get what came out of another, whatever it refers to: it may be a stranger's, and be shown to others.
    """

    def __init__(self, row: Row, said: wrapped.Wrapped | None, record: Wrapping | None) -> None:
        self._row = row
        self._server = said.server if said is not None else ""
        self._names = set(record.secrets) if record is not None else set()
        self._others = {name for book in journal.everything() for entry in book.entries for name in entry.secrets} - self._names

    def is_theirs(self, text: str) -> bool:
        """Tell whether a text is a reference to one."""
        name = secrets.reference(text)
        if name is None or name in self._names:
            return name is not None
        # Without a journal, what the secret is bound to says whose it is.
        kept = secrets.find(name)
        if kept is not None and kept.bound and name not in self._others and kept.bound.get("server") == self._server:
            return True
        self._row.notes.append(f"{secrets.PREFIX}{name} stays: it did not come out of this entry")
        return False

    def word(self, word: str) -> str:
        """Return a word of a command line with the secret in the place of its reference."""
        option, equals, value = word.partition("=")
        if self.is_theirs(word):
            return _value(word)
        return f"{option}={_value(value)}" if equals and self.is_theirs(value) else word


def _value(text: str) -> str:
    return secrets.get(text.removeprefix(secrets.PREFIX))


def _clean_up(plan: Plan, *, keep_secrets: bool) -> None:
    """Forget what was kept for entries that are wrapped no more; what another entry uses stays, and what the file still refers to."""
    if plan.journal is None or not plan.ended:
        return
    for record in plan.ended:
        plan.journal.forget(record)
    books = [book for book in journal.everything() if book.file != plan.journal.file]
    others = [entry for book in (*books, plan.journal) for entry in book.entries]
    document = plan.after or plan.listing.document
    text = document.text if document is not None else ""
    for record in plan.ended:
        if record.registered and all((other.registered, other.server) != (record.registered, record.server) for other in others):
            registration.withdraw(record.registered, [record.server])
        for name in record.secrets:
            is_in_use = f"{secrets.PREFIX}{name}" in text or any(name in other.secrets for other in others)
            if not keep_secrets and not is_in_use:
                with contextlib.suppress(secrets.SecretError):
                    secrets.forget(name)
    plan.journal.write()  # last: what a crash leaves behind is still known to it
