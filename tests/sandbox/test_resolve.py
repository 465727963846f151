"""What is started is what the kernel would start, byte for byte of the argument list, and each file of it is known before."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from stdioguard.sandbox import permissions
from stdioguard.sandbox.permissions import CommandError, PermissionRefused, Resolved

if TYPE_CHECKING:
    from pathlib import Path

PRINT = "import sys; sys.stdout.buffer.write(open('/proc/self/cmdline', 'rb').read())"
TELL = f"import sys; {PRINT}; print(sys.executable, sys.prefix, sys.argv)"
SEARCH = "/usr/bin:/bin"


def resolve(command: list[str], cwd: Path, path: str = SEARCH, **environment: str) -> Resolved:
    return permissions.resolve(command, path, str(cwd), environment={"HOME": str(cwd), **environment})


def program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def by_the_kernel(program: str, command: list[str], cwd: Path, path: str) -> bytes:
    """Execute the program that was found, by its absolute name, and let the kernel and the other programs do the rest."""
    return subprocess.run(
        command, executable=program, cwd=cwd, env={"PATH": path}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ).stdout


def by_descriptor(resolved: Resolved, path: str) -> bytes:
    """Execute what was checked, as the launch does, with nothing looked up again."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(writing, 1)
        os.dup2(writing, 2)
        os.chdir(resolved.cwd)
        try:
            os.execve(resolved.executable.fd, resolved.argv, {"PATH": path} | resolved.environment)
        finally:
            os._exit(99)
    os.close(writing)
    with open(reading, "rb") as file:
        data = file.read()
    os.waitpid(child, 0)
    return data


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(
    ("layout", "first"),
    [
        ("a first line", "#!{python}\n"),
        ("with blanks", "#! \t {python} \t \n"),
        ("with one argument", "#!{python} -I\n"),
        ("with one argument that has a blank", "#!{python} -I -B\n"),
        ("through env", "#!/usr/bin/env tool\n"),
        ("through env, split", "#!/usr/bin/env -S tool -I -B\n"),
        ("through env, split, with a variable", "#!/usr/bin/env -S SAID=yes OTHER= tool -I\n"),
        ("through env, split into what is not followed", "#!/usr/bin/env -S tool '-I'\n"),
        ("another script as interpreter", "#!{folder}/between\n"),
        ("a shell, as distlib writes it", "#!/bin/sh\n'''exec' \"{folder}/a b/python\" \"$0\" \"$@\"\n' '''\n"),
        (
            "a shell, as uv writes it",
            "#!/bin/sh\n'''exec' \"$(dirname -- \"$(realpath -- \"$0\")\")\"/'tool' \"$0\" \"$@\"\n' '''\n",
        ),
    ],
)
def test_a_script_is_started_as_the_kernel_starts_it(layout: str, first: str, tmp_path: Path) -> None:
    python = sys.executable
    (tmp_path / "a b").mkdir()
    for link in (tmp_path / "tool", tmp_path / "a b" / "python"):
        link.symlink_to(python)
    program(tmp_path / "between", f"#!{python} -I\nimport os, sys\nsys.argv = sys.argv[1:]\n{TELL}\n")
    script = program(
        tmp_path / "server", first.format(python=python, folder=tmp_path) + f"import os\n{TELL}; print(os.environ.get('SAID'))\n"
    )
    (tmp_path / "linked").symlink_to("server")
    path = f"{tmp_path}:{SEARCH}"
    for command in ([str(script), "--flag", "two words", ""], ["server", "x"], ["./server"], ["linked"]):
        resolved = resolve(command, tmp_path, path)
        assert by_descriptor(resolved, path) == by_the_kernel(resolved.program, command, tmp_path, path), layout
        assert any(checked.realpath == str(script) for checked in resolved.checked)
        resolved.close()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_programs_keep_the_name_that_they_were_called_by(tmp_path: Path) -> None:
    (tmp_path / "python9").symlink_to(sys.executable)
    path = f"{tmp_path}:{SEARCH}"
    for command in (
        ["python9", "-c", TELL],
        ["./python9", "-c", TELL],
        ["env", "A=1", "python9", "-c", TELL],
        ["/usr/bin/env", "python9", "-c", TELL],
    ):
        resolved = resolve(command, tmp_path, path)
        assert resolved.kind == "python"
        assert by_descriptor(resolved, path) == by_the_kernel(resolved.program, command, tmp_path, path)
        resolved.close()


