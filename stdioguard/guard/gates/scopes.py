"""Scopes: what a caller was not granted does not exist for it, in listings and in calls, in both eras.

A rule of the profile names the scopes that its tool, prompt or resource needs, all of them; the caller's own say what it has. Without
identity there is no caller, and scopes decide nothing. `deny` rules of prompts and resources hold for everybody; those of tools are
the allowlist's.
"""

from __future__ import annotations

import re

from stdioguard.guard.verdicts import INVALID_PARAMS, MALFORMED, REFUSED, RESOURCE_NOT_FOUND, Refuse
from stdioguard.policy.policy import DENY
from stdioguard.wire import eras

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from stdioguard.guard.callers import Caller
    from stdioguard.guard.state import Call, Exchange, State
    from stdioguard.guard.verdicts import Verdict
    from stdioguard.policy.policy import Policy, Rule

_LISTS = {
    "tools/list": ("tools", "name"),
    "prompts/list": ("prompts", "name"),
    "resources/list": ("resources", "uri"),
    "resources/templates/list": ("resources", "uriTemplate"),
}
_TWISTED = re.compile(
    r"(^|[/\\])\.{1,2}([/\\?#]|$)|\\|[^!-~]"  # dot segments, separators, and what is not printable ASCII
    r"|%(?i:2[def]|5[cf]|7e|00|3[0-9]|[46][1-9a-f]|[57][0-9a])"  # separators that are escaped, and what need not be (RFC 3986, 6.2.2.2)
    r"|^[^:/?#]*[A-Z]"  # the case of a scheme, and that of a host; who asks, an empty port, the root's dot (6.2.2.1, 6.2.3)
    r"|^[^:/?#]*://[^/?#]*([A-Z@]|[.:]([/?#]|$)|\.:)"
    r"|^file:(?!///[^/])|^file:[^?#]*[^:/]//"  # the machine itself by name, and empty segments (RFC 8089)
    r"|^(https?|wss?|ftp):(?!//[^/])|^(http|ws)://[^/?#]*:80([/?#]|$)|^(https|wss)://[^/?#]*:443([/?#]|$)"  # as WHATWG URL reads them
)
"""What makes two spellings of one URI."""


def from_client(exchange: Exchange) -> Verdict | None:
    """Answer a request for what the caller was not granted as if it were not there."""
    params, policy, caller = exchange.message.params, exchange.state.policy, exchange.caller
    method = exchange.message.method
    if method == "tools/call":
        name = params.get("name")
        if type(name) is str:
            rule = policy.rule_for(name)
            # What no rule names is denied to everybody by default: to a caller that has scopes it must look the same.
            if not _granted(caller, rule) or (caller is not None and rule is policy.tools.default and rule.action == DENY):
                return _absent(f"Unknown tool: {name}", rule)
        return None
    if method == "subscriptions/listen":
        _cut(policy, caller, params.get("notifications"))
        return None
    kind, name = _asked_for(method, params)
    if type(name) is not str:
        # Not the server's to judge: JavaScript takes `["x"]` for "x", Go `Name` for `name` (CVE-2026-27896).
        key = "prompts.name" if kind == "prompts" else "resources.uri"
        return Refuse(MALFORMED, key, f"{method} names one of the {kind}, by a text", protocol_code=INVALID_PARAMS)
    if kind == "prompts":
        rule = policy.prompts.rule_for(name)
        return None if _there(caller, rule) else _absent(f"Unknown prompt: {name}", rule)
    found = _resource(policy, name)
    if found is None or not _visible(policy, caller, name):
        refusal = _absent("Resource not found", found)
        if exchange.era != eras.MODERN:
            refusal.protocol_code, refusal.data = RESOURCE_NOT_FOUND, {"uri": name}
        return refusal
    return None


def _asked_for(method: str, params: dict[str, Any]) -> tuple[str, Any]:
    if method == "prompts/get":
        return "prompts", params.get("name")
    if method == "completion/complete":
        ref = params.get("ref")
        if type(ref) is dict and ref.get("type") == "ref/prompt":
            return "prompts", ref.get("name")
        return "resources", ref.get("uri") if type(ref) is dict else None
    return "resources", params.get("uri")


def _resource(policy: Policy, uri: str) -> Rule | None:
    """Return the rule for a URI; none where rules are to decide and the URI could be another one's in disguise."""
    if not policy.resources:
        return policy.resources.default
    return None if _TWISTED.search(uri) else policy.resources.rule_for(uri)


def _visible(policy: Policy, caller: Caller | None, uri: str) -> bool:
    """Tell whether a resource is there, by its URI and by that without query and fragment, which a server may not look at."""
    rules = (_resource(policy, uri), _resource(policy, re.split("[?#]", uri, maxsplit=1)[0]))
    return all(rule is not None and _there(caller, rule) for rule in rules)


def _cut(policy: Policy, caller: Caller | None, wanted: Any) -> None:
    """Take out of a subscription the resources that are not there; the acknowledgement tells the client what it got."""
    uris = wanted.get("resourceSubscriptions") if type(wanted) is dict else None
    if type(uris) is list:
        wanted["resourceSubscriptions"] = [uri for uri in uris if type(uri) is str and _visible(policy, caller, uri)]


def _granted(caller: Caller | None, rule: Rule) -> bool:
    return caller is None or not rule.scopes or caller.may(rule.scopes)


def _there(caller: Caller | None, rule: Rule) -> bool:
    return rule.action != DENY and _granted(caller, rule)


def _absent(text: str, rule: Rule | None) -> Refuse:
    """Return the error that a server gives for what it does not have. The record says which rule decided."""
    origin = rule.origin if rule is not None else "resources.uri"
    needs = f"needs {' and '.join(rule.scopes)}" if rule is not None and rule.scopes else "is not granted"
    return Refuse(REFUSED, origin, text, protocol_code=INVALID_PARAMS, note=needs, plain=True)


def from_server(exchange: Exchange) -> Verdict | None:
    """Refuse to tell of a change of what the client cannot see."""
    uri = exchange.message.params.get("uri")
    rule = _resource(exchange.state.policy, uri) if type(uri) is str else None
    if rule is None or not _visible(exchange.state.policy, exchange.state.caller, uri):
        return Refuse(REFUSED, rule.origin if rule else "resources.uri", "this resource is not the client's to see")
    return None


def result(state: State, call: Call, members: dict[str, Any]) -> Refuse | None:
    """Take out of a listing what is not there for the caller."""
    kind, key = _LISTS[call.method]
    policy, caller = state.policy, call.caller
    if caller is not None and "cacheScope" in members:
        members["cacheScope"] = "private"  # what one caller sees is not what another does
    entries = members[{"uriTemplate": "resourceTemplates"}.get(key, kind)]
    if kind == "tools":
        if caller is not None:
            entries[:] = [entry for entry in entries if _granted(caller, policy.rule_for(_name(entry, key)))]
        return None
    rules = getattr(policy, kind)
    if rules or caller is not None:
        entries[:] = [entry for entry in entries if _listed(caller, policy, kind, _name(entry, key))]
    return None


def _name(entry: Any, key: str) -> str:
    name = entry.get(key) if type(entry) is dict else None
    return name if type(name) is str else ""


def _listed(caller: Caller | None, policy: Policy, kind: str, name: str) -> bool:
    if kind == "prompts":
        return bool(name) and _there(caller, policy.prompts.rule_for(name))
    return bool(name) and _visible(policy, caller, name)
