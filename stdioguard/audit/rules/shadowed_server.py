"""Of two servers with one name a client starts one: a project's entry can take the place of a person's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stdioguard.audit.interface import Level, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.audit.engine import Report
    from stdioguard.audit.interface import EntryView, Finding


def check(report: Report) -> Iterator[Finding]:
    """Yield a finding for each entry of a project that has the name of one of the user's in the same client and starts something else."""
    own: dict[tuple[str, str], list[EntryView]] = {}
    views = [view for config in report.configs for view in config.entries if view.entry.kind != "broken"]
    for view in views:
        if view.entry.level in ("user", "managed") and not view.entry.project:
            own.setdefault((view.config.client, view.entry.name), []).append(view)
    for view in views:
        if view.entry.level != "project" and not view.entry.project:
            continue
        for other in own.get((view.config.client, view.entry.name), []):
            if _what(view) != _what(other) and _may_meet(view, other):
                message = f"it takes the place of your own server {view.entry.name} in this project, and starts something else"
                yield view.finding(RULE, message, related=(other.entry.file,))
                break


def _what(view: EntryView) -> str:
    return view.entry.url or view.started.identity


def _may_meet(view: EntryView, other: EntryView) -> bool:
    """Tell whether one person's client reads both files."""
    one, two = view.config.user, other.config.user
    return one is None or two is None or one == two


RULE = Rule(
    slug="shadowed-server",
    title="A project's server takes the place of the user's own",
    severity=Level.MEDIUM,
    confidence=Level.MEDIUM,
    subject="machine",
    advice="Give one of the two another name, so that both are seen.",
    cwe=694,
    owasp="MCP09",
    check=check,
)
