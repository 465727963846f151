"""What servers say they offer, judged: each definition by itself, names that two servers share, tools that a profile does not know.

What they say comes from `probe`; the rules for definitions are `stdioguard.definitions`, the same that the guard uses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stdioguard.audit import probe, profiles
from stdioguard.audit.engine import without_secrets
from stdioguard.audit.interface import Finding, Level
from stdioguard.audit.probed import SHARED, UNKNOWN, UNLISTED
from stdioguard.definitions.findings import Other
from stdioguard.definitions.judge import judge
from stdioguard.policy.errors import ProfileError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from stdioguard.audit.engine import Report
    from stdioguard.audit.probe import Surface


def add(report: Report, tick: Callable[[str], None] = lambda _: None) -> None:
    """Probe every server of a report, and add what is found to it. Raises `probe.ProbeRefused`."""
    views = [view for config in report.configs for view in config.entries]
    surfaces = probe.probe(views, tick)
    found = [*judged(surfaces), *shared(surfaces), *unknown(surfaces), *unlisted(surfaces)]
    report.findings += without_secrets(found, views)


def judged(surfaces: list[Surface]) -> Iterator[Finding]:
    """Yield what is wrong with single definitions. Tools of the same client's other servers are what a name can imitate."""
    for surface in surfaces:
        server = surface.view.entry.name
        others = [
            Other(other.view.entry.name, name)
            for other in surfaces
            if other.view.config.client == surface.view.config.client and _is_other(other, surface)
            for name in _names(other)
        ]
        others += [Other(server, name) for name in _names(surface)]
        kinds = (("tool", surface.tools), ("prompt", surface.prompts), ("resource", surface.resources))
        for kind, definitions in kinds:
            for definition in definitions:
                name = definition.get("name")
                yield from _judged(surface, f"its {kind} {name if isinstance(name, str) else ''}", definition, others)
        if surface.instructions:
            yield from _judged(surface, "its instructions", {"instructions": surface.instructions}, others)


def _judged(surface: Surface, what: str, definition: dict[str, Any], others: list[Other]) -> Iterator[Finding]:
    entry = surface.view.entry
    for found in judge(definition, server=entry.name, others=others):
        hidden = f"; hidden in it: {found.payload}" if found.payload else ""
        message = f"{what} {found.message}{hidden} ({found.where or '/'})"
        yield Finding(
            found.rule,
            Level[found.severity.upper()],
            Level[found.confidence.upper()],
            message,
            entry.file,
            entry.path,
            entry=entry.name,
            client=surface.view.config.client,
        )


def shared(surfaces: list[Surface]) -> Iterator[Finding]:
    """Yield a finding for each server with tools that another server of the same client has by the same name."""
    first: dict[tuple[str, str], Surface] = {}
    clashes: dict[tuple[int, int], list[str]] = {}
    places = {id(surface): surface for surface in surfaces}
    for surface in surfaces:
        for name in _names(surface):
            other = first.setdefault((surface.view.config.client, name), surface)
            if other is not surface and _is_other(other, surface):
                clashes.setdefault((id(surface), id(other)), []).append(name)
    for (one, two), names in clashes.items():
        message = f"it shares names of tools with {places[two].view.entry.name}: {_few(names)}"
        yield places[one].view.finding(SHARED, message, related=(places[two].view.entry.file,))


def unknown(surfaces: list[Surface]) -> Iterator[Finding]:
    """Yield a finding for each guarded server with tools that only the default of its profile decides about."""
    for surface in surfaces:
        guard = surface.view.guard
        if guard is None:
            continue
        try:
            policy = profiles.read(guard.profile)
        except ProfileError:
            continue  # told by broken-profile
        names = [name for name in _names(surface) if policy.rule_for(name) is policy.tools.default]
        if names and policy.tools:
            severity = Level.MEDIUM if policy.tools.default.action == "allow" else UNKNOWN.severity
            message = f"the profile {policy.name} has no rule for {_few(names)}: its default is {policy.tools.default.action}"
            yield surface.view.finding(UNKNOWN, message, severity=severity)


def unlisted(surfaces: list[Surface]) -> Iterator[Finding]:
    """Yield a finding for each server of which nothing, or not everything, is known."""
    for surface in surfaces:
        if surface.problem:
            yield surface.view.finding(UNLISTED, f"what it offers is not known: {surface.problem}")


def _is_other(one: Surface, two: Surface) -> bool:
    """Tell whether two entries are two servers, and not one server in two files."""
    return one is not two and one.view.started.identity != two.view.started.identity


def _names(surface: Surface) -> list[str]:
    return list(dict.fromkeys(tool["name"] for tool in surface.tools if isinstance(tool.get("name"), str)))


def _few(names: list[str]) -> str:
    more = f" and {len(names) - 4} more" if len(names) > 4 else ""
    return f"{', '.join(names[:4])}{more}"
