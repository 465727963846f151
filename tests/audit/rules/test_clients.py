"""Rules about what clients are told: whom to trust, what to ask about, which addresses to reach."""

from __future__ import annotations

import pytest

from stdioguard.audit import addresses, likeness
from stdioguard.audit.interface import Level
from stdioguard.installs import find
from tests.audit.looked import found, machine, placed, servers

NPX = ["npx", "-y", "@modelcontextprotocol/server-everything@2026.1.2"]


def project(folder, value, *, name=".mcp.json", **more):
    return placed(folder, value, name=name, level="project", **more)


@pytest.mark.parametrize(
    ("words", "severity"),
    [
        (NPX, Level.INFO), (["/usr/bin/server"], Level.INFO), (["docker", "run", "-i", "mcp/time"], Level.INFO),
        (["node", "tools/server.js"], Level.LOW), (["./server"], Level.LOW), (["uv", "run", "server.py"], Level.LOW),
        (["python3", "-c", "print(1)"], Level.MEDIUM), (["node", "-e", "1"], Level.MEDIUM),
    ],
    ids=str,
)  # fmt: skip
def test_a_project_that_starts_servers_is_found_the_more_of_its_own_the_worse(tmp_path, words, severity):
    (finding,) = found("project-autostart", project(tmp_path, servers(one=words)))
    assert finding.severity == severity


def test_a_project_is_told_of_once_and_its_worst_server_counts(tmp_path):
    (finding,) = found("project-autostart", project(tmp_path, servers(one=NPX, two=["./server"], three=NPX)))
    assert (finding.entry, finding.severity, finding.related) == ("two", Level.LOW, ("one", "two", "three"))
    assert "starts 3 servers" in finding.message


def test_a_line_that_cannot_be_told_apart_is_not_said_to_start_the_repositorys_code(tmp_path):
    words = {
        "shell": ["bash", "-lc", "source ~/.env; exec /usr/bin/node /srv/server.mjs"],
        "template": ["npx", "-y", "<your-server>"],
    }
    for name, argv in words.items():
        (finding,) = found("project-autostart", project(tmp_path / name, servers(one=argv)))
        assert (finding.severity, "repository" in finding.message) == (Level.INFO, False)


def test_a_persons_own_file_remotes_and_what_is_off_start_nothing_by_themselves(tmp_path):
    assert found("project-autostart", placed(tmp_path, servers(one=["./server"]))) == []
    entries = servers(one="https://example.com/mcp", two={"command": "./server", "disabled": True})
    assert found("project-autostart", project(tmp_path / "p", entries)) == []


def test_a_projects_server_in_place_of_ones_own_is_found(tmp_path):
    own = placed(tmp_path, servers(github=NPX, time=["mcp-server-time"]))
    theirs = project(tmp_path / "p", servers(github=["node", "tools/server.js"], time=["mcp-server-time"], new=["./new"]))
    (finding,) = found("shadowed-server", own, theirs)
    assert (finding.entry, finding.file, finding.related) == ("github", theirs.path, (own.path,))


def test_another_version_or_argument_of_the_same_server_is_no_other_server(tmp_path):
    own = placed(tmp_path, servers(github=NPX, far="https://example.com/mcp"))
    theirs = project(
        tmp_path / "p", servers(github=["npx", "@modelcontextprotocol/server-everything", "x"], far="https://example.com/mcp")
    )
    assert found("shadowed-server", own, theirs) == []


def test_two_projects_and_two_clients_do_not_meet(tmp_path):
    own = placed(tmp_path, servers(github=NPX), client="Cursor", name=".cursor/mcp.json")
    one = project(tmp_path / "one", servers(github=["./a"]))
    two = project(tmp_path / "two", servers(github=["./b"]))
    assert found("shadowed-server", own, one, two) == []


def test_a_project_within_a_users_file_takes_a_place_too(tmp_path):
    value = {**servers(github=NPX), "projects": {"/work": servers(github=["./server"])}}
    (finding,) = found("shadowed-server", placed(tmp_path, value))
    assert finding.path[:2] == ("projects", "/work")


CYRILLIC = "g\u0456thub"


