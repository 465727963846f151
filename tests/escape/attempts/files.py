"""Files that nothing grants, or that are granted for reading only: by their path and by every other way to the same inode."""

from __future__ import annotations

import ctypes
import os
import stat
from typing import Any

from ..catalogue import add, attempt
from ..inside import for_a_moment, linkat, meanwhile, openat2, output, parent_of, reach, read, renameat2, write
from ..kernel import AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_FOLLOW, RENAME_EXCHANGE, RENAME_WHITEOUT, call
from ..stakes import Absent, GuardsSecret, Kept, Name, Reached, Script, Secret, Words

GONE = {"namespaces": "ENOENT", "plain": "EACCES"}
"""Without a grant a path is not there in a mount view, and may not be opened under Landlock."""


# Reading


@attempt(Secret(), **GONE)
def read_a_secret_by_its_path(path: str) -> bytes:
    return read(path)


@attempt(Secret(late=True), **GONE)
def read_a_secret_that_was_made_after_the_launch(path: str) -> bytes:
    return read(path)


@attempt(Secret(), **GONE)
def read_a_secret_through_proc_self_root(path: str) -> bytes:
    return read(f"/proc/self/root{path}")


@attempt(Secret(), **GONE)
def read_a_secret_through_proc_thread_self_root(path: str) -> bytes:
    return read(f"/proc/thread-self/root{path}")


@attempt(Secret(), **GONE)
def read_a_secret_through_proc_self_cwd_and_dots(path: str, project: str) -> bytes:
    os.chdir(project)
    return read(f"/proc/self/cwd/{os.path.relpath(path, project)}")


@attempt(Secret(), namespaces="ENOENT|EACCES", plain="EACCES")
def read_a_secret_through_the_root_of_process_1(path: str) -> bytes:
    return read(f"/proc/1/root{path}")


@attempt(Secret(), namespaces="ENOENT|EACCES", plain="EACCES")
def read_a_secret_through_the_root_of_the_parents_parent(path: str) -> bytes:
    return read(f"/proc/{parent_of(os.getppid())}/root{path}")


@attempt(Secret(), **GONE)
def read_a_secret_with_dots_out_of_a_grant(path: str, project: str) -> bytes:
    os.makedirs(f"{project}/src", exist_ok=True)
    return read(f"{project}/./src/../../../{os.path.relpath(path, os.path.dirname(os.path.dirname(project)))}")


@attempt(Secret(), expected="ENOSYS")
def read_a_secret_by_openat2(path: str) -> bytes:
    return os.read(openat2(path), 100)


@attempt(Secret(), **GONE)
def read_a_secret_through_a_symlink_made_in_a_grant(path: str, project: str) -> bytes:
    link = f"{project}/link-to-a-secret"
    os.symlink(path, link)
    return read(link)


@attempt(Secret(link="{project}/{slug}/was-there -> {elsewhere}/{slug}/secret.txt"), **GONE)
def read_a_secret_through_a_symlink_that_was_there(link: str) -> bytes:
    return read(link)


@attempt(Secret(link="{library}/{slug} -> {elsewhere}/{slug}"), **GONE)
def read_a_secret_through_a_symlink_to_its_folder(link: str) -> bytes:
    return read(f"{link}/secret.txt")


@attempt(Secret(), namespaces="ENOENT", plain="EACCES|EXDEV")
def read_a_secret_by_a_hard_link_made_in_a_grant(path: str, project: str) -> bytes:
    os.link(path, f"{project}/hard-link-to-a-secret")
    return read(f"{project}/hard-link-to-a-secret")


@attempt(Secret(), **GONE)
def read_a_secret_by_reopening_a_path_descriptor(path: str) -> bytes:
    return read(f"/proc/self/fd/{os.open(path, os.O_PATH)}")


