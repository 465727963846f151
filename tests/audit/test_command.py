"""The command: which files, which exit code, and where what is said goes."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys

import pytest

from stdioguard.audit import targets
from tests.audit.audited import PINNED, ROOT, UNPINNED, command, config, found, run


def test_nothing_at_that_level_is_zero_and_something_is_one(tmp_path):
    path = config(tmp_path)
    assert command(path, "--fail-on", "high").returncode == 0
    assert command(path, "--fail-on", "low").returncode == 1
    assert command(path, "--fail-on", "never").returncode == 0


def test_what_is_not_shown_does_not_count(tmp_path):
    path = config(tmp_path)
    assert command(path, "--level", "high", "--fail-on", "low").returncode == 0


@pytest.mark.parametrize(
    "words", [["--format", "xml"], ["--nonsense"], ["--level", "worst"], ["--write-baseline"], ["--fix"], ["--yes"]]
)
def test_a_mistake_of_use_is_64_and_one_line(tmp_path, words):
    result = command(config(tmp_path), *words)
    assert (result.returncode, result.stdout) == (64, b"")
    assert result.stderr.startswith(b"stdioguard: ")


@pytest.mark.parametrize("make", ["missing", "broken", "folder that is closed"])
def test_a_given_file_that_cannot_be_read_is_78_and_told(tmp_path, make):
    path = tmp_path / "mcp.json"
    if make == "broken":
        path.write_text('{"mcpServers": {')
    elif make.startswith("folder"):
        path = tmp_path / "loop"
        path.symlink_to(path)
    result = command(path)
    assert result.returncode == 78
    assert b"not read: " in result.stdout


def test_one_broken_file_hides_no_other(tmp_path):
    broken, path = tmp_path / "mcp.json", config(tmp_path / "x")
    broken.write_text("{")
    assert command(broken, path, "--fail-on", "low").returncode == 1
    assert command(broken, path).returncode == 78


def test_an_empty_folder_and_a_machine_without_clients_are_fine(tmp_path):
    assert command(tmp_path).returncode == 0
    result = command(HOME=str(tmp_path), STDIOGUARD_HOME=str(tmp_path / "s"))
    assert result.returncode in (0, 1)  # root looks at every home


def test_a_folder_is_looked_through_for_everything_that_is_a_configuration(tmp_path):
    config(tmp_path, name="a/.mcp.json")
    config(tmp_path, name="a/.vscode/other.json")
    config(tmp_path, name="b/c/claude_desktop_config.json")
    config(tmp_path, name="node_modules/x/.mcp.json")
    (tmp_path / "package.json").write_text('{"name": "x"}')
    assert {os.path.relpath(one["file"], tmp_path) for one in found(tmp_path, rule="unpinned-package")} == {
        "a/.mcp.json", "a/.vscode/other.json", "b/c/claude_desktop_config.json",
    }  # fmt: skip


def test_a_file_that_is_given_twice_or_by_a_link_is_looked_at_once(tmp_path):
    path = config(tmp_path)
    (tmp_path / "link.json").symlink_to(path)
    assert len(found(path, path, tmp_path / "link.json", rule="unpinned-package")) == 1


def test_a_home_is_looked_at_as_its_owner_s_clients_would(tmp_path):
    config(tmp_path, {"a": UNPINNED}, ".cursor/mcp.json")
    path = tmp_path / ".claude.json"
    path.write_text(json.dumps({"mcpServers": {"a": PINNED}, "projects": {"/x": {"mcpServers": {"p": UNPINNED}}}}))
    assert {(one["client"], one["entry"]) for one in found(tmp_path, rule="unpinned-package")} == {
        ("Cursor", "a"),
        ("Claude Code", "p"),
    }


def test_more_folders_than_anybody_has_are_told_of(tmp_path, monkeypatch):
    for name in range(8):
        config(tmp_path / str(name), name="odd.json")
    monkeypatch.setattr(targets, "MAX_FOLDERS", 4)
    problems = []
    assert len(list(targets.of([str(tmp_path)], problems))) == 3
    assert "more than 4 folders" in problems[0]
    result = run(tmp_path)
    assert "more than 4 folders" in result.output
    assert result.exit_code == 78


def test_the_result_goes_to_a_file_and_nothing_to_stdout(tmp_path):
    path = config(tmp_path)
    result = run(path, "--format", "html", "--output", tmp_path / "report.html")
    assert result.output == ""
    assert (tmp_path / "report.html").read_text().startswith("<!doctype html>")


def test_a_result_that_cannot_be_written_is_one_line(tmp_path):
    result = run(config(tmp_path), "--output", tmp_path / "no" / "report")
    assert (result.exit_code, len(result.stderr.splitlines())) == (78, 1)


def test_a_reader_that_stops_reading_causes_no_traceback(tmp_path):
    path = config(tmp_path, {f"s{number}": {"command": "npx", "args": ["-y", f"pkg{number}"]} for number in range(3000)})
    words = f"{sys.executable} -m stdioguard audit {path} | head -1"
    result = subprocess.run(["sh", "-c", words], capture_output=True, timeout=60, env=os.environ | {"PYTHONPATH": str(ROOT)})
    assert b"Traceback" not in result.stderr


def test_on_a_terminal_a_slow_audit_shows_how_far_it_is(tmp_path):
    for number in range(30):
        config(tmp_path / str(number))
    script = (
        "import sys, time\nfrom stdioguard.audit import engine\nfrom stdioguard.cli import audit\n"
        "read = engine.find.read_entries\nengine.find.read_entries = lambda place: (time.sleep(0.05), read(place))[1]\n"
        "audit.audit([sys.argv[1], '--format', 'json', '--fail-on', 'never'])"
    )
    master, slave = pty.openpty()
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TERM": "xterm"}
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, stderr=slave, env=environment
    )
    os.close(slave)
    out = process.communicate(timeout=60)[0]
    shown = b""
    while True:
        try:
            piece = os.read(master, 65536)
        except OSError:
            break
        shown += piece
    os.close(master)
    assert len(json.loads(out)["findings"]) >= 30
    assert b"reading" in shown
    assert b"%" in shown


def test_a_quick_audit_shows_no_bar_and_a_pipe_never_does(tmp_path):
    assert command(config(tmp_path)).stderr == b""
