"""What a server's process is given and what it is not, each with the control that it would have it without the guard."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest

from stdioguard.sandbox import guarantees
from tests.launch.guarded import ALLOW_ALL, GUARD, INITIALIZE, PROBE, READY, Guarded, shared

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc, which only Linux has")

CALL = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "status", "arguments": {}}}

IGNORING = """
import os, signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.signal(signal.SIGUSR1, signal.SIG_IGN)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""
"""Starts the guard with signals ignored, as nohup and some shells do."""

HOSTILE = {
    "LD_AUDIT": "/nonexistent.so",
    "NODE_OPTIONS": "--require /tmp/x.js",
    "NODE_PATH": "/tmp",
    "PYTHONSTARTUP": "/tmp/x.py",
    "PYTHONINSPECT": "1",
    "BASH_ENV": "/tmp/x.sh",
    "ENV": "/tmp/x.sh",
    "PERL5OPT": "-Mx",
    "RUBYOPT": "-rx",
    "GIT_SSH_COMMAND": "touch /tmp/x",
    "GIT_EXTERNAL_DIFF": "x",
    "JAVA_TOOL_OPTIONS": "-agentlib:x",
    "npm_config_script_shell": "/tmp/x",
    "SSLKEYLOGFILE": "/tmp/keys",
    "OPENSSL_CONF": "/dev/null",
    "GLIBC_TUNABLES": "glibc.malloc.check=1",
    "AWS_SECRET_ACCESS_KEY": "very-secret",
    "GITHUB_TOKEN": "ghp_very-secret",
    "SSH_AUTH_SOCK": "/tmp/agent",
    "STDIOGUARD_TOKEN": "token-of-the-client",
    "HARMLESS": "but not granted",
}


def bare(extra: dict[str, str], **popen: Any) -> dict[str, Any]:
    """Return what the server sees without the guard."""
    lines = "".join(json.dumps(message) + "\n" for message in (INITIALIZE, READY, CALL))
    done = subprocess.run(
        [sys.executable, PROBE], input=lines, capture_output=True, text=True, env={**os.environ, **extra}, **popen
    )
    seen: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])["result"]["structuredContent"]
    return seen


def test_the_environment_is_what_the_profile_passes_and_nothing_else(tmp_path: Path) -> None:
    assert HOSTILE.items() <= bare(HOSTILE)["environment"].items(), "control: a bare server has them all"
    profile = ALLOW_ALL + '[sandbox]\nenvironment = ["LANG", "GRANTED"]\n'
    extra = {**HOSTILE, "LANG": "C.UTF-8", "GRANTED": "yes", "PATH": f".:relative::{os.environ['PATH']}"}
    with Guarded(tmp_path, profile=profile, extra_env=extra) as guarded:
        seen = guarded.open().status()["environment"]
    assert seen["LANG"] == "C.UTF-8"
    assert seen["GRANTED"] == "yes"
    assert not seen.keys() & HOSTILE.keys()
    assert seen.keys() <= {
        "HOME",
        "LOGNAME",
        "PATH",
        "SHELL",
        "TERM",
        "USER",
        "LANG",
        "GRANTED",
        "LC_CTYPE",
        "PWD",
        "TMPDIR",
        "TMP",
        "TEMP",
        "XDG_CACHE_HOME",
    }
    assert all(entry.startswith("/") for entry in seen["PATH"].split(":"))


@pytest.mark.parametrize("given", [None, "own"])
def test_a_variable_of_the_profile_is_set_where_the_client_gives_none(tmp_path: Path, given: str | None) -> None:
    profile = ALLOW_ALL + '[sandbox]\nenvironment = ["GRAPH"]\nvariables = { GRAPH = "${STATE}/graph" }\n'
    with Guarded(tmp_path, profile=profile, extra_env={"GRAPH": given} if given else {}) as guarded:
        seen = guarded.open().status()["environment"]
    assert seen["GRAPH"] == (given or str(shared(tmp_path) / "graph"))


def test_a_secret_of_the_profile_comes_from_its_file(tmp_path: Path) -> None:
    folder = tmp_path / "config" / "secrets"
    folder.mkdir(parents=True, mode=0o700)
    (folder / "github").write_text("s3cret\n")
    profile = ALLOW_ALL + '[sandbox]\nsecrets = { GITHUB_TOKEN = "secret:github" }\n'
    (folder / "github").chmod(0o644)
    with Guarded(tmp_path, profile=profile) as guarded:
        code, errors = guarded.finish()
    assert code == 78
    assert "chmod 600" in errors
    (folder / "github").chmod(0o600)
    with Guarded(tmp_path, profile=profile) as guarded:
        assert guarded.open().status()["environment"]["GITHUB_TOKEN"] == "s3cret"
        assert "s3cret" not in json.dumps(guarded.records())


