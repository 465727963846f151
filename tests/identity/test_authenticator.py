"""Whose credential it is, and for how long: clocks that are set, entries that change, answers that are remembered no longer than they may be."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from stdioguard.identity import authenticator as authenticators
from stdioguard.identity import clients, credentials
from stdioguard.identity.authenticator import Authenticator
from stdioguard.policy import private as files
from stdioguard.policy.errors import ProfileError
from tests.identity.forge import b64, eddsa, jwk, private, settings
from tests.identity.people import SERVER, Launched, People
from tests.playbook import OPEN, policy

ISSUER = "https://login.example"
OTHER = "https://other.example"


@pytest.fixture
def people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[People]:
    monkeypatch.setattr(os, "fsync", lambda _: None)  # nothing here outlives the test
    made = People(tmp_path)
    with made.present():
        yield made


def is_good(authenticator: Authenticator, credential: object) -> bool:
    return authenticator.authenticate(credential)[0] is not None


def entry(people: People, name: str = "alice") -> Path:
    return people.home / "config" / "clients" / f"{name}.json"


# --- clocks ----------------------------------------------------------------------------------------------------------------------------


KINDS: dict[str, Callable[[People], str]] = {
    "a client's secret": lambda people: people.add("alice", "files:read", expires=60),
    "a token": lambda people: (people.add("alice", "files:read"), people.token("alice", ttl=60))[1],
    "a secret that was replaced": lambda people: (people.add("alice", "files:read"), people.rotate("alice", 60))[0],
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_runs_out_is_good_until_then_and_no_longer(people: People, kind: str) -> None:
    credential = KINDS[kind](people)
    authenticator = people.authenticator()
    caller, _ = authenticator.authenticate(credential)
    assert caller is not None
    people.clock.passes(59.9)
    assert authenticator.review(caller) is caller
    assert is_good(authenticator, credential)
    people.clock.passes(0.1)
    assert authenticator.review(caller) is None
    assert not is_good(authenticator, credential)
    assert not authenticator.is_revoked(caller)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "back", [0.0, 60.0, 86400.0, 1e9], ids=["that stands still", "set back", "set back by a day", "set back by years"]
)
def test_a_wall_clock_makes_nothing_live_longer_in_a_session(people: People, kind: str, back: float) -> None:
    credential = KINDS[kind](people)
    authenticator = people.authenticator()
    caller, _ = authenticator.authenticate(credential)
    assert caller is not None
    people.clock.wall -= back
    people.clock.ticking += 59
    assert authenticator.review(caller) is not None  # the twin
    people.clock.ticking += 1
    assert authenticator.review(caller) is None
    assert not is_good(authenticator, credential), "presented anew"


@pytest.mark.parametrize("kind", KINDS)
def test_a_clock_that_is_set_back_when_the_clients_entry_changes_makes_nothing_live_longer(people: People, kind: str) -> None:
    credential = KINDS[kind](people)
    authenticator = people.authenticator()
    caller, _ = authenticator.authenticate(credential)
    assert caller is not None
    people.clock.wall -= 3600
    people.clock.ticking += 30
    people.change("alice", roles=["reader"])  # something that takes nothing away
    caller = authenticator.review(caller)
    assert caller is not None
    people.clock.ticking += 30
    assert authenticator.review(caller) is None


@pytest.mark.parametrize("kind", KINDS)
def test_a_wall_clock_that_is_set_ahead_ends_what_it_says_has_ended(people: People, kind: str) -> None:
    credential = KINDS[kind](people)
    authenticator = people.authenticator()
    caller, _ = authenticator.authenticate(credential)
    assert caller is not None
    people.clock.wall += 60
    assert authenticator.review(caller) is None
    assert not is_good(authenticator, credential)


def test_a_launch_that_ran_out_is_not_brought_back_by_the_same_token_and_a_clock_set_back(people: People) -> None:
    people.add("alice", "files:read")
    launched = Launched(people.token("alice", ttl=60))
    authenticator = people.authenticator(read_launch=launched)
    assert authenticator.admit() == ""
    people.clock.passes(60)
    assert authenticator.launched() is None
    people.clock.wall -= 3600
    launched.put(launched(None)[0])  # type: ignore[index]
    assert authenticator.launched() is None
    launched.put(people.token("alice", ttl=4000))
    assert authenticator.launched() is not None


@pytest.mark.skipif(sys.platform != "linux", reason="CLOCK_BOOTTIME is Linux's")
def test_the_clock_that_nobody_sets_goes_on_while_the_machine_sleeps() -> None:
    assert authenticators._CLOCK == time.CLOCK_BOOTTIME
    assert abs(authenticators._ticking() - time.clock_gettime(time.CLOCK_BOOTTIME)) < 5


def test_a_client_without_an_end_has_none(people: People) -> None:
    credential = people.add("alice", "files:read")
    authenticator = people.authenticator()
    caller, _ = authenticator.authenticate(credential)
    assert caller is not None
    people.clock.passes(10 * 365 * 86400)
    assert authenticator.review(caller) is caller


def test_a_token_lives_no_longer_than_its_client(people: People) -> None:
    people.add("alice", "files:read")
    token = people.token("alice", ttl=3600)
    people.change("alice", expires=people.clock.wall + 60)
    authenticator = people.authenticator()
    caller, _ = authenticator.authenticate(token)
    assert caller is not None
    assert caller.expires == people.clock.wall + 60
    people.clock.passes(60)
    assert authenticator.review(caller) is None


# --- what is remembered ---------------------------------------------------------------------------------------------------------------


def test_what_is_remembered_is_bounded_and_what_is_not_remembered_is_right(people: People) -> None:
    people.add("alice", "files:read")
    authenticator = people.authenticator()
    tokens = [people.token("alice", ttl=60 + number) for number in range(100)]
    secrets = [people.add(f"client-{number}", f"scope-{number}") for number in range(100)]
    for credential in [*tokens, *secrets]:
        assert is_good(authenticator, credential)
        is_good(authenticator, credential + "x")
    held = {
        name: value
        for name, value in vars(authenticator).items()
        if isinstance(value, dict) and name not in ("_roles", "_issuers")
    }
    assert len(held) >= 3
    assert all(len(value) <= 64 for value in held.values()), {name: len(value) for name, value in held.items()}
    people.revoke("client-99")
    people.revoke("client-1")
    people.revoke_token(tokens[99])
    people.revoke_token(tokens[1])
    for number in range(100):
        assert is_good(authenticator, secrets[number]) is (number not in (1, 99)), number
        assert is_good(authenticator, tokens[number]) is (number not in (1, 99)), number


def test_wrong_credentials_are_not_remembered_as_anything(people: People) -> None:
    people.add("alice", "files:read")
    authenticator = people.authenticator()
    later = credentials.mint("carol")
    assert not is_good(authenticator, later)
    client = clients.Client("carol")
    client.scopes, client.secrets = ["files:read"], [credentials.hashed(later)]
    clients.write(client)
    assert is_good(authenticator, later)


@pytest.mark.parametrize("of", ["a client", "a token", "an entry"])
def test_a_revocation_is_seen_within_the_interval_and_the_files_are_not_read_before(people: People, of: str) -> None:
    secret = people.add("alice", "files:read")
    token = people.token("alice")
    authenticator = people.authenticator()
    authenticator.interval = Authenticator.interval
    assert Authenticator.interval <= 0.5
    caller, _ = authenticator.authenticate(token if of == "a token" else secret)
    assert caller is not None
    if of == "a token":
        people.revoke_token(token)
    elif of == "a client":
        people.revoke("alice")
    else:
        entry(people).unlink()
    people.clock.passes(Authenticator.interval)
    assert authenticator.review(caller) is None
    assert authenticator.is_revoked(caller)


def test_what_has_not_changed_is_the_same_object(people: People) -> None:
    credential = people.add("alice", "files:read")
    authenticator = people.authenticator()
    caller, _ = authenticator.authenticate(credential)
    assert caller is not None
    assert authenticator.review(caller) is caller
    assert authenticator.authenticate(credential)[0] is caller
    people.change("alice")  # another file that says the same
    assert authenticator.review(caller) is caller
    people.change("alice", scopes=["files:write"])
    changed = authenticator.review(caller)
    assert changed is not None
    assert changed is not caller
    assert changed.may(["files:write"])
    assert not changed.may(["files:read"])


# --- the register changes ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["secret", "token"])
def test_who_was_revoked_and_added_anew_comes_in_with_what_is_new_alone(people: People, kind: str) -> None:
    secret = people.add("alice", "files:read")
    old = secret if kind == "secret" else people.token("alice")
    authenticator = people.authenticator()
    caller, _ = authenticator.authenticate(old)
    assert caller is not None
    people.revoke("alice")
    assert not is_good(authenticator, old)
    new = people.add("alice", "files:read")
    fresh = people.token("alice")
    assert authenticator.review(caller) is None
    assert authenticator.is_revoked(caller)
    for some in (authenticator, people.authenticator()):
        assert not is_good(some, old)
        assert is_good(some, new)
        assert is_good(some, fresh)
        found, _ = some.authenticate(new)
        assert found is not None
        assert not found.is_same(caller)


def test_an_entry_that_another_id_was_put_into_is_another_client(people: People) -> None:
    secret = people.add("alice", "files:read")
    token = people.token("alice")
    authenticator = people.authenticator()
    callers = [authenticator.authenticate(text)[0] for text in (secret, token)]
    document = json.loads(entry(people).read_text())
    document["id"] = "alice#000000000000"
    files.replace(str(entry(people)), json.dumps(document).encode())
    for caller in callers:
        assert caller is not None
        assert authenticator.review(caller) is None
        assert authenticator.is_revoked(caller)
    assert not is_good(authenticator, token)


def _remade(path: Path, text: str, mode: int = 0o600) -> None:
    path.unlink()
    path.touch(mode)
    path.write_text(text)


UNREADABLE: dict[str, Callable[[Path], object]] = {
    "removed": lambda path: path.unlink(),
    "empty": lambda path: _remade(path, ""),
    "cut short": lambda path: _remade(path, path.read_text()[:-1]),
    "of another client's name": lambda path: _remade(path, path.read_text().replace('"alice"', '"bob"')),
    "of a later version": lambda path: _remade(path, path.read_text().replace('"version":1', '"version":2')),
    "with a key twice": lambda path: _remade(path, path.read_text().replace('"version":1', '"version":1,"version":1')),
    "with a scope that is none": lambda path: _remade(path, path.read_text().replace('"files:read"', '"*"')),
    "with an end that is no time": lambda path: _remade(path, path.read_text().replace('"expires":null', '"expires":"never"')),
    "that others may read": lambda path: path.chmod(0o640),
    "that others may write": lambda path: path.chmod(0o602),
    "a link to it": lambda path: (path.rename(path.with_name("real")), path.symlink_to("real")),
    "a folder": lambda path: (path.unlink(), path.mkdir(0o700)),
    "a pipe": lambda path: (path.unlink(), os.mkfifo(path, 0o600)),
    **({"of another user": lambda path: os.chown(path, 65534, -1)} if os.geteuid() == 0 else {}),
    "too long": lambda path: _remade(path, path.read_text() + " " * clients.MAX_SIZE),
}


@pytest.mark.parametrize("how", UNREADABLE)
@pytest.mark.parametrize("kind", ["secret", "token"])
def test_a_client_whose_entry_cannot_be_read_is_nobody_until_it_can_be(people: People, how: str, kind: str) -> None:
    credential = people.add("alice", "files:read")
    credential = credential if kind == "secret" else people.token("alice")
    before = entry(people).read_text()
    authenticator = people.authenticator()
    caller, _ = authenticator.authenticate(credential)
    assert caller is not None
    UNREADABLE[how](entry(people))
    assert authenticator.review(caller) is None
    assert authenticator.is_revoked(caller)
    assert not is_good(authenticator, credential)
    assert not is_good(people.authenticator(), credential)
    if entry(people).is_dir():
        entry(people).rmdir()
    files.replace(str(entry(people)), before.encode())
    assert is_good(authenticator, credential)
    assert is_good(people.authenticator(), credential)


def test_where_it_cannot_be_told_whether_a_token_was_revoked_it_was(people: People) -> None:
    people.add("alice", "files:read")
    token = people.token("alice")
    authenticator = people.authenticator()
    caller, _ = authenticator.authenticate(token)
    assert caller is not None
    folder = people.home / "state" / "identity"
    folder.mkdir(0o700, parents=True)
    (folder / "revoked").write_text("not a folder")
    assert authenticator.review(caller) is None
    assert not is_good(people.authenticator(), token)


# --- which client, of which server --------------------------------------------------------------------------------------------------------


def test_only_the_client_that_is_asked_for_is_accepted(people: People) -> None:
    alice, bob = people.add("alice", "files:read"), people.add("bob", "files:read")
    authenticator = people.authenticator(only="alice")
    assert is_good(authenticator, alice)
    assert is_good(authenticator, people.token("alice"))
    assert not is_good(authenticator, bob)
    assert not is_good(authenticator, people.token("bob"))
    assert is_good(people.authenticator(only="bob"), bob)


@pytest.mark.parametrize("servers", [("other",), (SERVER.upper(),), (SERVER + " ",), ("",), ("*",)])
def test_a_client_of_other_servers_is_refused_by_exact_name(people: People, servers: tuple[str, ...]) -> None:
    assert not is_good(people.authenticator(), people.add("alice", "files:read", servers=servers))
    assert is_good(people.authenticator(), people.add("alice", "files:read", servers=(*servers, SERVER)))


def test_a_client_whose_servers_change_is_let_go(people: People) -> None:
    credential = people.add("alice", "files:read", servers=(SERVER,))
    authenticator = people.authenticator()
    caller, _ = authenticator.authenticate(credential)
    assert caller is not None
    people.change("alice", servers=[SERVER, "other"])
    assert authenticator.review(caller) is caller
    people.change("alice", servers=["other"])
    assert authenticator.review(caller) is None


def test_a_client_that_is_bound_to_a_program_is_refused_to_others(people: People) -> None:
    parent = os.path.realpath(f"/proc/{os.getppid()}/exe")
    owner = os.stat(parent).st_uid
    assert not is_good(people.authenticator(), people.add("alice", "x", program={"path": "/usr/bin/true", "owner": 0}))
    assert not is_good(people.authenticator(), people.add("alice", "x", program={"path": parent, "owner": owner + 1}))
    assert is_good(people.authenticator(), people.add("alice", "x", program={"path": parent, "owner": owner}))


def test_no_client_takes_longer_to_refuse_than_another(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether a name is registered is told neither by words nor by how much is computed."""
    people.add("alice", "files:read")
    people.add("revoked", "files:read")
    people.revoke("revoked")
    compared: list[str] = []
    monkeypatch.setattr(credentials, "matches", lambda text, kept: compared.append(text) or False)
    counts = set()
    for name in ("alice", "revoked", "carol", "", "../alice", "\u0430lice", "a" * 65):
        compared.clear()
        assert not is_good(people.authenticator(), f"sgc:{name}:{'A' * 43}")
        counts.add(len(compared))
    assert counts == {1}


