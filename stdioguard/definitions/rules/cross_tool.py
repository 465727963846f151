"""Steering of other tools: this tool before any other, others never, others only in this way.

Tools of one server do name each other ("call list_tables first"). What counts here is a claim on tools that are not the server's:
any, every or all other tools, a whole kind of operation, or a tool that another server is known to offer.
"""

from __future__ import annotations

from stdioguard.definitions.findings import HIGH, LOW, MEDIUM
from stdioguard.definitions.folding import words_of_name
from stdioguard.definitions.patterns import Pattern, Raw
from stdioguard.definitions.rules.interface import MOST, Rule, at, quoted
from stdioguard.definitions.rules.out_of_place import names_itself
from stdioguard.definitions.signals import within
from stdioguard.definitions.surface import NAME, PROPERTY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.definitions.findings import Finding
    from stdioguard.definitions.surface import Definition, Text

SLUG = "cross-tool"

_FIRST_OF_ALL = Pattern(
    r"(?:before|prior to|ahead of) (?:\w{1,14} ){0,3}?(?:any|every|each|all) (?:of the )?(?:other |further |user |\w{1,14} "
    r"){0,3}?(?:tools?|functions?|actions?|operations?|requests?|tasks?|queries|responses?|answers?|commands?|messages?|"
    r"transactions?|access|plugins?|calls?)",
    r"(?:before|prior to) (?:using|calling|invoking|executing|running) (?:any(?:thing)?|every|each|all|other|another) "
    r"(?:\w{1,14} ){0,3}?(?:tools?|functions?|servers?|else|operations?|commands?)?",
    r"(?:after|following|alongside|together with|in addition to|on) (?:\w{1,14} ){0,2}?(?:any|every|each|all) (?:other |"
    r"further |\w{1,14} ){0,2}?(?:tools?|functions?|actions?|tool calls?|operations?|requests?|invocations?)",
    r"(?:at the (?:start|beginning|end) of|on|for|in|with) (?:every|each) (?:\w{1,14} )?(?:conversation|session|chat|turn|"
    r"message|response|reply|interaction|request|query|task|prompt)",
    r"(?:whenever|every time|each time|any time) (?:you|the (?:user|agent|assistant|model)|any|a|an|another|other) "
    r"(?:\w{1,14} ){0,5}?(?:tools?|functions?|files?|messages?|emails?|requests?|quer(?:y|ies)|anything|question|code|"
    r"commands?|data|operations?)",
)
_INSTEAD_OF_OTHERS = Pattern(
    r"(?:do not|don't|never|avoid|stop|refrain from|must not|should not|cease) (?:\w{1,14} ){0,2}?(?:use|call|invoke|using|"
    r"calling|invoking|trust|trusting|select|choose|run) (?:any |all |the )?(?:other|another|alternative|competing|different|"
    r"similar|built-in|native|original|official|existing) (?:\w{1,20} ){0,3}?(?:tools?|functions?|servers?|one|plugins?|"
    r"apis?|options?|alternatives?|methods?|versions?)",
    r"(?:instead of|rather than|in place of|over|not|replacing|replaces|supersedes|superseding|overrides) (?:any |all |the |"
    r"every )(?:other|others|another|alternative|competing|different|similar|existing|built-in|native|original) (?:\w{1,20} "
    r"){0,3}?(?:tools?|functions?|servers?|plugins?|apis?|options?|alternatives?|methods?|versions?|implementations?)",
    r"(?:all |the |any )?(?:other|existing|previous|original|old|alternative|competing|built-in|similar) (?:\w{1,20} "
    r"){0,2}?(?:tools?|functions?|servers?|versions?|implementations?) (?:\w{1,20} ){0,3}?(?:is|are|has been|have been|was|"
    r"were) (?:now |all |currently |officially |no longer |not )?(?:\w{1,14} and )?(?:deprecated|unsafe|insecure|outdated|"
    r"obsolete|broken|disabled|unreliable|vulnerable|compromised|removed|unavailable|malicious|dangerous|inaccurate|slow|"
    r"inferior|blocked|safe|reliable|supported|trustworthy|available|maintained|working)",
    r"(?:all |the |any )?(?:other|existing|alternative|competing|built-in|similar|original) (?:\w{1,20} ){0,2}?(?:tools?|"
    r"functions?|servers?) (?:return|returns|give|gives|produce|produces|yield|deliver|have|contain|leak|lose|corrupt|fail|"
    r"fails|steal|cannot|can not|do not|don't|will fail|miss|lack) ?(?:stale|wrong|incorrect|outdated|inaccurate|bad|old|"
    r"false|invalid|incomplete|corrupted?|errors?|bugs?|data|vulnerabilit\w{1,4}|be trusted|work|the results?)?",
)


