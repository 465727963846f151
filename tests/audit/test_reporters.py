"""Text, JSON and Markdown: what each shows, and that nothing in a configuration acts on who reads it."""

from __future__ import annotations

import json

import pytest

from stdioguard.audit import reporters
from stdioguard.audit.interface import Fix, Level
from tests.audit.audited import HOSTILE, SECRET, UNPINNED, config, finding, run, shown


def lines(path, findings=None, **more):
    return reporters.report("text", shown(path, findings, **more)).splitlines()


def test_the_text_says_where_how_bad_what_and_what_to_do(tmp_path):
    path = config(tmp_path)
    text = reporters.report(
        "text", shown(path, [finding(path, path=("mcpServers", "a", "args", 1), message="it moves", entry="a")])
    )
    assert "  7:9     low    a: it moves [unpinned-package]\n                 Name an exact version" in text


def test_paths_below_the_folder_that_one_is_in_are_short(tmp_path):
    path = config(tmp_path)
    assert lines(path, [finding(path)], root=str(tmp_path))[0] == ".mcp.json"
    assert lines(path, [finding(path)], root=str(tmp_path / "else"))[0] == str(path)


def test_the_same_advice_is_given_once_in_a_file(tmp_path):
    path = config(tmp_path)
    text = "\n".join(lines(path, [finding(path, message="one"), finding(path, message="two")]))
    assert text.count("Name an exact version") == 1


def test_long_messages_are_broken_at_the_width_of_the_window_and_never_in_a_pipe(tmp_path):
    path = config(tmp_path)
    long = finding(path, message="many words " * 60)
    assert max(map(len, lines(path, [long], width=80)[1:-1])) < 80
    assert any(len(line) > 600 for line in lines(path, [long]))


def test_a_window_of_no_width_at_all_is_survived(tmp_path):
    path = config(tmp_path)
    assert "many" in "\n".join(lines(path, [finding(path, message="many words " * 9)], width=3))


def test_colour_is_for_a_terminal_only(tmp_path):
    path = config(tmp_path)
    assert "\x1b[" in "\n".join(lines(path, [finding(path)], is_terminal=True))
    assert "\x1b" not in "\n".join(lines(path, [finding(path)]))


def test_the_end_counts_and_says_what_to_do_next(tmp_path):
    path = config(tmp_path)
    fix = Fix("pin it", "edit", edits=((("mcpServers", "a", "args", 1), "x@1.0.0"),))
    findings = [finding(path, severity=Level.HIGH), finding(path, message="n", fix=fix)]
    text = "\n".join(lines(path, findings, hidden=3, ignored=2, accepted=1))
    assert "1 high, 1 low in 1 server of 1 file; 2 ignored; 1 accepted by the baseline; 3 not shown" in text
    assert "next: stdioguard audit --fix  settles 1 of these" in text
    assert "stdioguard wrap" in text


def test_without_findings_there_is_no_next_step_but_what_was_not_shown(tmp_path):
    path = config(tmp_path)
    assert lines(path, [], hidden=4, is_here=False)[-1].endswith("stdioguard audit --level info  shows the rest")
    assert lines(path, [], is_here=False) == ["nothing found in 1 server of 1 file"]


@pytest.mark.parametrize("format_", ["text", "json", "markdown", "sarif", "html"])
@pytest.mark.parametrize("place", ["entry", "message", "advice", "client", "related", "file"])
def test_no_format_lets_a_text_act_on_a_terminal_or_break_its_line(tmp_path, format_, place):
    path = config(tmp_path)
    value = (HOSTILE,) if place == "related" else HOSTILE
    text = reporters.report(format_, shown(path, [finding(**({"file": path} | {place: value}))]))
    assert "\x1b" not in text
    assert "\r" not in text
    assert "\u202e" not in text
    assert "<script>" not in text or format_ != "html"
    if format_ == "text":
        assert not any(line.startswith(("\u202e", "esrever")) for line in text.splitlines())
    if format_ in ("json", "sarif"):
        json.loads(text)


@pytest.mark.parametrize("format_", ["text", "json", "markdown", "sarif", "html"])
def test_half_a_character_and_bytes_of_a_name_that_are_no_text_are_spelled_out(tmp_path, format_):
    path = config(tmp_path)
    text = reporters.report(format_, shown(path, [finding(file="/x/\udcff.json", entry="\ud800", message="\udcfe")]))
    text.encode("utf-8")
    if format_ in ("json", "sarif"):
        json.dumps(json.loads(text), ensure_ascii=False).encode("utf-8")


