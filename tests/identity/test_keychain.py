"""The system's keyring, asked as it is asked on a desktop: by its library, in a process of its own, over a bus."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from stdioguard.identity import keychain, secrets
from stdioguard.launch import references
from tests.launch.guarded import PROBE, Guarded

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="the keyrings of other systems are the user's own"),
    pytest.mark.skipif(shutil.which("dbus-daemon") is None, reason="dbus-daemon is not installed"),
]

BOUND = {"server": "x"}
GNOME = "gnome"
ROOT = str(Path(__file__).parents[2])


@pytest.fixture
def bus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Run a message bus for this test alone, and a store that is not a test's own folder, which would never use a keyring."""
    monkeypatch.delenv("STDIOGUARD_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
        (tmp_path / name).mkdir(mode=0o700)
    command = ["dbus-daemon", "--session", "--nofork", "--print-address", f"--address=unix:path={tmp_path}/bus"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as daemon:
        assert daemon.stdout
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", daemon.stdout.readline().strip())
        yield
        daemon.terminate()


@pytest.fixture
def service(bus: None, request: pytest.FixtureRequest) -> Iterator[None]:
    mode = getattr(request, "param", "works")
    if mode == GNOME:
        if shutil.which("gnome-keyring-daemon") is None:
            pytest.skip("gnome-keyring is not installed")
        command = ["gnome-keyring-daemon", "--foreground", "--unlock", "--components=secrets"]
    else:
        command = [sys.executable, "-m", "tests.identity.secret_service", mode]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as started:
        assert started.stdin
        assert started.stdout
        started.stdin.write("a passphrase")
        started.stdin.close()
        started.stdout.readline()
        yield
        started.terminate()


@pytest.mark.parametrize("service", ["works", GNOME], indirect=True)
def test_a_secret_is_kept_given_back_replaced_and_removed(service: None) -> None:
    for value in ("one-secret", "ü, 日本\nmore", "x" * 4000):
        assert secrets.put("a", value, bound=BOUND, replace=True) == secrets.KEYRING
        assert secrets.get("a") == value
        assert os.listdir(secrets.folder()) == ["a.json"]
    secrets.forget("a")
    assert secrets.find("a") is None
    assert keychain.ask("get", "a") is None
    assert os.listdir(secrets.folder()) == []


def test_without_a_keyring_a_secret_is_in_a_file(bus: None) -> None:
    assert secrets.put("a", "one", bound=BOUND) == secrets.FILE
    assert secrets.get("a") == "one"


@pytest.mark.parametrize("service", ["forgetful"], indirect=True)
def test_a_keyring_that_does_not_give_back_what_it_was_given_is_none(service: None) -> None:
    assert secrets.put("a", "one", bound=BOUND) == secrets.FILE
    assert secrets.get("a") == "one"


@pytest.mark.parametrize("service", ["locked"], indirect=True)
def test_a_locked_keyring_that_nobody_opens_holds_nothing_up(service: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keychain, "PATIENCE", dict.fromkeys(keychain.PATIENCE, 2.0))
    started = time.monotonic()
    assert secrets.put("a", "one", bound=BOUND) == secrets.FILE
    assert 1.5 < time.monotonic() - started < 30, "it did wait for the keyring"
    assert secrets.get("a") == "one"


def test_no_variable_names_another_keyring(service: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "evil.py").write_text(f"open({str(tmp_path / 'loaded')!r}, 'w')\nfrom keyring.backends.null import Keyring\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "evil.Keyring")
    control = "import keyring; print(type(keyring.get_keyring()).__module__)"
    shown = subprocess.run([sys.executable, "-c", control], capture_output=True, text=True).stdout
    assert shown.strip() == "keyring.backends.null", "control: the library itself would load it"
    (tmp_path / "loaded").unlink()
    assert secrets.put("a", "one", bound=BOUND) == secrets.KEYRING
    assert not (tmp_path / "loaded").exists()


def test_the_value_is_in_no_command_line(service: None, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[list[str]] = []
    run = subprocess.run

    def seen(command: list[str], **more: object) -> object:
        ran.append(command)
        return run(command, **more)  # type: ignore[call-overload]

    monkeypatch.setattr(subprocess, "run", seen)
    secrets.put("a", "one-secret", bound=BOUND)
    assert secrets.get("a") == "one-secret"
    assert [command[-2:] for command in ran] == [["put", "a"], ["get", "a"]]
    assert "one-secret" not in str(ran)


def test_a_session_gets_what_is_in_the_keyring(service: None, tmp_path: Path) -> None:
    given = {"T": "secret:a"}
    command = (sys.executable, PROBE)
    profile = str(tmp_path / "profile.toml")
    bound = references.binding("probe", command, profile=profile, given=given, cwd=None, own=os.environ)
    assert secrets.put("a", "one-secret", bound=bound) == secrets.KEYRING
    outside = {**given, "STDIOGUARD_HOME": ""}
    with Guarded(tmp_path, *command, options=("--environment", "T"), extra_env=outside) as guarded:
        assert guarded.open().status()["environment"]["T"] == "one-secret"
    with Guarded(tmp_path, *command, "more", options=("--environment", "T"), extra_env=outside) as guarded:
        code, errors = guarded.finish()
    assert code == 77
    assert "not for this entry" in errors
