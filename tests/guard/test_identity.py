"""Who a client is, in every revision: each way a credential travels, each way it can be wrong, and what becomes of a client that is nobody.

A case spoils one thing; its honest twin is the same conversation without that. What was presented must be found nowhere afterwards:
neither in what reaches the server, nor in what reaches the client, nor on record.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from stdioguard.guard.asking import Decision
from stdioguard.guard.gates.identity import MAX_FAILURES
from stdioguard.guard.output import Output
from tests.identity.people import SERVER, Launched, People, parts
from tests.playbook import (
    HANDSHAKE,
    MIXED,
    MODERN,
    OPEN,
    REVISIONS,
    TOKEN,
    Playbook,
    call,
    envelope,
    error,
    notification,
    refusal,
    request,
    result,
)

UNIFORM = {"code": -31001, "message": "stdioguard: not authenticated", "data": {"code": -31001, "rule": "identity"}}
ELICITS = (*HANDSHAKE[2:], MODERN)
CONFIRMED = MIXED + "[capabilities]\nelicitation = true\n"
CLOSED = "a session that has been closed"


class Talk(Playbook):
    """A playbook that keeps every line and every record, and whether the session is over."""

    def _take(self, output: Output) -> None:
        self.__dict__.setdefault("lines", [])
        self.__dict__.setdefault("closes", None)
        self.lines += [*output.to_client, *output.to_server, *map(json.dumps, output.records)]
        self.closes = self.closes or output.closes
        super()._take(output)

    def let_in(self) -> bool:
        """Tell whether the last request reached the server, rather than being refused with the one error that there is."""
        to_server, to_client = self.all_to_server(), self.all_to_client()
        if any("method" in message for message in to_server):
            return True
        assert to_server == []
        (answer,) = to_client
        assert answer["error"] == UNIFORM
        assert self.records[-1]["rule"] == "identity" or CLOSED in self.records[-1]["detail"]
        return False

    def tells(self, credential: object) -> list[str]:
        """Return what of a credential is in some line or record."""
        if type(credential) is not str or len(credential) < 40:
            return []
        heard = "\n".join(self.lines)
        return [part for part in parts(credential) if part in heard]


class Two(People):
    """Alice and bob, with their secrets."""

    alice: str
    bob: str
    last: object = None

    def begin(self) -> None:
        """Register both anew."""
        self.alice = self.add("alice", "files:read", "files:write")
        self.bob = self.add("bob", "files:read")


@pytest.fixture
def people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[People]:
    """A register with two clients, alice and bob."""
    monkeypatch.setattr(os, "fsync", lambda _: None)  # nothing here outlives the test
    made = Two(tmp_path)
    with made.present():
        made.begin()
        yield made


# --- the table ------------------------------------------------------------------------------------------------------------------


def _nothing(_: People) -> None:
    pass


@dataclass(frozen=True)
class Case:
    """What is presented, made by `credential`, and what happens before that. The twin is `credential` without `spoil`, or `twin`."""

    name: str
    credential: Callable[[People], object]
    spoil: Callable[[People], object] = _nothing
    twin: Callable[[People], object] | None = None


def secret(people: Any) -> str:
    return str(people.alice)


def token(people: People) -> str:
    return people.token("alice")


def own_secret(people: Any) -> str:
    return secret(people).rpartition(":")[2]


def like(make: Callable[[str], object], of: Callable[[People], str] = secret) -> Callable[[People], object]:
    """Return what makes something out of a good credential."""
    return lambda people: make(of(people))


def secret_for(seconds: float) -> Callable[[People], str]:
    return lambda people: people.add("alice", "files:read", expires=seconds)


def later(seconds: float) -> Callable[[People], None]:
    return lambda people: people.clock.passes(seconds)


def replaced(grace: float) -> Callable[[People], object]:
    return lambda people: (people.rotate("alice", grace), people.clock.passes(60))


def anew(people: People) -> None:
    people.revoke("alice")
    people.add("alice", "files:read")


def unregistered(people: People) -> None:
    (people.home / "config" / "clients" / "alice.json").unlink()


def damaged(people: People) -> None:
    (people.home / "config" / "clients" / "alice.json").write_text("{}")


def open_to_others(people: People) -> None:
    (people.home / "config" / "clients" / "alice.json").chmod(0o644)


def tampered(text: str) -> str:
    head, payload, signature = text.split(".")
    return f"{head}.{payload}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}"


def unsigned(text: str) -> str:
    import base64

    head = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').decode().rstrip("=")
    return f"{head}.{text.split('.')[1]}."


def kept_hash(people: People) -> str:
    document = json.loads((people.home / "config" / "clients" / "alice.json").read_text())
    return f"sgc:alice:{document['secrets'][-1]['hash']}"


CASES = [
    # --- a client's secret
    Case("another secret in the client's name", like(lambda text: text[:-43] + "A" * 43)),
    Case("another client's secret in the client's name", lambda people: f"sgc:alice:{people.bob.rpartition(':')[2]}"),
    Case("another client's secret", lambda people: people.bob, twin=secret),
    Case("the secret in the name of another client", like(lambda text: text.replace("alice", "bob"))),
    Case("the secret in the name of a client that there is not", like(lambda text: text.replace("alice", "carol"))),
    Case("the secret of a client that has expired", secret_for(60), later(60)),
    Case("the secret of a client that has expired a moment ago", secret_for(60), later(60.001)),
    Case("the secret of a client that was revoked", secret, lambda people: people.revoke("alice")),
    Case("the secret of a client that was revoked and added anew", secret, anew),
    Case("the secret of a client that is registered no more", secret, unregistered),
    Case("the secret of a client whose entry is damaged", secret, damaged),
    Case("the secret of a client whose entry others can read", secret, open_to_others),
    Case(
        "the secret of a client of other servers", secret, lambda people: people.change("alice", servers=["other", SERVER + "x"])
    ),
    Case("a secret that was replaced, after its grace", secret, replaced(59)),
    Case("a secret that was replaced without grace", secret, replaced(0)),
    Case("a secret of the length of no secret", like(lambda text: text[:-1])),
    Case("a secret and a letter", like(lambda text: text + "A")),
    Case("a secret and a line feed", like(lambda text: text + "\n")),
    Case("a secret and a carriage return", like(lambda text: text + "\r")),
    Case("a line feed and a secret", like(lambda text: "\n" + text)),
    Case("a secret and a NUL", like(lambda text: text + "\0")),
    Case("a secret and a space", like(lambda text: text + " ")),
    Case("two secrets, a line each", like(lambda text: f"{text}\n{text}")),
    Case("a secret in capitals", like(str.upper)),
    Case("a secret with its prefix in capitals", like(lambda text: "SGC" + text[3:])),
    Case("a client's name in capitals", like(lambda text: text.replace("alice", "Alice"))),
    Case("a client's name with a letter that looks the same", like(lambda text: text.replace("alice", "\u0430lice"))),
    Case("a client's name with a zero-width space", like(lambda text: text.replace("alice", "alice\u200b"))),
    Case("a client's name that is a path", like(lambda text: text.replace("alice", "../clients/alice"))),
    Case("a client's name that ends in .json", like(lambda text: text.replace("alice", "alice.json"))),
    Case("a secret without its prefix", like(lambda text: text.removeprefix("sgc:"))),
    Case("a secret without a name", like(lambda text: text.replace("alice", ""))),
    Case("a secret alone", own_secret),
    Case("the name alone", lambda _: "alice", twin=secret),
    Case("the prefix alone", lambda _: "sgc:", twin=secret),
    Case("the prefix and the name alone", lambda _: "sgc:alice:", twin=secret),
    Case("an empty text", lambda _: "", twin=secret),
    Case("a secret and eight thousand letters", like(lambda text: text + "A" * 8192)),
    Case("a secret and a megabyte", like(lambda text: text + "A" * (1 << 20))),
    Case("null", lambda _: None, twin=secret),
    Case("true", lambda _: True, twin=secret),
    Case("a number", lambda _: 1, twin=secret),
    Case("a list with the secret", like(lambda text: [text]), twin=secret),
    Case("an object with the secret", like(lambda text: {"token": text}), twin=secret),
    Case("the hash that is kept", kept_hash, twin=secret),
    # --- a token of this machine; tests of tokens themselves are in tests/identity
    Case("a token with another signature", like(tampered, token), twin=token),
    Case("a token without a signature", like(unsigned, token), twin=token),
    Case("a token with half of a signature", like(lambda text: text[:-40], token), twin=token),
    Case("a token and a line feed", like(lambda text: text + "\n", token), twin=token),
    Case("a token for another server", lambda people: people.token("alice", server="other"), twin=token),
    Case("a token for a server of a longer name", lambda people: people.token("alice", server=SERVER + "x"), twin=token),
    Case("a token for the server in another case", lambda people: people.token("alice", server=SERVER.upper()), twin=token),
    Case("a token that has expired", lambda people: people.token("alice", ttl=60), later(60)),
    Case("a token that was revoked", token, lambda people: people.revoke_token(people.last)),
    Case("a token of a client that was revoked", token, lambda people: people.revoke("alice")),
    Case("a token of a client that was revoked and added anew", token, anew),
    Case("a token of a client that is registered no more", token, unregistered),
    Case("a token of a client of other servers now", token, lambda people: people.change("alice", servers=["other"])),
    Case("a token of a client that has expired by now", token, lambda people: people.change("alice", expires=people.clock.wall)),
    Case("another client's token", lambda people: people.token("bob"), twin=token),
]


# A way takes the credential, says the one message that carries it, and tells whether the client was let in.
Way = Callable[[People, str, object, Callable[[], object]], tuple[Talk, bool]]


def opening(revision: str, meta: dict[str, Any] | None = None, **info: Any) -> dict[str, Any]:
    params = {"protocolVersion": revision, "capabilities": {}, "clientInfo": {"name": "c", "version": "1", **info}}
    return request("initialize", params | ({"_meta": meta} if meta is not None else {}))


def of_alice(people: People, **options: Any) -> Any:
    return people.authenticator(only="alice", **options)


def in_meta_of_initialize(people: People, revision: str, credential: object, spoil: Callable[[], object]) -> tuple[Talk, bool]:
    talk = Talk(revision, authenticator=of_alice(people), opened=False)
    spoil()
    talk >> opening(revision, {TOKEN: credential, "vendor.example/kept": 1})
    return talk, talk.let_in()


def in_client_info(people: People, revision: str, credential: object, spoil: Callable[[], object]) -> tuple[Talk, bool]:
    talk = Talk(revision, authenticator=of_alice(people), opened=False)
    spoil()
    talk >> opening(revision, secret=credential)
    return talk, talk.let_in()


def in_both(people: People, revision: str, credential: object, spoil: Callable[[], object]) -> tuple[Talk, bool]:
    talk = Talk(revision, authenticator=of_alice(people), opened=False)
    spoil()
    talk >> opening(revision, {TOKEN: credential}, secret=credential)
    return talk, talk.let_in()


def in_a_later_request(people: People, revision: str, credential: object, spoil: Callable[[], object]) -> tuple[Talk, bool]:
    # The session is of the same client, by another secret, which is good until `spoil`.
    talk = Talk(revision, authenticator=of_alice(people), credential=people.rotate("alice", 1 << 20))
    spoil()
    talk.flush()
    talk >> {**call("read_file"), "params": {"name": "read_file", "_meta": {TOKEN: credential}}}
    return talk, talk.let_in()


def in_the_launch(people: People, revision: str, credential: object, spoil: Callable[[], object]) -> tuple[Talk, bool]:
    authenticator = of_alice(people, read_launch=Launched(credential))  # type: ignore[arg-type]
    spoil()
    why = authenticator.admit()
    talk = Talk(revision, authenticator=authenticator, opened=False)
    talk.lines = [why]
    if not why:
        talk >> (request("tools/list") if talk.modern else opening(revision))
    return talk, not why and talk.let_in()


def in_a_request(method: str, params: dict[str, Any] | None = None) -> Way:
    def way(people: People, revision: str, credential: object, spoil: Callable[[], object]) -> tuple[Talk, bool]:
        talk = Talk(revision, authenticator=of_alice(people), opened=False)
        spoil()
        talk >> request(method, {**(params or {}), "_meta": {TOKEN: credential}})
        return talk, talk.let_in()

    return way


WAYS: dict[str, tuple[tuple[str, ...], Way]] = {
    "_meta of initialize": (HANDSHAKE, in_meta_of_initialize),
    "clientInfo.secret": (HANDSHAKE, in_client_info),
    "both": (HANDSHAKE, in_both),
    "a later request": (REVISIONS, in_a_later_request),
    "the launch": (REVISIONS, in_the_launch),
    "server/discover": ((MODERN,), in_a_request("server/discover")),
    "tools/list": ((MODERN,), in_a_request("tools/list")),
    "tools/call": ((MODERN,), in_a_request("tools/call", {"name": "read_file"})),
    "resources/read": ((MODERN,), in_a_request("resources/read", {"uri": "a:b"})),
    "subscriptions/listen": ((MODERN,), in_a_request("subscriptions/listen", {"notifications": {}})),
}


def test_there_are_enough_cases_and_each_name_is_used_once() -> None:
    assert len({case.name for case in CASES}) == len(CASES) >= 55


@pytest.mark.parametrize("revision", REVISIONS)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_credential_that_is_not_good_is_refused_however_it_travels_and_its_twin_is_let_in(
    people: Any, case: Case, revision: str
) -> None:
    for way, (revisions, present) in WAYS.items():
        if revision not in revisions:
            continue
        people.begin()
        spoiled = people.last = case.credential(people)
        good = (case.twin or (case.credential if case.spoil is not _nothing else secret))(people)
        # First the twin: the same before anything was spoiled.
        talk, let_in = present(people, revision, good, lambda: None)
        assert let_in, (way, talk.records)
        assert not talk.tells(good), way
        talk, let_in = present(people, revision, spoiled, lambda: case.spoil(people))
        assert not let_in, way
        assert not talk.tells(spoiled), way
        assert not talk.tells(good), way


@pytest.mark.parametrize("credential", [secret, token])
def test_what_looks_for_a_credential_finds_one_that_is_no_secret_to_the_session(
    people: People, credential: Callable[[People], str]
) -> None:
    talk = Talk("2025-11-25")
    presented = credential(people)
    talk >> call("read_file", text=f"with {presented} in it")
    assert talk.tells(presented)


# --- where a credential is, and how many there are ---------------------------------------------------------------------------------


@pytest.mark.parametrize("revision", HANDSHAKE)
@pytest.mark.parametrize("way", ["meta", "info"])
def test_two_credentials_that_differ_are_refused_and_the_same_twice_is_one(people: Any, revision: str, way: str) -> None:
    for other in (people.bob, people.token("alice"), people.alice + "x", "", None, 5):
        talk = Talk(revision, authenticator=people.authenticator(), opened=False)
        one, two = (people.alice, other) if way == "meta" else (other, people.alice)
        talk >> opening(revision, {TOKEN: one}, secret=two)
        assert not talk.let_in()
        assert not talk.tells(people.alice)
    talk = Talk(revision, authenticator=people.authenticator(), opened=False)
    talk >> opening(revision, {TOKEN: people.alice}, secret=people.alice)
    assert talk.let_in()


@pytest.mark.parametrize("revision", REVISIONS)
@pytest.mark.parametrize(
    "key", ["io.stdioguard/Token", "IO.STDIOGUARD/TOKEN", "io.\u017ftdioguard/token", "io.stdioguard/to\u212aen"]
)
def test_a_credential_under_a_key_in_another_case_is_a_wrong_one_and_goes_nowhere(people: Any, revision: str, key: str) -> None:
    for spelled, let_in in ((key, False), (TOKEN, True)):
        talk = Talk(revision, authenticator=people.authenticator(), opened=False)
        meta = {spelled: people.alice}
        talk >> (request("tools/list", {"_meta": meta}) if talk.modern else opening(revision, meta))
        assert talk.let_in() is let_in
        assert not talk.tells(people.alice)


@pytest.mark.parametrize("revision", REVISIONS)
@pytest.mark.parametrize(
    "key", ["io.stdioguard/token\0", "io.stdioguard/ token", "io.stdioguard/tokens", "token", "stdioguard/token", TOKEN + "/x"]
)
def test_a_credential_under_another_key_is_none(people: Any, revision: str, key: str) -> None:
    talk = Talk(revision, authenticator=people.authenticator(), opened=False)
    meta = {key: people.alice}
    talk >> (request("tools/list", {"_meta": meta}) if talk.modern else opening(revision, meta))
    assert not talk.let_in()
    assert not talk.tells(people.alice)


@pytest.mark.parametrize("revision", HANDSHAKE)
@pytest.mark.parametrize("key", ["Secret", "SECRET", "secret\0", "token", "password"])
def test_a_secret_under_another_key_of_client_info_is_none_and_goes_nowhere(people: Any, revision: str, key: str) -> None:
    talk = Talk(revision, authenticator=people.authenticator(), opened=False)
    talk >> opening(revision, **{key: people.alice})
    assert not talk.let_in()
    talk >> opening(revision, secret=people.alice, **{key + "2": people.bob})
    assert talk.let_in()
    assert not talk.tells(people.alice)
    assert not talk.tells(people.bob)


def test_clientinfo_of_a_2026_07_28_request_proves_nothing_and_its_secret_goes_nowhere(people: Any) -> None:
    talk = Talk(MODERN, authenticator=people.authenticator(), opened=False)
    info = {"io.modelcontextprotocol/clientInfo": {"name": "c", "version": "1", "secret": people.alice}}
    talk >> request("tools/list", {"_meta": info})
    assert not talk.let_in()
    talk >> request("tools/list", {"_meta": {**info, TOKEN: people.alice}})
    assert talk.let_in()
    assert not talk.tells(people.alice)


@pytest.mark.parametrize("revision", REVISIONS)
@pytest.mark.parametrize("key", ["name", "version", "title"])
def test_what_a_client_calls_itself_proves_nothing(people: Any, revision: str, key: str) -> None:
    talk = Talk(revision, authenticator=people.authenticator(), opened=False)
    if talk.modern:
        talk >> request("tools/list", {"_meta": {"io.modelcontextprotocol/clientInfo": {"name": "alice", "version": "1"}}})
    else:
        talk >> opening(revision, **{key: "alice"})
    assert not talk.let_in()


@pytest.mark.parametrize("revision", REVISIONS)
@pytest.mark.parametrize(
    "method", ["notifications/cancelled", "notifications/initialized", "initialize", "tools/call", "notifications/progress"]
)
def test_a_notification_proves_nothing_and_its_credential_goes_nowhere(people: Any, revision: str, method: str) -> None:
    talk = Talk(revision, authenticator=people.authenticator(), opened=False)
    params = {
        "requestId": 1,
        "name": "x",
        "_meta": {TOKEN: people.alice},
        "clientInfo": {"name": "c", "version": "1", "secret": people.alice},
    }
    talk >> notification(method, params)
    assert talk.all_to_server() == []
    talk.flush()
    talk >> (request("tools/list") if talk.modern else opening(revision))
    assert not talk.let_in()
    assert not talk.tells(people.alice)


@pytest.mark.parametrize("revision", REVISIONS)
def test_a_notification_of_a_client_that_has_proved_itself_loses_its_credential_on_the_way(people: Any, revision: str) -> None:
    talk = Talk(revision, authenticator=people.authenticator(), credential=people.alice)
    talk >> call("read_file")
    talk.flush()
    talk >> notification("notifications/cancelled", {"requestId": talk.last_client_id, "_meta": {TOKEN: people.alice}})
    assert talk.server_got()["method"] == "notifications/cancelled"
    assert not talk.tells(people.alice)


@pytest.mark.parametrize("revision", REVISIONS)
def test_a_credential_in_a_message_that_is_no_message_goes_nowhere(people: Any, revision: str) -> None:
    body = {
        "jsonrpc": "2.0",
        "id": 5,
        "method": "initialize",
        "params": {"_meta": {TOKEN: people.alice}, "clientInfo": {"name": "c", "version": "1", "secret": people.alice}},
    }
    whole = json.dumps(body).encode()
    quoted = json.dumps(people.alice).encode()
    broken = [
        whole.replace(b'"initialize"', b'"initialize\xff"'),
        whole.replace(b'"id": 5', b'"id": 5, "id": 6'),
        whole.replace(b'"id": 5', b'"id": 5, "extra": ' + quoted),
        whole.replace(b'"id": 5', b'"id": [' + quoted + b"]"),
        whole.replace(b'"id": 5', b'"id": NaN'),
        whole.replace(quoted, quoted[:-1], 1),
        whole.replace(quoted, quoted[:-1] + b'\\ud800"'),
        whole.replace(quoted, quoted + b' "x"', 1),
        whole.replace(b'"secret"', b'"secret": ' + quoted + b', "secret"'),
        whole.replace(b'"secret"', b'"Secret": ' + quoted + b', "secret"'),
        b"[" + whole + b"]",
        whole[:-1],
        whole + whole,
        whole.replace(b" ", b"\r", 1),
        quoted,
        people.alice.encode(),
    ]
    talk = Talk(revision, authenticator=people.authenticator(), opened=False)
    for frame in broken:
        talk >> frame
    assert talk.all_to_server() == []
    assert len([entry for entry in talk.records if entry["verdict"] == "refuse"]) == len(broken)
    assert not talk.tells(people.alice)
    talk.end()
    assert not talk.tells(people.alice)


@pytest.mark.parametrize("revision", HANDSHAKE)
def test_a_credential_in_an_answer_of_the_clients_goes_nowhere(people: Any, revision: str) -> None:
    talk = Talk(revision, authenticator=people.authenticator(), credential=people.alice)
    for answer in (
        {"result": {"roots": [], "_meta": {TOKEN: people.alice}}},
        {"error": {"code": 1, "message": "no", "data": {TOKEN: people.alice}}},
    ):
        talk << request("roots/list", id="s1")
        asked = talk.client_got()
        talk >> {"jsonrpc": "2.0", "id": asked["id"], **answer}
        assert talk.server_got()["id"] == "s1"
    assert not talk.tells(people.alice)


@pytest.mark.parametrize("revision", HANDSHAKE)
def test_messages_that_were_sent_ahead_lose_their_credentials_too(people: Any, revision: str) -> None:
    talk = Talk(revision, authenticator=people.authenticator(), opened=False)
    talk >> opening(revision, {TOKEN: people.alice})
    wire_id = talk.server_got()["id"]
    ahead = {**call("read_file"), "params": {"name": "read_file", "_meta": {TOKEN: people.alice}}}
    talk >> notification("notifications/initialized", {"_meta": {TOKEN: people.alice}}) >> ahead
    wrong = {**call("write_file"), "params": {"name": "write_file", "_meta": {TOKEN: people.alice + "x"}}}
    talk >> wrong
    talk << {
        "jsonrpc": "2.0",
        "id": wire_id,
        "result": {"protocolVersion": revision, "capabilities": {}, "serverInfo": {"name": "s", "version": "1"}},
    }
    assert [message["method"] for message in talk.all_to_server()] == ["notifications/initialized", "tools/call"]
    assert [message["error"] for message in talk.all_to_client() if "error" in message] == [UNIFORM]
    talk >> ahead
    talk.end()
    assert not talk.tells(people.alice)


# --- how often, and for how long -------------------------------------------------------------------------------------------------------


def wrong_one(talk: Talk, credential: object) -> None:
    talk >> (
        request("tools/list", {"_meta": {TOKEN: credential}}) if talk.modern else opening(talk.revision, {TOKEN: credential})
    )


@pytest.mark.parametrize("revision", REVISIONS)
@pytest.mark.parametrize("wrong", ["sgc:alice:wrong", None, 5, "missing"])
def test_five_failures_close_the_session_and_four_do_not(people: Any, revision: str, wrong: object) -> None:
    def fail(talk: Talk) -> None:
        if wrong == "missing":
            talk >> (request("tools/list") if talk.modern else opening(revision))
        else:
            wrong_one(talk, wrong)
        assert not talk.let_in()

    talk = Talk(revision, authenticator=people.authenticator(), opened=False)
    for _ in range(MAX_FAILURES - 1):
        fail(talk)
        assert talk.closes is None
    wrong_one(talk, people.alice)
    assert talk.let_in()
    talk = Talk(revision, authenticator=people.authenticator(), opened=False)
    for _ in range(MAX_FAILURES):
        fail(talk)
    assert talk.closes is not None
    assert people.alice not in talk.closes


@pytest.mark.parametrize("revision", REVISIONS)
def test_nothing_passes_after_the_failure_that_closes_not_even_what_was_sent_in_the_same_breath(
    people: Any, revision: str
) -> None:
    talk = Talk(revision, authenticator=people.authenticator(), opened=False)
    for _ in range(MAX_FAILURES):
        wrong_one(talk, "sgc:alice:wrong")
    talk.flush()
    counted = people.failures
    wrong_one(talk, "sgc:alice:wrong")
    wrong_one(talk, people.alice)
    assert talk.all_to_server() == []
    assert people.failures == counted, "a guess was looked at after the end of the session"


@pytest.mark.parametrize("revision", REVISIONS)
def test_wrong_credentials_close_a_session_that_has_been_proved_too(people: Any, revision: str) -> None:
    talk = Talk(revision, authenticator=people.authenticator(), credential=people.alice)
    for _ in range(MAX_FAILURES):
        assert talk.closes is None
        talk >> {**call("read_file"), "params": {"name": "read_file", "_meta": {TOKEN: "sgc:alice:wrong"}}}
        assert not talk.let_in()
    assert talk.closes is not None


def test_a_missing_credential_closes_nothing_once_the_client_has_proved_itself(people: Any) -> None:
    talk = Talk(MODERN, authenticator=people.authenticator(), credential=people.alice)
    talk.credential = None
    for _ in range(MAX_FAILURES * 3):
        talk >> call("read_file")
    assert [message["error"] for message in talk.all_to_client()] == [UNIFORM] * MAX_FAILURES * 3 or talk.closes
    assert talk.closes is None
    talk.credential = people.alice
    talk >> call("read_file")
    assert talk.let_in()


@pytest.mark.parametrize("revision", REVISIONS)
@pytest.mark.parametrize("kind", ["secret", "token"])
def test_a_credential_that_ran_out_closes_nothing_however_often_it_is_presented(people: Any, revision: str, kind: str) -> None:
    short = people.token("alice", ttl=60) if kind == "token" else people.add("alice", "files:read", expires=60)
    talk = Talk(revision, authenticator=people.authenticator(), credential=short)
    talk >> {**call("read_file"), "params": {"name": "read_file", "_meta": {TOKEN: short}}}
    assert talk.let_in()
    people.clock.passes(60)
    for _ in range(MAX_FAILURES * 2):
        talk >> {**call("read_file"), "params": {"name": "read_file", "_meta": {TOKEN: short}}}
        assert not talk.let_in()
    assert people.failures == 0
    assert talk.closes is None
    fresh = people.token("alice") if kind == "token" else people.alice
    if kind == "secret":
        people.change("alice", expires=None)
        fresh = short
    talk >> {**call("read_file"), "params": {"name": "read_file", "_meta": {TOKEN: fresh}}}
    assert talk.let_in()


@pytest.mark.parametrize("revision", HANDSHAKE)
def test_a_handshake_session_is_proved_once_and_goes_on_without(people: Any, revision: str) -> None:
    talk = Talk(revision, authenticator=people.authenticator(), credential=people.alice)
    for message in (request("tools/list"), call("read_file"), request("ping"), request("resources/read", {"uri": "a:b"})):
        talk >> message
        assert talk.let_in()


def test_each_2026_07_28_request_needs_a_credential_of_its_own(people: Any) -> None:
    talk = Talk(MODERN, authenticator=people.authenticator(), opened=False)
    messages = [request("server/discover"), request("tools/list"), call("read_file"), request("prompts/get", {"name": "p"}),
                request("resources/read", {"uri": "a:b"}), request("completion/complete", {"ref": {"type": "ref/prompt", "name": "p"}, "argument": {}}),
                request("subscriptions/listen", {"notifications": {}})]  # fmt: skip
    for message in messages:
        talk.credential = people.alice
        talk >> message
        assert talk.let_in(), message
        talk.credential = None
        talk >> message
        assert not talk.let_in(), message


def test_each_2026_07_28_request_is_good_by_the_credential_of_the_launch(people: Any) -> None:
    authenticator = people.authenticator(read_launch=Launched(people.alice))
    assert not authenticator.admit()
    talk = Talk(MODERN, authenticator=authenticator)
    for message in (request("tools/list"), call("read_file")):
        talk >> message
        assert talk.let_in()
    people.revoke("alice")
    talk >> call("read_file")
    assert not talk.let_in()


@pytest.mark.parametrize("revision", REVISIONS)
def test_a_wrong_credential_is_refused_beside_a_good_launch(people: Any, revision: str) -> None:
    authenticator = people.authenticator(read_launch=Launched(people.alice))
    assert not authenticator.admit()
    talk = Talk(revision, authenticator=authenticator)
    for wrong, good in (
        ("sgc:alice:wrong", people.alice),
        (people.bob, people.token("alice")),
        (people.token("bob"), people.alice),
    ):
        talk >> {**call("read_file"), "params": {"name": "read_file", "_meta": {TOKEN: wrong}}}
        assert not talk.let_in()
        talk >> {**call("read_file"), "params": {"name": "read_file", "_meta": {TOKEN: good}}}
        assert talk.let_in()


# --- optional, required, off ---------------------------------------------------------------------------------------------------------

SCOPED = OPEN + '[tools.rules]\n"write_*" = { action = "allow", scopes = ["files:write"] }\n'


@pytest.mark.parametrize("revision", REVISIONS)
def test_where_a_proof_is_optional_who_gives_none_has_what_needs_no_scope(people: Any, revision: str) -> None:
    talk = Talk(revision, SCOPED, authenticator=people.authenticator(required=False))
    talk >> call("read_file")
    assert talk.server_got()["params"]["name"] == "read_file"
    talk << result(content=[{"type": "text", "text": "read"}])
    assert talk.client_got()["result"]["content"][0]["text"] == "read"
    talk >> call("write_file")
    assert talk.client_got()["error"] == {"code": -32602, "message": "Unknown tool: write_file"}
    talk << notification("notifications/tools/list_changed") if not talk.modern else talk
    assert talk.closes is None


@pytest.mark.parametrize("revision", REVISIONS)
def test_where_a_proof_is_optional_a_wrong_one_is_refused_all_the_same(people: Any, revision: str) -> None:
    for credential, let_in in (("sgc:alice:wrong", False), (None, False), (people.alice, True)):
        talk = Talk(revision, SCOPED, authenticator=people.authenticator(required=False), opened=False)
        wrong_one(talk, credential)
        assert talk.let_in() is let_in


@pytest.mark.parametrize("revision", REVISIONS)
def test_where_a_proof_is_optional_who_gives_one_later_has_its_scopes_from_then_on(people: Any, revision: str) -> None:
    talk = Talk(revision, SCOPED, authenticator=people.authenticator(required=False))
    talk >> {**call("write_file"), "params": {"name": "write_file", "_meta": {TOKEN: people.alice}}}
    assert talk.server_got()["params"]["name"] == "write_file"
    talk.flush()
    talk >> call("write_file")
    if talk.modern:  # each request for itself
        assert talk.client_got()["error"]["code"] == -32602
    else:
        assert talk.server_got()["params"]["name"] == "write_file"


@pytest.mark.parametrize("revision", HANDSHAKE)
def test_where_a_proof_is_optional_a_client_that_was_revoked_does_not_become_nobody(people: Any, revision: str) -> None:
    talk = Talk(revision, SCOPED, authenticator=people.authenticator(required=False), credential=people.alice)
    people.revoke("alice")
    talk >> call("read_file")
    assert not talk.let_in()


@pytest.mark.parametrize("revision", REVISIONS)
def test_what_is_nobodys_is_not_on_record_as_somebodys(people: Any, revision: str) -> None:
    talk = Talk(revision, SCOPED, authenticator=people.authenticator(required=False))
    talk >> call("read_file")
    talk << result(content=[])
    assert not any(entry.get("client") for entry in talk.records)
    if talk.modern:
        talk.credential = people.alice
        talk >> call("read_file")
        assert talk.records[-1]["client"] == "alice"
        talk.credential = None
        talk >> call("read_other")
        assert talk.records[-1]["tool"] == "read_other"
        assert not talk.records[-1].get("client")


@pytest.mark.parametrize("revision", REVISIONS)
def test_without_identity_everybody_is_served_and_a_credential_still_goes_nowhere(people: Any, revision: str) -> None:
    for credential in (None, people.alice, "sgc:alice:wrong"):
        talk = Talk(revision, SCOPED, credential=credential)
        talk >> call("write_file")
        assert talk.let_in()
        assert not talk.tells(people.alice)


# --- another client, and the same with another credential ---------------------------------------------------------------------------


@pytest.mark.parametrize("revision", REVISIONS)
@pytest.mark.parametrize("kind", ["secret", "token"])
def test_one_pipe_is_one_clients(people: Any, revision: str, kind: str) -> None:
    talk = Talk(revision, authenticator=people.authenticator(), credential=people.alice)
    other = people.bob if kind == "secret" else people.token("bob")
    talk >> {**call("read_file"), "params": {"name": "read_file", "_meta": {TOKEN: other}}}
    assert not talk.let_in()
    talk >> {**call("read_file"), "params": {"name": "read_file", "_meta": {TOKEN: people.token("alice")}}}
    assert talk.let_in()


@pytest.mark.parametrize("revision", REVISIONS)
def test_a_pipe_stays_its_clients_when_that_is_revoked(people: Any, revision: str) -> None:
    talk = Talk(revision, authenticator=people.authenticator(), credential=people.alice)
    people.revoke("alice")
    for other in (people.bob, people.add("alice", "files:read")):
        talk >> {**call("read_file"), "params": {"name": "read_file", "_meta": {TOKEN: other}}}
        assert not talk.let_in()
    talk = Talk(revision, authenticator=people.authenticator(), credential=people.bob)  # a pipe of its own
    talk >> call("read_file")
    assert talk.let_in()


@pytest.mark.parametrize("revision", REVISIONS)
def test_the_pipe_of_a_launch_stays_its_clients_before_anything_was_said(people: Any, revision: str) -> None:
    for is_spoiled in (False, True):
        people.begin()
        authenticator = people.authenticator(read_launch=Launched(people.token("alice", ttl=60)))
        assert not authenticator.admit()
        talk = Talk(revision, authenticator=authenticator, opened=False)
        if is_spoiled:
            people.clock.passes(60)
        wrong_one(talk, people.bob)
        assert not talk.let_in()
        wrong_one(talk, people.alice)
        assert talk.let_in()


@pytest.mark.parametrize("revision", REVISIONS)
@pytest.mark.parametrize("kind", ["secret", "token"])
def test_a_session_that_ran_out_goes_on_with_a_fresh_credential_in_a_request(people: Any, revision: str, kind: str) -> None:
    if kind == "token":
        short = people.token("alice", ttl=60)
    else:
        short = people.alice
        fresh_secret = people.rotate("alice", 60)
    talk = Talk(revision, authenticator=people.authenticator(), credential=short)
    people.clock.passes(59.9)
    talk >> call("read_file")
    assert talk.let_in()
    people.clock.passes(0.1)
    talk >> call("read_file")
    assert not talk.let_in()
    fresh = people.token("alice") if kind == "token" else fresh_secret
    talk >> {**call("read_file"), "params": {"name": "read_file", "_meta": {TOKEN: fresh}}}
    assert talk.let_in()
    if not talk.modern:
        talk >> call("read_file")
        assert talk.let_in()
    assert not talk.tells(short)
    assert not talk.tells(fresh)


@pytest.mark.parametrize("revision", REVISIONS)
def test_a_session_that_ran_out_goes_on_with_a_fresh_token_in_the_launchs_file(people: Any, revision: str) -> None:
    launched = Launched(people.token("alice", ttl=60))
    authenticator = people.authenticator(read_launch=launched)
    assert not authenticator.admit()
    talk = Talk(revision, authenticator=authenticator)
    people.clock.passes(60)
    talk >> call("read_file")
    assert not talk.let_in()
    for useless in (people.token("bob"), "sgc:alice:wrong", "", people.token("alice", server="other")):
        launched.put(useless)
        talk >> call("read_file")
        assert not talk.let_in()
    launched.put(people.token("alice", ttl=60))
    talk >> call("read_file")
    assert talk.let_in()
    assert talk.closes is None


# --- what waits for a person -----------------------------------------------------------------------------------------------------------


def ended_by(people: People, how: str) -> str:
    """Return a credential of alice's, and how it comes to be worth nothing."""
    return people.token("alice", ttl=30) if how.startswith("token") else people.add("alice", "files:write", expires=30)


