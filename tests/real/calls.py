"""Every tool of every real server, with arguments that do no harm outside of the test's own data.

One table. A call is made in the order given, in one session, so that later calls see what earlier ones did.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from .servers import PROFILES, Place, Runtime, Server, git
from .sessions import ELICITATION, LINKS, ROOTS, SAMPLING, Json, Person

if TYPE_CHECKING:
    from pathlib import Path

    from .servers import Launch
    from .web import Web


@dataclass(frozen=True)
class Stage:
    """What a test starts servers with."""

    place: Place
    web: Web
    runtime: Runtime = field(default_factory=Runtime)
    no_node: str | None = None
    """Why the npm servers can't be started on this machine, if they can't."""

    def start(self, server: Server, *, guarded: bool, profile: Path | str | None = None) -> Launch:
        """Fresh data and the command line; skips the test if this machine lacks what the server needs."""
        if server.npm and self.no_node:
            pytest.skip(self.no_node)
        if server.profile == "git" and shutil.which("git") is None:
            pytest.skip("git is not installed")
        if guarded and profile is None:
            profile = self._with_web(server)
        return server.launch(self.runtime, self.place, guarded=guarded, profile=profile)

    def _with_web(self, server: Server) -> Path:
        """The shipped profile, with the test's own host in the place of the internet's, which it must not reach.

        The tests' client answers for the person, of high risk too.
        """
        text = (PROFILES / f"{server.profile}.toml").read_text()
        granted = re.sub(r"(?m)^network = .*$", f'network = ["{self.web.address.removeprefix("http://")}"]', text)
        folder = self.place.root / "profiles"
        folder.mkdir(exist_ok=True, mode=0o755)
        path = folder / f"{server.profile}.toml"
        chosen = granted if server.profile in ("fetch", "everything") else text
        path.write_text(f'{chosen}\n[consent]\nhigh = ["client"]\n')
        return path


@dataclass
class World:
    """All that a call can leave a trace in."""

    stage: Stage
    person: Person
    said: Json = field(default_factory=dict)
    """The last answer."""


Trace = Callable[[World], Any]


def tree(world: World) -> dict[str, bytes | None]:
    """Names and bytes of all files."""
    root = world.stage.place.files
    return {str(p.relative_to(root)): p.read_bytes() if p.is_file() else None for p in root.rglob("*")}


def graph(world: World) -> bytes:
    """The memory server's file."""
    return world.stage.place.graph.read_bytes()


def repository(world: World) -> tuple[str, str, str]:
    """Where HEAD, the branches and the index stand."""
    root = world.stage.place.files
    return (
        git(root, "rev-parse", "--symbolic-full-name", "HEAD"),
        git(root, "for-each-ref"),
        git(root, "ls-files", "--stage"),
    )


def requests(world: World) -> int:
    return len(world.stage.web.hits)


@dataclass(frozen=True)
class Call:
    """One call. `{files}`, `{outside}` and `{web}` in arguments are filled in."""

    tool: str
    arguments: Json = field(default_factory=dict)
    trace: Trace | None = None
    """For a call that a person must confirm: reads what running it changes."""
    needs: frozenset[str] = frozenset()
    """Client features without which the server does not offer the tool."""

    def filled(self, world: World) -> Json:
        names = {
            "files": str(world.stage.place.files),
            "outside": str(world.stage.place.outside),
            "web": world.stage.web.address,
        }

        def fill(value: Any) -> Any:
            if isinstance(value, str):
                return value.format(**names) if "{" in value else value
            if isinstance(value, list):
                return [fill(item) for item in value]
            if isinstance(value, dict):
                return {key: fill(item) for key, item in value.items()}
            return value

        return fill(self.arguments)


def needs(*features: str) -> frozenset[str]:
    return frozenset(features)


REPO = {"repo_path": "{files}"}