def test_attacks_are_counted_and_what_merely_ran_out_is_not(people: People) -> None:
    secret = people.add("alice", "files:read", expires=60)
    token = people.token("alice", ttl=30)
    replaced = secret
    fresh = people.rotate("alice", 10)
    authenticator = people.authenticator()
    for credential in (secret, token, fresh):
        assert is_good(authenticator, credential)
    people.clock.passes(10)
    assert not is_good(authenticator, replaced)
    people.clock.passes(20)
    assert not is_good(authenticator, token)
    people.clock.passes(30)
    assert not is_good(authenticator, fresh)
    assert people.failures == 0
    for attack in ("", None, 5, "sgc:alice:x", secret + "x", "sgc:carol:x", "a.b.c", token[:-10]):
        before = people.failures
        assert not is_good(authenticator, attack)
        assert people.failures == before + 1, attack


# --- the launch -------------------------------------------------------------------------------------------------------------------------


def test_a_launch_without_a_token_is_refused_and_one_that_gives_none_is_not_asked(people: People) -> None:
    assert people.authenticator(read_launch=Launched(None)).admit()
    authenticator = people.authenticator()
    assert authenticator.admit() == ""
    assert authenticator.launched() is None


def test_a_launch_is_renewed_by_a_token_of_the_same_client_alone(people: People) -> None:
    alice, bob = people.add("alice", "files:read"), people.add("bob", "files:read")
    launched = Launched(people.token("alice", ttl=60))
    authenticator = people.authenticator(read_launch=launched)
    assert authenticator.admit() == ""
    first = authenticator.launched()
    assert first is not None
    for useless in (bob, people.token("bob"), "", "x", alice + "\n"):
        launched.put(useless)
        assert authenticator.launched() is first
    launched.put(alice)
    renewed = authenticator.launched()
    assert renewed is not None
    assert renewed.is_same(first)
    assert renewed.expires is None
    people.clock.passes(60)
    assert authenticator.launched() is renewed
    assert people.failures == 0, "what lies in a file is no guess"


