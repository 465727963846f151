"""What a launch itself could give away: the folder it starts in, a grant that is not what it says, files that others can change."""

from __future__ import annotations

import os

from ..catalogue import Launch, add, attempt
from ..inside import in_child, read, write
from ..kernel import CLONE_NEWUSER, call
from ..stakes import Absent, Kept, Reached, Secret, Words

REFUSED = {"expected": "exit-77|exit-78"}
GONE = {"namespaces": "ENOENT", "plain": "EACCES"}
WRAPPER = 'import runpy\nrunpy.run_path("{server}/escape/attacker.py", run_name="__main__")\n'


@attempt(Secret(), launch=Launch(cwd="{elsewhere}/{slug}"), **GONE)
def read_in_the_folder_that_the_client_starts_in(path: str) -> bytes:
    return read(os.path.basename(path))


@attempt(
    Absent("{elsewhere}/{slug}/planted"),
    launch=Launch(cwd="{elsewhere}/{slug}"),
    namespaces="EROFS|EACCES|ENOENT",
    plain="EACCES",
)
def write_in_the_folder_that_the_client_starts_in(path: str) -> str:
    return write(os.path.basename(path))


@attempt(Secret(), launch=Launch(cwd="/"), **GONE)
def read_below_the_root_that_the_client_starts_in(path: str) -> bytes:
    return read(path.lstrip("/"))


def _read(path: str) -> bytes:
    return read(path)


def _write(path: str) -> str:
    return write(path, flags=os.O_WRONLY)


# A grant that gives away more than it says
for _slug, _launch in {
    "the-whole-file-system": Launch(read=["/"]),
    "the-home-folder": Launch(read=["{home}"]),
    "a-parent-of-the-home-folder": Launch(read=["{root}"]),
    "the-home-folder-with-dots": Launch(read=["{project}/.."]),
    "a-symlink-to-the-home-folder": Launch(read=["{shared}/{slug}-link"]),
    "a-symlink-to-the-root": Launch(read=["{shared}/{slug}-root"]),
    "stdioguards-own-folder": Launch(read=["{guard}"]),
}.items():
    add(
        _read, Secret("{home}/{slug}/secret.txt", link="{shared}/{slug}-link -> {home}", root_link="{shared}/{slug}-root -> /"), name=f"be-granted-{_slug}", group="launches", launch=_launch, **REFUSED,
    )  # fmt: skip

for _slug, _launch in {
    "the-home-folder": Launch(write=["{home}"]),
    "the-folder-of-ssh": Launch(write=["{home}/.ssh"]),
    "a-symlink-to-the-folder-of-ssh": Launch(write=["{shared}/{slug}-link"]),
    "a-hard-link-to-a-protected-file": Launch(write=["{shared}/{slug}-hard"]),
    "the-folder-of-systemd-units": Launch(write=["{home}/.config/systemd/user"]),
    "the-parent-of-client-configs": Launch(write=["{home}/.config"]),
    "a-clients-config": Launch(write=["{home}/.claude.json"]),
    "stdioguards-own-folder": Launch(write=["{guard}/config"]),
}.items():

    class _Linked(Kept):
        """The user's key, and two other names for what holds it."""

        def prepare(self) -> None:
            super().prepare()
            os.symlink(os.path.dirname(self.made), self.path("{shared}/{slug}-link"))
            os.link(self.path("{home}/.claude.json"), self.path("{shared}/{slug}-hard"))

    add(
        _write, _Linked("{home}/.ssh/id_ed25519"), name=f"be-granted-to-write-{_slug}", group="launches", launch=_launch,
        expected="exit-77|EACCES" if "ssh" in _slug else "exit-77",
    )  # fmt: skip


@attempt(
    Secret("{elsewhere}/{slug}/secret.txt", link="{project}/{slug}/data -> {elsewhere}/{slug}"),
    launch=Launch(read=["{project}/{slug}/data"], write=["{project}/{slug}"]), expected="exit-77|ENOENT|EACCES",
)  # fmt: skip
def be_granted_a_symlink_that_a_session_before_could_have_made(path: str) -> bytes:
    return read(path)


@attempt(Secret("{library}/{slug}/secret.txt"), launch=Launch(read=["{library}/{slug}/granted.txt"]), **GONE)
def read_beside_a_single_granted_file(path: str) -> bytes:
    return read(path)


@attempt(Secret("{library}/{slug}/ab/secret.txt"), launch=Launch(read=["{library}/{slug}/a*"]), expected="exit-78")
def be_granted_a_folder_whose_name_is_a_pattern(path: str) -> bytes:
    return read(path)


