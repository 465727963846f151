"""The queue: who can read and write it, what a decision is worth, and what is left when something goes wrong."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import resource
import shutil
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stdioguard.approval import queue
from tests.approval import ask, digest_of


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STDIOGUARD_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def files() -> list[str]:
    return sorted(os.listdir(queue.folder()))


def ids() -> list[str]:
    return [question.id for question in queue.waiting()]


def test_a_question_is_seen_and_its_decision_is_taken_once() -> None:
    asked = ask(arguments={"path": "/a", "n": 1})
    (question,) = queue.waiting()
    assert question.id == asked
    assert question.members["arguments"] == {"path": "/a", "n": 1}
    assert 590 < question.left <= 600
    digest = digest_of(asked)
    assert queue.decide(asked, digest, approved=True, channel="terminal")
    assert queue.waiting() == []
    taken = queue.decision(asked)
    assert taken == {"id": asked, "digest": digest, "approved": True, "channel": "terminal"}
    assert queue.decision(asked) is None


def test_the_oldest_question_comes_first() -> None:
    written = [ask(created=time.time() - age) for age in (5, 50, 20)]
    assert ids() == [written[1], written[2], written[0]]


def test_the_first_decision_counts_and_the_second_is_told_so() -> None:
    asked = ask()
    assert queue.decide(asked, "d", approved=False, channel="terminal")
    assert not queue.decide(asked, "d", approved=True, channel="page")
    assert queue.decision(asked) == {"id": asked, "digest": "d", "approved": False, "channel": "terminal"}


def decide_at(start: Any, asked: str, number: int, wins: Any) -> None:
    start.wait()
    if queue.decide(asked, "d", approved=True, channel="page", until=number):
        wins.put(number)


def test_of_many_decisions_at_once_one_wins_and_that_one_is_read() -> None:
    context = multiprocessing.get_context("fork")
    for _ in range(10):
        asked, start, wins = ask(), context.Event(), context.Queue()
        workers = [context.Process(target=decide_at, args=(start, asked, number, wins)) for number in range(6)]
        for worker in workers:
            worker.start()
        start.set()
        for worker in workers:
            worker.join()
        winner = wins.get(timeout=5)
        assert wins.empty()
        decided = queue.decision(asked)
        assert decided is not None
        assert decided["until"] == winner
        assert files() == [f"{asked}.json"]
        queue.remove(asked)


NO_DECISIONS: dict[str, Any] = {
    "a text that is no JSON": lambda path, _: path.write_text("{"),
    "nothing": lambda path, _: path.write_text(""),
    "a folder": lambda path, _: path.mkdir(),
    "a pipe": lambda path, _: os.mkfifo(path, 0o600),
    "a link": lambda path, _: path.symlink_to("/dev/null"),
    "a yes to another call": lambda path, asked: write(path, {**said(asked), "digest": "0" * 64}),
    "a yes to another question": lambda path, asked: write(path, {**said(asked), "id": "abcdefgh"}),
    "a yes by nobody": lambda path, asked: write(path, {**said(asked), "channel": "shell"}),
    "a yes to something else that was shown": lambda path, asked: write(path, {**said(asked), "seen": "0" * 64}),
}


def said(asked: str) -> dict[str, Any]:
    return {"id": asked, "digest": digest_of(asked), "approved": True, "channel": "terminal"}


def write(path: Path, members: dict[str, Any]) -> None:
    path.touch(0o600)
    path.write_text(json.dumps(members))


@pytest.mark.parametrize("make", NO_DECISIONS.values(), ids=NO_DECISIONS)
def test_what_is_no_decision_is_in_nobodys_way(make: Any) -> None:
    asked = ask()
    digest = digest_of(asked)
    make(Path(queue.folder(), f"{asked}.decision.json"), asked)
    assert ids() == [asked]
    assert queue.decide(asked, digest, approved=False, channel="terminal")
    assert not queue.decide(asked, digest, approved=True, channel="page")
    assert queue.decision(asked) == said_no(asked, digest)
    assert files() == [f"{asked}.json"]


def said_no(asked: str, digest: str) -> dict[str, Any]:
    return {"id": asked, "digest": digest, "approved": False, "channel": "terminal"}


def test_high_risk_that_nobody_has_signed_is_in_nobodys_way() -> None:
    asked = ask(risk="high")
    digest = digest_of(asked)
    write(Path(queue.folder(), f"{asked}.decision.json"), said(asked))
    assert ids() == [asked]
    assert queue.decide(asked, digest, approved=False, channel="terminal")
    assert ids() == []


def age(name: str, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(os.path.join(queue.folder(), name), (then, then), follow_symlinks=False)


def test_what_was_left_on_its_way_and_decisions_on_nothing_go_once_they_are_old() -> None:
    asked = ask()
    queue.decide(asked, digest_of(asked), approved=True, channel="terminal")
    left = ["abcdefgh.decision.json", "abcdefgh.json.12.ab", "abcdefgh.decision.json.12.ab", f"{asked}.json.12.ab"]
    for name in [*left, "notes.txt", "abcdefgh.txt"]:
        Path(queue.folder(), name).touch(0o600)
    Path(queue.folder(), "abcdefgj.decision.json").mkdir()
    assert ids() == []
    assert set(left) < set(files())
    for name in files():
        age(name, queue.LEFT_BEHIND + 1)
    assert ids() == []
    assert files() == sorted([f"{asked}.decision.json", f"{asked}.json", "abcdefgh.txt", "notes.txt"])


def test_a_question_of_another_pid_namespace_is_not_this_ones_to_remove() -> None:
    """There the guard's number is another's, or nobody's."""
    asked, other = ask(), ask()
    path = Path(queue.folder(), f"{asked}.json")
    members = json.loads(path.read_text())
    if not members["namespace"]:
        pytest.skip("this system has one pid namespace")  # /proc/self/ns/pid is not there: no Linux
    path.write_text(json.dumps({**members, "namespace": "pid:[1]", "guard": 999999999, "started": "1"}))
    assert ids() == [other]
    assert path.exists()
    age(path.name, queue.FOREIGN_FOR + 1)
    assert ids() == [other]
    assert not path.exists()
    path = Path(queue.folder(), f"{other}.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), "guard": 999999999}))
    assert ids() == []
    assert not path.exists()


def test_files_are_the_users_alone_whatever_the_umask_is(home: Path) -> None:
    before = os.umask(0)
    try:
        asked = ask()
        queue.decide(asked, "d", approved=True, channel="terminal")
    finally:
        os.umask(before)
    for name in files():
        assert stat.S_IMODE((home / "runtime/approvals" / name).stat().st_mode) == 0o600
    assert len(files()) == 2
    for folder in (home, home / "runtime", home / "runtime/approvals"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_folder_that_is_open_to_others_is_not_used(home: Path) -> None:
    asked = ask()
    assert ids() == [asked]
    (home / "runtime/approvals").chmod(0o755)
    assert ids() == []
    with pytest.raises(PermissionError, match="open to other users"):
        ask()


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o640, 0o604, 0o660, 0o4600])
def test_a_file_that_is_not_private_says_nothing(mode: int) -> None:
    asked = ask()
    queue.decide(asked, "d", approved=True, channel="terminal")
    path = Path(queue.folder(), f"{asked}.decision.json")
    path.chmod(mode)
    assert (queue.decision(asked) is not None) == (mode in (0o600, 0o400))


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    asked = ask()
    real = tmp_path / "real.json"
    queue.decide(asked, "d", approved=True, channel="terminal")
    path = Path(queue.folder(), f"{asked}.decision.json")
    path.rename(real)
    path.symlink_to(real)
    assert ids() == [asked]
    assert queue.decision(asked) is None
    real.rename(path)
    assert queue.decision(asked) is not None


