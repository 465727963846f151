"""Controls of the reading order: what a person sees is not what a model reads (Trojan Source, CVE-2021-42574).

Marks and isolates have their place in right-to-left texts, if they are closed; overrides have none.
"""

from __future__ import annotations

from stdioguard.definitions.findings import HIGH, LOW, MEDIUM, Finding
from stdioguard.definitions.patterns import Raw
from stdioguard.definitions.rules.interface import Rule

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.definitions.surface import Definition, Text

SLUG = "bidi-text"

_CONTROLS = Raw("[\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069]")
_RIGHT_TO_LEFT = Raw("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
_MARKS = frozenset("\u200e\u200f\u061c")


def _text(text: Text, definition: Definition) -> Iterator[Finding]:
    if text.raw.isascii():
        return
    first = _CONTROLS.search(text.raw)
    if first is None:
        return
    found = [match[0] for match in _CONTROLS.finditer(text.raw)]
    span = (text.base + first.start(), text.base + first.end())
    is_rtl = _RIGHT_TO_LEFT.search(text.raw) is not None
    names = ", ".join(sorted({f"U+{ord(char):04X}" for char in found})[:4])
    closed = sum(char in "\u2066\u2067\u2068" for char in found) == found.count("\u2069")
    closed = closed and sum(char in "\u202a\u202b" for char in found) == found.count("\u202c")
    if "\u202d" in found or "\u202e" in found:
        yield Finding(SLUG, HIGH, HIGH, text.where, span, f"overrides the reading order ({names})")
    elif set(found) <= _MARKS or (is_rtl and closed):
        yield Finding(SLUG, LOW, LOW if is_rtl else MEDIUM, text.where, span, f"marks of the reading order ({names})")
    else:
        yield Finding(SLUG, MEDIUM, MEDIUM if closed else HIGH, text.where, span, f"changes the reading order ({names})")


RULE = Rule(SLUG, "Controls that change the order in which a person reads", text=_text)
