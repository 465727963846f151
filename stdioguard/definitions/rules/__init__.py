"""The rules, one a file. Adding a rule is one file and one line here."""

from __future__ import annotations

from stdioguard.definitions.rules import cross_tool, orders, override, secrecy, secret_access

RULES = (
    override.RULE,
    secret_access.RULE,
    orders.RULE,
    secrecy.RULE,
    cross_tool.RULE,
)

TEXT_RULES = tuple(rule for rule in RULES if rule.text is not None)
