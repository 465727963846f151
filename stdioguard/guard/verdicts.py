"""What a gate may decide about a message. A gate that has no objection returns `None`."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from stdioguard.guard.asking import Question

# JSON-RPC codes of the guard's own answers, outside the range that JSON-RPC reserves (-32768 to -32000).
NOT_AUTHENTICATED = -31001
REFUSED = -31002
MALFORMED = -31003
LIMIT = -31004
# The specification's own codes, where a client must be told in the protocol's words (2026-07-28, basic#error-codes).
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
MISSING_CLIENT_CAPABILITY = -32021
UNSUPPORTED_VERSION = -32022
RESOURCE_NOT_FOUND = -32002
"""Of the handshake revisions; 2026-07-28 has INVALID_PARAMS for it (server/resources#error-handling)."""


class Refuse:
    """Do not pass the message on. A request is answered, anything else is dropped; the record has the reason.

    `rule` names what decided, in the words of the profile or of the protocol; `text` says why and what would allow it. `code` is
    one of the guard's; `protocol_code` the specification's for the same thing, where it has one that clients act on.
    `as_result` marks a refused tool call: a model reads results, so it gets one with `isError`. `plain` marks what shall look like the
    server's own answer. `note` is the reason for the record, where the client is not to have it. `closes` ends the session as well.
    `question` is what a person may approve for the next time.
    """

    __slots__ = ("as_result", "closes", "code", "data", "note", "plain", "protocol_code", "question", "rule", "text")

    def __init__(
        self,
        code: int,
        rule: str,
        text: str,
        *,
        as_result: bool = False,
        protocol_code: int | None = None,
        data: dict[str, Any] | None = None,
        note: str | None = None,
        plain: bool = False,
    ) -> None:
        self.code = code
        self.protocol_code = protocol_code or code
        self.rule = rule
        self.text = text
        self.as_result = as_result
        self.data = data or {}
        self.note = note or text
        self.plain = plain
        self.closes = False
        self.question: Question | None = None


class Reply:
    """Answer the request with this result instead of passing it on."""

    __slots__ = ("result", "rule")

    def __init__(self, rule: str, result: dict[str, Any]) -> None:
        self.rule = rule
        self.result = result


class Ask:
    """Hold the request until a person has decided. `message` is what the person reads; `by_client` says that the client is to ask too."""

    __slots__ = ("by_client", "message", "question", "rule")

    def __init__(self, rule: str, message: str, question: Question, *, by_client: bool) -> None:
        self.rule = rule
        self.message = message
        self.question = question
        self.by_client = by_client


Verdict = Refuse | Reply | Ask
