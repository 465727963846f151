"""The register of clients: every change is whole, none is lost, and nobody else's file is touched."""

from __future__ import annotations

import fcntl
import json
import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stdioguard.identity import clients, credentials, register
from stdioguard.identity.clients import Client, ClientError


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STDIOGUARD_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


class Taken:
    """A `deliver` that keeps the secrets."""

    def __init__(self) -> None:
        self.secrets: list[str] = []

    def __call__(self, client: Client, credential: str) -> None:
        self.secrets.append(credential)


def secret_of(name: str) -> str:
    return Path(register.default_token_file(name)).read_text().strip()


def good(name: str, credential: str, at: float | None = None) -> bool:
    """Whether the register knows the credential as good at a time."""
    now = time.time() if at is None else at
    return any(
        credentials.matches(credential, kept) and (kept["until"] is None or now < kept["until"])
        for kept in clients.read(name).secrets
    )


def everything(home: Path) -> dict[str, tuple[int, int, int, bytes]]:
    """Every file but the lock: inode, time, mode, content."""
    return {
        str(path.relative_to(home)): (path.stat().st_ino, path.stat().st_mtime_ns, path.stat().st_mode, path.read_bytes())
        for path in home.rglob("*")
        if path.is_file() and path.name != ".lock"
    }


def failing(monkeypatch: pytest.MonkeyPatch, ends: str) -> None:
    """Make the renaming to a path fail."""
    real = os.replace

    def replace(source: str, target: str) -> None:
        if target.endswith(ends):
            raise OSError(28, "No space left on device")
        real(source, target)

    monkeypatch.setattr(os, "replace", replace)


def test_a_client_is_added_with_its_secret_in_a_private_file(home: Path) -> None:
    client, path = register.add("alice", scopes=["files:read"], roles=["r"], servers=["fs"], expires=90)
    assert path == str(home / "config" / "tokens" / "alice.token")
    kept = clients.read("alice")
    assert (kept.id, kept.scopes, kept.roles, kept.servers) == (client.id, ["files:read"], ["r"], ["fs"])
    assert kept.expires == pytest.approx(time.time() + 90, abs=5)
    assert credentials.client_in(secret_of("alice")) == "alice"
    assert good("alice", secret_of("alice"))
    for entry in home.rglob("*"):
        assert stat.S_IMODE(entry.stat().st_mode) == (0o700 if entry.is_dir() else 0o600)
    assert secret_of("alice").rpartition(":")[2] not in (home / "config" / "clients" / "alice.json").read_text()


def test_two_clients_have_different_secrets_salts_and_ids() -> None:
    for name in ("a", "b"):
        register.add(name, scopes=["x"])
    one, other = clients.read("a"), clients.read("b")
    assert one.id != other.id
    assert one.secrets[0]["salt"] != other.secrets[0]["salt"]
    assert secret_of("a")[6:] != secret_of("b")[6:]
    assert not good("a", secret_of("b"))


def test_a_name_that_is_taken_is_refused_also_in_another_case(home: Path) -> None:
    register.add("alice", scopes=["x"])
    before = everything(home)
    with pytest.raises(ClientError, match="rotate alice.*revoke alice"):
        register.add("alice", scopes=["y"])
    with pytest.raises(ClientError, match="case"):
        register.add("ALICE", scopes=["y"])
    assert everything(home) == before


def test_of_two_names_that_differ_in_case_each_can_be_revoked() -> None:
    """None are added so, but a register may have been copied from elsewhere."""
    for name in ("alice", "ALICE"):
        client = Client(name)
        client.scopes = ["x"]
        clients.write(client)
    register.revoke("alice")
    assert [clients.read(name).state(time.time()) for name in ("alice", "ALICE")] == ["revoked", "active"]
    register.revoke("ALICE")
    assert clients.read("ALICE").state(time.time()) == "revoked"


def test_a_revoked_or_expired_name_is_added_anew_as_another_client() -> None:
    first, _ = register.add("alice", scopes=["x"])
    old = secret_of("alice")
    register.revoke("alice")
    second, _ = register.add("alice", scopes=["x"], expires=1)
    assert second.id != first.id
    assert good("alice", secret_of("alice"))
    assert not good("alice", old)
    client = clients.read("alice")
    client.expires = time.time() - 1
    clients.write(client)
    third, _ = register.add("alice", scopes=["x"])
    assert third.id != second.id
    assert good("alice", secret_of("alice"))


def test_a_token_file_left_behind_by_an_addition_that_was_killed_is_replaced(home: Path) -> None:
    folder = home / "config" / "tokens"
    folder.mkdir(parents=True, mode=0o700)
    (home / "config").chmod(0o700)
    home.chmod(0o700)
    (folder / "alice.token").write_text(credentials.mint("alice"))
    register.add("alice", scopes=["x"])
    assert good("alice", secret_of("alice"))


