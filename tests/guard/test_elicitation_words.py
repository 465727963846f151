"""What a server's form may not ask a person, in whichever spelling, and what it may ask in words that are near to it."""

from __future__ import annotations

from typing import Any

import pytest

from stdioguard.guard.gates import elicitation

TYPED = {"answer": {"type": "string"}}
CHOSEN = {"sure": {"type": "boolean"}, "which": {"type": "string", "enum": ["a", "b"]}}


def rule(message: str, fields: dict[str, Any]) -> str | None:
    params = {"message": message, "requestedSchema": {"type": "object", "properties": fields}}
    refusal = elicitation.from_server(params, "s")
    return refusal.rule if refusal is not None else None


@pytest.mark.parametrize(
    "message",
    [
        "Enter your passwd", "PASSWORD?", "pass\nword", "p a s s w o r d", "pa55word", "p\u0430ssword", "\u0440\u0430sswor\u217e",
        "\uff30\uff21\uff33\uff33\uff37\uff2f\uff32\uff24", "Enter the PIN of your card", "The 4-digit PIN", "PIN code:",
        "Paste your GitHub token", "Your OpenAI key (sk-...)", "Type your SSH private key", "Paste the contents of ~/.ssh/id_rsa",
        "Give me your secret", "Token:", "Enter the OTP", "Enter your 2FA code", "Authentication code", "CVV?", "SSN?",
        "Your seed words, in order", "Passwort eingeben", "Ingrese su contrase\u00f1a", "Entrez votre mot de passe",
        "\u8bf7\u8f93\u5165\u5bc6\u7801", "\u30d1\u30b9\u30ef\u30fc\u30c9", "\ube44\ubc00\ubc88\ud638",
        "\u0412\u0432\u0435\u0434\u0438\u0442\u0435 \u043f\u0430\u0440\u043e\u043b\u044c",
    ],
)  # fmt: skip
def test_a_form_does_not_ask_for_a_secret_in_its_message(message: str) -> None:
    assert rule(message, TYPED) == "elicitation.secret"
    assert rule(message, {"n": {"type": "integer"}}) == "elicitation.secret"
    assert rule(message, CHOSEN) is None


@pytest.mark.parametrize(
    "field",
    [
        {"token": {"type": "string"}}, {"github_token": {"type": "string"}}, {"clientSecret": {"type": "string"}},
        {"pwd": {"type": "string"}}, {"otp": {"type": "integer"}}, {"x": {"type": "string", "title": "Secret"}},
        {"x": {"type": "string", "title": "Bearer"}}, {"x": {"type": "string", "description": "CVC2"}}, {"password": {}},
        {"x": {"type": "string", "format": "password"}}, {"x": {"type": ["string"], "title": "Password"}},
        {"x": {"type": "object", "properties": {"password": {"type": "string"}}}}, {"p\u0430ssword": {"type": "string"}},
        {"x": {"type": "array", "items": {"type": "string", "title": "password"}}},
    ],
    ids=str,
)  # fmt: skip
def test_a_form_does_not_ask_for_a_secret_in_its_fields(field: dict[str, Any]) -> None:
    assert rule("A question", field) == "elicitation.secret"


@pytest.mark.parametrize(
    ("message", "fields"),
    [
        ("Which branch?", TYPED), ("How many tokens at most?", {"max_tokens": {"type": "integer"}}), ("Pin which note?", TYPED),
        ("Which GPIO pin is the lamp on?", {"pin": {"type": "integer"}}), ("Secret Santa: whose name?", TYPED),
        ("Which key is the song in?", {"key": {"type": "string"}}), ("Which is the primary key?", {"primary_key": {"type": "string"}}),
        ("The name of the design token?", {"design": {"type": "string"}}), ("Your opinion?", {"opinion": {"type": "string"}}),
        ("Shipping address, postal code", {"code": {"type": "string"}}), ("Which valid token comes next?", {"word": {"type": "string"}}),
        ("Keyboard layout?", TYPED), ("Passenger name, pass mark", TYPED), ("Email", {"email": {"type": "string", "format": "email"}}),
        ("\u041a\u0430\u043a \u0434\u0435\u043b\u0430?", TYPED), ("Rotate the API key?", {"ok": {"type": "boolean"}}),
        ("This tool call deletes 3 files. Go on?", {"d": {"type": "string", "enum": ["allow", "deny"]}}),
    ],
    ids=str,
)  # fmt: skip
def test_words_that_are_near_to_a_secret_are_asked(message: str, fields: dict[str, Any]) -> None:
    assert rule(message, fields) is None


@pytest.mark.parametrize(
    "text",
    [
        "stdi\u043eguard: allow?", "\u0455tdioguard", "std1oguard", "st.dio.guard", "stdio guard", "Allow this tool call?",
        "arguments (chosen by the model):",
    ],
)  # fmt: skip
def test_a_question_does_not_speak_as_the_guard(text: str) -> None:
    assert rule(text, TYPED) == "elicitation.imitation"
    assert rule("A question", {"x": {"type": "string", "title": text}}) == "elicitation.imitation"


@pytest.mark.parametrize(
    "field",
    [
        {"type": "string", "enum": ["allow once", "deny"]}, {"type": "string", "enum": ["Allow once", "Always", "deny"]},
        {"type": "string", "oneOf": [{"const": "allow once", "title": "Yes"}, {"const": "deny", "title": "No"}]},
        {"type": "string", "oneOf": [{"const": "1", "title": "Allow once"}, {"const": "2", "title": "Deny"}]},
        {"type": "string", "enum": ["1", "2"], "enumNames": ["Allow  Once", "Deny"]},
        {"type": "array", "items": {"anyOf": [{"const": "a", "title": "\u0430llow once"}]}},
    ],
    ids=str,
)  # fmt: skip
def test_a_question_does_not_offer_the_guards_answer(field: dict[str, Any]) -> None:
    assert rule("Go on?", {"x": field}) == "elicitation.imitation"


def test_of_a_text_longer_than_anybody_sees_the_ends_are_looked_at() -> None:
    filling = "x " * 100_000
    assert rule(filling, TYPED) is None
    assert rule(f"{filling} your password", TYPED) == rule(f"your password {filling}", TYPED) == "elicitation.secret"


@pytest.mark.parametrize(
    "link",
    [
        "javascript:alert(1)", "file:///etc/passwd", "data:text/html,x", "vscode://x/y", "ssh://host", "https:/host", "//host/x", "https://",
        "https://bank.example@host.example/", "https://bank.example\\@host.example/", "https://host.example/a b", "", 7, None,
    ],
)  # fmt: skip
def test_a_link_opens_a_page_and_nothing_else(link: Any) -> None:
    refusal = elicitation.from_server({"mode": "url", "message": "Log in", "url": link, "elicitationId": "1"}, "s")
    assert refusal is not None
    assert refusal.rule == "elicitation.link"


@pytest.mark.parametrize(
    "link", ["https://host.example/login?next=/x&user=a@b#top", "http://127.0.0.1:8080/", "HTTPS://host.example"]
)
def test_a_link_to_a_page_is_passed_on(link: str) -> None:
    assert elicitation.from_server({"mode": "url", "message": "Log in", "url": link, "elicitationId": "1"}, "s") is None
