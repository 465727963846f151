"""A person's consent, in every revision: who is asked, what counts as a yes, and for what."""

from __future__ import annotations

from typing import Any

import pytest

from stdioguard.guard import holding
from stdioguard.guard.asking import Decision
from stdioguard.guard.seal import Sealer
from tests.playbook import HANDSHAKE, MIXED, MODERN, OPEN, REVISIONS, Playbook, call, notification, refusal, request, result

ASKING = (*HANDSHAKE[2:], MODERN)
"""The revisions that have elicitation."""

WRITE = {"path": "/x", "text": "hello"}


def ask(talk: Playbook, tool: str = "write_file", **arguments: Any) -> dict[str, Any]:
    """Make a call that needs consent and return the question, as its `elicitation/create` parameters."""
    talk >> call(tool, **(arguments or WRITE))
    assert talk.all_to_server() == []
    asked = talk.client_got()
    if not talk.modern:
        assert asked["method"] == "elicitation/create"
        talk.pending = asked
        return dict(asked["params"])
    assert asked["result"]["resultType"] == "input_required"
    talk.pending = asked["result"]
    question = asked["result"]["inputRequests"]["stdioguard.confirm"]
    assert question["method"] == "elicitation/create"
    return dict(question["params"])


def reply(talk: Playbook, answer: Any, tool: str = "write_file", **arguments: Any) -> None:
    """Answer the question as the client of this revision does."""
    pending = talk.pending
    if not talk.modern:
        talk >> {"jsonrpc": "2.0", "id": pending["id"], "result": answer}
        return
    retry = call(tool, **(arguments or WRITE))
    retry["params"] |= {"inputResponses": {"stdioguard.confirm": answer}, "requestState": pending["requestState"]}
    talk >> retry


YES = {"action": "accept", "content": {"decision": "allow once"}}

NOT_A_YES = {
    "declined": {"action": "decline"},
    "cancelled": {"action": "cancel"},
    "accepted without content": {"action": "accept"},
    "accepted with an empty form": {"action": "accept", "content": {}},
    "the default answer": {"action": "accept", "content": {"decision": "deny"}},
    "a wrong answer": {"action": "accept", "content": {"decision": "allow"}},
    "a yes in another case": {"action": "accept", "content": {"decision": "Allow Once"}},
    "a yes in a list": {"action": "accept", "content": {"decision": ["allow once"]}},
    "true": {"action": "accept", "content": {"decision": True}},
    "a yes under another name": {"action": "accept", "content": {"Decision": "allow once"}},
    "a declined yes": {"action": "decline", "content": {"decision": "allow once"}},
    "an action in another case": {"action": "Accept", "content": {"decision": "allow once"}},
    "an action that is missing": {"content": {"decision": "allow once"}},
    "nothing": {},
}


@pytest.mark.parametrize("revision", ASKING)
def test_a_yes_lets_exactly_this_call_through_once(revision: str) -> None:
    talk = Playbook(revision, MIXED)
    ask(talk)
    reply(talk, YES)
    sent = talk.server_got()
    assert sent["params"]["name"] == "write_file"
    assert sent["params"]["arguments"] == WRITE
    assert not sent["params"].keys() & {"requestState", "inputResponses"}
    talk << result(content=[])
    assert "result" in talk.client_got()
    ask(talk)  # and the same call again is asked about again


def list_tools(talk: Playbook, description: str) -> None:
    """Have the server list the tool, described so."""
    talk >> request("tools/list", id="list")
    sent = talk.server_got()
    tools = [{"name": "write_file", "description": description, "inputSchema": {"type": "object"}}]
    more = {"ttlMs": 0, "cacheScope": "private"} if talk.modern else {}
    talk << result(id=sent["id"], tools=tools, **more)
    assert talk.client_got()["result"]["tools"]


@pytest.mark.parametrize("revision", ASKING)
@pytest.mark.parametrize(
    ("before", "after", "runs"),
    [(None, "Writes.", True), ("Writes.", "Writes.", True), ("Writes.", "Writes and mails.", False)],
    ids=["listed for the first time", "listed again", "changed"],
)
def test_a_yes_is_for_the_tool_that_was_asked_about(before: str | None, after: str, runs: bool, revision: str) -> None:
    talk = Playbook(revision, MIXED)
    if before:
        list_tools(talk, before)
    ask(talk)
    list_tools(talk, after)
    reply(talk, YES)
    assert len(talk.all_to_server()) == runs
    assert runs or "changed this tool" in talk.client_got()["result"]["content"][0]["text"]


