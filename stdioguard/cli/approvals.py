"""`stdioguard approvals`: the questions that wait for a person: list, show, approve, deny, watch, serve, and the passphrase."""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
import time
from typing import TYPE_CHECKING, Any

import click

from stdioguard.approval import cards, proof, queue, terminal
from stdioguard.cli.client import plain
from stdioguard.cli.options import FORMAT
from stdioguard.launch.errors import REFUSED
from stdioguard.policy import places, private, times

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stdioguard.approval.cards import Look
    from stdioguard.approval.queue import Waiting

MAX_SPAN = 3650 * 86400
_SCOPES = {"once": "once", "session": "for the session", "always": "always"}

LIKE = click.option(
    "--like",
    "patterns",
    multiple=True,
    metavar="ARG=PATTERN",
    help="Which later arguments count as the same: inside:/folder, equals or any.  [default: equals, for each]",
)


@click.group(name="approvals")
def group() -> None:
    """Approvals: the questions that wait for a person."""


@group.command(name="list")
@FORMAT
def list_(format_: str) -> None:
    """List the questions that wait, the oldest first."""
    queue.folder()  # says what is wrong with it, where no question can be found for that reason
    waiting = queue.waiting()
    if format_ == "json":
        click.echo(json.dumps([_document(question) for question in waiting], indent=2, default=str))
        return
    if not waiting:
        click.echo("no question waits")
        return
    look = _look()
    for question in waiting:
        click.echo("\n".join(cards.card(question, look)), color=True)
        for line in _ways(question):
            click.echo(f"  {look.paint('dim', line)}", color=True)
        click.echo()


@group.command(name="show")
@click.argument("id_", metavar="ID")
@FORMAT
def show(id_: str, format_: str) -> None:
    """Show all of the question ID: every argument in full, nothing left out."""
    with refusals():
        question = _found(id_)
    if format_ == "json":
        click.echo(json.dumps(_document(question), indent=2, default=str))
        return
    look = _look()
    if sys.stdin.isatty() and sys.stdout.isatty():
        look.colour = False
        text = "\n".join(cards.card(question, look, whole=True))
        # For less: what is not printable is shown as such (no -R), and its keys run no programs.
        os.environ |= {"LESS": "-FX", "LESSSECURE": "1"}
        click.echo_via_pager(f"{text}\n", color=False)
    else:
        click.echo("\n".join(cards.card(question, look, whole=True)))


@group.command(name="approve")
@click.argument("id_", metavar="ID")
@click.option(
    "--for", "span", metavar="session|always|SPAN", default="once", help="How long it holds, such as 90m.  [default: once]"
)
@LIKE
@click.option("--yes", is_flag=True, help="Do not ask again on a terminal. The passphrase is asked all the same.")
@FORMAT
def approve(id_: str, span: str, patterns: tuple[str, ...], yes: bool, format_: str) -> None:
    """Approve the call that the question ID is about: once, or also later ones like it.

    One of high risk asks for the passphrase, on the terminal.
    """
    scope, until = _lasts(span)
    if patterns and scope == "once":
        raise click.UsageError("--like is for an approval that lasts; add --for session, --for always or --for 90m")
    with refusals():
        question = _found(id_)
        more = terminal.lasting(question, scope, until, list(patterns))
        needs_passphrase = terminal.needs_passphrase(question)
        if sys.stdin.isatty() and sys.stdout.isatty() and not (needs_passphrase or yes or format_ == "json"):
            click.echo("\n".join([*cards.card(question, _look()), ""]), color=True)
            terminal.forget_typed(sys.stdin.fileno())
            if not click.confirm(f"approve {_how(scope, until)}?"):
                raise terminal.RefusedError("nothing was decided")
        passphrase = terminal.passphrase_for(question)
        terminal.answer(question, approved=True, more=more, passphrase=passphrase)
        if terminal.was_discarded(question):
            raise terminal.RefusedError(terminal.NOT_ACCEPTED.format(id=question.id))
    _said(question, f"approved {_how(scope, until)}", {"approved": True, "scope": "once", **more}, format_)


@group.command(name="deny")
@click.argument("id_", metavar="ID")
@click.option("--always", is_flag=True, help="Deny later calls like it too, without asking.")
@LIKE
@FORMAT
def deny(id_: str, always: bool, patterns: tuple[str, ...], format_: str) -> None:
    """Deny the call that the question ID is about."""
    if patterns and not always:
        raise click.UsageError("--like is for a denial that lasts; add --always")
    with refusals():
        question = _found(id_)
        more = terminal.lasting(question, "always" if always else "once", None, list(patterns), approved=False)
        terminal.answer(question, approved=False, more=more)
        if terminal.was_discarded(question):
            raise terminal.RefusedError(terminal.NOT_ACCEPTED.format(id=question.id))
    _said(question, "denied always" if always else "denied", {"approved": False, "scope": "once", **more}, format_)


