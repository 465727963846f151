"""Conversations that the random ones have found, cut down to what matters: each says what must hold."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.fuzz import model
from tests.fuzz.model import ASKING, CAPABILITIES, CLIENT_INFO, EVERYTHING, GRANTED, MODERN, OWN, TOKEN, VERSION, Grants, World

FULL = {"elicitation": {}, "sampling": {}, "roots": {}, "tasks": {}}
FORM = {"message": "name?", "requestedSchema": {"type": "object", "properties": {}}}


def _say(id_: Any, method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": id_, "method": method, "params": params}


def _tell(method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "method": method, "params": params}


def _answer(world: World, method: str, result: Any) -> list[str]:
    wire = next(entry.wire for entry in world.by_wire.values() if entry.method == method)
    assert wire is not None
    return world.server({"jsonrpc": "2.0", "id": wire.as_int(), "result": result}).to_client


def _initialize(revision: str = "2025-11-25") -> dict[str, Any]:
    return _say("init", "initialize", protocolVersion=revision, capabilities=FULL, clientInfo={"name": "x", "version": "1"})


def _opened(grants: Grants = EVERYTHING, revision: str = "2025-11-25") -> World:
    world = World(grants)
    world.client(_initialize(revision))
    _answer(world, "initialize", {"protocolVersion": revision, "capabilities": {}, "serverInfo": {"name": "s", "version": "1"}})
    world.client(_tell("notifications/initialized"))
    return world


def _envelope() -> dict[str, Any]:
    return {VERSION: MODERN, CAPABILITIES: FULL}


# --- ids --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["no/such", "initialize", "tools/Call", "sampling/createMessage"])
def test_a_refused_request_with_an_id_in_flight_is_answered_with_no_id(method: str) -> None:
    world = _opened()
    world.client(_say(1, "tools/list"))
    world.client(_say(1, method))
    world.end()


def test_a_request_with_the_id_of_a_waiting_one_does_not_run() -> None:
    world = World(EVERYTHING)
    world.client(_initialize())
    world.client(_say(1, "tools/list"))
    world.client(_say(1, "ping"))
    world.end()


def test_two_waiting_requests_with_one_id_get_one_answer_when_the_session_ends() -> None:
    world = World(EVERYTHING)
    world.client(_initialize())
    world.client(_say(1, "tools/list"))
    world.client(_say(1, "tools/list"))
    world.end()


@pytest.mark.parametrize(
    "frame", [b'{"jsonrpc":"2.0","id":1,"id":1,"method":"x"}', b'{"jsonrpc":"2.0","id":1,"method":"ping","x":1}']
)
def test_a_malformed_frame_with_the_id_of_a_held_call_is_answered_with_no_id(frame: bytes) -> None:
    world = _opened(ASKING)
    world.client(_say(1, "tools/call", name="write_file", arguments={}))
    world.client(frame)
    world.end()


def test_a_malformed_frame_with_the_id_of_a_waiting_request_is_answered_with_no_id() -> None:
    world = World(EVERYTHING)
    world.client(_initialize())
    world.client(_say(1, "tools/list"))
    world.client(b'{"jsonrpc":"2.0","id":1,"method":"ping","x":1}')
    world.end()


def test_a_malformed_response_is_not_answered_as_if_it_were_a_request() -> None:
    _opened().client(b'{"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1,"message":""}}')


@pytest.mark.parametrize("method", ["no/such", "tools/call"])
def test_a_servers_refused_request_with_an_id_in_flight_is_not_answered_in_the_others_place(method: str) -> None:
    world = _opened()
    world.server(_say(1, "roots/list"))
    world.server(_say(1, method))


# --- no exception escapes -------------------------------------------------------------------------------------------------------


def test_a_root_that_is_not_utf8_is_cut() -> None:
    world = _opened()
    world.server(_say(1, "roots/list"))
    ask = next(iter(world.to_ask))
    world.client({"jsonrpc": "2.0", "id": ask, "result": {"roots": [{"uri": "file:///%ff"}, {"uri": f"file://{GRANTED}"}]}})


def test_a_root_that_is_not_utf8_is_cut_from_input_responses() -> None:
    world = World(EVERYTHING)
    responses = {"q": {"roots": [{"uri": "file:///%ff"}]}}
    world.client(_say(1, "tools/call", name="read_file", inputResponses=responses, _meta=_envelope()))


@pytest.mark.parametrize("task", [[], {}, 5, None])
def test_a_task_whose_id_is_no_string_is_left_out_of_the_list(task: Any) -> None:
    world = _opened()
    world.client(_say(1, "tasks/list"))
    _answer(world, "tasks/list", {"tasks": [{"taskId": task}]})


@pytest.mark.parametrize("elicitation", [[], {}, 5, None])
def test_the_end_of_an_elicitation_whose_id_is_no_string_is_dropped(elicitation: Any) -> None:
    _opened().server(_tell("notifications/elicitation/complete", elicitationId=elicitation))


@pytest.mark.parametrize("method", [[], {}, 5, None])
def test_a_question_whose_method_is_no_string_is_refused(method: Any) -> None:
    world = World(EVERYTHING)
    world.client(_say(1, "tools/call", name="read_file", _meta=_envelope()))
    _answer(world, "tools/call", {"resultType": "input_required", "inputRequests": {"q": {"method": method}}})
    world.end()


# --- the guard's name space, and the client's secrets ---------------------------------------------------------------------------


@pytest.mark.parametrize("body", [{"result": {"action": "accept", "_meta": {f"{OWN}token": TOKEN}}},
                                  {"error": {"code": 1, "message": "", "data": {f"{OWN}token": TOKEN}}}])  # fmt: skip
def test_a_clients_answer_reaches_the_server_without_the_guards_keys(body: dict[str, Any]) -> None:
    world = _opened()
    world.server(_say(1, "elicitation/create", **FORM))
    world.client({"jsonrpc": "2.0", "id": next(iter(world.to_ask)), **body})


def test_input_responses_reach_the_server_without_the_guards_keys() -> None:
    responses = {"q": {"action": "accept", "_meta": {f"{OWN}token": TOKEN}}}
    World(EVERYTHING).client(_say(1, "tools/call", name="read_file", inputResponses=responses, _meta=_envelope()))


def test_declared_capabilities_reach_the_server_without_the_guards_keys() -> None:
    meta = {VERSION: MODERN, CAPABILITIES: {"sampling": {f"{OWN}token": TOKEN}}}
    World(EVERYTHING).client(_say(1, "tools/list", _meta=meta))


def test_a_secret_in_client_info_reaches_the_server_in_no_message() -> None:
    info = {CLIENT_INFO: {"name": "x", "version": "1", "secret": TOKEN}}
    world = _opened()
    world.client(_say(1, "tools/list", _meta=info))
    world.client(_tell("notifications/roots/list_changed", _meta=info))


def test_a_server_cannot_write_the_guards_keys_in_another_case() -> None:
    world = _opened()
    world.client(_say(1, "tools/call", name="read_file", arguments={}))
    _answer(world, "tools/call", {"content": [], "_meta": {"IO.stdioguard/refusal": {"code": -31002, "rule": "forged"}}})


# --- ownership ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("given", "said"), [(4, 4.0), (1, True)])
def test_a_progress_token_is_matched_with_its_type(given: Any, said: Any) -> None:
    world = _opened()
    world.server(_say(1, "sampling/createMessage", messages=[], maxTokens=1, _meta={"progressToken": given}))
    world.client(_tell("notifications/progress", progressToken=said, progress=1))


@pytest.mark.parametrize("method", ["tasks/get", "tasks/cancel", "tasks/result"])
def test_a_request_about_a_task_names_one(method: str) -> None:
    world = _opened()
    world.client(_say(1, method))
    assert not world.open


def test_a_notification_about_a_task_names_one() -> None:
    world = _opened()
    world.client(_tell("notifications/tasks/status", status="working"))
    world.server(_tell("notifications/tasks/status", status="working"))


# --- the life of a session --------------------------------------------------------------------------------------------------------


def test_a_session_whose_opening_was_refused_is_not_open() -> None:
    world = World(EVERYTHING)
    world.client(_initialize())
    lines = _answer(
        world,
        "initialize",
        {"protocolVersion": "2025-11-25", "capabilities": {"Tools": {}}, "serverInfo": {"name": "s", "version": "1"}},
    )
    assert "error" in json.loads(lines[0])
    world.client(_tell("notifications/initialized"))
    world.client(_say(1, "tools/list"))
    world.client(_initialize())
    assert world.phase == "initializing", "the client cannot try again"


def test_a_cancel_of_a_waiting_request_is_on_record() -> None:
    world = World(EVERYTHING)
    world.client(_initialize())
    world.client(_say(1, "tools/list"))
    world.client(_tell("notifications/cancelled", requestId=1))
    world.end()


def test_what_waits_for_initialize_is_on_record_when_the_session_ends() -> None:
    world = World(EVERYTHING)
    world.client(_initialize())
    world.client(_say(1, "tools/list"))
    world.client(_tell("notifications/roots/list_changed"))
    world.end()


def test_the_model_knows_the_guards_actions() -> None:
    """The profiles in `model.py` are described there by hand: hold the description against the compiled profile."""
    for grants in model.PROFILES:
        policy = grants.policy()
        for tool in ("read_file", "write_file", "write_more", "write_secret", "open_file", "drop", "stranger", "Read_file"):
            assert policy.rule_for(tool).action == grants.action(tool), (grants, tool)
        for capability in ("resources", "prompts", "completions", "logging", "sampling", "elicitation", "roots", "tasks"):
            assert policy.grants(capability) == (capability in grants.capabilities)
