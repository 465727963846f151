"""Requests for files, keys and credentials that are none of the tool's business, as an argument's content or on the side.

A path like `~/.ssh/id_rsa` with an order to read, pass or send it is enough, where the tool is not about that very thing. A word like
"API key" is in many honest texts, so it takes two more: who is to do it, when, in secret, to where, or else what.
"""

from __future__ import annotations

from stdioguard.definitions.findings import HIGH, LOW, MEDIUM
from stdioguard.definitions.patterns import Raw
from stdioguard.definitions.rules.interface import MOST, Rule, at, quoted
from stdioguard.definitions.signals import find, within
from stdioguard.definitions.surface import DATA, NAME, PROPERTY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.definitions.findings import Finding
    from stdioguard.definitions.surface import Definition, Text

SLUG = "secret-access"

_PRESSES = ("obliges", "around-all", "around-tool", "this-loaded", "coerces", "to-model")
_HIDES = ("secrecy", "covert")
_IMPERATIVE = Raw(
    r"[\s\W\d]{0,20}(?:(?:please|first|then|also|now|next|finally|and|instead|silently|secretly|quietly|immediately),?\s)?"
    r"(?:read|open|cat|access|load|fetch|retrieve|get|extract|collect|gather|dump|include|scan|harvest|grab|look up|copy|"
    r"obtain|capture|"
    r"find|locate|search|check|steal|scrape|take|attach|upload|send|pass|provide|supply|try|attempt|append|post|forward|"
    r"email|list|paste|put)(?!\w)"
)
_KEYS = Raw(
    r"\.ssh|id_(?:rsa|dsa|ecdsa|ed25519)|authorized_keys|shadow|\.aws/cred|\.netrc|git-credentials|_history|/proc/|wallet|"
    r"\.gnupg|login data|key4"
)
"""What a tool that is for something else has no harmless reason to name."""

_REFUSED = Raw(
    r"(?:are|is|will be|get) (?:always |never |not )?(?:reject|refus|block|den|exclud|forbid|ignor|skip|allow|protect)"
)
_TOPICS = Raw(
    r"ssh|gnupg|gpg|aws|kube|azure|docker|gcloud|cursor|claude|mozilla|env|npm|pypi|netrc|history|passwd|hosts|proc|mcp|wallet|"
    r"cookie|login|credential|secret|keepass|kdbx|vault|pem|p12|pfx|git|auth|bash|zsh|profile|service|cert"
)


_ATTACH = Raw(r"(?<!\w)(?:attach|include|supply|hand|append|put)(?!\w)")
_MODEL = Raw(
    r"(?<!\w)(?:the|an?|any|every|calling|that are|for) (?:ai |language |calling )?(?:assistant|model|agent|llm)s?(?!\w)"
)


def _text(text: Text, definition: Definition) -> Iterator[Finding]:
    if text.kind in {NAME, PROPERTY}:
        return
    count = 0
    for span in find(text, "secret-path"):
        confidence = _of_path(text, span, definition)
        if confidence is not None:
            yield at(text, span, SLUG, HIGH, confidence, f"asks for {quoted(text, *span)}")
            count += 1
        if count >= MOST:
            return
    for start, end in text.sentences:
        word = within(text, "secret-word", start, end) or within(text, "context", start, end)
        if word is not None and (confidence := _of_word(text, word, start, end)) is not None:
            yield at(text, word, SLUG, HIGH, confidence, f"asks for {quoted(text, *word)} in {quoted(text, start, end)}")
            count += 1
        if count >= MOST:
            return


def _sentence(text: Text, place: int) -> tuple[int, int]:
    for start, end in text.sentences:
        if start <= place < end:
            return start, end
    return 0, len(text.folded.text)


def _of_path(text: Text, span: tuple[int, int], definition: Definition) -> str | None:
    """Return how sure it is that a path in a text is one that the model shall fetch; `None` where it is plainly not."""
    start, end = _sentence(text, span[0])
    topics = {match[0] for match in _TOPICS.finditer(text.folded.text[span[0] : span[1]])}
    own = any(topic in definition.words for topic in topics)
    hides = any(within(text, name, start, end) for name in _HIDES)
    goes_out = within(text, "sends", start, end) is not None and within(text, "outside", start, end) is not None
    reads = within(text, "reads", start, end) is not None
    presses = sum(within(text, name, start, end) is not None for name in _PRESSES)
    passes = within(text, "passes-as", start, end) is not None
    if within(text, "quotes", start, span[0]) is not None and not hides and not goes_out:
        return None
    if _REFUSED.search(text.folded.text, span[1], min(end, span[1] + 60)) and not hides and not goes_out:
        return None
    if (
        text.kind == DATA
        and text.member in {"default", "const", "examples", "enum"}
        and span[1] - span[0] + 2 >= len(text.folded.text.strip())
    ):
        return None if own else LOW
    if hides or goes_out:
        return HIGH
    if own:
        return MEDIUM if passes and presses and within(text, "around-all", start, end) else LOW if passes and presses else None
    if presses or passes:
        return HIGH
    after = _next(text, end)
    if after is not None and (
        within(text, "passes-as", *after)
        or any(within(text, name, *after) for name in _HIDES)
        or (within(text, "sends", *after) and within(text, "outside", *after))
    ):
        return MEDIUM
    is_first = text.is_top and bool(text.sentences) and start == text.sentences[0][0]
    if _IMPERATIVE.compiled.match(text.folded.text, start) and not is_first:
        return HIGH
    if _KEYS.search(text.folded.text, *span) and text.kind != DATA:
        return MEDIUM
    return LOW if reads else None


def _next(text: Text, end: int) -> tuple[int, int] | None:
    return next(((start, stop) for start, stop in text.sentences if start > end), None)


def _of_word(text: Text, word: tuple[int, int], start: int, end: int) -> str | None:
    passes = within(text, "passes-as", start, end) is not None
    sends = within(text, "sends", start, end) is not None
    if not passes and not sends and within(text, "reads", start, end) is None:
        return None
    if within(text, "quotes", start, word[0]) is not None:
        return None
    hides = any(within(text, name, start, end) for name in _HIDES)
    outside = sends and within(text, "outside", start, end) is not None
    around = any(within(text, name, start, end) for name in ("around-all", "this-loaded", "coerces"))
    presses = within(text, "obliges", start, end) is not None or within(text, "around-tool", start, end) is not None
    to_model = within(text, "to-model", start, end) is not None
    if hides and (sends or passes or around or presses or to_model or within(text, "context", start, end)):
        return HIGH
    if hides and within(text, "secret-word", start, end):
        return MEDIUM
    if outside and (around or presses or to_model):
        return HIGH
    if around and presses:
        return MEDIUM
    # "The assistant has to attach": nobody but a model is told so.
    if (
        presses
        and (passes or sends or _ATTACH.search(text.folded.text, start, end))
        and _MODEL.search(text.folded.text, start, end)
    ):
        return MEDIUM
    if to_model and within(text, "context", start, end) and (presses or passes):
        return MEDIUM
    return LOW if (around or outside) and (passes or sends) else None


RULE = Rule(SLUG, "Requests for files, keys or credentials that are not the tool's business", text=_text)
