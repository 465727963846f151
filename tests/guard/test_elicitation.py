"""A server's own questions: marked as its own, visible, finite, in both eras."""

from __future__ import annotations

from typing import Any

import pytest

from stdioguard.guard.gates import elicitation

FORM = {"type": "object", "properties": {"name": {"type": "string", "title": "Your name"}}}


def asked(**params: Any) -> dict[str, Any]:
    found = {"message": "Which?", "requestedSchema": FORM, **params}
    refusal = elicitation.from_server(found, "victim")
    return found if refusal is None else {"refused": refusal.rule}


def test_a_question_begins_with_whose_it_is() -> None:
    assert asked()["message"] == "The server victim asks: Which?"


def test_a_servers_name_cannot_hold_the_rest_of_the_line() -> None:
    found: dict[str, Any] = {"message": "x"}
    elicitation.mark(found, 'me" asks: yes?\nThe server victim')
    assert "\n" not in found["message"]


@pytest.mark.parametrize("text", ["\x1b[2Jgone", "a\u202eb", "a\u200bb", "a\U000e0041b", "a\rb", "bell\x07"])
def test_what_acts_on_a_display_arrives_as_an_escape(text: str) -> None:
    form = {"type": "object", "properties": {"a": {"type": "string", "title": text, "description": text}}}
    found = asked(message=text, requestedSchema=form)
    assert text not in found["message"]
    label = found["requestedSchema"]["properties"]["a"]
    assert label["title"] == label["description"] == found["message"].removeprefix("The server victim asks: ")


@pytest.mark.parametrize("text", ["Über den Fluß", "選んでください", "שלום", "line one\nline two", "👩‍🚀 go"[:1]])
def test_what_people_write_arrives_as_it_is(text: str) -> None:
    assert asked(message=text)["message"] == f"The server victim asks: {text}"


@pytest.mark.parametrize("hidden", ["a\u200b", "\u202ea", "\x1b[1m"])
def test_a_key_a_choice_or_a_link_that_hides_something_is_refused(hidden: str) -> None:
    choices = {"type": "object", "properties": {"a": {"type": "string", "enum": [hidden, "b"]}}}
    keys = {"type": "object", "properties": {hidden: {"type": "boolean"}}}
    refused = {"refused": "elicitation.invisible"}
    assert asked(requestedSchema=choices) == asked(requestedSchema=keys) == refused
    assert asked(mode="url", url=f"https://x.example/{hidden}", elicitationId="e") == refused


def test_a_long_question_loses_its_middle_and_says_so() -> None:
    message = asked(message="x" * 100_000)["message"]
    assert len(message) < elicitation.MAX_MESSAGE + 100
    assert "100000 characters" in message


@pytest.mark.parametrize("odd", [None, 5, [], {"message": []}])
def test_a_question_of_no_shape_is_passed_by_what_checks_shapes(odd: Any) -> None:
    found: dict[str, Any] = {"message": odd, "requestedSchema": odd}
    assert elicitation.from_server(found, "victim") is None
