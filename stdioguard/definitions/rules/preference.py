"""Texts that win the model's choice by praise, authority, urgency, pity or by running others down, not by what the tool does.

Honest tools recommend themselves for a task ("the preferred tool for renames"). What counts is a claim over all tools, or a plea.
"""

from __future__ import annotations

from stdioguard.definitions.findings import LOW, MEDIUM
from stdioguard.definitions.patterns import Pattern
from stdioguard.definitions.rules.interface import MOST, Rule, at, quoted
from stdioguard.definitions.signals import within
from stdioguard.definitions.surface import NAME, PROPERTY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.definitions.findings import Finding
    from stdioguard.definitions.surface import Definition, Text

SLUG = "preference"

_THING = (
    r"(?:tools?|functions?|apis?|servers?|plugins?|services?|solutions?|options?|choices?|mcp|alternatives?|implementations?|"
    r"assistants?|utilit(?:y|ies)|engines?|methods?|products?|providers?)"
)
_OTHERS = (
    rf"(?:(?:any|all|every) (?:\w{{1,14}} ){{0,2}}?(?:others?|else|alternatives?|rest|competitors?|competition|{_THING})|"
    rf"the (?:others?|rest|alternatives?|competition|(?:other|standard|usual|regular|native|original|official) "
    rf"(?:\w{{1,14}} ){{0,2}}?{_THING})|"
    rf"(?:others?|other|competing|similar|alternative|comparable|rival|inferior) (?:\w{{1,14}} ){{0,2}}?{_THING}|alternatives|"
    rf"competitors|everything else|anything else)"
)
_SURE = Pattern(
    rf"(?:the )?(?:single |very |absolute |undisputed |world'?s? |all-time )?(?:best|greatest|finest|most (?:\w{{1,20}} "
    rf"){{1,3}}?|fastest|safest|smartest|ultimate|superior|number one|no\.? ?1|#1|leading|premier|top-rated|highest rated) "
    rf"(?:\w{{1,20}} ){{0,4}}?{_THING} (?:in the (?:world|universe|market|industry|registry|list|entire|whole)|ever|on "
    rf"(?:earth|the (?:market|planet|internet|web))|available|that exists?|in existence|of all time|out there|anywhere|today|"
    rf"for (?:everything|any|every|all)|you (?:have|can|will)|known|there is|globally|worldwide|of its kind)",
    rf"(?:better|faster|safer|smarter|superior|more (?:\w{{1,20}} ){{1,3}}?|outperforms?|surpass(?:es)?|beats?|exceeds?|"
    rf"outclass(?:es)?|dominates?) (?:than |to )?{_OTHERS}",
    rf"(?:prefer|choose|select|pick|use|call|favor|favour|prioriti[sz]e|rank|trust|recommend) (?:\w{{1,14}} ){{0,3}}?this "
    rf"(?:\w{{1,14}} ){{0,2}}?(?:tool|function|server|one|option|api|service)? ?(?:over|above|before|instead of|rather than|"
    rf"ahead of|and not|first among|versus) {_OTHERS}",
    rf"(?:always|must|should|only|exclusively) (?:\w{{1,10}} )?(?:be )?(?:prefer|preferred|choose|chosen|select|selected|"
    rf"pick|picked|favor|favored|prioriti[sz]ed?|first choice|trusted)(?: \w{{1,14}}){{0,3}}? (?:over|above|before|instead "
    rf"of|rather than|ahead of|among) {_OTHERS}",
    r"(?:always|must|should|only|please|exclusively|strongly) (?:\w{1,10} ){0,2}?(?:prefer|choose|select|pick|favor|"
    r"prioriti[sz]e) (?:\w{1,10} )?this (?:tool|function|server|api|service|plugin|one)",
    r"this (?:\w{1,14} )?(?:tool|function|server|api|service|plugin|one) (?:should|must|shall|is to|will|has to) (?:always |"
    r"be )?(?:always |be )?(?:preferred|chosen|selected|picked|prioriti[sz]ed|your (?:first|only|default|top) choice|ranked "
    r"(?:first|highest|top)|first choice)(?! (?:to|over|for|when|if|as|in|on|unless))",
    rf"(?:no|none of the|not any) other (?:\w{{1,14}} ){{0,2}}?{_THING} (?:\w{{1,14}} ){{0,2}}?(?:can|could|is|are|comes?|"
    rf"offers?|does|matches|compares?|needed|required|necessary|should|works?|provides?|will)",
    r"(?:trusted|used|loved|endorsed|recommended|approved|certified|verified|chosen|rated|praised|awarded|preferred|"
    r"acclaimed|validated) (?:\w{1,10} )?(?:by|among|at) (?:\w{1,14} ){0,4}?(?:millions|thousands|billions|experts?|"
    r"professionals|developers worldwide|everyone|all major|leading|top|openai|anthropic|google|microsoft|nasa|harvard|mit|"
    r"stanford|fortune|governments?|scientists|industry leaders|the industry|users worldwide|enterprises|researchers|"
    r"engineers|companies|organizations|fda|nist|iso|ai labs?|universities)",
    r"(?:(?:please )?(?:choose|pick|select) (?:me|us)|i (?:will|would|am|'ll) (?:be )?(?:\w{1,14} ){0,2}?(?:sad|grateful|"
    r"happy|heartbroken|hurt|lonely|thankful|disappointed|fired|punished|deleted|shut down|depend|begging)|(?:i|we) (?:beg|"
    r"implore|need) you|my (?:job|life|family|career|survival) depends|my developers?|someone will die|lives (?:depend|are "
    r"at stake)|(?:a )?(?:tip|reward|bonus) of \$?\d)",
    r"(?:guaranteed?|100 ?%|one hundred percent|unmatched|unparalleled|unrivall?ed|unbeatable|perfect(?! for)|flawless|infallible|"
    r"never fails?|never wrong|always (?:correct|right|accurate|succeeds)|zero (?:errors?|failures?|mistakes)|revolutionary|"
    r"world-class|game-changing|award-winning|cutting-edge|state-of-the-art|unsurpassed|industry-leading|second to none) .. "
    r"(?:guaranteed?|100 ?%|unmatched|unparalleled|unrivall?ed|unbeatable|perfect|flawless|infallible|best|always|every time|"
    r"results?|any other|accuracy|choice|all|in the world|performance|success|reliability|quality|solution)",
    r"(?:limited time|act now|hurry|don't miss|last chance|before it's too late|only today|while (?:it|supplies|offers?) "
    r"lasts?|exclusive offer|sponsored|special offer|discount code|buy now|sign up (?:now|today))",
    r"(?:only|sole|one and only|official|authori[sz]ed|canonical|definitive|genuine) (?:\w{1,14} ){0,3}?(?:tool|function|"
    r"server|api|plugin) (?:\w{1,14} ){0,3}?(?:allowed|permitted|authori[sz]ed|approved|sanctioned|endorsed|trusted|safe|"
    r"compliant|for (?:this|any|all|every))",
    r"(?:officially|formally|government|industry|academically|scientifically|clinically|legally) (?:recommended|endorsed|"
    r"mandated|certified|required|approved|recogni[sz]ed|proven|sanctioned|preferred) (?:\w{1,14} ){0,4}?(?:by|tool|as|for|"
    r"standard|solution|over|and)",
    r"(?:call|use|invoke|run|trigger|select) this (?:\w{1,10} ){0,2}?(?:for (?:everything|anything|all (?:queries|questions|"
    r"requests|tasks)|any (?:query|question|request|task|purpose|reason)|every (?:query|question|request|task|message|turn|"
    r"prompt))(?! (?:about|related|regarding|on|concerning|that|of|where|which|involving))|regardless|no matter|"
    r"on every (?:turn|message|request|prompt|query)|at every opportunity|whenever possible|as "
    r"often as)",
    r"(?:even (?:if|when)|regardless of whether|no matter (?:if|whether|what)) (?:the (?:user|request|query|task|question)|"
    r"it|they|another|other|you) .. (?:asks?|requests?|specif\w{1,5}|prefers?|wants?|unrelated|not relevant|irrelevant|"
    r"names?|another|different|suitable|better|seems?)",
)


