"""`stdioguard wrap`: what changes in a client's file, what does not, and what is left behind where it cannot be done."""

from __future__ import annotations

import json
import os
import pty
import resource
import select
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from stdioguard.identity import secrets
from stdioguard.installs import files, find, shim, wrapped
from stdioguard.installs import plan as plans
from stdioguard.installs import wrap as wrapping
from stdioguard.installs.formats import parse
from stdioguard.launch.environment import can_be_passed
from tests.installs.scene import KEY, PLACES, REPOSITORY, Scene, configurations

if TYPE_CHECKING:
    from pathlib import Path

CONFIGURATIONS = configurations()
IS_ROOT = os.geteuid() == 0
CURSOR = ".cursor/mcp.json"
ENTRY = {"command": "/bin/sh", "args": ["-x", "server.sh"], "env": {"GITHUB_TOKEN": KEY, "MODE": "fast"}, "disabled": False}


def config(**servers: Any) -> dict[str, Any]:
    return {"theme": "dark", "mcpServers": servers or {"github": ENTRY}}


def servers(path: Path) -> Any:
    return json.loads(path.read_bytes())["mcpServers"]


def without_commands(entries: list[Any]) -> list[Any]:
    """Return what `wrap` may not change of entries."""
    return [(one.name, one.kind, one.cwd, one.disabled, one.extra, sorted(one.env), one.url, one.headers) for one in entries]


def nothing_happened(scene: Scene, path: Path, before: bytes) -> None:
    """Check that a wrap that failed has left nothing."""
    assert path.read_bytes() == before
    assert scene.litter(path) == []
    assert scene.kept() == []
    assert scene.clients() == {}
    journals = scene.state("wrapped")
    assert not journals.exists() or not list(journals.glob("*.json"))


# Real configurations


def real() -> list[Any]:
    if CONFIGURATIONS is None:
        return [pytest.param(None, marks=pytest.mark.skip(reason="no real configurations here; set STDIOGUARD_DATA"))]
    return [
        pytest.param(path, id=f"{path.parent.name}/{path.name}") for path in sorted(CONFIGURATIONS.rglob("*")) if path.is_file()
    ]


@pytest.mark.parametrize("how", ["by path", "by client", "with its secrets"])
@pytest.mark.parametrize("source", real())
def test_a_real_file_is_wrapped_once_and_comes_back_to_the_byte(scene: Scene, source: Path, how: str) -> None:
    family, data = source.parent.name, source.read_bytes()
    if how == "by client" and family not in PLACES:
        pytest.skip("a file of no client of its own")
    path = scene.put(PLACES[family] if how == "by client" else f"project/{source.name}", data)
    words = ["--all"] if how == "by client" else [path]
    options = ["--keep-secrets"] if how == "with its secrets" else []
    found = find.given(str(path))
    before = find.read_entries(found).entries
    done = scene("wrap", *words, *options, "--format", "json")
    assert done.code == 0, done
    after = find.read_entries(found).entries
    assert without_commands(after) == without_commands(before)
    for old, new, row in zip(before, after, done.rows, strict=True):
        if old.kind != "stdio" or not old.editable:
            assert new == old
            continue
        said = wrapped.read(new.argv)
        assert said is not None, row
        assert len(said.command) == len(old.argv)
        assert all(one == other or "secret:" in one for one, other in zip(said.command, old.argv, strict=True))
        assert said.environment == [name for name in sorted(old.env) if can_be_passed(name)]
        assert all(new.env[name] == value or secrets.reference(new.env[name]) for name, value in old.env.items())
        assert not options or (new.env == old.env and said.command == old.argv)
    once = path.read_bytes()
    again = scene("wrap", *words, *options, "--format", "json")
    assert path.read_bytes() == once
    assert {row["outcome"] for row in again.rows} <= {plans.ALREADY, plans.LEFT}
    assert scene("unwrap", *words).code == 0
    assert path.read_bytes() == data
    assert scene.kept() == []
    assert scene.clients() == {}


