"""What a file says, where it says it, in whose style it is edited, and what is refused."""

from __future__ import annotations

import json
import time

import pytest

from stdioguard.installs.formats import FORMS, REMOVE, Change, FormatError, Span, parse
from tests.installs.formats import texts

COMMENTED = b"""{
  // the servers
  "mcpServers": {
    "files": {
      "command": "npx", /* why */
      "args": [
        "-y",
        "pkg",
      ],
      "env": { "A": "b" }, // last
    },
  },
}
"""


def text_of(data, form, *changes):
    return parse(data, form).edited(changes).data().decode()


# Places.


def test_places_are_lines_and_columns():
    document = parse(COMMENTED, "json")
    span = document.span(("mcpServers", "files", "command"))
    assert span is not None
    assert document.place(span.start) == (5, 18)
    assert document.raw(("mcpServers", "files", "command")) == '"npx"'
    key = document.key_span(("mcpServers", "files", "args"))
    assert key is not None
    assert document.text[key.start : key.end] == '"args"'
    assert document.raw(("mcpServers", "files", "args", 1)) == '"pkg"'
    assert document.span(("mcpServers", "none")) is None


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_every_kind_of_line_end_ends_a_line(newline):
    document = parse(newline.join(["{", '  "a":', "    1", "}"]).encode(), "json")
    span = document.span(("a",))
    assert span is not None
    assert document.place(span.start) == (3, 5)


def test_only_strict_json_is_plain():
    assert parse(b'{"a": 1}', "json").plain
    assert not parse(b'{"a": 1,}', "json").plain
    assert not parse(b'{"a": 1} // c', "jsonc").plain
    assert not parse(b"a = 1", "toml").plain


def test_a_toml_table_has_the_place_of_its_header():
    document = parse(b'[mcp_servers.x]\ncommand = "c"\n[mcp_servers.x.env]\nA = "1"\n', "toml")
    key = document.key_span(("mcp_servers", "x"))
    assert key == Span(13, 14)
    assert document.span(("mcp_servers", "x")) is None
    assert document.raw(("mcp_servers", "x", "env", "A")) == '"1"'


# Style.


def test_a_list_on_lines_stays_on_lines_with_its_indentation_and_last_comma():
    edited = text_of(COMMENTED, "json", Change(("mcpServers", "files", "args"), ["run", "--"]))
    assert edited == COMMENTED.decode().replace('"-y",\n        "pkg",', '"run",\n        "--",')


def test_a_list_on_one_line_stays_on_one_line():
    assert text_of(b'{"a": ["x", "y"]}', "json", Change(("a",), ["b", "c"])) == '{"a": ["b", "c"]}'
    assert text_of(b'{"a":["x","y"]}', "json", Change(("a",), ["b", "c"])) == '{"a":["b","c"]}'


def test_a_key_goes_after_the_last_member_and_its_remark():
    edited = text_of(COMMENTED, "json", Change(("mcpServers", "files", "cwd"), "/x"))
    assert edited == COMMENTED.decode().replace("// last\n", '// last\n      "cwd": "/x",\n')
    edited = text_of(b'{\r\n\t"a": 1 // c\r\n}', "json", Change(("b",), 2))
    assert edited == '{\r\n\t"a": 1, // c\r\n\t"b": 2\r\n}'


def test_a_new_list_is_written_as_the_files_other_lists_are():
    edited = text_of(COMMENTED, "json", Change(("mcpServers", "files", "tools"), ["a", "b"]))
    assert '      "tools": [\n        "a",\n        "b"\n      ],\n' in edited
    assert text_of(b'{\n "l": ["x", "y"]\n}', "json", Change(("m",), ["a", "b"])) == '{\n "l": ["x", "y"],\n "m": ["a", "b"]\n}'


