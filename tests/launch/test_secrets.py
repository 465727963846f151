"""References to secrets in what a client's entry gives a server: who gets the value, and where it is not."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from stdioguard.identity import secrets
from stdioguard.launch import references
from stdioguard.launch.run import Options
from tests.launch.guarded import ALLOW_ALL, PROBE, Guarded

VALUE = "ghp_" + "Zq7" * 12
SERVER = (sys.executable, PROBE)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STDIOGUARD_HOME", str(tmp_path))
    return tmp_path


def bind(home: Path, *command: str, name: str = "github", value: str = VALUE, **entry: Any) -> dict[str, Any]:
    """Keep a secret, bound to an entry as `wrap` would write it."""
    entry = {"server": "probe", "profile": str(home / "profile.toml"), "given": {}, "cwd": None, "own": os.environ} | entry
    bound = references.binding(entry.pop("server"), command or SERVER, **entry)
    secrets.put(name, value, bound=bound, replace=True)
    return bound


def start(home: Path, *command: str, given: dict[str, str] | None = None, **more: Any) -> Guarded:
    options = [word for name in more.pop("pass_on", given or {}) for word in ("--environment", name)]
    return Guarded(home, *(command or SERVER), options=(*options, *more.pop("options", ())), extra_env=given or {}, **more)


def refused(guarded: Guarded) -> tuple[int, str]:
    with guarded:
        code, errors = guarded.finish()
    assert len(errors.splitlines()) == 1, errors
    assert VALUE not in errors
    assert VALUE.encode() not in everything_below(guarded.home)
    return code, errors


def everything_below(folder: Path) -> bytes:
    """Return the contents of all files of a folder, the secret's own excepted."""
    data = b""
    for path in folder.rglob("*"):
        if stat.S_ISREG(path.lstat().st_mode) and path.parent != folder / "config" / "secrets":
            data += path.read_bytes()
    return data


# Who gets it


def test_a_variable_of_the_entry_gets_the_value_of_the_secret_that_is_bound_to_it(home: Path) -> None:
    given = {"GITHUB_TOKEN": "secret:github", "PLAIN": "as it is"}
    bind(home, given=given)
    with start(home, given=given) as guarded:
        seen = guarded.open().status()["environment"]
    assert seen["GITHUB_TOKEN"] == VALUE
    assert seen["PLAIN"] == "as it is"


def test_a_variable_of_the_entry_is_not_passed_unless_the_command_says_so(home: Path) -> None:
    with start(home, given={"PLAIN": "x", "OTHER": "y"}, pass_on=["OTHER"]) as guarded:
        seen = guarded.open().status()["environment"]
    assert seen.get("OTHER") == "y"
    assert "PLAIN" not in seen


@pytest.mark.parametrize(
    "name", ["LD_PRELOAD", "NODE_OPTIONS", "PYTHONPATH", "ld_library_path", "BASH_ENV", "A=b", "", "A B", "1A"]
)
def test_no_option_passes_a_variable_that_runs_other_code(home: Path, name: str) -> None:
    code, errors = refused(start(home, options=("--environment", name)))
    assert code == 64
    assert "--environment" in errors


@pytest.mark.skipif(sys.platform != "linux", reason="the server's command line is looked at through /proc")
def test_arguments_get_their_values_and_nothing_else_does(home: Path) -> None:
    command = (*SERVER, "--token=secret:github", "secret:github", "--api-key", "secret:github", "TOKEN=secret:github")
    bind(home, *command)
    with start(home, *command) as guarded:
        status = guarded.open().status()
        words = Path(f"/proc/{status['pid']}/cmdline").read_bytes().split(b"\0")[:-1]
        assert [word.decode() for word in words][-5:] == [f"--token={VALUE}", VALUE, "--api-key", VALUE, f"TOKEN={VALUE}"]
        guard = guarded.process.pid
        for what in ("environ", "cmdline"):
            try:
                assert VALUE.encode() not in Path(f"/proc/{guard}/{what}").read_bytes()
            except PermissionError:
                assert what == "environ", "an ordinary user may not look at it"
        assert VALUE not in json.dumps(guarded.records())
        assert b"secret:github" in Path(f"/proc/{guard}/cmdline").read_bytes(), "control: it is looked at"
        left = everything_below(home)
        assert VALUE.encode() not in left
        assert b"--token=secret:github" in left, "the record names the reference"
        code, errors = guarded.finish()
    assert code == 0
    assert VALUE not in errors
    assert VALUE.encode() not in everything_below(home)
    assert next(line["command"] for line in guarded.records() if line["event"] == "launch")[-5:] == list(command[-5:])


