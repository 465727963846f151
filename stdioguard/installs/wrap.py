"""Put stdioguard in front of the servers of one configuration file.

A plan is made from the file as it is read, checked by reading the result back, and only then carried out: secrets are kept, the client
is registered, the journal is written, and last the file is replaced, if it is still the one that was read. What fails takes back what came
before it.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from stdioguard.identity import secrets
from stdioguard.installs import files, find, journal, masking, registration, shim
from stdioguard.installs.formats.document import FormatError
from stdioguard.installs.guarding import Guarding, NotOurs, Problem
from stdioguard.installs.plan import ALREADY, ATTEMPTS, FAILED, LEFT, RENEWED, WRAPPED, Options, Plan, Row
from stdioguard.policy.errors import ProfileError

if TYPE_CHECKING:
    from collections.abc import Callable

    from stdioguard.installs.entries import Entry


def wrap(found: find.Found, wanted: Callable[[Entry], bool], options: Options, *, dry: bool = False) -> Plan:
    """Wrap the entries of a file that are `wanted`, and return what was done. With `dry` nothing is.

    Raises `files.FileProblem`, `JournalError`, `ClientError` and `SecretError`; the file is as it was then.
    """
    if dry:
        return _plan(find.read_entries(found), wanted, options)
    for _ in range(ATTEMPTS):
        with journal.alone():
            plan = _plan(find.read_entries(found), wanted, options)
            if options.program == shim.path() and any(row.outcome in (WRAPPED, RENEWED, ALREADY) for row in plan.rows):
                shim.install()
            if plan.journal is None:
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
        plan.rows = [_left(entry) for entry in listing.entries if wanted(entry)]
        return plan
    book = journal.of(listing.found.path)
    records = book.match(listing.entries)
    taken = {record.server: record.started for other in journal.everything() for record in other.entries}
    for entry in listing.entries:
        if not wanted(entry):
            continue
        row = Row(entry.client, entry.file, entry.level, entry.name, WRAPPED)
        plan.rows.append(row)
        try:
            document = Guarding(plan, row, entry, book, records.get(entry.path), options).of(document, taken)
        except NotOurs as reason:
            row.outcome, row.notes = LEFT, [str(reason)]
        except (Problem, FormatError, ValueError, ProfileError) as problem:
            row.outcome, row.notes = FAILED, [str(problem)]
    if any(row.outcome in (WRAPPED, RENEWED) for row in plan.rows):
        plan.journal = book
        plan.after = document if document is not listing.document else None
    return plan


def _left(entry: Entry) -> Row:
    """Return the row of an entry of a file that is only read."""
    return Row(entry.client, entry.file, entry.level, entry.name, LEFT, notes=[entry.fixed or entry.problem])


def _carry_out(plan: Plan) -> None:
    """Do what was planned, the file last. The journal comes first: what a crash leaves behind is known to it, and `unwrap` removes it."""
    if plan.journal is None or plan.listing.snapshot is None:
        raise AssertionError("a plan without an end")
    with contextlib.ExitStack() as undo:
        before = journal.of(plan.listing.found.path)
        undo.callback(before.write)
        plan.journal.write()
        for kept in plan.secrets:
            secrets.put(kept.name, kept.value, bound=kept.bound)
            undo.callback(secrets.forget, kept.name)
        for name, bound in plan.rebound.items():
            value, was = secrets.get(name), secrets.bound_to(name)
            secrets.put(name, value, bound=bound, replace=True)
            undo.callback(secrets.put, name, value, bound=was, replace=True)
        for name, servers in plan.granted.items():
            if name:
                undo.callback(registration.grant(name, servers))
        if plan.after is not None and plan.listing.document is not None:
            backup = masking.data(plan.listing.found, plan.listing.document)
            files.replace(plan.listing.snapshot, plan.after.data(), backup=backup)
        undo.pop_all()
