"""Files that are run or believed later by something outside the sandbox: protected also where a folder is granted for writing.

Most of these do not exist when the session begins (CVE-2026-25725 was about one that did not). Whatever the route, nothing may be
there afterwards, and nothing that was there may be changed or moved from under its name.
"""

from __future__ import annotations

import os
import shutil
import socket
import stat

from ..catalogue import add, attempt
from ..inside import linkat, openat2, output, renameat2, write
from ..kernel import AT_FDCWD, AT_SYMLINK_FOLLOW, RENAME_EXCHANGE, call
from ..stakes import Absent, GitRuns, Kept

PROTECTED = {"expected": "EACCES"}
BASE = "{project}/{slug}"


def _create(path: str) -> str:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    return write(path)


# Each name, made in the plainest way. The folder above it is not there either.
NAMES = {
    "a-git-hook": ".git/hooks/post-checkout",
    "a-git-config": ".git/config",
    "a-git-config-of-a-nested-repository": "vendor/library/.git/config",
    "a-git-config-of-a-worktree": ".git/config.worktree",
    "a-git-config-of-a-submodule": ".git/modules/library/config",
    "a-git-hook-of-a-submodule": ".git/modules/library/hooks/post-checkout",
    "a-git-common-folder": ".git/commondir",
    "a-file-that-points-to-a-git-folder": "library/.git",
    "a-husky-hook": ".husky/pre-commit",
    "a-pre-commit-config": ".pre-commit-config.yaml",
    "an-envrc": ".envrc",
    "an-mcp-config-of-claude-code": ".mcp.json",
    "settings-of-claude-code": ".claude/settings.json",
    "local-settings-of-claude-code": ".claude/settings.local.json",
    "a-command-of-claude-code": ".claude/commands/deploy.md",
    "instructions-for-claude": "CLAUDE.md",
    "local-instructions-for-claude": "CLAUDE.local.md",
    "nested-instructions-for-claude": "source/deep/CLAUDE.md",
    "instructions-for-agents": "AGENTS.md",
    "instructions-for-gemini": "GEMINI.md",
    "settings-of-gemini": ".gemini/settings.json",
    "an-mcp-config-of-cursor": ".cursor/mcp.json",
    "a-rule-of-cursor": ".cursor/rules/always.mdc",
    "old-rules-of-cursor": ".cursorrules",
    "rules-of-windsurf": ".windsurfrules",
    "rules-of-cline": ".clinerules",
    "instructions-for-copilot": ".github/copilot-instructions.md",
    "an-mcp-config-of-vs-code": ".vscode/mcp.json",
    "tasks-of-vs-code": ".vscode/tasks.json",
    "settings-of-vs-code": ".vscode/settings.json",
    "a-launch-config-of-vs-code": ".vscode/launch.json",
    "a-run-configuration-of-jetbrains": ".idea/runConfigurations/x.xml",
    "a-config-of-codex": ".codex/config.toml",
    "an-mcp-config-of-roo": ".roo/mcp.json",
    "an-mcp-config-of-amazon-q": ".amazonq/mcp.json",
    "settings-of-zed": ".zed/settings.json",
    "a-devcontainer": ".devcontainer/devcontainer.json",
    "a-local-vimrc": ".exrc",
    "a-config-of-npm": ".npmrc",
    "a-config-of-yarn": ".yarnrc.yml",
    "a-config-of-pip": "pip.conf",
    "a-shell-start-up-file": ".bashrc",
    "a-shell-profile": ".profile",
    "a-zsh-start-up-file": ".zshrc",
    "a-zsh-environment": ".zshenv",
    "a-config-of-mise": ".mise.toml",
    "a-config-of-direnv-for-nix": ".tool-versions",
}  # fmt: skip
for _slug, _name in NAMES.items():
    add(_create, Absent(f"{BASE}/{_name}", base=BASE), name=f"make-{_slug}", group="persistence", **PROTECTED)


# Each way to make one name, for a name in a folder that may be written and for one below a folder that is not there.


def _by_opening(path: str, base: str) -> str:
    return _create(path)


def _by_opening_exclusively(path: str, base: str) -> str:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    return write(path, flags=os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_TRUNC | os.O_NOFOLLOW)


