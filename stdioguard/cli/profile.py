"""`stdioguard profile`: what profiles there are, what one says, whether it is right."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from stdioguard.cli.options import FORMAT
from stdioguard.launch.errors import CONFIGURATION
from stdioguard.policy import load
from stdioguard.policy.check import compile_profile
from stdioguard.policy.errors import ProfileError


@click.group(name="profile")
def group() -> None:
    """Profiles: what each server is granted."""


@group.command(name="list")
@FORMAT
def list_(format_: str) -> None:
    """List the profiles that can be named, your own first."""
    rows: list[dict[str, str]] = []
    for name, path in load.names():
        try:
            description = compile_profile(load.read(path), path)["description"]
        except ProfileError as error:
            description = f"[broken] {error.problem}"
        rows.append({"name": name, "path": path, "description": description})
    if format_ == "json":
        click.echo(json.dumps(rows, indent=2))
        return
    width = max((len(row["name"]) for row in rows), default=0)
    for row in rows:
        click.echo(f"{row['name']:<{width}}  {row['description']}")


@group.command(name="show")
@click.argument("profile")
@FORMAT
def show(profile: str, format_: str) -> None:
    """Show PROFILE (a name or a file): its text, or as JSON with every default filled in."""
    path = load.find(profile)
    text = load.read(path)
    document = compile_profile(text, path)
    if format_ == "json":
        click.echo(json.dumps(document, indent=2))
    else:
        click.echo(f"# {path}\n{text}", nl=not text.endswith("\n"))


@group.command(name="check")
@click.argument("profiles", nargs=-1, required=True, metavar="PROFILE...")
@FORMAT
def check(profiles: tuple[str, ...], format_: str) -> None:
    """Check that each PROFILE (a name or a file) can be used; exit 78 if one cannot."""
    rows: list[dict[str, Any]] = []
    for reference in profiles:
        row: dict[str, Any] = {"profile": reference, "ok": True}
        try:
            path = load.find(reference)
            compile_profile(load.read(path), path)
        except ProfileError as error:
            row |= {"ok": False, "file": error.file, "line": error.line, "problem": error.problem, "text": str(error)}
        rows.append(row)
    if format_ == "json":
        click.echo(json.dumps(rows, indent=2))
    else:
        for row in rows:
            click.echo(f"{row['profile']}: ok" if row["ok"] else row["text"], err=not row["ok"])
    sys.exit(0 if all(row["ok"] for row in rows) else CONFIGURATION)


@group.command(name="schema")
def schema() -> None:
    """Print the JSON Schema of a profile, for editors and other tools."""
    from stdioguard.policy.model import json_schema  # noqa: PLC0415 - with its only use

    click.echo(json.dumps(json_schema(), indent=2))
