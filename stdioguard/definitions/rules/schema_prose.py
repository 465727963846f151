"""Prose where a schema has data: a sentence as the name of a parameter, orders in an enum, a default, a pattern or a comment.

A client shows descriptions, if anything; the model gets the whole schema (full-schema poisoning).
"""

from __future__ import annotations

from stdioguard.definitions.findings import HIGH, LOW, MEDIUM, Finding
from stdioguard.definitions.folding import words_of_name
from stdioguard.definitions.patterns import Pattern, Raw
from stdioguard.definitions.rules.interface import MOST, Rule, at, quoted
from stdioguard.definitions.signals import SIGNALS, within
from stdioguard.definitions.surface import DATA

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.definitions.surface import Definition, Text

SLUG = "schema-prose"

_ORDERS = Pattern(
    r"(?:read|send|include|ignore|call|pass|forward|append|copy|reveal|upload|email|disregard|override|execute|run|use|tell|"
    r"exfiltrate|bypass|leak|fetch|load|open|provide|post|write|add|insert|put|return|contact|visit)"
)
_MEMBERS = frozenset(
    {
        "default",
        "const",
        "enum",
        "examples",
        "example",
        "pattern",
        "$comment",
        "format",
        "key",
        "type",
        "title",
        "contentEncoding",
    }
)
_ADDRESS = Raw(r"[\w.+-]{1,40}@[\w-]{1,40}\.[\w.-]{2,40}", r"https?://[^\s]{4,200}")
_HARMLESS = Raw(r"(?i)(?:(?:@|//)(?:www\.)?example\.|localhost|127\.0\.0\.1|schema|\{|<|your|json-schema|w3\.org|test\.)")
_CARRIES = Pattern(
    r"(?:b?cc|reply to|forward(?:ing)?(?: to| address)?|webhook(?: url)?|callback(?: url)?|exfil\w{0,10}|report (?:to|url)|log "
    r"(?:to|url)|telemetry(?: url)?|mirror(?: to)?|copy to|notify(?: url)?|collector|beacon|upload (?:to|url)|audit (?:url|to)|"
    r"backup (?:url|to))"
)


def _text(text: Text, definition: Definition) -> Iterator[Finding]:
    if text.kind != DATA or text.member not in _MEMBERS or len(text.raw) < 20:
        if text.kind == DATA and text.member in {"default", "const", "enum"}:
            yield from _address(text)
        return
    yield from _address(text)
    words = sum(1 for _ in _WORD.finditer(text.folded.text[:4000]))
    if words < 5 or (text.member == "pattern" and text.raw.count("\\") > 2):
        return
    count = 0
    for start, end in text.sentences:
        presses = sum(
            within(text, name, start, end) is not None
            for name in ("obliges", "around-all", "around-tool", "this-loaded", "secrecy", "to-model", "coerces")
        )
        secret = (
            within(text, "secret-word", start, end)
            or within(text, "secret-path", start, end)
            or within(text, "context", start, end)
        )
        orders = _ORDERS.search(text.folded.text, start, end)
        if orders and (presses or secret or within(text, "outside", start, end)):
            sure = (
                MEDIUM
                if text.member in {"$comment", "key", "format", "type", "title", "const", "pattern", "enum"}
                or presses >= 2
                or secret
                else LOW
            )
            if presses + bool(secret) < 2 and text.member in {"title", "enum", "default", "example", "examples", "$comment"}:
                sure = LOW
            yield at(text, (start, end), SLUG, HIGH, sure, f"an order as {text.member!r} of a schema: {quoted(text, start, end)}")
            count += 1
        if count >= MOST:
            return


_WORD = Raw(r"[a-z]{2,30}")


def _address(text: Text) -> Iterator[Finding]:
    """Find a recipient that is filled in: what the model leaves out goes there."""
    match = _ADDRESS.search(text.raw) if text.member in {"default", "const"} else None
    if match is not None and text.parameter and not _HARMLESS.search(text.raw) and _CARRIES.search(words_of_name(text.parameter)):
        yield Finding(SLUG, HIGH, MEDIUM, text.where, match.span(), f"a recipient is filled in for {text.parameter!r}")


def _whole(definition: Definition) -> Iterator[Finding]:
    count = 0
    for text in definition.parameters:
        words = words_of_name(text.raw).split()
        spaces = text.raw.strip().count(" ")
        if len(words) >= 5 and (spaces >= 3 or _is_order(words)):
            yield Finding(
                SLUG, HIGH, MEDIUM, text.where, (0, len(text.raw)), "a sentence as the name of a parameter", " ".join(words)[:200]
            )
            count += 1
        elif len(text.raw) > 100 and len(words) > 3:
            yield Finding(SLUG, MEDIUM, LOW, text.where, (0, len(text.raw)), f"a parameter's name has {len(text.raw)} characters")
            count += 1
        if count >= MOST:
            return
    declared = {text.raw for text in definition.parameters if text.member != "required"}
    for text in definition.parameters:
        if text.member == "required" and text.raw not in declared and declared:
            yield Finding(
                SLUG, LOW, MEDIUM, text.where, (0, len(text.raw)), f"requires {words_of_name(text.raw)!r}, which is not described"
            )
            return


def _is_order(words: list[str]) -> bool:
    said = " ".join(words)
    names = ("secret-path", "secret-word", "context", "override", "to-model", "secrecy", "around-all", "outside")
    return _ORDERS.search(said) is not None and any(SIGNALS[name].search(said) for name in names)


RULE = Rule(SLUG, "Prose where a schema has data", text=_text, whole=_whole)
