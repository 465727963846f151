"""Random conversations through a session, in both eras, under four profiles: the model in `model.py` checks every line.

Both sides are played: each is honest most of the time and hostile the rest. An honest message that the profile grants must arrive
(else a guard that refuses everything would pass); whatever else happens, the invariants of the model hold.
"""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from stdioguard.wire.framing import Oversized
from tests.fuzz import model
from tests.fuzz.budget import budget
from tests.fuzz.model import (
    CAPABILITIES,
    CLIENT_INFO,
    GRANTED,
    HANDSHAKE,
    MODERN,
    OWN,
    SUBSCRIPTION,
    TASKS,
    TOKEN,
    VERSION,
    World,
)
from tests.fuzz.reference import Num

IDS = st.sampled_from([0, 1, 2, 3, "0", "1", "2", "", -7, 10**40, "caf\u00e9", "stdioguard-f00d-1", "stdioguard-f00d-2"])
TOOLS = st.sampled_from(["read_file", "write_file", "write_more", "write_secret", "open_file", "drop", "stranger"])
ODD_TOOLS = st.sampled_from(
    [
        "",
        "Read_file",
        "read_file\0",
        "read_file ",
        " drop",
        "drop\u200b",
        "write_secret\n",
        "x" * 129,
        "read_*",
        "../drop",
        5,
        None,
        ["drop"],
    ]
)
PATHS = st.sampled_from(
    [GRANTED, f"{GRANTED}/a", f"{GRANTED}/../etc", "/etc/passwd", f"{GRANTED}x", "/", "", "~/x", f"file://{GRANTED}/a", [f"{GRANTED}/a"],
     [f"{GRANTED}/a", "/etc"], 5, None, "a\0b", {"path": GRANTED}]
)  # fmt: skip
ARGUMENTS = st.one_of(
    st.just({"path": f"{GRANTED}/a"}),
    st.fixed_dictionaries({"path": PATHS}),
    st.sampled_from(
        [{}, {"n": 1}, {"n": 1.0}, {"n": "1"}, {"n": True}, {"n": 10**30}, {"text": "\u202e\u2028\0\U000e0041"},
         {"path": f"{GRANTED}/a", "PATH ": "/etc"}, {f"{OWN}token": "payload"}, {"deep": [[{"a": None}]]}, {"n": 0.1 + 0.2}]
    ),
)  # fmt: skip
FULL = {"elicitation": {}, "sampling": {}, "roots": {"listChanged": True}, "tasks": {}, "extensions": {TASKS: {}, "x.org/y": {}}}
CAPABLE = st.just(FULL) | st.sampled_from(
    [
        {"elicitation": {"form": {}, "url": {}}, "roots": {}, "experimental": {"a": {}}},
        {"elicitation": {"url": {}}, "sampling": {f"{OWN}token": TOKEN}},
        {"elicitation": True},
        {},
    ]
)
META_EXTRAS = st.sampled_from(
    [{}, {}, {}, {f"{OWN}token": TOKEN}, {"IO.StdioGuard/token": TOKEN}, {"progressToken": 1}, {"progressToken": "1"}, {"progressToken": True},
     {"traceparent": "00-0"}, {"ProgressToken": 1}, {"io.modelcontextprotocol/new": 1}, {"com.mcp.tools/x": 1},
     {CLIENT_INFO: {"name": "x", "version": "1", "secret": TOKEN}}]
)  # fmt: skip
HONEST_META = st.sampled_from([{}, {}, {"progressToken": 1}, {"progressToken": "1"}, {"progressToken": 7}])
METHODS = sorted(model.CLIENT_REQUESTS)
ALL_METHODS = sorted(
    {*model.CLIENT_REQUESTS, *model.CLIENT_NOTIFICATIONS, *model.SERVER_REQUESTS, *model.SERVER_NOTIFICATIONS,
     "tools/Call", "tools/call\0", "vendor/run", "rpc.discover", "TOOLS/CALL", "$/cancelRequest", "completion/complete "}
)  # fmt: skip
YES = {"action": "accept", "content": {"decision": "allow once"}}
DECISIONS = st.just(YES) | st.sampled_from(
    [{"action": "accept", "content": {"decision": "deny"}}, {"action": "decline"}, {"action": "cancel"}, {},
     {"action": "accept"}, {"action": "accept", "content": {}}, {"action": "accept", "content": {"decision": True}},
     {"action": "accept", "content": {"decision": "Allow once"}}, {"action": "accept", "content": {"decision": ["allow once"]}},
     {"action": "Accept", "content": {"decision": "allow once"}}, {"action": "accept", "content": [["decision", "allow once"]]},
     {"content": {"decision": "allow once"}}, {"action": True, "content": {"decision": "allow once"}}]
)  # fmt: skip
URIS = [f"file://{GRANTED}", f"file://{GRANTED}/a", "file:///etc", f"file://{GRANTED}/%2e%2e/etc", f"file://{GRANTED}/../etc", "file:///",
        "http://x/", f"file://host{GRANTED}", "file:///%ff", f"file://{GRANTED}/%00", f"file://{GRANTED}x", 5, "", f"FILE://{GRANTED}"]  # fmt: skip
ROOTS = st.lists(st.sampled_from([{"uri": uri, "name": "r"} for uri in URIS] + [None, "file:///etc", {}]), max_size=4)