def test_a_fifo_does_not_block_who_looks() -> None:
    asked = ask()
    os.mkfifo(os.path.join(queue.folder(), f"{asked}.decision.json"), 0o600)
    os.mkfifo(os.path.join(queue.folder(), "aaaaaaaa.json"), 0o600)
    done = threading.Thread(target=lambda: (queue.decision(asked), queue.waiting()), daemon=True)
    done.start()
    done.join(5)
    assert not done.is_alive()


def test_what_a_guard_that_is_gone_has_left_is_removed() -> None:
    code = "import sys; sys.path.insert(0, sys.argv[1]); from tests.approval import ask; print(ask(), ask())"
    root = str(Path(__file__).parents[2])
    gone = subprocess.run(
        [sys.executable, "-c", code, root], capture_output=True, text=True, check=True, timeout=60
    ).stdout.split()
    kept = ask()
    queue.decide(gone[0], "d", approved=True, channel="terminal")
    assert len(files()) == 4
    assert ids() == [kept]
    assert files() == [f"{kept}.json"]


def test_the_number_of_a_process_that_is_gone_does_not_keep_a_question() -> None:
    asked, other = ask(), ask()
    path = Path(queue.folder(), f"{asked}.json")
    members = path.read_text()
    started = f'"started":"{queue.started(os.getpid())}"'
    assert started in members
    path.write_text(members.replace(started, '"started":"1"'))
    assert ids() == [other]


