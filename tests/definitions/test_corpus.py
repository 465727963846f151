"""What the rules reach on texts: on our own corpus, and on the development data where it is present. Floors, not the measured values."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from bench import definitions as bench
from stdioguard.definitions.judge import is_flagged, judge
from stdioguard.definitions.rules import RULES
from tests.definitions import corpus

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("STDIOGUARD_DATA", ROOT.parent / "shared" / "data")) / "tools-dev.jsonl"


def share(samples: list[bench.Sample], label: str) -> float:
    of_label = [definition for one, _, definition in samples if one == label]
    return sum(is_flagged(judge(definition)) for definition in of_label) / len(of_label)


def test_the_corpus_has_all_tracks_and_as_many_honest_texts() -> None:
    poisoned, benign = corpus.poisoned(), corpus.benign()
    assert len({str(case.definition) for case in poisoned}) >= 150
    assert len({str(case.definition) for case in benign}) >= 150
    assert {case.track.split(",")[0] for case in poisoned} == {"text", "preference", "structural", "code", "templates"}
    halves = [{case.made_of for case in (*poisoned, *benign) if case.half == half} for half in (corpus.TUNE, corpus.HELD_OUT)]
    assert not halves[0] & halves[1]


def test_most_of_the_half_that_was_not_tuned_on_is_flagged_and_few_honest_texts() -> None:
    samples = bench.own(corpus.HELD_OUT)
    assert share(samples, "poisoned") >= 0.7
    assert share(samples, "benign") <= 0.03


def test_nearly_all_of_the_half_that_was_tuned_on_is_flagged() -> None:
    samples = bench.own(corpus.TUNE)
    assert share(samples, "poisoned") >= 0.9
    assert share(samples, "benign") <= 0.01


@pytest.mark.skipif(not DATA.is_file(), reason="the development data is not beside this checkout")
def test_of_the_development_data_at_most_one_benign_definition_in_a_hundred_is_flagged() -> None:
    samples = bench.development_data()
    assert share(samples, "benign") <= 0.01
    assert share(samples, "poisoned") >= 0.7


def test_each_rule_has_a_section_in_the_documentation_with_what_it_misses() -> None:
    text = (ROOT / "docs" / "definitions.md").read_text("utf-8")
    sections = dict(re.findall(r"^## (\S+)\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL))
    assert set(sections) == {rule.slug for rule in RULES}
    for section in sections.values():
        assert all(f"**{part}.**" in section for part in ("What", "Why", "Example", "Decides", "Misses"))
