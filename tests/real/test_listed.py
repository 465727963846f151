"""Profiles of servers that need a key or the network: each tool has its rule, and each host that is asked for is granted."""

from __future__ import annotations

import json
import re
import subprocess
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from stdioguard.installs.commands import profile_for, recognise

from .listed import INSTALLED, LISTED, NOBODY_LISTENS, Installed, document, rules
from .servers import PROFILES, REPOSITORY, SERVERS
from .sessions import MODES, Person, open_session

if TYPE_CHECKING:
    from pathlib import Path

    from .calls import Stage

LONGEST = 60.0  # seconds for one whole session
CHANGES = re.compile(
    r"(?:^|[-_])(?:act|add|apply|archive|clear|commit|create|delete|deploy|edit|execute|fork|force|insert|interact|kill|merge|move|patch|pause"
    r"|post|publish|push|put|rebase|remove|reply|reset|restore|run|send|set|start|update|upload|write)(?:[-_]|$)"
)
HARMLESS = {
    "API-post-search",  # a POST request that searches
    "execute_query",  # by a server that is granted nothing to write and no host: see below
    "firecrawl_interact_stop",  # ends a browser session that a person agreed to
    "start_search",  # by a file manager, where it may read
}
SHIPPED = sorted(path.stem for path in PROFILES.glob("*.toml"))


def test_every_shipped_profile_is_held_to_the_tools_of_its_server() -> None:
    held = {server.profile for server in SERVERS.values()} | set(LISTED)
    assert set(SHIPPED) - held == {"default"}, "a profile for no server in particular"
    assert held <= set(SHIPPED)


def test_the_quickstart_names_every_profile_with_its_server() -> None:
    rows = re.findall(r"^\| `([^`]+)` \| `([^`]+)` \|$", (REPOSITORY / "docs" / "quickstart.md").read_text(), re.MULTILINE)
    servers = {name: document(name).get("server", {}) for name in SHIPPED if name != "default"}
    assert dict(rows) == {name: server.get("npm") or server.get("pypi") for name, server in servers.items()}


@pytest.mark.parametrize("name", LISTED)
def test_a_profile_has_one_rule_for_each_tool_that_its_server_listed(name: str) -> None:
    listed = LISTED[name]
    profile = document(name)
    assert set(rules(name)) == set(listed["tools"])
    assert profile["tools"]["default"] == "deny", "a tool that nobody has judged is not offered"
    assert [key for key in ("npm", "pypi") if profile["server"].get(key) == listed.get(key, "")] != []


@pytest.mark.parametrize("name", LISTED)
def test_an_entry_that_starts_the_server_gets_its_profile(name: str) -> None:
    listed = LISTED[name]
    for version in ("", "@latest", f"@{listed['version']}"):
        entry = ["npx", "-y", listed["npm"] + version] if "npm" in listed else ["uvx", listed["pypi"] + version]
        assert profile_for(recognise(entry)) == name, entry


@pytest.mark.parametrize("name", LISTED)
def test_no_tool_that_changes_or_sends_runs_without_a_person(name: str) -> None:
    alone = {tool for tool, rule in rules(name).items() if CHANGES.search(tool) and rule["action"] == "allow"}
    assert alone <= HARMLESS
    if "execute_query" in alone:
        sandbox = document(name)["sandbox"]
        assert (sandbox["write"], sandbox["network"]) == ([], [])


def test_the_words_for_changes_find_changes() -> None:
    # Twins: what the rule above looks at, and what it leaves.
    for tool in ("create_issue", "slack_post_message", "API-delete-a-block", "execute_sql", "start_process", "write_file"):
        assert CHANGES.search(tool), tool
    for tool in ("get_issue", "search_code", "list_branches", "get_recent_updates", "slack_get_channel_history"):
        assert not CHANGES.search(tool), tool


@pytest.mark.parametrize("name", SHIPPED)
def test_no_profile_takes_a_key_from_the_environment_of_whoever_starts_it(name: str) -> None:
    passed = document(name)["sandbox"].get("environment", [])
    assert [variable for variable in passed if re.search(r"KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL", variable, re.IGNORECASE)] == []


@pytest.mark.parametrize("name", LISTED)
def test_a_profile_grants_hosts_by_their_whole_names(name: str) -> None:
    assert [entry for entry in document(name)["sandbox"]["network"] if not re.fullmatch(r"[a-z0-9.-]+\.[a-z]+:443", entry)] == []


def tools_of(installed: Installed, stage: Stage, *, guarded: bool) -> list[dict[str, Any]]:
    launch = stage.start(installed.server, guarded=guarded, profile=installed.profile(stage.place))

    async def session() -> list[dict[str, Any]]:
        with anyio.fail_after(LONGEST):
            async with open_session(launch, MODES["legacy"], Person()) as opened:
                return await opened.list_tools()

    return anyio.run(session)


def compare(name: str, stage: Stage) -> set[str]:
    """Assert that the guarded server lists what the bare one does; the names."""
    installed = INSTALLED[name]
    bare = tools_of(installed, stage, guarded=False)
    assert tools_of(installed, stage, guarded=True) == bare
    names = {tool["name"] for tool in bare}
    assert names <= set(rules(installed.server.profile))
    return names


@pytest.mark.parametrize("name", ["brave-search", "github", "slack", "tavily"])
def test_the_installed_server_lists_what_the_profile_names(name: str, stage: Stage) -> None:
    assert compare(name, stage) == set(LISTED[name]["tools"])


def test_both_partitions_together_list_what_the_profile_of_aws_names(stage: Stage) -> None:
    world, china = compare("aws-documentation", stage), compare("aws-documentation-china", stage)
    assert world != china, "the setting that chooses the partition reaches the server"
    assert world | china == set(LISTED["aws-documentation"]["tools"])


def node_version() -> tuple[int, int]:
    said = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout
    major, minor = re.findall(r"\d+", said)[:2]
    return int(major), int(minor)


def hosts_asked_for(record: Path) -> set[str]:
    events = [json.loads(line) for file in record.glob("*.jsonl") for line in file.read_text().splitlines()]
    return {f"{event['host']}:{event['port']}" for event in events if event.get("event") == "network"}


@pytest.mark.parametrize("name", INSTALLED)
def test_a_server_asks_for_no_host_but_those_that_its_profile_grants(name: str, stage: Stage) -> None:
    installed = INSTALLED[name]
    launch = stage.start(installed.server, guarded=True, profile=installed.profile(stage.place, network=[NOBODY_LISTENS]))
    if installed.server.npm and node_version() < installed.needs_node:
        pytest.skip(f"Node's own HTTP client goes by the proxy from {'.'.join(map(str, installed.needs_node))} on")

    async def session() -> None:
        with anyio.fail_after(LONGEST):
            async with open_session(launch, MODES["legacy"], Person()) as opened:
                for tool, arguments in installed.calls:
                    await opened.call(tool, arguments)

    anyio.run(session)
    asked = hosts_asked_for(stage.place.guard / "state" / "records")
    assert asked, "control: a host is asked for, and refused"
    assert asked <= set(document(installed.server.profile)["sandbox"]["network"])
