"""Write a client's file, run one rule over it, and return what it finds."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from stdioguard.audit import engine
from stdioguard.audit.interface import Finding
from stdioguard.audit.machine import Machine, Process
from stdioguard.audit.rules import RULES
from stdioguard.installs.find import Found, Home


def placed(
    folder: Path,
    value: Any,
    *,
    client: str = "Claude Code",
    name: str = ".claude.json",
    level: str = "user",
    key: str = "mcpServers",
) -> Found:
    """Write a file and return it as one of a client's: a value as JSON, a text as it is."""
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    if value is not None:
        file.write_text(value if isinstance(value, str) else json.dumps(value, indent=2))
    form = "toml" if name.endswith(".toml") else "json"
    home = Home(str(folder), uid=os.getuid()) if level != "project" else None
    return Found(client, str(file), level, form, key, home, str(folder) if level == "project" else "")  # type: ignore[arg-type]


def servers(**commands: Any) -> dict[str, Any]:
    """Return a configuration: of each server its command line, its address, or its whole entry."""
    entries = {}
    for name, said in commands.items():
        if isinstance(said, str):
            entries[name] = {"type": "http", "url": said}
        else:
            entries[name] = {"command": said[0], "args": said[1:]} if isinstance(said, list) else said
    return {"mcpServers": entries}


def machine(*processes: Process, here: bool = True, path: str | None = None) -> Machine:
    """Return this machine with these processes alone."""
    made = Machine(is_here=here)
    made.running = {process.pid: process for process in processes}
    if path is not None:
        made.environment = {"PATH": path}
    return made


def found(slug: str, *places: Found, on: Machine | None = None) -> list[Finding]:
    """Return what one rule finds in these files."""
    rules = [rule for rule in RULES if rule.slug == slug]
    assert rules, slug
    report = engine.audit(places, on if on is not None else machine(), rules=rules)
    assert [finding for finding in report.findings if finding.rule == "rule-failed"] == []
    return report.findings