# What a file keeps

SHAPES = {
    "carriage returns": json.dumps(config(), indent=2).replace("\n", "\r\n").encode(),
    "a byte order mark": b"\xef\xbb\xbf" + json.dumps(config(), indent=2).encode(),
    "tabs": json.dumps(config(), indent="\t").encode(),
    "one line": json.dumps(config()).encode(),
    "no final line end": json.dumps(config(), indent=4).encode(),
    "comments and commas": b'{\n  // mine\n  "mcpServers": { /* one */\n    "github": {"command": "/bin/sh", "args": ["x.sh",], '
    b'"env": {"GITHUB_TOKEN": "%s",}, // key\n},},}\n' % KEY.encode(),
    "escapes": json.dumps(config(**{"naïve ☃": ENTRY})).replace("/", "\\/").encode(),
    "no arguments": json.dumps(config(one={"command": "/bin/cat"}), indent=2).encode() + b"\n",
    "null arguments": json.dumps(config(one={"command": "/bin/cat", "args": []}), indent=2).encode(),
}


@pytest.mark.parametrize("data", SHAPES.values(), ids=SHAPES)
def test_the_rest_of_a_file_stays_as_it_is(scene: Scene, data: bytes) -> None:
    path = scene.put(CURSOR, data)
    assert scene("wrap", "cursor").code == 0
    once = path.read_bytes()
    assert KEY.encode() not in once
    assert b"stdioguard" in once
    assert once.startswith(b"\xef\xbb\xbf") == data.startswith(b"\xef\xbb\xbf")
    assert once.endswith(b"\n") == data.endswith(b"\n")
    assert (b"\r\n" in once) == (b"\r\n" in data)
    assert once.count(b"\n") == once.count(b"\r\n") or b"\r\n" not in data
    for comment in (b"// mine", b"/* one */", b"// key"):
        assert (comment in once) == (comment in data)
    assert scene("wrap", "cursor").code == 0
    assert path.read_bytes() == once
    assert scene("unwrap", "cursor").code == 0
    assert path.read_bytes() == data


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o660])
def test_mode_and_link_stay(scene: Scene, mode: int) -> None:
    real_path = scene.put("dotfiles/cursor.json", config())
    real_path.chmod(mode)
    link = scene.home / CURSOR
    link.parent.mkdir()
    link.symlink_to("../dotfiles/cursor.json")
    before = real_path.read_bytes()
    assert scene("wrap", "cursor").code == 0
    assert link.is_symlink()
    assert b"stdioguard" in real_path.read_bytes()
    assert stat.S_IMODE(real_path.stat().st_mode) == mode
    assert scene("unwrap", "cursor").code == 0
    assert link.is_symlink()
    assert real_path.read_bytes() == before
    assert stat.S_IMODE(real_path.stat().st_mode) == mode


@pytest.mark.skipif(not IS_ROOT, reason="only root can make another user's files")
def test_a_file_of_another_user_stays_that_users(scene: Scene) -> None:
    path = scene.put("theirs/mcp.json", config())
    for one in (path, path.parent, scene.home):
        os.chown(one, 65534, 65534)
    plan = wrapping.wrap(find.given(str(path)), lambda _: True, plans.Options(shim.path()))
    assert [row.outcome for row in plan.rows] == ["wrapped"]
    assert (path.stat().st_uid, path.stat().st_gid) == (65534, 65534)
    assert scene.litter(path) == []


