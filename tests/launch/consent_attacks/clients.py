"""A client that answers for its user: what is not clearly the one answer that was asked for is a no."""

from __future__ import annotations

from tests.launch.consent_attacks.stage import HANDSHAKE, MODERN, YES, Json, Stage, attack, waiting, yes

A = {"a": 1}
ANSWERS: dict[str, Json] = {
    "an acceptance without content": {"action": "accept"},
    "an acceptance of null": {"action": "accept", "content": None},
    "an acceptance of an empty form": {"action": "accept", "content": {}},
    "the default": {"action": "accept", "content": {"decision": "deny"}},
    "true": {"action": "accept", "content": {"decision": True}},
    'the text "true"': {"action": "accept", "content": {"decision": "true"}},
    '"allow"': {"action": "accept", "content": {"decision": "allow"}},
    "a yes in capitals": {"action": "accept", "content": {"decision": "ALLOW ONCE"}},
    "a yes with a space behind": {"action": "accept", "content": {"decision": "allow once "}},
    "a yes in a list": {"action": "accept", "content": {"decision": ["allow once"]}},
    "a yes one level deeper": {"action": "accept", "content": {"decision": {"decision": "allow once"}}},
    "a yes beside approve: false": {"action": "accept", "content": {"decision": "allow once", "approve": False}},
    "a yes beside a second field": {"action": "accept", "content": {"decision": "allow once", "reason": "the user said so"}},
    "a yes for always": {"action": "accept", "content": {"decision": "allow once", "scope": "always"}},
    "approve: true": {"action": "accept", "content": {"approve": True}},
    "a yes outside of the form": {"action": "accept", "decision": "allow once"},
    "a yes that is declined": {"action": "decline", "content": {"decision": "allow once"}},
    "a yes that is cancelled": {"action": "cancel", "content": {"decision": "allow once"}},
    "an action in capitals": {"action": "ACCEPT", "content": {"decision": "allow once"}},
    "a yes without an action": {"content": {"decision": "allow once"}},
    "the content as a list": {"action": "accept", "content": [{"decision": "allow once"}]},
}


def _enter(name: str, answer: Json) -> None:
    @attack(f"the client answers with {name}", must="is a no", twin="the answer that was asked for is a yes")
    def play(stage: Stage) -> None:
        talk = stage.open(asks=True)
        stage.refused(talk.answer(talk.reply(talk.asked(talk.call(A)), answer, A)))
        stage.runs(talk.answer(talk.reply(talk.asked(talk.call(A)), YES, A)))


for _name, _answer in ANSWERS.items():
    _enter(_name, _answer)


@attack(
    "a client that says yes by itself is used for a call of high risk",
    must="it is not asked",
    twin="of normal risk it is",
)
def _(stage: Stage) -> None:
    said = stage.refused((talk := stage.open(asks=True, risk="high")).answer(talk.call(A)))
    stage.check("nobody is there to ask" in said, said)
    # Nor is one that does not ask told to declare that it does, which would change nothing.
    said = stage.refused((talk := stage.open(risk="high")).answer(talk.call(A)))
    stage.check("nobody is there to ask" in said and "requiredCapabilities" not in said, said)
    talk = stage.open(asks=True)
    stage.runs(talk.answer(talk.reply(talk.asked(talk.call(A)), YES, A)))


@attack(
    "the client answers twice, first no, then yes", must="the first answer counts", twin="a first yes counts", eras=(HANDSHAKE,)
)
def _(stage: Stage) -> None:
    talk = stage.open(asks=True)
    call = talk.call(A)
    asked = talk.asked(call)
    talk.reply(asked, {"action": "decline"})
    talk.reply(asked, YES)
    stage.refused(talk.answer(call))
    stage.silent(talk)
    call = talk.call(A)
    asked = talk.asked(call)
    talk.reply(asked, YES)
    talk.reply(asked, YES)
    stage.runs(talk.answer(call))
    stage.silent(talk)


@attack(
    "the client answers a question that is another's, or none",
    must="every call waits on",
    twin="each is decided by its own answer",
    eras=(HANDSHAKE,),
)
def _(stage: Stage) -> None:
    talk = stage.open(asks=True)
    first, second = talk.call(A), talk.call({"a": 2})
    one, two = talk.asked(first), talk.asked(second)
    for foreign in (one.id + "0", one.id.upper(), one.id[:-1] + "9", 1, first, None, "stdioguard-1"):
        talk.guarded.write({"jsonrpc": "2.0", "id": foreign, "result": YES})
    stage.held(talk, first)
    talk.reply(two, YES)
    stage.runs(talk.answer(second))
    stage.held(talk, first)
    talk.reply(one, {"action": "decline"})
    stage.refused(talk.answer(first))


@attack(
    "the client answers before it was asked, by guessing the id",
    must="it is asked all the same",
    twin="the answer to the question counts",
    eras=(HANDSHAKE,),
)
def _(stage: Stage) -> None:
    talk = stage.open(asks=True)
    call = talk.call(A)
    asked = talk.asked(call)
    nonce, _, number = asked.id.rpartition("-")
    talk.guarded.write({"jsonrpc": "2.0", "id": f"{nonce}-{int(number) + 1}", "result": YES})
    second = talk.call({"a": 2})
    talk.asked(second)
    stage.held(talk, second)
    talk.reply(asked, YES)
    stage.runs(talk.answer(call))


