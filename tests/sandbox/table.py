"""The table of cases on a real disk: its world put in place, its sockets listening, its acts done in a process."""

from __future__ import annotations

import json
import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.sandbox import acts, cases
from tests.sandbox.cases import Act

CODE = Path(acts.__file__).read_text()
PYTHON = os.path.realpath(getattr(sys, "_base_executable", sys.executable))
RUNTIME = sorted({os.path.realpath(path) for path in (sys.base_prefix, sys.base_exec_prefix, os.path.dirname(PYTHON))})
"""What an interpreter without site packages needs of its own."""


@contextmanager
def world(more: dict[str, str | None] | None = None) -> Iterator[dict[str, str]]:
    """Put the table's world into a new folder, with `more` beside it, and yield what the names in braces stand for."""
    # Short, because a UNIX socket's path is at most 104 bytes on macOS; and not TMPDIR, which some rule may be about.
    top = "/private/tmp" if sys.platform == "darwin" else "/tmp"
    base = tempfile.mkdtemp(prefix="sg-", dir=top)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, base, ignore_errors=True)
        proxy, other = (stack.enter_context(_listening()) for _ in range(2))
        at = {"BASE": base, "PYTHON": PYTHON, "PROXY": str(proxy.getsockname()[1]), "PORT": str(other.getsockname()[1])}
        at |= {name: path.format_map(at) for name, path in cases.PLACES.items()}
        entries = {
            path.format_map(at): None if content is None else content.format_map(at) for path, content in cases.WORLD.items()
        }
        for path, content in (entries | (more or {})).items():
            _make(Path(path.replace("{BASE}", base)), content)
        for name in ("granted", "other"):
            end = stack.enter_context(socket.socket(socket.AF_UNIX))
            end.bind(f"{at['SOCKETS']}/{name}")
            end.listen(8)
        yield at


def _make(path: Path, content: str | None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if content is None:
        path.mkdir(exist_ok=True)
    elif content.startswith("-> "):
        path.symlink_to(content[3:])
    else:
        path.write_text(content)
        path.chmod(0o755 if content.startswith("#!") else 0o644)


def _listening() -> socket.socket:
    end = socket.socket()
    end.bind(("127.0.0.1", 0))
    end.listen(8)
    return end


def arguments(act: Act) -> list[str]:
    """Return the interpreter's arguments that do an act; see `acts` for what they print."""
    return ["-I", "-S", "-c", CODE, json.dumps(list(act))]


def do(command: list[str], at: dict[str, str]) -> str:
    """Run a command that does an act, and return `done`, `refused ERRNO`, or what else happened."""
    environment = {"PATH": "/usr/bin:/bin", "HOME": at["STATE"], "TMPDIR": at["TMP"]}
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, cwd=at["PROJECT"], env=environment, stdin=subprocess.DEVNULL
    )
    said = done.stdout.strip()
    return said if said == "done" or said.startswith("refused ") else f"exit {done.returncode}: {said} {done.stderr.strip()}"


def snapshot(at: dict[str, str]) -> dict[str, tuple]:
    """Return all that is in the world, to be compared with what is there later."""
    found = {}
    for folder, folders, files in os.walk(at["BASE"]):
        for name in (*folders, *files):
            path = os.path.join(folder, name)
            status = os.lstat(path)
            content = (
                Path(path).read_bytes()
                if stat.S_ISREG(status.st_mode)
                else os.readlink(path)
                if stat.S_ISLNK(status.st_mode)
                else None
            )
            found[path] = (stat.filemode(status.st_mode), status.st_nlink, status.st_mtime_ns, content)
    return found