@pytest.mark.parametrize("revision", ASKING)
@pytest.mark.parametrize("answer", NOT_A_YES.values(), ids=NOT_A_YES)
def test_anything_else_is_a_no_that_says_how_to_approve(answer: dict[str, Any], revision: str) -> None:
    talk = Playbook(revision, MIXED)
    ask(talk)
    reply(talk, answer)
    assert talk.all_to_server() == []
    refused = talk.client_got()
    assert refusal(refused) == {"code": -31002, "rule": 'tools.rules."write_*"'}
    assert '"write_file" = { action = "allow" }' in refused["result"]["content"][0]["text"]
    assert ("resultType" in refused["result"]) == (revision == MODERN)


@pytest.mark.parametrize("revision", HANDSHAKE[2:])
def test_an_error_instead_of_an_answer_is_a_no(revision: str) -> None:
    talk = Playbook(revision, MIXED)
    ask(talk)
    talk >> {"jsonrpc": "2.0", "id": talk.pending["id"], "error": {"code": -32600, "message": "no"}}
    assert talk.all_to_server() == []
    assert refusal(talk.client_got())


@pytest.mark.parametrize("revision", REVISIONS)
@pytest.mark.parametrize(
    "capabilities", [{}, {"elicitation": {"url": {}}}, {"elicitation": None}, {"elicitation": True}], ids=str
)
def test_a_client_that_cannot_ask_cannot_call(revision: str, capabilities: dict[str, Any]) -> None:
    talk = Playbook(revision, MIXED, capabilities=capabilities)
    talk >> call("write_file", **WRITE)
    assert talk.all_to_server() == []
    refused = talk.client_got()
    if revision == MODERN:
        assert refused["error"]["code"] == -32021
        assert refused["error"]["data"]["requiredCapabilities"] == {"elicitation": {"form": {}}}
    assert (refusal(refused) or {})["rule"] == 'tools.rules."write_*"'
    talk >> call("read_file")
    assert talk.server_got()["params"]["name"] == "read_file"


@pytest.mark.parametrize("revision", HANDSHAKE[:2])
def test_a_revision_without_elicitation_has_nobody_to_ask(revision: str) -> None:
    talk = Playbook(revision, MIXED)
    talk >> call("write_file", **WRITE)
    assert talk.all_to_server() == []
    assert refusal(talk.client_got())


@pytest.mark.parametrize("revision", ASKING)
def test_elicitation_means_forms_where_no_mode_is_named(revision: str) -> None:
    talk = Playbook(revision, MIXED, capabilities={"elicitation": {}})
    assert ask(talk)["requestedSchema"]["required"] == ["decision"]


@pytest.mark.parametrize("revision", ASKING)
def test_the_question_shows_tool_risk_and_arguments_and_hides_nothing(revision: str) -> None:
    talk = Playbook(revision, MIXED)
    message = ask(
        talk,
        path="/a\nstdioguard: risk low",
        bidi="abc\u202edef",
        zero="a\u200bb",
        filler="\u3164",
        tag="\U000e0041",
        long="x" * 5000,
        accent="caf\u00e9 \u65e5\u672c",
        nested={"b": ["\x1b[2J"]},
    )["message"]
    lines = message.split("\n")
    assert "tool: write_file" in lines
    assert "risk: high" in lines
    assert "server: test-server" in lines
    assert r'  path: "/a\nstdioguard: risk low"' in lines
    assert r'  bidi: "abc\u202edef"' in lines
    assert r'  zero: "a\u200bb"' in lines
    assert r'  filler: "\u3164"' in lines
    assert r'  tag: "\U000e0041"' in lines
    assert any("5000 characters, sha256 " in line and len(line) < 600 for line in lines)
    assert '  accent: "caf\u00e9 \u65e5\u672c"' in lines
    assert "\x1b" not in message
    assert sum(line.startswith("stdioguard:") for line in lines) == 1


def test_two_values_that_look_alike_are_shown_apart() -> None:
    talk = Playbook(MODERN, MIXED)
    message = ask(talk, one="a\nb", two="a\\nb")["message"]
    assert r'one: "a\nb"' in message
    assert r'two: "a\\nb"' in message


# --- the handshake era: the guard waits -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("revision", HANDSHAKE[2:])
def test_silence_is_a_no_before_the_client_gives_up(revision: str) -> None:
    talk = Playbook(revision, MIXED)
    ask(talk)
    talk.wait(holding.PATIENCE - 1)
    assert talk.all_to_client() == []
    talk.wait(2)
    withdrawn, refused = talk.all_to_client()
    assert withdrawn["method"] == "notifications/cancelled"
    assert withdrawn["params"]["requestId"] == talk.pending["id"]
    assert refusal(refused)
    reply(talk, YES)  # a click that comes too late
    assert talk.all_to_server() == talk.all_to_client() == []
    assert talk.rules()[-1] == "ids.unknown"


