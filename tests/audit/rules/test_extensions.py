"""Rules about extensions: manifests of installed ones, and bundles that somebody gives."""

from __future__ import annotations

import json
import os
import stat
import zipfile

import pytest

from stdioguard.audit.interface import Level
from stdioguard.installs import find
from tests.audit.looked import found, machine, placed

MANIFEST = {
    "manifest_version": "0.4", "name": "notes", "version": "1.0.0", "description": "Notes.", "author": {"name": "Ana"},
    "server": {"type": "node", "entry_point": "server/index.js",
               "mcp_config": {"command": "node", "args": ["${__dirname}/server/index.js"], "env": {}}},
}  # fmt: skip


def manifest(**changes):
    return {**MANIFEST, **changes}


def server(**changes):
    return {**MANIFEST["server"], **changes}


def installed(folder, value, *, with_file=True):
    place = placed(
        folder,
        value,
        client="Claude Desktop",
        name="Claude Extensions/notes/manifest.json",
        level="extension",
        key="server.mcp_config",
    )
    if with_file:
        (folder / "Claude Extensions" / "notes" / "server").mkdir(parents=True, exist_ok=True)
        (folder / "Claude Extensions" / "notes" / "server" / "index.js").write_text("")
    return place


def bundle(folder, value, *names, links=(), signed=False, end=b""):
    path = folder / "notes.mcpb"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("manifest.json", json.dumps(value))
        for name in names:
            archive.writestr(name, "")
        for name in links:
            info = zipfile.ZipInfo(name)
            info.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(info, "/etc/passwd")
    if signed:
        with path.open("ab") as file:
            file.write(b"MCPB_SIG_V1" + b"\0" * 64 + b"MCPB_SIG_END")
    return find.given(str(path))


def test_a_bundle_is_read_as_the_server_that_it_installs(tmp_path):
    listing = find.read_entries(bundle(tmp_path, MANIFEST, "server/index.js"))
    assert listing.problem == ""
    (entry,) = listing.entries
    assert (entry.name, entry.argv, entry.editable) == ("notes", ["node", "${__dirname}/server/index.js"], False)


@pytest.mark.parametrize(
    ("point", "severity"),
    [
        ("../evil.js", Level.HIGH), ("server/../../evil.js", Level.HIGH), ("/usr/bin/evil", Level.HIGH), ("..\\evil.js", Level.HIGH),
        ("C:\\evil.exe", Level.HIGH), ("server/gone.js", Level.LOW), ("server/index.js", None), ("./server/../server/index.js", None),
        ("", None), (7, None),
    ],
)  # fmt: skip
def test_an_entry_point_is_in_the_bundle(tmp_path, point, severity):
    value = manifest(server=server(entry_point=point))
    for place in (installed(tmp_path, value), bundle(tmp_path, value, "server/index.js")):
        assert [finding.severity for finding in found("extension-entry-point", place)] == (
            [severity] if severity is not None else []
        )


@pytest.mark.parametrize(
    ("word", "count"),
    [
        ("${__dirname}/../evil.js", 1),
        ("${__dirname}${/}..${/}x", 1),
        ("--x=${__dirname}/a/../../b", 1),
        ("${__dirname}/a..b/c", 0),
        ("../x", 0),
    ],
)
def test_an_argument_does_not_climb_out_of_the_bundle(tmp_path, word, count):
    value = manifest(server=server(mcp_config={"command": "node", "args": [word]}))
    assert len(found("extension-entry-point", installed(tmp_path, value))) == count


@pytest.mark.parametrize(
    ("names", "links", "severities"),
    [
        (["server/index.js", "a/b.txt"], [], []), (["../../.bashrc"], [], [Level.HIGH]), (["/etc/cron.d/x"], [], [Level.HIGH]),
        (["a\\..\\..\\b"], [], [Level.HIGH]), (["a..b/c", "..."], [], []), ([], ["server/link"], [Level.MEDIUM]),
    ],
    ids=str,
)  # fmt: skip
def test_a_bundle_that_would_write_elsewhere_is_found(tmp_path, names, links, severities):
    place = bundle(tmp_path, MANIFEST, *names, links=links)
    assert [finding.severity for finding in found("unsafe-bundle", place)] == severities


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_files_of_one_name_are_found(tmp_path):
    assert len(found("unsafe-bundle", bundle(tmp_path, MANIFEST, "a.js", "a.js"))) == 1


