"""Findings as one JSON document, for other programs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from stdioguard.audit.reporters.interface import said

if TYPE_CHECKING:
    from stdioguard.audit.reporters.interface import Located, Shown


def report(shown: Shown) -> str:
    """Return the document: `version`, `files`, `entries` (counts), what is left out, `problems`, and `findings`."""
    document = {
        "version": shown.version,
        "files": shown.files,
        "entries": sum(len(config.entries) for config in shown.report.configs),
        "hidden": shown.hidden,
        "accepted": shown.accepted,
        "ignored": shown.ignored,
        "problems": shown.report.problems,
        "notes": list(shown.notes),
        "findings": [_one(located) for located in shown.located],
    }
    return json.dumps(_encodable(document), indent=2)


def _one(located: Located) -> dict[str, Any]:
    finding, rule = located.finding, located.rule
    return {
        "rule": finding.rule,
        "severity": str(finding.severity),
        "confidence": str(finding.confidence),
        "message": finding.message,
        "advice": located.advice,
        "file": finding.file,
        "line": located.line or None,
        "column": located.column or None,
        "end_line": located.end_line or None,
        "end_column": located.end_column or None,
        "client": finding.client,
        "entry": finding.entry,
        "path": list(finding.path),
        "fingerprint": located.fingerprint,
        "cwe": f"CWE-{rule.cwe}" if rule is not None else None,
        "owasp": rule.owasp if rule is not None else None,
        "fix": finding.fix.title if finding.fix is not None else None,
        "related": list(finding.related),
    }


def _encodable(value: Any) -> Any:
    """Spell out what no other program could read: bytes of a file's name that are no text."""
    if isinstance(value, str):
        return value if value.isascii() else said(value)
    if isinstance(value, dict):
        return {key: _encodable(member) for key, member in value.items()}
    return [_encodable(member) for member in value] if isinstance(value, list) else value
