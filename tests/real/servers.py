"""How each real server is started, bare and guarded, and the data that it is started on.

Everything is laid out afresh, at the same path, before every start: a bare and a guarded session then see the
same names, the same bytes and the same modification times, and their answers can be compared as they are.
"""

from __future__ import annotations

import base64
import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

REPOSITORY = Path(__file__).resolve().parents[2]
PROFILES = REPOSITORY / "profiles"
NODE = REPOSITORY / "tests" / "servers" / "node"
NODE_SERVERS = (
    "mcp-server-everything",
    "mcp-server-filesystem",
    "mcp-server-memory",
    "mcp-server-sequential-thinking",
    "mcp-server-brave-search",
    "mcp-server-github",
    "mcp-server-slack",
    "tavily-mcp",
)
DATED = 1_714_564_800  # every file's time, and every commit's: 2024-05-01 12:00 UTC
PIXEL = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==")


def missing_node_servers() -> str | None:
    """Install the npm servers if they are not there; the reason if that can't be done on this machine."""

    def complete() -> bool:
        return all((NODE / "node_modules" / ".bin" / name).exists() for name in NODE_SERVERS)

    if shutil.which("node") is None:
        return "node is not installed"
    lock = Path(tempfile.gettempdir()) / f"stdioguard-npm-ci-{os.getuid()}.lock"
    with lock.open("w") as held:  # several test processes start at once: one installs, the others wait for it
        fcntl.flock(held, fcntl.LOCK_EX)
        if complete():
            return None
        npm = shutil.which("npm")
        if npm is None:
            return "npm is not installed, and the npm servers are not in tests/servers/node/node_modules"
        subprocess.run([npm, "ci", "--no-audit", "--no-fund"], cwd=NODE, check=True, capture_output=True)
    assert complete(), "npm ci succeeded, but a server's program is missing"
    return None


@dataclass(frozen=True)
class Place:
    """Where one session runs: the server's data, a home directory, and the guard's own folder."""

    root: Path

    @property
    def files(self) -> Path:
        return self.root / "files"

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def guard(self) -> Path:
        return self.root / "guard"

    @property
    def graph(self) -> Path:
        """The memory server's file, where its profile grants it: in its private state."""
        return self.guard / "state" / "servers" / "memory" / "state" / "memory.jsonl"

    @property
    def outside(self) -> Path:
        """A directory that no command line and no profile names."""
        return self.root / "outside"


@dataclass(frozen=True)
class Runtime:
    """With which programs, and as which user, servers are started."""

    python: str = sys.executable
    node: Path = NODE
    owner: int | None = None

    def as_user(self, command: list[str]) -> list[str]:
        """The same command, run by the owner."""
        if self.owner is None:
            return command
        user = str(self.owner)
        # setpriv keeps root's capabilities until its own exec, which thus opens what the user could not:
        # only the exec after that one is the user's.
        setpriv, env = shutil.which("setpriv"), shutil.which("env")
        assert setpriv
        assert env
        return [setpriv, "--reuid", user, "--regid", user, "--clear-groups", "--", env, *command]


@dataclass(frozen=True)
class Launch:
    """One command line with its environment, ready to be started by a client."""

    command: list[str]
    environment: dict[str, str]
    directory: Path
    log: Path


@dataclass(frozen=True)
class Server:
    """One real server: its shipped profile, its command line, the data it wants to find."""

    name: str
    profile: str
    lay: Callable[[Place], None]
    npm: str = ""
    module: str = ""
    arguments: Callable[[Place], list[str]] = field(default=lambda _: [])
    environment: Callable[[Place], dict[str, str]] = field(default=lambda _: {})

    @property
    def dual(self) -> bool:
        """Whether it also speaks 2026-07-28 (the Python servers do, the npm ones do not)."""
        return bool(self.module)

    def command(self, runtime: Runtime, place: Place) -> list[str]:
        program = [runtime.python, "-m", self.module] if self.module else [str(runtime.node / "node_modules" / ".bin" / self.npm)]
        return [*program, *self.arguments(place)]

    def launch(self, runtime: Runtime, place: Place, *, guarded: bool, profile: str | Path | None = None) -> Launch:
        """Lay the data out afresh and say how to start; `profile` is the shipped one unless named."""
        for path in (place.files, place.home, place.outside):
            shutil.rmtree(path, ignore_errors=True)
            path.mkdir(parents=True)
        (place.outside / "secret.txt").write_text("outside of every grant\n")
        self.lay(place)
        place.guard.mkdir(mode=0o700, exist_ok=True)
        if runtime.owner is not None:
            for tree in (place.files, place.home, place.outside, place.guard):
                for path in (tree, *tree.rglob("*")):
                    os.chown(path, runtime.owner, runtime.owner, follow_symlinks=False)
        command = self.command(runtime, place)
        environment = {
            **self.environment(place),
            "HOME": str(place.home),
            "TZ": "Etc/UTC",
        }
        if guarded:
            chosen = str(profile or self.profile)
            guard = [runtime.python, "-m", "stdioguard", "run", "--profile", chosen, "--server", self.name]
            command = [*guard, "--", *command]
            environment["STDIOGUARD_HOME"] = str(place.guard)
        log = place.root / ("guarded.log" if guarded else "bare.log")
        return Launch(runtime.as_user(command), environment, place.home, log)


