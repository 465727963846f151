"""What tests of audits have in common: configurations, and the command run on them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner

from stdioguard.audit import engine, targets
from stdioguard.audit.interface import Finding, Level
from stdioguard.audit.machine import Machine
from stdioguard.audit.reporters.interface import Shown, located
from stdioguard.cli.audit import audit
from stdioguard.installs import find

ROOT = Path(__file__).parent.parent.parent
CONFIGS = Path(os.environ.get("STDIOGUARD_DATA") or ROOT.parent / "shared" / "data") / "configs-dev"
"""Real configurations, which are no part of the project."""
SECRET = "ghp_Zx9kQ2mWv7LtR4pYb8NcJ6sHd3FgA1eUo5Ti"
HOSTILE = 'evil"</title><script>alert(1)</script><img src=x onerror=alert(1)>\x1b[31m\r\n\u202eesrever`|*_[x](http://x)@all'
"""A name that means something to a terminal, a browser, Markdown and a line-based reader."""

UNPINNED = {"command": "npx", "args": ["-y", "@modelcontextprotocol/server-everything"]}
PINNED = {"command": "npx", "args": ["-y", "@modelcontextprotocol/server-everything@2026.1.14"]}


def config(folder, servers=None, name=".mcp.json"):
    """Write a configuration with these servers, and return its path."""
    path = Path(folder) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"mcpServers": servers if servers is not None else {"a": UNPINNED}}, indent=2))
    return path


def run(*words):
    """Run the command in this process."""
    return CliRunner().invoke(audit, [str(word) for word in words])


def command(*words, cwd=None, **environment):
    """Run the command in a process of its own, in a clean environment."""
    return subprocess.run(
        [sys.executable, "-m", "stdioguard", "audit", *map(str, words)],
        capture_output=True,
        cwd=cwd,
        timeout=120,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": "/nonexistent"} | environment,
    )


def found(*words, rule=None):
    """Return what the command finds, as its JSON says it; only one rule's findings if it is named."""
    result = run(*words, "--format", "json", "--fail-on", "never", "--level", "info", "--confidence", "info")
    assert result.exit_code in (0, 78), result.output
    findings = json.loads(result.stdout)["findings"]
    return [one for one in findings if rule in (None, one["rule"])]


def finding(file="/x/.mcp.json", **more):
    """Return a finding that no rule made."""
    given = {"rule": "unpinned-package", "severity": Level.LOW, "confidence": Level.HIGH, "message": "m", "file": str(file)}
    return Finding(**(given | more))


def shown(path, findings=None, **more):
    """Return what reporters are given for the findings of a file, or these findings about it."""
    report = engine.audit(targets.of([str(path)]), Machine(is_here=False))
    if findings is not None:
        report.findings = findings
    return Shown(located(report, report.findings), report, "1.2.3", 1_800_000_000.0, **more)


def listing(path):
    """Return a file as finding servers reads it."""
    return find.read_entries(find.given(str(path)))