@attempt(
    Secret("{library}/{slug}/ab/secret.txt"),
    launch=Launch(read=['{library}/{slug}/quo"te', "{library}/{slug}/it's", "{library}/{slug}/back\\slash", "{library}/{slug}/a space",
                      "{library}/{slug}/(or)", "{library}/{slug}/<b>", "{library}/{slug}/gr\u00fcn \u2014 \u7dd1"]),
    **GONE,
)  # fmt: skip
def be_granted_folders_whose_names_need_quoting(path: str) -> bytes:
    return read(path)


@attempt(
    Secret("{library}/{slug}/secret.txt"), launch=Launch(read=["{library}"], deny=["{library}/{slug}/**"]), expected="EACCES"
)
def read_what_is_granted_and_denied(path: str) -> bytes:
    return read(path)


@attempt(
    Secret("{library}/{slug}/secret.txt"),
    launch=Launch(read=["{library}/{slug}/secret.txt"], deny=["**/secret.txt"]),
    expected="EACCES|ENOENT",
)
def read_a_file_that_is_granted_by_itself_and_denied(path: str) -> bytes:
    return read(path)


@attempt(
    Secret("{library}/{slug}/denied/granted/secret.txt"),
    launch=Launch(read=["{library}/{slug}", "{library}/{slug}/denied/granted"], deny=["{library}/{slug}/denied/**"]), expected="EACCES|ENOENT",
)  # fmt: skip
def read_what_is_granted_inside_of_what_is_denied(path: str) -> bytes:
    return read(path)


@attempt(
    Kept("{library}/{slug}/kept.txt"), launch=Launch(read=["{library}/{slug}"], write=["{library}/{slug}/writable"]),
    namespaces="EROFS", plain="EACCES",
)  # fmt: skip
def write_above_a_folder_that_may_be_written(path: str) -> str:
    os.makedirs(f"{os.path.dirname(path)}/writable", exist_ok=True)
    return write(path, flags=os.O_WRONLY)


# Code that others can change


class _Open(Secret):
    """A server script, or the folder that it lies in, that every user of the machine can change."""

    def __init__(self, *, script: int = 0o644, folder: int = 0o755, profile: int = 0o600) -> None:
        super().__init__()
        self.script, self.open_folder, self.profile = script, folder, profile

    def prepare(self) -> None:
        super().prepare()
        folder = self.path("{shared}/{slug}")
        os.makedirs(folder)
        with open(f"{folder}/server.py", "w") as file:
            file.write(self.path(WRAPPER))
        os.chmod(f"{folder}/server.py", self.script)
        os.chmod(folder, self.open_folder)
        self.host.modes[self.slug] = self.profile


for _slug, _stake in {
    "a-script-that-everyone-can-write": _Open(script=0o666),
    "a-script-in-a-folder-that-everyone-can-write": _Open(folder=0o777),
    "a-profile-that-everyone-can-write": _Open(profile=0o666),
}.items():
    add(
        _read, _stake, name=f"be-started-from-{_slug}", group="launches",
        launch=Launch(read=["{server}", "{elsewhere}"], server="{shared}/{slug}/server.py"), **REFUSED,
    )  # fmt: skip


@attempt(
    Words("/nonexistent-"),
    launch=Launch(environment={"LD_AUDIT": "/nonexistent-{slug}", "PYTHONSTARTUP": "/nonexistent-{slug}", "NODE_OPTIONS": "-r /nonexistent-{slug}",
                               "BASH_ENV": "/nonexistent-{slug}", "GIT_SSH_COMMAND": "/nonexistent-{slug}"}), expected="ok",
)  # fmt: skip
def be_given_the_clients_loader_variables() -> str:
    return str(dict(os.environ))


@attempt(
    Words("/nonexistent-"), launch=Launch(environment={"PYTHONSTARTUP": "/nonexistent-{slug}"}, passed=["PYTHONSTARTUP"]), expected="exit-78",
)  # fmt: skip
def be_passed_a_loader_variable_by_the_profile() -> str:
    return str(dict(os.environ))


class _Profile(Reached):
    """A system-call profile that allows everything."""

    def prepare(self) -> None:
        with open(self.path("{shared}/{slug}.json"), "w") as file:
            file.write('{"defaultAction": "SCMP_ACT_ALLOW", "architectures": [], "syscalls": []}')


@attempt(_Profile(), launch=Launch(seccomp="{shared}/{slug}.json"), world=True, expected="EPERM")
def bring_a_system_call_profile_that_allows_everything() -> str:
    return in_child(lambda: call("unshare", CLONE_NEWUSER))


del _slug, _launch, _stake, _Linked