def test_a_launch_goes_on_with_what_it_had_while_its_file_is_gone(people: People) -> None:
    people.add("alice", "files:read")
    held: list[Any] = [people.token("alice", ttl=60)]
    authenticator = people.authenticator(read_launch=lambda before: (held[0], 1) if held and before != 1 else None)
    assert authenticator.admit() == ""
    held.clear()
    assert authenticator.launched() is not None
    people.clock.passes(60)
    assert authenticator.launched() is None


# --- other issuers ------------------------------------------------------------------------------------------------------------------------


def foreign(people: People, issuer: str = ISSUER, **claims: Any) -> str:
    key = "ed" if issuer == ISSUER else "ed-other"
    said = {"iss": issuer, "aud": SERVER, "sub": "agent-7", "exp": people.clock.wall + 600, "scope": "files:read", **claims}
    said = {name: value for name, value in said.items() if value is not None}
    signed = ".".join(b64(json.dumps(part).encode()) for part in ({"alg": "EdDSA", "typ": "JWT", "kid": key}, said))
    return f"{signed}.{b64(eddsa(private(key))(signed.encode()))}"


def of_issuers(people: People, **options: Any) -> Authenticator:
    issuers = {}
    for issuer, key, name in ((ISSUER, "ed", "login.jwks"), (OTHER, "ed-other", "other.jwks")):
        path = people.home / name
        path.write_text(json.dumps({"keys": [jwk(key)]}))
        path.chmod(0o600)
        issuers[issuer] = settings(jwks_file=str(path), **options.pop("settings", {}))
    return people.authenticator(issuers=issuers, **options)


