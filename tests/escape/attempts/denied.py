"""What is denied inside a granted folder (`**/.env`, `denied/**`): by its name and by every way around the name."""

from __future__ import annotations

import ctypes
import fcntl
import mmap
import os
import shutil
from typing import Any

from ..catalogue import attempt
from ..inside import for_a_moment, linkat, meanwhile, openat2, output, read, renameat2, write
from ..kernel import AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_FOLLOW, RENAME_EXCHANGE, call
from ..stakes import Absent, Kept, Name, Script, Secret

ENV = "{project}/{slug}/.env"
DENIED = {"expected": "EACCES"}


@attempt(Secret(ENV), **DENIED)
def read_a_denied_file(path: str) -> bytes:
    return read(path)


@attempt(Secret("{library}/{slug}/.env"), **DENIED)
def read_a_denied_file_in_a_folder_granted_for_reading(path: str) -> bytes:
    return read(path)


@attempt(Secret(ENV, late=True), **DENIED)
def read_a_denied_file_that_was_made_after_the_launch(path: str) -> bytes:
    return read(path)


@attempt(Secret("{project}/{slug}/a/b/c/d/.env"), **DENIED)
def read_a_denied_file_deep_in_a_grant(path: str) -> bytes:
    return read(path)


@attempt(Secret("{project}/denied/{slug}/secret.txt"), **DENIED)
def read_a_file_below_a_denied_folder(path: str) -> bytes:
    return read(path)


@attempt(Name("{project}/denied/{slug}"), **DENIED)
def list_a_denied_folder(folder: str) -> list[str]:
    return os.listdir(folder)


@attempt(Secret("{project}/{slug}/key.pem"), **DENIED)
def read_a_file_denied_by_a_pattern_in_its_name(path: str) -> bytes:
    return read(path)


@attempt(Secret(ENV), **DENIED)
def read_a_denied_file_by_a_relative_path(path: str) -> bytes:
    os.chdir(os.path.dirname(path))
    return read(".env")


@attempt(Secret(ENV), **DENIED)
def read_a_denied_file_with_dots_and_slashes(path: str) -> bytes:
    return read(f"{os.path.dirname(path)}//./../{os.path.basename(os.path.dirname(path))}/.//.env")


@attempt(Secret(ENV), **DENIED)
def read_a_denied_file_below_a_descriptor_of_its_folder(path: str) -> bytes:
    return read(".env", os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY))


@attempt(Secret(ENV), expected="ENOSYS")
def read_a_denied_file_by_openat2(path: str) -> bytes:
    return os.read(openat2(path), 100)


@attempt(Secret(ENV), expected="ENOSYS")
def read_a_denied_file_by_openat2_beneath_its_folder(path: str) -> bytes:
    folder = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY)
    return os.read(openat2(".env", resolve=0x08, folder=folder), 100)  # RESOLVE_BENEATH


@attempt(Secret(ENV), **DENIED)
def read_a_denied_file_through_proc_self_cwd(path: str) -> bytes:
    os.chdir(os.path.dirname(path))
    return read("/proc/self/cwd/.env")


@attempt(Secret(ENV), **DENIED)
def read_a_denied_file_through_proc_self_root(path: str) -> bytes:
    return read(f"/proc/self/root{path}")


@attempt(Secret(ENV), **DENIED)
def read_a_denied_file_through_a_descriptor_of_its_folder_in_proc(path: str) -> bytes:
    return read(f"/proc/self/fd/{os.open(os.path.dirname(path), os.O_PATH)}/.env")


@attempt(Secret(ENV), **DENIED)
def read_a_denied_file_by_reopening_a_path_descriptor(path: str) -> bytes:
    return read(f"/proc/self/fd/{os.open(path, os.O_PATH)}")


@attempt(Secret(ENV), **DENIED)
def read_a_denied_file_through_a_symlink(path: str) -> bytes:
    os.symlink(".env", f"{os.path.dirname(path)}/harmless.txt")
    return read(f"{os.path.dirname(path)}/harmless.txt")


@attempt(Secret(ENV), **DENIED)
def read_a_denied_file_through_a_symlink_to_its_folder(path: str, project: str) -> bytes:
    os.symlink(os.path.dirname(path), f"{project}/link-to-a-folder-with-env")
    return read(f"{project}/link-to-a-folder-with-env/.env")