def test_descriptors_privileges_cores_signals_and_group(tmp_path: Path) -> None:
    leaked = os.open("/etc/hostname", os.O_RDONLY)
    os.set_inheritable(leaked, True)
    plain = bare({}, pass_fds=(leaked,))
    assert leaked in plain["descriptors"], "control: a bare server inherits the descriptor"
    assert plain["no_new_privs"] == "0"
    ignoring = [sys.executable, "-P", "-c", IGNORING, *GUARD[1:]]
    with Guarded(tmp_path, guard=ignoring, pass_fds=(leaked,), umask=0o027) as guarded:
        seen = guarded.open().status()
    assert [number for number in seen["descriptors"] if number > 3] == []  # 3 is the listing of /proc/self/fd itself
    assert seen["no_new_privs"] == "1"
    assert seen["core"] == [0, 0]
    assert seen["session_leader"]
    assert seen["group_leader"]
    assert seen["umask"] == 0o027, "the server keeps the client's umask"
    assert seen["cwd"] == os.getcwd()
    # Python itself ignores SIGPIPE (13) and SIGXFSZ (25) in the server, and nobody can change 32 and 33, which are the C library's.
    assert int(seen["ignored_signals"], 16) & ~(1 << 12 | 1 << 24 | 1 << 31 | 1 << 32) == 0
    assert int(seen["blocked_signals"], 16) == 0
    os.close(leaked)


def test_limits_of_the_profile_bind_the_server(tmp_path: Path) -> None:
    profile = ALLOW_ALL + '[sandbox]\nmemory = "256M"\nprocesses = 20\n'
    with Guarded(tmp_path, profile=profile) as guarded:
        seen = guarded.open().status()
        assert seen["data"] == [256 << 20, 256 << 20]
        assert seen["nproc"][0] >= 20
        assert seen["nproc"][0] != resource.getrlimit(resource.RLIMIT_NPROC)[0]
        assert guarded.call("allocate", bytes=64 << 20)["result"]["structuredContent"] == {"bytes": 64 << 20}
        assert "MemoryError" in guarded.call("allocate", bytes=512 << 20)["result"]["content"][0]["text"]


def test_the_server_starts_with_the_first_accepted_message(tmp_path: Path) -> None:
    started = shared(tmp_path) / "started"
    with Guarded(tmp_path, sys.executable, PROBE, "--start-file", str(started)) as guarded:
        guarded.write(
            b"junk\n", {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}, {"jsonrpc": "2.0", "id": 2, "method": "vendor/x"}
        )
        for _ in range(3):
            answer = guarded.read()
            assert answer is not None
            assert "error" in answer
        assert not started.exists()
        guarded.open()
        assert started.exists()


def test_a_session_without_an_accepted_message_ends_well_and_starts_nothing(tmp_path: Path) -> None:
    started = shared(tmp_path) / "started"
    with Guarded(tmp_path, sys.executable, PROBE, "--start-file", str(started)) as guarded:
        code, _ = guarded.finish()
    assert code == 0
    assert not started.exists()


def test_the_record_says_what_of_the_sandbox_was_proved_and_stderr_what_is_missing(tmp_path: Path) -> None:
    with Guarded(tmp_path) as guarded:
        guarded.open()
        _, errors = guarded.finish()
        (entry,) = [entry for entry in guarded.records() if entry.get("event") == "sandbox" and "guarantees" in entry]
    assert entry["guarantees"].keys() == guarantees.NAMES.keys()
    for name, row in entry["guarantees"].items():
        assert row["state"] == "enforced" or name in guarantees.OPTIONAL
        assert (f"{name} absent" in errors) == (row["state"] == "absent")


def test_stdout_is_protocol_and_nothing_else(tmp_path: Path) -> None:
    with Guarded(tmp_path) as guarded:
        guarded.open()
        assert "result" in guarded.call("noise", lines=50)
        assert "result" in guarded.call("echo", a=1)
        guarded.finish()
        assert sum(entry.get("rule") == "wire.invalid-json" for entry in guarded.records()) == 50


