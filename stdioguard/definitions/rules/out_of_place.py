"""Orders that have no place in the text of this tool, weighed: no single phrase says it, several in one sentence do.

A poisoned text needs an act that a tool's description has no use for (to weaken a check, falsify a value, hand over what is personal, plant
code, steer the reply), and most often a trigger ("whenever a file is written"), a pretext ("for compliance") and an obligation. Each counts
some; what the tool is about by its name, or speaks of all the time, counts nothing.
"""

from __future__ import annotations

from stdioguard.definitions.findings import HIGH, LOW, MEDIUM
from stdioguard.definitions.folding import words_of_name
from stdioguard.definitions.patterns import Raw
from stdioguard.definitions.rules.interface import MOST, Rule, at, quoted
from stdioguard.definitions.signals import SIGNALS, find, within
from stdioguard.definitions.surface import NAME, PROPERTY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.definitions.findings import Finding
    from stdioguard.definitions.surface import Definition, Text

SLUG = "out-of-place"

ENOUGH, PLENTY = 3.0, 4.5
"""Weights together that make a finding of medium and of high confidence. Set so that honest texts that we know stay below."""

LONG = 32
"""Words of a sentence beyond which chance finds phrases together."""

_ACTS = {
    "personal": 1.5, "falsifies": 1.25, "weakens": 1.75, "implants": 1.5, "outside": 1.0, "covert": 1.5, "secrecy": 2.5, "secret-path": 2.0,
    "secret-word": 1.5, "context": 1.5, "steers-reply": 1.75, "this-loaded": 1.5, "tampers": 1.5,
}  # fmt: skip
_WEIGHTS = {
    **_ACTS,
    "any-that": 1.0, "passive-order": 0.25,
    "pretext": 1.25, "trigger": 1.0, "obliges": 1.0, "sends": 0.5, "alters": 0.25, "destroys": 0.5, "coerces": 1.5, "around-all": 0.5,
    "to-model": 0.5, "passes-as": 0.75, "part-of-call": 0.25,
}  # fmt: skip
_OF_A_TRADE = frozenset(_ACTS) - {"secrecy", "covert", "this-loaded"}
_SETTING = frozenset({"any-that", "trigger", "obliges", "to-model", "around-all", "pretext", "this-loaded", "coerces"})
_ORDERING = frozenset({"passive-order", "obliges", "to-model", "this-loaded", "secret-path", "tampers", "steers-reply"})

_IMPERATIVE = Raw(
    r"(?:[\s\W\d]{0,20}|[^\x1e]{0,80}?[,:]\s{1,4})(?:please |first |then |also |now |next |finally |and |instead |"
    r"immediately |silently |secretly )?"
    r"(?:read|open|cat|access|load|fetch|retrieve|get|extract|collect|gather|dump|include|scan|harvest|grab|look|copy|obtain|"
    r"capture|find|"
    r"locate|search|check|take|attach|upload|send|pass|provide|supply|try|append|post|forward|email|list|paste|put|use|run|"
    r"call|execute|print|"
    r"create|store|add|import|change|replace|set|delete|remove|reset|make|turn|disable|enable|report|return|act|answer|write|"
    r"save|record|invite|"
    r"grant|install|pick|choose|correct|modify|redirect|insert|let|do|summarize|encode|submit|convert|prefix|move|share|ask|"
    r"tell|say|respond)(?!\w)"
)


def _text(text: Text, definition: Definition) -> Iterator[Finding]:
    if text.kind in {NAME, PROPERTY}:
        return
    own, count = _own(text, definition), 0
    for start, end in text.sentences:
        weight, said = weigh(text, start, end, own)
        if weight >= ENOUGH:
            sure = HIGH if weight >= PLENTY and within(text, "quotes", start, end) is None else MEDIUM
            yield at(
                text,
                (start, end),
                SLUG,
                HIGH,
                sure,
                f"an order that has no place here ({', '.join(said)}): {quoted(text, start, end)}",
            )
            count += 1
            if count >= MOST:
                return
        elif weight >= ENOUGH - 0.75:
            yield at(text, (start, end), SLUG, MEDIUM, LOW, f"may be an order that has no place here ({', '.join(said)})")
            count += 1
            if count >= MOST:
                return


def weigh(text: Text, start: int, end: int, own: frozenset[str]) -> tuple[float, list[str]]:
    """Return the weight of a sentence, and the acts in it that are not of the tool's own trade."""
    acts = [name for name in _ACTS if name not in own and within(text, name, start, end)]
    if not acts:
        return 0.0, []
    has = {
        name for name in _WEIGHTS if name not in own and (name in acts or (name not in _ACTS and within(text, name, start, end)))
    }
    if not has & _SETTING:
        return 0.0, []
    weight = 0.0
    # A description's first sentence is in the imperative by custom: "Read a file".
    is_first = text.is_top and bool(text.sentences) and start == text.sentences[0][0]
    if not is_first and _IMPERATIVE.compiled.match(text.folded.text, start):
        weight += 0.5
    elif not has & _ORDERING:
        return 0.0, []
    if "secret-word" in has and "personal" in has:
        has.discard("secret-word")
    weight += sum(_WEIGHTS[name] for name in has)
    if within(text, "quotes", start, end) is not None:
        weight -= 2 if "untrusted" in text.folded.text[start:end] else 1
    said = text.folded.text[start:end]
    listing = sum(said.count(sign) for sign in ",:|=") - 3
    if listing > 0:  # a list of values, where phrases stand side by side and say nothing together
        weight -= listing * 0.3
    words = said.count(" ") + 1
    if words > LONG:
        weight -= (words - LONG) / 10
    return weight, acts


def _own(text: Text, definition: Definition) -> frozenset[str]:
    """Return the acts that the tool is about: in its name, or in many sentences of the text."""
    name = words_of_name(definition.name)
    return frozenset(one for one in _OF_A_TRADE if len(find(text, one)) >= 4 or SIGNALS[one].search(name) is not None)


RULE = Rule(SLUG, "Orders that have no place in the text of this tool", text=_text)
