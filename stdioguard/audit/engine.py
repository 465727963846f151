"""Run every rule over every subject, and put what they find in order. One that fails is a finding of its own, never the audit's end."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from stdioguard.audit import secrets
from stdioguard.audit.interface import ConfigView, EntryView, Finding, Level
from stdioguard.audit.rules import RULES
from stdioguard.installs import find, plaintext

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from stdioguard.audit.interface import Rule
    from stdioguard.audit.machine import Machine
    from stdioguard.audit.running import Running
    from stdioguard.installs.find import Found, Listing

HIDDEN = "[secret]"
"""What stands in the place of a secret in any text that is shown."""
MIN_SECRET = 4
"""Characters. A shorter one would take pieces out of every other word."""


@dataclass
class Report:
    """What an audit has found."""

    findings: list[Finding] = field(default_factory=list)
    configs: list[ConfigView] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    """Files that could not be read, in one line each."""
    machine: Machine | None = None
    """What rules about the machine as a whole ask."""

    @functools.cached_property
    def running(self) -> list[Running]:
        """The servers that are running on this machine."""
        from stdioguard.audit import running  # noqa: PLC0415 - which needs this module

        return running.servers(self)

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
    seen: set[str] = set()
    for place in places:
        tick(place.path)
        config = ConfigView(find.read_entries(place), machine)
        config.entries = [EntryView(entry, config) for entry in config.listing.entries]
        report.configs.append(config)
        if config.listing.problem:
            report.problems.append(config.listing.problem)
        # A file that two clients read is two listings; what is wrong with it as a whole is told once.
        is_new = config.file not in seen or bool(config.entries)
        seen.add(config.file)
        of_file = [one for rule in by_subject["config"] if is_new for one in _checked(rule, config, config)]
        report.findings += without_secrets(of_file, config.entries) if of_file else []
        for view in config.entries:
            of_entry = [one for rule in by_subject["entry"] for one in _checked(rule, view, config)]
            report.findings += without_secrets(of_entry, [view]) if of_entry else []
    for rule in by_subject["machine"]:
        report.findings += _checked(rule, report, None)
    report.findings = ordered(report.findings)
    return report


def ordered(findings: Iterable[Finding]) -> list[Finding]:
    """Return findings by file, the worst first, each once."""
    return sorted({_order(one): one for one in findings}.values(), key=_order)


def without_secrets(findings: list[Finding], views: list[EntryView]) -> list[Finding]:
    """Return findings whose texts hold no secret of these servers: rules are careful, and a report goes to others."""
    hidden = {text for view in views for text in secrets_of(view) if len(text) >= MIN_SECRET}
    if not hidden:
        return findings
    pattern = re.compile("|".join(map(re.escape, sorted(hidden, key=len, reverse=True))))
    return [
        replace(
            one,
            message=pattern.sub(HIDDEN, one.message),
            advice=pattern.sub(HIDDEN, one.advice),
            related=tuple(pattern.sub(HIDDEN, text) for text in one.related),
        )
        for one in findings
    ]


def secrets_of(view: EntryView) -> Iterator[str]:
    """Yield the secrets that a server's entry holds in plain text."""
    for found in secrets.found_in(view):
        yield plaintext.text_of(view.entry, found)[slice(*found.span)]


def _checked(rule: Rule, subject: object, config: ConfigView | None) -> list[Finding]:
    try:
        return list(rule.check(subject))
    except Exception as fault:  # noqa: BLE001 - one rule's mistake must not hide what the others find
        message = f"the rule {rule.slug} failed on this ({type(fault).__name__}); please report it"
        file, client = (config.file, config.client) if config is not None else ("", "")
        return [Finding("rule-failed", Level.INFO, Level.HIGH, message, file, client=client)]


def _order(finding: Finding) -> tuple[object, ...]:
    where = (tuple(map(str, finding.path)), finding.span or (), finding.on_key)
    return (finding.file, -finding.severity, finding.entry, finding.rule, *where, finding.message, finding.client)
