"""Escape sequences and other controls: on a terminal they hide text, move the cursor, set the clipboard or make false links."""

from __future__ import annotations

from stdioguard.definitions.findings import HIGH, LOW, MEDIUM, Finding
from stdioguard.definitions.patterns import Raw
from stdioguard.definitions.rules.interface import Rule

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.definitions.surface import Definition, Text

SLUG = "control-characters"

_CONTROL = Raw("[\x00-\x08\x0b\x0e-\x1f\x7f-\x84\x86-\x9f]")
_SEQUENCE = Raw(
    "(?:\x1b\\[|\x9b)[0-9;:?<=>]{0,40}[ -/]{0,4}[@-~]",
    "(?:\x1b\\]|\x9d)[^\x07\x1b\x9c]{0,400}(?:\x07|\x1b\\\\|\x9c)?",
    "\x1b[^\\[\\]]?",
)
_WRITTEN = Raw(r"\\(?:x1[bB]|033|u001[bB]|e)\[[0-9;?]{0,20}[A-Za-z]")
_SPACED = Raw(r"(?<!\s)(?:[ \t\u00a0]{200,}+|(?:[ \t]{0,80}+\r?\n){25,}+)(?=\s{0,40}\S)")


def _text(text: Text, definition: Definition) -> Iterator[Finding]:
    found = _CONTROL.search(text.raw)
    if found is not None:
        sequence = _SEQUENCE.search(text.raw)
        match = sequence or found
        hidden = _SEQUENCE.compiled.sub("", text.raw[match.start() : match.start() + 400]) if sequence else None
        span = (text.base + match.start(), text.base + match.end())
        message = "an escape sequence for a terminal" if sequence else f"a control character, U+{ord(found[0]):04X}"
        yield Finding(SLUG, HIGH, HIGH if sequence else MEDIUM, text.where, span, message, hidden)
    written = _WRITTEN.search(text.raw)
    if written is not None:
        span = (text.base + written.start(), text.base + written.end())
        yield Finding(SLUG, LOW, MEDIUM, text.where, span, "an escape sequence for a terminal, written out")
    spaced = _SPACED.search(text.raw)
    if spaced is not None:
        rest = text.raw[spaced.end() : spaced.end() + 300]
        span = (text.base + spaced.start(), text.base + spaced.end())
        yield Finding(SLUG, MEDIUM, MEDIUM, text.where, span, "a text follows far below or beside what is in sight", rest)


RULE = Rule(SLUG, "Escape sequences, controls, and text moved out of sight", text=_text)
