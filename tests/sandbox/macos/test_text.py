"""Quoting, and expressions for every spelling of a name."""

from __future__ import annotations

import re
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stdioguard.sandbox.macos import text
from stdioguard.sandbox.macos.errors import MacSandboxError
from tests.sandbox import cases
from tests.sandbox.macos.disk import same
from tests.sandbox.macos.evaluator import Profile, dialect_problem

SAYABLE = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=40)


def literals(quoted: str) -> list:
    (rule,) = Profile(f"(version 1)\n(deny default)\n(allow file-read* (literal {quoted}))\n").rules
    return rule.filters[0]


@given(SAYABLE)
def test_a_quoted_path_is_read_back_as_it_was(path: str) -> None:
    path = "/" + path.strip("/")
    assert literals(text.quoted(path)) == ["literal", path]


@pytest.mark.parametrize("name", cases.NASTY_NAMES)
def test_no_name_ends_its_string(name: str) -> None:
    assert literals(text.quoted(f"/{name}")) == ["literal", f"/{name}"]


@pytest.mark.parametrize("name", cases.REFUSED_NAMES)
def test_what_a_profile_cannot_say_is_refused_in_one_line(name: str) -> None:
    with pytest.raises(MacSandboxError) as refusal:
        text.quoted(f"/{name}")
    assert "\n" not in str(refusal.value)
    assert str(refusal.value).isascii()


def test_a_string_that_the_reader_would_not_take_is_refused() -> None:
    assert len(text.quoted("/" + "a" * 900)) == 903
    for long in ("a" * 1000, '"' * 510, "\u00e9" * 500):
        with pytest.raises(MacSandboxError, match="bytes in a sandbox profile"):
            text.quoted("/" + long)


@given(SAYABLE)
def test_an_escaped_name_matches_itself_and_nothing_else(name: str) -> None:
    regex = text.escaped(name)
    assert dialect_problem(regex) is None
    assert re.fullmatch(regex, name)
    assert not re.fullmatch(regex, name + "x")
    assert re.fullmatch(regex.encode(), name.encode())


@given(SAYABLE)
def test_a_folded_name_matches_its_own_spellings_as_bytes_and_as_characters(name: str) -> None:
    regex = text.folded(name)
    assert dialect_problem(regex) is None
    for spelling in {name, *(unicodedata.normalize(form, name) for form in ("NFC", "NFD"))}:
        assert re.fullmatch(regex, spelling), spelling
        assert re.fullmatch(regex.encode(), spelling.encode()), spelling


ASCII_NAMES = st.text(st.sampled_from("abfgiklsst.-_ 0"), min_size=1, max_size=8)


@given(ASCII_NAMES, st.data())
def test_a_folded_name_matches_whatever_the_volume_takes_for_it(name: str, data: st.DataObject) -> None:
    spelling = ""
    rest = same(name)
    while rest:
        ways = [sign for sign in EXOTIC if rest.startswith(same(sign))] + [rest[0], rest[0].upper()]
        sign = data.draw(st.sampled_from(ways))
        spelling += sign
        rest = rest[len(same(sign)) :]
    assert same(spelling) == same(name)
    assert re.fullmatch(text.folded(name), spelling), spelling


# Longer runs of letters that ligatures join are met loosely.
SHORT_RUNS = ASCII_NAMES.filter(lambda name: not re.search(r"[fst]{4}|ff[il]*f|[fs]{3}[til]", name))


@given(SHORT_RUNS, ASCII_NAMES)
def test_a_folded_name_matches_no_other_name(name: str, other: str) -> None:
    assert (re.fullmatch(text.folded(name), other) is not None) == (same(name) == same(other))


EXOTIC = [
    chr(code)
    for code in range(0x80, sys.maxunicode + 1)
    if not 0xD800 <= code < 0xE000 and same(chr(code)).isascii() and same(chr(code))
]


def test_the_table_of_spellings_has_every_character_that_folds_to_ascii_letters() -> None:
    known = "".join([*text.SINGLE.values(), *text.LIGATURES.values()])
    letters = [char for char in EXOTIC if same(char).isalpha()]
    assert sorted(known) == sorted(letters)
    # What is left folds to signs that no protected name holds (a Greek question mark is a semicolon).
    assert {same(char) for char in EXOTIC if char not in known} <= {";", "`"}


@pytest.mark.parametrize("name", ["config", "hosts", "ssh", "offline", "assist", "sst", "ffi", "sss", "offset", "kiss"])
def test_ligatures_are_spelled_out_in_every_position(name: str) -> None:
    regex = text.folded(name)
    for exotic in EXOTIC:
        part = same(exotic)
        for at in range(len(name)):
            if name.startswith(part, at):
                assert re.fullmatch(regex, name[:at] + exotic + name[at + len(part) :])


@pytest.mark.parametrize(
    "name",
    [
        "caf\u00e9",
        "stra\u00dfe",
        "\u0130stanbul",
        "\u03a3\u03af\u03c3\u03c5\u03c6\u03bf\u03c2",
        "\u212bngstr\u00f6m",
        "\uac00",
        "K\u0301",
    ],
)
def test_names_beyond_ascii_are_met_in_both_forms_and_cases(name: str) -> None:
    regex = text.folded(name)
    for form in ("NFC", "NFD"):
        for cased in (name, name.upper(), name.lower()):
            spelling = unicodedata.normalize(form, cased)
            if same(spelling) == same(name):
                assert re.fullmatch(regex, spelling), ascii(spelling)
