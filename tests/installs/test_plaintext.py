"""Which texts of an entry are secrets in plain text, and which only look like it."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest

from stdioguard.installs import plaintext
from stdioguard.installs.plaintext import HIGH, MEDIUM, Found

KEY = "q0292ofd-i184-9k6u-7xfl-351val906yzl"
GITHUB = "ghp_" + "a1B2" * 9


def look(
    argv: list[str] | None = None, *, url: str | None = None, headers: dict[str, str] | None = None, **env: str
) -> list[Found]:
    entry: Any = SimpleNamespace(argv=argv or [], env=env, headers=headers or {}, url=url, extra={})
    return plaintext.secrets_in(entry)


def texts(argv: list[str] | None = None, **more: Any) -> list[str]:
    """Return the secrets themselves."""
    shown = []
    for found in look(argv, **more):
        text: Any = {"argv": argv, "env": more, "headers": more.get("headers"), "url": more.get("url")}[found.path[0]]
        text = text if found.path[0] == "url" else text[found.path[1]]
        shown.append(text[slice(*found.span)])
    return shown


@pytest.mark.parametrize(
    "text",
    [
        GITHUB, "github_pat_" + "a1B2" * 8, "glpat-" + "a1B2" * 5, "sk-" + "a1B2" * 8, "sk-ant-api03-" + "a1B2" * 8, "xoxb-1234-5678-" + "a1B2" * 4,
        "AKIA" + "A1B2C3D4" * 2, "AIza" + "a1B2" * 9, "npm_" + "a1B2" * 9, "hf_" + "a1B2" * 8, "pypi-" + "a1B2" * 9, "sbp_" + "a1b2" * 10,
        "ntn_" + "a1B2" * 11, "lin_api_" + "a1B2" * 10, "figd_" + "a1B2" * 10, "BSA" + "a1B2" * 7, "GOCSPX-" + "a1B2" * 7,
        "SG." + "a1B2" * 5 + "." + "a1B2" * 10, "987654321:AA" + "a1B2" * 9, "tvly-dev-" + "a1B2" * 8, "pplx-" + "a1B2" * 12, "fc-" + "a1b2" * 8,
        "ATATT3" + "a1B2" * 20, "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl",
    ],
)  # fmt: skip
def test_a_key_with_a_vendors_look_is_found_wherever_it_stands(text: str) -> None:
    assert texts(SOMETHING=text) == [text]
    assert texts(["server", text]) == [text]
    assert texts(["server", "--any", text]) == [text]
    assert texts(["server", f"--any={text}"]) == [text]
    assert texts(headers={"X-Any": text}) == [text]
    assert {found.confidence for found in look(SOMETHING=text)} == {HIGH}


@pytest.mark.parametrize(
    "name",
    [
        "API_KEY",
        "EXA_API_KEY",
        "apiKey",
        "GITHUB_TOKEN",
        "clientSecret",
        "DB_PASSWORD",
        "SLACK_PAT",
        "X-Api-Key",
        "JWT",
        "TOKEN2",
        "AUTH_KEY",
    ],
)
def test_a_key_is_found_by_its_name(name: str) -> None:
    assert texts(**{name: KEY}) == [KEY]
    assert look(**{name: KEY})[0].confidence == MEDIUM
    assert texts(["server", f"--{name}", KEY]) == [KEY]
    assert texts(["server", f"--{name}={KEY}"]) == [KEY]
    assert texts(["docker", "run", "-e", f"{name}={KEY}", "image"]) == [KEY]
    assert texts(headers={name: KEY}) == [KEY]


@pytest.mark.parametrize(
    "name",
    [
        "CLIENT_ID",
        "TOKEN_LIMIT",
        "MAX_TOKENS",
        "KEYBOARD",
        "AUTHOR",
        "PUBLIC_KEY",
        "TOKEN_FILE",
        "PASSTHROUGH",
        "KEY_PATH",
        "PATH",
        "MONKEYS",
        "URL",
    ],
)
def test_a_name_that_only_holds_such_a_word_says_nothing(name: str) -> None:
    assert look(**{name: KEY}) == []
    assert look(["server", f"--{name}", KEY]) == []


@pytest.mark.parametrize(
    "text",
    [
        "", "YOUR_API_KEY", "your-api-key-here", "<token>", "<YOUR_TOKEN>", "xxx", "xxxxxxxxxxxxxxxx", "api-xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx", "changeme",
        "change-me-please-123", "${VAR}", "${input:token}", "${env:GITHUB_TOKEN}", "$GITHUB_TOKEN", "%TOKEN%", "{env:TOKEN}", "{{token}}", "secret:github",
        "true", "false", "null", "none", "1234", "20", "0.5", "/etc/keys/token", "~/.config/token", "./token.json", "C:\\keys\\token", "https://example.com/token",
        "...", "***", "********", "REDACTED", "[REDACTED_API_KEY]", "GITHUB_PERSONAL_ACCESS_TOKEN", "replace-me-with-a-token-1", "insert_token_here_1234",
        "sk-xxxxxxxxxxxxxxxxxxxxxxxx", "sk-your-key-goes-here-123", "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "ghp_your_token_here_your_token_here",
        "op://vault/item/field", "keyward://stripe/secret1", "bw://item-1234/field", "doppler:PROJECT/KEY12345", "my-token", "the-api-key", "dummy-key-12345", "placeholder", "example-key-abcdef", "local", "test", "password", "00000000-0000-0000-0000-000000000000",
        "file:/etc/token", "enabled", "AIzaSyXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX", "oauth",
    ],
)  # fmt: skip
def test_a_placeholder_is_no_secret_under_any_name(text: str) -> None:
    for name in ("API_KEY", "PASSWORD", "GITHUB_TOKEN"):
        assert look(**{name: text}) == []
        assert look(["server", f"--{name}", text]) == []
        assert look(["server", f"--{name}={text}"]) == []
        assert look(headers={"Authorization": f"Bearer {text}"}) == []


@pytest.mark.parametrize(
    "argv",
    [
        ["npx", "-y", "@modelcontextprotocol/server-github@2025.4.8"], ["npx", "-y", "@sentry/mcp-server@latest", "--access-token"], ["docker", "run", "-e", "API_KEY", "mcp/x"],
        ["node", "/home/ana/9f8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c/index.js"], ["uvx", "--from", "git+https://github.com/oraios/serena", "serena"],
        ["npx", "mcp-remote", "https://mcp.linear.app/mcp"], ["docker", "run", "image@sha256:" + "a1b2" * 16], ["x", "--project-ref", "abcdefghijklmnopqrst"],
        ["x", "--config", "9f8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c"], ["x", "https://example.com/path?page=2&tab=keys"], ["x", "--key", "--other"],
        ["x", "--header", "Authorization: Bearer ${TOKEN}"], ["x", "--header", "Authorization:${AUTH_HEADER}"], ["x", "--token", "${TOKEN}"],
    ],
)  # fmt: skip
def test_an_ordinary_command_holds_no_secret(argv: list[str]) -> None:
    assert look(argv) == []


@pytest.mark.parametrize(
    ("argv", "secret"),
    [
        (["npx", "mcp-remote", "https://x.example/mcp", "--header", f"Authorization: Bearer {KEY}"], KEY),
        (["npx", "mcp-remote", "https://x.example/mcp", "--header", f"Authorization:Bearer {KEY}"], KEY),
        (["npx", "mcp-remote", "https://x.example/mcp", "--header", f"X-Api-Key: {KEY}"], KEY),
        (["npx", "mcp-remote", f"https://x.example/mcp?api_key={KEY}"], KEY),
        (["npx", "mcp-remote", f"https://x.example/mcp?a=b&token={KEY}&c=d"], KEY),
        (["npx", "server-postgres", "postgresql://app:hu9ter2@db.example/app"], "hu9ter2"),
        (["npx", "server-postgres", "--url=postgresql://app:hu9ter2@db.example/app"], "hu9ter2"),
        (["x", "--connection", "Server=db;User Id=sa;Password=hu9ter2!;"], "hu9ter2!"),
        (["x", "--password", "hu9ter2"], "hu9ter2"),
    ],
)
def test_the_secret_alone_is_marked(argv: list[str], secret: str) -> None:
    assert texts(argv) == [secret]


def test_a_header_and_an_address_of_a_remote_server() -> None:
    assert texts(headers={"Authorization": f"Bearer {KEY}"}) == [KEY]
    assert texts(headers={"Authorization": f"Basic {'QWxhZGRpbjpvcGVuIHNlc2FtZQ=='}"}) == ["QWxhZGRpbjpvcGVuIHNlc2FtZQ=="]
    assert texts(url=f"https://x.example/mcp?apiKey={KEY}") == [KEY]
    assert texts(url=f"https://ana:{KEY}@x.example/mcp") == [KEY]
    assert texts(url="https://x.example/mcp?login&page=12345678") == []


def test_each_place_is_named_and_no_reason_holds_the_secret() -> None:
    found = look(
        ["x", "--token", KEY], url=f"https://x.example/?key={KEY}", headers={"Authorization": f"Bearer {KEY}"}, API_KEY=GITHUB
    )
    assert [one.path for one in found] == [("env", "API_KEY"), ("argv", 2), ("headers", "Authorization"), ("url",)]
    assert [one.kind for one in found] == ["env", "argument", "header", "url"]
    for one in found:
        assert KEY not in repr(one)
        assert GITHUB not in repr(one)


@pytest.mark.parametrize(
    ("text", "secret", "kept", "left"),
    [
        (KEY, KEY, KEY, "secret:x"),
        (f"--token={KEY}", KEY, KEY, "--token=secret:x"),
        (f"TOKEN={KEY}", KEY, KEY, "TOKEN=secret:x"),
        (f"Authorization: Bearer {KEY}", KEY, f"Authorization: Bearer {KEY}", "secret:x"),
        (f"https://x.example/?api_key={KEY}", KEY, KEY, "https://x.example/?api_key=secret:x"),
        ("--url=postgresql://a:hu9ter2@b/c", "hu9ter2", "postgresql://a:hu9ter2@b/c", "--url=secret:x"),
        ("postgresql://a:hu9ter2@b/c?d=e", "hu9ter2", "postgresql://a:hu9ter2@b/c?d=e", "secret:x"),
    ],
)
def test_what_is_moved_can_be_put_back_by_the_rule_of_references(text: str, secret: str, kept: str, left: str) -> None:
    start = text.index(secret)
    assert plaintext.moved(text, (start, start + len(secret)), "x") == (kept, left)
    assert plaintext.moved(text, (0, len(text)), "x") == (text, "secret:x"), "as of a variable"
    assert left.replace("secret:x", kept) == text


@pytest.mark.parametrize(
    "part",
    [
        "x",
        "sk-",
        "sk-a1b2c3d4e5f6g7h8i9j0k1l2m3 ",
        "?key=abcdefg1&key=",
        "a://b:cdefgh@",
        "bearer ",
        "A1b2",
        "password=abcde;",
        f"{GITHUB} ",
        "".join(map(chr, range(0x4E00, 0x9E00))),
    ],
)
def test_a_text_that_is_made_to_keep_the_search_busy_does_not(part: str) -> None:
    text = (part * (1_000_000 // len(part) + 1))[:1_000_000]
    began = time.process_time()
    assert len(look(["x", text], API_TOKEN=text)) <= 2 * plaintext.MAX_IN_TEXT
    assert time.process_time() - began < 30  # about two seconds; a search that goes wrong takes minutes or hours


OTHER = "q7Xw9ZkP2mN8vB4tR6yL1cJ5"


@pytest.mark.parametrize(
    "text",
    [
        f"API_KEY={OTHER} npx -y server", f"export ACME_TOKEN='{OTHER}'; exec npx -y server", f"set ACME_TOKEN={OTHER}&& npx server",
        f"npx server --api-key {OTHER}", f"npx server --api-key={OTHER}", f"$env:ACME_TOKEN='{OTHER}'; npx server",
        f'npx mcp-remote https://x.example --header "X-Api-Key: {OTHER}"', f'npx x --header "Authorization: Bearer {OTHER}"',
        f'{{"apiKey": "{OTHER}"}}', f"{{'apiKey':'{OTHER}'}}", f'"{{\\"apiKey\\":\\"{OTHER}\\"}}"',
        f'{{"Authorization": "Bearer {OTHER}", "Version": "2022-06-28"}}',
    ],
)  # fmt: skip
def test_a_secret_is_found_by_a_name_inside_a_longer_text(text: str) -> None:
    assert texts(["bash", "-c", text]) == [OTHER]
    assert texts(["server", "--config", text]) == [OTHER]
    assert texts(CONFIG=text) == [OTHER]


@pytest.mark.parametrize(
    "argv", [["docker", "run", f"--env=A_TOKEN={OTHER}", "image"], ["docker", "run", "-e", f"A_TOKEN={OTHER}", "image"]]
)
def test_a_variable_in_an_option_is_found_by_its_own_name(argv: list[str]) -> None:
    assert texts(argv) == [OTHER]


@pytest.mark.parametrize(
    "text",
    [
        "API_KEY=$API_KEY npx -y server", "export A_TOKEN='your-token-here' && npx server", 'export A_KEY="$A_KEY"; npx server',
        "API_KEY=$(cat /run/key) npx server", "npx server --token-file /run/secrets/token1", '{"apiKey": "${API_KEY}", "maxTokens": "4096"}',
        '{"Authorization": "Bearer ${TOKEN}"}', '{"key": "primaryIndex2024"}', "The token: is asked for when the server starts", "password: something else that is no secret",
        "npx server --key-id 1234567890abcdef12", '{"sort_key": "createdAt2024-01-01"}', "cd /x && npx -y @scope/server@1.0.0 --port=8080",
        "https://x.example/list?page=2&next_token_type=a1b2c3d4e5f6",
    ],
)  # fmt: skip
def test_a_longer_text_without_a_secret_in_it_has_none(text: str) -> None:
    assert texts(["bash", "-c", text]) == []
    assert texts(CONFIG=text) == []


def test_a_key_with_its_makers_mark_is_found_among_the_arguments() -> None:
    key = "acme_" + "a1b2c3d4" * 5
    assert texts(["npx", "-y", "server", "start", key]) == [key]
    assert look(["npx", "-y", "server", "start", key])[0].confidence == MEDIUM
    assert look(["npx", "-y", "server", "--project", key]) == []
    assert look(["npx", "-y", "server", "acme_" + "abcdefgh" * 5]) == []


def test_a_secret_in_another_setting_is_found() -> None:
    extra = {
        "apiKey": OTHER,
        "oauth": {"clientId": "ana", "clientSecret": OTHER},
        "tools": ["read_token", "write_token"],
        "key": "server-a1b2c3d4",
        "note": GITHUB,
    }
    entry: Any = SimpleNamespace(argv=[], env={}, headers={}, url=None, extra=extra)
    assert [found.path for found in plaintext.secrets_in(entry)] == [
        ("extra", "apiKey"), ("extra", "oauth", "clientSecret"), ("extra", "note"),
    ]  # fmt: skip


def test_an_address_that_is_a_key_itself_is_found() -> None:
    key = "M2YxYjQ4YzEtNzE3Ni00ZjA1LWJlYjkt"
    assert texts(url=f"https://mcp.zapier.com/api/mcp/s/{key}/mcp") == [key]
    assert texts(["npx", "mcp-remote", f"https://mcp.zapier.com/api/mcp/s/{key}/sse"]) == [key]


@pytest.mark.parametrize(
    "text",
    [
        "여기에_n8n_API_키2024",
        "ваш_токен_n8n_2024",
        "你的n8n密钥v2-2024",
        "tu-token-personal-de-github-va-aqui",
        "dein_geheimer_zugangs_schluessel",
    ],
)
def test_a_placeholder_in_another_language_is_none(text: str) -> None:
    assert look(API_KEY=text) == []
    assert look(CONFIG=f'{{"apiKey": "{text}"}}') == []


@pytest.mark.parametrize("name", ["PGPASSWORD", "MYSQLPASSWORD", "GITHUBAPITOKEN", "CLIENTSECRET"])
def test_a_name_in_one_word_is_understood(name: str) -> None:
    assert texts(**{name: KEY}) == [KEY]


@pytest.mark.parametrize("text", ["sb_publishable_" + OTHER, "pk_live_" + OTHER])
def test_a_key_that_is_made_to_be_published_is_none(text: str) -> None:
    assert look(SOME_KEY=text) == []


@pytest.mark.parametrize(
    "text",
    [
        "a=" * 30_000,
        '"a":' * 15_000,
        "\\" * 60_000,
        "-a " * 20_000,
        "a:" * 30_000,
        '"' * 60_000,
        "key=" + "a1" * 30_000,
        "key: " * 12_000,
    ],
)
def test_a_long_text_keeps_nobody_waiting_for_its_names(text: str) -> None:
    start = time.process_time()
    look(["bash", "-c", text], CONFIG=text)
    assert time.process_time() - start < 4


def test_settings_are_looked_into_for_themselves_and_not_for_ever() -> None:
    deep: Any = GITHUB
    for _ in range(plaintext.MAX_DEPTH + 1):
        deep = {"more": deep}
    extra = {"settings": {"token": GITHUB, "tools": ["read_token"], "list": [{"password": "Vb7-kestrel-Quill-29"}]}, "deep": deep}
    entry: Any = SimpleNamespace(argv=["x"], env={"A_TOKEN": GITHUB}, headers={}, url="", extra=extra)
    found = plaintext.secrets_in(entry)
    assert [one.path[0] for one in found] == ["env", "extra", "extra"]
    assert [plaintext.text_of(entry, one)[slice(*one.span)] for one in found] == [GITHUB, GITHUB, "Vb7-kestrel-Quill-29"]