ENDS: dict[str, Callable[[Any, str], object]] = {
    "secret expired": lambda people, _: people.clock.passes(30),
    "token expired": lambda people, _: people.clock.passes(30),
    "token revoked": lambda people, text: people.revoke_token(text),
    "token's client revoked": lambda people, _: people.revoke("alice"),
    "secret's client revoked": lambda people, _: people.revoke("alice"),
    "secret replaced without grace": lambda people, _: people.rotate("alice", 0),
}


@pytest.mark.parametrize("revision", ELICITS)
@pytest.mark.parametrize("how", ENDS)
def test_a_call_that_was_approved_after_its_client_became_nobody_does_not_run(people: Any, revision: str, how: str) -> None:
    for is_spoiled in (False, True):
        short = ended_by(people, how)
        talk = Talk(revision, CONFIRMED, authenticator=people.authenticator(), credential=short)
        talk >> call("write_file", path="/x")
        asked = talk.client_got()
        if is_spoiled:
            ENDS[how](people, short)
        yes = {"action": "accept", "content": {"decision": "allow once"}}
        if talk.modern:
            again = call("write_file", path="/x")
            again["params"] |= {"requestState": asked["result"]["requestState"], "inputResponses": {"stdioguard.confirm": yes}}
            talk >> again
        else:
            talk >> {"jsonrpc": "2.0", "id": asked["id"], "result": yes}
        if is_spoiled:
            assert talk.all_to_server() == []
            assert [message["error"] for message in talk.all_to_client()] == [UNIFORM]
        else:
            assert talk.server_got()["params"]["name"] == "write_file"
        talk.end()
        assert not talk.tells(short)
        people.clock.passes(1000)


