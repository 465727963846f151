"""What a client was not granted does not exist for it: in listings and in calls, of tools, prompts and resources, in every revision."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.identity.people import Launched, People
from tests.playbook import HANDSHAKE, MODERN, REVISIONS, TOKEN, Playbook, call, error, notification, request, result

PROFILE = """schema = 1
name = "test"
description = "Scopes on everything."
[capabilities]
resources = true
prompts = true
completions = true
tasks = true
[tools]
default = "allow"
[tools.rules]
"read_*" = { action = "allow", scopes = ["files:read"] }
"read_own" = { action = "allow", scopes = ["files:read:own"] }
"write_file" = { action = "allow", scopes = ["files:write"] }
"upload" = { action = "allow", scopes = ["files:read", "net:send"] }
"everything" = { action = "allow", scopes = ["files:*"] }
"administer" = { action = "allow", scopes = ["admin"] }
"run_shell" = { action = "deny", scopes = ["files:read"] }
[prompts]
default = "allow"
[prompts.rules]
"review_*" = { scopes = ["files:read"] }
"deploy" = { scopes = ["ops:deploy"] }
"gone" = { action = "deny" }
[resources]
default = "allow"
[resources.rules]
"file:///work/*" = { scopes = ["files:read"] }
"file:///work/secret/*" = { scopes = ["files:secret"] }
"file:///etc/*" = { action = "deny" }
"db://users/*" = { scopes = ["db:users"] }
"https://private.example/*" = { scopes = ["web:private"] }
[roles]
reader = ["files:read", "files:read:own"]
operator = ["ops:*"]
"""
TOOLS = ["open_door", "read_file", "read_own", "write_file", "upload", "everything", "administer", "run_shell"]
PROMPTS = ["hello", "review_code", "deploy", "gone"]
RESOURCES = ["mem://a", "file:///work/a", "file:///work/secret/a", "file:///etc/passwd", "db://users/1", "db://orders/1"]
FREE = {"open_door"}


@pytest.fixture
def people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[People]:
    monkeypatch.setattr(os, "fsync", lambda _: None)  # nothing here outlives the test
    made = People(tmp_path)
    with made.present():
        yield made


def talk_of(people: People, revision: str, *scopes: str, roles: tuple[str, ...] = (), profile: str = PROFILE) -> Playbook:
    """Open a session for alice, who has these scopes and roles."""
    authenticator = people.authenticator(roles={"reader": ["files:read", "files:read:own"], "operator": ["ops:*"]})
    credential = people.add("alice", *scopes, roles=roles)
    return Playbook(revision, profile, authenticator=authenticator, credential=credential)


def listed(talk: Playbook, kind: str) -> list[str]:
    """Let the server offer everything of a kind; return what the client sees of it."""
    method, entries = {
        "tools": ("tools/list", [{"name": name, "inputSchema": {"type": "object"}} for name in TOOLS]),
        "prompts": ("prompts/list", [{"name": name} for name in PROMPTS]),
        "resources": ("resources/list", [{"name": "r", "uri": uri} for uri in RESOURCES]),
        "resourceTemplates": ("resources/templates/list", [{"name": "r", "uriTemplate": f"{uri}/{{x}}"} for uri in RESOURCES]),
    }[kind]
    talk.flush()
    talk >> request(method)
    talk << result(**{kind: entries}, **({"cacheScope": "public", "ttlMs": 1} if talk.modern else {}))
    seen = talk.client_got()["result"]
    if talk.modern:
        assert seen["cacheScope"] == "private"
    return [
        entry.get("name" if kind in ("tools", "prompts") else "uri", entry.get("uriTemplate", "")).removesuffix("/{x}")
        for entry in seen[kind]
    ]


def reaches(talk: Playbook, message: dict[str, Any]) -> bool:
    """Tell whether a request passes; where it does not, its answer is the one that a server gives for what it does not have."""
    talk.flush()
    talk >> message
    if talk.all_to_server():
        assert talk.all_to_client() == []
        return True
    (answer,) = [heard for heard in talk.all_to_client() if "id" in heard]  # a change of scopes may have been told too
    assert answer["error"] == absent(talk, message)
    return False


def absent(talk: Playbook, message: dict[str, Any]) -> dict[str, Any]:
    method, params = message["method"], message["params"]
    ref = params.get("ref", {})
    if method == "tools/call":
        return {"code": -32602, "message": f"Unknown tool: {params['name']}"}
    if method == "prompts/get" or ref.get("type") == "ref/prompt":
        return {"code": -32602, "message": f"Unknown prompt: {params.get('name', ref.get('name'))}"}
    uri = params.get("uri", ref.get("uri"))
    if talk.modern:
        return {"code": -32602, "message": "Resource not found"}
    return {"code": -32002, "message": "Resource not found", "data": {"uri": uri}}


def read(uri: Any) -> dict[str, Any]:
    return request("resources/read", {"uri": uri})


def prompt(name: Any) -> dict[str, Any]:
    return request("prompts/get", {"name": name})


def completion(**ref: Any) -> dict[str, Any]:
    return request("completion/complete", {"ref": ref, "argument": {"name": "x", "value": ""}})


# --- what there is -----------------------------------------------------------------------------------------------------------------

GRANTS: list[tuple[tuple[str, ...], set[str], set[str], set[str]]] = [
    ((), set(), set(), set()),
    (("files:read",), {"read_file"}, {"review_code"}, {"file:///work/a"}),
    (
        ("files:*",),
        {"read_file", "read_own", "write_file", "everything"},
        {"review_code"},
        {"file:///work/a", "file:///work/secret/a"},
    ),
    (("files:read:*",), {"read_own"}, set(), set()),
    (("files",), set(), set(), set()),
    (("file:*", "filesx:*", "files.read", "fil*s:read"[:3]), set(), set(), set()),
    (("filesx:read", "xfiles:read", "files:readx", "files:rea"), set(), set(), set()),
    (("FILES:READ", "Files:*"), set(), set(), set()),
    (("files:read", "net:send"), {"read_file", "upload"}, {"review_code"}, {"file:///work/a"}),
    (("net:send",), set(), set(), set()),
    (("admin",), {"administer"}, set(), set()),
    (("admin:*", "root", "superuser", "all"), set(), set(), set()),
    (("ops:*",), set(), {"deploy"}, set()),
    (("ops:deploy:*",), set(), set(), set()),
    (("db:users", "files:secret"), set(), set(), {"db://users/1", "file:///work/secret/a"}),
]


@pytest.mark.parametrize("revision", REVISIONS)
@pytest.mark.parametrize(
    ("scopes", "tools", "prompts", "resources"), GRANTS, ids=[" ".join(row[0]) or "nothing" for row in GRANTS]
)
def test_what_is_listed_is_what_can_be_used_and_is_what_was_granted(
    people: People, revision: str, scopes: tuple[str, ...], tools: set[str], prompts: set[str], resources: set[str]
) -> None:
    talk = talk_of(people, revision, *scopes)
    tools, prompts, resources = tools | FREE, prompts | {"hello"}, resources | {"mem://a", "db://orders/1"}
    assert set(listed(talk, "tools")) == tools
    assert set(listed(talk, "prompts")) == prompts
    assert set(listed(talk, "resources")) == set(listed(talk, "resourceTemplates")) == resources
    assert {name for name in TOOLS if name != "run_shell" and reaches(talk, call(name))} == tools
    assert {name for name in PROMPTS if reaches(talk, prompt(name))} == prompts
    assert {name for name in PROMPTS if reaches(talk, completion(type="ref/prompt", name=name))} == prompts
    assert {uri for uri in RESOURCES if reaches(talk, read(uri))} == resources
    assert {uri for uri in RESOURCES if reaches(talk, completion(type="ref/resource", uri=uri))} == resources
    if not talk.modern:
        for method in ("resources/subscribe", "resources/unsubscribe"):
            assert {uri for uri in RESOURCES if reaches(talk, request(method, {"uri": uri}))} == resources


@pytest.mark.parametrize("revision", REVISIONS)
@pytest.mark.parametrize(
    ("roles", "tools", "prompts"),
    [
        (("reader",), {"read_file", "read_own"}, {"review_code"}),
        (("operator",), set(), {"deploy"}),
        (("reader", "operator"), {"read_file", "read_own"}, {"review_code", "deploy"}),
        (("Reader", "admin", "reader "), set(), set()),
    ],
)
def test_a_role_is_the_scopes_that_the_profile_says(
    people: People, revision: str, roles: tuple[str, ...], tools: set[str], prompts: set[str]
) -> None:
    talk = talk_of(people, revision, roles=roles)
    assert {name for name in TOOLS if name != "run_shell" and reaches(talk, call(name))} == tools | FREE
    assert set(listed(talk, "prompts")) == prompts | {"hello"}


@pytest.mark.parametrize("revision", REVISIONS)
def test_a_scope_of_a_roles_name_is_not_the_role(people: People, revision: str) -> None:
    talk = talk_of(people, revision, "reader", "operator")
    assert listed(talk, "tools") == ["open_door"]


@pytest.mark.parametrize("revision", REVISIONS)
@pytest.mark.parametrize(
    ("of_client", "of_token", "tools"),
    [
        (["files:*"], ["files:read"], {"read_file"}),
        (["files:*"], [], {"read_file", "read_own", "write_file", "everything"}),
        (["files:read", "files:write"], ["files:write"], {"write_file"}),
    ],
)
def test_a_token_grants_what_both_it_and_its_client_have(
    people: People, revision: str, of_client: list[str], of_token: list[str], tools: set[str]
) -> None:
    people.add("alice", *of_client)
    talk = Playbook(revision, PROFILE, authenticator=people.authenticator(), credential=people.token("alice", *of_token))
    assert set(listed(talk, "tools")) == tools | FREE
    assert {name for name in TOOLS if name != "run_shell" and reaches(talk, call(name))} == tools | FREE


@pytest.mark.parametrize("revision", REVISIONS)
def test_a_token_has_no_scope_that_its_client_has_lost_since(people: People, revision: str) -> None:
    people.add("alice", "files:read", "files:write")
    talk = Playbook(
        revision, PROFILE, authenticator=people.authenticator(), credential=people.token("alice", "files:read", "files:write")
    )
    assert reaches(talk, call("write_file"))
    people.change("alice", scopes=["files:read"])
    assert not reaches(talk, call("write_file"))
    assert reaches(talk, call("read_file"))


@pytest.mark.parametrize("revision", HANDSHAKE)
def test_a_renewal_with_a_narrower_token_narrows_the_session(people: People, revision: str) -> None:
    people.add("alice", "files:read", "files:write")
    talk = Playbook(revision, PROFILE, authenticator=people.authenticator(), credential=people.token("alice"))
    narrow = {**request("ping"), "params": {"_meta": {TOKEN: people.token("alice", "files:read")}}}
    assert reaches(talk, call("write_file"))
    talk >> narrow
    assert not reaches(talk, call("write_file"))
    assert reaches(talk, call("read_file"))


def test_each_2026_07_28_request_has_the_scopes_of_its_own_token(people: People) -> None:
    people.add("alice", "files:read", "files:write")
    talk = Playbook(MODERN, PROFILE, authenticator=people.authenticator())
    reading, writing = people.token("alice", "files:read"), people.token("alice", "files:write")
    for _ in range(2):
        talk.credential = reading
        assert (reaches(talk, call("read_file")), reaches(talk, call("write_file"))) == (True, False)
        assert set(listed(talk, "tools")) == {"open_door", "read_file"}
        talk.credential = writing
        assert (reaches(talk, call("read_file")), reaches(talk, call("write_file"))) == (False, True)
        assert set(listed(talk, "tools")) == {"open_door", "write_file"}


def test_a_list_is_of_who_asked_for_it_not_of_who_spoke_last(people: People) -> None:
    people.add("alice", "files:read", "files:write")
    talk = Playbook(MODERN, PROFILE, authenticator=people.authenticator(), credential=people.token("alice", "files:read"))
    talk >> request("tools/list")
    asked = talk.last_wire_id
    talk.credential = people.token("alice", "files:write")
    talk >> call("write_file")
    talk.flush()
    talk << {"jsonrpc": "2.0", "id": asked, "result": {"tools": [{"name": name, "inputSchema": {}} for name in TOOLS]}}
    assert [tool["name"] for tool in talk.client_got()["result"]["tools"]] == ["open_door", "read_file"]


@pytest.mark.parametrize("revision", REVISIONS)
def test_without_identity_scopes_decide_nothing_and_denials_still_do(people: People, revision: str) -> None:
    talk = Playbook(revision, PROFILE)
    assert {name for name in TOOLS if name != "run_shell" and reaches(talk, call(name))} == set(TOOLS) - {"run_shell"}
    assert {name for name in PROMPTS if reaches(talk, prompt(name))} == set(PROMPTS) - {"gone"}
    assert {uri for uri in RESOURCES if reaches(talk, read(uri))} == set(RESOURCES) - {"file:///etc/passwd"}


@pytest.mark.parametrize("revision", REVISIONS)
@pytest.mark.parametrize("as_task", [False, True])
def test_a_tool_out_of_scope_is_not_there_however_it_is_called(people: People, revision: str, as_task: bool) -> None:
    talk = talk_of(people, revision, "files:read")
    for name, there in (("write_file", False), ("read_file", True)):
        message = call(name, path="/x")
        if as_task:
            message["params"]["task"] = {"ttl": 1}
        assert reaches(talk, message) is there
    talk.flush()
    talk >> notification("tools/call", {"name": "write_file"})
    assert talk.all_to_server() == []


@pytest.mark.parametrize("revision", REVISIONS)
def test_a_confirmation_is_not_asked_for_what_is_not_there(people: People, revision: str) -> None:
    profile = (
        PROFILE.replace('"write_file" = { action = "allow"', '"write_file" = { action = "confirm"')
        + "[handshake]\nclient = 'required'\n"
    )
    talk = talk_of(people, revision, "files:read", profile=profile.replace("tasks = true", "tasks = true\nelicitation = true"))
    assert not reaches(talk, call("write_file"))
    assert not talk.session.state.held


@pytest.mark.parametrize("revision", REVISIONS)
def test_the_answer_for_what_is_out_of_scope_is_the_one_for_what_is_not_there_at_all(people: People, revision: str) -> None:
    """With `default = "deny"`, a tool that no rule names and one whose scopes the client lacks look the same."""
    profile = PROFILE.replace('default = "allow"\n[tools.rules]', 'default = "deny"\n[tools.rules]')
    talk = talk_of(people, revision, "files:read", profile=profile)
    answers = []
    for name in ("write_file", "no_such_tool"):
        talk.flush()
        talk >> call(name)
        answers.append(talk.client_got())
    for answer in answers:
        del answer["id"]
    assert str(answers[0]).replace("write_file", "NAME") == str(answers[1]).replace("no_such_tool", "NAME")


@pytest.mark.parametrize("revision", REVISIONS)
def test_the_record_says_which_rule_and_which_scope_were_missing(people: People, revision: str) -> None:
    talk = talk_of(people, revision, "files:read")
    talk >> call("upload")
    entry = talk.records[-1]
    assert (entry["rule"], entry["detail"], entry["client"]) == ('tools.rules."upload"', "needs files:read and net:send", "alice")


# --- names that are none, and names in disguise -------------------------------------------------------------------------------------------

HIDDEN = "file:///work/secret/a"
NO_NAMES = [["deploy"], [["deploy"]], {"name": "deploy"}, None, 0, True]


@pytest.mark.parametrize("revision", REVISIONS)
def test_a_name_that_is_no_text_passes_no_rule(people: People, revision: str) -> None:
    """JavaScript reads `prompts[["deploy"]]` as `prompts["deploy"]`, and `new URL([uri])` as the URI."""
    talk = talk_of(people, revision)
    messages = [message for name in NO_NAMES for message in (prompt(name), completion(type="ref/prompt", name=name))]
    messages += [message for uri in [*NO_NAMES, [HIDDEN]] for message in (read(uri), completion(type="ref/resource", uri=uri))]
    for message in messages:
        talk >> message
    assert [message["params"] for message in talk.all_to_server()] == []
    assert all("error" in answer for answer in talk.all_to_client())


@pytest.mark.parametrize("revision", REVISIONS)
def test_a_name_that_is_missing_passes_no_rule(people: People, revision: str) -> None:
    talk = talk_of(people, revision)
    refs = [{"type": "ref/prompt"}, {"type": "ref/prompt", "Name": "deploy"}, {"type": "ref/prompt", "uri": "mem://a"},
            {"type": "ref/resource"}, {"type": "ref/resource", "URI": RESOURCES[1]}, {"type": "ref/resource", "name": "hello"}]  # fmt: skip
    for message in (request("prompts/get", {}), request("resources/read", {}), *(completion(**ref) for ref in refs)):
        talk >> message
    assert talk.all_to_server() == []
    assert len(talk.all_to_client()) == 2 + len(refs)


TWISTED = [
    "file:///work/./secret/a",
    "file:///work/b/../secret/a",
    "file:///work/secret/b/../a",
    "file:///open/../work/secret/a",
    "file:///work/%2e%2e/work/secret/a",
    "file:///open/%2E%2E/work/secret/a",
    "file:///open/.%2e/work/secret/a",
    "file:///work%2fsecret/a",
    "file:///work%2Fsecret%2Fa",
    "file:///work%5csecret%5Ca",
    "file:///work\\secret\\a",
    "file:///work/secret\\a",
    "file:///work/secret/a%00",
    "file:///work/secret/a\n",
    " file:///work/secret/a",
    "file:///work/secret/a ",
    "\tfile:///work/secret/a",
    "file:///wo\trk/secret/a",
    "file:///work/secr\u0435t/a",
    "file:///work/secret/a/..",
    "file:///work/secret/a/.",
    "..",
    # The same by RFC 3986, section 6.2.2: the case of scheme and host, and what need not be escaped.
    "FILE:///work/secret/a",
    "File:///work/secret/a",
    "file:///%77ork/secret/a",
    "file:///work/%73ecret/a",
    "file:///work/s%65cret/a",
    "file:///work/%73%65%63%72%65%74/a",
    "DB://users/1",
    "db://USERS/1",
    "db://u%73ers/1",
    # The same to a file system, or to RFC 8089.
    "file://localhost/work/secret/a",
    "file://LOCALHOST/work/secret/a",
    "file://127.0.0.1/work/secret/a",
    "file:/work/secret/a",
    "file:work/secret/a",
    "file:////work/secret/a",
    "file:///work//secret/a",
    "file://///work/secret/a",
    "file://user@/work/secret/a",
    "https:private.example/a",
    "https:/private.example/a",
    "https:///private.example/a",
    "https://private.example:443/a",
    "https://private.example./a",
    "https://me@private.example/a",
    "db://@users/1",
    "db://users:/1",
]


@pytest.mark.parametrize("revision", REVISIONS)
@pytest.mark.parametrize("how", ["read", "complete", "subscribe"])
def test_a_uri_in_disguise_is_not_there(people: People, revision: str, how: str) -> None:
    make = {
        "read": read,
        "complete": lambda uri: completion(type="ref/resource", uri=uri),
        "subscribe": lambda uri: request("resources/subscribe", {"uri": uri}),
    }[how]
    talk = talk_of(people, revision, "files:read")
    if talk.modern and how == "subscribe":
        talk >> listen(resourceSubscriptions=[*TWISTED, "mem://a"])
        assert talk.server_got()["params"]["notifications"] == {"resourceSubscriptions": ["mem://a"]}
        return
    assert [uri for uri in TWISTED if reaches(talk, make(uri))] == []
    assert reaches(talk, make("mem://a"))


@pytest.mark.parametrize("revision", REVISIONS)
@pytest.mark.parametrize(
    "uri",
    [
        "file:///work/a",
        "file:///work/a.b..c",
        "file:///work/...",
        "file:///work/%20a",
        "file:///work/a%25b",
        "mem://a",
        "mem://a/b?c=d&e=f",
        "custom:thing",
        "db://orders/1?x=y#z",
    ],
)
def test_a_plain_uri_is_there(people: People, revision: str, uri: str) -> None:
    talk = talk_of(people, revision, "files:read")
    assert reaches(talk, read(uri))


@pytest.mark.parametrize("suffix", ["?", "?x", "#", "#x", "?/../x", ";x"])
def test_a_query_or_fragment_makes_no_other_resource_of_one_that_a_rule_names(people: People, suffix: str) -> None:
    """A server that reads `new URL(uri).pathname` sees neither."""
    profile = PROFILE.replace('"db://users/*" = ', '"db://one" = { scopes = ["db:one"] }\n"db://users/*" = ')
    talk = talk_of(people, "2025-11-25", profile=profile)
    assert not reaches(talk, read("db://one"))
    assert not reaches(talk, read("db://one" + suffix)) or suffix == ";x"
    assert reaches(talk, read("db://two" + suffix.replace("/../", "")))


@pytest.mark.parametrize("revision", REVISIONS)
def test_without_rules_for_resources_a_uri_is_the_servers_to_judge(people: People, revision: str) -> None:
    profile = PROFILE[: PROFILE.index("[resources]")] + PROFILE[PROFILE.index("[roles]") :]
    talk = talk_of(people, revision, profile=profile)
    for uri in TWISTED:
        assert reaches(talk, read(uri))


@pytest.mark.parametrize("revision", REVISIONS)
@pytest.mark.parametrize(
    "entry", [{}, {"name": 5}, {"name": ["deploy"]}, {"name": ""}, {"name": None}, "deploy", 5, {"Name": "deploy"}], ids=str
)
def test_an_entry_of_a_listing_without_a_name_is_not_shown(people: People, revision: str, entry: Any) -> None:
    talk = talk_of(people, revision)
    talk >> request("prompts/list")
    talk << result(prompts=[entry, {"name": "hello"}, {"name": "deploy"}])
    assert talk.client_got()["result"]["prompts"] == [{"name": "hello"}]


# --- what the server says about resources ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("revision", HANDSHAKE)
def test_a_client_hears_of_changes_of_the_resources_that_are_there_for_it(people: People, revision: str) -> None:
    talk = talk_of(people, revision, "files:read")
    assert reaches(talk, request("resources/subscribe", {"uri": "file:///work/a"}))
    for uri, heard in (
        ("file:///work/a", True),
        (HIDDEN, False),
        ("file:///etc/passwd", False),
        ("file:///work/x/../secret/a", False),
    ):
        talk.flush()
        talk << notification("notifications/resources/updated", {"uri": uri})
        assert bool(talk.all_to_client()) is heard, uri


def listen(**wants: Any) -> dict[str, Any]:
    return request("subscriptions/listen", {"notifications": wants})


def test_a_listener_hears_of_changes_of_the_resources_that_are_there_for_it(people: People) -> None:
    talk = talk_of(people, MODERN, "files:read")
    talk >> listen(resourceSubscriptions=["file:///work/a"])
    meta = {"io.modelcontextprotocol/subscriptionId": talk.last_wire_id}
    for uri, heard in (("file:///work/a", True), (HIDDEN, False), ("file:///etc/passwd", False)):
        talk.flush()
        talk << notification("notifications/resources/updated", {"uri": uri, "_meta": dict(meta)})
        assert bool(talk.all_to_client()) is heard, uri


def test_a_listener_subscribes_to_no_resource_that_is_not_there_for_it(people: People) -> None:
    talk = talk_of(people, MODERN, "files:read")
    talk >> listen(resourceSubscriptions=["file:///work/a", HIDDEN, "file:///etc/passwd", "file:///work/x/../secret/a"])
    sent = talk.all_to_server()
    assert [message["params"]["notifications"] for message in sent] in ([], [{"resourceSubscriptions": ["file:///work/a"]}])
    talk.flush()
    talk >> listen(resourceSubscriptions=["file:///work/a"])
    assert talk.server_got()["params"]["notifications"] == {"resourceSubscriptions": ["file:///work/a"]}


# --- changes ---------------------------------------------------------------------------------------------------------------------------

CHANGES = ["notifications/tools/list_changed", "notifications/prompts/list_changed", "notifications/resources/list_changed"]


def heard(talk: Playbook) -> list[str]:
    return [message["method"] for message in talk.all_to_client()]


@pytest.mark.parametrize("revision", HANDSHAKE)
def test_a_change_of_scopes_is_told_once_and_what_was_listed_before_cannot_be_called_any_more(
    people: People, revision: str
) -> None:
    talk = talk_of(people, revision, "files:read", "files:write")
    assert "write_file" in listed(talk, "tools")
    people.change("alice", scopes=["files:read"])
    talk.wait(1)
    assert heard(talk) == CHANGES
    for _ in range(3):
        talk.wait(1)
    assert heard(talk) == []
    assert not reaches(talk, call("write_file"))
    assert reaches(talk, call("read_file"))
    assert "write_file" not in listed(talk, "tools")
    people.change("alice", scopes=["files:read", "files:write"])
    talk.wait(1)
    assert heard(talk) == CHANGES
    assert reaches(talk, call("write_file"))


@pytest.mark.parametrize("revision", HANDSHAKE)
@pytest.mark.parametrize("by", ["the client", "the server"])
def test_a_change_of_scopes_holds_for_the_message_that_finds_it(people: People, revision: str, by: str) -> None:
    talk = talk_of(people, revision, "files:read", "files:write")
    people.change("alice", scopes=["files:read"])
    if by == "the client":
        talk >> call("write_file")
        messages = talk.all_to_client()
        assert [message["error"]["code"] for message in messages if "error" in message] == [-32602]
    else:
        talk << notification("notifications/tools/list_changed")
        messages = talk.all_to_client()[1:]
    assert [message["method"] for message in messages if "method" in message] == CHANGES
    assert talk.all_to_server() == []


@pytest.mark.parametrize("revision", REVISIONS)
def test_nothing_is_told_where_nothing_has_changed(people: People, revision: str) -> None:
    talk = talk_of(people, revision, "files:read")
    if talk.modern:
        talk >> listen(toolsListChanged=True, promptsListChanged=True, resourcesListChanged=True)
    talk.flush()
    for change in ({}, {"scopes": ["files:read"]}, {"servers": ["test-server"]}, {"expires": people.clock.wall + 3600}):
        people.change("alice", **change)
        talk.wait(1)
        talk >> request("tools/list")
        assert heard(talk) == []
    people.rotate("alice", 3600)
    talk.wait(1)
    people.add("bob", "files:read")
    talk.wait(1)
    assert heard(talk) == []
    people.change("alice", scopes=[])  # the control
    talk.wait(1)
    assert set(heard(talk)) == set(CHANGES)


@pytest.mark.parametrize("revision", HANDSHAKE)
def test_no_change_is_told_of_what_the_profile_does_not_grant_nor_before_the_session_is_open(
    people: People, revision: str
) -> None:
    profile = PROFILE.replace("prompts = true\n", "")
    credential = people.add("alice", "files:read")
    talk = Playbook(revision, profile, authenticator=people.authenticator(), credential=credential, opened=False)
    talk >> request(
        "initialize",
        {
            "protocolVersion": revision,
            "capabilities": {},
            "clientInfo": {"name": "c", "version": "1"},
            "_meta": {TOKEN: credential},
        },
    )
    people.change("alice", scopes=["files:write"])
    talk.wait(1)
    talk << result(protocolVersion=revision, capabilities={"tools": {}}, serverInfo={"name": "s", "version": "1"})
    assert [message.get("method") for message in talk.all_to_client()] == [None]
    talk >> notification("notifications/initialized")
    people.change("alice", scopes=["files:read"])
    talk.wait(1)
    assert heard(talk) == [CHANGES[0], CHANGES[2]]


def test_in_2026_07_28_a_change_is_told_to_open_subscriptions_that_asked(people: People) -> None:
    talk = talk_of(people, MODERN, "files:read")
    ids = {}
    for wants in (
        {"toolsListChanged": True},
        {"toolsListChanged": False, "promptsListChanged": True},
        {"resourceSubscriptions": ["file:///work/a"]},
    ):
        talk >> listen(**wants)
        ids[talk.last_client_id] = [key for key, wanted in wants.items() if wanted is True]
    closed = talk.last_client_id + 1
    talk >> listen(toolsListChanged=True, promptsListChanged=True)
    talk >> notification("notifications/cancelled", {"requestId": closed})
    talk.flush()
    people.change("alice", scopes=["files:write"])
    talk.wait(1)
    told = [
        (message["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], message["method"])
        for message in talk.all_to_client()
    ]
    first, second, _ = ids
    assert told == [(first, CHANGES[0]), (second, CHANGES[1])]
    talk.wait(1)
    assert talk.all_to_client() == []


def test_in_2026_07_28_nothing_is_told_where_nobody_listens(people: People) -> None:
    talk = talk_of(people, MODERN, "files:read", "files:write")
    talk >> call("write_file")
    talk.flush()
    people.change("alice", scopes=["files:read"])
    talk.wait(1)
    assert talk.all_to_client() == []
    assert not reaches(talk, call("write_file"))


def test_in_2026_07_28_two_tokens_of_different_scopes_are_no_change(people: People) -> None:
    people.add("alice", "files:*")
    talk = Playbook(MODERN, PROFILE, authenticator=people.authenticator(), credential=people.token("alice", "files:read"))
    talk >> listen(toolsListChanged=True)
    talk.flush()
    for scope in ("files:write", "files:read", "files:write"):
        talk.credential = people.token("alice", scope)
        talk >> request("tools/list")
        talk.wait(1)
    assert talk.all_to_client() == []


@pytest.mark.parametrize("revision", HANDSHAKE)
def test_a_launch_that_is_renewed_with_other_scopes_is_told_too(people: People, revision: str) -> None:
    people.add("alice", "files:*")
    launched = Launched(people.token("alice", "files:read"))
    authenticator = people.authenticator(read_launch=launched)
    assert not authenticator.admit()
    talk = Playbook(revision, PROFILE, authenticator=authenticator)
    assert not reaches(talk, call("write_file"))
    talk.flush()
    launched.put(people.token("alice", "files:write"))
    talk.wait(1)
    talk.wait(1)
    assert heard(talk) == CHANGES
    assert reaches(talk, call("write_file"))
    assert not reaches(talk, call("read_file"))


@pytest.mark.parametrize("revision", REVISIONS)
def test_a_client_is_told_that_lists_change_even_where_the_servers_own_never_do(people: People, revision: str) -> None:
    for authenticator, expected in ((None, None), (people.authenticator(), True)):
        credential = people.add("alice", "files:read")
        talk = Playbook(revision, PROFILE, authenticator=authenticator, credential=credential, opened=False)
        offered = {"tools": {}, "prompts": {}, "resources": {}}
        if talk.modern:
            talk >> request("server/discover")
            talk << result(resultType="complete", supportedVersions=[MODERN], capabilities=offered)
        else:
            talk >> request(
                "initialize",
                {
                    "protocolVersion": revision,
                    "capabilities": {},
                    "clientInfo": {"name": "c", "version": "1"},
                    "_meta": {TOKEN: credential},
                },
            )
            talk << result(protocolVersion=revision, capabilities=offered, serverInfo={"name": "s", "version": "1"})
        seen = talk.client_got()["result"]["capabilities"]
        assert {kind: seen[kind].get("listChanged") for kind in offered} == dict.fromkeys(offered, expected)


# --- what was under way, and what was put by ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("revision", ["2025-06-18", "2025-11-25", MODERN])
def test_a_call_that_was_approved_after_its_scope_was_taken_away_does_not_run(people: People, revision: str) -> None:
    profile = PROFILE.replace('"write_file" = { action = "allow"', '"write_file" = { action = "confirm"').replace(
        "tasks = true", "elicitation = true"
    )
    for is_spoiled in (False, True):
        talk = talk_of(people, revision, "files:write", profile=profile)
        talk >> call("write_file")
        asked = talk.client_got()
        if is_spoiled:
            people.change("alice", scopes=["files:read"])
        yes = {"action": "accept", "content": {"decision": "allow once"}}
        if talk.modern:
            again = call("write_file")
            again["params"] |= {"requestState": asked["result"]["requestState"], "inputResponses": {"stdioguard.confirm": yes}}
            talk >> again
        else:
            talk >> {"jsonrpc": "2.0", "id": asked["id"], "result": yes}
        assert bool(talk.all_to_server()) is not is_spoiled
        refused = [message["error"] for message in talk.all_to_client() if "error" in message]
        assert refused == ([{"code": -32602, "message": "Unknown tool: write_file"}] if is_spoiled else [])


@pytest.mark.parametrize("revision", REVISIONS)
def test_a_servers_own_unknown_tool_looks_like_the_guards(people: People, revision: str) -> None:
    talk = talk_of(people, revision)
    talk >> call("open_door")
    talk << error(-32602, "Unknown tool: open_door")
    by_server = talk.client_got()
    talk >> call("write_file")
    by_guard = talk.client_got()
    assert by_server["error"]["code"] == by_guard["error"]["code"]
    assert by_server["error"].keys() == by_guard["error"].keys()
    assert by_server["error"]["message"].replace("open_door", "write_file") == by_guard["error"]["message"]