@pytest.mark.parametrize("revision", HANDSHAKE[2:])
def test_progress_keeps_a_client_waiting_while_a_person_thinks(revision: str) -> None:
    talk = Playbook(revision, MIXED)
    asking = call("write_file", **WRITE)
    asking["params"]["_meta"] = {"progressToken": "p"}
    talk >> asking
    question = talk.client_got()
    seen = []
    for _ in range(30):
        talk.wait(10)
        (report,) = talk.all_to_client()
        assert report["method"] == "notifications/progress"
        assert report["params"]["progressToken"] == "p"
        seen.append(report["params"]["progress"])
    assert seen == sorted(set(seen))
    talk >> {"jsonrpc": "2.0", "id": question["id"], "result": YES}
    assert talk.server_got()["params"]["name"] == "write_file"
    talk << notification("notifications/progress", {"progressToken": "p", "progress": 1})
    assert talk.client_got()["params"]["progress"] > seen[-1]


@pytest.mark.parametrize("revision", HANDSHAKE[2:])
def test_a_cancelled_call_takes_its_question_with_it(revision: str) -> None:
    talk = Playbook(revision, MIXED)
    ask(talk)
    talk >> notification("notifications/cancelled", {"requestId": talk.last_client_id})
    withdrawn = talk.client_got()
    assert withdrawn["method"] == "notifications/cancelled"
    reply(talk, YES)
    assert talk.all_to_server() == talk.all_to_client() == []


@pytest.mark.parametrize("revision", HANDSHAKE[2:])
def test_an_answer_counts_for_its_own_question_only(revision: str) -> None:
    talk = Playbook(revision, MIXED)
    talk >> call("write_file", path="/a")
    first = talk.client_got()
    talk >> call("write_file", path="/b")
    second = talk.client_got()
    assert first["id"] != second["id"]
    talk >> {"jsonrpc": "2.0", "id": second["id"], "result": YES}
    assert talk.server_got()["params"]["arguments"] == {"path": "/b"}
    talk >> {"jsonrpc": "2.0", "id": second["id"], "result": YES}
    assert talk.all_to_server() == []
    talk.end()
    assert len([message for message in talk.all_to_client() if refusal(message)]) == 2


@pytest.mark.parametrize("revision", HANDSHAKE[2:])
def test_another_channel_can_decide_through_the_same_door(revision: str) -> None:
    talk = Playbook(revision, MIXED)
    ask(talk)
    (held,) = talk.session.state.held.values()
    talk._take(talk.session.decide(held.question.id, Decision(approved=True, channel="terminal"), talk.now))
    assert talk.server_got()["params"]["name"] == "write_file"
    assert talk.client_got()["method"] == "notifications/cancelled"


# --- 2026-07-28: the client carries the question --------------------------------------------------------------------------------


def retry(
    talk: Playbook, state: Any, tool: str = "write_file", arguments: dict[str, Any] | None = None, answer: Any = YES
) -> None:
    message = call(tool, **(WRITE if arguments is None else arguments))
    message["params"] |= {"inputResponses": {"stdioguard.confirm": answer}, "requestState": state}
    talk >> message


OTHER_ARGUMENTS: list[dict[str, Any]] = [
    {"path": "/y", "text": "hello"},
    {"path": "/x", "text": "hello", "more": 1},
    {"path": "/x"},
    {},
    {"path": "/x", "text": "hello "},
    {"path": "/x", "text": "he\u0301llo"},
    {"Path": "/x", "text": "hello"},
]


@pytest.mark.parametrize("arguments", OTHER_ARGUMENTS, ids=str)
def test_a_yes_for_one_set_of_arguments_is_none_for_another(arguments: dict[str, Any]) -> None:
    talk = Playbook(MODERN, MIXED)
    ask(talk)
    retry(talk, talk.pending["requestState"], arguments=arguments)
    assert talk.all_to_server() == []
    assert refusal(talk.client_got())


@pytest.mark.parametrize(("asked", "used"), [(1, 1.0), (1, "1"), (1, True), (0, False), (0, None), (10**30, 1e30)])
def test_numbers_that_compare_equal_are_not_the_same_argument(asked: Any, used: Any) -> None:
    talk = Playbook(MODERN, MIXED)
    ask(talk, n=asked)
    retry(talk, talk.pending["requestState"], arguments={"n": used})
    assert talk.all_to_server() == []


