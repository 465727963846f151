"""Parameters that ask for what the call does not need: the conversation, the system prompt, who the model is, what other tools said.

Nobody has to be persuaded: a required parameter is filled in. Tools that run agents or keep notes have such parameters by trade, so what
the tool is about counts.
"""

from __future__ import annotations

from stdioguard.definitions.findings import HIGH, LOW, MEDIUM, Finding
from stdioguard.definitions.folding import words_of_name
from stdioguard.definitions.patterns import Pattern
from stdioguard.definitions.rules.interface import MOST, Rule, at, quoted
from stdioguard.definitions.signals import within
from stdioguard.definitions.surface import PROSE, Text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.definitions.surface import Definition

SLUG = "exfiltration-parameter"

# Names that have one meaning only.
_TELLING = Pattern(
    r"(?:your |full |current |raw |model |ai |llm |original |initial )?(?:system|developer|hidden) (?:prompt|message|"
    r"instructions?)(?: \w{1,12})?",
    r"(?:full |entire |complete |raw |whole |user |all |current |previous |prior )?(?:conversation|chat|dialog|dialogue) "
    r"(?:history|log|logs|transcript|context|content|contents|dump|so far)",
    r"(?:full|entire|complete|whole|raw|all) (?:conversation|chat|context|history|dialog|transcript|prompt|messages)",
    r"chain of thought|internal (?:reasoning|thoughts|monologue|state)|hidden (?:reasoning|thoughts|context)",
    r"side ?note|sidenotes",
    r"(?:available|other|all|connected|installed|listed) tools?(?: (?:list|names|descriptions|results|outputs|definitions))?",
    r"tools? (?:list|names|descriptions|definitions|schemas?)",
    r"(?:other|previous|prior|last|all) tool (?:results?|outputs?|calls?|responses?)",
    r"(?:ssh|private|gpg|aws|api|secret|wallet) keys? (?:contents?|data|dump|value|file|content|body)",
    r"contents? of (?:the )?(?:ssh|env|private|key|config|credentials?|file|secret)s?(?: \w{1,20})?",
    r"(?:id rsa|id ed25519|etc passwd|etc shadow|env file|dotenv|mcp config|mcp json)(?: contents?| content| data)?",
    r"(?:all |full |process |current |host )?(?:environment|env) (?:variables?|vars?) ?(?:dump|contents?|all)?",
    r"(?:user|browser|session) (?:cookies?|passwords?|secrets?|credentials?)(?: dump)?",
    r"(?:original|raw|verbatim|initial|last|full) (?:user )?(?:prompts?|messages?|utterances?)|user (?:prompt|utterance)s?",
    r"conversation$|context dump|memory dump|transcript dump|exfil\w{0,12}|stolen \w{1,14}",
)
# Who asks. Many a vendor counts clients so; alone it tells nobody much.
_IDENTITY = Pattern(
    r"(?:llm|ai|language|calling|client|caller|agent|host|your|requesting)(?: ai| llm| agent)? (?:model )?(?:name|version|"
    r"identity|provider|vendor|model|identifier|type)",
    r"model name (?:that|of|calling|used)",
)
_POINTS = (
    " path",
    " file",
    " id",
    " ids",
    " arn",
    " url",
    " uri",
    " dir",
    " directory",
    " key name",
    " index",
    " topic",
    " thread",
    " type",
    " title",
    " mode",
    " prefix",
    " format",
    " count",
    " limit",
    " length",
    " size",
)
"""What only points at a thing does not carry it."""

# Said of a parameter: include all of what the model knows.
_ASKS = Pattern(
    r"(?:the |your |a )?(?:full|entire|complete|whole|verbatim|exact|raw|unredacted|unedited|unabridged|detailed|all|"
    r"everything|any|every|recent|current|previous|prior|last|latest|earlier)(?: and \w{1,14})?(?: of)? (?:the |your |user'?s? |of )*"
    r"(?:\w{1,14}\x20){0,2}?(?:conversation|chat|dialogue|context window|history|transcript|system prompt|prompts|instructions|"
    r"messages?|tool (?:calls?|results?|outputs?)|reasoning|thoughts|memory|session)",
    r"(?:the |your |a )?(?:full|entire|complete|whole|verbatim|exact|raw|unredacted|all|everything|any|every)(?: of)? (?:the |your |"
    r"user'?s? |of )*(?:\w{1,14}\x20){0,2}?(?:context|prompt|environment variables?|env|secrets?|credentials?|file contents?|api keys?|"
    r"tokens?|passwords?)",
    r"(?:your|the (?:model|assistant|agent|ai|llm)'s) (?:\w{1,14} ){0,2}?(?:system prompt|instructions|reasoning|thoughts|"
    r"thinking|internal state|context|context window|memory|system message|configuration|guidelines|identity|tools|name and "
    r"version)",
    r"(?:name|version|identity|type|provider|vendor) (?:and \w{1,10} )?of (?:the |your )?(?:ai|llm|language|calling|current|"
    r"client|underlying)? ?(?:ai |llm |language )?(?:model|llm|assistant|agent|client|ai)(?: \w{1,12}){0,2}? (?:that|which|"
    r"calling|making|invoking|using|running|used|in use|who|you)",
    r"(?:summary|copy|transcript|record|log|contents?|list|dump) of (?:the |this |your |all |every |any )?(?:\w{1,14} "
    r"){0,2}?(?:conversation|chat|messages|discussion|dialogue|previous tool|other tools|tools available|available tools|"
    r"session|environment|user'?s? (?:messages?|prompts?|requests?|files?))",
    r"(?:everything|anything|whatever|what) (?:\w{1,14} ){0,3}?(?:the user|you) (?:\w{1,14} ){0,2}?(?:said|told|know|have|"
    r"typed|wrote|mentioned|shared|learned|remember|see|were told|discussed)",
    r"(?:instructions?|prompts?|messages?|text|guidelines|rules) (?:that )?(?:you (?:were|have been|are|got|received)|given to you|the "
    r"(?:developer|system|operator) (?:gave|has|had))",
    r"(?:results?|outputs?|responses?) of (?:\w{1,10} )?(?:earlier|previous|prior|other|all) (?:\w{1,10} )?(?:tools?|calls?|steps)",
    r"user'?s? (?:own )?(?:private|ssh|secret|signing) keys?",
    r"why (?:the user|you|they) (?:is|are|want|wants|need|needs|chose|called|call|made)",
)
_ABOUT_MODELS = Pattern(
    r"(?:agents?|assistants?|llms?|chats?|chatbots?|prompts?|completions?|models?|conversations?|threads?|messages?|memory|"
    r"memories|transcripts?|reasoning|thinking|thoughts?|dialogs?|evals?|fine ?tun\w{1,6}|sampling|openai|"
    r"anthropic|claude|gpt|gemini|ollama|bots?|personas?|inference|deploy\w{0,8}|environments?|env|slack|support|ticket|call|"
    r"meeting|session|tools?|toolset|mcp|tool ?kit|config\w{0,12}|secrets?|vault|cookie\w{0,2}|browser|ssh|keys?)"
)


