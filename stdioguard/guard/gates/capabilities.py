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
_OF_THE_GUARD = ("stdioguard", "allowthistoolcallonce")
"""What only the guard's own questions say, letters and digits alone."""
_DECISIONS = frozenset({"allowonce", "deny"})
_SECRETS = (
    "password", "passphrase", "passcode", "apikey", "accesskey", "secretkey", "privatekey", "clientsecret", "accesstoken", "apitoken",
    "authtoken", "refreshtoken", "bearertoken", "credential", "seedphrase", "recoveryphrase", "recoverycode", "mnemonic", "creditcard",
    "cardnumber", "securitycode", "verificationcode", "onetimecode", "pincode", "socialsecurity",
)  # fmt: skip
"""What a form may not ask for (2025-11-25, client/elicitation: "Servers MUST NOT use form mode elicitation to request sensitive
information"), letters and digits alone."""
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
        return undeclared(method.name, message.params, exchange.capabilities) or restrained(method.name, message.params)
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


def restrained(method: str, params: dict[str, Any]) -> Refuse | None:
    """Refuse questions that reach beyond this server: other servers' context, the guard's own voice, a person's secrets."""
    if method == "sampling/createMessage" and params.get("includeContext") not in (None, "none", "thisServer"):
        return Refuse(REFUSED, "sampling.includeContext", "a server may not ask for the context of other servers")
    if method == "elicitation/create" and _speaks_as_guard(params):
        return Refuse(REFUSED, "elicitation.imitation", "a server's question may not speak in the guard's name")
    if method == "elicitation/create" and _asks_for_a_secret(params):
        return Refuse(
            REFUSED, "elicitation.secret", "a form may not ask for a password, key or the like; a server has URL mode for that"
        )
    return None


def _speaks_as_guard(value: Any) -> bool:
    if isinstance(value, str):
        letters = _letters(value)
        return any(words in letters for words in _OF_THE_GUARD)
    if isinstance(value, dict):
        return any(_speaks_as_guard(key) or _speaks_as_guard(member) for key, member in value.items() if key != "_meta")
    if not isinstance(value, list):
        return False
    choices = {_letters(member) for member in value if isinstance(member, str)}
    return choices == _DECISIONS or any(_speaks_as_guard(member) for member in value)


def _asks_for_a_secret(params: dict[str, Any]) -> bool:
    """Tell whether a form has a field to type in, and its message or that field speaks of a secret."""
    schema = params.get("requestedSchema")
    fields = schema.get("properties") if type(schema) is dict else None
    if params.get("mode", "form") != "form" or type(fields) is not dict:
        return False
    said = ""
    for key, field in fields.items():
        about = field if type(field) is dict else {}
        if about.get("type") != "boolean" and not about.keys() & {"enum", "oneOf", "const"}:
            said += "".join(f" {text}" for text in (key, *about.values()) if isinstance(text, str))
    letters = _letters(f"{params.get('message')} {said}") if said else ""
    return any(words in letters for words in _SECRETS)


def _letters(text: str) -> str:
    """Return the letters and digits of a text alone, in one case and one form."""
    import unicodedata  # noqa: PLC0415 - for elicitations only

    # Without marks first: normalising a long run of them takes quadratic time.
    bare = "".join(char for char in text if not unicodedata.combining(char))
    folded = unicodedata.normalize("NFKC", bare).casefold()
    return "".join(char for char in folded if char.isalnum())


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
