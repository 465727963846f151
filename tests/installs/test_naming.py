"""Names for servers and secrets: printable everywhere, and one name for one program."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stdioguard.identity import secrets
from stdioguard.installs import naming


@given(st.text(max_size=300))
def test_any_text_makes_a_name(text: str) -> None:
    name = naming.slug(text)
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.\-]*", name)
    assert len(name) <= naming.MAX_LENGTH
    assert naming.slug(name) == name


@given(st.text(max_size=100), st.text(max_size=200))
def test_any_variable_of_any_server_makes_a_name_for_a_secret(server: str, key: str) -> None:
    name = naming.secret_name(naming.slug(server), key)
    assert secrets.reference(f"secret:{name}-12") == f"{name}-12"


@pytest.mark.parametrize(
    ("name", "started", "taken", "expected"),
    [
        ("git", "npm:a", {}, r"git"),
        ("git", "npm:a", {"git": "npm:a"}, r"git"),
        ("git", "npm:b", {"git": "npm:a"}, r"git-[0-9a-f]{6}"),
        ("my git", "npm:a", {}, r"my-git"),
        ("my git", "npm:b", {"my-git": "npm:a"}, r"my-git-[0-9a-f]{6}"),
    ],
)
def test_a_name_that_another_program_has_is_not_given_again(
    name: str, started: str, taken: dict[str, str], expected: str
) -> None:
    given_name = naming.server_name(name, started, taken)
    assert re.fullmatch(expected, given_name)
    assert taken.get(given_name, started) == started


@given(st.lists(st.tuples(st.text(max_size=8), st.sampled_from(["npm:a", "npm:b", "command:c"])), max_size=12))
def test_no_two_programs_ever_share_a_name(entries: list[tuple[str, str]]) -> None:
    taken: dict[str, str] = {}
    for name, started in entries:
        given_name = naming.server_name(name, started, taken)
        assert taken.setdefault(given_name, started) == started
