"""`--all-users`: root does for every person of this machine what that person could, as that person.

What root itself set up in somebody's files, that person's clients could not start: programs, tokens and secrets are their user's alone.
And nothing that a person has put in the way, a link or a variable, is followed with more rights than the person has.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import click

from stdioguard.cli.client import plain
from stdioguard.installs import find
from stdioguard.installs.files import FileProblem
from stdioguard.launch.errors import CONFIGURATION

if TYPE_CHECKING:
    from stdioguard.installs.find import Home

TIMEOUT = 300.0
"""Seconds for one person."""


def run(words: list[str], format_: str) -> int:
    """Run `stdioguard WORDS` for each person, print what it says, and return the worst of the exit codes."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        raise click.UsageError("--all-users is for root")
    codes, said = [0], {}
    for home in find.homes():
        code, out, errors = _for_one(home, [*words, "--format", format_])
        codes.append(code)
        if format_ == "json":
            said[home.user or home.path] = _document(out)
        else:
            click.echo(f"{plain(home.user)}, {plain(home.path)}:")
            click.echo("".join(f"  {plain(line)}\n" for line in out.splitlines()))
        for line in errors.splitlines():
            click.echo(f"{plain(home.user)}: {plain(line)}", err=True)
    if format_ == "json":
        click.echo(json.dumps(said, indent=2))
    return max(codes)


def check_own(path: str) -> None:
    """Raise `FileProblem` for root where a file is in another person's home."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return
    import pwd  # noqa: PLC0415 - not on Windows

    try:
        person = pwd.getpwuid(os.lstat(os.path.realpath(path)).st_uid)
    except (OSError, KeyError):
        return
    inside = os.path.realpath(path).startswith(os.path.realpath(person.pw_dir).rstrip("/") + "/")
    if person.pw_uid != 0 and inside:
        raise FileProblem(
            path,
            f"is {person.pw_name}'s, whose clients cannot start what root sets up",
            f"run stdioguard as {person.pw_name}, or for everybody with --all-users",
        )


def _for_one(home: Home, words: list[str]) -> tuple[int, str, str]:
    """Run a command as one person, and return its exit code and what it said."""
    python = [sys.executable, "-I", "-m", "stdioguard"]
    options: dict[str, Any] = {"stdin": subprocess.DEVNULL, "capture_output": True, "timeout": TIMEOUT}
    options |= {"text": True, "errors": "replace", "start_new_session": True}
    if home.uid == os.geteuid():
        options["env"] = dict(os.environ)
    else:
        options |= {"user": home.uid, "group": home.gid, "extra_groups": os.getgrouplist(home.user, home.gid or 0), "cwd": "/"}
        options["env"] = {
            "HOME": home.path, "USER": home.user, "LOGNAME": home.user, "LANG": "C.UTF-8",
            "PATH": f"{home.path}/.local/bin:/usr/local/bin:/usr/bin:/bin",
        }  # fmt: skip
    try:
        starts = subprocess.run([*python, "--version"], check=False, **options).returncode == 0  # noqa: S603 - our own
        done = subprocess.run([*python, *words], check=False, **options) if starts else None  # noqa: S603 - our own
        why = "stdioguard does not start"
    except (OSError, subprocess.SubprocessError) as error:
        done, why = None, getattr(error, "strerror", None) or str(error)
    if done is None:
        return (
            CONFIGURATION,
            "",
            f"stdioguard: cannot run {sys.executable} as {home.user}: {why}; install it where everybody can run it\n",
        )
    return done.returncode, done.stdout, done.stderr


def _document(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