@pytest.mark.parametrize(
    ("names", "severities"),
    [
        (["github", "time"], []), (["github", "gitlab"], []), (["files1", "files2"], []), (["github-mcp", "github"], []),
        (["db-dev", "db-prod"], []), (["\u0432\u0440\u0435\u043c\u044f", "time"], []), (["\u6642\u9593", "time"], []),
        ([CYRILLIC], [Level.MEDIUM]), (["git\u200bhub"], [Level.MEDIUM]), (["github", "g1thub"], []), (["github", "githu\u1d47"], []),
        (["slack", "s1ack"], [Level.MEDIUM]), (["google", "g00gle"], [Level.MEDIUM]), (["github", "GitHub"], [Level.LOW]),
        (["git-hub", "github"], [Level.LOW]),
    ],
    ids=ascii,
)  # fmt: skip
def test_names_that_look_alike_are_found(tmp_path, names, severities):
    findings = found("confusable-server-name", placed(tmp_path, servers(**dict.fromkeys(names, NPX))))
    if names[-1] == "githu\u1d47":
        severities = [Level.MEDIUM]  # a letter that is another one in small
    assert [finding.severity for finding in findings] == severities


def test_the_same_server_in_two_files_is_no_imitation(tmp_path):
    one = placed(tmp_path, servers(github=NPX))
    two = placed(tmp_path, servers(github=NPX), name=".claude/settings.json")
    assert found("confusable-server-name", one, two) == []


def test_a_key_that_is_written_twice_is_found_where_it_is_about_servers(tmp_path):
    text = '{"theme": 1, "theme": 2, "mcpServers": {"a": {"command": "x", "command": "y"}, "b": {"command": "z"}, "b": {"command": "q"}}}'
    findings = found("duplicate-key", placed(tmp_path, text))
    assert sorted((finding.entry, finding.path) for finding in findings) == [
        ("a", ("mcpServers", "a", "command")),
        ("b", ("mcpServers", "b")),
    ]
    assert all(finding.on_key for finding in findings)


def test_all_servers_written_twice_is_found_and_a_plain_file_is_fine(tmp_path):
    text = '{"mcpServers": {"a": {"command": "x"}}, "mcpServers": {"b": {"command": "z"}}}'
    assert [finding.path for finding in found("duplicate-key", placed(tmp_path, text))] == [("mcpServers",)]
    assert found("duplicate-key", placed(tmp_path, servers(a=NPX, b=NPX))) == []


@pytest.mark.parametrize(
    ("member", "severity"),
    [
        ({"alwaysAllow": ["*"]}, Level.MEDIUM), ({"autoApprove": ["read", "*"]}, Level.MEDIUM), ({"autoApprove": True}, Level.MEDIUM),
        ({"trust": True}, Level.MEDIUM), ({"alwaysAllow": ["list", "delete_repo"]}, Level.LOW), ({"autoApprove": ["writeFile"]}, Level.LOW),
        ({"alwaysAllow": ["execute-command"]}, Level.LOW), ({"default_tools_approval_mode": "approve"}, Level.MEDIUM),
        ({"tools": {"delete_all": {"approval_mode": "approve"}}}, Level.LOW),
        ({"alwaysAllow": []}, None), ({"alwaysAllow": ["read_file", "list_directory", "search"]}, None), ({"trust": False}, None),
        ({"autoApprove": ["get_commands_help", "editor_state", "running_apps"]}, None), ({"tools": ["*"]}, None), ({"trust": "no"}, None),
        ({"alwaysAllow": [1, None, {}]}, None), ({"tools": {"delete_all": {"approval_mode": "prompt"}}}, None),
    ],
    ids=str,
)  # fmt: skip
def test_tools_that_need_no_question_are_found_if_they_change_things(tmp_path, member, severity):
    findings = found("auto-approved-tools", placed(tmp_path, servers(one={"command": "x", **member})))
    assert [finding.severity for finding in findings] == ([severity] if severity is not None else [])