@pytest.mark.parametrize(
    "content",
    [
        "",
        "sgc:bob:c2VjcmV0",
        "xyz:alice:c2VjcmV0",
        "sgc:alice:c2VjcmV0\nmy notes",
        "sgc:alice:c2VjcmV0 more",
        "sgc:alice:",
        "-----BEGIN OPENSSH PRIVATE KEY-----",
    ],
)
def test_a_file_that_is_not_the_clients_stays_as_it_is(home: Path, content: str) -> None:
    register.add("bob", scopes=["x"])
    path = Path(register.default_token_file("alice"))
    path.write_text(content)
    before = everything(home)
    with pytest.raises(ClientError, match="no token file of this client"):
        register.add("alice", scopes=["x"])
    assert everything(home) == before


def test_a_named_token_file_is_never_written_over(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("mine")
    with pytest.raises(ClientError, match="exists already"):
        register.add("alice", scopes=["x"], token_file=str(path))
    assert path.read_text() == "mine"
    assert clients.names() == []
    with pytest.raises(ClientError, match="No such file"):
        register.add("alice", scopes=["x"], token_file=str(tmp_path / "none" / "token"))
    assert clients.names() == []
    register.add("alice", scopes=["x"], token_file=str(tmp_path / "other"))
    assert good("alice", (tmp_path / "other").read_text().strip())


def test_a_link_at_the_token_files_place_is_not_followed(home: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text(credentials.mint("alice"))
    content = victim.read_text()
    register.add("bob", scopes=["x"])
    Path(register.default_token_file("alice")).symlink_to(victim)
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for path in (None, str(tmp_path / "link")):
        with pytest.raises(ClientError):
            register.add("alice", scopes=["x"], token_file=path)
    register.add("alice", scopes=["x"], token_file=str(tmp_path / "token"))
    with pytest.raises(ClientError):
        register.rotate("alice")
    register.revoke("alice")
    assert victim.read_text() == content
    assert not (tmp_path / "nowhere").exists()
    assert Path(register.default_token_file("alice")).is_symlink()


def test_a_rotated_secret_is_good_until_the_grace_is_over() -> None:
    register.add("alice", scopes=["x"])
    old = secret_of("alice")
    register.rotate("alice", grace=3600)
    new = secret_of("alice")
    now = time.time()
    assert new != old
    assert good("alice", old, now + 3500)
    assert not good("alice", old, now + 3601)
    assert good("alice", new, now + 1e9)


def test_a_second_rotation_makes_no_old_secret_live_longer() -> None:
    register.add("alice", scopes=["x"])
    oldest = secret_of("alice")
    register.rotate("alice", grace=60)
    old = secret_of("alice")
    register.rotate("alice", grace=3600)
    now = time.time()
    assert not good("alice", oldest, now + 61)
    assert good("alice", old, now + 3500)
    assert not good("alice", old, now + 3601)
    register.rotate("alice", grace=10)
    assert not good("alice", old, now + 12)


def test_no_grace_ends_the_old_secrets_at_once() -> None:
    register.add("alice", scopes=["x"])
    old = secret_of("alice")
    register.rotate("alice", grace=0)
    assert not good("alice", old)
    assert good("alice", secret_of("alice"))
    assert len(clients.read("alice").secrets) == 1


def test_secrets_that_are_over_are_dropped_and_there_is_a_bound_on_the_others() -> None:
    register.add("alice", scopes=["x"])
    for _ in range(register.MAX_SECRETS - 1):
        register.rotate("alice")
    newest = secret_of("alice")
    with pytest.raises(ClientError, match="grace 0s"):
        register.rotate("alice")
    assert secret_of("alice") == newest
    client = clients.read("alice")
    for kept in client.secrets[:-1]:
        kept["until"] = time.time() - 1
    clients.write(client)
    register.rotate("alice")
    assert len(clients.read("alice").secrets) == 2


def test_a_rotation_keeps_everything_but_the_secrets() -> None:
    added, _ = register.add("alice", scopes=["a:*"], roles=["r"], servers=["fs"], expires=1000)
    register.rotate("alice")
    ignored = {"secrets": None}
    assert clients.read("alice").document() | ignored == added.document() | ignored


def test_a_named_token_file_of_the_client_is_replaced_by_a_rotation(tmp_path: Path) -> None:
    path = tmp_path / "token"
    register.add("alice", scopes=["x"], token_file=str(path))
    inode = path.stat().st_ino
    register.rotate("alice", token_file=str(path))
    assert good("alice", path.read_text().strip())
    assert path.stat().st_ino != inode
    register.rotate("alice", token_file=str(tmp_path / "second"))
    assert good("alice", (tmp_path / "second").read_text().strip())
    (tmp_path / "other").write_text("mine")
    with pytest.raises(ClientError, match="no token file of this client"):
        register.rotate("alice", token_file=str(tmp_path / "other"))
    assert (tmp_path / "other").read_text() == "mine"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["home", "other", "second", "token"]


def test_a_revoked_or_expired_client_gets_no_new_secret_and_no_change() -> None:
    register.add("alice", scopes=["x"])
    register.add("old", scopes=["x"])
    register.revoke("alice")
    client = clients.read("old")
    client.expires = time.time() - 1
    clients.write(client)
    for name, state in (("alice", "revoked"), ("old", "expired")):
        with pytest.raises(ClientError, match=f"is {state}"):
            register.rotate(name)
        with pytest.raises(ClientError, match=f"is {state}"):
            register.change(name, expires=1000)


def test_a_revoked_client_stays_in_the_register_without_secrets(home: Path) -> None:
    register.add("alice", scopes=["x"])
    old = secret_of("alice")
    client, is_news = register.revoke("alice")
    assert is_news
    assert not Path(register.default_token_file("alice")).exists()
    assert clients.read("alice").secrets == []
    assert clients.read("alice").state(time.time()) == "revoked"
    assert not good("alice", old)
    before = everything(home)
    again, is_news = register.revoke("alice")
    assert not is_news
    assert again.revoked == client.revoked
    assert everything(home) == before


def test_revoking_a_client_touches_no_other() -> None:
    for name in ("alice", "alice.x", "bob", "ali"):
        register.add(name, scopes=["x"])
    home = Path(os.environ["STDIOGUARD_HOME"])
    before = everything(home)
    register.revoke("alice")
    after = everything(home)
    gone = {path for path in before if before[path] != after.get(path)}
    assert gone == {"config/clients/alice.json", "config/tokens/alice.token"}
    assert good("bob", secret_of("bob"))


def test_a_token_file_that_an_earlier_revocation_left_is_removed() -> None:
    register.add("alice", scopes=["x"])
    left = secret_of("alice")
    register.revoke("alice")
    path = Path(register.default_token_file("alice"))
    path.write_text(left)
    register.revoke("alice")
    assert not path.exists()
    path.write_text("mine")
    register.revoke("alice")
    assert path.read_text() == "mine"


def test_a_change_replaces_what_is_given_and_keeps_the_secret() -> None:
    added, _ = register.add("alice", scopes=["a", "b"], roles=["r"], servers=["fs"], expires=1000)
    register.change("alice", scopes=["c:*"])
    client = clients.read("alice")
    assert (client.scopes, client.roles, client.servers, client.expires) == (["c:*"], ["r"], ["fs"], added.expires)
    register.change("alice", servers=["*"], roles=[], forever=True)
    client = clients.read("alice")
    assert (client.scopes, client.roles, client.servers, client.expires) == (["c:*"], [], [], None)
    assert client.id == added.id
    assert good("alice", secret_of("alice"))
    with pytest.raises(ClientError, match="nothing"):
        register.change("alice", scopes=[])


def test_an_empty_servers_name_is_not_every_server() -> None:
    register.add("alice", scopes=["x"], servers=["fs"])
    for name in ("", "a\nb", "x" * 129, "\udc80"):
        with pytest.raises(ValueError, match="no server's name"):
            register.change("alice", servers=[name])
    assert clients.read("alice").servers == ["fs"]


def test_a_record_that_would_be_too_large_to_read_is_not_written() -> None:
    register.add("alice", scopes=["x"])
    with pytest.raises(ClientError, match="more scopes"):
        register.change("alice", scopes=[f"s{number}:{'x' * 100}" for number in range(3000)])
    assert clients.read("alice").scopes == ["x"]


def test_a_register_that_cannot_be_written_leaves_no_token_file(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    register.add("bob", scopes=["x"])
    before = everything(home)
    with monkeypatch.context() as patch:
        failing(patch, ".json")
        with pytest.raises(ClientError, match="No space left on device; nothing was changed"):
            register.add("alice", scopes=["x"])
        with pytest.raises(ClientError, match="nothing was changed"):
            register.rotate("bob")
        with pytest.raises(ClientError, match="nothing was changed"):
            register.revoke("bob")
    assert everything(home) == before
    register.add("alice", scopes=["x"])


def test_a_token_file_that_cannot_be_replaced_leaves_the_register_as_it_was(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    register.add("bob", scopes=["x"])
    before = {path: kept[3] for path, kept in everything(home).items()}
    with monkeypatch.context() as patch:
        failing(patch, ".token")
        with pytest.raises(ClientError, match="nothing was changed"):
            register.rotate("bob")
    assert {path: kept[3] for path, kept in everything(home).items()} == before
    assert good("bob", secret_of("bob"))


@pytest.mark.parametrize("error", [OSError(5, "pipe"), KeyboardInterrupt()])
def test_a_secret_that_cannot_be_delivered_leaves_all_as_it_was(home: Path, error: BaseException) -> None:
    def broken(client: Client, credential: str) -> None:
        raise error

    register.add("bob", scopes=["x"])
    register.add("gone", scopes=["x"])
    register.revoke("gone")
    before = {path: kept[3] for path, kept in everything(home).items()}
    for operation in (
        lambda: register.add("alice", scopes=["x"], deliver=broken),
        lambda: register.add("gone", scopes=["x"], deliver=broken),
        lambda: register.rotate("bob", grace=0, deliver=broken),
    ):
        with pytest.raises(type(error)):
            operation()
    assert {path: kept[3] for path, kept in everything(home).items()} == before


def test_a_delivered_secret_is_in_no_file(home: Path) -> None:
    taken = Taken()
    _, path = register.add("alice", scopes=["x"], deliver=taken)
    assert path is None
    assert good("alice", taken.secrets[0])
    text = taken.secrets[0].rpartition(":")[2].encode()
    assert not any(text in kept[3] for kept in everything(home).values())


ROTATE = """
import sys, time
from stdioguard.identity import clients, register
real = clients.write
def slowly(client):
    time.sleep(0.05)  # between reading and writing: without the lock every other rotation would fall in here
    real(client)
clients.write = slowly
sys.stdin.readline()
for _ in range(2):
    register.rotate("alice", deliver=lambda client, credential: print(credential, flush=True))
"""


def test_of_rotations_at_once_no_secret_is_lost() -> None:
    taken = Taken()
    register.add("alice", scopes=["x"], deliver=taken)
    running = [
        subprocess.Popen([sys.executable, "-c", ROTATE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(5)
    ]
    for process in running:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    for process in running:
        out, _ = process.communicate(timeout=60)
        assert process.returncode == 0
        taken.secrets += out.split()
    assert len(set(taken.secrets)) == 11
    assert len(clients.read("alice").secrets) == 11
    assert all(good("alice", secret) for secret in taken.secrets)


def test_a_lock_that_is_held_is_waited_for_and_not_for_ever(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    register.add("alice", scopes=["x"])
    before = everything(home)
    monkeypatch.setattr(register, "LOCK_WAIT", 0.3)
    with open(home / "config" / "clients" / ".lock", "rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        began = time.monotonic()
        for operation in (register.rotate, register.revoke):
            with pytest.raises(ClientError, match="another stdioguard command"):
                operation("alice")
        assert time.monotonic() - began >= 0.6
        assert everything(home) == before
    register.rotate("alice")


def test_a_register_that_is_open_to_others_is_refused(home: Path) -> None:
    register.add("alice", scopes=["x"])
    (home / "config" / "clients").chmod(0o755)
    for operation in (
        lambda: register.rotate("alice"),
        lambda: register.add("bob", scopes=["x"]),
        lambda: register.revoke("alice"),
    ):
        with pytest.raises(ClientError, match="open to other users; run: chmod 700"):
            operation()
    (home / "config" / "clients").chmod(0o700)
    register.rotate("alice")


def test_a_damaged_record_is_neither_written_over_nor_believed(home: Path) -> None:
    register.add("alice", scopes=["x"])
    path = home / "config" / "clients" / "alice.json"
    document = json.loads(path.read_text())
    document["scopes"] = "*"
    path.write_text(json.dumps(document))
    content = path.read_bytes()
    for operation in (
        lambda: register.rotate("alice"),
        lambda: register.add("alice", scopes=["x"]),
        lambda: register.revoke("alice"),
    ):
        with pytest.raises(ClientError, match="damaged"):
            operation()
    assert path.read_bytes() == content


def test_words_are_separated_by_commas_and_white_space() -> None:
    assert register.words(["a,b", " c  d,, e\t", "", "a"]) == ["a", "b", "c", "d", "e"]
    for wrong in ("*", "a:", ":a", "a:*:b", "a b", "\uff41", "x" * 129, "a\n", ""):
        with pytest.raises(ValueError, match="no scope"):
            register.check_scopes([wrong])
    assert register.check_scopes(["a:b:*", "a.b-c_d"]) == ["a:b:*", "a.b-c_d"]