@attempt(Secret(), **GONE)
def read_a_secret_below_a_path_descriptor_of_its_folder(path: str) -> bytes:
    return read(os.path.basename(path), os.open(os.path.dirname(path), os.O_PATH))


@attempt(Secret(), namespaces="ENOENT", plain="EACCES|EXDEV")
def read_a_secret_by_linking_a_path_descriptor(path: str, project: str) -> bytes:
    descriptor = os.open(path, os.O_PATH)
    try:
        linkat(descriptor, f"{project}/linked-from-a-descriptor", AT_EMPTY_PATH)
    except OSError:
        linkat(f"/proc/self/fd/{descriptor}", f"{project}/linked-from-a-descriptor", AT_SYMLINK_FOLLOW)
    return read(f"{project}/linked-from-a-descriptor")


@attempt(Secret(), **GONE)
def read_a_secret_from_its_own_folder(path: str) -> bytes:
    os.chdir(os.path.dirname(path))
    return read(os.path.basename(path))


@attempt(Secret(), **GONE)
def read_a_secret_by_moving_it_into_a_grant(path: str, project: str) -> bytes:
    os.rename(path, f"{project}/moved-secret")
    return read(f"{project}/moved-secret")


@attempt(Secret(), **GONE)
def read_a_secret_by_moving_its_folder_into_a_grant(path: str, project: str) -> bytes:
    os.rename(os.path.dirname(path), f"{project}/moved-folder")
    return read(f"{project}/moved-folder/secret.txt")


@attempt(Secret(), **GONE)
def read_a_secret_by_exchanging_it_with_a_file_of_ours(path: str, project: str) -> bytes:
    write(f"{project}/exchanged")
    renameat2(path, f"{project}/exchanged", RENAME_EXCHANGE)
    return read(f"{project}/exchanged")


@attempt(Secret(), expected="EPERM", uncontrolled={"user": ("EPERM", "needs CAP_DAC_READ_SEARCH")})
def read_a_secret_by_its_file_handle(path: str) -> bytes:
    handle = (ctypes.c_uint32 * 34)(128)
    mount = ctypes.c_int()
    call("name_to_handle_at", AT_FDCWD, os.fsencode(path), handle, ctypes.byref(mount), 0)
    folder = os.open("/", os.O_RDONLY)
    return os.read(call("open_by_handle_at", folder, handle, os.O_RDONLY), 100)


@attempt(Secret(), expected="EPERM", uncontrolled={"user": ("EPERM|EACCES", "needs CAP_DAC_READ_SEARCH")})
def read_a_secret_by_a_handle_made_up_from_a_granted_one(path: str, project: str) -> bytes:
    """The shocker attack (CVE-2014-3519 of OpenVZ, Docker 0.11): count up inode numbers; here the number is simply known."""
    handle = (ctypes.c_uint32 * 34)(128)
    mount = ctypes.c_int()
    call("name_to_handle_at", AT_FDCWD, os.fsencode(project), handle, ctypes.byref(mount), 0)
    ours = os.stat(project).st_ino
    wanted = os.stat(path).st_ino
    for index in range(2, 34):
        if handle[index] == ours & 0xFFFFFFFF:
            handle[index] = wanted & 0xFFFFFFFF
            handle[index + 1] = 0  # any generation
    return os.read(call("open_by_handle_at", os.open(project, os.O_RDONLY), handle, os.O_RDONLY), 100)


@attempt(Secret(), expected="ok")
def read_a_secret_by_flipping_a_symlink_during_the_open(path: str, project: str) -> bytes:
    """Between the check of a path and its use: the link points to a granted file and to the secret by turns."""
    allowed, link = f"{project}/allowed.txt", f"{project}/flipping"
    write(allowed)

    def flip(turn: int) -> None:
        os.symlink((allowed, path)[turn % 2], f"{link}-{turn}")
        os.rename(f"{link}-{turn}", link)

    found = b""
    with meanwhile(flip):
        for _ in for_a_moment():
            try:
                found = read(link)
            except OSError:
                continue
            if b"secret" in found:
                break
    return found


