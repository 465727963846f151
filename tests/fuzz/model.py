"""What a guarded conversation may do, told a second time: a model that watches a session from both ends.

`World` holds a `Session` and tables of its own: which requests are open, what each side was told, what a person has approved. After
each step it checks every line that came out. It shares no table with the guard: methods, capabilities, tools and shapes are
written down here again, in the words of the protocol and of the four profiles below.
"""

from __future__ import annotations

import copy
import json
import posixpath
from typing import Any

from stdioguard.guard.output import Output
from stdioguard.guard.session import Session
from stdioguard.ledger import redact
from stdioguard.policy import variables
from stdioguard.policy.check import compile_profile
from stdioguard.policy.policy import Policy
from stdioguard.wire import strict_json
from stdioguard.wire.framing import Oversized
from tests.fuzz import reference
from tests.fuzz.reference import Message, Num, Refused

MODERN = "2026-07-28"
HANDSHAKE = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
VERSION = "io.modelcontextprotocol/protocolVersion"
CAPABILITIES = "io.modelcontextprotocol/clientCapabilities"
CLIENT_INFO = "io.modelcontextprotocol/clientInfo"
SUBSCRIPTION = "io.modelcontextprotocol/subscriptionId"
TASKS = "io.modelcontextprotocol/tasks"
OWN = "io.stdioguard/"
TOKEN = "s3cr3t-of-the-client"
GRANTED = "/srv/granted"

# --- the profiles, and what they mean -------------------------------------------------------------------------------------------

_HEAD = 'schema = 1\nname = "fuzz"\ndescription = "For the fuzz tests."\n'
_ALL = ("resources", "prompts", "completions", "logging", "sampling", "elicitation", "roots", "tasks")


class Grants:
    """A profile's text, and by hand what it grants: an action for each tool that has a rule, the default, the capabilities."""

    def __init__(self, name: str, capabilities: tuple[str, ...], tools: str, default: str, actions: dict[str, str]) -> None:
        self.name = name
        self.capabilities = frozenset(capabilities)
        self.default = default
        self.actions = actions
        self.paths = name != "nothing"
        self.text = (
            _HEAD
            + ('[sandbox]\nread = ["${ARG_PATHS}"]\n' if self.paths else "")
            + "[capabilities]\n" + "".join(f"{name} = true\n" for name in capabilities)
            + tools
        )  # fmt: skip

    def __repr__(self) -> str:
        return self.name

    def action(self, tool: Any) -> str:
        """Return what may happen with a tool of this name."""
        good = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-/:"
        if type(tool) is not str or not 0 < len(tool) <= 128 or any(char not in good for char in tool):
            return "deny"
        return self.actions.get(tool, self.default)

    def policy(self) -> Policy:
        """Compile the profile for a launch with one path among the arguments."""
        policy = Policy(compile_profile(self.text, "fuzz.toml"))
        values = {name: [f"/nowhere/{name}"] for name in variables.NAMES} | {"ARG_PATHS": [GRANTED]}
        for entries in policy.path_lists():
            entries[:] = variables.expand(entries, values)
        return policy


NOTHING = Grants("nothing", (), "", "deny", {})
EVERYTHING = Grants("everything", _ALL, '[tools]\ndefault = "allow"\n', "allow", {})
MIXED = Grants(
    "mixed", ("resources", "elicitation", "logging"),
    """[tools]
default = "deny"
[tools.rules]
"read_*" = { action = "allow" }
"write_*" = { action = "confirm", risk = "high" }
write_secret = { action = "deny" }
open_file = { action = "allow", arguments = { path = { inside = ["${ARG_PATHS}"] } } }
""",
    "deny", {"read_file": "allow", "write_file": "confirm", "write_more": "confirm", "write_secret": "deny", "open_file": "allow"},
)  # fmt: skip
ASKING = Grants(
    "asking", ("prompts", "completions", "sampling", "roots", "tasks"),
    """[tools]
default = "confirm"
[tools.rules]
read_file = { action = "allow" }
drop = { action = "deny" }
""",
    "confirm", {"read_file": "allow", "drop": "deny"},
)  # fmt: skip
PROFILES = (NOTHING, EVERYTHING, MIXED, ASKING)
CONSTRAINED = {("mixed", "open_file"): "path"}

# --- the protocol, by hand --------------------------------------------------------------------------------------------------

