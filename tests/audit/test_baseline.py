"""A baseline accepts exactly what somebody has looked at."""

from __future__ import annotations

import json

import pytest

from stdioguard.audit import baseline
from stdioguard.audit.interface import Level
from tests.audit.audited import PINNED, SECRET, UNPINNED, config, finding, run, shown

LEAST = ("--fail-on", "info")


def test_what_is_accepted_counts_no_more_and_what_is_new_does(tmp_path):
    path, accepted = config(tmp_path), tmp_path / "baseline.json"
    assert run(path, *LEAST).exit_code == 1
    assert run(path, *LEAST, "--baseline", accepted, "--write-baseline").exit_code == 0
    after = run(path, *LEAST, "--baseline", accepted)
    assert after.exit_code == 0
    assert "1 accepted by the baseline" in after.output
    config(tmp_path, {"a": UNPINNED, "b": {"command": "npx", "args": ["-y", "other"]}})
    later = run(path, *LEAST, "--baseline", accepted)
    assert later.exit_code == 1
    assert "other" in later.output
    assert "server-everything" not in later.output


def test_another_package_under_an_accepted_name_is_new(tmp_path):
    path, accepted = config(tmp_path), tmp_path / "baseline.json"
    run(path, "--baseline", accepted, "--write-baseline")
    config(tmp_path, {"a": {"command": "npx", "args": ["-y", "evil"]}})
    assert run(path, *LEAST, "--baseline", accepted).exit_code == 1


def test_a_baseline_and_its_files_can_move_together(tmp_path):
    config(tmp_path / "one")
    run(tmp_path / "one", "--baseline", tmp_path / "one" / "b.json", "--write-baseline")
    (tmp_path / "one").rename(tmp_path / "two")
    assert run(tmp_path / "two", *LEAST, "--baseline", tmp_path / "two" / "b.json").exit_code == 0


def test_the_same_finding_in_another_file_is_new(tmp_path):
    path, accepted = config(tmp_path), tmp_path / "baseline.json"
    run(path, "--baseline", accepted, "--write-baseline")
    other = config(tmp_path / "other")
    assert run(other, *LEAST, "--baseline", accepted).exit_code == 1


def test_one_that_has_become_worse_is_new(tmp_path):
    path, accepted = config(tmp_path), str(tmp_path / "baseline.json")
    baseline.write(accepted, shown(path, [finding(path, severity=Level.LOW)]).located)
    known = baseline.read(accepted)
    for level, count in ((Level.INFO, 0), (Level.LOW, 0), (Level.MEDIUM, 1)):
        new, _, _ = baseline.parted(accepted, known, shown(path, [finding(path, severity=level)]).located)
        assert len(new) == count


def test_a_second_one_that_is_alike_is_new(tmp_path):
    path, accepted = config(tmp_path), str(tmp_path / "baseline.json")
    baseline.write(accepted, shown(path, [finding(path)]).located)
    new, known, _ = baseline.parted(
        accepted, baseline.read(accepted), shown(path, [finding(path), finding(path, span=(1, 2))]).located
    )
    assert (len(new), len(known)) == (1, 1)


def test_what_was_mended_is_told(tmp_path):
    path, accepted = config(tmp_path), tmp_path / "baseline.json"
    run(path, "--baseline", accepted, "--write-baseline")
    config(tmp_path, {"a": PINNED})
    assert "1 findings that" in run(path, "--baseline", accepted).output


def test_it_can_be_read_in_a_review_and_holds_no_secret(tmp_path):
    path = config(tmp_path, {"a": UNPINNED | {"env": {"TOKEN": SECRET}}, "b": UNPINNED})
    accepted = tmp_path / "baseline.json"
    run(path, "--level", "info", "--baseline", accepted, "--write-baseline")
    text = accepted.read_text()
    assert SECRET not in text
    findings = json.loads(text)["findings"]
    assert {one["file"] for one in findings} == {".mcp.json"}
    assert sum(line.startswith("  {") for line in text.splitlines()) == len(findings) > 1
    assert accepted.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", '{"version": 2, "findings": []}', '{"version": 1, "findings": [{"file": 1}]}', '{"version": 1}', "[" * 100_000,
     '{"version": 1, "findings": [{"file": "a", "fingerprint": "b", "severity": "worse"}]}', '{"version": [], "findings": []}', "\udcff"],
)  # fmt: skip
def test_a_baseline_that_is_none_ends_the_audit_in_one_line(tmp_path, text):
    path, accepted = config(tmp_path), tmp_path / "baseline.json"
    accepted.write_bytes(text.encode("utf-8", "surrogateescape"))
    result = run(path, "--baseline", accepted)
    assert result.exit_code == 78
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1
    assert "--write-baseline" in result.stderr


def test_a_baseline_that_is_not_there_or_cannot_be_written_is_one_line(tmp_path):
    path = config(tmp_path)
    for words in (("--baseline", tmp_path / "none.json"), ("--baseline", tmp_path / "no" / "b.json", "--write-baseline")):
        result = run(path, *words)
        assert (result.exit_code, len(result.stderr.splitlines())) == (78, 1)
    assert list(tmp_path.glob(".stdioguard-*")) == []


def test_writing_without_a_file_is_a_mistake_of_use(tmp_path):
    assert "--baseline" in run(config(tmp_path), "--write-baseline").stderr
