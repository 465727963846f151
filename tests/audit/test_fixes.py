"""`--fix`: what it shows, what it asks, what it changes, and what it keeps its hands off."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import stat
import subprocess
import sys
import time

import pytest

from stdioguard.audit import engine, fixes, targets
from stdioguard.audit.interface import Fix
from stdioguard.audit.machine import Machine
from stdioguard.audit.reporters.interface import located
from tests.audit.audited import PINNED, ROOT, SECRET, UNPINNED, config, finding, run

ARGS = ("mcpServers", "a", "args", 1)
PIN = Fix("pin it", "edit", edits=((ARGS, PINNED["args"][1]),))


def planned(path, *given):
    report = engine.audit(targets.of([str(path)]), Machine(is_here=False), rules=[])
    report.findings = list(given)
    return fixes.plan(report, located(report, report.findings))


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


# Values


def test_a_value_is_changed_and_every_other_byte_stays(tmp_path):
    path = tmp_path / "mcp.json"
    text = '{\r\n\t// mine\r\n\t"mcpServers": {"a": {"command": "npx", "args": ["-y",  "pkg",], "x": 1}},\r\n}'
    path.write_bytes(text.encode())
    steps = planned(path, finding(path, entry="a", fix=Fix("pin it", "edit", edits=((ARGS, "pkg@1.0.0"),))))
    fixes.carry_out(steps)
    assert path.read_bytes() == text.replace('"pkg"', '"pkg@1.0.0"').encode()
    assert [step.problem for step in steps] == [""]
    assert "a: pin it" in steps[0].title


def test_planning_changes_nothing_and_the_diff_says_what_would(tmp_path):
    path = config(tmp_path)
    before = path.read_bytes()
    (step,) = planned(path, finding(path, fix=PIN))
    assert path.read_bytes() == before
    assert '+        "@modelcontextprotocol/server-everything@2026.1.14"' in step.diff


def test_a_file_that_was_written_meanwhile_is_left_as_it_is(tmp_path):
    path = config(tmp_path)
    steps = planned(path, finding(path, fix=PIN))
    config(tmp_path, {"a": UNPINNED, "new": UNPINNED})
    before = path.read_bytes()
    fixes.carry_out(steps)
    assert path.read_bytes() == before
    assert "changed meanwhile" in steps[0].problem


def test_what_fails_keeps_no_other_change_back(tmp_path):
    one, two = config(tmp_path / "one"), config(tmp_path / "two")
    steps = planned(tmp_path, finding(one, fix=PIN), finding(two, fix=PIN))
    one.unlink()
    fixes.carry_out(steps)
    assert [bool(step.problem) for step in steps] == [True, False]
    assert "2026.1.14" in two.read_text()


def test_two_fixes_that_want_different_things_of_one_place_are_not_both_made(tmp_path):
    path = config(tmp_path)
    other = Fix("other", "edit", edits=((("mcpServers", "a", "args"), []),))
    (step,) = planned(path, finding(path, fix=PIN), finding(path, message="n", fix=other))
    assert [one.finding.fix.title for one in step.settles] == ["pin it"]


def test_a_value_that_cannot_be_set_is_told_and_the_others_are(tmp_path):
    path = config(tmp_path)
    broken = Fix("odd", "edit", edits=((("mcpServers", "a", "command", "x"), 1),))
    steps = planned(path, finding(path, fix=PIN), finding(path, message="n", fix=broken))
    assert [bool(step.problem) for step in steps] == [True, False]


def test_neither_the_diff_nor_the_backup_has_a_secret(tmp_path, home):
    path = config(tmp_path, {"a": {"command": "npx", "args": ["-y", "x", "--api-key", SECRET], "env": {"TOKEN": SECRET}}})
    steps = planned(path, finding(path, fix=Fix("pin it", "edit", edits=((ARGS, "x@1.0.0"),))))
    fixes.carry_out(steps)
    assert steps[0].problem == ""
    assert SECRET not in steps[0].diff
    assert SECRET in path.read_text()
    kept = [one.read_text() for one in home.rglob("*") if one.is_file()]
    assert any("[secret]" in text for text in kept)
    assert not any(SECRET in text for text in kept)


# Rights


def chmod(path, keep=0o600):
    return finding(path, rule="open-file", fix=Fix("take the rights of others", "chmod", target=str(path), mode=keep))


@pytest.mark.parametrize(
    ("before", "keep", "after"), [(0o644, 0o600, 0o600), (0o666, 0o755, 0o644), (0o400, 0o700, 0o400), (0o4755, 0o755, 0o755)]
)
def test_rights_are_taken_and_never_given(tmp_path, before, keep, after):
    path = config(tmp_path)
    path.chmod(before)
    steps = planned(path, chmod(path, keep))
    assert mode(path) == before
    fixes.carry_out(steps)
    assert (mode(path), steps[0].problem) == (after, "")


def test_rights_of_a_folder_can_be_taken(tmp_path):
    path = config(tmp_path / "inner")
    path.parent.chmod(0o777)
    fixes.carry_out(planned(path, chmod(path.parent, 0o755)))
    assert mode(path.parent) == 0o755


def test_a_link_is_never_followed_not_even_one_that_appears_meanwhile(tmp_path):
    path, victim = config(tmp_path / "a" / "b"), tmp_path / "victim"
    victim.write_text("")
    victim.chmod(0o644)
    link = tmp_path / "link"
    link.symlink_to(victim)
    steps = planned(path, chmod(link))
    fixes.carry_out(steps)
    assert (mode(victim), bool(steps[0].problem)) == (0o644, True)


def test_a_folder_that_becomes_a_link_while_it_is_opened_stops_it(tmp_path):
    victim = tmp_path / "victim"
    victim.mkdir()
    (tmp_path / "folder").symlink_to(victim)
    with pytest.raises(fixes.FixError, match="link"):
        fixes._folder(str(tmp_path / "folder"))


def test_pipes_and_devices_keep_their_rights(tmp_path):
    path = config(tmp_path)
    os.mkfifo(tmp_path / "pipe", 0o644)
    steps = planned(path, chmod(tmp_path / "pipe"))
    fixes.carry_out(steps)
    assert (mode(tmp_path / "pipe"), "no file" in steps[0].problem) == (0o644, True)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can make another user's file")
def test_root_does_not_change_the_rights_of_what_belongs_to_others(tmp_path):
    path = config(tmp_path)
    path.chmod(0o644)
    os.chown(path, 65534, 65534)
    steps = planned(path, chmod(path))
    fixes.carry_out(steps)
    assert (mode(path), "65534" in steps[0].problem) == (0o644, True)


def test_what_is_gone_is_told(tmp_path):
    path = config(tmp_path)
    assert "No such file" in planned(path, chmod(tmp_path / "gone"))[0].problem


# The guard


def wrap(path, entry="a", kind="wrap"):
    return finding(path, rule="unguarded-server", entry=entry, fix=Fix("put stdioguard in front of it", kind))


@pytest.mark.parametrize("kind", ["wrap", "secret"])
def test_the_guard_is_put_in_front_of_that_entry_alone(tmp_path, home, kind):
    path = config(tmp_path, {"a": UNPINNED | {"env": {"GITHUB_TOKEN": SECRET}}, "b": UNPINNED}, ".cursor/mcp.json")
    steps = planned(path, wrap(path, kind=kind))
    assert "stdioguard" not in path.read_text()
    fixes.carry_out(steps)
    servers = json.loads(path.read_text())["mcpServers"]
    assert [step.problem for step in steps] == [""]
    assert servers["a"]["args"][0] == "run"
    assert servers["a"]["env"]["GITHUB_TOKEN"].startswith("secret:")
    assert servers["b"] == UNPINNED
    assert SECRET not in steps[0].diff


def test_a_pin_and_a_guard_in_one_file_are_both_made(tmp_path):
    path = config(tmp_path, name=".cursor/mcp.json")
    steps = planned(path, finding(path, entry="a", fix=PIN), wrap(path))
    fixes.carry_out(steps)
    words = json.loads(path.read_text())["mcpServers"]["a"]["args"]
    assert [step.problem for step in steps] == ["", ""]
    assert words[-1] == PINNED["args"][1]
    assert "--" in words


# The command


def bare(path, *words):
    return run(path, "--level", "info", "--fix", *words)


def test_a_dry_run_shows_and_changes_nothing(tmp_path, home):
    path = config(tmp_path, name=".cursor/mcp.json")
    path.write_text(path.read_text())
    user = json.loads(path.read_text())
    result = bare(path, "--dry-run")
    assert '+      "command": "' in result.stderr
    assert json.loads(path.read_text()) == user
    assert list(home.rglob("*")) == []


def test_with_yes_it_is_done_and_settled_findings_count_no_more(tmp_path):
    path = config(tmp_path, {"a": PINNED}, ".cursor/mcp.json")
    result = bare(path, "--yes", "--fail-on", "info")
    assert '"run"' in path.read_text()
    assert "settled" in result.stderr


def test_the_result_is_not_mixed_with_the_changes(tmp_path):
    path = config(tmp_path, name=".cursor/mcp.json")
    assert json.loads(bare(path, "--yes", "--format", "json").stdout)["entries"] == 1


def test_where_nobody_can_be_asked_nothing_is_done(tmp_path):
    path = config(tmp_path, name=".cursor/mcp.json")
    before = path.read_bytes()
    result = run(path, "--fix")
    assert result.exit_code == 2  # 64 in the program itself
    assert "--dry-run or --yes" in result.stderr
    assert path.read_bytes() == before


def test_options_of_fix_without_it_are_a_mistake(tmp_path):
    assert run(config(tmp_path), "--yes").exit_code == run(config(tmp_path), "--dry-run").exit_code == 2


@pytest.mark.parametrize(
    ("answer", "is_changed"), [(b"y\n", True), (b"n\n", False), (b"\n", False), (b"\x03", False), (b"\x04", False)]
)
def test_a_person_is_asked_and_only_yes_is_a_yes(tmp_path, home, answer, is_changed):
    path = config(tmp_path, {"a": PINNED}, ".cursor/mcp.json")
    words = [sys.executable, "-m", "stdioguard", "audit", str(path), "--level", "info", "--fix"]
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "HOME": str(home),
        "STDIOGUARD_HOME": str(home / "s"),
        "TERM": "xterm",
    }
    master, slave = pty.openpty()
    process = subprocess.Popen(
        words, stdin=slave, stdout=slave, stderr=slave, env=environment, start_new_session=True, preexec_fn=_own_terminal
    )
    os.close(slave)
    said, end = b"", time.monotonic() + 60
    while b"? [y/N]" not in said and time.monotonic() < end:
        if select.select([master], [], [], 0.2)[0]:
            said += os.read(master, 65536)
    assert b"make 1 change? [y/N]" in said, said
    os.write(master, answer)
    while process.poll() is None and time.monotonic() < end:
        if select.select([master], [], [], 0.1)[0]:
            try:
                os.read(master, 65536)
            except OSError:
                break
        elif answer == b"\x03":
            os.write(master, answer)  # Python loses a signal that comes in the moment before it waits for a line
    process.wait(10)
    os.close(master)
    assert ('"run"' in path.read_text()) is is_changed


def _own_terminal():
    import fcntl
    import termios

    signal.signal(signal.SIGINT, signal.SIG_DFL)  # ignored where the tests run in the background of a script (POSIX, sh, 2.11)
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
