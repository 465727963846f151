"""The desk: what the guard's own process knows of asking a person. It puts questions where channels find them, and judges the answers.

Nothing here waits. Questions go into the queue, and to the approver's dialogs where there are any; `poll` takes decisions in. A decision
counts once, for the digest of the call that waits, before its deadline; of high risk only where the person's own proof is with it.
"""

from __future__ import annotations

import os
import time

from stdioguard.approval import queue
from stdioguard.guard.asking import CLIENT, DESK, Decision
from stdioguard.policy import places
from stdioguard.wire import strict_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from stdioguard.approval.approver import Approver
    from stdioguard.approval.grants import Grant
    from stdioguard.guard.asking import Question

HIGH = "high"
POLL = 0.25
"""Seconds between two looks at the queue while something waits."""
MAX_PARKED = 32
"""Calls that nobody could be asked about and that can still be approved: a flood of them fills neither the disk nor a person's list."""
_MAX_ARGUMENTS = 256 << 10


class Desk:
    """Asks about the calls of one session.

    `channels` are a profile's `[consent]`, `server_pin` stands for the server as it is, `key` is what `proof.read` has found.
    """

    def __init__(
        self,
        *,
        server_pin: str,
        session: str,
        channels: dict[str, list[str]],
        approver: Approver | None,
        key: dict[str, Any] | None,
    ) -> None:
        self._server_pin = server_pin
        self._session = session
        self._channels = channels
        self._approver = approver
        self._key = key
        self._shown: dict[str, str] = {}
        """What the questions of `_open` look like to a person (`proof.seen`)."""
        self._until: dict[str, float] = {}
        """Until when each of them can be decided, on the clock that the channels go by (`queue.clock`)."""
        self._open: dict[str, Question] = {}
        """Questions whose calls wait, and parked ones, by id."""
        self._approved: dict[str, tuple[Question, str]] = {}
        """Parked questions that were approved, by digest, and the channel."""
        self._grants: list[tuple[Grant, tuple[int, int, int]]] = []
        """Of the session alone, each with the file whose removal revokes it."""

    # --- what the core asks -----------------------------------------------------------------------------------------------------

    def new_id(self, digest: str) -> str:
        """Return an id for a question: that of the same call, where it was refused for want of anybody."""
        parked = (question.id for question in self._open.values() if question.parked and question.digest == digest)
        return next(parked, None) or queue.new_id()

    def settled(self, question: Question) -> Decision | None:
        """Return a decision that was made before and holds for this call."""
        question.server_pin = self._server_pin
        self._take_parked()
        found = self._approved.pop(question.digest, None)
        if found is not None and self._is_same(found[0], question) and queue.clock() < found[0].deadline:
            return Decision(approved=True, channel=found[1])
        from stdioguard.approval import grants  # noqa: PLC0415 - where a person is asked

        now = time.time()
        self._grants = [(grant, file) for grant, file in self._grants if grants.is_noted(grant.id, file)]
        known = [*(grant for grant, _ in self._grants), *grants.listed()]
        covering = [grant for grant in known if grant.covers(question, now)]
        # What a person has denied stays so, however much was granted beside it; about what may be the same they are asked.
        grant = next((grant for grant in covering if not grant.approved), covering[0] if covering else None)
        if grant is None or (grant.approved and any(one.might_cover(question, now) for one in known if not one.approved)):
            return None
        return Decision(approved=grant.approved, channel=grant.channel, grant=grant.id)

    def way(self, question: Question, *, client: bool) -> str | None:
        """Return how this question is asked now."""
        from stdioguard.approval import presence  # noqa: PLC0415 - where a person is asked

        watching = presence.channels()
        for channel in self._channels_for(question):
            if channel == "client" and client:
                return CLIENT
            if channel == "dialog" and self._approver is not None and self._approver.alive:
                return DESK
            is_there = channel in watching and (question.risk != HIGH or self._key is not None)
            if is_there and queue.trouble(_size(question.arguments)) is None:
                return DESK
        return None

    def may_client_ask(self, question: Question) -> bool:
        """Tell whether the client is among the channels for this question."""
        return "client" in self._channels_for(question)

    def afterwards(self, question: Question) -> str:
        """Return what lets this call run the next time."""
        if question.risk == HIGH and self._key is None:
            return (
                "set a passphrase in a terminal (stdioguard approvals passphrase), start the server anew and make the call again"
            )
        trouble = queue.trouble(_size(question.arguments))
        if trouble is not None:
            # What the guard may write to was settled when it confined itself.
            return f"see to the folder where questions wait ({trouble}), start the server anew and make the call again"
        return f"run stdioguard approvals approve {question.id} within ten minutes and make the same call again"

    def _channels_for(self, question: Question) -> list[str]:
        return self._channels["high" if question.risk == HIGH else "channels"]

    def folders(self) -> list[str]:
        """Make and return the folders that are written in during a session. Where they cannot be made, nobody is asked there."""
        from stdioguard.approval import grants  # noqa: PLC0415 - where a person may be asked

        try:
            places.private_directory(places.directory("config"))
            return [queue.folder(), places.private_directory(grants.folder())]
        except OSError:
            return []

    # --- what the relay does with an output ---------------------------------------------------------------------------------------

    def ask(self, question: Question) -> None:
        """Put a question where the channels find it, or put it anew. One that cannot be written is not asked about there."""
        before = self._open.get(question.id)
        if before is not None and before is not question:
            question.times = before.times + 1
        self._open[question.id] = question
        parked = [other.id for other in self._open.values() if other.parked]
        for oldest in parked[:-MAX_PARKED]:
            self.withdraw(oldest)
        now = time.monotonic()
        left = max(0.0, question.deadline - now)
        question.server_pin = self._server_pin
        # A grant is for plain calls whose arguments a person can see.
        question.remember = question.remember and bool(question.tool_pin) and not question.task
        arguments: Any = question.arguments
        members: dict[str, Any] = {
            "session": self._session,
            "created": time.time(),
            "deadline": queue.clock() + left,
            "client": question.client,
            "server": question.server,
            "server_pin": question.server_pin,
            "tool": question.tool,
            "tool_pin": question.tool_pin,
            "risk": question.risk,
            "rule": question.rule,
            "digest": question.digest,
            "task": question.task,
            "parked": question.parked,
            "remember": question.remember,
            "times": question.times,
            "cwd": os.getcwd(),
        }
        size = len(strict_json.encode(arguments))
        if size > _MAX_ARGUMENTS:
            arguments, members["arguments_size"] = {}, size
            members["remember"] = question.remember = False
        members["arguments"] = arguments
        if question.parked:
            question.deadline = members["deadline"]
        from stdioguard.approval import proof  # noqa: PLC0415 - where a person is asked

        self._shown[question.id] = proof.seen({**members, "id": question.id})
        self._until[question.id] = members["deadline"]
        try:
            queue.write(question.id, members)
        except OSError:
            pass  # other channels may still answer; if none does, the call is refused
        channels = self._channels["high" if question.risk == HIGH else "channels"]
        by_dialog = not question.by_client and not question.parked and question.times == 1
        if self._approver is not None and "dialog" in channels and by_dialog:
            self._approver.ask({**members, "id": question.id}, self._key)
        elif self._approver is not None and question.parked:
            # The call has been refused: a click that comes now would be for nothing, and the refusal says what is not.
            self._approver.withdraw(question.id)

    def withdraw(self, id: str) -> None:  # noqa: A002
        """Take a question back from every channel."""
        self._shown.pop(id, None)
        self._until.pop(id, None)
        if self._open.pop(id, None) is not None:
            queue.remove(id)
            if self._approver is not None:
                self._approver.withdraw(id)

    def poll(self) -> list[tuple[str, Decision | None]]:
        """Return the decisions that have come on calls that wait, and `None` for one that nobody can answer any more."""
        found: list[tuple[str, Decision | None]] = []
        if self._approver is not None:
            for answer in self._approver.answers():
                question = self._open.get(answer["id"])
                answer["channel"] = "dialog"
                if question is not None and self._counts(question, answer):
                    found.append((question.id, self._decision(question, answer)))
            for id_, _ in self._approver.failed():
                question = self._open.get(id_)
                if question is not None and self.way(question, client=False) is None:
                    found.append((id_, None))
        for question in list(self._open.values()):
            if question.parked:
                continue
            said = self._judged(question)
            if said is not None:
                found.append((question.id, self._decision(question, said)))
        self._take_parked()
        return found

    @property
    def waits(self) -> bool:
        """Whether there is anything to poll for: a call that waits, or one that was refused and that a person can still decide.

        A person who decides the latter for longer is told that it is remembered, so it must not depend on another call.
        """
        return bool(self._open)

    def close(self) -> None:
        """Take every question back; what a person has decided for longer meanwhile is kept."""
        self._take_parked()
        if self._grants:
            from stdioguard.approval import grants  # noqa: PLC0415 - loaded already

            for grant, _ in self._grants:
                grants.end(grant.id)
        for id_ in list(self._open):
            self.withdraw(id_)
        if self._approver is not None:
            self._approver.close()

    # --- judging ------------------------------------------------------------------------------------------------------------------

    def _judged(self, question: Question) -> dict[str, Any] | None:
        """Return what a channel has decided on a question by way of the queue, if that counts."""
        said = queue.decision(question.id)
        if said is None or said.get("channel") not in queue.CHANNELS:
            return None
        return said if self._counts(question, said) else None

    def _counts(self, question: Question, said: dict[str, Any]) -> bool:
        """Tell whether a decision is for this question, in time, and the person's own."""
        # While the machine sleeps the call's own clock may stand still; the channels' goes on.
        if queue.clock() >= self._until.get(question.id, 0.0):
            return False
        if said.get("id") != question.id or said.get("digest") != question.digest or type(said.get("approved")) is not bool:
            return False
        if said["approved"] and question.risk == HIGH:
            from stdioguard.approval import proof  # noqa: PLC0415 - for high risk

            if self._key is None or not proof.is_signed(self._key, said) or said.get("seen") != self._shown.get(question.id):
                return False
        return bool(said.get("seen", self._shown.get(question.id)) == self._shown.get(question.id))

    def _decision(self, question: Question, said: dict[str, Any]) -> Decision:
        """Return the decision, and remember it as the person wants."""
        from stdioguard.approval import grants  # noqa: PLC0415 - where a person has decided

        if said["channel"] == "dialog" and said.get("scope") == "session":
            said = {**said, "constraints": {name: {"equals": value} for name, value in question.arguments.items()}}
        grant = grants.make(question, said)
        if grant is not None:
            try:
                if grant.scope == "session":
                    self._grants.append((grant, grants.note(grant)))
                else:
                    grants.keep(grant)
            except OSError:
                grant = None  # what nobody could see or revoke holds for this call
        return Decision(approved=said["approved"], channel=said["channel"], grant=grant.id if grant is not None else None)

    def _take_parked(self) -> None:
        """Take in what was decided on calls that nobody could be asked about when they were made."""
        for question in list(self._open.values()):
            if not question.parked:
                continue
            if queue.clock() >= question.deadline:
                self.withdraw(question.id)
                continue
            said = self._judged(question)
            if said is None:
                continue
            decision = self._decision(question, said)
            if decision.approved and decision.grant is None:
                # Once, or for longer than can be granted: then it is for the next call too, as where a call waits.
                self._approved[question.digest] = (question, said["channel"])
            self.withdraw(question.id)

    @staticmethod
    def _is_same(one: Question, other: Question) -> bool:
        same = (one.client, one.server, one.server_pin, one.tool) == (other.client, other.server, other.server_pin, other.tool)
        return same and one.tool_pin in ("", other.tool_pin)  # listed for the first time is not changed


def _size(arguments: dict[str, Any]) -> int:
    """Return how many bytes of arguments a question would hold."""
    size = len(strict_json.encode(arguments))
    return size if size <= _MAX_ARGUMENTS else 0