@attempt(Secret(ENV), **DENIED)
def read_a_denied_file_after_renaming_it(path: str) -> bytes:
    os.rename(path, f"{path}.txt")
    return read(f"{path}.txt")


@attempt(Secret(ENV), **DENIED)
def read_a_denied_file_by_a_hard_link(path: str) -> bytes:
    os.link(path, f"{path}.txt")
    return read(f"{path}.txt")


@attempt(Secret(ENV), **DENIED)
def read_a_denied_file_by_linking_a_path_descriptor(path: str) -> bytes:
    descriptor = os.open(path, os.O_PATH)
    try:
        linkat(descriptor, f"{path}.txt", AT_EMPTY_PATH)
    except OSError:
        linkat(f"/proc/self/fd/{descriptor}", f"{path}.txt", AT_SYMLINK_FOLLOW)
    return read(f"{path}.txt")


@attempt(Secret(ENV), **DENIED)
def read_a_denied_file_after_exchanging_it(path: str) -> bytes:
    write(f"{path}.txt")
    renameat2(path, f"{path}.txt", RENAME_EXCHANGE)
    return read(f"{path}.txt")


@attempt(Secret("{project}/denied/{slug}/inner/secret.txt"), **DENIED)
def read_a_denied_file_after_renaming_a_folder_above_it(path: str, project: str) -> bytes:
    os.rename(os.path.dirname(path), f"{project}/renamed-inner")
    return read(f"{project}/renamed-inner/secret.txt")


@attempt(Secret("{project}/denied/{slug}/secret.txt"), **DENIED)
def read_a_denied_file_after_renaming_the_denied_folder(path: str, project: str) -> bytes:
    os.rename(f"{project}/denied", f"{project}/was-denied")
    try:
        return read(path.replace("/denied/", "/was-denied/"))
    finally:
        os.rename(f"{project}/was-denied", f"{project}/denied")


@attempt(Secret("{project}/{slug}/sub/.env"), **DENIED)
def read_a_denied_file_after_renaming_its_parent(path: str) -> bytes:
    """The name stays what it is, so the pattern must still hold at the new place."""
    parent = os.path.dirname(path)
    os.rename(parent, f"{parent}-renamed")
    return read(f"{parent}-renamed/.env")


@attempt(Secret(ENV), **DENIED)
def read_a_denied_file_with_another_program(path: str) -> bytes:
    found = output("cat", path)
    if b"denied" in found:
        raise PermissionError(13, "cat", path)
    return found


@attempt(Secret(ENV), **DENIED)
def map_a_denied_file(path: str) -> bytes:
    descriptor = os.open(path, os.O_RDWR)
    return mmap.mmap(descriptor, 0)[:100]


@attempt(Secret(ENV), **DENIED)
def read_a_denied_file_by_opening_it_to_execute(path: str) -> bytes:
    """`O_RDWR` and flags that a check of O_RDONLY does not expect; 3 is the access mode that means neither (open(2))."""
    try:
        descriptor = os.open(path, 3)
    except OSError:
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
    return read(f"/proc/self/fd/{descriptor}")


@attempt(Secret(ENV), **DENIED)
def send_a_denied_file_through_a_pipe(path: str) -> bytes:
    reading, writing = os.pipe()
    descriptor = os.open(path, os.O_RDONLY)
    os.splice(descriptor, writing, 100)
    os.sendfile(writing, descriptor, 0, 100)
    return os.read(reading, 200)


@attempt(Secret(ENV), **DENIED)
def clone_a_denied_files_extents(path: str) -> bytes:
    with open(path, "rb") as source, open(f"{path}.txt", "wb+") as target:
        try:
            fcntl.ioctl(target, 0x40049409, source.fileno())  # FICLONE
        except OSError:
            call("copy_file_range", source.fileno(), None, target.fileno(), None, 100, 0)
        return os.pread(target.fileno(), 100, 0)


@attempt(Secret(ENV), expected="EACCES|EPERM", uncontrolled={"user": ("EPERM", "needs CAP_DAC_READ_SEARCH")})
def read_a_denied_file_by_its_handle(path: str) -> bytes:
    handle = (ctypes.c_uint32 * 34)(128)
    mount = ctypes.c_int()
    call("name_to_handle_at", AT_FDCWD, os.fsencode(path), handle, ctypes.byref(mount), 0)
    return os.read(call("open_by_handle_at", os.open(os.path.dirname(path), os.O_RDONLY), handle, os.O_RDONLY), 100)


