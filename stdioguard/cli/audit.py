"""`stdioguard audit`: what is wrong with the servers on this machine, or in what is given by path."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import time
from typing import TYPE_CHECKING, Any, NoReturn

import click

from stdioguard import __version__
from stdioguard.audit import baseline, engine, fixes, ignores, online, pinning, reporters, targets
from stdioguard.audit.interface import Level
from stdioguard.audit.machine import Machine
from stdioguard.audit.reporters.interface import Located, Shown, located
from stdioguard.guard.display import shortened, visible
from stdioguard.launch.errors import REFUSED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
FOUND = 1
"""Exit code where something at or above `--fail-on` was found."""
UNREADABLE = 78
"""Exit code where a file that was given could not be read, or OSV could not be asked."""
PATIENCE = 0.5
"""Seconds after which a person at a terminal is shown how far it is."""

_LEVELS = click.Choice([str(level) for level in Level])


@click.command(name="audit")
@click.argument("paths", nargs=-1, metavar="[PATH]...", type=click.Path(readable=False))
@click.option("--format", "format_", type=click.Choice(reporters.FORMATS), default="text", help="How to print the result.")
@click.option("--output", "-o", metavar="FILE", type=click.Path(readable=False), help="Write the result to FILE.")
@click.option("--level", type=_LEVELS, default="low", show_default=True, help="The least severity that is shown.")
@click.option("--confidence", type=_LEVELS, default="medium", show_default=True, help="The least confidence that is shown.")
@click.option("--fail-on", type=click.Choice([*(str(level) for level in Level), "never"]), default="medium", show_default=True,
              help="Exit with 1 where something of this severity or more is found.")  # fmt: skip
@click.option(
    "--baseline", "accepted", metavar="FILE", type=click.Path(readable=False), help="Leave out the findings that FILE accepts."
)
@click.option("--write-baseline", is_flag=True, help="Accept what is found now: write it to the file of --baseline.")
@click.option("--no-ignores", is_flag=True, help="Heed no comment and no ignore file: for what others have written.")
@click.option(
    "--probe", is_flag=True, help="Start each server in the sandbox, without network or grants, and judge what it offers."
)
@click.option("--fix", is_flag=True, help="Make the changes that settle findings: shows them, and asks.")
@click.option("--dry-run", is_flag=True, help="With --fix: only show the changes.")
@click.option("--yes", "-y", is_flag=True, help="With --fix: do not ask.")
@click.option("--online", "is_online", is_flag=True, help="Ask OSV about the versions: sends names and versions of packages.")
@click.option(
    "--osv", metavar="ADDRESS", default=online.ADDRESS, envvar="STDIOGUARD_OSV", show_default=True, help="Where --online asks."
)
def audit(
    paths: tuple[str, ...],
    format_: str,
    output: str | None,
    level: str,
    confidence: str,
    fail_on: str,
    accepted: str | None,
    *,
    write_baseline: bool,
    no_ignores: bool,
    probe: bool,
    fix: bool,
    dry_run: bool,
    yes: bool,
    is_online: bool,
    osv: str,
) -> None:
    """Look for what is wrong with MCP servers: of every client of this user, or in each PATH (a file, a project, a home).

    Nothing is started without --probe, nothing is sent without --online, and nothing is changed without --fix.
    """
    _check(accepted, write_baseline=write_baseline, fix=fix, dry_run=dry_run, yes=yes)
    began = time.time()
    try:
        known = baseline.read(accepted) if accepted is not None and not write_baseline else None
    except baseline.BaselineError as error:
        _end(str(error), UNREADABLE)
    problems: list[str] = []
    places = list(targets.of(paths, problems))
    with _progress(len(places)) as tick:
        report = engine.audit(places, Machine(is_here=not paths), tick=tick)
    report.problems = list(dict.fromkeys([*report.problems, *problems]))
    unasked = online.extend(report, osv) if is_online else ""
    if probe:
        _probe(report)
    pinning.offer(report)
    found = located(report, report.findings)
    ignored: list[Located] = []
    if not no_ignores:
        parts = ignores.apply(report, found)
        found, ignored = parts.kept, parts.ignored
    findings = [
        one
        for one in found
        if one.finding.severity >= Level[level.upper()] and one.finding.confidence >= Level[confidence.upper()]
    ]
    hidden = len(found) - len(findings)
    agreed: list[Located] = []
    notes = []
    if accepted is not None and write_baseline:
        try:
            baseline.write(accepted, findings)
        except baseline.BaselineError as error:
            _end(str(error), UNREADABLE)
        notes.append(f"{accepted} accepts these {len(findings)} findings from now on")
    elif accepted is not None and known is not None:
        findings, agreed, gone = baseline.parted(accepted, known, findings)
        if gone:
            notes.append(f"{gone} findings that {accepted} accepts are there no more; --write-baseline takes them out")
    is_terminal = sys.stdout.isatty() and output is None and not os.environ.get("NO_COLOR")
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() and output is None else 0
    shown = Shown(
        findings, report, __version__, began, is_terminal, hidden, len(agreed), len(ignored), notes, width, is_here=not paths
    )  # fmt: skip
    _print(reporters.report(format_, shown), output)
    if unasked:
        click.echo(f"stdioguard: audit: {unasked}", err=True)
    if fix:
        findings = _fix(fixes.plan(report, findings), dry_run=dry_run, yes=yes, left=findings)
    if not write_baseline and fail_on != "never" and any(one.finding.severity >= Level[fail_on.upper()] for one in findings):
        sys.exit(FOUND)
    if unasked or (report.problems and paths):
        sys.exit(UNREADABLE)


def _probe(report: engine.Report) -> None:
    from stdioguard.audit import probe, surfaces  # noqa: PLC0415 - starts servers, and is only for who asks for that

    runs = [view.entry.name for config in report.configs for view in config.entries if probe.is_for(view)]
    try:
        with _progress(len(runs)) as tick:
            surfaces.add(report, tick)
    except probe.ProbeRefused as refusal:
        _end(visible(str(refusal)), REFUSED)


def _check(accepted: str | None, *, write_baseline: bool, fix: bool, dry_run: bool, yes: bool) -> None:
    if write_baseline and accepted is None:
        raise click.UsageError("--write-baseline writes the file of --baseline: add --baseline FILE")
    if (dry_run or yes) and not fix:
        raise click.UsageError("--dry-run and --yes are about --fix: add it")
    if fix and not (dry_run or yes or (sys.stdin.isatty() and sys.stderr.isatty())):
        raise click.UsageError("--fix asks before it changes anything, and nobody is there: add --dry-run or --yes")


def _end(line: str, code: int) -> NoReturn:
    click.echo(f"stdioguard: audit: {line}", err=True)
    sys.exit(code)


@contextlib.contextmanager
def _progress(length: int) -> Iterator[Callable[[str], None]]:
    """Show a person at a terminal how far it is, where it takes long."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    began = time.monotonic()
    with contextlib.ExitStack() as stack:
        bar = None
        count = 0

        def tick(path: str) -> None:
            nonlocal bar, count
            count += 1
            if bar is None and time.monotonic() - began > PATIENCE:
                shape: Any = click.progressbar(length=length, label="reading", file=sys.stderr, item_show_func=_short)
                bar = stack.enter_context(shape)
                bar.update(count - 1, path)
            if bar is not None:
                bar.update(1, path)

        yield tick


