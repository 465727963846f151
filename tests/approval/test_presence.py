"""Who is there: a mark is true for as long as its process lives, and no longer."""

from __future__ import annotations

import fcntl
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from stdioguard.approval import presence


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STDIOGUARD_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def marks() -> list[str]:
    return sorted(os.listdir(presence.folder()))


WATCHER = "import sys, time\nfrom stdioguard.approval import presence\nwith presence.present(sys.argv[1]):\n print('on', flush=True)\n time.sleep(60)"


def watcher(channel: str) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", WATCHER, channel], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "on\n"
    return process


def test_nobody_is_there_at_first_and_looking_makes_no_folders(home: Path) -> None:
    assert presence.channels() == set()
    assert not home.exists()


def test_a_channel_is_live_for_as_long_as_it_says_so() -> None:
    with presence.present("terminal"):
        assert presence.channels() == {"terminal"}
        with presence.present("page"):
            assert presence.channels() == {"page", "terminal"}
        assert presence.channels() == {"terminal"}
    assert presence.channels() == set()
    assert marks() == []


def test_a_channel_that_fails_is_not_live_any_more() -> None:
    with pytest.raises(ZeroDivisionError), presence.present("terminal"):
        raise ZeroDivisionError
    assert presence.channels() == set()


def test_another_process_is_seen_and_its_mark_ends_with_it_even_when_it_is_killed() -> None:
    process = watcher("page")
    try:
        assert presence.channels() == {"page"}
        assert marks() == [f"page-{process.pid}"]
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert marks() == [f"page-{process.pid}"]
        assert presence.channels() == set()
        assert marks() == []
    finally:
        process.kill()
        process.wait()


def test_two_of_a_channel_are_one_until_both_are_gone() -> None:
    process = watcher("terminal")
    with presence.present("terminal"):
        process.kill()
        process.wait()
        assert presence.channels() == {"terminal"}
    assert presence.channels() == set()


def test_a_file_that_nobody_holds_says_nothing() -> None:
    for name in ("terminal-1", "page-999999"):
        Path(presence.folder(), name).touch(0o600)
    assert presence.channels() == set()
    assert marks() == []


@pytest.mark.parametrize("name", ["terminal", "TERMINAL-1", "terminal-x", "-1", "terminal-1.lock", "a/b", "\u0430-1"])
def test_a_name_that_is_none_says_nothing_even_when_it_is_held(name: str) -> None:
    path = Path(presence.folder(), name.replace("/", "_"))
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    assert presence.channels() == set()
    os.close(descriptor)


def test_a_mark_is_the_users_alone() -> None:
    before = os.umask(0)
    try:
        with presence.present("terminal"):
            (name,) = marks()
            assert stat.S_IMODE(Path(presence.folder(), name).stat().st_mode) == 0o600
            assert stat.S_IMODE(Path(presence.folder()).stat().st_mode) == 0o700
    finally:
        os.umask(before)


def test_a_child_that_is_started_meanwhile_does_not_hold_the_mark() -> None:
    with presence.present("terminal"):
        child = subprocess.Popen(["sleep", "60"], close_fds=False)
    assert presence.channels() == set()
    child.kill()
    child.wait()


def test_who_looks_all_the_time_keeps_nobody_from_coming_and_going() -> None:
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            presence.channels()

    lookers = [threading.Thread(target=look) for _ in range(2)]
    for looker in lookers:
        looker.start()
    try:
        for _ in range(50):
            with presence.present("terminal"):
                assert presence.channels() == {"terminal"}
    finally:
        over.set()
        for looker in lookers:
            looker.join()


def test_who_looks_takes_no_mark_away_that_came_into_the_place_of_a_free_one(monkeypatch: pytest.MonkeyPatch) -> None:
    path = Path(presence.folder(), "terminal-1")
    path.touch(0o600)
    flock, held = fcntl.flock, []

    def crossing(descriptor: int, operation: int) -> None:
        if not held:
            path.unlink()
            held.append(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            flock(held[0], fcntl.LOCK_EX)
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", crossing)
    presence.channels()
    assert presence.channels() == {"terminal"}
    os.close(held[0])


def test_a_mark_that_cannot_be_had_is_an_error_and_not_a_wait() -> None:
    path = Path(presence.folder(), f"terminal-{os.getpid()}")
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    began = time.monotonic()
    with pytest.raises(OSError, match="unavailable"), presence.present("terminal"):
        pass
    assert 1 < time.monotonic() - began < 10
    os.close(descriptor)


def test_a_folder_that_is_open_to_others_is_refused() -> None:
    Path(presence.folder()).chmod(0o777)
    with pytest.raises(PermissionError, match="open to other users"), presence.present("terminal"):
        pass
