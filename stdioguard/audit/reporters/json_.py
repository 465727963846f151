"""Findings as one JSON document, for other programs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stdioguard.audit.reporters.interface import Located, Shown


def report(shown: Shown) -> str:
    """Return the document: `version`, `files`, `entries` (counts), `problems`, and `findings`."""
    document = {
        "version": shown.version,
        "files": len(shown.report.configs),
        "entries": sum(len(config.entries) for config in shown.report.configs),
        "hidden": shown.hidden,
        "problems": shown.report.problems,
        "findings": [_one(located) for located in shown.located],
    }
    return json.dumps(document, indent=2)


def _one(located: Located) -> dict[str, Any]:
    finding, rule = located.finding, located.rule
    return {
        "rule": finding.rule,
        "severity": str(finding.severity),
        "confidence": str(finding.confidence),
        "message": finding.message,
        "advice": finding.advice or (rule.advice if rule is not None else ""),
        "file": finding.file,
        "line": located.line or None,
        "column": located.column or None,
        "end_line": located.end_line or None,
        "end_column": located.end_column or None,
        "client": finding.client,
        "entry": finding.entry,
        "path": list(finding.path),
        "cwe": f"CWE-{rule.cwe}" if rule is not None else None,
        "owasp": rule.owasp if rule is not None else None,
        "fix": finding.fix.title if finding.fix is not None else None,
        "related": list(finding.related),
    }
