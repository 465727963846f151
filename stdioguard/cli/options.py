"""Options that several commands have."""

from __future__ import annotations

import click

FORMAT = click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text", help="How to print the result.")
