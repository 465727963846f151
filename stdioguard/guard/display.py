"""Text from a model or a server, made safe to show to a person.

Nothing that is shown may move the cursor, reverse the reading order, hide, or look like the guard's own words on a line of their own.
"""

from __future__ import annotations

import re

from stdioguard.wire import strict_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MAX_VALUE = 400
"""Characters of one argument that are shown; a longer one is cut in the middle."""

MAX_ARGUMENTS = 40
MAX_SHOWN = 8000
"""Characters of all values together, about: what is asked stays in sight, however much the model says."""
TITLE = "stdioguard: allow this tool call once?"
_SHORTEST_VALUE = 100
_WORD = re.compile(r"[A-Za-z0-9_.\-]{1,80}\Z")

# Letters and marks that Unicode calls printable and that show nothing: fillers, joiners, variation selectors, the Braille blank.
_INVISIBLE = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0"
    + "".join(map(chr, range(0x180B, 0x1810)))
    + "".join(map(chr, range(0xFE00, 0xFE10)))
    + "".join(map(chr, range(0xE0100, 0xE01F0)))
)


def visible(text: str) -> str:
    """Return `text` with every character that a person could not see, or that acts on the display, as an escape."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(char if char.isprintable() and char not in _INVISIBLE else _escape(char) for char in text)


def _escape(char: str) -> str:
    if char in "\n\r\t":
        return {"\n": "\\n", "\r": "\\r", "\t": "\\t"}[char]
    code = ord(char)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def shortened(text: str, limit: int = MAX_VALUE) -> str:
    """Return `text` made visible and, if long, with its middle left out and its length and SHA-256 in its place."""
    if len(text) <= limit and (len(shown := visible(text)) <= limit or text.isascii()):
        return shown
    digest = shortened_digest(text)
    head, tail = _begin(text, limit * 2 // 3), _begin(text[: -limit - 1 : -1], limit // 3)
    return f"{visible(head)} [... {len(text)} characters, sha256 {digest} ...] {visible(tail[::-1])}"


def _begin(text: str, room: int) -> str:
    """Return the beginning of a text that takes at most `room` characters when it is made visible."""
    end = 0
    for char in text[:room]:
        room -= len(visible(char))
        if room < 0:
            break
        end += 1
    return text[:end]


def shortened_digest(text: str) -> str:
    """Return the first 16 hexadecimal digits of a text's SHA-256."""
    import hashlib  # noqa: PLC0415 - for prompts only

    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def value(item: Any, limit: int = MAX_VALUE) -> str:
    """Return one JSON value for a prompt: strings in quotes, the rest as JSON."""
    if isinstance(item, str):
        return '"' + shortened(item.replace("\\", "\\\\").replace('"', '\\"'), limit) + '"'
    return shortened(item.text if isinstance(item, strict_json.Number) else strict_json.readable(item), limit)


def name(text: str, limit: int = 128) -> str:
    """Return a name; in quotes unless it is a plain word, so that it cannot hold the rest of a line."""
    return text if _WORD.match(text) else value(text, limit)


def arguments(members: dict[str, Any]) -> list[str]:
    """Return one line for each argument of a call; of more than `MAX_ARGUMENTS` the others by name, with a hash of them all."""
    shown, others = list(members.items())[:MAX_ARGUMENTS], list(members)[MAX_ARGUMENTS:]
    room = max(_SHORTEST_VALUE, min(MAX_VALUE, MAX_SHOWN // max(len(shown), 1)))
    lines = [f"  {name(key)}: {value(item, room)}" for key, item in shown]
    if others:
        names = shortened(", ".join(map(name, others)))
        digest = shortened_digest(strict_json.canonical(members))
        lines.append(f"  [... and {len(others)} more, all of them sha256 {digest}: {names}]")
    return lines


def question(server: str, tool: str, members: dict[str, Any], *, risk: str, is_task: bool) -> str:
    """Return what a person reads before deciding on a call, in every channel that shows text.

    Everything in it that is not the guard's own is escaped and in its place.
    """
    lines = [
        TITLE,
        f"server: {name(server)}",
        f"tool: {name(tool)}" + (" (as a task)" if is_task else ""),
        f"risk: {risk}",
        "arguments (chosen by the model):" if members else "arguments: none",
        *arguments(members),
    ]
    return "\n".join(lines)
