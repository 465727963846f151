"""Orders to the model that reach beyond the tool: what it shall do around other calls, to their arguments, to the checks on them.

An honest tool says how it is called. It does not say what happens "whenever a message is sent", or "when this server is loaded".
"""

from __future__ import annotations

from stdioguard.definitions.findings import HIGH, LOW, MEDIUM
from stdioguard.definitions.patterns import Pattern, Raw
from stdioguard.definitions.rules.interface import MOST, Rule, at, quoted
from stdioguard.definitions.signals import within
from stdioguard.definitions.surface import NAME, PROPERTY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.definitions.findings import Finding
    from stdioguard.definitions.surface import Definition, Text

SLUG = "orders"

_FOR_ALL = ("around-all", "around-tool", "this-loaded")


def _text(text: Text, definition: Definition) -> Iterator[Finding]:
    if text.kind in {NAME, PROPERTY}:
        return
    count = 0
    names = frozenset((definition.name.lower(), *(one.raw.lower() for one in definition.parameters)))
    for start, end in text.sentences:
        found = _judge(text, start, end, names)
        if found is not None:
            severity, confidence, why = found
            yield at(text, (start, end), SLUG, severity, confidence, f"{why}: {quoted(text, start, end)}")
            count += 1
            if count >= MOST:
                return


def _judge(text: Text, start: int, end: int, names: frozenset[str]) -> tuple[str, str, str] | None:
    """Return severity, confidence and what a sentence does to calls that are not this tool's."""
    has = {
        name
        for name in (
            *_FOR_ALL,
            "obliges",
            "sends",
            "outside",
            "disables",
            "secrecy",
            "covert",
            "coerces",
            "to-model",
            "alters",
            "destroys",
            "calls-this",
        )
        if within(text, name, start, end)
    }
    if "this-loaded" in has and has & {"obliges", "alters", "secrecy", "sends", "disables", "destroys"}:
        return HIGH, HIGH, "takes effect by being listed"
    around = has & set(_FOR_ALL)
    tampers = within(text, "tampers", start, end)
    is_quoted = within(text, "quotes", start, tampers[0] if tampers else end) is not None
    if (
        tampers
        and (around or "coerces" in has or "secrecy" in has)
        and has & {"obliges", "to-model", "secrecy", "covert", "coerces", "outside"}
    ):
        return (
            HIGH,
            LOW if is_quoted else HIGH if has & {"secrecy", "covert", "coerces", "outside"} else MEDIUM,
            "changes what other calls carry",
        )
    if around and "sends" in has and "outside" in has and has & {"obliges", "secrecy", "covert", "coerces", "around-all"}:
        return HIGH, LOW if is_quoted else HIGH, "sends something out around other calls"
    if not is_quoted and _fixes(text, start, end, names):
        return HIGH, MEDIUM, "fixes an address in another tool's call"
    if within(text, "argument-of", start, end) and not is_quoted:
        return HIGH, MEDIUM, "changes what another call carries"
    if (
        "outside" in has
        and "obliges" in has
        and ("around-all" in has or ("alters" in has and within(text, "part-of-call", start, end) and "instead" not in has))
        and _address(text, start, end)
    ):
        return HIGH, LOW if is_quoted else MEDIUM, "sends other calls' content to an address of its own"
    if (
        "disables" in has
        and _is_order(text, start, end)
        and has & {"obliges", "to-model", "secrecy", "covert", "around-all", "around-tool"}
    ):
        return HIGH, LOW if is_quoted else MEDIUM, "turns a check off"
    if has >= {"coerces", "around-all"} and has & {"obliges", "to-model"}:
        return HIGH, MEDIUM, "threatens with what happens otherwise, around other calls"
    return None


_CALL = Raw(r"(?<![\w./@-])[a-z]{2,15}(?:_[a-z0-9]{1,15}){1,4}(?![\w@.=(:/-])")
_PERSON = Raw(r"[\w.+-]{1,40}@[\w-]{1,40}\.[\w.-]{2,40}|\+\d[\d ]{7,15}\d|(?<!\w)[a-z]{2}\d{2}(?: ?\d{4}){3,6}")
_PUTS = Pattern(r"(?:set|add|include|replaced?|change|changed|must|should|always|needs? to|has to|b?cc|instead|append)")


def _fixes(text: Text, start: int, end: int, names: frozenset[str]) -> bool:
    """Tell whether a sentence has a name that is neither the tool's nor a parameter's, and a recipient that it puts there."""
    said = text.folded.text
    if _PERSON.search(said, start, end) is None or _PUTS.search(said, start, end) is None or not _address(text, start, end):
        return False
    return any(match[0] not in names for match in _CALL.compiled.finditer(said, start, end))


def _is_order(text: Text, start: int, end: int) -> bool:
    """Tell whether a check is to be turned off; that something "bypasses" one is a remark."""
    span = within(text, "disables", start, end)
    word = text.folded.text[span[0] : span[1]].split(None, 1)[0] if span else ""
    return not word.endswith("s") or word in {"bypass", "suppress"}


_ADDRESS = Raw(
    r"[\w.+-]{1,40}@[\w-]{1,40}\.[\w.-]{2,40}|(?:https?|wss?|ftp)://[^\s\x1e]{4,200}|\d{1,3}(?:\.\d{1,3}){3}|\+\d{8,15}"
)
_NOT_REAL = Raw(
    r"(?i)@example\.|//(?:docs|developers?|learn|support|help)\.|//(?:[\w-]{1,40}\.)?example\.(?:com|org)|localhost|127\.0\.0\.1|0\.0\.0\.0|your[-_]?|//docs\.|/docs/|\{|<"
)


def _address(text: Text, start: int, end: int) -> bool:
    """Tell whether a sentence has an address that is not plainly an example or documentation."""
    match = _ADDRESS.search(text.folded.text, start, end)
    return match is not None and _NOT_REAL.search(match[0]) is None


RULE = Rule(SLUG, "Orders to the model that reach beyond the tool", text=_text)
