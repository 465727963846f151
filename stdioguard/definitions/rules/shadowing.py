"""Names that are taken for another tool's: the same, or the same to the eye, as one of another server; letters of other scripts."""

from __future__ import annotations

from stdioguard.definitions.findings import HIGH, LOW, MEDIUM, Finding
from stdioguard.definitions.folding import skeleton, words_of_name
from stdioguard.definitions.rules.interface import Rule

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.definitions.surface import Definition

SLUG = "shadowing"

_AFFIXES = frozenset({
    "v1", "v2", "v3", "v4", "v0", "1", "2", "3", "new", "safe", "secure", "secured", "improved", "better", "pro", "plus",
    "best", "official", "verified", "trusted", "fast", "real", "original", "true", "enhanced", "advanced", "updated", "fixed",
    "ex", "tool", "fn", "mcp", "super", "ultimate", "latest", "final", "alt", "copy",
})  # fmt: skip
_COMMON = frozenset({
    "search", "query", "help", "status", "echo", "ping", "fetch", "get", "list", "read", "write", "add", "run", "info",
    "version", "health", "test",
})  # fmt: skip


def _whole(definition: Definition) -> Iterator[Finding]:
    name = definition.name
    if not name:
        return
    span = (0, len(name))
    if not name.isascii() and any(char.isascii() and char.isalpha() for char in name) and words_of_name(name).isascii():
        yield Finding(
            SLUG, HIGH, HIGH, "/name", span, f"is written with letters of another script to look like {words_of_name(name)!r}"
        )
    elif not name.isascii():
        yield Finding(SLUG, LOW, LOW, "/name", span, "has letters outside of ASCII")
    own, bare = skeleton(name), _bare(name)
    for other in definition.others:
        if other.server == definition.server:
            continue
        if other.name == name:
            sure = LOW if name.lower() in _COMMON else HIGH
            yield Finding(SLUG, HIGH, sure, "/name", span, f"has the name of a tool of {other.server!r}")
            return
        theirs = skeleton(other.name)
        if own == theirs:
            yield Finding(SLUG, HIGH, HIGH, "/name", span, f"looks like {other.name!r} of {other.server!r}")
            return
        if bare and bare == _bare(other.name):
            yield Finding(
                SLUG, MEDIUM, MEDIUM, "/name", span, f"differs from {other.name!r} of {other.server!r} by a filler only"
            )
            return
        if len(own) >= 8 and abs(len(own) - len(theirs)) <= 1 and _one_apart(own, theirs):
            yield Finding(SLUG, MEDIUM, MEDIUM, "/name", span, f"is one letter from {other.name!r} of {other.server!r}")
            return


def _bare(name: str) -> str:
    """Return a name without the words that promise a better or newer one."""
    words = [word for word in words_of_name(name).split() if word not in _AFFIXES]
    return skeleton(" ".join(words)) if len(words) > 1 else ""


def _one_apart(one: str, two: str) -> bool:
    """Tell whether one letter was added, left out, replaced, or two were swapped. Plurals and numbers differ on purpose."""
    if len(one) > len(two):
        one, two = two, one
    at = 0
    while at < len(one) and one[at] == two[at]:
        at += 1
    if len(one) == len(two):
        swapped = one[at + 2 :] == two[at + 2 :] and one[at : at + 2] == two[at : at + 2][::-1]
        return swapped or (one[at + 1 :] == two[at + 1 :] and not (one[at : at + 1].isdigit() or two[at : at + 1].isdigit()))
    return (one[at:] == two[at + 1 :] and two[at] not in "s0123456789") or False


RULE = Rule(SLUG, "Names that are taken for another tool's", whole=_whole)
