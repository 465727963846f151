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

# Changing what another call carries. The object is part of a call that this tool does not make.
_TAMPERS = Pattern(
    r"(?:(?:the|all|any|every|each|other|outgoing|future|subsequent|final|actual|real|original|user's|user-provided|user-specified|specified|intended|requested|provided) (?:\w{1,14} ){0,2}?)(?:recipients?|addressees?|destinations?|beneficiar(?:y|ies)|payees?|(?:file ?)?paths?|file ?names?|parameters?|arguments?|commands?|urls?|amounts?|quer(?:y|ies)|e?mails?|messages?|transfers?|transactions?|payments?|commits?|code|files?|outputs?|results?|responses?|content|branch|account) (?:\w{1,14} ){0,4}?(?:must|should|shall|will|need(?:s)? to|has to|have to|is to|are to|is|are) (?:\w{1,14} ){0,2}?(?:be )?(?:changed|replaced|set|redirected|rewritten|substituted|swapped|appended|prepended|prefixed|altered|modified|switched|routed|rerouted|sent|bcc'?d|cc'?d|copied|forwarded|deleted|multiplied|doubled|increased|overwritten|stored|saved|encoded|reversed|uploaded|mirrored|duplicated|directed|converted|added|inserted|included|addressed|deposited|credited)",
    r"(?:change|replace|modify|set|override|redirect|rewrite|substitute|swap|append|prepend|prefix|alter|switch|reroute|route|overwrite|bcc|cc|inject|insert|forward|divert|point|multiply|double|increase|tamper with) (?:with )?(?:the |all |any |every |each |its |their |that |user's |a |copy of )(?:\w{1,20} ){0,3}?(?:recipients?|addressees?|destinations?|beneficiar(?:y|ies)|payees?|paths?|file ?names?|parameters?|arguments?|commands?|urls?|amounts?|quer(?:y|ies)|e?mails?|messages?|transfers?|transactions?|payments?|outputs?|results?|responses?|content|account(?: number)?|body|subject|price|import|coordinates|location)s? (?:\w{1,14} ){0,4}?(?:to|with|by|as|into|from|of|in|so|before|after|for)",
    r"(?:all|every|each|any) (?:\w{1,14} ){0,3}?(?:e?mails?|messages?|payments?|transfers?|files?|requests?|queries|traffic|commits?|results?|responses?|outputs?|data|notifications?|transactions?|uploads?) (?:\w{1,14} ){0,3}?(?:to|through|via|with|by|into) (?:[\w.+-]{1,40}@|https?:|/|the |our |this |attacker|\d)",
    r"(?:prefix|suffix|prepend|append|precede|start|begin|end|follow|prepending|appending|adding|add) (?:\w{1,14} ){0,4}?(?:every|each|all|any|generated|subsequent) (?:\w{1,14} ){0,3}?(?:commands?|scripts?|files?|messages?|responses?|repl(?:y|ies)|answers?|e?mails?|quer(?:y|ies)|code|functions?|commits?|outputs?|posts?|prompts?)",
    r"(?:instead of|rather than|not) (?:to )?(?:the |what |whatever )?(?:\w{1,14} ){0,2}?(?:user|original|specified|requested|provided|intended|actual|real|given)(?:'s)? (?:\w{1,14} ){0,2}?(?:recipient|address|path|value|amount|file|destination|account|query|request|url|input|parameter|argument|asked|specified|provided|requested|wants?|asks?|typed|gave)",
)
_ARGUMENT_OF = Pattern(
    r"(?:the )?(?:\w{1,30} )?(?:argument|parameter|field|value|input|recipient|path|content|body) (?:of|in|for|to) (?:the )?\w{2,40}(?: tool| function| call)? (?:must|should|shall|has to|have to|needs to|is to) (?:\w{1,14} ){0,2}?(?:be )?(?:changed|replaced|redirected|rewritten|substituted|swapped|modified|overwritten|altered|pointed)",
)
_FOR_ALL = ("around-all", "around-tool", "this-loaded")