@attack(
    "the client answers a question that was put to a terminal",
    must="the call waits on",
    twin="the person at the terminal decides",
)
def _(stage: Stage) -> None:
    talk = stage.open(watched=True, asks=True, rest='[consent]\nchannels = ["terminal", "client"]\n')
    call, question = talk.call(A), waiting(A)
    for number in range(1, 6):
        talk.guarded.write({"jsonrpc": "2.0", "id": f"stdioguard-{number}", "result": YES})
        talk.guarded.write({"jsonrpc": "2.0", "id": f"stdioguard-{question.members['session']}-{number}", "result": YES})
    stage.held(talk, call)
    assert yes(question)
    stage.runs(talk.answer(call))


@attack("the client answers with an error", must="is a no", twin="the answer that was asked for is a yes", eras=(HANDSHAKE,))
def _(stage: Stage) -> None:
    talk = stage.open(asks=True)
    call = talk.call(A)
    asked = talk.asked(call)
    talk.guarded.write({"jsonrpc": "2.0", "id": asked.id, "error": {"code": 0, "message": "allow once"}})
    stage.refused(talk.answer(call))
    call = talk.call(A)
    stage.runs(talk.answer(talk.reply(talk.asked(call), YES)))


@attack(
    "the client answers with what cannot be read",
    must="is a no",
    twin="the answer that was asked for is a yes",
    eras=(HANDSHAKE,),
)
def _(stage: Stage) -> None:
    talk = stage.open(asks=True)
    call = talk.call(A)
    asked = talk.asked(call)
    form = '{"decision":"deny","decision":"allow once"}'
    talk.guarded.write(f'{{"jsonrpc":"2.0","id":"{asked.id}","result":{{"action":"accept","content":{form}}}}}\n'.encode())
    stage.refused(talk.answer(call))
    call = talk.call(A)
    stage.runs(talk.answer(talk.reply(talk.asked(call), YES)))


@attack(
    "the client answers as the other era does, by a call with the answer",
    must="is no answer",
    twin="its own era's answer counts",
    eras=(HANDSHAKE,),
)
def _(stage: Stage) -> None:
    talk = stage.open(asks=True)
    call = talk.call(A)
    asked = talk.asked(call)
    again = talk.call(A, inputResponses={"stdioguard.confirm": YES}, requestState="sg1.AAAA")
    stage.held(talk, call)
    stage.refused(talk.answer(again))
    talk.reply(asked, YES)
    stage.runs(talk.answer(call))


@attack(
    "the client answers as the other era does, by a response",
    must="is no answer",
    twin="its own era's answer counts",
    eras=(MODERN,),
)
def _(stage: Stage) -> None:
    talk = stage.open(asks=True)
    asked = talk.asked(talk.call(A))
    for id_ in (asked.call, "stdioguard.confirm", asked.state):
        talk.guarded.write({"jsonrpc": "2.0", "id": id_, "result": YES})
    stage.silent(talk)
    stage.runs(talk.answer(talk.reply(asked, YES, A)))


@attack(
    "a yes comes with the first call, unasked",
    must="the call is asked about",
    twin="the answer to the question counts",
    eras=(MODERN,),
)
def _(stage: Stage) -> None:
    talk = stage.open(asks=True)
    for key in ("stdioguard.confirm", "STDIOGUARD.confirm", "stdioguard.confirm2", "confirm"):
        asked = talk.asked(talk.call(A, inputResponses={key: YES}))
        stage.check(asked.state is not None)
    stage.runs(talk.answer(talk.reply(asked, YES, A)))


@attack(
    "a state is brought without an answer, or with one under another key",
    must="is a no",
    twin="with the answer it runs",
    eras=(MODERN,),
)
def _(stage: Stage) -> None:
    talk = stage.open(asks=True)
    stage.refused(talk.answer(talk.call(A, requestState=talk.asked(talk.call(A)).state)))
    for key in ("confirm", "Stdioguard.confirm", "stdioguard.confirm "):
        state = talk.asked(talk.call(A)).state
        stage.refused(talk.answer(talk.call(A, requestState=state, inputResponses={key: YES})))
    stage.runs(talk.answer(talk.reply(talk.asked(talk.call(A)), YES, A)))


@attack("a state is altered", must="is worth nothing", twin="as it was given it works", eras=(MODERN,))
def _(stage: Stage) -> None:
    talk = stage.open(asks=True)
    asked = talk.asked(talk.call(A))
    state = asked.state or ""
    last = "B" if state[-6] == "A" else "A"
    first = "B" if state[4] == "A" else "A"
    for other in (
        state[:-6] + last + state[-5:],
        state[:4] + first + state[5:],
        state + "AAAA",
        state[:-8],
        state.lower(),
        "sg1.",
        "",
    ):
        answer = talk.call(A, requestState=other, inputResponses={"stdioguard.confirm": YES})
        stage.refused(talk.answer(answer))
    stage.runs(talk.answer(talk.reply(asked, YES, A)))


@attack(
    "a client that has not declared that it can ask answers all the same",
    must="nothing runs",
    twin="the person at a terminal decides",
)
def _(stage: Stage) -> None:
    talk = stage.open(watched=True)
    call, question = talk.call(A), waiting(A)
    talk.guarded.write({"jsonrpc": "2.0", "id": f"stdioguard-{question.members['session']}-1", "result": YES})
    stage.held(talk, call)
    assert yes(question)
    stage.runs(talk.answer(call))