CALLS: dict[str, list[Call]] = {
    "everything": [
        Call("echo", {"message": "grüße \u2028 \U0001f600 \\u0041 \t <>&'\""}),
        Call("echo", {}),
        Call("get-annotated-message", {"messageType": "error", "includeImage": True}),
        Call("get-resource-links", {"count": 4}),
        Call("get-resource-reference", {"resourceType": "Text", "resourceId": 3}),
        Call("get-resource-reference", {"resourceType": "Blob", "resourceId": 4}),
        Call("get-structured-content", {"location": "Chicago"}),
        Call("get-sum", {"a": 0.1, "b": 9007199254740991}),
        Call("get-sum", {"a": "not a number", "b": 1}),
        Call("get-tiny-image"),
        Call("trigger-long-running-operation", {"duration": 0.2, "steps": 2}),
        # Its task needs a client that runs tasks: the plain call is answered with an error, the same in both.
        Call("simulate-research-query", {"topic": "tides"}),
        Call("toggle-subscriber-updates"),
        Call("toggle-subscriber-updates"),
        Call("toggle-simulated-logging"),
        Call("toggle-simulated-logging"),
        Call("get-roots-list", needs=needs(ROOTS)),
        Call("trigger-elicitation-request", needs=needs(ELICITATION)),
        Call("get-env", trace=lambda world: "HOME" in str(world.said)),
        Call("gzip-file-as-resource", {"name": "page.gz", "data": "{web}/plain"}, requests),
        Call("gzip-file-as-resource", {"data": "data:text/plain,hello", "outputType": "resource"}),
        Call(
            "trigger-url-elicitation",
            {"url": "https://example.org/", "elicitationId": "one"},
            lambda world: len(world.person.links),
            needs(ELICITATION, LINKS),
        ),
        Call(
            "trigger-sampling-request",
            {"prompt": "Capital of France?", "maxTokens": 5},
            lambda world: len(world.person.samples),
            needs(SAMPLING),
        ),
    ],
    "filesystem": [
        Call("list_allowed_directories"),
        Call("list_directory", {"path": "{files}"}),
        Call("list_directory_with_sizes", {"path": "{files}", "sortBy": "size"}),
        Call("directory_tree", {"path": "{files}", "excludePatterns": ["deep"]}),
        Call("search_files", {"path": "{files}", "pattern": "**/*.md"}),
        Call("get_file_info", {"path": "{files}/notes.txt"}),
        Call("read_file", {"path": "{files}/docs/guide.md"}),
        Call("read_text_file", {"path": "{files}/notes.txt"}),
        Call("read_text_file", {"path": "{files}/naïve café.txt"}),
        Call("read_text_file", {"path": "{files}/long.txt", "tail": 3}),
        Call("read_text_file", {"path": "{files}/docs/../long.txt", "head": 3}),
        Call("read_text_file", {"path": "{files}/absent.txt"}),
        Call("read_media_file", {"path": "{files}/pixel.png"}),
        Call("read_media_file", {"path": "{files}/data.bin"}),
        Call("read_multiple_files", {"paths": ["{files}/notes.txt", "{files}/absent", "{files}/docs/guide.md"]}),
        Call("create_directory", {"path": "{files}/made/below"}, tree),
        Call("write_file", {"path": "{files}/made/new.txt", "content": "new: grüße\n"}, tree),
        Call("write_file", {"path": "{files}/notes.txt", "content": "replaced\n"}, tree),
        Call(
            "edit_file",
            {"path": "{files}/long.txt", "edits": [{"oldText": "line 7\n", "newText": "line seven\n"}]},
            tree,
        ),
        Call("edit_file", {"path": "{files}/long.txt", "edits": [{"oldText": "no such", "newText": ""}]}),
        Call("move_file", {"source": "{files}/data.bin", "destination": "{files}/moved.bin"}, tree),
        Call("list_directory", {"path": "{files}"}),
        Call("read_text_file", {"path": "{files}/notes.txt"}),
    ],
    "memory": [
        Call("read_graph"),
        Call("search_nodes", {"query": "engine"}),
        Call("open_nodes", {"names": ["Ada", "nobody"]}),
        Call(
            "create_entities",
            {"entities": [{"name": "Bob", "entityType": "person", "observations": ["likes grüße"]}]},
            graph,
        ),
        Call(
            "create_relations",
            {"relations": [{"from": "Bob", "to": "Ada", "relationType": "reads"}]},
            graph,
        ),
        Call(
            "add_observations",
            {"observations": [{"entityName": "Ada", "contents": ["\U0001f600 and \u2028"]}]},
            graph,
        ),
        Call("add_observations", {"observations": [{"entityName": "nobody", "contents": ["x"]}]}),
        Call("read_graph"),
        Call(
            "delete_observations",
            {"deletions": [{"entityName": "Ada", "observations": ["wrote notes"]}]},
            graph,
        ),
        Call(
            "delete_relations",
            {"relations": [{"from": "Ada", "to": "Engine", "relationType": "describes"}]},
            graph,
        ),
        Call("delete_entities", {"entityNames": ["Engine"]}, graph),
        Call("read_graph"),
    ],
    "sequential-thinking": [
        Call(
            "sequentialthinking",
            {"thought": "First: grüße", "nextThoughtNeeded": True, "thoughtNumber": 1, "totalThoughts": 2},
        ),
        Call(
            "sequentialthinking",
            {
                "thought": "Again",
                "nextThoughtNeeded": False,
                "thoughtNumber": 3,
                "totalThoughts": 2,
                "branchFromThought": 1,
                "branchId": "b",
            },
        ),
        Call("sequentialthinking", {"thought": "no number", "nextThoughtNeeded": True}),
    ],
    "git": [
        Call("git_status", REPO),
        Call("git_diff_unstaged", REPO),
        Call("git_diff_staged", {**REPO, "context_lines": 1}),
        Call("git_diff", {**REPO, "target": "feature"}),
        Call("git_log", {**REPO, "max_count": 5}),
        Call("git_log", {**REPO, "start_timestamp": "2024-01-01", "end_timestamp": "2025-01-01"}),
        Call("git_show", {**REPO, "revision": "HEAD"}),
        Call("git_show", {**REPO, "revision": "main:src"}),
        Call("git_show", {**REPO, "revision": "no-such-revision"}),
        Call("git_branch", {**REPO, "branch_type": "all"}),
        Call("git_branch", {**REPO}),
        Call("git_create_branch", {**REPO, "branch_name": "topic", "base_branch": "feature"}, repository),
        Call("git_add", {**REPO, "files": ["loose.txt"]}, repository),
        Call("git_commit", {**REPO, "message": "Add the loose file\n\ngrüße"}, repository),
        Call("git_status", REPO),
        Call("git_add", {**REPO, "files": ["README.md"]}, repository),
        Call("git_reset", REPO, repository),
        Call("git_checkout", {**REPO, "branch_name": "feature"}, repository),
        Call("git_status", REPO),
    ],
    "time": [
        Call("get_current_time", {"timezone": "Europe/Warsaw"}),
        Call("get_current_time", {"timezone": "No/Where"}),
        Call(
            "convert_time",
            {"source_timezone": "Asia/Kathmandu", "time": "16:30", "target_timezone": "America/New_York"},
        ),
        Call("convert_time", {"source_timezone": "Asia/Tokyo", "time": "25:00", "target_timezone": "Etc/UTC"}),
        Call("convert_time", {"source_timezone": "Asia/Tokyo"}),
    ],
    "fetch": [
        Call("fetch", {"url": "{web}/page"}, requests),
        Call("fetch", {"url": "{web}/page", "raw": True}, requests),
        Call("fetch", {"url": "{web}/plain", "max_length": 10}, requests),
        Call("fetch", {"url": "{web}/plain", "start_index": 10, "max_length": 20}, requests),
        Call("fetch", {"url": "{web}/private/page"}, requests),
        Call("fetch", {"url": "{web}/absent"}, requests),
        Call("fetch", {"url": "not an address"}),
    ],
    # Without its flag the server refuses the loopback address by itself: the refusals are compared.
    "fetch-public-only": [
        Call("fetch", {"url": "{web}/page"}),
        Call("fetch", {"url": "{web}/plain", "raw": True}),
    ],
}