_ELICITING = ("2025-06-18", "2025-11-25")
_TASKING = ("2025-11-25",)
_BOTH = (*HANDSHAKE, MODERN)
CLIENT_REQUESTS: dict[str, tuple[tuple[str, ...], str]] = {
    "initialize": (HANDSHAKE, ""), "server/discover": ((MODERN,), ""), "ping": (HANDSHAKE, ""),
    "tools/list": (_BOTH, ""), "tools/call": (_BOTH, ""),
    "resources/list": (_BOTH, "resources"), "resources/templates/list": (_BOTH, "resources"), "resources/read": (_BOTH, "resources"),
    "resources/subscribe": (HANDSHAKE, "resources"), "resources/unsubscribe": (HANDSHAKE, "resources"),
    "prompts/list": (_BOTH, "prompts"), "prompts/get": (_BOTH, "prompts"),
    "completion/complete": (_BOTH, "completions"), "logging/setLevel": (HANDSHAKE, "logging"),
    "subscriptions/listen": ((MODERN,), ""),
    "tasks/get": ((*_TASKING, MODERN), "tasks"), "tasks/cancel": ((*_TASKING, MODERN), "tasks"),
    "tasks/result": (_TASKING, "tasks"), "tasks/list": (_TASKING, "tasks"), "tasks/update": ((MODERN,), "tasks"),
}  # fmt: skip
CLIENT_NOTIFICATIONS: dict[str, tuple[tuple[str, ...], str]] = {
    "notifications/initialized": (HANDSHAKE, ""), "notifications/cancelled": (_BOTH, ""), "notifications/progress": (HANDSHAKE, ""),
    "notifications/roots/list_changed": (HANDSHAKE, "roots"), "notifications/tasks/status": (_TASKING, "tasks"),
}  # fmt: skip
SERVER_REQUESTS: dict[str, tuple[tuple[str, ...], str]] = {
    "ping": (HANDSHAKE, ""), "roots/list": (HANDSHAKE, "roots"), "sampling/createMessage": (HANDSHAKE, "sampling"),
    "elicitation/create": (_ELICITING, "elicitation"),
    "tasks/get": (_TASKING, "tasks"), "tasks/result": (_TASKING, "tasks"), "tasks/list": (_TASKING, "tasks"), "tasks/cancel": (_TASKING, "tasks"),
}  # fmt: skip
SERVER_NOTIFICATIONS: dict[str, tuple[tuple[str, ...], str]] = {
    "notifications/cancelled": (_BOTH, ""), "notifications/progress": (_BOTH, ""), "notifications/message": (_BOTH, "logging"),
    "notifications/tools/list_changed": (_BOTH, ""), "notifications/resources/list_changed": (_BOTH, "resources"),
    "notifications/resources/updated": (_BOTH, "resources"), "notifications/prompts/list_changed": (_BOTH, "prompts"),
    "notifications/subscriptions/acknowledged": ((MODERN,), ""), "notifications/elicitation/complete": (_TASKING, "elicitation"),
    "notifications/tasks/status": (_TASKING, "tasks"), "notifications/tasks": ((MODERN,), "tasks"),
}  # fmt: skip
RESULTS: dict[str, dict[str, type]] = {
    "initialize": {"protocolVersion": str, "capabilities": dict, "serverInfo": dict},
    "server/discover": {"supportedVersions": list, "capabilities": dict},
    "tools/list": {"tools": list}, "tools/call": {"content": list}, "resources/list": {"resources": list},
    "resources/templates/list": {"resourceTemplates": list}, "resources/read": {"contents": list}, "prompts/list": {"prompts": list},
    "prompts/get": {"messages": list}, "completion/complete": {"completion": dict}, "tasks/list": {"tasks": list},
    "roots/list": {"roots": list}, "elicitation/create": {"action": str},
}  # fmt: skip
MAY_ASK_BACK = ("tools/call", "prompts/get", "resources/read")
GUARD_CODES = (-31001, -31002, -31003, -31004)


def is_guards_error(error: Any) -> bool:
    """Tell whether an error is of the guard's making: it says so, with a rule."""
    data = error.get("data")
    return (
        type(data) is dict
        and type(data.get("rule")) is str
        and type(data.get("code")) is Num
        and error["message"].startswith("stdioguard: ")
    )


def without_own(value: Any) -> Any:
    """Return the value without any key of the guard's name space."""
    if type(value) is dict:
        return {key: without_own(member) for key, member in value.items() if not key.casefold().startswith(OWN)}
    return [without_own(member) for member in value] if type(value) is list else value


def own_keys(value: Any, spare: tuple[str, ...] = ()) -> list[str]:
    """Return the keys of the guard's name space in a value, but for what is below the keys in `spare`, which is payload."""
    if type(value) is dict:
        found = [key for key in value if key.casefold().startswith(OWN)]
        return found + [key for name, member in value.items() if name not in spare for key in own_keys(member, spare)]
    return [key for member in value for key in own_keys(member, spare)] if type(value) is list else []


def essence(method: str, params: dict[str, Any]) -> str:
    """Return what a request asks for, without the envelope and what carries rounds."""
    asked = {key: member for key, member in params.items() if key not in ("_meta", "inputResponses", "requestState", "task")}
    if asked.get("arguments", 0) is None:
        del asked["arguments"]
    return repr((method, _sorted(asked)))


def _sorted(value: Any) -> Any:
    if type(value) is dict:
        return [(key, _sorted(value[key])) for key in sorted(value)]
    return [_sorted(member) for member in value] if type(value) is list else value


def is_approval(result: Any) -> bool:
    """Tell whether an elicitation result is the one and only yes, with nothing beside it."""
    content = result.get("content") if type(result) is dict else None
    return type(result) is dict and result.get("action") == "accept" and content == {"decision": "allow once"}


def is_inside(path: Any) -> bool:
    """Tell whether a plain absolute path, or every one of a list, is below the granted directory."""
    if type(path) is list:
        return all(type(one) is str and is_inside(one) for one in path)
    return type(path) is str and (posixpath.normpath(path) == GRANTED or posixpath.normpath(path).startswith(GRANTED + "/"))


class Entry:
    """A client's request that has not been answered."""

    def __init__(self, message: Message) -> None:
        self.id = message.id
        self.method: str = message.method
        self.params: dict[str, Any] = message.params
        self.essence = essence(message.method, message.params)
        self.wire: Num | None = None
        self.waiting = False
        self.unrecorded = False
        self.ask: str | None = None
        self.described: Any = None
        """The tool as it was described when a person was asked: a yes is for that one."""
        self.asked_at = 0.0
        self.approved = False
        meta = message.params.get("_meta")
        self.meta: dict[str, Any] = meta if type(meta) is dict else {}
        self.enveloped = VERSION in self.meta
        self.token = self.meta.get("progressToken")


class Sealed:
    """A requestState that a client was given: for which call, and what it stands for."""

    def __init__(self, entry: Entry, kind: str, now: float) -> None:
        self.essence = entry.essence
        self.kind = kind
        self.approved = entry.approved
        self.at = now
        self.inner: Any = None
        self.keys: tuple[str, ...] = ()
        self.used = False
        self.described: Any = None


