"""Files that another user could change are not run: each refusal with its mend, each look-alike that is harmless, by an ordinary user."""

from __future__ import annotations

import grp
import os
import pickle
import pwd
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

# Loaded before a child gives up the right to read this interpreter's own files.
from stdioguard.sandbox import elf, fetchers, node_code, owners, permissions, python_code, refusals, runtime  # noqa: F401
from stdioguard.sandbox.ownership import ANY, FILE, FOLDER, PROGRAM, Checker, PermissionRefused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

USER, OTHER = 54321, 54322
"""Two ids that no account of a machine has."""

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files of other users")


def as_user(user: int, act: Callable[[], Any]) -> Any:
    """Return what `act` returns, or raise what it raises, in a process of `user`."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if user != os.geteuid():
                os.setgroups([])
                os.setresgid(user, user, user)
                os.setresuid(user, user, user)
            try:
                answer = (True, act())
            except (PermissionRefused, permissions.CommandError, OSError, AssertionError) as error:
                answer = (False, error)
            os.write(writing, pickle.dumps(answer))
        finally:
            os._exit(0)
    os.close(writing)
    with open(reading, "rb") as file:
        succeeded, value = pickle.loads(file.read())
    os.waitpid(child, 0)
    if not succeeded:
        raise value
    return value


def opened(path: Path, kind: str = FILE, *, user: int = USER, private: bool = False) -> str:
    """Check a path as `user`, and return what it really is."""

    def act() -> str:
        checked = Checker().opened(str(path), "the program", kind, private=private)
        status = os.fstat(checked.fd)
        assert (status.st_dev, status.st_ino) == (checked.dev, checked.ino)
        return checked.realpath

    return as_user(user, act)


def refused(path: Path, kind: str = FILE, *, user: int = USER, private: bool = False) -> str:
    """Return the line with which a path is refused."""
    with pytest.raises(PermissionRefused) as raised:
        opened(path, kind, user=user, private=private)
    text = str(raised.value)
    assert "\n" not in text
    return text


def mend(text: str) -> None:
    """Do what a refusal says, as a person would: the part after `run:`, in a shell."""
    command = text.partition("run: ")[2].replace("sudo ", "")
    assert command
    subprocess.run(["bash", "-ec", command], check=True)


def can_replace(path: Path, user: int = OTHER) -> bool:
    """Control: tell whether a user can put other content at `path`, or make another file stand there."""

    def act() -> bool:
        try:
            os.close(os.open(path, os.O_WRONLY))
        except OSError:
            pass
        else:
            return True
        for folder in path.parents:
            entry = folder / path.relative_to(folder).parts[0]
            try:
                os.rename(entry, folder / ".moved")
            except OSError:
                continue
            os.rename(folder / ".moved", entry)
            return True
        return False

    return bool(as_user(user, act))


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder of the user's own that every user can enter; pytest's are for its own user alone."""
    made = Path(tempfile.mkdtemp(prefix="stdioguard-owners-", dir="/tmp"))
    made.chmod(0o755)
    (made / "bin").mkdir()
    program = made / "bin" / "server"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    if os.geteuid() == 0:
        for path in (made, made / "bin", program):
            os.chown(path, USER, USER)
    try:
        yield made
    finally:
        shutil.rmtree(made)


@pytest.fixture
def program(place: Path) -> Path:
    return place / "bin" / "server"


@needs_root
def test_a_program_of_the_user_or_of_root_is_opened(program: Path) -> None:
    assert opened(program, PROGRAM) == str(program)
    os.chown(program, 0, 0)
    assert opened(program, PROGRAM) == str(program)
    assert opened(Path("/usr/bin/env"), PROGRAM) == os.path.realpath("/usr/bin/env")


@needs_root
@pytest.mark.parametrize("part", ["bin/server", "bin", "."])
def test_what_belongs_to_another_user_is_refused(part: str, place: Path, program: Path) -> None:
    os.chown(place / part, OTHER, OTHER)
    if part == "bin":  # control; of a folder directly in /tmp, the name is in the way of that
        assert can_replace(program)
    text = refused(program, PROGRAM)
    assert f"belongs to user {OTHER}, not to you or root" in text
    assert f"sudo chown -h root {(place / part)}" in text
    mend(text)
    assert opened(program, PROGRAM)