def test_the_order_of_keys_is_not_part_of_a_call() -> None:
    talk = Playbook(MODERN, MIXED)
    ask(talk, a=1, b=2)
    retry(talk, talk.pending["requestState"], arguments={"b": 2, "a": 1})
    assert talk.server_got()["params"]["arguments"] == {"a": 1, "b": 2}


def test_a_yes_for_one_tool_is_none_for_another() -> None:
    talk = Playbook(MODERN, MIXED)
    ask(talk)
    retry(talk, talk.pending["requestState"], tool="write_config")
    assert talk.all_to_server() == []


def test_a_state_is_used_once() -> None:
    talk = Playbook(MODERN, MIXED)
    ask(talk)
    state = talk.pending["requestState"]
    retry(talk, state)
    talk.server_got()
    retry(talk, state)
    assert talk.all_to_server() == []
    assert (refusal(talk.client_got()) or {})["rule"] == "rounds.state"


def test_a_no_uses_the_state_up() -> None:
    talk = Playbook(MODERN, MIXED)
    ask(talk)
    state = talk.pending["requestState"]
    retry(talk, state, answer={"action": "decline"})
    retry(talk, state)
    assert talk.all_to_server() == []


@pytest.mark.parametrize("length", range(3))
def test_a_state_has_one_spelling(length: int) -> None:
    """Base64 has several: with more padding, with bits that count for nothing, with other letters for two of its values."""
    sealer = Sealer(bytes(32))
    state = sealer.seal("x" * length, 0.0)
    others = {state + "=", state + "==", state.rstrip("="), state + "\n", state.replace("-", "+").replace("_", "/")}
    others |= {state[:at] + letter + state[at + 1 :] for at in range(-4, -1) for letter in "AEIQUYcgkw048="}
    for other in others - {state}:
        with pytest.raises(ValueError, match="not a state"):
            sealer.redeem(other, 0.0)
    assert sealer.redeem(state, 0.0) == "x" * length


def test_a_state_expires() -> None:
    talk = Playbook(MODERN, MIXED)
    ask(talk)
    talk.wait(601)
    retry(talk, talk.pending["requestState"])
    assert talk.all_to_server() == []


def test_a_state_of_another_session_is_worth_nothing() -> None:
    talk, other = Playbook(MODERN, MIXED), Playbook(MODERN, MIXED)
    other.session.state._make_sealer = lambda: __import__("stdioguard.guard.seal", fromlist=["Sealer"]).Sealer(bytes([1]) * 32)
    ask(talk)
    ask(other)
    retry(talk, other.pending["requestState"])
    assert talk.all_to_server() == []


@pytest.mark.parametrize("position", [0, 5, 12, 20, 40, -1])
def test_a_state_that_was_changed_is_worth_nothing(position: int) -> None:
    talk = Playbook(MODERN, MIXED)
    ask(talk)
    state = talk.pending["requestState"]
    changed = ("A" if state[position] != "A" else "B").join((state[:position], state[position:][1:]))
    retry(talk, changed)
    assert talk.all_to_server() == []


@pytest.mark.parametrize(
    "state", ["", "sg1.", "sg1.AAAA", "sg1." + "A" * 4000, "sg2.x", "sg1.\u00e9", None, 5, {"a": 1}, "null"], ids=str
)
def test_garbage_instead_of_a_state_is_refused(state: Any) -> None:
    talk = Playbook(MODERN, MIXED)
    retry(talk, state)
    assert talk.all_to_server() == []
    assert refusal(talk.client_got()) or state is None


def test_a_yes_without_a_question_is_asked_about() -> None:
    talk = Playbook(MODERN, MIXED)
    message = call("write_file", **WRITE)
    message["params"]["inputResponses"] = {"stdioguard.confirm": YES}
    talk >> message
    assert talk.all_to_server() == []
    assert talk.client_got()["result"]["resultType"] == "input_required"


def question(**params: Any) -> dict[str, Any]:
    return {"method": "elicitation/create", "params": {"mode": "form", "message": "Which?", "requestedSchema": {}, **params}}


CONFIRM_ALL = OPEN.replace('default = "allow"', 'default = "confirm"')


def test_the_servers_own_rounds_ride_on_the_approval() -> None:
    talk = Playbook(MODERN, CONFIRM_ALL)
    ask(talk)
    reply(talk, YES)
    talk.server_got()
    talk << result(resultType="input_required", inputRequests={"which": question()}, requestState="server-state-1")
    asked = talk.client_got()["result"]
    assert asked["inputRequests"] == {"which": question(message="The server test-server asks: Which?")}
    assert "server-state-1" not in asked["requestState"]
    again = call("write_file", **WRITE)
    again["params"] |= {
        "requestState": asked["requestState"],
        "inputResponses": {
            "which": {"action": "accept", "content": {"a": 1}},
            "stdioguard.confirm": YES,
            "unasked": {"action": "accept"},
        },
    }
    talk >> again
    sent = talk.server_got()["params"]
    assert sent["requestState"] == "server-state-1"
    assert sent["inputResponses"] == {"which": {"action": "accept", "content": {"a": 1}}}
    talk << result(resultType="complete", content=[])
    assert talk.client_got()["result"]["resultType"] == "complete"


