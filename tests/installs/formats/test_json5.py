"""Our reading of JSON5 is that of another implementation, on texts of every kind, right and wrong."""

from __future__ import annotations

import json5
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stdioguard.installs.formats import FormatError, parse
from stdioguard.installs.formats.values import same

PIECES = [
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "a",
    "$_b",
    "'c'",
    '"d"',
    "'it\\'s'",
    '"\\x41\\u0042\\v\\0\\\n."',
    "1",
    "-1",
    "+2",
    ".5",
    "5.",
    "0x1F",
    "1e3",
    "Infinity",
]
PIECES += [
    "-Infinity",
    "true",
    "null",
    "01",
    "0x",
    "'\\1'",
    "'\\u12'",
    "//c\n",
    "/*c*/",
    "\u00a0",
    "\ufeff",
    "\n",
    " ",
    "\\u0061b",
    "a-b",
    "é",
    "--1",
    "'\n'",
    "1a",
]
TEMPLATES = st.sampled_from(["%s", "{%s}", "{a:%s}", "{'x':[%s]}", "{%s:1}", "{a:1,%s}", "{a:[1%s]}"])


def theirs(text):
    try:
        return True, json5.loads(text)
    except (ValueError, RecursionError):
        return False, None


def ours(text):
    try:
        return True, parse(text.encode(), "json5").value
    except FormatError:
        return False, None


@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.sampled_from(PIECES), max_size=6), TEMPLATES)
def test_two_readers_of_json5_agree(pieces, template):
    text = template % "".join(pieces)
    good, value = theirs(text)
    if good and not isinstance(value, dict):
        good, value = False, None  # it is JSON5, and no client's file
    read, mine = ours(text)
    if not text.strip() or (read and mine == {}):
        return  # an empty file, which clients read as no settings
    assert read == good, text
    assert not good or same(mine, value), text


@pytest.mark.parametrize(
    "text",
    [
        "{a: 'x\\\r\ny'}",
        "{a: '\\\u2028'}",
        "{'\\'': 1}",
        "{a: +Infinity, b: -.5, c: 0XfF, d: 1.e2}",
        "{ünï: 1, $: 2}",
        "{a:'\t'}",
    ],
)
def test_odd_texts_are_read_alike(text):
    good, value = theirs(text)
    assert good
    assert ours(text) == (True, value)
