"""`stdioguard run`, parsed by hand: a command-line library would take longer to import than the rest of the launch."""

from __future__ import annotations

import os
import sys

from stdioguard.launch import environment
from stdioguard.launch.errors import REFUSED, USAGE
from stdioguard.sandbox import guarantees

HELP = """\
Usage: stdioguard run [OPTIONS] [--] COMMAND [ARG]...

  Start COMMAND, an MCP server that speaks on stdin and stdout, behind the guard.
  The client that started stdioguard talks to the server through it.

Options:
  --profile NAME|FILE  What the server is granted: a profile by name (see
                       `stdioguard profile list`) or a TOML file.  [default: default]
  --server NAME        The server's name in the record and in prompts.
  --client NAME        The client that must prove itself.
  --token-file PATH    The client's token (a file with mode 0600).
  --environment NAME   Pass this variable of the client's entry to the server,
                       beside those that the profile lists; may be repeated.
  --allow-degraded NAME
                       Go on where this machine cannot give the guarantee NAME
                       (see `stdioguard doctor`); may be repeated.
  --help               Show this message and exit.

Exit codes: the server's own; 64 usage; 77 refused (identity, permissions,
sandbox, record); 78 configuration.
"""
_VALUES = {"--profile": "profile", "--server": "server", "--client": "client", "--token-file": "token_file"}


def main(arguments: list[str]) -> int:
    """Parse the words after `run`, and run."""
    values: dict[str, str] = {}
    waived: list[str] = []
    passed: list[str] = []
    words = list(arguments)
    while words:
        word = words.pop(0)
        if word == "--":
            break
        if not word.startswith("-"):
            words.insert(0, word)
            break
        if word in ("--help", "-h"):
            os.write(1, HELP.encode())
            return 0
        name, equals, value = word.partition("=")
        if name not in _VALUES and name not in ("--allow-degraded", "--environment"):
            return _usage(f"no such option: {name}")
        if not equals:
            if not words:
                return _usage(f"{name} needs a value")
            value = words.pop(0)
        if not value:
            return _usage(f"{name} needs a value that is not empty")
        if name == "--allow-degraded":
            if value not in (*guarantees.NAMES, guarantees.SANDBOX):
                return _usage(
                    f"--allow-degraded {value}: there is no such guarantee; one of {', '.join(guarantees.NAMES)}, sandbox"
                )
            waived.append(value)
            continue
        if name == "--environment":
            if not environment.can_be_passed(value):
                return _usage(f"--environment {value}: no name of a variable, or of one that makes a program run other code")
            passed.append(value)
            continue
        if name in values:
            return _usage(f"{name} is given twice")
        values[name] = value
    if not words or not words[0]:
        return _usage("no COMMAND to run")
    if sys.platform not in ("linux", "darwin"):
        os.write(2, f"stdioguard: run does not work on {sys.platform}: it needs Linux or macOS\n".encode())
        return REFUSED
    from stdioguard.launch.run import Options, run  # noqa: PLC0415 - needs modules that other systems do not have

    options = Options(words)
    options.waived, options.environment = waived, passed
    for name, value in values.items():
        setattr(options, _VALUES[name], value)
    return run(options)


def _usage(problem: str) -> int:
    text = "".join(char if char.isprintable() else "?" for char in problem)
    os.write(2, f"stdioguard: run: {text}; see stdioguard run --help\n".encode("utf-8", "backslashreplace"))
    return USAGE
