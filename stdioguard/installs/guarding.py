"""One entry on its way behind the guard: its new command, its secrets, its client, and what has changed since it was wrapped before."""

from __future__ import annotations

import os
import re
import shlex
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from stdioguard.approval import proof
from stdioguard.identity import secrets
from stdioguard.installs import commands, dialects, find, journal, naming, registration, wrapped
from stdioguard.installs.moves import Moves
from stdioguard.installs.plan import ALREADY, RENEWED
from stdioguard.launch import environment, references
from stdioguard.policy import load

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from stdioguard.installs.entries import Entry
    from stdioguard.installs.formats.document import Document
    from stdioguard.installs.journal import Journal
    from stdioguard.installs.plan import Options, Plan, Row


class NotOurs(Exception):  # noqa: N818 - it is the entry's
    """Why there is nothing to wrap, in one line for people."""


class Problem(Exception):  # noqa: N818 - it is the entry's
    """Why an entry cannot be wrapped though it should be, in one line for people."""


class Guarding:
    """One entry on its way into a plan."""

    def __init__(self, plan: Plan, row: Row, entry: Entry, book: Journal, record: journal.Entry | None, options: Options) -> None:
        """`record` says what was done to the entry before, if anything was."""
        self._plan = plan
        self._row = row
        self._entry = entry
        self._book = book
        self._record = record
        self._options = options
        self._is_literal = dialects.dialect(entry.client, plan.listing.found.key).literal

    def of(self, document: Document, taken: dict[str, str]) -> Document:
        """Return the document with the entry wrapped, and note in the plan what goes with it."""
        entry = self._entry
        if entry.kind == "remote":
            raise NotOurs("a remote server: there is no process here to guard")
        if entry.problem or not entry.argv:
            raise NotOurs(entry.problem or "it names no command")
        if entry.level == "managed":
            raise NotOurs("an administrator's file, for everybody on this machine")
        if not entry.editable:
            raise NotOurs(entry.fixed)
        before = wrapped.read(entry.argv)
        return self._new(document, taken) if before is None else self._again(document, before)

    def _new(self, document: Document, taken: dict[str, str]) -> Document:
        plan, row, entry, options = self._plan, self._row, self._entry, self._options
        started = commands.recognise(entry.argv)
        name = naming.server_name(entry.name, started.identity, taken)
        profile = options.profile or commands.profile_for(started) or "default"
        new = wrapped.Wrapped(list(entry.argv), server=name, profile=profile, environment=self._passed())
        if options.register:
            new.client = registration.name_for(naming.client_name(entry.client))
            new.token_file = registration.token_file(new.client)
        record = self._fresh(new, started.identity)
        document, moves = self._moved(document, entry, new, record)
        words = new.words(options.program)
        document = _rewritten(document, entry, words, record, moves)
        own = self._own(entry.env.values(), entry.argv)
        if own:
            self._bind_again(own, self._binding(new, moves.given))
            record.edits = []  # what was there before held references too: `unwrap` goes by what is in the entry
        _check(plan, document, entry, words)
        self._book.entries = [*(other for other in self._book.entries if other is not self._record), record]
        # Those that this entry had before are kept with it: what its client has dropped from the file is not lost by that.
        record.secrets = list(self._record.secrets) if self._record is not None else []
        self._take(moves, record)
        taken[name] = started.identity
        plan.granted.setdefault(new.client, {})[name] = profile
        row.server, row.profile = name, profile
        if profile == "default":
            row.notes.append(f"no profile is for {started.identity}")
        missing = proof.missing_for(load.load(profile))
        if missing is not None:
            row.notes.append(missing)
        return document

    def _again(self, document: Document, said: wrapped.Wrapped) -> Document:
        """Bring an entry that is wrapped already up to date: what it needs may have moved or gone, or the choice be another."""
        row, entry, options, record = self._row, self._entry, self._options, self._record
        row.outcome, row.server, row.profile = ALREADY, said.server, said.profile
        if not said.server:
            row.notes.append("wrapped by hand: it stays as it is")
            return document
        if options.profile is not None:
            said.profile = row.profile = options.profile
        load.load(said.profile)
        said.environment += [name for name in self._passed() if name not in said.environment]
        inside = replace(entry, argv=said.command)
        own = self._own(entry.env.values(), said.command)
        again = self._fresh(said, commands.recognise(said.command).identity)
        before = document
        document, moves = self._moved(document, inside, said, again)
        if own:
            self._bind_again(own, self._binding(said, moves.given))
        if said.client and (record is None or record.registered == said.client):
            if record is not None:
                said.token_file = registration.token_file(said.client)
            is_ours = said.token_file == registration.token_file(said.client)
            if is_ours and not registration.is_granted(said.client, said.server):
                self._plan.granted.setdefault(said.client, {})[said.server] = said.profile
                row.outcome = RENEWED
                row.notes.append(f"client {said.client} is registered again")
        words = said.words(options.program)
        if words != entry.argv:
            document = _rewritten(document, entry, words, again)
        if document is before:
            return document
        row.outcome = RENEWED
        _check(self._plan, document, entry, words)
        if record is None and moves.secrets:
            again.edits = []  # nothing says what was there before
            self._book.entries.append(again)
            record = again
        elif record is not None:
            _go_on(record, again)
        if record is not None:
            self._take(moves, record)
        return document

    def _passed(self) -> list[str]:
        """Return the entry's variables that `run` lets through; the others would have other code loaded."""
        names = sorted(self._entry.env)
        kept = [name for name in names if environment.can_be_passed(name)]
        if len(kept) < len(names):
            left = ", ".join(name for name in names if name not in kept)
            self._row.notes.append(f"not passed on, since it decides which code is loaded: {left}")
        return kept

    def _fresh(self, new: wrapped.Wrapped, started: str) -> journal.Entry:
        """Return a record of the entry, in which nothing is done yet."""
        entry = self._entry
        where, now = list(entry.path), time.time()
        return journal.Entry(where, entry.name, entry.client, new.server, new.profile, new.client, started, created=now)

    def _moved(self, document: Document, entry: Entry, new: wrapped.Wrapped, record: journal.Entry) -> tuple[Document, Moves]:
        """Move the entry's secrets out of it, where they can be bound to what it starts. Better guarded with them than not at all."""
        taken = [kept.name for kept in self._plan.secrets]
        moves = Moves(new.server, self._is_literal, taken)
        if self._options.keep_secrets:
            return document, moves.stay(entry)
        command = list(new.command)
        after = moves.out_of(entry, new, document, record)
        if not moves.secrets:
            return document, moves
        try:
            moves.bind(self._binding(new, moves.given))
        except Problem as problem:
            self._row.notes.append(f"its secrets stay in the file: {problem}")
            new.command, record.edits = command, []
            return document, Moves(new.server, self._is_literal, taken).stay(entry)
        return after, moves

    def _take(self, moves: Moves, record: journal.Entry) -> None:
        record.secrets += [kept.name for kept in moves.secrets if kept.name not in record.secrets]
        self._plan.secrets += moves.secrets
        self._row.secrets = [kept.name for kept in moves.secrets if not kept.is_text]

    def _own(self, values: Iterable[str], words: list[str]) -> list[str]:
        """Return the secrets that `wrap` has moved out of this entry and that it refers to. Raises `Problem` if one is gone."""
        texts = [*values, *words, *(word.partition("=")[2] for word in words)]
        names = [name for name in map(secrets.reference, texts) if name is not None]
        for name in names:
            if secrets.find(name) is None:
                raise Problem(f"{secrets.PREFIX}{name} is not there any more: put the value itself in its place, then wrap again")
        return [name for name in names if self._record is not None and name in self._record.secrets]

    def _binding(self, new: wrapped.Wrapped, given: Mapping[str, str]) -> dict[str, Any]:
        """Return which launch may have the entry's secrets: this server's, with this command and these variables."""
        waived = [word.partition("=")[2] for word in new.others if word.startswith("--allow-degraded=")]
        waived += [value for word, value in zip(new.others, new.others[1:], strict=False) if word == "--allow-degraded"]
        try:
            return references.binding(
                new.server,
                new.command,
                profile=new.profile,
                given=given,
                cwd=self._folder(),
                own=os.environ,
                passed=load.load(new.profile).sandbox["environment"],
                waived=waived,
                is_literal=self._is_literal,
            )
        except references.BindingError as error:
            raise Problem(str(error)) from None

    def _folder(self) -> str | None:
        """Return the folder that the client starts the entry in, where that is always the same: its own, or its project's."""
        project = self._entry.project or self._plan.listing.found.project
        cwd = self._entry.cwd or ""
        return os.path.join(project, cwd).rstrip("/") or None if project or cwd else None

    def _bind_again(self, names: Iterable[str], bound: dict[str, Any]) -> None:
        """Let secrets go on to their entry. Who has changed what it starts is not known: a person has to have looked at it then."""
        for name in names:
            before = secrets.bound_to(name)
            if before == bound:
                continue
            if _started(before or {}) != _started(bound):
                if not self._options.trusted:
                    raise Problem(
                        f"what it starts has changed since its secrets were moved, so they are not given to it; look at it, "
                        f"then: stdioguard wrap --server {shlex.quote(self._entry.name)}"
                    )
                note = "what it starts has changed since its secrets were moved: they go to what it starts now"
                self._row.notes += [note] if note not in self._row.notes else []
            self._plan.rebound[name] = bound
            self._row.outcome = RENEWED if self._row.outcome == ALREADY else self._row.outcome


