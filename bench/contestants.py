"""What is compared: the proxies, the servers behind them, and how each is started."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROFILE = "{profile}"
NAMES = ("bare", "relay", "guard", "fastmcp", "bwrap", "srt")


@dataclass(frozen=True)
class Server:
    """A server that every contestant is put in front of."""

    title: str
    """How the table names it."""
    command: tuple[str, ...]
    """What starts it."""
    profile: str
    """The guard's profile for it: a shipped name or a file."""


@dataclass(frozen=True)
class Contestant:
    """One way to reach a server."""

    name: str
    prefix: tuple[str, ...] = ()
    """What stands before the server's command; PROFILE in it is filled for each server."""
    missing: str = ""
    """Why it cannot run here; empty when it can."""
    version: str = ""
    """Its name and version, for the report."""
    looks: bool = True
    """Whether it looks at messages. A mere sandbox does not: it is compared by its start-up alone."""
    patience: int = 1
    """Counts are divided by this for a contestant that would take all of the benchmark's time."""

    def share(self, count: int) -> int:
        """Return how many of `count` calls this contestant does."""
        return max(1, count // self.patience)

    def command(self, server: Server) -> list[str]:
        """Return the command line that puts this contestant in front of `server`."""
        prefix = [server.profile if part == PROFILE else part for part in self.prefix]
        return [*prefix, *server.command]


BENCH_SERVER = Server("bench server", (sys.executable, "-I", str(HERE / "server.py")), str(HERE / "bench.toml"))


def contestants(fastmcp_python: str) -> list[Contestant]:
    """Return the contestants in the order of the table; what is not installed says so."""
    guard = _guard_command()
    guard_version = _output(guard, "--version")
    fastmcp_version = _output(fastmcp_python, "-I", "-c", "import fastmcp; print('fastmcp', fastmcp.__version__)")
    return [
        Contestant("bare"),
        Contestant("relay", (sys.executable, "-I", str(HERE / "relay.py"))),
        Contestant(
            "guard",
            (guard, "run", "--profile", PROFILE, "--"),
            missing="" if guard_version else "not installed",
            version=guard_version,
        ),
        Contestant(
            "fastmcp",
            (fastmcp_python, "-I", str(HERE / "fastmcp_proxy.py")),
            missing="" if fastmcp_version else "not installed",
            version=fastmcp_version,
            patience=10,
        ),
        _bubblewrap(),
        _sandbox_runtime(),
    ]


def _bubblewrap() -> Contestant:
    """Return bubblewrap with namespaces and a view like the guard's: the system and the runtimes to read, all else absent."""
    version = _output("bwrap", "--version")
    view = ["--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL"]
    for path in dict.fromkeys(("/usr", "/etc/ssl", "/etc/ld.so.cache", sys.base_prefix, sys.prefix, str(HERE.parent))):
        view += ["--ro-bind-try", path, path]
    for link in ("bin", "sbin", "lib", "lib64"):
        if Path("/", link).is_symlink():
            view += ["--symlink", f"usr/{link}", f"/{link}"]
    view += ["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--"]
    return Contestant("bwrap", ("bwrap", *view), missing="" if version else "not installed", version=version, looks=False)


def _sandbox_runtime() -> Contestant:
    """Return Anthropic's sandbox runtime, which starts bubblewrap, without any host and without a writable folder."""
    program = HERE / "node" / "node_modules" / ".bin" / "srt"
    version = _output(str(program), "--version") if shutil.which("bwrap") else ""
    return Contestant(
        "srt",
        (str(program), "--settings", str(HERE / "node" / "srt.json")),
        missing="" if version else "not installed",
        version=f"srt {version}" if version else "",
        looks=False,
    )


def real_servers() -> list[Server]:
    """Return the real servers that are installed: one in Python, one in Node."""
    found = []
    if importlib.util.find_spec("mcp_server_time"):
        time_server = (sys.executable, "-m", "mcp_server_time", "--local-timezone", "UTC")
        found.append(Server("mcp-server-time (Python)", time_server, "time"))
    everything = HERE.parent / "tests/servers/node/node_modules/.bin/mcp-server-everything"
    if everything.exists() and shutil.which("node"):
        found.append(Server("server-everything (Node)", (str(everything), "stdio"), "everything"))
    return found


def _guard_command() -> str:
    """Return the installed `stdioguard`: the one beside this interpreter before any other on the path."""
    beside = Path(sys.executable).parent / "stdioguard"
    return str(beside) if beside.exists() else shutil.which("stdioguard") or "stdioguard"


def _output(*command: str) -> str:
    """Return what `command` prints, or nothing where it cannot run."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