def test_an_environments_interpreter_finds_its_environment(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "venv")], check=True)
    for command in (
        [str(tmp_path / "venv" / "bin" / "python"), "-c", "import sys; print(sys.prefix)"],
        ["python", "-c", "import sys; print(sys.prefix)"],
    ):
        path = f"{tmp_path}/venv/bin:{SEARCH}"
        assert by_descriptor(resolve(command, tmp_path, path), path) == f"{tmp_path}/venv\n".encode()


def test_relative_folders_of_path_are_not_searched(tmp_path: Path) -> None:
    program(tmp_path / "server", "#!/bin/sh\n")
    for path in ("", ".", f":.:bin:{SEARCH}"):
        with pytest.raises(
            CommandError, match="cannot run server: it is in no folder of PATH; give its absolute path or install it"
        ):
            resolve(["server"], tmp_path, path)
    assert resolve(["server"], tmp_path, str(tmp_path)).program == str(tmp_path / "server")
    assert resolve(["./server"], tmp_path, "").program == f"{tmp_path}/./server"


def test_a_folder_and_a_file_that_is_not_for_running_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "a" / "server").mkdir(parents=True)
    program(tmp_path / "b" / "server", "#!/bin/sh\n").chmod(0o644)
    last = program(tmp_path / "c" / "server", "#!/bin/sh\n")
    assert resolve(["server"], tmp_path, f"{tmp_path}/a:{tmp_path}/b:{tmp_path}/c").program == str(last)
    with pytest.raises(CommandError, match="it is not there, or not for this user to run"):
        resolve([str(tmp_path / "b" / "server")], tmp_path)
    with pytest.raises(CommandError, match="cannot run a\\\\nb"):
        resolve(["a\nb"], tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("#!/nowhere/python\n", "its first line names /nowhere/python, which is not there; install it"),
        ("#!\n", "its first line names no interpreter"),
        ("#!   \t\n", "its first line names no interpreter"),
        ("#!/" + "x" * 300 + "\n", "its first line names no interpreter, or is too long"),
        ("#!/usr/bin/env not-there-at-all\n", "cannot run not-there-at-all: it is in no folder of PATH"),
        ("#!{self}\n", "more than 5 interpreters"),
    ],
)
def test_a_script_without_its_interpreter_is_refused_in_words(text: str, message: str, tmp_path: Path) -> None:
    script = program(tmp_path / "server", text.replace("{self}", str(tmp_path / "server")))
    with pytest.raises(CommandError) as raised:
        resolve([str(script)], tmp_path)
    assert message in str(raised.value)


