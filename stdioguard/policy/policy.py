"""A checked profile, ready to decide: what the guard and the launch read.

It is made from plain JSON values (`check.compile_profile` writes them, `load` keeps them), so that a warm start needs neither a TOML
parser nor a schema library.
"""

from __future__ import annotations

from stdioguard.policy import globs

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re
    from typing import Any

ALLOW = "allow"
CONFIRM = "confirm"
DENY = "deny"


class Rule:
    """What the profile says of a tool, prompt or resource: `action`, and what goes with it. `origin` is the line that said so, as TOML."""

    __slots__ = ("action", "arguments", "origin", "remember", "risk", "scopes")

    def __init__(
        self,
        action: str,
        origin: str,
        risk: str = "normal",
        scopes: tuple[str, ...] = (),
        arguments: dict[str, Any] | None = None,
        *,
        remember: bool = True,
    ) -> None:
        self.action = action
        self.origin = origin
        self.risk = risk
        self.scopes = scopes
        self.arguments = arguments or {}
        self.remember = remember


class Rules:
    """The rules of one table, `tools`, `prompts` or `resources`: the most specific that matches decides, else the table's default."""

    def __init__(self, table: str, document: dict[str, Any]) -> None:
        default: str = document["default"]
        self.default = Rule(default, f'{table}.default = "{default}"')
        self._exact: dict[str, Rule] = {}
        self._patterns: list[tuple[str, Rule]] = []
        for pattern, said in document["rules"].items():
            rule = Rule(
                said["action"],
                f'{table}.rules."{pattern}"',
                said.get("risk", "normal"),
                tuple(said["scopes"]),
                said.get("arguments"),
                remember=said.get("remember", True),
            )
            if globs.is_literal(pattern):
                self._exact[pattern] = rule
            else:
                self._patterns.append((pattern, rule))
        self._patterns.sort(key=lambda row: globs.specificity(row[0]), reverse=True)
        self._compiled: list[tuple[re.Pattern[str], Rule]] | None = None
        self._known: dict[str, Rule] = {}

    def rule_for(self, name: str) -> Rule:
        """Return the most specific rule that matches, or the default."""
        rule = self._exact.get(name) or self._known.get(name)
        if rule is None:
            if self._compiled is None:
                self._compiled = [(globs.compiled(pattern), rule) for pattern, rule in self._patterns]
            rule = next((rule for pattern, rule in self._compiled if pattern.fullmatch(name)), self.default)
            if len(self._known) < 1024:
                self._known[name] = rule
        return rule

    def all(self) -> list[Rule]:
        """Return every rule, the default among them."""
        return [self.default, *self._exact.values(), *(rule for _, rule in self._patterns)]

    def __bool__(self) -> bool:
        """Tell whether anything but an open door is said."""
        return bool(self._exact or self._patterns or self.default.action == DENY)


class Policy:
    """One profile's decisions.

    `document` is the compiled profile: `name`, `description`, `source` (file), `digest` (hex SHA-256 of the source), and the tables
    `server`, `handshake`, `sandbox`, `capabilities`, `tools`, `consent`, `prompts`, `resources`, `identity` and `roles`, with every
    default filled in.
    """

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self.name: str = document["name"]
        self.source: str = document["source"]
        self.digest: str = document["digest"]
        self.capabilities: dict[str, bool] = document["capabilities"]
        self.sandbox: dict[str, Any] = document["sandbox"]
        self.handshake: dict[str, Any] = document["handshake"]
        self.consent: dict[str, list[str]] = document["consent"]
        self.issuers: dict[str, dict[str, Any]] = document["identity"]["issuers"]
        self.roles: dict[str, list[str]] = document["roles"]
        self.tools = Rules("tools", document["tools"])
        self.prompts = Rules("prompts", document["prompts"])
        self.resources = Rules("resources", document["resources"])

    def rule_for(self, tool: str) -> Rule:
        """Return the rule for a tool."""
        return self.tools.rule_for(tool)

    def asks(self) -> bool:
        """Tell whether some tool's call may have to wait for a person."""
        return any(rule.action == CONFIRM for rule in self.tools.all())

    def grants(self, capability: str) -> bool:
        """Tell whether the profile grants an MCP capability; `tools` and the empty name always are."""
        return capability in ("", "tools") or self.capabilities.get(capability) is True

    def path_lists(self) -> list[list[str]]:
        """Return every list of the profile that holds paths with variables, to be expanded in place at launch."""
        lists = [self.sandbox["read"], self.sandbox["write"], self.sandbox["deny"], self.sandbox["sockets"]]
        for rule in self.tools.all():
            lists += [constraint["inside"] for constraint in rule.arguments.values() if constraint.get("inside")]
        return lists
