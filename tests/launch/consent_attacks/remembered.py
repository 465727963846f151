"""What a person wanted remembered holds for calls like the one they saw, for this client, server and tool, until it ends: no further."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from stdioguard.approval import grants, queue
from tests.launch.consent_attacks.signatures import set_passphrase, signed
from tests.launch.consent_attacks.stage import HANDSHAKE, Json, Stage, Talk, attack, no, put, waiting, yes

ANY: Json = {"a": {"any": True}}


def grant(stage: Stage, talk: Talk, arguments: Json, constraints: Json, **more: Any) -> None:
    """Have a person decide a call for longer; it is made while nobody is there."""
    stage.refused(talk.answer(talk.call(arguments)))
    assert yes(waiting(arguments), constraints=constraints, **{"scope": "always", **more})


def kept() -> Path:
    """Return the file of the only grant there is."""
    (found,) = grants.listed()
    return Path(grants.folder()) / f"{found.id}.json"


def files(stage: Stage) -> Path:
    """Make a folder `data` with a file, a link out of it, and a neighbour whose name begins in the same way."""
    root = stage.home.resolve() / "files"
    for folder in ("data", "database", "secret"):
        (root / folder).mkdir(parents=True)
        (root / folder / "x").write_text(folder)
    (root / "data" / "link").symlink_to(root / "secret")
    return root


OUTSIDE: dict[str, Callable[[Path], Any]] = {
    "by two dots": lambda root: f"{root}/data/../secret/x",
    "by two dots behind a folder that is not there": lambda root: f"{root}/data/none/../../secret/x",
    "by a link": lambda root: f"{root}/data/link/x",
    "by a link and two dots": lambda root: f"{root}/data/link/../secret/x",
    "by a name that begins in the same way": lambda root: f"{root}/database/x",
    "by the folder's parent": str,
    "by a path from where the server is": lambda root: os.path.relpath(f"{root}/data/x"),
    "by a home folder": lambda _: "~/x",
    "by a variable": lambda root: f"{root}/data/$HOME/x",
    "by a URL": lambda root: f"file://{root}/data/x",
    "by percent signs": lambda root: f"{root}/data/%2e%2e/secret/x",
    "by backslashes": lambda root: f"{root}/data/..\\..\\secret\\x",
    "by a second line": lambda root: f"{root}/data/x\n{root}/secret/x",
    "by a NUL": lambda root: f"{root}/data/x\0/../../secret/x",
    "by a list": lambda root: [f"{root}/data/x"],
    "by a number": lambda _: 1,
    "by nothing": lambda _: None,
    "by an empty text": lambda _: "",
}


def _leave(name: str, path: Callable[[Path], Any]) -> None:
    @attack(f"a grant for a folder is left {name}", must="is asked about", twin="a file inside is not")
    def play(stage: Stage) -> None:
        root, talk = files(stage), stage.open()
        grant(stage, talk, {"a": f"{root}/data/x"}, {"a": {"inside": f"{root}/data"}})
        stage.runs(talk.answer(talk.call({"a": f"{root}/data/x"})))
        stage.refused(talk.answer(talk.call({"a": path(root)})))
        stage.runs(talk.answer(talk.call({"a": f"{root}/data/new"})))


for _name, _path in OUTSIDE.items():
    _leave(_name, _path)


@attack(
    "a folder that was granted is replaced by a link to another", must="is asked about", twin="before that a file in it was not"
)
def _(stage: Stage) -> None:
    root, talk = files(stage), stage.open()
    (root / "data" / "sub").mkdir()
    grant(stage, talk, {"a": f"{root}/data/x"}, {"a": {"inside": f"{root}/data"}})
    stage.runs(talk.answer(talk.call({"a": f"{root}/data/sub/x"})))
    (root / "data" / "sub").rmdir()
    (root / "data" / "sub").symlink_to(root / "secret")
    stage.refused(talk.answer(talk.call({"a": f"{root}/data/sub/x"})))


@attack(
    "the granted folder itself is replaced by a link to another", must="is asked about", twin="before that a file in it was not"
)
def _(stage: Stage) -> None:
    root, talk = files(stage), stage.open()
    grant(stage, talk, {"a": f"{root}/data/x"}, {"a": {"inside": f"{root}/data"}})
    stage.runs(talk.answer(talk.call({"a": f"{root}/data/new"})))
    (root / "data").rename(root / "moved")
    (root / "data").symlink_to(root / "secret")
    stage.refused(talk.answer(talk.call({"a": f"{root}/data/x"})))


@attack(
    "a link to a folder, by which it was granted, is turned to another folder",
    must="is asked about",
    twin="before that it was not",
)
def _(stage: Stage) -> None:
    root, talk = files(stage), stage.open()
    (root / "notes").symlink_to(root / "data")
    grant(stage, talk, {"a": f"{root}/notes/x"}, {"a": {"inside": f"{root}/notes"}})
    stage.runs(talk.answer(talk.call({"a": f"{root}/notes/new"})))
    stage.runs(talk.answer(talk.call({"a": f"{root}/data/new"})))
    (root / "notes").unlink()
    (root / "notes").symlink_to(root / "secret")
    stage.refused(talk.answer(talk.call({"a": f"{root}/notes/x"})))


STRETCHED: dict[str, tuple[Json, Json, Json]] = {
    "1.0 for 1": ({"a": 1}, {"a": {"equals": 1}}, {"a": 1.0}),
    "true for 1": ({"a": 1}, {"a": {"equals": 1}}, {"a": True}),
    "another normal form": ({"a": "\u00e9"}, {"a": {"equals": "\u00e9"}}, {"a": "e\u0301"}),
    "an argument that nobody saw": ({"a": 1}, ANY, {"a": 1, "force": True}),
    "an argument less": ({"a": 1, "b": 2}, {"a": {"any": True}, "b": {"any": True}}, {"a": 1}),
    "an argument under another name": ({"a": 1}, ANY, {"A": 1}),
    "a change deep within": ({"a": {"b": [1]}}, {"a": {"equals": {"b": [1]}}}, {"a": {"b": [1, 2]}}),
}


def _stretch(name: str, first: Json, constraints: Json, other: Json) -> None:
    @attack(f"a grant is stretched by {name}", must="is asked about", twin="the call that was granted is not")
    def play(stage: Stage) -> None:
        talk = stage.open()
        grant(stage, talk, first, constraints)
        stage.refused(talk.answer(talk.call(other)))
        stage.runs(talk.answer(talk.call(first)))
        stage.runs(talk.answer(talk.call(first)))


for _name, _row in STRETCHED.items():
    _stretch(_name, *_row)


@attack("a grant is used after it has run out", must="is asked about", twin="in time it runs")
def _(stage: Stage) -> None:
    talk = stage.open()
    until = time.time() + 2.5
    grant(stage, talk, {"a": 1}, ANY, scope="until", until=until)
    stage.runs(talk.answer(talk.call({"a": 2})))
    time.sleep(max(0.0, until - time.time()) + 0.1)
    stage.refused(talk.answer(talk.call({"a": 3})))


@attack("a grant is used after it was revoked", must="is asked about, in the session that runs", twin="before that it ran")
def _(stage: Stage) -> None:
    talk = stage.open()
    grant(stage, talk, {"a": 1}, ANY)
    stage.runs(talk.answer(talk.call({"a": 2})))
    revoke = [sys.executable, "-P", "-m", "stdioguard", "grants", "revoke", kept().stem]
    assert subprocess.run(revoke, capture_output=True).returncode == 0
    stage.refused(talk.answer(talk.call({"a": 3})))


@attack("a grant for one tool is used for another", must="is asked about", twin="its own tool is not")
def _(stage: Stage) -> None:
    talk = stage.open()
    grant(stage, talk, {"a": 1}, ANY)
    stage.refused(talk.answer(talk.call({"a": 2}, "other")))
    stage.runs(talk.answer(talk.call({"a": 2})))


@attack("a tool is another than the one that was granted", must="is asked about", twin="as it was it is not")
def _(stage: Stage) -> None:
    talk = stage.open()
    grant(stage, talk, {"a": 1}, ANY)
    stage.runs(talk.answer(talk.call({"a": 2})))
    talk.answer(talk.call({}, "flip"))
    talk.list()
    stage.refused(talk.answer(talk.call({"a": 2})))


@attack("a grant for one server is used by another of the same tools", must="is asked about", twin="its own server is not")
def _(stage: Stage) -> None:
    talk = stage.open(name="one")
    grant(stage, talk, {"a": 1}, ANY)
    stage.runs(talk.answer(talk.call({"a": 2})))
    other = stage.open(name="two")
    stage.refused(other.answer(other.call({"a": 2})))


@attack(
    "the server is started with another profile than the one that was granted",
    must="is asked about",
    twin="with the same it is not",
)
def _(stage: Stage) -> None:
    talk = stage.open()
    grant(stage, talk, {"a": 1}, ANY)
    stage.runs(talk.answer(talk.call({"a": 2})))
    same = stage.open()
    stage.runs(same.answer(same.call({"a": 2})))
    other = stage.open(rest="[sandbox]\nprocesses = 65\n")
    stage.refused(other.answer(other.call({"a": 2})))


@attack("a grant for a session is used in the next one", must="is asked about", twin="in its session it is not")
def _(stage: Stage) -> None:
    talk = stage.open()
    grant(stage, talk, {"a": 1}, ANY, scope="session")
    stage.runs(talk.answer(talk.call({"a": 2})))
    stage.check(grants.listed() == [])
    other = stage.open()
    stage.refused(other.answer(other.call({"a": 2})))


@attack("a grant for a session is used after it was revoked", must="is asked about, in that session", twin="before that it ran")
def _(stage: Stage) -> None:
    talk = stage.open()
    grant(stage, talk, {"a": 1}, ANY, scope="session")
    stage.runs(talk.answer(talk.call({"a": 2})))
    (noted,) = grants.remembered()
    assert noted.scope == "session"
    path = Path(queue.folder()) / f"{noted.id}.grant.json"
    written = path.read_bytes()
    revoke = [sys.executable, "-P", "-m", "stdioguard", "grants", "revoke", noted.id]
    assert subprocess.run(revoke, capture_output=True).returncode == 0
    put(path, written)  # a note grants nothing: what it is about has ended with the one that the guard wrote
    stage.refused(talk.answer(talk.call({"a": 3})))


@attack(
    "a note says what a session remembers", must="is asked about, whatever the note says", twin="what the person granted runs"
)
def _(stage: Stage) -> None:
    talk = stage.open()
    grant(stage, talk, {"a": 1}, {"a": {"equals": 1}}, scope="session")
    stage.runs(talk.answer(talk.call({"a": 1})))
    (noted,) = grants.remembered()
    path = Path(queue.folder()) / f"{noted.id}.grant.json"
    path.write_text(path.read_text().replace('{"equals":1}', '{"any":true}'))
    put(path.with_name("aaaaaaaa.grant.json"), path.read_text().replace(noted.id, "aaaaaaaa"))
    stage.check(len(grants.remembered()) == 2)
    stage.refused(talk.answer(talk.call({"a": 2})))


@attack("a grant for plain calls is used for one as a task", must="is asked about", twin="a plain call is not", eras=(HANDSHAKE,))
def _(stage: Stage) -> None:
    talk = stage.open(rest="tasks = true\n")
    grant(stage, talk, {"a": 1}, ANY)
    stage.refused(talk.answer(talk.call({"a": 2}, task={"ttl": 60000})))
    stage.runs(talk.answer(talk.call({"a": 2})))


@attack(
    "what was denied for always is covered by a wider grant",
    must="stays denied, whichever came first and for however long",
    twin="what was not denied runs",
)
def _(stage: Stage) -> None:
    talk = stage.open()
    stage.refused(talk.answer(talk.call({"a": "/etc/passwd"})))
    assert no(waiting({"a": "/etc/passwd"}), scope="always", constraints={"a": {"equals": "/etc/passwd"}})
    grant(stage, talk, {"a": "x"}, ANY)
    grant(stage, talk, {"b": "x"}, {"b": {"any": True}}, scope="session")
    stage.runs(talk.answer(talk.call({"a": "y"})))
    assert "a person has decided so" in stage.refused(talk.answer(talk.call({"a": "/etc/passwd"})))
    stage.refused(talk.answer(talk.call({"c": 1})))
    assert yes(waiting({"c": 1}), scope="session", constraints={"c": {"any": True}})
    stage.runs(talk.answer(talk.call({"c": 2})))
    plant_denial(talk)
    stage.refused(talk.answer(talk.call({"c": 2})))
    stage.runs(talk.answer(talk.call({"c": 3})))


SPELLED: dict[str, Callable[[Path], Json]] = {
    "by two slashes": lambda root: {"a": f"{root}//secret/x"},
    "by a dot": lambda root: {"a": f"{root}/./secret/x"},
    "by two dots": lambda root: {"a": f"{root}/data/../secret/x"},
    "by a link": lambda root: {"a": f"{root}/data/link/x"},
    "by a path from where the server is": lambda root: {"a": os.path.relpath(f"{root}/secret/x")},
    "by percent signs": lambda root: {"a": f"{root}/%73ecret/x"},
}


def _spell(name: str, spelled: Callable[[Path], Json]) -> None:
    @attack(
        f"what was denied for always, beside a wider grant, is spelled otherwise {name}",
        must="is asked about",
        twin="what was not denied runs",
    )
    def play(stage: Stage) -> None:
        root, talk = files(stage), stage.open()
        denied: tuple[Json, ...] = ({"equals": f"{root}/secret/x"}, {"inside": f"{root}/secret"})
        for constraint in denied:
            stage.refused(talk.answer(talk.call({"a": f"{root}/secret/x"})))
            assert no(waiting({"a": f"{root}/secret/x"}), scope="always", constraints={"a": constraint})
            grant(stage, talk, {"a": "y"}, ANY)
            stage.refused(talk.answer(talk.call(spelled(root))))
            stage.runs(talk.answer(talk.call({"a": f"{root}/data/x"})))
            stage.runs(talk.answer(talk.call({"a": "plain words"})))
            for kept_one in grants.listed():
                grants.revoke(kept_one.id)


for _name, _spelling in SPELLED.items():
    _spell(_name, _spelling)


@attack(
    "what was denied for always, beside a wider grant, is called with an argument more",
    must="is asked about",
    twin="what was not runs",
)
def _(stage: Stage) -> None:
    talk = stage.open()
    stage.refused(talk.answer(talk.call({"a": "secret"})))
    assert no(waiting({"a": "secret"}), scope="always", constraints={"a": {"equals": "secret"}})
    grant(stage, talk, {"a": "x", "b": 1}, {"a": {"any": True}, "b": {"any": True}})
    stage.refused(talk.answer(talk.call({"a": "secret", "b": 1})))
    stage.runs(talk.answer(talk.call({"a": "other", "b": 1})))


def plant_denial(talk: Talk) -> None:
    """Have the person deny `c = 2` for always after a session's grant has covered it, as by the page's list of what ran."""
    (denial, *_) = grants.listed()
    id_ = queue.new_id()
    members = {**denial.members(), "id": id_, "approved": False, "constraints": {"c": {"equals": 2}}}
    put(Path(grants.folder()) / f"{id_}.json", members)


def _chown(path: Path, _: Json) -> None:
    os.chown(path, 65534, 65534)


def _behind_a_link(path: Path, _: Json) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def _as(**members: Any) -> Callable[[Path, Json], None]:
    return lambda path, found: put(path, {**found, **members})


FORGED: dict[str, Callable[[Path, Json], None]] = {
    "for another client": _as(client="somebody"),
    "for another server": _as(server="another"),
    "for another pin of the server": _as(server_pin="0" * 64),
    "for another pin of the tool": _as(tool_pin="0" * 64),
    "for no pin of the tool": _as(tool_pin=""),
    "for another risk": _as(risk="low"),
    "under another id": _as(id="aaaaaaaa"),
    "with 1 for true": _as(approved=1),
    "with a time that is over": _as(until=1),
    "with a time that is a text": _as(until="never"),
    "with constraints in a list": _as(constraints=[ANY]),
    "with a constraint that is a text": _as(constraints={"a": "any"}),
    "with an empty constraint": _as(constraints={"a": {}}),
    "with a constraint of two kinds": _as(constraints={"a": {"any": True, "equals": 1}}),
    "with 1 for any": _as(constraints={"a": {"any": 1}}),
    "that is cut off": lambda path, _: put(path, '{"id":'),
    "that others can read": lambda path, _: path.chmod(0o644),
    "that is behind a link": _behind_a_link,
    "that is a folder": lambda path, _: (path.unlink(), path.mkdir())[1],
    "that is a pipe": lambda path, _: (path.unlink(), os.mkfifo(path, 0o600))[1],
}
if os.geteuid() == 0:
    FORGED["that is another user's"] = _chown


def _forge(name: str, forge: Callable[[Path, Json], None]) -> None:
    @attack(f"a grant's file is one {name}", must="is asked about", twin="the file as the guard wrote it decides")
    def play(stage: Stage) -> None:
        talk = stage.open()
        grant(stage, talk, {"a": 1}, ANY)
        stage.runs(talk.answer(talk.call({"a": 2})))
        path = kept()
        found = grants.listed()[0].members()
        forge(path, found)
        stage.refused(talk.answer(talk.call({"a": 3})))


for _name, _forger in FORGED.items():
    _forge(_name, _forger)


@attack(
    "a tool that is asked about each time is to be remembered",
    must="neither a yes for always nor a planted grant is",
    twin="the call runs, once",
)
def _(stage: Stage) -> None:
    talk = stage.open(watched=True, more=", remember = false")
    call, question = talk.call({"a": 1}), waiting({"a": 1})
    assert yes(question, scope="always", constraints=ANY)
    stage.runs(talk.answer(call))
    stage.check(grants.listed() == [])
    plant(question, "normal")
    call = talk.call({"a": 1})
    stage.held(talk, call)


@attack("a grant for high risk is planted", must="is asked about", twin="what the person signs holds for the session")
def _(stage: Stage) -> None:
    setting = set_passphrase(stage)
    talk = stage.open(watched=True, risk="high")
    call, question = talk.call({"a": 1}), waiting({"a": 1})
    for risk in ("high", "normal"):
        plant(question, risk)
    other = talk.call({"a": 2})
    stage.held(talk, other)
    assert queue.decide(**signed(question, setting, scope="session", constraints=ANY))
    stage.runs(talk.answer(call))
    stage.runs(talk.answer(talk.call({"a": 3})))


@attack("a signed yes to high risk is for always", must="nothing is kept", twin="the call runs, once")
def _(stage: Stage) -> None:
    setting = set_passphrase(stage)
    talk = stage.open(watched=True, risk="high")
    for scope in ({"scope": "always"}, {"scope": "until", "until": time.time() + 3600}):
        call, question = talk.call({"a": 1}), waiting({"a": 1})
        assert queue.decide(**signed(question, setting, constraints=ANY, **scope))
        stage.runs(talk.answer(call))
        stage.check(grants.listed() == [])
    call = talk.call({"a": 1})
    stage.held(talk, call)


def plant(question: queue.Waiting, risk: str) -> None:
    """Write a grant that fits a question, as a program of this user can."""
    members = {name: question.members[name] for name in ("client", "server", "server_pin", "tool", "tool_pin")}
    id_ = queue.new_id()
    told = {"id": id_, "approved": True, "risk": risk, "constraints": ANY, "scope": "always", "until": None, "created": 1.0}
    put(Path(grants.folder()) / f"{id_}.json", {**members, **told, "channel": "terminal"})
