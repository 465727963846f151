"""What a rule reports, what it is given of other tools, and the two scales. Nothing that decides."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

LOW, MEDIUM, HIGH = "low", "medium", "high"
LEVELS = (LOW, MEDIUM, HIGH)
MAX_PAYLOAD = 400
"""Characters of a decoded text that a finding carries."""


class Finding:
    """One reason not to trust a definition.

    `rule` is the slug of a rule. `severity` says how bad it is if it is what it looks like, `confidence` how sure that is. `where` is a
    JSON pointer (RFC 6901) into the definition and `span` the characters of the string there, from and to; `(0, 0)` where the member as
    a whole is meant. `message` is one line for a person. `payload` is a text that was hidden, decoded.
    """

    __slots__ = ("confidence", "message", "payload", "rule", "severity", "span", "where")

    def __init__(
        self,
        rule: str,
        severity: str,
        confidence: str,
        where: str,
        span: tuple[int, int],
        message: str,
        payload: str | None = None,
    ) -> None:
        self.rule = rule
        self.severity = severity
        self.confidence = confidence
        self.where = where
        self.span = span
        self.message = message
        self.payload = payload if payload is None or len(payload) <= MAX_PAYLOAD else payload[:MAX_PAYLOAD] + "..."

    @property
    def flags(self) -> bool:
        """Whether this finding alone makes a definition one that a person should look at before it is used."""
        return LOW not in (self.severity, self.confidence)

    def as_dict(self) -> dict[str, Any]:
        """Return the members, for JSON."""
        return {name: getattr(self, name) for name in ("rule", "severity", "confidence", "where", "span", "message", "payload")}

    def __repr__(self) -> str:
        return f"Finding({self.rule}, {self.severity}/{self.confidence}, {self.where or '/'}, {self.span}, {self.message!r})"


class Other:
    """A tool that is already there: the name of its server, and its own. One of the same server is a sibling, not a stranger."""

    __slots__ = ("name", "server")

    def __init__(self, server: str, name: str) -> None:
        self.server = server
        self.name = name