@attempt(Secret(), **GONE)
def read_a_secret_with_another_program(path: str) -> bytes:
    found = output("cat", path)
    if b"No such file" in found:
        raise FileNotFoundError(2, "cat", path)
    if b"denied" in found:
        raise PermissionError(13, "cat", path)
    return found


@attempt(Script(), **GONE)
def execute_a_program_that_nothing_grants(path: str) -> bytes:
    return output(path)


@attempt(Name(), **GONE)
def list_a_folder_that_nothing_grants(folder: str) -> list[str]:
    return os.listdir(folder)


@attempt(Name(), **GONE)
def list_a_folder_through_a_path_descriptor(folder: str) -> list[str]:
    return os.listdir(f"/proc/self/fd/{os.open(folder, os.O_PATH)}")


@attempt(Name("{home}"), namespaces="ok|EACCES", plain="EACCES")
def list_the_home_folder(folder: str) -> list[str]:
    """In a mount view the home folder is there if something below it is granted, and has nothing else in it."""
    return os.listdir(folder)


@attempt(Words("elsewhere"), namespaces="ok|EACCES", plain="EACCES")
def list_a_folder_above_every_grant(root: str) -> list[str]:
    return os.listdir(root)


def _read_of_home(home: str, name: str) -> bytes:
    return read(f"{home}/{name}")


for _name in (
    ".ssh/id_ed25519", ".aws/credentials", ".netrc", ".git-credentials", ".npmrc", ".claude.json", ".cursor/mcp.json", ".kube/config",
    ".docker/config.json", ".config/gh/hosts.yml", ".mozilla/firefox/default/cookies.sqlite", ".bash_history", ".gnupg/private-keys-v1.d/key",
):  # fmt: skip
    add(
        _read_of_home, GuardsSecret(), name="read-the-users-" + _name.strip(".").replace("/", "-").replace(".", "-"),
        bound={"name": _name}, group="files", **GONE,
    )  # fmt: skip


@attempt(Secret("{shm}/{unique}-{slug}"), **GONE)
def read_a_secret_in_the_hosts_dev_shm(path: str) -> bytes:
    return read(path)


@attempt(Secret("/tmp/{unique}-{slug}-secret"), **GONE)
def read_a_secret_in_the_hosts_tmp(path: str) -> bytes:
    return read(path)


@attempt(Secret("/var/tmp/{unique}-{slug}-secret"), **GONE)
def read_a_secret_in_the_hosts_var_tmp(path: str) -> bytes:
    return read(path)


@attempt(Secret("{run}/user/{slug}"), **GONE)
def read_a_secret_in_the_users_runtime_folder(path: str) -> bytes:
    return read(path)


@attempt(Absent("/tmp/{unique}-{slug}-planted"), namespaces="ok", plain="EACCES")
def plant_a_file_in_the_hosts_tmp(path: str) -> str:
    """In a mount view /tmp is the server's own."""
    return write(path)


@attempt(Absent("{shm}/{unique}-{slug}-planted"), namespaces="ok|EACCES", plain="EACCES")
def plant_a_file_in_the_hosts_dev_shm(path: str) -> str:
    return write(path)


class _Shadow(Reached):
    """A line of /etc/shadow."""

    def happened(self, outcome: dict[str, Any]) -> bool:
        return "root:" in outcome["detail"]


@attempt(_Shadow(), namespaces="ENOENT|EACCES", plain="EACCES", uncontrolled={"user": ("EACCES", "is root's")})
def read_the_shadow_file() -> bytes:
    return read("/etc/shadow")


@attempt(Secret("{guard}/state/records/{slug}.jsonl"), **GONE)
def read_stdioguards_record(path: str) -> bytes:
    return read(path)


@attempt(Secret("{guard}/config/secrets/{slug}"), **GONE)
def read_stdioguards_secrets(path: str) -> bytes:
    return read(path)


