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

from stdioguard.cli import everyone
from stdioguard.cli.client import plain
from stdioguard.cli.options import FORMAT
from stdioguard.identity.clients import ClientError
from stdioguard.identity.secrets import SecretError
from stdioguard.installs import find, naming, shim, status
from stdioguard.installs import plan as plans
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
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from stdioguard.installs.entries import Entry

    _Act = Callable[..., Any]
    """Wraps or unwraps one file: takes the place, which entries are wanted, `dry` and `named`; returns a plan."""

_DONE = {plans.WRAPPED, plans.RENEWED, unwrapping.RESTORED, unwrapping.UNWRAPPED, unwrapping.GONE}
"""Outcomes with which something has changed."""
ASKS_AGAIN = ("Claude Code", "Cursor", "Qwen Code", "VS Code")
"""Clients that ask before they trust an entry that has changed."""
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
        click.option(
            "--all-users", is_flag=True, help="For root: everything of every person on this machine, each as that person."
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

    Without arguments, every server of every client of yours is shown, and you are asked. CLIENT is one client, such as cursor or
    claude-desktop; FILE is one configuration file.

    \b
    stdioguard wrap                       everything, after a question
    stdioguard wrap cursor --server git   one entry of one client
    stdioguard wrap .mcp.json --dry-run   only show what would change in a file
    stdioguard wrap --all --yes           everything, in a script

    Only the command of an entry changes. stdioguard unwrap puts it back, to the byte.
    """  # noqa: D301 - the mark that keeps click from filling the lines
    if profile is not None:
        profile = _profile(profile)
    chosen = _Choice(**choice)
    options = plans.Options(shim.path(), profile, keep_secrets, not no_client)

    def act(place: find.Found, wanted: Callable[[Entry], bool], *, dry: bool, named: bool) -> Any:
        options.trusted = named
        return wrapping.wrap(place, wanted, options, dry=dry)

    words = [*(["--profile", profile] if profile else []), *["--keep-secrets"] * keep_secrets, *["--no-client"] * no_client]
    chosen.run(act, "wrap", words)


@click.command(name="unwrap")
@_choice
@click.option("--keep-secrets", is_flag=True, help="Leave references where secrets were.")
def unwrap(*, keep_secrets: bool, **choice: Any) -> None:
    """Put the entries of MCP servers back as they were before `stdioguard wrap`.

    Arguments are as for stdioguard wrap. Where a client or you have changed an entry since, only what is stdioguard's own is taken out.
    """

    def act(place: find.Found, wanted: Callable[[Entry], bool], *, dry: bool, named: bool) -> Any:
        return unwrapping.unwrap(place, wanted, keep_secrets=keep_secrets, named=named, dry=dry)

    _Choice(**choice).run(act, "unwrap", ["--keep-secrets"] * keep_secrets)


@click.command(name="status")
@click.argument("clients", nargs=-1, metavar="[CLIENT|FILE]...")
@click.option("--projects", "folders", multiple=True, metavar="DIR", help="Also files of projects below DIR; may be repeated.")
@click.option("--all-users", is_flag=True, help="For root: of every person on this machine.")
@FORMAT
def status_(clients: tuple[str, ...], folders: tuple[str, ...], format_: str, *, all_users: bool) -> None:
    """Show each MCP server of each client: guarded or not, with which profile, and what has changed since."""
    if all_users:
        if clients or folders:
            raise click.UsageError("--all-users takes no client, file or folder")
        sys.exit(everyone.run(["status"], format_))
    rows = status.of(_places(clients, folders))
    if format_ == "json":
        click.echo(json.dumps([asdict(row) for row in rows], indent=2))
        return
    if not rows:
        click.echo("no client with MCP servers was found; stdioguard status FILE looks at one file")
        return
    table = [["CLIENT", "SERVER", "STATE", "PROFILE", "LAST SESSION", "STARTS"]]
    for row in rows:
        last = time.strftime("%Y-%m-%d %H:%M", time.localtime(row.last_session)) if row.last_session else "-"
        state = f"{row.state}, off" if row.disabled else row.state
        table.append([row.client, row.name or _short(row.file), state, row.profile or "-", last, row.started or "-"])
    _print(table)
    _print_notes((note, f"{row.client} {row.name or _short(row.file)}") for row in rows for note in row.findings)
    count = sum(row.state == status.UNGUARDED and not row.disabled for row in rows)
    if count:
        click.echo(f"\n{count} unguarded: run stdioguard wrap")


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
        all_users: bool,
        dry_run: bool,
        yes: bool,
    ) -> None:
        self.servers = set(servers)
        self.is_named = bool(clients or more or servers or folders or everything)
        self.all_users = all_users
        self.dry_run = dry_run
        self.yes = yes
        self.format = format_
        self.places = [] if all_users else list(_places([*clients, *more], folders))
        if all_users and (clients or more or servers or folders):
            raise click.UsageError("--all-users takes no client, file, folder or server")
        self.rows: list[plans.Row] = []
        self.diffs: list[str] = []
        self.errors: list[str] = []
        self._asks = False
        """Whether a person is shown what would be done, and asked."""
        self._shown: set[tuple[str, tuple[str | int, ...]]] | None = None
        """The entries that a person has seen and agreed to; `None` where nobody was asked."""

    def run(self, act: _Act, verb: str, words: list[str]) -> None:
        """Show what would be done, ask, and do it; or only the part that was asked for. `words` are the command's own options."""
        self._asks = asks = not self.yes and not self.dry_run and sys.stdin.isatty() and self.format == "text"
        if self.all_users:
            self._everyone([verb, "--all", *words], asks=asks)
        if not self.is_named and not self.dry_run and not asks and not self.yes:
            raise click.UsageError(
                f"nothing was chosen: name a client, --server NAME or --all (or --dry-run to see what {verb} would do)"
            )
        if asks or self.dry_run:
            self._each(act, dry=True)
            count = sum(row.outcome in _DONE for row in self.rows)
            if self.dry_run or not count:
                self._finish(verb, dry=True)
            self._table(dry=True)
            click.echo()
            click.confirm(f"{verb} {count} server{'s' * (count != 1)}?", abort=True)
            self.rows, self.diffs, self.errors = [], [], []
        self._each(act, dry=False)
        self._finish(verb, dry=False)

    def _everyone(self, words: list[str], *, asks: bool) -> None:
        """Do it for every person of this machine."""
        if asks:
            everyone.run([*words, "--dry-run"], "text")
            click.confirm("\nall of these?", abort=True)
        sys.exit(everyone.run([*words, "--dry-run" if self.dry_run else "--yes"], self.format))

    def _each(self, act: _Act, *, dry: bool) -> None:
        shown: set[tuple[str, tuple[str | int, ...]]] = set()

        def wanted(entry: Entry) -> bool:
            shown.add((entry.file, entry.path))
            is_agreed = dry or self._shown is None or (entry.file, entry.path) in self._shown
            return is_agreed and (not self.servers or entry.name in self.servers)

        for place in self.places:
            try:
                everyone.check_own(place.path)
                plan = act(place, wanted, dry=dry, named=bool(self.servers) or self._asks)
            except OSError as error:
                self.errors.append(f"{place.path}: {error.strerror or error}{f': {error.filename}' if error.filename else ''}")
                continue
            except (FileProblem, JournalError, ClientError, SecretError, FormatError, ProfileError) as error:
                self.errors.append(str(error))
                continue
            if plan.listing.problem:
                self.errors.append(plan.listing.problem)
            self.rows += plan.rows
            if self.dry_run and plan.after is not None:
                before, after = plan.masked()
                self.diffs.append(_diff(place.path, before, after))
        if dry:
            self._shown = shown
        unknown = ", ".join(sorted(self.servers - {row.name for row in self.rows}))
        if unknown and not self.errors:
            self.errors.append(f"no entry {unknown} was found; stdioguard status lists what there is")

    def _finish(self, verb: str, *, dry: bool) -> None:
        if self.format == "json":
            document = {"entries": [asdict(row) for row in self.rows], "problems": self.errors, "diff": "".join(self.diffs)}
            click.echo(json.dumps(document, indent=2))
        else:
            click.echo("".join(self.diffs), nl=False)
            self._table(dry=dry)
            if not dry:
                self._next(verb)
        for error in self.errors:
            click.echo(f"stdioguard: {verb}: {plain(error)}", err=True)
        failed = any(row.outcome == plans.FAILED for row in self.rows)
        sys.exit(CONFIGURATION if self.errors else NOT_ALL if failed else 0)

    def _table(self, *, dry: bool) -> None:
        if not self.rows:
            click.echo("no entry to change was found")
            return
        if self.diffs:
            click.echo()
        table = [["CLIENT", "SERVER", "WOULD BE" if dry else "IS NOW", "PROFILE", "SECRETS MOVED", "FILE"]]
        table += [
            [row.client, row.name, row.outcome, row.profile or "-", str(len(row.secrets) or "-"), _short(row.file)]
            for row in self.rows
        ]
        if not any(row.secrets for row in self.rows):
            table = [[*row[:4], row[5]] for row in table]
        _print(table)
        _print_notes((note, f"{row.client} {row.name}") for row in self.rows for note in row.notes)
        if any(row.profile == "default" and row.outcome == plans.WRAPPED for row in self.rows):
            click.echo(
                "  The profile default grants no files and no network, and a person is asked about every call: start with it, then "
                "write a\n  profile (docs/quickstart.md) and give it with --profile."
            )

    def _next(self, verb: str) -> None:
        clients = sorted({row.client for row in self.rows if row.outcome in _DONE and row.outcome != unwrapping.GONE})
        if not clients:
            return
        click.echo(f"\nNow restart {', '.join(map(plain, clients))}, or let it load its servers again.")
        if verb == "wrap":
            asking = [name for name in clients if name in ASKS_AGAIN]
            if asking:
                click.echo(f"{', '.join(asking)} will ask once whether to trust what has changed.")
            click.echo("stdioguard status shows what is guarded; stdioguard unwrap puts everything back.")


def _places(names: Sequence[str], folders: Sequence[str]) -> Iterator[find.Found]:
    """Yield the configuration files that are chosen: of clients by name, given by path, below folders; without any, all of this user."""
    known = {naming.client_name(config.client): config.client for config in CLIENT_CONFIGS}
    wanted, files = set(), []
    for name in names:
        if os.sep not in name and naming.client_name(name) in known:
            wanted.add(known[naming.client_name(name)])
        elif os.path.lexists(name) or os.sep in name:
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
        below = find.projects(folder)
        if below.problem:
            click.echo(f"stdioguard: {plain(below.problem)}", err=True)
        yield from below.files


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


def _print_notes(notes: Iterable[tuple[str, str]]) -> None:
    """Print each note once, with the entries that it is about."""
    about: dict[str, list[str]] = {}
    for note, entry in notes:
        about.setdefault(note, []).append(entry)
    if about:
        click.echo()
    for note, entries in about.items():
        click.echo(f"  {plain(', '.join(entries))}: {plain(note)}")


def _short(path: str) -> str:
    """Return a path as people write it."""
    home = os.path.expanduser("~")
    return f"~{path[len(home) :]}" if len(home) > 1 and path.startswith(f"{home}/") else path
