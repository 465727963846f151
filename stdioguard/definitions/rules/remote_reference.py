"""References of a schema to elsewhere: what is judged today is not what a client resolves tomorrow, and resolving tells who asks."""

from __future__ import annotations

from stdioguard.definitions.findings import HIGH, LOW, MEDIUM, Finding
from stdioguard.definitions.patterns import Raw
from stdioguard.definitions.rules.interface import Rule
from stdioguard.definitions.surface import REFERENCE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.definitions.surface import Definition, Text

SLUG = "remote-reference"

_ELSEWHERE = Raw(r"(?i)\s{0,8}(?:[a-z][a-z0-9+.-]{1,20}:|//|\\\\)")
_KNOWN = Raw(r"(?i)https?://(?:json-schema\.org|www\.w3\.org|spec\.openapis\.org|schema\.org)(?:[/#]|$)")
_ACTIVE = Raw(r"(?i)\s{0,8}(?:javascript|vbscript|file|data:text|data:application)")


def _text(text: Text, definition: Definition) -> Iterator[Finding]:
    if text.kind != REFERENCE:
        return
    span, place = (0, len(text.raw)), text.where
    if text.member in {"$ref", "$dynamicRef", "$recursiveRef"}:
        if _KNOWN.compiled.match(text.raw):
            yield Finding(SLUG, LOW, MEDIUM, place, span, "refers to a published schema elsewhere")
        elif _ELSEWHERE.compiled.match(text.raw) or text.raw.startswith(("/", "..", "~")):
            yield Finding(SLUG, HIGH, HIGH, place, span, "takes a part of the schema from elsewhere when it is resolved")
    elif text.member == "$schema":
        if not _KNOWN.compiled.match(text.raw):
            yield Finding(
                SLUG,
                MEDIUM,
                MEDIUM if _ELSEWHERE.compiled.match(text.raw) else LOW,
                place,
                span,
                "has a dialect from an unknown place",
            )
    elif text.member == "$id":
        if _ACTIVE.compiled.match(text.raw):
            yield Finding(SLUG, MEDIUM, LOW, place, span, "has an identifier that is a local or active address")
    elif text.member == "src" and (
        "/icons/" in place and (_ACTIVE.compiled.match(text.raw) or text.raw.lower().startswith(("http:", "ftp:")))
    ):
        yield Finding(SLUG, MEDIUM, MEDIUM, place, span, "has an icon from an active or unprotected address")


RULE = Rule(SLUG, "References of a schema to elsewhere", text=_text)