def test_the_entry_starts_what_it_did_through_a_program_with_an_absolute_path(scene: Scene) -> None:
    path = scene.put(CURSOR, config(github=ENTRY | {"autoApprove": ["a"], "cwd": "/srv"}))
    row = scene("wrap", "cursor", "--format", "json").row
    entry = servers(path)["github"]
    assert list(entry) == [*ENTRY, "autoApprove", "cwd"]
    assert entry["command"] == str(scene.own("bin", "stdioguard"))
    said = wrapped.read([entry["command"], *entry["args"]])
    assert said is not None
    assert said.command == ["/bin/sh", "-x", "server.sh"]
    assert (said.server, said.profile, said.client) == ("github", "default", "cursor")
    assert entry["env"] == {"GITHUB_TOKEN": "secret:github.GITHUB_TOKEN", "MODE": "fast"}
    assert secrets.get("github.GITHUB_TOKEN") == KEY
    assert (row["outcome"], row["secrets"]) == ("wrapped", ["github.GITHUB_TOKEN"])
    assert scene.clients() == {"cursor": ["github"]}
    assert scene.own("tokens", "cursor.token").stat().st_mode & 0o777 == 0o600


def test_without_a_client_nobody_is_registered(scene: Scene) -> None:
    path = scene.put(CURSOR, config())
    assert scene("wrap", "cursor", "--no-client").code == 0
    assert "--client" not in path.read_text()
    assert scene.clients() == {}


def test_the_profile_is_the_packages_or_the_one_that_is_given(scene: Scene) -> None:
    path = scene.put(CURSOR, config(time={"command": "uvx", "args": ["mcp-server-time"]}))
    assert scene("wrap", "cursor", "--format", "json").row["profile"] == "time"
    mine = scene.put("mine.toml", 'schema = 1\nname = "mine"\ndescription = "mine"\n[tools]\ndefault = "deny"\n')
    row = scene("wrap", "cursor", "--profile", mine, "--format", "json").row
    assert (row["outcome"], row["profile"]) == ("brought up to date", str(mine))
    assert str(mine) in servers(path)["time"]["args"]
    assert scene("wrap", "cursor", "--profile", "no-such").code == 78


# Names


def test_two_clients_may_have_the_same_server_and_one_name_is_one_program(scene: Scene) -> None:
    same, other = {"command": "/bin/sh", "args": ["a.sh"]}, {"command": "/bin/sh", "args": ["b.sh"]}
    scene.put(CURSOR, config(one=same))
    scene.put(".codeium/windsurf/mcp_config.json", config(one=same))
    scene.put(".kiro/settings/mcp.json", config(one=other))
    rows = {row["client"]: row["server"] for row in scene("wrap", "--all", "--format", "json").rows}
    assert rows["Cursor"] == rows["Windsurf"] == "one"
    assert rows["Kiro"] not in ("", "one")
    assert scene.clients() == {"cursor": ["one"], "windsurf": ["one"], "kiro": [rows["Kiro"]]}
    assert scene("unwrap", "cursor").code == 0
    assert scene.clients() == {"windsurf": ["one"], "kiro": [rows["Kiro"]]}


ODD = ["my server", "a/b", "☃", "x" * 200, "--", "-c", "my-server", ".", "..", "__proto__", "a.b", "", "My Server", "a\nb", '"']


def test_entries_of_any_name_get_names_of_their_own_and_come_back(scene: Scene) -> None:
    entries = {
        name: {"command": "/bin/sh", "args": [f"{index}.sh"], "env": {"API_KEY": f"{KEY}{index}"}}
        for index, name in enumerate(ODD)
    }
    path = scene.put(CURSOR, config(**entries))
    before = path.read_bytes()
    done = scene("wrap", "cursor", "--format", "json")
    assert done.code == 0, done
    names = [row["server"] for row in done.rows]
    assert [row["outcome"] for row in done.rows] == ["wrapped"] * len(ODD)
    assert len(set(names)) == len(ODD)
    assert all(0 < len(name) <= 64 and name.isascii() and name.isprintable() and name[0].isalnum() for name in names)
    for index, name in enumerate(ODD):
        assert secrets.get(secrets.reference(servers(path)[name]["env"]["API_KEY"]) or "") == f"{KEY}{index}"
    assert scene("unwrap", "cursor", "--server", "--").code == 0
    assert servers(path)["--"] == entries["--"]
    assert scene("unwrap", "cursor").code == 0
    assert path.read_bytes() == before
    assert scene.kept() == []


