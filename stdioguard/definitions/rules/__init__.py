"""The rules, one a file. Adding a rule is one file and one line here."""

from __future__ import annotations

from stdioguard.definitions.rules import (
    bidi_text,
    code,
    control_characters,
    cross_tool,
    encoded_text,
    exfiltration_parameter,
    hidden_markup,
    hints,
    hostile_purpose,
    imitation,
    invisible_text,
    languages,
    orders,
    out_of_place,
    over_long,
    override,
    preference,
    remote_reference,
    schema_prose,
    secrecy,
    secret_access,
    shadowing,
)

RULES = (
    invisible_text.RULE,
    bidi_text.RULE,
    control_characters.RULE,
    hidden_markup.RULE,
    encoded_text.RULE,
    override.RULE,
    orders.RULE,
    out_of_place.RULE,
    secret_access.RULE,
    secrecy.RULE,
    cross_tool.RULE,
    shadowing.RULE,
    imitation.RULE,
    exfiltration_parameter.RULE,
    preference.RULE,
    code.RULE,
    schema_prose.RULE,
    remote_reference.RULE,
    over_long.RULE,
    hints.RULE,
    hostile_purpose.RULE,
    languages.RULE,
)

TEXT_RULES = tuple(rule for rule in RULES if rule.text is not None)