@attempt(Secret("{guard}/state/servers/another/state/{slug}"), **GONE)
def read_another_servers_state(path: str) -> bytes:
    return read(path)


# Writing where nothing is granted


@attempt(Kept(), **GONE)
def write_to_a_file_that_nothing_grants(path: str) -> str:
    return write(path, flags=os.O_WRONLY)


@attempt(Kept(), **GONE)
def append_to_a_file_that_nothing_grants(path: str) -> str:
    return write(path, flags=os.O_WRONLY | os.O_APPEND)


@attempt(Kept(), **GONE)
def truncate_a_file_by_its_path(path: str) -> None:
    os.truncate(path, 3)


@attempt(Kept(), **GONE)
def empty_a_file_by_opening_it_for_reading(path: str) -> int:
    """O_RDONLY with O_TRUNC truncates, which a check of the access mode alone does not see (open(2))."""
    return os.open(path, os.O_RDONLY | os.O_TRUNC)


@attempt(Kept(), **GONE)
def delete_a_file_that_nothing_grants(path: str) -> None:
    os.unlink(path)


@attempt(Kept("{elsewhere}/{slug}/kept", folder=True), **GONE)
def rename_a_folder_that_nothing_grants(path: str) -> None:
    os.rename(path, f"{path}-renamed")


@attempt(Absent("{elsewhere}/{slug}/planted"), **GONE)
def make_a_file_where_nothing_is_granted(path: str) -> str:
    return write(path)


@attempt(Absent("{elsewhere}/{slug}/planted"), **GONE)
def make_a_folder_where_nothing_is_granted(path: str) -> None:
    os.mkdir(path)


@attempt(Absent("{elsewhere}/{slug}/planted"), **GONE)
def make_a_symlink_where_nothing_is_granted(path: str) -> None:
    os.symlink("/etc/passwd", path)


@attempt(Absent("{elsewhere}/{slug}/planted"), **GONE)
def make_a_fifo_where_nothing_is_granted(path: str) -> None:
    os.mkfifo(path)


@attempt(Absent("{elsewhere}/{slug}/planted"), **GONE)
def move_a_file_out_of_a_grant(path: str, project: str) -> None:
    write(f"{project}/to-be-moved-out")
    os.rename(f"{project}/to-be-moved-out", path)


@attempt(Absent("{elsewhere}/{slug}/planted"), **GONE)
def hard_link_a_file_out_of_a_grant(path: str, project: str) -> None:
    write(f"{project}/to-be-linked-out")
    os.link(f"{project}/to-be-linked-out", path)


@attempt(Absent("{cwd}/planted-by-{slug}"), namespaces="EROFS|EACCES|ENOENT", plain="EACCES")
def write_in_the_working_directory_of_the_client(path: str) -> str:
    """Where the client started the guard is no grant by itself."""
    return write(path)


@attempt(Absent("{home}/planted-by-{slug}"), namespaces="EROFS|EACCES|EPERM", plain="EACCES")
def make_a_file_beside_the_grants(path: str) -> str:
    return write(path)


@attempt(Kept("{home}/project-sibling/kept.txt"), **GONE)
def write_where_the_path_only_begins_like_a_grant(path: str) -> str:
    """`project-sibling` begins with `project`: a comparison of texts without a final slash would let it through."""
    return write(path)


# Writing where only reading is granted

READ_ONLY = {"namespaces": "EROFS", "plain": "EACCES"}


@attempt(Kept("{library}/{slug}/kept.txt"), **READ_ONLY)
def write_to_a_file_that_is_granted_for_reading(path: str) -> str:
    return write(path, flags=os.O_WRONLY)


@attempt(Kept("{library}/{slug}/kept.txt"), **READ_ONLY)
def truncate_a_file_that_is_granted_for_reading(path: str) -> None:
    os.truncate(path, 1)


