"""Findings as SARIF 2.1.0 (OASIS), for code scanning and for the viewers of editors."""

from __future__ import annotations

import json
import os
import re
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from stdioguard.audit import pages
from stdioguard.audit.interface import Level
from stdioguard.audit.reporters.interface import relative, said
from stdioguard.guard.display import visible
from stdioguard.installs.formats import places

if TYPE_CHECKING:
    from stdioguard.audit.interface import Rule
    from stdioguard.audit.reporters.interface import Located, Shown

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
ROOT = "SRCROOT"
_LEVELS = {Level.HIGH: "error", Level.MEDIUM: "warning", Level.LOW: "note", Level.INFO: "note"}
_SEVERITIES = {Level.HIGH: "8.0", Level.MEDIUM: "5.5", Level.LOW: "3.0", Level.INFO: "0.5"}
"""`security-severity` of code scanning: over 7 is high there, over 4 medium."""
_PRECISIONS = {Level.HIGH: "high", Level.MEDIUM: "medium", Level.LOW: "low", Level.INFO: "low"}


def report(shown: Shown) -> str:
    """Return a log with one run: its rules, the files, and a result for each finding."""
    slugs = sorted({one.finding.rule for one in shown.located})
    known = {one.finding.rule: one.rule for one in shown.located}
    files = sorted(
        {config.file for config in shown.report.configs} | {one.finding.file for one in shown.located if one.finding.file}
    )
    index = {file: number for number, file in enumerate(files)}
    run = {
        "tool": {
            "driver": {
                "name": "stdioguard",
                "version": shown.version,
                "semanticVersion": shown.version,
                "rules": [_rule(slug, known[slug]) for slug in slugs],
            }
        },
        "invocations": [
            {
                "executionSuccessful": True,
                "startTimeUtc": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(shown.began)),
                "toolExecutionNotifications": [
                    {"level": "error", "message": {"text": _text(problem)}} for problem in shown.report.problems
                ]
                + [{"level": "note", "message": {"text": _text(note)}} for note in shown.notes],
            }
        ],
        "originalUriBaseIds": {ROOT: {"uri": _uri(shown.root.rstrip(os.sep) + os.sep)}},
        "artifacts": [{"location": _location(file, shown.root)} for file in files],
        "columnKind": "unicodeCodePoints",
        "newlineSequences": ["\r\n", "\r", "\n"],
        "results": [_result(one, slugs.index(one.finding.rule), index, shown.root) for one in shown.located],
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2)


def _rule(slug: str, rule: Rule | None) -> dict[str, Any]:
    name = "".join(word.capitalize() for word in slug.split("-"))
    if rule is None:
        return {"id": slug, "name": name}
    markdown = pages.page(slug)
    why = pages.section(slug, "Why")
    return {
        "id": slug,
        "name": name,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": _plain(why.partition("\n\n")[0]) or rule.title},
        "help": {"text": _plain(markdown) or rule.advice} | ({"markdown": markdown} if markdown else {}),
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
        "properties": {
            "precision": _PRECISIONS[rule.confidence],
            "security-severity": _SEVERITIES[rule.severity],
            "tags": ["security", f"external/cwe/cwe-{rule.cwe:03}", f"external/owasp-mcp/{rule.owasp.lower()}"],
        },
    }


def _plain(markdown: str) -> str:
    """Return Markdown of ours as plain text: no marks of headings, code or links."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", markdown)
    return re.sub(r"^#+ |^```.*\n|`", "", text, flags=re.MULTILINE).strip()


def _result(one: Located, rule: int, index: dict[str, int], root: str) -> dict[str, Any]:
    finding = one.finding
    text = finding.message if finding.message.endswith((".", "!", "?")) else f"{finding.message}."
    result: dict[str, Any] = {
        "ruleId": finding.rule,
        "ruleIndex": rule,
        "level": _LEVELS[finding.severity],
        "message": {"text": _text(f"{text} {one.advice}".strip())},
        # Code scanning knows the second name only.
        "partialFingerprints": {"stdioguard/v1": one.fingerprint, "primaryLocationLineHash": one.fingerprint},
        "properties": {
            "severity": str(finding.severity),
            "confidence": str(finding.confidence),
            "client": said(finding.client),
            "server": said(finding.entry),
            "related": [said(text) for text in finding.related],
        },
    }
    if finding.file:
        location: dict[str, Any] = {
            "physicalLocation": {"artifactLocation": _location(finding.file, root) | {"index": index[finding.file]}}
        }
        if one.line:
            location["physicalLocation"]["region"] = {
                "startLine": one.line,
                "startColumn": one.column,
                "endLine": one.end_line,
                "endColumn": one.end_column,
                "charOffset": one.start,
                "charLength": one.end - one.start,
            }
        if finding.path:
            location["logicalLocations"] = [{"fullyQualifiedName": said(places.said(finding.path)), "kind": "member"}]
        result["locations"] = [location]
    return result


def _text(text: str) -> str:
    """Return a text that a viewer takes for text: brackets before a parenthesis would be a link (3.11.6)."""
    return re.sub(r"\[(?=[^\]]*\]\()", r"\\[", visible(text))


def _location(file: str, root: str) -> dict[str, Any]:
    short = relative(file, root)
    if short != file:
        return {"uri": quote(os.fsencode(short.replace(os.sep, "/")), safe="/"), "uriBaseId": ROOT}
    return {"uri": _uri(file)}


def _uri(path: str) -> str:
    path = path.replace(os.sep, "/")
    return "file://" + quote(os.fsencode(path if path.startswith("/") else f"/{path}"), safe="/:")