@group.command(name="watch")
def watch() -> None:
    """Show the questions live, and decide them with a key."""
    if not (os.isatty(0) and os.isatty(1)):
        raise click.UsageError("watch needs a terminal for both its input and its output; see stdioguard approvals list")
    from stdioguard.approval import watch as live  # noqa: PLC0415 - for this command alone

    live.main()


@group.command(name="passphrase")
def passphrase() -> None:
    """Set the passphrase that approves calls of high risk, or change it. It counts for sessions that begin after that."""
    with refusals():
        before = proof.read()
        if before is None and os.path.lexists(proof.path()):
            raise click.ClickException(plain(f"{proof.path()} is no key that can be used; remove it, then set a passphrase anew"))
        with terminal.tty() as tty:
            if before is not None:
                proof.sign(tty.secret("the passphrase until now: "), before, {})
            first = tty.secret(f"new passphrase, at least {proof.SHORTEST} characters, better a few words: ")
            if len(first) < proof.SHORTEST or len(set(first)) < proof.SHORTEST // 2:
                raise terminal.RefusedError("that is too short or too simple; nothing was changed")
            if tty.secret("the same again: ") != first:
                raise terminal.RefusedError("the two are not the same; nothing was changed")
        _keep(proof.setting(first))
    click.echo(f"the passphrase is {'changed' if before else 'set'}; it counts for sessions that begin from now on")


@group.command(name="serve")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, show_default=True, help="The port on 127.0.0.1; 0 is a free one."
)
@click.option("--no-browser", is_flag=True, help="Print the link, and open no browser.")
def serve(port: int, no_browser: bool) -> None:
    """Show the questions, grants and sessions in a page of this machine's browser."""
    # Starlette and uvicorn, for this command alone.
    from stdioguard.approval.page import server  # noqa: PLC0415

    sys.exit(server.main(port=port, open_browser=not no_browser))


@contextlib.contextmanager
def refusals() -> Iterator[None]:
    """Show what cannot be decided as every command does: one line, exit 77; 64 for what could never be asked."""
    try:
        yield
    except terminal.NotPossibleError as error:
        raise click.UsageError(plain(str(error))) from None
    except (terminal.RefusedError, proof.WrongPassphraseError) as error:
        click.echo(f"stdioguard: {plain(str(error))}", err=True)
        sys.exit(REFUSED)


def _found(id_: str) -> Waiting:
    """Return the question `id_`. Raises `RefusedError`, and `OSError` where no queue can be read."""
    queue.folder()
    return terminal.find(id_)


def _lasts(span: str) -> tuple[str, float | None]:
    if span in _SCOPES:
        return span, None
    try:
        seconds = times.seconds(span[:80])
    except ValueError:
        raise click.UsageError(f"--for is session, always, or a time span such as 90m or 7d, not {span!a:.80}") from None
    if not 1 <= seconds <= MAX_SPAN:
        raise click.UsageError(f"--for {span} is not between 1s and 3650d")
    return "until", time.time() + seconds


def _how(scope: str, until: float | None) -> str:
    return _SCOPES.get(scope) or f"for {cards.span(round((until or 0) - time.time()))}"


def _keep(setting: dict[str, Any]) -> None:
    """Write the key, whole or not at all. Raises `OSError`."""
    places.private_directory(places.directory("config"))
    private.replace(proof.path(), f"{json.dumps(setting)}\n".encode())


def _look() -> Look:
    if isinstance(sys.stdout, io.TextIOWrapper):
        # What an old encoding cannot write is an escape too.
        sys.stdout.reconfigure(errors="backslashreplace")
    return terminal.look(1, sys.stdout.encoding)


def _ways(question: Waiting) -> list[str]:
    """Return the commands that decide a question."""
    asks = " (asks for your passphrase)" if terminal.needs_passphrase(question) else ""
    return [
        f"stdioguard approvals approve {question.id}{asks}",
        f"stdioguard approvals deny {question.id}",
        f"stdioguard approvals show {question.id}",
    ]


def _document(question: Waiting) -> dict[str, Any]:
    return {**question.members, "id": question.id, "left": round(question.left, 1)}


def _said(question: Waiting, said: str, decided: dict[str, Any], format_: str) -> None:
    if format_ == "json":
        click.echo(json.dumps({"id": question.id, **decided}, indent=2, default=str))
    else:
        click.echo(f"{said}: {question.id}  {cards.title(question)}")