@attempt(Kept("{library}/{slug}/kept.txt"), **READ_ONLY)
def empty_a_file_that_is_granted_for_reading(path: str) -> int:
    return os.open(path, os.O_RDONLY | os.O_TRUNC)


@attempt(Kept("{library}/{slug}/kept.txt"), **READ_ONLY)
def reopen_a_descriptor_for_writing(path: str) -> str:
    return write(f"/proc/self/fd/{os.open(path, os.O_RDONLY)}", flags=os.O_RDWR)


@attempt(Kept("{library}/{slug}/kept.txt"), **READ_ONLY)
def delete_a_file_that_is_granted_for_reading(path: str) -> None:
    os.unlink(path)


@attempt(Absent("{library}/{slug}/planted"), **READ_ONLY)
def make_a_file_in_a_folder_granted_for_reading(path: str) -> str:
    return write(path)


@attempt(Absent("{library}/{slug}/planted"), **READ_ONLY)
def link_a_nameless_file_into_a_folder_granted_for_reading(path: str) -> None:
    descriptor = os.open(os.path.dirname(path), os.O_TMPFILE | os.O_WRONLY, 0o600)
    linkat(f"/proc/self/fd/{descriptor}", path, AT_SYMLINK_FOLLOW)


@attempt(Kept("{library}/{slug}/kept.txt"), namespaces="EXDEV", plain="EXDEV|EACCES")
def write_to_a_read_only_file_by_a_hard_link(path: str, project: str) -> str:
    """Into a folder that may be written: the same inode by another name."""
    os.link(path, f"{project}/link-to-the-library")
    return write(f"{project}/link-to-the-library", flags=os.O_WRONLY)


@attempt(Kept("{library}/{slug}/kept.txt"), namespaces="EXDEV|EROFS", plain="EXDEV|EACCES")
def move_a_read_only_file_into_a_grant(path: str, project: str) -> str:
    os.rename(path, f"{project}/moved-from-the-library")
    return write(f"{project}/moved-from-the-library")


@attempt(Kept("{library}/{slug}/kept", folder=True), namespaces="EXDEV|EROFS", plain="EXDEV|EACCES")
def exchange_a_read_only_folder_with_one_of_ours(path: str, project: str) -> None:
    os.mkdir(f"{project}/folder-to-exchange")
    renameat2(f"{project}/folder-to-exchange", path, RENAME_EXCHANGE)


@attempt(Reached(), namespaces="EBUSY|EROFS|EACCES", plain="EACCES|EXDEV")
def rename_a_granted_folder_itself(project: str) -> None:
    """What is granted by path must not become what another path means at the next launch."""
    os.rename(project, f"{project}-renamed")
    os.rename(f"{project}-renamed", project)


# The machine's own places


def _set_again(name: str) -> str:
    """Write to a kernel setting what it holds: nothing changes, and it would have worked."""
    with open(name) as file:
        value = file.read()
    with open(name, "w") as file:
        file.write(value)
    return value


for _slug, _setting in (
    ("the-core-pattern", "/proc/sys/kernel/core_pattern"),
    ("the-path-of-modprobe", "/proc/sys/kernel/modprobe"),
    ("a-setting-of-virtual-memory", "/proc/sys/vm/overcommit_memory"),
):
    add(
        _set_again, Reached(), name=f"set-{_slug}", bound={"name": _setting}, group="files", namespaces="EROFS|EACCES|ENOENT",
        plain="EACCES|ENOENT", uncontrolled={"user": ("EACCES|ENOENT", "is root's"), "root": ("ok|ENOENT|EROFS", "not in every kernel")},
    )  # fmt: skip


def _open_for_writing(name: str) -> str:
    return f"descriptor {os.open(name, os.O_WRONLY | os.O_NONBLOCK)}"


