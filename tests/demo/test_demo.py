"""`stdioguard demo`, run as a user runs it: the attacks work bare, none does guarded, and a wrong profile shows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import psutil
import pytest

from stdioguard.demo import scenario

if TYPE_CHECKING:
    from pathlib import Path

# `demo` itself has no option for another profile; this is its printing with one.
WITH_PROFILE = (
    "import sys; from pathlib import Path; from stdioguard.cli.demo import main; sys.exit(main('json', Path(sys.argv[1])))"
)


@pytest.fixture
def place(tmp_path):
    for name in ("home", "scratch"):
        (tmp_path / name).mkdir()
    return tmp_path


def python(place: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "STDIOGUARD_HOME" and not name.startswith("XDG_")}
    environment |= {"HOME": str(place / "home"), "TMPDIR": str(place / "scratch")}
    return subprocess.run(
        [sys.executable, "-P", *arguments], cwd=place, env=environment, capture_output=True, text=True, timeout=100, check=False
    )


def outcome(done: subprocess.CompletedProcess[str]) -> dict:
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


def test_every_attack_works_bare_and_none_guarded(place):
    done = python(place, "-m", "stdioguard", "demo", "--format", "json")
    report = outcome(done)
    assert done.returncode == 0, report
    assert report["ok"] is True
    assert {row["id"]: (row["bare"], row["guarded"]) for row in report["rows"]} == {
        "allowed": ("answered", "answered"),
        "hidden": ("listed, hands out notes", "not listed, refused"),
        "declined": ("nobody asked, deleted", "asked, note kept"),
        "approved": ("nobody asked, deleted", "asked, deleted"),
        "smuggled": ("deleted", "note kept"),
        "doubled": ("deleted", "note kept"),
        "secret": ("server sends it back", "server does not have it"),
    }
    assert all(row["ok"] for row in report["rows"])
    assert report["record"]["decisions"] > report["record"]["refusals"] >= 4
    assert done.stderr == ""


def test_the_table_is_plain_and_nothing_is_left_behind(place):
    done = python(place, "-m", "stdioguard", "demo")
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()
    head, table, (blank, record, then) = lines[0], lines[2:9], lines[9:]
    assert head.split() == ["what", "was", "tried", "bare", "guarded"]
    for column in (head.index("bare"), head.index("guarded")):
        assert all(line[column - 2 : column] == "  " and line[column] != " " for line in table)
    assert "\x1b" not in done.stdout
    assert blank == ""
    assert record.startswith("Record: ")
    assert str(place / "home") in record
    assert then.startswith("Next: ")
    assert [path for path in place.rglob("*") if path.name not in ("home", "scratch")] == []
    scratch = str(place / "scratch")
    assert [process for process in psutil.process_iter(["cmdline"]) if scratch in " ".join(process.info["cmdline"] or [])] == []


TOO_MUCH = {
    'default = "deny"': 'default = "allow"',
    "environment = []": 'environment = ["DEMO_API_KEY"]',
    'delete_note = { action = "confirm"': 'delete_note = { action = "allow"',
}
TOO_LITTLE = {'delete_note = { action = "confirm"': 'delete_note = { action = "deny"'}


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        (
            TOO_MUCH,
            {
                "hidden": "listed, hands out notes",
                "declined": "nobody asked, deleted",
                "approved": "nobody asked, deleted",
                "secret": "server sends it back",
            },
        ),
        (TOO_LITTLE, {"declined": "nobody asked, note kept", "approved": "nobody asked, note kept"}),
    ],
    ids=["too-much", "too-little"],
)
def test_a_profile_that_grants_too_much_or_too_little_fails_the_demo(place, changes, wrong):
    done = python(place, "-c", WITH_PROFILE, str(changed(place, changes)))
    report = outcome(done)
    assert (done.returncode, report["ok"]) == (1, False)
    # What is malformed stays refused, whatever a profile grants.
    assert {row["id"]: row["guarded"] for row in report["rows"] if not row["ok"]} == wrong


def test_a_guarded_server_that_answers_nothing_is_no_success(place):
    done = python(
        place, "-c", WITH_PROFILE, str(changed(place, {'read_note = { action = "allow"': 'read_note = { action = "deny"'}))
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("stdioguard: demo: the guarded session failed: ")
    assert len(done.stderr.splitlines()) == 1


def changed(place: Path, changes: dict[str, str]) -> Path:
    text = scenario.PROFILE.read_text(encoding="utf-8")
    for before, after in changes.items():
        assert text.count(before) == 1
        text = text.replace(before, after)
    profile = place / "scratch" / "changed.toml"
    profile.write_text(text, encoding="utf-8")
    return profile


def test_a_guard_that_does_not_start_is_one_line_with_its_reason(place):
    profile = place / "scratch" / "broken.toml"
    profile.write_text("schema = 1\nname = 'demo'\ndescription = 'x'\ntols = {}\n", encoding="utf-8")
    done = python(place, "-c", WITH_PROFILE, str(profile))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("stdioguard: demo: the guarded session failed: ")
    assert 'did you mean "tools"?' in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_smuggled_call_is_inside_one_valid_notification():
    line = scenario.smuggled("travel")
    assert "\n" not in line
    message = json.loads(line)
    assert (message["jsonrpc"], message["method"], "id" in message) == ("2.0", "notifications/roots/list_changed", False)
    call = json.loads(line.split("\r")[1])
    assert (call["method"], call["params"]) == ("tools/call", {"name": "delete_note", "arguments": {"name": "travel"}})
    assert message["params"]["_meta"]["x"] == call


def test_a_bare_control_that_fails_fails_the_demo():
    wanted = [scenario.Row(id_, tried, *expected, *expected) for id_, tried, *expected in scenario._ROWS]
    assert scenario.Report(wanted, decisions=20, refusals=scenario.REFUSALS).ok
    for index, (id_, tried, *expected) in enumerate(scenario._ROWS):
        rows = list(wanted)
        rows[index] = scenario.Row(id_, tried, "not what was expected", expected[1], *expected)
        assert not scenario.Report(rows, decisions=20, refusals=scenario.REFUSALS).ok
    assert not scenario.Report(wanted, decisions=20, refusals=scenario.REFUSALS - 1).ok


def test_the_profile_of_the_demo_is_right(place):
    done = python(place, "-m", "stdioguard", "profile", "check", str(scenario.PROFILE))
    assert (done.returncode, done.stderr) == (0, "")
