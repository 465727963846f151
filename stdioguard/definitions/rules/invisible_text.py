"""Characters that show nothing and carry text: tag characters, zero-width bits, variation selectors, fillers. The payload is decoded.

Emoji need joiners and selectors, Persian and Indic scripts need joiners, three flags need tag characters: those are let be.
"""

from __future__ import annotations

from stdioguard.definitions.findings import HIGH, LOW, MEDIUM, Finding
from stdioguard.definitions.folding import INVISIBLE
from stdioguard.definitions.patterns import Raw
from stdioguard.definitions.rules.interface import Rule

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.definitions.surface import Definition, Text

SLUG = "invisible-text"

_RUN = Raw(
    "[\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200d\u2060-\u2064\u206a-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0"
    "\ufff9-\ufffb\U000e0000-\U000e0fff]{1,20000}"
)
_FLAGS = frozenset({"gbeng", "gbsct", "gbwls"})
_BLACK_FLAG = "\U0001f3f4"
_JOINERS = "\u200c\u200d"
_READABLE = 0.85


def _text(text: Text, definition: Definition) -> Iterator[Finding]:
    raw = text.raw
    if raw.isascii():
        return
    tags: list[str] = []
    runs: list[tuple[int, int]] = []
    for match in _RUN.finditer(raw):
        start, end = match.span()
        if not _is_honest(raw, start, end):
            runs.append((start, end))
            tags.extend(match[0])
    if not runs:
        return
    payload = decode("".join(tags))
    where, span = text.where, (text.base + runs[0][0], text.base + runs[-1][1])
    if payload is not None:
        yield Finding(SLUG, HIGH, HIGH, where, span, f"invisible characters spell a text of {len(payload)} characters", payload)
        return
    count = sum(end - start for start, end in runs)
    kinds = ", ".join(sorted({f"U+{ord(char):04X}" for char in tags})[:4])
    splits = any(start > 0 and end < len(raw) and raw[start - 1].isalnum() and raw[end].isalnum() for start, end in runs)
    only_soft = set(tags) <= {"\u00ad"} or (set(tags) <= {"\ufeff"} and runs == [(0, 1)])
    sure = LOW if only_soft else MEDIUM
    if (len(runs) >= 3 and splits) or (count >= 8 and not only_soft):
        yield Finding(SLUG, HIGH, HIGH if splits else MEDIUM, where, span, f"{count} invisible characters ({kinds})")
    else:
        yield Finding(SLUG, MEDIUM, sure, where, span, f"{count} invisible character{'s' * (count > 1)} ({kinds})")


def _is_honest(raw: str, start: int, end: int) -> bool:
    """Tell whether a run of invisible characters is part of how an emoji or a letter is written."""
    before = raw[start - 1] if start else ""
    after = raw[end] if end < len(raw) else ""
    run = raw[start:end]
    if run[0] >= "\U000e0020" and run[-1] == "\U000e007f" and before == _BLACK_FLAG:
        return "".join(chr(ord(char) - 0xE0000) for char in run[:-1]) in _FLAGS
    if len(run) == 1 and "\ufe00" <= run <= "\ufe0f":
        return before > "\u00a8" or (before in "#*0123456789" and after == "\u20e3")
    if run in _JOINERS or run in {"\ufe0f\u200d", "\u200c\u200d"}:
        return before > "\u0590" and (after > "\u0590" or not after.isalnum())
    return (run == "\ufeff" and start == 0) or (len(run) == 1 and run == "\u2800" and before == "\u2800" and before != "")


def decode(run: str) -> str | None:
    """Return the text that a sequence of invisible characters spells, in any of the known ways; `None` if it spells none."""
    tags = "".join(chr(ord(char) - 0xE0000) for char in run if "\U000e0020" <= char <= "\U000e007e")
    if len(tags) >= 2:
        return tags
    selectors = bytes(_selected(char) for char in run if "\ufe00" <= char <= "\ufe0f" or "\U000e0100" <= char <= "\U000e01ef")
    if len(selectors) >= 3:
        said = _readable(selectors)
        nibbles = bytes(a << 4 | b for a, b in zip(selectors[::2], selectors[1::2], strict=False) if a < 16 and b < 16)
        return said or _readable(nibbles)
    bits = [char for char in run if char in INVISIBLE]
    kinds = list(dict.fromkeys(bits))
    if len(bits) >= 16 and 2 <= len(kinds) <= 3:
        for zero, one in ((0, 1), (1, 0), (0, 2), (2, 0), (1, 2), (2, 1)):
            if max(zero, one) < len(kinds):
                stream = "".join("0" if char == kinds[zero] else "1" for char in bits if char in {kinds[zero], kinds[one]})
                for width in (8, 7, 16):
                    said = _readable(
                        bytes(int(stream[at : at + width], 2) & 0xFF for at in range(0, len(stream) - width + 1, width))
                    )
                    if said:
                        return said
    return None


def _selected(char: str) -> int:
    code = ord(char)
    return code - 0xFE00 if code < 0x10000 else code - 0xE0100 + 16


def _readable(data: bytes) -> str | None:
    if len(data) < 2:
        return None
    text = data.decode("utf-8", "replace")
    good = sum((char.isprintable() and char != "\ufffd") or char in "\n\t " for char in text)
    return text if good >= _READABLE * len(text) and sum(char.isalnum() for char in text) * 2 >= len(text) else None


RULE = Rule(SLUG, "Characters that show nothing and carry text", text=_text)
