"""Nothing of a credential is found by looking at everything that a session makes, nor by the server, who looks at everything it can.

Each search has a control: the same search finds the same credential where it is, or where there is no guard.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.identity.people import TELLER, Clock, People, parts
from tests.launch.guarded import INITIALIZE, READY, Guarded
from tests.playbook import MODERN, TOKEN, envelope

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are looked at through /proc")

NOBODY = 65534
DECOY = "decoy-" + "d" * 30
WAYS = ["file", "granted file", "environment", "_meta", "clientInfo.secret", MODERN]

PROFILE = """schema = 1
name = "teller"
description = "A folder to look at, and a network to have a proxy for."
[handshake]
server = true
[sandbox]
read = [{granted}]
write = [{written}]
network = ["127.0.0.1:9"]
processes = 64
[tools]
default = "allow"
"""

LOOK = """
import json, os
found = {}
def keep(name, data):
    data += os.fsencode(name)
    if any(needle in data for needle in NEEDLES):
        found[name] = sorted(needle.decode() for needle in NEEDLES if needle in data)
def look(path):
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        data = b""
        while len(data) < 1 << 22:
            chunk = os.read(descriptor, 1 << 20)
            if not chunk:
                break
            data += chunk
        keep(path, data)
    except OSError:
        pass
    finally:
        os.close(descriptor)
    return True
NEEDLES = [bytes(byte ^ 0x55 for byte in bytes.fromhex(needle)) for needle in HIDDEN]
keep("os.environ", repr(dict(os.environ)).encode())
seen = 0
for root in [os.environ["HOME"], os.environ["TMPDIR"], os.environ["XDG_CACHE_HOME"], os.getcwd(), *FOLDERS]:
    for folder, folders, files in os.walk(root):
        for file in files:
            seen += look(os.path.join(folder, file))
for pid in ["self"] if ALONE else os.listdir("/proc"):
    if pid.isdigit() or pid in ("self", "thread-self"):
        for what in ("environ", "cmdline", "comm", "status", "stat", "maps", "mountinfo"):
            look(f"/proc/{pid}/{what}")
        try:
            numbers = os.listdir(f"/proc/{pid}/fd")
        except OSError:
            numbers = []
        for number in numbers:
            try:
                keep(f"/proc/{pid}/fd/{number}", os.readlink(f"/proc/{pid}/fd/{number}").encode())
                if os.path.isfile(f"/proc/{pid}/fd/{number}"):
                    look(f"/proc/{pid}/fd/{number}")
            except OSError:
                pass
        if pid.isdigit() and int(pid) != os.getpid():
            try:
                with open(f"/proc/{pid}/maps") as maps:
                    areas = [line.split()[0].split("-") for line in maps if line.split()[1].startswith("rw")]
                with open(f"/proc/{pid}/mem", "rb") as memory:
                    for start, end in areas:
                        memory.seek(int(start, 16))
                        keep(f"/proc/{pid}/mem", memory.read(int(end, 16) - int(start, 16)))
            except OSError:
                pass
for path in PATHS:
    for spelled in (path, "/proc/self/root" + path, "/proc/1/root" + path, os.path.dirname(path) + "/./" + os.path.basename(path)):
        look(spelled)
