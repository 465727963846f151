"""What is guarded on this machine and what is not: every entry of every client, and what has changed since it was wrapped."""

from __future__ import annotations

import calendar
import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from stdioguard.approval import proof
from stdioguard.identity import clients, secrets
from stdioguard.installs import commands, find, journal, shim, wrapped
from stdioguard.policy import load, places
from stdioguard.policy.errors import ProfileError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stdioguard.installs.entries import Entry
    from stdioguard.installs.formats.document import Document

GUARDED, UNGUARDED, REMOTE, BROKEN, DROPPED = "guarded", "unguarded", "remote", "broken", "dropped"


@dataclass
class Row:
    """One entry as it is now."""

    client: str
    file: str
    level: str
    name: str
    state: str
    server: str = ""
    profile: str = ""
    started: str = ""
    """What it starts: `npm:PACKAGE`, `pypi:PACKAGE`, or a command."""
    disabled: bool = False
    last_session: float | None = None
    """When its last session began, in seconds since the epoch; `None` where no record is left of one."""
    findings: list[str] = field(default_factory=list)
    """What a person should look at, each in one line."""


def of(found: Iterable[find.Found]) -> list[Row]:
    """Return what is there, in the order of the files."""
    rows: list[Row] = []
    sessions = _last_sessions()
    for place in found:
        listing = find.read_entries(place)
        if listing.problem:
            rows.append(Row(place.client, place.path, place.level, "", BROKEN, findings=[listing.problem]))
            continue
        try:
            book = journal.of(place.path)
        except journal.JournalError as error:
            book = journal.Journal(place.path)
            rows.append(Row(place.client, place.path, place.level, "", BROKEN, findings=[str(error)]))
        records = book.match(listing.entries)
        rows += [_row(entry, listing.document, records.get(entry.path), sessions) for entry in listing.entries]
        rows += [_dropped(place, record) for record in book.entries if all(record is not one for one in records.values())]
    return rows


def _dropped(place: find.Found, record: journal.Entry) -> Row:
    why = "it was wrapped and is not in the file any more: stdioguard unwrap forgets it"
    return Row(record.client, place.path, place.level, record.name, DROPPED, record.server, record.profile, findings=[why])


def _row(entry: Entry, document: Document | None, record: journal.Entry | None, sessions: dict[str, float]) -> Row:
    row = Row(entry.client, entry.file, entry.level, entry.name, UNGUARDED, disabled=entry.disabled)
    if entry.problem:
        row.state, row.findings = BROKEN, [entry.problem]
        return row
    if entry.kind == "remote":
        row.state = REMOTE
        return row
    said = wrapped.read(entry.argv)
    row.started = commands.recognise(said.command if said is not None else entry.argv).identity
    if said is None:
        if record is not None:
            row.findings.append("it was wrapped, and its client has written it anew: run stdioguard wrap again")
        return row
    row.state, row.server, row.profile = GUARDED, said.server, said.profile
    row.last_session = sessions.get(_safe(said.server))
    row.findings = _weak(entry, said)
    if record is None:
        row.findings.append("stdioguard wrap has no journal of it: unwrap goes by what follows --")
    elif document is not None and any(not edit.is_in(document.raw(tuple(edit.path))) for edit in record.edits):
        row.findings.append("it was changed since it was wrapped")
    return row


def _weak(entry: Entry, said: wrapped.Wrapped) -> list[str]:
    """Return what makes a guarded entry weaker than it looks, or keeps it from starting."""
    found = []
    program = entry.argv[0]
    if not os.access(program, os.X_OK):
        found.append(f"its program {program} is not there: run stdioguard wrap again")
    elif program == shim.path() and not shim.is_right(program):
        found.append(
            "its program starts another installation of stdioguard than this one: run stdioguard wrap again to change that"
        )
    try:
        policy = load.load(said.profile)
    except ProfileError as error:
        found.append(f"its profile cannot be used: {error}")
    else:
        if policy.name == "default":
            found.append("it has the default profile: no files, no network, every call is asked about")
        missing = proof.missing_for(policy)
        if missing is not None:
            found.append(missing)
    waived = [word for word in said.others if word.startswith("--allow-degraded")]
    if waived:
        found.append("it goes on without a guarantee (--allow-degraded)")
    if said.client:
        found += _not_let_in(said)
    found += [
        f"secret:{name} is not there any more: put the value itself in its place, then run stdioguard wrap again"
        for name in _references(entry)
        if secrets.find(name) is None
    ]
    return found


def _not_let_in(said: wrapped.Wrapped) -> list[str]:
    """Return why the client of an entry would not be let in; empty where it would be."""
    if not os.path.exists(said.token_file):
        return [f"its token file {said.token_file} is gone: run stdioguard wrap again"]
    try:
        there = clients.find(said.client)
        client = clients.read(there) if there is not None else None
    except clients.ClientError as error:
        return [str(error)]
    state = client.state(time.time()) if client is not None else "not registered"
    if client is None or state != "active":
        return [f"client {said.client} is {state}: run stdioguard wrap again"]
    if client.servers and said.server not in client.servers:
        return [f"client {said.client} may not use it: run stdioguard wrap again"]
    return []


def _references(entry: Entry) -> list[str]:
    texts = [*entry.env.values(), *entry.argv, *(word.partition("=")[2] for word in entry.argv)]
    return [name for name in map(secrets.reference, texts) if name is not None]


def _safe(server: str) -> str:
    """Return a server's name as it is in the names of records (`ledger.record`)."""
    return "".join(char if (char.isalnum() and char.isascii()) or char in "-_." else "_" for char in server)[:64]


def _last_sessions() -> dict[str, float]:
    """Return when the last session of each server began, by the names of the records."""
    last: dict[str, float] = {}
    try:
        names = os.listdir(os.path.join(places.directory("state"), "records"))
    except OSError:
        return last
    for name in names:
        stamp, _, rest = name.removesuffix(".jsonl").partition("-")
        server = "-".join(rest.split("-")[:-2])
        try:
            began = calendar.timegm(time.strptime(stamp, "%Y%m%dT%H%M%SZ"))
        except ValueError:
            continue
        last[server] = max(last.get(server, 0), began)
    return last
