"""The passphrase: what it signs holds, and nothing else does, whoever can write the files."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from stdioguard.approval import proof, queue
from stdioguard.cli import approvals
from tests.approval import PASSPHRASE, ask, digest_of, set_passphrase


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STDIOGUARD_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(proof, "_COST", {"n": 1 << 4, "r": 8, "p": 1})
    return tmp_path / "home"


DECISION: dict[str, Any] = {"id": "abcdefgh", "digest": "d" * 64, "approved": True, "channel": "terminal"}
LASTING: dict[str, Any] = {
    **DECISION,
    "scope": "until",
    "until": 2_000_000_000,
    "constraints": {"path": {"inside": "/home/ana/notes"}, "n": {"equals": 1}},
}


def signed(decision: dict[str, Any], setting: dict[str, Any], passphrase: str = PASSPHRASE) -> dict[str, Any]:
    return {**decision, "signature": proof.sign(passphrase, setting, decision)}


@pytest.mark.parametrize("decision", [DECISION, LASTING])
def test_what_the_passphrase_signs_holds(decision: dict[str, Any]) -> None:
    setting = set_passphrase()
    assert proof.is_signed(setting, signed(decision, setting))
    assert not proof.is_signed(setting, decision)


def test_a_passphrase_is_the_same_however_its_letters_are_composed() -> None:
    setting = set_passphrase("cr\u00e8me br\u00fbl\u00e9e")
    assert proof.is_signed(setting, signed(DECISION, setting, "cre\u0300me bru\u0302le\u0301e"))
    with pytest.raises(proof.WrongPassphraseError):
        signed(DECISION, setting, "creme brulee!")


def test_a_key_of_before_holds_as_it_was_made() -> None:
    """Those cost less, and took the passphrase as it was typed."""
    salt, typed = b"0123456789abcdef", "cre\u0300me"
    seed = hashlib.scrypt(typed.encode(), salt=salt, n=1 << 15, r=8, p=1, maxmem=1 << 28, dklen=32)
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    approvals._keep({"salt": salt.hex(), "n": 1 << 15, "r": 8, "p": 1, "public": public.hex()})
    setting = proof.read()
    assert setting is not None
    assert proof.is_signed(setting, signed(DECISION, setting, typed))
    with pytest.raises(proof.WrongPassphraseError):
        signed(DECISION, setting, "cr\u00e8me")


@pytest.mark.parametrize(
    "change",
    [
        {"n": 1 << 21},
        {"n": 3},
        {"n": 1 << 18},
        {"n": "16"},
        {"n": True},
        {"r": 33},
        {"p": 0},
        {"p": 17},
        {"form": "NFKC"},
        {"salt": 1},
    ],
)
def test_a_key_that_nobody_could_wait_for_is_none(change: dict[str, Any]) -> None:
    setting = set_passphrase()
    approvals._keep({**setting, **change})
    assert proof.read() is None
    approvals._keep(setting)
    assert proof.read() == setting


def test_the_order_of_members_does_not_matter() -> None:
    setting = set_passphrase()
    decision = signed(LASTING, setting)
    assert proof.is_signed(setting, dict(reversed(decision.items())))


def test_a_signature_survives_the_queue() -> None:
    setting = set_passphrase()
    asked = ask(risk="high")
    decision = {"id": asked, "digest": digest_of(asked), "approved": True, "channel": "terminal"}
    more = {"scope": "always", "constraints": {"x": {"equals": 1.0}, "y": {"equals": "\u00e9\u2028"}}}
    signature = proof.sign(PASSPHRASE, setting, {**decision, **more})
    queue.decide(asked, digest_of(asked), approved=True, channel="terminal", signature=signature, **more)
    taken = queue.decision(asked)
    assert taken is not None
    assert proof.is_signed(setting, taken)


CHANGES: list[dict[str, Any]] = [
    {"id": "abcdefgj"},
    {"digest": "e" * 64},
    {"approved": False},
    {"approved": 1},
    {"channel": "page"},
    {"scope": "always"},
    {"until": 2_000_000_001},
    {"until": 2_000_000_000.0},
    {"constraints": {"path": {"inside": "/"}, "n": {"equals": 1}}},
    {"constraints": {"path": {"inside": "/home/ana/notes"}, "n": {"equals": 1.0}}},
    {"constraints": {"path": {"inside": "/home/ana/notes"}, "n": {"any": True}}},
    {"constraints": {}},
    {"more": None},
    {"signature": ""},
    {"signature": "0" * 128},
    {"signature": None},
    {"signature": 5},
    {"signature": "zz"},
]


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_what_was_signed_cannot_be_changed(change: dict[str, Any]) -> None:
    setting = set_passphrase()
    decision = signed(LASTING, setting)
    assert proof.is_signed(setting, decision)
    assert not proof.is_signed(setting, {**decision, **change})


@pytest.mark.parametrize("member", sorted(LASTING))
def test_nothing_that_was_signed_can_be_left_out(member: str) -> None:
    setting = set_passphrase()
    decision = signed(LASTING, setting)
    del decision[member]
    assert not proof.is_signed(setting, decision)


@pytest.mark.parametrize("wrong", ["correct horse batterz", "Correct horse battery", "correct horse battery ", "", " " * 8])
def test_a_wrong_passphrase_signs_nothing(wrong: str) -> None:
    setting = set_passphrase()
    with pytest.raises(proof.WrongPassphraseError):
        proof.sign(wrong, setting, DECISION)
    assert proof.sign(PASSPHRASE, setting, DECISION)


def test_the_key_on_the_disk_signs_nothing() -> None:
    """What an agent can read is the public key and the salt."""
    setting = set_passphrase()
    kept = json.loads(Path(proof.path()).read_text())
    assert set(kept) == {"salt", "form", "n", "r", "p", "public"}
    for material in (kept["public"], kept["salt"] * 2):
        private = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(material))
        forged = {**DECISION, "signature": private.sign(proof._signed(DECISION)).hex()}
        assert not proof.is_signed(setting, forged)
    assert PASSPHRASE not in Path(proof.path()).read_text()


def test_a_key_that_was_replaced_does_not_count_in_a_session_that_has_begun() -> None:
    """The limit: a session that begins after that takes the new key. Only the person can notice: theirs is refused as wrong."""
    session = set_passphrase()
    Path(proof.path()).unlink()
    theirs = set_passphrase("what the agent likes")
    forged = signed(DECISION, theirs, "what the agent likes")
    assert not proof.is_signed(session, forged)
    later = proof.read()
    assert later is not None
    assert proof.is_signed(later, forged)
    with pytest.raises(proof.WrongPassphraseError):
        proof.sign(PASSPHRASE, later, DECISION)


def test_the_same_passphrase_set_again_is_another_key() -> None:
    first, second = proof.setting(PASSPHRASE), proof.setting(PASSPHRASE)
    assert first["public"] != second["public"]
    assert not proof.is_signed(second, signed(DECISION, first))


def test_no_key_is_no_passphrase() -> None:
    assert proof.read() is None
    set_passphrase()
    assert proof.read() is not None


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o620, 0o602, 0o4600])
def test_a_key_that_others_can_touch_is_none(mode: int) -> None:
    set_passphrase()
    Path(proof.path()).chmod(mode)
    assert proof.read() is None
    Path(proof.path()).chmod(0o600)
    assert proof.read() is not None


def test_a_key_behind_a_link_is_none(tmp_path: Path) -> None:
    set_passphrase()
    Path(proof.path()).rename(tmp_path / "key")
    Path(proof.path()).symlink_to(tmp_path / "key")
    assert proof.read() is None


# chown(2) to another user needs root; the same test runs as root in the same suite.
@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("setpriv") is None, reason="only root can give a file to another user")
def test_a_key_that_is_another_users_is_none() -> None:
    set_passphrase()
    os.chown(proof.path(), 65534, 65534)
    assert proof.read() is None
    os.chown(proof.path(), 0, 0)
    assert proof.read() is not None


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"public":5}', '{"public":"abcd"}', '{"public":"zz"}', "{", "\x00" * 5000])
def test_a_damaged_key_is_none(text: str) -> None:
    set_passphrase()
    Path(proof.path()).write_text(text)
    assert proof.read() is None


@pytest.mark.parametrize("cost", [{"n": 1 << 30}, {"n": 1}, {"n": 0}, {"r": 1 << 20}, {"p": 1 << 20}])
def test_a_key_that_would_cost_too_much_or_nothing_is_refused(cost: dict[str, int]) -> None:
    setting = set_passphrase()
    with pytest.raises(ValueError, match="cost"):
        proof.sign(PASSPHRASE, {**setting, **cost}, DECISION)


def test_guessing_costs_as_much_as_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert proof._COST["n"] * proof._COST["r"] * 128 >= 128 << 20