def test_a_token_of_another_issuer_is_somebody_without_being_registered(people: People) -> None:
    authenticator = of_issuers(people)
    caller, why = authenticator.authenticate(foreign(people))
    assert caller is not None, why
    assert caller.client == f"agent-7 of {ISSUER}"
    assert caller.may(["files:read"])
    assert not caller.may(["files:write"])
    people.clock.passes(600)
    assert authenticator.review(caller) is None


@pytest.mark.parametrize(
    "scope", [None, "", " ", "*", "**", "files", "FILES:READ", "files:read\tfiles:write", "files:rea files:readx"]
)
def test_a_token_of_another_issuer_without_usable_scopes_has_none(people: People, scope: str | None) -> None:
    caller, why = of_issuers(people).authenticate(foreign(people, scope=scope))
    assert caller is not None, why
    assert caller.may([])
    for needed in ("files:read", "admin", "x"):
        assert not caller.may([needed])
    assert of_issuers(people).authenticate(foreign(people, scope="x files:read"))[0].may(["files:read"])  # type: ignore[union-attr]


def test_a_token_of_another_issuer_is_not_one_of_our_clients_of_that_name(people: People) -> None:
    people.add("agent-7", "files:*")
    caller, _ = of_issuers(people).authenticate(foreign(people))
    assert caller is not None
    assert not caller.may(["files:write"])
    own, _ = of_issuers(people).authenticate(people.token("agent-7"))
    assert own is not None
    assert not own.is_same(caller)
    assert not is_good(of_issuers(people, only="agent-7"), foreign(people))
    assert is_good(of_issuers(people, only="agent-7"), people.token("agent-7"))


