"""Rules about stdioguard's own part: whether what it has wrapped is still wrapped, and how much its profiles keep out."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from stdioguard.audit.interface import Level
from stdioguard.identity import clients, register
from stdioguard.installs import shim
from stdioguard.installs.wrap import Options, wrap
from stdioguard.policy import places
from tests.audit.looked import found, machine, placed, servers

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")
EVERYTHING = ["npx", "-y", "@modelcontextprotocol/server-everything@2026.1.2"]


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """stdioguard's own folders, below the test's."""
    folder = tmp_path / "own"
    monkeypatch.setenv("STDIOGUARD_HOME", str(folder))
    return folder


def guarded(*options, command=("npx", "-y", "some-server@1.0.0")):
    return servers(one=["/usr/bin/stdioguard", "run", "--server", "one", *options, "--", *command])


def profile(tmp_path, text):
    path = tmp_path / "own.toml"
    path.write_text(f'schema = 1\nname = "own"\ndescription = "One."\n{text}')
    return guarded("--profile", str(path))


def wrapped(tmp_path, value):
    place = placed(tmp_path, value)
    wrap(place, lambda _: True, Options("/usr/bin/stdioguard", register=False))
    return place


def test_an_entry_that_its_client_has_written_anew_is_found(tmp_path):
    value = servers(one=EVERYTHING, two=["server", "x"])
    place = wrapped(tmp_path, value)
    assert found("changed-since-wrapped", place) == []
    now = json.loads(Path(place.path).read_text())
    now["mcpServers"]["two"] = value["mcpServers"]["two"]
    Path(place.path).write_text(json.dumps(now))
    (finding,) = found("changed-since-wrapped", place)
    assert (finding.entry, finding.severity, finding.fix.kind) == ("two", Level.MEDIUM, "wrap")


def test_an_entry_that_is_guarded_otherwise_than_it_was_is_told_of(tmp_path):
    place = wrapped(tmp_path, servers(one=EVERYTHING))
    text = Path(place.path).read_text()
    Path(place.path).write_text(text.replace('"--profile"', '"--allow-degraded", "network", "--profile"'))
    (finding,) = found("changed-since-wrapped", place)
    assert finding.severity == Level.LOW


def test_what_was_never_wrapped_has_not_changed(tmp_path):
    assert found("changed-since-wrapped", placed(tmp_path, servers(one=EVERYTHING))) == []


def test_a_damaged_journal_is_told_of(tmp_path, home):
    place = wrapped(tmp_path, servers(one=EVERYTHING))
    (file,) = (home / "state" / "wrapped").glob("*.json")
    file.write_text("{")
    (finding,) = found("changed-since-wrapped", place)
    assert "cannot be told" in finding.message


@pytest.mark.parametrize(
    ("options", "command", "count"),
    [
        ((), EVERYTHING, 1), (("--profile", "default"), EVERYTHING, 1), (("--profile", "everything"), EVERYTHING, 0),
        ((), ["npx", "-y", "surely-no-such-server@1.0.0"], 0),
    ],
    ids=str,
)  # fmt: skip
def test_the_default_profile_is_found_where_there_is_a_better_one(tmp_path, options, command, count):
    findings = found("default-profile", placed(tmp_path, guarded(*options, command=command)))
    assert len(findings) == count
    assert all("everything" in finding.message for finding in findings)


def test_a_server_without_a_guard_has_no_profile(tmp_path):
    for slug in ("default-profile", "degraded-guard", "broken-profile", "wide-profile", "broken-guard", "open-token-file"):
        assert found(slug, placed(tmp_path, servers(one=EVERYTHING))) == []


@pytest.mark.parametrize(
    ("options", "severities"),
    [
        (["--allow-degraded", "network"], [Level.MEDIUM]), (["--allow-degraded=sandbox"], [Level.HIGH]),
        (["--allow-degraded", "files", "--allow-degraded", "ipc"], [Level.MEDIUM, Level.MEDIUM]), ([], []),
    ],
    ids=str,
)  # fmt: skip
def test_a_guard_without_a_guarantee_is_found(tmp_path, options, severities):
    assert [finding.severity for finding in found("degraded-guard", placed(tmp_path, guarded(*options)))] == severities


def test_the_servers_own_arguments_are_not_the_guards(tmp_path):
    assert found("degraded-guard", placed(tmp_path, guarded(command=["server", "--allow-degraded", "network"]))) == []


def test_a_profile_that_cannot_be_used_is_found(tmp_path):
    for name in ("surely-no-such-profile", str(tmp_path / "gone.toml"), str(tmp_path)):
        assert len(found("broken-profile", placed(tmp_path, guarded("--profile", name)))) == 1
    assert len(found("broken-profile", placed(tmp_path, profile(tmp_path, "[sandbox]\nreed = []\n")))) == 1
    assert found("broken-profile", placed(tmp_path, profile(tmp_path, ""))) == []
    assert found("broken-profile", placed(tmp_path, guarded("--profile", "everything"))) == []


def test_a_pipe_as_a_profile_keeps_nobody_waiting(tmp_path):
    os.mkfifo(tmp_path / "own.toml")
    (finding,) = found("broken-profile", placed(tmp_path, guarded("--profile", str(tmp_path / "own.toml"))))
    assert "no regular file" in finding.message


def test_an_audit_writes_nothing(tmp_path, home):
    found("wide-profile", placed(tmp_path, guarded("--profile", "everything")))
    found("broken-profile", placed(tmp_path, profile(tmp_path, "")))
    assert not home.exists()


@pytest.mark.parametrize(
    ("text", "severities"),
    [
        ('[sandbox]\nwrite = ["/"]\n', [Level.HIGH]), ('[sandbox]\nread = ["/"]\n', [Level.MEDIUM]),
        ('[sandbox]\nread = ["${HOME}"]\n', [Level.MEDIUM]), ('[sandbox]\nnetwork = ["*:443"]\n', [Level.LOW]),
        ('[tools]\ndefault = "allow"\n', [Level.MEDIUM]),
        ('[sandbox.variables]\nGITHUB_TOKEN = "ghp_' + "Zq7rT2" * 6 + '"\n', [Level.MEDIUM]),
        ('[sandbox]\nread = ["/srv/data"]\nnetwork = ["*.example.com:443"]\n[sandbox.variables]\nMODE = "fast"\n[tools]\ndefault = "confirm"\n', []),
        ("", []),
    ],
    ids=str,
)  # fmt: skip
def test_a_profile_that_grants_nearly_everything_is_found(tmp_path, text, severities):
    findings = found("wide-profile", placed(tmp_path, profile(tmp_path, text)))
    assert [finding.severity for finding in findings] == severities
    assert not any("Zq7r" in finding.message for finding in findings)


def test_the_profiles_that_come_with_stdioguard_are_not_called_wide(tmp_path):
    for name in ("everything", "fetch", "filesystem", "default"):
        assert found("wide-profile", placed(tmp_path, guarded("--profile", name))) == []


def test_a_guard_that_is_gone_or_of_another_installation_is_found(tmp_path):
    def entry(program):
        return placed(tmp_path, servers(one=[program, "run", "--", "server", "x"]))

    (gone,) = found("broken-guard", entry(str(tmp_path / "stdioguard")))
    assert (gone.severity, gone.path) == (Level.MEDIUM, ("mcpServers", "one", "command"))
    program = shim.install()
    assert found("broken-guard", entry(program)) == []
    Path(program).write_text("#!/bin/sh\nexec /opt/other/stdioguard\n")
    (other,) = found("broken-guard", entry(program))
    assert other.severity == Level.LOW


def test_a_token_that_others_may_read_is_found_and_the_fix_closes_it(tmp_path):
    token = tmp_path / "token"
    token.write_text("x")
    token.chmod(0o600)
    place = placed(tmp_path, guarded("--client", "claude", "--token-file", str(token)))
    assert found("open-token-file", place) == []
    token.chmod(0o640)
    (finding,) = found("open-token-file", place)
    assert (finding.severity, finding.fix.target, finding.fix.mode) == (Level.HIGH, str(token), 0o600)
    token.unlink()
    (finding,) = found("open-token-file", place)
    assert (finding.severity, finding.message) == (Level.LOW, f"its token file {token} is not there")


@as_root
def test_a_token_of_another_user_is_found(tmp_path):
    token = tmp_path / "token"
    token.write_text("x")
    token.chmod(0o600)
    os.chown(token, 65534, 65534)
    (finding,) = found("open-token-file", placed(tmp_path, guarded("--client", "claude", "--token-file", str(token))))
    assert "another user's" in finding.message


def test_a_client_without_an_end_is_told_of(tmp_path):
    register.add("narrow", scopes=["files:read"], servers=["one"])
    register.add("wide", scopes=["files:read"])
    register.add("ends", scopes=["files:read"], expires=3600)
    register.add("over", scopes=["files:read"])
    register.revoke("over")
    findings = found("client-without-expiry", placed(tmp_path, servers()))
    assert [(finding.message.split()[2], finding.severity) for finding in findings] == [
        ("narrow", Level.INFO),
        ("wide", Level.LOW),
    ]
    assert findings[0].file == clients.path_of("narrow")
    assert found("client-without-expiry", placed(tmp_path, servers()), on=machine(here=False)) == []


def test_own_folders_that_are_open_are_found_and_the_fix_closes_them(tmp_path):
    state = Path(places.private_directory(places.directory("state")))
    records = Path(places.private_directory(str(state / "records")))
    place = placed(tmp_path, servers())
    assert found("open-state-folder", place) == []
    records.chmod(0o755)
    (finding,) = found("open-state-folder", place)
    assert (finding.severity, finding.fix.target, finding.fix.mode) == (Level.MEDIUM, str(records), 0o700)
    state.chmod(0o777)
    assert found("open-state-folder", place)[0].severity == Level.HIGH
