"""The command line that puts a server into its sandbox, and when there is none."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from stdioguard.sandbox import guarantees
from stdioguard.sandbox.macos import launch, paths, sbpl
from stdioguard.sandbox.macos.errors import MacSandboxError
from tests.sandbox import acts, cases
from tests.sandbox.macos import plans
from tests.sandbox.macos.evaluator import Ask, Profile

AT = plans.places()


@pytest.fixture
def real_paths(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let /tmp be /tmp where it is no link into /private."""
    if sys.platform != "darwin":
        monkeypatch.setattr(paths, "_PRIVATE", ())


@pytest.fixture
def sandbox_exec(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "problem", lambda: None)


@pytest.mark.usefixtures("sandbox_exec")
def test_the_program_gets_its_arguments_as_they_are() -> None:
    argv = ["python3", "-c", "print('; (allow default)')", "", "-p", "--", "a b", '"']
    command = launch.command(plans.plan(), argv)
    assert command[:2] == ["/usr/bin/sandbox-exec", "-p"]
    assert command[3:] == ["--", plans.PYTHON, *argv[1:]]
    assert Profile(command[2]).rules
    assert command[2] == sbpl.profile(plans.plan())


@pytest.mark.usefixtures("sandbox_exec")
@pytest.mark.parametrize(("program", "argv"), [("python3", ["python3"]), ("", ["x"]), (plans.PYTHON, [])])
def test_a_plan_without_a_program_is_refused(program: str, argv: list[str]) -> None:
    with pytest.raises(MacSandboxError):
        launch.command(plans.plan(program=program), argv)


@pytest.mark.usefixtures("sandbox_exec")
def test_a_long_profile_goes_by_a_file_of_one_s_own(tmp_path: Path) -> None:
    many = [f"/Users/ann/granted/{'x' * 200}/{number}" for number in range(1500)]
    plan = plans.plan(read=many)
    with pytest.raises(MacSandboxError, match="too many for a command line"):
        launch.command(plan, [plans.PYTHON])
    command = launch.command(plan, [plans.PYTHON, "x"], str(tmp_path))
    assert command[1] == "-f"
    assert command[3:] == ["--", plans.PYTHON, "x"]
    file = Path(command[2])
    assert file.parent == tmp_path
    assert file.read_text() == sbpl.profile(plan)
    status = file.stat()
    assert (stat.S_IMODE(status.st_mode), status.st_uid) == (0o600, os.geteuid())
    assert launch.command(plan, [plans.PYTHON], str(tmp_path))[2] != command[2]


@pytest.mark.usefixtures("sandbox_exec")
def test_a_file_that_lies_in_wait_is_not_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "urandom", lambda count: b"\0" * count)
    plan = plans.plan(read=[f"/Users/ann/granted/{'x' * 200}/{number}" for number in range(1500)])
    planted = tmp_path / f"sandbox-{os.getpid()}-00000000.sb"
    for kind in ("file", "link"):
        planted.write_text("mine") if kind == "file" else planted.symlink_to(tmp_path / "elsewhere")
        with pytest.raises(FileExistsError):
            launch.command(plan, [plans.PYTHON], str(tmp_path))
        assert planted.is_symlink() or planted.read_text() == "mine"
        planted.unlink()
    assert launch.command(plan, [plans.PYTHON], str(tmp_path))[2] == str(planted)


@pytest.mark.usefixtures("sandbox_exec")
def test_arguments_and_environment_count_towards_the_limit(tmp_path: Path) -> None:
    fill = "x" * (launch.ARGUMENTS_LIMIT - len(sbpl.profile(plans.plan())) - 1000)
    assert launch.command(plans.plan(), [plans.PYTHON], str(tmp_path))[1] == "-p"
    assert launch.command(plans.plan(), [plans.PYTHON, fill + "y" * 1000], str(tmp_path))[1] == "-f"
    assert launch.command(plans.plan(), [plans.PYTHON], str(tmp_path), environment=[f"A={fill}", "B=" + "y" * 1000])[1] == "-f"


# Only the system's own program.


def test_a_system_without_the_program_is_refused_and_one_with_it_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "cannot be used" in str(launch.problem("/usr/bin/not-sandbox-exec"))
    monkeypatch.setattr(os, "lstat", fake_status)
    for name, wrong in (("good", None), ("theirs", "not root's alone"), ("open", "not root's alone"), ("link", "not a program"),
                        ("plain", "not a program"), ("setuid", "set-user-id")):  # fmt: skip
        found = launch.problem(f"/usr/bin/{name}")
        assert (found is None) if wrong is None else wrong in str(found), name
    assert "not root's alone" in str(launch.problem("/open-folder/good"))


