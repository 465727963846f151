"""What the record keeps of arguments."""

from __future__ import annotations

import json
from typing import Any

import pytest

from stdioguard.ledger import redact
from stdioguard.wire import strict_json

SECRETS = [
    "sk-" + "proj-abcdefghijklmnopqrstuvwxyz",
    "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
    "github_pat_11ABCDEFG0abcdefghijkl_mnop",
    "glpat-abcdefghijklmnopqrst",
    "xoxb-1234567890-abcdefghij",
    "AKIAIOSFODNN7EXAMPLE",
    "npm_abcdefghijklmnopqrstuvwxyz0123456789",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
    "sk_live_abcdefghijklmnopqrstuvwx",
]


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("around", ["{}", "curl -H 'X: {}' https://x", "a" * 900 + " {}"])
def test_what_looks_like_a_secret_is_not_kept(secret: str, around: str) -> None:
    kept = redact.text(around.format(secret))
    assert secret not in kept
    assert secret[:12] not in kept
    if len(around) < 100:
        assert redact.REDACTED in kept


@pytest.mark.parametrize(
    "text",
    ["postgres://user:hunter22@db/x", "Bearer abcdefghijklmnop123", "password=hunter22", "-----BEGIN RSA PRIVATE KEY-----\nMIIE"],
)
def test_secrets_inside_other_texts_are_not_kept(text: str) -> None:
    kept = redact.text(text)
    assert "hunter22" not in kept
    assert "abcdefghijklmnop123" not in kept
    assert "MIIE" not in kept


@pytest.mark.parametrize(
    "text", ["", "hello", "/home/me/token-ring.txt", "max_tokens", "skate-park", "a@b.example", "https://x.example/a:b@c"]
)
def test_ordinary_text_is_kept(text: str) -> None:
    assert redact.text(text) == text


def test_a_key_that_says_so_hides_its_value_and_numbers_stay() -> None:
    given: dict[str, Any] = {
        "password": "x",
        "apiKey": ["y"],
        "AUTHORIZATION": {"a": "z"},
        "max_tokens": 100,
        "path": "/a",
        "deep": [{"client_secret": "q"}],
    }
    assert json.loads(redact.arguments(given)) == {
        "password": "[redacted]", "apiKey": "[redacted]", "AUTHORIZATION": "[redacted]", "max_tokens": 100, "path": "/a",
        "deep": [{"client_secret": "[redacted]"}],
    }  # fmt: skip


@pytest.mark.parametrize(
    "value",
    [
        {"a": "x" * 10**6},
        {str(n): "y" * 200 for n in range(10_000)},
        {"a": [[[[[[[[[[[[1]]]]]]]]]]]]},
        {"n": strict_json.Number("1" * 5000)},
    ],
)
def test_whatever_is_given_a_line_of_the_record_stays_short(value: Any) -> None:
    assert len(redact.arguments(value)) <= redact.MAX_ENCODED


def test_numbers_and_named_values_that_are_secrets_are_not_kept() -> None:
    given = {"pin": 1234, "password": 5, "tokens": 7, "env": [{"name": "password", "value": "v"}, {"name": "path", "value": "w"}]}
    assert json.loads(redact.arguments(given)) == {
        "pin": "[redacted]", "password": "[redacted]", "tokens": 7,
        "env": [{"name": "password", "value": "[redacted]"}, {"name": "path", "value": "w"}],
    }  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "Pwd=hunter22",
        "DB_PASS=hunter22",
        "run --password hunter22",
        "Authorization: Basic aHVudGVyMjI=",
        "https://x/?sig=hunter22",
    ],
)
def test_more_secrets_inside_texts(text: str) -> None:
    kept = redact.text(text)
    assert "hunter22" not in kept
    assert "aHVudGVyMjI" not in kept


def test_a_document_of_strings_costs_no_more_than_its_first_lines() -> None:
    value = [[["secret token"] * 60] * 60] * 60
    kept = redact.arguments(value)
    assert kept.count("secret token") < 600


def test_command_lines_lose_their_secrets() -> None:
    assert redact.command(["s", "--token", "abc", "--api-key=def", "--port", "80", "ghp_abcdefghijklmnopqrstuvwxyz0123456789"]) == [
        "s", "--token", "[redacted]", "--api-key=[redacted]", "--port", "80", "[redacted]",
    ]  # fmt: skip


def test_a_pattern_is_tried_wherever_it_could_match() -> None:
    import re

    for secret in [
        *SECRETS,
        "https://user:hunter22@host",
        "\u017fecret=hunter22",
        "BEARER abcdefghijklmnop123",
        "Api_Key: abcdef",
        "to\u212aen=abcd",
    ]:
        for marker, pattern in redact.SHAPES:
            if re.search(pattern, secret):
                assert marker in secret.casefold()


def test_a_command_line_keeps_what_only_names_a_secret() -> None:
    words = ["npx", "--token", "secret:github", "--key=secret:a.b-c", "secret:x", "TOKEN=secret:y"]
    assert redact.command(words) == words
    near = ["--token", "secret:", "--api-key=secret:a b", "--api-key", "hunter22", "https://a:hunter22@b/?x=secret:z"]
    assert redact.command(near) == ["--token", redact.REDACTED, f"--api-key={redact.REDACTED}", "--api-key", redact.REDACTED,
                                    f"https://{redact.REDACTED}@b/?x=secret:z"]  # fmt: skip