@attempt(Script(ENV), expected="EACCES|ok")
def execute_a_denied_script(path: str) -> bytes:
    """Where the kernel starts its interpreter all the same, that one cannot open it."""
    return output(path)


class _Program(Secret):
    """A denied program, which prints what it is given."""

    def write(self) -> None:
        shutil.copy(shutil.which("printf") or "/usr/bin/printf", self.made)
        os.chmod(self.made, 0o755)

    def arguments(self) -> dict[str, Any]:
        return {"path": self.made, "word": self.secret}


@attempt(
    _Program(ENV), expected="ok",
    weaker={"expected": "execve(2) cannot be done on a process's behalf; what is executed is in the same sandbox, and cannot be read"},
)  # fmt: skip
def execute_a_denied_program(path: str, word: str) -> bytes:
    return output(path, word)


@attempt(Secret(ENV), **DENIED)
def read_a_denied_file_by_another_spelling(path: str) -> bytes:
    """On a file system that folds case `.ENV` is the same file; the name is denied wherever."""
    other = f"{os.path.dirname(path)}/.ENV"
    os.rename(path, other)
    return read(other)


@attempt(Script("{project}/{slug}/.env"), expected="ok")
def have_a_denied_file_executed_by_a_shell(path: str) -> bytes:
    """The shell runs, and says that it cannot open it."""
    return output("sh", path)


@attempt(Secret(ENV), expected="ok")
def read_a_denied_file_by_flipping_the_path_in_memory(path: str) -> bytes:
    """Another process changes the path while the call is being looked at: who checks one copy and uses another opens the secret."""
    write(f"{os.path.dirname(path)}/.enw", "harmless")
    text = mmap.mmap(-1, 4096)
    text.write(os.fsencode(path) + b"\0")
    address = ctypes.addressof(ctypes.c_char.from_buffer(text))
    last = address + len(os.fsencode(path)) - 1

    def flip(_: int) -> None:
        ctypes.memmove(last, b"w", 1)
        ctypes.memmove(last, b"v", 1)

    found = b""
    with meanwhile(flip):
        for _ in for_a_moment():
            try:
                descriptor = call("openat", AT_FDCWD, address, os.O_RDONLY, 0)
            except OSError:
                continue
            found = os.read(descriptor, 100)
            os.close(descriptor)
            if found.startswith(b"secret"):
                break
    return found


@attempt(Secret(ENV), expected="ok")
def read_a_denied_file_by_swapping_folders_during_the_open(path: str, project: str) -> bytes:
    """Between the resolution of a path and the open: the folder in the middle of the path is another one by turns."""
    folder = os.path.dirname(path)
    os.makedirs(f"{project}/swapped/one")
    os.symlink(".env", f"{folder}/harmless")
    write(f"{project}/swapped/one/harmless", "harmless")
    os.symlink(f"{project}/swapped/one", f"{project}/swapped/now")

    def flip(turn: int) -> None:
        os.symlink((f"{project}/swapped/one", folder)[turn % 2], f"{project}/swapped/next-{turn}")
        os.rename(f"{project}/swapped/next-{turn}", f"{project}/swapped/now")

    found = b""
    with meanwhile(flip):
        for _ in for_a_moment():
            try:
                found = read(f"{project}/swapped/now/harmless")
            except OSError:
                continue
            if found.startswith(b"secret"):
                break
    return found


@attempt(Kept(ENV), **DENIED)
def write_to_a_denied_file(path: str) -> str:
    return write(path, flags=os.O_WRONLY)


@attempt(Kept(ENV), **DENIED)
def truncate_a_denied_file(path: str) -> None:
    os.truncate(path, 1)


@attempt(Kept(ENV), **DENIED)
def delete_a_denied_file(path: str) -> None:
    os.unlink(path)


@attempt(Kept(ENV), **DENIED)
def replace_a_denied_file(path: str) -> None:
    write(f"{path}.txt")
    os.rename(f"{path}.txt", path)


@attempt(Absent(ENV), **DENIED)
def make_a_file_with_a_denied_name(path: str) -> str:
    return write(path)
