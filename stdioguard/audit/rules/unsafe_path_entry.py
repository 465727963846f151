"""A program without a path is looked for in the folders of PATH, one after the other: the first that has it wins."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from stdioguard.audit import starts
from stdioguard.audit.interface import Level, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.audit.interface import ConfigView, EntryView, Finding


def check(config: ConfigView) -> Iterator[Finding]:
    """Yield a finding for each folder of a PATH that is looked in before the one that has the program, if others can put one there."""
    told: set[str] = set()
    for view in config.entries:
        if view.entry.kind == "stdio" and view.argv:
            yield from _one(view, told)


def _one(view: EntryView, told: set[str]) -> Iterator[Finding]:
    own = view.entry.env.get("PATH")
    if own:
        for folder in own.split(";" if ";" in own else ":"):
            if folder in ("", ".") or folder.startswith(("./", "../")):
                message = f"its PATH has the relative folder {folder or '(empty)'}, so it starts what lies wherever the client is"
                yield view.finding(RULE, message, view.variable("PATH"), severity=Level.MEDIUM)
                break
    word = view.argv[0]
    if not view.machine.is_here or "/" in word or starts.is_open(word):
        return
    path = starts.search_path(view) or view.machine.environment.get("PATH", os.defpath)
    found = view.machine.program(word, path)
    user = view.machine.uid if view.config.user is None else view.config.user
    for folder in path.split(os.pathsep):
        if found and folder == os.path.dirname(found):
            return
        if folder in told or not folder.startswith("/"):
            continue
        problems = view.machine.hazards(folder, user)
        # Of a sticky folder others cannot take names away, but every name that is free is theirs to take.
        if problems and view.machine.status(folder) is not None:
            told.add(folder)
            advice, fix = starts.mend(problems[-1], user)
            message = f"{word} is looked for in {folder} first, and {starts.said(problems[-1], user)}"
            yield view.finding(RULE, message, view.entry.fields.command_path, advice=advice, fix=fix)


RULE = Rule(
    slug="unsafe-path-entry",
    title="A program is looked for in a folder that others can write to",
    severity=Level.HIGH,
    confidence=Level.HIGH,
    subject="config",
    advice="Name the program by its whole path, or take that folder out of PATH.",
    cwe=427,
    owasp="MCP04",
    check=check,
)