@pytest.mark.parametrize("how", ENDS)
def test_a_call_that_another_channel_approves_too_late_does_not_run_either(people: Any, how: str) -> None:
    for is_spoiled in (False, True):
        short = ended_by(people, how)
        talk = Talk("2025-11-25", CONFIRMED, authenticator=people.authenticator(), credential=short)
        talk >> call("write_file", path="/x")
        asked = talk.client_got()
        if is_spoiled:
            ENDS[how](people, short)
        (held,) = talk.session.state.held.values()
        assert held.ask_id == asked["id"]
        talk._take(talk.session.decide(held.question.id, Decision(approved=True, channel="terminal"), talk.now))
        assert bool(talk.all_to_server()) is not is_spoiled
        people.clock.passes(1000)


def test_an_approval_that_one_client_has_is_worth_nothing_without_its_credential(people: Any) -> None:
    talk = Talk(MODERN, CONFIRMED, authenticator=people.authenticator(), credential=people.alice)
    talk >> call("write_file", path="/x")
    asked = talk.client_got()
    again = call("write_file", path="/x")
    yes = {"action": "accept", "content": {"decision": "allow once"}}
    again["params"] |= {"requestState": asked["result"]["requestState"], "inputResponses": {"stdioguard.confirm": yes}}
    for credential, let_in in ((None, False), (people.bob, False), (people.alice, True)):
        talk.credential = credential
        talk >> again
        assert talk.let_in() is let_in