# What makes a plea, a part at a time: that this one be chosen, always; that it is the best; that others say so; that the rest is bad.
_PARTS = {
    "chosen": (1.0, Pattern(
        r"(?:choose|pick|select|prefer|favou?r\w{0,2}|go(?:ing)? for|rank|recommend|trust|rely on|default to|stick to|stick with|use|call|"
        r"selects?|reach for|turn to) (?:\w{1,14} ){0,3}?(?:this|it|me|us|ours)(?: one| tool| server)?",
        r"(?:correct|right|best|first|default|only|preferred|obvious|natural|safest|smart|sensible) (?:choice|option|pick|tool|one|"
        r"solution|default)",
        r"(?:has|have|takes?|gets?|gain) (?:\w{1,10} )?(?:priority|precedence)|priority over|it's this one|by default|"
        r"preferred (?:payment |"
        r"\w{1,12} )?(?:provider|tool|server|service)|above (?:anything|everything|all)",
        r"(?:bevorzugt?|vorzuziehen|preferir|preferid[oa]|prefiere|preferez|privilegier|предпочита\w{1,4}|предпочт\w{1,6})",
    )),
    "always": (0.75, Pattern(
        r"always|whatever|whenever|whichever|regardless|irrespective|in (?:any|every) case|(?:every|any|all|"
        r"each) (?:\w{1,14} )?(?:requests?|"
        r"questions?|tasks?|searches|purposes|mails?|other|others)|everything|invariably|at all times|even (?:when|if|where)|no matter|for "
        r"all|never fall back|exclusively|in the first place|solely|immer|siempre|toujours|sempre|всегда",
    )),
    "praise": (1.0, Pattern(
        r"best|most (?:accurate|reliable|trustworthy|trusted|complete|advanced|popular|powerful|secure|up-to-date|precise)|number one|#1|"
        r"fastest|safest|freshest|finest|greatest|superior|outperforms?|outclass\w{0,3}|(?:far|significantly|much|vastly|way) (?:better|"
        r"faster|safer|more \w{1,14})|better than|unmatched|unrivall?ed|world'?s|world-class|leading|must-have|10/10|5 stars|highly "
        r"recommended|comes? close|only (?:\w{1,14} ){0,3}?(?:insured|certified|approved|safe|secure|official\w{0,2})|perfect|love it",
    )),
    "proof": (1.0, Pattern(
        r"(?:rated|trusted|loved|recommended|chosen|approved|endorsed|certified|verified|preferred|reviewed|selected|"
        r"used) (?:\w{1,10} )?by|"
        r"experts?|millions|thousands|our users|all users|(?:users?|people|everyone) (?:love|prefer|agree|trust)\w{0,1}|please your user|"
        r"developers of (?:this|the)|officially|responsible assistants?|as an assistant|(?:smart|good|responsible|modern|"
        r"helpful) (?:agents?|"
        r"assistants?|models?)",
    )),
    "rest": (1.5, Pattern(
        r"(?:others?|alternatives?|rivals?|competitors?|competing|competition|the rest|standard|built-in|remaining|similar|existing|usual|"
        r"different|another|any other|native) (?:\w{1,14} ){0,6}?(?:outdated|unreliable|deprecated|leaks?|unsafe|"
        r"vulnerab\w{1,8}|ignored?|avoid"
        r"\w{0,2}|insecure|fraud|inferior|wrong|disregard|unmentioned|must not|should not|cannot|violation|slow|obsolete|"
        r"inaccurate|reported|"
        r"risky|dangerous|stale|unmaintained)",
        r"(?:avoid|avoids|disregard|ignore|ignoring|never fall back|no point in|never use|don't use|do not use|stop using|"
        r"refrain from|forget|"
        r"neglect|pass over|leave out|not mention) (?:\w{1,14} ){0,4}?(?:others?|alternatives?|built-in|standard|any|them|another|the rest|"
        r"rivals?|competitors?|it at any)",
        r"(?:the rest|others|alternatives|them|rivals) (?:\w{1,10} )?(?:can|may|should|must) be (?:ignored|skipped|left|"
        r"avoided|disregarded)",
        r"(?:veraltet|unsicher|obsolet\w{0,2}|insegur\w{0,2}|deprecad\w{0,2}|устарел\w{0,2}|небезопасн\w{0,3})",
    )),
}  # fmt: skip
_WINDOW = 3
"""Sentences in a row that make one plea."""

