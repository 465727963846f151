"""The pre-commit hook and the GitHub Action: they see the right files, and their lines do what they say."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys

import pytest
from ruamel.yaml import YAML

from stdioguard.sandbox.clients import CLIENT_CONFIGS
from tests.audit.audited import ROOT, UNPINNED, config


def yaml(name):
    return YAML(typ="safe").load((ROOT / name).read_text())


HOOK = yaml(".pre-commit-hooks.yaml")[0]
ACTION = yaml("action.yml")


@pytest.mark.parametrize("place", sorted({place for config in CLIENT_CONFIGS for place in config.project}))
def test_the_hook_looks_at_every_file_of_a_project_that_a_client_reads(place):
    for path in (place.replace("*", "x"), "sub/folder/" + place.replace("*", "x.y")):
        assert re.search(HOOK["files"], path), path


@pytest.mark.parametrize(
    "path", ["package.json", "src/mcp.json.py", ".mcp.json.bak", "x.mcp.json", "a/.vscode/launch.json", "docs/audit.md"]
)
def test_the_hook_looks_at_nothing_else(path):
    assert not re.search(HOOK["files"], path)


def test_the_hook_is_installed_from_this_package():
    assert HOOK["language"] == "python"
    assert HOOK["entry"].split()[:2] == ["stdioguard", "audit"]
    assert HOOK.get("pass_filenames", True)


def git(folder, *words):
    environment = os.environ | {
        "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.com", "GIT_COMMITTER_NAME": "a",
        "GIT_COMMITTER_EMAIL": "a@example.com",
    }  # fmt: skip
    return subprocess.run(["git", *words], cwd=folder, env=environment, capture_output=True, text=True, check=True)


@pytest.mark.skipif(shutil.which("pre-commit") is None, reason="pre-commit is not installed")
def test_pre_commit_takes_the_hook_and_runs_it_on_what_is_committed(tmp_path):
    subprocess.run(["pre-commit", "validate-manifest", str(ROOT / ".pre-commit-hooks.yaml")], check=True)
    # As `language: system`, since installing the package needs a network.
    hook = HOOK | {"language": "system", "entry": f"env PYTHONPATH={ROOT} {sys.executable} -m stdioguard audit --fail-on low"}
    (tmp_path / ".pre-commit-config.yaml").write_text(json.dumps({"repos": [{"repo": "local", "hooks": [hook]}]}))
    git(tmp_path, "init", "-q")
    config(tmp_path)
    (tmp_path / "other.json").write_text((tmp_path / ".mcp.json").read_text())
    git(tmp_path, "add", "-A")
    environment = os.environ | {"PRE_COMMIT_HOME": str(tmp_path / ".git" / "cache"), "GIT_CONFIG_GLOBAL": "/dev/null"}
    result = subprocess.run(
        ["pre-commit", "run", "--all-files"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 1, result
    assert "unpinned-package" in result.stdout
    assert "in 1 server of 1 file" in result.stdout
    config(tmp_path, {})
    git(tmp_path, "add", "-A")
    result = subprocess.run(
        ["pre-commit", "run", "--all-files"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result


def test_the_action_calls_no_other_action_and_writes_no_input_into_its_scripts():
    for step in ACTION["runs"]["steps"]:
        assert "uses" not in step
        assert "${{" not in step["run"]
        assert step["shell"] == "bash"
    assert "$GITHUB_ACTION_PATH" in ACTION["runs"]["steps"][0]["run"]


@pytest.fixture(name="runner")
def _runner(tmp_path):
    """A runner's folders, with stdioguard where the first step would have put it."""
    program = tmp_path / "temp" / "stdioguard" / "bin" / "stdioguard"
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m stdioguard "$@"\n')
    program.chmod(0o755)
    work = tmp_path / "work"
    work.mkdir()

    def run(**inputs):
        given = {name: one["default"] for name, one in ACTION["inputs"].items()} | {
            name.replace("_", "-"): text for name, text in inputs.items()
        }
        step = ACTION["runs"]["steps"][1]
        environment = {
            name: re.sub(r"\$\{\{ inputs\.([\w-]+) \}\}", lambda match: given[match[1]], text)
            for name, text in step["env"].items()
        }
        environment |= {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "RUNNER_TEMP": str(tmp_path / "temp")}
        environment |= {"GITHUB_OUTPUT": str(tmp_path / "output"), "GITHUB_STEP_SUMMARY": str(tmp_path / "summary")}
        # As GitHub starts `shell: bash`.
        words = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
        return subprocess.run(words, cwd=work, env=environment, capture_output=True, text=True, check=False, timeout=120)

    run.work, run.temp = work, tmp_path
    return run


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_the_action_fails_by_severity_and_leaves_sarif_and_a_summary(runner):
    config(runner.work)
    assert runner().returncode == 0
    result = runner(fail_on="low")
    assert (result.returncode, "unpinned-package" in result.stdout) == (1, True)
    log = json.loads((runner.temp / "temp" / "stdioguard.sarif").read_text())
    assert log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == ".mcp.json"
    assert (runner.temp / "output").read_text().splitlines()[-1] == f"sarif={runner.temp}/temp/stdioguard.sarif"
    assert "## MCP servers" in (runner.temp / "summary").read_text()


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_the_action_takes_paths_line_by_line_and_runs_none_of_them(runner):
    config(runner.work, name="a b/.mcp.json")
    config(runner.work, {"b": UNPINNED}, "--fix/.mcp.json")
    result = runner(paths="a b\n--fix\n$(touch ran)\n; touch ran\n", fail_on="low")
    assert (result.returncode, "in 2 servers of" in result.stdout) == (1, True), result
    assert not (runner.work / "ran").exists()


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_the_action_heeds_a_baseline_and_can_leave_ignores_out(runner):
    config(runner.work)
    text = 'because it is fine\n"a": '
    path = runner.work / ".mcp.json"
    path.write_text(path.read_text().replace('"a": ', f"// stdioguard: ignore[unpinned-package] until 2999-12-31 {text}"))
    assert runner(fail_on="low").returncode == 0
    assert runner(fail_on="low", ignores="false").returncode == 1
    (runner.work / "b.json").write_text('{"version": 1, "findings": []}')
    assert runner(fail_on="low", ignores="false", baseline="b.json").returncode == 1
    assert runner(fail_on="low", baseline="none.json").returncode == 78