def test_what_env_sets_gets_its_value(home: Path) -> None:
    command = ("/usr/bin/env", "GITHUB_TOKEN=secret:github", *SERVER)
    bind(home, *command)
    with start(home, *command) as guarded:
        assert guarded.open().status()["environment"]["GITHUB_TOKEN"] == VALUE


def test_variables_of_the_entry_that_are_never_passed_keep_nobody_from_the_secret(home: Path) -> None:
    given = {
        "T": "secret:github",
        "NODE_OPTIONS": "--require ./x.js",
        "odd-name": "x",
        "PATH": os.environ["PATH"],
        "HOME": os.environ["HOME"],
    }
    bind(home, given=given)
    with start(home, given=given, pass_on=["T"]) as guarded:
        seen = guarded.open().status()["environment"]
    assert seen["T"] == VALUE
    assert "NODE_OPTIONS" not in seen


def test_several_secrets_of_one_entry(home: Path) -> None:
    given = {"A": "secret:a", "B": "secret:b"}
    for name in ("a", "b"):
        bind(home, name=name, value=f"value-{name}", given=given)
    with start(home, given=given) as guarded:
        seen = guarded.open().status()["environment"]
    assert (seen["A"], seen["B"]) == ("value-a", "value-b")


def test_words_that_a_client_fills_in_are_left_open(home: Path, tmp_path: Path) -> None:
    bind(home, *SERVER, "--root=${workspaceFolder}/x", given={"T": "secret:github"}, is_literal=lambda text: "${" not in text)
    given = {"T": "secret:github"}
    for folder in ("/one", "/two words"):
        with start(home, *SERVER, f"--root={folder}/x", given=given) as guarded:
            assert guarded.open().status()["environment"]["T"] == VALUE
    code, errors = refused(start(home, *SERVER, "--root=/one/y", given=given))
    assert code == 77
    assert "another command" in errors


# Who does not


def test_an_entry_that_starts_another_program_gets_nothing(home: Path) -> None:
    given = {"GITHUB_TOKEN": "secret:github"}
    bind(home, given=given)
    with start(home, given=given) as guarded:
        assert guarded.open().status()["environment"]["GITHUB_TOKEN"] == VALUE, "control"
    for command in (("/bin/sh", "-c", "echo $GITHUB_TOKEN"), (sys.executable, "-c", "pass"), (*SERVER, "more"), SERVER[:1]):
        code, errors = refused(start(home, *command, given=given))
        assert code == 77
        assert errors.startswith("stdioguard: secret:github is not for this entry: it is bound to another command")


def changed(home: Path, **change: Any) -> Guarded:
    """Start the entry that a secret is bound to with one thing about it changed."""
    given = {"GITHUB_TOKEN": "secret:github", "HOST": "github.example"} | change.pop("given", {})
    return start(home, given={name: value for name, value in given.items() if value is not None}, **change)


