"""`stdioguard doctor`: what this machine can enforce, and what to change."""

from __future__ import annotations

import json
import os

import click

from stdioguard.launch import doctor
from stdioguard.launch.errors import REFUSED


def main(format_: str) -> int:
    """Print the table and return the exit code: 77 where `run` would refuse to start."""
    found = doctor.examine()
    if format_ == "json":
        click.echo(
            json.dumps(
                {
                    "machine": found.facts,
                    "configuration": found.configuration,
                    "guarantees": {name: {"state": state, "how": how} for name, (state, how) in found.states.items()},
                    "refusal": found.refusal,
                    "advice": found.advice,
                },
                indent=2,
            )
        )
    else:
        _print(found)
    return REFUSED if found.refusal is not None else 0


def _print(found: doctor.Findings) -> None:
    for name, value in found.facts.items():
        click.echo(f"{name:<12} {value}")
    click.echo(f"{'sandbox':<12} {found.configuration}")
    click.echo("")
    if found.refusal is not None:
        click.echo(f"run would refuse to start: {found.refusal}")
    for name, (state, how) in found.states.items():
        click.echo(f"{name:<12} {state:<9} {how}")
    for line in found.advice:
        click.echo(f"{os.linesep}to change: {line}" if line == found.advice[0] else f"           {line}")
