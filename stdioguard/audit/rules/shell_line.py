"""A line for a shell is a program of its own: what it starts depends on files, variables and the folder that it runs in."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from stdioguard.audit import code, words
from stdioguard.audit.interface import Level, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.audit.interface import EntryView, Finding

_SETS_UP = re.compile(
    r"\s*(?:cd|export|source|\.|exec|set|nvm|eval \"\$\((?:fnm|mise|rbenv|pyenv|nodenv|direnv)\b)", re.IGNORECASE
)
_INSTALLS = re.compile(
    r"\b(?:npm (?:i|install|ci)|pnpm (?:i|install)|yarn install|bun install|pip3? install|uv (?:sync|pip install)|git (?:clone|pull))\b"
)


def check(view: EntryView) -> Iterator[Finding]:
    """Yield a finding for a shell's line with several commands. What `download-and-run` and `hidden-code` say is not said again."""
    for line in words.shell_lines(view):
        text = line.text[: code.LONGEST]
        if code.fetches(text) or code.hides(text):
            return
        if _INSTALLS.search(text):
            message = "a shell's line installs packages at each start and runs what it finds then"
            yield view.finding(RULE, message, line.path, severity=Level.LOW)
        elif not _is_simple(text):
            yield view.finding(RULE, "the command is a shell's line with several commands", line.path)


def _is_simple(text: str) -> bool:
    """Tell whether a line is one command, after others that only set things up."""
    joints = re.findall(r"[;&|\n]+", re.sub(r"\d?[<>]&\d?-?|&>", " ", text))
    commands = [part for part in re.split(r"[;&|\n]+", re.sub(r"\d?[<>]&\d?-?|&>", " ", text)) if part.strip()]
    return all(_SETS_UP.match(part) for part in commands[:-1]) and "|" not in joints


RULE = Rule(
    slug="shell-line",
    title="A server is started by a shell's line",
    severity=Level.INFO,
    confidence=Level.HIGH,
    subject="entry",
    advice="Name the program and its arguments, and give cwd and env in the entry.",
    cwe=78,
    owasp="MCP05",
    check=check,
)
