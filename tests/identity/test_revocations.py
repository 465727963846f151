"""Revoked tokens: one file each, found with one system call, and never let through where that cannot be told."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from stdioguard.identity import revocations

NOW = 1_800_000_000.0
DAY = 86400


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STDIOGUARD_HOME", str(tmp_path))
    return tmp_path / "state" / "identity" / "revoked"


def test_a_token_is_revoked_from_then_on_and_no_other_is(folder: Path) -> None:
    assert not revocations.is_revoked("stdioguard", "a")
    revocations.revoke("stdioguard", "a", NOW + 60, NOW)
    assert revocations.is_revoked("stdioguard", "a")
    for issuer, jti in (("stdioguard", "b"), ("https://login.example", "a"), ("stdioguarda", ""), ("stdioguard", "A"), ("", "a")):
        assert not revocations.is_revoked(issuer, jti)


def test_what_is_kept_is_private_and_says_nothing_of_the_token(folder: Path) -> None:
    revocations.revoke("stdioguard", "the-jti", NOW + 60, NOW)
    (entry,) = folder.iterdir()
    assert entry.stat().st_mode & 0o777 == 0o600
    assert {path.stat().st_mode & 0o777 for path in (folder, *list(folder.parents)[:2])} == {0o700}
    assert float(entry.read_text()) == NOW + 60
    assert "the-jti" not in entry.name + entry.read_text()


def test_an_id_is_only_an_id(folder: Path) -> None:
    for jti in ("../../../../etc/passwd", "a/b", "a\0b", "", "\ud800", "x" * 10000):
        assert not revocations.is_revoked("stdioguard", jti)
        revocations.revoke("stdioguard", jti, None, NOW)
        assert revocations.is_revoked("stdioguard", jti)
    assert len(os.listdir(folder)) == 6


def test_issuer_and_id_cannot_run_into_each_other(folder: Path) -> None:
    revocations.revoke("ab", "c", None, NOW)
    assert not revocations.is_revoked("a", "bc")
    assert revocations.is_revoked("ab", "c")


def test_what_ran_out_a_day_ago_is_forgotten_at_the_next_revocation(folder: Path) -> None:
    revocations.revoke("i", "old", NOW, NOW)
    revocations.revoke("i", "fresh", NOW + DAY, NOW)
    revocations.revoke("i", "forever", None, NOW)
    revocations.revoke("i", "x", None, NOW + DAY)
    assert revocations.is_revoked("i", "old")  # a clock may be set back
    revocations.revoke("i", "y", None, NOW + DAY + 1)
    assert not revocations.is_revoked("i", "old")
    revocations.revoke("i", "z", None, NOW + 10**9)
    assert not revocations.is_revoked("i", "fresh")
    assert revocations.is_revoked("i", "forever")


def test_of_two_ends_the_later_one_counts(folder: Path) -> None:
    revocations.revoke("i", "a", NOW + 5 * DAY, NOW)
    revocations.revoke("i", "a", NOW, NOW)
    revocations.revoke("i", "b", None, NOW)
    revocations.revoke("i", "b", NOW, NOW)
    revocations.forget(NOW + 5 * DAY)
    assert revocations.is_revoked("i", "a")
    revocations.forget(NOW + 7 * DAY)
    assert not revocations.is_revoked("i", "a")
    assert revocations.is_revoked("i", "b")


@pytest.mark.parametrize("content", [b"", b"never", b"nan", b"inf", b"soon", b"\xff", b"1 2"])
def test_what_cannot_be_understood_stays(content: bytes, folder: Path) -> None:
    revocations.revoke("i", "a", NOW, NOW)
    (entry,) = folder.iterdir()
    entry.write_bytes(content)
    revocations.forget(NOW + 10**9)
    assert revocations.is_revoked("i", "a")


def test_files_that_are_none_of_ours_are_left_alone(folder: Path) -> None:
    revocations.revoke("i", "a", None, NOW)
    (folder / "notes").write_text("0")
    revocations.forget(NOW + 10**9)
    assert (folder / "notes").exists()


def test_where_it_cannot_be_told_it_is_an_error(folder: Path) -> None:
    revocations.revoke("i", "a", None, NOW)
    folder.rename(folder.with_name("away"))
    assert not revocations.is_revoked("i", "a")  # no folder: nothing was ever revoked
    folder.write_text("")
    with pytest.raises(NotADirectoryError):
        revocations.is_revoked("i", "a")
    folder.unlink()
    folder.symlink_to(folder)
    with pytest.raises(OSError, match="symbolic links"):
        revocations.is_revoked("i", "a")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_a_folder_that_cannot_be_read_is_an_error(folder: Path) -> None:
    revocations.revoke("i", "a", None, NOW)
    folder.chmod(0)
    try:
        with pytest.raises(PermissionError):
            revocations.is_revoked("i", "a")
    finally:
        folder.chmod(0o700)
    assert revocations.is_revoked("i", "a")


def test_a_revocation_whose_file_was_made_a_link_to_nothing_still_counts(folder: Path) -> None:
    revocations.revoke("i", "a", None, NOW)
    (entry,) = folder.iterdir()
    entry.unlink()
    entry.symlink_to("nowhere")
    assert revocations.is_revoked("i", "a")


def test_nothing_is_revoked_in_a_folder_that_others_can_change(folder: Path) -> None:
    revocations.revoke("i", "a", None, NOW)
    folder.chmod(0o770)
    with pytest.raises(PermissionError, match="chmod 700"):
        revocations.revoke("i", "b", None, NOW)
    folder.chmod(0o700)
    revocations.revoke("i", "b", None, NOW)
