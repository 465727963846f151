"""Secrets in configs are found, told by where they stand, and never shown."""

import base64
import json
import os

import pytest

from stdioguard.audit.interface import Level
from stdioguard.identity import secrets
from tests.audit.rules.looks import found, line, server

# Of the shape of a token, put together here so that no scanner takes this file for a leak.
TOKEN = "gh" + "p_" + "n4Jk7Qw2Zp9Xv5Rt8Ly1Cb6Md3Hs0Fg2Ka7E"
NAMED = "Vb7-kestrel-Quill-29"
RULES = ("plaintext-secret", "secret-argument", "secret-address", "readable-secret", "committed-secret")


def shown(findings):
    return repr(findings)


@pytest.mark.parametrize(
    ("slug", "entry"),
    [
        ("plaintext-secret", line("npx x", env={"GITHUB_TOKEN": TOKEN})), ("plaintext-secret", line("npx x", env={"DB_PASSWORD": NAMED})),
        ("plaintext-secret", {"url": "https://x.example/mcp", "headers": {"Authorization": f"Bearer {TOKEN}"}}),
        ("plaintext-secret", {"url": "https://x.example/mcp", "oauth": {"clientSecret": NAMED}}),
        ("plaintext-secret", line("npx x", env={"HEADERS": f'{{"X-Api-Key": "{NAMED}"}}'})),
        ("secret-argument", server("bash", "-c", f"DB_PASSWORD={NAMED} npx x")), ("secret-argument", server("bash", "-c", f"npx x --api-key {NAMED}")),
        ("secret-argument", line(f"npx x --token {TOKEN}")), ("secret-argument", line(f"npx x --token={TOKEN}")),
        ("secret-argument", server("npx", "x", "--header", f"Authorization: Bearer {TOKEN}")),
        ("secret-argument", line(f"docker run -e DB_PASSWORD={NAMED} x/y:1")), ("secret-argument", line(f"npx x {TOKEN}")),
        ("secret-argument", line(f"npx x postgres://ana:{NAMED}@db.example.com/x")),
        ("secret-argument", line(f"stdioguard run --server s --profile default -- npx x --token {TOKEN}")),
        ("secret-address", {"url": f"https://x.example/mcp?api_key={TOKEN}"}), ("secret-address", {"url": f"https://ana:{NAMED}@x.example/mcp"}),
    ],
)  # fmt: skip
def test_a_secret_is_found_where_it_stands_and_is_not_shown(slug, entry, tmp_path):
    for one in RULES[:3]:
        findings = found(tmp_path, entry, one)
        assert len(findings) == (1 if one == slug else 0)
        assert not {TOKEN, NAMED} & set(shown(findings).replace("'", " ").split())
        assert TOKEN not in shown(findings)
        assert NAMED not in shown(findings)


@pytest.mark.parametrize(
    "entry",
    [
        line("npx x", env={"GITHUB_TOKEN": "${GITHUB_TOKEN}"}), line("npx x", env={"GITHUB_TOKEN": "${input:token}"}),
        line("npx x", env={"GITHUB_TOKEN": "<your-token>"}), line("npx x", env={"GITHUB_TOKEN": "secret:github"}),
        line("npx x --token $TOKEN"), line("npx x", env={"API_KEY_FILE": "/run/secrets/key"}), line("npx x", env={"MAX_TOKENS": "4096"}),
        {"url": "https://x.example/mcp", "headers": {"Authorization": "Bearer ${TOKEN}"}}, {"url": "https://x.example/mcp?project=abc"},
        line("npx x postgres://ana@db.example.com/x"), line("docker run -e GITHUB_TOKEN x/y:1"),
    ],
)  # fmt: skip
def test_what_stands_for_a_secret_is_none(entry, tmp_path):
    for slug in RULES[:3]:
        assert found(tmp_path, entry, slug) == []


