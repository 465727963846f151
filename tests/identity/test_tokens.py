"""Tokens: everything that a forged one can be, each beside the genuine one from which it differs in one thing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import settings as trials
from hypothesis import strategies as st

from stdioguard.identity import clients, keys, revocations, tokens
from stdioguard.identity.tokens import TokenError, Untimely, Verifier
from stdioguard.policy import private as files
from tests.identity import forge
from tests.identity.forge import ISSUER, NOW, SERVER, World, private
from tests.identity.forge_attacks import ATTACKS, Attack, Change, claim, signed


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv("STDIOGUARD_HOME", str(tmp_path))
    return World(tmp_path)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_a_forged_token_is_refused_and_its_twin_is_not(attack: Attack, world: World) -> None:
    def token(*changes: Change) -> str:
        draft = world.draft(attack.kind)
        for change in changes:
            change(draft)
        return draft.text()

    twin = token(attack.prepare)
    assert world.verify(twin).scopes == {"files:read"}
    forged = token(attack.prepare, attack.change)
    with pytest.raises(TokenError) as refusal:
        world.verify(forged)
    assert attack.reason in str(refusal.value)
    assert (type(refusal.value) is Untimely) == attack.untimely
    assert "\n" not in str(refusal.value)
    assert forged == "" or forged not in str(refusal.value)


def test_the_table_of_attacks_is_a_table() -> None:
    assert len(ATTACKS) >= 70
    assert len({attack.name for attack in ATTACKS}) == len(ATTACKS)


@pytest.mark.parametrize("value", [None, b"a.b.c", 5, ["a.b.c"], {"token": "a.b.c"}, True])
def test_what_is_no_text_is_no_token(value: object, world: World) -> None:
    with pytest.raises(TokenError, match="no text"):
        world.verify(value)


@pytest.mark.parametrize("kind", ["own", "ed", "ec", "rsa", "hs"])
def test_no_other_character_anywhere_in_a_token_is_accepted(kind: str, world: World) -> None:
    token = world.draft(kind).text()
    verifier = world.verifier()
    assert verifier.verify(token, NOW)
    for position in range(len(token)):
        for character in {"A", "Q", "g", "-", ".", "="} - {token[position]}:
            with pytest.raises(TokenError):
                verifier.verify(token[:position] + character + token[position + 1 :], NOW)


@pytest.mark.parametrize("kind", ["own", "ed"])
def test_a_token_that_ends_anywhere_before_its_end_is_refused(kind: str, world: World) -> None:
    token = world.draft(kind).text()
    verifier = world.verifier()
    for length in range(len(token)):
        with pytest.raises(TokenError):
            verifier.verify(token[:length], NOW)
    assert verifier.verify(token, NOW)


def test_whatever_is_presented_is_refused_and_nothing_else_happens(world: World) -> None:
    verifier = world.verifier()
    formed = st.from_regex(r"\A[A-Za-z0-9_-]{1,20}\.[A-Za-z0-9_-]{1,40}\.[A-Za-z0-9_-]{1,20}\Z")

    @trials(max_examples=300, deadline=None)
    @given(st.one_of(st.text(), st.binary(), formed))
    def one(token: Any) -> None:
        with pytest.raises(TokenError):
            verifier.verify(token, NOW)

    one()
    assert verifier.verify(world.draft("ed").text(), NOW)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@pytest.mark.parametrize("kind", ["own", "hs"])
def test_whatever_an_issuer_signs_counts_or_is_refused(kind: str, world: World) -> None:
    verifier = world.verifier()
    genuine = world.draft(kind).claims

    @trials(max_examples=300, deadline=None)
    @given(st.sampled_from(sorted(genuine)), JSON)
    def one(name: str, value: Any) -> None:
        draft = world.draft(kind)
        draft.claims[name] = value
        try:
            found = verifier.verify(draft.text(), NOW)
        except TokenError:
            return
        assert name not in {"iss", "aud"} or value == genuine[name]
        assert found.expires > NOW >= found.not_before

    one()


# --- the clock -----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["own", "ed"])
def test_a_token_counts_from_the_second_of_its_nbf_to_that_before_its_exp(kind: str, world: World) -> None:
    draft = world.draft(kind)
    draft.claims.update(iat=NOW, nbf=NOW, exp=NOW + 10)
    token, verifier = draft.text(), world.verifier()
    for now in (NOW - 1, NOW - 0.001):
        with pytest.raises(Untimely, match="not valid yet"):
            verifier.verify(token, now)
    for now in (NOW, NOW + 9, NOW + 9.999):
        assert verifier.verify(token, now).expires == NOW + 10
    for now in (NOW + 10, NOW + 10.001, NOW + 10**6):
        with pytest.raises(Untimely, match="expired"):
            verifier.verify(token, now)


def test_another_issuers_token_needs_no_nbf_and_no_iat(world: World) -> None:
    draft = world.draft("ed")
    del draft.claims["nbf"], draft.claims["iat"]
    assert world.verify(draft.text()).not_before == 0


def test_only_a_token_that_is_genuine_is_untimely(world: World) -> None:
    draft = world.draft("own")
    draft.claims["exp"] = NOW - 5
    with pytest.raises(Untimely):
        world.verify(draft.text())
    for change in (claim("aud", "mail"), signed(lambda: forge.eddsa(private("ed"))), claim("sub", "")):
        forged = draft.copy()
        change(forged)
        with pytest.raises(TokenError) as refusal:
            world.verify(forged.text())
        assert type(refusal.value) is TokenError


# --- what a token grants -------------------------------------------------------------------------------------------------------------


def grants(world: World, scope_claim: str, value: Any) -> tuple[Any, Any]:
    world.issuers[ISSUER]["scope_claim"] = scope_claim
    draft = world.draft("ed")
    del draft.claims["scope"]
    draft.claims[scope_claim] = value
    found = world.verify(draft.text())
    return found.scopes, found.roles


@pytest.mark.parametrize("name", ["scope", "scp", "permissions", "roles"])
def test_scopes_are_words_of_a_text_in_any_claim(name: str, world: World) -> None:
    assert grants(world, name, "files:read  files:* mail")[0] == {"files:read", "files:*", "mail"}
    assert grants(world, name, None)[0] == grants(world, name, "")[0] == set()


@pytest.mark.parametrize("name", ["scp", "permissions", "roles"])
def test_scopes_are_items_of_a_list_in_any_claim_but_scope(name: str, world: World) -> None:
    assert grants(world, name, ["files:read", "mail"])[0] == {"files:read", "mail"}
    assert grants(world, name, [])[0] == set()


def test_what_is_no_scope_grants_nothing(world: World) -> None:
    items = [
        "files:read",
        "*",
        "files:*:read",
        "f\u0456les",
        "a b",
        "",
        "files:\n",
        None,
        5,
        True,
        ["mail"],
        {"mail": 1},
        "x" * 129,
    ]
    assert grants(world, "permissions", items) == ({"files:read"}, set())
    assert grants(world, "scope", "files:read * files:re\tad f\u0456les files:read\n") == ({"files:read"}, set())


def test_roles_are_roles_and_scopes_where_they_look_like_some(world: World) -> None:
    assert grants(world, "roles", ["reader", "Files/Write", "two words", "l\u043eok", 5]) == (
        {"reader"},
        {"reader", "Files/Write"},
    )
    assert grants(world, "permissions", ["reader"]) == ({"reader"}, set())


def test_scopes_of_another_claim_than_the_profiles_grant_nothing(world: World) -> None:
    world.issuers[ISSUER]["scope_claim"] = "permissions"
    assert world.verify(world.draft("ed").text()).scopes == set()


def test_a_token_of_our_own_without_scope_has_what_its_client_has_and_one_of_another_issuer_nothing(world: World) -> None:
    for kind, scopes in (("own", None), ("ed", frozenset())):
        draft = world.draft(kind)
        del draft.claims["scope"]
        assert world.verify(draft.text()).scopes == scopes
    empty = world.draft("own")
    empty.claims["scope"] = "*"
    assert world.verify(empty.text()).scopes == set()


@pytest.mark.parametrize("kind", ["JWT", "jwt", "at+jwt", "AT+JWT"])
def test_both_types_of_token_count_in_any_case_and_so_does_none(kind: str, world: World) -> None:
    draft = world.draft("ed")
    draft.header["typ"] = kind
    assert world.verify(draft.text())
    del draft.header["typ"]
    assert world.verify(draft.text())


def test_a_token_without_a_key_id_counts_where_one_key_fits(world: World) -> None:
    draft = world.draft("ed")
    del draft.header["kid"]
    assert world.verify(draft.text()).subject == "agent-7"


def test_a_token_says_what_it_is(world: World) -> None:
    own = world.verify(world.draft("own").text())
    assert (own.issuer, own.subject, own.client_id) == ("stdioguard", "claude-code", world.client.id)
    assert (own.jti, own.not_before, own.expires) == ("0123456789abcdef", NOW - 10, NOW + 600)
    other = world.verify(world.draft("rsa").text())
    assert (other.issuer, other.subject, other.client_id, other.jti) == (ISSUER, "agent-7", None, "id-1")


# --- revoking -------------------------------------------------------------------------------------------------------------------------


def test_a_token_without_an_id_is_revoked_by_a_name_that_its_signature_has_no_part_in(world: World) -> None:
    draft = world.draft("ec")
    del draft.claims["jti"]
    token = draft.text()
    signature = forge.unb64(token.rpartition(".")[2])
    twin = f"{token.rpartition('.')[0]}.{forge.b64(forge.other_half(signature))}"
    first, second = world.verify(token), world.verify(twin)
    assert token != twin
    assert first.jti == second.jti
    assert first.jti.startswith("sha256:")
    revocations.revoke(ISSUER, first.jti, first.expires, NOW)
    for spelling in (token, twin):
        with pytest.raises(Untimely, match="revoked"):
            world.verify(spelling)
    draft.claims["sub"] = "agent-8"
    assert world.verify(draft.text()).jti != first.jti


def test_a_token_is_refused_where_it_cannot_be_told_whether_it_was_revoked(world: World) -> None:
    token = world.draft("own").text()
    assert world.verify(token)
    folder = Path(revocations.folder())
    folder.parent.mkdir(parents=True, mode=0o700)
    folder.write_text("no folder")
    with pytest.raises(TokenError, match="cannot be told"):
        world.verify(token)


# --- who may be an issuer ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["stdioguard", "Stdioguard", " stdioguard"])
def test_no_profile_can_make_another_issuer_of_our_name(name: str, world: World) -> None:
    with pytest.raises(ValueError, match="no other issuer"):
        Verifier(SERVER, {name: forge.settings(jwks_file=str(world.jwks))})
    assert Verifier(SERVER, {"https://stdioguard": forge.settings(jwks_file=str(world.jwks))})


def test_without_a_key_no_token_is_ours_and_none_is_made_by_asking(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = world.draft("own").text()
    monkeypatch.setenv("STDIOGUARD_HOME", str(tmp_path / "empty"))
    with pytest.raises(TokenError, match="no token was ever issued"):
        Verifier(SERVER, {}).verify(token, NOW)
    assert not (tmp_path / "empty").exists()


def test_a_key_that_cannot_be_used_is_a_reason_and_nothing_else(world: World) -> None:
    token, path = world.draft("own").text(), world.home / "config" / "keys" / "signing.pub"
    assert world.verify(token)
    path.chmod(0o644)
    with pytest.raises(TokenError, match="chmod 600"):
        world.verify(token)
    path.chmod(0o600)
    path.write_text("no key")
    with pytest.raises(TokenError, match="no Ed25519 key"):
        world.verify(token)


# --- issuing ----------------------------------------------------------------------------------------------------------------------------


def client(**members: Any) -> clients.Client:
    found = clients.Client("cursor")
    found.scopes = ["files:*", "mail:read"]
    for name, value in members.items():
        setattr(found, name, value)
    return found


def test_an_issued_token_is_verified_and_says_what_was_asked_for(world: World) -> None:
    made = client()
    token = tokens.issue(made, SERVER, ["files:read", "mail:read", "files:read"], 3600, NOW + 0.7)
    found = world.verify(token, NOW + 1)
    assert (found.issuer, found.subject, found.client_id) == ("stdioguard", "cursor", made.id)
    assert found.scopes == {"files:read", "mail:read"}
    assert (found.not_before, found.expires) == (NOW, NOW + 3600)
    document = tokens.inspect(token)
    assert document["header"] == {"alg": "EdDSA", "typ": "JWT", "kid": world.kid}
    assert document["claims"]["scope"] == "files:read mail:read"
    assert len(document["claims"]["jti"]) == 32
    assert tokens.inspect(tokens.issue(made, SERVER, [], 1, NOW))["claims"]["jti"] != document["claims"]["jti"]


def test_a_token_issued_without_scopes_has_what_its_client_has(world: World) -> None:
    token = tokens.issue(client(roles=["reader"]), SERVER, [], 60, NOW)
    assert "scope" not in tokens.inspect(token)["claims"]
    assert world.verify(token).scopes is None


@pytest.mark.parametrize(
    ("members", "server", "scopes", "ttl", "reason"),
    [
        ({}, SERVER, ["mail:write"], 60, "does not have mail:write"),
        ({}, SERVER, ["mail:*"], 60, r"does not have mail:\*"),
        ({}, SERVER, ["admin"], 60, "does not have admin"),
        ({"scopes": [], "roles": ["reader"]}, SERVER, ["files:read"], 60, "no scopes of its own; what its roles grant"),
        ({}, SERVER, ["files read"], 60, "is no scope"),
        ({}, SERVER, [""], 60, "is no scope"),
        ({}, SERVER, ["*"], 60, "is no scope"),
        ({}, SERVER, [], 0, "1s to 90d"),
        ({}, SERVER, [], -5, "1s to 90d"),
        ({}, SERVER, [], 90 * 86400 + 1, "1s to 90d"),
        ({}, SERVER, [], True, "1s to 90d"),
        ({}, SERVER, [], 1.5, "1s to 90d"),
        ({"expires": NOW + 59.0}, SERVER, [], 60, "expires in 59s"),
        ({"expires": float(NOW)}, SERVER, [], 60, "is expired"),
        ({"revoked": NOW - 5.0}, SERVER, [], 60, "is revoked"),
        ({"servers": ["mail", "git"]}, SERVER, [], 60, "registered for mail, git, not for files"),
        ({}, "", [], 60, "no name of a server"),
        ({}, "two words", [], 60, "no name of a server"),
        ({}, "f\u0456les", [], 60, "no name of a server"),
        ({}, SERVER, [f"files:{number:0>100}" for number in range(100)], 60, "more than 8192"),
    ],
)  # fmt: skip
def test_what_a_client_does_not_have_is_not_issued(
    members: dict[str, Any], server: str, scopes: list[str], ttl: int, reason: str, world: World
) -> None:
    with pytest.raises(ValueError, match=reason) as refusal:
        tokens.issue(client(**members), server, scopes, ttl, NOW)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("members", "scopes", "ttl"),
    [
        ({}, ["files:*", "files:read:own"], 1),
        ({}, [], 90 * 86400),
        ({"expires": NOW + 60.0}, [], 60),
        ({"servers": ["mail", SERVER]}, [], 60),
        ({"roles": ["reader"]}, ["mail:read"], 60),
    ],
)
def test_what_a_client_has_is_issued(members: dict[str, Any], scopes: list[str], ttl: int, world: World) -> None:
    assert world.verify(tokens.issue(client(**members), SERVER, scopes, ttl, NOW)).expires == NOW + ttl


def test_inspecting_says_what_is_in_a_token_whoever_signed_it_and_is_as_strict(world: World) -> None:
    draft = world.draft("ed")
    draft.claims["iss"] = "https://evil.example"
    assert tokens.inspect(draft.text())["claims"]["iss"] == "https://evil.example"
    with pytest.raises(TokenError, match="three parts"):
        tokens.inspect(draft.text() + "\n")


# --- our key ------------------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STDIOGUARD_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_the_key_is_made_once_in_files_of_ones_own(home: Path) -> None:
    assert keys.public_key() is None
    kid, key = keys.signing_key()
    assert keys.signing_key()[0] == kid
    public = keys.public_key()
    assert public is not None
    assert public[0] == kid
    public[1].verify(key.sign(b"x"), b"x")
    folder = home / "config" / "keys"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()} == {"signing.pem": 0o600, "signing.pub": 0o600}


def test_the_id_of_a_key_is_its_thumbprint() -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    # RFC 8037, appendices A.2 and A.3.
    key = Ed25519PublicKey.from_public_bytes(forge.unb64("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"))
    assert keys.thumbprint(key) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


@pytest.mark.parametrize("name", ["signing.pem", "signing.pub"])
def test_a_key_that_others_can_read_is_refused_with_the_command_that_mends_it(name: str, home: Path, tmp_path: Path) -> None:
    def use() -> object:
        return keys.signing_key() if name == "signing.pem" else keys.public_key()

    keys.signing_key()
    path = home / "config" / "keys" / name
    for mode in (0o644, 0o640, 0o602, 0o4600):
        path.chmod(mode)
        with pytest.raises(PermissionError, match=f"chmod 600 {path}"):
            use()
    path.chmod(0o600)
    assert use()
    path.parent.chmod(0o750)
    with pytest.raises(PermissionError, match=f"chmod 700 {path.parent}"):
        use()
    path.parent.chmod(0o700)
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PermissionError):
        use()
    path.unlink()
    os.mkfifo(path, 0o600)
    with pytest.raises(PermissionError):
        use()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
@pytest.mark.parametrize("name", ["signing.pem", "signing.pub"])
def test_a_key_of_another_user_is_refused(name: str, home: Path) -> None:
    keys.signing_key()
    os.chown(home / "config" / "keys" / name, 65534, -1)
    with pytest.raises(PermissionError, match="belongs to user 65534"):
        keys.signing_key()


@pytest.mark.parametrize("content", [b"", b"no key", "rsa", "ed448"])
def test_another_thing_than_an_ed25519_key_is_refused(content: bytes | str, home: Path) -> None:
    from cryptography.hazmat.primitives.serialization import NoEncryption, PrivateFormat

    keys.signing_key()
    secret, public = content, content
    if isinstance(content, str):
        secret = private(content).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        public = private(content).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (home / "config" / "keys" / "signing.pub").write_bytes(public)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no Ed25519 key"):
        keys.public_key()
    (home / "config" / "keys" / "signing.pem").write_bytes(secret)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no Ed25519 key"):
        keys.signing_key()


def test_the_public_half_follows_the_private_one(home: Path) -> None:
    first, _ = keys.signing_key()
    (home / "config" / "keys" / "signing.pem").unlink()
    second, _ = keys.signing_key()
    assert first != second
    assert keys.public_key()[0] == second  # type: ignore[index]
    (home / "config" / "keys" / "signing.pub").unlink()
    assert keys.public_key() is None
    keys.signing_key()
    assert keys.public_key()[0] == second  # type: ignore[index]


def test_processes_that_make_the_key_at_once_get_the_same(home: Path) -> None:
    code = "import sys; from stdioguard.identity import keys; sys.stdin.readline(); print(keys.signing_key()[0])"
    started = [
        subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(6)
    ]
    for process in started:
        process.stdin.write("go\n")  # type: ignore[union-attr]
        process.stdin.flush()  # type: ignore[union-attr]
    made = {process.communicate(timeout=60)[0].strip() for process in started}
    assert made == {keys.signing_key()[0]}
    assert sorted(os.listdir(home / "config" / "keys")) == ["signing.pem", "signing.pub"]


def test_a_key_that_was_made_meanwhile_stays(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write, others = files.create, []

    def late(path: str, data: bytes) -> None:
        monkeypatch.setattr(files, "create", write)
        others.append(keys.signing_key()[0])
        write(path, data)

    monkeypatch.setattr(files, "create", late)
    assert [keys.signing_key()[0]] == others
    assert sorted(os.listdir(home / "config" / "keys")) == ["signing.pem", "signing.pub"]


def test_a_guard_reads_only_the_public_half(world: World) -> None:
    token = world.draft("own").text()
    (world.home / "config" / "keys" / "signing.pem").unlink()
    assert world.verify(token).subject == "claude-code"
