"""What a rule is. The rules themselves are beside this file, one a file; the list is in `__init__.py`."""

from __future__ import annotations

from stdioguard.definitions.findings import Finding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from stdioguard.definitions.surface import Definition, Text

MOST = 4
"""Findings of one rule in one text; the fifth tells a reader nothing new."""


class Rule:
    """One reason not to trust a definition: a short name, one line on what it finds, and how.

    `text` judges one text in its place; `whole` the definition as a whole. A rule has one of them, or both.
    """

    __slots__ = ("slug", "summary", "text", "whole")

    def __init__(
        self,
        slug: str,
        summary: str,
        *,
        text: Callable[[Text, Definition], Iterator[Finding]] | None = None,
        whole: Callable[[Definition], Iterator[Finding]] | None = None,
    ) -> None:
        self.slug = slug
        self.summary = summary
        self.text = text
        self.whole = whole


def at(text: Text, span: tuple[int, int], rule: str, severity: str, confidence: str, message: str) -> Finding:
    """Return a finding about a stretch of a text's folded form."""
    return Finding(rule, severity, confidence, text.where, text.span(*span), message)


def quoted(text: Text, start: int, end: int, limit: int = 80) -> str:
    """Return a stretch of a text for a message: on one line, with nothing that acts on a display, cut where it is long."""
    said = " ".join(text.folded.text[start:end].replace("\x1e", ".").split())
    said = "".join(char if char.isprintable() else "?" for char in said)
    return f'"{said}"' if len(said) <= limit else f'"{said[:limit]}..."'
