"""Real launches whose server knows its clients: each way that a credential travels, in both eras, and what ends a client's access."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from stdioguard.identity import throttle
from tests.identity.people import TELLER, Clock, People
from tests.launch.guarded import INITIALIZE, READY, Guarded
from tests.playbook import MODERN, TOKEN, envelope

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are looked at through /proc")

UNIFORM = {"code": -31001, "message": "stdioguard: not authenticated", "data": {"code": -31001, "rule": "identity"}}
PROFILE = """schema = 1
name = "teller"
description = "A tool that anybody has, and two that need scopes."
[handshake]
server = {server}
{client}
[tools]
default = "allow"
[tools.rules]
"run" = {{ action = "allow", scopes = ["tell:run"] }}
"secret_tool" = {{ action = "allow", scopes = ["tell:secret"] }}
"""
SERVER = "teller"
NOBODY = 65534
UNKNOWN = {"code": -32602, "message": "Unknown tool: secret_tool"}


class Session(Guarded):
    """A guard before the teller, spoken to in one era, by a client that proves itself in one way."""

    def __init__(
        self,
        people: People,
        *,
        era: str = "2025-11-25",
        way: str = "none",
        credential: str | None = None,
        server: bool = False,
        client: str = "",
        **popen: Any,
    ) -> None:
        self.people, self.era, self.way, self.credential = people, era, way, credential
        self.modern = era == MODERN
        script = people.home / "teller.py"
        if not script.exists():
            script.write_text(TELLER)
        options = popen.pop("options", ())
        environment = popen.pop("extra_env", {})
        if way == "file" and credential is not None:
            self.token_file = people.token_file(credential, people.home / f"token-{os.urandom(4).hex()}")
            options = (*options, "--token-file", str(self.token_file))
        if way == "environment" and credential is not None:
            environment = {**environment, "STDIOGUARD_TOKEN": credential}
        profile = PROFILE.format(server=str(server).lower(), client=f'client = "{client}"' if client else "")
        super().__init__(
            people.home,
            sys.executable,
            str(script),
            profile=profile,
            options=options,
            extra_env=environment,
            cwd=people.home,
            **popen,
        )

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a request and return its answer, passing over notifications."""
        self._id += 1
        if self.modern:
            proof = {TOKEN: self.credential} if self.way == "_meta" and self.credential is not None else {}
            params["_meta"] = {**envelope({}), **proof, **params.get("_meta", {})}
        self.write({"jsonrpc": "2.0", "id": self._id, "method": method, "params": params})
        while True:
            message = self.read()
            assert message is not None
            if message.get("id") == self._id:
                return message

    def begin(self) -> dict[str, Any]:
        """Open the session with the credential in its place; return the answer to the first request."""
        if self.modern:
            return self.ask("server/discover")
        params = json.loads(json.dumps(INITIALIZE["params"])) | {"protocolVersion": self.era}
        if self.way == "_meta":
            params["_meta"] = {TOKEN: self.credential}
        if self.way == "clientInfo.secret":
            params["clientInfo"]["secret"] = self.credential
        answer = self.ask("initialize", **params)
        if "result" in answer:
            self.write(READY)
        return answer

    def tell(self, tool: str, **more: Any) -> dict[str, Any]:
        """Call a tool and return its answer."""
        return self.ask("tools/call", name=tool, arguments=more.pop("arguments", {}), **more)

    def heard(self, **more: Any) -> dict[str, Any]:
        """Return what the server was told, and its environment."""
        return json.loads(self.tell("heard", **more)["result"]["structuredContent"]["found"])  # type: ignore[no-any-return]

    def run(self, code: str) -> Any:
        """Execute Python in the server."""
        return self.tell("run", arguments={"code": code})["result"]["structuredContent"]["found"]

    def children(self) -> list[int]:
        """Return the processes that the guard has started."""
        return [
            int(pid) for path in Path(f"/proc/{self.process.pid}/task").glob("*/children") for pid in path.read_text().split()
        ]

    def has(self, tool: str) -> bool:
        """Tell whether a call of a tool is answered by the server, rather than refused with the one error there is."""
        answer = self.tell(tool)
        assert "result" in answer or answer["error"]["data"] == UNIFORM["data"], answer
        return "result" in answer


@pytest.fixture
def people(tmp_path: Path) -> People:
    clock = Clock()
    clock.wall = time.time()
    tmp_path.chmod(0o700)
    return People(tmp_path, clock)


