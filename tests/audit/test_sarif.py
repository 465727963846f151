"""SARIF: it is valid, its places are right, and what tells a finding apart stays when lines move."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from stdioguard.audit import pages, reporters
from stdioguard.audit.interface import Level
from stdioguard.audit.rules import RULES
from tests.audit.audited import CONFIGS, HOSTILE, ROOT, UNPINNED, config, finding, run, shown

SCHEMA = jsonschema.Draft4Validator(json.loads((ROOT / "tests" / "data" / "sarif-2.1.0.json").read_text()))


def sarif(shown_):
    log = json.loads(reporters.report("sarif", shown_))
    SCHEMA.validate(log)
    return log["runs"][0]


def test_the_schema_finds_a_mistake():
    assert not SCHEMA.is_valid({"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "x"}}, "results": [{"ruleId": "r"}]}]})


@pytest.mark.skipif(not CONFIGS.is_dir(), reason="the configurations to try rules on are not here")
def test_what_is_found_in_real_configurations_is_valid():
    log = json.loads(run(CONFIGS, "--format", "sarif", "--level", "info", "--confidence", "info", "--fail-on", "never").stdout)
    SCHEMA.validate(log)
    assert len(log["runs"][0]["results"]) > 100


def test_every_rule_is_described_validly(tmp_path):
    path = config(tmp_path)
    log = sarif(shown(path, [finding(path, rule=rule.slug, message=rule.slug) for rule in RULES]))
    described = log["tool"]["driver"]["rules"]
    assert [one["id"] for one in described] == sorted(rule.slug for rule in RULES)
    for one in described:
        rule = next(rule for rule in RULES if rule.slug == one["id"])
        assert f"external/cwe/cwe-{rule.cwe:03}" in one["properties"]["tags"]
        assert 0 < float(one["properties"]["security-severity"]) < 10
    for result in log["results"]:
        assert described[result["ruleIndex"]]["id"] == result["ruleId"]


@pytest.mark.parametrize("slug", ["invalid-ignore", "expired-ignore", "unused-ignore"])
def test_the_help_of_a_rule_is_its_page(tmp_path, slug):
    path = config(tmp_path)
    text = sarif(shown(path, [finding(path, rule=slug)]))["tool"]["driver"]["rules"][0]
    assert text["help"]["markdown"] == pages.page(slug)
    assert "ignore" in text["fullDescription"]["text"] or text["fullDescription"]["text"]
    assert "```" not in text["help"]["text"]


def test_a_rule_that_nobody_knows_is_valid_too(tmp_path):
    path = config(tmp_path)
    assert sarif(shown(path, [finding(path, rule="rule-failed")]))["results"][0]["ruleId"] == "rule-failed"


def test_there_is_no_page_outside_of_the_pages():
    assert pages.page("../architecture") == ""
    assert pages.page("invalid-ignore")


def test_a_file_below_the_working_directory_is_named_from_there_on(tmp_path, monkeypatch):
    path = config(tmp_path / "a b")
    monkeypatch.chdir(tmp_path)
    run_ = sarif(shown(path, [finding(path)]))
    assert run_["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"] == {
        "uri": "a%20b/.mcp.json",
        "uriBaseId": "SRCROOT",
        "index": 0,
    }
    assert run_["originalUriBaseIds"]["SRCROOT"]["uri"] == tmp_path.as_uri() + "/"


def test_another_file_is_named_by_its_whole_path(tmp_path, monkeypatch):
    path = config(tmp_path / "ü#%")
    monkeypatch.chdir(ROOT)
    location = sarif(shown(path, [finding(path)]))["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]
    assert location["uri"] == path.as_uri()


def test_offsets_and_columns_are_those_of_the_text(tmp_path):
    path = tmp_path / "mcp.json"
    text = '\ufeff{"mcpServers": {\r\n "ü😀": {"command": "npx", "env": {"É": "é"}, "args": ["-y", "some-pkg"]}}}'
    path.write_text(text, newline="")
    results = json.loads(run(path, "--format", "sarif").stdout)["runs"][0]["results"]
    region = next(one for one in results if one["ruleId"] == "unpinned-package")["locations"][0]["physicalLocation"]["region"]
    shown_ = text.removeprefix("\ufeff")[region["charOffset"] : region["charOffset"] + region["charLength"]]
    assert shown_ == '"some-pkg"'
    assert region["startLine"] == 2
    assert text.split("\r\n")[1][region["startColumn"] - 1 : region["endColumn"] - 1] == '"some-pkg"'


def marks(path):
    results = json.loads(run(path, "--format", "sarif", "--level", "info").stdout)["runs"][0]["results"]
    return {(one["ruleId"], one["properties"]["server"]): one["partialFingerprints"]["stdioguard/v1"] for one in results}


def test_a_fingerprint_stays_when_lines_and_arguments_move_and_the_file_is_reformatted(tmp_path):
    path = config(tmp_path, {"a": UNPINNED})
    before = marks(path)
    servers = {"b": {"command": "node", "args": ["/x.js"]}, "a": UNPINNED | {"args": ["--quiet", *UNPINNED["args"]]}}
    path.write_text("\n\n" + json.dumps({"x": 1, "mcpServers": servers}, indent=7))
    after = marks(path)
    assert before[("unpinned-package", "a")] == after[("unpinned-package", "a")]


def test_a_fingerprint_changes_with_what_is_started(tmp_path):
    path = config(tmp_path, {"a": UNPINNED})
    before = marks(path)
    config(tmp_path, {"a": {"command": "npx", "args": ["-y", "another-package"]}})
    assert before[("unpinned-package", "a")] != marks(path)[("unpinned-package", "a")]


def test_two_alike_in_one_file_have_different_fingerprints(tmp_path):
    path = config(tmp_path)
    same = [finding(path, path=("mcpServers", "a", "args", number)) for number in (0, 1)]
    found = [one["partialFingerprints"]["stdioguard/v1"] for one in sarif(shown(path, same))["results"]]
    assert len(set(found)) == 2


def test_text_that_looks_like_a_link_is_none(tmp_path):
    path = config(tmp_path)
    message = sarif(shown(path, [finding(path, message="see [this](1) and [x](http://x)")]))["results"][0]["message"]["text"]
    assert message.startswith(r"see \[this](1) and \[x](http://x).")


@pytest.mark.parametrize("level", list(Level))
def test_hostile_names_and_every_level_are_valid(tmp_path, level):
    path = config(tmp_path, {HOSTILE: UNPINNED})
    sarif(
        shown(
            path,
            [finding(path, severity=level, entry=HOSTILE, path=("mcpServers", HOSTILE)), finding(file="", message="the machine")],
        )
    )


def test_what_could_not_be_read_is_told(tmp_path):
    path = Path(tmp_path / "mcp.json")
    path.write_text("{")
    log = json.loads(run(path, "--format", "sarif").stdout)
    SCHEMA.validate(log)
    assert "mcp.json" in log["runs"][0]["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"]