def test_json5_keys_are_written_like_their_neighbours():
    assert text_of(b"{a: 1}", "json5", Change(("b",), 2)) == "{a: 1, b: 2}"
    assert text_of(b"{a: 1}", "json5", Change(("b c",), 2)) == '{a: 1, "b c": 2}'
    assert text_of(b"{'a': 1}", "json5", Change(("b",), 2)) == "{'a': 1, 'b': 2}"
    assert text_of(b'{"a": 1}', "json5", Change(("b",), 2)) == '{"a": 1, "b": 2}'


@pytest.mark.parametrize(
    ("before", "change", "after"),
    [
        (
            '[s.x]\ncommand = "a" # c\n\n[s.y]\n',
            Change(("s", "x", "args"), ["b"]),
            '[s.x]\ncommand = "a" # c\nargs = ["b"]\n\n[s.y]\n',
        ),
        ('s.x.command = "a"\n', Change(("s", "x", "args"), ["b"]), 's.x.command = "a"\ns.x.args = ["b"]\n'),
        ('s = { x = { command = "a" } }', Change(("s", "x", "args"), ["b"]), 's = { x = { command = "a", args = ["b"] } }'),
        (
            '[[s]]\nname = "a"\n[[s]]\nname = "b"',
            Change(("s", 0, "args"), ["c"]),
            '[[s]]\nname = "a"\nargs = ["c"]\n[[s]]\nname = "b"',
        ),
        ("[s]\r\n  a = 1\r\n", Change(("s", "b"), True), "[s]\r\n  a = 1\r\n  b = true\r\n"),
        ('a = [\n    "x", # c\n]\n', Change(("a",), ["y", "z"]), 'a = [\n    "y",\n    "z",\n]\n'),
        ("[s]\n", Change(("s", "a b"), 'q"x\\\x7f'), '[s]\n"a b" = "q\\"x\\\\\\u007f"\n'),
        ("[s]\na=1\n[t]", Change(("s", "a"), REMOVE), "[s]\n[t]"),
    ],
)
def test_toml_is_edited_where_its_lines_are(before, change, after):
    assert text_of(before.encode(), "toml", change) == after


@pytest.mark.parametrize(
    ("before", "change", "after"),
    [
        (
            "a:\n  cmd: x # c\n  args:\n    - y\n",
            Change(("a", "args"), ["b", "c: d"]),
            'a:\n  cmd: x # c\n  args:\n    - b\n    - "c: d"\n',
        ),
        ("a:\n  args:\n  - y\nb: 1\n", Change(("a", "args"), ["b", "c"]), "a:\n  args:\n  - b\n  - c\nb: 1\n"),
        ("a: [x, y]\n", Change(("a",), ["b", "c"]), 'a: ["b", "c"]\n'),
        ("a: x\n", Change(("a",), "yes"), 'a: "yes"\n'),
        ("a: 'x'\n", Change(("a",), "it's"), "a: 'it''s'\n"),
        ("a: x\n", Change(("a",), "1"), 'a: "1"\n'),
        ("a:\n  x: 1\n  l:\n    - 1\n", Change(("a", "m"), ["z"]), "a:\n  x: 1\n  l:\n    - 1\n  m:\n    - z\n"),
        ("a:\n  envs: {}\n", Change(("a", "envs", "K"), "v"), 'a:\n  envs: {K: "v"}\n'),
        ("a:\n  envs:\n  b: 1\n", Change(("a", "envs"), "v"), "a:\n  envs: v\n  b: 1\n"),
        (
            "l:\n  - name: x\n    command: y\n",
            Change(("l", 0, "args"), ["z"]),
            "l:\n  - name: x\n    command: y\n    args:\n      - z\n",
        ),
        ("a: x\nb: y", Change(("b",), REMOVE), "a: x"),
    ],
)
def test_yaml_is_edited_in_the_style_it_has(before, change, after):
    assert text_of(before.encode(), "yaml", change) == after


def test_a_byte_order_mark_stays():
    data = b'\xef\xbb\xbf{"a": 1}'
    assert parse(data, "json").bom
    assert text_of(data, "json", Change(("a",), 2)).encode() == b'\xef\xbb\xbf{"a": 2}'


