"""Files that are made to hang, crash or confuse an audit: it ends, it says what it could not read, and it finds what is beside them."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tests.audit.audited import HOSTILE, ROOT, UNPINNED, command, config

FORMATS = ("text", "json", "sarif", "markdown", "html")
LIMIT = 180
"""Seconds; each of these takes a few, on a machine that is not busy."""


def audited(*words, format_="json", **more):
    """Run the command, in little memory and time, and return what it found."""
    result = subprocess.run(
        [
            sys.executable,
            "-P",
            "-m",
            "stdioguard",
            "audit",
            *map(str, words),
            "--format",
            format_,
            "--level",
            "info",
            "--fail-on",
            "never",
        ],
        capture_output=True,
        timeout=LIMIT,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": "/nonexistent", "STDIOGUARD_HOME": "/nonexistent"},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30)),
        **more,
    )
    assert b"Traceback" not in result.stderr, result.stderr.decode()[-2000:]
    assert result.returncode in (0, 78), (result.returncode, result.stderr[-500:])
    return json.loads(result.stdout) if format_ == "json" else result.stdout.decode()


def refused(path):
    """Expect a given file not to be read, in one line, and one beside it to be."""
    beside = config(Path(path).parent / "beside")
    said = audited(path, beside)
    assert [one["entry"] for one in said["findings"] if one["rule"] == "unpinned-package"] == ["a"]
    assert len(said["problems"]) == 1, said["problems"]
    assert said["problems"][0].isprintable()
    return said["problems"][0]


def test_ten_thousand_lists_inside_each_other(tmp_path):
    for name, text in (
        ("a/.mcp.json", '{"mcpServers": ' + "[" * 10_000 + "]" * 10_000 + "}"),
        ("b/.mcp.json", '{"mcpServers": ' + '{"a":' * 10_000 + "1" + "}" * 10_000 + "}"),
        ("c/.mcp.json", '{"mcpServers": ' + "[" * 10_000),
        ("d/.codex/config.toml", "mcp_servers = " + "[" * 10_000 + "]" * 10_000),
        ("e/.codex/config.toml", "[mcp_servers." + ".".join("a" * 10_000) + "]\nx = 1\n"),
        ("f/.continue/config.yaml", "mcpServers: " + "[" * 10_000 + "]" * 10_000),
        ("g/.continue/config.yaml", "mcpServers:\n" + "".join(" " * level + "- \n" for level in range(1, 500))),
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True)
        path.write_text(text)
        if name.startswith("g"):
            audited(path)
        else:
            refused(path)


def test_a_hundred_megabytes(tmp_path):
    path = tmp_path / ".mcp.json"
    with path.open("wb") as file:
        file.write(b'{"mcpServers": {"a": "')
        file.writelines(b"x" * (1 << 20) for _ in range(100))
        file.write(b'"}}')
    assert "bytes" in refused(path)


def test_a_sparse_file_of_a_terabyte(tmp_path):
    path = tmp_path / ".mcp.json"
    path.write_text('{"mcpServers": {}}')
    try:
        os.truncate(path, 1 << 40)
    except OSError:
        os.truncate(path, 1 << 33)
    assert "bytes" in refused(path)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00" * 1000,
        b"\xff\xfe" + '{"mcpServers": {}}'.encode("utf-16-le"),
        b"\x7fELF" + os.urandom(4096),
        b'{"mcpServers": {"\xff": {}}}',
        b"PK\x03\x04",
    ],
    ids=["empty", "zeros", "utf-16", "binary", "not UTF-8", "zip"],
)
def test_bytes_that_are_no_text(tmp_path, data):
    path = tmp_path / ".mcp.json"
    path.write_bytes(data)
    if data:
        refused(path)
    else:
        assert audited(path)["findings"] == []


@pytest.mark.parametrize(
    "text",
    [
        '{"mcpServers": null}', '{"mcpServers": []}', '{"mcpServers": {"a": null}}', '{"mcpServers": {"a": {"command": 1, "args": {}, "env": []}}}',
        '{"mcpServers": {"a": {"command": "npx", "args": [null, 1, {}, [], true]}}}', '{"mcpServers": {"": {"command": ""}}}',
        '{"mcpServers": {"a": {"command": "npx", "args": "-y pkg"}}}', '{"mcpServers": {"a": {"command": "\\u0000"}}}', "[]", "null", "1", '"x"',
        '{"mcpServers": {"a": {"command": "\\ud800", "args": ["\\udfff"]}}}', '{"mcpServers": {"a": {"url": 1, "headers": 2}}}',
        '{"mcpServers": {"a": {"command": "npx"}, "a": {"command": "uvx"}}}', '{"mcpServers": {"a": {"command": "npx", "args": ["-y", 1e999]}}}',
        '{"mcpServers": {"a": {"command": "x", "args": [' + "9" * 5000 + "]}}}",
        '{"mcpServers": {"a": {"command": "npx", "cwd": "\\u0000", "env": {"A\\u0000": "\\n"}}}}',
    ],
)  # fmt: skip
@pytest.mark.parametrize("format_", FORMATS)
def test_values_of_every_wrong_kind(tmp_path, text, format_):
    path = tmp_path / ".mcp.json"
    path.write_text(text)
    said = audited(path, format_=format_)
    assert "rule-failed" not in json.dumps(said)


def test_yaml_that_grows(tmp_path):
    path = tmp_path / ".continue" / "config.yaml"
    path.parent.mkdir()
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{level}: &a{level} [" + ", ".join([f"*a{level - 1}"] * 9) + "]" for level in range(1, 30)]
    path.write_text("\n".join([*lines, "mcpServers: *a29"]))
    refused(path)
    path.write_text("mcpServers: &a [*a]")
    refused(path)
    path.write_text("mcpServers: !!python/object/apply:os.system ['touch /tmp/ran']")
    audited(path)


def test_pipes_devices_and_folders_in_a_file_s_place(tmp_path):
    os.mkfifo(tmp_path / ".mcp.json")
    (tmp_path / "beside").mkdir()
    assert "no regular file" in refused(tmp_path / ".mcp.json")
    said = audited("/dev/zero", "/dev/stdin", "/dev/null", config(tmp_path / "more"))
    assert len(said["problems"]) >= 2
    for name in (".mcp.json", ".cursor/mcp.json", "claude_desktop_config.json"):
        (tmp_path / "folders" / name).mkdir(parents=True)
    config(tmp_path / "folders" / ".mcp.json", name="mcp.json")
    assert {one["entry"] for one in audited(tmp_path / "folders")["findings"]} == {"a"}


def test_pipes_and_devices_below_a_folder(tmp_path):
    config(tmp_path / "good")
    for number in range(20):
        (tmp_path / str(number)).mkdir()
        os.mkfifo(tmp_path / str(number) / ".mcp.json")
        os.mkfifo(tmp_path / str(number) / "other.json")
        (tmp_path / str(number) / "zero.json").symlink_to("/dev/zero")
    assert [one["entry"] for one in audited(tmp_path)["findings"] if one["rule"] == "unpinned-package"] == ["a"]


def test_links_in_a_circle_and_to_nowhere(tmp_path):
    config(tmp_path / "good")
    (tmp_path / "one.json").symlink_to("two.json")
    (tmp_path / "two.json").symlink_to("one.json")
    (tmp_path / ".mcp.json").symlink_to(".mcp.json")
    (tmp_path / "loop").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "good" / "up").symlink_to("..", target_is_directory=True)
    (tmp_path / "nowhere.json").symlink_to("/nonexistent/x.json")
    said = audited(tmp_path)
    assert len([one for one in said["findings"] if one["rule"] == "unpinned-package"]) == 1
    assert any(".mcp.json" in problem for problem in said["problems"])
    assert audited(tmp_path / "one.json")["problems"]


def test_a_thousand_folders_inside_each_other(tmp_path):
    config(tmp_path, name="top/odd.json")
    at = os.open(tmp_path, os.O_RDONLY)
    for _ in range(1200):
        os.mkdir("d" * 10, dir_fd=at)
        inner = os.open("d" * 10, os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = inner
    os.close(at)
    try:
        said = audited(tmp_path)
        assert any("deeper than" in problem for problem in said["problems"])
        assert {one["entry"] for one in said["findings"]} == {"a"}
    finally:
        subprocess.run(["rm", "-rf", str(tmp_path / ("d" * 10))], check=True)


@pytest.mark.parametrize(
    "name",
    [
        b"\xff\xfe.json",
        b"a\nb.json",
        b"\x1b[31m.json",
        "\u202egnp.json".encode(),
        b"<img src=x onerror=1>.json",
        b"`|*.json",
        b"%2e%2e%00.json",
        b" .json",
    ],
)
@pytest.mark.parametrize("format_", FORMATS)
def test_names_of_files_that_are_no_text_or_more_than_text(tmp_path, name, format_):
    path = os.path.join(os.fsencode(tmp_path), name)
    Path(os.fsdecode(path)).write_text(json.dumps({"mcpServers": {"a": UNPINNED}}))
    text = audited(tmp_path, format_=format_)
    text = json.dumps(text) if isinstance(text, dict) else text
    assert "server-everything" in text
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "<img" not in text or format_ != "html"
    if format_ == "sarif":
        assert json.loads(text)["runs"][0]["results"]


@pytest.mark.parametrize("format_", FORMATS)
def test_servers_whose_every_word_is_hostile(tmp_path, format_):
    server = {
        "command": "npx",
        "args": ["-y", HOSTILE, f"--x={HOSTILE}"],
        "env": {HOSTILE: HOSTILE},
        "cwd": HOSTILE,
        HOSTILE: HOSTILE,
    }
    path = config(
        tmp_path,
        {HOSTILE: server, f"{HOSTILE}2": {"url": HOSTILE, "headers": {HOSTILE: HOSTILE}}, f"{HOSTILE}3": {"command": HOSTILE}},
    )
    text = audited(path, format_=format_)
    text = json.dumps(text) if isinstance(text, dict) else text
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "<script" not in text or format_ != "html"


@pytest.mark.parametrize(("format_", "count"), [("text", 20_000), *((name, 10_000) for name in FORMATS[1:])])
def test_very_many_servers_in_one_file(tmp_path, format_, count):
    path = tmp_path / ".mcp.json"
    path.write_text(
        json.dumps({"mcpServers": {f"s{number}": {"command": "npx", "args": ["-y", "p"]} for number in range(count)}})
    )
    assert audited(path, format_=format_)


def test_a_word_of_a_hundred_thousand_characters_costs_no_more_than_it_is_long(tmp_path):
    for word in (
        "a" * 100_000,
        "a@" * 50_000,
        "=-" * 50_000,
        "/." * 50_000,
        "sh -c '" * 15_000,
        "https://u:p@" * 8_000,
        "$(" * 50_000,
        "sk-" * 30_000,
    ):
        config(
            tmp_path,
            {
                "a": {"command": word, "args": ["-y", word, word], "env": {"TOKEN": word}},
                "b": {"command": "sh", "args": ["-c", word]},
                "c": {"url": word},
            },
        )
        said = audited(tmp_path / ".mcp.json")
        assert [one["message"] for one in said["findings"] if one["rule"] == "rule-failed"] == []


def test_very_many_comments(tmp_path):
    path = tmp_path / "mcp.json"
    line = "// stdioguard: ignore[unpinned-package] until 2999-01-01 because x\n"
    path.write_text('{ "mcpServers": {\n' + line * 50_000 + '"a": {"command": "npx", "args": ["-y", "p"]} } }')
    audited(path)


def test_a_repository_with_hooks_and_settings_runs_nothing(tmp_path):
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True, env=os.environ | {"GIT_CONFIG_GLOBAL": "/dev/null"})
    for name in ("pre-commit", "post-checkout", "fsmonitor"):
        hook = tmp_path / ".git" / "hooks" / name
        hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
        hook.chmod(0o755)
    with (tmp_path / ".git" / "config").open("a") as file:
        file.write(f"[core]\n\tfsmonitor = {tmp_path}/.git/hooks/fsmonitor\n\tpager = touch {tmp_path}/ran\n")
    (tmp_path / "stdioguard.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    (tmp_path / "json.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    (tmp_path / "sitecustomize.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    config(tmp_path)
    assert audited(".", cwd=tmp_path)["findings"]
    assert not (tmp_path / "ran").exists()


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="root becomes another user here, for whom a file is closed"
)
def test_what_this_user_may_not_read_is_told(tmp_path):
    closed = config(tmp_path / "closed")
    closed.chmod(0o600)
    config(tmp_path / "open").chmod(0o644)
    inside = config(tmp_path / "folder")
    inside.parent.chmod(0o700)
    for folder in (tmp_path, *tmp_path.parents):
        if not folder.stat().st_mode & 0o001:
            folder.chmod(folder.stat().st_mode | 0o055)
    # The interpreter may be where only root can read, so all that is needed is loaded before the change of users.
    script = (
        "import os, sys\nfrom stdioguard.cli.audit import audit\n"
        "audit([sys.argv[1], '--format', 'json', '--output', os.devnull], standalone_mode=False)\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\naudit(sys.argv[2:])"
    )
    words = [
        sys.executable,
        "-c",
        script,
        str(tmp_path / "open"),
        str(closed),
        str(tmp_path / "open"),
        str(inside),
        "--format",
        "json",
    ]
    result = subprocess.run(
        words, capture_output=True, text=True, timeout=60, env={"HOME": "/nonexistent", "PYTHONPATH": str(ROOT)}, cwd="/"
    )
    assert result.returncode == 78, result.stderr
    said = json.loads(result.stdout)
    assert len(said["problems"]) == 2
    assert [one["entry"] for one in said["findings"] if one["rule"] == "unpinned-package"] == ["a"]


def test_a_file_that_changes_all_the_time_is_survived(tmp_path):
    path = config(tmp_path)
    stop = tmp_path / "stop"
    writer = subprocess.Popen([sys.executable, "-c", (
        "import os, sys\npath, stop = sys.argv[1:]\nnumber = 0\n"
        "while not os.path.exists(stop):\n number += 1\n open(path, 'w').write('{\"mcpServers\": {' * (number % 3))\n"
        " os.path.exists(path) and number % 5 == 0 and os.unlink(path)\n"
    ), str(path), str(stop)])  # fmt: skip
    try:
        for _ in range(5):
            audited(tmp_path)
            audited(path)
    finally:
        stop.touch()
        writer.wait(10)


def test_the_limits_are_those_of_files_and_not_of_luck(tmp_path):
    """The control: the same command reads an honest file of twenty megabytes."""
    path = tmp_path / ".claude.json"
    path.write_text(json.dumps({"history": ["x" * 1000] * 20_000, "mcpServers": {"a": UNPINNED}}))
    assert [one["entry"] for one in audited(path)["findings"] if one["rule"] == "unpinned-package"] == ["a"]
    assert command(path).returncode == 0
