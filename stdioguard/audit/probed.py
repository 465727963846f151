"""The rules about what servers offer, as reports know them: what `--probe` finds has these slugs. Nothing here starts anything."""

from __future__ import annotations

from stdioguard.audit.interface import Level, Rule
from stdioguard.definitions import rules as definitions

SHARED = Rule(
    slug="shared-tool-name",
    title="Two servers of one client offer a tool of the same name",
    severity=Level.LOW,
    confidence=Level.HIGH,
    subject="probe",
    advice="Turn one of the two off, or see to it that the client shows whose tool it calls.",
    cwe=694,
    owasp="MCP03",
    check=lambda _: (),
)
UNKNOWN = Rule(
    slug="tool-without-rule",
    title="A guarded server offers tools that its profile has no rule for",
    severity=Level.INFO,
    confidence=Level.HIGH,
    subject="probe",
    advice="Give them a rule in the profile; until then its default decides.",
    cwe=1188,
    owasp="MCP02",
    check=lambda _: (),
)
UNLISTED = Rule(
    slug="unlisted-server",
    title="A server could not be listed in the sandbox",
    severity=Level.LOW,
    confidence=Level.HIGH,
    subject="probe",
    advice="Install it first, or look at its definitions where it has what it needs.",
    cwe=1059,
    owasp="MCP08",
    check=lambda _: (),
)
SURFACE = (SHARED, UNKNOWN, UNLISTED)
"""Those about a server's tools as a whole; each has a page like every other rule."""

DEFINITIONS = tuple(
    Rule(
        slug=rule.slug,
        title=f"A definition {rule.summary}" if rule.summary[:1].islower() else rule.summary,
        severity=Level.MEDIUM,
        confidence=Level.MEDIUM,
        subject="probe",
        advice="Do not use this server before you have read what it tells the model.",
        cwe=1427,
        owasp="MCP03",
        check=lambda _: (),
    )
    for rule in definitions.RULES
)
"""Those about single definitions, which `stdioguard.definitions` decides; docs/definitions.md tells of them."""