found["seen"] = seen
"""


def hidden(needles: list[str]) -> list[str]:
    """Return what the server is to look for, so that telling it does not leave that everywhere."""
    return [bytes(byte ^ 0x55 for byte in needle.encode()).hex() for needle in needles]


class Session(Guarded):
    """A guard before the teller, whose client has proved itself in one way."""

    def __init__(self, people: People, way: str, credential: str, *, user: int, python: str, write: bool = False) -> None:
        self.people, self.way, self.credential, self.user = people, way, credential, user
        self.granted = people.home / "granted"
        self.work = people.home / "work"
        for folder in (self.granted, self.work):
            folder.mkdir(0o700, exist_ok=True)
        (self.granted / "decoy.txt").write_text(DECOY)
        script = people.home / "teller.py"
        script.write_text(TELLER)
        options: tuple[str, ...] = ()
        environment = {"HOME": str(people.home)}
        self.token_file: Path | None = None
        if way.endswith("file"):
            self.token_file = people.token_file(credential, (self.granted if way == "granted file" else people.home) / "token")
            (self.granted / "link").symlink_to(self.token_file)
            options = ("--token-file", str(self.token_file))
        if way == "environment":
            environment["STDIOGUARD_TOKEN"] = credential
        command = [python, "-P", "-m", "stdioguard", "run"]
        if user != os.geteuid():
            command = ["setpriv", "--reuid", str(user), "--regid", str(user), "--clear-groups", "--", "env", *command]
        grant = json.dumps(str(self.granted))
        profile = PROFILE.format(granted="" if write else grant, written=grant if write else "")
        (people.home / "profile.toml").write_text(profile)
        give(people.home, user)
        super().__init__(
            people.home,
            python,
            str(script),
            profile=profile,
            options=options,
            guard=command,
            extra_env=environment,
            cwd=self.work,
        )

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        self._id += 1
        if self.way == MODERN:
            params["_meta"] = {**envelope({}), TOKEN: self.credential}
        self.write({"jsonrpc": "2.0", "id": self._id, "method": method, "params": params})
        answer = self.read()
        assert answer is not None
        self.heard = [*getattr(self, "heard", []), answer]
        return answer

    def open(self) -> Session:
        if self.way == MODERN:
            assert "result" in self.ask("server/discover")
            return self
        params = json.loads(json.dumps(INITIALIZE["params"]))
        if self.way == "_meta":
            params["_meta"] = {TOKEN: self.credential}
        if self.way == "clientInfo.secret":
            params["clientInfo"]["secret"] = self.credential
        answer = self.ask("initialize", **params)
        assert "result" in answer, (answer, self.way)
        self.write(READY)
        return self

    def look(self, needles: list[str], paths: list[str]) -> dict[str, Any]:
        """Let the server look for `needles` wherever it can."""
        folders = [str(self.granted), str(self.people.home), "/dev/shm", "/tmp", "/run"]
        code = f"HIDDEN = {hidden(needles)!r}\nFOLDERS = {folders!r}\nPATHS = {paths!r}\nALONE = False\n{LOOK}"
        found: dict[str, Any] = self.ask("tools/call", name="run", arguments={"code": code})["result"]["structuredContent"][
            "found"
        ]
        assert isinstance(found, dict), found
        return found

    def processes(self) -> list[int]:
        """Return the guard and everything below it."""
        found = [self.process.pid]
        for pid in found:
            for path in Path(f"/proc/{pid}/task").glob("*/children"):
                found += [int(child) for child in path.read_text().split()]
        return found


def give(home: Path, user: int) -> None:
    """Make everything below `home` a user's."""
    if os.geteuid() != 0:
        return
    for folder, _, files in os.walk(home):
        os.chown(folder, user, user)
        for file in files:
            os.chown(f"{folder}/{file}", user, user, follow_symlinks=False)


@pytest.fixture(scope="module")
def python_of_an_ordinary_user() -> Iterator[str]:
    if os.geteuid() != 0:
        yield sys.executable
        return
    from tests.real.servers import Runtime
    from tests.real.test_ordinary_user import interpreter

    with tempfile.TemporaryDirectory(prefix="stdioguard-copies-") as made:
        copies = Path(made)
        copies.chmod(0o755)
        yield interpreter(Runtime(owner=NOBODY), copies)


USERS = ["root", "an ordinary user"] if os.geteuid() == 0 else ["an ordinary user"]
SESSIONS = [(way, "secret", "an ordinary user") for way in WAYS]
SESSIONS += [(way, "token", "an ordinary user") for way in ("granted file", "environment", "_meta", MODERN)]
SESSIONS += [(way, "secret", "root") for way in ("granted file", "environment", "clientInfo.secret") if os.geteuid() == 0]


@pytest.fixture
def people() -> Iterator[People]:
    """A home that any user could own."""
    with tempfile.TemporaryDirectory(prefix="stdioguard-leaks-") as made:
        clock = Clock()
        clock.wall = time.time()
        yield People(Path(made), clock)


def session(people: People, way: str, credential: str, user: str, python: str, **more: Any) -> Session:
    if user == "root":
        return Session(people, way, credential, user=0, python=sys.executable, **more)
    return Session(people, way, credential, user=NOBODY if os.geteuid() == 0 else os.geteuid(), python=python, **more)


