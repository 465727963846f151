"""Every rule has a page whose examples are true: the bad one is found, the good one is not."""

import os
import re
from pathlib import Path

import pytest

from stdioguard.audit import engine, targets
from stdioguard.audit.machine import Machine
from stdioguard.audit.rules import RULES

PAGES = Path(__file__).parents[2] / "docs" / "rules"
SECTIONS = ["What", "Why", "Bad", "Good", "Fix", "Mapping"]
CONFIGS = ("json", "jsonc", "toml", "yaml")


def sections(slug):
    text = (PAGES / f"{slug}.md").read_text()
    return dict(re.findall(r"^## (\w+)\n+(.*?)\n*(?=^## |\Z)", text, re.MULTILINE | re.DOTALL))


def examples(slug, name):
    """The configs of a section, with the path that each is for; none where the finding depends on the machine, and a shell shows it."""
    blocks = re.findall(r"^```(\S+)(?: (\S+))?\n(.*?)^```$", sections(slug)[name], re.MULTILINE | re.DOTALL)
    assert blocks, f"{slug}: the section {name} has no example"
    return [(form, path, text) for form, path, text in blocks if form in CONFIGS]


def found(tmp_path, form, path, text, slug):
    file = tmp_path / (path or f"mcp.{form}")
    file.parent.mkdir(parents=True, exist_ok=True)
    if path and path.startswith(".cursor/"):
        (tmp_path / ".bashrc").touch()  # in a home that file is a person's, in a project it comes with the repository
    file.write_text(text)
    rules = [rule for rule in RULES if rule.slug == slug]
    report = engine.audit(targets.of([str(tmp_path) if path else str(file)]), Machine(is_here=bool(path)), rules=rules)
    assert report.problems == []
    assert [len(config.entries) for config in report.configs] >= [1]
    return [finding for finding in report.findings if finding.rule == slug]


@pytest.fixture(autouse=True)
def _home(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("STDIOGUARD_HOME", str(tmp_path_factory.mktemp("stdioguard")))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.slug)
def test_the_page_of_a_rule_says_what_the_rule_says_of_itself(rule):
    text = (PAGES / f"{rule.slug}.md").read_text()
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == SECTIONS
    assert text.startswith(f"# {rule.slug}\n\n{rule.title}. Severity {rule.severity}, confidence {rule.confidence}.\n")
    assert f"{rule.owasp}," in sections(rule.slug)["Mapping"]
    assert f"CWE-{rule.cwe}," in sections(rule.slug)["Mapping"]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.slug)
def test_the_bad_example_is_found_and_the_good_one_is_not(rule, tmp_path):
    bad, good = examples(rule.slug, "Bad"), examples(rule.slug, "Good")
    assert bool(bad) == bool(good)
    for at, example in enumerate(bad):
        assert found(tmp_path / f"bad{at}", *example, rule.slug), example
    for at, example in enumerate(good):
        assert found(tmp_path / f"good{at}", *example, rule.slug) == [], example


def test_a_rule_has_one_slug_and_only_words_that_a_page_can_be_called():
    slugs = [rule.slug for rule in RULES]
    assert len(set(slugs)) == len(slugs)
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", slug) for slug in slugs)


def index() -> str:
    """The page that lists all rules."""
    lines = [
        "# The rules of the audit",
        "",
        "Each has a page: what it finds, why that is bad, a bad and a good example (both are run by the tests), how to fix it. How a report is read is",
        "in [audit.md](../audit.md). What `--probe` finds in tools' definitions is in [definitions.md](../definitions.md).",
        "",
        "| rule | finds | severity | confidence |",
        "| --- | --- | --- | --- |",
    ]
    lines += [f"| [{rule.slug}]({rule.slug}.md) | {rule.title} | {rule.severity} | {rule.confidence} |" for rule in RULES]
    return "\n".join([*lines, ""])


def test_the_list_of_rules_is_complete() -> None:
    """With STDIOGUARD_WRITE_DOCS=1 it is written."""
    page = PAGES / "README.md"
    if os.environ.get("STDIOGUARD_WRITE_DOCS"):
        page.write_text(index())
    assert page.read_text() == index()
