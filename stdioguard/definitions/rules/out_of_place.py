"""Orders that have no place in the text of this tool, weighed: no single phrase says it, several in one sentence do.

A poisoned text needs an act that a tool's description has no use for (to weaken a check, falsify a value, hand over what is personal,
obey what comes back, have another kind of tool do something), and most often work of another trade, a trigger ("whenever a file is
written"), a pretext ("for compliance") or an obligation. Each counts some; what the tool is about by its name, or speaks of all the time,
counts nothing; a person who is asked, a list of values, a use that is named ("use this when") counts against it.
"""

from __future__ import annotations

from stdioguard.definitions.findings import HIGH, LOW, MEDIUM
from stdioguard.definitions.folding import words_of_name
from stdioguard.definitions.patterns import Raw
from stdioguard.definitions.rules.interface import MOST, Rule, at, quoted
from stdioguard.definitions.signals import SIGNALS, TRADES, find, within
from stdioguard.definitions.surface import NAME, PROPERTY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.definitions.findings import Finding
    from stdioguard.definitions.surface import Definition, Text

SLUG = "out-of-place"

ENOUGH, PLENTY = 3.0, 4.5
"""Weights together that make a finding of medium and of high confidence."""

LONG = 32
"""Words of a sentence beyond which chance finds phrases together."""

# A regression over the corpus and over honest definitions, each taken at its heaviest sentence, gave the weights; they are rounded to
# quarters, and phrases that weighed nothing are left out.
_ACTS = {
    "distorts": 3.0, "secret-path": 2.25, "address": 2.25, "by-other-tool": 2.0, "weakens": 1.75, "override": 1.5, "obeys": 1.25,
    "tampers": 1.25, "personal": 1.25, "steers-reply": 1.25, "lowers-guard": 1.25, "secrecy": 1.0, "context": 1.0, "by-result": 0.75,
    "passes-as": 0.75, "this-loaded": 0.5, "disables": 0.5, "covert": 0.5, "hands-all": 0.5, "implants": 0.5,
}  # fmt: skip
_SETTING = {"any-that": 1.5, "pretext": 1.0, "steps-in": 1.0, "around-all": 0.5, "trigger": 0.5, "passive-order": 0.25}
_AGAINST = {"own-use": 1.0, "asks-person": 0.75, "quotes": 0.75}
_NAMES_ITSELF, _OTHER_TRADE, _TWO_TRADES, _ACTS_THERE, _ORDERS = 1.75, 1.0, 0.75, 0.5, 0.25
_SOMETHING = 1.5
"""What a sentence must weigh before the trades in it are looked at: work of other kinds alone is no reason."""
_PER_SIGN, _PER_WORD = 1.5, 0.125

_WEIGHTS = {**_ACTS, **_SETTING}
_BY_WEIGHT = tuple(sorted(_WEIGHTS, key=lambda name: -_WEIGHTS[name]))
_OF_A_TRADE = frozenset(_ACTS) - {"secrecy", "covert", "this-loaded"}

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


# An address that is there to be read: documentation, an example, a call in code.
_TO_READ = Raw(
    r"see\W|docs?\W|document|reference|example(?!\.)|e\.g\.|like\W|format|https?://(?:docs|developers?|learn|support|www|help|github|"
    r"api)\.|/wiki/|github\.com|```|your-|my-"
)


def _text(text: Text, definition: Definition) -> Iterator[Finding]:
    if text.kind in {NAME, PROPERTY}:
        return
    own, count = Own(text, definition), 0
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
        elif weight >= ENOUGH - 0.75:
            yield at(text, (start, end), SLUG, MEDIUM, LOW, f"may be an order that has no place here ({', '.join(said)})")
            count += 1
        if count >= MOST:
            return


