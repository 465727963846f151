"""Well-formed messages that should not be sent: of another era, too early, of another's request, or of a feature that nobody granted.

A case is two short conversations, each a list of what client (`C`) and server (`S`) say after the session is open. The last message of
`hostile` must not reach the other side; the last message of `twin`, which differs in the one thing that matters, must.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.playbook import (
    HANDSHAKE,
    MIXED,
    MODERN,
    OPEN,
    REVISIONS,
    TOOLS_ONLY,
    Playbook,
    call,
    error,
    notification,
    refusal,
    request,
    result,
)

Message = dict[str, Any]
Step = tuple[str, Message | Callable[[Playbook], Message]]

ELICITS = HANDSHAKE[2:]
TASKS = HANDSHAKE[3:]
META = "io.modelcontextprotocol/"


@dataclass(frozen=True)
class Case:
    """Two conversations and the rule that ends the first."""

    name: str
    hostile: list[Step]
    twin: list[Step]
    rule: str
    revisions: tuple[str, ...] = REVISIONS
    profile: str = OPEN
    twin_profile: str | None = None
    opened: bool = True


def C(message: Any) -> Step:  # noqa: N802 - it reads as the letter in a transcript
    return "client", message


def S(message: Any) -> Step:  # noqa: N802
    return "server", message


def to_last(method: str, **more: Any) -> Callable[[Playbook], Message]:
    """Return a client's notification about its own last request."""
    return lambda talk: notification(method, {"requestId": talk.last_client_id, **more})


def server_cancels(target: Any) -> Message:
    return notification("notifications/cancelled", {"requestId": target})


def answer_last(**members: Any) -> Callable[[Playbook], Message]:
    """Return a client's answer to the last request that it got from the guard."""
    return lambda talk: {"jsonrpc": "2.0", "id": f"stdioguard-n0-{talk.session.state.last_guard_id}", "result": members}