def test_changes_that_meet_are_made_one_after_the_other():
    changes = [Change(("a", "b"), 1), Change(("a",), {"c": [1]}), Change(("a", "c", 0), 2), Change(("d",), 3), Change(("e",), 4)]
    assert json.loads(text_of(b'{"a": {"b": 0}}', "json", *changes)) == {"a": {"c": [2]}, "d": 3, "e": 4}


ODD_YAML = """\
# c
extensions:
  a:
    cmd: npx   # hi
    empty:
    text: |
      hello
      there

    folded: >-
      x
      y
    long: one
      two
    "quoted": 'it''s'
    kept: &k {q: 1}
  b:
    <<: *k
    empty: # c
    args: [a,
      "b", ]
    ? asked
    : answer
    last:
list:
- name: x
  args:
  - 1

- - nested
# end"""


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("end", ["", "\n", "\n...\n"])
def test_odd_yaml_is_put_back_to_the_byte_or_not_touched(newline, end):
    data = (ODD_YAML + end).replace("\n", newline).encode()
    document = parse(data, "yaml")
    done = 0
    for path in [
        *texts.paths(document.value),
        ("extensions", "a", "new"),
        ("extensions", "b", "new"),
        ("list", 0, "new"),
        ("new",),
    ]:
        for new in ("run it", "plain", ["a", "b c"], {"a": "b"}, 1, None):
            try:
                edited = document.edited([Change(path, new)])
            except FormatError:
                continue
            raw = document.raw(path)
            assert edited.edited([Change(path, REMOVE) if raw is None else Change(path, raw=raw)]).data() == data
            done += 1
    assert done > 60


# What is refused.


def refused(data, form, *changes):
    with pytest.raises(FormatError) as error:
        parse(data, form).edited(changes)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_key_that_is_there_twice_means_its_last_and_is_not_edited():
    data = b'{"s": {"x": 1}, "s": {"x": 2, "y": {"a": 1, "a": 2}}}'
    document = parse(data, "json")
    assert document.value == {"s": {"x": 2, "y": {"a": 2}}}
    assert document.raw(("s", "x")) == "2"
    assert document.duplicates == [("s",), ("s", "y", "a")]
    assert "s is there more than once" in refused(data, "json", Change(("s", "x"), 3))


def test_a_key_is_the_same_however_its_letters_are_escaped():
    assert parse(b'{"a": 1, "\\u0061": 2}', "json").duplicates == [("a",)]
    assert parse(b"{a: 1, '\\x61': 2}", "json5").duplicates == [("a",)]


@pytest.mark.parametrize("raw", ['1, "evil": 2', "", "1}", "1 /* c */", "{"])
def test_a_raw_text_that_is_not_one_value_is_refused(raw):
    refused(b'{"a": 1, "b": 2}', "json", Change(("a",), raw=raw))
    assert text_of(b'{"a": 1, "b": 2}', "json", Change(("a",), raw='"control"')) == '{"a": "control", "b": 2}'


