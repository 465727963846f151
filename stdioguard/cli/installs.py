"""`stdioguard wrap`, `unwrap`, `status`: what a person chooses, and what was done, in tables."""

from __future__ import annotations

import difflib
import json
import os
import sys
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from stdioguard.cli.client import plain
from stdioguard.cli.profile import FORMAT
from stdioguard.identity.clients import ClientError
from stdioguard.identity.secrets import SecretError
from stdioguard.installs import find, naming, shim, status
from stdioguard.installs import unwrap as unwrapping
from stdioguard.installs import wrap as wrapping
from stdioguard.installs.files import FileProblem
from stdioguard.installs.formats.document import FormatError
from stdioguard.installs.journal import JournalError
from stdioguard.launch.errors import CONFIGURATION
from stdioguard.policy import load
from stdioguard.policy.errors import ProfileError
from stdioguard.sandbox.clients import CLIENT_CONFIGS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from stdioguard.installs.entries import Entry

NOT_ALL = 1
"""Exit code where some of the chosen entries could not be changed."""


def _choice(command: Callable[..., None]) -> Callable[..., None]:
    """Add what `wrap` and `unwrap` have in common."""
    for option in (
        FORMAT,
        click.option("--dry-run", is_flag=True, help="Change nothing; print what would change."),
        click.option("--yes", "-y", is_flag=True, help="Do not ask."),
        click.option(
            "--projects", "folders", multiple=True, metavar="DIR", help="Also files of projects below DIR; may be repeated."
        ),
        click.option("--all", "everything", is_flag=True, help="Every server of every client."),
        click.option("--server", "servers", multiple=True, metavar="NAME", help="Only the entry NAME; may be repeated."),
        click.option("--client", "more", multiple=True, metavar="CLIENT", help="The same as CLIENT; may be repeated."),
        click.argument("clients", nargs=-1, metavar="[CLIENT|FILE]..."),
    ):
        command = option(command)
    return command


@click.command(name="wrap")
@_choice
@click.option("--profile", metavar="NAME|FILE", help="The profile for all of them, instead of one by package.")
@click.option("--keep-secrets", is_flag=True, help="Leave literal secrets in the file.")
@click.option("--no-client", is_flag=True, help="Register no client: whoever starts the entry is let in.")
def wrap(profile: str | None, *, keep_secrets: bool, no_client: bool, **choice: Any) -> None:
    """Put stdioguard in front of MCP servers.

    CLIENT is a client by name, such as cursor or claude-desktop, FILE a configuration file. Without any, every server of every client of
    this user is shown, and you are asked.
    """
    if profile is not None:
        profile = _profile(profile)
    chosen = _Choice(**choice)
    options = wrapping.Options(shim.path() if chosen.dry_run else shim.install(), profile, keep_secrets, not no_client)
    chosen.run(lambda place, wanted, dry: wrapping.wrap(place, wanted, options, dry=dry), wrapping.WRAPPED, "wrap")


@click.command(name="unwrap")
@_choice
@click.option("--keep-secrets", is_flag=True, help="Leave references where secrets were.")
def unwrap(*, keep_secrets: bool, **choice: Any) -> None:
    """Put the entries of MCP servers back as they were before `wrap`."""
    done = lambda place, wanted, dry: unwrapping.unwrap(place, wanted, keep_secrets=keep_secrets, dry=dry)  # noqa: E731
    _Choice(**choice).run(done, unwrapping.RESTORED, "unwrap")


@click.command(name="status")
@click.argument("clients", nargs=-1, metavar="[CLIENT|FILE]...")
@click.option("--projects", "folders", multiple=True, metavar="DIR", help="Also files of projects below DIR; may be repeated.")
@FORMAT
def status_(clients: tuple[str, ...], folders: tuple[str, ...], format_: str) -> None:
    """Show each MCP server of each client: guarded or not, with which profile, and what has changed since."""
    rows = status.of(_places(clients, folders))
    if format_ == "json":
        click.echo(json.dumps([asdict(row) for row in rows], indent=2))
        return
    if not rows:
        click.echo("no client with MCP servers was found; stdioguard status FILE looks at one file")
        return
    table = [["CLIENT", "SERVER", "STATE", "PROFILE", "STARTS", "LAST SESSION"]]
    for row in rows:
        last = time.strftime("%Y-%m-%d %H:%M", time.localtime(row.last_session)) if row.last_session else "-"
        state = f"{row.state}, off" if row.disabled else row.state
        table.append([row.client, row.name or os.path.basename(row.file), state, row.profile or "-", row.started or "-", last])
    _print(table)
    notes = [(row, finding) for row in rows for finding in row.findings]
    for row, finding in notes:
        click.echo(f"{plain(row.client)}, {plain(row.name or row.file)}: {plain(finding)}")