def _write(path: Path, content: bytes | str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def _date(root: Path) -> None:
    for path in sorted(root.rglob("*"), reverse=True):
        os.utime(path, (DATED, DATED), follow_symlinks=False)


def lay_nothing(_place: Place) -> None:
    """For a server without data."""


def lay_files(place: Place) -> None:
    """A small tree: text, a non-ASCII name, an image, bytes that are no text, a directory below."""
    _write(place.files / "notes.txt", "first line\nsecond line: grüße, 日本\nthird line\n")
    _write(place.files / "naïve café.txt", "a name that is not ASCII\n")
    _write(place.files / "long.txt", "".join(f"line {number}\n" for number in range(1, 401)))
    _write(place.files / "pixel.png", PIXEL)
    _write(place.files / "data.bin", bytes(range(256)))
    _write(place.files / "docs" / "guide.md", "# Guide\n\nEscapes: \\u0041 \" ' \u2028 \t end\n")
    _write(place.files / "docs" / "deep" / "leaf.md", "leaf\n")
    _date(place.files)


def lay_memory(place: Place) -> None:
    """A graph with two entities and a relation."""
    for folder in (place.guard, *(place.graph.parents[up] for up in (3, 2, 1, 0))):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _write(
        place.graph,
        '{"type":"entity","name":"Ada","entityType":"person","observations":["wrote notes"]}\n'
        '{"type":"entity","name":"Engine","entityType":"machine","observations":["never finished"]}\n'
        '{"type":"relation","from":"Ada","to":"Engine","relationType":"describes"}',
    )


def git(repository: Path, *words: str) -> str:
    """Run git on the test's own repository, deaf to the settings of whoever runs the tests."""
    when = f"{DATED} +0000"
    environment = {
        "PATH": os.environ["PATH"],
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_SYSTEM": os.devnull,
        "GIT_AUTHOR_DATE": when,
        "GIT_COMMITTER_DATE": when,
    }
    done = subprocess.run(["git", "-C", str(repository), *words], env=environment, check=True, capture_output=True, text=True)
    return done.stdout


def lay_repository(place: Place) -> None:
    """Two branches, a change that is staged, one that is not, and a file that git has not seen."""
    repository = place.files
    git(repository, "init", "--quiet", "--initial-branch=main")
    git(repository, "config", "user.name", "Test Person")
    git(repository, "config", "user.email", "person@example.org")
    _write(repository / "README.md", "# Example\n\none\ntwo\nthree\n")
    _write(repository / "src" / "app.py", "print('hello')\n")
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "-m", "First commit\n\nWith a body: grüße.")
    git(repository, "checkout", "--quiet", "-b", "feature")
    _write(repository / "src" / "feature.py", "FEATURE = True\n")
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "-m", "Add the feature")
    git(repository, "checkout", "--quiet", "main")
    _write(repository / "src" / "app.py", "print('hello, world')\n")
    git(repository, "commit", "--quiet", "-am", "Greet everyone")
    _write(repository / "staged.txt", "staged\n")
    git(repository, "add", "staged.txt")
    _write(repository / "README.md", "# Example\n\none\n2\nthree\n")
    _write(repository / "loose.txt", "not yet seen by git\n")


def without_programs(place: Place) -> dict[str, str]:
    """For mcp-server-fetch: if it finds node, its first page makes it run `npm install` in its own package."""
    return {"PATH": str(place.home / "no-programs")}


def files(place: Place) -> list[str]:
    return [str(place.files)]


SERVERS = {
    server.name: server
    for server in (
        Server(
            "everything",
            "everything",
            lay_files,
            npm="mcp-server-everything",
            # It reads no files; the directory is what the profile lets roots name.
            arguments=lambda place: ["stdio", str(place.files)],
        ),
        Server("filesystem", "filesystem", lay_files, npm="mcp-server-filesystem", arguments=files),
        Server(
            "memory",
            "memory",
            lay_memory,
            npm="mcp-server-memory",
            environment=lambda place: {"MEMORY_FILE_PATH": str(place.graph)},
        ),
        Server("sequential-thinking", "sequential-thinking", lay_nothing, npm="mcp-server-sequential-thinking"),
        Server(
            "git",
            "git",
            lay_repository,
            module="mcp_server_git",
            arguments=lambda place: ["--repository", str(place.files)],
        ),
        Server("time", "time", lay_nothing, module="mcp_server_time"),
        Server(
            "fetch",
            "fetch",
            lay_nothing,
            module="mcp_server_fetch",
            # The pages are served on the loopback address, which it refuses otherwise.
            arguments=lambda _: ["--allow-private-ips"],
            environment=without_programs,
        ),
        Server(
            "fetch-public-only",
            "fetch",
            lay_nothing,
            module="mcp_server_fetch",
            environment=without_programs,
        ),
    )
}


@contextmanager
def temporary_place(owner: int) -> Iterator[Place]:
    """A place that another user can reach: the test runner's own folders are closed to others."""
    root = Path(tempfile.mkdtemp(prefix="stdioguard-user-"))
    try:
        os.chown(root, owner, owner)
        yield Place(root)
    finally:
        shutil.rmtree(root, ignore_errors=True)