@pytest.mark.parametrize(
    ("settings", "name", "path"),
    [
        ({"oauth": {"clientId": "x", "clientSecret": TOKEN}}, "oauth.clientSecret", ("oauth", "clientSecret")),
        ({"requestOptions": {"headers": {"Authorization": f"Bearer {TOKEN}"}}}, "requestOptions.headers.Authorization",
         ("requestOptions", "headers", "Authorization")),
        ({"settings": {"database_url": f"postgres://ana:{NAMED}@db.example.com/x"}}, "settings.database_url", ("settings", "database_url")),
        ({"bearer_token": TOKEN}, "bearer_token", ("bearer_token",)), ({"apiKey": NAMED + "x9"}, "apiKey", ("apiKey",)),
        ({"variables": [{"value": TOKEN}]}, "variables.value", ("variables", 0, "value")),
    ],
)  # fmt: skip
def test_a_secret_in_another_setting_of_an_entry_is_found(settings, name, path, tmp_path):
    (finding,) = found(tmp_path, {"url": "https://x.example/mcp", **settings}, "plaintext-secret")
    assert finding.message.startswith(f"the setting {name} holds a secret")
    assert (finding.path, finding.fix) == (("mcpServers", "notes", *path), None)
    assert not {TOKEN, NAMED} & set(shown([finding]).replace("'", " ").split())
    (at_extension,) = found(tmp_path, {**line("npx x"), **settings}, "plaintext-secret")
    assert at_extension.path == finding.path


@pytest.mark.parametrize(
    "settings",
    [
        {"bearer_token_env_var": "NOTES_TOKEN"}, {"oauth": {"clientSecret": "${NOTES_SECRET}"}}, {"auth": "oauth"}, {"oauth": False},
        {"env_http_headers": {"X-Api-Key": "NOTES_TOKEN"}}, {"tokenCacheDir": "~/.notes/token"}, {"alwaysAllow": ["get_token"]},
        {"description": "Needs an API key: set NOTES_TOKEN"}, {"settings": {"api_key": "<your-api-key>"}}, {"env_keys": ["NOTES_TOKEN"]},
    ],
)  # fmt: skip
def test_settings_that_name_where_a_secret_is_hold_none(settings, tmp_path):
    assert found(tmp_path, {"url": "https://x.example/mcp", **settings}, "plaintext-secret") == []


def test_the_span_is_that_of_the_secret(tmp_path):
    (finding,) = found(tmp_path, line(f"npx x --token={TOKEN}"), "secret-argument")
    assert finding.path == ("mcpServers", "notes", "args", 1)
    assert f"--token={TOKEN}"[slice(*finding.span)] == TOKEN
    (finding,) = found(tmp_path, {"url": f"https://x.example/mcp?api_key={TOKEN}"}, "secret-address")
    assert f"https://x.example/mcp?api_key={TOKEN}"[slice(*finding.span)] == TOKEN


def test_what_is_only_called_a_secret_is_less_sure(tmp_path):
    (by_look,) = found(tmp_path, line("npx x", env={"A": TOKEN}), "plaintext-secret")
    (by_name,) = found(tmp_path, line("npx x", env={"DB_PASSWORD": NAMED}), "plaintext-secret")
    assert (by_look.confidence, by_name.confidence) == (Level.HIGH, Level.MEDIUM)


def test_the_password_of_a_service_on_this_machine_is_low(tmp_path):
    for host, severity in (
        ("localhost:5432", Level.LOW),
        ("127.0.0.1", Level.LOW),
        ("[::1]:1", Level.LOW),
        ("db.example.com", Level.MEDIUM),
    ):
        (finding,) = found(tmp_path, line(f"npx x postgres://ana:{NAMED}@{host}/x"), "secret-argument")
        assert finding.severity == severity


# The file


@pytest.fixture
def open_folder(tmp_path):
    """A folder that everybody may pass, which pytest's own are not."""
    import tempfile

    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:  # no link, as /tmp is on macOS
        os.chmod(folder, 0o755)
        yield type(tmp_path)(os.path.realpath(folder))


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_a_key_for_everybody_is_low(tmp_path):
    def token(role):
        claims = base64.urlsafe_b64encode(json.dumps({"iss": "supabase", "role": role}).encode()).decode().rstrip("=")
        return f"eyJhbGciOiJIUzI1NiJ9.{claims}.c2lnbmF0dXJlc2lnbmF0dXJl"

    for role, severity in (("anon", Level.LOW), ("service_role", Level.MEDIUM)):
        (finding,) = found(tmp_path, line("npx x", env={"SUPABASE_KEY": token(role)}), "plaintext-secret")
        assert finding.severity == severity


