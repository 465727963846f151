"""Servers that need a key or the network: what they list, and how those that are small enough to be installed are started.

`listed.json` holds the tools of each, as the version named there listed them under the guard. Most of these packages are too large
to be installed for the tests, so their profiles are held to that list; the ones in `INSTALLED` are held to the server itself as well.
"""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .servers import PROFILES, Place, Server, lay_nothing

if TYPE_CHECKING:
    from collections.abc import Mapping

LISTED: dict[str, dict[str, Any]] = json.loads(Path(__file__).with_name("listed.json").read_text())["servers"]
NOBODY_LISTENS = "127.0.0.1:9"
"""Granted in the place of a profile's hosts, so that the proxy runs and refuses all that a server asks it for."""


def rules(profile: str) -> dict[str, dict[str, Any]]:
    """The table of tools of a shipped profile."""
    found: dict[str, dict[str, Any]] = document(profile)["tools"]["rules"]
    return found


def document(profile: str) -> dict[str, Any]:
    return tomllib.loads((PROFILES / f"{profile}.toml").read_text())


@dataclass(frozen=True)
class Installed:
    """A server of the list that is installed, with a call that makes it ask for each of its hosts."""

    server: Server
    keys: tuple[str, ...]
    """Variables that hold its key. Profiles name none: they come from the entry."""
    calls: tuple[tuple[str, dict[str, Any]], ...]
    needs_node: tuple[int, int] = (0, 0)
    """The first version of Node whose HTTP client goes by the proxy, where the server does not see to that itself."""

    def profile(self, place: Place, *, network: list[str] | None = None) -> Path:
        """The shipped profile with the keys passed, as the entry's are; and other hosts, if they are given."""
        text = (PROFILES / f"{self.server.profile}.toml").read_text()
        given = tomllib.loads(text)["sandbox"]
        text = _replaced(text, "environment", given["environment"], [*given["environment"], *self.keys])
        if network is not None:
            text = _replaced(text, "network", given["network"], network)
            text = text.replace('action = "confirm"', 'action = "allow"')
        folder = place.root / "profiles"
        folder.mkdir(exist_ok=True, mode=0o755)
        path = folder / f"{self.server.name}.toml"
        path.write_text(text)
        return path


def _replaced(text: str, key: str, old: list[str], new: list[str]) -> str:
    before, after = (f"\n{key} = {json.dumps(value)}\n" for value in (old, new))
    assert text.count(before) == 1, f"{key} is not where it is looked for"
    return text.replace(before, after)


def _npm(name: str, program: str, settings: Mapping[str, str]) -> Server:
    return Server(name, name, lay_nothing, npm=program, environment=lambda _: dict(settings))


AWS_PAGE = "https://docs.aws.amazon.com/AmazonS3/latest/userguide/Welcome.html"
AWS = "awslabs.aws_documentation_mcp_server.server"
INSTALLED = {
    "brave-search": Installed(
        _npm("brave-search", "mcp-server-brave-search", {"BRAVE_API_KEY": "made-up"}),
        ("BRAVE_API_KEY",),
        (("brave_web_search", {"query": "tides"}),),
        (22, 21),
    ),
    "github": Installed(
        _npm("github", "mcp-server-github", {"GITHUB_PERSONAL_ACCESS_TOKEN": "made-up"}),
        ("GITHUB_PERSONAL_ACCESS_TOKEN",),
        (("search_repositories", {"query": "tides"}), ("get_issue", {"owner": "a", "repo": "b", "issue_number": 1})),
        (24, 5),
    ),
    "slack": Installed(
        _npm("slack", "mcp-server-slack", {"SLACK_BOT_TOKEN": "made-up", "SLACK_TEAM_ID": "T0"}),
        ("SLACK_BOT_TOKEN",),
        (("slack_get_users", {}), ("slack_post_message", {"channel_id": "C0", "text": "hello"})),
        (22, 21),
    ),
    "tavily": Installed(
        _npm("tavily", "tavily-mcp", {"TAVILY_API_KEY": "made-up"}),
        ("TAVILY_API_KEY",),
        (("tavily_search", {"query": "tides"}), ("tavily_extract", {"urls": ["https://example.org/"]})),
    ),
    "aws-documentation": Installed(
        Server("aws-documentation", "aws-documentation", lay_nothing, module=AWS),
        (),
        (
            ("search_documentation", {"search_phrase": "buckets"}),
            ("read_documentation", {"url": AWS_PAGE}),
            ("read_documentation", {"url": "https://awsdocs-neuron.readthedocs-hosted.com/en/latest/"}),
            ("recommend", {"url": AWS_PAGE}),
        ),
    ),
    "aws-documentation-china": Installed(
        Server(
            "aws-documentation-china",
            "aws-documentation",
            lay_nothing,
            module=AWS,
            environment=lambda _: {"AWS_DOCUMENTATION_PARTITION": "aws-cn"},
        ),
        (),
        (
            ("get_available_services", {}),
            ("read_documentation", {"url": "https://docs.amazonaws.cn/en_us/aws/latest/index.html"}),
        ),
    ),
}
