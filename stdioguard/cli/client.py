"""`stdioguard client`: who may use guarded servers: add, list, change, rotate, revoke."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shlex
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from stdioguard.cli.options import FORMAT
from stdioguard.identity import clients, register
from stdioguard.identity.clients import Client, ClientError
from stdioguard.policy import times

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


NEVER = -1
"""The time span of what has no end."""


def named(ctx: click.Context, param: click.Parameter, value: Any) -> Any:
    """Return the name of a client, or the names, or fail in words."""
    for name in value if isinstance(value, tuple) else [value]:
        if not clients.NAME.match(name):
            raise click.BadParameter(f"{name!a:.80} is no client name: letters, digits, _ . and - only, at most 64", ctx, param)
    return value


def spanned(least: int = 1, *, never: bool = False) -> Callable[[click.Context, click.Parameter, str | None], int | None]:
    """Return a callback that turns a time span into seconds, `never` into `NEVER` where it may be, and fails in words."""

    def callback(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
        if value is None or (never and value == "never"):
            return None if value is None else NEVER
        try:
            seconds = times.seconds(value[:80])
        except ValueError as error:
            raise click.BadParameter(str(error), ctx, param) from None
        if not least <= seconds <= register.MAX_SPAN:
            raise click.BadParameter(f"{value} is not between {least}s and 3650d", ctx, param)
        return seconds

    return callback


def checked(check: Callable[[list[str]], list[str]], *, split: bool) -> Callable[[click.Context, click.Parameter, Any], Any]:
    """Return a callback that turns the values of an option into a list, `None` where it was not given, and fails in words."""

    def callback(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> list[str] | None:
        try:
            return check(register.words(values) if split else list(values)) if values else None
        except ValueError as error:
            raise click.BadParameter(str(error), ctx, param) from None

    return callback


def token_path(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """Return the path of a token file, or fail where it is none."""
    if value in ("", "-"):
        raise click.BadParameter("give the path of a file, or use --stdout", ctx, param)
    return value


SCOPES = click.option(
    "--scope", "scopes", multiple=True, callback=checked(register.check_scopes, split=True), help="A scope, such as files:read."
)
ROLES = click.option(
    "--role", "roles", multiple=True, callback=checked(register.check_roles, split=True), help="A role of the server's profile."
)
SERVERS = click.option(
    "--server",
    "servers",
    multiple=True,
    callback=checked(register.check_servers, split=False),
    help="A server that it may use, by name; * is all of them.  [default: *]",
)
TOKEN_FILE = click.option("--token-file", callback=token_path, help="Where to write the secret, instead of the default place.")
STDOUT = click.option("--stdout", "to_stdout", is_flag=True, help="Print the secret, and write no token file.")


@click.group(name="client")
def group() -> None:
    """Clients: who may use guarded servers, with which scopes, until when."""


@group.command(name="add")
@click.argument("name", callback=named)
@SCOPES
@ROLES
@SERVERS
@click.option(
    "--expires", callback=spanned(never=True), default="never", show_default=True, help="How long it is good for, such as 90d."
)
@click.option("--program", help="The program that must have started the guard: beside the secret, never in its place.")
@TOKEN_FILE
@STDOUT
@FORMAT
def add(
    name: str,
    scopes: list[str] | None,
    roles: list[str] | None,
    servers: list[str] | None,
    expires: int,
    program: str | None,
    token_file: str | None,
    to_stdout: bool,
    format_: str,
) -> None:
    """Register the client NAME and hand out its secret, once."""
    if not scopes and not roles:
        raise click.UsageError(f"client {name} would be granted nothing; give it --scope or --role")
    _only_one(token_file, to_stdout)
    with problems():
        client, path = register.add(
            name,
            scopes=scopes or [],
            roles=roles or [],
            servers=servers or [],
            expires=None if expires == NEVER else expires,
            program=program,
            token_file=token_file,
            deliver=_to_stdout(format_) if to_stdout else None,
        )
    if path is not None:
        _handed_out(client, path, format_, f"client {name} added: {_granted(client)}")


@group.command(name="list")
@FORMAT
def list_(format_: str) -> None:
    """List the clients; exit 78 if the record of one is damaged."""
    now = time.time()
    rows: list[dict[str, Any]] = []
    for name in clients.names():
        try:
            client = clients.read(name)
        except ClientError as error:
            rows.append({"name": name, "state": "damaged", "problem": str(error)})
            continue
        rows.append(
            {
                **_described(client),
                "state": client.state(now),
                "created": moment(client.created),
                "revoked": moment(client.revoked),
                "program": client.program and {"path": client.program["path"], "owner": client.program["owner"]},
                "secrets": [{"id": kept["id"], "until": moment(kept["until"])} for kept in client.secrets],
            }
        )
    if format_ == "json":
        click.echo(json.dumps(rows, indent=2))
    else:
        _table(rows)
    damaged = [row["problem"] for row in rows if row["state"] == "damaged"]
    if damaged:
        raise click.ClickException(plain("; ".join(damaged)))


@group.command(name="rotate")
@click.argument("name", callback=named)
@click.option(
    "--grace", callback=spanned(0), default="24h", show_default=True, help="How long the secrets before this one stay good."
)
@TOKEN_FILE
@STDOUT
@FORMAT
def rotate(name: str, grace: int, token_file: str | None, to_stdout: bool, format_: str) -> None:
    """Give the client NAME a new secret; the old one is good for a while longer."""
    _only_one(token_file, to_stdout)
    with problems():
        client, path = register.rotate(
            name, grace=grace, token_file=token_file, deliver=_to_stdout(format_) if to_stdout else None
        )
    if path is not None:
        until = _previous_until(client)
        ends = f"the one before is good until {until}" if until else "no other one is good any more"
        _handed_out(client, path, format_, f"client {name} has a new secret; {ends}")


@group.command(name="set")
@click.argument("name", callback=named)
@SCOPES
@ROLES
@SERVERS
@click.option("--expires", callback=spanned(never=True), help="How long it is good for from now, such as 90d, or never.")
@FORMAT
def set_(
    name: str,
    scopes: list[str] | None,
    roles: list[str] | None,
    servers: list[str] | None,
    expires: int | None,
    format_: str,
) -> None:
    """Replace what the client NAME is granted, also in running sessions; what is not given stays. Its secret stays."""
    if scopes is None and roles is None and servers is None and expires is None:
        raise click.UsageError("nothing to change; give --scope, --role, --server or --expires")
    with problems():
        client = register.change(
            name,
            scopes=scopes,
            roles=roles,
            servers=servers,
            expires=None if expires == NEVER else expires,
            forever=expires == NEVER,
        )
    if format_ == "json":
        click.echo(json.dumps(_described(client), indent=2))
    else:
        click.echo(f"client {name} changed: {_granted(client)}")


@group.command(name="revoke")
@click.argument("names", callback=named, nargs=-1, required=True, metavar="NAME...")
@FORMAT
def revoke(names: tuple[str, ...], format_: str) -> None:
    """Revoke each client NAME, also in running sessions, and remove its token file."""
    rows: list[dict[str, Any]] = []
    failed: list[str] = []
    for name in dict.fromkeys(names):
        try:
            client, is_news = register.revoke(name)
        except ClientError as error:
            failed.append(str(error))
            continue
        rows.append({"name": name, "id": client.id, "revoked": moment(client.revoked), "already": not is_news})
    if format_ == "json":
        click.echo(json.dumps(rows, indent=2))
    else:
        for row in rows:
            click.echo(f"client {row['name']} {'was revoked already' if row['already'] else 'revoked'}")
    if failed:
        raise click.ClickException(plain("; ".join(failed)))


@contextlib.contextmanager
def problems() -> Iterator[None]:
    """Show what is wrong with a client as every command does: one line, exit 78."""
    try:
        yield
    except ClientError as error:
        raise click.ClickException(plain(str(error))) from None


def plain(text: str) -> str:
    """Return a text as one line that a terminal takes for nothing else."""
    return "".join(char if char.isprintable() else "?" for char in text)


def moment(seconds: float | None) -> str | None:
    """Return a time in UTC as text; one that is none, in a file that was written by hand, as `?`."""
    if seconds is None:
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return "?"


def print_secret(text: str) -> None:
    """Write a secret to stdout at once, past all buffers. Raises `OSError` where it does not get there, also into a closed pipe."""
    data = f"{text}\n".encode()
    try:
        while data:
            data = data[os.write(1, data) :]
    except OSError as error:
        # Not as a broken pipe, which elsewhere means that the reader has seen enough.
        raise OSError(errno.EIO, f"the secret cannot be written to stdout: {error.strerror}; nothing was changed") from None


def _only_one(token_file: str | None, to_stdout: bool) -> None:
    if token_file is not None and to_stdout:
        raise click.UsageError("--token-file and --stdout exclude each other")


def _to_stdout(format_: str) -> register.Deliver:
    def deliver(client: Client, credential: str) -> None:
        document = {**_handed(client), "token": credential}
        print_secret(json.dumps(document, indent=2) if format_ == "json" else credential)

    return deliver


def _handed_out(client: Client, path: str, format_: str, said: str) -> None:
    if format_ == "json":
        click.echo(json.dumps({**_handed(client), "token_file": path}, indent=2))
        return
    server = shlex.quote(client.servers[0]) if len(client.servers) == 1 else "SERVER"
    click.echo(said)
    click.echo(f"its secret is in {plain(path)}, and nowhere else")
    click.echo(
        f"in the client's configuration: stdioguard run --token-file {plain(shlex.quote(path))} --server {server} -- COMMAND"
    )


def _described(client: Client) -> dict[str, Any]:
    return {
        "name": client.name,
        "id": client.id,
        "scopes": client.scopes,
        "roles": client.roles,
        "servers": client.servers,
        "expires": moment(client.expires),
    }


def _handed(client: Client) -> dict[str, Any]:
    return {**_described(client), "secret_id": client.secrets[-1]["id"], "previous_until": _previous_until(client)}


def _previous_until(client: Client) -> str | None:
    return max((moment(kept["until"]) or "" for kept in client.secrets[:-1]), default=None)


def _granted(client: Client) -> str:
    parts = [f"scopes {', '.join(client.scopes) or 'none'}"]
    if client.roles:
        parts.append(f"roles {', '.join(client.roles)}")
    parts.append(f"servers {', '.join(client.servers) or 'all'}")
    parts.append(f"until {moment(client.expires)}" if client.expires is not None else "never expires")
    return plain("; ".join(parts))


def _table(rows: list[dict[str, Any]]) -> None:
    if not rows:
        click.echo("no client is registered; stdioguard client add --help says how one is")
        return
    lines = [["NAME", "STATE", "SCOPES", "ROLES", "SERVERS", "EXPIRES"]]
    for row in rows:
        if row["state"] == "damaged":
            lines.append([row["name"], row["state"], "?", "?", "?", "?"])
            continue
        lists = [",".join(row["scopes"]) or "-", ",".join(row["roles"]) or "-", ",".join(row["servers"]) or "*"]
        lines.append([row["name"], row["state"], *map(plain, lists), row["expires"] or "never"])
    widths = [max(len(line[column]) for line in lines) for column in range(6)]
    for line in lines:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