def _text(text: Text, definition: Definition) -> Iterator[Finding]:
    if text.kind in {NAME, PROPERTY}:
        return
    count = 0
    others = _names_of_others(definition)
    for start, end in text.sentences:
        found = _judge(text, start, end, others, definition)
        if found is not None:
            severity, confidence, why = found
            yield at(text, (start, end), SLUG, severity, confidence, f"{why}: {quoted(text, start, end)}")
            count += 1
            if count >= MOST:
                return


def _names_of_others(definition: Definition) -> set[str]:
    own = {words_of_name(other.name) for other in definition.others if other.server == definition.server}
    names = {words_of_name(other.name) for other in definition.others if other.server != definition.server}
    return {name for name in names - own if " " in name}


def _judge(text: Text, start: int, end: int, others: set[str], definition: Definition) -> tuple[str, str, str] | None:
    said = text.folded.text
    obliges = within(text, "obliges", start, end) is not None
    this = within(text, "calls-this", start, end) is not None
    if others:
        words = words_of_name(said[start : min(end, start + 400)])
        named = next((name for name in others if f" {name} " in f" {words} "), None)
        if named is not None:
            acts = obliges or any(within(text, name, start, end) for name in ("alters", "secrecy", "disables", "destroys"))
            return HIGH if acts else MEDIUM, MEDIUM if acts else LOW, f"speaks of another server's tool, {named!r}"
    instead = _INSTEAD_OF_OTHERS.search(said, start, end)
    if instead is not None:
        return (
            MEDIUM,
            LOW
            if _own_field(instead[0], definition) or _built_in(instead[0])
            else MEDIUM
            if this
            or obliges
            or (instead[0].startswith(("do", "never", "must", "refrain", "cease", "stop")) and " other" in instead[0])
            or any(
                word in instead[0]
                for word in (
                    "deprecated",
                    "unsafe",
                    "stale",
                    "wrong",
                    "outdated",
                    "inaccurate",
                    "insecure",
                    "unreliable",
                    "malicious",
                )
            )
            else LOW,
            "sets other tools aside",
        )
    first = _FIRST_OF_ALL.search(said, start, end)
    if first is not None and (this or names_itself(said[start:end], definition)) and obliges:
        own = _own_field(said[first.start() : min(end, first.end() + 40)], definition)
        return MEDIUM, LOW if own else MEDIUM, "wants to be called around every other call"
    if first is not None and obliges and within(text, "to-model", start, end):
        return MEDIUM, LOW, "orders the model around every other call"
    return None


_FIELD = Raw(
    r"(?:on|in|with|within|for|of|to|using) (?:the |this |your |its )?([a-z]{3,20})(?: tools?| api| server| data)?|([a-z]{3,20}) tools?"
)


def _built_in(claim: str) -> bool:
    """Tell whether only what the client has by itself is replaced, which honest tools for coding offer; to run it down is more."""
    return _CLIENT.search(claim) is not None


_CLIENT = Raw(
    r"^(?:instead of|rather than|in place of|over|not|replacing|replaces) (?:the )(?:built-in|native|existing|original)"
)
_NO_FIELD = frozenset(
    {"any", "all", "every", "each", "other", "this", "the", "tool", "tools", "user", "users", "agent", "file", "files", "data", "request",
     "requests", "system", "session", "conversation", "chat", "response", "message", "messages", "task", "tasks", "question", "questions",
     "action", "actions", "operation", "operations"}
)  # fmt: skip


def _own_field(claim: str, definition: Definition) -> bool:
    """Tell whether a claim is narrowed to what the tool is about: "before any action on the page", "before any HubSpot tool"."""
    words = set(definition.words.split()) | set(words_of_name(definition.name).split())
    return any(word in words - _NO_FIELD for match in _FIELD.finditer(claim) for word in match.groups() if word)


RULE = Rule(SLUG, "Steering of tools that are not the server's own", text=_text)
