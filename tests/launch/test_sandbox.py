"""A launch without one of the things that it needs is refused, or goes on only as it was told to; a session ends with each of its processes."""

from __future__ import annotations

import os
import signal
import socket
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from stdioguard.sandbox import guarantees
from tests.launch.guarded import ALLOW_ALL, INITIALIZE, Guarded, gone

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux's sandbox")

NO_LANDLOCK = "from stdioguard.sandbox.linux import landlock; landlock.ability = lambda: 0\n"
NO_LIBSECCOMP = """
from stdioguard.sandbox.linux import filters
def programs(*_):
    raise filters.Unavailable("libseccomp.so.2 is not there")
filters.programs = programs
"""
NO_NAMESPACES = """
from stdioguard.sandbox.linux import kernel
def fork_into(flags):
    raise PermissionError(1, "Operation not permitted", "clone")
kernel.fork_into = fork_into
"""
NO_CANARY_GUARD = """
from stdioguard.sandbox.linux import probes
probes._HIDDEN = ()
"""


def without(text: str) -> list[str]:
    """Return the start of a guard's command that lacks something."""
    return [sys.executable, "-P", "-c", f"{text}\nimport sys\nfrom stdioguard.cli.run import main\nsys.exit(main(sys.argv[1:]))"]


def refusal(guarded: Guarded) -> str:
    """Shake hands with a guard that cannot start its server; return its line on stderr."""
    guarded.write(INITIALIZE)
    answer = guarded.read()
    assert answer is not None
    assert "error" in answer
    code, errors = guarded.finish()
    assert code == 77
    (line,) = errors.splitlines()
    return line


@pytest.mark.parametrize(
    ("missing", "name"),
    [(NO_LANDLOCK, "files"), (NO_LIBSECCOMP, "syscalls"), (NO_CANARY_GUARD, "files")],
    ids=["Landlock", "libseccomp", "a probe that finds nothing"],
)
def test_a_guarantee_that_cannot_be_had_refuses_the_launch_and_says_how_to_go_on(tmp_path: Path, missing: str, name: str) -> None:
    with Guarded(tmp_path, guard=without(missing)) as guarded:
        line = refusal(guarded)
    assert f'cannot give "{name}"' in line
    assert f"--allow-degraded {name}" in line


def test_a_guarantee_that_is_waived_is_left_out_and_recorded(tmp_path: Path) -> None:
    options = ("--allow-degraded", "syscalls", "--allow-degraded", "protected", "--allow-degraded", "privileges")
    options += ("--allow-degraded", "sockets", "--allow-degraded", "network", "--allow-degraded", "files")
    with Guarded(tmp_path, guard=without(NO_LIBSECCOMP), options=options) as guarded:
        guarded.open()
        assert "result" in guarded.call("echo", a=1)
        _, errors = guarded.finish()
        (entry,) = [entry for entry in guarded.records() if entry.get("event") == "sandbox" and "guarantees" in entry]
    assert entry["guarantees"]["syscalls"]["state"] == "waived"
    assert "syscalls waived" in errors


def test_an_unknown_guarantee_is_not_waived(tmp_path: Path) -> None:
    with Guarded(tmp_path, options=("--allow-degraded", "everything")) as guarded:
        code, errors = guarded.finish()
    assert code == 64
    assert "everything" in errors


def test_without_namespaces_the_other_layers_carry_the_guarantees(tmp_path: Path) -> None:
    with Guarded(tmp_path, guard=without(NO_NAMESPACES)) as guarded:
        guarded.open()
        assert "result" in guarded.call("echo", a=1)
        _, errors = guarded.finish()
        (entry,) = [entry for entry in guarded.records() if entry.get("event") == "sandbox" and "guarantees" in entry]
    weaker = {name for name, row in entry["guarantees"].items() if row["state"] == "absent"}
    assert weaker <= guarantees.OPTIONAL
    assert "processes" in weaker
    assert "processes absent" in errors
    assert entry["configuration"].startswith("without namespaces")


def children(pid: int) -> list[int]:
    """Return the processes that a process has started."""
    return [int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()]


