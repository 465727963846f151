"""The judgement of one definition: every rule over every text of it, in its place.

Rules are in `rules/`, phrases in `signals`. Whatever a definition is, the answer is a list of findings: a rule that fails is a bug, and
what is no definition has no texts.
"""

from __future__ import annotations

from stdioguard.definitions.rules import RULES, TEXT_RULES
from stdioguard.definitions.surface import Definition

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

    from stdioguard.definitions.findings import Finding, Other

MAX_FINDINGS = 200

_ORDER = {"high": 0, "medium": 1, "low": 2}


def judge(definition: Mapping[str, Any], *, server: str = "", others: Iterable[Other] = ()) -> list[Finding]:
    """Return what is wrong with the definition of one tool, prompt or resource, or of a server's `instructions`; the worst first.

    `definition` is as the server sent it (`name`, `title`, `description`, `inputSchema`, `annotations`, `_meta` ...); for a server's own
    text `{"instructions": text}`. `server` is the name it is installed under. `others` are the tools that are known already; those of the
    same server are its siblings.
    """
    judged = Definition(definition, server, tuple(others))
    findings: list[Finding] = []
    for found in _findings(judged):
        findings.append(found)
        if len(findings) >= MAX_FINDINGS:
            break
    findings.sort(key=lambda found: (_ORDER[found.severity], _ORDER[found.confidence]))
    return findings


def is_flagged(findings: Iterable[Finding]) -> bool:
    """Tell whether one finding is of medium severity and medium confidence, or more."""
    return any(found.flags for found in findings)


def _findings(definition: Definition) -> Iterator[Finding]:
    flagged = False
    for rule in RULES:
        if rule.whole is not None:
            for found in rule.whole(definition):
                flagged = flagged or found.flags
                yield found
    for rule in TEXT_RULES:
        for text in definition.texts:
            for found in rule.text(text, definition) if rule.text is not None else ():
                flagged = flagged or found.flags
                yield found
    if flagged:
        return
    # A sentence that is spread over neighbouring texts. Honest fragments make odd sentences too, so only what is beyond doubt counts.
    for text in definition.joined:
        for rule in TEXT_RULES:
            for found in rule.text(text, definition) if rule.text is not None else ():
                if found.severity == found.confidence == "high":
                    found.where, found.span = "", (0, 0)
                    found.message = f"spread over several members: {found.message}"
                    yield found
