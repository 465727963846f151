"""`stdioguard demo`: what a bad server does bare and guarded, as a table."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import click

from stdioguard.demo import scenario
from stdioguard.policy import places

if TYPE_CHECKING:
    from pathlib import Path


def main(format_: str, profile: Path = scenario.PROFILE) -> int:
    """Run the demo and print it as `text` or `json`; 0 if both columns are as they should be, else 1.

    `profile` is the one that the guarded run uses.
    """
    try:
        report = scenario.run(profile)
    except scenario.DemoError as error:
        click.echo(f"stdioguard: demo: {error}", err=True)
        return 1
    records = os.path.join(places.directory("state"), "records")  # noqa: PTH118 - places speaks in strings
    if format_ == "json":
        rows = [{"id": row.id, "tried": row.tried, "bare": row.bare, "guarded": row.guarded, "ok": row.ok} for row in report.rows]
        record = {"decisions": report.decisions, "refusals": report.refusals}
        click.echo(json.dumps({"ok": report.ok, "rows": rows, "record": record, "profile": str(profile)}, indent=2))
    else:
        _table([("what was tried", "bare", "guarded"), *((row.tried, row.bare, row.guarded) for row in report.rows)])
        for row in report.rows:
            if not row.ok:
                click.echo(f"Not as it should be: {row.tried}: expected {row.bare_expected!r} and {row.guarded_expected!r}")
        if report.refusals < scenario.REFUSALS:
            click.echo(f"Not as it should be: the record shows {report.refusals} refusals, expected {scenario.REFUSALS} at least")
        click.echo(
            f"Record: {report.decisions} decisions, {report.refusals} of them refusals; your own sessions' are in {records}"
        )
        click.echo(
            "Next: `stdioguard profile list` shows the servers that have a profile; README.md shows the entry for a client"
        )
    return 0 if report.ok else 1


def _table(rows: list[tuple[str, str, str]]) -> None:
    """Print aligned columns, with a line below the head."""
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in [rows[0], ("-" * widths[0], "-" * widths[1], "-" * widths[2]), *rows[1:]]:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    click.echo()
