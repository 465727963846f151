"""What one input of a session leads to: records, lines for each side, questions for the desk.

The records are written first, the lines sent only after that; that order is the caller's to keep (see `launch.relay`). This file knows how
an entry of the record looks, and no rule of what is let through.
"""

from __future__ import annotations

from stdioguard.guard import answers
from stdioguard.wire import strict_json
from stdioguard.wire.messages import Request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from stdioguard.guard.asking import Decision, Question
    from stdioguard.guard.callers import Caller
    from stdioguard.guard.state import State
    from stdioguard.wire.messages import Message, Notification, RequestId, Response

CLIENT = "client"
SERVER = "server"


class Output:
    """Records to write first, then lines for each side, then the end of the session, if `closes` says why."""

    __slots__ = ("_state", "asked", "closes", "records", "speaker", "to_client", "to_server", "withdrawn")

    def __init__(self, state: State) -> None:
        self._state = state
        self.speaker: Caller | None = None
        """Whose message is being decided about, for the record."""
        self.closes: str | None = None
        self.asked: list[Question] = []
        """Questions for the desk; one that was asked before is new again where it is parked or has been made more often."""
        self.withdrawn: list[str] = []
        """Ids of questions that are over."""
        self.records: list[dict[str, Any]] = []
        self.to_client: list[str] = []
        self.to_server: list[str] = []

    def answer(self, response: Response) -> None:
        """Send the client the guard's own answer."""
        self.to_client.append(strict_json.encode(response.envelope()))

    def tell_client(self, message: Message) -> None:
        """Send the client a message of the server's."""
        self.to_client.append(answers.line(message))

    def tell_server(self, response: Response) -> None:
        """Send the server an answer to a request of its own."""
        self.to_server.append(answers.line(response))

    def note_message(
        self,
        side: str,
        verdict: str,
        message: Request | Notification,
        *,
        rule: str | None = None,
        detail: str | None = None,
        by: Decision | None = None,
    ) -> None:
        """Record what was decided about a request or a notification of one side's, and `by` whom."""
        entry: dict[str, Any] = {"from": side, "kind": "notification", "verdict": verdict, "method": message.method}
        if isinstance(message, Request):
            entry["kind"] = "request"
            entry["id"] = message.id
        if rule is not None:
            entry["rule"] = rule
        if detail is not None:
            entry["detail"] = detail
        if by is not None:
            entry["channel"] = by.channel
            if by.grant is not None:
                entry["grant"] = by.grant
        if message.method == "tools/call":
            name = message.params.get("name")
            entry["tool"] = name if type(name) is str else None
            given = message.params.get("arguments")
            if given is not None:
                entry["arguments"] = given
        self._record(entry)

    def note(self, side: str, kind: str, verdict: str, method: str | None, id_: RequestId | None, **more: str) -> None:
        """Record what was decided about an answer, or a frame that is no message."""
        entry: dict[str, Any] = {"from": side, "kind": kind, "verdict": verdict}
        if method is not None:
            entry["method"] = method
        if id_ is not None:
            entry["id"] = id_
        if more:
            entry |= more
        self._record(entry)

    def _record(self, entry: dict[str, Any]) -> None:
        caller = self.speaker if entry["from"] == CLIENT and entry["kind"] != "response" else self._state.caller
        if caller is not None:
            entry["client"] = caller.client
            entry["token"] = caller.token
        self.records.append(entry)