def files_with(root: Path, needles: list[str], *, but: tuple[Path, ...] = ()) -> list[str]:
    """Return the files below `root` that hold one of `needles`, in their contents or names."""
    found = []
    for folder, _, files in os.walk(root):
        for file in files:
            path = Path(folder, file)
            if path in but or not path.is_file() or path.is_symlink():
                continue
            data = path.read_bytes() + str(path).encode()
            if any(needle.encode() in data for needle in needles):
                found.append(str(path))
    return found


def lets_go_of_token(pid: int) -> bool:
    """Tell whether a process holds no descriptor of the token file; one that answers an open may for a moment."""
    deadline = time.monotonic() + 2
    while True:
        held = [os.readlink(path) for path in Path(f"/proc/{pid}/fd").iterdir() if path.is_symlink()]
        if not any(path.endswith("/token") for path in held):
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)


@pytest.mark.parametrize(("way", "kind", "user"), SESSIONS)
def test_nothing_of_a_credential_is_found_in_a_session(
    people: People, python_of_an_ordinary_user: str, way: str, kind: str, user: str
) -> None:
    secret = people.add("alice", "tell:run")
    credential = secret if kind == "secret" else people.token("alice", server="teller")
    needles = [credential, *parts(credential)]
    with session(people, way, credential, user, python_of_an_ordinary_user) as running:
        running.open()
        kept = (running.token_file,) if running.token_file is not None else ()
        # From inside.
        paths = [
            str(path)
            for path in (
                *kept,
                people.home / "config" / "clients" / "alice.json",
                people.home / "config" / "keys" / "signing.pem",
            )
        ]
        found = running.look([*needles, DECOY], [*paths, str(running.granted / "link")])
        assert found.pop("seen") >= 2
        decoys = {path: what for path, what in found.items() if what == [DECOY]}
        assert str(running.granted / "decoy.txt") in decoys
        assert {path: what for path, what in found.items() if path not in decoys} == {}
        # From outside: files, processes, the record.
        assert files_with(people.home, needles, but=kept) == []
        if kept:
            assert files_with(people.home, needles) == [str(kept[0])]
        processes = running.processes()
        assert len(processes) >= 4  # guard, init, proxy, server
        for pid in processes:
            for what in ("environ", "cmdline", "status"):
                data = Path(f"/proc/{pid}/{what}").read_bytes() if os.geteuid() == 0 else b""
                assert not any(needle.encode() in data for needle in needles), (pid, what)
            if os.geteuid() == 0:
                assert lets_go_of_token(pid), pid
        code, errors = running.finish()
        assert code == 0
        said = errors + json.dumps(running.heard)
        assert not any(needle in said for needle in needles)
    assert files_with(people.home, needles, but=kept) == []


@pytest.mark.parametrize("kind", ["secret", "token"])
def test_the_search_finds_a_credential_where_there_is_no_guard(tmp_path: Path, kind: str) -> None:
    """The control: the same server without a guard, with the credential in its environment, its arguments, a file and a parent's memory."""
    people = People(tmp_path)
    secret = people.add("alice", "tell:run")
    credential = secret if kind == "secret" else people.token("alice", server="teller")
    needles = [credential, *parts(credential)]
    people.token_file(credential)
    (tmp_path / "teller.py").write_text(TELLER)
    folders = {"HOME": str(tmp_path), "TMPDIR": str(tmp_path / "none"), "XDG_CACHE_HOME": str(tmp_path / "none")}
    command = [sys.executable, str(tmp_path / "teller.py"), credential]
    code = f"HIDDEN = {hidden(needles)!r}\nFOLDERS = []\nPATHS = []\nALONE = True\n{LOOK}"
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "run", "arguments": {"code": code}}}
    done = subprocess.run(
        command,
        input=json.dumps(call) + "\n",
        capture_output=True,
        text=True,
        env={**os.environ, **folders, "STDIOGUARD_TOKEN": credential},
        cwd=tmp_path,
    )
    found = json.loads(done.stdout)["result"]["structuredContent"]["found"]
    assert isinstance(found, dict), found
    assert {"os.environ", "/proc/self/environ", "/proc/self/cmdline", str(tmp_path / "token")} <= found.keys()
    assert files_with(tmp_path, needles) == [str(tmp_path / "token")]
    for disguise in parts(credential):
        (tmp_path / "disguised").write_text(f"x{disguise}y")
        assert files_with(tmp_path, needles, but=(tmp_path / "token",)) == [str(tmp_path / "disguised")]