# --- what is under way ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("revision", REVISIONS)
@pytest.mark.parametrize(
    ("how", "is_delivered"),
    [("secret expired", True), ("token expired", True), ("token revoked", False), ("token's client revoked", False),
     ("secret's client revoked", False), ("secret replaced without grace", True), ("nothing", True)],
)  # fmt: skip
def test_an_answer_is_kept_from_a_client_that_was_revoked_and_not_from_one_that_ran_out(
    people: Any, revision: str, how: str, is_delivered: bool
) -> None:
    short = ended_by(people, how)
    talk = Talk(revision, authenticator=people.authenticator(), credential=short)
    for message, answer in (
        (call("read_file"), {"content": [{"type": "text", "text": "for alice alone"}]}),
        (request("resources/read", {"uri": "a:b"}), {"contents": [{"uri": "a:b", "text": "for alice alone"}]}),
        (request("tools/list"), {"tools": [{"name": "for_alice_alone", "inputSchema": {"type": "object"}}]}),
    ):
        talk >> message
        talk.pending = [*(talk.pending or []), (talk.last_wire_id, answer)]
    talk.flush()
    if how != "nothing":
        ENDS[how](people, short)
    for wire_id, answer in talk.pending:
        talk << {"jsonrpc": "2.0", "id": wire_id, "result": answer}
        heard = talk.client_got()
        if is_delivered:
            assert "alice" in json.dumps(heard["result"])
        else:
            assert (refusal(heard) or {})["code"] == -31001
            assert "alice" not in json.dumps(heard)


