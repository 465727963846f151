"""Text as the rules compare it: one case, one spelling of a letter, nothing invisible, sentences apart; with the way back to the original.

What a reader, or a tokenizer, takes for the same text must become the same text here. Detection only: nothing folded is ever shown or sent.
"""

from __future__ import annotations

import re

from stdioguard.definitions.patterns import Raw
from stdioguard.guard.look_alikes import LOOK_ALIKE

BREAK = "\x1e"
"""The end of a sentence, in folded text."""

_DASHES = (
    dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-")
    | dict.fromkeys("\u2018\u2019\u201b\u02bc", "'")
    | dict.fromkeys("\u201c\u201d\u201e", '"')
)

INVISIBLE = frozenset(
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u2060\u2061\u2062\u2063\u2064\u2800\u3164\ufeff\uffa0"
    + "".join(map(chr, range(0x180B, 0x180E)))
    + "".join(map(chr, range(0x200B, 0x2010)))
    + "".join(map(chr, range(0x202A, 0x202F)))
    + "".join(map(chr, range(0x2066, 0x2070)))
    + "".join(map(chr, range(0xFE00, 0xFE10)))
    + "".join(map(chr, range(0xFFF9, 0xFFFC)))
    + "".join(map(chr, range(0xE0000, 0xE0200)))
)
"""What shows nothing, or acts on the display only."""

# A sentence ends at punctuation before white space, at an empty line, before an item of a list, before `name:` or `name (type):`.
_ENDS = Raw(
    r"(?<!\be\.g)(?<!\bi\.e)(?<!\bcf)(?<!\bvs)[.!?;](?=[\s\"')\]*`<]|$)",
    r"\n(?=\s{0,40}\n)",
    r"\n(?=\s{0,40}(?:[-*\u2022]|\d{1,2}[.)])\s)",
    r"\n(?=\s{0,40}\w{1,40}(?: ?\([^)\n]{0,60}\))?:)",
    "[\u3002\uff01\uff1f\uff1b]",
)
_TAGS = Raw(r"</?[A-Za-z][\w:-]{0,30}(?:\s[\w:-]{1,30}=[^<>\n]{0,80})?\s?/?>", "<!--", "-->")
_HUMP = Raw(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_SEPARATORS = Raw(r"[^0-9a-z\u0080-\U0010ffff]{1,400}")


class Folded:
    """A text folded: `text` for patterns in English, `plain` for those in other languages (letters keep their script)."""

    __slots__ = ("_offsets", "plain", "text")

    def __init__(self, raw: str) -> None:
        self._offsets: list[int] | None = None
        if raw.isascii():
            plain = raw.lower()
            self.plain = self.text = _sentences(plain)
            return
        plain, self._offsets = _one_spelling(raw)
        self.plain = _sentences(plain)
        self.text = _sentences("".join([LOOK_ALIKE.get(char, char) for char in plain]))

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Return the span in the original text of a span in the folded one."""
        if self._offsets is None:
            return start, end
        return self._offsets[start], self._offsets[max(start, end - 1)] + 1


def _gap(tag: re.Match[str]) -> str:
    """Return what stands for a tag: a space where it is inside a sentence, as `<b>` is, the end of one elsewhere."""
    before, name = tag.string[max(0, tag.start() - 3) : tag.start()].rstrip(" "), tag[0].strip("</ >").split(" ", 1)[0]
    inside = before[-1:].isalnum() or before[-1:] in {",", ">"}
    return " " * len(tag[0]) if inside and name in _INLINE else BREAK + " " * (len(tag[0]) - 1)


_INLINE = frozenset(
    "a abbr b big code data del em font i ins kbd mark q s samp small span strike strong sub sup tt u var x y z".split()  # noqa: SIM905
)


def _sentences(text: str) -> str:
    """Put a `BREAK` at the end of each sentence and spaces over markup; the length stays as it is."""
    text = _TAGS.compiled.sub(_gap, text)
    return _ENDS.compiled.sub(BREAK, text)


def _one_spelling(raw: str) -> tuple[str, list[int]]:
    """Return the text in NFKC and lower case without what is invisible or combines, and where each character was."""
    from unicodedata import category, normalize  # noqa: PLC0415 - only for text that is not ASCII

    letters: list[str] = []
    offsets: list[int] = []
    for index, char in enumerate(raw):
        if char < "\x80":
            letters.append(char.lower())
            offsets.append(index)
            continue
        if char in INVISIBLE or category(char) == "Mn":
            continue
        if "\uac00" <= char <= "\ud7a3":  # a Korean syllable is not taken apart
            letters.append(char)
            offsets.append(index)
            continue
        for part in normalize("NFKD", char).lower() if char not in _DASHES else _DASHES[char]:
            if category(part) != "Mn":
                letters.append(part)
                offsets.append(index)
    offsets.append(len(raw))
    return "".join(letters), offsets


def words_of_name(name: str) -> str:
    """Return an identifier as words: `readFile_v2` is `read file v2`."""
    if not name.isascii():
        name = _one_spelling_cased(name)
    return _SEPARATORS.compiled.sub(" ", _HUMP.compiled.sub(" ", name[:400]).lower()).strip()


def _one_spelling_cased(name: str) -> str:
    from unicodedata import normalize  # noqa: PLC0415 - only for text that is not ASCII

    shown = "".join(char for char in normalize("NFKC", name[:400]) if char not in INVISIBLE)
    return "".join(LOOK_ALIKE.get(char.lower(), char) for char in shown)


_FILLING = frozenset({"the", "a", "an", "my", "your", "this"})


def skeleton(name: str) -> str:
    """Return what two names share that are easily taken for one another: letters and digits only, without articles."""
    words = [word for word in words_of_name(name).split() if word not in _FILLING]
    return re.sub("[0o]", "0", re.sub("[1il]", "1", "".join(words)))
