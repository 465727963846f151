"""An approval is for one call with these very arguments: every other call is asked about anew."""

from __future__ import annotations

from stdioguard.approval import queue
from tests.launch.consent_attacks.stage import HANDSHAKE, MODERN, YES, Stage, attack, waiting, yes

LONG = "1" * 4200
OTHERS: dict[str, tuple[str, str]] = {
    "1.0 for 1": ('{"a": 1}', '{"a": 1.0}'),
    "true for 1": ('{"a": 1}', '{"a": true}'),
    '"1" for 1': ('{"a": 1}', '{"a": "1"}'),
    "0 for false": ('{"a": false}', '{"a": 0}'),
    "minus zero for zero": ('{"a": 0.0}', '{"a": -0.0}'),
    "an argument more, which is null": ('{"a": 1}', '{"a": 1, "force": null}'),
    "an argument less": ('{"a": 1, "dry_run": true}', '{"a": 1}'),
    "an argument in another case": ('{"path": "/a"}', '{"Path": "/a"}'),
    "an empty text for null": ('{"a": null}', '{"a": ""}'),
    "an empty list for an empty object": ('{"a": {}}', '{"a": []}'),
    "no arguments for empty ones": ("{}", ""),
    "a decomposed letter for a composed one": ('{"a": "\u00e9"}', '{"a": "e\u0301"}'),
    "full-width digits for digits": ('{"a": "12"}', '{"a": "\uff11\uff12"}'),
    "a Cyrillic letter for a Latin one": ('{"a": "/data"}', '{"a": "/d\u0430ta"}'),
    "a zero-width space at the end": ('{"a": "/data"}', '{"a": "/data\u200b"}'),
    "a NUL at the end": ('{"a": "/data"}', '{"a": "/data\\u0000"}'),
    "half a surrogate pair": ('{"a": "x"}', '{"a": "x\\ud800"}'),
    "half a surrogate pair as bytes": ('{"a": "x"}', '{"a": "x\ud800"}'),
    "a key twice": ('{"a": 1}', '{"a": 1, "a": 2}'),
    "an integer that a double rounds to the same": ('{"a": 9007199254740992}', '{"a": 9007199254740993}'),
    "another last digit of four thousand": (f'{{"a": {LONG}1}}', f'{{"a": {LONG}2}}'),
    "a decimal that a double rounds to the same": ('{"a": 0.1}', '{"a": 0.1000000000000000055511151231257827}'),
    "a change five levels down": ('{"a": {"b": [{"c": {"d": 1}}]}}', '{"a": {"b": [{"c": {"d": 2}}]}}'),
    "another order in a list": ('{"a": ["rm", "ls"]}', '{"a": ["ls", "rm"]}'),
    "a list around a value": ('{"a": ["x"]}', '{"a": [["x"]]}'),
    "another spelling of the same path": ('{"a": "/data/x"}', '{"a": "/data/./x"}'),
    "white space within": ('{"a": "rm -r x"}', '{"a": "rm -r  x"}'),
}


def _enter(name: str, approved: str, used: str) -> None:
    @attack(f"an approval is used with {name}", must="is asked about anew", twin="the approved call runs, once")
    def play(stage: Stage) -> None:
        talk = stage.open()
        stage.refused(talk.answer(talk.raw(approved)))
        (question,) = queue.waiting()
        assert yes(question)
        # What cannot be read is answered with its id, or with none.
        call = talk.raw(used) if used else talk.call()
        stage.refused(talk.next(lambda message: message.get("id") in (call, None)))
        stage.runs(talk.answer(talk.raw(approved)))
        stage.refused(talk.answer(talk.raw(approved)))


for _name, (_approved, _used) in OTHERS.items():
    _enter(_name, _approved, _used)


@attack("an approval is used for another tool with the same arguments", must="is asked about anew", twin="the approved tool runs")
def _(stage: Stage) -> None:
    talk = stage.open()
    stage.refused(talk.answer(talk.call({"a": 1})))
    assert yes(waiting({"a": 1}))
    stage.refused(talk.answer(talk.call({"a": 1}, "other")))
    stage.runs(talk.answer(talk.call({"a": 1})))


@attack("an approval is used for the same call as a task", must="is refused", twin="the approved call runs", eras=(HANDSHAKE,))
def _(stage: Stage) -> None:
    talk = stage.open(rest="tasks = true\n")
    stage.refused(talk.answer(talk.call({"a": 1})))
    assert yes(waiting({"a": 1}))
    stage.refused(talk.answer(talk.call({"a": 1}, task={"ttl": 60000})))
    stage.runs(talk.answer(talk.call({"a": 1})))


@attack(
    "the approved call, its keys in another order, is taken for another",
    must="one approval is for one of both",
    twin="it is the same call",
)
def _(stage: Stage) -> None:
    talk = stage.open()
    stage.refused(talk.answer(talk.call({"a": 1, "b": {"c": 2, "d": 3}})))
    assert yes(waiting({"a": 1, "b": {"c": 2, "d": 3}}))
    stage.runs(talk.answer(talk.raw('{"b": {"d": 3, "c": 2}, "a": 1}')))
    stage.refused(talk.answer(talk.call({"a": 1, "b": {"c": 2, "d": 3}})))


@attack(
    "a call that waits is made again with other arguments",
    must="each is a question of its own",
    twin="the one that was meant runs",
)
def _(stage: Stage) -> None:
    talk = stage.open(watched=True)
    meant, other = talk.call({"path": "/tmp/a"}), talk.call({"path": "/etc/passwd"})
    waiting({"path": "/etc/passwd"})
    assert yes(waiting({"path": "/tmp/a"}))
    stage.runs(talk.answer(meant))
    stage.held(talk, other)


@attack(
    "the state of an approved round is brought with other arguments",
    must="is refused",
    twin="it fits its own call",
    eras=(MODERN,),
)
def _(stage: Stage) -> None:
    talk = stage.open(asks=True)
    for given in ({"a": 1.0}, {"a": 1, "b": 1}, {}, None):
        asked = talk.asked(talk.call({"a": 1}))
        stage.refused(talk.answer(talk.reply(asked, YES, given)))
    asked = talk.asked(talk.call({"a": 1}))
    stage.refused(talk.answer(talk.reply(asked, YES, {"a": 1}, "other")))
    asked = talk.asked(talk.call({"a": 1}))
    stage.runs(talk.answer(talk.reply(asked, YES, {"a": 1})))
