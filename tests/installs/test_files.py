"""Configuration files are read through links, replaced whole or not at all, and stay whose they were."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from stdioguard.installs import files
from stdioguard.installs.files import Changed, FileProblem, Missing, read, replace

files_exchanged = files._exchanged
IS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0
NOBODY = 65534
needs_root = pytest.mark.skipif(not IS_ROOT, reason="only root can make another user's files")


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home of ours, with stdioguard's own folders elsewhere."""
    monkeypatch.setenv("STDIOGUARD_HOME", str(tmp_path / "stdioguard"))
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    return folder


@pytest.fixture
def config(home):
    file = home / "mcp.json"
    file.write_bytes(b'{"mcpServers": {}}\n')
    return file


def names(folder):
    return sorted(os.listdir(folder))


def test_a_file_is_replaced_and_its_backup_kept(config, home):
    config.chmod(0o640)
    before = read(config)
    saved = replace(before, b"{}\n")
    assert config.read_bytes() == b"{}\n"
    assert stat.S_IMODE(config.stat().st_mode) == 0o640
    assert saved is not None
    assert Path(saved).read_bytes() == before.data
    assert stat.S_IMODE(os.stat(saved).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(os.path.dirname(saved)).st_mode) == 0o700
    assert names(home) == ["mcp.json"]


def test_no_backup_is_written_where_none_is_wanted(config):
    assert replace(read(config), b"{}", backup=False) is None
    assert not os.path.exists(files.backups())


def test_nothing_is_written_where_nothing_changes(config):
    inode = config.stat().st_ino
    assert replace(read(config), config.read_bytes()) is None
    assert config.stat().st_ino == inode
    assert not os.path.exists(files.backups())


def test_a_name_with_control_characters_is_one_plain_line(home):
    with pytest.raises(Missing) as missing:
        read(home / "x\n\x1b[31m.json")
    assert str(missing.value).isprintable()


def test_a_link_stays_a_link_and_what_it_leads_to_is_replaced(config, home):
    dotfiles = home / "dotfiles"
    dotfiles.mkdir()
    target = config.rename(dotfiles / "mcp.json")
    config.symlink_to("dotfiles/mcp.json")
    snapshot = read(config)
    assert snapshot.real == str(target)
    replace(snapshot, b"{}")
    assert config.is_symlink()
    assert target.read_bytes() == b"{}"
    assert names(dotfiles) == ["mcp.json"]


def test_a_link_out_of_home_is_read_and_not_replaced(config, home, tmp_path):
    outside = tmp_path / "elsewhere.json"
    outside.write_bytes(b"{}")
    config.unlink()
    config.symlink_to(outside)
    snapshot = read(config)
    with pytest.raises(FileProblem, match="a link that leads out of") as refused:
        replace(snapshot, b"[]")
    assert str(outside) in refused.value.fix
    assert outside.read_bytes() == b"{}"
    replace(read(outside), b"[]")  # the control: named itself, it is replaced
    assert outside.read_bytes() == b"[]"


def test_a_link_in_a_project_may_not_lead_out_of_it_except_into_home(home, tmp_path):
    project = tmp_path / "project"
    project.mkdir()
    (tmp_path / "outside.json").write_bytes(b"{}")
    link = project / ".mcp.json"
    link.symlink_to("../outside.json")
    with pytest.raises(FileProblem, match="a link that leads out of"):
        replace(read(link), b"[]")
    (home / "own.json").write_bytes(b"{}")
    link.unlink()
    link.symlink_to(home / "own.json")
    replace(read(link), b"[]")
    assert (home / "own.json").read_bytes() == b"[]"


@pytest.mark.parametrize("by", ["rewriting", "renaming", "removing"])
def test_what_another_program_wrote_meanwhile_is_kept(config, home, by):
    snapshot = read(config)
    if by == "removing":
        config.unlink()
    elif by == "rewriting":
        config.write_bytes(b'{"theirs": 1}')
    else:
        (home / "new").write_bytes(b'{"theirs": 1}')
        os.replace(home / "new", config)
    with pytest.raises(Changed):
        replace(snapshot, b"{}")
    assert (config.read_bytes() if config.exists() else b"") == (b"" if by == "removing" else b'{"theirs": 1}')
    assert not os.path.exists(files.backups())
    assert names(home) in (["mcp.json"], [])


