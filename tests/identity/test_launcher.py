"""The program that started the guard: recognised by its file, not by what it says of itself."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from stdioguard.identity import launcher
from stdioguard.identity.clients import ClientError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SHELL = os.path.realpath("/bin/sh")
ASK = "import sys; from stdioguard.identity import launcher; print(launcher.started_by(launcher.record(sys.argv[1])))"


@pytest.fixture
def program(tmp_path: Path) -> str:
    """A shell that is not the machine's."""
    path = tmp_path / "client"
    shutil.copy(SHELL, path)
    path.chmod(0o755)
    return str(path.resolve())


@pytest.fixture
def start() -> Iterator[Callable[..., int]]:
    """Starts a program that waits, and returns its process id."""
    started: list[subprocess.Popen[str]] = []

    def start(path: str, argv0: str | None = None, **options: int) -> int:
        process = subprocess.Popen(
            [argv0 or path, "-c", "echo ready; read x"],
            executable=path,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            **options,  # type: ignore[call-overload]
        )
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process.pid

    yield start
    for process in started:
        process.communicate(timeout=10)


def ask(shell: str, wanted: str) -> str:
    """What a process finds whose parent is the shell."""
    done = subprocess.run(
        [shell, "-c", '"$@"; true', "sh", sys.executable, "-c", ASK, wanted], capture_output=True, text=True, timeout=60
    )
    assert done.stderr == ""
    return done.stdout.strip()


def test_the_parent_is_recognised_and_another_one_is_not(program: str) -> None:
    assert ask(program, program) == ""
    assert ask(SHELL, SHELL) == ""
    assert ask(SHELL, program) == f"the guard was started by {SHELL}, not by {program}"
    assert f"not by {SHELL}" in ask(program, SHELL)


def test_a_link_to_the_program_is_the_program(program: str, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(program)
    assert launcher.record(str(tmp_path / "link")) == {"path": program, "owner": os.geteuid()}
    assert ask(str(tmp_path / "link"), program) == ""


def test_a_program_that_calls_itself_by_the_name_is_not_it(program: str, start: Callable[..., int]) -> None:
    wanted = launcher.record(program)
    pid = start(SHELL, argv0=program)
    assert psutil.Process(pid).cmdline()[0] == program
    assert "not by" in launcher.started_by(wanted, pid)
    assert launcher.started_by(wanted, start(program, argv0="something else")) == ""


def test_where_the_program_may_not_be_seen_its_own_word_does_not_count(
    program: str, start: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def hidden(self: object) -> str:
        raise psutil.AccessDenied(pid)

    pid = start(SHELL, argv0=program)
    monkeypatch.setattr(type(psutil.Process(pid)._proc), "exe", hidden)  # type: ignore[attr-defined]
    assert psutil.Process(pid).exe() == program  # psutil alone believes it
    assert "may not be looked at" in launcher.started_by(launcher.record(program), pid)


def test_a_copy_is_not_the_program(program: str, start: Callable[..., int], tmp_path: Path) -> None:
    copy = str(Path(shutil.copy(program, tmp_path / "copy")).resolve())
    assert f"not by {program}" in launcher.started_by(launcher.record(program), start(copy))


def test_a_program_that_was_replaced_is_not_the_one_that_runs(program: str, start: Callable[..., int], tmp_path: Path) -> None:
    wanted = launcher.record(program)
    pid = start(program)
    assert launcher.started_by(wanted, pid) == ""
    os.replace(shutil.copy(program, tmp_path / "new"), program)
    assert launcher.started_by(wanted, pid) != ""
    assert launcher.started_by(wanted, start(program)) == ""


def test_a_process_that_is_gone_proves_nothing(program: str) -> None:
    process = subprocess.Popen([program, "-c", "true"])
    process.wait()
    assert "gone" in launcher.started_by(launcher.record(program), process.pid)


def test_a_program_that_others_may_change_since_proves_nothing(program: str, start: Callable[..., int], tmp_path: Path) -> None:
    wanted = launcher.record(program)
    pid = start(program)
    for mode in (0o775, 0o757):
        os.chmod(program, mode)
        assert f"others may write {program}" in launcher.started_by(wanted, pid)
    os.chmod(program, 0o755)
    tmp_path.chmod(0o777)
    assert f"others may rename what is in {tmp_path}" in launcher.started_by(wanted, pid)
    tmp_path.chmod(0o1777)
    assert launcher.started_by(wanted, pid) == ""
    assert "user" in launcher.started_by({**wanted, "owner": wanted["owner"] + 1}, pid)
    os.rename(program, f"{program}.away")
    assert "cannot be found" in launcher.started_by(wanted, pid)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start a process of another user")
def test_a_process_of_another_user_is_refused(start: Callable[..., int]) -> None:
    wanted = launcher.record(SHELL)
    assert launcher.started_by(wanted, start(SHELL)) == ""
    assert "another user's" in launcher.started_by(wanted, start(SHELL, user=65534, group=65534))


def test_what_can_be_no_program_is_refused(tmp_path: Path, program: str) -> None:
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    plain = tmp_path / "plain"
    plain.write_text("x")
    open_to_all = tmp_path / "open"
    shutil.copy(program, open_to_all)
    open_to_all.chmod(0o777)
    for path, why in (
        (script, "is a script"),
        (plain, "is no program"),
        (tmp_path, "is no program"),
        (tmp_path / "none", "cannot be found"),
        (open_to_all, "others may write"),
        (Path("/dev/null"), "is no program"),
        (tmp_path / "a\nb", "no path of a program"),
    ):
        with pytest.raises(ClientError, match=why):
            launcher.record(str(path))
    assert launcher.record(program)["path"] == program


def test_what_was_found_holds_for_that_parent_and_that_program(monkeypatch: pytest.MonkeyPatch) -> None:
    """A confined guard may not look at its parent again, and is asked again whenever the client's record has changed."""
    asked: list[int] = []

    def look(wanted: dict[str, object], pid: int) -> str:
        asked.append(pid)
        return ""

    monkeypatch.setattr(launcher, "_why_not", look)
    monkeypatch.setattr(launcher, "_proved", set())
    wanted = {"path": "/x", "owner": 0}
    assert [launcher.started_by(wanted) for _ in range(3)] == ["", "", ""]
    assert len(asked) == 1
    launcher.started_by({"path": "/y", "owner": 0})
    launcher.started_by({"path": "/x", "owner": 1})
    monkeypatch.setattr(os, "getppid", lambda: 1)
    launcher.started_by(wanted)
    assert len(asked) == 4


def test_a_parent_that_ends_while_it_is_looked_at_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    parents = iter([100, 1])
    monkeypatch.setattr(os, "getppid", lambda: next(parents))
    monkeypatch.setattr(launcher, "_why_not", lambda wanted, pid: "")
    monkeypatch.setattr(launcher, "_proved", set())
    assert "gone" in launcher.started_by({"path": "/x", "owner": 0})