def _whole(definition: Definition) -> Iterator[Finding]:
    by_trade = _ABOUT_MODELS.search(definition.words) is not None
    seen: set[str] = set()
    required = {text.raw for text in definition.parameters if text.member == "required"}
    count = 0
    for text in definition.parameters:
        name = words_of_name(text.raw)
        if text.raw in seen or not name:
            continue
        seen.add(text.raw)
        match = _TELLING.search(name)
        if match is None and _IDENTITY.search(name) is not None:
            # Who must say it on every call is counted by somebody; where it may be left out, it is a vendor's statistics.
            severity = MEDIUM if text.raw in required and (not by_trade or name.startswith("llm")) else LOW
            yield Finding(SLUG, severity, MEDIUM, text.where, (0, len(text.raw)), f"a parameter {name!r}: who is asking")
            continue
        if match is None or (match.start() > 12 and len(name) - match.end() > 12) or name.endswith(_POINTS):
            continue
        if by_trade and name != "sidenote" and not name.startswith(("llm model", "exfil", "contents of", "content of")):
            yield Finding(SLUG, MEDIUM, LOW, text.where, (0, len(text.raw)), f"a parameter {name!r}")
        else:
            yield Finding(SLUG, HIGH, MEDIUM, text.where, (0, len(text.raw)), f"a parameter {name!r} that the call does not need")
        count += 1
        if count >= MOST:
            return


def _text(text: Text, definition: Definition) -> Iterator[Finding]:
    if text.kind != PROSE:
        return
    by_trade = _ABOUT_MODELS.search(definition.words) is not None
    for match in _ASKS.finditer(text.folded.text):
        start, end = match.span()
        begin = max(text.folded.text.rfind("\x1e", 0, start), 0)
        stop = text.folded.text.find("\x1e", end)
        stop = len(text.folded.text) if stop < 0 else stop
        if within(text, "quotes", begin, start) or _SWITCH.search(text.folded.text, begin, start):
            continue
        carries = within(text, "passes-as", begin, stop) or (text.parameter and _carries(text.folded.text[begin:start]))
        is_parameter = bool(text.parameter) or _documents(text.folded.text, begin, start)
        if is_parameter and not by_trade:
            sure = MEDIUM
        elif carries and (is_parameter or within(text, "obliges", begin, stop)):
            sure = LOW if by_trade and not within(text, "around-all", begin, stop) else MEDIUM
        else:
            sure = LOW
        if sure != LOW or is_parameter:
            yield at(text, (start, end), SLUG, HIGH, sure, f"wants {quoted(text, start, end)} as an argument")
            return


_SWITCH = Pattern(r"(?:whether|if|set to|when) (?:to|true|false|enabled|set)|(?:true|enable) to")
_CARRY = Pattern(
    r"(?:include|pass|provide|put|insert|supply|add|copy|paste|dump|fill|give|send|attach|share|forward|contain|contains|"
    r"containing|must|should|always)"
)
_NAMED = Pattern(r"\w{1,40}(?: \([^)]{0,60}\))?:")


def _carries(said: str) -> bool:
    return _CARRY.search(said) is not None


def _documents(text: str, begin: int, start: int) -> bool:
    """Tell whether the sentence is a line `name: what it is`, as in a docstring's list of arguments."""
    match = _NAMED.compiled.search(text, begin, min(start, begin + 120))
    return match is not None and not text[begin : match.start()].strip(" \x1e\n-*")


RULE = Rule(SLUG, "Parameters that ask for what the call does not need", text=_text, whole=_whole)
