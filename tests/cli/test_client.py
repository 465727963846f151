"""`stdioguard client` as a user meets it: what is printed, what is in which file, and what a mistake does."""

from __future__ import annotations

import json
import os
import resource
import stat
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from stdioguard.identity import clients, credentials

if TYPE_CHECKING:
    from collections.abc import Callable

STDIOGUARD = [sys.executable, "-P", "-m", "stdioguard"]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STDIOGUARD_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def run(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*STDIOGUARD, *arguments], **{"capture_output": True, "text": True, "input": "", "timeout": 60} | options
    )


def client(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return run("client", *arguments, **options)


def done(*arguments: str, **options: Any) -> str:
    """What a command prints that must succeed, without a word on stderr."""
    finished = client(*arguments, **options)
    assert (finished.returncode, finished.stderr) == (0, "")
    return finished.stdout


def refused(code: int, *arguments: str, **options: Any) -> str:
    """The one line of a command that must fail."""
    finished = client(*arguments, **options)
    assert finished.returncode == code, finished.stderr
    assert finished.stdout == ""
    assert finished.stderr.startswith("stdioguard: ")
    assert finished.stderr.endswith("\n")
    assert finished.stderr[:-1].isprintable()
    return finished.stderr


def token_file(home: Path, name: str) -> Path:
    return home / "config" / "tokens" / f"{name}.token"


def contents(home: Path) -> dict[str, bytes]:
    return {str(path.relative_to(home)): path.read_bytes() for path in home.rglob("*") if path.is_file() and path.name != ".lock"}


def good(name: str, credential: str) -> bool:
    return any(credentials.matches(credential, kept) for kept in clients.read(name).secrets)


def seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


def test_add_writes_a_private_token_file_and_says_where(home: Path) -> None:
    said = done("add", "alice", "--scope", "files:read, files:write", "--scope", "git:*", "--server", "fs", "--expires", "90d")
    path = token_file(home, "alice")
    assert f"stdioguard run --token-file {path} --server fs -- COMMAND" in said
    assert good("alice", path.read_text().strip())
    assert path.read_text().strip() not in said
    kept = clients.read("alice")
    assert kept.scopes == ["files:read", "files:write", "git:*"]
    assert kept.servers == ["fs"]
    assert kept.expires == pytest.approx(time.time() + 90 * 86400, abs=60)


@pytest.mark.parametrize("umask", ["0", "022", "077"])
def test_files_are_private_whatever_the_umask(home: Path, tmp_path: Path, umask: str) -> None:
    options = {"preexec_fn": lambda: os.umask(int(umask, 8))}
    done("add", "alice", "--scope", "x", **options)
    done("add", "bob", "--scope", "x", "--token-file", str(tmp_path / "bob"), **options)
    done("rotate", "alice", **options)
    assert stat.S_IMODE((tmp_path / "bob").stat().st_mode) == 0o600
    for entry in [home, *home.rglob("*")]:
        assert stat.S_IMODE(entry.stat().st_mode) == (0o700 if entry.is_dir() else 0o600), entry
    assert {path.name for path in home.rglob("*") if path.is_file()} == {".lock", "alice.json", "bob.json", "alice.token"}


def test_add_with_stdout_prints_the_secret_alone_and_keeps_it_nowhere(home: Path) -> None:
    secret = done("add", "alice", "--role", "readonly", "--stdout")
    assert secret.count("\n") == 1
    assert good("alice", secret.strip())
    assert not token_file(home, "alice").exists()
    assert not any(secret.strip().rpartition(":")[2].encode() in data for data in contents(home).values())


def test_add_answers_in_json(home: Path, tmp_path: Path) -> None:
    document = json.loads(done("add", "a", "--scope", "x", "--role", "r", "--server", "s", "--expires", "1h", "--format", "json"))
    assert {key: document[key] for key in ("name", "scopes", "roles", "servers")} == {
        "name": "a",
        "scopes": ["x"],
        "roles": ["r"],
        "servers": ["s"],
    }
    assert document["id"] == clients.read("a").id
    assert document["token_file"] == str(token_file(home, "a"))
    assert seconds(document["expires"]) == pytest.approx(time.time() + 3600, abs=60)
    assert "token" not in document
    document = json.loads(done("add", "b", "--scope", "x", "--stdout", "--format", "json"))
    assert good("b", document["token"])
    assert document["expires"] is None
    assert "token_file" not in document
    document = json.loads(done("add", "c", "--scope", "x", "--token-file", "c.token", "--format", "json", cwd=tmp_path))
    assert document["token_file"] == str(tmp_path / "c.token")
    assert good("c", (tmp_path / "c.token").read_text().strip())


USAGE = [
    ["add"],
    ["add", "alice"],
    ["add", "alice", "--scope", ""],
    ["add", "alice", "--scope", "*"],
    ["add", "alice", "--scope", "a:*:b"],
    ["add", "alice", "--scope", "fil\u0435s:read"],
    ["add", "alice", "--scope", "x" * 129],
    ["add", "alice", "--role", "../x"],
    ["add", "alice", "--scope", "x", "--server", ""],
    ["add", "alice", "--scope", "x", "--server", "a\nb"],
    ["add", "alice", "--scope", "x", "--stdout", "--token-file", "t"],
    ["add", "alice", "--scope", "x", "--token-file", ""],
    ["add", "alice", "--scope", "x", "--token-file", "-"],
    ["add", "alice", "--scope", "x", "bob"],
    ["rotate"],
    ["rotate", "alice", "--grace", "soon"],
    ["revoke"],
    ["set", "alice"],
    ["set", "alice", "--server", ""],
    ["bogus"],
]


@pytest.mark.parametrize("arguments", USAGE, ids=repr)
def test_a_mistake_on_the_command_line_is_one_line_and_changes_nothing(home: Path, arguments: list[str]) -> None:
    refused(64, *arguments)
    assert not home.exists()


NAMES = [
    "\u0430lice",  # a Cyrillic letter
    "alice\u200b",
    "ali\uff43e",
    "a/b",
    "../alice",
    "..",
    ".",
    "...",
    "",
    ".hidden",
    "alice\n",
    "ali\nce",
    "a b",
    "a:b",
    "-alice",
    "x" * 65,
    "alice\x1b[2J",
]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_what_is_no_name_is_refused_by_every_command(home: Path, name: str) -> None:
    for arguments in (["add", "--scope", "x"], ["rotate"], ["set", "--scope", "x"], ["revoke"]):
        said = refused(64, *arguments, "--", name)
        assert "no client name" in said
    assert not home.exists()


def test_the_longest_name_is_one(home: Path) -> None:
    done("add", "x" * 64, "--scope", "x")
    assert good("x" * 64, token_file(home, "x" * 64).read_text().strip())


@pytest.mark.parametrize(
    "span", ["", "90", "d", "-1d", "1.5h", "90D", "1y", "0s", "0d", "9999999s", "\u0661d", "1d\n", "11y", "999999w"]
)
def test_what_is_no_time_span_is_refused(home: Path, span: str) -> None:
    refused(64, "add", "alice", "--scope", "x", "--expires", span)
    assert not home.exists()


def test_a_name_that_is_taken_names_rotate_and_revoke(home: Path) -> None:
    done("add", "alice", "--scope", "x")
    before = contents(home)
    said = refused(78, "add", "alice", "--scope", "x")
    assert "client rotate alice" in said
    assert "client revoke alice" in said
    assert "case" in refused(78, "add", "Alice", "--scope", "x")
    for command in (["rotate"], ["revoke"], ["set", "--scope", "y"]):
        finished = client(*command, "ALICE")
        assert finished.returncode == 78
        assert "there is one alice" in finished.stderr
    assert contents(home) == before


def test_a_client_that_nobody_knows_is_one_line(home: Path) -> None:
    for command in (["rotate"], ["set", "--scope", "y"]):
        assert "there is no client nobody" in refused(78, *command, "nobody")
    finished = client("revoke", "nobody")
    assert finished.returncode == 78
    assert finished.stderr.count("\n") == 1
    assert contents(home) == {}


def test_list_shows_states_and_no_secret_nor_hash(home: Path) -> None:
    for name in ("active", "revoked", "expired"):
        done("add", name, "--scope", "a:read,b:*", "--role", "r", "--server", "fs", "--program", os.path.realpath("/bin/sh"))
    done("rotate", "active")
    done("revoke", "revoked")
    old = clients.read("expired")
    old.expires = time.time() - 1
    clients.write(old)
    table = done("list").splitlines()
    assert table[0].split() == ["NAME", "STATE", "SCOPES", "ROLES", "SERVERS", "EXPIRES"]
    assert [line.split()[:5] for line in table[1:]] == [
        [name, name, "a:read,b:*", "r", "fs"] for name in ("active", "expired", "revoked")
    ]
    rows = {row["name"]: row for row in json.loads(done("list", "--format", "json"))}
    assert {name: row["state"] for name, row in rows.items()} == {name: name for name in rows}
    assert rows["active"]["program"] == {"path": os.path.realpath("/bin/sh"), "owner": 0}
    assert seconds(rows["active"]["created"]) == pytest.approx(time.time(), abs=60)
    assert [secret["until"] is None for secret in rows["active"]["secrets"]] == [False, True]
    assert rows["revoked"]["secrets"] == []
    assert rows["revoked"]["revoked"] is not None
    printed = "\n".join([*table, json.dumps(list(rows.values()))])
    for name in rows:
        for kept in clients.read(name).secrets:
            assert kept["hash"] not in printed
            assert kept["salt"] not in printed
    for path in (home / "config" / "tokens").iterdir():
        assert path.read_text().strip().rpartition(":")[2] not in printed


def test_an_empty_register_is_listed(home: Path) -> None:
    assert "no client" in done("list")
    assert json.loads(done("list", "--format", "json")) == []
    assert not home.exists()


def damage(path: Path) -> None:
    path.write_text("{")


def lie(path: Path) -> None:
    path.write_text(path.read_text().replace('"bad"', '"other"'))


def opened(path: Path) -> None:
    path.chmod(0o644)


def linked(path: Path) -> None:
    path.rename(path.with_suffix(".away"))
    path.symlink_to(path.with_suffix(".away"))


@pytest.mark.parametrize("spoil", [damage, lie, opened, linked])
def test_a_damaged_record_is_a_row_of_its_own(home: Path, spoil: Callable[[Path], None]) -> None:
    done("add", "bad", "--scope", "x")
    done("add", "good", "--scope", "x")
    spoil(home / "config" / "clients" / "bad.json")
    finished = client("list")
    assert finished.returncode == 78
    assert [line.split()[:2] for line in finished.stdout.splitlines()[1:]] == [["bad", "damaged"], ["good", "active"]]
    assert finished.stderr.startswith("stdioguard: ")
    assert finished.stderr.count("\n") == 1
    finished = client("list", "--format", "json")
    assert finished.returncode == 78
    bad, well = json.loads(finished.stdout)
    assert bad["state"] == "damaged"
    assert "bad.json" in bad["problem"]
    assert well["state"] == "active"


def test_times_that_are_none_are_listed(home: Path) -> None:
    done("add", "alice", "--scope", "x")
    path = home / "config" / "clients" / "alice.json"
    document = json.loads(path.read_text()) | {"expires": 1e300, "created": "nan"}
    path.write_text(json.dumps(document))
    assert done("list").split()[-1] == "?"
    assert json.loads(done("list", "--format", "json"))[0]["created"] == "?"


def test_rotate_keeps_the_old_secret_for_the_grace(home: Path) -> None:
    done("add", "alice", "--scope", "x", "--server", "a", "--server", "b")
    old = token_file(home, "alice").read_text().strip()
    said = done("rotate", "alice", "--grace", "1h")
    new = token_file(home, "alice").read_text().strip()
    assert new != old
    assert new not in said
    assert f"--token-file {token_file(home, 'alice')} --server SERVER" in said
    assert good("alice", new)
    assert good("alice", old)
    first, last = clients.read("alice").secrets
    assert first["until"] == pytest.approx(time.time() + 3600, abs=60)
    assert last["until"] is None
    document = json.loads(done("rotate", "alice", "--format", "json"))
    assert document["name"] == "alice"
    assert document["token_file"] == str(token_file(home, "alice"))
    assert seconds(document["previous_until"]) == pytest.approx(time.time() + 86400, abs=60)
    newest = done("rotate", "alice", "--grace", "0s", "--stdout").strip()
    assert good("alice", newest)
    assert not good("alice", old)
    assert not good("alice", new)
    assert len(clients.read("alice").secrets) == 1


def test_revoke_says_so_once_and_is_content_the_second_time(home: Path) -> None:
    for name in ("alice", "bob", "carol"):
        done("add", name, "--scope", "x")
    others = {path: path.stat() for name in ("bob", "carol") for path in home.rglob(f"{name}.*")}
    assert len(others) == 4
    assert done("revoke", "alice") == "client alice revoked\n"
    assert not token_file(home, "alice").exists()
    assert done("revoke", "alice") == "client alice was revoked already\n"
    for path, before in others.items():
        assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    rows = json.loads(done("revoke", "alice", "bob", "--format", "json"))
    assert [(row["name"], row["already"]) for row in rows] == [("alice", True), ("bob", False)]
    assert "is revoked" in refused(78, "rotate", "alice")


def test_one_client_that_is_unknown_saves_no_other_from_being_revoked(home: Path) -> None:
    done("add", "alice", "--scope", "x")
    finished = client("revoke", "nobody", "alice", "nothing")
    assert finished.returncode == 78
    assert finished.stdout == "client alice revoked\n"
    assert finished.stderr.count("\n") == 1
    assert "nobody" in finished.stderr
    assert "nothing" in finished.stderr


def test_set_replaces_what_is_given(home: Path) -> None:
    done("add", "alice", "--scope", "a,b", "--role", "r", "--server", "fs", "--expires", "1d")
    secret = token_file(home, "alice").read_text().strip()
    assert "scopes c:*; roles r; servers fs" in done("set", "alice", "--scope", "c:*")
    document = json.loads(done("set", "alice", "--server", "*", "--role", "", "--expires", "never", "--format", "json"))
    assert (document["scopes"], document["roles"], document["servers"], document["expires"]) == (["c:*"], [], [], None)
    assert good("alice", secret)
    assert "nothing" in refused(78, "set", "alice", "--scope", "")


def test_a_program_is_bound_by_its_true_path(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/bin/sh")
    done("add", "alice", "--scope", "x", "--program", str(tmp_path / "link"))
    assert clients.read("alice").program == {"path": os.path.realpath("/bin/sh"), "owner": 0}
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    for path in (script, tmp_path / "none", tmp_path):
        refused(78, "add", "bob", "--scope", "x", "--program", str(path))
    assert clients.names() == ["alice"]


def test_a_token_file_that_is_there_stays(home: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for path in (mine, tmp_path / "link", tmp_path, tmp_path / "no" / "folder", Path("/dev/stdout")):
        assert str(path) in refused(78, "add", "alice", "--scope", "x", "--token-file", str(path))
    assert mine.read_text() == "mine"
    assert not (tmp_path / "nowhere").exists()
    assert contents(home) == {}


@pytest.mark.parametrize("limit", [0, 20, 150])
def test_a_full_disk_leaves_all_as_it_was(home: Path, limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit on a file's size gives the error in the middle of a write, as a full disk does: of the token file, of the register."""
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")  # half a .pyc would break what runs next
    done("add", "bob", "--scope", "x")
    before = contents(home)
    options = {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))}
    for arguments in (
        ["add", "alice", "--scope", "x"],
        ["rotate", "bob"],
        ["set", "bob", "--scope", "y"],
        ["rotate", "bob", "--grace", "0s"],
    ):
        assert "nothing was changed" in refused(78, *arguments, **options)
    assert contents(home) == before
    options = {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))}
    done("add", "alice", "--scope", "x", **options)
    done("rotate", "bob", **options)


