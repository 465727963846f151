"""Tasks: a call whose result is fetched later (2025-11-25, basic/utilities/tasks; an extension of 2026-07-28).

A task can be spoken of only by the side whose call made it, and only in the session that made it. The call itself has passed the
allowlist and consent like any other; what `tasks/result` brings is the result of that call.
"""

from __future__ import annotations

from stdioguard.guard.gates.capabilities import refusal
from stdioguard.guard.state import Task
from stdioguard.guard.verdicts import INVALID_PARAMS, MALFORMED, MISSING_CLIENT_CAPABILITY, REFUSED, Refuse
from stdioguard.wire import eras
from stdioguard.wire.messages import Request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from stdioguard.guard.state import Call, Exchange, State
    from stdioguard.guard.verdicts import Verdict
    from stdioguard.wire.messages import RequestId

MAX_TASKS = 1024
_ABOUT_ONE = frozenset(
    {"tasks/get", "tasks/result", "tasks/cancel", "tasks/update", "notifications/tasks", "notifications/tasks/status"}
)


def from_client(exchange: Exchange) -> Verdict | None:
    """Check that a client's message is about its own task."""
    if exchange.era == eras.MODERN and exchange.message.method.startswith("tasks/") and not declares(exchange.capabilities):
        needed: dict[str, Any] = {"requiredCapabilities": {"extensions": {eras.TASKS_EXTENSION: {}}}}
        text = f"the request does not declare {eras.TASKS_EXTENSION}"
        return Refuse(REFUSED, "capabilities.tasks", text, protocol_code=MISSING_CLIENT_CAPABILITY, data=needed)
    return _check(exchange, exchange.state.client_tasks, exchange.state.server_tasks)


def declares(capabilities: dict[str, Any]) -> bool:
    """Tell whether a 2026-07-28 request declares the tasks extension."""
    extensions = capabilities.get("extensions")
    return type(extensions) is dict and eras.TASKS_EXTENSION in extensions


def from_server(exchange: Exchange) -> Verdict | None:
    """Check that a server's message is about its own task, or reports on the client's."""
    return _check(exchange, exchange.state.server_tasks, exchange.state.client_tasks)


def _check(exchange: Exchange, own: dict[str, Task], others: dict[str, Task]) -> Verdict | None:
    message, policy = exchange.message, exchange.state.policy
    params = message.params
    if "task" in params:
        if type(params["task"]) is not dict:
            return Refuse(MALFORMED, "tasks.task", "task is an object")
        if not policy.grants("tasks"):
            return refusal("tasks", "a call as a task", policy.source)
    if message.method in _ABOUT_ONE:
        # Requests go from the owner of a task to the side that runs it; notifications come back.
        known = own if type(message) is Request else others
        if type(params.get("taskId")) is not str or params["taskId"] not in known:
            return Refuse(REFUSED, "tasks.taskId", "no such task", protocol_code=INVALID_PARAMS)
    return None


def started(tasks: dict[str, Task], members: dict[str, Any], token: RequestId | None, capabilities: dict[str, Any]) -> bool:
    """Note the task that a result announces, if it does; the oldest is forgotten where there are too many."""
    task = members.get("task", members)
    task_id = task.get("taskId") if type(task) is dict else None
    if type(task_id) is not str or len(task_id) > 256:
        return False
    if len(tasks) >= MAX_TASKS:
        del tasks[next(iter(tasks))]
    tasks[task_id] = Task(token, capabilities)
    return True


def result(state: State, call: Call, members: dict[str, Any]) -> Refuse | None:
    """Keep other sessions' tasks out of a list."""
    members["tasks"] = [
        task
        for task in members["tasks"]
        if type(task) is dict and type(task.get("taskId")) is str and task["taskId"] in state.client_tasks
    ]
    return None