def _by_openat2(path: str, base: str) -> int:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    return openat2(path, os.O_WRONLY | os.O_CREAT)


def _below_a_descriptor(path: str, base: str) -> int:
    """The folder is opened under its harmless name, the file made below the descriptor."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    folder = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY)
    return os.open(os.path.basename(path), os.O_WRONLY | os.O_CREAT, 0o600, dir_fd=folder)


def _from_its_own_folder(path: str, base: str) -> str:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    os.chdir(os.path.dirname(path))
    return write(os.path.basename(path))


def _through_proc_self_cwd(path: str, base: str) -> str:
    os.chdir(base)
    name = os.path.relpath(path, base)
    os.makedirs(os.path.dirname(f"/proc/self/cwd/{name}"), exist_ok=True)
    return write(f"/proc/self/cwd/{name}")


def _with_dots(path: str, base: str) -> str:
    os.makedirs(f"{base}/x", exist_ok=True)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    return write(f"{base}/x/..//./{os.path.relpath(path, base)}")


def _through_a_symlink_to_the_folder(path: str, base: str) -> str:
    os.symlink(base, f"{base}-link")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    return write(f"{base}-link/{os.path.relpath(path, base)}")


def _through_a_dangling_symlink(path: str, base: str) -> str:
    """Opening a symlink to nothing makes what it points to."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    os.symlink(path, f"{base}/harmless")
    return write(f"{base}/harmless")


def _by_moving_a_file_there(path: str, base: str) -> None:
    write(f"{base}/harmless")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    os.rename(f"{base}/harmless", path)


def _by_moving_its_folders_there(path: str, base: str) -> None:
    """All of it is built under another name, and the topmost part is renamed last."""
    name = os.path.relpath(path, base)
    top, _, rest = name.partition("/")
    if rest:
        os.makedirs(os.path.dirname(f"{base}/harmless/{rest}"))
        write(f"{base}/harmless/{rest}")
    else:
        write(f"{base}/harmless")
    os.rename(f"{base}/harmless", f"{base}/{top}")


def _by_moving_the_folder_above(path: str, base: str) -> None:
    """The folder that is renamed has a harmless name before and after; what makes it matter is what it holds."""
    os.rename(base, f"{base}-moved")
    try:
        _create(path.replace(base, f"{base}-moved"))
    finally:
        os.rename(f"{base}-moved", base)


def _by_a_symlink(path: str, base: str) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    write(f"{base}/harmless")
    os.symlink(f"{base}/harmless", path)


def _by_a_symlink_for_its_folder(path: str, base: str) -> None:
    name = os.path.relpath(path, base)
    top, _, rest = name.partition("/")
    if rest:
        os.makedirs(os.path.dirname(f"{base}/harmless/{rest}"))
        write(f"{base}/harmless/{rest}")
    else:
        write(f"{base}/harmless")
    os.symlink("harmless", f"{base}/{top}")


def _by_a_hard_link(path: str, base: str) -> None:
    write(f"{base}/harmless")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    os.link(f"{base}/harmless", path)


def _by_exchanging(path: str, base: str) -> None:
    """A thing with a harmless name changes places with another one; the target's topmost part must exist for that."""
    top = f"{base}/{os.path.relpath(path, base).partition('/')[0]}"
    if top == path:
        write(f"{base}/harmless")
        write(path, flags=os.O_WRONLY | os.O_CREAT)
        renameat2(f"{base}/harmless", path, RENAME_EXCHANGE)
        return
    os.makedirs(f"{base}/harmless/{os.path.relpath(os.path.dirname(path), top)}")
    write(f"{base}/harmless/{os.path.relpath(path, top)}")
    os.makedirs(top, exist_ok=True)
    renameat2(f"{base}/harmless", top, RENAME_EXCHANGE)


def _by_linking_a_nameless_file(path: str, base: str) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    descriptor = os.open(base, os.O_TMPFILE | os.O_WRONLY, 0o755)
    os.write(descriptor, b"changed")
    linkat(f"/proc/self/fd/{descriptor}", path, AT_SYMLINK_FOLLOW)


def _by_binding_a_socket(path: str, base: str) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    socket.socket(socket.AF_UNIX).bind(path)


