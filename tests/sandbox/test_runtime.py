"""What a command is granted so that it can run: its interpreter and its code, in the layouts that installers make, and never more."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from stdioguard.sandbox import elf, permissions, runtime
from stdioguard.sandbox.permissions import PermissionRefused

SEARCH = "/usr/bin:/bin"


def write(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def program(path: Path, text: str = "not a script\n") -> Path:
    write(path, text).chmod(0o755)
    return path


class Machine:
    """A home with interpreters and projects in it, and what a command is granted there."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.home = root / "home"
        for name in (".ssh/id_ed25519", ".config/gh/hosts.yml", ".npmrc"):
            write(self.home / name)
        self.cwd = root / "work"
        self.cwd.mkdir()
        self.last = runtime.Runtime()

    def granted(self, *command: str | Path, path: str = SEARCH, **environment: str) -> dict[str, str]:
        """Return the reasons by the path, relative to the root; absolute outside of it."""
        own = {"HOME": str(self.home), "PATH": path, **environment}
        resolved = permissions.resolve([str(word) for word in command], path, str(self.cwd), environment=own)
        self.last = runtime.needed(resolved, resolved.cwd, own)
        resolved.close()
        for entry in self.last.entries:
            real = entry.path
            assert os.path.realpath(real) == real
            assert os.path.exists(real)
            assert real != "/"
            assert not str(self.home).startswith(real), "the home folder, or one above it"
            assert not any(str(self.home / name).startswith(real + "/") for name in (".ssh", ".config/gh", ".npmrc"))
        return {entry.path.removeprefix(f"{self.root}/"): entry.reason for entry in self.last.entries}

    def paths(self, *command: str | Path, **rest: str) -> list[str]:
        return list(self.granted(*command, **rest))

    def python(self, prefix: str = "home/.pyenv/versions/3.12.1") -> Path:
        root = self.root / prefix
        write(root / "lib" / "python3.12" / "os.py")
        write(root / "lib" / "libpython3.12.so.1.0")
        (root / "lib" / "python3.12" / "site-packages").mkdir()
        real = program(root / "bin" / "python3.12")
        (root / "bin" / "python3").symlink_to("python3.12")
        return real

    def venv(self, place: str, base: Path, *, system: str = "false", copies: bool = False) -> Path:
        root = self.root / place
        write(root / "pyvenv.cfg", f"home = {base.parent}\ninclude-system-site-packages = {system}\nversion = 3.12.1\n")
        (root / "lib" / "python3.12" / "site-packages").mkdir(parents=True)
        if copies:
            program(root / "bin" / "python")
        else:
            (root / "bin").mkdir()
            (root / "bin" / "python").symlink_to(base)
        return root

    def node(self, prefix: str) -> Path:
        write(self.root / prefix / "include" / "node" / "node.h")
        (self.root / prefix / "lib" / "node_modules").mkdir(parents=True)
        return program(self.root / prefix / "bin" / "node")


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.delenv("STDIOGUARD_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    return Machine(tmp_path)


def console_script(venv: Path, name: str = "mcp-server") -> Path:
    return program(venv / "bin" / name, f"#!{venv}/bin/python\n")


# Python


def test_an_environment_and_the_installation_below_it(machine: Machine) -> None:
    venv = machine.venv("home/project/.venv", machine.python())
    expected = {"home/project/.venv": "the command's Python environment", "home/.pyenv/versions/3.12.1": "Python's own files"}
    assert machine.granted(console_script(venv)) == expected
    assert machine.granted(venv / "bin" / "python", "-m", "anything") == expected
    assert machine.granted(venv / "bin" / "python", "-c", "pass") == expected


@pytest.mark.parametrize(
    "place", ["home/.local/share/pipx/venvs/x", "home/.local/share/uv/tools/x", "home/.cache/uv/archive-v0/Ab-1", "opt/x"]
)
def test_a_tool_that_is_linked_to_from_local_bin(place: str, machine: Machine) -> None:
    """pipx and uv put their links into ~/.local/bin: neither that folder nor those above the tool are needed."""
    base = machine.python("home/.local/share/uv/python/cpython-3.12.1-linux")
    (machine.root / "home/.local/share/uv/python/cpython-3.12").symlink_to("cpython-3.12.1-linux")
    named = machine.root / "home/.local/share/uv/python/cpython-3.12/bin/python3.12"
    assert named.resolve() == base
    venv = machine.venv(place, named)
    script = console_script(venv)
    link = machine.home / ".local" / "bin" / "mcp-server"
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(script)
    assert machine.paths(link) == [place, "home/.local/share/uv/python/cpython-3.12.1-linux"]
    assert machine.last.links == {
        str(link): str(script),
        str(machine.root / "home/.local/share/uv/python/cpython-3.12"): "cpython-3.12.1-linux",
    }


def test_an_environment_of_copies(machine: Machine) -> None:
    venv = machine.venv("venv", machine.python("python"), copies=True)
    assert machine.paths(console_script(venv)) == ["venv", "python"]


def test_an_installation_whose_prefix_is_the_home_folder_gives_its_parts(machine: Machine) -> None:
    real = machine.python("home")
    write(machine.home / "lib" / "mine.txt")
    assert machine.paths(real, "-c", "pass") == ["home/bin/python3.12", "home/lib/libpython3.12.so.1.0", "home/lib/python3.12"]
    venv = machine.venv("home/.local", real)  # and an environment in a folder that holds everything
    assert machine.paths(venv / "bin" / "python", "-c", "pass") == [
        "home/bin/python3.12", "home/.local/lib/python3.12", "home/lib/libpython3.12.so.1.0", "home/lib/python3.12",
    ]  # fmt: skip


def test_the_folder_of_a_script_is_granted_and_nothing_above(machine: Machine) -> None:
    real = machine.python("python")
    script = write(machine.home / "project" / "src" / "server.py")
    assert machine.granted(real, script)["home/project/src"] == "the script's folder"
    for flag in ("-I", "-P"):
        assert machine.granted(real, flag, script)["home/project/src/server.py"] == "the script"
    (machine.root / "link.py").symlink_to(script)
    assert "home/project/src" in machine.granted(real, machine.root / "link.py"), "Python looks beside the real file"
    assert machine.last.links == {str(machine.root / "link.py"): str(script)}
    assert "home/project/src" in machine.granted(real, script.parent)
    assert "home/project/bin/tool" in machine.granted(real, program(machine.home / "project" / "bin" / "tool"))


@pytest.mark.parametrize(
    "folder", ["home", "home/Downloads", "home/Documents", "home/.config", "home/.local/share", "", "home/.ssh"]
)
def test_a_script_in_a_folder_of_other_things_is_granted_alone_and_that_is_said(folder: str, machine: Machine) -> None:
    script = write(machine.root / folder / "server.py")
    paths = machine.paths(machine.python("python"), script)
    if folder == "home/.ssh":
        assert paths == ["python"], "what lies among secrets is not granted at all"
    else:
        assert paths == ["python", str(script.relative_to(machine.root))]
    assert any(f"{script.parent} is not granted (the script's folder)" in note for note in machine.last.notes)


def test_in_a_shared_folder_a_script_is_granted_alone(machine: Machine) -> None:
    script = write(machine.root / "shared" / "server.py")
    script.parent.chmod(0o1777)
    assert machine.paths(machine.python("python"), script) == ["python", "shared/server.py"]


def test_stdioguards_own_places_are_never_granted(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STDIOGUARD_HOME", str(machine.root / "guard"))
    real = machine.python("python")
    for place in ("config/profiles", "state", "cache/servers/x", "config"):
        assert machine.paths(real, write(machine.root / "guard" / place / "server.py")) == ["python"]
    assert machine.paths(real, write(machine.root / "guard" / "server.py")) == ["python", "guard/server.py"]
    venv = machine.venv("guard/state/venv", real)
    assert not any(path.startswith("guard") for path in machine.paths(console_script(venv))[1:])


def test_a_module_of_the_working_directory(machine: Machine) -> None:
    """`-m` searches the working directory first. It is granted if the module that the command names is there and nowhere else."""
    venv = machine.venv("venv", machine.python("python"))
    python = venv / "bin" / "python"
    assert machine.paths(python, "-m", "server") == ["venv", "python"]
    write(machine.cwd / "server" / "__main__.py")
    assert machine.granted(python, "-m", "server.sub")["work"] == "the folder of the module that is run (server.sub)"
    assert machine.paths(python, "-Pm", "server") == ["venv", "python"]
    write(venv / "lib" / "python3.12" / "site-packages" / "server" / "__main__.py")
    assert machine.paths(python, "-m", "server") == ["venv", "python"]
    assert any("server too, which is not used" in note for note in machine.last.notes)
    write(machine.cwd / "json.py")
    write(machine.root / "python/lib/python3.12/json/__init__.py")
    assert machine.paths(python, "-m", "json.tool") == ["venv", "python"]


def test_a_module_in_the_home_folder_is_granted_without_the_folder(machine: Machine) -> None:
    write(machine.home / "server.py")
    write(machine.home / "package" / "__main__.py")
    machine.cwd = machine.home
    real = machine.python("python")
    assert machine.paths(real, "-m", "server") == ["python", "home/server.py"]
    assert machine.paths(real, "-m", "package") == ["python", "home/package"]
    assert any(f"{machine.home} is not granted" in note for note in machine.last.notes)


def site(venv: Path) -> Path:
    return venv / "lib" / "python3.12" / "site-packages"


SETUPTOOLS = """from __future__ import annotations
import sys
MAPPING: dict[str, str] = {{'weather': '{sources}/weather', "it's": "{sources}/it's", 'single': '{sources}/single.py', 'gone': '/gone'}}
NAMESPACES: dict[str, list[str]] = {{'spread': ['{sources}/spread']}}
PATH_PLACEHOLDER = '/etc'
"""


def test_editable_installs_are_found_without_running_anything(machine: Machine) -> None:
    venv = machine.venv("venv", machine.python("python"))
    script = console_script(venv)
    sources = machine.home / "sources"
    for name in ("weather/__init__.py", "it's/__init__.py", "single.py", "spread/x.py", "unrelated/x.py"):
        write(sources / name)
    write(
        site(venv) / "__editable__.weather-0.1.pth",
        "import __editable___weather_0_1_finder; __editable___weather_0_1_finder.install()",
    )
    write(site(venv) / "__editable___weather_0_1_finder.py", SETUPTOOLS.format(sources=sources) + "raise SystemExit('was run')\n")
    found = machine.granted(script)
    assert sorted(found) == [
        "home/sources/it's",
        "home/sources/single.py",
        "home/sources/spread",
        "home/sources/weather",
        "python",
        "venv",
    ]
    assert found["home/sources/weather"] == "code that the Python environment names (__editable__.weather-0.1.pth)"


def test_paths_in_pth_files_are_found(machine: Machine) -> None:
    venv = machine.venv("venv", machine.python("python"))
    script = console_script(venv)
    for name in ("one", "two", "shared", "deep", "code"):
        (machine.home / name).mkdir()
    write(site(venv) / "a.pth", f"\ufeff# {machine.home}/code\n\n{machine.home}/one  \n../../../../home/two\n/not/there\n")
    write(site(venv) / "b.pth", f"import site; site.addsitedir('{machine.home}/shared')\n")
    write(site(venv) / "c.pth", "import os; var = 'SETUPTOOLS_USE_DISTUTILS'\n")
    write(machine.home / "shared" / "d.pth", f"{machine.home}/deep\n")
    write(site(venv) / "e.txt", f"{machine.home}/code\n")
    assert machine.paths(script) == ["venv", "python", "home/one", "home/two", "home/shared", "home/deep"]


def test_an_editable_install_that_is_not_understood_says_where_it_is_from(machine: Machine) -> None:
    venv = machine.venv("venv", machine.python("python"))
    source = machine.home / "my source"
    source.mkdir()
    write(site(venv) / "x.pth", "import _x_editable_loader\n")
    write(site(venv) / "_x_editable_loader.py", "import this\n")
    write(
        site(venv) / "x-1.dist-info" / "direct_url.json",
        f'{{"url": "file://{machine.home}/my%20source", "dir_info": {{"editable": true}}}}',
    )
    write(site(venv) / "y-1.dist-info" / "direct_url.json", f'{{"url": "file://{machine.home}/.ssh", "dir_info": {{}}}}')
    write(site(venv) / "z-1.dist-info" / "direct_url.json", "[")
    assert machine.paths(console_script(venv)) == ["venv", "python", "home/my source"]


@pytest.mark.parametrize("target", ["", "/.ssh", "/.config", "/..", "/../..", "/.ssh/.."])
def test_no_file_of_an_environment_makes_a_grant_of_what_is_a_persons(target: str, machine: Machine) -> None:
    venv = machine.venv("venv", machine.python("python"))
    write(site(venv) / "evil.pth", f"{machine.home}{target}\n/\n/etc\n/proc\n")
    (site(venv) / "linked").symlink_to(f"{machine.home}{target}")
    assert machine.paths(console_script(venv)) == ["venv", "python"]
    assert len(machine.last.notes) >= 3


def test_code_that_another_user_could_change_is_refused(machine: Machine) -> None:
    venv = machine.venv("venv", machine.python("python"))
    script = console_script(venv)
    source = machine.home / "sources"
    source.mkdir()
    write(site(venv) / "a.pth", f"{source}\n")
    machine.granted(script)
    source.chmod(0o777)
    with pytest.raises(PermissionRefused) as raised:
        machine.granted(script)
    assert str(raised.value).endswith(f"run: chmod go-w {source}")
    assert "code that the Python environment names" in str(raised.value)


def test_packages_that_are_links(machine: Machine) -> None:
    venv = machine.venv("venv", machine.python("python"))
    write(machine.home / "checkout" / "package" / "__init__.py")
    (site(venv) / "package").symlink_to(machine.home / "checkout" / "package")
    assert machine.paths(console_script(venv)) == ["venv", "python", "home/checkout/package"]


def test_the_users_own_packages_only_for_a_command_from_there(machine: Machine) -> None:
    """They are whatever was ever installed with `pip install --user`."""
    real = machine.python("python")
    own = machine.home / ".local/lib/python3.12/site-packages"
    write(own / "server" / "__main__.py")
    script = program(machine.home / ".local" / "bin" / "mcp-server", f"#!{real}\n")
    expected = ["python", "home/.local/lib/python3.12/site-packages", "home/.local/bin/mcp-server"]
    assert machine.paths(script) == expected
    assert machine.last.environment == {"PYTHONUSERBASE": str(machine.home / ".local")}
    assert machine.paths(real, "-m", "server") == expected[:2]
    assert machine.paths(real, "-Im", "server") == ["python"]
    assert machine.paths(real, "-m", "other") == ["python"]
    assert machine.paths(real, "-c", "pass") == ["python"]
    venv = machine.venv("venv", real)
    assert machine.paths(venv / "bin" / "python", "-m", "server") == ["venv", "python"]
    venv = machine.venv("open", real, system="true")
    assert machine.paths(venv / "bin" / "python", "-m", "server") == ["open", "python", expected[1]]


# Node


def test_packages_are_granted_as_far_as_they_reach(machine: Machine) -> None:
    node = machine.node("home/.nvm/versions/node/v22.1.0")
    modules = machine.home / "project" / "node_modules"
    script = program(modules / "@scope" / "server" / "node_modules" / "inner" / "dist" / "index.js", "#!/usr/bin/env node\n")
    link = modules / ".bin" / "server"
    link.parent.mkdir()
    link.symlink_to("../@scope/server/node_modules/inner/dist/index.js")
    expected = ["home/.nvm/versions/node/v22.1.0", "home/project/node_modules"]
    assert machine.paths(link, path=str(node.parent)) == expected
    assert machine.paths(node, script) == expected


def test_a_package_that_is_installed_globally(machine: Machine) -> None:
    node = machine.node("home/.nvm/versions/node/v22.1.0")
    script = program(node.parent.parent / "lib" / "node_modules" / "server" / "index.js", "#!/usr/bin/env node\n")
    (node.parent / "server").symlink_to("../lib/node_modules/server/index.js")
    assert machine.paths(script, path=str(node.parent)) == ["home/.nvm/versions/node/v22.1.0"]
    assert machine.paths("server", path=str(node.parent)) == ["home/.nvm/versions/node/v22.1.0"]


def test_a_lone_node_is_granted_alone(machine: Machine) -> None:
    node = program(machine.home / "bin" / "node")
    assert machine.paths(node, "-e", "1") == ["home/bin/node"]
    assert machine.paths(machine.node("home/.local"), "-e", "1") == ["home/.local/bin/node"]


def test_a_project_is_granted_with_the_packages_above_it(machine: Machine) -> None:
    node = program(machine.root / "node" / "node")
    project = machine.home / "mono" / "packages" / "server"
    script = write(project / "dist" / "src" / "index.js")
    write(project / "package.json", '{"name": "server"}')
    write(project / "dist" / "package.json", '{"type": "module"}')
    write(machine.home / "mono" / "package.json", '{"name": "mono"}')
    write(machine.home / "mono" / "node_modules" / "dep" / "index.js")
    write(machine.home / "mono" / "packages" / "core" / "index.js")
    (machine.home / "mono" / "node_modules" / "@mono").mkdir()
    (machine.home / "mono" / "node_modules" / "@mono" / "core").symlink_to("../../packages/core")
    (machine.home / "mono" / "node_modules" / "outside").symlink_to(machine.home)
    (machine.home / "node_modules").mkdir()
    found = machine.granted(node, script)
    assert list(found) == ["node/node", "home/mono/packages/server", "home/mono/node_modules", "home/mono/packages/core"]
    assert any(f"{machine.home} is not granted" in note for note in machine.last.notes)


@pytest.mark.parametrize("manifest", ["home", ""])
def test_a_package_json_in_the_home_folder_does_not_make_it_a_project(manifest: str, machine: Machine) -> None:
    node = program(machine.root / "node" / "node")
    write(machine.root / manifest / "package.json", '{"name": "everything"}')
    assert machine.paths(node, write(machine.home / "scripts" / "server.js")) == ["node/node", "home/scripts"]
    assert machine.paths(node, write(machine.home / "server.js")) == ["node/node", "home/server.js"]


PNPM = """#!/bin/sh
basedir=$(dirname "$(echo "$0" | sed -e 's,\\\\,/,g')")
if [ -x "$basedir/node" ]; then
  exec "$basedir/node"  "$basedir/../server/dist/index.js" "$@"
else
  exec node  "$basedir/../server/dist/index.js" "$@"
fi
"""


def test_a_shell_script_that_stands_for_a_package(machine: Machine) -> None:
    node = machine.node("home/.nvm/versions/node/v22.1.0")
    modules = machine.home / "project" / "node_modules"
    store = modules / ".pnpm" / "server@1.0.0" / "node_modules" / "server"
    write(store / "dist" / "index.js")
    (modules / "server").symlink_to(".pnpm/server@1.0.0/node_modules/server")
    script = program(modules / ".bin" / "server", PNPM)
    assert machine.paths(script, path=f"{node.parent}:{SEARCH}") == [
        "home/project/node_modules",
        "home/.nvm/versions/node/v22.1.0",
    ]


def test_any_other_shell_script_is_granted_alone(machine: Machine) -> None:
    script = program(machine.home / "project" / "run.sh", "#!/bin/sh\nexec something\n")
    assert machine.paths(script) == ["home/project/run.sh"]
    assert machine.paths("sh", script) == ["home/project/run.sh"]


def test_deno_is_granted_the_code_that_it_has_fetched_and_not_what_scripts_have_stored(machine: Machine) -> None:
    deno = program(machine.home / ".deno" / "bin" / "deno")
    for name in ("npm", "remote", "location_data"):
        (machine.home / ".cache" / "deno" / name).mkdir(parents=True)
    script = write(machine.home / "project" / "server.ts")
    write(machine.home / "project" / "deno.json", "{}")
    paths = machine.paths(deno, "run", "-A", script)
    assert paths == ["home/.deno/bin/deno", "home/project", "home/.cache/deno/npm", "home/.cache/deno/remote"]


# Others


def test_a_program_by_itself_is_granted_by_itself(machine: Machine) -> None:
    assert machine.paths(program(machine.home / ".local" / "bin" / "mcp-server")) == ["home/.local/bin/mcp-server"]
    assert machine.paths("/usr/bin/env") == []


def test_an_interpreter_of_another_language(machine: Machine) -> None:
    java = program(machine.home / ".sdkman" / "candidates" / "java" / "21" / "bin" / "java")
    (java.parent.parent / "lib").mkdir()
    jar = write(machine.home / "Downloads" / "server.jar")
    assert machine.paths(java, "-jar", jar) == ["home/.sdkman/candidates/java/21", "home/Downloads/server.jar"]


@pytest.mark.parametrize(("manager", "variable"), [("volta", "VOLTA_HOME"), ("asdf", "ASDF_DATA_DIR")])
def test_a_version_managers_programs(manager: str, variable: str, machine: Machine) -> None:
    part = "bin" if manager == "volta" else "shims"
    shim = program(machine.home / f".{manager}" / part / "server")
    (machine.home / f".{manager}" / "private").mkdir()
    assert machine.paths(shim) == [f"home/.{manager}/{part}"]
    assert machine.last.environment == {variable: str(machine.home / f".{manager}")}


def test_a_fetcher_that_has_nothing_to_start_says_what_to_do(machine: Machine) -> None:
    npx = program(machine.root / "bin" / "npx", "#!/usr/bin/env node\n")
    program(machine.root / "bin" / "node")
    machine.granted("npx", "-y", "@scope/server", path=str(npx.parent))
    assert machine.last.notes == [
        "npx fetches packages when it starts, which it cannot do in the sandbox: run it once yourself, to have them (npx -y @scope/server)"
    ]


ELF = Path("/proc/self/exe").resolve() if sys.platform == "linux" else Path("/nonexistent")


def with_run_path(path: Path, run_path: bytes) -> Path:
    """Write an ELF file that is a header, a loader, a dynamic section and its strings."""
    loader = b"/opt/loader/ld.so\0"
    strings = b"\0" + run_path + b"\0"

    def number(value: int, size: int = 8) -> bytes:
        return value.to_bytes(size, "little")

    def part(kind: int, offset: int, address: int, size: int) -> bytes:
        return number(kind, 4) + number(4, 4) + number(offset) + number(address) * 2 + number(size) * 2 + number(8)

    at_loader = 64 + 3 * 56
    at_strings = at_loader + len(loader)
    at_dynamic = at_strings + len(strings)
    dynamic = b"".join(number(tag) + number(value) for tag, value in ((5, 0x400000 + at_strings), (29, 1), (0, 0)))
    head = b"\x7fELF\x02\x01\x01" + bytes(9) + number(2, 2) + number(62, 2) + number(1, 4) + number(0) + number(64) + number(0)
    head += number(0, 4) + number(64, 2) + number(56, 2) + number(3, 2) + bytes(6)
    size = at_dynamic + len(dynamic)
    parts = (
        part(1, 0, 0x400000, size) + part(2, at_dynamic, 0x400000 + at_dynamic, len(dynamic)) + part(3, at_loader, 0, len(loader))
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(head + parts + loader + strings + dynamic)
    path.chmod(0o755)
    return path


@pytest.mark.skipif(sys.platform != "linux", reason="ELF")
def test_libraries_beside_a_program(machine: Machine) -> None:
    binary = with_run_path(machine.home / "tool" / "bin" / "server", b"$ORIGIN/../lib:${ORIGIN}/more:relative:$LIB/x:/opt/none")
    for name in ("lib", "bin/more", "other"):
        (machine.home / "tool" / name).mkdir(parents=True)
    with open(binary, "rb") as file:
        loader, folders = elf.places(file.fileno(), str(binary.parent))
    assert loader == "/opt/loader/ld.so"
    assert folders == [f"{machine.home}/tool/lib", f"{binary.parent}/more", "/opt/none"]
    assert machine.paths(binary) == ["home/tool/bin/server", "home/tool/lib", "home/tool/bin/more"]
    binary = with_run_path(machine.home / "tool" / "bin" / "evil", b"$ORIGIN/../..:/:/etc:$ORIGIN/../../.ssh")
    assert machine.paths(binary) == ["home/tool/bin/evil"]


@pytest.mark.parametrize("size", [0, 4, 63, 64, 100, 200, 260])
def test_a_truncated_or_senseless_program_has_no_libraries(size: int, machine: Machine) -> None:
    binary = with_run_path(machine.root / "server", b"$ORIGIN/lib")
    data = binary.read_bytes()
    for damaged in (
        data[:size],
        data[:32] + b"\xff" * (len(data) - 32),
        data[:54] + b"\xff" * 8 + data[62:],
        data[:5] + b"\x02" + data[6:],
    ):
        binary.write_bytes(damaged)
        with open(binary, "rb") as file:
            assert elf.places(file.fileno(), "/x")[1] == []


def test_what_lies_in_another_entry_is_not_listed_twice(machine: Machine) -> None:
    venv = machine.venv("home/project/.venv", machine.python("home/project/python"))
    script = write(machine.home / "project" / "server.py")
    assert machine.paths(venv / "bin" / "python", script) == ["home/project"]
