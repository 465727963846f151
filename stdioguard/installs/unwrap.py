"""Take stdioguard out of the servers of one configuration file.

An entry whose texts are as `wrap` left them gets back what was there, to the byte. Where a client or a person has changed it since, only
what is stdioguard's own is taken out: the entry starts what follows `--`, and variables that name a secret hold its value again.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from stdioguard.identity import secrets
from stdioguard.installs import dialects, files, find, journal, registration, wrapped
from stdioguard.installs.formats.document import REMOVE, Change, Document, FormatError
from stdioguard.installs.wrap import ATTEMPTS, FAILED, Row

if TYPE_CHECKING:
    from collections.abc import Callable

    from stdioguard.installs.entries import Entry
    from stdioguard.installs.journal import Entry as Wrapping
    from stdioguard.installs.journal import Journal

UNWRAPPED, RESTORED, GONE = "unwrapped", "restored", "gone"


@dataclass
class Plan:
    """What is to be done to one file."""

    listing: find.Listing
    rows: list[Row]
    after: Document | None = None
    journal: Journal | None = None
    ended: list[Wrapping] = field(default_factory=list)
    """Entries that are wrapped no more."""


def unwrap(found: find.Found, wanted: Callable[[Entry], bool], *, keep_secrets: bool = False, dry: bool = False) -> Plan:
    """Unwrap the entries of a file that are `wanted`. With `keep_secrets` references stay where secrets were; with `dry` nothing is done.

    Raises `files.FileProblem`, `JournalError` and `ClientError`; the file is as it was then.
    """
    for _ in range(ATTEMPTS):
        plan = _plan(find.read_entries(found), wanted, keep_secrets=keep_secrets)
        if dry:
            return plan
        try:
            if plan.after is not None and plan.listing.snapshot is not None:
                files.replace(plan.listing.snapshot, plan.after.data())
        except files.Changed:
            continue
        _clean_up(plan, keep_secrets=keep_secrets)
        return plan
    raise files.FileProblem(found.path, "another program writes to it again and again", "close the client, then try again")


def _plan(listing: find.Listing, wanted: Callable[[Entry], bool], *, keep_secrets: bool) -> Plan:
    plan = Plan(listing, [], journal=journal.of(listing.found.path))
    document = listing.document
    if document is None or plan.journal is None:
        return plan
    for entry in listing.entries:
        record = plan.journal.entry(entry.path)
        said = wrapped.read(entry.argv)
        if not wanted(entry) or (said is None and record is None):
            continue
        row = Row(entry.client, entry.file, entry.level, entry.name, UNWRAPPED)
        plan.rows.append(row)
        if said is not None:
            row.server, row.profile = said.server, said.profile
            try:
                document, row.outcome = _unwrapped(document, entry, said, record, keep_secrets=keep_secrets)
            except FormatError as problem:
                row.outcome, row.why = FAILED, str(problem)
                continue
            except secrets.SecretError as problem:
                row.outcome, row.why = FAILED, f"{problem}; with --keep-secrets the references stay"
                continue
        else:
            row.outcome, row.why = GONE, "it starts its server without stdioguard already"
        if record is not None:
            plan.ended.append(record)
    if document is not listing.document:
        plan.after = document
    return plan


def _unwrapped(
    document: Document, entry: Entry, said: wrapped.Wrapped, record: Wrapping | None, *, keep_secrets: bool
) -> tuple[Document, str]:
    edits = record.edits if record is not None else []
    is_as_left = bool(edits) and all(document.raw(tuple(edit.path)) == edit.after for edit in edits)
    if is_as_left and not (keep_secrets and any(edit.secret for edit in edits)):
        for edit in reversed(edits):
            document = document.edited([_back(edit)])
        return document, RESTORED
    own = list(said.command)
    if not keep_secrets:
        own = [_word(word) for word in own]
        for name, value in entry.env.items():
            if entry.fields.env_path is not None and _is_ours(value):
                document = document.edited([Change((*entry.fields.env_path, name), value=_value(value))])
    return document.edited(dialects.dialect(entry.client).rewrite(entry, own)), UNWRAPPED


def _back(edit: journal.Edit) -> Change:
    """Return the change that undoes an edit. Raises `SecretError`."""
    path = tuple(edit.path)
    if edit.secret:
        value = secrets.get(edit.secret)
        return Change(path, raw=value) if edit.verbatim else Change(path, value=value)
    return Change(path, raw=edit.before) if edit.before is not None else Change(path, REMOVE)


def _is_ours(text: str) -> bool:
    """Tell whether a text is a reference to a secret that was moved out of a file."""
    name = secrets.reference(text)
    return name is not None and secrets.find(name) is not None and secrets.bound_to(name) is not None


def _value(text: str) -> str:
    return secrets.get(text.removeprefix(secrets.PREFIX))


def _word(word: str) -> str:
    """Return a word of a command line with the secret in the place of its reference."""
    option, equals, value = word.partition("=")
    if _is_ours(word):
        return _value(word)
    return f"{option}={_value(value)}" if equals and _is_ours(value) else word


def _clean_up(plan: Plan, *, keep_secrets: bool) -> None:
    """Forget what was kept for entries that are wrapped no more; what another entry uses stays."""
    if plan.journal is None or not plan.ended:
        return
    for record in plan.ended:
        plan.journal.forget(record)
    plan.journal.write()
    others = [entry for book in journal.everything() for entry in book.entries]
    for record in plan.ended:
        if record.registered and all((other.registered, other.server) != (record.registered, record.server) for other in others):
            registration.withdraw(record.registered, [record.server])
        for name in record.secrets:
            if not keep_secrets and all(name not in other.secrets for other in others):
                with contextlib.suppress(secrets.SecretError):
                    secrets.forget(name)
