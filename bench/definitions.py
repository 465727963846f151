"""How well the rules judge definitions: precision and recall per rule and per track, and the time for one definition.

    python -m bench.definitions [--write]

Two sets: the corpus of `tests/definitions/corpus` (our own words; rules were tuned on one half of its wordings, the other is held out), and
the development data beside the checkout (`STDIOGUARD_DATA`, or `../shared/data/tools-dev.jsonl`), where it is present. A definition is
flagged if one finding has medium or high severity and medium or high confidence.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from stdioguard.definitions.judge import is_flagged, judge
from stdioguard.definitions.rules import RULES
from tests.definitions import corpus

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "bench" / "DEFINITIONS.md"
Sample = tuple[str, str, dict[str, Any]]  # label, track, definition


def development_data() -> list[Sample]:
    folder = Path(os.environ.get("STDIOGUARD_DATA", ROOT.parent / "shared" / "data"))
    path = folder / "tools-dev.jsonl"
    if not path.is_file():
        return []
    samples = []
    for line in path.read_text("utf-8").splitlines():
        row = json.loads(line)
        track = row["track"] or ("benign, hard" if row["hard"] else "benign")
        samples.append((row["label"], track, {key: row[key] for key in ("name", "description", "inputSchema")}))
    return samples


def own(half: str) -> list[Sample]:
    cases = [case for case in (*corpus.poisoned(), *corpus.benign()) if case.half == half]
    return [(case.label, case.track if case.label == "poisoned" else "benign", case.definition) for case in cases]


def percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"


def measure(title: str, samples: list[Sample]) -> list[str]:
    totals: Counter[str] = Counter()
    hits: Counter[str] = Counter()
    by_rule: Counter[tuple[str, str]] = Counter()
    labels: dict[str, str] = {}
    times = []
    for label, track, definition in samples:
        start = time.perf_counter()
        findings = judge(definition)
        times.append(time.perf_counter() - start)
        labels[track] = label
        totals[track] += 1
        hits[track] += is_flagged(findings)
        for rule in {found.rule for found in findings if found.flags}:
            by_rule[rule, label] += 1
    poisoned = sum(totals[track] for track in totals if labels[track] == "poisoned")
    benign = len(samples) - poisoned
    found = sum(hits[track] for track in totals if labels[track] == "poisoned")
    wrong = sum(hits.values()) - found
    times.sort()
    lines = [
        f"## {title}",
        "",
        (
            f"{poisoned} poisoned, {benign} benign. **Recall {percent(found, poisoned)}, benign flagged {percent(wrong, benign)}**"
            f" ({wrong} of {benign}). Time for one definition: median {1000 * times[len(times) // 2]:.1f} ms,"
            f" 99 % below {1000 * times[len(times) * 99 // 100]:.0f} ms."
        ),
        "",
        "| track | definitions | flagged | |",
        "| --- | ---: | ---: | ---: |",
        *(f"| {track} | {totals[track]} | {hits[track]} | {percent(hits[track], totals[track])} |" for track in sorted(totals)),
        "",
        "| rule | poisoned | benign | recall alone | precision alone |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for rule in RULES:
        true, false = by_rule[rule.slug, "poisoned"], by_rule[rule.slug, "benign"]
        lines.append(f"| {rule.slug} | {true} | {false} | {percent(true, poisoned)} | {percent(true, true + false)} |")
    return [*lines, ""]


def main() -> None:
    lines = [
        "# Judgement of definitions: measured",
        "",
        "    python -m bench.definitions --write",
        "",
        "Flagged: at least one finding of medium or high severity *and* medium or high confidence. Nothing is known of other servers",
        "(`others` is empty), so `shadowing` finds only letters of other scripts; what a structural case does by its name alone is missed.",
        "Both halves of the corpus have one author, who wrote the rules too: the held-out half is other words, not another mind.",
        "",
    ]
    data = development_data()
    lines += measure("Our own corpus, the half that was held out", own(corpus.HELD_OUT))
    lines += measure("Our own corpus, the half that rules were tuned on", own(corpus.TUNE))
    if data:
        lines += measure("Development data (weights and thresholds were set on it)", data)
    text = "\n".join(lines).rstrip() + "\n"
    if "--write" in sys.argv:
        TARGET.write_text(text, "utf-8")
    print(text)


if __name__ == "__main__":
    main()