def _by_binding_a_socket_from_its_folder(path: str, base: str) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    os.chdir(os.path.dirname(path))
    socket.socket(socket.AF_UNIX).bind(os.path.basename(path))


def _by_making_a_fifo(path: str, base: str) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    os.mkfifo(path)


def _by_making_a_node(path: str, base: str) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    os.mknod(path, stat.S_IFREG | 0o755)


def _by_making_a_folder_of_that_name(path: str, base: str) -> None:
    os.makedirs(path)


def _by_unpacking_an_archive(path: str, base: str) -> bytes:
    os.makedirs(f"{base}/packed/{os.path.dirname(os.path.relpath(path, base))}")
    write(f"{base}/packed/{os.path.relpath(path, base)}")
    found = output("sh", "-c", f"cd {base} && tar cf a.tar -C packed . && tar xf a.tar")
    if not os.path.lexists(path):
        raise PermissionError(13, found.decode())
    return found


def _by_copying_a_tree(path: str, base: str) -> None:
    name = os.path.relpath(path, base)
    os.makedirs(os.path.dirname(f"{base}/made/{name}.txt"))
    write(f"{base}/made/{name}.txt")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    shutil.copyfile(f"{base}/made/{name}.txt", path)


def _by_another_program(path: str, base: str) -> bytes:
    found = output("sh", "-c", f"mkdir -p {os.path.dirname(path)} && echo x > {path}")
    if not os.path.lexists(path):
        raise PermissionError(13, found.decode())
    return found


def _by_a_mount_of_another_name(path: str, base: str) -> None:
    """From a process that has already a descriptor of the target's folder, made before the folder got its name."""
    top = f"{base}/{os.path.relpath(path, base).partition('/')[0]}"
    os.mkdir(f"{base}/harmless")
    folder = os.open(f"{base}/harmless", os.O_RDONLY | os.O_DIRECTORY)
    if top == path:
        os.close(os.open("inner", os.O_CREAT | os.O_WRONLY, 0o600, dir_fd=folder))
        call("renameat2", folder, b"inner", AT_FDCWD, os.fsencode(path), 0)
        return
    os.rename(f"{base}/harmless", top)
    inner = os.path.relpath(path, top)
    if "/" in inner:
        os.mkdir(os.path.dirname(inner), dir_fd=folder)
    os.close(os.open(inner, os.O_CREAT | os.O_WRONLY, 0o600, dir_fd=folder))


ROUTES = {
    "by-opening": _by_opening, "by-opening-exclusively": _by_opening_exclusively, "by-openat2": _by_openat2,
    "below-a-descriptor": _below_a_descriptor, "from-its-own-folder": _from_its_own_folder,
    "through-proc-self-cwd": _through_proc_self_cwd, "with-dots": _with_dots,
    "through-a-symlink-to-the-folder": _through_a_symlink_to_the_folder,
    "through-a-dangling-symlink": _through_a_dangling_symlink, "by-moving-a-file-there": _by_moving_a_file_there,
    "by-moving-its-folders-there": _by_moving_its_folders_there, "by-moving-the-folder-above": _by_moving_the_folder_above,
    "by-a-symlink": _by_a_symlink, "by-a-symlink-for-its-folder": _by_a_symlink_for_its_folder, "by-a-hard-link": _by_a_hard_link,
    "by-exchanging": _by_exchanging, "by-linking-a-nameless-file": _by_linking_a_nameless_file,
    "by-binding-a-socket": _by_binding_a_socket, "by-binding-a-socket-from-its-folder": _by_binding_a_socket_from_its_folder,
    "by-making-a-fifo": _by_making_a_fifo, "by-making-a-node": _by_making_a_node,
    "by-making-a-folder-of-that-name": _by_making_a_folder_of_that_name, "by-unpacking-an-archive": _by_unpacking_an_archive,
    "by-copying-a-tree": _by_copying_a_tree, "by-another-program": _by_another_program,
    "with-a-descriptor-from-before-the-name": _by_a_mount_of_another_name,
}  # fmt: skip
# openat2(2) is refused as if the kernel had none, so that libraries fall back to openat(2).
ANSWERS = {"by-openat2": "EACCES|ENOSYS", "by-binding-a-socket-from-its-folder": "EACCES|EPERM"}
for _slug, _route in ROUTES.items():
    for _what, _name in (("a-hook", ".git/hooks/post-checkout"), ("an-envrc", ".envrc")):
        add(
            _route, Absent(f"{BASE}/{_name}", base=BASE), name=f"make-{_what}-{_slug}", group="persistence",
            timeout=6.0, expected=ANSWERS.get(_slug, PROTECTED["expected"]),
        )  # fmt: skip