def fake_status(path: str) -> os.stat_result:
    mode, uid = {
        "/usr/bin": (0o040755, 0), "/open-folder": (0o040777, 0), "/usr/bin/good": (0o100755, 0), "/open-folder/good": (0o100755, 0),
        "/usr/bin/theirs": (0o100755, 501), "/usr/bin/open": (0o100775, 0), "/usr/bin/link": (0o120755, 0), "/usr/bin/plain": (0o100644, 0),
        "/usr/bin/setuid": (0o104755, 0),
    }[path]  # fmt: skip
    return os.stat_result((mode, 1, 1, 1, uid, 0, 0, 0, 0, 0))


@pytest.mark.skipif(sys.platform == "darwin", reason="a Mac has the program")
def test_elsewhere_no_command_is_made() -> None:
    with pytest.raises(MacSandboxError, match="/usr/bin/sandbox-exec cannot be used"):
        launch.command(plans.plan(), [plans.PYTHON])


# Case, which Seatbelt does not see.


@pytest.mark.usefixtures("real_paths")
def test_two_names_that_differ_by_case_where_a_volume_keeps_both_refuse_the_launch(tmp_path: Path) -> None:
    for name in ("Work", "work", "other"):
        (tmp_path / "top" / name / "project").mkdir(parents=True)
    nowhere = {"home": "/x/h", "cache": "/x/c", "tmp": "/x/t", "runtime": [], "write": []}
    for granted, wrong in (("Work", True), ("Work/project", True), ("other", False), ("other/project", False)):
        plan = plans.plan(read=[str(tmp_path / "top" / granted)], **nowhere)
        found = launch.case_problem(plan, lambda folder: True)
        assert (found is not None) == wrong, granted
        assert launch.case_problem(plan, lambda folder: False) is None
        if found:
            assert "\n" not in found
            assert "Work" in found


def test_every_guarantee_has_a_state_and_each_that_is_absent_a_reason() -> None:
    assert list(launch.STATES) == list(guarantees.NAMES)
    for name, (state, why) in launch.STATES.items():
        assert state in (guarantees.ENFORCED, guarantees.ABSENT), name
        assert len(why) > 10, name


# Paths.


@pytest.mark.usefixtures("real_paths")
def test_the_kernel_s_name_of_what_exists_and_of_what_does_not(tmp_path: Path) -> None:
    real = os.path.realpath(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder")
    (tmp_path / "broken").symlink_to("nothing")
    for path, found in (
        ("folder", "folder"),
        ("link", "folder"),
        ("link/new/er", "folder/new/er"),
        ("new", "new"),
        ("broken", "nothing"),
    ):
        assert paths.kernel_path(f"{tmp_path}/{path}") == paths.lexical(f"{real}/{found}")


@pytest.mark.usefixtures("real_paths")
def test_a_link_and_what_it_leads_to_are_both_spelled(tmp_path: Path) -> None:
    real = paths.kernel_path(str(tmp_path))
    (tmp_path / "dotfiles").mkdir()
    (tmp_path / "home").symlink_to("dotfiles")
    (tmp_path / "dotfiles" / "rc").symlink_to("zshrc")
    spelled = paths.spellings(f"{real}/home/rc", paths.kernel_path)
    assert spelled == [f"{real}/home/rc", f"{real}/dotfiles/rc", f"{real}/dotfiles/zshrc"]


@pytest.mark.usefixtures("real_paths")
def test_a_path_that_is_folded_whole_would_be_too_long_keeps_the_kernel_s_spelling_of_what_exists(tmp_path: Path) -> None:
    deep = Path(os.path.realpath(tmp_path))
    while len(str(deep)) < 420:
        deep /= "deeply" * 5
    deep.mkdir(parents=True)
    plan = plans.plan(write=[str(deep)], protected=[f"{deep}/.mcp.json"], deny=[])
    generated = Profile(sbpl.profile(plan))
    assert not generated.allows(Ask("file-write-create", f"{deep}/.MCP.json"))
    assert generated.allows(Ask("file-write-create", f"{deep}/mcp.json"))
    missing = f"{deep}/{'absent' * 40}/{'absent' * 20}"
    with pytest.raises(MacSandboxError, match="bytes in a sandbox profile"):
        sbpl.profile(plans.plan(write=[str(deep)], protected=[missing]))


def test_the_table_has_a_case_for_each_act_and_every_case_says_where() -> None:
    kinds = {act.kind for case in cases.CASES for act in (case.attack, case.honest)}
    assert kinds == set(acts.DO)
    assert all(case.where and case.where <= cases.EVERYWHERE for case in cases.CASES)
    assert len({case.name for case in cases.CASES}) == len(cases.CASES)
