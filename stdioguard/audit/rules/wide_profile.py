"""A profile that grants everything is a guard that lets everything through."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from stdioguard.audit import profiles
from stdioguard.audit.interface import Level, Rule
from stdioguard.installs import plaintext
from stdioguard.installs.entries import Entry, Fields
from stdioguard.policy.errors import ProfileError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.audit.interface import EntryView, Finding
    from stdioguard.policy.policy import Policy


def check(view: EntryView) -> Iterator[Finding]:
    """Yield a finding for each grant that leaves little out. Shipped profiles are as narrow as their servers let them be."""
    if view.guard is None or not view.machine.is_here:
        return
    try:
        policy = profiles.read(view.guard.profile)
    except ProfileError:
        return  # told by broken-profile
    if profiles.is_shipped(policy):
        return
    path = next(
        (view.outer(index) for index, word in enumerate(view.entry.argv[: view.offset]) if word == view.guard.profile), None
    )
    for message, severity in _wide(policy):
        yield view.finding(RULE, f"its profile {policy.name} {message}", path, severity=severity, related=(policy.source,))


def _wide(policy: Policy) -> Iterator[tuple[str, Level]]:
    sandbox = policy.sandbox
    homes = {"${HOME}", "$HOME", "~", os.path.expanduser("~")}
    for key, verb, severity in (("write", "write", Level.HIGH), ("read", "read", Level.MEDIUM)):
        for entry in sandbox[key]:
            plain = entry.removesuffix("/**").removesuffix("/*").rstrip("/") or "/"
            if plain in ("/", "/home", "/Users", "/root") or plain in homes:
                yield f"lets it {verb} {entry}", severity
    for entry in sandbox["network"]:
        if entry.startswith(("*:", "0.0.0.0/0:", "[::/0]:")):
            yield f"lets it reach every host ({entry})", Level.LOW
    if policy.tools.default.action == "allow":
        yield 'lets every tool run without a question (tools.default = "allow")', Level.MEDIUM
    variables = Entry("", policy.source, "user", policy.name, (), "stdio", Fields(()), env=sandbox["variables"])
    for name in dict.fromkeys(str(found.path[-1]) for found in plaintext.secrets_in(variables)):
        yield f"holds a secret in the variable {name}", Level.MEDIUM


RULE = Rule(
    slug="wide-profile",
    title="A guarded server's profile grants nearly everything",
    severity=Level.MEDIUM,
    confidence=Level.HIGH,
    subject="entry",
    advice="Name the folders, hosts and tools that the server needs.",
    cwe=732,
    owasp="MCP02",
    check=check,
)
