"""A question to a person, as the core puts it: one call, to be decided once. `approval` knows the channels on which it can be asked."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol

    class Desk(Protocol):
        """What the core asks of `approval`, without waiting. Nothing here asks anybody: that is done after the record is written."""

        def new_id(self, digest: str) -> str:
            """Return an id for a question, which a person can type: that of the same call, where it was refused for want of anybody."""

        def settled(self, question: Question) -> Decision | None:
            """Return a decision that a person has made before and that holds for this very call, or `None`. It may be used up by that."""

        def way(self, question: Question, *, client: bool) -> str | None:
            """Return how this question is asked now: `CLIENT` if the client is to ask, `DESK` if the desk does, `None` if nobody can."""

        def may_client_ask(self, question: Question) -> bool:
            """Tell whether the client is among those who may ask: whoever steers it could answer for the person."""

        def afterwards(self, question: Question) -> str:
            """Return what lets this call, which nobody could be asked about, run the next time."""


CLIENT = "client"
DESK = "desk"


class Decision:
    """What a person has decided, and where. `grant` is the id of a grant that decided for the person."""

    __slots__ = ("approved", "channel", "grant")

    def __init__(self, *, approved: bool, channel: str, grant: str | None = None) -> None:
        self.approved = approved
        self.channel = channel
        self.grant = grant


class Question:
    """One call that waits for a person, or, if `parked`, that was refused because nobody could be asked and may be approved for next time.

    `arguments` are as the model gave them; `digest` is the SHA-256 (hex) of the method and canonical parameters (`rounds.digest`); the
    pins stand for what the server and the tool were when the question was put. `deadline` is on the session's clock, in seconds. `times`
    is how often the same call was made while this one waits. `by_client` says that the client has been asked to ask.
    """

    __slots__ = (
        "arguments", "by_client", "client", "deadline", "digest", "id", "parked", "remember", "risk", "rule", "server", "server_pin",
        "task", "times", "tool", "tool_pin",
    )  # fmt: skip

    def __init__(self, id: str, tool: str, arguments: dict[str, Any], digest: str, *, deadline: float) -> None:  # noqa: A002
        self.id = id
        self.tool = tool
        self.arguments = arguments
        self.digest = digest
        self.deadline = deadline
        self.client = ""
        self.server = ""
        self.server_pin = ""
        self.tool_pin = ""
        self.risk = "normal"
        self.rule = ""
        self.task = False
        self.remember = True
        self.parked = False
        self.by_client = False
        self.times = 1
