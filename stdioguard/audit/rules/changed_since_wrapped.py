"""Clients and people rewrite their configurations: what was behind the guard yesterday may start directly today."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stdioguard.audit.interface import Fix, Level, Rule
from stdioguard.installs import journal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.audit.interface import ConfigView, EntryView, Finding
    from stdioguard.installs import wrapped
    from stdioguard.installs.formats.document import Document


def check(config: ConfigView) -> Iterator[Finding]:
    """Yield a finding for each entry that was wrapped and is not any more, and for one that is wrapped otherwise than it was."""
    document = config.listing.document
    if not config.machine.is_here or document is None:
        return
    try:
        book = journal.of(config.file)
    except journal.JournalError as error:
        yield config.finding(RULE, f"what was wrapped here cannot be told: {error}", severity=Level.LOW)
        return
    records = book.match([view.entry for view in config.entries]) if book.entries else {}
    for view in config.entries:
        record = records.get(view.entry.path)
        if record is None or view.entry.kind != "stdio":
            continue
        if view.guard is None:
            fix = Fix("put stdioguard in front of it again", "wrap") if view.entry.editable else None
            yield view.finding(RULE, "it was wrapped, and starts directly now", fix=fix)
        elif not (_is_as_written(document, record) or _is_same(view.guard, record, view)):
            yield view.finding(
                RULE, "it was changed since it was wrapped", severity=Level.LOW, advice="Look at it, then wrap it again."
            )


def _is_as_written(document: Document, record: journal.Entry) -> bool:
    return all(edit.is_in(document.raw(tuple(edit.path))) for edit in record.edits)


def _is_same(said: wrapped.Wrapped, record: journal.Entry, view: EntryView) -> bool:
    """Tell whether an entry still starts what `wrap` has made it start: clients that rewrite their files lay them out anew."""
    same = (said.server, said.profile, said.client) == (record.server, record.profile, record.registered)
    return same and not said.others and record.started in ("", view.started.identity)


RULE = Rule(
    slug="changed-since-wrapped",
    title="An entry was wrapped and is not any more",
    severity=Level.MEDIUM,
    confidence=Level.HIGH,
    subject="config",
    advice="Run stdioguard wrap again.",
    cwe=693,
    owasp="MCP09",
    check=check,
)