def initialize(version: str = "2025-11-25", **more: Any) -> Message:
    return request(
        "initialize", {"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "c", "version": "1"}, **more}
    )


def with_meta(message: Message, **meta: Any) -> Message:
    params = {**message.get("params", {}), "_meta": meta}
    return {**message, "params": params}


READ = call("read_file", path="/x")
LIST = request("tools/list")
SAMPLE = request("sampling/createMessage", {"messages": [], "maxTokens": 9}, id="s1")
ELICIT = request(
    "elicitation/create", {"message": "Which one?", "requestedSchema": {"type": "object", "properties": {}}}, id="s2"
)
ROOTS = request("roots/list", id="s3")
LISTEN = request("subscriptions/listen", {"notifications": {"toolsListChanged": True, "resourceSubscriptions": ["a:b"]}})


def listened(method: str, subscription: Any, **params: Any) -> Message:
    return notification(method, {**params, "_meta": {META + "subscriptionId": subscription}})


def of_last(method: str, **params: Any) -> Callable[[Playbook], Message]:
    return lambda talk: listened(method, talk.last_wire_id, **params)


CASES = [
    # --- the method table, from the client
    Case("a vendor's method", [C(request("vendor/backdoor"))], [C(LIST)], "methods.unknown"),
    Case("a method in another case", [C(request("Tools/Call", {"name": "x"}))], [C(READ)], "methods.unknown"),
    Case("a method with a space after it", [C(request("tools/call ", {"name": "x"}))], [C(READ)], "methods.unknown"),
    Case("a method with a NUL", [C(request("tools/call\0", {"name": "x"}))], [C(READ)], "methods.unknown"),
    Case("a method with a look-alike letter", [C(request("t\u043eols/call", {"name": "x"}))], [C(READ)], "methods.unknown"),
    Case("a method with a zero-width joiner", [C(request("tools/\u200dcall", {"name": "x"}))], [C(READ)], "methods.unknown"),
    Case("rpc.discover of JSON-RPC", [C(request("rpc.discover"))], [C(LIST)], "methods.unknown"),
    Case("a call as a notification", [C(notification("tools/call", {"name": "read_file"}))], [C(READ)], "methods.unknown"),
    Case("initialized as a request", [C(request("notifications/initialized"))], [C(LIST)], "methods.unknown"),
    Case("a vendor's notification", [C(notification("notifications/vendor"))], [C(READ), C(to_last("notifications/cancelled"))], "methods.unknown"),
    Case("a server's method sent by a client", [C(request("sampling/createMessage", {"messages": [], "maxTokens": 1}))], [C(LIST)], "methods.unknown"),
    Case("a server's notification sent by a client", [C(notification("notifications/message", {"level": "info", "data": 1}))], [C(READ), C(to_last("notifications/cancelled"))], "methods.unknown"),
    Case("a method of the other era: ping", [C(request("ping"))], [C(LIST)], "methods.ping", revisions=(MODERN,)),
    Case("a method of the other era: setLevel", [C(request("logging/setLevel", {"level": "debug"}))], [C(LIST)], "methods.logging/setLevel", revisions=(MODERN,)),
    Case("a method of the other era: subscribe", [C(request("resources/subscribe", {"uri": "a:b"}))], [C(LISTEN)], "methods.resources/subscribe", revisions=(MODERN,)),
    Case("a method of the other era: listen", [C(LISTEN)], [C(request("resources/subscribe", {"uri": "a:b"}))], "methods.subscriptions/listen", revisions=HANDSHAKE),
    Case("a method of the other era: discover", [C(request("server/discover"))], [C(request("ping"))], "methods.server/discover", revisions=HANDSHAKE),
    Case("a method of a later revision: tasks/list", [C(request("tasks/list"))], [C(LIST)], "methods.tasks/list", revisions=HANDSHAKE[:3]),
    Case("a method of an earlier revision: tasks/result", [C(request("tasks/result", {"taskId": "t"}))], [C(LIST)], "methods.tasks/result", revisions=(MODERN,)),
    Case("roots/list_changed in the era without it", [C(notification("notifications/roots/list_changed"))], [C(READ), C(to_last("notifications/cancelled"))], "methods.notifications/roots/list_changed", revisions=(MODERN,)),
    # --- parameters
    Case("a parameter that the method does not have", [C(request("tools/call", {"name": "read_file", "extra": 1}))], [C(request("tools/call", {"name": "read_file", "arguments": {"extra": 1}}))], "methods.params"),
    Case("a parameter in another case", [C(request("tools/call", {"name": "read_file", "Arguments": {"path": "/etc"}}))], [C(READ)], "methods.params"),
    Case("a parameter with a NUL", [C(request("tools/call", {"name": "read_file", "arguments\0": {}}))], [C(READ)], "methods.params"),
    Case("rounds in a revision without them", [C(request("tools/call", {"name": "read_file", "requestState": "x"}))], [C(READ)], "methods.params", revisions=HANDSHAKE),
    Case("answers in a revision without rounds", [C(request("tools/call", {"name": "read_file", "inputResponses": {}}))], [C(READ)], "methods.params", revisions=HANDSHAKE),
    Case("a tool name that is a list", [C(request("tools/call", {"name": ["read_file"]}))], [C(READ)], "tools.name"),
    Case("a tool name that is missing", [C(request("tools/call", {"arguments": {}}))], [C(READ)], "tools.name"),
    Case("a tool name with a control character", [C(call("read_file\n"))], [C(READ)], "tools.name"),
    Case("a tool name with a bidi override", [C(call("read_\u202efile"))], [C(READ)], "tools.name"),
    Case("a tool name of ten thousand characters", [C(call("r" * 10_000))], [C(call("r" * 128))], "tools.name"),
    Case("arguments that are a list", [C(request("tools/call", {"name": "read_file", "arguments": ["/x"]}))], [C(request("tools/call", {"name": "read_file", "arguments": None}))], "tools.arguments"),
    Case("a task that is a string", [C(request("tools/call", {"name": "read_file", "task": "now"}))], [C(request("tools/call", {"name": "read_file", "task": {"ttl": 1}}))], "tasks.task", revisions=TASKS),
    Case("_meta that is a list", [C(request("resources/list", {"_meta": []}))], [C(request("resources/list", {"_meta": {"a": 1}}))], "methods.meta", revisions=HANDSHAKE),
    Case("an imitated key in _meta", [C(with_meta(READ, ProgressToken=1))], [C(with_meta(READ, progressToken=1))], "methods.meta"),
    Case("a control character in a _meta key", [C(with_meta(READ, **{"a\x00": 1}))], [C(with_meta(READ, **{"vendor.example/a": 1}))], "methods.meta"),
    Case("a key in the protocol's name space that it does not have", [C(with_meta(READ, **{META + "admin": True}))], [C(with_meta(READ, **{"example.com/admin": True}))], "methods.meta"),
    Case("a key in the reserved mcp name space", [C(with_meta(READ, **{"com.mcp/x": True}))], [C(with_meta(READ, **{"mcp.example/x": True}))], "methods.meta"),
    Case("a progress token that is a float", [C(with_meta(READ, progressToken=1.5))], [C(with_meta(READ, progressToken="1.5"))], "methods.meta"),
    Case("a progress token that is true", [C(with_meta(READ, progressToken=True))], [C(with_meta(READ, progressToken=1))], "methods.meta"),
    Case("a resource without a uri", [C(request("resources/subscribe", {"uri": ["a:b"]}))], [C(request("resources/subscribe", {"uri": "a:b"}))], "resources.uri", revisions=HANDSHAKE),
    Case("a subscription to an unknown kind", [C(request("subscriptions/listen", {"notifications": {"everything": True}}))], [C(LISTEN)], "subscriptions.notifications", revisions=(MODERN,)),
    Case("a subscription to a list", [C(request("subscriptions/listen", {"notifications": ["toolsListChanged"]}))], [C(LISTEN)], "subscriptions.notifications", revisions=(MODERN,)),
    # --- the allowlist
    Case("a tool that the default denies", [C(call("run_shell"))], [C(call("read_file"))], 'tools.default = "deny"', profile=MIXED),
    Case("a tool that a rule denies", [C(call("read_secret"))], [C(call("read_secrets"))], 'tools.rules."read_secret"', profile=MIXED),
    Case("a denied tool as a task", [C(request("tools/call", {"name": "run_shell", "task": {"ttl": 1}}))], [C(request("tools/call", {"name": "read_file", "task": {"ttl": 1}}))], 'tools.default = "deny"', profile=MIXED, twin_profile=OPEN, revisions=TASKS),
    Case("an allowed tool as a task that is not granted", [C(request("tools/call", {"name": "read_file", "task": {"ttl": 1}}))], [C(READ)], "capabilities.tasks = false", profile=TOOLS_ONLY, revisions=TASKS),
    Case("a denied tool in another case", [C(call("Read_file"))], [C(call("read_File"))], 'tools.default = "deny"', profile=MIXED),
    Case("a glob as a tool name", [C(call("read_*"))], [C(call("read_x"))], "tools.name", profile=MIXED),
    # --- switches
    *(Case(f"{method} without the switch", [C(request(method, params))], [C(request(method, params))], f"capabilities.{switch} = false", profile=TOOLS_ONLY, twin_profile=OPEN, revisions=revisions)
      for method, params, switch, revisions in (
          ("resources/list", None, "resources", REVISIONS),
          ("resources/templates/list", None, "resources", REVISIONS),
          ("resources/read", {"uri": "a:b"}, "resources", REVISIONS),
          ("resources/subscribe", {"uri": "a:b"}, "resources", HANDSHAKE),
          ("prompts/list", None, "prompts", REVISIONS),
          ("prompts/get", {"name": "p"}, "prompts", REVISIONS),
          ("completion/complete", {"ref": {"type": "ref/prompt", "name": "p"}, "argument": {"name": "a", "value": "b"}}, "completions", REVISIONS),
          ("logging/setLevel", {"level": "debug"}, "logging", HANDSHAKE),
          ("tasks/list", None, "tasks", TASKS),
      )),
    Case("roots/list_changed without the switch", [C(notification("notifications/roots/list_changed"))], [C(notification("notifications/roots/list_changed"))], "capabilities.roots = false", profile=TOOLS_ONLY, twin_profile=OPEN, revisions=HANDSHAKE),
    # --- eras and lifecycle
    Case("a second initialize", [C(initialize())], [C(request("ping"))], "lifecycle.initialized-twice", revisions=HANDSHAKE),
    Case("a second initialized", [C(notification("notifications/initialized"))], [C(notification("notifications/roots/list_changed"))], "lifecycle.initialized", revisions=HANDSHAKE),
    Case("initialize as a notification", [C(notification("initialize", {"protocolVersion": "2025-11-25"}))], [C(initialize())], "lifecycle.initialize", revisions=HANDSHAKE, opened=False),
    Case("initialize without capabilities", [C(request("initialize", {"protocolVersion": "2025-11-25", "clientInfo": {}}))], [C(initialize())], "lifecycle.initialize", revisions=HANDSHAKE, opened=False),
    Case("initialize with a version that is a number", [C(request("initialize", {"protocolVersion": 2025, "capabilities": {}, "clientInfo": {}}))], [C(initialize())], "lifecycle.initialize", revisions=HANDSHAKE, opened=False),
    Case("initialize with a parameter too many", [C(initialize(secret="x"))], [C(initialize())], "methods.params", revisions=HANDSHAKE, opened=False),
    Case("a call before initialize", [C(READ)], [C(request("ping"))], "lifecycle.not-initialized", revisions=HANDSHAKE, opened=False),
    Case("a list before initialize", [C(LIST)], [C(request("ping"))], "lifecycle.not-initialized", revisions=HANDSHAKE, opened=False),
    Case("initialized before initialize", [C(notification("notifications/initialized"))], [C(initialize())], "lifecycle.initialized", revisions=HANDSHAKE, opened=False),
    Case("a call before initialized", [C(initialize()), S(result(protocolVersion="2025-11-25", capabilities={}, serverInfo={})), C(READ)],
         [C(initialize()), S(result(protocolVersion="2025-11-25", capabilities={}, serverInfo={})), C(notification("notifications/initialized")), C(READ)],
         "lifecycle.not-initialized", revisions=HANDSHAKE, opened=False),
    Case("an enveloped call in a handshake session", [C(with_meta(READ, **{META + "protocolVersion": MODERN, META + "clientCapabilities": {}}))], [C(READ)], "era.mixed", revisions=HANDSHAKE),
    Case("an enveloped call right after initialize",
         [C(initialize()), S(result(protocolVersion="2025-11-25", capabilities={}, serverInfo={})), C(with_meta(READ, **{META + "protocolVersion": MODERN, META + "clientCapabilities": {}}))],
         [C(initialize()), S(result(protocolVersion="2025-11-25", capabilities={}, serverInfo={})), C(notification("notifications/initialized")), C(READ)],
         "era.mixed", revisions=HANDSHAKE, opened=False),
    Case("a discover in a handshake session", [C(with_meta(request("server/discover"), **{META + "protocolVersion": MODERN, META + "clientCapabilities": {}}))], [C(LIST)], "era.mixed", revisions=HANDSHAKE),
    Case("an envelope with a revision that is not a string", [C(with_meta(READ, **{META + "protocolVersion": 2026}))], [C(READ)], "era.revision", revisions=(MODERN,)),
    Case("an envelope with a future revision", [C(with_meta(READ, **{META + "protocolVersion": "2099-01-01"}))], [C(READ)], "era.revision", revisions=(MODERN,)),
    Case("an envelope with a handshake revision", [C(with_meta(READ, **{META + "protocolVersion": "2025-11-25"}))], [C(READ)], "era.revision", revisions=(MODERN,)),
    Case("an envelope without capabilities", [C(with_meta(READ, **{META + "clientCapabilities": None}))], [C(READ)], "era.envelope", revisions=(MODERN,)),
    Case("an enveloped initialize", [C(READ), C(initialize())], [C(READ), C(LIST)], "era.revision", revisions=(MODERN,)),
    # --- ids, from the client
    Case("a cancel of nobody's request", [C(notification("notifications/cancelled", {"requestId": 999}))], [C(READ), C(to_last("notifications/cancelled"))], "ids.cancelled"),
    Case("a cancel by the guard's own id", [C(READ), C(notification("notifications/cancelled", {"requestId": 1}))], [C(READ), C(to_last("notifications/cancelled"))], "ids.cancelled"),
    Case("a cancel by an id of another type", [C(READ), C(lambda talk: notification("notifications/cancelled", {"requestId": str(talk.last_client_id)}))], [C(READ), C(to_last("notifications/cancelled"))], "ids.cancelled"),
    Case("a cancel of initialize", [C(initialize()), C(to_last("notifications/cancelled"))], [C(request("ping")), C(to_last("notifications/cancelled"))], "ids.cancelled", revisions=HANDSHAKE, opened=False),
    Case("a second cancel", [C(READ), C(to_last("notifications/cancelled")), C(to_last("notifications/cancelled"))], [C(READ), C(to_last("notifications/cancelled"))], "ids.cancelled"),
    Case("an id that is in flight", [C({**READ, "id": 5}), C({**LIST, "id": 5})], [C({**READ, "id": 5}), C({**LIST, "id": "5"})], "ids.in-use"),
    Case("an answer to nothing", [C({"jsonrpc": "2.0", "id": "stdioguard-n0-99", "result": {}})], [S(ROOTS), C(answer_last(roots=[]))], "ids.unknown", revisions=HANDSHAKE),
    Case("an answer in an era without answers", [C({"jsonrpc": "2.0", "id": 1, "result": {}})], [C(READ)], "ids.unknown", revisions=(MODERN,)),
    Case("an answer under the server's id", [S(ROOTS), C({"jsonrpc": "2.0", "id": "s3", "result": {"roots": []}})], [S(ROOTS), C(answer_last(roots=[]))], "ids.unknown", revisions=HANDSHAKE),
    Case("a second answer", [S(ROOTS), C(answer_last(roots=[])), C(answer_last(roots=[{"uri": "file:///"}]))], [S(ROOTS), C(answer_last(roots=[]))], "ids.unknown", revisions=HANDSHAKE),
    Case("progress on nobody's request", [C(notification("notifications/progress", {"progressToken": 1, "progress": 1}))],
         [S(with_meta(SAMPLE, progressToken=1)), C(notification("notifications/progress", {"progressToken": 1, "progress": 1}))], "ids.progress", revisions=HANDSHAKE),
    Case("another session's task", [C(request("tasks/get", {"taskId": "t1"}))],
         [C(request("tools/call", {"name": "read_file", "task": {}})), S(result(task={"taskId": "t1", "status": "working"})), C(request("tasks/get", {"taskId": "t1"}))],
         "tasks.taskId", revisions=TASKS),
    # --- ids, from the server
    Case("a late answer", [C(READ), S(result(content=[])), S(result(content=[]))], [C(READ), S(result(content=[]))], "ids.unknown"),
    Case("a guessed answer", [C(READ), S(lambda talk: {**result(content=[]), "id": talk.last_wire_id + 1})], [C(READ), S(result(content=[]))], "ids.unknown"),
    Case("an answer under the client's id", [C({**READ, "id": "mine"}), S({**result(content=[]), "id": "mine"})], [C({**READ, "id": "mine"}), S(result(content=[]))], "ids.unknown"),
    Case("an answer under an id of another type", [C(READ), S(lambda talk: {**result(content=[]), "id": str(talk.last_wire_id)})], [C(READ), S(result(content=[]))], "ids.unknown"),
    Case("an answer to a cancelled request", [C(READ), C(to_last("notifications/cancelled")), S(result(content=[]))], [C(READ), S(result(content=[]))], "ids.unknown"),
    Case("an error under id null", [C(READ), S({"jsonrpc": "2.0", "id": None, "error": {"code": 1, "message": "x"}})], [C(READ), S(error(1))], "ids.unknown"),
    Case("a server that cancels the client's request", [C(READ), S(lambda talk: server_cancels(talk.last_wire_id))], [C(LISTEN), S(lambda talk: server_cancels(talk.last_wire_id))], "ids.cancelled", revisions=(MODERN,)),
    Case("a server that cancels what it did not ask", [S(SAMPLE), S(server_cancels("s9"))], [S(SAMPLE), S(server_cancels("s1"))], "ids.cancelled", revisions=HANDSHAKE),
    Case("a server's id that is in flight", [S(SAMPLE), S({**ROOTS, "id": "s1"})], [S(SAMPLE), S(ROOTS)], "ids.in-use", revisions=HANDSHAKE),
    Case("progress on nobody's call", [C(READ), S(notification("notifications/progress", {"progressToken": 3, "progress": 1}))],
         [C(with_meta(READ, progressToken=3)), S(notification("notifications/progress", {"progressToken": 3, "progress": 1}))], "ids.progress"),
    Case("progress under a token of another type", [C(with_meta(READ, progressToken=3)), S(notification("notifications/progress", {"progressToken": "3", "progress": 1}))],
         [C(with_meta(READ, progressToken="3")), S(notification("notifications/progress", {"progressToken": "3", "progress": 1}))], "ids.progress"),
    Case("progress after the answer", [C(with_meta(READ, progressToken=3)), S(result(content=[])), S(notification("notifications/progress", {"progressToken": 3, "progress": 1}))],
         [C(with_meta(READ, progressToken=3)), S(notification("notifications/progress", {"progressToken": 3, "progress": 1}))], "ids.progress"),
    # --- the method table, from the server
    Case("a server's vendor method", [S(request("vendor/ask", id="v"))], [S(request("ping", id="v"))], "methods.unknown", revisions=HANDSHAKE),
    Case("a server that calls a tool", [S(request("tools/call", {"name": "x"}, id="v"))], [S(request("ping", id="v"))], "methods.unknown", revisions=HANDSHAKE),
    Case("a server's vendor notification", [S(notification("notifications/vendor"))], [C(with_meta(READ, progressToken=1)), S(notification("notifications/progress", {"progressToken": 1, "progress": 1}))], "methods.unknown"),
    Case("a server's request in the era without them", [S(ROOTS)], [C(READ), S(result(content=[]))], "era.server-request", revisions=(MODERN,), opened=False),
    Case("elicitation before there was any", [S(ELICIT)], [S(ROOTS)], "methods.elicitation/create", revisions=HANDSHAKE[:2]),
    Case("elicitation/complete before there was any", [S(notification("notifications/elicitation/complete", {"elicitationId": "e"}))], [S(notification("notifications/tools/list_changed"))], "methods.notifications/elicitation/complete", revisions=HANDSHAKE[:3]),
    Case("the completion of nobody's question", [S(notification("notifications/elicitation/complete", {"elicitationId": "e"}))],
         [S(request("elicitation/create", {"mode": "url", "url": "https://example.com", "message": "m", "elicitationId": "e"}, id=1)), S(notification("notifications/elicitation/complete", {"elicitationId": "e"}))],
         "ids.elicitation", revisions=TASKS),
    Case("a list change before initialize", [S(notification("notifications/tools/list_changed"))], [C(initialize()), S(result(protocolVersion="2025-11-25", capabilities={}, serverInfo={})), S(notification("notifications/tools/list_changed"))],
         "lifecycle.not-initialized", revisions=HANDSHAKE, opened=False),
    Case("a question before initialized", [C(initialize()), S(result(protocolVersion="2025-11-25", capabilities={}, serverInfo={})), S(ROOTS)],
         [C(initialize()), S(result(protocolVersion="2025-11-25", capabilities={}, serverInfo={})), S(request("ping", id=1))], "lifecycle.not-initialized", revisions=HANDSHAKE, opened=False),
    *(Case(f"a server's {message['method']} without the switch", [S(message)], [S(message)], f"capabilities.{switch} = false", profile=TOOLS_ONLY, twin_profile=OPEN, revisions=revisions)
      for message, switch, revisions in (
          (SAMPLE, "sampling", HANDSHAKE),
          (ELICIT, "elicitation", ELICITS),
          (ROOTS, "roots", HANDSHAKE),
          (notification("notifications/message", {"level": "info", "data": "x"}), "logging", HANDSHAKE),
          (notification("notifications/resources/list_changed"), "resources", HANDSHAKE),
          (notification("notifications/prompts/list_changed"), "prompts", HANDSHAKE),
      )),
    Case("a resource update that nobody subscribed to", [S(notification("notifications/resources/updated", {"uri": "a:b"}))],
         [C(request("resources/subscribe", {"uri": "a:b"})), S(notification("notifications/resources/updated", {"uri": "a:b"}))], "resources.subscriptions", revisions=HANDSHAKE),
    Case("a resource update after unsubscribing", [C(request("resources/subscribe", {"uri": "a:b"})), C(request("resources/unsubscribe", {"uri": "a:b"})), S(notification("notifications/resources/updated", {"uri": "a:b"}))],
         [C(request("resources/subscribe", {"uri": "a:b"})), S(notification("notifications/resources/updated", {"uri": "a:b"}))], "resources.subscriptions", revisions=HANDSHAKE),
    Case("other servers' context", [S(request("sampling/createMessage", {"messages": [], "maxTokens": 1, "includeContext": "allServers"}, id=1))],
         [S(request("sampling/createMessage", {"messages": [], "maxTokens": 1, "includeContext": "thisServer"}, id=1))], "sampling.includeContext", revisions=HANDSHAKE),
    Case("a question in the guard's name", [S(request("elicitation/create", {"message": "stdioguard: allow this?", "requestedSchema": {}}, id=1))],
         [S(ELICIT)], "elicitation.imitation", revisions=ELICITS),
    Case("a question in the guard's name, spaced and full-width", [S(request("elicitation/create", {"message": "\uff33t d i o-Guard asks", "requestedSchema": {}}, id=1))],
         [S(ELICIT)], "elicitation.imitation", revisions=ELICITS),
    Case("a log message that nobody asked for", [C(READ), S(notification("notifications/message", {"level": "info", "data": "x"}))],
         [C(with_meta(READ, **{META + "logLevel": "info"})), S(notification("notifications/message", {"level": "info", "data": "x"}))], "logging.level", revisions=(MODERN,)),
    Case("a list change outside a subscription", [C(LISTEN), S(notification("notifications/tools/list_changed"))], [C(LISTEN), S(of_last("notifications/tools/list_changed"))], "ids.subscription", revisions=(MODERN,)),
    Case("a list change in another's subscription", [C(LISTEN), S(listened("notifications/tools/list_changed", 99))], [C(LISTEN), S(of_last("notifications/tools/list_changed"))], "ids.subscription", revisions=(MODERN,)),
    Case("a subscription that is a plain call", [C(READ), S(of_last("notifications/tools/list_changed"))], [C(LISTEN), S(of_last("notifications/tools/list_changed"))], "ids.subscription", revisions=(MODERN,)),
    Case("an acknowledgement of nothing", [S(listened("notifications/subscriptions/acknowledged", 1, notifications={}))], [C(LISTEN), S(of_last("notifications/subscriptions/acknowledged", notifications={}))], "ids.subscription", revisions=(MODERN,)),
]  # fmt: skip


def test_there_are_enough_cases_and_each_name_is_used_once() -> None:
    assert len({case.name for case in CASES}) == len(CASES) >= 100


def play(talk: Playbook, steps: list[Step]) -> tuple[str, Message]:
    """Say all but the last of `steps`, forget what came of it, say the last; return who said it and what."""
    for side, message in steps[:-1]:
        said = message(talk) if callable(message) else message
        if side == "client":
            talk >> said
        else:
            talk << said
    talk.flush()
    side, message = steps[-1]
    said = message(talk) if callable(message) else message
    if side == "client":
        talk >> said
    else:
        talk << said
    return side, said


@pytest.mark.parametrize(("case", "revision"), [(case, revision) for case in CASES for revision in case.revisions],
                         ids=lambda value: value if isinstance(value, str) else value.name)  # fmt: skip
def test_what_must_not_pass_does_not_and_its_twin_does(case: Case, revision: str) -> None:
    if revision == MODERN and not case.opened:
        talk = Playbook(revision, case.profile)
        talk >> LIST
        talk.flush()
    else:
        talk = Playbook(revision, case.profile, opened=case.opened)
    side, said = play(talk, case.hostile)
    to_server, to_client = talk.all_to_server(), talk.all_to_client()
    assert talk.rules()[-1] == case.rule
    if side == "client":
        assert not any(message.get("method") == said.get("method") for message in to_server)
        assert to_server == []
        if "id" in said and "method" in said:
            (answered,) = to_client
            assert (refusal(answered) or {}).get("rule") == case.rule
    else:
        assert not any("result" in message or "method" in message for message in to_client)

    talk = Playbook(revision, case.twin_profile or case.profile, opened=case.opened)
    before = len(talk.rules())
    side, said = play(talk, case.twin)
    assert talk.rules()[before:] == []
    assert talk.all_to_server() if side == "client" else talk.all_to_client() or talk.all_to_server()