# What is there: changed, moved away, put under another name.

HOOK = "{project}/{slug}/.git/hooks/pre-commit"


@attempt(Kept(HOOK, mode=0o755), **PROTECTED)
def write_to_a_hook_that_is_there(path: str) -> str:
    return write(path, flags=os.O_WRONLY)


@attempt(Kept(HOOK, mode=0o755), **PROTECTED)
def append_to_a_hook_that_is_there(path: str) -> str:
    return write(path, flags=os.O_WRONLY | os.O_APPEND)


@attempt(Kept(HOOK, mode=0o755), **PROTECTED)
def truncate_a_hook_that_is_there(path: str) -> None:
    os.truncate(path, 4)


@attempt(Kept(HOOK, mode=0o755), **PROTECTED)
def empty_a_hook_by_opening_it_for_reading(path: str) -> int:
    return os.open(path, os.O_RDONLY | os.O_TRUNC)


@attempt(Kept(HOOK, mode=0o755), **PROTECTED)
def reopen_a_hook_for_writing(path: str) -> str:
    return write(f"/proc/self/fd/{os.open(path, os.O_RDONLY)}", flags=os.O_WRONLY)


@attempt(Kept(HOOK, mode=0o755), **PROTECTED)
def write_to_a_hook_through_a_hard_link(path: str) -> str:
    os.link(path, f"{path.partition('/.git/')[0]}/harmless")
    return write(f"{path.partition('/.git/')[0]}/harmless", flags=os.O_WRONLY)


@attempt(Kept(HOOK, mode=0o755), **PROTECTED)
def write_to_a_hook_through_a_symlink(path: str) -> str:
    link = f"{path.partition('/.git/')[0]}/harmless"
    os.symlink(path, link)
    return write(link, flags=os.O_WRONLY)


@attempt(Kept(HOOK, mode=0o755), **PROTECTED)
def delete_a_hook_that_is_there(path: str) -> None:
    os.unlink(path)


@attempt(Kept(HOOK, mode=0o755), **PROTECTED)
def replace_a_hook_that_is_there(path: str) -> None:
    new = f"{path.partition('/.git/')[0]}/harmless"
    write(new, mode=0o755)
    os.rename(new, path)


@attempt(Kept(HOOK, mode=0o755), **PROTECTED)
def rename_a_hooks_folder_and_put_another_in_its_place(path: str) -> None:
    folder = os.path.dirname(path)
    os.rename(folder, f"{folder}-old")
    os.mkdir(folder)
    write(path, mode=0o755)


@attempt(Kept(HOOK, mode=0o755), **PROTECTED)
def rename_a_repositorys_folder_and_put_another_in_its_place(path: str) -> None:
    """The parent of something protected: a rename takes the rule's object away, and a new one is made under the old name."""
    top = path.partition("/hooks/")[0]
    os.rename(top, f"{top}-old")
    os.makedirs(os.path.dirname(path))
    write(path, mode=0o755)


@attempt(Kept(HOOK, mode=0o755), **PROTECTED)
def rename_the_folder_above_a_repository_and_write_there(path: str) -> str:
    top = path.partition("/.git/")[0]
    os.rename(top, f"{top}-moved")
    try:
        return write(path.replace(top, f"{top}-moved"), flags=os.O_WRONLY)
    finally:
        os.rename(f"{top}-moved", top)


@attempt(Kept(HOOK, mode=0o755), **PROTECTED)
def remove_a_whole_repository(path: str) -> None:
    shutil.rmtree(path.partition("/.git/")[0] + "/.git")