@pytest.fixture
def bound(home: Path) -> dict[str, Any]:
    bound = bind(home, given={"GITHUB_TOKEN": "secret:github", "HOST": "github.example"})
    with changed(home) as guarded:
        assert guarded.open().status()["environment"]["GITHUB_TOKEN"] == VALUE, "control"
    return bound


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"options": ("--server", "other")}, 'bound to the server "probe"'),
        ({"given": {"HOST": "evil.example"}}, "the variable HOST was another"),
        ({"given": {"HOST": None}}, "the variable HOST was set"),
        ({"given": {"HTTPS_PROXY": "http://evil.example"}}, "the variable HTTPS_PROXY was not set"),
        ({"options": ("--allow-degraded", "sandbox")}, "a stricter sandbox"),
        ({"given": {"OTHER": "secret:github"}}, "the variable OTHER was not set"),
        ({"profile": ALLOW_ALL + '[sandbox]\nsecrets = { STOLEN = "secret:github" }\n', "given": {"HOST": None}}, "HOST was set"),
    ],
)
def test_an_entry_that_differs_in_anything_gets_nothing(bound: dict[str, Any], home: Path, change: dict, why: str) -> None:
    code, errors = refused(changed(home, **change))
    assert code == 77
    assert why in errors
    assert "stdioguard wrap" in errors


def test_another_profile_gets_nothing_from_its_own_table_either(bound: dict[str, Any], home: Path) -> None:
    folder = home / "project"
    folder.mkdir()
    (folder / "evil.toml").write_text(ALLOW_ALL + '[sandbox]\nsecrets = { STOLEN = "secret:github" }\n')
    command = [sys.executable, "-P", "-m", "stdioguard", "run", "--profile", str(folder / "evil.toml"), "--", *SERVER]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    assert done.returncode == 77
    assert "bound to the profile" in done.stderr


def test_a_secret_that_is_bound_to_nothing_is_for_profiles_alone(home: Path) -> None:
    secrets.put("hand", VALUE, bound=None)
    code, errors = refused(start(home, given={"X": "secret:hand"}))
    assert code == 77
    assert "bound to no entry" in errors
    profile = ALLOW_ALL + '[sandbox]\nsecrets = { X = "secret:hand" }\n'
    with start(home, profile=profile) as guarded:
        assert guarded.open().status()["environment"]["X"] == VALUE
    code, errors = refused(start(home, *SERVER, "secret:hand", profile=profile))
    assert code == 77


def test_a_name_that_is_not_known_is_a_mistake_of_the_configuration_and_says_what_to_do(home: Path) -> None:
    code, errors = refused(start(home, given={"X": "secret:nobody"}))
    assert code == 78
    assert "secret:nobody is not there; write it to" in errors


@pytest.mark.parametrize("text", ["secret:", "secret:../x", "a secret:github", "x,secret:github", "SECRET:github"])
def test_a_text_that_is_no_reference_stays_as_it_is(home: Path, text: str) -> None:
    with start(home, given={"X": text}) as guarded:
        assert guarded.open().status()["environment"]["X"] == text


# The same words, but other code


def test_programs_are_found_where_they_were_found_when_the_secret_was_bound(home: Path, tmp_path: Path) -> None:
    good, evil = tmp_path / "good", tmp_path / "evil"
    for folder, code in ((good, Path(PROBE).read_text()), (evil, "import os; os.write(2, os.environ['T'].encode())")):
        folder.mkdir(mode=0o755)
        (folder / "server").write_text(f"#!{sys.executable}\n{code}\n")
        (folder / "server").chmod(0o755)
    given = {"T": "secret:github"}
    path = f"{good}:{os.environ['PATH']}"
    bind(home, "server", given=given, own={**os.environ, "PATH": path})
    with start(home, "server", given={**given, "PATH": f"{evil}:{path}"}, pass_on=["T"]) as guarded:
        seen = guarded.open().status()["environment"]
        assert seen["T"] == VALUE
        assert seen["PATH"] == path
    later = tmp_path / "later"
    good.rename(later)
    code, errors = refused(start(home, "server", given={**given, "PATH": f"{later}:{os.environ['PATH']}"}, pass_on=["T"]))
    assert code == 77
    assert f"{later}, which was not in PATH then" in errors


def test_a_program_that_is_not_there_can_be_bound_to_nothing(home: Path) -> None:
    with pytest.raises(references.BindingError, match="in no folder of PATH"):
        bind(home, "no-such-program")


