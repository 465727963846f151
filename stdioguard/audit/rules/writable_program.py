"""Whoever can change a program, or put another one in its place, decides what the client starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stdioguard.audit import starts
from stdioguard.audit.interface import Level, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.audit.interface import ConfigView, EntryView, Finding
    from stdioguard.sandbox.ownership import Problem


def check(config: ConfigView) -> Iterator[Finding]:
    """Yield a finding for each place that others can change on the way to what the file's servers start; one place is told once."""
    places: dict[tuple[str, str], tuple[EntryView, starts.StartedFile, Problem, list[str]]] = {}
    user = config.machine.uid if config.user is None else config.user
    for view in config.entries:
        for file in view.files:
            for problem in config.machine.hazards(file.path, user):
                names = places.setdefault((problem[0], problem[1]), (view, file, problem, []))[3]
                if view.entry.name not in names:
                    names.append(view.entry.name)
    for view, file, problem, names in places.values():
        advice, fix = starts.mend(problem, user)
        own = "it" if problem[0] == file.path else f"the way to {file.path}"
        message = f"others can change its {file.what}: {starts.said(problem, user)}"
        if own != "it":
            message += f", on {own}"
        yield view.finding(RULE, message, view.word(file.index), advice=advice, fix=fix, related=tuple(names[1:]))


RULE = Rule(
    slug="writable-program",
    title="Others can change what a client starts",
    severity=Level.HIGH,
    confidence=Level.HIGH,
    subject="config",
    advice="Take the right to write there from everybody else.",
    cwe=732,
    owasp="MCP04",
    check=check,
)
