"""A repository can bring servers along: whoever opens it in a client starts what its author has chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stdioguard.audit.interface import Level, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.audit.interface import ConfigView, EntryView, Finding


def check(config: ConfigView) -> Iterator[Finding]:
    """Yield one finding for a project's file; the worse where the code that is started is in the file or in the repository."""
    views = [view for view in config.entries if view.entry.kind == "stdio" and not view.entry.disabled]
    if not config.is_shared or not views:
        return
    worst = max(views, key=_severity)
    severity = _severity(worst)
    what = {Level.MEDIUM: ", with code that is in the file itself", Level.LOW: ", with code from the same repository"}.get(
        severity, ""
    )
    names = [view.entry.name for view in views]
    count = "a server" if len(views) == 1 else f"{len(views)} servers"
    yield worst.finding(
        RULE, f"who opens this folder in {config.client} starts {count}{what}", severity=severity, related=tuple(names)
    )


def _severity(view: EntryView) -> Level:
    started = view.started
    if "command line" in started.opaque:
        return Level.MEDIUM
    is_own = started.source in ("path", "project") and not started.spec.startswith(("/", "~")) and ":" not in started.spec[:3]
    return Level.LOW if is_own else Level.INFO


RULE = Rule(
    slug="project-autostart",
    title="A project starts servers when it is opened",
    severity=Level.INFO,
    confidence=Level.HIGH,
    subject="config",
    advice="Read what it starts before you let a client trust the folder.",
    cwe=829,
    owasp="MCP09",
    check=check,
)