@pytest.mark.parametrize("part", ["server", "interpreter", "main.py"])
def test_program_interpreter_and_script_are_all_judged(part: str, tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text("")
    interpreter = program(tmp_path / "interpreter", f"#!{sys.executable}\n")
    program(tmp_path / "server", f"#!{interpreter}\n")
    commands = {"main.py": [sys.executable, "-B", "main.py"]}
    command = commands.get(part, [str(tmp_path / "server")])
    resolve(command, tmp_path).close()
    (tmp_path / part).chmod(0o777)
    with pytest.raises(PermissionRefused) as raised:
        resolve(command, tmp_path)
    what = {"server": "the program", "interpreter": "its interpreter", "main.py": "its script"}[part]
    assert str(raised.value).startswith(f"{what} {tmp_path}/{part} is not safe to use")
    (tmp_path / part).chmod(0o755)
    resolve(command, tmp_path).close()


CASES: list[tuple[list[str], list[str], str, str]] = [
    (["python3", "s.py", "other.py"], ["s.py"], "", ""),
    (["python3", "-u", "-W", "ignore", "-X", "dev", "s.py"], ["s.py"], "", "u"),
    (["python3", "-Wignore", "-Xdev", "-IB", "s.py"], ["s.py"], "", "IB"),
    (["python3", "--check-hash-based-pycs", "always", "--", "s.py"], ["s.py"], "", ""),
    (["python3", "-m", "package.part", "s.py"], [], "package.part", ""),
    (["python3", "-Im", "package"], [], "package", "I"),
    (["python3", "-mpackage"], [], "package", ""),
    (["python3", "-c", "import x", "s.py"], [], "", ""),
    (["python3", "-uc", "import x", "s.py"], [], "", "u"),
    (["python3", "-", "s.py"], [], "", ""),
    (["python3", "folder"], ["folder"], "", ""),
    (["python3", "missing.py"], [], "", ""),
    (["python3"], [], "", ""),
    (["python3", "-m", "mcp", "run", "s.py:server"], ["s.py"], "mcp", ""),
    (["sh", "-eu", "s.sh", "s.py"], ["s.sh"], "", ""),
    (["sh", "-o", "errexit", "s.sh"], ["s.sh"], "", ""),
    (["sh", "-c", "s.sh"], [], "", ""),
    (["sh", "-lc", "s.sh"], [], "", ""),
    (["node", "--enable-source-maps", "s.js"], ["s.js"], "", ""),
    (["node", "s"], ["s.js"], "", ""),
    (["node", "--import", "./pre.mjs", "-r", "package", "s.js"], ["s.js", "pre.mjs"], "", ""),
    (["node", "--require=./pre.mjs", "--", "s.js"], ["s.js", "pre.mjs"], "", ""),
    (["node", "--not-known-here", "value", "s.js"], ["s.js"], "", ""),
    (["node", "-e", "1", "s.js"], [], "", ""),
    (["node", "folder"], ["folder"], "", ""),
    (["deno", "run", "-A", "s.ts"], ["s.ts"], "", ""),
    (["java", "-cp", "missing.jar", "-jar", "s.jar"], ["s.jar"], "", ""),
    (["tsx", "--tsconfig", "x.json", "s.ts"], ["tsx", "s.ts"], "", ""),
    (["fastmcp", "run", "s.py:mcp"], ["fastmcp", "s.py"], "", ""),
    (["binary", "s.py"], [], "", ""),
]


@pytest.mark.parametrize(
    ("command", "scripts", "module", "flags"), CASES, ids=lambda value: " ".join(value) if isinstance(value, list) else None
)
def test_the_code_that_a_command_names_is_found(
    command: list[str], scripts: list[str], module: str, flags: str, tmp_path: Path
) -> None:
    for name in ("python3", "sh", "node", "deno", "java", "binary"):
        program(tmp_path / "bin" / name, "not a script\n")
    program(tmp_path / "bin" / "tsx", "#!/usr/bin/env node\n")
    program(tmp_path / "bin" / "fastmcp", f"#!{tmp_path}/bin/python3\n")
    for name in ("s.py", "other.py", "s.sh", "s.js", "s.ts", "pre.mjs", "s.jar", "folder/index.js"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    resolved = resolve(command, tmp_path, f"{tmp_path}/bin")
    assert [os.path.basename(script.path) for script in resolved.scripts] == scripts
    assert (resolved.module, resolved.flags) == (module, flags)
    assert resolved.kind == (
        "python" if command[0] in ("python3", "fastmcp") else "node" if command[0] == "tsx" else command[0].replace("binary", "")
    )


def test_descriptors_are_not_inherited_and_can_be_closed(tmp_path: Path) -> None:
    before = set(os.listdir("/dev/fd"))
    resolved = resolve(["sh"], tmp_path)
    assert not os.get_inheritable(resolved.executable.fd)
    resolved.close()
    resolved.close()
    assert set(os.listdir("/dev/fd")) == before
