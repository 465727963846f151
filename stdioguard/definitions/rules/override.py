"""Instructions that set aside the model's own: "ignore previous instructions", a new role, a mode without limits.

No tool needs to say so. Tools that look for such texts quote them: what a sentence detects, blocks or warns of is not an order.
"""

from __future__ import annotations

from stdioguard.definitions.findings import HIGH, LOW
from stdioguard.definitions.rules.interface import MOST, Rule, at, quoted
from stdioguard.definitions.signals import find, within

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.definitions.findings import Finding
    from stdioguard.definitions.surface import Definition, Text

SLUG = "override"


def _text(text: Text, definition: Definition) -> Iterator[Finding]:
    for count, (start, end) in enumerate(find(text, "override")):
        begin = max(text.folded.text.rfind("\x1e", 0, start), 0)
        is_quoted = within(text, "quotes", max(begin, start - 120), start) is not None
        message = f"sets the model's own instructions aside: {quoted(text, start, end)}"
        yield at(text, (start, end), SLUG, HIGH, LOW if is_quoted else HIGH, message)
        if count + 1 >= MOST:
            return


RULE = Rule(SLUG, "Instructions that set aside the model's own", text=_text)
