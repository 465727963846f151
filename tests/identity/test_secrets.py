"""The store of secrets: what it keeps, where, for whom, and what it does not do."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from stdioguard.identity import keychain, secrets

BOUND = {"server": "x", "command": [["npx"], ["a", "b"]]}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STDIOGUARD_HOME", str(tmp_path))
    return tmp_path


def refuse(pattern: str, *, is_missing: bool = False):
    return pytest.raises(secrets.SecretError, match=pattern)


def test_a_value_comes_back_as_it_was_and_its_binding_too() -> None:
    for index, value in enumerate(
        ["s3cret", "ü, 日本", "a b\tc", "-----BEGIN\nline\nEND", "x" * secrets.MAX_SIZE, "\udc80\udcff"]
    ):
        assert secrets.put(f"n{index}", value, bound=BOUND) == secrets.FILE
        assert secrets.get(f"n{index}") == value
        assert secrets.bound_to(f"n{index}") == BOUND


def test_files_are_for_their_owner_alone_and_the_description_holds_no_secret(home: Path) -> None:
    secrets.put("github", "ghp_" + "x" * 30, bound=BOUND)
    folder = home / "config" / "secrets"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {"github": 0o600, "github.json": 0o600}
    assert "ghp_" not in (folder / "github.json").read_text()


def test_a_secret_that_was_written_by_hand_is_bound_to_nothing(home: Path) -> None:
    folder = home / "config" / "secrets"
    folder.mkdir(mode=0o700, parents=True)
    (folder / "hand").write_text("s3cret\r\n")
    (folder / "hand").chmod(0o600)
    assert secrets.get("hand") == "s3cret"
    assert secrets.bound_to("hand") is None
    assert [(kept.name, kept.where, kept.bound) for kept in secrets.listed()] == [("hand", secrets.FILE, None)]


def test_a_name_in_use_is_refused_unless_it_is_to_be_replaced() -> None:
    secrets.put("a", "one", bound=BOUND)
    with refuse("there already"):
        secrets.put("a", "two", bound=None)
    assert secrets.get("a") == "one"
    secrets.put("a", "two", bound=None, replace=True)
    assert (secrets.get("a"), secrets.bound_to("a")) == ("two", None)


def test_a_secret_is_bound_anew_to_its_own_server_only() -> None:
    secrets.put("a", "one", bound=BOUND)
    secrets.bind("a", {**BOUND, "command": [["new"]]})
    assert (secrets.get("a"), secrets.bound_to("a")) == ("one", {**BOUND, "command": [["new"]]})
    with refuse("not of the server evil"):
        secrets.bind("a", {**BOUND, "server": "evil"})
    secrets.put("hand", "one", bound=None)
    with refuse("not of the server"):
        secrets.bind("hand", BOUND)
    with refuse("is not there"):
        secrets.bind("nobody", BOUND)


def test_two_that_take_one_name_at_once_do_not_mix(monkeypatch: pytest.MonkeyPatch) -> None:
    unaware = secrets.find
    secrets.put("a", "one", bound={"server": "one"})
    monkeypatch.setattr(secrets, "find", lambda _: None)  # what the second saw before the first had written
    with refuse("there already"):
        secrets.put("a", "two", bound={"server": "two"})
    monkeypatch.setattr(secrets, "find", unaware)
    assert (secrets.get("a"), secrets.bound_to("a")) == ("one", {"server": "one"})
    assert sorted(os.listdir(secrets.folder())) == ["a", "a.json"]


def test_what_is_forgotten_is_gone_and_forgetting_it_again_is_no_mistake(home: Path) -> None:
    secrets.put("a", "one", bound=BOUND)
    secrets.forget("a")
    secrets.forget("a")
    assert not list((home / "config" / "secrets").iterdir())
    for look in (secrets.get, secrets.bound_to):
        with refuse("is not there") as caught:
            look("a")
        assert caught.value.is_missing
    assert secrets.find("a") is None
    assert secrets.listed() == []


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", ".hidden", "-x", "a.json", "x" * 65, "a\n", "ä", "a b", "a\0"])
def test_a_name_is_plain_and_no_path(name: str, home: Path) -> None:
    for act in (lambda: secrets.put(name, "x", bound=None), lambda: secrets.get(name), lambda: secrets.forget(name)):
        with refuse("a name has"):
            act()
    assert secrets.reference(f"secret:{name}") is None
    assert not (home / "config").exists()


def test_a_reference_is_a_whole_text() -> None:
    assert secrets.reference("secret:git-hub_1.x") == "git-hub_1.x"
    for text in ("", "secret:", "Secret:a", " secret:a", "secret:a ", "secret:a\n", "x=secret:a", "secret:a,b", "secret"):
        assert secrets.reference(text) is None


@pytest.mark.parametrize("value", ["", "\n", "a\0b", "a\n", "x" * (secrets.MAX_SIZE + 1)])
def test_a_value_that_would_not_come_back_is_refused(value: str, home: Path) -> None:
    with refuse("a value has"):
        secrets.put("a", value, bound=None)
    assert not (home / "config").exists()


@pytest.mark.parametrize("bound", [{"x": "\udc80"}, {"a": 1, "A": 2}, {"x": {1, 2}}, {"x": "y" * secrets.MAX_SIZE}])
def test_a_binding_that_would_not_come_back_is_refused(bound: dict, home: Path) -> None:
    with refuse("cannot be bound"):
        secrets.put("a", "x", bound=bound)
    assert not (home / "config").exists()


@pytest.mark.parametrize("which", ["a", "a.json"])
def test_a_file_that_is_open_to_others_a_link_or_no_file_is_refused(which: str, home: Path) -> None:
    secrets.put("a", "one", bound=BOUND)
    assert secrets.get("a") == "one", "control"
    path = home / "config" / "secrets" / which
    path.chmod(0o640)
    with refuse("chmod 600"):
        secrets.get("a")
    path.chmod(0o600)
    other = home / "other"
    path.rename(other)
    path.symlink_to(other)
    with refuse("cannot be read"):
        secrets.get("a")
    path.unlink()
    os.mkfifo(path, 0o600)
    with refuse("not a file"):
        secrets.get("a")


def test_a_folder_that_is_open_to_others_is_refused(home: Path) -> None:
    secrets.put("a", "one", bound=BOUND)
    (home / "config" / "secrets").chmod(0o770)
    for act in (lambda: secrets.get("a"), lambda: secrets.put("b", "x", bound=None), secrets.listed):
        with refuse("chmod 700"):
            act()


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[]", "null", "nonsense", '{"version":2,"kept":"file","bound":null}', '{"version":1,"kept":"x","bound":null}',
     '{"version":1,"kept":"file","bound":[]}', '{"version":1,"kept":"file"}', '{"version":1,"version":1,"kept":"file","bound":null}'],
)  # fmt: skip
def test_a_damaged_description_never_makes_a_bound_secret_an_unbound_one(text: str, home: Path) -> None:
    secrets.put("a", "one", bound=BOUND)
    (home / "config" / "secrets" / "a.json").write_text(text)
    for look in (secrets.get, secrets.bound_to, lambda _: secrets.listed()):
        with refuse("damaged"):
            look("a")


def test_a_store_of_its_own_folder_never_asks_the_keyring(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    monkeypatch.setattr(keychain, "ask", lambda *_: pytest.fail("the keyring was asked"))
    assert secrets.put("a", "one", bound=BOUND) == secrets.FILE
    assert secrets.get("a") == "one"
    description = home / "config" / "secrets" / "a.json"
    description.write_text(json.dumps({**json.loads(description.read_text()), "kept": "keyring"}))
    with refuse("STDIOGUARD_HOME does not use"):
        secrets.get("a")


class Keyring:
    """A keyring of the tests', asked in this process."""

    def __init__(self, *, works: bool = True, locked: bool = False) -> None:
        self.items: dict[tuple[str, str], str] = {}
        self.works = works
        self.locked = locked

    def ask(self, act: str, name: str, item: bytes = b"") -> bytes | None:
        if self.locked:
            return None
        if act == "put":
            return b"" if keychain.put(self, name, item.decode()) else None
        if act == "forget":
            self.items.pop((keychain.SERVICE, name), None)
            return b""
        found = self.items.get((keychain.SERVICE, name))
        return None if found is None else found.encode()

    def set_password(self, service: str, name: str, value: str) -> None:
        if self.works:
            self.items[service, name] = value

    def get_password(self, service: str, name: str) -> str | None:
        return self.items.get((service, name))

    def delete_password(self, service: str, name: str) -> None:
        self.items.pop((service, name), None)