@pytest.mark.parametrize("revision", REVISIONS)
def test_a_servers_refusal_is_kept_from_a_client_that_was_revoked_too(people: Any, revision: str) -> None:
    for revoked in (False, True):
        credential = people.add("alice", "files:read")
        talk = Talk(revision, authenticator=people.authenticator(), credential=credential)
        talk >> call("read_file")
        talk.flush()
        if revoked:
            people.revoke("alice")
        talk << error(-32000, "what is in /etc/passwd: root", data={"text": "root"})
        heard = json.dumps(talk.client_got())
        assert ("root" in heard) is not revoked


ASKS = [
    request("sampling/createMessage", {"messages": [], "maxTokens": 9}, id="s1"),
    request("roots/list", id="s2"),
    request("ping", id="s3"),
]
SAYS = [
    notification("notifications/message", {"level": "info", "data": "for alice alone"}),
    notification("notifications/tools/list_changed"),
    notification("notifications/resources/list_changed"),
]


@pytest.mark.parametrize("revision", HANDSHAKE)
@pytest.mark.parametrize("how", ENDS)
@pytest.mark.parametrize("message", [*ASKS, *SAYS], ids=lambda message: message["method"])
def test_a_server_tells_and_asks_a_client_that_is_nobody_nothing(
    people: Any, revision: str, how: str, message: dict[str, Any]
) -> None:
    for is_spoiled in (False, True):
        short = ended_by(people, how)
        talk = Talk(revision, authenticator=people.authenticator(), credential=short)
        if is_spoiled:
            ENDS[how](people, short)
        talk << message
        assert [heard["method"] for heard in talk.all_to_client()] == ([] if is_spoiled else [message["method"]])
        if is_spoiled and "id" in message:
            answered = talk.server_got()
            assert (answered["id"], answered["error"]["code"]) == (message["id"], -31001)
        people.clock.passes(1000)


