"""A wrapped entry runs: each family of clients reads its file as it always does, starts what stands there, and finds the server behind it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.installs.families import FAMILIES, Family
from tests.installs.scene import KEY, REPOSITORY, Scene
from tests.real.servers import NODE, Runtime, missing_node_servers
from tests.real.test_ordinary_user import interpreter

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
TELLS = str(REPOSITORY / "tests" / "servers" / "tells.py")
NOBODY = 65534
PROFILE = (
    'schema = 1\nname = "tell"\ndescription = "Tells."\n[tools]\ndefault = "deny"\n[tools.rules]\ntell = { action = "allow" }\n'
)
ASK_TIME = {"tool": "get_current_time", "arguments": {"timezone": "Europe/Paris"}}
ASK = {"tool": "tell", "arguments": {}}


def start(server: dict[str, Any], env: dict[str, str], home: Path, python: str = sys.executable, **more: Any) -> dict[str, Any]:
    """Start a server with the official SDK's client, in the environment of one that started this client."""
    wanted = {"argv": server["argv"], "env": {**env, **server["env"]}, "cwd": server.get("cwd") or str(home)}
    done = subprocess.run(
        [python, str(HERE / "as_client.py")], input=json.dumps(wanted | more.pop("ask")), env=env, cwd="/", capture_output=True,
        text=True, check=False, timeout=90, **more,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    assert not answer["is_error"], answer
    return answer


@cache
def bare_tools(python: str) -> list[str]:
    """The control: what the server itself lists."""
    env = {"PATH": "/usr/bin:/bin", "HOME": "/"}
    tools: list[str] = start({"argv": [python, "-m", "mcp_server_time"], "env": {}}, env, Path("/"), ask=ASK_TIME)["tools"]
    return tools


def filled(family: Family, server: dict[str, Any], home: Path) -> dict[str, Any]:
    """Fill in the client's variables."""

    def fill(text: str) -> str:
        for variable, value in family.fills.items():
            text = text.replace(variable, {"HOME": str(home), "PROJECT": str(home / "project")}.get(value, value))
        return text

    return server | {
        "argv": [fill(word) for word in server["argv"]],
        "env": {name: fill(value) for name, value in server["env"].items()},
    }


def of_client(family: Family, home: Path, user: str) -> dict[str, str]:
    """Return the environment that the client gives to its servers."""
    mine = {
        "HOME": str(home), "USER": user, "LOGNAME": user, "PATH": "/usr/local/bin:/usr/bin:/bin", "SHELL": "/bin/sh", "LANG": "C.UTF-8",
        "TERM": "xterm", "TZ": "UTC",
    }  # fmt: skip
    return {"PATH": "/usr/bin:/bin"} | {name: mine[name] for name in family.passes}


def run_family(family: Family, scene: Scene, run: Any, python: str, **user: Any) -> None:
    servers = {
        "time": {"argv": [python, "-m", "mcp_server_time"], "env": {}},
        "tell": {
            "argv": [python, TELLS, "--token", f"x{KEY}", "--mode=fast"],
            "env": {"API_KEY": KEY, "PLAIN": "1", **({"WHERE": next(iter(family.fills))} if family.fills else {})},
        },
    }
    (scene.home / "project").mkdir(exist_ok=True)
    text = family.write(servers).replace("PROJECT", str(scene.home / "project"))
    path = scene.put(family.place, text)
    profile = scene.put("tell.toml", PROFILE)
    if user:
        for one in (scene.home, *scene.home.rglob("*")):
            os.chown(one, NOBODY, NOBODY)
    assert [one["argv"] for one in family.read(text).values()] == [one["argv"] for one in servers.values()]
    chosen = family.client or path
    for words in (["--server", "time"], ["--server", "tell", "--profile", profile]):
        done = run("wrap", chosen, *words)
        assert done.code == 0, done.err
    wrapped = path.read_text()
    assert KEY not in wrapped
    env = of_client(family, scene.home, "nobody" if user else "root")
    now = {name: filled(family, server, scene.home) for name, server in family.read(wrapped).items()}
    assert now["time"]["argv"][0] == now["tell"]["argv"][0] == str(scene.own("bin", "stdioguard"))
    answer = start(now["time"], env, scene.home, python, ask=ASK_TIME, **user)
    assert answer["tools"] == bare_tools(sys.executable)
    assert "Europe/Paris" in answer["text"]
    told = json.loads(start(now["tell"], env, scene.home, python, ask=ASK, **user)["text"])
    assert told["argv"] == ["--token", f"x{KEY}", "--mode=fast"]
    assert (told["environment"]["API_KEY"], told["environment"]["PLAIN"]) == (KEY, "1")
    if family.fills:
        assert told["environment"]["WHERE"] == filled(family, servers["tell"], scene.home)["env"]["WHERE"]
    assert run("unwrap", chosen).code == 0
    assert path.read_text() == text


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_a_wrapped_entry_runs(scene: Scene, family: Family) -> None:
    run_family(family, scene, scene, sys.executable)


# As root, modes and limits prove nothing: the same for an ordinary user.


@pytest.fixture(scope="module")
def python() -> Iterator[str]:
    """A Python that an ordinary user can run, with all that ours has."""
    if os.geteuid() != 0:
        pytest.skip("not run as root: every other test here already runs as an ordinary user")
    if shutil.which("setpriv") is None:
        pytest.skip("setpriv is not installed")
    with tempfile.TemporaryDirectory(prefix="stdioguard-copies-") as made:
        Path(made).chmod(0o755)
        yield interpreter(Runtime(owner=NOBODY), Path(made))


@pytest.mark.parametrize("name", ["Claude Desktop", "VS Code", "Codex", "Continue", "opencode"])
def test_a_wrapped_entry_runs_for_an_ordinary_user(scene: Scene, python: str, name: str) -> None:
    [family] = [family for family in FAMILIES if family.name == name]
    user: dict[str, Any] = {"user": NOBODY, "group": NOBODY, "extra_groups": []}

    def run(*words: object) -> Any:
        command = [python, "-m", "stdioguard", *map(str, words)]
        done = subprocess.run(
            command, env=scene.environment, cwd="/", capture_output=True, text=True, check=False, timeout=60, **user
        )
        return type("Done", (), {"code": done.returncode, "out": done.stdout, "err": done.stderr})()

    run_family(family, scene, run, python, **user)


# A server that a package manager would start


def test_a_wrapped_npm_server_runs(scene: Scene) -> None:
    missing = missing_node_servers()
    if missing:
        pytest.skip(missing)
    node = shutil.which("node") or ""
    script = str(next(NODE.glob("node_modules/@modelcontextprotocol/server-memory/dist/index.js")))
    path = scene.put(".cursor/mcp.json", {"mcpServers": {"memory": {"command": node, "args": [script]}}})
    row = scene("wrap", "cursor", "--format", "json").row
    assert (row["outcome"], row["profile"]) == ("wrapped", "memory")
    entry = json.loads(path.read_text())["mcpServers"]["memory"]
    env = {"PATH": "/usr/bin:/bin", "HOME": str(scene.home)}
    server = {"argv": [entry["command"], *entry["args"]], "env": {}}
    answer = start(server, env, scene.home, ask={"tool": "read_graph", "arguments": {}})
    assert "read_graph" in answer["tools"]
    assert "entities" in answer["text"]


def test_an_entry_that_somebody_else_has_copied_gets_no_secret(scene: Scene) -> None:
    """The twin of the moved secret: the same words, started for another server."""
    profile = scene.put("tell.toml", PROFILE)
    servers = {"tell": {"command": sys.executable, "args": [TELLS], "env": {"API_KEY": KEY}}}
    path = scene.put(".cursor/mcp.json", {"mcpServers": servers})
    assert scene("wrap", "cursor", "--profile", profile).code == 0
    entry = json.loads(path.read_text())["mcpServers"]["tell"]
    argv = [entry["command"], *entry["args"], "--another"]
    env = {"PATH": "/usr/bin:/bin", "HOME": str(scene.home), **entry["env"]}
    done = subprocess.run(argv, env=env, cwd=scene.home, input="", capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (77, "", 1)
    assert KEY not in done.stderr