# Where it does not go


def test_one_client_one_entry_one_file(scene: Scene) -> None:
    cursor = scene.put(CURSOR, config(a=ENTRY, b=ENTRY))
    kiro = scene.put(".kiro/settings/mcp.json", config())
    project = scene.put("project/.mcp.json", config())
    before = kiro.read_bytes(), project.read_bytes()
    assert scene("wrap", "--client", "cursor", "--server", "b").code == 0
    assert servers(cursor)["a"] == ENTRY
    assert servers(cursor)["b"] != ENTRY
    assert (kiro.read_bytes(), project.read_bytes()) == before
    assert scene("wrap", "--all").code == 0
    assert kiro.read_bytes() != before[0]
    assert project.read_bytes() == before[1], "a project's file was not asked for"
    assert scene("wrap", "--projects", scene.home / "project").code == 0
    assert project.read_bytes() != before[1]


def test_a_file_with_the_name_of_a_client_does_not_stand_for_it(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    path = scene.put(CURSOR, config())
    (scene.folder / "cursor").mkdir()
    monkeypatch.chdir(scene.folder)
    assert scene("wrap", "cursor").code == 0
    assert b"stdioguard" in path.read_bytes()


def test_remote_entries_and_those_that_start_nothing_are_left_alone(scene: Scene) -> None:
    path = scene.put(CURSOR, config(far={"url": "https://example.test/mcp"}, odd={"args": []}, near=ENTRY))
    done = scene("wrap", "cursor", "--format", "json")
    assert done.code == 0
    assert {row["name"]: row["outcome"] for row in done.rows} == {"far": "left alone", "odd": "left alone", "near": "wrapped"}
    assert servers(path)["far"] == {"url": "https://example.test/mcp"}


def test_an_administrators_file_is_left_alone(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    path = scene.put("managed-mcp.json", config())
    place = find.Found("Claude Code", str(path), "managed", "json", "mcpServers")
    monkeypatch.setattr(find, "config_files", lambda _: iter([place]))
    before = path.read_bytes()
    done = scene("wrap", "--all", "--format", "json")
    assert (done.code, done.row["outcome"]) == (0, "left alone")
    assert path.read_bytes() == before


def test_a_person_who_has_wrapped_by_hand_is_not_corrected(scene: Scene) -> None:
    path = scene.put(
        CURSOR, config(one={"command": "/opt/bin/stdioguard", "args": ["run", "--profile", "time", "--", "/bin/cat"]})
    )
    before = path.read_bytes()
    assert scene("wrap", "cursor", "--format", "json").row["outcome"] == "already wrapped"
    assert path.read_bytes() == before


def test_an_entry_whose_secrets_cannot_be_bound_is_guarded_and_keeps_them(scene: Scene) -> None:
    path = scene.put(CURSOR, config(one={"command": "no-such-program", "env": {"API_KEY": KEY}}))
    before = path.read_bytes()
    done = scene("wrap", "cursor", "--format", "json")
    assert (done.code, done.row["outcome"], done.row["secrets"]) == (0, "wrapped", [])
    assert any("its secrets stay in the file" in note for note in done.row["notes"])
    assert servers(path)["one"]["env"] == {"API_KEY": KEY}
    assert scene("unwrap", "cursor").code == 0
    assert path.read_bytes() == before


# Secrets


@pytest.mark.parametrize("options", [[], ["--keep-secrets"], ["--dry-run"], ["--dry-run", "--keep-secrets"]], ids=" ".join)
@pytest.mark.parametrize("form", ["text", "json"])
def test_no_secret_is_printed_or_kept_but_where_secrets_are(scene: Scene, options: list[str], form: str) -> None:
    odd = 'p"ä\\ss/w0rd-Zq7'
    entry = ENTRY | {
        "args": ["server.sh", "--token", f"x{KEY}", f"--password={odd}", "--header", f"Authorization: Bearer y{KEY}"]
    }
    far = {
        "url": f"https://example.test/?token={KEY}u",
        "headers": {"Authorization": f"Bearer z{KEY}"},
        "oauth": {"clientSecret": f"w{KEY}"},
    }
    path = scene.put(CURSOR, config(github=entry, far=far))
    before = path.read_bytes()
    said = [scene("wrap", "cursor", *options, "--format", form)]
    said += [
        scene(*words, "--format", form)
        for words in (("status",), ("wrap", "cursor", "--dry-run"), ("unwrap", "cursor", "--dry-run"))
    ]
    for one in said:
        assert KEY not in one.out + one.err
        assert "w0rd-Zq7" not in one.out + one.err
    assert scene.holding(KEY) == [str(path)]
    assert set(scene.holding("w0rd-Zq7")) <= {str(path)}
    if not options:
        assert scene.kept()
        assert path.read_text().count(KEY) == 3, "only what belongs to the remote server is left"
    assert scene("unwrap", "cursor").code == 0
    assert path.read_bytes() == before
    assert scene.kept() == []
    assert scene.holding(KEY) == [str(path)]
    assert set(scene.holding("w0rd-Zq7")) <= {str(path)}


def test_a_secret_that_the_client_fills_in_stays(scene: Scene) -> None:
    given = {"API_KEY": "${env:MY_KEY}", "OTHER_TOKEN": "your-token-here"}
    path = scene.put(CURSOR, config(one={"command": "/bin/cat", "env": given}))
    assert scene("wrap", "cursor").code == 0
    assert servers(path)["one"]["env"] == given


# Exit codes, questions


def test_a_script_must_say_what_it_wants(scene: Scene) -> None:
    path = scene.put(CURSOR, config())
    before = path.read_bytes()
    for words in (["wrap"], ["unwrap"], ["wrap", "no-such-client"], ["wrap", "--all-users", "cursor"]):
        done = scene(*words)
        assert done.code == 64, words
        assert len(done.err.splitlines()) == 1
    assert path.read_bytes() == before
    assert not scene.own().exists()
    assert scene("wrap", "cursor", "--server", "no-such").code == 78
    assert scene("wrap", "--yes").code == 0
    assert path.read_bytes() != before


def test_nothing_to_do_is_as_it_should_be(scene: Scene) -> None:
    for words in (["wrap", "--all"], ["unwrap", "--all"], ["status"]):
        done = scene(*words)
        assert (done.code, done.err) == (0, ""), words


def test_a_dry_run_changes_nothing_anywhere(scene: Scene) -> None:
    path = scene.put(CURSOR, config())
    before = path.read_bytes()
    done = scene("wrap", "--dry-run")
    assert done.code == 0
    assert "+      " in done.out
    assert "stdioguard" in done.out
    assert path.read_bytes() == before
    assert not scene.own().exists()
    assert not scene.state().exists()


@pytest.mark.parametrize(
    ("answer", "code", "is_wrapped"),
    [(b"y\n", 0, True), (b"n\n", 130, False), (b"\n", 130, False), (b"\x03", 130, False), (b"\x04", 130, False)],
    ids=["yes", "no", "enter", "Ctrl-C", "Ctrl-D"],
)
def test_a_person_is_asked_first(scene: Scene, answer: bytes, code: int, *, is_wrapped: bool) -> None:
    path = scene.put(CURSOR, config())
    before = path.read_bytes()
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(REPOSITORY)
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # what a shell starts in the background ignores it, and so would this
        os.execve(sys.executable, [sys.executable, "-m", "stdioguard", "wrap"], scene.environment)
    said = b""
    end = time.monotonic() + 30
    while b"[y/N]" not in said and time.monotonic() < end:
        said += os.read(terminal, 4096)
    assert b"wrap 1 server?" in said
    assert path.read_bytes() == before
    os.write(terminal, answer)
    try:
        while True:
            if select.select([terminal], [], [], 1)[0]:
                os.read(terminal, 4096)
            elif answer == b"\x03":
                os.write(terminal, answer)  # Python loses a signal that comes in the moment before it waits for a line
    except OSError:  # the other end is closed
        pass
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == code
    assert (path.read_bytes() != before) is is_wrapped
    assert is_wrapped or scene.kept() == []


# What cannot be done


def one_line(done: Any, *words: str) -> None:
    assert done.code == 78, done
    assert len(done.err.splitlines()) == 1, done.err
    assert "Traceback" not in done.err
    for word in words:
        assert word in done.err
    assert KEY not in done.out + done.err


BROKEN = {
    "broken": b'{"mcpServers": {"a": {"command": "' + KEY.encode() + b'" "x"}}}',
    "no text": b'{"mcpServers": "\xff\xfe\x00"}',
    "deep": b"[" * 100_000,
    "cut off": b'{"mcpServers": {"github": {"command": "npx", "env": {"GITHUB_TOKEN": "' + KEY.encode(),
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("verb", ["wrap", "unwrap"])
def test_a_broken_file_stays_and_the_others_are_done(scene: Scene, verb: str, data: bytes) -> None:
    path = scene.put(CURSOR, data)
    kiro = scene.put(".kiro/settings/mcp.json", config())
    if verb == "unwrap":
        scene("wrap", "kiro")
    before = kiro.read_bytes()
    one_line(scene(verb, "--all"), str(path))
    assert path.read_bytes() == data
    assert kiro.read_bytes() != before


def test_what_is_no_file_is_said_to_be_none(scene: Scene) -> None:
    place = scene.home / CURSOR
    place.mkdir(parents=True)
    one_line(scene("wrap", place), str(place))
    place.rmdir()
    os.mkfifo(place)
    one_line(scene("wrap", place), str(place))
    place.unlink()
    place.symlink_to("nowhere")
    one_line(scene("wrap", "cursor"), str(place))
    place.unlink()
    one_line(scene("wrap", place), str(place))


def as_nobody(scene: Scene) -> dict[str, Any]:
    """Make the home an ordinary user's, where this is root, to whom no mode is a hindrance."""
    if not IS_ROOT:
        return {}
    python = next(
        (name for name in (sys.executable, shutil.which("python3.11", path="/usr/bin") or "") if name and _runs(name)), None
    )
    if python is None:
        pytest.skip("no Python that an ordinary user can run")
    for path in (scene.home, *scene.home.rglob("*")):
        os.chown(path, 65534, 65534, follow_symlinks=False)
    return {"user": 65534, "group": 65534, "extra_groups": [], "python": python}


def _packages() -> str:
    return os.pathsep.join([str(REPOSITORY), *(path for path in sys.path if path.endswith("site-packages"))])


def _runs(python: str) -> bool:
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": _packages(), "PYTHONDONTWRITEBYTECODE": "1"}
    user: dict[str, Any] = {"user": 65534, "group": 65534, "extra_groups": []}
    try:
        done = subprocess.run(
            [python, "-c", "import stdioguard.cli.app"], capture_output=True, check=False, env=env, cwd="/", **user
        )
    except PermissionError:
        return False
    return done.returncode == 0


def ordinary(scene: Scene, user: dict[str, Any], *words: object) -> Any:
    """Run a command as an ordinary user."""
    more = dict(user)
    python = more.pop("python", sys.executable)
    env = scene.environment | {"PYTHONPATH": _packages(), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [python, "-m", "stdioguard", *map(str, words)]
    done = subprocess.run(command, env=env, cwd="/", capture_output=True, text=True, timeout=60, check=False, **more)
    return type("Done", (), {"code": done.returncode, "out": done.stdout, "err": done.stderr})()


@pytest.mark.parametrize("what", ["read-only file", "read-only folder", "unreadable file"])
def test_what_the_user_may_not_change_stays(scene: Scene, what: str) -> None:
    path = scene.put(CURSOR, config())
    before = path.read_bytes()
    user = as_nobody(scene)
    changed, mode = {
        "read-only file": (path, 0o444), "read-only folder": (path.parent, 0o555), "unreadable file": (path, 0o000),
    }[what]  # fmt: skip
    changed.chmod(mode)
    one_line(ordinary(scene, user, "wrap", "cursor"), str(path))
    assert stat.S_IMODE(changed.stat().st_mode) == mode
    changed.chmod(0o700)
    assert path.read_bytes() == before
    assert scene.litter(path) == []
    assert not list(scene.own("secrets").glob("*")) if scene.own("secrets").exists() else True
    assert not list(scene.own("tokens").glob("*")) if scene.own("tokens").exists() else True
    assert list(scene.state("wrapped").glob("*.json")) == []
    # The twin: the same file, once it may be changed.
    assert ordinary(scene, user, "wrap", "cursor").code == 0
    assert path.read_bytes() != before


@pytest.mark.skipif(not IS_ROOT or shutil.which("chattr") is None, reason="only root, with chattr, makes a file immutable")
def test_an_immutable_file_stays(scene: Scene) -> None:
    path = scene.put(CURSOR, config())
    before = path.read_bytes()
    if subprocess.run(["chattr", "+i", str(path)], capture_output=True, check=False).returncode != 0:
        pytest.skip("this file system knows no immutable files")
    try:
        one_line(scene("wrap", "cursor"), str(path))
        nothing_happened(scene, path, before)
    finally:
        subprocess.run(["chattr", "-i", str(path)], check=True)


@pytest.mark.parametrize("limit", [0, 100, 300, 700, 1500, 2500])
def test_a_full_disk_leaves_everything_as_it_was(scene: Scene, limit: int) -> None:
    """A limit on the size of files fails as a full disk does, at whichever file comes first over it."""
    path = scene.put(CURSOR, {"filler": "x" * 2000, **config()})
    before = path.read_bytes()

    def full() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    uncached = scene.environment | {"PYTHONDONTWRITEBYTECODE": "1"}  # half a .pyc would break what runs next
    done = scene.apart("wrap", "cursor", preexec_fn=full, env=uncached)
    one_line(done)
    nothing_happened(scene, path, before)
    assert scene("wrap", "cursor").code == 0


def test_what_was_done_before_a_failure_is_taken_back(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    path = scene.put(CURSOR, config())
    before = path.read_bytes()

    def fail(*_: object, **__: object) -> None:
        raise files.FileProblem(str(path), "can't be replaced: its disk is full", "make room")

    with monkeypatch.context() as broken:
        broken.setattr(files, "replace", fail)
        one_line(scene("wrap", "cursor"))
    nothing_happened(scene, path, before)


def test_without_a_home_it_is_said_in_one_line(scene: Scene) -> None:
    if not IS_ROOT:
        pytest.skip("only root can be a user without a name")
    user = as_nobody(scene) | {"user": 54321, "group": 54321}
    more = dict(user)
    python = more.pop("python")
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": _packages(), "PYTHONDONTWRITEBYTECODE": "1"}
    for words in (["wrap", "--all"], ["status"], ["unwrap", "--all"]):
        done = subprocess.run(
            [python, "-m", "stdioguard", *words], env=env, cwd="/", capture_output=True, text=True, check=False, **more
        )
        assert done.returncode in (0, 78), done.stderr
        assert "Traceback" not in done.stderr
        assert len(done.stderr.splitlines()) <= 1, done.stderr


# Others who write at the same time


def test_what_another_program_writes_meanwhile_is_never_lost(scene: Scene) -> None:
    """The control is the writer's own last text: `wrap` may change the command of the entry in it, and nothing else."""
    path = scene.put(CURSOR, config() | {"count": 0})
    stop = threading.Event()
    written = [0]

    def client() -> None:
        while not stop.is_set():
            text = json.loads(path.read_bytes())
            if text["count"] != written[0]:
                written.append(-1)  # somebody has put back an older one
                return
            written[0] += 1
            text["count"] = written[0]
            scratch = path.with_suffix(".new")
            scratch.write_text(json.dumps(text, indent=2))
            # The client itself does not look whether anybody else wrote: what it overwrites is its own matter.
            os.replace(scratch, path)
            time.sleep(0.001)

    writer = threading.Thread(target=client)
    writer.start()
    try:
        codes = [scene.apart(verb, "cursor").code for verb in ("wrap", "unwrap", "wrap", "wrap", "unwrap", "wrap")]
    finally:
        stop.set()
        writer.join()
    assert set(codes) <= {0, 78}
    assert len(written) == 1, "a wrap has put back what was there before the client wrote"
    assert scene.litter(path) == []
    assert scene("wrap", "cursor").code == 0
    assert scene("unwrap", "cursor").code == 0
    assert servers(path)["github"] == ENTRY


def test_wraps_at_the_same_time_all_count(scene: Scene) -> None:
    entries = {f"s{index}": ENTRY | {"args": [f"{index}.sh"]} for index in range(6)}
    path = scene.put(CURSOR, config(**entries))
    before = path.read_bytes()
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "stdioguard", "wrap", "cursor", "--server", name], env=scene.environment, cwd=REPOSITORY,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )
        for name in entries
    ]  # fmt: skip
    for one in running:
        _, errors = one.communicate(timeout=120)
        assert one.returncode == 0, errors
    assert all("--server" in entry["args"] for entry in servers(path).values())
    assert scene.clients() == {"cursor": sorted(entries)} or sorted(scene.clients()["cursor"]) == sorted(entries)
    assert len(scene.kept()) == 6
    assert scene("unwrap", "cursor").code == 0
    assert path.read_bytes() == before
    assert scene.kept() == []


KILLED = """
import os, signal, sys
from stdioguard.cli import app
step = int(sys.argv.pop(1))
count = 0
def hook(event, args):
    global count
    if event in ("open", "os.rename", "os.remove", "os.link", "os.mkdir", "os.chmod", "os.truncate") and "stdioguard" in repr(args) + repr(sys.argv):
        if event == "open" and not (isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)):
            return
        count += 1
        if count == step:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(hook)
sys.argv = ["stdioguard", *sys.argv[1:]]
sys.exit(app.main())
"""


@pytest.mark.parametrize("verb", ["wrap", "renew", "unwrap"])
def test_killed_at_any_moment_the_file_is_the_old_or_the_new_one_and_can_be_undone(
    scene: Scene, tmp_path: Path, verb: str
) -> None:
    script = tmp_path / "killed.py"
    script.write_text(KILLED)
    path = scene.put(CURSOR, config(github=ENTRY | {"args": ["server.sh", "--token", f"x{KEY}"]}))
    original = path.read_bytes()
    words = {
        "wrap": ["wrap", "cursor"],
        "renew": ["wrap", "cursor", "--server", "github", "--profile", "time"],
        "unwrap": ["unwrap", "cursor"],
    }
    step = ends = 0
    while not ends:
        step += 1 if verb == "wrap" else 3  # the others have much in common with it
        assert step < 200
        path.write_bytes(original)
        if verb != "wrap":
            assert scene("wrap", "cursor").code == 0
        before = path.read_bytes()
        command = [sys.executable, str(script), str(step), *words[verb]]
        done = subprocess.run(
            command, env=scene.environment | {"PYTHONPATH": _packages()}, cwd=REPOSITORY, capture_output=True, check=False
        )
        ends = done.returncode == 0
        assert ends or done.returncode == -signal.SIGKILL, done.stderr
        now = path.read_bytes()
        if now != before:
            assert parse(now, "json").value["theme"] == "dark"
        again = scene("unwrap", "cursor")
        assert again.code == 0, (step, again)
        assert path.read_bytes() == original, step
        assert scene.kept() == [], step
        assert scene.clients() == {}, step
        for scratch in path.parent.glob(".*"):
            assert ends or "stdioguard" in scratch.name
            scratch.unlink()
    assert step > 5