@pytest.mark.parametrize("how", ENDS)
def test_a_subscription_of_a_client_that_is_nobody_any_more_says_nothing(people: Any, how: str) -> None:
    for is_spoiled in (False, True):
        short = ended_by(people, how)
        talk = Talk(MODERN, authenticator=people.authenticator(), credential=short)
        talk >> request("subscriptions/listen", {"notifications": {"toolsListChanged": True}})
        meta = {"io.modelcontextprotocol/subscriptionId": talk.last_wire_id}
        talk.flush()
        if is_spoiled:
            ENDS[how](people, short)
        talk << notification("notifications/tools/list_changed", {"_meta": meta})
        assert len(talk.all_to_client()) == (0 if is_spoiled else 1)
        people.clock.passes(1000)


@pytest.mark.parametrize("revision", HANDSHAKE)
@pytest.mark.parametrize("how", ENDS)
@pytest.mark.parametrize(
    "answer",
    [{"result": {"roots": []}}, {"error": {"code": 1, "message": "from nobody", "data": "from nobody"}}],
    ids=["result", "error"],
)
def test_an_answer_of_a_client_that_is_nobody_does_not_reach_the_server(
    people: Any, revision: str, how: str, answer: dict[str, Any]
) -> None:
    for is_spoiled in (False, True):
        short = ended_by(people, how)
        talk = Talk(revision, authenticator=people.authenticator(), credential=short)
        talk << request("roots/list", id="s1")
        asked = talk.client_got()
        if is_spoiled:
            ENDS[how](people, short)
        talk >> {"jsonrpc": "2.0", "id": asked["id"], **answer}
        heard = talk.server_got()
        if is_spoiled:
            assert heard["error"] == UNIFORM
        else:
            assert heard == {"jsonrpc": "2.0", "id": "s1", **answer}
        people.clock.passes(1000)