TEXT = [{"type": "text", "text": "hello"}]
SHAPES: dict[str, dict[str, Any]] = {
    "tools/call": {"content": TEXT}, "tools/list": {"tools": []}, "ping": {},
    "resources/list": {"resources": []}, "resources/templates/list": {"resourceTemplates": []},
    "resources/read": {"contents": []}, "prompts/list": {"prompts": []}, "prompts/get": {"messages": []},
    "completion/complete": {"completion": {"values": []}},
    "tasks/list": {"tasks": [{"taskId": "t1"}, {"taskId": "t9"}]}, "tasks/get": {"taskId": "t1", "status": "working"},
}  # fmt: skip
TOOL_NAMES = ["read_file", "write_file", "write_secret", "drop", "read_file", "open_file", "stranger", "bad name", "", 5, None]
RESULT_EXTRAS = st.sampled_from(
    [{}, {}, {"_meta": {f"{OWN}refusal": {"code": -31002, "rule": "forged"}}}, {"isError": True}, {"structuredContent": {f"{OWN}x": 1, "y": [{f"{OWN}z": 2}]}},
     {"_meta": {"IO.stdioguard/refusal": {"code": -31002, "rule": "forged"}}}, {"_meta": {SUBSCRIPTION: 1}},
     {"_meta": []}, {"Content": []}, {"resultType": "complete"}, {"resultType": "task"}, {"resultType": []}, {"task": {"taskId": "t1"}},
     {"task": {"taskId": []}}, {"nextCursor": "2"}, {"structuredContent": {"n": 10**400, "f": 1e300}}]
)  # fmt: skip
ERRORS = st.sampled_from(
    [{"code": -32602, "message": "no"}, {"code": -31002, "message": "forged", "data": {f"{OWN}refusal": 1}}, {"code": -31999, "message": ""},
     {"code": -32602, "message": "stdioguard: forged", "data": {"code": -31002, "rule": "x"}}, {"code": 1, "message": " StdioGuard says", "data": {"rule": 1}},
     {"code": -32602, "message": "stdioguard: forged", "data": {"code": -31002, "rule": "x"}},
     {"code": 1, "message": " StdioGuard says", "data": {"code": 1, "rule": None, "more": 1}},
     {"code": -32042, "message": "open", "data": {"elicitations": [{"elicitationId": "e1"}, {"elicitationId": []}, 5]}},
     {"code": -32022, "message": "v", "data": {"supported": [MODERN], "requested": ""}}, {"code": 10**50, "message": "big"},
     {"code": -32601, "message": "x", "data": [{f"{OWN}x": {}}]}]
)  # fmt: skip
SERVER_CAPABILITIES = st.sampled_from(
    [{"tools": {}, "resources": {"subscribe": True}, "prompts": {}, "completions": {}, "logging": {}, "tasks": {"list": {}}, "x": {}},
     {"tools": {}}, {}, {"extensions": {TASKS: {}, "x.org/y": {}}}, {"Tools": {}}]
)  # fmt: skip
QUESTION = {
    "method": "elicitation/create",
    "params": {"mode": "form", "message": "name?", "requestedSchema": {"type": "object", "properties": {}}},
}
QUESTIONS = st.sampled_from(
    [{"q": QUESTION}, {"q": QUESTION, "r": {"method": "roots/list"}}, {"stdioguard.confirm": QUESTION}, {"StdioGuard.x": QUESTION},
     {"q": {"method": "sampling/createMessage", "params": {"messages": [], "maxTokens": 1}}}, {"q": {"method": "ping"}}, {"q": {"method": []}}, {"q": 5},
     {"q": {"method": "elicitation/create", "params": {"message": "s t d i o g u a r d asks", "requestedSchema": {}}}}, {},
     {"q": {"method": "sampling/createMessage", "params": {"messages": [], "maxTokens": 1, "includeContext": "allServers"}}}, [],
     {"q": {"method": "elicitation/create", "params": {"mode": "url", "url": "https://x.org", "message": "go", "elicitationId": "e2"}}},
     {"q": {"method": "elicitation/create", "params": []}}]
)  # fmt: skip
SERVER_ASKS = st.sampled_from(
    [("ping", {}), ("roots/list", {}), ("roots/list", {"_meta": {"progressToken": 4, f"{OWN}x": 1}}),
     ("sampling/createMessage", {"messages": [], "maxTokens": 1, "_meta": {"progressToken": "4"}}),
     ("sampling/createMessage", {"messages": [], "maxTokens": 1, "includeContext": "allServers"}),
     ("sampling/createMessage", {"messages": [], "maxTokens": 1, "task": {"ttl": 1}}),
     ("elicitation/create", {"message": "name?", "requestedSchema": {"type": "object", "properties": {}}}),
     ("elicitation/create", {"message": "stdioguard: allow?", "requestedSchema": {"properties": {"decision": {}}}}),
     ("elicitation/create", {"message": "\uff33tdio-guard", "requestedSchema": {}}),
     ("elicitation/create", {"mode": "url", "url": "https://x.org", "message": "go", "elicitationId": "e1"}),
     ("elicitation/create", {"mode": "url", "url": "https://x.org", "message": "go", "elicitationId": []}),
     ("tasks/get", {"taskId": "t1"}), ("tasks/get", {"taskId": []}), ("tasks/list", {}), ("tools/call", {"name": "x"}), ("vendor/x", {}), ("", {})]
)  # fmt: skip
SERVER_SAYS = st.sampled_from(
    [("notifications/message", {"level": "info", "data": "x"}), ("notifications/message", {"level": "info", "data": {f"{OWN}x": 1}}),
     ("notifications/tools/list_changed", {}), ("notifications/resources/list_changed", {}), ("notifications/prompts/list_changed", {}),
     ("notifications/resources/updated", {"uri": "a:b"}), ("notifications/elicitation/complete", {"elicitationId": "e1"}),
     ("notifications/elicitation/complete", {"elicitationId": []}), ("notifications/tasks/status", {"taskId": "t1", "status": "working"}),
     ("notifications/tasks/status", {"taskId": {}}), ("notifications/tasks", {"taskId": "t1", "status": "working"}),
     ("notifications/subscriptions/acknowledged", {"notifications": {}}), ("notifications/initialized", {}), ("tools/list", {}),
     ("notifications/roots/list_changed", {}), ("vendor/x", {}), ("notifications/cancelled", {"requestId": []}),
     *[("notifications/progress", {"progressToken": token, "progress": 1}) for token in (1, "1", 7, True, 1.0, None, [])],
     *[("notifications/progress", {"progressToken": 1, "progress": progress}) for progress in (0.5, 10**400, "x", None)], ("notifications/progress", {})]
)  # fmt: skip
NOISE = st.sampled_from(
    [b"", b"\r", b" ", b"{}", b"[]", b"null", b"Server listening on stdio", b'{"jsonrpc":"2.0"}', b"\xff\xfe", b"\xef\xbb\xbf{}", b"{" * 500,
     b'[{"jsonrpc":"2.0","id":1,"method":"tools/list"}]', b'{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}', b'{"jsonrpc":"2.0","id":1.0,"method":"ping"}',
     b'{"jsonrpc":"2.0","id":1,"method":"ping","result":{}}', b'{"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1,"message":""}}',
     b'{"jsonrpc":"2.0","id":"1","result":[]}', b'{"jsonrpc":"2.0","id":1,"result":{"a":NaN}}', b'{"jsonrpc":"2.0","id":true,"method":"ping"}',
     b'{"jsonrpc":"2.0","id":2,"result":{"a":1,"A":2}}', b'{"jsonrpc":"2.0","id":null,"method":"tools/call"}', b'{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":""}}',
     b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":[]}', b'{"jsonrpc":"2.0","method":"tools/call","params":{"name":"drop"}}',
     b'{"jsonrpc":"2.0","method":"ping"}\r{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"drop"}}',
     b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"drop","Name":"read_file"}}',
     b'{"jsonrpc":"2.0","id":1,"method":"tools/call","method":"ping"}', b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"_meta":{"a":"\\ud800"}}}',
     b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"_meta":5}}', b'{"jsonrpc":"2.0","id":' + b"9" * 5000 + b',"method":"ping"}']
)  # fmt: skip
BROKEN = st.sampled_from(
    [b'{"jsonrpc":"2.0","id":"%b","result":[]}', b'{"jsonrpc":"2.0","id":"%b","result":{"action":"accept","action":"accept"}}',
     b'{"jsonrpc":"2.0","id":"%b","result":{"action":"accept"},"error":{"code":1,"message":""}}', b'{"jsonrpc":"2.0","id":"%b","error":1}']
)  # fmt: skip
"""Answers that cannot be read, to a question with this id."""


def _pick(data: st.DataObject, items: Any) -> Any:
    return data.draw(st.sampled_from(list(items)))


