"""What reporters are given: findings with their places in the text, in order, and what was looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stdioguard.audit.engine import Report
    from stdioguard.audit.interface import Finding, Rule


@dataclass(frozen=True, slots=True)
class Located:
    """A finding, its rule, and where it is: lines and columns count from 1, the end is exclusive; 0 where there is no text."""

    finding: Finding
    rule: Rule | None
    line: int = 0
    column: int = 0
    end_line: int = 0
    end_column: int = 0


@dataclass(frozen=True)
class Shown:
    """What is reported."""

    located: list[Located]
    report: Report
    version: str
    began: float
    """Seconds since the epoch."""
    is_terminal: bool = False
    """Whether a person reads it on a terminal: colour, and the width of the window."""
    hidden: int = 0
    """Findings below the level that was asked for, or accepted before."""


def located(report: Report, findings: list[Finding]) -> list[Located]:
    """Return findings with their places. What has no place of its own gets that of the nearest thing above it."""
    from stdioguard.audit.rules import RULES  # noqa: PLC0415 - rules import the interface

    rules = {rule.slug: rule for rule in RULES}
    documents = {config.file: config.listing.document for config in report.configs}
    found = []
    for finding in findings:
        document = documents.get(finding.file)
        rule = rules.get(finding.rule)
        if document is None:
            found.append(Located(finding, rule))
            continue
        path = finding.path
        span = document.key_span(path) if finding.on_key else document.span(path)
        while span is None and path:
            path = path[:-1]
            span = document.key_span(path) or document.span(path)
        if span is None:
            found.append(Located(finding, rule, 1, 1, 1, 1))
            continue
        line, column = document.place(span.start)
        end_line, end_column = document.place(span.end)
        found.append(Located(finding, rule, line, column, end_line, end_column))
    return found