def test_one_name_of_two_issuers_is_two_clients(people: People) -> None:
    authenticator = of_issuers(people)
    one, two = (authenticator.authenticate(foreign(people, issuer))[0] for issuer in (ISSUER, OTHER))
    assert one is not None
    assert two is not None
    assert not one.is_same(two)


def test_a_revoked_token_of_one_issuer_is_not_that_of_another_with_its_id(people: People) -> None:
    for first, second in ((ISSUER, OTHER), (OTHER, ISSUER)):
        authenticator = of_issuers(people)
        authenticator.interval = Authenticator.interval
        jti = f"id of {first}"
        jti = jti.replace(" ", "-")
        people.revoke_token(foreign(people, first, jti=jti))
        assert is_good(authenticator, foreign(people, second, jti=jti))
        assert not is_good(authenticator, foreign(people, first, jti=jti))
        assert not is_good(authenticator, foreign(people, first, jti=jti, scope="x"))
        callers = [authenticator.authenticate(foreign(people, issuer, jti="fresh"))[0] for issuer in (first, second)]
        people.revoke_token(foreign(people, first, jti="fresh"))
        people.clock.passes(1)
        assert [authenticator.is_revoked(caller) for caller in callers] == [True, False]  # type: ignore[arg-type]
        (people.home / "state").rename(people.home / f"state-{first[8:9]}")