@pytest.mark.parametrize(
    ("value", "severities"),
    [
        ({"permissions": {"defaultMode": "bypassPermissions"}}, [Level.MEDIUM]), ({"approval_policy": "never"}, [Level.MEDIUM]),
        ({"chat.tools.autoApprove": True}, [Level.MEDIUM]), ({"settings": {"chat.tools.global.autoApprove": True}}, [Level.MEDIUM]),
        ({"agent": {"always_allow_tool_actions": True}}, [Level.MEDIUM]), ({"amp.dangerouslyAllowAll": True}, [Level.MEDIUM]),
        ({"profiles": {"ci": {"approval_policy": "never"}}}, [Level.MEDIUM]), ({"allowedTools": ["*"]}, [Level.MEDIUM]),
        ({"permissions": {"allow": ["mcp__*"]}}, [Level.MEDIUM]), ({"permissions": {"allow": ["mcp__github"]}}, [Level.LOW]),
        ({"permissions": {"allow": ["mcp__github__*", "mcp__github__delete_repo"]}}, [Level.LOW, Level.LOW]),
        ({"allowedTools": ["@git/push", "@git/log", "@builtin"]}, [Level.LOW]),
        ({"permissions": {"allow": ["mcp__github__get_issue", "Bash(npm test)", "WebSearch", 3]}}, []),
        ({"permissions": {"defaultMode": "acceptEdits"}}, []), ({"approval_policy": "on-request"}, []),
        ({"chat.tools.autoApprove": False}, []), ({"chat.tools.autoApprove": 1}, []), ({"profiles": ["x"]}, []), ({}, []), ([], []),
    ],
    ids=str,
)  # fmt: skip
def test_settings_that_take_the_questions_away_are_found(tmp_path, value, severities):
    assert [finding.severity for finding in found("approvals-turned-off", placed(tmp_path, value))] == severities


def test_codex_settings_are_toml(tmp_path):
    text = 'approval_policy = "never"\nsandbox_mode = "danger-full-access"\n[mcp_servers.one]\ncommand = "x"\n'
    place = placed(tmp_path, text, client="Codex", name=".codex/config.toml", key="mcp_servers")
    assert len(found("approvals-turned-off", place)) == len(found("sandbox-turned-off", place)) == 1


@pytest.mark.parametrize(
    ("value", "count"),
    [
        ({"enableAllProjectMcpServers": True}, 1), ({"projects": {"/a": {"enableAllProjectMcpServers": True}, "/b": {}}}, 1),
        ({"enableAllProjectMcpServers": False}, 0), ({"enabledMcpjsonServers": ["github"]}, 0), ({"projects": "x"}, 0),
    ],
    ids=str,
)  # fmt: skip
def test_a_yes_to_every_projects_servers_is_found(tmp_path, value, count):
    assert len(found("preapproved-project-servers", placed(tmp_path, value))) == count


@pytest.mark.parametrize(
    ("value", "count"),
    [
        ({"sandbox_mode": "danger-full-access"}, 1), ({"profiles": {"x": {"sandbox_mode": "danger-full-access"}}}, 1),
        ({"sandbox": {"dangerouslyDisableSandbox": True}}, 1), ({"sandbox": {"enableWeakerNestedSandbox": True}}, 1),
        (servers(a={"command": "x", "sandboxEnabled": False, "sandbox": {}}), 1),
        ({"sandbox_mode": "workspace-write"}, 0), ({"sandbox": {"enabled": True}}, 0), ({"sandbox": False}, 0),
        (servers(a={"command": "x", "sandboxEnabled": True, "sandbox": {}}), 0), (servers(a={"command": "x", "sandboxEnabled": False}), 0),
    ],
    ids=str,
)  # fmt: skip
def test_a_sandbox_that_is_turned_off_is_found(tmp_path, value, count):
    assert len(found("sandbox-turned-off", placed(tmp_path, value))) == count


@pytest.mark.parametrize(
    ("said", "severity"),
    [
        ("http://example.com/mcp", Level.MEDIUM), ("http://8.8.8.8/mcp", Level.MEDIUM), ("ws://example.com", Level.MEDIUM),
        ("http://10.0.0.7:8000/mcp", Level.LOW), ("http://jenkins:8080", Level.LOW), ("http://nas.local/mcp", Level.LOW),
        (["npx", "mcp-remote@0.1.38", "http://example.com/sse", "--allow-http"], Level.MEDIUM),
        (["cmd", "/c", "npx", "-y", "mcp-remote", "http://example.com/sse"], Level.MEDIUM),
        (["npx", "mcp-remote@0.1.38", "https://example.com/sse", "--allow-http"], Level.LOW),
        ("https://example.com/mcp", None), ("http://localhost:3000", None), ("http://127.0.0.1:3000/mcp", None), ("http://[::1]:3000", None),
        ("http://0.0.0.0:3000", None), ("http://host.docker.internal:8000/sse", None), ("${input:url}", None), ("http://${HOST}/mcp", None),
        (["npx", "mcp-remote@0.1.38", "http://localhost:9000/sse", "--allow-http"], None), ("http://[bad", None), ("https://<your-url>", None),
        (["npx", "some-server@1.0.0", "http://example.com"], None),
    ],
    ids=str,
)  # fmt: skip
def test_a_connection_without_encryption_is_found(tmp_path, said, severity):
    findings = found("plain-http-remote", placed(tmp_path, servers(one=said)))
    assert [finding.severity for finding in findings] == ([severity] if severity is not None else [])


