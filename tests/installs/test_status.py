"""`stdioguard status`, and what root does for everybody."""

from __future__ import annotations

import json
import os
import pwd
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from stdioguard.cli import everyone
from stdioguard.installs import find, shim
from tests.approval import cheaply
from tests.installs.scene import KEY, Scene
from tests.installs.test_wrap import as_nobody

CURSOR = ".cursor/mcp.json"
TIME = {"command": "uvx", "args": ["mcp-server-time"]}
CAT = {"command": "/bin/cat", "args": ["-u"]}
IS_ROOT = os.geteuid() == 0


def rows(scene: Scene, *words: object) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in scene("status", *words, "--format", "json").rows}


def test_each_entry_of_each_client_is_shown_as_it_is(scene: Scene) -> None:
    scene.put(CURSOR, {"mcpServers": {"time": TIME, "far": {"url": "https://example.test"}, "off": CAT | {"disabled": True}}})
    scene.put(".kiro/settings/mcp.json", {"mcpServers": {"cat": CAT, "odd": {}}})
    scene("wrap", "cursor", "--server", "time")
    found = rows(scene)
    assert {name: row["state"] for name, row in found.items()} == {
        "time": "guarded", "far": "remote", "off": "unguarded", "cat": "unguarded", "odd": "broken",
    }  # fmt: skip
    assert (found["time"]["profile"], found["time"]["started"], found["time"]["findings"]) == ("time", "pypi:mcp-server-time", [])
    assert found["off"]["disabled"] is True
    assert found["cat"]["client"] == "Kiro"
    text = scene("status")
    assert text.code == 0
    assert "guarded" in text.out
    assert "1 unguarded: run stdioguard wrap" in text.out


def test_who_has_no_passphrase_is_told_where_one_is_needed(scene: Scene) -> None:
    scene.put(CURSOR, {"mcpServers": {"git": {"command": "uvx", "args": ["mcp-server-git"]}, "time": TIME}})
    wrapped = scene("wrap", "cursor")
    assert wrapped.out.count("run stdioguard approvals passphrase") == 1
    told = [name for name, row in rows(scene).items() if any("passphrase" in finding for finding in row["findings"])]
    assert told == ["git"]  # nothing of the other is of high risk
    key = scene.own("approval-key.json")
    key.write_text(json.dumps(cheaply()))
    key.chmod(0o600)
    assert not any("passphrase" in finding for row in rows(scene).values() for finding in row["findings"])


def test_one_client_one_file_and_projects(scene: Scene) -> None:
    scene.put(CURSOR, {"mcpServers": {"a": CAT}})
    path = scene.put("code/one/.mcp.json", {"mcpServers": {"b": CAT}})
    assert set(rows(scene)) == {"a"}
    assert set(rows(scene, "cursor")) == {"a"}
    assert set(rows(scene, path)) == {"b"}
    assert set(rows(scene, "--projects", scene.home / "code")) == {"b"}


def test_the_last_session_is_shown(scene: Scene) -> None:
    path = scene.put(CURSOR, {"mcpServers": {"cat": CAT}})
    scene("wrap", "cursor")
    assert rows(scene)["cat"]["last_session"] is None
    entry = json.loads(path.read_text())["mcpServers"]["cat"]
    subprocess.run(
        [entry["command"], *entry["args"]], env=scene.environment, input=b"", capture_output=True, check=False, timeout=60
    )
    assert abs(rows(scene)["cat"]["last_session"] - time.time()) < 120


def test_a_broken_file_is_a_row(scene: Scene) -> None:
    path = scene.put(CURSOR, "{")
    scene.put(".kiro/settings/mcp.json", {"mcpServers": {"cat": CAT}})
    found = scene("status", "--format", "json")
    assert found.code == 0
    assert [row["state"] for row in found.rows] == ["broken", "unguarded"]
    assert str(path) in found.rows[0]["findings"][0]


def test_status_writes_nothing(scene: Scene) -> None:
    scene.put(CURSOR, {"mcpServers": {"cat": CAT}})
    scene("status")
    assert not scene.own().exists()
    assert not scene.state().exists()


# The program that entries name


def test_a_tool_that_has_moved_is_told_of_and_wrapping_again_mends_it(scene: Scene) -> None:
    path = scene.put(CURSOR, {"mcpServers": {"time": TIME}})
    scene("wrap", "cursor")
    wrapped = path.read_bytes()
    program = Path(shim.path())
    program.write_text(program.read_text().replace(sys.executable, "/gone/bin/python"))
    assert any("another installation" in one for one in rows(scene)["time"]["findings"])
    entry = json.loads(wrapped)["mcpServers"]["time"]
    done = subprocess.run([entry["command"], *entry["args"]], capture_output=True, text=True, check=False, env=scene.environment)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (77, "", 1)
    assert "stdioguard" in done.stderr
    assert scene("wrap", "cursor").code == 0
    assert path.read_bytes() == wrapped
    assert rows(scene)["time"]["findings"] == []
    program.unlink()
    assert any("is not there" in one for one in rows(scene)["time"]["findings"])
    assert scene("wrap", "cursor").code == 0
    assert rows(scene)["time"]["findings"] == []
    assert stat.S_IMODE(program.stat().st_mode) == 0o700


