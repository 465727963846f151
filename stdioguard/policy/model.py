"""The profile as it is written: one strict type a table, and the JSON Schema that editors use.

Decoding is msgspec's; a key that is not here is an error. This module is loaded by `profile` commands and on the first launch with
a profile, never on the warm path (see `load`).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct, field

from stdioguard.policy import scopes

FORMS = {
    r"^[A-Za-z0-9][A-Za-z0-9_.\-]{0,63}$": "letters, digits, _ . and - only, at most 64",
    scopes.FORM: "a scope, such as files:read or files:*",
    r"^[A-Za-z_][A-Za-z0-9_]*$": "the name of an environment variable",
    r"^[1-9][0-9]{0,11}[KMGT]?$": "a size in bytes, such as 512M",
    r"^(\*|(\*\.)?[A-Za-z0-9_][A-Za-z0-9_.\-]*|[0-9.]+/[0-9]{1,2}|\[[0-9A-Fa-f:.]+(/[0-9]{1,3})?\]):[0-9]{1,5}$": (
        "host and port, such as api.github.com:443, *.example.com:443, *:443, 127.0.0.1:8080, [::1]:8080 or 10.0.0.0/8:443"
    ),
    r"^secret:[A-Za-z0-9][A-Za-z0-9_.\-]{0,63}$": "a reference such as secret:github, never the secret itself",
    r"^[0-9]{1,6}[smhdw]$": "a time span, such as 30m, 12h or 90d",
}
"""The forms that texts may have, in words for people."""

_NAME, _SCOPE, _VARIABLE, _SIZE, _HOST, _SECRET, _LIFETIME = FORMS

Name = Annotated[str, Meta(pattern=_NAME)]
Scope = Annotated[str, Meta(pattern=_SCOPE, max_length=scopes.MAX_LENGTH)]
Text = Annotated[str, Meta(min_length=1, max_length=4096)]
VariableName = Annotated[str, Meta(pattern=_VARIABLE, max_length=128)]
Size = Annotated[str, Meta(pattern=_SIZE)]
HostPort = Annotated[str, Meta(pattern=_HOST, max_length=260)]
Secret = Annotated[str, Meta(pattern=_SECRET)]
Action = Literal["allow", "confirm", "deny"]
Algorithm = Literal["EdDSA", "ES256", "RS256", "HS256"]
Lifetime = Annotated[str, Meta(pattern=_LIFETIME)]
Channel = Literal["client", "dialog", "page", "terminal"]
Risk = Literal["low", "normal", "high"]


class Strict(Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """A table in which every key must be known."""


class Server(Strict):
    """How `wrap` recognises the entry of this server: one of the three."""

    npm: Text | None = None
    pypi: Text | None = None
    command: Text | None = None


class Handshake(Strict):
    """Whether the client must prove itself to the guard, and whether the guard proves itself to the server."""

    client: Literal["required", "optional", "off"] | None = None
    server: bool = False


class Sandbox(Strict):
    """What the server has beyond its runtime's own files. An absent key and an empty list both grant nothing."""

    read: list[Text] = field(default_factory=list)
    write: list[Text] = field(default_factory=list)
    deny: list[Text] = field(default_factory=list)
    network: list[HostPort] = field(default_factory=list)
    sockets: list[Text] = field(default_factory=list)
    environment: list[VariableName] = field(default_factory=list)
    variables: dict[VariableName, Text] = field(default_factory=dict)
    secrets: dict[VariableName, Secret] = field(default_factory=dict)
    memory: Size | None = None
    processes: Annotated[int, Meta(ge=1, le=65536)] | None = None
    seccomp: Text | None = None


class Capabilities(Strict):
    """MCP features beyond tools, each off unless granted. Names are the protocol's capability names."""

    resources: bool = False
    prompts: bool = False
    completions: bool = False
    logging: bool = False
    sampling: bool = False
    elicitation: bool = False
    roots: bool = False
    tasks: bool = False


class Argument(Strict):
    """What one argument of a tool may be. Without `optional` it must be present."""

    inside: Annotated[list[Text], Meta(min_length=1)] | None = None
    one_of: Annotated[list[str | int | float | bool], Meta(min_length=1)] | None = None
    optional: bool = False


class Rule(Strict):
    """What happens when a tool whose name matches the pattern is called."""

    action: Action
    scopes: list[Scope] = field(default_factory=list)
    risk: Risk = "normal"
    arguments: dict[Text, Argument] = field(default_factory=dict)
    remember: bool = True


class Consent(Strict):
    """On which channels a person is asked, the first first: `channels` for low and normal risk, `high` for high."""

    channels: list[Channel] = field(default_factory=lambda: ["client", "dialog", "page", "terminal"])
    high: list[Channel] = field(default_factory=lambda: ["dialog", "page", "terminal"])


class Tools(Strict):
    """The tool allowlist: the most specific matching rule decides, `default` where none matches."""

    default: Action = "deny"
    rules: dict[str, Rule] = field(default_factory=dict)


class Entry(Strict):
    """What happens with a prompt or resource whose name or URI matches the pattern."""

    action: Literal["allow", "deny"] = "allow"
    scopes: list[Scope] = field(default_factory=list)


class Listed(Strict):
    """Which prompts or resources there are, where their capability is on: the most specific matching rule decides."""

    default: Literal["allow", "deny"] = "allow"
    rules: dict[str, Entry] = field(default_factory=dict)


class Issuer(Strict):
    """Whose tokens are accepted beside those of this machine: the keys, and which claim holds the scopes."""

    jwks_url: Text | None = None
    jwks_file: Text | None = None
    key: Secret | None = None
    algorithms: Annotated[list[Algorithm], Meta(min_length=1)] = field(default_factory=lambda: ["EdDSA", "ES256", "RS256"])
    audience: Text | None = None
    scope_claim: Literal["scope", "scp", "permissions", "roles"] = "scope"
    client_claim: Literal["client_id", "azp", "sub"] = "sub"
    grace: Lifetime = "24h"


class Identity(Strict):
    """Issuers of tokens, by the exact text of their `iss` claim."""

    issuers: dict[Text, Issuer] = field(default_factory=dict)


class Profile(Strict):
    """A profile: everything that one server is granted."""

    schema: Literal[1]
    name: Name
    description: Text
    server: Server = field(default_factory=Server)
    handshake: Handshake = field(default_factory=Handshake)
    sandbox: Sandbox = field(default_factory=Sandbox)
    capabilities: Capabilities = field(default_factory=Capabilities)
    tools: Tools = field(default_factory=Tools)
    consent: Consent = field(default_factory=Consent)
    prompts: Listed = field(default_factory=Listed)
    resources: Listed = field(default_factory=Listed)
    identity: Identity = field(default_factory=Identity)
    roles: dict[Name, list[Scope]] = field(default_factory=dict)


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a profile."""
    schema = msgspec.json.schema(Profile)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "stdioguard profile", **schema}
