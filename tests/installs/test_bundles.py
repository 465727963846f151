"""Bundles of extensions are looked into and never unpacked, whatever they are made of."""

from __future__ import annotations

import os
import struct
import zipfile

import pytest

from stdioguard.installs import bundles, find
from stdioguard.installs.files import FileProblem


def packed(path, *members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return str(path)


def test_a_bundle_says_its_manifest_its_names_and_whether_it_is_signed(tmp_path):
    path = packed(tmp_path / "a.mcpb", ("manifest.json", "{}"), ("server/x.js", "1"))
    bundle = bundles.read(path)
    assert (bundle.manifest, bundle.members, bundle.links, bundle.is_signed) == (
        b"{}",
        ("manifest.json", "server/x.js"),
        (),
        False,
    )
    with open(path, "ab") as file:
        file.write(b"MCPB_SIG_V1" + b"x" * 4000 + b"MCPB_SIG_END")
    assert bundles.read(path).is_signed


def test_a_name_that_says_it_is_signed_is_no_signature(tmp_path):
    assert not bundles.read(packed(tmp_path / "a.mcpb", ("manifest.json", "{}"), ("MCPB_SIG_V1", ""))).is_signed


@pytest.mark.parametrize("name", ["a.mcpb", "A.MCPB", "old.dxt"])
def test_a_bundle_is_known_by_its_name(tmp_path, name):
    assert find.given(str(tmp_path / name)).form == "mcpb"


def refused(path):
    with pytest.raises(FileProblem) as problem:
        bundles.read(str(path))
    assert "\n" not in str(problem.value)
    listing = find.read_entries(find.given(str(path)))
    assert (listing.entries, bool(listing.problem)) == ([], True)
    return str(problem.value)


@pytest.mark.parametrize(
    "data",
    [b"", b"PK", b"not a zip" * 100, b"PK\x05\x06" + b"\0" * 18, b"PK\x05\x06" + b"\xff" * 18, b"PK\x03\x04" + b"\0" * 200],
    ids=repr,
)
def test_what_is_no_archive_is_refused_in_one_line(tmp_path, data):
    path = tmp_path / "a.mcpb"
    path.write_bytes(data)
    refused(path)


def test_a_damaged_member_is_refused(tmp_path):
    path = tmp_path / "a.mcpb"
    packed(path, ("manifest.json", "{}" + " " * 5000))
    data = bytearray(path.read_bytes())
    data[45:60] = b"\xff" * 15
    path.write_bytes(data)
    assert "damaged" in refused(path)


def test_a_manifest_that_grows_as_it_is_unpacked_is_refused_early(tmp_path):
    path = packed(tmp_path / "bomb.mcpb", ("manifest.json", b" " * (64 << 20)))
    assert os.path.getsize(path) < 1 << 20
    assert "more than" in refused(path)


def test_a_size_that_lies_does_not_help(tmp_path):
    path = tmp_path / "a.mcpb"
    packed(path, ("manifest.json", b" " * (8 << 20)))
    data = path.read_bytes().replace(struct.pack("<I", 8 << 20), struct.pack("<I", 2))
    path.write_bytes(data)
    refused(path)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_manifests_or_none_are_refused(tmp_path):
    assert "two manifest.json" in refused(packed(tmp_path / "a.mcpb", ("manifest.json", "{}"), ("manifest.json", "[]")))
    assert "no manifest.json" in refused(packed(tmp_path / "b.mcpb", ("Manifest.json", "{}")))


def test_an_encrypted_manifest_is_refused(tmp_path):
    path = tmp_path / "a.mcpb"
    packed(path, ("manifest.json", "{}"))
    data = bytearray(path.read_bytes())
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    assert "damaged" in refused(path)


def test_a_folder_a_pipe_and_nothing_are_refused_at_once(tmp_path):
    (tmp_path / "a.mcpb").mkdir()
    os.mkfifo(tmp_path / "b.mcpb")
    for name in "abc":
        refused(tmp_path / f"{name}.mcpb")


def test_a_manifest_that_is_no_json_is_told_with_its_place(tmp_path):
    listing = find.read_entries(find.given(packed(tmp_path / "a.mcpb", ("manifest.json", "{"))))
    assert "manifest.json" in listing.problem