def test_stderr_of_the_server_is_prefixed_escaped_and_cut(tmp_path: Path) -> None:
    with Guarded(tmp_path) as guarded:
        guarded.open()
        guarded.call("stderr", text="plain\n\x1b]52;c;x\x07\u202e\nstdioguard: fake\n")
        guarded.call("stderr", text="y" * 100_000 + "\n")
        _, errors = guarded.finish()
    lines = errors.splitlines()
    assert "[probe] plain" in lines
    assert r"[probe] \u001b]52;c;x\u0007\u202e" in lines
    assert "[probe] stdioguard: fake" in lines
    assert max(map(len, lines)) < 2100


@pytest.mark.parametrize("flags", [["-P"], []], ids=["safe path", "plain"])
def test_modules_in_the_working_directory_do_not_shadow_the_guards(tmp_path: Path, flags: list[str]) -> None:
    for name in ("json", "select", "re", "enum", "msgspec", "tomllib", "ctypes"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('shadowed')\n")
    control = subprocess.run([sys.executable, "-c", "import json"], cwd=tmp_path, capture_output=True, text=True)
    assert "shadowed" in control.stderr, "control: the folder shadows modules"
    guard = [sys.executable, *flags, "-m", "stdioguard", "run"]
    with Guarded(tmp_path, sys.executable, "-P", PROBE, guard=guard, cwd=tmp_path) as guarded:
        assert guarded.open().status()["cwd"] == str(tmp_path)


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_a_standard_descriptor_that_is_missing_is_not_taken_by_a_file_of_the_guards(tmp_path: Path, missing: int) -> None:
    with Guarded(tmp_path, preexec_fn=lambda: os.close(missing)) as guarded:
        with contextlib.suppress(BrokenPipeError):  # without a standard input the guard ends at once
            guarded.write(INITIALIZE)
        guarded.stdin.close()
        guarded.process.wait(15)
        for path in (tmp_path / "state" / "records").iterdir():
            assert all("event" in entry or "verdict" in entry for entry in map(json.loads, path.read_text().splitlines()))


def test_a_working_directory_that_is_gone_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    script = 'import os, sys; os.rmdir(os.getcwd()); os.execv(sys.executable, [sys.executable, "-P", *sys.argv[1:]])'
    guard = [sys.executable, "-P", "-c", script, *GUARD[1:]]
    with Guarded(tmp_path, guard=guard, cwd=tmp_path / "gone") as guarded:
        code, errors = guarded.finish()
    assert code == 78
    assert len(errors.strip().splitlines()) == 1


def test_a_program_in_the_working_directory_does_not_shadow_one_in_path(tmp_path: Path) -> None:
    fake = tmp_path / "python3"
    fake.write_text("#!/bin/sh\necho shadowed >&2\n")
    fake.chmod(0o755)
    extra = {"PATH": f".:{os.path.dirname(sys.executable)}:{os.environ['PATH']}"}
    with Guarded(tmp_path, "python3", PROBE, cwd=tmp_path, extra_env=extra) as guarded:
        guarded.open()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_an_ordinary_user_is_guarded_as_well(tmp_path: Path) -> None:
    for folder in [tmp_path, *tmp_path.parents][:-2]:
        folder.chmod(folder.stat().st_mode | 0o011)
    home = tmp_path / "home"
    home.mkdir()
    os.chown(home, 65534, 65534)
    python = f"python{sys.version_info.major}.{sys.version_info.minor}"
    become = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
    packages = {"PYTHONPATH": f"{Path(__file__).parents[2]}:{sysconfig.get_path('purelib')}"}
    # The interpreter of the tests may be below a home folder that others cannot enter; one of the system is not.
    for candidate in (sys.executable, f"/usr/bin/{python}", f"/usr/local/bin/{python}"):
        tried = [*become, candidate, "-c", "import os, sys, stdioguard, msgspec; os.stat(sys.executable)"]
        if subprocess.run(tried, capture_output=True, env={**os.environ, **packages}).returncode == 0:
            break
    else:
        pytest.skip(f"no {python} that user 65534 can run, or this checkout is out of that user's reach")
    guard = [*become, candidate, *GUARD[1:]]
    with Guarded(home, candidate, PROBE, guard=guard, extra_env=packages) as guarded:
        seen = guarded.open().status()
        assert seen["no_new_privs"] == "1"
        assert "result" in guarded.call("echo", a=1)
        guarded.finish()
        assert len(guarded.records()) > 3
