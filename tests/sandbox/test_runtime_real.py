"""What real commands open, seen from outside by strace, against what is granted to them: all of it, and nothing of a person's own."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from stdioguard.sandbox import permissions, runtime
from tests.launch.guarded import INITIALIZE, PROBE, READY
from tests.real.servers import NODE, NODE_SERVERS, REPOSITORY, SERVERS, Place, Runtime, missing_node_servers

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="strace is Linux's"),
    pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed"),
]

LIST = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}
SYSTEM = (*sorted(runtime.BASE), "/etc", "/dev", "/proc", "/sys", "/run")
"""What is the system's, and no concern of this."""

OPENED = re.compile(r"(?:openat|open|creat)\(.*\) = \d+<(.+?)>(?:\(deleted\))?$|execve(?:at)?\((?:\S+, )?\"(.+?)\", .* = 0$")


def opened(command: list[str], cwd: Path, environment: dict[str, str], trace: Path) -> list[str]:
    """Run a server through the start of a session and return the canonical paths of all that it has opened and executed."""
    lines = "".join(json.dumps(message) + "\n" for message in (INITIALIZE, READY, LIST))
    strace = [
        shutil.which("strace") or "",
        "-f",
        "-qq",
        "-y",
        "-s",
        "4096",
        "-e",
        "trace=open,openat,creat,execve,execveat",
        "-o",
        str(trace),
    ]
    done = subprocess.run(
        [*strace, "--", *command], input=lines, capture_output=True, text=True, cwd=cwd, env=environment, timeout=120
    )
    assert '"tools"' in done.stdout, done.stderr
    found = set()
    for line in trace.read_text(errors="surrogateescape").splitlines():
        match = OPENED.search(line)
        if match:
            path = match[1] or match[2]
            assert path.startswith("/") or "[" in path or ":" in path, line
            if path.startswith("/"):
                found.add(os.path.realpath(path))
    return sorted(found)


def is_in(path: str, folders: list[str]) -> bool:
    return any(path == folder or path.startswith(folder + "/") for folder in folders)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    place = Place(tmp_path)
    place.home.mkdir()
    return place


def needs(command: list[str], cwd: Path, home: Path | None = None) -> tuple[permissions.Resolved, runtime.Runtime]:
    own = {**os.environ, "HOME": str(home)} if home else dict(os.environ)
    resolved = permissions.resolve(command, os.environ["PATH"], str(cwd), environment=own)
    return resolved, runtime.needed(resolved, resolved.cwd, own)


def check(command: list[str], place: Place, environment: dict[str, str], home: Path | None = None) -> list[str]:
    """Run what `command` resolves to with another HOME, and return which of its entries it has used."""
    resolved, needed = needs(command, place.home, home)
    environment = {
        "PATH": os.environ["PATH"],
        **environment,
        "HOME": str(place.home),
        "TMPDIR": str(place.home),
        **needed.environment,
    }
    # A name without a folder (`env node`) is found in PATH again, by strace.
    paths = opened(resolved.argv, Path(resolved.cwd), environment, place.root / "trace")
    entries = [entry.path for entry in needed.entries]
    private = [str(place.home), str(place.files)]
    outside = [path for path in paths if path != "/" and not is_in(path, [*SYSTEM, *entries, *private])]
    assert not outside, f"opened, but not granted: {outside[:10]}; granted: {entries}"
    used = [entry for entry in entries if any(is_in(path, [entry]) for path in paths)]
    assert used == entries, "granted, but not used"
    resolved.close()
    return entries


@pytest.mark.parametrize("name", [name for name in SERVERS if name != "fetch-public-only"])
def test_every_real_server_opens_only_what_it_is_granted(name: str, place: Place) -> None:
    server = SERVERS[name]
    missing = missing_node_servers() if server.npm else None
    if missing:
        pytest.skip(missing)
    launch = server.launch(Runtime(), place, guarded=False)
    entries = check(launch.command, place, server.environment(place))
    if server.npm:
        assert entries == [str(NODE / "node_modules")] or not str(shutil.which("node")).startswith("/usr")
    home = str(Path.home())
    assert not any(home == entry or home.startswith(entry + "/") for entry in entries)


def test_a_console_script_of_an_environment_is_granted_the_environment(place: Place) -> None:
    place.files.mkdir()
    script = Path(sysconfig.get_path("scripts")) / "mcp-server-time"
    entries = check([str(script)], place, {})
    assert is_in(str(script), entries)


def test_a_script_is_granted_its_folder(place: Place) -> None:
    entries = check([sys.executable, PROBE], place, {})
    assert is_in(PROBE, entries)
    assert str(REPOSITORY / "tests" / "servers") in entries or str(REPOSITORY) in entries


def environment_with_server(folder: Path) -> Path:
    """Make an environment by itself whose one program is the probe, as a console script; return the script."""
    venv.create(folder, symlinks=True, with_pip=False)
    packages = next((folder / "lib").glob("python3*/site-packages"))
    shutil.copy(PROBE, packages / "probe.py")
    script = folder / "bin" / "mcp-probe"
    script.write_text(f"#!{folder}/bin/python\nimport runpy\nrunpy.run_module('probe', run_name='__main__')\n")
    script.chmod(0o755)
    return script


def test_an_environment_by_itself_needs_itself_and_its_interpreter(place: Place) -> None:
    script = environment_with_server(place.root / "tool")
    entries = check([str(script)], place, {})
    base = os.path.realpath(sys.base_prefix)
    assert entries == [str(place.root / "tool"), *([] if is_in(base, list(SYSTEM)) else [base])]


def test_npx_starts_the_copy_that_it_has_fetched_and_is_granted_that_copy(place: Place) -> None:
    missing = missing_node_servers()
    if missing:
        pytest.skip(missing)
    home = place.root / "person"
    fetched = home / ".npm" / "_npx" / "0123456789abcdef"
    fetched.mkdir(parents=True)
    (home / ".npm" / "_cacache").mkdir()
    (home / ".npm" / "_npx" / "another").mkdir()
    name = "@modelcontextprotocol/server-memory"
    manifest = {"dependencies": {name: "*"}, "_npx": {"packages": [name]}}
    (fetched / "package.json").write_text(json.dumps(manifest))
    shutil.copytree(NODE / "node_modules", fetched / "node_modules", symlinks=True, copy_function=os.link)
    place.files.mkdir()
    entries = check(["npx", "-y", name], place, {"MEMORY_FILE_PATH": str(place.files / "memory.jsonl")}, home)
    assert entries[0] == str(fetched / "node_modules")
    assert not any(is_in(entry, [str(home / ".npm" / "_cacache")]) for entry in entries)


@pytest.mark.parametrize("word", NODE_SERVERS[:1])
def test_control_a_folder_that_is_left_out_is_seen_to_be_missing(
    word: str, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = missing_node_servers()
    if missing:
        pytest.skip(missing)
    place.files.mkdir()
    monkeypatch.setattr(runtime.Collector, "add", lambda *_, **__: True)
    with pytest.raises(AssertionError, match="opened, but not granted"):
        check([str(NODE / "node_modules" / ".bin" / word), "stdio"], place, {})
