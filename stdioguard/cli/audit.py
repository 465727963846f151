"""`stdioguard audit`: what is wrong with the servers on this machine, or in what is given by path."""

from __future__ import annotations

import sys
import time

import click

from stdioguard import __version__
from stdioguard.audit import engine, targets
from stdioguard.audit.interface import Level
from stdioguard.audit.machine import Machine
from stdioguard.audit.reporters import REPORTERS
from stdioguard.audit.reporters.interface import Shown, located

FOUND = 1
"""Exit code where something at or above `--fail-on` was found."""
UNREADABLE = 78
"""Exit code where a file that was given could not be read."""

_LEVELS = click.Choice([str(level) for level in Level])


@click.command(name="audit")
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@click.option("--format", "format_", type=click.Choice(list(REPORTERS)), default="text", help="How to print the result.")
@click.option("--level", type=_LEVELS, default="low", show_default=True, help="The least severity that is shown.")
@click.option("--confidence", type=_LEVELS, default="medium", show_default=True, help="The least confidence that is shown.")
@click.option("--fail-on", type=click.Choice([*(str(level) for level in Level), "never"]), default="medium", show_default=True,
              help="Exit with 1 where something of this severity or more is found.")  # fmt: skip
def audit(paths: tuple[str, ...], format_: str, level: str, confidence: str, fail_on: str) -> None:
    """Look for what is wrong with MCP servers: of every client of this user, or in each PATH (a file, a project, a home).

    Nothing is started and nothing is sent.
    """
    began = time.time()
    report = engine.audit(targets.of(paths), Machine(is_here=not paths))
    least = Level[level.upper()], Level[confidence.upper()]
    findings = [one for one in report.findings if one.severity >= least[0] and one.confidence >= least[1]]
    shown = Shown(
        located(report, findings), report, __version__, began, sys.stdout.isatty(), hidden=len(report.findings) - len(findings)
    )
    click.echo(REPORTERS[format_](shown))
    if fail_on != "never" and any(one.severity >= Level[fail_on.upper()] for one in findings):
        sys.exit(FOUND)
    if report.problems and paths:
        sys.exit(UNREADABLE)