def test_the_disguises_are_what_a_credential_looks_like_encoded() -> None:
    import base64
    import urllib.parse

    secret = "sgc:alice:" + base64.urlsafe_b64encode(bytes(range(32))).decode().rstrip("=")
    needles = parts(secret)
    for prefix in ("", "x", "xy", "Bearer "):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            assert any(needle in encode((prefix + secret + "\n").encode()).decode() for needle in needles)
    assert any(needle in urllib.parse.quote(secret) for needle in needles)
    assert any(needle in secret.encode().hex() for needle in needles)
    assert any(needle in bytes(range(32)).hex() for needle in needles)


@pytest.mark.parametrize("kind", ["secret", "token"])
def test_a_credential_that_a_model_puts_into_a_call_is_not_on_record(
    people: People, python_of_an_ordinary_user: str, kind: str
) -> None:
    secret = people.add("alice", "tell:run")
    credential = secret if kind == "secret" else people.token("alice", server="teller")
    with session(people, "_meta", secret, "an ordinary user", python_of_an_ordinary_user) as running:
        running.open()
        for arguments in (
            {"text": f"my credential is {credential}."},
            {"x": [credential]},
            {"text": f"a{credential}"},
            {"about": "a plain word"},
        ):
            running.ask("tools/call", name="heard", arguments=arguments)
        running.ask("tools/call", name=credential[:100], arguments={})
    records = "".join(path.read_text() for path in (people.home / "state" / "records").iterdir())
    assert "a plain word" in records  # the twin
    assert parts(credential)[0] not in records


# --- the token file, by other names ------------------------------------------------------------------------------------------------------------


def reads(running: Session, path: Path) -> str:
    code = f"try:\n found = open({str(path)!r}, 'rb').read().decode('latin-1')\nexcept OSError as error:\n found = ''"
    text = running.ask("tools/call", name="run", arguments={"code": code})["result"]["structuredContent"]["found"]
    return str(text)


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("write", [False, True], ids=["a folder to read", "a folder to write"])
def test_the_token_file_of_a_session_is_denied_to_its_server_below_a_granted_folder(
    people: People, python_of_an_ordinary_user: str, user: str, write: bool
) -> None:
    credential = people.add("alice", "tell:run")
    with session(people, "granted file", credential, user, python_of_an_ordinary_user, write=write) as running:
        running.open()
        assert running.token_file is not None
        assert reads(running, running.granted / "decoy.txt") == DECOY  # the twin
        for path in (running.token_file, running.granted / "link", running.granted / ".." / "granted" / "token"):
            assert reads(running, path) == ""
        fresh = people.token_file(credential, people.home / "fresh")
        give(people.home, running.user)
        fresh.replace(running.token_file)
        assert reads(running, running.token_file) == "", "after it was replaced by a fresh one"
        if not write:
            return
        acts = {
            "rename": f"import os; os.rename({str(running.token_file)!r}, {str(running.granted / 'mine')!r})",
            "rename its folder": f"import os; os.rename({str(running.granted)!r}, {str(running.granted) + '2'!r})",
            "link": f"import os; os.link({str(running.token_file)!r}, {str(running.granted / 'mine')!r})",
            "replace": f"import os; open({str(running.granted / 'new')!r}, 'w').close(); os.replace({str(running.granted / 'new')!r}, {str(running.token_file)!r})",
            "write": f"open({str(running.token_file)!r}, 'w').write('x')",
            "remove": f"import os; os.remove({str(running.token_file)!r})",
        }
        for act, code in acts.items():
            running.ask("tools/call", name="run", arguments={"code": code})
            assert running.token_file.read_text() == credential + "\n", act
            assert reads(running, running.granted / "mine") == "", act
        allowed = f"import os; os.rename({str(running.granted / 'decoy.txt')!r}, {str(running.granted / 'mine')!r})"
        running.ask("tools/call", name="run", arguments={"code": allowed})
        assert reads(running, running.granted / "mine") == DECOY