@pytest.mark.parametrize(
    ("data", "form", "change", "said"),
    [
        (b"{}", "json", Change((), {}), "the whole file"),
        (b"", "json", Change(("a",), 1), "empty"),
        (b"{}", "json", Change(("a", "b"), 1), "nothing to be put into"),
        (b'{"a": 1}', "json", Change(("a", "b"), 1), "nothing to be put into"),
        (b'{"a": [1]}', "json", Change(("a", "b"), 1), "not a place to insert"),
        (b'{"a": [1]}', "json", Change(("a", 5), 1), "not a place to insert"),
        (b"{}", "json", Change(("a",), REMOVE), "not in the file"),
        (b"{}", "json", Change(("a",), raw="1"), "not in the file"),
        (b'{"a": 1}', "json", Change(("a",), {1: 2}), "can't be set to a dict"),
        (b'{"a": 1}', "json", Change(("a",), b"x"), "can't be set to a bytes"),
        (b'{"a": 1}', "json", Change(("a",), float("inf")), "infinite"),
        (b"a = 1", "toml", Change(("a",), None), "no null"),
        (b"a = 1", "toml", Change(("a",), "\ud800"), "surrogate"),
        (b"[a.b]\nc = 1", "toml", Change(("a", "d"), 1), "no lines of its own"),
        (b"[a]\nc = 1", "toml", Change(("a",), 1), "several places"),
        (b"[a]\nc = 1", "toml", Change(("a",), REMOVE), "several places"),
        (b"a: &x {b: 1}\nc: *x", "yaml", Change(("c",), 1), "an alias"),
        (b"a: &x {b: 1}\nc: *x", "yaml", Change(("c", "b"), 1), "from an alias"),
        (b"a: &x {b: 1}\nc: *x", "yaml", Change(("c", "n"), 1), "nothing to be put into"),
        (b"a: &x {b: 1}\nc: *x", "yaml", Change(("a", "b"), 2), "something else"),
        (b"a: &x {b: 1}\nc: *x", "yaml", Change(("a",), 1), "would break"),
        (b"a: &x {b: 1}\nc: {<<: *x}", "yaml", Change(("c", "b"), 1), "from an alias or a merge"),
        (b"a: x", "yaml", Change(("a",), "\ud800"), "surrogate"),
        (b"- a: x", "yaml", Change((0, "a"), "b"), "a list"),
        (b"l:\n- a: x\n  b: y", "yaml", Change(("l", 0, "a"), REMOVE), "shares its line"),
    ],
)
def test_an_edit_that_would_touch_something_else_is_refused(data, form, change, said):
    assert said in refused(data, form, change)


def test_an_empty_file_holds_no_settings_and_cannot_be_edited():
    for form in FORMS:
        for data in (b"", b"\n", b"\xef\xbb\xbf", b"# c" if form in {"yaml", "toml"} else b"// c"):
            document = parse(data, form)
            assert document.value == {}
            assert document.data() == data
            assert document.duplicates == []


# Bytes that nobody wrote by accident.

