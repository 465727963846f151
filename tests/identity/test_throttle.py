"""Wrong credentials cost time, across processes and restarts; good ones never wait for them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stdioguard.identity import throttle
from tests.identity.people import at

FAIL = "from stdioguard.identity import throttle; throttle.DELAY = {delay}; throttle.failed()"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    with at(tmp_path):
        yield tmp_path


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What was slept, without sleeping it."""
    waits: list[float] = []
    monkeypatch.setattr(throttle.time, "sleep", waits.append)
    return waits


def count(home: Path) -> Path:
    return home / "state" / "identity" / "failures"


def test_the_first_failures_are_free_and_each_further_one_costs_a_second(home: Path, slept: list[float]) -> None:
    for _ in range(throttle.FREE):
        throttle.failed()
    assert slept == []
    for number in range(3):
        throttle.failed()
        assert slept == [1.0] * (number + 1)
    assert oct(count(home).stat().st_mode)[-3:] == "600"
    assert oct(count(home).parent.stat().st_mode)[-3:] == "700"


def test_failures_are_forgotten_after_a_minute(home: Path, slept: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.time()
    monkeypatch.setattr(throttle.time, "time", lambda: now)
    for _ in range(throttle.FREE + 1):
        throttle.failed()
    assert slept == [1.0]
    now += throttle.WINDOW - 1
    throttle.failed()
    assert slept == [1.0] * 2
    now += throttle.WINDOW
    throttle.failed()
    assert slept == [1.0] * 2


def test_a_clock_that_is_set_does_not_make_the_count_unreadable(
    home: Path, slept: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time()
    monkeypatch.setattr(throttle.time, "time", lambda: now)
    for jump in (1e9, -2e9, 1e9):
        now += jump
        for _ in range(throttle.FREE):
            throttle.failed()
        slept.clear()
        throttle.failed()
        assert slept == [1.0]


def test_the_file_does_not_grow(home: Path, slept: list[float]) -> None:
    for _ in range(500):
        throttle.failed()
    assert count(home).stat().st_size < 4096
    assert len(slept) == 500 - throttle.FREE


@pytest.mark.parametrize("text", ["", "x", "nan nan nan", "inf", "1e999", "\0\0\0", "\n" * 5000, "-1 " * 1000, "9" * 4096])
def test_a_count_that_is_damaged_is_begun_anew_and_goes_on_counting(home: Path, slept: list[float], text: str) -> None:
    throttle.failed()
    count(home).write_text(text)
    for _ in range(throttle.FREE):
        throttle.failed()
    slept.clear()
    throttle.failed()
    assert slept == [1.0]


def _folder(path: Path) -> None:
    path.parent.mkdir(0o700, parents=True)
    path.mkdir()


def _link(path: Path) -> None:
    path.parent.mkdir(0o700, parents=True)
    path.symlink_to(path.parent / "elsewhere")


def _open_folder(path: Path) -> None:
    path.parent.mkdir(0o700, parents=True)
    path.parent.chmod(0o755)


def _no_folder(path: Path) -> None:
    path.parent.parent.mkdir(0o700, parents=True)
    path.parent.write_text("")


def _open_state(path: Path) -> None:
    path.parent.parent.mkdir(0o700, parents=True)
    path.parent.parent.chmod(0o777)


def _anothers(path: Path) -> None:
    path.parent.mkdir(0o700, parents=True)
    os.chown(path.parent, 65534, 65534)


SPOILED = [_folder, _link, _open_folder, _no_folder, _open_state, *([_anothers] if os.geteuid() == 0 else [])]


@pytest.mark.parametrize("spoil", SPOILED, ids=lambda spoil: spoil.__name__[1:])
def test_where_failures_cannot_be_counted_each_one_waits(home: Path, slept: list[float], spoil: Callable[[Path], None]) -> None:
    throttle.failed()
    assert slept == []  # the twin
    for path in (count(home), count(home).parent, count(home).parent.parent):
        if path.is_dir():
            path.rmdir()
        else:
            path.unlink()
    spoil(count(home))
    for number in range(3):
        throttle.failed()
        assert slept == [1.0] * (number + 1)
    assert not (count(home).parent / "elsewhere").exists()


def test_failing_processes_wait_one_after_the_other(home: Path) -> None:
    for _ in range(throttle.FREE):
        throttle.failed()
    delay, number = 0.2, 6
    started = time.monotonic()
    processes = [subprocess.Popen([sys.executable, "-c", FAIL.format(delay=delay)], env=dict(os.environ)) for _ in range(number)]
    ends = []
    for process in processes:
        assert process.wait(30) == 0
        ends.append(time.monotonic() - started)
    assert max(ends) >= delay * number  # each waits while it holds the lock
    assert len(count(home).read_text().split()) == throttle.FREE + number, "no failure of several at once is lost"


def test_what_others_wait_for_does_not_keep_a_process_that_was_ended(home: Path) -> None:
    for _ in range(throttle.FREE):
        throttle.failed()
    holder = subprocess.Popen([sys.executable, "-c", FAIL.format(delay=60)], env=dict(os.environ))
    deadline = time.monotonic() + 20
    while len(count(home).read_text().split()) <= throttle.FREE:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    other = subprocess.Popen([sys.executable, "-c", FAIL.format(delay=0)], env=dict(os.environ))
    with pytest.raises(subprocess.TimeoutExpired):
        other.wait(0.5)
    holder.kill()
    holder.wait(10)
    assert other.wait(10) == 0
