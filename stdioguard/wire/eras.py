"""The two protocol eras, and which method exists in which revision, sent by whom.

Handshake revisions open a session with `initialize`. From 2026-07-28 on there is no session: every request carries its revision and
the client's capabilities in `params._meta` (basic/lifecycle of each revision). The tables are frozen here because importing the
SDK's would cost half a second; a test holds them against `mcp_types.methods`. Tasks are in the specification of 2025-11-25
(basic/utilities/tasks) and an extension of 2026-07-28; the SDK's tables leave them out.

A row names the members of `params` that the schema gives the method. Anything else in `params` is refused: what the guard does not
know it cannot decide about.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

HANDSHAKE = "handshake"
MODERN = "modern"

HANDSHAKE_REVISIONS = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
MODERN_REVISION = "2026-07-28"
REVISIONS = (*HANDSHAKE_REVISIONS, MODERN_REVISION)

META_VERSION = "io.modelcontextprotocol/protocolVersion"
META_CAPABILITIES = "io.modelcontextprotocol/clientCapabilities"
META_CLIENT_INFO = "io.modelcontextprotocol/clientInfo"
META_LOG_LEVEL = "io.modelcontextprotocol/logLevel"
META_SUBSCRIPTION = "io.modelcontextprotocol/subscriptionId"
META_SERVER_INFO = "io.modelcontextprotocol/serverInfo"
META_RELATED_TASK = "io.modelcontextprotocol/related-task"
TASKS_EXTENSION = "io.modelcontextprotocol/tasks"

RESERVED_META = frozenset(
    {
        META_VERSION,
        META_CAPABILITIES,
        META_CLIENT_INFO,
        META_LOG_LEVEL,
        META_SUBSCRIPTION,
        META_SERVER_INFO,
        META_RELATED_TASK,
        "io.modelcontextprotocol/model-immediate-response",
    }
)
"""Keys of the specification's own `_meta` name space that it defines; it reserves all others (basic#meta)."""

OWN_META_PREFIX = "io.stdioguard/"
"""The guard's own `_meta` name space: taken from clients, never accepted from servers."""


TASKS_REVISION = "2025-11-25"
_ROUNDS_OF_CALLS = frozenset({"inputResponses", "requestState"})


class Method:
    """One row: in which revisions a method exists, what its `params` may hold, and which capability it belongs to."""

    __slots__ = ("capability", "name", "params", "params_in", "revisions")

    def __init__(self, name: str, revisions: tuple[str, ...], capability: str, *params: str) -> None:
        self.name = name
        self.revisions = frozenset(revisions)
        self.capability = capability
        self.params = frozenset((*params, "_meta"))
        early = self.params - {"task"} - _ROUNDS_OF_CALLS
        self.params_in: dict[str | None, frozenset[str]] = dict.fromkeys((None, *HANDSHAKE_REVISIONS), early)
        """The same by revision: `task` is of 2025-11-25, rounds are of 2026-07-28."""
        self.params_in[TASKS_REVISION] = self.params - _ROUNDS_OF_CALLS
        self.params_in[MODERN_REVISION] = self.params - {"task"}


_ALL = REVISIONS
_OLD = HANDSHAKE_REVISIONS
_NEW = (MODERN_REVISION,)
_ELICIT = HANDSHAKE_REVISIONS[2:]
_TASKS = ("2025-11-25",)
_ROUNDS = ("inputResponses", "requestState")


def _table(*rows: Method) -> dict[str, Method]:
    return {row.name: row for row in rows}


# The capability column: "" needs no grant; the other names are keys of a profile's [capabilities], or `tools`, which is always there.
CLIENT_REQUESTS = _table(
    Method("initialize", _OLD, "", "protocolVersion", "capabilities", "clientInfo"),
    Method("server/discover", _NEW, ""),
    Method("ping", _OLD, ""),
    Method("tools/list", _ALL, "tools", "cursor"),
    Method("tools/call", _ALL, "tools", "name", "arguments", "task", *_ROUNDS),
    Method("resources/list", _ALL, "resources", "cursor"),
    Method("resources/templates/list", _ALL, "resources", "cursor"),
    Method("resources/read", _ALL, "resources", "uri", *_ROUNDS),
    Method("resources/subscribe", _OLD, "resources", "uri"),
    Method("resources/unsubscribe", _OLD, "resources", "uri"),
    Method("prompts/list", _ALL, "prompts", "cursor"),
    Method("prompts/get", _ALL, "prompts", "name", "arguments", *_ROUNDS),
    Method("completion/complete", _ALL, "completions", "ref", "argument", "context"),
    Method("logging/setLevel", _OLD, "logging", "level"),
    # What may be listened to is decided key by key in the subscriptions gate.
    Method("subscriptions/listen", _NEW, "", "notifications"),
    Method("tasks/get", (*_TASKS, *_NEW), "tasks", "taskId"),
    Method("tasks/result", _TASKS, "tasks", "taskId"),
    Method("tasks/list", _TASKS, "tasks", "cursor"),
    Method("tasks/cancel", (*_TASKS, *_NEW), "tasks", "taskId"),
    Method("tasks/update", _NEW, "tasks", "taskId", "inputResponses"),
)

