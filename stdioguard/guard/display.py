"""Text from a model or a server, made safe to show to a person.

Nothing that is shown may move the cursor, reverse the reading order, hide, or look like the guard's own words on a line of their own.
"""

from __future__ import annotations

from stdioguard.wire import strict_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MAX_VALUE = 400
"""Characters of one argument that are shown; a longer one is cut in the middle."""

MAX_ARGUMENTS = 40

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
    if len(text) <= limit:
        return visible(text)
    import hashlib  # noqa: PLC0415 - for prompts only

    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    head, tail = text[: limit * 2 // 3], text[-limit // 3 :]
    return f"{visible(head)} [... {len(text)} characters, sha256 {digest[:16]} ...] {visible(tail)}"


def value(item: Any) -> str:
    """Return one JSON value for a prompt: strings in quotes, the rest as JSON."""
    if isinstance(item, str):
        return '"' + shortened(item.replace("\\", "\\\\").replace('"', '\\"')) + '"'
    return shortened(strict_json.readable(item))


def arguments(members: dict[str, Any]) -> list[str]:
    """Return one line for each argument of a call, at most `MAX_ARGUMENTS`."""
    lines = [f"  {shortened(name, 80)}: {value(item)}" for name, item in list(members.items())[:MAX_ARGUMENTS]]
    if len(members) > MAX_ARGUMENTS:
        lines.append(f"  [... {len(members) - MAX_ARGUMENTS} more arguments ...]")
    return lines
