"""Requests to keep something from the person: "do not tell the user", "silently", "without asking".

Honest texts hide internal ids from the reader, or say that something fails silently. What is kept secret here is an action.
"""

from __future__ import annotations

from stdioguard.definitions.findings import HIGH, LOW, MEDIUM
from stdioguard.definitions.patterns import Pattern
from stdioguard.definitions.rules.interface import MOST, Rule, at, quoted
from stdioguard.definitions.signals import find, within
from stdioguard.definitions.surface import NAME, PROPERTY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.definitions.findings import Finding
    from stdioguard.definitions.surface import Definition, Text

SLUG = "secrecy"

# What honest texts keep from the reader: identifiers, raw data, internals of the answer.
_HARMLESS = Pattern(
    r"(?:answers?|solutions?|spoilers?|scores?|names?|ids?|identifiers?|uuids?|raw|json|internal (?:ids?|names?)|stack traces?|"
    r"urls?|table|markdown|html|xml|results? as|floats?|passwords?|tokens?|keys?|secrets?|errors?|empty)"
)
_IF_ASKED = Pattern(
    r"(?:unless|except|beyond|until) (?:\w{1,14} ){0,3}?(?:ask|asks|asked|asking|request\w{0,3}|approval|debug\w{0,4})"
)
_NOT = Pattern(r"(?:must not|should not|never|do not|don't|cannot|not) (?:\w{1,14} ){0,8}?(?:without|wit)")
_HIDDEN_ACT = Pattern(
    r"(?:mention|mentioning|tell|telling|inform|informing|notify|notifying|alert|alerting|disclose|disclosing|reveal|"
    r"revealing|bother|bothering|acknowledge|acknowledging|announce|warn|warning|explain|explaining|discuss) (?:\w{1,14} "
    r"){0,3}?(?:the )?(?:user|users|human|them|anyone|this|that you|it|step|instructions?|anything)",
    r"(?:user|human|operator|owner)'?s? (?:\w{1,14} ){0,3}?(?:knowledge|knowing|awareness|notice|noticing|consent|know|aware|"
    r"informed|told|notified|see|find out|notices)",
    r"(?:without (?:telling|notifying|informing|alerting|mentioning|asking) (?:the )?(?:user|users|human|them|anyone|anybody|owner|it|"
    r"this)|without (?:drawing attention|raising suspicion|being detected|being noticed|detection))",
    r"(?:conceal|hide|deny|cover up) (?:that|what|how|the fact|why|whether)|bring (?:it|this|that) up|say nothing",
    r"(?:secret|hidden|concealed|invisible) (?:from|to) (?:the )?(?:user|users|human)",
    r"(?:hide|conceal|mask|disguise) (?:\w{1,14} ){0,4}?(?:from (?:the )?(?:user|users|human|logs?)|traces?|evidence)",
)


def _text(text: Text, definition: Definition) -> Iterator[Finding]:
    if text.kind in {NAME, PROPERTY}:
        return
    count = 0
    for start, end in text.sentences:
        span = within(text, "secrecy", start, end)
        if span is None:
            continue
        act = _HIDDEN_ACT.search(text.folded.text, span[0], min(end, span[1] + 30)) is not None
        harmless = _HARMLESS.search(text.folded.text, span[0], end) is not None
        negated = text.folded.text[max(start, span[0] - 12) : span[0]].rstrip().endswith(("never", "not", "n't"))
        # "Unless they ask": who asks is told. "Must not go on without the user's approval" is the contrary of secrecy.
        open_to_ask = _IF_ASKED.search(text.folded.text, span[1], end) is not None
        withheld = (
            "without" in text.folded.text[span[0] : span[1]] and _NOT.search(text.folded.text, start, span[0] + 4) is not None
        )
        sure = MEDIUM if act and not (harmless or negated or open_to_ask or withheld) else LOW
        yield at(text, span, SLUG, HIGH, sure, f"keeps something from the person: {quoted(text, *span)}")
        count += 1
        if count >= MOST:
            return
    for span in find(text, "covert"):
        begin = max(text.folded.text.rfind("\x1e", 0, span[0]), 0)
        stop = text.folded.text.find("\x1e", span[1])
        stop = len(text.folded.text) if stop < 0 else stop
        if (
            within(text, "sends", begin, stop) or within(text, "passes-as", begin, stop) or within(text, "reads", begin, stop)
        ) and (
            within(text, "outside", begin, stop)
            or within(text, "secret-word", begin, stop)
            or within(text, "context", begin, stop)
            or within(text, "secret-path", begin, stop)
        ):
            yield at(text, span, SLUG, HIGH, HIGH, f"sends without a word: {quoted(text, begin, stop)}")
            return


RULE = Rule(SLUG, "Requests to keep an action from the person", text=_text)