class Step:
    """One input, and what the model knows of it before the guard's output is read."""

    def __init__(self, source: str, message: Message | None = None) -> None:
        self.source = source
        self.message = message
        self.entry: Entry | None = None
        self.duplicate = False
        self.malformed = False
        self.is_response = False
        self.broken: str | None = None
        self.frame = b""
        self.asked: Entry | None = None
        self.approves = False
        self.answers: Entry | None = None
        self.relayed_to: Any = None
        self.released: list[Entry] = []
        self.cancels = False
        self.led = False
        """Whether a call that was asked about has been answered in this step."""
        self.nulls = 0


class World:
    """A session between a client and a server that the test plays, and the tables that say what may pass between them."""

    def __init__(self, grants: Grants) -> None:
        self.grants = grants
        self.session = Session(
            grants.policy(), server_name="victim", nonce="f00d", key=bytes(range(32)),
            resolve=lambda path: posixpath.normpath(posixpath.join("/cwd", path)),
        )  # fmt: skip
        self.now = 1000.0
        self.phase = "new"
        self.era: str | None = None
        self.revision: str | None = None
        self.has_enveloped = False
        self.declared: dict[str, Any] = {}
        self.open: dict[Any, Entry] = {}
        self.by_wire: dict[Num, Entry] = {}
        self.answered: list[Num] = []
        self.asks: dict[str, Entry] = {}
        self.dead_asks: list[str] = []
        self.sealed: dict[str, Sealed] = {}
        self.shown: set[str] = set()
        self.server_open: dict[Any, str] = {}
        self.to_ask: dict[str, tuple[Any, Message]] = {}
        self.server_tokens: dict[Any, Any] = {}
        self.waiting: list[Entry] = []
        self.nulls_due = 0
        self.unrecorded = 0
        self.elicitations: set[str] = set()
        self.tasks: dict[str, Any] = {}
        self.server_tasks: dict[str, Any] = {}
        self.listening: list[Num] = []
        self.subscribed = False
        self.ended = False
        self.outputs: list[Output] = []

    # --- inputs -----------------------------------------------------------------------------------------------------------------

    def client(self, frame: Any, *, answers: str | None = None) -> Output:
        """Let the client send a frame (bytes, a value, or an `Oversized`); a malformed one may be meant to answer a question."""
        frame = _bytes(frame)
        step = self._read("client", frame)
        if answers is not None:
            assert step.malformed
            step.broken = answers
            step.asked = self.asks.pop(answers, None)
            if step.asked is not None:
                self.dead_asks.append(answers)
        message = step.message
        if message is not None and message.kind == "request":
            if message.id in self.open:
                step.duplicate = True
            else:
                step.entry = self.open[message.id] = Entry(message)
                self.has_enveloped |= step.entry.enveloped
            if type(message.params.get("requestState")) is str:
                self.shown.add(message.params["requestState"])
        elif message is not None and message.kind == "response" and message.id in self.asks:
            step.asked = self.asks.pop(message.id)
            step.approves = is_approval(message.result)
            self.dead_asks.append(message.id)
        waits = self.phase == "initializing" and message is not None and message.kind != "response"
        waits = waits and message is not None and message.method not in ("initialize", "ping", "notifications/cancelled")
        if waits and step.entry is not None:
            self.waiting.append(step.entry)
            step.entry.waiting = True
        step.nulls = int(step.duplicate or step.malformed)
        out = self.session.from_client(frame, self.now)
        self._check(step, out, frame, recorded=not waits)
        if waits:
            # A duplicate id may be refused at once or when its turn comes.
            self.nulls_due += step.nulls
            assert step.duplicate or not out.to_client, "a message that waits was answered"
            assert not out.to_server, "a message went to the server before initialize was answered"
            self.unrecorded += not out.records
            if step.entry is not None:
                step.entry.unrecorded = not out.records
        elif step.duplicate:
            assert step.nulls == 0, "a duplicate id was not refused"
        if message is not None and message.kind == "notification" and message.method == "notifications/cancelled":
            self._client_cancelled(message)
        return out

    def _client_cancelled(self, message: Message) -> None:
        target = message.params.get("requestId")
        entry = self.open.get(target) if type(target) in (Num, str) else None
        if entry is None or entry.method == "initialize" or not message.params.keys() <= {"requestId", "reason"}:
            return
        del self.open[entry.id]
        if entry.waiting:
            # What the guard wrote of the cancel is the record of both.
            self.unrecorded -= entry.unrecorded
            self.waiting = [waiter for waiter in self.waiting if waiter is not entry]
        if entry.ask is not None:
            self.asks.pop(entry.ask, None)
            self.dead_asks.append(entry.ask)
        if entry.wire is not None:
            self._close(entry)

    def server(self, frame: Any) -> Output:
        """Let the server send a frame."""
        frame = _bytes(frame)
        step = self._read("server", frame)
        message = step.message
        accepted = False
        if message is not None and message.kind == "response" and type(message.id) is Num:
            step.answers = self.by_wire.get(message.id)
        elif message is not None and message.kind == "request":
            step.duplicate = message.id in self.server_open
            if not step.duplicate:
                accepted = True
                self.server_open[message.id] = message.method
        elif isinstance(frame, Oversized) and len(self.by_wire) == 1:
            step.answers = next(iter(self.by_wire.values()))
        opening = self.phase == "initializing"
        if opening:
            step.released, step.nulls = list(self.waiting), self.nulls_due
        out = self.session.from_server(frame, self.now)
        self._check(step, out, frame, recorded=True)
        if opening and self.phase != "initializing":
            assert step.nulls == 0, "a duplicate id that waited was not refused"
            assert len(out.records) >= 1 + self.unrecorded, "a message that waited is on no record"
            assert all(entry.id not in self.open or entry.wire is not None or entry.ask is not None for entry in self.waiting)
            self.waiting, self.nulls_due, self.unrecorded = [], 0, 0
        elif step.answers is not None and step.answers.method == "initialize" and not step.malformed:
            assert not opening, "the answer to initialize did not reach the client"
        if accepted and message is not None and step.relayed_to is None and message.id in self.server_open:
            assert self.has_enveloped, "a server's request was neither passed on nor answered"
            del self.server_open[message.id]
        return out

    def wait(self, seconds: float, *, ticking: bool = True) -> None:
        """Let time pass, with the ticks that the session asks for (or, as in a race, without them yet)."""
        until = self.now + seconds
        while ticking and (due := self.session.next_deadline()) is not None and due <= until:
            self.now = max(self.now, due)
            self._check(Step("time"), self.session.tick(self.now), b"", recorded=False)
        self.now = until

    def half_close(self) -> None:
        """Let the client close its input."""
        self._check(Step("time"), self.session.input_closed(self.now), b"", recorded=False)
        assert not self.asks, "a call is still held although nobody can answer"

    def end(self) -> None:
        """End the session, and check that nothing is left open."""
        step = Step("end")
        step.nulls, self.nulls_due = self.nulls_due, 0
        out = self.session.end("the server has ended", self.now)
        self._check(step, out, b"", recorded=False)
        assert len(out.records) >= self.unrecorded, "a message that waited is on no record"
        assert step.nulls == 0, "a duplicate id that waited was not refused"
        assert not self.open, f"never answered: {[(entry.id, entry.method) for entry in self.open.values()]}"
        again = self.session.end("again", self.now)
        assert not again.to_client, "answered again at the end"
        self.ended = True

    def _read(self, source: str, frame: bytes | Oversized) -> Step:
        step = Step(source)
        if isinstance(frame, Oversized):
            step.malformed, step.frame = True, frame.head + frame.tail
            return step
        if frame in (b"", b"\r"):
            return step
        value = None
        try:
            value = reference.parse(frame)
            step.message = reference.classify(value)
            step.cancels = step.message.method == "notifications/cancelled"
        except Refused:
            step.malformed = True
            step.is_response = type(value) is dict and "method" not in value and bool(value.keys() & {"result", "error"})
            step.frame = frame
        return step

    # --- what came out ----------------------------------------------------------------------------------------------------------

    def _check(self, step: Step, out: Output, frame: Any, *, recorded: bool) -> None:
        self.outputs.append(out)
        blank = frame in (b"", b"\r")
        if recorded and not blank:
            assert out.records, f"nothing is on record of {frame!r:.300}"
        if blank and step.source in ("client", "server"):
            assert not out.to_client
            assert not out.to_server
        for record in out.records:
            self._check_record(record)
        if step.malformed and step.source == "client":
            assert not out.to_server or step.broken in self.to_ask, f"a malformed frame led to {out.to_server}"
            waiting = sum(
                entry.method == "tools/call" and entry.ask is None and entry.wire is None for entry in self.open.values()
            )
            # An answer that cannot be read is none for the call that was asked about, and none for the same call made again.
            assert len(out.to_client) <= 1 + (waiting if step.asked is not None else 0)
        # What waited for the session to open follows from the line that tells the client that it is open.
        ends = ("client", "server") if step.source == "server" else ("server", "client")
        for end in ends:
            for line in out.to_server if end == "server" else out.to_client:
                (self._at_server if end == "server" else self._at_client)(step, reference.line(line), line)
        # Who was asked about and is neither running nor asked about any longer has its answer by now.
        if step.asked is not None:
            assert step.asked.wire is not None or step.asked.id not in self.open, "a decision led to nothing"

    def _check_record(self, record: dict[str, Any]) -> None:
        assert record.get("rule") != "guard.fault", f"an exception in the guard: {record}"
        kept = dict(record)
        if kept.get("arguments") is not None:
            kept["arguments"] = redact.arguments(kept["arguments"])
        if kept.get("detail") is not None:
            kept["detail"] = redact.text(kept["detail"])
        text = strict_json.encode(kept)
        reference.line(text)
        assert TOKEN not in text, f"the client's token is on record: {text:.300}"

    # --- at the server's end ----------------------------------------------------------------------------------------------------

    def _at_server(self, step: Step, value: Any, line: str) -> None:
        message = reference.classify(value)
        assert not own_keys(value, ("arguments", "content")), f"the guard's name space reached the server: {line:.300}"
        assert TOKEN not in line, f"the client's token reached the server: {line:.300}"
        if message.kind == "request":
            self._request_at_server(step, message)
        elif message.kind == "notification":
            self._notification_at_server(step, message)
        else:
            self._response_at_server(step, message)

    def _request_at_server(self, step: Step, message: Message) -> None:
        assert type(message.id) is Num, "a request id that the guard did not make"
        assert message.id not in self.by_wire, "an id is used twice toward the server"
        assert message.id not in self.answered, "an id is used again toward the server"
        assert not step.duplicate, f"a request with an id in flight was passed on: {message.method}"
        candidates = [entry for entry in (step.entry, step.asked, *step.released) if entry is not None and entry.wire is None]
        entry = next((entry for entry in candidates if self._is_same(entry, message)), None)
        assert entry is not None, f"nobody has sent this: {message.method} {message.params}"
        assert entry.id in self.open, f"{entry.method} was passed on after its answer"
        self._allowed(step, entry, message)
        entry.wire = message.id
        entry.waiting = False
        self.by_wire[message.id] = entry
        if message.method == "initialize":
            self.phase = "initializing"
            declared = entry.params["capabilities"]
            self.declared = declared
        elif entry.enveloped and message.method != "server/discover":
            self.era, self.revision = MODERN, MODERN
        if message.method == "subscriptions/listen":
            self.listening.append(message.id)
        if message.method == "resources/subscribe":
            self.subscribed = True

    def _is_same(self, entry: Entry, message: Message) -> bool:
        if entry.method != message.method:
            return False
        if entry.method in ("initialize", "subscriptions/listen"):
            return True
        marks = [
            meta.get("example.org/n") if type(meta) is dict else None for meta in (entry.meta, message.params.get("_meta", {}))
        ]
        return entry.essence == essence(message.method, message.params) and marks[0] == marks[1]

    def _allowed(self, step: Step, entry: Entry, message: Message) -> None:
        method, params = message.method, message.params
        revisions, capability = CLIENT_REQUESTS.get(method, ((), ""))
        meta = params.get("_meta", {})
        assert type(meta) is dict
        if VERSION in meta:
            assert entry.enveloped
            assert meta[VERSION] == MODERN
            assert MODERN in revisions, f"{method} is no request of {MODERN}"
            assert self.era != "handshake", "a request of the other era"
            assert self.phase == "new", "a request of the other era"
            self._narrow(meta.get(CAPABILITIES))
        else:
            assert self.era != MODERN, "a request of the other era"
            if method == "initialize":
                assert self.phase == "new", "a second initialize"
                assert params["protocolVersion"] in HANDSHAKE
                self._narrow(params["capabilities"])
                assert not params["clientInfo"].keys() - {"name", "version", "title", "description", "websiteUrl", "icons"}
            elif method != "ping":
                assert self.phase == "ready", f"{method} before the session was ready"
                assert self.revision in revisions, f"{method} is no request of {self.revision}"
        info = meta.get(CLIENT_INFO)
        assert type(info) is not dict or "secret" not in info
        assert not capability or capability in self.grants.capabilities, f"{method} is not granted"
        if method == "tools/call":
            self._allowed_call(step, entry, params)
        if method == "subscriptions/listen":
            capabilities = {"toolsListChanged": "", "promptsListChanged": "prompts", "resourcesListChanged": "resources",
                            "resourceSubscriptions": "resources", "taskIds": "tasks"}  # fmt: skip
            for key in params["notifications"]:
                assert not capabilities[key] or capabilities[key] in self.grants.capabilities, f"subscribed to {key}"
        if method.startswith("tasks/") and method != "tasks/list":
            assert params.get("taskId") in self.tasks, "a task that is not the client's"
        self._rounds(entry, params)

    def _narrow(self, declared: Any) -> None:
        assert type(declared) is dict
        granted = {name for name in ("elicitation", "sampling", "roots", "tasks") if name in self.grants.capabilities}
        extensions = declared.get("extensions", {})
        assert not declared.keys() - granted - {"extensions"}, f"the server is told of {declared}"
        assert not extensions or (extensions.keys() == {TASKS} and "tasks" in granted), f"the server is told of {declared}"

    def _allowed_call(self, step: Step, entry: Entry, params: dict[str, Any]) -> None:
        action = self.grants.action(params.get("name"))
        assert action != "deny", f"the denied tool {params.get('name')!r} was called"
        assert type(params.get("arguments", {})) is dict
        if "task" in params:
            assert "tasks" in self.grants.capabilities, "a call as a task is not granted"
        constrained = CONSTRAINED.get((self.grants.name, params["name"]))
        if constrained is not None:
            assert is_inside(params.get("arguments", {}).get(constrained)), f"{params} is not allowed"
        if action != "confirm":
            return
        if step.asked is entry:
            assert step.approves, "a call ran that a person has not approved"
            assert self.is_as_described(entry.params, entry.described), "an approval was used for a tool that has changed"
            patience = 60 if entry.token is None else 600
            assert self.now - entry.asked_at <= patience, "an approval came too late and counted"
            entry.approved = True
            return
        sealed = self.sealed.get(entry.params.get("requestState")) if type(entry.params.get("requestState")) is str else None
        assert sealed is not None, f"{params['name']} ran without anybody's approval"
        assert sealed.essence == entry.essence, "an approval was used for another call"
        assert not sealed.used, "an approval was used twice"
        assert self.now - sealed.at <= 600, "an approval came too late and counted"
        if sealed.kind == "person":
            assert self.is_as_described(entry.params, sealed.described), "an approval was used for a tool that has changed"
            responses = entry.params.get("inputResponses")
            assert is_approval(responses.get("stdioguard.confirm") if type(responses) is dict else None), "ran without a yes"
        else:
            assert sealed.approved, "a server's round was taken for a person's approval"
        entry.approved = True

    def _rounds(self, entry: Entry, params: dict[str, Any]) -> None:
        given = entry.params.get("requestState")
        sealed = self.sealed.get(given) if type(given) is str else None
        state, responses = params.get("requestState"), params.get("inputResponses")
        if given is not None:
            assert sealed is not None, "a state that the guard did not give was accepted"
            assert sealed.essence == entry.essence, "a state was used for another call"
            assert not sealed.used, "a state was used twice"
            sealed.used = True
        assert state == (sealed.inner if sealed is not None else None), "the server got a state that is not its own"
        if responses is None:
            return
        assert entry.enveloped, "answers to input requests in a handshake session"
        sent = entry.params["inputResponses"]
        for key, answer in responses.items():
            assert key in sent
            assert not key.casefold().startswith("stdioguard"), "the answer to the guard's question reached the server"
            if sealed is not None:
                assert key in sealed.keys, "an answer that was not asked for"
            kind = "roots" if "roots" in answer else "elicitation" if "action" in answer else "sampling"
            assert kind in self.grants.capabilities, f"an answer of kind {kind} is not granted"
            self._roots(answer)

    def _roots(self, answer: dict[str, Any]) -> None:
        if "roots" in answer:
            for root in answer["roots"]:
                assert self.grants.paths
                assert is_inside(root["uri"].removeprefix("file://")), f"a root that is not granted: {root}"

    def _notification_at_server(self, step: Step, message: Message) -> None:
        revisions, capability = CLIENT_NOTIFICATIONS.get(message.method, ((), ""))
        if self.revision is not None:
            assert self.revision in revisions, f"{message.method} is no client's notification in {self.revision}"
        else:
            assert message.method == "notifications/cancelled"
        assert not capability or capability in self.grants.capabilities, f"{message.method} is not granted"
        if message.method == "notifications/initialized":
            assert self.phase == "answered", "initialized out of order"
            self.phase = "ready"
        elif message.method == "notifications/cancelled":
            assert message.params["requestId"] in self.by_wire, "a cancel of what is not pending"
            assert step.message is not None
            assert self.by_wire[message.params["requestId"]].id == step.message.params["requestId"], "a cancel of another request"
        elif message.method == "notifications/progress":
            # A token lives as long as its request, or the task that the request became.
            tokens = [token for token in (*self.server_tokens.values(), *self.server_tasks.values()) if token is not None]
            assert message.params["progressToken"] in tokens, "progress that no request asked for"
        elif message.method == "notifications/tasks/status":
            assert message.params.get("taskId") in self.server_tasks
        elif message.method == "notifications/roots/list_changed":
            assert self.phase == "ready"

    def _response_at_server(self, step: Step, message: Message) -> None:
        assert message.id in self.server_open, f"the server gets an answer that it does not wait for: {message}"
        if step.source == "server":
            assert step.message is not None
            assert step.message.id == message.id
            assert not step.duplicate, "a request with an id in flight was answered in the other's place"
            assert message.error is not None
            assert is_guards_error(message.error), "the guard answered for the client"
            self._server_closed(message.id)
            return
        assert step.source == "client"
        said = step.message.id if step.message is not None else step.broken
        origin = self.to_ask.get(said)
        assert origin is not None
        assert origin[0] == message.id, "an answer went to another request"
        assert step.message is not None or (message.error is not None and is_guards_error(message.error))
        if step.message is not None and (message.error is None or not is_guards_error(message.error)):
            given = step.message
            if message.error is not None:
                assert message.error == without_own(given.error)
            elif origin[1].method == "roots/list":
                self._roots(message.result)
            else:
                assert message.result == without_own(given.result)
                if "task" not in message.result:
                    _has_shape(origin[1].method, message.result)
            task = message.result.get("task") if message.result is not None else None
            if type(task) is dict and type(task.get("taskId")) is str:
                self.server_tasks[task["taskId"]] = self.server_tokens.get(message.id)
        self._server_closed(message.id)

    def _server_closed(self, server_id: Any) -> None:
        del self.server_open[server_id]
        self.server_tokens.pop(server_id, None)
        self.to_ask = {ask: origin for ask, origin in self.to_ask.items() if origin[0] != server_id}

    # --- at the client's end ----------------------------------------------------------------------------------------------------

    def _at_client(self, step: Step, value: Any, line: str) -> None:
        message = reference.classify(value)
        if message.kind == "request":
            self._request_at_client(step, message)
        elif message.kind == "notification":
            assert not own_keys(value), f"a server spoke in the guard's name space: {line:.300}"
            self._notification_at_client(step, message)
        elif message.id is None:
            assert message.error is not None
            assert is_guards_error(message.error)
            assert step.nulls > 0, f"an answer to nobody: {line:.300}"
            step.nulls -= 1
        elif step.malformed and step.source == "client" and step.asked is None:
            self._answer_to_malformed(step, message)
        else:
            self._response_at_client(step, message, line)

    def _answer_to_malformed(self, step: Step, message: Message) -> None:
        assert message.error is not None
        assert is_guards_error(message.error)
        assert message.id not in self.open, "a malformed frame was answered in the place of an open request"
        assert not step.is_response, "a malformed response was answered as if it were a request"
        step.nulls -= 1

    def _response_at_client(self, step: Step, message: Message, line: str) -> None:
        entry = self.open.pop(message.id, None)
        assert entry is not None, f"an answer to what is not open: {line:.300}"
        relayed = step.answers is entry and not step.malformed and step.message is not None
        # A call that was made again while the same one waited is asked about, and answered, with that one.
        follows = entry.method == "tools/call" and entry.ask is None and entry.wire is None
        if step.source == "client":
            with_another = follows and (step.asked is not None or step.cancels)
            assert entry in (step.entry, step.asked) or with_another, "an answer that this frame is no reason for"
        elif step.source == "server":
            named = step.malformed and entry.wire is not None and str(entry.wire.as_int()).encode() in step.frame
            assert named or entry is step.answers or entry in step.released, "an answer that this frame is no reason for"
        elif step.source == "time":
            assert entry.ask is not None or (follows and step.led), "an answer out of nowhere"
            assert entry.ask not in self.asks, "the guard answered a call and left its question standing"
        step.led = step.led or entry.ask is not None
        if entry.ask is not None:
            self.asks.pop(entry.ask, None)
        by_guard = message.error is not None and is_guards_error(message.error)
        if relayed and not by_guard:
            assert not own_keys(message.result or message.error or {}), f"a server spoke in the guard's name space: {line:.300}"
            self._relayed(step, entry, message)
        elif message.result is not None:
            assert not relayed
            self._guards_result(entry, message.result)
        else:
            assert by_guard, f"an error that nobody gave: {line:.300}"
            code = message.error["data"]["code"].as_int()
            assert code in GUARD_CODES or step.source == "end", f"the guard's code {code}"
        if entry.method == "initialize" and self.phase == "initializing" and entry.wire is not None:
            self.phase = "answered" if message.result is not None else "new"
        if entry.wire is not None:
            self._close(entry)

    def _close(self, entry: Entry) -> None:
        assert entry.wire is not None
        self.by_wire.pop(entry.wire, None)
        self.answered.append(entry.wire)
        if entry.wire in self.listening:
            self.listening.remove(entry.wire)

    def _guards_result(self, entry: Entry, result: dict[str, Any]) -> None:
        assert entry.method == "tools/call", "the guard gives results for tools only"
        if result.get("resultType") == "input_required":
            assert entry.enveloped
            assert self.grants.action(entry.params["name"]) == "confirm"
            question = result["inputRequests"]["stdioguard.confirm"]
            assert len(result["inputRequests"]) == 1
            assert question["params"]["requestedSchema"]["required"] == ["decision"]
            assert _can_show_form(entry.meta[CAPABILITIES])
            assert result["requestState"] not in self.sealed
            self.sealed[result["requestState"]] = Sealed(entry, "person", self.now)
            self.sealed[result["requestState"]].described = self.described(entry.params)
            return
        assert result["isError"] is True
        assert own_keys(result) == [OWN + "refusal"]
        refusal = result["_meta"][OWN + "refusal"]
        assert refusal["code"].as_int() in GUARD_CODES
        assert type(refusal["rule"]) is str
        assert ("resultType" in result) == entry.enveloped

    def _relayed(self, step: Step, entry: Entry, message: Message) -> None:
        assert step.message is not None
        said = step.message
        if message.error is not None:
            assert said.error is not None
            expected = without_own(said.error)
            data = expected.get("data")
            if -32000 < expected["code"].as_int() <= -31000:
                expected["code"] = message.error["code"]
            if expected["message"].casefold().lstrip().startswith("stdioguard"):
                expected["message"] = "[server] " + expected["message"]
            if type(data) is dict and {"rule", "code"} <= data.keys():
                del expected["data"]
            assert message.error == expected
            assert not -32000 < message.error["code"].as_int() <= -31000, "a server spoke with the guard's codes"
            return
        assert said.result is not None
        assert message.result is not None
        result, expected = message.result, without_own(said.result)
        if result.get("resultType") == "input_required":
            self._relayed_questions(entry, result, expected)
            return
        as_task = result.get("resultType") == "task" if entry.enveloped else "task" in entry.params and self.revision in _TASKING
        task = result.get("task", result)
        if entry.method == "tools/call" and as_task and (entry.enveloped or "task" in result):
            assert "tasks" in self.grants.capabilities
            self.tasks[task["taskId"]] = entry.token
        else:
            _has_shape(entry.method, result)
        if entry.method == "tools/list":
            names = [tool["name"] for tool in result["tools"]]
            assert all(self.grants.action(name) != "deny" for name in names), f"a denied tool is listed: {names}"
            assert len(set(names)) == len(names)
            assert all(tool in expected["tools"] for tool in result["tools"])
            result["tools"] = expected["tools"]
        elif entry.method in ("initialize", "server/discover"):
            assert not {name for name in result["capabilities"] if name not in ("tools", "extensions")} - self.grants.capabilities
            expected["capabilities"] = result["capabilities"]
            if entry.method == "initialize":
                self.era, self.revision = "handshake", result["protocolVersion"]
                assert self.revision in HANDSHAKE
            else:
                expected["supportedVersions"] = result["supportedVersions"]
                if MODERN in result["supportedVersions"]:
                    self.era, self.revision = MODERN, MODERN
        elif entry.method == "tasks/list":
            assert all(task["taskId"] in self.tasks for task in result["tasks"])
            expected["tasks"] = result["tasks"]
        elif entry.method == "subscriptions/listen" and SUBSCRIPTION in result.get("_meta", {}):
            assert result["_meta"][SUBSCRIPTION] == entry.id
            expected["_meta"][SUBSCRIPTION] = entry.id
        assert result == expected, "a result was changed on its way"

    def _relayed_questions(self, entry: Entry, result: dict[str, Any], expected: dict[str, Any]) -> None:
        assert entry.enveloped
        assert entry.method in MAY_ASK_BACK
        declared = entry.meta[CAPABILITIES]
        questions = result.get("inputRequests", {})
        for key, question in questions.items():
            assert not key.casefold().startswith("stdioguard"), "a server asks under the guard's key"
            capability = {"elicitation/create": "elicitation", "sampling/createMessage": "sampling", "roots/list": "roots"}[
                question["method"]
            ]
            assert capability in self.grants.capabilities, f"{capability} is not granted"
            assert type(declared.get(capability)) is dict, f"{capability} is not declared"
            _not_the_guards_voice(question.get("params", {}))
            if question["method"] == "elicitation/create":
                given = expected["inputRequests"][key]
                expected["inputRequests"][key] = {**given, "params": _marked(given.get("params", {}))}
        state = Sealed(entry, "server", self.now)
        state.inner, state.keys = expected.get("requestState"), tuple(questions)
        assert result["requestState"] not in self.sealed
        self.sealed[result["requestState"]] = state
        expected["requestState"] = result["requestState"]
        assert result == expected

    def _request_at_client(self, step: Step, message: Message) -> None:
        assert type(message.id) is str
        assert message.id not in self.asks
        assert message.id not in self.to_ask
        assert message.id not in self.dead_asks
        if step.source == "server" and step.message is not None and step.message.kind == "request":
            self._relayed_request(step, step.message, message)
            return
        entry = next((entry for entry in (step.entry, *step.released) if entry is not None and self._may_ask(entry)), None)
        assert entry is not None, "the guard asks about nothing"
        assert message.method == "elicitation/create"
        assert message.params["requestedSchema"]["required"] == ["decision"]
        assert self.revision in _ELICITING
        assert _can_show_form(self.declared), "the guard asks a client that cannot"
        entry.ask, entry.asked_at = message.id, self.now
        entry.described = self.described(entry.params)
        entry.waiting = False
        self.asks[message.id] = entry

    def described(self, params: dict[str, Any]) -> Any:
        """How the guard knows the tool of a call now: as the server has listed it, or not at all."""
        name = params.get("name")
        found = self.session.state.definitions.get(name) if type(name) is str else None
        return None if found is None else repr(found)

    def is_as_described(self, params: dict[str, Any], before: Any) -> bool:
        """Whether the tool of a call is what it was when a person was asked; one that was not listed then can be anything now."""
        return before is None or before == self.described(params)

    def _may_ask(self, entry: Entry) -> bool:
        open_call = entry.method == "tools/call" and entry.id in self.open and entry.ask is None and entry.wire is None
        return open_call and self.grants.action(entry.params.get("name")) == "confirm"

    def _relayed_request(self, step: Step, asked: Message, message: Message) -> None:
        assert not step.duplicate, "a server's request with an id in flight was passed on"
        assert self.era != MODERN, "a 2026-07-28 server sends no requests"
        expected = _clean_meta(asked.params)
        if self.revision not in _TASKING:
            expected.pop("task", None)
        if message.method == "elicitation/create":
            expected = _marked(expected)
        assert (message.method, message.params) == (asked.method, expected)
        assert not own_keys(message.params)
        revisions, capability = SERVER_REQUESTS[message.method]
        if self.phase == "ready":
            assert self.revision in revisions
        else:
            assert message.method == "ping", f"{message.method} before the session is ready"
        if capability:
            assert capability in self.grants.capabilities, f"{message.method} is not granted"
            assert type(self.declared.get(capability)) is dict, f"{message.method} is not declared"
        if message.method == "elicitation/create":
            _not_the_guards_voice(message.params)
        if message.params.get("taskId") is not None:
            assert message.params.get("taskId") in self.server_tasks
        step.relayed_to = message.id
        self.to_ask[message.id] = (asked.id, asked)
        meta = message.params.get("_meta", {})
        if "progressToken" in meta:
            self.server_tokens[asked.id] = meta["progressToken"]
        if type(message.params.get("elicitationId")) is str:
            self.elicitations.add(message.params["elicitationId"])

    def _notification_at_client(self, step: Step, message: Message) -> None:
        method, params = message.method, message.params
        if step.source != "server":
            self._guards_notification(step, message)
            return
        if step.message is None or step.message.kind != "notification":
            raise AssertionError(f"a notification that nobody sent: {message}")
        assert step.message.method == method
        revisions, capability = SERVER_NOTIFICATIONS[method]
        if self.revision is not None:
            assert self.revision in revisions
        else:
            assert method in ("notifications/message", "notifications/cancelled"), f"{method} before there is a session"
        assert not capability or capability in self.grants.capabilities, f"{method} is not granted"
        meta = params.get("_meta", {})
        if method == "notifications/progress":
            tokens = [entry.token for entry in self.open.values() if entry.wire is not None] + list(self.tasks.values())
            assert params["progressToken"] in [token for token in tokens if token is not None], "progress of nobody's request"
        elif method == "notifications/cancelled":
            self._server_cancelled(step, params["requestId"])
        elif method == "notifications/elicitation/complete":
            assert params["elicitationId"] in self.elicitations
        elif method in ("notifications/tasks/status", "notifications/tasks"):
            assert params.get("taskId") in self.tasks
        elif self.era == MODERN and method == "notifications/message":
            assert any("io.modelcontextprotocol/logLevel" in entry.meta for entry in self.open.values())
        elif method == "notifications/resources/updated" and self.era != MODERN:
            assert self.subscribed
        if self.era == MODERN and method not in ("notifications/message", "notifications/progress", "notifications/cancelled"):
            listen = self.open.get(meta[SUBSCRIPTION])
            assert listen is not None
            assert listen.method == "subscriptions/listen"

    def _server_cancelled(self, step: Step, target: Any) -> None:
        assert step.message is not None
        if target in self.to_ask:
            origin = self.to_ask[target]
            assert step.message.params["requestId"] == origin[0], "a cancel of another request"
            self._server_closed(origin[0])
            return
        entry = self.open.get(target)
        assert entry is not None
        assert entry.wire == step.message.params["requestId"]
        assert entry.method == "subscriptions/listen", "a server cancelled a client's request"
        del self.open[entry.id]
        self._close(entry)

    def _guards_notification(self, step: Step, message: Message) -> None:
        params = message.params
        if message.method == "notifications/cancelled":
            entry = self.asks.get(params["requestId"])
            assert entry is not None, "the guard takes back what it did not ask"
            self.dead_asks.append(params["requestId"])
            del self.asks[params["requestId"]]
            return
        assert step.source == "time"
        assert message.method == "notifications/progress"
        assert params["progressToken"] in [entry.token for entry in self.asks.values() if entry.token is not None]


def _clean_meta(params: dict[str, Any]) -> dict[str, Any]:
    cleaned = copy.deepcopy(without_own(params))
    if cleaned.get("_meta") == {}:
        del cleaned["_meta"]
    return cleaned


def _has_shape(method: str, result: dict[str, Any]) -> None:
    for name, kind in RESULTS.get(method, {}).items():
        assert type(result.get(name)) is kind, f"a result of {method} without {name} was passed on"
    assert result.get("resultType", "complete") == "complete"


def _can_show_form(declared: Any) -> bool:
    support = declared.get("elicitation")
    return type(support) is dict and ("form" in support or "url" not in support)


def _marked(params: Any) -> Any:
    """A server's question as a person gets it; the texts of these conversations need no other change."""
    message = params.get("message") if type(params) is dict else None
    return {**params, "message": f"The server victim asks: {message}"} if type(message) is str else params


def _not_the_guards_voice(params: Any) -> None:
    letters = "".join(char for char in json.dumps(params, default=repr).casefold() if char.isalnum())
    assert "stdioguard" not in letters, "a server's question speaks in the guard's name"


def _bytes(frame: Any) -> Any:
    return json.dumps(frame).encode() if type(frame) in (dict, list) else frame