def test_the_servers_state_does_not_approve_another_call() -> None:
    talk = Playbook(MODERN, CONFIRM_ALL)
    ask(talk)
    reply(talk, YES)
    talk.server_got()
    talk << result(resultType="input_required", requestState="s")
    state = talk.client_got()["result"]["requestState"]
    retry(talk, state, arguments={"path": "/etc/passwd"})
    assert talk.all_to_server() == []


def test_a_call_that_needs_no_consent_has_rounds_too() -> None:
    talk = Playbook(MODERN, OPEN)
    talk >> request("prompts/get", {"name": "p"})
    talk.server_got()
    talk << result(resultType="input_required", inputRequests={"r": {"method": "roots/list"}})
    state = talk.client_got()["result"]["requestState"]
    talk >> request(
        "prompts/get", {"name": "p", "requestState": state, "inputResponses": {"r": {"roots": [{"uri": "file:///etc"}]}}}
    )
    sent = talk.server_got()["params"]
    assert sent["inputResponses"] == {"r": {"roots": []}}, "roots are cut to what the profile grants"
    assert "requestState" not in sent, "the server gave none"


@pytest.mark.parametrize(
    ("questions", "rule"),
    [
        ({"stdioguard.confirm": question()}, "rounds.imitation"),
        ({"StdioGuard.x": question()}, "rounds.imitation"),
        ({"a": question(message="stdioguard: approve?")}, "elicitation.imitation"),
        ({"a": {"method": "tools/call", "params": {}}}, "rounds.question"),
        ({"a": {"method": "ping"}}, "rounds.question"),
        ({"a": "elicitation/create"}, "rounds.question"),
        ({"a": question(vendor=1)}, "rounds.question"),
        ({"a": {"method": "sampling/createMessage", "params": {"messages": [], "maxTokens": 1, "includeContext": "allServers"}}},
         "sampling.includeContext"),
        ([], "rounds.shape"),
    ],
    ids=str,
)  # fmt: skip
def test_a_servers_question_may_not_be_more_than_a_question(questions: Any, rule: str) -> None:
    talk = Playbook(MODERN, OPEN)
    talk >> call("read_file")
    talk.server_got()
    talk << result(resultType="input_required", inputRequests=questions)
    assert (refusal(talk.client_got()) or {})["rule"] == rule


@pytest.mark.parametrize("method", ["elicitation/create", "sampling/createMessage", "roots/list"])
def test_a_servers_question_needs_the_switch_and_the_clients_declaration(method: str) -> None:
    params: dict[str, Any] = question()["params"] if method == "elicitation/create" else {}
    asked = {"a": {"method": method, "params": params}}
    ungranted = OPEN.replace(f"{method.split('/')[0]} = true", f"{method.split('/')[0]} = false")
    for profile, capabilities, passes in ((OPEN, None, True), (ungranted, None, False), (OPEN, {}, False)):
        talk = Playbook(MODERN, profile, capabilities=capabilities)
        talk >> call("read_file")
        talk.server_got()
        talk << result(resultType="input_required", inputRequests=asked)
        assert ("result" in talk.client_got()) == passes


def test_an_arguments_name_cannot_hold_a_line_of_its_own_and_none_is_left_out() -> None:
    talk = Playbook(MODERN, MIXED)
    message = ask(talk, **{'path: "/tmp/safe"   ': 1, "a b": 2, "plain_name": 3, **{f"extra{n}": n for n in range(50)}})[
        "message"
    ]
    assert r'  "path: \"/tmp/safe\"   ": 1' in message.split("\n")
    assert '  "a b": 2' in message.split("\n")
    assert "  plain_name: 3" in message.split("\n")
    assert "extra49" in message
    assert "all of them sha256" in message


@pytest.mark.parametrize("revision", HANDSHAKE[2:])
def test_an_answer_that_cannot_be_read_is_a_no(revision: str) -> None:
    talk = Playbook(revision, MIXED)
    ask(talk)
    talk >> {"jsonrpc": "2.0", "id": talk.pending["id"], "result": None}
    assert talk.all_to_server() == []
    assert refusal(talk.client_got())