@pytest.mark.parametrize("user", USERS)
def test_what_is_written_beside_a_token_file_while_it_is_replaced_is_denied_too(
    people: People, python_of_an_ordinary_user: str, user: str
) -> None:
    """`stdioguard client rotate --token-file` writes the fresh secret beside the old one before it takes its place."""
    from stdioguard.identity import register
    from tests.identity.people import at

    credential = people.add("alice", "tell:run")
    with session(people, "granted file", credential, user, python_of_an_ordinary_user) as running:
        running.open()
        fresh = credential[:-1] + ("A" if credential[-1] != "A" else "B")
        with at(people.home):
            give(running.granted, os.geteuid())
            written = register.TokenFile(str(running.token_file), fresh, lambda _: True)
            give(running.granted, running.user)
            try:
                (beside,) = [path for path in running.granted.iterdir() if path.name.startswith("token.")]
                assert beside.read_text() == fresh + "\n"
                assert reads(running, beside) == ""
                assert reads(running, running.granted / "decoy.txt") == DECOY
            finally:
                written.withdraw()


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("place", ["in the granted folder", "elsewhere"])
def test_a_token_file_that_has_another_name_below_a_granted_folder_is_refused_or_denied(
    people: People, python_of_an_ordinary_user: str, user: str, place: str
) -> None:
    credential = people.add("alice", "tell:run")
    (people.home / "granted").mkdir(0o700)
    token = people.token_file(credential, people.home / ("granted" if place.startswith("in") else ".") / "token")
    os.link(token, people.home / "granted" / "other")
    with session(
        people, "granted file" if place.startswith("in") else "file", credential, user, python_of_an_ordinary_user
    ) as running:
        # The session's own token file has taken the first name; this is the one with two.
        os.unlink(token)
        os.link(people.home / "granted" / "other", token)
        running.write({**INITIALIZE})
        answer = running.read()
        if answer is None:
            code, errors = running.finish()
            assert code == 77
            assert str(token) in errors
            return
        running.write(READY)
        assert reads(running, running.granted / "other") == ""


@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("kind", ["state", "cache"])
def test_a_token_file_in_a_folder_of_the_servers_own_is_refused(
    people: People, python_of_an_ordinary_user: str, user: str, kind: str
) -> None:
    credential = people.add("alice", "tell:run")
    parts_of = (kind, "servers", "teller") + (("state",) if kind == "state" else ())
    folder = people.home
    for part in parts_of:
        folder = folder / part
        folder.mkdir(0o700)
    token = people.token_file(credential, folder / "token")
    with session(people, "_meta", credential, user, python_of_an_ordinary_user) as running:  # the twin
        running.open()
    give(people.home, os.geteuid())
    python, uid = (
        (sys.executable, 0) if user == "root" else (python_of_an_ordinary_user, NOBODY if os.geteuid() == 0 else os.geteuid())
    )
    give(people.home, uid)
    own = ["setpriv", "--reuid", str(uid), "--regid", str(uid), "--clear-groups", "--", "env"] if uid != os.geteuid() else []
    command = [
        *own,
        python,
        "-P",
        "-m",
        "stdioguard",
        "run",
        "--profile",
        str(people.home / "profile.toml"),
        "--token-file",
        str(token),
        "--",
        python,
        str(people.home / "teller.py"),
    ]
    code = f"found = open({str(token)!r}).read()"
    call = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "run", "arguments": {"code": code}}}
    lines = b"".join(json.dumps(message).encode() + b"\n" for message in (INITIALIZE, READY, call))
    done = subprocess.run(
        command,
        input=lines,
        capture_output=True,
        env={**os.environ, "STDIOGUARD_HOME": str(people.home), "HOME": str(people.home)},
        cwd=people.home / "work",
        timeout=60,
    )
    assert credential.encode() not in done.stdout
    assert done.returncode == 77 or b"Permission denied" in done.stdout


# --- cores --------------------------------------------------------------------------------------------------------------------------------------


def _unlimited() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def cores(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and path.name.startswith("core")]


def _pattern() -> str:
    return Path("/proc/sys/kernel/core_pattern").read_text().strip()


needs_cores = pytest.mark.skipif(
    sys.platform != "linux"
    or "/" in _pattern()
    or "|" in _pattern()
    or resource.getrlimit(resource.RLIMIT_CORE)[1] != resource.RLIM_INFINITY,
    reason="cores do not land in the working directory here, so there is nothing to look at",
)