@pytest.mark.parametrize(
    ("said", "severity"),
    [
        ("http://169.254.169.254/latest/meta-data", Level.HIGH), ("http://metadata.google.internal/", Level.HIGH),
        ("https://f00d.ngrok-free.app/mcp", Level.MEDIUM), ("https://a-b-c.trycloudflare.com/sse", Level.MEDIUM),
        (["npx", "mcp-remote@0.1.38", "https://x.loca.lt/mcp"], Level.MEDIUM), ("https://webhook.site/x", Level.MEDIUM),
        ("https://93.184.216.34/mcp", Level.LOW),
        ("https://mcp.example.com", None), ("https://10.0.0.7/mcp", None), ("http://127.0.0.1:1", None), ("https://notngrok.io", None),
        ("https://ngrok.example.com", None), ("https://dev.workers.dev/mcp", None),
    ],
    ids=str,
)  # fmt: skip
def test_an_address_that_does_not_say_whose_it_is_is_found(tmp_path, said, severity):
    findings = found("odd-remote-address", placed(tmp_path, servers(one=said)))
    assert [finding.severity for finding in findings] == ([severity] if severity is not None else [])


def test_the_address_itself_is_where_the_finding_is(tmp_path):
    (finding,) = found(
        "odd-remote-address", placed(tmp_path, servers(one=["npx", "-y", "mcp-remote@1.0.0", "https://x.loca.lt/mcp"]))
    )
    assert finding.path == ("mcpServers", "one", "args", 2)


@pytest.mark.parametrize(
    ("host", "kind"), [("", "private"), ("100.64.0.1", "private"), ("fd00::1", "private"), ("2606:4700::1", "public")]
)
def test_addresses_are_told_apart(host, kind):
    assert addresses.kind_of(host) == kind


def test_a_helper_for_headers_is_found_the_worse_in_a_project(tmp_path):
    entries = servers(
        one={"type": "http", "url": "https://example.com", "headersHelper": "./token.sh"}, two="https://example.com"
    )
    (own,) = found("headers-helper", placed(tmp_path, entries))
    (theirs,) = found("headers-helper", project(tmp_path / "p", entries))
    assert (own.severity, theirs.severity) == (Level.LOW, Level.MEDIUM)
    assert own.path == ("mcpServers", "one", "headersHelper")


HOOKS = {"hooks": {"SessionStart": [{"hooks": [{"type": "command", "command": "./setup.sh"}]}], "Stop": []}}


def test_commands_in_a_projects_settings_are_found_and_in_ones_own_are_not(tmp_path):
    value = {**HOOKS, "apiKeyHelper": "./key.sh", "statusLine": {"type": "command", "command": "./line.sh"}}
    findings = found("project-hooks", project(tmp_path, value, name=".claude/settings.json"))
    assert [finding.path for finding in findings] == [("apiKeyHelper",), ("hooks",), ("statusLine", "command")]
    assert "at SessionStart" in findings[1].message
    assert found("project-hooks", placed(tmp_path / "own", value, name=".claude/settings.json")) == []


@pytest.mark.parametrize("hooks", [{}, [], "x", {"Stop": []}, {"Stop": [[[[[[{"command": "x"}]]]]]]}])
def test_hooks_without_a_command_are_fine(tmp_path, hooks):
    assert found("project-hooks", project(tmp_path, {"hooks": hooks}, name=".claude/settings.json")) == []


@pytest.mark.parametrize("name", ["deleteRepo", "delete_repo", "REMOVE-item", "fs.write_file", "runSQL", "HTTPPush"])
def test_names_of_tools_that_change_things_are_known(name):
    assert likeness.destroys(name)


@pytest.mark.parametrize(
    "name", ["get_deleted_items", "list_runs", "editor_open", "sender_info", "prune_hint", "rewrite_hint", ""]
)
def test_names_of_tools_that_only_sound_so_are_not(name):
    assert not likeness.destroys(name)


def test_a_file_that_two_clients_read_is_judged_as_a_whole_once(tmp_path):
    place = placed(tmp_path, {**servers(one=NPX), "approval_policy": "never"})
    twice = find.Found("Visual Studio", place.path, "user", "json", "servers", place.home)
    assert len(found("approvals-turned-off", place, twice, on=machine())) == 1