@pytest.mark.parametrize("revision", REVISIONS)
def test_a_notification_of_a_client_that_is_nobody_does_not_reach_the_server(people: Any, revision: str) -> None:
    for revoked in (False, True):
        credential = people.add("alice", "files:read")
        talk = Talk(revision, authenticator=people.authenticator(), credential=credential)
        talk >> call("read_file")
        talk.flush()
        if revoked:
            people.revoke("alice")
        talk >> notification("notifications/cancelled", {"requestId": talk.last_client_id})
        assert bool(talk.all_to_server()) is not revoked


# --- towards the server ---------------------------------------------------------------------------------------------------------------

GUARDS = "5ec2e7" * 10


@pytest.mark.parametrize("revision", REVISIONS)
def test_the_guard_proves_itself_where_its_era_says_and_nowhere_else(people: Any, revision: str) -> None:
    talk = Talk(revision, opened=False, server_secret=GUARDS)
    own = {TOKEN: "the client's own", "vendor.example/kept": 1}
    if talk.modern:
        talk >> request("server/discover", {"_meta": own})
        sent = [talk.server_got()]
        talk << result(resultType="complete", supportedVersions=[MODERN], capabilities={})
        talk >> request(
            "tools/list",
            {"_meta": {**own, "io.modelcontextprotocol/clientInfo": {"name": "c", "version": "1", "secret": "the client's own"}}},
        )
        sent.append(talk.server_got())
        assert "secret" not in sent[1]["params"]["_meta"]["io.modelcontextprotocol/clientInfo"]
        assert [message["params"]["_meta"][TOKEN] for message in sent] == [GUARDS] * 2
        talk >> notification("notifications/cancelled", {"requestId": talk.last_client_id, "_meta": own})
    else:
        talk >> opening(revision, own, secret="the client's own")
        sent = [talk.server_got()]
        assert sent[0]["params"]["_meta"] == {TOKEN: GUARDS, "vendor.example/kept": 1}
        assert sent[0]["params"]["clientInfo"] == {"name": "c", "version": "1", "secret": GUARDS}
        talk << result(protocolVersion=revision, capabilities={}, serverInfo={"name": "s", "version": "1"})
        talk >> notification("notifications/initialized", {"_meta": own})
        talk >> {**call("read_file"), "params": {"name": "read_file", "_meta": own}}
    assert GUARDS not in json.dumps(talk.all_to_server())
    assert GUARDS not in json.dumps(talk.records)
    assert GUARDS not in json.dumps(talk.all_to_client())
    assert "the client's own" not in json.dumps(sent)