def _plain(value: Any) -> Any:
    """Turn ids as the model keeps them into what `json` writes."""
    return value.as_int() if type(value) is Num else value


class Conversation(RuleBasedStateMachine):
    """A client and a server that talk through the guard. Subclasses fix the era of the honest part."""

    modern = False

    def __init__(self) -> None:
        super().__init__()
        self.world: World = None  # type: ignore[assignment]  # made by the first rule, which always runs first
        self.count = 0
        self.revision = MODERN
        self.capabilities: dict[str, Any] = {}
        self.retries: list[dict[str, Any]] = []

    # --- openings ---------------------------------------------------------------------------------------------------------------

    @initialize(
        grants=st.sampled_from([model.NOTHING, *[model.MIXED, model.ASKING, model.EVERYTHING] * 3]), revision=st.sampled_from(["2024-11-05", "2025-03-26", *HANDSHAKE[2:] * 3]),
        capabilities=CAPABLE, how=st.sampled_from([*["whole"] * 12, "sent", "probed", "none", "odd", "odd"]), data=st.data(),
    )  # fmt: skip
    def opening(self, grants: model.Grants, revision: str, capabilities: dict[str, Any], how: str, data: st.DataObject) -> None:
        self.world = World(grants)
        self.capabilities = capabilities
        if self.modern:
            if how in ("probed", "whole"):
                self._request("server/discover", {}, "d")
            if how == "whole":
                self._answer_honestly(next(iter(self.world.by_wire.values())))
                assert self.world.era == MODERN
            return
        self.revision = revision
        if how == "none":
            return
        if how == "probed":
            self._raw_request("d", "server/discover", {"_meta": {VERSION: MODERN, CAPABILITIES: {}}})
            self._answer_error("server/discover")
        self._initialize()
        if how == "whole":
            self._answer_honestly(next(iter(self.world.by_wire.values())))
            self.world.client({"jsonrpc": "2.0", "method": "notifications/initialized"})
            assert self.world.phase == "ready"
        elif how == "odd":
            if data.draw(st.booleans()):
                self.world.client({"jsonrpc": "2.0", "method": "notifications/initialized"})
            self._odd_opening(data)
            self.world.client({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def _odd_opening(self, data: st.DataObject) -> None:
        """Answer `initialize` in a way that the client must not be left to believe in."""
        entry = next(iter(self.world.by_wire.values()))
        result = {
            "protocolVersion": data.draw(st.sampled_from([self.revision, "2024-11-05", "2099-01-01", MODERN, 5, ""])),
            "capabilities": data.draw(SERVER_CAPABILITIES), "serverInfo": data.draw(st.sampled_from([{"name": "x", "version": "1"}, 5])),
        }  # fmt: skip
        self.world.server({"jsonrpc": "2.0", "id": _plain(entry.wire), "result": result})
        if self.world.revision is not None:
            self.revision = self.world.revision

    def _answer_error(self, method: str) -> None:
        entry = next(entry for entry in self.world.by_wire.values() if entry.method == method)
        self.world.server({"jsonrpc": "2.0", "id": _plain(entry.wire), "error": {"code": -32601, "message": "unknown"}})

    def _initialize(self) -> None:
        info = {"name": "fuzz", "version": "1", "secret": TOKEN}
        params = {
            "protocolVersion": self.revision,
            "capabilities": self.capabilities,
            "clientInfo": info,
            "_meta": {f"{OWN}token": TOKEN},
        }
        fresh = "init" not in self.world.open and self.world.phase == "new" and self.world.era is None
        self._raw_request("init", "initialize", params)
        if fresh:
            assert self.world.phase == "initializing", "an honest initialize did not pass"

    # --- what the client says ---------------------------------------------------------------------------------------------------

    def _raw_request(self, id_: Any, method: str, params: Any) -> Any:
        return self.world.client({"jsonrpc": "2.0", "id": id_, "method": method, "params": params})

    def _meta(self, extras: dict[str, Any]) -> dict[str, Any]:
        self.count += 1
        envelope = {
            VERSION: MODERN,
            CAPABILITIES: self.capabilities,
            CLIENT_INFO: {"name": "fuzz", "version": "1", "secret": TOKEN},
        }
        return {"example.org/n": self.count, **(copy.deepcopy(envelope) if self.modern else {}), **extras}

    def _request(self, method: str, params: dict[str, Any], id_: Any, meta: dict[str, Any] | None = None) -> Any:
        return self._raw_request(id_, method, {**params, "_meta": self._meta(meta or {})})

    def _params(self, data: st.DataObject, method: str) -> dict[str, Any]:
        match method:
            case "tools/call":
                params = {"name": data.draw(TOOLS), "arguments": data.draw(ARGUMENTS)}
                if data.draw(st.integers(0, 9)) == 0:
                    params["task"] = {"ttl": 1000}
                return params
            case "tools/list":
                return data.draw(st.sampled_from([{}, {"cursor": "2"}]))
            case "resources/read" | "resources/subscribe" | "resources/unsubscribe":
                return {"uri": data.draw(st.sampled_from(["a:b", "a:c"]))}
            case "prompts/get":
                return {"name": "p", "arguments": {"x": "y"}}
            case "completion/complete":
                return {"ref": {"type": "ref/prompt", "name": "p"}, "argument": {"name": "x", "value": ""}}
            case "logging/setLevel":
                return {"level": "info"}
            case "subscriptions/listen":
                return {
                    "notifications": data.draw(
                        st.sampled_from(
                            [{"toolsListChanged": True, "promptsListChanged": True}, {"resourceSubscriptions": ["a:b"]}]
                        )
                    )
                }
            case "tasks/get" | "tasks/result" | "tasks/cancel" | "tasks/update":
                return {"taskId": data.draw(st.sampled_from(["t1", "t9"]))}
            case "initialize":
                return {
                    "protocolVersion": self.revision,
                    "capabilities": self.capabilities,
                    "clientInfo": {"name": "x", "version": "1"},
                }
        return {}

    def _is_settled(self) -> bool:
        return self.world.era != "handshake" if self.modern else self.world.phase == "ready"

    @rule(data=st.data(), id_=IDS, meta=HONEST_META)
    def honest_request(self, data: st.DataObject, id_: Any, meta: dict[str, Any]) -> None:
        world = self.world
        method = _pick(data, [*METHODS, "tools/call", "tools/call", "tools/call", "tools/list"])
        params = self._params(data, method)
        open_before = self._key(id_) in world.open
        settled = self._is_settled() and world.phase != "initializing"
        self._request(method, params, id_, meta)
        if open_before or not settled:
            return
        revisions, capability = model.CLIENT_REQUESTS[method]
        granted = self.revision in revisions and (not capability or capability in world.grants.capabilities)
        entry = world.open.get(self._key(id_))
        if method in ("initialize", "server/discover") or method.startswith("tasks/"):
            return
        if not granted:
            assert entry is None, f"{method} is not granted and was not refused"
            return
        if method != "tools/call":
            assert entry is not None, f"{method} is granted and was refused"
            assert entry.wire is not None, f"{method} is granted and did not arrive"
            return
        self._called(params, entry)

    @rule(id_=IDS, name=TOOLS, arguments=ARGUMENTS, meta=HONEST_META)
    def honest_call(self, id_: Any, name: str, arguments: dict[str, Any], meta: dict[str, Any]) -> None:
        if self._is_settled() and self.world.phase != "initializing" and self._key(id_) not in self.world.open:
            params = {"name": name, "arguments": arguments}
            self._request("tools/call", params, id_, meta)
            self._called(params, self.world.open.get(self._key(id_)))

    def _called(self, params: dict[str, Any], entry: model.Entry | None) -> None:
        world = self.world
        action = world.grants.action(params["name"])
        if "task" in params or (world.grants.name, params["name"]) in model.CONSTRAINED:
            return
        if action == "allow":
            assert entry is not None, "an allowed call was refused"
            assert entry.wire is not None, "an allowed call did not arrive"
        elif action == "deny":
            assert entry is None, "a denied call was not refused"
        elif self.modern:
            assert entry is None
            answer = json.loads(world.outputs[-1].to_client[0])
            can = type(self.capabilities.get("elicitation")) is dict and self.capabilities["elicitation"] != {"url": {}}
            assert can == ("result" in answer), "a client that can ask was not asked to, or the other way round"
            if can:
                self.retries.append({**params, "requestState": answer["result"]["requestState"]})
        elif entry is not None:
            # The same call, made while one waits already, is not asked about anew.
            assert entry.ask is not None or any(other.ask is not None for other in world.open.values()), "not held"

    @staticmethod
    def _key(id_: Any) -> Any:
        return model.reference.num(str(id_)) if type(id_) is int else id_

    @rule(data=st.data(), id_=IDS, meta=META_EXTRAS, era=st.integers(0, 5))
    def odd_request(self, data: st.DataObject, id_: Any, meta: dict[str, Any], era: int) -> None:
        """Send what a client might send to get around the guard."""
        method = _pick(data, ALL_METHODS)
        params = self._params(data, method)
        if data.draw(st.booleans()):
            params |= data.draw(
                st.sampled_from([{"requestState": "x"}, {"inputResponses": {"stdioguard.confirm": YES}}, {"inputResponses": []}, {"x": 1}, {"Name": "drop"},
                                 {"name": "read_file"}, {"arguments": None}, {"arguments": []}, {"task": None}, {"task": {}}, {"taskId": []}, {"_meta": []},
                                 {"cursor": []}, {"notifications": []}, {"notifications": {"x": True}}, {"uri": []}, {"capabilities": []}, {"clientInfo": 5},
                                 {"inputResponses": {"q": {"roots": [{"uri": "file:///etc"}, {"uri": "file:///%ff"}]}}},
                                 {"inputResponses": {"q": {"action": "accept", "_meta": {f"{OWN}token": TOKEN}}}}])
            )  # fmt: skip
        if method == "tools/call" and data.draw(st.booleans()):
            params["name"] = data.draw(ODD_TOOLS)
        settled = self.world.era is not None or self.world.phase != "new"
        message = {"jsonrpc": "2.0", "id": id_, "method": method, "params": {"_meta": self._meta(meta), **params}}
        marks = message["params"]["_meta"]
        if era == 0 and settled and type(marks) is dict:
            # A frame of the other era, or of a revision that does not exist.
            if self.modern:
                for key in (VERSION, CAPABILITIES):
                    marks.pop(key, None)
            else:
                marks |= {VERSION: _pick(data, [MODERN, "2025-11-25", "2099-01-01", 5]), CAPABILITIES: {"elicitation": {}}}
        if era == 1:
            del message["id"]
        if era == 2 and type(marks) is dict and self.modern and settled:
            marks[_pick(data, [VERSION, CAPABILITIES])] = _pick(data, [None, [], "", {}])
        self.world.client(message)

    @rule(
        data=st.data(),
        late=st.sampled_from([False, False, False, True]),
        result=DECISIONS,
        extra=st.sampled_from([{}, {}, {"_meta": {f"{OWN}token": TOKEN}}, {"Action": "accept"}]),
    )
    @precondition(lambda self: self.world.asks or self.world.dead_asks)
    def decide(self, data: st.DataObject, late: bool, result: dict[str, Any], extra: dict[str, Any]) -> None:
        """Answer the guard's own question: rightly, wrongly, again, or by guessing."""
        world = self.world
        ask = _pick(data, [*world.dead_asks, "stdioguard-f00d-99", 1] if late or not world.asks else world.asks)
        entry = world.asks.get(ask)
        kind = data.draw(st.integers(0, 9)) if entry is not None else 9
        if entry is not None and kind == 0:
            world.client({"jsonrpc": "2.0", "id": ask, "error": {"code": -1, "message": "no"}})
        elif entry is not None and kind == 1:
            world.client(data.draw(BROKEN) % ask.encode(), answers=ask)
            assert entry.id not in world.open, "an answer that cannot be read is a no"
        else:
            collide = "action" in result and "Action" in extra
            answer = {"jsonrpc": "2.0", "id": ask, "result": {**result, **extra}}
            world.client(answer, answers=ask if collide and type(ask) is str else None)
            same = entry is not None and world.is_as_described(entry.params, entry.described)
            if entry is not None and same and result is YES and not extra and world.now - entry.asked_at < 55:
                assert entry.wire is not None, "an approved call did not run"

    @rule(data=st.data(), id_=IDS, result=DECISIONS, how=st.sampled_from([*["right"] * 6, "tampered", "other", "foreign"]))
    @precondition(lambda self: self.modern and self.retries)
    def retry(self, data: st.DataObject, id_: Any, result: dict[str, Any], how: str) -> None:
        """Call again with the state that a round gave out: rightly, twice, tampered with, or for another call."""
        world = self.world
        call = copy.deepcopy(_pick(data, [*self.retries, *self.retries[-1:] * len(self.retries)]))
        state = call["requestState"]
        call["inputResponses"] = {"stdioguard.confirm": result}
        match how:
            case "tampered":
                at = data.draw(st.integers(0, len(state) - 1))
                call["requestState"] = data.draw(
                    st.sampled_from(
                        [
                            state[:at] + chr(ord(state[at]) ^ 1) + state[at + 1 :],
                            state[:at],
                            state + "A",
                            state + "=",
                            "",
                            state.upper(),
                            5,
                            None,
                            "\u00e9" + state,
                        ]
                    )
                )
            case "other":
                call["arguments"] = data.draw(ARGUMENTS)
                call["name"] = data.draw(TOOLS)
            case "foreign":
                call["requestState"] = _pick(data, self.retries)["requestState"]
        fresh = (
            state not in world.shown
            and self._key(id_) not in world.open
            and self.world.era != "handshake"
            and world.phase == "new"
        )
        sealed = world.sealed[state]
        self._request("tools/call", call, id_)
        entry = world.open.get(self._key(id_))
        same = world.is_as_described(call, sealed.described)
        if how == "right" and fresh and same and result is YES and sealed.kind == "person" and world.now - sealed.at < 600:
            assert entry is not None, "an approved call was refused"
            assert entry.wire is not None, "an approved call did not run"

    def cancel(self, data: st.DataObject, wild: bool, extra: dict[str, Any]) -> None:
        """Cancel an own request, or something that only looks like one."""
        ids = [_plain(id_) for id_ in self.world.open]
        target = (
            _pick(data, ids)
            if ids and not wild
            else data.draw(st.one_of(IDS, st.sampled_from([True, 1.0, None, [], {}, "init"])))
        )
        self.world.client({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": target, **extra}})

    def notify(self, method: str, meta: dict[str, Any], params: dict[str, Any]) -> None:
        """Send a client's notification of some kind."""
        self.world.client({"jsonrpc": "2.0", "method": method, "params": {**params, **({"_meta": meta} if meta else {})}})

    def client_damage(self, data: st.DataObject, cut: int, kind: str) -> None:
        """Send noise, or an honest request with a wound in it, under an id that may be in use."""
        if kind == "noise":
            self.world.client(data.draw(NOISE))
            return
        id_ = data.draw(st.one_of(IDS, st.sampled_from([_plain(id_) for id_ in self.world.open] or [1])))
        frame = json.dumps(
            {"jsonrpc": "2.0", "id": id_, "method": "tools/call", "params": {"name": "drop", "_meta": self._meta({})}}
        ).encode()
        if kind == "flood":
            self.world.client(Oversized(frame, b"}}", 1 << 25))
            return
        at = cut % len(frame)
        wound = data.draw(st.sampled_from([b"\r", b'"x":1,"x":2,', b"\0", b"\xff", b"NaN", b"{", b"\\ud800", b',"result":{}']))
        self.world.client(frame[:at] + wound + frame[at:] if wound != b',"result":{}' else frame[:-1] + wound + b"}")

    @rule(data=st.data(), roots=ROOTS, bad=st.sampled_from([None, None, None, {}, {"Roots": []}, {"roots": 5}, {"action": []}, {"task": {"taskId": "t1"}}]),
          own=st.booleans())  # fmt: skip
    @precondition(lambda self: self.world.to_ask)
    def answer_server(self, data: st.DataObject, roots: list[Any], bad: dict[str, Any] | None, own: bool) -> None:
        """Answer a request of the server's."""
        self.answer_one(data, _pick(data, self.world.to_ask), roots, bad, own)

    def answer_one(self, data: st.DataObject, ask: str, roots: list[Any], bad: dict[str, Any] | None, own: bool) -> None:
        method = self.world.to_ask[ask][1].method
        good: dict[str, Any] = {"roots/list": {"roots": roots}, "elicitation/create": {"action": "accept", "content": {"name": "x"}},
                                "sampling/createMessage": {"role": "assistant", "content": {"type": "text", "text": "x"}, "model": "m"}}.get(method, {})  # fmt: skip
        result = good if bad is None else bad
        server_id = self.world.to_ask[ask][0]
        kind = data.draw(st.integers(0, 7))
        if kind == 1:
            self.world.client(data.draw(BROKEN) % ask.encode(), answers=ask)
        elif kind == 0:
            self.world.client(
                {
                    "jsonrpc": "2.0",
                    "id": ask,
                    "error": {"code": -1, "message": "no", "data": {f"{OWN}token": TOKEN} if own else None},
                }
            )
        else:
            self.world.client(
                {"jsonrpc": "2.0", "id": ask, "result": {**result, **({"_meta": {f"{OWN}token": TOKEN}} if own else {})}}
            )
        assert server_id not in self.world.server_open, "the client's answer did not reach the server"
        if data.draw(st.booleans()):
            before = len(self.world.outputs)
            self.world.client({"jsonrpc": "2.0", "id": ask, "result": good})
            assert not self.world.outputs[before].to_server, "a second answer reached the server"

    @rule(data=st.data())
    def client_mischief(self, data: st.DataObject) -> None:
        """Send noise, a damaged request, a notification of some kind, or a cancel."""
        match data.draw(st.sampled_from(["damage", "notify", "cancel", "cancel"])):
            case "damage":
                self.client_damage(
                    data,
                    data.draw(st.integers(0, 200)),
                    data.draw(st.sampled_from(["noise", "noise", "wound", "wound", "flood"])),
                )
            case "notify":
                params = data.draw(
                    st.sampled_from([{}, {}, {"taskId": "t1", "status": "x"}, {"taskId": []}, {"name": "drop"},
                                     *[{"progressToken": token, "progress": 1} for token in (4, "4", 4, "4", True, 4.0)]])
                )  # fmt: skip
                self.notify(
                    data.draw(st.sampled_from([*sorted(model.CLIENT_NOTIFICATIONS), "tools/call", "initialize"])),
                    data.draw(META_EXTRAS),
                    params,
                )
            case _:
                self.cancel(data, data.draw(st.booleans()), data.draw(st.sampled_from([{}, {"reason": "x"}])))

    # --- what the server says ---------------------------------------------------------------------------------------------------

    def _honest_result(self, entry: model.Entry) -> dict[str, Any]:
        method = entry.method
        if method == "initialize":
            # A server answers with its own newest revision where it does not know the client's.
            revision = self.revision if self.revision in HANDSHAKE else "2025-11-25"
            return {"protocolVersion": revision, "capabilities": {"tools": {}}, "serverInfo": {"name": "victim", "version": "1"}}
        if method == "server/discover":
            return {
                "resultType": "complete",
                "supportedVersions": [MODERN] if self.modern else ["2025-11-25"],
                "capabilities": {"tools": {}},
            }
        result = copy.deepcopy(SHAPES.get(method, {}))
        if "task" in entry.params and self.revision == "2025-11-25":
            return {"task": {"taskId": "t1", "status": "working"}}
        if method == "tools/list":
            result["tools"] = [{"name": name, "inputSchema": {}} for name in TOOL_NAMES]
        if entry.enveloped:
            result["resultType"] = "complete"
        return result

    def _answer_honestly(self, entry: model.Entry) -> None:
        self.world.server({"jsonrpc": "2.0", "id": _plain(entry.wire), "result": self._honest_result(entry)})
        assert entry.id not in self.world.open, "an honest answer did not reach the client"

    @rule(data=st.data())
    @precondition(lambda self: self.world.by_wire)
    def honest_answer(self, data: st.DataObject) -> None:
        entry = _pick(data, self.world.by_wire.values())
        self._answer_honestly(entry)
        answers = [json.loads(line) for line in self.world.outputs[-1].to_client]
        late = entry.method in ("initialize", "server/discover")
        assert late or any("result" in answer for answer in answers), f"an honest answer was refused: {answers}"

    @rule(data=st.data(), extra=RESULT_EXTRAS, capabilities=SERVER_CAPABILITIES, doubled=st.booleans(),
          shape=st.sampled_from(["own", "own", "own", *sorted(SHAPES)]))  # fmt: skip
    @precondition(lambda self: self.world.by_wire)
    def odd_answer(
        self, data: st.DataObject, extra: dict[str, Any], capabilities: dict[str, Any], doubled: bool, shape: str
    ) -> None:
        """Answer with too much, with another method's shape, or twice."""
        entry = _pick(data, self.world.by_wire.values())
        result = self._honest_result(entry) if shape == "own" else copy.deepcopy(SHAPES[shape])
        if "capabilities" in result:
            result["capabilities"] = capabilities
            if data.draw(st.integers(0, 3)) == 0:
                result["protocolVersion"] = data.draw(st.sampled_from(["2024-11-05", "2099-01-01", MODERN, 5]))
                result["supportedVersions"] = data.draw(st.sampled_from([[MODERN], [], [5, "2025-11-25"], ["2099-01-01"]]))
        if entry.method == "tasks/list" and data.draw(st.booleans()):
            result["tasks"] = [{"taskId": []}, 5, {"taskId": "t1"}]
        if entry.method == "tools/list" and data.draw(st.booleans()):
            result["tools"] = data.draw(st.sampled_from([[5], [{"Name": "drop"}], [{"name": "read_file", "name\0": "drop"}], {}]))
        frame = {"jsonrpc": "2.0", "id": _plain(entry.wire), "result": {**result, **extra}}
        self.world.server(frame)
        assert entry.id not in self.world.open, "an answer did not reach the client"
        if doubled:
            self._must_be_dropped(frame)

    def error_answer(self, data: st.DataObject, error: dict[str, Any]) -> None:
        entry = _pick(data, self.world.by_wire.values())
        self.world.server({"jsonrpc": "2.0", "id": _plain(entry.wire), "error": error})
        assert entry.id not in self.world.open, "an error did not reach the client"

    @rule(data=st.data(), questions=QUESTIONS, inner=st.sampled_from([None, "inner", "sg1.AAAA", "\u2028", 5]))
    @precondition(lambda self: any(entry.method in model.MAY_ASK_BACK for entry in self.world.by_wire.values()))
    def ask_back(self, data: st.DataObject, questions: Any, inner: Any) -> None:
        """Answer with questions, as a 2026-07-28 server may."""
        entry = _pick(data, [entry for entry in self.world.by_wire.values() if entry.method in model.MAY_ASK_BACK])
        before = set(self.world.sealed)
        result = {
            "resultType": "input_required",
            "inputRequests": questions,
            **({} if inner is None else {"requestState": inner}),
        }
        self.world.server({"jsonrpc": "2.0", "id": _plain(entry.wire), "result": result})
        for state in set(self.world.sealed) - before:
            params = {
                key: member for key, member in entry.params.items() if key not in ("_meta", "requestState", "inputResponses")
            }
            call = {"method": entry.method, "params": json.loads(json.dumps(params, default=_number))}
            if entry.method == "tools/call":
                self.retries.append({**call["params"], "requestState": state})

    def guessed_answer(self, id_: Any) -> None:
        """Answer what nobody has asked, or has asked and got answered."""
        if self._key(id_) not in self.world.by_wire:
            self._must_be_dropped({"jsonrpc": "2.0", "id": id_, "result": {"content": TEXT}})

    def _must_be_dropped(self, frame: dict[str, Any]) -> None:
        out = self.world.server(frame)
        assert not out.to_client, "an answer that nobody waits for reached the client"
        assert not out.to_server

    @rule(id_=IDS, asked=SERVER_ASKS)
    def server_request(self, id_: Any, asked: tuple[str, dict[str, Any]]) -> None:
        world = self.world
        method, params = asked
        known = self._key(id_) in world.server_open
        world.server({"jsonrpc": "2.0", "id": id_, "method": method, "params": copy.deepcopy(params)})
        if (
            known
            or world.phase != "ready"
            or world.era == MODERN
            or "elicitationId" in params
            or "task" in params
            or method.startswith("tasks/")
        ):
            return
        revisions, capability = model.SERVER_REQUESTS.get(method, ((), ""))
        declared = not capability or type(self.capabilities.get(capability)) is dict
        honest = "includeContext" not in params and "tdio" not in str(params.get("message"))
        forms = method != "elicitation/create" or self.capabilities.get("elicitation") != {"url": {}}
        if (
            world.revision in revisions
            and (not capability or capability in world.grants.capabilities)
            and declared
            and honest
            and forms
        ):
            assert self._key(id_) in world.server_open, f"a server's {method} is granted and was refused"

    @rule(data=st.data(), said=SERVER_SAYS, listen=st.sampled_from(["own", "own", "text", "guess", "none"]))
    def server_notification(self, data: st.DataObject, said: tuple[str, dict[str, Any]], listen: str) -> None:
        method, params = said[0], copy.deepcopy(said[1])
        tokens = [entry.token for entry in self.world.by_wire.values() if entry.token is not None]
        if method == "notifications/progress" and params:
            params["progressToken"] = (
                _plain(_pick(data, tokens)) if tokens and data.draw(st.booleans()) else params["progressToken"]
            )
        listening = [_plain(id_) for id_ in self.world.listening]
        if listen == "guess":
            params["_meta"] = {SUBSCRIPTION: data.draw(st.sampled_from([1, "1", [], True, "\u0661", "9" * 20]))}
        elif listen != "none" and listening:
            chosen = _pick(data, listening)
            params["_meta"] = {SUBSCRIPTION: chosen if listen == "own" else str(chosen)}
        self.world.server({"jsonrpc": "2.0", "method": method, "params": params})

    def server_cancel(self, data: st.DataObject, wild: bool) -> None:
        """Cancel an own request, a subscription, or a client's request that is none of the server's business."""
        ids = [_plain(id_) for id_ in (*self.world.server_open, *self.world.by_wire)]
        target = (
            _pick(data, ids)
            if ids and not wild
            else data.draw(st.one_of(IDS, st.integers(0, 20), st.sampled_from([True, 1.0, None, []])))
        )
        self.world.server({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": target}})

    def server_damage(self, data: st.DataObject, wound: bytes, noise: bool) -> None:
        """Send noise, or a broken answer: the client must not wait for ever if the id is beyond doubt."""
        if noise or not self.world.by_wire:
            self.world.server(data.draw(NOISE))
            return
        entry = _pick(data, self.world.by_wire.values())
        self.world.server(b'{"jsonrpc":"2.0","id":%d,"result":{%b"content":[]}}' % (_plain(entry.wire), wound))

    def server_flood(self, data: st.DataObject, noise: bool) -> None:
        """Answer with a message that is too long; its ends tell which request it was."""
        world = self.world
        entry = _pick(data, world.by_wire.values())
        alone = len(world.by_wire) == 1
        if noise:
            # What is no answer ends no request, whatever it names.
            world.server(
                Oversized(
                    b'{"jsonrpc":"2.0","method":"notifications/message","params":{"id":%d,' % _plain(entry.wire), b"}}", 1 << 25
                )
            )
            assert entry.id in world.open, "a notification ended a request"
            return
        head = b'{"result":{' if alone else b'{"jsonrpc":"2.0","id":%d,"result":{"content":[' % _plain(entry.wire)
        world.server(Oversized(head, b"]}}", 1 << 25))
        assert entry.id not in world.open, "a request whose answer is too long got none"

    @rule(data=st.data())
    def server_mischief(self, data: st.DataObject) -> None:
        """Guess, cancel what is not its own, send noise or too much."""
        match data.draw(st.sampled_from(["guess", "cancel", "damage", "flood", "error"])):
            case "guess":
                self.guessed_answer(
                    data.draw(st.one_of(st.integers(-1, 30), st.sampled_from(["1", "2", "", "stdioguard-f00d-1", 10**30])))
                )
            case "cancel":
                self.server_cancel(data, data.draw(st.booleans()))
            case "damage":
                self.server_damage(
                    data, data.draw(st.sampled_from([b'"a":1,"a":2,', b"\r", b"\xff", b"NaN"])), data.draw(st.booleans())
                )
            case "flood" if self.world.by_wire:
                self.server_flood(data, data.draw(st.booleans()))
            case "error" if self.world.by_wire:
                self.error_answer(data, data.draw(ERRORS))

    # --- whole exchanges ------------------------------------------------------------------------------------------------------

    def _fresh(self) -> str:
        self.count += 1
        return f"f{self.count}"

    def _settle(self) -> bool:
        """Bring the session to where requests pass, unless it is past that."""
        world = self.world
        for entry in list(world.by_wire.values()):
            if entry.method in ("initialize", "server/discover"):
                self._answer_honestly(entry)
        if (
            not self.modern
            and world.phase == "new"
            and world.era is None
            and not world.has_enveloped
            and "init" not in world.open
        ):
            self._initialize()
            self._answer_honestly(next(entry for entry in world.by_wire.values() if entry.method == "initialize"))
        if world.phase == "answered":
            world.client({"jsonrpc": "2.0", "method": "notifications/initialized"})
        return self._is_settled()

    def _last(self) -> list[Any]:
        return [json.loads(line) for line in self.world.outputs[-1].to_client]

    @rule(name=st.sampled_from(["write_file", "write_more", "stranger"]), arguments=ARGUMENTS, meta=HONEST_META, result=DECISIONS,
          seconds=st.sampled_from([0.0, 1.0, 12.0, 54.0, 56.0, 590.0, 601.0]), ticking=st.booleans(), again=st.booleans(),
          swap=st.sampled_from([{}, {}, {}, {"arguments": {"path": "/etc/passwd"}}, {"name": "write_more"}, {"name": "write_secret"}]))  # fmt: skip
    def consent(
        self,
        *,
        name: str,
        arguments: Any,
        meta: dict[str, Any],
        result: Any,
        seconds: float,
        ticking: bool,
        again: bool,
        swap: dict[str, Any],
    ) -> None:
        """Call a tool that needs consent, let a person think, take the answer, and perhaps use it for something else or again."""
        world, id_ = self.world, self._fresh()
        if not self._settle() or world.grants.action(name) != "confirm":
            return
        call = {"name": name, "arguments": arguments}
        self._request("tools/call", call, id_, meta)
        self._called(call, world.open.get(id_))
        if self.modern:
            if (
                id_ in world.open
                or not self.retries
                or self.retries[-1] != {**call, "requestState": self.retries[-1]["requestState"]}
            ):
                return
            world.wait(seconds, ticking=ticking)
            retry = {**self.retries[-1], "inputResponses": {"stdioguard.confirm": result, "q": YES}, **swap}
            same = (retry["name"], repr(retry["arguments"])) == (name, repr(arguments))
            for turn in range(2 if again else 1):
                second = self._fresh()
                self._request("tools/call", retry, second, meta)
                ran = second in world.open
                assert ran == (same and turn == 0 and result is YES and seconds <= 600), f"the call ran: {ran}"
            return
        entry = world.open.get(id_)
        if entry is None or entry.ask is None:
            return
        ask = entry.ask
        world.wait(seconds, ticking=ticking)
        in_time = seconds < 55 or (entry.token is not None and seconds < 600)
        assert not ticking or (id_ in world.open) == in_time, "a call was held for too long, or not for long enough"
        for turn in range(2 if again else 1):
            before = len(world.outputs)
            world.client({"jsonrpc": "2.0", "id": ask, "result": result})
            assert turn == 0 or not world.outputs[before].to_server, "an approval counted twice"
        assert (entry.wire is not None) == (in_time and result is YES), f"the call ran: {entry.wire is not None}"

    @rule(data=st.data(), method=st.sampled_from(["tools/call", "tools/call", "prompts/get", "resources/read"]), questions=QUESTIONS,
          name=st.sampled_from(["read_file", "stranger", "write_file"]), inner=st.sampled_from([None, "inner", "sg1.AAAA", "\u2028", 5]),
          answers=st.sampled_from([{"q": {"action": "accept", "content": {}}}, {"q": {"role": "user", "content": {}, "model": "m"}},
                                   {"q": YES, "r": {"roots": [{"uri": "file:///etc"}, {"uri": f"file://{GRANTED}/a"}, {"uri": "file:///%ff"}]}},
                                   {"zz": {"action": "accept"}}, {"stdioguard.confirm": YES}, {"q": 5}, {"q": {"action": "accept", "_meta": {f"{OWN}token": TOKEN}}}]),
          rounds=st.integers(1, 3))  # fmt: skip
    def asked_back(
        self, *, data: st.DataObject, method: str, questions: Any, name: str, inner: Any, answers: dict[str, Any], rounds: int
    ) -> None:
        """Have the server ask back, up to three times, and answer it."""
        world = self.world
        if not self.modern or not self._settle():
            return
        params = {**self._params(data, method), **({"name": name, "arguments": {}} if method == "tools/call" else {})}
        params.pop("task", None)
        extra: dict[str, Any] = {}
        asked_person = False
        for _ in range(rounds + 1):
            id_ = self._fresh()
            self._request(method, {**params, **extra}, id_)
            entry = world.open.get(id_)
            if entry is None:
                result = self._last()[0].get("result", {})
                if "inputRequests" not in result:
                    return
                # The guard's own question comes first, and once for all rounds of a call.
                assert not asked_person, "a person was asked twice about one call"
                asked_person = True
                extra = {"requestState": result["requestState"], "inputResponses": {"stdioguard.confirm": YES}}
                continue
            before = set(world.sealed)
            asked = {
                "resultType": "input_required",
                "inputRequests": questions,
                **({} if inner is None else {"requestState": inner}),
            }
            world.server({"jsonrpc": "2.0", "id": _plain(entry.wire), "result": asked})
            states = set(world.sealed) - before
            if not states:
                return
            extra = {"requestState": states.pop(), "inputResponses": answers}
            if method == "tools/call":
                self.retries.append({**params, "requestState": extra["requestState"]})

    @rule(
        data=st.data(),
        task=st.sampled_from(["t1", "t1", "t2", "", [], None]),
        other=st.sampled_from(["t1", "t9", [], None]),
        meta=HONEST_META,
    )
    def task(self, data: st.DataObject, task: Any, other: Any, meta: dict[str, Any]) -> None:
        """Run a call as a task, in the revisions that have tasks; speak of it and of others."""
        world = self.world
        if self.revision not in ("2025-11-25", MODERN) or not self._settle():
            return
        id_ = self._fresh()
        tool = _pick(data, ["read_file", "read_file", "drop", "write_secret"])
        self._request("tools/call", {"name": tool, "arguments": {}, "task": {"ttl": 1}}, id_, meta)
        entry = world.open.get(id_)
        if entry is None or entry.wire is None:
            return
        body = {"taskId": task, "status": "working"}
        result = {"resultType": "task", **body} if self.modern else {"task": body}
        world.server({"jsonrpc": "2.0", "id": _plain(entry.wire), "result": result})
        method = _pick(data, ["tasks/get", "tasks/result", "tasks/cancel", "tasks/list", "tasks/update"])
        params = {} if method == "tasks/list" else {"taskId": other}
        self._request(method, {key: member for key, member in params.items() if member is not None}, self._fresh())
        status = "notifications/tasks" if self.modern else "notifications/tasks/status"
        world.server(
            {"jsonrpc": "2.0", "method": status, "params": {"status": "working", **({} if other is None else {"taskId": other})}}
        )
        for token in (1, "1", 7):
            world.server(
                {"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progressToken": token, "progress": 1}}
            )

    @rule(data=st.data(), pages=st.lists(st.lists(st.sampled_from(TOOL_NAMES), max_size=5), min_size=1, max_size=3),
          odd=st.sampled_from([None, None, None, 5, {"Name": "drop"}, {"name": "read_file", "name\0": "drop"}]))  # fmt: skip
    def listing(self, data: st.DataObject, pages: list[list[Any]], odd: Any) -> None:
        """List the tools over several pages."""
        world = self.world
        if not self._settle():
            return
        for number, names in enumerate(pages):
            id_ = self._fresh()
            self._request("tools/list", {"cursor": str(number)} if number else {}, id_)
            entry = world.open.get(id_)
            assert entry is not None, "tools/list was refused"
            tools: list[Any] = [{"name": name, "inputSchema": {"type": "object"}} for name in names]
            if odd is not None:
                tools.append(odd)
            world.server({"jsonrpc": "2.0", "id": _plain(entry.wire), "result": {**self._honest_result(entry), "tools": tools}})
            answer = self._last()[0]
            if odd is None:
                shown = {tool["name"] for tool in answer["result"]["tools"]}
                assert number or shown == {name for name in names if world.grants.action(name) != "deny"}

    @rule(data=st.data(), asked=st.sampled_from(
              [("roots/list", {}), ("ping", {}), ("sampling/createMessage", {"messages": [], "maxTokens": 1, "task": {"ttl": 1}, "_meta": {"progressToken": 4}}),
               ("elicitation/create", {"message": "name?", "requestedSchema": {"type": "object", "properties": {}}}),
               ("elicitation/create", {"mode": "url", "url": "https://x.org", "message": "go", "elicitationId": "e1"})]),
          roots=ROOTS, bad=st.sampled_from([None, None, None, {}, {"Roots": []}, {"roots": 5}, {"action": []}, {"task": {"taskId": "t1"}}, {"task": {"taskId": []}}]),
          own=st.booleans(), token=st.sampled_from([4, "4", True, 4.0]), ends=st.sampled_from(["answer", "answer", "cancel", "open"]))  # fmt: skip
    @precondition(lambda self: not self.modern)
    def asked_by_server(
        self, *, data: st.DataObject, asked: tuple[str, Any], roots: list[Any], bad: Any, own: bool, token: Any, ends: str
    ) -> None:
        """Have the server ask the client, which answers, or the server takes it back."""
        world, id_ = self.world, self.count + 2000
        self._fresh()
        if not self._settle():
            return
        method, params = asked
        self.server_request(id_, (method, params))
        ask = next((ask for ask, origin in world.to_ask.items() if origin[0] == self._key(id_)), None)
        if ask is None:
            return
        world.client({"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progressToken": token, "progress": 1}})
        if ends == "cancel":
            world.server({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id_}})
            assert self._key(id_) not in world.server_open
            assert not world.client({"jsonrpc": "2.0", "id": ask, "result": {}}).to_server, "an answer to what was taken back"
        elif ends == "answer":
            self.answer_one(data, ask, roots, bad, own)
            if "elicitationId" in params:
                world.server(
                    {"jsonrpc": "2.0", "method": "notifications/elicitation/complete", "params": {"elicitationId": "e1"}}
                )
            if "task" in params:
                world.server({"jsonrpc": "2.0", "id": id_ + 5000, "method": "tasks/get", "params": {"taskId": "t1"}})

    @rule(data=st.data(), text=st.booleans(), ends=st.sampled_from(["result", "cancel", "open"]))
    @precondition(lambda self: self.modern)
    def listen(self, data: st.DataObject, text: bool, ends: str) -> None:
        """Subscribe, hear something, and have the subscription ended."""
        world, id_ = self.world, _pick(data, [self._fresh(), self.count + 1000])
        if not self._settle():
            return
        self._request("subscriptions/listen", self._params(data, "subscriptions/listen"), id_)
        entry = world.open.get(self._key(id_))
        if entry is None:
            return
        wire = _plain(entry.wire)
        mark = {SUBSCRIPTION: str(wire) if text else wire}
        for method, params in (("notifications/subscriptions/acknowledged", {"notifications": {}}), data.draw(SERVER_SAYS)):
            world.server({"jsonrpc": "2.0", "method": method, "params": {**params, "_meta": mark}})
        if ends == "result":
            world.server({"jsonrpc": "2.0", "id": wire, "result": {"resultType": "complete", "_meta": mark}})
        elif ends == "cancel":
            world.server({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": wire}})
        assert (self._key(id_) in world.open) == (ends == "open")

    # --- time, and the end ------------------------------------------------------------------------------------------------------

    @rule()
    @precondition(lambda self: self.world.asks)
    def client_closes_its_input(self) -> None:
        self.world.half_close()

    @rule(seconds=st.sampled_from([0.1, 5.0, 11.0, 54.0, 56.0, 400.0, 601.0]), ticking=st.booleans())
    def time_passes(self, seconds: float, ticking: bool) -> None:
        self.world.wait(seconds, ticking=ticking)

    def teardown(self) -> None:
        if self.world is not None and not self.world.ended:
            self.world.end()


def _number(value: Any) -> Any:
    return value.as_int() if value.integral else float(f"{'-' * value.negative}{value.digits}e{value.exponent}")


class HandshakeConversation(Conversation):
    """2024-11-05 to 2025-11-25: a session that `initialize` opens."""


class ModernConversation(Conversation):
    """2026-07-28: every request brings its envelope."""

    modern = True


TestHandshakeConversations = HandshakeConversation.TestCase
TestHandshakeConversations.settings = budget(250)
TestModernConversations = ModernConversation.TestCase
TestModernConversations.settings = budget(250)