def test_a_secret_that_nobody_reads_is_not_handed_out(home: Path) -> None:
    done("add", "bob", "--scope", "x")
    before = contents(home)
    reader, writer = os.pipe()
    os.close(reader)
    outs = [os.fdopen(writer, "wb"), *(open(path, "wb") for path in ["/dev/full"] if os.path.exists(path))]
    for arguments in (["add", "alice", "--scope", "x", "--stdout"], ["rotate", "bob", "--grace", "0s", "--stdout"]):
        for out in outs:
            finished = client(*arguments, capture_output=False, stdout=out, stderr=subprocess.PIPE)
            assert finished.returncode == 74
            assert finished.stderr.startswith("stdioguard: the secret cannot be written to stdout: ")
            assert finished.stderr.count("\n") == 1
            assert contents(home) == before
    for out in outs:
        out.close()


def test_a_register_that_cannot_be_made_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("STDIOGUARD_HOME", str(tmp_path / "file" / "below"))
    refused(78, "add", "alice", "--scope", "x")
    monkeypatch.setenv("STDIOGUARD_HOME", str(tmp_path / "open"))
    (tmp_path / "open").mkdir()
    (tmp_path / "open" / "config").mkdir()
    (tmp_path / "open" / "config").chmod(0o755)
    assert "chmod 700" in refused(78, "add", "alice", "--scope", "x")