class _Choice:
    """What a person has chosen on the command line of `wrap` or `unwrap`."""

    def __init__(
        self,
        clients: Sequence[str],
        more: Sequence[str],
        servers: Sequence[str],
        folders: Sequence[str],
        format_: str,
        *,
        everything: bool,
        dry_run: bool,
        yes: bool,
    ) -> None:
        self.places = list(_places([*clients, *more], folders))
        self.servers = set(servers)
        self.is_named = bool(clients or more or servers or folders or everything)
        self.dry_run = dry_run
        self.yes = yes
        self.format = format_
        self.rows: list[wrapping.Row] = []
        self.diffs: list[str] = []
        self.has_failed = False
        self.errors: list[str] = []

    def run(self, act: Callable[[find.Found, Callable[[Entry], bool], bool], Any], done: str, verb: str) -> None:
        """Show what would be done, ask, and do it; or only the part that was asked for."""
        asks = not self.yes and not self.dry_run and sys.stdin.isatty() and self.format == "text"
        if not self.is_named and not self.dry_run and not asks and not self.yes:
            raise click.UsageError(
                f"nothing was chosen: name a client, --server NAME or --all (or --dry-run to see what {verb} would do)"
            )
        if asks or self.dry_run:
            self._each(act, dry=True)
            if self.servers - {row.name for row in self.rows}:
                self._unknown()
            if self.dry_run or not any(row.outcome in {done, unwrapping.UNWRAPPED} for row in self.rows):
                self._finish(verb)
            self._table()
            count = sum(row.outcome in {done, unwrapping.UNWRAPPED} for row in self.rows)
            click.confirm(f"{verb} {count} server{'s' * (count != 1)}?", abort=True)
            self.rows, self.diffs, self.errors = [], [], []
        self._each(act, dry=False)
        if self.servers - {row.name for row in self.rows}:
            self._unknown()
        self._finish(verb)

    def _each(self, act: Callable[[find.Found, Callable[[Entry], bool], bool], Any], *, dry: bool) -> None:
        for place in self.places:
            try:
                plan = act(place, lambda entry: not self.servers or entry.name in self.servers, dry)
            except (FileProblem, JournalError, ClientError, SecretError, FormatError, ProfileError, OSError) as error:
                self.errors.append(str(error))
                continue
            if plan.listing.problem:
                self.errors.append(plan.listing.problem)
            self.rows += plan.rows
            if self.dry_run and plan.after is not None:
                before, after = plan.masked()
                self.diffs.append(_diff(place.path, before, after))

    def _unknown(self) -> None:
        unknown = ", ".join(sorted(self.servers - {row.name for row in self.rows}))
        self.errors.append(f"no entry {unknown} was found; stdioguard status lists what there is")

    def _finish(self, verb: str) -> None:
        if self.format == "json":
            document = {"entries": [asdict(row) for row in self.rows], "problems": self.errors, "diff": "".join(self.diffs)}
            click.echo(json.dumps(document, indent=2))
        else:
            click.echo("".join(self.diffs), nl=False)
            self._table()
        for error in self.errors:
            click.echo(f"stdioguard: {verb}: {plain(error)}", err=True)
        failed = any(row.outcome == wrapping.FAILED for row in self.rows)
        sys.exit(CONFIGURATION if self.errors else NOT_ALL if failed else 0)

    def _table(self) -> None:
        if not self.rows:
            click.echo("no entry to change was found")
            return
        table = [["CLIENT", "SERVER", "OUTCOME", "PROFILE", "SECRETS", "NOTE"]]
        table += [
            [row.client, row.name, row.outcome, row.profile or "-", str(len(row.secrets) or "-"), row.why] for row in self.rows
        ]
        _print(table)


def _places(names: Sequence[str], folders: Sequence[str]) -> Iterator[find.Found]:
    """Yield the configuration files that are chosen: of clients by name, given by path, below folders; without any, all of this user."""
    known = {naming.client_name(config.client): config.client for config in CLIENT_CONFIGS}
    wanted, files = set(), []
    for name in names:
        if naming.client_name(name) in known and not os.path.exists(name):
            wanted.add(known[naming.client_name(name)])
        elif os.path.exists(name) or os.sep in name:
            files.append(name)
        else:
            raise click.UsageError(f"{name!a:.80} is no client and no file; clients are {', '.join(sorted(known))}")
    if wanted or not (files or folders):
        for place in find.config_files(find.homes()[0]):
            if not wanted or place.client in wanted:
                yield place
    for file in files:
        yield find.given(file)
    for folder in folders:
        yield from find.projects(folder).files


def _profile(reference: str) -> str:
    """Return a profile's name, or its absolute path: a client starts the entry in a folder of its own. Raises `ProfileError`."""
    found = load.find(reference)
    load.load(reference)
    return os.path.abspath(found) if os.sep in reference or reference.endswith(".toml") else reference


def _diff(path: str, before: str, after: str) -> str:
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), path, path, lineterm="")
    return "".join(f"{plain(line)}\n" for line in lines)


def _print(table: list[list[str]]) -> None:
    """Print rows in columns; the last column is as long as it is."""
    table = [[plain(cell) for cell in row] for row in table]
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]) - 1)]
    for row in table:
        click.echo("  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]).rstrip())