DEEP = 100_000
BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 12)
)
HOSTILE = {
    "deep lists": (b"[" * DEEP, ["json", "json5", "yaml"]),
    "deep objects": (b'{"a":' * DEEP, ["json", "json5", "yaml"]),
    "deep and closed": (b'{"a":' * 500 + b"1" + b"}" * 500, ["json", "json5", "yaml"]),
    "deep TOML": (b"a=" + b"[" * DEEP, ["toml"]),
    "deep inline tables": (b"a=" + b"{a=" * DEEP, ["toml"]),
    "a key of many parts": (b".".join([b"a"] * DEEP) + b" = 1", ["toml"]),
    "a header of many parts": (b"[" + b".".join([b'"a"'] * DEEP) + b"]", ["toml"]),
    "deep blocks": ("".join(f"{' ' * i}a:\n" for i in range(600)).encode(), ["yaml"]),
    "dashes": (b"- " * DEEP, ["yaml"]),
    "an alias bomb": (BOMB.encode(), ["yaml"]),
    "a merge bomb": (
        BOMB.replace("[x, x, x, x, x, x, x, x, x, x]", "{x: 1}").replace("[*", "{<<: [*").replace("]", "]}").encode(),
        ["yaml"],
    ),
    "an alias of itself": (b"a: &a [*a]", ["yaml"]),
    "an object of Python": (b"a: !!python/object/apply:os.system [id]", ["yaml"]),
    "two documents": (b"a: 1\n---\nb: 2", ["yaml"]),
    "a key that is a list": (b"? [a]\n: 1", ["yaml"]),
    "a number of 5,000 digits": (b'{"a": ' + b"9" * 5000 + b"}", ["json", "json5", "yaml"]),
    "NUL": (b'{"a": "\0"}', ["json", "json5", "yaml", "toml"]),
    "not UTF-8": (b'{"a": "\xff"}', ["json", "json5", "yaml", "toml"]),
    "a surrogate in UTF-8": (b'{"a": "\xed\xa0\x80"}', ["json", "json5", "yaml", "toml"]),
    "UTF-16": ('{"a": 1}'.encode("utf-16"), ["json", "json5", "yaml", "toml"]),
    "a list": (b"[1]", ["json", "json5", "yaml"]),
    "a text": (b'"x"', ["json", "json5", "yaml"]),
    "two values": (b"{} {}", ["json", "json5", "yaml", "toml"]),
    "a comment without end": (b'{"a": 1} /* ' * 2000, ["json", "json5"]),
    "a string without end": (b'{"a": "' + b'\\"' * DEEP, ["json", "json5", "yaml"]),
    "only commas": (b"{,}", ["json", "json5"]),
    "a comma too many": (b'{"a": [1,,]}', ["json", "json5"]),
    "a comma for a value": (b'{"a": [,]}', ["json", "json5"]),
    "NaN": (b'{"a": NaN}', ["json"]),
    "a bare key": (b"{a: 1}", ["json"]),
    "a single quote": (b"{'a': 1}", ["json"]),
    "a bad escape": (b"{a: '\\u12'}", ["json5"]),
    "a digit's escape": (b"{a: '\\1'}", ["json5"]),
    "a leading zero": (b"{a: 01}", ["json5"]),
    "a broken line in a string": (b"{a: 'x\ny'}", ["json5"]),
    "no key": (b"{: 1}", ["json", "json5"]),
    "a lone CR in TOML": (b"a = 1\rb = 2", ["toml"]),
    "a tab for indentation": (b"a:\n\tb: 1", ["yaml"]),
    "control characters in a tag": (b"a: !\x1b[31m x", ["yaml"]),
    "an alias that writes to a terminal": ("a: *\u009b31m".encode(), ["yaml"]),
    "a tag without end": (b"a: " + b"!" * DEEP, ["yaml"]),
    "a key that writes to a terminal": (b'["\\u001b[31m"]\n["\\u001b[31m"]', ["toml"]),
    "a second byte order mark": (b"\xef\xbb\xbf\xef\xbb\xbf{}", ["json"]),
}


@pytest.mark.parametrize(("name", "form"), [(name, form) for name, (_, forms) in HOSTILE.items() for form in forms])
def test_hostile_bytes_are_refused_in_one_line_and_soon(name, form):
    data, _ = HOSTILE[name]
    before = time.process_time()
    with pytest.raises(FormatError) as refusal:
        parse(data, form)
    assert "\n" not in str(refusal.value)
    assert str(refusal.value).isprintable()
    assert len(str(refusal.value)) < 2000
    assert time.process_time() - before < 20  # a hang, not a benchmark


def test_a_file_that_is_too_large_is_refused_unread():
    for form, limit in FORMS.items():
        with pytest.raises(FormatError, match="bytes"):
            parse(b" " * (limit + 1), form)


def test_a_form_that_is_not_known_is_refused():
    with pytest.raises(FormatError, match="no format is named 'xml'"):
        parse(b"", "xml")


def test_a_lone_cr_is_white_space_and_ends_a_comment_as_clients_read_it():
    assert parse(b'{"a": 1, // x\r"b": 2}', "json").value == {"a": 1, "b": 2}


def test_values_that_yaml_readers_take_differently_are_read_as_yaml_1_2():
    assert parse(b"a: yes\nb: 0o14\nc: 2020-01-01\nd: ~\ne: 1_000\nf: on", "yaml").value == {
        "a": "yes",
        "b": 12,
        "c": "2020-01-01",
        "d": None,
        "e": 1000,
        "f": "on",
    }


def test_dates_of_toml_are_texts():
    assert parse(b"a = 1979-05-27 07:32:00Z\nb = [1979-05-27, 07:32:00]", "toml").value == {
        "a": "1979-05-27T07:32:00+00:00",
        "b": ["1979-05-27", "07:32:00"],
    }
