"""What is usual is not called worse than it is, whichever rule looks at it."""

import json
import os
from collections import Counter
from pathlib import Path

import pytest

from stdioguard.audit import engine, targets
from stdioguard.audit.interface import Level
from stdioguard.audit.machine import Machine

CONFIGS = Path(os.environ.get("STDIOGUARD_DATA") or Path(__file__).parents[4] / "shared" / "data") / "configs-dev"

USUAL = {
    "-y": {"command": "npx", "args": ["-y", "notes-mcp"]},
    "cmd /c npx": {"command": "cmd", "args": ["/c", "npx", "-y", "notes-mcp@latest"]},
    "OAuth": {"type": "http", "url": "https://mcp.notion.com/mcp"},
    "mcp-remote": {"command": "npx", "args": ["-y", "mcp-remote", "https://mcp.linear.app/sse"]},
    "${NAME}": {"command": "npx", "args": ["-y", "notes-mcp@1.0.0", "${HOME}/notes"], "env": {"API_KEY": "${API_KEY}", "TOKEN": "$TOKEN"}},
    "${env:NAME}": {"command": "npx", "args": ["-y", "notes-mcp@1.0.0"], "env": {"API_KEY": "${env:API_KEY}"}},
    "${input:name}": {"command": "npx", "args": ["-y", "notes-mcp@1.0.0", "--key", "${input:key}"], "env": {"API_KEY": "${input:key}"}},
    "header": {"url": "https://x.example/mcp", "headers": {"Authorization": "Bearer ${input:token}"}},
    "uvx": {"command": "uvx", "args": ["mcp-server-git", "--repository", "/home/ana/notes"]},
    "docker": {"command": "docker", "args": ["run", "-i", "--rm", "-e", "GITHUB_TOKEN", "ghcr.io/github/github-mcp-server"]},
    "venv": {"command": "/home/ana/notes/.venv/bin/python", "args": ["/home/ana/notes/server.py"], "env": {"PYTHONPATH": "/home/ana/notes"}},
    "module": {"command": "python", "args": ["-m", "notes_mcp"], "env": {"PYTHONUNBUFFERED": "1", "LOG_LEVEL": "debug"}},
    "project": {"command": "uv", "args": ["run", "--directory", "/home/ana/notes", "notes-mcp"]},
}  # fmt: skip


@pytest.mark.parametrize("name", USUAL)
def test_what_is_usual_is_low_at_most(name, tmp_path):
    file = tmp_path / "mcp.json"
    file.write_text(json.dumps({"mcpServers": {"notes": USUAL[name]}}))
    report = engine.audit(targets.of([str(file)]), Machine(is_here=False))
    assert [(one.rule, str(one.severity)) for one in report.findings if one.severity > Level.LOW] == []
    assert len([one for one in report.findings if one.severity > Level.INFO]) <= 1


def test_a_pinned_server_is_not_found_at_all(tmp_path):
    file = tmp_path / "mcp.json"
    file.write_text(json.dumps({"mcpServers": {"notes": {"command": "npx", "args": ["-y", "notes-mcp@1.0.0"]}}}))
    report = engine.audit(targets.of([str(file)]), Machine(is_here=False))
    assert [one for one in report.findings if one.severity > Level.INFO] == []


@pytest.mark.skipif(not CONFIGS.is_dir(), reason="the development configs are not part of the project")
def test_real_configs_have_few_findings_and_every_unpinned_package():
    report = engine.audit(targets.of([os.fspath(CONFIGS)]), Machine(is_here=False))
    seen = [one for one in report.findings if one.severity >= Level.LOW and one.confidence >= Level.MEDIUM]
    assert len(seen) / len(report.configs) <= 2.0
    assert not [one for one in report.findings if one.rule == "rule-failed"]
    counts = Counter(one.rule for one in seen)
    assert counts["unpinned-package"] + counts["mutable-version"] >= 0.99 * sum(
        view.started.source == "registry"
        and not view.started.is_pinned
        and (view.started.ecosystem != "oci" or ("/" in view.started.name and view.started.version in (None, "latest")))
        for config in report.configs
        for view in config.entries
        if view.entry.kind == "stdio"
    )
