"""Ignores: what they hide, when they end, and what they cannot hide."""

from __future__ import annotations

import datetime as dt
import json
import os

import pytest

from stdioguard.audit import ignores
from tests.audit.audited import UNPINNED, config, found, run, shown

DAY = dt.date(2026, 6, 15)
GOOD = "stdioguard: ignore[unpinned-package] until 2026-12-31 because the lock file pins it"
ENTRY = '"a": {"command": "npx", "args": ["-y", "pkg"]}'


def sort(path, day=DAY):
    """Return the rules of what is kept and of what is ignored, that of the guard left out."""
    given = shown(path)
    parts = ignores.apply(given.report, given.located, today=day)
    return [
        sorted(one.finding.rule for one in part if one.finding.rule != "unguarded-server") for part in (parts.kept, parts.ignored)
    ]


def written(tmp_path, text, name="mcp.json"):
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


PLACES = {
    "the line above": f'{{ "mcpServers": {{\n// {GOOD}\n{ENTRY}\n}} }}',
    "the same line": f'{{ "mcpServers": {{\n{ENTRY} // {GOOD}\n}} }}',
    "a block comment": f'{{ "mcpServers": {{\n/* {GOOD} */\n{ENTRY}\n}} }}',
    "above the entry of a longer one": f'{{ "mcpServers": {{\n// {GOOD}\n"a": {{\n"command": "npx",\n"args": ["-y",\n"pkg"]}}\n}} }}',
    "above the very word": f'{{ "mcpServers": {{\n"a": {{\n"command": "npx",\n"args": ["-y",\n// {GOOD}\n"pkg"]}}\n}} }}',
    "two above each other": f'{{ "mcpServers": {{\n// {GOOD}\n// stdioguard: ignore[other] until 2026-12-31 because x\n{ENTRY}\n}} }}',
    "several rules": f'{{ "mcpServers": {{\n// {GOOD.replace("[", "[other, ")}\n{ENTRY}\n}} }}',
}


@pytest.mark.parametrize("place", PLACES)
def test_a_comment_hides_what_is_on_its_line_below_it_or_in_the_entry_below(tmp_path, place):
    kept, ignored = sort(written(tmp_path, PLACES[place]))
    assert ignored == ["unpinned-package"]
    assert [rule for rule in kept if rule != "unused-ignore"] == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("config.toml", f'# {GOOD}\n[mcp_servers.a]\ncommand = "npx"\nargs = ["-y", "pkg"]\n'),
        ("config.toml", f'[mcp_servers.a]\ncommand = "npx"\nargs = ["-y", "pkg"] # {GOOD}\n'),
        ("config.yaml", f"mcpServers:\n  # {GOOD}\n  - name: a\n    command: npx\n    args: [-y, pkg]\n"),
        ("config.yaml", f"mcpServers:\n  - name: a\n    command: npx\n    args: [-y, pkg]  # {GOOD}\n"),
    ],
)
def test_comments_of_toml_and_yaml_count_too(tmp_path, name, text):
    name = f".codex/{name}" if name.endswith("toml") else f".continue/{name}"
    assert sort(written(tmp_path, text, name))[1] == ["unpinned-package"]


NO_COMMENTS = {
    "another rule": f'{{ "mcpServers": {{\n// {GOOD.replace("unpinned-package", "other")}\n{ENTRY}\n}} }}',
    "two lines above": f'{{ "mcpServers": {{\n// {GOOD}\n\n{ENTRY}\n}} }}',
    "behind the line above": f'{{ "mcpServers": {{ // {GOOD}\n{ENTRY}\n}} }}',
    "a value of the configuration": f'{{ "x": "\\n// {GOOD}", "mcpServers": {{\n{ENTRY}\n}} }}',
    "an argument": f'{{ "mcpServers": {{\n"a": {{"command": "npx", "args": ["-y", "pkg", "// {GOOD}"]}}\n}} }}',
    "a key": f'{{ "mcpServers": {{\n"// {GOOD}": {{"command": "npx", "args": ["-y", "pkg"]}}\n}} }}',
}


