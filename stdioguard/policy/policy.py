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


class ToolRule:
    """What the profile says of one tool: `action`, and what goes with it. `origin` is the line that said so, as TOML."""

    __slots__ = ("action", "arguments", "origin", "risk", "scopes")

    def __init__(
        self,
        action: str,
        origin: str,
        risk: str = "normal",
        scopes: tuple[str, ...] = (),
        arguments: dict[str, Any] | None = None,
    ) -> None:
        self.action = action
        self.origin = origin
        self.risk = risk
        self.scopes = scopes
        self.arguments = arguments or {}


class Policy:
    """One profile's decisions.

    `document` is the compiled profile: `name`, `description`, `source` (file), `digest` (hex SHA-256 of the source), and the tables
    `server`, `handshake`, `sandbox`, `capabilities`, `tools` and `roles` with every default filled in.
    """

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self.name: str = document["name"]
        self.source: str = document["source"]
        self.digest: str = document["digest"]
        self.capabilities: dict[str, bool] = document["capabilities"]
        self.sandbox: dict[str, Any] = document["sandbox"]
        self.handshake: dict[str, Any] = document["handshake"]
        default: str = document["tools"]["default"]
        self.default_rule = ToolRule(default, f'tools.default = "{default}"')
        self._exact: dict[str, ToolRule] = {}
        self._patterns: list[tuple[str, ToolRule]] = []
        for pattern, rule in document["tools"]["rules"].items():
            entry = ToolRule(rule["action"], f'tools.rules."{pattern}"', rule["risk"], tuple(rule["scopes"]), rule["arguments"])
            if globs.is_literal(pattern):
                self._exact[pattern] = entry
            else:
                self._patterns.append((pattern, entry))
        self._patterns.sort(key=lambda row: globs.specificity(row[0]), reverse=True)
        self._compiled: list[tuple[re.Pattern[str], ToolRule]] | None = None
        self._known: dict[str, ToolRule] = {}

    def rule_for(self, tool: str) -> ToolRule:
        """Return the most specific rule that matches the tool's name, or the default."""
        rule = self._exact.get(tool) or self._known.get(tool)
        if rule is None:
            if self._compiled is None:
                self._compiled = [(globs.compiled(pattern), rule) for pattern, rule in self._patterns]
            rule = next((rule for pattern, rule in self._compiled if pattern.fullmatch(tool)), self.default_rule)
            if len(self._known) < 1024:
                self._known[tool] = rule
        return rule

    def grants(self, capability: str) -> bool:
        """Tell whether the profile grants an MCP capability; `tools` and the empty name always are."""
        return capability in ("", "tools") or self.capabilities.get(capability) is True

    def path_lists(self) -> list[list[str]]:
        """Return every list of the profile that holds paths with variables, to be expanded in place at launch."""
        lists = [self.sandbox["read"], self.sandbox["write"], self.sandbox["deny"], self.sandbox["sockets"]]
        for rule in (self.default_rule, *self._exact.values(), *(rule for _, rule in self._patterns)):
            lists += [constraint["inside"] for constraint in rule.arguments.values() if constraint.get("inside")]
        return lists
