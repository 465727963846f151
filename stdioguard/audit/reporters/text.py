"""Findings for a person at a terminal: the worst first in each file, each with what to do, and what to do next at the end."""

from __future__ import annotations

import itertools
import textwrap
from typing import TYPE_CHECKING

from stdioguard.audit.interface import Level
from stdioguard.audit.reporters.interface import relative
from stdioguard.guard.display import visible

if TYPE_CHECKING:
    from stdioguard.audit.reporters.interface import Located, Shown

_COLOURS = {Level.HIGH: "31;1", Level.MEDIUM: "33;1", Level.LOW: "36", Level.INFO: "2"}
_INDENT = 17
_LEAST = 40
"""Columns. In a narrower window lines are broken as if it were this wide."""
_MOST = 120


def report(shown: Shown) -> str:
    """Return one block a file, and what it comes to."""
    lines: list[str] = []
    for file, group in itertools.groupby(shown.located, key=lambda located: located.finding.file):
        lines.append(_painted(shown, plain(relative(file, shown.root)) or "this machine", "1"))
        told: set[str] = set()
        for located in group:
            lines += _one(shown, located, told)
        lines.append("")
    lines += [_painted(shown, f"not read: {plain(problem)}", "31") for problem in shown.report.problems]
    lines += [f"note: {plain(note)}" for note in shown.notes]
    lines.append(_count(shown))
    lines += _next(shown)
    return "\n".join(lines)


def _one(shown: Shown, located: Located, told: set[str]) -> list[str]:
    """Return the lines of one finding. The same advice is given once in a file: `told` holds what was."""
    finding = located.finding
    at = f"{located.line}:{located.column}" if located.line else "-"
    severity = f"{finding.severity!s:<6}"
    doubt = "" if finding.confidence == Level.HIGH else f" (confidence {finding.confidence})"
    name = f"{plain(finding.entry)}: " if finding.entry else ""
    head = f"  {at:<7} {severity} "
    found = _wrapped(shown, head, f"{name}{plain(finding.message)}{doubt} [{finding.rule}]")
    found[0] = found[0].replace(severity, _painted(shown, severity, _COLOURS[finding.severity]), 1)
    advice = f"{located.advice}{' (--fix does it)' if finding.fix is not None else ''}"
    if located.advice and advice not in told:
        told.add(advice)
        found += _wrapped(shown, " " * _INDENT, plain(advice), "2")
    for related in finding.related:
        found += _wrapped(shown, " " * _INDENT, f"see also {plain(related)}", "2")
    return found


def _wrapped(shown: Shown, head: str, text: str, colour: str = "") -> list[str]:
    """Return a text behind `head`, broken where the window ends; in a file or a pipe each text is one line."""
    if shown.width:
        width = max(_LEAST, min(shown.width - 1, _MOST)) - _INDENT
        parts = textwrap.wrap(text, width, break_on_hyphens=False, drop_whitespace=True) or [""]
    else:
        parts = [text]
    return [(head if not index else " " * _INDENT) + _painted(shown, part, colour) for index, part in enumerate(parts)]


def _count(shown: Shown) -> str:
    counts = shown.counts()
    said = ", ".join(_painted(shown, f"{count} {level}", _COLOURS[level]) for level, count in counts if count) or "nothing found"
    entries = sum(len(config.entries) for config in shown.report.configs)
    files = shown.files
    left_out = [(shown.ignored, "ignored"), (shown.accepted, "accepted by the baseline"), (shown.hidden, "not shown")]
    rest = "".join(f"; {count} {what}" for count, what in left_out if count)
    return f"{said} in {entries} server{'s' * (entries != 1)} of {files} file{'s' * (files != 1)}{rest}"


def _next(shown: Shown) -> list[str]:
    """Say what to do now: at most three steps, and none that there is no reason for."""
    fixes = sum(located.finding.fix is not None for located in shown.located)
    bare = sum(
        view.entry.editable and not view.entry.disabled and view.guard is None
        for config in shown.report.configs
        for view in config.entries
    )
    steps = []
    if fixes:
        steps.append(("stdioguard audit --fix", f"settles {fixes} of these; it shows each change and asks before it makes any"))
    if bare and shown.is_here:
        steps.append(("stdioguard wrap", f"puts the guard in front of {bare} server{'s' * (bare != 1)}"))
    if not shown.report.configs:
        steps.append(("stdioguard audit PATH", "looks at a file, a project or a home; no client of yours has a file here"))
    elif shown.hidden and not shown.located:
        steps.append(("stdioguard audit --level info", "shows the rest"))
    width = max((len(command) for command, _ in steps), default=0)
    return [
        f"next: {command:<{width}}  {what}" if index == 0 else f"      {command:<{width}}  {what}"
        for index, (command, what) in enumerate(steps)
    ]


def plain(text: str) -> str:
    """Return a text as one line that a terminal takes for nothing else."""
    return visible(text)


def _painted(shown: Shown, text: str, colour: str) -> str:
    return f"\x1b[{colour}m{text}\x1b[0m" if shown.is_terminal and colour else text