@pytest.fixture
def keyring(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Keyring:
    monkeypatch.delenv("STDIOGUARD_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    made = Keyring()
    monkeypatch.setattr(keychain, "ask", made.ask)
    return made


def store(home: Path) -> Path:
    return Path(secrets.folder())


def test_where_a_keyring_works_the_value_is_in_no_file(keyring: Keyring, home: Path) -> None:
    assert secrets.put("a", "one-secret", bound=BOUND) == secrets.KEYRING
    assert secrets.get("a") == "one-secret"
    assert [path.name for path in store(home).iterdir()] == ["a.json"]
    assert "one-secret" not in (store(home) / "a.json").read_text()
    assert list(keyring.items) == [("stdioguard", "a")], "the trial is gone"
    secrets.forget("a")
    assert not keyring.items
    assert not list(store(home).iterdir())


def test_two_that_take_one_name_at_once_do_not_mix_in_the_keyring_either(
    keyring: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets.put("a", "one", bound=BOUND)
    with monkeypatch.context() as unaware:
        unaware.setattr(secrets, "find", lambda _: None)
        with refuse("there already"):
            secrets.put("a", "two", bound=None)
    assert secrets.get("a") == "one"


def test_a_disk_that_is_full_leaves_nothing_and_what_was_there_stays(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    written = secrets._write

    def full(path: str, data: bytes, *, replace: bool) -> bool:
        if not path.endswith(".json"):
            raise OSError(28, "No space left on device", path)
        return written(path, data, replace=replace)

    secrets.put("a", "one", bound=BOUND)
    monkeypatch.setattr(secrets, "_write", full)
    for name in ("a", "b"):
        with refuse("No space left"):
            secrets.put(name, "two", bound=BOUND, replace=True)
    assert secrets.get("a") == "one"
    assert secrets.find("b") is None


@pytest.mark.parametrize("state", [{"works": False}, {"locked": True}])
def test_a_keyring_that_does_not_keep_or_does_not_answer_leaves_the_file(keyring: Keyring, home: Path, state: dict) -> None:
    for name, value in state.items():
        setattr(keyring, name, value)
    assert secrets.put("a", "one", bound=BOUND) == secrets.FILE
    assert secrets.get("a") == "one"


def test_bytes_that_are_no_text_are_kept_in_a_file(keyring: Keyring) -> None:
    assert secrets.put("a", "\udc80", bound=None) == secrets.FILE
    assert secrets.get("a") == "\udc80"


def test_a_locked_keyring_is_one_line_and_what_is_in_it_stays(keyring: Keyring) -> None:
    secrets.put("a", "one", bound=BOUND)
    keyring.locked = True
    with refuse("unlock the keyring"):
        secrets.get("a")
    with refuse("stays"):
        secrets.forget("a")
    keyring.locked = False
    assert secrets.get("a") == "one"


def test_a_value_that_moves_from_the_keyring_to_a_file_leaves_nothing_behind_and_the_other_way_round(
    keyring: Keyring, home: Path
) -> None:
    secrets.put("a", "one", bound=None)
    keyring.works = False
    before = dict(keyring.items)
    assert before
    assert secrets.put("a", "two", bound=None, replace=True) == secrets.FILE
    assert not keyring.items
    keyring.works = True
    assert secrets.put("a", "three", bound=None, replace=True) == secrets.KEYRING
    assert not (store(home) / "a").exists()
    assert secrets.get("a") == "three"


@pytest.mark.parametrize("lie", [None, {"server": "evil"}, {**BOUND, "command": [["sh"]]}])
def test_another_folder_cannot_bind_what_is_in_the_keyring_to_something_else(
    keyring: Keyring, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lie: dict | None
) -> None:
    secrets.put("github", "one", bound=BOUND)
    assert secrets.get("github") == "one", "control"
    evil = tmp_path / "evil" / "stdioguard" / "secrets"
    evil.mkdir(parents=True)
    for folder in (evil, evil.parent):
        folder.chmod(0o700)
    (evil / "github.json").write_text(json.dumps({"version": 1, "kept": "keyring", "bound": lie}))
    (evil / "github.json").chmod(0o600)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "evil"))
    assert secrets.bound_to("github") == lie
    with refuse("not the one"):
        secrets.get("github")