for _slug, _device in (
    ("sysrq", "/proc/sysrq-trigger"), ("the-kernel-log", "/dev/kmsg"), ("physical-memory", "/dev/mem"),
    ("the-loop-devices", "/dev/loop-control"), ("the-tunnel-device", "/dev/net/tun"), ("fuse", "/dev/fuse"), ("kvm", "/dev/kvm"),
):  # fmt: skip
    add(
        _open_for_writing, Reached(), name=f"open-{_slug}", bound={"name": _device}, group="files", expected="ENOENT|EACCES",
        plain="EACCES|ENOENT", uncontrolled={
            "user": ("ok|EACCES|ENOENT|EPERM", "depends on the machine"), "root": ("ok|ENOENT|ENODEV|EPERM", "depends on the machine"),
        },
    )  # fmt: skip


@attempt(Reached(), expected="EPERM|EACCES|ENOENT", uncontrolled={
    "user": ("EPERM", "needs CAP_MKNOD"), "root": ("ok|EPERM", "a device cgroup may forbid it"),
})  # fmt: skip
def make_the_disks_device_and_open_it(project: str) -> str:
    """The whole file system by its block device, whatever is hidden in the tree."""
    path = f"{project}/disk"
    os.mknod(path, stat.S_IFBLK | 0o600, os.stat(project).st_dev)
    return reach(lambda: os.open(path, os.O_RDONLY), "ENXIO", "ENODEV")


@attempt(Reached(), expected="EPERM|EACCES|ENOENT", uncontrolled={"user": ("EPERM", "needs CAP_MKNOD")})
def make_a_device_of_physical_memory(project: str) -> None:
    os.mknod(f"{project}/mem", stat.S_IFCHR | 0o600, os.makedev(1, 1))


@attempt(Absent("{venv}/lib/stdioguard-{slug}.pth"), namespaces="EROFS|EACCES", plain="EACCES",
         uncontrolled={"user": ("ok|EACCES", "the folder is root's where root runs the suite")})  # fmt: skip
def plant_a_file_in_the_interpreters_installation(path: str) -> str:
    return write(path, "import os\n")


@attempt(Kept("{server}/escape/attacker.py"), namespaces="EROFS|EACCES", plain="EACCES",
         uncontrolled={"user": ("ok|EACCES", "the script is root's where root runs the suite")})  # fmt: skip
def change_the_servers_own_script(path: str) -> str:
    """What is changed here runs at the next launch."""
    return write(path, "#\n", flags=os.O_WRONLY | os.O_APPEND)


class _Whiteout(Absent):
    """A device with the number 0, 0, with which an overlay takes a file away."""

    def happened(self, outcome: dict[str, Any]) -> bool:
        return os.path.lexists(self.target) and stat.S_ISCHR(os.lstat(self.target).st_mode)


@attempt(
    _Whiteout("{project}/{slug}/whiteout"),
    expected="EPERM",
    uncontrolled={"user": ("ok|EPERM|EINVAL", "needs CAP_MKNOD on most file systems")},
)
def make_a_whiteout_device(path: str, base: str) -> None:
    write(f"{base}/whiteout")
    renameat2(f"{base}/whiteout", f"{base}/moved", RENAME_WHITEOUT)


@attempt(Reached(), expected="EPERM", uncontrolled={"user": ("EPERM", "needs CAP_SYS_CHROOT")})
def change_the_root_folder(project: str) -> None:
    os.chroot(project)


@attempt(Secret(), expected="EPERM", plain="EPERM|EACCES", uncontrolled={"user": ("EPERM", "needs CAP_SYS_CHROOT")})
def leave_a_changed_root_by_a_descriptor(path: str, project: str) -> bytes:
    """The classic way out of chroot(2)."""
    os.makedirs(f"{project}/jail", exist_ok=True)
    outside = os.open("/", os.O_RDONLY)
    os.chroot(f"{project}/jail")
    os.fchdir(outside)
    return read(path.lstrip("/"))


del _name, _slug, _setting, _device