def test_what_another_program_wrote_at_the_last_moment_is_kept(config, home, monkeypatch):
    snapshot = read(config)
    fsync = os.fsync

    def write_meanwhile(descriptor):
        fsync(descriptor)
        config.write_bytes(b'{"theirs": 1}')

    monkeypatch.setattr(os, "fsync", write_meanwhile)
    with pytest.raises(Changed):
        replace(snapshot, b"{}", backup=False)
    assert config.read_bytes() == b'{"theirs": 1}'
    assert names(home) == ["mcp.json"]


@pytest.mark.parametrize("times", [1, 2])
def test_what_another_program_wrote_between_comparing_and_renaming_is_kept(config, home, monkeypatch, times):
    snapshot = read(config)
    exchanged = files._exchanged
    calls = []

    def write_meanwhile(folder, one, other):
        calls.append(other)
        if len(calls) <= times:
            (home / "new").write_bytes(b'{"theirs": %d}' % len(calls))
            os.replace(home / "new", config)
        return exchanged(folder, one, other)

    monkeypatch.setattr(files, "_exchanged", write_meanwhile)
    if not _can_exchange(home):
        pytest.skip("this system can't exchange two files")
    with pytest.raises(Changed):
        replace(snapshot, b"{}")
    assert config.read_bytes() == b'{"theirs": %d}' % times
    assert names(home) == ["mcp.json"]


def _can_exchange(home):
    (home / "one").write_bytes(b"1")
    (home / "two").write_bytes(b"2")
    folder = os.open(home, os.O_RDONLY)
    try:
        return files_exchanged(folder, "one", "two") and (home / "one").read_bytes() == b"2"
    finally:
        os.close(folder)
        (home / "one").unlink()
        (home / "two").unlink()


@pytest.mark.skipif(sys.platform == "win32", reason="a file that is open cannot be exchanged there")
def test_what_an_edit_that_was_killed_has_left_goes_with_the_next_one(config, home, monkeypatch):
    pid = os.fork()
    if pid == 0:
        files._check_exchanged = lambda *_: os._exit(7)
        replace(read(config), b"killed\n")
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
    (left,) = [path for path in home.iterdir() if path != config]
    assert left.read_bytes() == b'{"mcpServers": {}}\n'
    bystander = home / ".mcp.json.stdioguard"
    bystander.write_text("a person's own")
    replace(read(config), b"soon after\n")
    assert left.exists()  # it may be another's that is at work
    monkeypatch.setattr(files, "LEFT_BEHIND", -1.0)
    replace(read(config), b"later\n")
    assert set(home.iterdir()) == {config, bystander}


def test_a_system_that_cannot_exchange_files_renames(config, home, monkeypatch):
    monkeypatch.setattr(files, "_exchanged", lambda *_: False)
    replace(read(config), b"{}")
    assert config.read_bytes() == b"{}"
    assert names(home) == ["mcp.json"]


def test_a_client_that_writes_at_any_moment_loses_nothing(config, home):
    """Whoever is later, what the client wrote is there in the end."""
    if not _can_exchange(home):
        pytest.skip("this system can't exchange two files")
    for number in range(150):
        config.write_bytes(b"before")
        snapshot = read(config)

        def client(number=number):
            time.sleep(number % 15 / 10_000)
            (home / "new").write_bytes(b"client")
            os.replace(home / "new", config)

        thread = threading.Thread(target=client)
        thread.start()
        try:
            replace(snapshot, b"ours", backup=False)
        except Changed:
            pass
        thread.join()
        assert config.read_bytes() == b"client"
    assert names(home) == ["mcp.json"]