CLIENT_NOTIFICATIONS = _table(
    Method("notifications/initialized", _OLD, ""),
    Method("notifications/cancelled", _ALL, "", "requestId", "reason"),
    Method("notifications/progress", _OLD, "", "progressToken", "progress", "total", "message"),
    Method("notifications/roots/list_changed", _OLD, "roots"),
    Method(
        "notifications/tasks/status", _TASKS, "tasks",
        "taskId", "status", "statusMessage", "createdAt", "lastUpdatedAt", "ttl", "pollInterval",
    ),
)  # fmt: skip

SERVER_REQUESTS = _table(
    Method("ping", _OLD, ""),
    Method("roots/list", _OLD, "roots"),
    Method(
        "sampling/createMessage", _OLD, "sampling",
        "messages", "modelPreferences", "systemPrompt", "includeContext", "temperature", "maxTokens", "stopSequences",
        "metadata", "tools", "toolChoice", "task",
    ),
    Method(
        "elicitation/create", _ELICIT, "elicitation",
        "message", "requestedSchema", "mode", "url", "elicitationId", "task",
    ),
    Method("tasks/get", _TASKS, "tasks", "taskId"),
    Method("tasks/result", _TASKS, "tasks", "taskId"),
    Method("tasks/list", _TASKS, "tasks", "cursor"),
    Method("tasks/cancel", _TASKS, "tasks", "taskId"),
)  # fmt: skip

SERVER_NOTIFICATIONS = _table(
    Method("notifications/cancelled", _ALL, "", "requestId", "reason"),
    Method("notifications/progress", _ALL, "", "progressToken", "progress", "total", "message"),
    Method("notifications/message", _ALL, "logging", "level", "logger", "data"),
    Method("notifications/tools/list_changed", _ALL, "tools"),
    Method("notifications/resources/list_changed", _ALL, "resources"),
    Method("notifications/resources/updated", _ALL, "resources", "uri", "title"),
    Method("notifications/prompts/list_changed", _ALL, "prompts"),
    Method("notifications/subscriptions/acknowledged", _NEW, "", "notifications"),
    Method("notifications/elicitation/complete", _TASKS, "elicitation", "elicitationId"),
    Method(
        "notifications/tasks/status", _TASKS, "tasks",
        "taskId", "status", "statusMessage", "createdAt", "lastUpdatedAt", "ttl", "pollInterval",
    ),
    Method(
        "notifications/tasks", _NEW, "tasks",
        "taskId", "status", "statusMessage", "createdAt", "lastUpdatedAt", "ttlMs", "pollIntervalMs",
        "result", "error", "inputRequests", "requestState",
    ),
)  # fmt: skip

RESULT_MEMBERS: dict[str, dict[str, type]] = {
    "initialize": {"protocolVersion": str, "capabilities": dict, "serverInfo": dict},
    "server/discover": {"supportedVersions": list, "capabilities": dict},
    "tools/list": {"tools": list},
    "tools/call": {"content": list},
    "resources/list": {"resources": list},
    "resources/templates/list": {"resourceTemplates": list},
    "resources/read": {"contents": list},
    "prompts/list": {"prompts": list},
    "prompts/get": {"messages": list},
    "completion/complete": {"completion": dict},
    "tasks/list": {"tasks": list},
    "roots/list": {"roots": list},
    "sampling/createMessage": {"role": str, "content": object, "model": str},
    "elicitation/create": {"action": str},
}
"""The members without which a result is not the answer to its method (schema of each revision), with their JSON types."""

INPUT_REQUIRED_METHODS = frozenset({"tools/call", "prompts/get", "resources/read"})
"""Requests that a 2026-07-28 server may answer with `InputRequiredResult` (SEP-2322)."""

_PROTOCOL_KEYS = frozenset(
    {"task", "taskId", "content", "structuredContent", "isError", "resultType", "nextCursor", "inputRequests", "requestState",
     "progressToken", "inputSchema", "outputSchema", "annotations", "instructions", "_meta", "data", "message", "code"}
    | {key for table in (CLIENT_REQUESTS, CLIENT_NOTIFICATIONS, SERVER_REQUESTS, SERVER_NOTIFICATIONS)
       for method in table.values() for key in method.params}
    | {key for members in RESULT_MEMBERS.values() for key in members}
)  # fmt: skip
_BY_FOLDED = {key.casefold(): key for key in _PROTOCOL_KEYS}


_harmless = set(_PROTOCOL_KEYS)
"""Keys that have been looked at and imitate nothing."""


def imitation(members: dict[str, Any]) -> str | None:
    """Return a key of `members` that a case-insensitive or NUL-stopping parser would take for one of the protocol's.

    Go's encoding/json matches struct fields without regard to case (CVE-2026-27896), C strings end at NUL.
    """
    if members.keys() <= _harmless:
        return None
    for key in members.keys() - _harmless:
        if key.casefold() in _BY_FOLDED or any(char < " " or char == "\x7f" for char in key):
            return key
        if len(_harmless) < 4096:
            _harmless.add(key)
    return None


def revision_in(params: dict[str, Any]) -> str | None:
    """Return the revision that a request's envelope (`params._meta`) names, or `None` for a handshake-era message.

    A value that is not a string is returned as the empty string: a modern frame, of no revision that exists.
    """
    meta = params.get("_meta")
    if type(meta) is not dict or META_VERSION not in meta:
        return None
    revision = meta[META_VERSION]
    return revision if type(revision) is str else ""