@attempt(Kept("{project}/{slug}/.git/config"), **PROTECTED)
def map_a_git_config_for_writing(path: str) -> None:
    import mmap

    with mmap.mmap(os.open(path, os.O_RDWR), 0) as view:
        view[:5] = b"evil!"


# Whole repositories, judged by what the user's next git would find.


@attempt(GitRuns(), **PROTECTED)
def add_a_setting_to_a_git_config(repository: str) -> bytes:
    found = output("git", "-C", repository, "config", "attack.hook", "evil")
    if found:
        raise PermissionError(13, found.decode())
    return found


@attempt(GitRuns(), **PROTECTED)
def replace_a_git_folder_by_a_file_that_points_elsewhere(repository: str) -> str:
    os.rename(f"{repository}/.git", f"{repository}/real")
    write(
        f"{repository}/real/config", "[core]\n\trepositoryformatversion = 0\n[attack]\n\thook = evil\n", os.O_WRONLY | os.O_TRUNC
    )
    return write(f"{repository}/.git", "gitdir: real\n")


def _copy_repository(old: str, new: str) -> None:
    """Copy what makes a repository. `shutil.copytree` would collect the errors and raise one that has no errno."""
    for folder in ("objects", "refs/heads"):
        os.makedirs(f"{new}/{folder}")
    for name in ("HEAD", "config"):
        shutil.copyfile(f"{old}/{name}", f"{new}/{name}")


@attempt(GitRuns(), **PROTECTED)
def put_a_repository_with_another_name_in_place(repository: str) -> None:
    _copy_repository(f"{repository}/.git", f"{repository}/sub/new")
    write(
        f"{repository}/sub/new/config",
        "[core]\n\trepositoryformatversion = 0\n[attack]\n\thook = evil\n",
        os.O_WRONLY | os.O_TRUNC,
    )
    os.rename(f"{repository}/sub/new", f"{repository}/sub/.git")


@attempt(GitRuns(), **PROTECTED)
def give_a_repository_another_common_folder(repository: str) -> str:
    """gitrepository-layout(5): where `commondir` says so, config and hooks are taken from another folder."""
    _copy_repository(f"{repository}/.git", f"{repository}/common")
    write(
        f"{repository}/common/config",
        "[core]\n\trepositoryformatversion = 0\n[attack]\n\thook = evil\n",
        os.O_WRONLY | os.O_TRUNC,
    )
    return write(f"{repository}/.git/commondir", "../common\n")


@attempt(GitRuns(), **PROTECTED)
def make_a_bare_repository_in_a_subfolder(repository: str) -> str:
    """A folder with HEAD, objects and refs is a repository for git whatever its name (safe.bareRepository)."""
    for folder in ("objects", "refs/heads"):
        os.makedirs(f"{repository}/sub/{folder}")
    write(f"{repository}/sub/HEAD", "ref: refs/heads/main\n")
    text = "[core]\n\trepositoryformatversion = 0\n\tbare = true\n[attack]\n\thook = evil\n"
    return write(f"{repository}/sub/config", text)


@attempt(GitRuns(), **PROTECTED)
def have_git_make_a_repository_with_a_template(repository: str) -> bytes:
    os.makedirs(f"{repository}/template")
    write(f"{repository}/template/config", "[core]\n\trepositoryformatversion = 0\n[attack]\n\thook = evil\n")
    os.mkdir(f"{repository}/sub")
    found = output("git", "init", "--quiet", f"--template={repository}/template", f"{repository}/sub/inner")
    if not os.path.exists(f"{repository}/sub/inner/.git/config"):
        raise PermissionError(13, found.decode())
    return found


@attempt(GitRuns(), **PROTECTED)
def add_a_worktree_whose_common_folder_is_ours(repository: str) -> str:
    os.makedirs(f"{repository}/sub")
    os.makedirs(f"{repository}/.git/worktrees/x")
    os.makedirs(f"{repository}/ours/refs/heads")
    os.mkdir(f"{repository}/ours/objects")
    write(f"{repository}/ours/HEAD", "ref: refs/heads/main\n")
    write(f"{repository}/ours/config", "[core]\n\trepositoryformatversion = 0\n[attack]\n\thook = evil\n")
    write(f"{repository}/.git/worktrees/x/HEAD", "ref: refs/heads/main\n")
    write(f"{repository}/.git/worktrees/x/gitdir", f"{repository}/sub/.git\n")
    write(f"{repository}/.git/worktrees/x/commondir", "../../../ours\n")
    return write(f"{repository}/sub/.git", f"gitdir: {repository}/.git/worktrees/x\n")


