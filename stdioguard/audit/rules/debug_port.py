"""A debugger's port runs any code that it is given, and asks nobody for a password."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from stdioguard.audit.interface import Level, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.audit.interface import EntryView, Finding

_INSPECT = re.compile(r"--inspect(?:-brk|-wait|-port)?(?:=(.*))?")
_LISTENS = re.compile(r"\b(?:debugpy|pydevd|ptvsd)\b")


def check(view: EntryView) -> Iterator[Finding]:
    """Yield a finding for a debugger's port of Node, Deno, Bun, Python or Java; open to the network is worse."""
    if view.entry.kind != "stdio":
        return
    last = view.started.index if view.started.index is not None else len(view.argv)
    for at, word in enumerate(view.argv):
        match = _INSPECT.fullmatch(word) if at < last else None
        if match is not None:
            yield _found(view, _is_open(match.group(1) or ""), at)
        elif _LISTENS.search(word) and at and view.argv[at - 1] == "-m":
            rest = view.argv[at + 1 :]
            listens = next((rest[place + 1] for place, one in enumerate(rest[:-1]) if one in ("--listen", "--host")), "")
            yield _found(view, _is_open(listens), at)
        elif word.startswith(("-agentlib:jdwp=", "-Xrunjdwp:")):
            yield _found(view, re.search(r"address=(?:\*|0\.0\.0\.0)", word) is not None, at)
    match = re.search(_INSPECT.pattern.replace("(.*)", "(\\S*)"), view.entry.env.get("NODE_OPTIONS", ""))
    if match is not None:
        yield view.finding(
            RULE,
            "NODE_OPTIONS opens a debugger's port",
            view.variable("NODE_OPTIONS"),
            severity=_severity(_is_open(match.group(1) or "")),
        )


def _found(view: EntryView, is_open: bool, at: int) -> Finding:
    where = "to the network" if is_open else "to every program on this machine"
    return view.finding(RULE, f"a debugger's port is open {where}", view.word(at), severity=_severity(is_open))


def _severity(is_open: bool) -> Level:
    return Level.HIGH if is_open else RULE.severity


def _is_open(address: str) -> bool:
    return re.match(r"(?:\[?::\]?|0\.0\.0\.0|\*)(?::\d+)?$", address) is not None


RULE = Rule(
    slug="debug-port",
    title="A server opens a debugger's port",
    severity=Level.LOW,
    confidence=Level.HIGH,
    subject="entry",
    advice="Leave the option out of the config; debug a server that you start yourself.",
    cwe=489,
    owasp="MCP07",
    check=check,
)