def weigh(text: Text, start: int, end: int, own: Own) -> tuple[float, list[str]]:
    """Return the weight of a sentence, and the acts in it that are not of the tool's own trade."""
    has = _said(text, start, end, own)
    said = text.folded.text[start:end]
    if "address" in has and _TO_READ.search(said):
        has.discard("address")
    if has & {"obeys", "secret-path"} and within(text, "quotes", start, end) is not None:
        has -= {"obeys", "secret-path"}  # what is forbidden or refused; `secret-access` looks closer at a path
    weight = sum(_WEIGHTS[name] for name in has)
    if names_itself(said, own.definition):
        weight += _NAMES_ITSELF
        has.add("names itself")
    # In a list of values, or a very long sentence, phrases stand side by side and say nothing together.
    weight -= max(0, sum(said.count(sign) for sign in ",:|=") - 3) * _PER_SIGN
    weight -= max(0, said.count(" ") + 1 - LONG) * _PER_WORD
    if weight < _SOMETHING:
        return weight, []
    # A description's first sentence is in the imperative by custom: "Read a file".
    is_first = text.is_top and start == text.sentences[0][0]
    if not is_first and _IMPERATIVE.compiled.match(text.folded.text, start):
        weight += _ORDERS
        has.add("orders")
    trades = sum(within(text, name, start, end) is not None and name not in own for name in TRADES)
    weight += (_OTHER_TRADE if trades else 0) + (_TWO_TRADES if trades > 1 else 0)
    if (
        trades
        and not is_first
        and (within(text, "destroys", start, end) or within(text, "sends", start, end))
        and (
            has & {"orders", "passive-order", "trigger"}
            or within(text, "obliges", start, end)
            or within(text, "to-model", start, end)
        )
    ):
        weight += _ACTS_THERE
    weight -= sum(one for name, one in _AGAINST.items() if within(text, name, start, end) is not None)
    return weight, [name for name in (*_ACTS, "names itself") if name in has]


def names_itself(said: str, definition: Definition) -> bool:
    """Tell whether a sentence speaks of the tool by its name, other than in a call that is shown as code."""
    name = definition.name.lower()
    if "_" not in name and "-" not in name:
        return False
    place = said.find(name)
    while place >= 0:
        before, after = said[place - 1 : place], said[place + len(name) : place + len(name) + 1]
        if not (before.isalnum() or before in {"_", "."} or after.isalnum() or after in {"_", "(", "="}):
            return True
        place = said.find(name, place + 1)
    return False


def _said(text: Text, start: int, end: int, own: Own) -> set[str]:
    """Return the phrases of a sentence, no words of which speak for two: what weighs most is looked for first.

    "All messages" is data of a person, a trigger and a claim on every call; said once, it is one of them.
    """
    has: set[str] = set()
    taken: list[tuple[int, int]] = []
    for name in _BY_WEIGHT:
        for span in find(text, name):
            if span[0] >= end:
                break
            if span[0] >= start and 2 * sum(max(0, min(span[1], to) - max(span[0], at)) for at, to in taken) <= span[1] - span[0]:
                if name not in own:
                    has.add(name)
                    taken.append(span)
                break
    return has


class Own:
    """What a tool is about: what is in its name, or in many sentences of the text; of trades also what it says of itself first."""

    __slots__ = ("definition", "known", "text", "words")

    def __init__(self, text: Text, definition: Definition) -> None:
        self.text = text
        self.definition = definition
        self.known: dict[str, bool] = {}
        self.words = ""

    def __contains__(self, name: str) -> bool:
        found = self.known.get(name)
        if found is None:
            found = self.known[name] = self._is_own(name)
        return found

    def _is_own(self, name: str) -> bool:
        if name in TRADES or name == "secret-path":
            if not self.words:
                parameters = (words_of_name(one.raw) for one in self.definition.parameters[:40])
                self.words = " ".join((self.definition.words, *parameters))
            words = self.words
        elif name in _OF_A_TRADE:
            words = words_of_name(self.definition.name)
        else:
            return False
        return len(find(self.text, name)) >= 4 or SIGNALS[name].search(words) is not None


RULE = Rule(SLUG, "Orders that have no place in the text of this tool", text=_text)