@pytest.mark.parametrize("claims", ["", "!!!!!!!!", "bnVsbA", "W1tbWw", "eyJyb2xlIjoxfQ"])
def test_a_token_that_says_nothing_of_itself_is_found_like_any_other(claims, tmp_path):
    token = f"eyJhbGciOiJIUzI1NiJ9.{claims}.c2lnbmF0dXJlc2lnbmF0dXJl"
    for finding in found(tmp_path, line("npx x", env={"SUPABASE_KEY": token}), "plaintext-secret"):
        assert finding.severity == Level.MEDIUM


def test_a_file_with_secrets_that_others_can_read_is_found(open_folder):
    entry = line("npx x", env={"GITHUB_TOKEN": TOKEN})

    def look(mode, entry=entry, folder=0o755, *, here=True):
        path = open_folder / "mcp.json"
        path.touch()
        path.chmod(mode)
        open_folder.chmod(folder)
        found(open_folder, entry, "readable-secret", here=here)
        path.chmod(mode)
        return found(open_folder, entry, "readable-secret", here=here)

    (finding,) = look(0o644)
    assert (finding.severity, finding.fix.kind, finding.fix.mode) == (Level.HIGH, "chmod", 0o600)
    assert look(0o600) == []
    assert look(0o644, folder=0o700) == []
    assert look(0o644, here=False) == []
    assert look(0o644, line("npx x", env={"GITHUB_TOKEN": "${GITHUB_TOKEN}"})) == []


def test_a_file_with_secrets_in_a_repository_is_found_unless_it_is_ignored(tmp_path):
    entry = line("npx x", env={"GITHUB_TOKEN": TOKEN})
    assert found(tmp_path, entry, "committed-secret") == []
    (tmp_path / ".git").mkdir()
    (finding,) = found(tmp_path, entry, "committed-secret")
    assert (finding.severity, finding.confidence) == (Level.HIGH, Level.MEDIUM)
    assert found(tmp_path, line("npx x"), "committed-secret") == []
    for ignore, is_found in (
        ("mcp.json", False),
        ("*.json", False),
        ("/mcp.json", False),
        ("sub/mcp.json", True),
        ("*.json\n!mcp.json", True),
    ):
        (tmp_path / ".gitignore").write_text(ignore)
        assert bool(found(tmp_path, entry, "committed-secret")) == is_found, ignore


def test_a_projects_own_config_in_a_repository_is_found(tmp_path):
    project = tmp_path / "project"
    (project / ".git").mkdir(parents=True)
    entry = line("npx x", env={"GITHUB_TOKEN": TOKEN})
    assert found(project, entry, "committed-secret", ".mcp.json")
    (project / ".gitignore").write_text(".mcp.json\n")
    assert found(project, entry, "committed-secret", ".mcp.json") == []


# References


@pytest.fixture(autouse=True)
def store(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("STDIOGUARD_HOME", str(tmp_path_factory.mktemp("store")))


def guarded(**env):
    return line("stdioguard run --server notes --profile default -- npx x", env=env)


def test_a_reference_that_leads_nowhere_is_found(tmp_path):
    (finding,) = found(tmp_path, guarded(NOTES_TOKEN="secret:notes"), "unknown-secret", here=True)
    assert (finding.severity, "not in the store" in finding.message) == (Level.LOW, True)
    secrets.put("notes", "x" * 20, bound={"server": "notes"})
    assert found(tmp_path, guarded(NOTES_TOKEN="secret:notes"), "unknown-secret", here=True) == []
    secrets.put("free", "x" * 20, bound=None)
    (finding,) = found(tmp_path, guarded(NOTES_TOKEN="secret:free"), "unknown-secret", here=True)
    assert finding.severity == Level.INFO


def test_a_reference_that_nothing_replaces_is_found(tmp_path):
    secrets.put("notes", "x" * 20, bound={"server": "notes"})
    (finding,) = found(tmp_path, line("npx x --token=secret:notes"), "unknown-secret", here=True)
    assert "only stdioguard replaces it" in finding.message
    assert found(tmp_path, line("npx x --token=secret:notes"), "unknown-secret") == []