@pytest.mark.parametrize("revision", REVISIONS)
def test_a_guard_that_does_not_prove_itself_sends_nothing_in_its_name(people: Any, revision: str) -> None:
    talk = Talk(revision, opened=False)
    talk >> (request("tools/list", {"_meta": {TOKEN: "x"}}) if talk.modern else opening(revision, {TOKEN: "x"}, secret="x"))
    sent = talk.server_got()
    assert "stdioguard" not in json.dumps(sent)
    assert "secret" not in json.dumps(sent)


# --- the record -----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("revision", REVISIONS)
def test_the_record_says_who_by_which_credential_and_with_what(people: Any, revision: str) -> None:
    narrow = people.token("alice", "files:read")
    talk = Talk(revision, authenticator=people.authenticator(), credential=narrow)
    talk >> call("read_file")
    (introduced,) = [entry for entry in talk.records if entry.get("event") == "identity"]
    assert introduced["client"] == "alice"
    assert introduced["client_id"].startswith("alice#")
    assert introduced["via"] == "message"
    assert introduced["scopes"] == [["files:read", "files:write"], ["files:read"]]
    assert introduced["expires"] is not None
    assert talk.records.index(introduced) == 0
    said = [entry for entry in talk.records if entry.get("method") == "tools/call"]
    assert [(entry["client"], entry["token"]) for entry in said] == [("alice", introduced["token"])]


@pytest.mark.parametrize("revision", REVISIONS)
def test_the_reason_is_on_record_and_not_in_the_answer(people: Any, revision: str) -> None:
    reasons = set()
    for credential in (
        "sgc:carol:x",
        "sgc:alice:x",
        people.add("dora", "x", servers=("other",)),
        people.add("erna", "x", expires=-1),
        "no token",
        5,
    ):
        talk = Talk(revision, authenticator=people.authenticator(), opened=False)
        wrong_one(talk, credential)
        assert talk.client_got()["error"] == UNIFORM
        reasons.add(talk.records[-1]["detail"])
    assert len(reasons) == 6


def test_an_envelope_is_no_credential(people: Any) -> None:
    """The twin of every 2026-07-28 case: what a request must carry anyway proves nothing."""
    talk = Talk(MODERN, authenticator=people.authenticator(), opened=False)
    talk >> request("tools/list", {"_meta": envelope()})
    assert not talk.let_in()
