"""Run every rule over every subject, and put what they find in order. One that fails is a finding of its own, never the audit's end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from stdioguard.audit.interface import ConfigView, EntryView, Finding, Level
from stdioguard.audit.rules import RULES
from stdioguard.installs import find

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from stdioguard.audit.interface import Rule
    from stdioguard.audit.machine import Machine
    from stdioguard.installs.find import Found, Listing


@dataclass
class Report:
    """What an audit has found."""

    findings: list[Finding] = field(default_factory=list)
    configs: list[ConfigView] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    """Files that could not be read, in one line each."""
    machine: Machine | None = None
    """What rules about the machine as a whole ask."""

    def listing(self, file: str) -> Listing | None:
        """Return what was read of a file."""
        return next((config.listing for config in self.configs if config.file == file), None)


def audit(
    places: Iterable[Found],
    machine: Machine,
    *,
    rules: Iterable[Rule] = RULES,
    tick: Callable[[str], None] = lambda _: None,
) -> Report:
    """Return what the rules find in these files. `tick` is called with each file's path before it is looked at."""
    report = Report(machine=machine)
    chosen = list(rules)
    by_subject = {name: [rule for rule in chosen if rule.subject == name] for name in ("entry", "config", "machine")}
    for place in places:
        tick(place.path)
        config = ConfigView(find.read_entries(place), machine)
        config.entries = [EntryView(entry, config) for entry in config.listing.entries]
        report.configs.append(config)
        if config.listing.problem:
            report.problems.append(config.listing.problem)
        for rule in by_subject["config"]:
            report.findings += _checked(rule, config, config)
        for view in config.entries:
            for rule in by_subject["entry"]:
                report.findings += _checked(rule, view, config)
    for rule in by_subject["machine"]:
        report.findings += _checked(rule, report, None)
    report.findings = sorted(set(report.findings), key=_order)
    return report


def _checked(rule: Rule, subject: object, config: ConfigView | None) -> list[Finding]:
    try:
        return list(rule.check(subject))
    except Exception as fault:  # noqa: BLE001 - one rule's mistake must not hide what the others find
        message = f"the rule {rule.slug} failed on this ({type(fault).__name__}); please report it"
        file, client = (config.file, config.client) if config is not None else ("", "")
        return [Finding("rule-failed", Level.INFO, Level.HIGH, message, file, client=client)]


def _order(finding: Finding) -> tuple[object, ...]:
    return (finding.file, -finding.severity, finding.entry, finding.rule, tuple(map(str, finding.path)), finding.message)
