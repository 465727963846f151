"""The tasks extension of 2026-07-28 (SEP-2663), as far as the conformance suite looks at it.

A tool call becomes a task if the server wants so and the request declares the extension; its result, error
or questions are then read with `tasks/get`. The SDK does not offer the extension, so the little state machine
is here.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import mcp_types as types
from mcp.shared.exceptions import MCPError
from pydantic import Field
from shapes import NAME_FORM, OK_FORM, Context, answer, ask, content, elicitation, strings, tool

if TYPE_CHECKING:
    from mcp.server.lowlevel import Server

EXTENSION = "io.modelcontextprotocol/tasks"


class TaskParams(types.RequestParams):
    """The parameters of `tasks/get`, `tasks/update` and `tasks/cancel`."""

    task_id: str = Field(alias="taskId")
    input_responses: dict[str, Any] | None = Field(default=None, alias="inputResponses")


def now() -> str:
    return datetime.now(UTC).isoformat()


@dataclass
class Task:
    """One call that outlives its request."""

    id: str = field(default_factory=lambda: secrets.token_hex(8))
    status: str = "working"
    created: str = field(default_factory=now)
    updated: str = field(default_factory=now)
    outcome: dict[str, Any] = field(default_factory=dict)
    pending: dict[str, Any] = field(default_factory=dict)
    replies: dict[str, Any] = field(default_factory=dict)
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    runner: asyncio.Task[None] | None = None

    def become(self, status: str) -> None:
        self.status, self.updated = status, now()

    def view(self) -> dict[str, Any]:
        times = {"createdAt": self.created, "lastUpdatedAt": self.updated}
        return {"taskId": self.id, "status": self.status, **times, "ttlMs": 60_000, "pollIntervalMs": 100}

    async def input(self, requests: dict[str, Any]) -> dict[str, Any]:
        """Park the task until every one of these requests is answered."""
        self.pending = dict(requests)
        self.become("input_required")
        await self.answered.wait()
        return self.replies


Job = Callable[[Task], Awaitable[dict[str, Any]]]
tasks: dict[str, Task] = {}


def declared(ctx: Context) -> bool:
    able = ctx.session.client_capabilities
    return able is not None and EXTENSION in (able.extensions or {})


def require(ctx: Context) -> None:
    if not declared(ctx):
        needed: dict[str, Any] = {"requiredCapabilities": {"extensions": {EXTENSION: {}}}}
        raise MCPError(types.MISSING_REQUIRED_CLIENT_CAPABILITY, "This needs the tasks extension", needed)


def start(job: Job) -> dict[str, Any]:
    """Run the job as a task and answer the call with it."""
    task = Task()
    tasks[task.id] = task

    async def run() -> None:
        try:
            task.outcome = {"result": await job(task)}
            task.become("completed")
        except MCPError as error:
            task.outcome = {"error": {"code": error.error.code, "message": error.error.message}}
            task.become("failed")

    task.runner = asyncio.create_task(run())
    return {"resultType": "task", **task.view()}


# --- tools ------------------------------------------------------------------------------------------------


@tool("Greets at once, never as a task.", {"type": "object", "properties": {"name": {"type": "string"}}})
async def greet(ctx: Context, params: Any) -> Any:
    return content(f"Hello, {(params.arguments or {}).get('name', 'you')}!")


@tool("Takes its time, as a task where it can.", {
    "type": "object",
    "properties": {"seconds": {"type": "number"}, "label": {"type": "string"}},
    "required": ["seconds"],
})  # fmt: skip
async def slow_compute(ctx: Context, params: Any) -> Any:
    seconds = params.arguments["seconds"]

    async def job(task: Task | None = None) -> dict[str, Any]:
        await asyncio.sleep(seconds)
        return content(f"Computed for {seconds} s.")

    return start(job) if seconds and declared(ctx) else await job()


@tool("Fails as a task, by a result that says so.")
async def failing_job(ctx: Context, params: Any) -> Any:
    async def job(task: Task) -> dict[str, Any]:
        await asyncio.sleep(0.1)
        return {**content("The job failed."), "isError": True}

    require(ctx)
    return start(job)


@tool("Fails as a task, by a protocol error.")
async def protocol_error_job(ctx: Context, params: Any) -> Any:
    async def job(task: Task) -> dict[str, Any]:
        raise MCPError(types.INTERNAL_ERROR, "The job broke")

    require(ctx)
    return start(job)


@tool("Asks before it deletes.", strings("filename"))
async def confirm_delete(ctx: Context, params: Any) -> Any:
    async def job(task: Task) -> dict[str, Any]:
        await task.input({"confirm": elicitation(f"Delete {params.arguments['filename']}?", OK_FORM)})
        return content("Deleted.")

    require(ctx)
    return start(job)


@tool("Asks two things at once.")
async def multi_input(ctx: Context, params: Any) -> Any:
    async def job(task: Task) -> dict[str, Any]:
        asked = {key: elicitation(f"The {key} name?", NAME_FORM) for key in ("first", "second")}
        return content(f"{len(await task.input(asked))} answers.")

    require(ctx)
    return start(job)


@tool("Asks for a name in a round of input, then goes on as a task.")
async def test_tool_with_task(ctx: Context, params: Any) -> Any:
    require(ctx)
    reply = answer(params, "user_name")
    if reply is None:
        return ask({"user_name": elicitation("What is your name?", NAME_FORM)}, "asked")

    async def job(task: Task) -> dict[str, Any]:
        return content(f"Hello, {(reply.content or {}).get('name')}!")

    return start(job)


# --- methods ----------------------------------------------------------------------------------------------


def find(ctx: Context, params: TaskParams) -> Task:
    require(ctx)
    if params.task_id not in tasks:
        raise MCPError(types.INVALID_PARAMS, "Unknown task")
    return tasks[params.task_id]


async def get(ctx: Context, params: TaskParams) -> dict[str, Any]:
    task = find(ctx, params)
    questions = {"inputRequests": task.pending} if task.status == "input_required" else {}
    return {"resultType": "complete", **task.view(), **task.outcome, **questions}


async def update(ctx: Context, params: TaskParams) -> dict[str, Any]:
    task = find(ctx, params)
    for key, reply in (params.input_responses or {}).items():
        if task.pending.pop(key, None) is not None:
            task.replies[key] = reply
    if task.status == "input_required" and not task.pending:
        task.become("working")
        task.answered.set()
    return {"resultType": "complete"}


async def cancel(ctx: Context, params: TaskParams) -> dict[str, Any]:
    task = find(ctx, params)
    if task.status in ("working", "input_required"):
        task.become("cancelled")
        assert task.runner is not None
        task.runner.cancel()
    return {"resultType": "complete"}


def install(server: Server[Any]) -> None:
    """Announce the extension and serve its methods. The tools are registered by the import."""
    server.extensions[EXTENSION] = {}
    for name, handler in (("get", get), ("update", update), ("cancel", cancel)):
        server.add_request_handler(f"tasks/{name}", TaskParams, handler)