def test_a_bundle_without_a_signature_is_told_of_and_one_with_it_is_not(tmp_path):
    (finding,) = found("unsigned-extension", bundle(tmp_path, MANIFEST))
    assert finding.severity == Level.INFO
    assert found("unsigned-extension", bundle(tmp_path, MANIFEST, signed=True)) == []


def test_what_the_client_itself_calls_unsigned_is_told_of(tmp_path):
    value = {
        "extensions": {"a.b": {"signatureInfo": {"status": "unsigned"}}, "c.d": {"signatureInfo": {"status": "signed"}}, "e": 1}
    }
    place = placed(tmp_path, value, client="Claude Desktop", name="extensions-installations.json", key="server.mcp_config")
    (finding,) = found("unsigned-extension", place)
    assert (finding.entry, finding.path) == ("a.b", ("extensions", "a.b", "signatureInfo", "status"))


@pytest.mark.parametrize(
    ("name", "said", "count"),
    [
        ("api_key", {"type": "string"}, 1), ("apiToken", {"type": "string", "sensitive": False}, 1), ("password", {}, 1),
        ("clientSecret", {"type": "string"}, 1), ("github_token", {"type": "string"}, 1),
        ("api_key", {"type": "string", "sensitive": True}, 0), ("max_tokens", {"type": "number"}, 0), ("token_limit", {"type": "string"}, 0),
        ("folder", {"type": "directory"}, 0), ("key_file", {"type": "file"}, 0), ("keyboard", {"type": "string"}, 0), ("x", 3, 0),
        ("tokenizer", {"type": "string"}, 0), ("keywords", {"type": "string"}, 0),
    ],
)  # fmt: skip
def test_a_secret_setting_that_is_not_marked_is_found(tmp_path, name, said, count):
    assert len(found("unprotected-extension-setting", installed(tmp_path, manifest(user_config={name: said})))) == count


@pytest.mark.parametrize("folder", ["${HOME}", "${HOME}/", "/", "~", "C:\\"])
def test_a_whole_home_or_disk_is_found_as_argument_and_as_default(tmp_path, folder):
    value = manifest(
        server=server(mcp_config={"command": "node", "args": ["x.js", folder]}),
        user_config={"f": {"type": "directory", "default": folder}},
    )
    assert len(found("broad-extension-folder", installed(tmp_path, value))) == 2


def test_a_folder_for_the_purpose_is_fine(tmp_path):
    value = manifest(
        server=server(mcp_config={"command": "node", "args": ["x.js", "${user_config.f}", "${HOME}/Notes", "--/"]}),
        user_config={
            "f": {"type": "directory", "default": ["${DOCUMENTS}", "${HOME}/Notes"]},
            "s": {"type": "string", "default": "/"},
        },
    )
    assert found("broad-extension-folder", installed(tmp_path, value)) == []


@pytest.mark.parametrize(
    ("versions", "count"),
    [({"manifest_version": "0.4"}, 0), ({"manifest_version": "0.2"}, 0), ({"manifest_version": "0.1"}, 1), ({"dxt_version": "0.1"}, 1),
     ({"manifest_version": 3}, 1), ({"manifest_version": "1.0"}, 0)],
    ids=str,
)  # fmt: skip
def test_an_outdated_manifest_is_told_of(tmp_path, versions, count):
    value = {key: said for key, said in MANIFEST.items() if key != "manifest_version"} | versions
    assert len(found("outdated-manifest", installed(tmp_path, value))) == count


@pytest.mark.parametrize(
    "slug", ["extension-entry-point", "outdated-manifest", "broad-extension-folder", "unprotected-extension-setting"]
)
@pytest.mark.parametrize("value", [{}, [], "x", {"manifest_version": "0.4"}, {"manifest_version": "0.4", "server": 3}], ids=str)
def test_what_is_no_manifest_is_not_judged_as_one(tmp_path, slug, value):
    assert found(slug, installed(tmp_path, value)) == []


def test_an_archive_is_not_asked_for_files_of_this_machine(tmp_path):
    os.chmod(bundle(tmp_path, MANIFEST, "server/index.js").path, 0o600)
    assert found("missing-program", bundle(tmp_path, MANIFEST, "server/index.js"), on=machine(here=False)) == []


def test_a_bundle_that_is_not_installed_needs_no_guard(tmp_path):
    assert found("unguarded-server", bundle(tmp_path, MANIFEST, "server/index.js")) == []
    assert len(found("unguarded-server", installed(tmp_path, MANIFEST))) == 1
