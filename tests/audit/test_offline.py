"""An audit starts no program and opens no socket: Python's own audit events say so, and the kernel does."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys

import pytest

from tests.audit.audited import CONFIGS, HOSTILE, ROOT, SECRET, UNPINNED, config

HOOKED = """
import json, os, sys
seen = []
FORBIDDEN = ("socket.", "subprocess.", "os.exec", "os.fork", "os.posix_spawn", "os.spawn", "os.system", "os.startfile", "pty.", "ctypes.",
             "urllib.", "http.", "smtplib.", "ftplib.")
CHANGES = ("os.chmod", "os.chown", "os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate", "os.utime", "os.kill",
           "shutil.", "os.setxattr", "os.removexattr", "tempfile.")
def hook(name, given):
    if name.startswith(FORBIDDEN + CHANGES) or (name == "open" and isinstance(given[2], int) and given[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)):
        seen.append(f"{name} {given!r:.200}")
from stdioguard.cli import audit  # what loading does is no part of it
from stdioguard.cli.app import app
sys.addaudithook(hook)
paths, mode = sys.argv[2:], sys.argv[1]
if mode == "control":
    import socket, subprocess
    socket.socket().close()
    subprocess.run(["true"])
    open(paths[0] + "/control", "w").close()
else:
    from stdioguard.cli.audit import audit
    audit([*paths, "--format", mode, "--level", "info", "--confidence", "info", "--fail-on", "never"], standalone_mode=False)
print(json.dumps(seen), file=sys.stderr)
"""


@pytest.fixture(name="configs")
def _configs(tmp_path):
    """Real configurations where they are here, and some that would like to be run."""
    folder = tmp_path / "configs"
    words = ["$(touch ran)", "`touch ran`", ";touch ran;"]
    config(
        folder,
        {
            "a": UNPINNED | {"env": {"TOKEN": SECRET}},
            "b": {"command": "sh", "args": ["-c", *words]},
            HOSTILE: {"url": "http://127.0.0.1:9/mcp"},
        },
    )
    for number, name in enumerate(
        (".cursor/mcp.json", ".vscode/mcp.json", ".gemini/settings.json", "claude_desktop_config.json")
    ):
        config(
            folder / str(number),
            {
                "files": {"command": "uvx", "args": ["mcp-server-git"], "cwd": str(folder)},
                "r": {"url": "https://mcp.example.com"},
            },
            name,
        )
    return [str(folder), *([str(CONFIGS)] if CONFIGS.is_dir() else [])]


def hooked(mode, paths, home):
    environment = os.environ | {"PYTHONPATH": str(ROOT), "HOME": str(home)}
    result = subprocess.run(
        [sys.executable, "-B", "-c", HOOKED, mode, *paths], capture_output=True, text=True, timeout=300, env=environment, cwd=home
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stderr.splitlines()[-1]), result.stdout


def test_the_hook_sees_a_socket_a_program_and_a_file_that_is_written(tmp_path):
    seen = " ".join(hooked("control", [str(tmp_path)], tmp_path)[0])
    assert "socket." in seen
    assert "subprocess.Popen" in seen
    assert "control" in seen


@pytest.mark.parametrize("format_", ["text", "json", "sarif", "markdown", "html"])
def test_no_program_is_started_no_socket_opened_and_no_file_written(configs, home, format_):
    seen, out = hooked(format_, configs, home)
    assert seen == []
    assert "unpinned-package" in out
    assert list(home.iterdir()) == []


def test_the_clients_of_this_user_are_looked_at_in_the_same_way(home):
    config(home, {"a": UNPINNED}, ".cursor/mcp.json")
    before = sorted(home.rglob("*"))
    seen, out = hooked("json", [], home)
    assert seen == []
    assert "server-everything" in out
    assert sorted(home.rglob("*")) == before


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_the_kernel_saw_neither(configs, tmp_path, home):
    log = tmp_path / "strace.log"
    words = ["strace", "-f", "-qq", "-o", str(log), "-e", "trace=%process,%network", sys.executable, "-m", "stdioguard", "audit"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "HOME": str(home)}
    result = subprocess.run(
        [*words, *configs, "--fail-on", "never"], capture_output=True, text=True, timeout=300, env=environment
    )
    if "ptrace" in result.stderr and result.returncode:
        pytest.skip("strace may not trace here")
    calls = [match[1] for match in re.finditer(r"^\d+ +(\w+)\(", log.read_text(), re.MULTILINE)]
    assert "unpinned-package" in result.stdout
    assert calls.count("execve") == 1  # the interpreter itself
    assert set(calls) <= {"execve", "exit_group", "exit", "rt_sigreturn", "arch_prctl", "wait4"}, set(calls)
