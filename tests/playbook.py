"""Conversations with a session that read like the protocol, in any revision.

    talk = Playbook("2025-11-25", OPEN)
    talk >> call("read_file", path="/x")        # the client says
    assert talk.server_got()["method"] == "tools/call"
    talk << result(content=[])                  # the server answers what it was asked last
    assert talk.client_got()["result"] == ...

A `Playbook` opens the session the way its revision does: `initialize` and `notifications/initialized`, or, in 2026-07-28, a
`server/discover`; there every request carries its envelope, which `>>` adds.
"""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING, Any

from stdioguard.guard.output import Output
from stdioguard.guard.session import Session
from stdioguard.policy.check import compile_profile
from stdioguard.policy.policy import Policy
from stdioguard.wire.framing import Oversized

if TYPE_CHECKING:
    from stdioguard.guard.callers import Authenticator

HANDSHAKE = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
MODERN = "2026-07-28"
TOKEN = "io.stdioguard/token"
REVISIONS = (*HANDSHAKE, MODERN)

ALL_CAPABILITIES = {
    "elicitation": {"form": {}, "url": {}},
    "sampling": {},
    "roots": {"listChanged": True},
}
SERVER_CAPABILITIES = {
    "tools": {"listChanged": True},
    "resources": {"subscribe": True},
    "prompts": {},
    "completions": {},
    "logging": {},
}

_HEAD = 'schema = 1\nname = "test"\ndescription = "A test."\n'
_SWITCHES = ("resources", "prompts", "completions", "logging", "sampling", "elicitation", "roots", "tasks")

OPEN = _HEAD + "[capabilities]\n" + "".join(f"{name} = true\n" for name in _SWITCHES) + '[tools]\ndefault = "allow"\n'
"""Everything granted."""

TOOLS_ONLY = _HEAD + '[tools]\ndefault = "allow"\n'
"""Every tool, no other capability."""

MIXED = (
    _HEAD
    + '[tools]\ndefault = "deny"\n[tools.rules]\n'
    + '"read_*" = { action = "allow" }\n'
    + '"read_secret" = { action = "deny" }\n'
    + '"write_*" = { action = "confirm", risk = "high" }\n'
)
"""Reading allowed but for one tool, writing with consent, the rest denied."""


def policy(text: str, **variables: list[str]) -> Policy:
    """Compile a profile; keyword arguments replace its variables."""
    from stdioguard.policy.variables import expand

    made = Policy(json.loads(_compiled(text)))
    for entries in made.path_lists():
        entries[:] = expand(entries, variables)
    return made


@functools.cache
def _compiled(text: str) -> str:
    return json.dumps(compile_profile(text, "test.toml"))


def session(
    text: str = OPEN, *, authenticator: Authenticator | None = None, server_secret: str | None = None, **variables: list[str]
) -> Session:
    """Return a fresh session under a profile; paths resolve to themselves."""
    return Session(
        policy(text, **variables),
        server_name="test-server",
        nonce="n0",
        key=bytes(32),
        resolve=_lexical,
        authenticator=authenticator,
        server_secret=server_secret,
    )


def _lexical(path: str) -> str:
    import posixpath

    return posixpath.normpath(posixpath.join("/work", path))