@needs_cores
@pytest.mark.parametrize("moment", ["before anybody spoke", "after a wrong credential", "in a session"])
@pytest.mark.parametrize("way", ["file", "environment", "_meta", MODERN])
def test_no_core_of_any_process_holds_a_credential(tmp_path: Path, way: str, moment: str) -> None:
    number = signal.SIGSEGV if way == "file" else signal.SIGABRT
    people = People(tmp_path)
    tmp_path.chmod(0o700)
    credential = people.add("alice", "tell:run")
    work = tmp_path / "work"
    work.mkdir()
    options = ("--token-file", str(people.token_file(credential))) if way == "file" else ()
    environment = {"STDIOGUARD_TOKEN": credential} if way == "environment" else {}
    script = tmp_path / "teller.py"
    script.write_text(TELLER)
    presented = {"_meta": {TOKEN: credential}} if way in ("_meta", MODERN) else {}
    # A message that the guard refuses after it has looked at the credential: there is no server yet, and nothing is confined.
    wrong = {"_meta": {TOKEN: credential + "x"}}
    with Guarded(
        tmp_path, sys.executable, str(script), options=options, extra_env=environment, cwd=work, preexec_fn=_unlimited
    ) as guarded:
        if moment == "before anybody spoke":
            deadline = time.monotonic() + 10
            while not (tmp_path / "state" / "records").exists() and time.monotonic() < deadline:
                time.sleep(0.02)
            time.sleep(0.1)
        elif way == MODERN:
            meta = {**envelope({}), **(wrong if moment.startswith("after") else presented)["_meta"]}
            guarded.write({"jsonrpc": "2.0", "id": 1, "method": "server/discover", "params": {"_meta": meta}})
            assert ("result" in (guarded.read() or {})) is (moment == "in a session")
        else:
            guarded.write(
                {**INITIALIZE, "params": {**INITIALIZE["params"], **(wrong if moment.startswith("after") else presented)}}
            )
            assert ("result" in (guarded.read() or {})) is (moment == "in a session")
        pids = [guarded.process.pid]
        for pid in pids:
            for path in Path(f"/proc/{pid}/task").glob("*/children"):
                pids += [int(child) for child in path.read_text().split()]
        assert (len(pids) > 1) is (moment == "in a session")
        # All at once: none sees another end before its own signal is there.
        for sent in (signal.SIGSTOP, number, signal.SIGCONT):
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, sent)
        assert guarded.process.wait(20) == -number
    for core in cores(tmp_path):
        data = core.read_bytes()
        assert not any(part.encode() in data for part in parts(credential)), f"{core} has {core.stat().st_size} bytes"


@needs_cores
def test_a_core_holds_what_a_process_without_such_care_had_read(tmp_path: Path) -> None:
    """The control: the same signal, limits and folder."""
    people = People(tmp_path)
    credential = people.add("alice", "tell:run")
    token = people.token_file(credential)
    process = subprocess.Popen(
        [sys.executable, "-c", f"import time; held = open({str(token)!r}).read(); print(1, flush=True); time.sleep(60)"],
        cwd=tmp_path, preexec_fn=_unlimited, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout
    process.stdout.read(2)
    process.send_signal(signal.SIGABRT)
    process.wait(20)
    (core,) = cores(tmp_path)
    assert parts(credential)[0].encode() in core.read_bytes()


@pytest.mark.skipif(os.geteuid() != 0, reason="two processes of one ordinary user are needed, and a third party to start them")
@pytest.mark.parametrize("what", ["environ", "mem"])
def test_another_process_of_the_same_user_cannot_look_into_a_guard_that_got_its_token_by_the_environment(
    people: People, python_of_an_ordinary_user: str, what: str
) -> None:
    credential = people.add("alice", "tell:run")
    look = f"import sys; open(f'/proc/{{sys.argv[1]}}/{what}', 'rb').read(1)"
    with session(people, "environment", credential, "an ordinary user", python_of_an_ordinary_user) as running:
        running.open()
        user = [
            "setpriv",
            "--reuid",
            str(NOBODY),
            "--regid",
            str(NOBODY),
            "--clear-groups",
            "--",
            "env",
            python_of_an_ordinary_user,
            "-c",
        ]
        denied = subprocess.run([*user, look, str(running.process.pid)], capture_output=True, text=True)
        assert "Permission" in denied.stderr
        own = subprocess.run([*user, look.replace(".read(1)", ""), "self"], capture_output=True, text=True)
        assert own.returncode == 0, own.stderr
