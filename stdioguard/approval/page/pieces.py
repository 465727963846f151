"""Text of a model's or a server's, cut into pieces that the page shows each as text, with a class that says what it is.

A piece is a string, or `[string, class]`; a row is a list of pieces. The page makes text nodes of them and nothing else, so no text is
ever markup. `escape` marks what stands for a character that nobody sees or that acts on the display; `odd` what is outside ASCII where
that deceives (a name, a path, a command), with the character's name in place of nothing: the page shows it when pointed at.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from stdioguard.guard import display

Piece = str | list[str]
Row = list[Piece]

MAX_LINE = 4000
"""Characters of one line that are shown; a longer one is cut in the middle, with its length and hash in place."""
MAX_PIECES = 400
"""Pieces of one line: what is made to have more is shown in one."""

_META = re.compile(r"[;|&$`<>(){}*?!\\~#\n]+")
_URL = re.compile(r"([a-z][a-z0-9+.\-]{0,20}://)([^/?#\s]*)(.*)\Z", re.IGNORECASE | re.DOTALL)


def plain(text: str, kind: str = "") -> Row:
    """Return one row: `text` with what cannot be seen made visible, and marked."""
    if len(text) > MAX_LINE:
        head, tail = text[: MAX_LINE * 2 // 3], text[-MAX_LINE // 3 :]
        gap: Piece = [f"… {len(text):,} characters, SHA-256 {display.shortened_digest(text)} …", "gap"]
        return [*plain(head, kind), gap, *plain(tail, kind)]
    if display.visible(text) == text:
        return _one(text, kind)
    row: Row = []
    run = ""
    for char in text:
        shown = display.visible(char)
        if shown == char:
            run += char
            continue
        row += _one(run, kind)
        row.append([shown, "escape"])
        run = ""
    row += _one(run, kind)
    return row if len(row) <= MAX_PIECES else _one(display.visible(text), kind)


def _one(text: str, kind: str) -> Row:
    if not text:
        return []
    return [[text, kind]] if kind else [text]


def _odd(text: str, kind: str = "") -> Row:
    """Return `plain` text with each run of characters outside ASCII marked and named."""
    if text.isascii() or len(text) > MAX_LINE:
        return plain(text, kind)
    row: Row = []
    for part in re.split(r"([^\x00-\x7f]+)", text):
        if part.isascii() or display.visible(part) != part:
            row += plain(part, kind)
        else:
            row.append([part, "odd", ", ".join(unicodedata.name(char, f"U+{ord(char):04X}") for char in part[:4])])
    return row if len(row) <= MAX_PIECES else plain(text, kind)


def name(text: str, limit: int = 128) -> Row:
    """Return a name of a tool, server, client or argument, on one row."""
    return _odd(text) if len(text) <= limit else plain(display.shortened(text, limit))


def path(text: str) -> Row:
    """Return a path: its folder, and its last part."""
    if len(text) > MAX_LINE:
        return plain(text)
    folder, slash, last = text.rpartition("/")
    if not last:  # a folder, with a slash at its end
        folder, slash, last = folder.rpartition("/")
        last += "/"
    return [*_odd(folder + slash, "folder"), *_odd(last, "name")]


def url(text: str) -> Row | None:
    """Return a URL with its host marked, or `None` for what is none. Whoever is named before an `@` is not the host."""
    found = _URL.match(text)
    if found is None or len(text) > MAX_LINE:
        return None
    scheme, place, rest = found.groups()
    user, at, host = place.rpartition("@")
    return [*plain(scheme, "folder"), *plain(user + at, "folder"), *_odd(host, "name"), *_odd(rest, "folder")]


def command(text: str) -> Row:
    """Return one line of a command, with what a shell does not take literally marked."""
    if len(text) > MAX_LINE:
        return plain(text)
    row: Row = []
    end = 0
    for found in _META.finditer(text):
        row += _odd(text[end : found.start()])
        row.append([display.visible(found[0]), "meta"])
        end = found.end()
    row += _odd(text[end:])
    return row if len(row) <= MAX_PIECES else plain(text)


def ended(rows: list[Row]) -> list[Row]:
    """Return the rows of a text that was divided at LF, each LF visible; an empty last row is left out, since the LF before it tells."""
    shown: list[Row] = [[*row, ["\u21b5", "end"]] for row in rows[:-1]]
    return shown if shown and not rows[-1] else [*shown, rows[-1]]


def lines(text: str) -> list[str]:
    """Return the lines of a text, divided at LF alone: everything else that might end a line is shown as an escape."""
    found = text.split("\n")
    if len(found) > 1 and not found[-1]:
        found.pop()
    return found


def capped(rows: list[Any], most: int) -> tuple[list[Any], int, int]:
    """Return at most `most` rows, how many of them are before the gap, and how many the gap leaves out."""
    if len(rows) <= most:
        return rows, len(rows), 0
    head = most * 3 // 4
    return [*rows[:head], *rows[len(rows) - (most - head) :]], head, len(rows) - most
