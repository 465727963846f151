"""Findings for a person at a terminal: the worst first in each file, each with what to do."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from stdioguard.audit.interface import Level

if TYPE_CHECKING:
    from stdioguard.audit.reporters.interface import Located, Shown

_COLOURS = {Level.HIGH: "31;1", Level.MEDIUM: "33;1", Level.LOW: "36", Level.INFO: "2"}


def report(shown: Shown) -> str:
    """Return one block a file and a last line that counts."""
    lines: list[str] = []
    for file, group in itertools.groupby(shown.located, key=lambda located: located.finding.file):
        lines.append(_painted(shown, plain(file) or "this machine", "1"))
        for located in group:
            lines += _one(shown, located)
        lines.append("")
    lines += [f"not read: {plain(problem)}" for problem in shown.report.problems]
    lines.append(_count(shown))
    return "\n".join(lines)


def _one(shown: Shown, located: Located) -> list[str]:
    finding, rule = located.finding, located.rule
    at = f"{located.line}:{located.column}" if located.line else "-"
    severity = _painted(shown, f"{finding.severity!s:<6}", _COLOURS[finding.severity])
    doubt = "" if finding.confidence == Level.HIGH else f" (confidence {finding.confidence})"
    name = f"{plain(finding.entry)}: " if finding.entry else ""
    found = [f"  {at:<7} {severity} {name}{plain(finding.message)}{doubt} [{finding.rule}]"]
    advice = finding.advice or (rule.advice if rule is not None else "")
    if advice:
        found.append(f"                 {plain(advice)}{' (--fix does it)' if finding.fix is not None else ''}")
    return found


def _count(shown: Shown) -> str:
    counts = [(level, sum(located.finding.severity == level for located in shown.located)) for level in reversed(Level)]
    said = ", ".join(f"{count} {level}" for level, count in counts if count) or "nothing found"
    entries = sum(len(config.entries) for config in shown.report.configs)
    hidden = f"; {shown.hidden} not shown" if shown.hidden else ""
    return f"{said} in {entries} servers of {len(shown.report.configs)} files{hidden}"


def plain(text: str) -> str:
    """Return a text as one line that a terminal takes for nothing else."""
    return "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in text)


def _painted(shown: Shown, text: str, colour: str) -> str:
    return f"\x1b[{colour}m{text}\x1b[0m" if shown.is_terminal else text