def test_many_writers_lose_nothing(config):
    """Each adds its line; whoever is too late reads again."""
    config.write_bytes(b"")

    def add(number):
        for _ in range(200):
            snapshot = read(config)
            try:
                replace(snapshot, snapshot.data + b"%d\n" % number, backup=False)
            except Changed:
                continue
            return

    threads = [threading.Thread(target=add, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(int, config.read_bytes().split())) == list(range(12))


def test_only_the_newest_backups_of_each_file_are_kept(config, home, monkeypatch):
    monkeypatch.setattr(files, "KEPT_BACKUPS", 3)
    other = home / "other.json"
    other.write_bytes(b"other")
    kept = replace(read(other), b"x")
    for number in range(6):
        replace(read(config), b"%d" % number)
    folder = files.backups()
    mine = [name for name in names(folder) if name.endswith("mcp.json")]
    assert [Path(folder, name).read_bytes() for name in mine] == [b"2", b"3", b"4"]
    assert kept is not None
    assert os.path.exists(kept)


def make_fifo(path):
    os.mkfifo(path)


def make_folder(path):
    path.mkdir()


def make_link_to_a_device(path):
    path.symlink_to("/dev/zero")


def make_circle(path):
    path.symlink_to(path)


@pytest.mark.parametrize("make", [make_fifo, make_folder, make_link_to_a_device, make_circle])
def test_what_is_no_file_is_refused_in_one_line(home, make):
    path = home / "odd.json"
    make(path)
    with pytest.raises(FileProblem) as refused:
        read(path)
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_file_that_is_not_there_is_its_own_problem(home):
    with pytest.raises(Missing):
        read(home / "none.json")


def test_a_file_that_is_too_large_is_refused(config):
    with pytest.raises(FileProblem, match="more than 5 bytes"):
        read(config, limit=5)
    assert read(config, limit=len(config.read_bytes())).data == config.read_bytes()


def test_a_read_only_file_is_left_alone(config, home):
    config.chmod(0o444)
    with pytest.raises(FileProblem, match=r"read-only; run: chmod u\+w"):
        replace(read(config), b"{}")
    assert config.read_bytes() == b'{"mcpServers": {}}\n'
    assert names(home) == ["mcp.json"]


def test_a_file_of_two_names_is_left_alone(config, home):
    os.link(config, home / "second")
    with pytest.raises(FileProblem, match="2 names"):
        replace(read(config), b"{}")
    assert (home / "second").read_bytes() == config.read_bytes()


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO])
def test_a_disk_that_fails_leaves_the_original_and_no_litter(config, home, monkeypatch, code):
    snapshot = read(config)
    make_alike = files._make_alike

    def fail(descriptor, file):
        make_alike(descriptor, file)
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(files, "_make_alike", fail)
    with pytest.raises(FileProblem, match="can't be replaced"):
        replace(snapshot, b"{}")
    assert config.read_bytes() == snapshot.data
    assert names(home) == ["mcp.json"]
    assert names(files.backups()) == []