def _started(bound: dict[str, Any]) -> list[Any]:
    """Return the part of a binding that is in the entry itself. The rest is of the machine and of the profile."""
    given = bound.get("required", [])
    variables = [[name, _unnamed(parts)] for name, parts in bound.get("environment", []) if name in given]
    command = [_unnamed(parts) for parts in bound.get("command", [])]
    return [variables, command, *(bound.get(key) for key in ("server", "required", "cwd", "waived"))]


def _unnamed(parts: list[str]) -> list[str]:
    """Return a text without the names of secrets: a key that a person has replaced goes by another name."""
    return [re.sub(rf"(^|=){secrets.PREFIX}\S+$", rf"\1{secrets.PREFIX}", part) for part in parts]


def _rewritten(document: Document, entry: Entry, words: list[str], record: journal.Entry, moves: Moves | None = None) -> Document:
    """Let an entry start `words`, and note the texts before and after each change."""
    changes = dialects.dialect(entry.client).rewrite(entry, words)
    after = document.edited(changes)
    for change in changes:
        text = document.raw(change.path)
        edit = journal.Edit(list(change.path), journal.digest(after.raw(change.path)), text)
        if moves is not None and text is not None and moves.is_in(text, entry):
            edit.before, edit.secret, edit.verbatim = None, moves.keep_text(text), True
        record.edits.append(edit)
    return after


def _go_on(record: journal.Entry, again: journal.Entry) -> None:
    """Add to the record of an entry what was done to it now, so that what was there at first stays known."""
    first = {tuple(edit.path): edit for edit in record.edits}
    for edit in again.edits:
        known = first.get(tuple(edit.path))
        if known is None and edit.secret:
            record.edits.append(edit)  # a variable that was not there, or held no secret
        elif known is not None and edit.secret:
            known.after, known.before, known.secret, known.verbatim = edit.after, None, edit.secret, edit.verbatim
        elif known is not None and known.is_in(edit.before):
            known.after, known.earlier = edit.after, journal.digest(edit.before)
    record.profile = again.profile


def _check(plan: Plan, document: Document, entry: Entry, words: list[str]) -> None:
    """Read the result as the client will: the entry must start what it should, and every other entry must be there still."""
    after = {one.path: one for one in find.entries_of(plan.listing.found, document.value)}
    if entry.path not in after or after[entry.path].argv != words:
        raise Problem("its shape is not understood well enough to change it safely")
    if any(other.path not in after for other in plan.listing.entries):
        raise Problem("changing it would change another entry")
