"""The program that wrapped entries name: one path that stays while stdioguard itself moves.

A client's configuration lives longer than a virtual environment. So what is written there is a small script in stdioguard's own config
folder, with an absolute path (clients start with a bare PATH), and the script knows where stdioguard is. Every `wrap`, `unwrap` and
`status` brings it up to date. Where stdioguard is gone, the script says so and fails: a server is never started unguarded.
"""

from __future__ import annotations

import os
import shlex
import sys
from importlib import metadata

from stdioguard import __version__
from stdioguard.policy import places, private

_GONE = (
    "stdioguard: refused: stdioguard is not where it was when this entry was wrapped, so the server is not started; "
    "install stdioguard again and run: stdioguard status"
)


def path() -> str:
    """Return where the script is; it need not exist."""
    return os.path.join(places.directory("config"), "bin", "stdioguard.cmd" if sys.platform == "win32" else "stdioguard")


def install() -> str:
    """Write the script for this installation of stdioguard, unless it is right already, and return its path. Raises `OSError`."""
    where, data = path(), (_batch() if sys.platform == "win32" else _script()).encode("utf-8", "surrogateescape")
    places.private_directory(places.directory("config"))
    places.private_directory(os.path.dirname(where))
    if not is_right(where, data):
        private.replace(where, data)
        os.chmod(where, 0o700)
    return where


def is_right(where: str, data: bytes | None = None) -> bool:
    """Tell whether the script is there and starts this installation of stdioguard."""
    wanted = data if data is not None else _script().encode("utf-8", "surrogateescape")
    try:
        status = os.lstat(where)
        with open(where, "rb") as file:
            return status.st_mode & 0o177777 == 0o100700 and file.read(len(wanted) + 1) == wanted
    except OSError:
        return False


def _script() -> str:
    """Return the script for POSIX shells. `-I`: neither a variable that a client sets nor its folder decides what is imported."""
    lines = ["#!/bin/sh", f"# Starts stdioguard {__version__} for the entries of MCP clients that `stdioguard wrap` has changed."]
    lines += [f'[ -x {shlex.quote(words[0])} ] && exec {shlex.join(words)} "$@"' for words in _ways()]
    lines += [f"echo {shlex.quote(_GONE)} >&2", "exit 77", ""]
    return "\n".join(lines)


def _batch() -> str:
    quoted = " ".join(f'"{word}"' for word in [sys.executable, "-I", "-m", "stdioguard"])
    return f'@echo off\r\nif not exist "{sys.executable}" (echo {_GONE} 1>&2 & exit /b 77)\r\n{quoted} %*\r\n'


def _ways() -> list[list[str]]:
    """Return the commands that start stdioguard, the surest first."""
    ways = [[os.path.abspath(sys.executable), "-I", "-m", "stdioguard"]]
    uvx = _uvx()
    if uvx:
        # The folder that `uvx` runs from is a cache, which `uv cache prune` empties; what it held can be had again.
        ways.append([uvx, "--from", f"stdioguard=={metadata.version('stdioguard')}", "stdioguard"])
    return ways


def _uvx() -> str:
    """Return the path of `uvx` where this is one of the environments that it throws away, else nothing."""
    parts = os.path.realpath(sys.prefix).split(os.sep)
    if "uv" not in parts or not any(part.startswith(("archive-v", "environments-v")) for part in parts):
        return ""
    import shutil  # noqa: PLC0415 - for this one case

    found = shutil.which("uvx")
    return os.path.abspath(found) if found else ""