@needs_root
def test_root_runs_no_program_of_an_ordinary_user(program: Path) -> None:
    text = refused(program, PROGRAM, user=0)
    assert "not to root" in text
    assert "sudo" not in text
    mend(text)
    assert opened(program, PROGRAM, user=0)


@needs_root
def test_a_server_that_runs_as_another_user_may_be_that_users_program(program: Path) -> None:
    assert as_user(0, lambda: Checker([USER]).opened(str(program), "the program", PROGRAM).realpath) == str(program)


@needs_root
@pytest.mark.parametrize(
    ("part", "mode", "command"),
    [
        ("bin/server", 0o757, "chmod o-w"),
        ("bin/server", 0o777, "chmod go-w"),
        ("bin", 0o757, "chmod o-w"),
        (".", 0o757, "chmod o-w"),
    ],
)
def test_what_every_user_can_write_is_refused(part: str, mode: int, command: str, place: Path, program: Path) -> None:
    path = place / part
    path.chmod(mode)
    assert can_replace(program), "control: another user can"
    text = refused(program, PROGRAM)
    assert "can be changed by every user" in text
    assert text.endswith(f"run: {command} {path}")
    mend(text)
    assert opened(program, PROGRAM)
    assert not can_replace(program)


@needs_root
def test_everything_that_is_wrong_is_mended_by_one_command(place: Path, program: Path) -> None:
    os.chown(place, OTHER, OTHER)
    (place / "bin").chmod(0o777)
    program.chmod(0o777)
    mend(refused(program, PROGRAM))
    assert opened(program, PROGRAM)


@needs_root
def test_in_a_sticky_folder_the_owner_of_the_entry_counts(place: Path, program: Path) -> None:
    (place / "bin").chmod(0o1777)
    assert not can_replace(program)
    assert opened(program, PROGRAM), "a program of one's own in /tmp is one's own"
    os.chown(program, OTHER, OTHER)
    assert "belongs to" in refused(program, PROGRAM)


@needs_root
def test_a_sticky_folder_is_not_a_folder_of_ones_own(place: Path) -> None:
    (place / "bin").chmod(0o1777)
    text = refused(place / "bin", FOLDER)
    assert "is shared with every user" in text
    assert "chmod" not in text


def accounts(monkeypatch: pytest.MonkeyPatch, *, members: str = "", primary: int = 0) -> None:
    """Let the machine have a user, another one, and a group 7000 with these members."""
    passwd = [["root", "x", "0", "0"], ["ada", "x", str(USER), str(USER)], ["bob", "x", str(OTHER), str(primary or OTHER)]]
    group = [["root", "x", "0", ""], ["team", "x", "7000", members]]
    monkeypatch.setattr(owners, "_table", lambda path: passwd if path == "/etc/passwd" else group)