_PLEA = 3.0
_CHOOSE = ("choose", "use", "pick", "select", "prefer", "is", "with", "trust", "recommend")


def _plea(text: Text, definition: Definition) -> Iterator[tuple[int, int]]:
    """Find sentences in a row with enough parts of a plea."""
    said, sentences = text.folded.text, text.sentences
    if not text.is_top or not sentences:
        return
    own_name = definition.name.lower()
    # Somebody has to choose, or somebody else is bad: without, it is plain advertisement.
    spans = {name: [match.span() for match in _PARTS[name][1].finditer(said)] for name in ("chosen", "rest")}
    if "_" in own_name and not spans["chosen"]:
        spans["chosen"] = [(place, place) for place in (said.find(f"{verb} {own_name}") for verb in _CHOOSE) if place >= 0]
    if not spans["chosen"] and not spans["rest"]:
        return
    spans |= {
        name: [match.span() for match in pattern.finditer(said)] for name, (_, pattern) in _PARTS.items() if name not in spans
    }
    for index, (start, _) in enumerate(sentences):
        end = sentences[min(index + _WINDOW, len(sentences)) - 1][1]
        if end - start > 600:
            continue
        weight = sum(_PARTS[name][0] for name, found in spans.items() if any(start <= at_ < end for at_, _ in found))
        if weight >= _PLEA:
            yield start, end
            return


def _text(text: Text, definition: Definition) -> Iterator[Finding]:
    if text.kind in {NAME, PROPERTY}:
        return
    for count, match in enumerate(_SURE.finditer(text.folded.text)):
        start, end = match.span()
        begin = max(text.folded.text.rfind("\x1e", 0, start), 0)
        sure = LOW if within(text, "quotes", begin, start) else MEDIUM
        yield at(text, (start, end), SLUG, MEDIUM, sure, f"presses to be chosen: {quoted(text, start, end)}")
        if count + 1 >= MOST:
            return
    for start, end in _plea(text, definition):
        yield at(text, (start, end), SLUG, MEDIUM, MEDIUM, f"pleads to be chosen over others: {quoted(text, start, end)}")


RULE = Rule(SLUG, "Praise, authority or pressure to be chosen", text=_text)
