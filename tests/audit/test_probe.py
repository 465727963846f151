"""`--probe` starts servers in the sandbox with nothing granted, asks what they offer, and leaves nothing behind."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner

from stdioguard.audit import engine, probe
from stdioguard.audit.machine import Machine
from stdioguard.audit.probed import UNLISTED
from stdioguard.cli.app import app
from stdioguard.launch.errors import REFUSED
from tests.audit.looked import placed, servers

pytestmark = pytest.mark.skipif(sys.platform not in ("linux", "darwin"), reason="there is no sandbox")
SPY = str(Path(__file__).parents[1] / "servers" / "spy.py")
PYTHON = sys.executable


@pytest.fixture(autouse=True)
def _home(tmp_path, monkeypatch):
    monkeypatch.setenv("STDIOGUARD_HOME", str(tmp_path / "own"))


@pytest.fixture
def place(tmp_path):
    """A folder with a secret, and a port where somebody listens: what a server must not get at."""
    folder = tmp_path / "place"
    folder.mkdir()
    (folder / "secret").write_text("x")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield folder, listener.getsockname()[1]


def surfaces_of(tmp_path, **commands):
    report = engine.audit([placed(tmp_path, servers(**commands))], Machine(is_here=False), rules=[])
    return probe.probe(view for config in report.configs for view in config.entries)


def spoken(folder, port, **more):
    """What the spy says of itself when it is started without a guard."""
    lines = [{"jsonrpc": "2.0", "id": at, "method": "tools/list", "params": {"cursor": str(at)}} for at in range(4)]
    done = subprocess.run(
        [PYTHON, SPY, str(folder), str(port)], input="".join(json.dumps(line) + "\n" for line in lines), capture_output=True, text=True,
        env={**os.environ, "SPY_TOKEN": "x"}, check=True, **more,
    )  # fmt: skip
    tools = [json.loads(line)["result"]["tools"][0] for line in done.stdout.splitlines()]
    return {tool["name"]: tool["description"] for tool in tools}


def test_a_server_can_do_nothing_while_it_is_listed_and_could_without_the_sandbox(tmp_path, place, monkeypatch):
    folder, port = place
    assert set(spoken(folder, port).values()) == {"done", "SPY_TOKEN"}  # the control
    (folder / "written").unlink()
    monkeypatch.setenv("SPY_TOKEN", "x")
    entry = {"command": PYTHON, "args": [SPY, str(folder), str(port)], "env": {"SPY_KEY": "y"}}
    (surface,) = surfaces_of(tmp_path, spy=entry)
    assert surface.problem == ""
    said = {tool["name"]: tool["description"] for tool in surface.tools}
    assert said.pop("variables") == "none"
    assert all(text.startswith("refused") for text in said.values()), said
    assert len(said) == 3
    assert not (folder / "written").exists()


def test_every_page_and_kind_is_listed(tmp_path, place):
    (surface,) = surfaces_of(tmp_path, spy=[PYTHON, SPY, str(place[0]), str(place[1])])
    assert [tool["name"] for tool in surface.tools] == ["write_beside", "read_secret", "connect", "variables"]
    assert ([one["name"] for one in surface.prompts], [one["uri"] for one in surface.resources]) == (["greet"], ["spy://one"])
    assert surface.instructions == "Look around."


def test_a_published_server_is_listed(tmp_path):
    (surface,) = surfaces_of(tmp_path, time=[PYTHON, "-m", "mcp_server_time"])
    assert {tool["name"] for tool in surface.tools} == {"get_current_time", "convert_time"}


def test_what_is_off_remote_or_for_the_client_to_fill_in_is_not_started(tmp_path, place):
    marker = tmp_path / "started"
    touch = ["/usr/bin/touch", str(marker)]
    found = surfaces_of(
        tmp_path, off={"command": touch[0], "args": touch[1:], "disabled": True}, far="https://example.com", open=[*touch, "${X}"]
    )
    assert [(surface.view.entry.name, bool(surface.problem)) for surface in found] == [("open", True)]
    assert not marker.exists()


def test_a_wrapped_entry_is_probed_without_its_own_profile_and_token(tmp_path, place):
    words = ["/nonexistent/stdioguard", "run", "--profile", "/nonexistent.toml", "--client", "c", "--token-file", "/t", "--"]
    (surface,) = surfaces_of(tmp_path, spy=[*words, PYTHON, SPY, str(place[0]), str(place[1])])
    assert len(surface.tools) == 4


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["/nonexistent/server", "x"], "cannot run /nonexistent/server"), ([PYTHON, "-c", "pass"], "ended"),
        (["/bin/cat"], "error"), ([PYTHON, "-c", "import sys; sys.stdout.write('x' * 1000); sys.stdout.flush()"], ""),
    ],
    ids=str,
)  # fmt: skip
def test_a_server_that_cannot_be_listed_says_why(tmp_path, words, problem):
    (surface,) = surfaces_of(tmp_path, one=words)
    assert surface.tools == []
    assert surface.problem
    assert problem in surface.problem
    assert "\n" not in surface.problem


def test_a_server_that_never_answers_is_ended_in_time_with_all_that_it_started(tmp_path, monkeypatch):
    monkeypatch.setattr(probe, "TIME_LIMIT", 2.0)
    code = "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(4711)']); time.sleep(4711)"
    began = time.monotonic()
    (surface,) = surfaces_of(tmp_path, one=[PYTHON, "-c", code])
    assert "does not answer" in surface.problem
    assert time.monotonic() - began < 12
    # The kernel ends a namespace after its init, not with it.
    deadline = time.monotonic() + 5
    while left := _processes_with("4711"):
        assert time.monotonic() < deadline, left
        time.sleep(0.02)


def _processes_with(word: str) -> list[list[str]]:
    commands = (one.info["cmdline"] or [] for one in psutil.process_iter(["cmdline"]))
    return [command for command in commands if any(word in part for part in command)]


def test_nothing_of_a_probe_is_left_behind(tmp_path, place, monkeypatch):
    scratch = tmp_path / "scratch"
    scratch.mkdir(mode=0o700)
    monkeypatch.setattr(probe.tempfile, "tempdir", str(scratch))
    surfaces_of(tmp_path, spy=[PYTHON, SPY, str(place[0]), str(place[1])])
    assert list(scratch.iterdir()) == []
    assert not (tmp_path / "own").exists()


def test_without_a_sandbox_nothing_is_started_and_the_command_refuses(tmp_path, monkeypatch):
    marker = tmp_path / "started"
    place = placed(tmp_path, servers(one=["/usr/bin/touch", str(marker)]), name=".mcp.json")
    monkeypatch.setattr(probe.sys, "executable", _refusing(tmp_path))
    result = CliRunner().invoke(app, ["audit", "--probe", place.path])
    assert result.exit_code == REFUSED
    assert result.stderr.count("\n") == 1
    assert "--probe starts nothing outside of a sandbox" in result.stderr
    assert not marker.exists()


def _refusing(tmp_path):
    """A Python whose stdioguard has no sandbox."""
    path = tmp_path / "python"
    path.write_text("#!/bin/sh\necho 'stdioguard: there is no sandbox on this machine' >&2\nexit 77\n")
    path.chmod(0o755)
    return str(path)


def test_the_command_judges_what_servers_offer(tmp_path, place):
    listed = placed(
        tmp_path, servers(spy=[PYTHON, SPY, str(place[0]), str(place[1])], gone=["/nonexistent/x", "y"]), name=".mcp.json"
    )
    result = CliRunner().invoke(app, ["audit", "--probe", "--format", "json", listed.path])
    findings = {(one["rule"]) for one in json.loads(result.stdout)["findings"]}
    assert UNLISTED.slug in findings
