"""The command group, and how errors of every command are shown: one line, a distinct exit code, no traceback."""

from __future__ import annotations

import importlib
import os
import sys

import click

from stdioguard import __version__
from stdioguard.cli.options import FORMAT
from stdioguard.launch.errors import CONFIGURATION, IO_ERROR, USAGE
from stdioguard.policy import places
from stdioguard.policy.errors import ProfileError

_COMMANDS = {
    "approvals": "approvals:group",
    "audit": "audit:audit",
    "client": "client:group",
    "grants": "grants:group",
    "profile": "profile:group",
    "status": "installs:status_",
    "token": "token:group",
    "unwrap": "installs:unwrap",
    "wrap": "installs:wrap",
}
"""Modules of this folder and what in them is the command, by its name. Each is loaded when it is called: all of them take long."""


class _Commands(click.Group):
    """The commands here and those in `_COMMANDS`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all."""
        return sorted({*super().list_commands(ctx), *_COMMANDS})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, loaded now."""
        if cmd_name not in _COMMANDS:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = _COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(importlib.import_module(f"stdioguard.cli.{module}"), attribute)
        return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="stdioguard", message="%(prog)s %(version)s")
def app() -> None:
    """Guard local MCP servers: policy, consent and a record between a desktop client and a stdio server."""


@app.command(name="run", context_settings={"ignore_unknown_options": True}, add_help_option=False)
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
def run(words: tuple[str, ...]) -> None:
    """Run an MCP server behind the guard: run [OPTIONS] [--] COMMAND [ARG]..."""
    # `stdioguard run` is taken by the entry point before click is loaded; this is for the list of commands.
    from stdioguard.cli.run import main as run_main  # noqa: PLC0415

    sys.exit(run_main(list(words)))


@app.command(name="demo")
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text", help="How to print the result.")
def demo(format_: str) -> None:
    """Run a server that tries bad things, bare and guarded, and print what happened."""
    # Imports the MCP SDK, which takes longer than every other command together.
    from stdioguard.cli.demo import main as demo_main  # noqa: PLC0415

    sys.exit(demo_main(format_))


@app.command(name="doctor")
@FORMAT
def doctor(format_: str) -> None:
    """Say what this machine can enforce, and what to change."""
    from stdioguard.cli.doctor import main as doctor_main  # noqa: PLC0415 - the launch, for this command alone

    sys.exit(doctor_main(format_))


def _give_up_stdout() -> None:
    """Let the interpreter's own flush at exit go nowhere: what it could say has been said."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def main() -> int:
    """Run the command line and return the exit code."""
    try:
        code = app.main(standalone_mode=False)
        sys.stdout.flush()
    except click.UsageError as error:
        if isinstance(error, getattr(click.exceptions, "NoArgsIsHelpError", ())):
            click.echo(error.format_message(), err=True)
            return USAGE
        click.echo(f"stdioguard: {error.format_message()}; see stdioguard --help", err=True)
        return USAGE
    except click.Abort:
        return 130
    except (click.ClickException, ProfileError, places.NoHomeError) as error:
        click.echo(f"stdioguard: {error}", err=True)
        return CONFIGURATION
    except BrokenPipeError:
        _give_up_stdout()
        return 0
    except OSError as error:
        _give_up_stdout()
        click.echo(f"stdioguard: {error.strerror or error}{f': {error.filename}' if error.filename else ''}", err=True)
        return IO_ERROR
    return code if isinstance(code, int) else 0