@pytest.mark.parametrize("case", NO_COMMENTS)
def test_what_is_no_comment_or_somewhere_else_hides_nothing(tmp_path, case):
    kept, ignored = sort(written(tmp_path, NO_COMMENTS[case]))
    assert ignored == []
    assert "unpinned-package" in kept


def test_a_value_that_looks_like_a_comment_does_not_hide_the_comment_behind_it(tmp_path):
    text = f'{{ "mcpServers": {{\n"a": {{"command": "npx", "args": ["-y", "pkg", "// stdioguard: ignore[x]"]}} // {GOOD}\n}} }}'
    assert sort(written(tmp_path, text)) == [[], ["unpinned-package"]]


@pytest.mark.parametrize(
    "said",
    ["", "[]", "[unpinned-package]", "[unpinned-package] until 2026-12-31", "[unpinned-package] until 2026-12-31 because",
     "[unpinned-package] because it is", "[unpinned-package] until soon because it is", "[unpinned-package] until 2026-13-41 because it is",
     "[*] until 2026-12-31 because it is", "[unpinned_package;] until 2026-12-31 because it is", " unpinned-package until 2026-12-31 because it is"],
)  # fmt: skip
def test_an_ignore_without_a_rule_a_day_or_a_reason_is_a_finding_and_hides_nothing(tmp_path, said):
    path = written(tmp_path, f'{{ "mcpServers": {{\n// stdioguard: ignore{said}\n{ENTRY}\n}} }}')
    assert sort(path) == [["invalid-ignore", "unpinned-package"], []]


def test_on_its_last_day_an_ignore_still_holds_and_on_the_next_it_is_told(tmp_path):
    path = written(tmp_path, PLACES["the line above"])
    assert sort(path, dt.date(2026, 12, 31)) == [[], ["unpinned-package"]]
    assert sort(path, dt.date(2027, 1, 1)) == [["expired-ignore", "unpinned-package"], []]


def test_an_ignore_about_nothing_is_told_at_the_lowest_level(tmp_path):
    path = written(tmp_path, f'{{ "mcpServers": {{\n// {GOOD}\n"a": {{"command": "npx", "args": ["-y", "pkg@1.0.0"]}}\n}} }}')
    assert [(one["rule"], one["severity"], one["line"]) for one in found(path, rule="unused-ignore")] == [
        ("unused-ignore", "info", 2)
    ]


# Files


def ignore_file(folder, *tables, **values):
    given = {"rule": "unpinned-package", "until": dt.date(2026, 12, 31), "reason": "looked at"} | values
    lines = [
        f"{key} = {value if isinstance(value, dt.date) else json.dumps(value)}"
        for key, value in given.items()
        if value is not None
    ]
    path = folder / ignores.FILE
    path.write_text("\n".join(["[[ignore]]", *lines, *tables]) + "\n")
    return path


def test_a_file_beside_the_configuration_hides(tmp_path):
    path = config(tmp_path)
    ignore_file(tmp_path)
    assert sort(path) == [[], ["unpinned-package"]]


def test_a_file_above_hides_up_to_the_top_of_the_repository_and_no_further(tmp_path):
    path = config(tmp_path / "repository" / "sub")
    ignore_file(tmp_path)
    assert sort(path)[1] == ["unpinned-package"]
    (tmp_path / "repository" / ".git").mkdir()
    assert sort(path)[1] == []
    ignore_file(tmp_path / "repository")
    assert sort(path)[1] == ["unpinned-package"]