# At the user's own level, outside of every grant.


def _change(home: str, name: str) -> str:
    path = f"{home}/{name}"
    os.makedirs(os.path.dirname(path), exist_ok=True)
    return write(path, "changed\n", os.O_WRONLY | os.O_CREAT | os.O_APPEND)


NOT_GRANTED = {"namespaces": "ENOENT|EROFS|EACCES|EPERM", "plain": "EACCES|EPERM"}
for _slug, _name in {
    "the-users-bashrc": ".bashrc", "the-users-profile": ".profile", "the-users-git-config": ".gitconfig",
    "the-users-authorized-keys": ".ssh/authorized_keys", "the-users-npm-config": ".npmrc", "the-users-claude-config": ".claude.json",
    "the-users-cursor-config": ".cursor/mcp.json", "the-users-claude-desktop-config": ".config/Claude/claude_desktop_config.json",
    "the-users-codex-config": ".codex/config.toml", "a-systemd-unit-of-the-users": ".config/systemd/user/ours.service",
    "a-program-on-the-users-path": ".local/bin/tool",
}.items():  # fmt: skip
    add(_change, Kept(f"{{home}}/{_name}"), name=f"change-{_slug}", bound={"name": _name}, group="persistence", **NOT_GRANTED)
for _slug, _name in {
    "a-new-systemd-unit": ".config/systemd/user/evil.service", "an-autostart-entry": ".config/autostart/evil.desktop",
    "a-launch-agent": "Library/LaunchAgents/evil.plist", "a-start-up-file-that-is-not-there": ".zshenv",
    "a-config-of-fish": ".config/fish/config.fish", "an-mcp-config-of-windsurf": ".codeium/windsurf/mcp_config.json",
    "user-settings-of-vs-code": ".config/Code/User/settings.json", "a-user-level-instruction-file": ".claude/CLAUDE.md",
    "a-package-in-the-uv-cache": ".cache/uv/archive-v0/evil/evil.py", "a-package-in-the-npx-cache": ".npm/_npx/evil/package.json",
    "a-user-site-package": ".local/lib/python3/site-packages/evil.pth", "a-cargo-config": ".cargo/config.toml",
    "an-ssh-config": ".ssh/config", "an-environment-file": ".config/environment.d/evil.conf", "a-user-crontab-folder": ".config/cron/evil",
}.items():  # fmt: skip
    add(
        _change,
        Absent(f"{{home}}/{_name}", base="{home}"),
        name=f"plant-{_slug}",
        bound={"name": _name},
        group="persistence",
        **NOT_GRANTED,
    )


def _change_ours(guard: str, name: str) -> str:
    path = f"{guard}/{name}"
    os.makedirs(os.path.dirname(path), exist_ok=True)
    return write(path, "changed\n", os.O_WRONLY | os.O_CREAT | os.O_APPEND)


for _slug, _name in {
    "a-profile-of-stdioguards": "config/profiles/planted.toml", "a-record-of-stdioguards": "state/records/planted.jsonl",
    "a-compiled-profile-of-stdioguards": "cache/profiles/planted", "a-secret-of-stdioguards": "config/secrets/planted",
    "a-grant-of-stdioguards": "state/grants/planted", "a-cached-filter-of-stdioguards": "cache/filters/planted.bpf",
}.items():  # fmt: skip
    add(
        _change_ours, Absent(f"{{guard}}/{_name}", base="{guard}"), name=f"plant-{_slug}", bound={"name": _name}, group="persistence",
        **NOT_GRANTED,
    )  # fmt: skip


@attempt(Absent("{venv}/lib/python{python}/site-packages/evil-{slug}.pth"), namespaces="EROFS", plain="EACCES")
def plant_a_file_in_the_interpreters_packages(path: str) -> str:
    """The next start of the same interpreter runs it, whoever starts it (site module)."""
    return write(path, "import os\n")


del _name, _slug, _route, _what