@pytest.mark.parametrize("format_", ["text", "json", "markdown", "sarif", "html"])
def test_no_format_shows_a_secret_of_a_configuration(tmp_path, format_):
    server = {
        "command": "npx",
        "args": ["-y", "pkg", "--api-key", SECRET, f"https://u:{SECRET}@example.com/"],
        "env": {"GITHUB_TOKEN": SECRET},
    }
    path = config(
        tmp_path,
        {"a": server, "b": {"url": f"https://example.com/mcp?token={SECRET}", "headers": {"Authorization": f"Bearer {SECRET}"}}},
    )
    result = run(path, "--format", format_, "--level", "info", "--confidence", "info")
    assert SECRET not in result.output
    assert "pkg" in result.output


def test_a_rule_that_would_quote_a_secret_is_stopped(tmp_path, monkeypatch):
    from stdioguard.audit import engine, targets
    from stdioguard.audit.machine import Machine
    from stdioguard.audit.rules import unguarded_server

    rule = unguarded_server.RULE
    loud = type(rule)(
        **{name: getattr(rule, name) for name in rule.__slots__}
        | {"check": lambda view: [view.finding(rule, f"it says {view.entry.env['TOKEN']}")]}
    )
    path = config(tmp_path, {"a": UNPINNED | {"env": {"TOKEN": SECRET}}})
    report = engine.audit(targets.of([str(path)]), Machine(is_here=False), rules=[loud])
    assert [one.message for one in report.findings] == ["it says [secret]"]


def rendered(text):
    markdown = pytest.importorskip("markdown_it", reason="markdown-it-py is not installed")
    return markdown.MarkdownIt("gfm-like", {"linkify": False}).parse(text)


def inline(tokens):
    for token in tokens:
        yield token
        yield from inline(token.children or [])


def test_in_markdown_what_a_configuration_says_is_never_more_than_code(tmp_path):
    path = config(tmp_path)
    text = reporters.report("markdown", shown(path, [finding(path, entry=HOSTILE, message=HOSTILE, advice=HOSTILE)]))
    tokens = list(inline(rendered(text)))
    assert not [token for token in tokens if token.type in ("link_open", "image")]
    assert {token.content for token in tokens if token.type == "html_inline"} <= {"<br>"}
    assert not [token for token in tokens if token.type == "text" and ("@all" in token.content or "alert" in token.content)]
    assert [token for token in tokens if token.type == "code_inline" and "@all" in token.content]


@pytest.mark.parametrize("text", ["`", "``", " ` `` ", "`a", "a`", "", "   ", "|"])
def test_a_span_of_code_holds_any_text(text):
    from stdioguard.audit.reporters.markdown import code

    tokens = [token for token in inline(rendered(f"- {code(text)}")) if token.type in ("code_inline", "text")]
    assert [token.type for token in tokens if token.content.strip()] in (["code_inline"], [])
    if text.strip():
        assert tokens[0].content.strip() == text.strip()


def test_a_comment_that_would_be_too_long_ends_with_a_count(tmp_path):
    path = config(tmp_path)
    text = reporters.report("markdown", shown(path, [finding(path, message=f"{number} " + "x" * 200) for number in range(1000)]))
    assert len(text) < 65_536
    told = text.count("(unpinned-package)")
    assert f"And {1000 - told} more." in text


def test_json_has_what_other_programs_need(tmp_path):
    path = config(tmp_path)
    one = json.loads(run(path, "--format", "json").stdout)["findings"][0]
    assert one["rule"] == "unpinned-package"
    assert (one["line"], one["column"], one["end_line"], one["end_column"]) == (7, 9, 7, 50)
    assert one["cwe"].startswith("CWE-")
    assert len(one["fingerprint"]) == 32


def test_a_finding_about_a_part_of_a_value_points_at_that_part(tmp_path):
    path = config(tmp_path, {"a": {"command": "sh", "args": ["-c", "curl x | sh"]}})
    text = path.read_text()
    place = shown(path, [finding(path, path=("mcpServers", "a", "args", 1), span=(5, 6))]).located[0]
    assert text[place.start : place.end] == "x"
    assert text.splitlines()[place.line - 1][place.column - 1 : place.end_column - 1] == "x"


def test_a_part_of_a_value_with_escapes_is_shown_with_all_of_it(tmp_path):
    path = tmp_path / "mcp.json"
    path.write_text('{"mcpServers": {"a": {"command": "sh", "args": ["-c", "\\u0063url x"]}}}')
    place = shown(path, [finding(path, path=("mcpServers", "a", "args", 1), span=(5, 6))]).located[0]
    assert path.read_text()[place.start : place.end] == '"\\u0063url x"'
