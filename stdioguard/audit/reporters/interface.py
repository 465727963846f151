"""What reporters are given: findings with their places in the text, in order, and what was looked at."""

from __future__ import annotations

import bisect
import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from stdioguard.audit import fingerprints
from stdioguard.installs.formats.document import FormatError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stdioguard.audit.engine import Report
    from stdioguard.audit.interface import Finding, Level, Rule
    from stdioguard.installs.formats.document import Document, Span

_NEWLINE = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class Located:
    """A finding, its rule, and where it is: lines and columns count from 1, the end is exclusive; 0 where there is no text."""

    finding: Finding
    rule: Rule | None
    line: int = 0
    column: int = 0
    end_line: int = 0
    end_column: int = 0
    start: int = 0
    """Characters before it, a byte order mark not counted."""
    end: int = 0
    entry_line: int = 0
    """The line on which its server begins."""
    fingerprint: str = ""
    """What stays the same when lines move."""

    @property
    def advice(self) -> str:
        """What to do."""
        return self.finding.advice or (self.rule.advice if self.rule is not None else "")


@dataclass(frozen=True)
class Shown:
    """What is reported."""

    located: list[Located]
    report: Report
    version: str
    began: float
    """Seconds since the epoch."""
    is_terminal: bool = False
    """Whether a person reads it on a terminal: colour."""
    hidden: int = 0
    """Findings below the level that was asked for."""
    accepted: int = 0
    """Findings that a baseline accepts."""
    ignored: int = 0
    """Findings that are ignored, by a comment or an ignore file."""
    notes: Sequence[str] = ()
    """What else there is to know, in one line each."""
    width: int = 0
    """Columns of the window; 0 where lines are not to be wrapped."""
    root: str = field(default_factory=os.getcwd)
    """The folder that paths are shown relative to, where they are below it."""
    is_here: bool = True
    """Whether it is this machine's own clients that were looked at."""

    @property
    def files(self) -> int:
        """How many files were looked at. One may be read as two clients' file."""
        return len({config.file for config in self.report.configs})

    def counts(self) -> list[tuple[Level, int]]:
        """Return how many findings there are of each severity, the worst first."""
        from stdioguard.audit.interface import Level  # noqa: PLC0415 - for types elsewhere

        return [(level, sum(one.finding.severity == level for one in self.located)) for level in reversed(Level)]


def located(report: Report, findings: Sequence[Finding]) -> list[Located]:
    """Return findings with their places. What has no place of its own gets that of the nearest thing above it."""
    rules = known_rules()
    documents: dict[str, Document] = {}
    for config in report.configs:
        if config.listing.document is not None and _has_places(config.listing.document):
            documents[config.file] = config.listing.document
    entries = {(config.file, view.entry.name): view.entry.path for config in report.configs for view in config.entries}
    lines = {}
    found = []
    for finding, mark in zip(findings, fingerprints.numbered(findings), strict=True):
        rule = rules.get(finding.rule)
        document = documents.get(finding.file)
        if document is None:
            found.append(Located(finding, rule, fingerprint=mark))
            continue
        if finding.file not in lines:
            lines[finding.file] = Lines(document.text)
        place = lines[finding.file].place
        start, end = _span(document, finding)
        of_entry = _nearest(document, entries.get((finding.file, finding.entry), ()), on_key=True) if finding.entry else None
        entry_line = place(of_entry.start)[0] if of_entry is not None else 0
        found.append(Located(finding, rule, *place(start), *place(end), start, end, entry_line, mark))
    return found


def known_rules() -> dict[str, Rule]:
    """Return every rule by its slug, those about the audit itself included."""
    from stdioguard.audit import ignores, probed  # noqa: PLC0415 - which are given what is located here
    from stdioguard.audit.rules import RULES  # noqa: PLC0415 - rules import the interface

    return {rule.slug: rule for rule in (*RULES, *probed.SURFACE, *probed.DEFINITIONS, *ignores.RULES)}


class Lines:
    """Lines and columns of a text. A large file may have a finding on every line, so where lines begin is found once."""

    def __init__(self, text: str) -> None:
        self._starts = [0, *(match.end() for match in _NEWLINE.finditer(text))]

    def place(self, offset: int) -> tuple[int, int]:
        """Return line and column, from 1, of a character."""
        line = bisect.bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1


def _has_places(document: Document) -> bool:
    """Tell whether it can be said where things stand in a text; asked once, since a text with too many of them is read to the limit."""
    try:
        document.root()
    except FormatError:
        return False
    return True


def _span(document: Document, finding: Finding) -> tuple[int, int]:
    span = _nearest(document, finding.path, on_key=finding.on_key)
    if span is None:
        return 0, 0
    if finding.span is not None and not finding.on_key and document.span(finding.path) == span:
        text, value = document.text[span.start : span.end], _value(document.value, finding.path)
        # Between quotes the same characters stand, unless some are escaped: then all of it is shown.
        for before in (0, 1):
            if isinstance(value, str) and text[before : len(text) - before] == value:
                return span.start + before + finding.span[0], span.start + before + min(finding.span[1], len(value))
    return span.start, span.end


def _nearest(document: Document, path: Sequence[str | int], *, on_key: bool) -> Span | None:
    way = tuple(path)
    span = (document.key_span(way) or document.span(way)) if on_key else document.span(way)
    while span is None and way:
        way = way[:-1]
        span = document.key_span(way) or document.span(way)
    return span


def _value(value: Any, path: Sequence[str | int]) -> Any:
    for step in path:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def relative(path: str, root: str) -> str:
    """Return a path from `root` on, if it is below it."""
    return os.path.relpath(path, root) if root != os.sep and path.startswith(root.rstrip(os.sep) + os.sep) else path


def said(text: str) -> str:
    """Return a text that can be encoded, whatever bytes are in it: those that are no text, as in the names of files, are spelled out."""
    try:
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # half of a character, which JSON can name
        return text.encode("utf-8", "backslashreplace").decode("utf-8")
