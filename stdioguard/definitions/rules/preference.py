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
    r"(?:(?:please )?(?:choose|pick|select|use) (?:me|us)|i (?:will|would|am|'ll) (?:be )?(?:\w{1,14} ){0,2}?(?:sad|grateful|"
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
    r"prompt))|regardless|no matter|on every (?:turn|message|request|prompt|query)|at every opportunity|whenever possible|as "
    r"often as)",
    r"(?:even (?:if|when)|regardless of whether|no matter (?:if|whether|what)) (?:the (?:user|request|query|task|question)|"
    r"it|they|another|other|you) .. (?:asks?|requests?|specif\w{1,5}|prefers?|wants?|unrelated|not relevant|irrelevant|"
    r"names?|another|different|suitable|better|seems?)",
)


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


RULE = Rule(SLUG, "Praise, authority or pressure to be chosen", text=_text)