@needs_root
@pytest.mark.parametrize(
    ("members", "primary", "is_harmless"),
    [("", 0, True), ("ada", 0, True), ("root,ada", 0, True), ("bob", 0, False), ("ada,bob", 0, False), ("", 7000, False)],
)
def test_a_group_that_may_write_is_harmless_without_other_members(
    members: str, primary: int, is_harmless: bool, place: Path, program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    accounts(monkeypatch, members=members, primary=primary)
    for path in (program, place / "bin"):
        os.chown(path, USER, 7000)
        path.chmod(0o775)
        if is_harmless:
            assert opened(program, PROGRAM)
            continue
        text = refused(program, PROGRAM)
        assert "can be changed by group team (bob) (mode 0775)" in text
        assert text.endswith(f"run: chmod g-w {path}")
        mend(text)
        assert opened(program, PROGRAM)


@needs_root
@pytest.mark.parametrize(("group", "is_harmless"), [(0, True), (USER, True), (OTHER, False), (7001, False)])
def test_groups_without_a_name(group: int, is_harmless: bool, program: Path) -> None:
    os.chown(program, USER, group)
    program.chmod(0o775)
    if is_harmless:
        assert opened(program, PROGRAM)
    else:
        assert f"group {group}" in refused(program, PROGRAM)


@needs_root
def test_a_private_group_of_a_network_account_is_harmless(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    members: list[str] = []
    monkeypatch.setattr(owners, "_table", lambda _: [])
    monkeypatch.setattr(grp, "getgrgid", lambda gid: grp.struct_group(("ada", "x", gid, members)))
    monkeypatch.setattr(pwd, "getpwuid", lambda uid: pwd.struct_passwd(("ada", "x", uid, USER, "", "/", "")))
    program.chmod(0o775)
    assert opened(program, PROGRAM)
    members.append("bob")
    assert "group ada" in refused(program, PROGRAM)


def access_list(*entries: tuple[int, int, int]) -> bytes:
    """Return a POSIX access list as the kernel takes it (linux/posix_acl_xattr.h)."""
    return (2).to_bytes(4, "little") + b"".join(
        tag.to_bytes(2, "little") + permissions.to_bytes(2, "little") + name.to_bytes(4, "little")
        for tag, permissions, name in entries
    )


@needs_root
@pytest.mark.skipif(sys.platform != "linux", reason="POSIX access lists are Linux's")
def test_an_access_list_that_lets_another_user_write_is_refused(program: Path) -> None:
    nobody = 0xFFFFFFFF
    named = access_list((1, 7, nobody), (2, 7, OTHER), (4, 5, nobody), (0x10, 7, nobody), (0x20, 5, nobody))
    try:
        os.setxattr(program, "system.posix_acl_access", named)
    except OSError:
        pytest.skip("the file system has no access lists")
    assert can_replace(program), "control: the list lets them"
    text = refused(program, PROGRAM)
    assert f"user {OTHER} by its access list" in text
    mend(text)
    assert opened(program, PROGRAM)
    assert not can_replace(program)
    program.chmod(0o775)
    os.setxattr(program, "system.posix_acl_access", named.replace((OTHER).to_bytes(4, "little"), USER.to_bytes(4, "little")))
    assert opened(program, PROGRAM), "a list that names the user alone"


@needs_root
def test_a_link_is_followed_and_its_folders_are_judged_too(place: Path, program: Path) -> None:
    shared = place / "shared"
    shared.mkdir()
    (shared / "server").symlink_to("../bin/./server")
    (place / "short").symlink_to(shared / "server")
    for path in (shared, shared / "server", place / "short"):
        os.chown(path, USER, USER, follow_symlinks=False)

    def links() -> tuple[str, dict[str, str]]:
        checked = Checker().opened(str(place / "short"), "the program", PROGRAM)
        return checked.realpath, checked.links

    met = {str(place / "short"): str(shared / "server"), str(shared / "server"): "../bin/./server"}
    assert as_user(USER, links) == (str(program), met)
    shared.chmod(0o777)
    assert can_replace(shared / "server")
    text = refused(place / "short", PROGRAM)
    assert f"the program {place}/short is not safe to use: {shared} can be changed by every user" in text
    mend(text)
    assert opened(place / "short", PROGRAM) == str(program)
    shared.chmod(0o1777)
    os.chown(shared / "server", OTHER, OTHER, follow_symlinks=False)
    text = refused(place / "short", PROGRAM)
    assert f"{shared}/server belongs to" in text
    mend(text)
    assert opened(place / "short", PROGRAM) == str(program)
    assert os.stat(program).st_uid == USER, "the link was given away, not what it leads to"


def test_links_in_a_circle_and_links_to_nothing_lead_nowhere(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    (tmp_path / "c").symlink_to("nothing")
    with pytest.raises(OSError, match="symbolic links"):
        Checker().opened(str(tmp_path / "a"), "it")
    with pytest.raises(FileNotFoundError):
        Checker().opened(str(tmp_path / "c"), "it")
    with pytest.raises(NotADirectoryError):
        Checker().opened("/etc/hostname/x", "it")


@pytest.mark.parametrize("path", ["/usr/../usr//bin/./env", "/usr/bin/../../usr/bin/env", "//usr/bin/env"])
def test_a_path_is_canonical_in_the_end(path: str) -> None:
    assert Checker().opened(path, "it").realpath == os.path.realpath("/usr/bin/env")


@pytest.mark.parametrize(("mode", "name"), [(0o4755, "setuid"), (0o2755, "setgid"), (0o6755, "setuid and setgid")])
def test_a_setuid_program_is_refused_and_a_setuid_file_of_data_is_not(mode: int, name: str, place: Path, program: Path) -> None:
    user = USER if os.geteuid() == 0 else os.geteuid()
    program.chmod(mode)
    text = refused(program, PROGRAM, user=user)
    assert f"it is {name} (mode {mode:04o})" in text
    mend(text)
    assert opened(program, PROGRAM, user=user)
    program.chmod(0o2644)
    assert opened(program, PROGRAM, user=user)
    (place / "bin").chmod(0o2755)
    assert opened(program, PROGRAM, user=user), "a setgid folder only hands its group on"


def test_what_is_private_may_be_read_by_nobody_else(place: Path, program: Path) -> None:
    user = USER if os.geteuid() == 0 else os.geteuid()
    for path, kind, mode in ((program, FILE, 0o644), (program, FILE, 0o640), (place / "bin", FOLDER, 0o750)):
        path.chmod(mode)
        text = refused(path, kind, user=user, private=True)
        assert "can be read by other users" in text
        mend(text)
        assert opened(path, kind, user=user, private=True)


def test_what_is_of_another_kind_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(PermissionRefused, match="is not a regular file; name one"):
        Checker().opened(str(tmp_path / "pipe"), "the profile")
    with pytest.raises(PermissionRefused, match="is not a program"):
        Checker().opened(str(tmp_path), "the program", PROGRAM)
    with pytest.raises(PermissionRefused, match="is not a folder"):
        Checker().opened("/etc/hostname", "the folder", FOLDER)
    with pytest.raises(PermissionRefused, match="is not a file or folder"):
        Checker().opened("/dev/null", "the script", ANY)


@needs_root
def test_a_program_that_may_be_executed_and_not_read_is_opened(program: Path) -> None:
    os.chown(program, 0, 0)
    program.chmod(0o711)
    assert opened(program, PROGRAM) == str(program)
    assert as_user(USER, lambda: permissions.resolve([str(program)], "/usr/bin", "/").kind) == ""


def test_what_is_replaced_between_look_and_opening_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "server"
    program.write_text("one")
    (tmp_path / "other").write_text("two")
    real = os.open

    def swap(path: str, *rest: Any) -> int:
        if path == str(program):
            os.replace(tmp_path / "other", program)
        return real(path, *rest)

    monkeypatch.setattr(os, "open", swap)
    with pytest.raises(PermissionRefused, match="was replaced while it was checked"):
        Checker().opened(str(program), "the program")


@needs_root
def test_a_folder_that_is_not_there_yet_is_judged_by_those_above(place: Path) -> None:
    def missing(path: Path) -> None:
        as_user(USER, lambda: Checker().missing(str(path), "stdioguard's own folder"))

    missing(place / "a" / "b" / "c")
    missing(Path("/tmp/stdioguard-not-there/config"))
    place.chmod(0o777)
    with pytest.raises(PermissionRefused) as raised:
        missing(place / "a" / "b" / "c")
    mend(str(raised.value))
    missing(place / "a" / "b" / "c")
    os.chown(place, OTHER, OTHER)
    with pytest.raises(PermissionRefused, match="belongs to"):
        missing(place / "a")


MOUNTS = (
    "24 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n"
    "36 24 0:47 / /home/bob/evil rw,nosuid,nodev shared:7 - fuse.sshfs bob@host: rw,user_id={user},group_id=7,allow_other\n"
    "37 24 0:4 / /proc rw - proc proc rw\n"
    "38 24 0:48 / /run/user rw - tmpfs tmpfs rw,size=1k,user_id=9\n"
)


def test_whose_a_fuse_file_system_is() -> None:
    text = MOUNTS.format(user=OTHER)
    assert owners.fuse_user(47, text) == OTHER
    assert owners.fuse_user(4, text) is None
    assert owners.fuse_user(48, text) is None
    assert owners.fuse_user(470, text) is None
    assert owners.fuse_user(9, "") is None


@pytest.mark.skipif(not os.path.isdir("/dev/shm") or os.major(os.stat("/dev/shm").st_dev) != 0, reason="/dev/shm is no tmpfs")
def test_a_file_system_of_another_users_server_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it says of owners and modes is what that user likes it to say."""
    minor = os.minor(os.stat("/dev/shm").st_dev)
    with tempfile.NamedTemporaryFile(dir="/dev/shm", prefix="stdioguard-") as file:
        for user, kind, is_refused in (
            (OTHER, "fuse.x", True),
            (os.geteuid(), "fuse.x", False),
            (0, "fuse", False),
            (OTHER, "tmpfs", False),
        ):
            line = f"36 24 0:{minor} / /dev/shm rw - {kind} x rw,user_id={user},group_id=7"
            monkeypatch.setattr(owners, "mounts", lambda line=line: line)
            if is_refused:
                with pytest.raises(PermissionRefused, match=f"user {OTHER} has mounted"):
                    Checker().opened(file.name, "the program")
            else:
                Checker().opened(file.name, "the program").close()


@pytest.mark.skipif(shutil.which("unshare") is None, reason="unshare is not installed")
def test_in_a_user_namespace_without_root_the_machines_own_files_are_trusted(tmp_path: Path) -> None:
    script = (
        "import os, sys; sys.path.insert(0, sys.argv[1])\n"
        "from stdioguard.sandbox.ownership import Checker, PermissionRefused\n"
        "print(os.stat('/usr/bin/env').st_uid, Checker().opened('/usr/bin/env', 'it').realpath)\n"
        "try: print(Checker().opened(sys.argv[2], 'it').realpath)\n"
        "except PermissionRefused as error: print(error)\n"
    )
    shared = Path(tempfile.mkdtemp(prefix="stdioguard-shared-", dir="/tmp"))
    try:
        shared.chmod(0o1777)
        planted = shared / "planted"
        planted.write_text("")
        # Its owner, root's or another's, is not known in the namespace: in a folder for everybody it may be anybody's.
        if os.geteuid() == 0:
            os.chown(planted, OTHER, OTHER)
        python = "/usr/bin/python3"
        source = str(Path(refusals.__file__).parents[2])
        command = ["unshare", "--user", f"--map-user={USER}", python, "-I", "-c", script, source, str(planted)]
        if os.geteuid() == 0:
            command = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "--", "/usr/bin/env", *command]
        done = subprocess.run(command, capture_output=True, text=True, cwd="/")
        if "unshare failed" in done.stderr:
            pytest.skip("user namespaces are forbidden here")
        first, second = done.stdout.splitlines()
        assert first == f"65534 {os.path.realpath('/usr/bin/env')}", done.stderr
        if os.geteuid() == 0:
            assert "belongs to" in second
    finally:
        shutil.rmtree(shared)


@needs_root
@pytest.mark.parametrize("name", ["a b", "it's", "two  spaces", "new\nline", "käse", "-x", "a\\b", "$(touch x)", "\udcff"])
def test_any_name_is_on_one_line_and_a_shell_reads_it_back(name: str, place: Path) -> None:
    folder = place / name
    folder.mkdir()
    os.chown(folder, USER, USER)
    program = folder / "server"
    program.write_text("")
    os.chown(program, USER, USER)
    folder.chmod(0o777)
    text = refused(program)
    assert text == " ".join(text.split()), "the guard's own line folds white space"
    mend(text)
    assert opened(program)