def within(seconds: float, found: Callable[[], bool]) -> bool:
    """Tell whether something becomes true within some seconds; asked again and again."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found():
            return True
        time.sleep(0.02)
    return found()


# --- the four classic checks -----------------------------------------------------------------------------------------------------------

TRAVELS = [
    ("file", "2025-11-25"),
    ("file", MODERN),
    ("environment", "2025-11-25"),
    ("environment", MODERN),
    ("_meta", "2024-11-05"),
    ("_meta", "2025-11-25"),
    ("clientInfo.secret", "2025-11-25"),
    ("_meta", MODERN),
]


@pytest.mark.parametrize("kind", ["secret", "token"])
def test_what_is_in_scope_runs_and_what_is_not_is_not_there_and_what_has_expired_is_refused(people: People, kind: str) -> None:
    with contextlib.ExitStack() as sessions:
        running = []
        for number, (way, era) in enumerate(TRAVELS):
            people.clock.wall = time.time()
            name, ends = f"client-{number}", people.clock.wall + 5
            credential = people.add(name, "tell:run", servers=(SERVER,), expires=5 if kind == "secret" else None)
            if kind == "token":
                credential, ends = people.token(name, "tell:run", server=SERVER, ttl=5), int(people.clock.wall) + 5
            session = sessions.enter_context(Session(people, era=era, way=way, credential=credential))
            assert "result" in session.begin(), (way, era)
            assert [tool["name"] for tool in session.ask("tools/list")["result"]["tools"]] == ["heard", "run"]
            assert session.run("found = 1 + 1") == 2
            assert session.tell("secret_tool")["error"] == UNKNOWN
            running.append((session, ends))
        for session, ends in running:
            time.sleep(max(0.0, ends - time.time()))
            for message in (("tools/call", {"name": "run"}), ("tools/call", {"name": "heard"}), ("tools/list", {})):
                assert session.ask(message[0], **message[1])["error"] == UNIFORM, (session.way, session.era)
            assert session.process.poll() is None


@pytest.mark.parametrize(("way", "era"), TRAVELS)
@pytest.mark.parametrize("kind", ["secret", "token"])
def test_what_is_for_another_server_is_refused(people: People, way: str, era: str, kind: str) -> None:
    for server in ("other", SERVER):
        credential = people.add("alice", "tell:run", servers=(server,) if kind == "secret" else ())
        if kind == "token":
            credential = people.token("alice", server=server)
        with Session(people, era=era, way=way, credential=credential, client="required") as session:
            answer = session.begin()
            if server == SERVER:
                assert "result" in answer
                continue
            assert answer["error"] == UNIFORM
            assert session.children() == []
            code, errors = session.finish()
        assert code == 77
        (line,) = errors.splitlines()
        assert line.startswith("stdioguard: not authenticated: ")


# --- before the client is proved ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("way", "era"), [travel for travel in TRAVELS if travel[0] not in ("file", "environment")])
def test_no_server_exists_before_the_client_has_proved_itself(people: People, way: str, era: str) -> None:
    credential = people.add("alice", "tell:run")
    with Session(people, era=era, way=way, credential=None) as session:
        for wrong in (None, "sgc:alice:wrong", credential + "x"):
            session.credential = wrong
            session.way = way if wrong is not None else "none"
            assert session.begin()["error"] == UNIFORM
            assert session.children() == []
        assert not (people.home / "state" / "servers" / SERVER / "state" / "made").exists()
        session.credential, session.way = credential, way
        assert "result" in session.begin()
        assert len(session.children()) == 1
        assert session.run("found = 1") == 1


@pytest.mark.parametrize("era", ["2025-11-25", MODERN])
def test_five_failures_end_the_launch_and_start_nothing(people: People, era: str) -> None:
    credential = people.add("alice", "tell:run")
    with Session(people, era=era, way="_meta", credential="sgc:alice:wrong") as session:
        for _ in range(5):
            assert session.begin()["error"] == UNIFORM
        assert session.read() is None
        code, errors = session.finish()
    assert code == 77
    assert errors == "stdioguard: session ended: too many wrong or missing credentials\n"
    entries = session.records()
    assert [entry["rule"] for entry in entries if entry.get("verdict") == "refuse"] == ["identity"] * 5
    assert not any(entry.get("event") == "sandbox" for entry in entries)
    assert credential.rpartition(":")[2] not in json.dumps(entries)


def test_guesses_that_come_in_one_breath_with_the_right_one_end_the_launch_too(people: People) -> None:
    credential = people.add("alice", "tell:run")
    with Session(people) as session:
        guesses = ["sgc:alice:wrong"] * 5 + [credential]
        opening = [
            {**INITIALIZE, "id": number, "params": {**INITIALIZE["params"], "_meta": {TOKEN: guess}}}
            for number, guess in enumerate(guesses)
        ]
        session.write(b"".join(json.dumps(message).encode() + b"\n" for message in opening))
        answers = []
        while (answer := session.read()) is not None:
            answers.append(answer)
        assert [answer["error"]["code"] for answer in answers if "error" in answer][:5] == [-31001] * 5
        assert not any("result" in answer for answer in answers)
        assert session.finish()[0] == 77
    assert not any(entry.get("event") == "sandbox" for entry in session.records())


def test_a_client_that_never_proves_itself_makes_the_launch_end_with_77(people: People) -> None:
    people.add("alice", "tell:run")
    with Session(people) as session:
        assert session.begin()["error"] == UNIFORM
        code, errors = session.finish()
    assert code == 77
    assert "not authenticated" in errors
    assert len(errors.splitlines()) == 1


@pytest.mark.parametrize("way", ["file", "environment"])
def test_a_launch_with_a_wrong_token_says_so_once_and_ends_even_if_nobody_asks(people: People, way: str) -> None:
    people.add("alice", "tell:run")
    for ask in (False, True):
        started = time.monotonic()
        with Session(people, way=way, credential="sgc:alice:wrong") as session:
            if ask:
                session.write(INITIALIZE, {**INITIALIZE, "id": 2})
                assert (session.read() or {})["error"] == UNIFORM
            (line,) = session.stderr.read().decode().splitlines()  # type: ignore[union-attr]
            assert session.process.wait(10) == 77
            assert 'the client\'s token is not good for the server "teller"' in line
            assert time.monotonic() - started < 8
        assert not (people.home / "state" / "servers").exists()


# --- ends ---------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("way", "era"), [("file", "2025-11-25"), ("_meta", MODERN)])
@pytest.mark.parametrize("kind", ["secret", "token", "token itself"])
def test_a_revocation_takes_effect_in_a_running_session_and_touches_no_other(
    people: People, way: str, era: str, kind: str
) -> None:
    alice, bob = people.add("alice", "tell:run"), people.add("bob", "tell:run")
    if kind != "secret":
        alice, bob = people.token("alice", server=SERVER), people.token("bob", server=SERVER)
    with Session(people, era=era, way=way, credential=alice) as session, Session(people, way="file", credential=bob) as other:
        for one in (session, other):
            assert "result" in one.begin()
            assert one.has("run")
        if kind == "token itself":
            people.revoke_token(alice)
        else:
            people.revoke("alice")
        assert within(1.0, lambda: not session.has("run"))
        for _ in range(3):
            assert not session.has("heard")
            assert other.has("run")
        assert session.process.poll() is None


def test_an_answer_that_was_under_way_is_kept_from_a_client_that_was_revoked(people: People) -> None:
    alice, bob = people.add("alice", "tell:run"), people.add("bob", "tell:run")
    with Session(people, way="file", credential=alice) as session, Session(people, way="file", credential=bob) as other:
        slow = {
            "jsonrpc": "2.0",
            "id": 7,
            "method": "tools/call",
            "params": {"name": "run", "arguments": {"code": "import time; time.sleep(1.5); found = 'late'"}},
        }
        for one in (session, other):
            assert "result" in one.begin()
            one.write(slow)
        time.sleep(0.1)
        people.revoke("alice")
        answer = session.read()
        assert answer is not None
        assert answer["id"] == 7
        assert answer["error"]["code"] == -31001
        assert "late" in json.dumps(other.read())


def test_a_secret_that_was_replaced_is_good_for_its_grace_and_the_new_one_takes_over(people: People) -> None:
    alice = people.add("alice", "tell:run")
    with Session(people, way="file", credential=alice) as session:
        assert "result" in session.begin()
        people.clock.wall = time.time()
        fresh = people.rotate("alice", grace=1.5)
        assert session.has("run")
        assert within(2.5, lambda: not session.has("run"))
        assert time.time() >= people.clock.wall + 1.5
        people.token_file(fresh, session.token_file)
        assert within(1.0, lambda: session.has("run"))


def test_a_session_that_has_expired_goes_on_once_there_is_a_fresh_token_in_the_file(people: People) -> None:
    people.add("alice", "tell:run")
    with contextlib.ExitStack() as sessions:
        running = []
        for era in ("2025-11-25", MODERN):
            people.clock.wall = time.time()
            token = people.token("alice", server=SERVER, ttl=6)
            session = sessions.enter_context(Session(people, era=era, way="file", credential=token))
            assert "result" in session.begin()
            running.append(session)
        for session in running:
            assert within(9.0, lambda session=session: not session.has("run"))
            for useless in ("", "sgc:alice:wrong", people.token("alice", server="other"), people.add("bob", "tell:run")):
                people.token_file(useless, session.token_file)
            time.sleep(0.6)
            assert not session.has("run")
            people.clock.wall = time.time()
            people.token_file(people.token("alice", server=SERVER), session.token_file)
            assert within(1.0, lambda session=session: session.has("run"))
            assert session.process.poll() is None


@pytest.mark.parametrize("era", ["2025-11-25", MODERN])
def test_a_running_session_is_renewed_by_a_token_in_a_request_once_the_guard_has_confined_itself(
    people: People, era: str
) -> None:
    """The libraries for tokens are loaded only then, by a process that may start nothing and change next to nothing."""
    alice = people.add("alice", "tell:run", "tell:secret")
    with Session(people, era=era, way="_meta", credential=alice) as session:
        assert "result" in session.begin()
        token = people.token("alice", "tell:run", server=SERVER)
        for wrong in (people.token("alice", server="other"), token[:-8] + "AAAAAAAA"):
            assert session.tell("run", _meta={TOKEN: wrong})["error"] == UNIFORM
        assert "result" in session.tell("run", _meta={TOKEN: token})
        assert session.tell("secret_tool", _meta={TOKEN: token})["error"] == UNKNOWN
        people.revoke_token(token)
        assert within(1.0, lambda: "error" in session.tell("run", _meta={TOKEN: token}))
        assert "result" in session.tell("secret_tool", _meta={TOKEN: alice})


def test_a_token_file_that_is_replaced_by_something_else_is_not_read(people: People) -> None:
    with Session(people, way="file", credential=people.add("alice", "tell:run")) as session:
        assert "result" in session.begin()
        fresh = people.rotate("alice", grace=0)
        assert within(1.0, lambda: not session.has("run"))
        for how in ("readable by others", "a link", "a folder", "a pipe", "gone", "right"):
            made = people.token_file(fresh, people.home / f"fresh-{how}")
            session.token_file.rmdir() if session.token_file.is_dir() else session.token_file.unlink(missing_ok=True)
            if how == "readable by others":
                made.chmod(0o644)
                made.rename(session.token_file)
            elif how == "a link":
                session.token_file.symlink_to(made)
            elif how == "a folder":
                session.token_file.mkdir()
            elif how == "a pipe":
                os.mkfifo(session.token_file, 0o600)
            elif how == "right":
                made.rename(session.token_file)
            assert within(0.8, lambda: session.has("run")) is (how == "right"), how
            assert session.process.poll() is None


def test_a_change_of_scopes_reaches_a_running_session_which_is_told(people: People) -> None:
    alice = people.add("alice", "tell:run")
    with Session(people, way="file", credential=alice) as session:
        assert "result" in session.begin()
        assert session.tell("secret_tool")["error"] == UNKNOWN
        people.change("alice", scopes=["tell:secret"])
        assert (session.read(2) or {})["method"] == "notifications/tools/list_changed"
        assert "result" in session.tell("secret_tool")
        assert session.tell("run")["error"] == {"code": -32602, "message": "Unknown tool: run"}
        assert [tool["name"] for tool in session.ask("tools/list")["result"]["tools"]] == ["heard", "secret_tool"]


def test_a_server_that_chatters_does_not_keep_a_change_from_being_told(people: People) -> None:
    alice = people.add("alice", "tell:run")
    chatter = "import os, threading, time\ndef go():\n while True:\n  os.write(2, b'x\\n'); time.sleep(0.02)\nthreading.Thread(target=go, daemon=True).start()"
    with Session(people, way="file", credential=alice) as session:
        assert "result" in session.begin()
        session.run(chatter)
        people.change("alice", scopes=["tell:secret"])
        assert (session.read(3) or {})["method"] == "notifications/tools/list_changed"


# --- the token file ----------------------------------------------------------------------------------------------------------------------


def _open(path: Path) -> None:
    path.chmod(0o644)


def _group(path: Path) -> None:
    path.chmod(0o620)


def _in_a_folder_of_everybodys(path: Path) -> None:
    path.parent.chmod(0o777)


def _in_a_groups_folder(path: Path) -> None:
    os.chown(path.parent, -1, 7)
    path.parent.chmod(0o770)


def _anothers(path: Path) -> None:
    os.chown(path, NOBODY, NOBODY)


def _in_anothers_folder(path: Path) -> None:
    os.chown(path.parent, NOBODY, NOBODY)


SPOILED: dict[str, tuple[Callable[[Path], object], str]] = {
    "readable by others": (_open, "chmod 600 {file}"),
    "writable by its group": (_group, "chmod"),
    "in a folder that everybody may write": (_in_a_folder_of_everybodys, "chmod"),
    "missing": (lambda path: path.unlink(), "cannot be read"),
    "a folder": (lambda path: (path.unlink(), path.mkdir(0o700)), "token file"),
    "a pipe": (lambda path: (path.unlink(), os.mkfifo(path, 0o600)), "token file"),
}
if os.geteuid() == 0:
    SPOILED |= {
        "another user's": (_anothers, "chown"),
        "in another user's folder": (_in_anothers_folder, "{folder}"),
        "in a folder that a group may write": (_in_a_groups_folder, "chmod"),
    }


@pytest.mark.parametrize("how", SPOILED)
def test_a_token_file_that_others_could_read_or_change_is_refused_with_what_mends_it(people: People, how: str) -> None:
    alice = people.add("alice", "tell:run")
    folder = people.home / "tokens"
    folder.mkdir(0o700)
    path = people.token_file(alice, folder / "alice.token")
    spoil, said = SPOILED[how]
    with Session(people, options=("--token-file", str(path))) as session:  # the twin
        assert "result" in session.begin()
    spoil(path)
    with Session(people, options=("--token-file", str(path))) as session:
        code, errors = session.finish()
    assert code == 77
    (line,) = errors.splitlines()
    assert line.startswith("stdioguard: ")
    assert said.format(file=path, folder=folder) in line
    assert "Traceback" not in line
    assert alice.rpartition(":")[2] not in line


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "\0",
        "x" * 100_000,
        "sgc:alice:",
        "{secret}\n\n",
        "{secret}\n{secret}\n",
        " {secret}",
        "\ufeff{secret}",
        "token = {secret}",
    ],
)
def test_a_token_file_holds_one_credential_and_nothing_else(people: People, text: str) -> None:
    alice = people.add("alice", "tell:run")
    path = people.token_file(alice)
    path.write_text(text.format(secret=alice))
    with Session(people, options=("--token-file", str(path))) as session:
        assert session.begin()["error"] == UNIFORM
        code, errors = session.finish()
    assert code == 77
    assert len(errors.splitlines()) == 1
    assert alice.rpartition(":")[2] not in errors


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_token_file_may_end_as_editors_end_files(people: People, end: str) -> None:
    path = people.token_file(people.add("alice", "tell:run"))
    path.write_bytes(path.read_bytes().rstrip(b"\n") + end.encode())
    with Session(people, options=("--token-file", str(path))) as session:
        assert "result" in session.begin()


def test_a_token_file_by_a_link_is_refused_or_renewed_as_the_file_is(people: People) -> None:
    real = people.token_file(people.add("alice", "tell:run"), people.home / "real")
    link = people.home / "link"
    link.symlink_to(real)
    with Session(people, options=("--token-file", str(link))) as session:
        answer = session.begin()
        if "error" in answer:
            assert session.finish()[0] == 77
            return
        people.token_file(people.rotate("alice", grace=0), real)
        time.sleep(0.6)
        assert within(1.0, lambda: session.has("run")), "the link was followed at the launch and not later"


# --- which client ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["file", "environment", "_meta"])
def test_with_a_client_named_on_the_command_line_no_other_is_accepted(people: People, way: str) -> None:
    alice, bob = people.add("alice", "tell:run"), people.add("bob", "tell:run")
    for credential, let_in in ((bob, False), (alice, True)):
        with Session(people, way=way, credential=credential, options=("--client", "alice")) as session:
            answer = session.begin()
            assert ("result" in answer) is let_in
            if not let_in:
                assert answer["error"] == UNIFORM
                assert session.children() == []


def test_the_launchs_client_cannot_be_another_in_its_messages(people: People) -> None:
    alice, bob = people.add("alice", "tell:run"), people.add("bob", "tell:secret")
    with Session(people, way="file", credential=alice) as session:
        session.way, session.credential = "_meta", bob
        assert session.begin()["error"] == UNIFORM
        assert session.children() == []
        session.credential = alice
        assert "result" in session.begin()


# --- when identity is on ---------------------------------------------------------------------------------------------------------------------


def test_without_a_client_nothing_is_asked_and_a_token_is_taken_away_all_the_same(people: People) -> None:
    with Session(people, extra_env={"STDIOGUARD_TOKEN": "sgc:alice:something-secret"}) as session:
        assert "result" in session.begin()
        assert "STDIOGUARD_TOKEN" not in session.heard()["environment"]
        try:
            shown = Path(f"/proc/{session.process.pid}/environ").read_text()
        except PermissionError:
            assert os.geteuid()  # to an ordinary user nothing of it is shown at all
        else:
            assert "something-secret" not in shown


@pytest.mark.parametrize(
    ("how", "is_asked"),
    [
        ("registered", True),
        ("revoked", True),
        ("expired", True),
        ("of another server", False),
        ("damaged", True),
        ("an open register", True),
        ("a register that is a file", True),
    ],
)
def test_a_proof_is_asked_for_once_a_client_is_registered_whatever_has_become_of_it(
    people: People, how: str, is_asked: bool
) -> None:
    register = people.home / "config" / "clients"
    people.add(
        "alice", "tell:run", servers=("other",) if how == "of another server" else (), expires=-10 if how == "expired" else None
    )
    if how == "revoked":
        people.revoke("alice")
    if how == "damaged":
        (register / "alice.json").write_text("{")
    if how == "an open register":
        (register / "alice.json").unlink()
        register.chmod(0o777)
    if how == "a register that is a file":
        shutil.rmtree(register)
        register.write_text("")
    with Session(people) as session:
        answer = session.begin()
        assert (answer.get("error") == UNIFORM) is is_asked
        if is_asked:
            assert session.children() == []


@pytest.mark.parametrize(("said", "credential", "let_in"), [
    ("off", None, True), ("off", "wrong", True), ("optional", None, True), ("optional", "wrong", False), ("optional", "good", True),
    ("required", None, False), ("required", "wrong", False), ("required", "good", True),
])  # fmt: skip
def test_the_profile_says_whether_a_proof_is_required(people: People, said: str, credential: str | None, let_in: bool) -> None:
    alice = people.add("alice", "tell:run")
    presented = {"good": alice, "wrong": "sgc:alice:wrong", None: None}[credential]
    with Session(people, way="_meta" if presented else "none", credential=presented, client=said) as session:
        assert ("result" in session.begin()) is let_in
        if let_in:
            assert "result" in session.tell("heard")
            assert ("result" in session.tell("run", arguments={"code": "found = 1"})) is (said == "off" or credential == "good")


@pytest.mark.parametrize("option", ["--client", "--token-file"])
def test_the_command_line_turns_on_what_the_profile_turns_off(people: People, option: str) -> None:
    alice = people.add("alice", "tell:run")
    bad = people.token_file("sgc:alice:wrong")
    with Session(people, client="off", options=(option, "alice" if option == "--client" else str(bad))) as session:
        assert session.begin()["error"] == UNIFORM
    with Session(people, client="off", way="_meta", credential=alice, options=("--client", "alice")) as session:
        assert "result" in session.begin()


# --- guesses ----------------------------------------------------------------------------------------------------------------------------------


def test_wrong_launches_cost_a_second_each_after_the_fifth_and_good_ones_nothing(people: People) -> None:
    alice = people.add("alice", "tell:run")
    (people.home / "p.toml").write_text(PROFILE.format(server="false", client=""))
    command = [
        sys.executable,
        "-P",
        "-m",
        "stdioguard",
        "run",
        "--profile",
        str(people.home / "p.toml"),
        "--",
        sys.executable,
        "-c",
        "",
    ]
    environment = {**os.environ, "STDIOGUARD_HOME": str(people.home), "STDIOGUARD_TOKEN": "sgc:alice:wrong"}
    took = []
    for _ in range(7):
        started = time.monotonic()
        done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=30)
        took.append(time.monotonic() - started)
        assert done.returncode == 77
    assert min(took[5:]) >= 1.0
    # A good one does not even wait for the lock that guesses wait for.
    with (people.home / "state" / "identity" / "failures").open("r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with Session(people, way="environment", credential=alice) as session:
            assert "result" in session.begin()
            assert session.has("run")


def test_where_failures_cannot_be_counted_a_wrong_credential_waits_and_a_good_one_does_not(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = people.add("alice", "tell:run")
    state = people.home / "state"
    state.mkdir(0o700)
    (state / "identity").write_text("not a folder")
    with Session(people, way="_meta", credential="sgc:alice:wrong") as session:
        for _ in range(2):
            started = time.monotonic()
            assert session.begin()["error"] == UNIFORM
            assert time.monotonic() - started >= throttle.DELAY
        session.credential = alice
        assert "result" in session.begin()
        assert session.has("run")
        # The same once the guard has confined itself.
        started = time.monotonic()
        assert session.tell("run", _meta={TOKEN: "sgc:alice:wrong"})["error"] == UNIFORM
        assert time.monotonic() - started >= throttle.DELAY
        assert session.has("run")


def test_failures_in_a_session_that_runs_are_counted_for_the_next_one(people: People) -> None:
    alice = people.add("alice", "tell:run")
    with Session(people, way="_meta", credential=alice) as session:
        assert "result" in session.begin()
        for number in range(1, 4):
            assert session.tell("run", _meta={TOKEN: "sgc:alice:wrong"})["error"] == UNIFORM
            assert len((people.home / "state" / "identity" / "failures").read_text().split()) == number


# --- the guard to the server --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("era", ["2024-11-05", "2025-11-25", MODERN])
@pytest.mark.parametrize("identity", [True, False])
def test_the_guard_proves_itself_to_the_server_with_a_secret_of_this_launch(people: People, era: str, identity: bool) -> None:
    alice = people.add("alice", "tell:run") if identity else None
    seen = set()
    for _ in range(2):
        with Session(people, era=era, way="_meta" if identity else "none", credential=alice, server=True) as session:
            assert "result" in session.begin()
            found = session.heard(_meta={TOKEN: alice or "sgc:mallory:own"})
            stopped = session.finish()
        secret = found["environment"]["MCP_SHARED_SECRET"]
        assert len(bytes.fromhex(secret)) == 32
        seen.add(secret)
        requests = [message for message in found["heard"] if "id" in message]
        for message in requests:
            presented = message["params"].get("_meta", {}).get(TOKEN)
            assert presented == (secret if era == MODERN or message["method"] == "initialize" else None)
        if era != MODERN:
            assert requests[0]["params"]["clientInfo"]["secret"] == secret
        assert "sgc:" not in json.dumps(found["heard"])
        for path in (people.home / "state" / "records").glob("*"):
            assert secret not in path.read_text()
        assert secret not in stopped[1]
    assert len(seen) == 2


@pytest.mark.parametrize("identity", [True, False])
def test_a_client_cannot_present_a_secret_to_the_server(people: People, identity: bool) -> None:
    alice = people.add("alice", "tell:run") if identity else None
    for server in (False, True):
        with Session(people, way="file" if identity else "none", credential=alice, server=server) as session:
            info = {**INITIALIZE["params"]["clientInfo"], "secret": alice or "own-secret", "Secret2": "own-secret"}
            session.ask("initialize", **{**INITIALIZE["params"], "clientInfo": info, "_meta": {TOKEN: alice or "own-secret"}})
            session.write(READY)
            heard = session.heard(_meta={TOKEN: alice or "own-secret"})
        assert "own-secret" not in json.dumps(heard)
        assert "sgc:" not in json.dumps(heard)
        assert ("MCP_SHARED_SECRET" in heard["environment"]) is server


def test_the_secret_is_not_what_the_clients_environment_says(people: People) -> None:
    for server in (False, True):
        with Session(people, server=server, extra_env={"MCP_SHARED_SECRET": "known-to-the-client"}) as session:
            assert "result" in session.begin()
            assert "known-to-the-client" not in json.dumps(session.tell("heard"))


# --- what it costs, and for whom ---------------------------------------------------------------------------------------------------------------------


def test_a_launch_with_a_clients_secret_loads_neither_cryptography_nor_what_commands_need(people: People) -> None:
    script = (
        "import sys\nfrom stdioguard.cli.run import main\ncode = main(sys.argv[1:])\n"
        "import os\nos.write(2, ('MODULES ' + ' '.join(sorted(sys.modules)) + '\\n').encode())\nsys.exit(code)\n"
    )
    credential = people.add("alice", "tell:run")
    loaded: list[set[str]] = []
    for presented in (credential, credential, people.token("alice", server=SERVER)):  # the first launch compiles the profile
        with Session(people, way="file", credential=presented, guard=[sys.executable, "-I", "-c", script]) as session:
            assert "result" in session.begin()
            _, errors = session.finish()
        (line,) = [line for line in errors.splitlines() if line.startswith("MODULES ")]
        loaded.append(set(line.split()))
    heavy = {
        "jwt",
        "cryptography",
        "hashlib",
        "psutil",
        "typing",
        "dataclasses",
        "subprocess",
        "socket",
        "stdioguard.identity.register",
    }
    assert loaded[1] & heavy == set()
    assert {"jwt", "cryptography"} <= loaded[2]  # the control


@pytest.fixture(scope="module")
def python_of_an_ordinary_user() -> Iterator[str]:
    if os.geteuid() != 0:
        pytest.skip("not run as root: every other test here already runs as an ordinary user")
    from tests.real.servers import Runtime
    from tests.real.test_ordinary_user import interpreter

    with tempfile.TemporaryDirectory(prefix="stdioguard-copies-") as made:
        copies = Path(made)
        copies.chmod(0o755)
        yield interpreter(Runtime(owner=NOBODY), copies)


@pytest.fixture
def ordinary_people() -> Iterator[People]:
    """A home of an ordinary user's, out of root's."""
    with tempfile.TemporaryDirectory(prefix="stdioguard-people-") as made:
        clock = Clock()
        clock.wall = time.time()
        yield People(Path(made), clock)


@pytest.mark.parametrize("way", ["file", "environment", "_meta"])
@pytest.mark.parametrize("kind", ["secret", "token"])
def test_an_ordinary_users_launches_are_the_same(
    ordinary_people: People, python_of_an_ordinary_user: str, way: str, kind: str
) -> None:
    people = ordinary_people
    alice = people.add("alice", "tell:run")
    credential = alice if kind == "secret" else people.token("alice", server=SERVER)
    (people.home / "teller.py").write_text(TELLER)
    token_file = people.token_file(credential)
    (people.home / "p.toml").write_text(PROFILE.format(server="false", client=""))

    def give(user: int) -> None:
        for folder, _, files in os.walk(people.home):
            os.chown(folder, user, user)
            for file in files:
                os.chown(f"{folder}/{file}", user, user)

    python = python_of_an_ordinary_user
    user = ["setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups", "--", "env", "-C", str(people.home)]
    options = ["--token-file", str(token_file)] if way == "file" else []
    command = [
        *user,
        python,
        "-P",
        "-m",
        "stdioguard",
        "run",
        "--profile",
        str(people.home / "p.toml"),
        *options,
        "--",
        python,
        str(people.home / "teller.py"),
    ]
    environment = {**os.environ, "STDIOGUARD_HOME": str(people.home), "HOME": str(people.home)}
    opening = {**INITIALIZE, "params": {**INITIALIZE["params"], **({"_meta": {TOKEN: credential}} if way == "_meta" else {})}}
    run = {
        "jsonrpc": "2.0",
        "id": 2,
        "method": "tools/call",
        "params": {"name": "run", "arguments": {"code": "import os; found = os.getuid()"}},
    }
    lines = b"".join(json.dumps(message).encode() + b"\n" for message in (opening, READY, run))
    if way == "environment":
        environment["STDIOGUARD_TOKEN"] = credential
    give(NOBODY)
    done = subprocess.run(command, input=lines, env=environment, capture_output=True, timeout=60)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, done.stderr
    assert [answer["result"].get("structuredContent") for answer in answers if answer.get("id") == 2] == [{"found": NOBODY}]
    (record,) = (people.home / "state" / "records").glob("*.jsonl")
    sandbox = [json.loads(line) for line in record.read_text().splitlines() if '"event":"sandbox"' in line]
    assert sandbox[0]["configuration"] == "namespaces"
    give(0)
    people.revoke("alice")
    give(NOBODY)
    done = subprocess.run(command, input=lines, env=environment, capture_output=True, timeout=60)
    assert json.loads(done.stdout.splitlines()[0])["error"] == UNIFORM
    assert done.returncode == 77
