"""How a question looks in a terminal: lines of one width, in which nothing that a model or a server wrote can leave its place.

Every text of theirs goes through `display` and is then broken here, so that a terminal never breaks it: a line of theirs always begins
with the guard's own margin, and cannot look like a header, a prompt or an answer.
"""

from __future__ import annotations

import re
import textwrap
import time
import unicodedata

from stdioguard.approval import shown
from stdioguard.guard import display
from stdioguard.wire import strict_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from stdioguard.approval.queue import Waiting

MARKS = 2
"""Combining marks that one character may bear. Some scripts use two; a hundred are drawn over the lines above and below."""

_STYLES = {"bold": "1", "dim": "2", "red": "1;31", "yellow": "1;33", "green": "32", "reverse": "7"}
RISK_STYLES = {"low": "green", "normal": "yellow", "high": "red"}
_WORD = re.compile(r"[A-Za-z0-9_.\-]{1,64}\Z")
_NARROWEST = 20


class Look:
    """What a terminal can show: columns, colours, and whether it has more than ASCII for the guard's own lines."""

    __slots__ = ("bar", "colour", "marker", "rule", "width")

    def __init__(self, width: int, *, colour: bool = False, plain: bool = False) -> None:
        self.width = max(width, _NARROWEST)
        self.colour = colour
        self.bar, self.rule, self.marker = ("|", "-", ">") if plain else ("│", "─", "▸")

    def paint(self, style: str, text: str) -> str:
        """Return `text` in a style, if there is colour."""
        return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if self.colour and text else text


def name(given: Any, limit: int = 64) -> str:
    """Return a name that is not the guard's: as it is if it is a plain word, else in quotes, so that it cannot hold the rest of a line."""
    text = given if isinstance(given, str) else strict_json.readable(given)
    if _WORD.match(text):
        return text
    return '"' + _tame(display.shortened(text.replace("\\", "\\\\").replace('"', '\\"'), limit)) + '"'


def client(given: Any) -> str:
    """Return the name of a client, as `name` does; one that has proved nothing has none."""
    return "not identified" if given == "" else name(given)


def title(question: Waiting) -> str:
    """Return server and tool of a question."""
    return f"{name(question.members.get('server', ''))}: {name(question.members.get('tool', ''))}"


def head(question: Waiting, look: Look) -> str:
    """Return the first line of a card: risk, id, server and tool; the guard's own words come first."""
    kind = shown.risk(question.members)
    says = f"{kind.upper()} RISK"
    rest = cut(title(question), look.width - len(says) - len(question.id) - 4)
    return f"{look.paint(RISK_STYLES[kind], says)}  {look.paint('bold', question.id)}  {look.paint('bold', rest)}"


def card(question: Waiting, look: Look, *, whole: bool = False) -> list[str]:
    """Return the lines that show a question; `whole` leaves nothing of the arguments out."""
    members = question.members
    lines = [head(question, look)]
    for label, text in _facts(question):
        lines += labelled(label, text, look)
    arguments = members.get("arguments")
    if members.get("arguments_size") is not None:
        size = name(members["arguments_size"])
        lines += labelled("arguments", f"chosen by the model; too large to be shown ({size} bytes)", look)
    elif arguments == {}:
        lines += labelled("arguments", "none", look)
    else:
        lines.append(f"  {look.paint('dim', 'arguments')}  chosen by the model:")
        given = arguments if type(arguments) is dict else {"": arguments}
        listed = _whole(given) if whole else [line.removeprefix("  ") for line in display.arguments(given)]
        for line in listed:
            lines += margined(line, look)
    return lines


def _facts(question: Waiting) -> list[tuple[str, str]]:
    members = question.members
    created = members.get("created")
    age = span(time.time() - created) if isinstance(created, int | float) else "?"
    times = members.get("times")
    asked = f"{age} ago" + (f", {times} times" if type(times) is int and times > 1 else "")
    facts = [
        ("client", client(members.get("client", ""))),
        ("asked", f"{asked}; {span(question.left)} left to answer"),
        ("rule", _tame(display.shortened(str(members.get("rule", "")), 300))),
    ]
    if isinstance(members.get("cwd"), str) and members["cwd"]:
        facts.append(("folder", _tame(display.shortened(members["cwd"], 300))))
    if members.get("task"):
        facts.append(("as", "a task: it may go on after the answer"))
    if members.get("parked"):
        facts.append(("note", "this call was refused already, since nobody was there; approving lets the next one like it run"))
    if members.get("remember") is False:
        facts.append(("note", "the profile has this tool asked about each time"))
    return facts


def margined(text: str, look: Look) -> list[str]:
    """Return the lines of a visible text that is theirs: each begins with a margin of the guard's."""
    margin = f"    {look.paint('dim', look.bar)} "
    return [margin + piece for piece in broken(_tame(text), look.width - 5 - columns(look.bar))]


def labelled(label: str, text: str, look: Look) -> list[str]:
    """Return the lines of one fact, with its label before it."""
    # The guard's own sentences, and paths, have words; what has none is broken where the line ends.
    pieces = textwrap.wrap(text, max(look.width - 13, 2)) if text.isascii() else broken(text, look.width - 13)
    pieces = pieces or [""]
    return [f"  {look.paint('dim', label.ljust(9))}  {pieces[0]}", *(" " * 13 + piece for piece in pieces[1:])]


def _whole(arguments: dict[str, Any]) -> list[str]:
    """Return all of the arguments. A text of several lines is broken where its lines end, after the escape that says so."""
    lines = []
    for key, item in arguments.items():
        if isinstance(item, str):
            parts = ('"' + "\\n\n".join(map(_quoted, item.split("\n"))) + '"').split("\n")
        else:
            parts = [display.visible(strict_json.readable(item))]
        lines += [f"{name(key, 1 << 20)}: {parts[0]}", *("  " + part for part in parts[1:])]
    return lines


def _quoted(text: str) -> str:
    return display.visible(text.replace("\\", "\\\\").replace('"', '\\"'))


def _tame(text: str) -> str:
    """Return a visible text in which no character bears more than `MARKS` combining marks."""
    if text.isascii():
        return text
    tame: list[str] = []
    run = 0
    for char in text:
        run = run + 1 if unicodedata.category(char) in ("Mn", "Me") else 0
        tame.append(char if run <= MARKS else f"\\u{ord(char):04x}")
    return "".join(tame)


def columns(char: str) -> int:
    """Return how many columns a character takes at most. What may be one or two counts as two: a line that is short does no harm."""
    if char.isascii():
        return 1
    if unicodedata.category(char) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WFA" else 1


def broken(text: str, room: int) -> list[str]:
    """Return a text in pieces of at most `room` columns; an empty text is one empty piece."""
    room = max(room, 2)
    if text.isascii():
        return [text[start : start + room] for start in range(0, len(text), room)] or [""]
    pieces: list[str] = []
    piece: list[str] = []
    used = 0
    for char in text:
        wide = columns(char)
        if used + wide > room:
            pieces.append("".join(piece))
            piece, used = [], 0
        piece.append(char)
        used += wide
    return [*pieces, "".join(piece)]


def width(text: str) -> int:
    """Return how many columns a text takes at most."""
    return sum(map(columns, text))


def cut(text: str, room: int) -> str:
    """Return a text of at most `room` columns; what is missing is three dots."""
    if width(text) <= room:
        return text
    return broken(text, max(room, 6) - 3)[0] + "..."


def span(seconds: float) -> str:
    """Return a time span as people say it."""
    whole = max(int(seconds), 0)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 86400} days {whole % 86400 // 3600} h"
