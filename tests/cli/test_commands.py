"""The command line as a user meets it: one line for a mistake, a distinct exit code, no traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from stdioguard import __version__

STDIOGUARD = [sys.executable, "-P", "-m", "stdioguard"]


def run(home: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "STDIOGUARD_HOME": str(home), **more}
    return subprocess.run([*STDIOGUARD, *arguments], capture_output=True, text=True, env=environment, input="", timeout=60)


MISTAKES = [
    (["run"], 64, "no COMMAND"),
    (["run", "--"], 64, "no COMMAND"),
    (["run", "--", ""], 64, "no COMMAND"),
    (["run", "--profle", "x", "--", "true"], 64, "no such option: --profle"),
    (["run", "-p", "--", "true"], 64, "no such option: -p"),
    (["run", "--profile"], 64, "--profile needs a value"),
    (["run", "--profile=", "--", "true"], 64, "needs a value"),
    (["run", "--profile", "a", "--profile", "b", "true"], 64, "twice"),
    (["run", "--\x1b[2J", "true"], 64, "no such option"),
    (["run", "--profile", "defualt", "--", "true"], 78, 'did you mean "default"?'),
    (["run", "--profile", "/no/such.toml", "--", "true"], 78, "cannot be read: No such file"),
    (["run", "--profile", "/", "--", "true"], 78, "cannot be read"),
    (["run", "--", "no-such-program-anywhere"], 78, "it is in no folder of PATH"),
    (["run", "--", "/no/such/program"], 78, "it is not there"),
    (["run", "--", "/etc/passwd"], 78, "cannot run"),
    (["run", "--", "/tmp"], 78, "cannot run"),
    (["run", "--token-file", "/x", "--", "true"], 77, "the token file /x cannot be read"),
    (["profile", "show", "nothing"], 78, "no such profile"),
    (["profile", "check", "nothing"], 78, "no such profile"),
    (["profile", "check"], 64, "Missing argument"),
    (["profile", "bogus"], 64, "No such command"),
    (["bogus"], 64, "No such command"),
    (["--bogus"], 64, "No such option"),
]


@pytest.mark.parametrize(
    ("arguments", "code", "said"), MISTAKES, ids=lambda value: repr(value) if isinstance(value, list) else ""
)
def test_a_mistake_is_one_line_and_a_distinct_code(tmp_path: Path, arguments: list[str], code: int, said: str) -> None:
    done = run(tmp_path, *arguments)
    assert done.returncode == code
    assert said in done.stderr
    assert done.stderr.startswith(("stdioguard: ", "nothing: "))
    assert len(done.stderr.strip().splitlines()) == 1
    assert done.stderr.isprintable() or done.stderr.strip().isprintable()
    assert done.stdout == ""


@pytest.mark.parametrize(
    "broken", ["", "schema = 1", "\0", "schema = 1\nname = 'x'\ndescription = 'd'\n[tols]\n", "\ufeffschema = 1"]
)
def test_a_broken_profile_is_one_line(tmp_path: Path, broken: str) -> None:
    profile = tmp_path / "p.toml"
    profile.write_text(broken)
    for arguments in (
        ["run", "--profile", str(profile), "--", "true"],
        ["profile", "check", str(profile)],
        ["profile", "show", str(profile)],
    ):
        done = run(tmp_path, *arguments)
        assert done.returncode == 78
        assert str(profile) in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
    profile.write_bytes(b"\xff\xfe")
    assert "not UTF-8" in run(tmp_path, "profile", "check", str(profile)).stderr


def test_help_and_version_answer(tmp_path: Path) -> None:
    assert run(tmp_path, "--version").stdout.strip() == f"stdioguard {__version__}"
    assert "Usage: stdioguard run" in run(tmp_path, "run", "--help").stdout
    listing = run(tmp_path, "--help").stdout
    assert all(command in listing for command in ("run", "profile", "demo"))


def test_profiles_are_listed_shown_and_checked(tmp_path: Path) -> None:
    rows = json.loads(run(tmp_path, "profile", "list", "--format", "json").stdout)
    names = [row["name"] for row in rows]
    assert {"default", "filesystem", "git"} <= set(names)
    assert [line.split()[0] for line in run(tmp_path, "profile", "list").stdout.splitlines()] == names
    assert run(tmp_path, "profile", "check", *names).returncode == 0
    shown = json.loads(run(tmp_path, "profile", "show", "default", "--format", "json").stdout)
    assert shown["tools"]["default"] == "confirm"
    assert "schema = 1" in run(tmp_path, "profile", "show", "default").stdout
    results = json.loads(run(tmp_path, "profile", "check", "default", "nothing", "--format", "json").stdout)
    assert [row["ok"] for row in results] == [True, False]


def test_the_schema_is_json(tmp_path: Path) -> None:
    assert json.loads(run(tmp_path, "profile", "schema").stdout)["$schema"].startswith("https://json-schema.org/")


def test_an_unwritable_home_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run(tmp_path / "file" / "below", "run", "--", "true")
    assert done.returncode == 77
    assert len(done.stderr.strip().splitlines()) == 1


def test_run_refuses_a_system_that_it_does_not_know(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    from stdioguard.cli.run import main

    monkeypatch.setattr(sys, "platform", "win32")
    assert main(["--", "true"]) == 77
    assert capfd.readouterr().err == "stdioguard: run does not work on win32: it needs Linux or macOS\n"
