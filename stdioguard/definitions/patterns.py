"""Regular expressions that are compiled when they are first used: most sessions of the guard never need most of them.

Every repeat in a pattern is bounded, and no repeat stands in another, so the time to search a text is linear in its length.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

SPACE = r"(?:[ \t\n\r\f\v\x1c\x1d\x1f\x85\u1680\u2028\u2029_*`\"'~,()\-]{1,40})"
"""What may stand between two words of a phrase: white space, an identifier's separators, emphasis, quotes.

Never the end of a sentence (`folding.BREAK`), which is white space to a regular expression's own class.
"""

GAP = r"[^\x1e]{0,90}?"
"""What may stand between two parts of one sentence."""


class Pattern:
    """A regular expression that is compiled at its first use. Written in words: a space is `SPACE`, ` .. ` is `GAP`."""

    __slots__ = ("_compiled", "source")

    def __init__(self, *alternatives: str, words: bool = True) -> None:
        self.source = alternatives
        if words:
            self.source = tuple(rf"(?<!\w)(?:{word})(?!\w)" for word in alternatives)
        self._compiled: re.Pattern[str] | None = None

    @property
    def compiled(self) -> re.Pattern[str]:
        """The compiled expression."""
        if self._compiled is None:
            joined = "|".join(self.source)
            self._compiled = re.compile(joined.replace(" .. ", GAP).replace(" ", SPACE))
        return self._compiled

    def search(self, text: str, start: int = 0, end: int | None = None) -> re.Match[str] | None:
        """Find the first match."""
        return self.compiled.search(text, start, len(text) if end is None else end)

    def finditer(self, text: str) -> Iterator[re.Match[str]]:
        """Find every match."""
        return self.compiled.finditer(text)


class Raw(Pattern):
    """A regular expression as it is written. Flags at the start of an alternative, as in `(?i)`, are for that alternative."""

    __slots__ = ()

    def __init__(self, *alternatives: str) -> None:
        super().__init__(*alternatives, words=False)

    @property
    def compiled(self) -> re.Pattern[str]:
        """The compiled expression."""
        if self._compiled is None:
            self._compiled = re.compile("|".join(map(_scoped, self.source)))
        return self._compiled


def _scoped(source: str) -> str:
    flags, found, rest = source.partition(")")
    return f"{flags}:{rest})" if found and flags.startswith("(?") and flags[2:].isalpha() and flags[2:].islower() else source