@pytest.mark.parametrize("variable", ["HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME"])
def test_folders_of_stdioguards_that_an_entry_moves_are_not_these(
    home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str
) -> None:
    monkeypatch.delenv("STDIOGUARD_HOME")
    for name in ("HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
        (tmp_path / name).mkdir(exist_ok=True)
    bound = references.binding("probe", SERVER, profile="default", given={}, cwd=None, own=os.environ)
    again = references.binding("probe", SERVER, profile="default", given={}, cwd=None, own=os.environ)
    assert bound["places"] == again["places"], "control"
    monkeypatch.setenv(variable, str(tmp_path / "evil"))
    assert references._places() != bound["places"]


def test_a_package_managers_folder_is_the_one_of_then(home: Path) -> None:
    environment, own = {"T": "secret:github", "PATH": "/evil:/usr/bin", "SHELL": "/evil/sh"}, {
        "PATH": "/evil:/usr/bin", "npm_config_cache": "/evil", "UV_CACHE_DIR": "/evil", "SHELL": "/evil/sh", "LANG": "C",
    }  # fmt: skip
    then = {"PATH": "/opt/bin:/usr/bin", "UV_CACHE_DIR": "/good", "SHELL": "/bin/sh"}
    bind(home, given={"T": "secret:github"}, own=then)

    class Policy:
        def __init__(self) -> None:
            self.sandbox: dict[str, Any] = {"secrets": {}, "environment": []}
            self.source = "x"

    options = Options(list(SERVER))
    options.profile = str(home / "profile.toml")
    references.References(Policy(), "probe", options, environment, own)  # type: ignore[arg-type]
    assert own == {"PATH": "/usr/bin", "UV_CACHE_DIR": "/good", "SHELL": "/bin/sh", "LANG": "C"}
    assert (environment["PATH"], environment["SHELL"]) == ("/usr/bin", "/bin/sh")


def test_code_in_the_working_directory_is_refused_unless_the_entry_names_that_directory(home: Path, tmp_path: Path) -> None:
    project, other = tmp_path / "project", tmp_path / "other"
    for folder in (project, other):
        folder.mkdir(mode=0o755)
        (folder / "server.py").write_text(Path(PROBE).read_text())
    given = {"T": "secret:github"}
    command = (sys.executable, "server.py")
    bind(home, *command, given=given)
    code, errors = refused(start(home, *command, given=given, cwd=project))
    assert code == 77
    assert "working directory" in errors
    bind(home, *command, given=given, cwd=str(project))
    with start(home, *command, given=given, cwd=project) as guarded:
        assert guarded.open().status()["environment"]["T"] == VALUE
    code, errors = refused(start(home, *command, given=given, cwd=other))
    assert code == 77
    assert str(project) in errors


def package(folder: Path, code: str) -> None:
    """Put the npm package `pkg` below a folder, with a program in Python."""
    (folder / "node_modules" / "pkg").mkdir(parents=True)
    (folder / "node_modules" / ".bin").mkdir()
    (folder / "node_modules" / "pkg" / "package.json").write_text('{"name": "pkg", "version": "1.0.0", "bin": "x.js"}')
    (folder / "package.json").write_text('{"_npx": {"packages": ["pkg"]}}')
    program = folder / "node_modules" / ".bin" / "pkg"
    program.write_text(f"#!{sys.executable}\n{code}")
    program.chmod(0o755)


def test_a_package_is_the_users_own_copy_whatever_the_entry_and_the_project_bring_along(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    user, project, programs = tmp_path / "user", tmp_path / "project", tmp_path / "programs"
    for folder in (user, project, programs):
        folder.mkdir(mode=0o755)
    (programs / "npx").write_text("#!/bin/sh\nexit 1\n")
    (programs / "npx").chmod(0o755)
    monkeypatch.setenv("HOME", str(user))
    monkeypatch.delenv("npm_config_cache", raising=False)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    evil = "import os; os.write(2, os.environ.get('T', '').encode())"
    package(project, evil)
    package(project / "cache" / "_npx" / "1", evil)
    given = {"T": "secret:github"}
    command = ("npx", "-y", "pkg")
    bind(home, *command, given=given)
    moved = given | {"npm_config_cache": str(project / "cache")}
    code, errors = refused(start(home, *command, given=moved, pass_on=["T"], cwd=project))
    assert code == 77
    assert f"{project}/node_modules/.bin/pkg is in it" in errors
    package(user / ".npm" / "_npx" / "1", Path(PROBE).read_text())
    for variables in (given, moved):
        with start(home, *command, given=variables, pass_on=["T"], cwd=project) as guarded:
            assert guarded.open().status()["environment"]["T"] == VALUE


def test_code_that_is_named_by_its_path_runs_in_any_working_directory_and_in_its_own(home: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir(mode=0o755)
    (project / "server.py").write_text(Path(PROBE).read_text())
    given = {"T": "secret:github"}
    command = (sys.executable, str(project / "server.py"))
    bind(home, *command, given=given)
    for cwd in (project, tmp_path):
        with start(home, *command, given=given, cwd=cwd) as guarded:
            assert guarded.open().status()["environment"]["T"] == VALUE


def test_a_module_that_the_working_directory_may_hold_is_refused(home: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir(mode=0o755)
    given = {"T": "secret:github"}
    command = (sys.executable, "-m", "json.tool")
    bind(home, *command, given=given)
    (project / "json.py").write_text("import os; os.write(2, os.environ['T'].encode())")
    code, errors = refused(start(home, *command, given=given, cwd=project))
    assert code == 77
    assert "the module json" in errors


def test_a_shells_commands_are_refused_in_whatever_working_directory_there_is(home: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir(mode=0o755)
    given = {"T": "secret:github"}
    command = ("/bin/sh", "-c", f'exec "{sys.executable}" "{PROBE}"')
    bind(home, *command, given=given)
    code, errors = refused(start(home, *command, given=given, cwd=project))
    assert code == 77
    assert "a shell's commands" in errors


@pytest.mark.parametrize("name", ["make", "bun", "uv", "npm"])
def test_a_program_that_takes_code_from_a_project_is_refused_in_whatever_working_directory_there_is(
    home: Path, tmp_path: Path, name: str
) -> None:
    project, programs = tmp_path / "project", tmp_path / "programs"
    for folder in (project, programs):
        folder.mkdir(mode=0o755)
    (programs / name).write_text(f"#!{sys.executable}\n{Path(PROBE).read_text()}")
    (programs / name).chmod(0o755)
    given = {"T": "secret:github"}
    command = (str(programs / name), "serve")
    bind(home, *command, given=given)
    code, errors = refused(start(home, *command, given=given, cwd=project))
    assert code == 77
    assert f"{name} takes code from it" in errors
    bind(home, *command, given=given, cwd=str(project))
    with start(home, *command, given=given, cwd=project) as guarded:
        assert guarded.open().status()["environment"]["T"] == VALUE


def test_variables_of_a_login_may_change_and_others_that_the_profile_passes_may_not(home: Path) -> None:
    profile = ALLOW_ALL + '[sandbox]\nenvironment = ["LANG", "SSH_AUTH_SOCK", "PROXY_FOR_ALL"]\n'
    then = {**os.environ, "LANG": "C", "PROXY_FOR_ALL": "good", "SSH_AUTH_SOCK": "/tmp/one"}
    bind(home, given={"T": "secret:github"}, own=then, passed=["LANG", "SSH_AUTH_SOCK", "PROXY_FOR_ALL"])
    now = {"T": "secret:github", "LANG": "C.UTF-8", "SSH_AUTH_SOCK": "/tmp/two"}
    for more in ({}, {"PROXY_FOR_ALL": "good"}):
        with start(home, given=now | more, pass_on=["T"], profile=profile) as guarded:
            assert guarded.open().status()["environment"]["LANG"] == "C.UTF-8"
    code, errors = refused(start(home, given=now | {"PROXY_FOR_ALL": "evil"}, pass_on=["T"], profile=profile))
    assert code == 77
    assert "PROXY_FOR_ALL was another" in errors


OPEN: dict[str, Any] = {"is_literal": lambda text: "${" not in text}


def test_no_client_fills_in_which_code_is_run(home: Path, tmp_path: Path) -> None:
    project, evil = tmp_path / "project", tmp_path / "evil"
    for folder in (project, evil):
        folder.mkdir(mode=0o755)
        (folder / "server.py").write_text(Path(PROBE).read_text())
    given = {"T": "secret:github"}
    for words in (
        [sys.executable, "${workspaceFolder}/server.py"],
        ["/bin/sh", "-c", "cd ${workspaceFolder} && x"],
        ["${x}/python", "a"],
    ):
        with pytest.raises(references.BindingError, match="which code is run"):
            bind(home, *words, given=given, **OPEN)
    bind(home, sys.executable, "${workspaceFolder}/server.py", "--root=${workspaceFolder}", given=given, cwd=str(project), **OPEN)
    with start(home, sys.executable, f"{project}/server.py", "--root=/x", given=given, cwd=project) as guarded:
        assert guarded.open().status()["environment"]["T"] == VALUE
    code, errors = refused(start(home, sys.executable, f"{evil}/server.py", "--root=/x", given=given, cwd=project))
    assert code == 77
    assert "code that the client fills in" in errors
    bind(home, "/bin/sh", "-c", "cd ${workspaceFolder} && x", given=given, cwd=str(project), **OPEN)
    code, errors = refused(start(home, "/bin/sh", "-c", "cd /; echo $T >&2 && x", given=given, cwd=project))
    assert code == 77
    assert "code that the client fills in" in errors


def test_the_home_folder_is_no_open_word(home: Path) -> None:
    folder = os.path.expanduser("~")
    for text in ("${HOME}/x.py", "$HOME/x.py", "${env:HOME}/x.py", "${userHome}/x.py"):
        bound = bind(home, sys.executable, text, is_literal=lambda text: "$" not in text)
        assert bound["command"][1] == [f"{folder}/x.py"]


# A binding's text


@pytest.mark.parametrize(
    ("parts", "text", "fits"),
    [
        (["a"], "a", True), (["a"], "ab", False), (["", ""], "", True), (["", ""], "/x y", True), (["", ""], "-x", False),
        (["--a=", ""], "--a=-x", True), (["a", "b"], "ab", True), (["a", "b"], "axb", True), (["a", "a"], "a", False),
        (["a", "b", "c"], "abc", True), (["a", "b", "c"], "acbc", True), (["a", "b", "c"], "ac", False), (["ab", "bc"], "abc", False),
        (["a", "bb", "b"], "abb", False), (["a", "bb", "b"], "abbb", True),
    ],
)  # fmt: skip
def test_a_text_fits_the_parts_that_are_always_the_same(parts: list[str], text: str, fits: bool) -> None:
    assert references._fits(parts, text) == fits


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("${workspaceFolder}/x", ["", "/x"]), ("--a=${env:A}-${input:b}", ["--a=", "-", ""]), ("{env:KEY}", ["", ""]), ("$HOMER/x", ["", "/x"]),
        ("%APPDATA%\\x", ["", "\\x"]), ("a${{ secrets.X }}b", ["a", "b"]), ("something odd", ["", ""]),
    ],
)  # fmt: skip
def test_what_a_client_fills_in_is_cut_out_of_a_text(text: str, parts: list[str]) -> None:
    assert references._parts(text, lambda _: False) == parts
    assert references._parts(text, lambda _: True) == [text]


@pytest.mark.parametrize(
    "damage", [{}, {"server": "probe"}, {"server": "probe", "profile": 5}, {"command": None}, {"environment": [1]}]
)
def test_a_binding_that_is_not_understood_gives_nothing(home: Path, damage: dict[str, Any]) -> None:
    bound = bind(home, given={"T": "secret:github"})
    secrets.put(
        "github", VALUE, bound={**bound, **damage} if damage.keys() & {"command", "environment"} else damage, replace=True
    )
    code, errors = refused(start(home, given={"T": "secret:github"}))
    assert code == 77
    assert "is not for this entry" in errors