def envelope(capabilities: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """Return the `_meta` of a 2026-07-28 request."""
    return {
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientCapabilities": ALL_CAPABILITIES if capabilities is None else capabilities,
        **more,
    }


def request(method: str, params: dict[str, Any] | None = None, id: Any = None) -> dict[str, Any]:  # noqa: A002
    """Return a request; without an id the playbook gives it the next one."""
    body: dict[str, Any] = {"jsonrpc": "2.0", "method": method}
    if id is not None:
        body["id"] = id
    else:
        body["id"] = _NEXT
    if params is not None:
        body["params"] = params
    return body


def call(tool: str, /, **arguments: Any) -> dict[str, Any]:
    """Return a `tools/call` request."""
    return request("tools/call", {"name": tool, "arguments": arguments})


def notification(method: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return a notification."""
    return {"jsonrpc": "2.0", "method": method, **({"params": params} if params is not None else {})}


def result(**members: Any) -> dict[str, Any]:
    """Return a server's answer; the playbook gives it the id of the request that the server got last."""
    return {"jsonrpc": "2.0", "id": _LAST, "result": members}


def error(code: int, message: str = "no", **more: Any) -> dict[str, Any]:
    """Return a server's refusal of the request that it got last."""
    return {"jsonrpc": "2.0", "id": _LAST, "error": {"code": code, "message": message, **more}}


def _loads(line: str) -> Any:
    return json.loads(line, parse_int=lambda digits: int(digits) if len(digits) < 4000 else digits)


_NEXT = object()
_LAST = object()


class Playbook:
    """A session that has been opened in one revision, and what has come out of it since the last look."""

    def __init__(
        self,
        revision: str,
        profile: str = OPEN,
        *,
        capabilities: dict[str, Any] | None = None,
        opened: bool = True,
        authenticator: Authenticator | None = None,
        credential: Any = None,
        server_secret: str | None = None,
        **variables: list[str],
    ) -> None:
        self.credential = credential
        """What the client proves itself with: in `initialize`, or in each 2026-07-28 request; nothing where it is `None`."""
        self.revision = revision
        self.modern = revision == MODERN
        self.capabilities = ALL_CAPABILITIES if capabilities is None else capabilities
        self.session = session(profile, authenticator=authenticator, server_secret=server_secret, **variables)
        self.now = 100.0
        self.records: list[dict[str, Any]] = []
        self._to_client: list[dict[str, Any]] = []
        self._to_server: list[dict[str, Any]] = []
        self._ids = 100
        self.last_wire_id: Any = None
        self.pending: Any = None
        """What a test wants to answer later; the playbook itself does not use it."""
        if opened and self.modern:
            self >> request("server/discover")
            self << result(resultType="complete", supportedVersions=[MODERN], capabilities=SERVER_CAPABILITIES)
        elif opened:
            self.initialize()
            self >> notification("notifications/initialized")
        self.flush()

    def initialize(self) -> None:
        """Shake hands, and forget what was said."""
        self >> request(
            "initialize",
            {
                "protocolVersion": self.revision,
                "capabilities": self.capabilities,
                "clientInfo": {"name": "playbook", "version": "1"},
                **({"_meta": {TOKEN: self.credential}} if self.credential is not None else {}),
            },
        )
        self.server_got()
        self << result(
            protocolVersion=self.revision, capabilities=SERVER_CAPABILITIES, serverInfo={"name": "server", "version": "1"}
        )
        self.flush()

    # --- saying ---------------------------------------------------------------------------------------------------------------

    def __rshift__(self, message: dict[str, Any] | bytes | Oversized) -> Playbook:
        """Let the client say `message`."""
        self._take(self.session.from_client(self._frame(message, client=True), self.now))
        return self

    def __lshift__(self, message: dict[str, Any] | bytes | Oversized) -> Playbook:
        """Let the server say `message`."""
        self._take(self.session.from_server(self._frame(message, client=False), self.now))
        return self

    def wait(self, seconds: float) -> Playbook:
        """Let time pass."""
        self.now += seconds
        self._take(self.session.tick(self.now))
        return self

    def end(self) -> Playbook:
        """End the session."""
        self._take(self.session.end("over", self.now))
        return self

    def _frame(self, message: dict[str, Any] | bytes | Oversized, *, client: bool) -> bytes | Oversized:
        if isinstance(message, bytes | Oversized):
            return message
        message = dict(message)
        if message.get("id") is _NEXT:
            self._ids += 1
            message["id"] = self._ids
        if message.get("id") is _LAST:
            message["id"] = self.last_wire_id
        if client and self.modern and "id" in message and "method" in message:
            params = dict(message.get("params") or {})
            proof = {TOKEN: self.credential} if self.credential is not None else {}
            params["_meta"] = {**envelope(self.capabilities), **proof, **params.get("_meta", {})}
            message["params"] = params
        return json.dumps(message, ensure_ascii=False).encode("utf-8", "surrogatepass")

    def _take(self, output: Output) -> None:
        assert not [entry for entry in output.records if entry.get("rule") == "guard.fault"], output.records
        self.records += output.records
        for line in output.to_client:
            assert line.isascii()
            assert "\n" not in line
            self._to_client.append(_loads(line))
        for line in output.to_server:
            assert line.isascii()
            assert "\n" not in line
            message = _loads(line)
            if "method" in message and "id" in message:
                self.last_wire_id = message["id"]
            self._to_server.append(message)

    # --- hearing --------------------------------------------------------------------------------------------------------------

    @property
    def last_client_id(self) -> Any:
        """The id that the playbook gave the client's last request."""
        return self._ids

    def server_got(self) -> dict[str, Any]:
        """Return the one message that has reached the server."""
        (message,) = self._to_server
        self._to_server.clear()
        return message

    def client_got(self) -> dict[str, Any]:
        """Return the one message that has reached the client."""
        (message,) = self._to_client
        self._to_client.clear()
        return message

    def all_to_client(self) -> list[dict[str, Any]]:
        """Return everything that has reached the client."""
        messages, self._to_client = self._to_client, []
        return messages

    def all_to_server(self) -> list[dict[str, Any]]:
        """Return everything that has reached the server."""
        messages, self._to_server = self._to_server, []
        return messages

    def flush(self) -> None:
        """Forget what has come out."""
        self._to_client.clear()
        self._to_server.clear()

    def rules(self) -> list[str]:
        """Return the rules of the refusals on record."""
        return [entry["rule"] for entry in self.records if entry["verdict"] in ("refuse", "drop")]


def refusal(message: dict[str, Any]) -> dict[str, Any] | None:
    """Return the guard's `{code, rule}` if `message` is a refusal, in either of its forms."""
    if "error" in message:
        data = message["error"].get("data")
        return data if isinstance(data, dict) and "rule" in data else None
    found = message.get("result", {}).get("_meta", {}).get("io.stdioguard/refusal")
    return found if message.get("result", {}).get("isError") is True else None