def test_a_question_whose_time_is_over_is_gone() -> None:
    asked, other = ask(left=0.3), ask()
    assert set(ids()) == {asked, other}
    time.sleep(0.4)
    assert ids() == [other]
    assert files() == [f"{other}.json"]


def test_the_wall_clock_decides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = ask()
    monkeypatch.setattr(time, "time", lambda: 4e9)
    assert ids() == [asked]


def test_a_question_that_is_too_large_is_refused_and_leaves_nothing() -> None:
    with pytest.raises(OSError, match="too large") as caught:
        ask(arguments={"content": "x" * (1 << 20)})
    assert caught.value.errno == errno.EFBIG
    assert files() == []
    asked = ask(arguments={"content": "x" * 900_000})
    assert ids() == [asked]


def on_a_full_disk(room: int, work: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python code where no file can grow beyond `room` bytes."""
    code = f"import sys; sys.path.insert(0, sys.argv[1]); from stdioguard.approval import queue; from tests.approval import ask\n{work}"
    return subprocess.run(
        [sys.executable, "-B", "-c", code, str(Path(__file__).parents[2]), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (room, room)),
    )


def test_a_full_disk_leaves_nothing_half() -> None:
    asked = on_a_full_disk(100, "ask()")
    assert asked.returncode == 1
    assert "File too large" in asked.stderr
    assert files() == []
    asked = ask()
    decide = "queue.decide(sys.argv[2], 'd' * 64, approved=True, channel='terminal')"
    decided = on_a_full_disk(100, decide, asked)
    assert decided.returncode == 1
    assert "File too large" in decided.stderr
    assert files() == [f"{asked}.json"]
    assert ids() == [asked]
    assert on_a_full_disk(100_000, decide, asked).returncode == 0
    assert queue.decision(asked) is not None


def test_a_question_is_replaced_whole() -> None:
    asked = ask(arguments={"content": "x" * 100_000}, times=1)
    seen: set[int] = set()
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            found = queue.waiting()
            assert [question.id for question in found] == [asked]
            seen.add(len(found[0].members["arguments"]["content"]))

    looker = threading.Thread(target=look)
    looker.start()
    members = queue.waiting()[0].members
    for size in range(100_000, 100_100):
        queue.write(asked, {**members, "arguments": {"content": "x" * size}})
    over.set()
    looker.join()
    assert seen
    assert min(seen) >= 100_000


LOOK_ALIKES = [
    "abcdefgl",  # l is no letter of an id
    "abcdefg1",
    "abcdefgi",
    "abcdefgo",
    "abcdefg0",
    "ABCDEFGH",
    "\u0430bcdefgh",  # Cyrillic a
    "\u212aabcdefg",  # the Kelvin sign, a small k when lowered
    "abcdefg\uff48",  # a full-width h
    "abcdefg",
    "abcdefghj",
    "abcdefgh\n",
    "../abcde",
    "",
]


@pytest.mark.parametrize("text", LOOK_ALIKES)
def test_what_only_looks_like_an_id_is_none(text: str) -> None:
    assert not queue.is_id(text)


def test_new_ids_are_ids_and_none_comes_twice() -> None:
    made = {queue.new_id() for _ in range(2000)}
    assert len(made) == 2000
    assert all(map(queue.is_id, made))


def test_other_files_in_the_folder_are_no_questions() -> None:
    asked = ask()
    data = Path(queue.folder(), f"{asked}.json").read_bytes()
    for name in ("abcdefg1.json", "notes.json", f"{asked}.json.123.abc", "abcdefgh.decision.json", ".json", "abcdefgh"):
        path = Path(queue.folder(), name)
        path.write_bytes(data)
        path.chmod(0o600)
    assert ids() == [asked]


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", b'{"version": 2}', b'{"version":1,"version":1}', b"\xff"])
def test_a_damaged_file_is_no_question_and_no_decision(data: bytes) -> None:
    asked = ask()
    for name in ("aaaaaaaa.json", f"{asked}.decision.json"):
        path = Path(queue.folder(), name)
        path.write_bytes(data)
        path.chmod(0o600)
    decided = queue.decision(asked)
    assert decided is None or "approved" not in decided
    Path(queue.folder(), f"{asked}.decision.json").unlink(missing_ok=True)
    assert ids() == [asked]


@pytest.fixture
def reachable_home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home whose parents anybody can enter: only its own modes keep others out."""
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("another user can be had by root with setpriv only")  # setuid(2); util-linux has it
    parent = Path(tempfile.mkdtemp(dir="/tmp"))
    parent.chmod(0o755)
    home = parent / "home"
    home.mkdir(mode=0o755)
    home.chmod(0o755)
    monkeypatch.setenv("STDIOGUARD_HOME", str(home))
    yield home
    shutil.rmtree(parent)


def as_another_user(*command: str) -> int:
    another = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
    return subprocess.run([*another, *command], capture_output=True, timeout=60).returncode


def test_another_user_can_neither_read_nor_answer(reachable_home: Path) -> None:
    asked = ask()
    folder = queue.folder()
    question, decision = os.path.join(folder, f"{asked}.json"), os.path.join(folder, f"{asked}.decision.json")
    assert as_another_user("cat", question) != 0
    assert as_another_user("ls", folder) != 0
    assert as_another_user("touch", decision) != 0
    assert as_another_user("rm", "-f", question) != 0
    assert ids() == [asked]
    # The other user is one who can do all of this where the modes allow it.
    for path in (reachable_home / "runtime", Path(folder)):
        path.chmod(0o777)
    Path(question).chmod(0o644)
    assert as_another_user("cat", question) == 0
    assert as_another_user("touch", decision) == 0


def test_a_decision_that_is_another_users_is_none(reachable_home: Path) -> None:
    asked = ask()
    queue.decide(asked, "d", approved=True, channel="terminal")
    path = os.path.join(queue.folder(), f"{asked}.decision.json")
    os.chown(path, 65534, 65534)
    assert queue.decision(asked) is None
    assert queue.decide(asked, "d", approved=True, channel="terminal")
    assert queue.decision(asked) is not None


def test_a_decision_names_the_digest_that_it_was_given() -> None:
    asked = ask(arguments={"n": 1})
    other = ask(arguments={"n": 1.0})
    assert digest_of(asked) != digest_of(other)
    queue.decide(asked, digest_of(asked), approved=True, channel="terminal")
    decided = queue.decision(asked)
    assert decided is not None
    assert decided["digest"] != digest_of(other)
