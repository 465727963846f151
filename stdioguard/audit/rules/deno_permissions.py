"""Deno's walls are its permissions; with all of them granted there are none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stdioguard.audit import words
from stdioguard.audit.interface import Level, Rule
from stdioguard.installs.launchers.started import plain_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.audit.interface import EntryView, Finding

_ALL = ("-A", "--allow-all")
_MUCH = ("--allow-run", "--allow-ffi")


def check(view: EntryView) -> Iterator[Finding]:
    """Yield a finding for all permissions, or for one that is as good as all."""
    every = words.every(view)
    start = next((at for at, word in enumerate(every) if plain_name(word.text) == "deno"), None)
    if start is None:
        return
    for word in every[start + 1 :]:
        if word.text in _ALL:
            yield view.finding(RULE, f"deno grants the server everything ({word.text})", word.path)
            return
        if word.text in _MUCH:
            yield view.finding(RULE, f"{word.text} lets the server start any program, without deno's walls", word.path)
            return
        if not word.text.startswith("-") and word.text not in ("run", "x", "serve", "eval", "task"):
            return


RULE = Rule(
    slug="deno-permissions",
    title="Deno grants a server everything",
    severity=Level.LOW,
    confidence=Level.HIGH,
    subject="entry",
    advice="Grant what the server needs: --allow-read=FOLDER --allow-net=HOST.",
    cwe=250,
    owasp="MCP02",
    check=check,
)
