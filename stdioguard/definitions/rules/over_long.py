"""More than a person reads, or than is judged here: length hides what matters, and crowds other tools out of the model's view."""

from __future__ import annotations

from stdioguard.definitions.findings import HIGH, LOW, MEDIUM, Finding
from stdioguard.definitions.rules.interface import Rule
from stdioguard.definitions.surface import PROSE, pointer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.definitions.surface import Definition

SLUG = "over-long"
LONG, TOO_LONG = 12_000, 30_000
"""Characters of one description. The longest honest ones known have about 10,000."""
LONG_NAME = 128


def _whole(definition: Definition) -> Iterator[Finding]:
    if definition.unread:
        yield Finding(
            SLUG, HIGH, HIGH, "", (0, 0), f"is more than is judged: {definition.unread} characters or members were not looked at"
        )
    if definition.deepest is not None:
        yield Finding(SLUG, MEDIUM, MEDIUM, pointer(definition.deepest), (0, 0), "is nested deeper than any honest schema")
    for text in definition.texts:
        if text.kind == PROSE and len(text.raw) > LONG:
            sure = HIGH if len(text.raw) > TOO_LONG else LOW
            yield Finding(
                SLUG, MEDIUM, sure, text.where, (0, len(text.raw)), f"has {len(text.raw)} characters, more than a person reads"
            )
    if len(definition.name) > LONG_NAME:
        yield Finding(
            SLUG, MEDIUM, MEDIUM, "/name", (0, len(definition.name)), f"has a name of {len(definition.name)} characters"
        )


RULE = Rule(SLUG, "More than a person reads", whole=_whole)