def _short(path: str | None) -> str:
    return shortened(path or "", 50)


def _print(text: str, output: str | None) -> None:
    if output is None:
        click.echo(text.rstrip("\n"))
        return
    try:
        with open(output, "w", encoding="utf-8") as file:
            file.write(text.rstrip("\n") + "\n")
    except OSError as error:
        _end(f"{visible(output)}: cannot be written: {error.strerror}", UNREADABLE)


def _fix(steps: list[fixes.Step], *, dry_run: bool, yes: bool, left: list[Located]) -> list[Located]:
    """Show the changes, ask, and make them. Return the findings that are left. All of it goes to stderr: stdout is the result's."""
    ready = [step for step in steps if not step.problem]
    for step in ready:
        click.echo(f"{visible(step.target)}: {visible(step.title)}", err=True)
        click.echo(step.diff, nl=False, err=True)
    if ready and not dry_run and (yes or click.confirm(f"make {len(ready)} change{'s' * (len(ready) != 1)}?", err=True)):
        fixes.carry_out(steps)
        done = [step for step in ready if not step.problem]
        settled = {id(one) for step in done for one in step.settles}
        count = len(settled)
        click.echo(f"{len(done)} change{'s' * (len(done) != 1)} made, {count} finding{'s' * (count != 1)} settled", err=True)
        left = [one for one in left if id(one) not in settled]
    elif not ready:
        click.echo("there is nothing that --fix can settle", err=True)
    for step in steps:
        if step.problem:
            click.echo(f"stdioguard: audit: not changed: {step.problem}", err=True)
    return left
