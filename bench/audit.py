"""How long an audit takes: of 1,000 files with 10,000 servers, and beside other scanners on the same files.

    python -m bench.audit [--servers FOLDER] [--scanners FOLDER] [--write]

`--servers` names real configurations, `--scanners` a folder with an environment for each other scanner; without them those tables are left
out. Other scanners run without a network (unshare) and under strace, which counts the programs that they start and their sockets.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stdioguard import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RESULTS = Path(__file__).parent / "AUDIT.md"
ROUNDS = 3
BUDGET = 10.0
NOTE = """\
The same real files, each as the `.mcp.json` of a project, with what each scanner shows by default, without a network. Programs started and
sockets opened are counted by strace; each scanner's own first program is left out. The counts do not say how many findings are right.
`mcp-scan` and `mcp-audit-scanner` take one file at a time, so their time is that of as many starts. Cisco's `mcp-scanner` is not here: it
starts the servers of a configuration, or asks a service, to find anything."""
OURS = [sys.executable, "-m", "stdioguard", "audit"]


def generated(folder: Path, files: int = 1000, servers: int = 10) -> None:
    """Write configurations of every shape, the same ones each time."""
    choice = random.Random(7)
    starts: list[Callable[[int], dict[str, object]]] = [
        lambda n: {"command": "npx", "args": ["-y", f"@scope/server-{n}"], "env": {"API_KEY": "${API_KEY}"}},
        lambda n: {"command": "npx", "args": ["-y", f"server-{n}@1.2.{n}", "/home/ana/notes"]},
        lambda n: {"command": "uvx", "args": [f"mcp-server-{n}", "--utc"]},
        lambda n: {"command": "docker", "args": ["run", "-i", "--rm", "-e", "TOKEN", f"example/server-{n}:latest"]},
        lambda n: {"command": "cmd", "args": ["/c", "npx", "-y", f"server-{n}"]},
        lambda n: {"command": "bash", "args": ["-lc", f"cd /srv && npx server-{n}"]},
        lambda n: {"command": "node", "args": [f"/opt/server-{n}/index.js"], "env": {"DB_PASSWORD": f"kq{n:06}Zx9Wm2Tr"}},
        lambda n: {
            "type": "http",
            "url": f"https://mcp{n}.example.com/mcp",
            "headers": {"Authorization": "Bearer ${input:token}"},
        },
    ]
    names = (".mcp.json", ".cursor/mcp.json", ".vscode/mcp.json", ".gemini/settings.json")
    for number in range(files):
        path = folder / f"project-{number}" / choice.choice(names)
        path.parent.mkdir(parents=True)
        key = "servers" if ".vscode" in str(path) else "mcpServers"
        entries = {f"server-{index}": choice.choice(starts)(number * servers + index) for index in range(servers)}
        path.write_text(json.dumps({key: entries}, indent=2))


@dataclass
class Scanner:
    """Another scanner: where it is, how it is started, and how its findings are counted."""

    name: str
    program: str
    """Below the folder of scanners."""
    words: tuple[str, ...]
    """Its arguments, with `{}` for what it looks at."""
    key: str
    """Where in its JSON the list of findings is."""
    one_by_one: bool = False
    """Whether it takes one file at a time."""

    def commands(self, root: Path, configs: Path) -> list[list[str]]:
        """Return the command lines that have it look at every file."""
        given = sorted(configs.rglob(".mcp.json")) if self.one_by_one else [configs]
        program = [str(root / self.program)]
        if self.program.startswith("npm/"):  # its first line would start `env`, which would start node
            program = [shutil.which("node") or "node", str((root / self.program).resolve())]
        return [[*program, *(word.format(path) for word in self.words)] for path in given]

    def version(self, root: Path) -> str:
        """Return its version, by what its installer has noted."""
        for manifest in root.glob(f"{self.name}/lib/*/site-packages/{self.name.replace('-', '_')}-*.dist-info"):
            return manifest.name.removesuffix(".dist-info").rpartition("-")[2]
        return str(json.loads((root / "npm/node_modules" / self.name / "package.json").read_text())["version"])

    def count(self, out: str) -> int:
        """Return how many findings it names, in one document or several."""
        return sum(len(one) for one in _lists(json.loads(out[out.index("{") :]), self.key))


def _lists(value: object, key: str) -> Iterator[list[object]]:
    if isinstance(value, dict):
        for name, member in value.items():
            if name == key and isinstance(member, list):
                yield member
            else:
                yield from _lists(member, key)
    elif isinstance(value, list):
        for member in value:
            yield from _lists(member, key)


SCANNERS = [
    Scanner("mcplint-sec", "mcplint-sec/bin/mcplint-sec", ("scan", "{}", "--json"), "findings"),
    Scanner("agent-audit-kit", "agent-audit-kit/bin/agent-audit-kit", ("scan", "{}", "--format", "json"), "findings"),
    Scanner(
        "mcp-audit-scanner", "mcp-audit-scanner/bin/mcp-audit", ("scan", "{}", "--format", "json"), "findings", one_by_one=True
    ),
    Scanner(
        "mcp-scan",
        "npm/node_modules/.bin/mcp-scan",
        ("scan", "--offline", "--config", "{}", "--json"),
        "findings",
        one_by_one=True,
    ),
]


@dataclass
class Row:
    """What one scanner did."""

    name: str
    findings: str
    files: int
    seconds: float
    programs: str
    sockets: str


def traced(commands: list[list[str]], folder: Path) -> tuple[list[str], float, str, str]:
    """Run a scanner without a network: what it printed, the seconds without strace, and what strace counted."""
    home = folder / "home"
    home.mkdir(exist_ok=True)
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "NO_COLOR": "1", "PYTHONPATH": str(Path.cwd())}
    alone = ["unshare", "--net", "--map-root-user"] if shutil.which("unshare") else []
    log, began, calls = folder / "strace", time.monotonic(), []
    outs = [
        subprocess.run([*alone, *words], capture_output=True, text=True, env=environment, check=False).stdout
        for words in commands
    ]
    seconds = time.monotonic() - began
    if shutil.which("strace") is None:
        return outs, seconds, "?", "?"
    trace = ["strace", "-f", "-qq", "-o", str(log), "-e", "trace=execve,execveat,socket"]
    for words in commands:
        subprocess.run([*alone, *trace, *words], capture_output=True, env=environment, check=False)
        calls += re.findall(r"^\d+ +(execve|execveat|socket)\(.*= \d+$", log.read_text(errors="replace"), re.MULTILINE)
    # Each command's own program is not counted.
    return outs, seconds, str(len(calls) - calls.count("socket") - len(commands)), str(calls.count("socket"))


def compared(servers: Path, root: Path | None) -> Iterator[Row]:
    """Yield what stdioguard and each scanner that is there find in the same files, each as the `.mcp.json` of a project."""
    with tempfile.TemporaryDirectory() as name:
        folder, configs = Path(name), Path(name) / "projects"
        files = sorted(servers.rglob("*.json"))
        for number, path in enumerate(files):
            (configs / str(number)).mkdir(parents=True)
            shutil.copy(path, configs / str(number) / ".mcp.json")
        outs, seconds, programs, sockets = traced([[*OURS, str(configs), "--format", "json", "--fail-on", "never"]], folder)
        count = len(json.loads(outs[0])["findings"])
        yield Row(f"stdioguard {__version__}", str(count), len(files), seconds, programs, sockets)
        for scanner in SCANNERS if root is not None else []:
            if root is None or not (root / scanner.program).exists():
                continue
            outs, seconds, programs, sockets = traced(scanner.commands(root, configs), folder)
            try:
                found = str(sum(scanner.count(out) for out in outs if "{" in out))
            except ValueError:
                found = ""
            yield Row(f"{scanner.name} {scanner.version(root)}", found, len(files), seconds, programs, sockets)


def speed() -> list[float]:
    """Return the seconds of each round over the generated configurations."""
    with tempfile.TemporaryDirectory() as name:
        generated(Path(name))
        times = []
        for _ in range(ROUNDS):
            began = time.monotonic()
            subprocess.run([*OURS, name, "--fail-on", "never"], check=True, stdout=subprocess.DEVNULL)
            times.append(time.monotonic() - began)
        return times


def main() -> None:
    """Measure, and print or write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--servers", type=Path)
    parser.add_argument("--scanners", type=Path)
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    times = speed()
    middle = statistics.median(times)
    lines = [
        "# The audit, measured",
        "",
        (
            f"{time.strftime('%Y-%m-%d')}, stdioguard {__version__}, Python {platform.python_version()}, {os.cpu_count()} cores, "
            f"load {os.getloadavg()[0]:.1f}. Made by `python -m bench.audit`."
        ),
        "",
        (
            f"1,000 files with 10,000 servers: {middle:.1f} s (median of {ROUNDS}; best {min(times):.1f}, worst {max(times):.1f}). "
            f"The budget is {BUDGET:.0f} s: {'met' if middle < BUDGET else 'MISSED'}."
        ),
    ]
    if given.servers is not None:
        lines += [
            "",
            "## Beside other scanners",
            "",
            NOTE,
            "",
            "| scanner | findings | a file | seconds | programs started | sockets |",
            "| --- | ---: | ---: | ---: | ---: | ---: |",
        ]
        for row in compared(given.servers.resolve(), given.scanners.resolve() if given.scanners is not None else None):
            each = f"{int(row.findings) / row.files:.2f}" if row.findings else ""
            lines.append(
                f"| {row.name} | {row.findings or 'no result'} | {each} | {row.seconds:.1f} | {row.programs} | {row.sockets} |"
            )
    text = "\n".join(lines) + "\n"
    print(text)
    if given.write:
        RESULTS.write_text(text)


if __name__ == "__main__":
    main()