def test_neither_a_variable_nor_a_folder_decides_what_the_program_imports(scene: Scene) -> None:
    scene.put(CURSOR, {"mcpServers": {"time": TIME}})
    scene("wrap", "cursor")
    evil = scene.home / "evil"
    (evil / "stdioguard").mkdir(parents=True)
    for name in ("stdioguard/__init__.py", "stdioguard/__main__.py", "sitecustomize.py"):
        (evil / name).write_text("print('evil')\n")
    env = scene.environment | {"PYTHONPATH": str(evil), "PYTHONSTARTUP": str(evil / "sitecustomize.py")}
    done = subprocess.run([shim.path(), "--version"], env=env, cwd=evil, capture_output=True, text=True, check=False)
    assert "evil" not in done.stdout
    assert done.returncode == 0, done.stderr
    # The control: a program without that care imports it.
    done = subprocess.run([sys.executable, "-m", "stdioguard"], env=env, cwd=evil, capture_output=True, text=True, check=False)
    assert "evil" in done.stdout


# Everybody


@pytest.fixture
def everybody(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Root's home and an ordinary user's, each with a file."""
    if not IS_ROOT:
        pytest.skip("only root acts for others")
    theirs = scene.folder / "ana"
    (theirs / ".cursor").mkdir(parents=True)
    (theirs / CURSOR).write_text(json.dumps({"mcpServers": {"cat": CAT | {"env": {"API_KEY": KEY}}}}))
    for path in (theirs, *theirs.rglob("*")):
        os.chown(path, 65534, 65534)
    python = as_nobody(Scene(Path(_made(scene.folder / "probe")))).get("python", sys.executable)
    if python != sys.executable:
        # What the test itself runs on is out of the user's reach: another Python, told where everything is.
        packages = os.pathsep.join(path for path in sys.path if path)
        wrapper = scene.folder / "python"
        wrapper.write_text(f'#!/bin/sh\n[ "$1" = -I ] && shift\nPYTHONPATH={packages} exec {python} "$@"\n')
        wrapper.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(wrapper))
    homes = [find.Home(str(scene.home), "root", 0, 0), find.Home(str(theirs), "nobody", 65534, 65534)]
    monkeypatch.setattr(find, "homes", lambda: homes)
    return [scene.put(CURSOR, {"mcpServers": {"cat": CAT}}), theirs / CURSOR]


def _made(path: Path) -> Path:
    path.mkdir()
    return path


def test_root_wraps_for_everybody_as_everybody(scene: Scene, everybody: list[Path]) -> None:
    before = [path.read_bytes() for path in everybody]
    assert scene("wrap", "--all-users", "--dry-run").code == 0
    assert [path.read_bytes() for path in everybody] == before
    done = scene("wrap", "--all-users", "--yes", "--format", "json")
    assert done.code == 0, done
    assert set(done.json) == {"root", "nobody"}
    assert KEY not in done.out + done.err
    for path, owner in zip(everybody, (0, 65534), strict=True):
        entry = json.loads(path.read_text())["mcpServers"]["cat"]
        assert path.stat().st_uid == owner
        assert entry["command"].startswith(str(path.parents[1])), "the program is that person's own"
        own = path.parents[1] / ".config" / "stdioguard"
        assert {one.stat().st_uid for one in (own, *own.rglob("*"))} == {owner}
    found = scene("status", "--all-users", "--format", "json").json
    assert [row["state"] for one in found.values() for row in one] == ["guarded", "guarded"]
    assert "nobody" in scene("status", "--all-users").out
    assert scene("unwrap", "--all-users", "--yes").code == 0
    assert [path.read_bytes() for path in everybody] == before


def test_root_is_told_not_to_wrap_in_somebody_elses_home(
    scene: Scene, everybody: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    ana = pwd.struct_passwd(("ana", "x", 65534, 65534, "", str(scene.folder / "ana"), "/bin/sh"))
    monkeypatch.setattr(pwd, "getpwuid", lambda _: ana)
    before = everybody[1].read_bytes()
    done = scene("wrap", everybody[1])
    assert (done.code, len(done.err.splitlines())) == (78, 1)
    assert "--all-users" in done.err
    assert everybody[1].read_bytes() == before


def test_a_person_who_cannot_run_it_is_one_line(scene: Scene, everybody: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(scene.home / "python"))
    done = scene("wrap", "--all-users", "--yes")
    assert done.code == 78
    assert [line for line in done.err.splitlines() if line.startswith("nobody: stdioguard: cannot run")]
    assert "Traceback" not in done.err


@pytest.mark.skipif(IS_ROOT, reason="root may")
def test_only_root_acts_for_others(scene: Scene) -> None:
    for verb in ("wrap", "unwrap", "status"):
        assert scene(verb, "--all-users").code == 64
    with pytest.raises(Exception, match="root"):
        everyone.run(["status"], "text")