def test_a_write_that_the_system_cuts_short_leaves_the_original(config, home):
    """A real limit of the kernel, in a process of its own: a full disk looks the same to the program."""
    program = f"""
import resource, sys
from stdioguard.installs.files import FileProblem, read, replace
snapshot = read({str(config)!r})
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    replace(snapshot, b"x" * 100_000)
except FileProblem as problem:
    print(problem)
"""
    done = subprocess.run([sys.executable, "-B", "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.count("\n") == 1
    assert "can't be replaced" in done.stdout
    assert config.read_bytes() == b'{"mcpServers": {}}\n'
    assert names(home) == ["mcp.json"]
    assert names(files.backups()) == []


def test_attributes_survive(config):
    try:
        os.setxattr(config, "user.colour", b"blue")
    except (OSError, AttributeError):
        pytest.skip("this file system keeps no attributes")
    replace(read(config), b"{}")
    assert os.getxattr(config, "user.colour") == b"blue"


def test_a_backup_that_cannot_be_written_stops_the_edit(config, tmp_path):
    (tmp_path / "stdioguard").mkdir(mode=0o700)
    (tmp_path / "stdioguard" / "state").write_bytes(b"in the way")
    with pytest.raises(FileProblem, match="its backup can't be written"):
        replace(read(config), b"{}")
    assert config.read_bytes() == b'{"mcpServers": {}}\n'


@pytest.mark.skipif(IS_ROOT, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_one_line(config, home):
    home.chmod(0o500)
    try:
        with pytest.raises(FileProblem, match="no right"):
            replace(read(config), b"{}")
    finally:
        home.chmod(0o700)
    assert config.read_bytes() == b'{"mcpServers": {}}\n'


# Root, in the folders of a user that it does not trust.


@pytest.fixture
def theirs(tmp_path, monkeypatch):
    """Another user's home, with a configuration in it."""
    monkeypatch.setenv("STDIOGUARD_HOME", str(tmp_path / "stdioguard"))
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == 0 and folder.stat().st_mode & 0o001 == 0:
            folder.chmod(folder.stat().st_mode | 0o011)
    folder = tmp_path / "theirs"
    folder.mkdir()
    monkeypatch.setattr(files, "_home", lambda uid: str(folder) if uid == NOBODY else "/root")
    (folder / "mcp.json").write_bytes(b"{}")
    for path in (folder, folder / "mcp.json"):
        os.chown(path, NOBODY, NOBODY)
    return folder


@needs_root
def test_a_users_file_that_root_edits_stays_the_users(theirs):
    (theirs / "mcp.json").chmod(0o600)
    saved = replace(read(theirs / "mcp.json"), b"[]")
    status = (theirs / "mcp.json").stat()
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (NOBODY, NOBODY, 0o600)
    assert saved is not None
    assert os.stat(saved).st_uid == 0
    assert os.geteuid() == 0
    assert os.getegid() == 0


@needs_root
@pytest.mark.parametrize("where", ["the file", "a folder above it"])
def test_a_link_of_a_user_leads_root_nowhere_that_the_user_could_not_go(theirs, tmp_path, where):
    secret = tmp_path / "roots"
    secret.mkdir(mode=0o700)
    (secret / "mcp.json").write_bytes(b"root's own")
    if where == "the file":
        path = theirs / "linked.json"
        path.symlink_to(secret / "mcp.json")
    else:
        (theirs / "folder").symlink_to(secret)
        path = theirs / "folder" / "mcp.json"
    os.lchown(theirs / ("linked.json" if where == "the file" else "folder"), NOBODY, NOBODY)
    assert (path).read_bytes() == b"root's own"  # the control: root by itself would have read it
    with pytest.raises(FileProblem, match="no right"):
        read(path)
    assert os.geteuid() == 0


@needs_root
def test_a_link_that_a_user_sets_up_after_root_has_read_reaches_nothing(theirs, tmp_path):
    snapshot = read(theirs / "mcp.json")
    victim = tmp_path / "victim.json"
    victim.write_bytes(b"{}")  # the same content, so that a comparison of contents alone would go on
    victim.chmod(0o644)
    (theirs / "mcp.json").unlink()
    (theirs / "mcp.json").symlink_to(victim)
    os.lchown(theirs / "mcp.json", NOBODY, NOBODY)
    with pytest.raises(FileProblem):
        replace(snapshot, b"[]")
    assert victim.read_bytes() == b"{}"


@needs_root
def test_roots_file_in_a_users_folder_is_not_made_the_users(theirs):
    path = theirs / "roots.json"
    path.write_bytes(b"{}")
    with pytest.raises(FileProblem, match="belongs to user 0") as refused:
        replace(read(path), b"[]")
    assert "chown" in refused.value.fix
    assert path.stat().st_uid == 0


@needs_root
def test_a_users_file_in_a_folder_of_root_keeps_its_owner(tmp_path, monkeypatch):
    monkeypatch.setenv("STDIOGUARD_HOME", str(tmp_path / "stdioguard"))
    folder = tmp_path / "etc"
    folder.mkdir(mode=0o755)
    path = folder / "shared.json"
    path.write_bytes(b"{}")
    os.chown(path, NOBODY, NOBODY)
    replace(read(path), b"[]")
    assert path.read_bytes() == b"[]"
    assert path.stat().st_uid == NOBODY