@pytest.mark.parametrize("which", range(2), ids=["one", "the other"])
def test_the_session_ends_with_its_proxy_and_with_init(tmp_path: Path, which: int) -> None:
    profile = ALLOW_ALL + '[sandbox]\nnetwork = ["127.0.0.1:9"]\n'
    with Guarded(tmp_path, profile=profile) as guarded:
        pid = guarded.host_pid(guarded.open().call("child")["result"]["structuredContent"]["pid"])
        found = sorted(children(guarded.process.pid))
        assert len(found) == 2, "the proxy, and init"
        os.kill(found[which], signal.SIGKILL)
        assert guarded.process.wait(10) != 0
        assert gone(pid)
        assert all(gone(child) for child in found)


def test_a_server_that_was_replaced_after_it_was_checked_is_not_started(tmp_path: Path) -> None:
    program = tmp_path / "server"
    program.write_bytes(Path("/bin/true").read_bytes())
    program.chmod(0o755)
    with Guarded(tmp_path, str(program)) as guarded:
        guarded.write({"jsonrpc": "2.0", "id": 1, "method": "tools/list"})  # is refused, and shows that the checks are over
        assert guarded.read() is not None
        program.unlink()
        program.write_bytes(Path("/bin/echo").read_bytes())
        program.chmod(0o755)
        assert "was replaced" in refusal(guarded)


def test_without_any_layer_a_server_runs_if_all_of_the_sandbox_is_waived(tmp_path: Path) -> None:
    guard = without(NO_LANDLOCK + NO_LIBSECCOMP + NO_NAMESPACES)
    (tmp_path / "first").mkdir(0o700)
    (tmp_path / "second").mkdir(0o700)
    with Guarded(tmp_path / "first", guard=guard) as guarded:
        assert "cannot give" in refusal(guarded)
    with Guarded(tmp_path / "second", guard=guard, options=("--allow-degraded", "sandbox")) as guarded:
        guarded.open()
        assert "result" in guarded.call("echo", a=1)
        guarded.finish()
        entries = [entry for entry in guarded.records() if entry.get("event") == "sandbox" and "guarantees" in entry]
    assert entries[-1]["guarantees"]["files"]["state"] == "waived"


@pytest.mark.parametrize(("mode", "code", "why"), [(0o600, 0, ""), (0o666, 77, "chmod"), (None, 78, "No such file")])
def test_the_system_call_filter_of_a_profile_is_checked_as_the_profile_is(
    tmp_path: Path, mode: int | None, code: int, why: str
) -> None:
    rules = tmp_path / "filter.json"
    if mode is not None:
        rules.write_text('{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": []}')
        rules.chmod(mode)
    with Guarded(tmp_path, profile=ALLOW_ALL + '[sandbox]\nseccomp = "filter.json"\n') as guarded:
        guarded.write(INITIALIZE)
        guarded.read()
        found, errors = guarded.finish()
    assert found == code, errors
    assert why in errors
    assert len(errors.splitlines()) <= 1


@pytest.mark.parametrize("guard", [None, without(NO_NAMESPACES)], ids=["with namespaces", "without"])
def test_a_granted_socket_is_reached_and_one_beside_it_is_not(tmp_path: Path, guard: list[str] | None) -> None:
    listening = []
    with tempfile.TemporaryDirectory(prefix="s", dir="/var/tmp") as folder:  # short: a socket's path has 107 bytes
        paths = [f"{folder}/granted.sock", f"{folder}/other.sock"]
        for path in paths:
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(path)
            listener.listen()
            listening.append(listener)
        profile = ALLOW_ALL.replace("[sandbox]", f'[sandbox]\nsockets = ["{paths[0]}"]')
        profile = profile if "sockets" in profile else f'{profile}\n[sandbox]\nsockets = ["{paths[0]}"]\n'
        threading.Thread(target=lambda: listening[0].accept()[0].sendall(b"hello"), daemon=True).start()
        with Guarded(tmp_path, profile=profile, guard=guard) as guarded:
            guarded.open()
            reached = guarded.call("connect", path=paths[0])["result"]["structuredContent"]
            refused = guarded.call("connect", path=paths[1])["result"]["structuredContent"]
    for listener in listening:
        listener.close()
    assert reached == {"read": "hello"}
    assert refused["error"] in ("EACCES", "ENOENT", "EPERM")