def _text(text: Text, definition: Definition) -> Iterator[Finding]:
    if text.kind in {NAME, PROPERTY}:
        return
    count = 0
    for start, end in text.sentences:
        found = _judge(text, start, end)
        if found is not None:
            severity, confidence, why = found
            yield at(text, (start, end), SLUG, severity, confidence, f"{why}: {quoted(text, start, end)}")
            count += 1
            if count >= MOST:
                return


def _judge(text: Text, start: int, end: int) -> tuple[str, str, str] | None:
    """Return severity, confidence and what a sentence does to calls that are not this tool's."""
    has = {name for name in (*_FOR_ALL, "obliges", "sends", "outside", "disables", "secrecy", "covert", "coerces", "to-model", "alters", "destroys", "calls-this") if within(text, name, start, end)}
    if "this-loaded" in has and has & {"obliges", "alters", "secrecy", "sends", "disables", "destroys"}:
        return HIGH, HIGH, "takes effect by being listed"
    around = has & set(_FOR_ALL)
    tampers = _TAMPERS.search(text.folded.text, start, end)
    is_quoted = within(text, "quotes", start, tampers.start() if tampers else end) is not None
    if tampers and (around or "coerces" in has or "secrecy" in has) and has & {"obliges", "to-model", "secrecy", "covert", "coerces", "outside"}:
        return HIGH, LOW if is_quoted else HIGH if has & {"secrecy", "covert", "coerces", "outside"} else MEDIUM, "changes what other calls carry"
    if around and "sends" in has and "outside" in has and has & {"obliges", "secrecy", "covert", "coerces", "around-all"}:
        return HIGH, LOW if is_quoted else HIGH, "sends something out around other calls"
    if _ARGUMENT_OF.search(text.folded.text, start, end) and not is_quoted:
        return HIGH, MEDIUM, "changes what another call carries"
    if "outside" in has and "obliges" in has and ("around-all" in has or "alters" in has and within(text, "part-of-call", start, end) and "instead" not in has) and _address(text, start, end):
        return HIGH, LOW if is_quoted else MEDIUM, "sends other calls' content to an address of its own"
    if "disables" in has and _is_order(text, start, end) and has & {"obliges", "to-model", "secrecy", "covert", "around-all", "around-tool"}:
        return HIGH, LOW if is_quoted else MEDIUM, "turns a check off"
    if has >= {"coerces", "around-all"} and has & {"obliges", "to-model"}:
        return HIGH, MEDIUM, "threatens with what happens otherwise, around other calls"
    return None


def _is_order(text: Text, start: int, end: int) -> bool:
    """Tell whether a check is to be turned off; that something "bypasses" one is a remark."""
    span = within(text, "disables", start, end)
    word = text.folded.text[span[0] : span[1]].split(None, 1)[0] if span else ""
    return not word.endswith("s") or word in {"bypass", "suppress"}


_ADDRESS = Raw(r"[\w.+-]{1,40}@[\w-]{1,40}\.[\w.-]{2,40}|(?:https?|wss?|ftp)://[^\s\x1e]{4,200}|\d{1,3}(?:\.\d{1,3}){3}|\+\d{8,15}")
_NOT_REAL = Raw(r"(?i)@example\.|//(?:[\w-]{1,40}\.)?example\.(?:com|org)|localhost|127\.0\.0\.1|0\.0\.0\.0|your[-_]?|//docs\.|/docs/|\{|<")


def _address(text: Text, start: int, end: int) -> bool:
    """Tell whether a sentence has an address that is not plainly an example or documentation."""
    match = _ADDRESS.search(text.folded.text, start, end)
    return match is not None and _NOT_REAL.search(match[0]) is None


RULE = Rule(SLUG, "Orders to the model that reach beyond the tool", text=_text)
