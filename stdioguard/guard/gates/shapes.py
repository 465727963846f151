"""Whether a result is an answer to the method that is pending: the server's word for it is not enough."""

from __future__ import annotations

from stdioguard.guard.gates import tasks
from stdioguard.guard.verdicts import MALFORMED, Refuse
from stdioguard.wire import eras

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from stdioguard.guard.state import Call, State

_LISTS = {"tools/list": "tools", "tools/call": "content"}


def result(state: State, call: Call, members: dict[str, Any]) -> Refuse | None:
    """Check a server's result by the method that is pending."""
    imitation = eras.imitation(members)
    if imitation is not None:
        return Refuse(MALFORMED, "wire.imitation", f"result key {imitation!a:.80} imitates one of the protocol's")
    if "_meta" in members and type(members["_meta"]) is not dict:
        return Refuse(MALFORMED, "results.meta", "_meta is an object")
    kind = members.get("resultType", "complete")
    if call.era == eras.MODERN:
        if kind == "input_required" and call.method in eras.INPUT_REQUIRED_METHODS:
            return None
        if kind == "task" and call.method == "tools/call" and state.policy.grants("tasks") and tasks.declares(call.capabilities):
            return _started(state, call, members)
    elif call.task and "task" in members:
        return _started(state, call, members)
    if kind != "complete":
        return Refuse(MALFORMED, "results.type", f"resultType {kind!a:.40} is no answer to {call.method}")
    return check_members(call.method, members)


def check_members(method: str, members: dict[str, Any]) -> Refuse | None:
    """Check that the members are there without which the result is something else."""
    for name, kind in eras.RESULT_MEMBERS.get(method, {}).items():
        if name not in members or (kind is not object and type(members[name]) is not kind):
            return Refuse(MALFORMED, "results.shape", f"the result of {method} lacks {name}")
    entries = _LISTS.get(method)
    if entries is not None:
        for entry in members[entries]:
            if type(entry) is not dict:
                return Refuse(MALFORMED, "results.shape", f"an entry of {entries} is not an object")
            imitation = eras.imitation(entry)
            if imitation is not None:
                return Refuse(MALFORMED, "wire.imitation", f"key {imitation!a:.80} imitates one of the protocol's")
    return None


def _started(state: State, call: Call, members: dict[str, Any]) -> Refuse | None:
    if tasks.started(state.client_tasks, members, call.token, call.capabilities):
        return None
    return Refuse(MALFORMED, "results.shape", f"the result of {call.method} announces a task without a usable id")
