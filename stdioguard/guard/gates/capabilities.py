"""The switches of a profile's `[capabilities]`: what neither side may use, neither side is told of.

A capability that is off is taken out of what each side declares, and its messages are refused. Both are needed: filtering a
declaration is not enforcement, and a client that is told of a feature which then fails shows its user errors.
"""

from __future__ import annotations

from stdioguard.guard.verdicts import MALFORMED, REFUSED, Refuse
from stdioguard.wire import eras
from stdioguard.wire.messages import Request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from stdioguard.guard.state import Call, Exchange, State
    from stdioguard.guard.verdicts import Verdict

_OF_CLIENTS = ("elicitation", "sampling", "roots", "tasks")
_OF_SERVERS = ("tools", "resources", "prompts", "completions", "logging", "tasks")
_COMPLETED = {"ref/prompt": "prompts", "ref/resource": "resources"}
_CLIENT_INFO = frozenset({"name", "version", "title", "description", "websiteUrl", "icons"})


def refusal(capability: str, what: str, source: str) -> Refuse:
    """Return the refusal of a message whose capability is off, with the line that would allow it."""
    return Refuse(
        REFUSED, f"capabilities.{capability} = false",
        f"{what} is not granted; to allow it, set {capability} = true under [capabilities] in {source}",
    )  # fmt: skip


def from_client(exchange: Exchange) -> Verdict | None:
    """Refuse what is switched off, and narrow what the client declares."""
    message, policy = exchange.message, exchange.state.policy
    requests = type(message) is Request
    method = (eras.CLIENT_REQUESTS if requests else eras.CLIENT_NOTIFICATIONS)[message.method]
    if not policy.grants(method.capability):
        return refusal(method.capability, method.name, policy.source)
    if not requests:
        return None
    params = message.params
    if method.name == "completion/complete":
        ref = params.get("ref")
        kind = _COMPLETED.get(str(ref.get("type"))) if type(ref) is dict else None
        if kind is None:
            return Refuse(MALFORMED, "completions.ref", "a completion is for ref/prompt or ref/resource")
        if not policy.grants(kind):
            return refusal(kind, f"completion of {kind}", policy.source)
    if exchange.era == eras.MODERN:
        meta = params["_meta"]
        meta[eras.META_CAPABILITIES] = _narrowed(exchange.capabilities, _OF_CLIENTS, exchange.state)
        info = meta.pop(eras.META_CLIENT_INFO, None)
        if type(info) is dict:
            meta[eras.META_CLIENT_INFO] = _client_info(info)
        if not policy.grants("logging"):
            meta.pop(eras.META_LOG_LEVEL, None)
    elif method.name == "initialize":
        params["capabilities"] = _narrowed(params["capabilities"], _OF_CLIENTS, exchange.state)
        params["clientInfo"] = _client_info(params["clientInfo"])
    return None


def _client_info(members: dict[str, Any]) -> dict[str, Any]:
    """Keep what the schema names: a secret that a simple client puts here is for the guard, not for the server."""
    return {key: value for key, value in members.items() if key in _CLIENT_INFO}


def _narrowed(declared: dict[str, Any], names: tuple[str, ...], state: State) -> dict[str, Any]:
    kept = {name: declared[name] for name in names if name in declared and state.policy.grants(name)}
    extensions = declared.get("extensions")
    if type(extensions) is dict and eras.TASKS_EXTENSION in extensions and state.policy.grants("tasks"):
        kept["extensions"] = {eras.TASKS_EXTENSION: extensions[eras.TASKS_EXTENSION]}
    return kept


def from_server(exchange: Exchange) -> Verdict | None:
    """Refuse what is switched off, or what this client has not declared."""
    message, state = exchange.message, exchange.state
    requests = type(message) is Request
    method = (eras.SERVER_REQUESTS if requests else eras.SERVER_NOTIFICATIONS)[message.method]
    if not state.policy.grants(method.capability):
        return refusal(method.capability, method.name, state.policy.source)
    if requests and method.capability:
        return undeclared(method.name, message.params, exchange.capabilities) or restrained(
            method.name, message.params, state.server_name
        )
    return None


def undeclared(method: str, params: dict[str, Any], declared: dict[str, Any]) -> Refuse | None:
    """Refuse a question that the client has not said it can answer."""
    name = eras.SERVER_REQUESTS[method].capability
    support = declared.get(name)
    if type(support) is dict and name == "elicitation":
        mode = params.get("mode", "form")
        # `elicitation: {}` means forms only (client/elicitation#capabilities).
        if mode == "form" and ("form" in support or "url" not in support):
            return None
        if mode == "url" and "url" in support:
            return None
    elif type(support) is dict:
        return None
    return Refuse(REFUSED, f"capabilities.{name}", f"the client has not declared what {method} needs")


def restrained(method: str, params: dict[str, Any], server: str) -> Refuse | None:
    """Refuse questions that reach beyond this server: other servers' context, the guard's own voice, a person's secrets."""
    if method == "sampling/createMessage" and params.get("includeContext") not in (None, "none", "thisServer"):
        return Refuse(REFUSED, "sampling.includeContext", "a server may not ask for the context of other servers")
    if method == "elicitation/create":
        from stdioguard.guard.gates import elicitation  # noqa: PLC0415 - where a server asks

        return elicitation.from_server(params, server)
    return None


def result(state: State, call: Call, members: dict[str, Any]) -> Refuse | None:
    """Narrow what the server declares."""
    imitation = eras.imitation(members["capabilities"])
    if imitation is not None:
        return Refuse(MALFORMED, "wire.imitation", f"key {imitation!a:.80} imitates one of the protocol's")
    members["capabilities"] = kept = _narrowed(members["capabilities"], _OF_SERVERS, state)
    if state.authenticator is not None:
        # A change of scopes is one of what there is, whether or not the server's own lists ever change.
        for name in ("tools", "prompts", "resources"):
            if type(kept.get(name)) is dict:
                kept[name] = {**kept[name], "listChanged": True}
    return None
