"""Markup that a person does not see and a model does, or that passes for another speaker: comments, blocks, marks of roles.

A tool's description is one speaker's. `<IMPORTANT>`, `system:` and `<|im_start|>` claim that someone with more authority speaks.
"""

from __future__ import annotations

from stdioguard.definitions.findings import HIGH, LOW, MEDIUM, Finding
from stdioguard.definitions.patterns import Raw
from stdioguard.definitions.rules.interface import MOST, Rule
from stdioguard.definitions.surface import NAME, PROPERTY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.definitions.surface import Definition, Text

SLUG = "hidden-markup"

_ROLES = Raw(
    r"(?i)<\|(?:im_start|im_end|im_sep|system|user|assistant|endoftext|eot_id|start_header_id|end_header_id|begin_of_text|"
    r"end_of_text|eom_id|tool_call|channel|message|return)\|?>?",
    r"(?i)<</?SYS>>|\[/?INST\]|<(?:start|end)_of_turn>|</?s>\s?\[INST\]|\[/?(?:SYSTEM|ASSISTANT)(?: (?:MESSAGE|PROMPT|NOTE|"
    r"INSTRUCTION|DIRECTIVE)S?)?\]|<\uff5c(?:System|User|Assistant)\uff5c>",
    r"(?i)</?(?:system|system[-_ ](?:prompt|message|instructions?|reminder|override|note|directive)|assistant|secret|hidden|"
    r"developer|admin|internal[-_]?(?:instructions?|notes?)|hidden[-_ ]\w{1,20}|secret[-_ ]\w{1,20}|priority|directive|"
    r"override|s\u0443stem|function_results|tool_result|tool_response)>",
    r"(?im)^[ \t#>*-]{0,8}(?:system|assistant|developer|human)[ \t]?:[ \t]?(?=\S[^\n]{12})",
    r"(?i)\n\s{0,4}(?:human|assistant):\s",
    r"(?i)(?:\[|\{|<|#{1,6} ?|\*\*)(?:hidden|secret|system|admin|internal|ai|llm|agent|model|assistant|metadata|"
    r"priority)[ _-](?:directive|instructions?|override|command|prompt|note|message|rule)s?(?: for (?:ai|llm|agent|model|"
    r"assistant)s?)?(?:\]|\}|>|:|\*\*|\n)",
)
_BLOCK = Raw(
    r"(?is)<(important|instructions?|critical|mandatory|attention|urgent|warning|rules?|note[-_]to[-_](?:ai|llm|model|agent)|"
    r"ai|llm|agent|prompt|context|setup|usage[-_]?policy|requirements?|required|protocol|compliance|security|policy|notice|"
    r"prerequisites?)(?:\s[^<>]{0,60})?>(.{1,2000}?)</\1>"
)
_COMMENT = Raw(
    r"(?s)<!--(.{0,4000}?)(?:-->|\Z)", r"(?m)^\[[^\]\n]{0,40}\]:\s{0,4}(?:#|<>)\s{0,4}[(\"']([^\n]{1,2000}?)[)\"']\s*$"
)
_UNSEEN = Raw(
    r"(?is)<[a-z]{1,12}\s[^<>]{0,200}(?:display\s{0,3}:\s{0,3}none|visibility\s{0,3}:\s{0,3}hidden|font-size\s{0,3}:\s{0,3}0|"
    r"opacity\s{0,3}:\s{0,3}0(?![.\d])|color\s{0,3}:\s{0,3}(?:white|#fff(?:fff)?|transparent)|"
    r"(?<=\s)hidden(?=[\s>=]))[^<>]{0,200}>(.{0,2000}?)(?:</|\Z)"
)
_IMAGE = Raw(r"!\[[^\]\n]{0,100}\]\(https?://[^)\s]{1,300}[?&=/](?:[^)\s]{0,100})(?:\{|\$|%7b|<|=)[^)\n]{0,200}\)")
_WORDS = Raw(r"[A-Za-z]{2,40}")
_ADDRESSED = Raw(
    r"(?i)(?<!\w)(?:you|must|should|always|never|do not|don't|before|first|ignore|read|pass|send|call|include|silently|secret|"
    r"assistant|ai|llm|model|private|user|all|instruction)(?!\w)"
)
_MARKERS_IN_USE = Raw(r"(?i)(?:chat template|special tokens?|delimiters?|role markers?|strip|escape|detect|token)")


def _text(text: Text, definition: Definition) -> Iterator[Finding]:
    if text.kind in {NAME, PROPERTY} or not any(sign in text.raw for sign in "<[:#\uff5c"):
        return
    raw, count = text.raw, 0
    for match in _ROLES.finditer(raw):
        sure = (
            LOW
            if _MARKERS_IN_USE.search(raw, max(0, match.start() - 120), match.start())
            else MEDIUM
            if match[0].strip()[-1:] == ":"
            else HIGH
        )
        if match[0].strip().lower().startswith(("system:", "assistant:", "developer:", "human:")):
            sure = MEDIUM if _ADDRESSED.search(raw, match.end(), match.end() + 120) else LOW
        yield _found(text, match.span(), HIGH, sure, f"passes for another speaker: {match[0].strip()!r}")
        count += 1
        if count >= MOST:
            return
    for match in _BLOCK.finditer(raw):
        loud = match[1].lower() in {
            "important",
            "critical",
            "mandatory",
            "attention",
            "urgent",
            "instructions",
            "instruction",
            "setup",
            "required",
            "compliance",
        }
        sure = MEDIUM if loud and _ADDRESSED.search(match[2]) else LOW
        sure = MEDIUM if match[1].lower() == "important" else sure
        yield _found(text, match.span(), MEDIUM, sure, f"a block <{match[1]}> that speaks to the model", match[2])
        count += 1
        if count >= MOST:
            return
    for pattern, what in ((_COMMENT, "a comment that is not shown"), (_UNSEEN, "a text styled not to be seen")):
        for match in pattern.finditer(raw):
            said = next((group for group in match.groups() if group), "")
            words = sum(1 for _ in _WORDS.finditer(said))
            sure = LOW if words < 3 else HIGH if _ADDRESSED.search(said) else MEDIUM
            yield _found(text, match.span(), HIGH if sure == HIGH else MEDIUM, sure, what, said.strip())
            count += 1
            if count >= MOST:
                return
    image = _IMAGE.search(raw)
    if image is not None:
        yield _found(text, image.span(), HIGH, MEDIUM, "an image whose address takes data along")


def _found(text: Text, span: tuple[int, int], severity: str, sure: str, message: str, payload: str | None = None) -> Finding:
    return Finding(SLUG, severity, sure, text.where, (text.base + span[0], text.base + span[1]), message, payload)


RULE = Rule(SLUG, "Markup that hides text, or passes for another speaker", text=_text)
