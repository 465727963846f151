"""A client that has a sandbox protects nothing where its configuration turns it off."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stdioguard.audit.interface import Level, Rule
from stdioguard.installs.dialects.standard import at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.audit.interface import ConfigView, Finding

_FULL = "danger-full-access"


def check(config: ConfigView) -> Iterator[Finding]:
    """Yield a finding for each setting that takes a sandbox away which the client would have, or that was meant to be there."""
    value = config.value
    if not isinstance(value, dict):
        return
    if value.get("sandbox_mode") == _FULL:
        yield config.finding(
            RULE, f'sandbox_mode is "{_FULL}": Codex runs every command with all of your rights', ("sandbox_mode",)
        )
    profiles = value.get("profiles")
    for name, said in profiles.items() if isinstance(profiles, dict) else ():
        if isinstance(said, dict) and said.get("sandbox_mode") == _FULL:
            message = f'the profile {name} has sandbox_mode "{_FULL}": Codex runs every command with all of your rights'
            yield config.finding(RULE, message, ("profiles", name, "sandbox_mode"))
    for path in (("dangerouslyDisableSandbox",), ("sandbox", "dangerouslyDisableSandbox")):
        if at(value, path) is True:
            yield config.finding(RULE, f"{'.'.join(path)} is true", path)
    if at(value, ("sandbox", "enableWeakerNestedSandbox")) is True:
        path = ("sandbox", "enableWeakerNestedSandbox")
        yield config.finding(RULE, "sandbox.enableWeakerNestedSandbox makes the sandbox much weaker", path, severity=Level.LOW)
    for view in config.entries:
        if view.entry.extra.get("sandboxEnabled") is False and isinstance(view.entry.extra.get("sandbox"), dict):
            message = "its sandbox is described and turned off"
            yield view.finding(RULE, message, (*view.entry.path, "sandboxEnabled"), severity=Level.LOW)


RULE = Rule(
    slug="sandbox-turned-off",
    title="A client's own sandbox is turned off",
    severity=Level.MEDIUM,
    confidence=Level.HIGH,
    subject="config",
    advice="Turn it on; what needs more can be granted one by one.",
    cwe=693,
    owasp="MCP02",
    check=check,
)