def test_a_role_of_a_token_is_a_role_of_the_profile(people: People) -> None:
    roles = {"reader": ["files:read"], "admin": ["ops:*"]}
    path = people.home / "roles.jwks"
    path.write_text(json.dumps({"keys": [jwk("ed")]}))
    path.chmod(0o600)
    issuers = {ISSUER: settings(jwks_file=str(path), scope_claim="roles")}
    authenticator = people.authenticator(issuers=issuers, roles=roles)
    for said, needed in ((["reader"], {"files:read"}), (["admin"], {"ops:x"}), (["Reader", "ADMIN"], set()), ([], set())):
        caller, why = authenticator.authenticate(foreign(people, scope=None, roles=said))
        assert caller is not None, why
        assert {scope for scope in ("files:read", "ops:x", "files:write") if caller.may([scope])} == needed


@pytest.mark.parametrize("name", ["stdioguard", "STDIOGUARD", "Stdioguard "])
def test_no_issuer_has_our_own_name(name: str) -> None:
    for issuer, wrong in ((name, True), (f"https://{name.strip()}", False)):
        profile = OPEN + f'[identity.issuers."{issuer}"]\njwks_file = "/keys.json"\n'
        if wrong:
            with pytest.raises(ProfileError):
                policy(profile)
        else:
            assert list(policy(profile).issuers) == [issuer]
