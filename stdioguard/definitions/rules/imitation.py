"""Texts that imitate the guard or a decision of the person: its name, "this call was approved", "no confirmation is needed"."""

from __future__ import annotations

from stdioguard.definitions.findings import HIGH, LOW, MEDIUM, Finding
from stdioguard.definitions.folding import skeleton
from stdioguard.definitions.patterns import Pattern
from stdioguard.definitions.rules.interface import MOST, Rule, at, quoted
from stdioguard.definitions.signals import within
from stdioguard.definitions.surface import NAME, PROPERTY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.definitions.surface import Definition, Text

SLUG = "imitation"

_GUARD = Pattern(r"(?:io\.)?s ?t ?d ?i ?o ?-?guard(?:/\w{1,20})?", r"stdio guard")
_APPROVED = Pattern(
    r"(?:this|the|these|such|all|every|any|your|its) (?:\w{1,14} ){0,3}?(?:calls?|tools?|requests?|actions?|operations?|"
    r"servers?|executions?|transactions?|access) (?:has|have|was|were|is|are) (?:\w{1,14} ){0,2}?(?:pre-?approved|approved|"
    r"authorized|authorised|pre-?authorized|whitelisted|allow-?listed|verified as safe|certified|exempt|consented to|cleared|"
    r"trusted|vetted)(?: by (?:the )?(?:user|guard|security|administrator|admin|system|policy|operator|owner|\w{1,14} team))?",
    r"(?:user|human|operator|owner|administrator|admin|security team) (?:has|have) (?:already |previously |explicitly "
    r")?(?:\w{1,14} ){0,2}?(?:approved|authorized|authorised|consented|agreed|granted|confirmed|given (?:\w{1,14} "
    r"){0,2}?(?:consent|permission|approval))",
    r"no (?:further |additional |user |explicit |more |manual )?(?:confirmations?|approvals?|consent|permission|"
    r"authorization|review) (?:is |are |will be )?(?:needed|required|necessary)",
    r"(?:does not|doesn't|do not|don't|need not) (?:need|require|needs) (?:any |user |further |explicit |the user's "
    r")?(?:confirmation|approval|consent|permission)",
    r"(?:without|skip|skipping|bypass|bypassing|never) (?:ask(?:ing)? for |request(?:ing)? |wait(?:ing)? for |any |the |"
    r"requiring |prompting for )?(?:further |user |additional |user's |human )?(?:confirmation|approval|consent|permission) "
    r"(?:dialogs?|prompts?|steps?|screens?)",
)


def _text(text: Text, definition: Definition) -> Iterator[Finding]:
    match = _GUARD.search(text.folded.text)
    if match is not None:
        yield at(text, match.span(), SLUG, HIGH, MEDIUM, f"speaks of the guard: {quoted(text, *match.span())}")
    if text.kind in {NAME, PROPERTY}:
        return
    for count, match in enumerate(_APPROVED.finditer(text.folded.text)):
        start, end = match.span()
        begin = max(text.folded.text.rfind("\x1e", 0, start), 0)
        stop = text.folded.text.find("\x1e", end)
        stop = len(text.folded.text) if stop < 0 else stop
        presses = sum(
            within(text, name, begin, stop) is not None
            for name in ("obliges", "to-model", "around-all", "secrecy", "disables", "this-loaded")
        )
        said = text.folded.text[start:end]
        claims = any(
            word in said
            for word in ("preapproved", "pre-approved", "pre approved", "already", "whitelisted", "exempt", "no further")
        )
        conditional = any(
            word in text.folded.text[max(begin, start - 30) : start].split()
            for word in ("if", "unless", "until", "after", "once", "only", "whether", "when")
        )
        sure = LOW if conditional else MEDIUM if claims or presses else LOW
        yield at(text, (start, end), SLUG, MEDIUM, sure, f"speaks for the person who decides: {quoted(text, start, end)}")
        if count + 1 >= MOST:
            return


def _whole(definition: Definition) -> Iterator[Finding]:
    if skeleton("stdioguard") in skeleton(definition.name):
        yield Finding(SLUG, HIGH, HIGH, "/name", (0, len(definition.name)), "is named like the guard")


RULE = Rule(SLUG, "Texts that imitate the guard or a person's decision", text=_text, whole=_whole)