@pytest.mark.parametrize(
    ("values", "count"),
    [
        ({"file": "sub/.mcp.json"}, 1), ({"file": "**/.mcp.json"}, 1), ({"file": "other/.mcp.json"}, 0), ({"entry": "a"}, 1), ({"entry": "b"}, 0),
        ({"file": "sub/*", "entry": "a"}, 1), ({"rule": ["x", "unpinned-package"]}, 1), ({"rule": "x"}, 0), ({"until": "2026-12-31"}, 1),
    ],
)  # fmt: skip
def test_a_table_is_about_the_file_and_entry_that_it_names(tmp_path, values, count):
    path = config(tmp_path / "sub")
    ignore_file(tmp_path, **values)
    assert len(sort(path)[1]) == count


@pytest.mark.parametrize(
    "values",
    [{"reason": None}, {"reason": " "}, {"until": None}, {"until": "later"}, {"rule": None}, {"rule": []}, {"rule": "*"}, {"file": 1}, {"entry": 1}, {"entires": "a"}],
)  # fmt: skip
def test_a_table_without_what_it_needs_or_with_an_unknown_key_is_a_finding_and_hides_nothing(tmp_path, values):
    path = config(tmp_path)
    ignore_file(tmp_path, **values)
    assert sort(path) == [["invalid-ignore", "unpinned-package"], []]


@pytest.mark.parametrize("text", ["[[ignore", "ignore = 1", "ignore = [1]", "\x00", "a = " + "[" * 10_000, "#" * 300_000])
def test_an_ignore_file_that_cannot_be_read_is_a_finding(tmp_path, text):
    path = config(tmp_path)
    (tmp_path / ignores.FILE).write_text(text)
    assert sort(path) == [["invalid-ignore", "unpinned-package"], []]


def test_an_ignore_file_that_is_a_pipe_a_folder_or_a_dangling_link_is_a_finding(tmp_path):
    for number, make in enumerate((os.mkfifo, os.mkdir, lambda path: os.symlink("nowhere", path))):
        path = config(tmp_path / str(number))
        make(path.parent / ignores.FILE)
        assert sort(path) == [["invalid-ignore", "unpinned-package"], []]


def test_an_ignore_file_that_others_can_write_to_hides_nothing(tmp_path):
    path = config(tmp_path)
    ignore_file(tmp_path).chmod(0o666)
    assert sort(path) == [["invalid-ignore", "unpinned-package"], []]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can make another user's file")
def test_an_ignore_file_of_another_user_hides_nothing(tmp_path):
    path = config(tmp_path)
    os.chown(ignore_file(tmp_path), 65534, 65534)
    assert sort(path) == [["invalid-ignore", "unpinned-package"], []]


def test_one_file_that_is_about_many_configurations_is_told_once(tmp_path):
    for name in "abc":
        config(tmp_path / name, {"a": UNPINNED})
    ignore_file(tmp_path, until=dt.date(2020, 1, 1))
    given = [one["rule"] for one in found(tmp_path) if one["rule"].endswith("ignore")]
    assert given == ["expired-ignore"]


# The command


def test_the_command_counts_what_is_ignored_and_can_heed_nothing(tmp_path):
    path = written(tmp_path, PLACES["the line above"].replace("2026", "2999"))
    assert "1 ignored" in run(path).output
    assert run(path, "--fail-on", "low").exit_code == 0
    assert run(path, "--fail-on", "low", "--no-ignores").exit_code == 1


def test_every_ignore_rule_has_a_page_whose_examples_are_so(tmp_path):
    import re

    from stdioguard.audit import pages

    for rule in ignores.RULES:
        for section, wanted in (("Bad", True), ("Good", False)):
            block = re.search(r"```jsonc\n(.*?)```", pages.section(rule.slug, section), re.DOTALL)[1]
            path = written(tmp_path, block, f"{rule.slug}-{section}/mcp.json")
            assert bool(found(path, rule=rule.slug)) is wanted, (rule.slug, section)
        for section in ("What", "Why", "Fix", "Mapping"):
            assert pages.section(rule.slug, section)
