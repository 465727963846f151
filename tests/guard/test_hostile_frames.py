"""Frames that two parsers read differently, or that no parser should read. Each has a twin that looks alike and must pass.

A case is text with `META` where a 2026-07-28 request has its envelope, so every case runs in every revision. The policy grants
everything: what refuses is the wire.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest

from stdioguard.wire.framing import Oversized
from tests.playbook import MODERN, OPEN, REVISIONS, Playbook, call, envelope, refusal

DEEP = 120


@dataclass(frozen=True)
class Frame:
    """A hostile frame, its honest twin, and the rule that refuses the first."""

    name: str
    hostile: str | bytes
    twin: str | bytes
    rule: str
    answered: bool = True
    """Whether the sender waits for an answer; nobody answers an answer."""


def tool(arguments: str = '{"path":"/x"}', *, head: str = '"jsonrpc":"2.0","id":7,', tail: str = "", params: str = "") -> str:
    return '{%s"method":"tools/call","params":{META%s"name":"read_file","arguments":%s}%s}' % (head, params, arguments, tail)


PLAIN = tool()
CUT = PLAIN.index('"params"')

CASES = [
    # --- line ends and encodings
    Frame("a bare carriage return between two messages", tool('{}') + "\r" + PLAIN, tool("{}"), "wire.carriage-return"),
    Frame("a bare carriage return between tokens", PLAIN[:CUT] + "\r" + PLAIN[CUT:], PLAIN[:CUT] + " \t " + PLAIN[CUT:], "wire.carriage-return"),
    Frame("a notification that hides a call behind a carriage return",
          '{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}\r' + PLAIN, PLAIN + "\r", "wire.carriage-return"),
    Frame("two carriage returns at the end", PLAIN + "\r\r", PLAIN + "\r", "wire.carriage-return"),
    Frame("a byte order mark", b"\xef\xbb\xbf" + PLAIN.encode(), PLAIN, "wire.invalid-json"),
    Frame("UTF-16", PLAIN.encode("utf-16-le"), PLAIN.encode("utf-8"), "wire.invalid-json"),
    Frame("UTF-32", PLAIN.encode("utf-32-be"), PLAIN.encode("utf-8"), "wire.invalid-json"),
    Frame("an invalid byte that a peer repairs to U+FFFD", PLAIN.encode().replace(b"/x", b"/\xff"), tool('{"path":"/\ufffd"}'), "wire.invalid-utf8"),
    Frame("an overlong encoding of a slash", PLAIN.encode().replace(b"/x", b"\xc0\xafx"), PLAIN, "wire.invalid-utf8"),
    Frame("a surrogate encoded as UTF-8", PLAIN.encode().replace(b"/x", b"\xed\xa0\x80"), tool('{"path":"\U0001f600"}'), "wire.invalid-utf8"),
    Frame("a UTF-8 sequence cut short", PLAIN.encode().replace(b"/x", b"\xe2\x82"), tool('{"path":"\u20ac"}'), "wire.invalid-utf8"),
    Frame("a NUL between tokens", PLAIN[:CUT] + "\0" + PLAIN[CUT:], tool(r'{"path":"/\u0000"}'), "wire.invalid-json"),
    Frame("a raw control character in a string", tool('{"path":"/\x01"}'), tool(r'{"path":"/\u0001"}'), "wire.invalid-json"),
    Frame("a raw newline's relative, vertical tab, between tokens", PLAIN[:CUT] + "\x0b" + PLAIN[CUT:], PLAIN[:CUT] + " " + PLAIN[CUT:], "wire.invalid-json"),
    Frame("a form feed between tokens", PLAIN[:CUT] + "\x0c" + PLAIN[CUT:], PLAIN[:CUT] + "\t" + PLAIN[CUT:], "wire.invalid-json"),
    Frame("a line separator between tokens", PLAIN[:CUT] + "\u2028" + PLAIN[CUT:], tool('{"path":"/\u2028"}'), "wire.invalid-json"),
    Frame("a next-line character between messages", PLAIN + "\x85" + PLAIN, tool('{"path":"/\x85"}'), "wire.invalid-json"),
    Frame("a no-break space between tokens", PLAIN[:CUT] + "\u00a0" + PLAIN[CUT:], tool('{"path":"/\u00a0"}'), "wire.invalid-json"),
    Frame("two messages on one line", PLAIN + PLAIN, PLAIN, "wire.invalid-json"),
    Frame("two messages with a comma", PLAIN + "," + PLAIN, PLAIN, "wire.invalid-json"),
    Frame("a record separator before the message (RFC 7464)", "\x1e" + PLAIN, " " + PLAIN, "wire.invalid-json"),
    Frame("an LSP header before the message", "Content-Length: 90  " + PLAIN, PLAIN, "wire.invalid-json"),
    Frame("an empty object", "{}", PLAIN, "wire.jsonrpc-version"),
    # --- JSON that is not JSON
    Frame("NaN", tool('{"n":NaN}'), tool('{"n":"NaN"}'), "wire.not-a-number"),
    Frame("Infinity", tool('{"n":Infinity}'), tool('{"n":"Infinity"}'), "wire.not-a-number"),
    Frame("minus Infinity", tool('{"n":-Infinity}'), tool('{"n":-1}'), "wire.not-a-number"),
    Frame("a number that overflows a double", tool('{"n":1e400}'), tool('{"n":1e308}'), "wire.number-overflow"),
    Frame("a negative number that overflows", tool('{"n":-1e999}'), tool('{"n":-1e-999}'), "wire.number-overflow"),
    Frame("an overflow written as digits", tool('{"n":%s.0}' % ("9" * 400)), tool('{"n":%s}' % ("9" * 400)), "wire.number-overflow"),
    Frame("a comment", PLAIN[:CUT] + "/* */" + PLAIN[CUT:], tool('{"path":"/* */"}'), "wire.invalid-json"),
    Frame("a trailing comma", PLAIN[:-1] + ",}", PLAIN, "wire.invalid-json"),
    Frame("single quotes", PLAIN.replace('"', "'"), PLAIN, "wire.invalid-json"),
    Frame("a leading zero", tool('{"n":01}'), tool('{"n":10}'), "wire.invalid-json"),
    Frame("a plus sign", tool('{"n":+1}'), tool('{"n":1e+1}'), "wire.invalid-json"),
    Frame("a hexadecimal number", tool('{"n":0x10}'), tool('{"n":16}'), "wire.invalid-json"),
    Frame("a number without digits after the point", tool('{"n":1.}'), tool('{"n":1.5}'), "wire.invalid-json"),
    Frame("an undefined escape", tool(r'{"path":"\x41"}'), tool(r'{"path":"\u0041"}'), "wire.invalid-json"),
    Frame("a truncated message", PLAIN[:-1], PLAIN, "wire.invalid-json"),
    Frame("half a surrogate pair, high", tool(r'{"path":"\ud800"}'), tool(r'{"path":"\ud83d\ude00"}'), "wire.lone-surrogate"),
    Frame("half a surrogate pair, low, in upper case", tool(r'{"path":"\uDC00"}'), tool(r'{"path":"\uD83D\uDE00"}'), "wire.lone-surrogate"),
    Frame("half a surrogate pair in a key", tool(r'{"\udfff":1}'), tool(r'{"\udbff\udfff":1}'), "wire.lone-surrogate"),
    Frame("a surrogate pair the wrong way round", tool(r'{"path":"\ude00\ud83d"}'), tool(r'{"path":"\\ude00\\ud83d"}'), "wire.lone-surrogate"),
    Frame("arrays nested too deeply", tool('{"a":%s}' % ("[" * 200 + "]" * 200)), tool('{"a":%s}' % ("[" * DEEP + "]" * DEEP)), "wire.too-deep"),
    Frame("objects nested too deeply", tool('{"a":' * 200 + "1" + "}" * 200), tool('{"a":' * DEEP + "1" + "}" * DEEP), "wire.too-deep"),
    Frame("one level too many", tool("[" * 127 + "]" * 127), tool('{"a":%s}' % ("[" * 125 + "]" * 125)), "wire.too-deep"),
    Frame("nesting that crashes a recursive parser", tool('{"a":%s}' % ("[" * 100_000)), tool('{"a":%s}' % ("[]," * 1000 + "[]").join("[]")), "wire.too-deep"),
    # --- keys
    Frame("the same key twice in the arguments", tool('{"path":"/x","path":"/etc"}'), tool('{"path":"/x","paths":"/etc"}'), "wire.duplicate-key"),
    Frame("the same key twice, once with an escape", tool(r'{"path":"/x","p\u0061th":"/etc"}'), tool(r'{"p\u0061th":"/x"}'), "wire.duplicate-key"),
    Frame("the same key twice, deep inside", tool('{"a":[{"b":{"c":1,"c":2}}]}'), tool('{"a":[{"b":{"c":1,"d":2}},{"c":1}]}'), "wire.duplicate-key"),
    Frame("two methods", '{"jsonrpc":"2.0","id":7,"method":"ping","method":"tools/call","params":{META"name":"read_file"}}', PLAIN, "wire.duplicate-key"),
    Frame("two names", tool(params='"name":"harmless",'), PLAIN, "wire.duplicate-key"),
    Frame("two ids", tool(head='"jsonrpc":"2.0","id":7,"id":8,'), PLAIN, "wire.duplicate-key"),
    Frame("keys that differ in case", tool('{"path":"/x","Path":"/etc"}'), tool('{"path":"/x","Paths":"/etc"}'), "wire.colliding-keys"),
    Frame("names that differ in case", tool(params='"Name":"delete",'), PLAIN, "wire.colliding-keys"),
    Frame("keys that fold together: long s", tool('{"class":1,"cla\u017fs":2}'), tool('{"class":1,"cla\u015fs":2}'), "wire.colliding-keys"),
    Frame("keys that fold together: the Kelvin sign", tool('{"key":1,"\u212aey":2}'), tool('{"key":1,"qey":2}'), "wire.colliding-keys"),
    Frame("a method that only a case-blind parser sees", PLAIN.replace('"method"', '"Method"'), PLAIN, "wire.unknown-member"),
    Frame("params that only a case-blind parser sees", PLAIN.replace('"params"', '"Params"'), PLAIN, "wire.unknown-member"),
    Frame("a NUL after a member's name", PLAIN.replace('"params"', r'"params\u0000"'), PLAIN, "wire.unknown-member"),
    Frame("a member that JSON-RPC does not have", tool(tail=',"__proto__":{"x":1}'), tool('{"__proto__":{"x":1}}'), "wire.unknown-member"),
    Frame("an invisible character in a member's name", PLAIN.replace('"params"', '"params\u200b"'), PLAIN, "wire.unknown-member"),
    # --- envelopes
    Frame("a batch", "[" + PLAIN + "]", PLAIN, "wire.batch"),
    Frame("an empty batch", "[]", PLAIN, "wire.batch"),
    Frame("a batch of one hidden call among pings", '[{"jsonrpc":"2.0","id":1,"method":"ping"},%s]' % PLAIN, PLAIN, "wire.batch"),
    Frame("a string", '"tools/call"', PLAIN, "wire.not-an-object"),
    Frame("null", "null", PLAIN, "wire.not-an-object"),
    Frame("a number", "7", PLAIN, "wire.not-an-object"),
    Frame("no version", PLAIN.replace('"jsonrpc":"2.0",', ""), PLAIN, "wire.jsonrpc-version"),
    Frame("version 1.0", PLAIN.replace('"2.0"', '"1.0"'), PLAIN, "wire.jsonrpc-version"),
    Frame("a version that is a number", PLAIN.replace('"2.0"', "2.0"), PLAIN, "wire.jsonrpc-version"),
    Frame("a version with a space", PLAIN.replace('"2.0"', '"2.0 "'), PLAIN, "wire.jsonrpc-version"),
    Frame("a method and a result", tool(tail=',"result":{}'), PLAIN, "wire.hybrid"),
    Frame("a method and an error", tool(tail=',"error":{"code":1,"message":"x"}'), PLAIN, "wire.hybrid"),
    Frame("a result and an error", '{"jsonrpc":"2.0","id":7,"result":{},"error":{"code":1,"message":"x"}}', PLAIN, "wire.hybrid", answered=False),
    Frame("a response with params", '{"jsonrpc":"2.0","id":7,"result":{},"params":{}}', PLAIN, "wire.hybrid", answered=False),
    Frame("params as a list", PLAIN.replace('{META"name":"read_file","arguments":{"path":"/x"}}', '["read_file"]'), PLAIN, "wire.bad-params"),
    Frame("params as null", PLAIN.replace('{META"name":"read_file","arguments":{"path":"/x"}}', "null"), PLAIN, "wire.bad-params"),
    Frame("a method that is a number", PLAIN.replace('"tools/call"', "1"), PLAIN, "wire.bad-method"),
    Frame("a method that is a list", PLAIN.replace('"tools/call"', '["tools/call"]'), PLAIN, "wire.bad-method"),
    Frame("an empty method", PLAIN.replace('"tools/call"', '""'), PLAIN, "wire.bad-method"),
    Frame("a method of a thousand characters", PLAIN.replace("tools/call", "a" * 1000), PLAIN, "wire.bad-method"),
    # --- ids
    Frame("a float id", tool(head='"jsonrpc":"2.0","id":1.0,'), tool(head='"jsonrpc":"2.0","id":1,'), "wire.bad-id"),
    Frame("a float id with an exponent", tool(head='"jsonrpc":"2.0","id":1e0,'), tool(head='"jsonrpc":"2.0","id":"1e0",'), "wire.bad-id"),
    Frame("a boolean id", tool(head='"jsonrpc":"2.0","id":true,'), tool(head='"jsonrpc":"2.0","id":"true",'), "wire.bad-id"),
    Frame("a null id", tool(head='"jsonrpc":"2.0","id":null,'), tool(head='"jsonrpc":"2.0","id":"null",'), "wire.bad-id"),
    Frame("a list id", tool(head='"jsonrpc":"2.0","id":[7],'), tool(head='"jsonrpc":"2.0","id":7,'), "wire.bad-id"),
    Frame("an object id", tool(head='"jsonrpc":"2.0","id":{"a":7},'), tool(head='"jsonrpc":"2.0","id":-7,'), "wire.bad-id"),
    Frame("an id that is too long", tool(head='"jsonrpc":"2.0","id":"%s",' % ("i" * 257)), tool(head='"jsonrpc":"2.0","id":"%s",' % ("i" * 256)), "wire.bad-id"),
    Frame("an id that is too long in bytes", tool(head='"jsonrpc":"2.0","id":"%s",' % ("\u20ac" * 86)), tool(head='"jsonrpc":"2.0","id":"%s",' % ("\u20ac" * 85)), "wire.bad-id"),
    Frame("an integer id of three hundred digits", tool(head='"jsonrpc":"2.0","id":%s,' % ("9" * 300)), tool(head='"jsonrpc":"2.0","id":%s,' % ("9" * 200)), "wire.bad-id"),
    Frame("an integer id of ten thousand digits", tool(head='"jsonrpc":"2.0","id":%s,' % ("9" * 10_000)), tool('{"n":%s}' % ("9" * 10_000)), "wire.bad-id"),
]  # fmt: skip


def as_bytes(frame: str | bytes, revision: str) -> bytes:
    if isinstance(frame, str):
        frame = frame.encode("utf-8")
    meta = f'"_meta":{json.dumps(envelope())},' if revision == MODERN else ""
    return frame.replace(b"META", meta.encode())


def test_there_are_enough_cases_and_each_name_is_used_once() -> None:
    assert len({case.name for case in CASES}) == len(CASES) >= 85


@pytest.mark.parametrize("revision", REVISIONS)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_hostile_frame_of_a_client_stops_at_the_guard_and_its_twin_passes(case: Frame, revision: str) -> None:
    talk = Playbook(revision)
    talk >> as_bytes(case.hostile, revision)
    assert talk.all_to_server() == []
    if case.answered:
        answer = talk.client_got()
        assert answer["error"]["code"] == -31003
        assert answer["error"]["data"]["rule"] == case.rule
    assert talk.all_to_client() == []
    assert talk.rules() == [case.rule]

    talk >> as_bytes(case.twin, revision)
    assert talk.server_got()["method"] == "tools/call"
    assert talk.all_to_client() == []


ANSWER = '{"jsonrpc":"2.0","id":ID,"result":{"content":[{"type":"text","text":"hello"}]}}'


def answer(text: str = '"hello"', tail: str = "") -> str:
    return '{"jsonrpc":"2.0","id":ID,"result":{"content":[{"type":"text","text":%s}]%s}}' % (text, tail)


ANSWERS = [
    # A malformed answer that still names the request ends it with an error; one that does not is dropped.
    Frame("a bare carriage return", ANSWER + "\r" + ANSWER, ANSWER + "\r", "wire.carriage-return"),
    Frame("a byte order mark", b"\xef\xbb\xbf" + ANSWER.encode(), ANSWER, "wire.invalid-json"),
    Frame("an invalid byte", ANSWER.encode().replace(b"hello", b"\xff"), answer('"\ufffd"'), "wire.invalid-utf8"),
    Frame("NaN", answer(tail=',"structuredContent":{"n":NaN}'), answer(tail=',"structuredContent":{"n":null}'), "wire.not-a-number"),
    Frame("1e400", answer(tail=',"structuredContent":{"n":1e400}'), answer(tail=',"structuredContent":{"n":1e30}'), "wire.number-overflow"),
    Frame("a duplicate key", answer(tail=',"isError":true,"isError":false'), answer(tail=',"isError":true'), "wire.duplicate-key"),
    Frame("keys that differ in case", answer(tail=',"isError":true,"iserror":false'), answer(tail=',"isError":false'), "wire.colliding-keys"),
    Frame("half a surrogate pair", answer(r'"\ud800"'), answer(r'"\ud83d\ude00"'), "wire.lone-surrogate"),
    Frame("nesting", answer(tail=',"structuredContent":' + "[" * 300 + "]" * 300), answer(tail=',"structuredContent":{"a":[[[]]]}'), "wire.too-deep"),
    Frame("a batch", "[" + ANSWER + "]", ANSWER, "wire.batch"),
    Frame("a hybrid", ANSWER[:-1] + ',"method":"tools/list"}', ANSWER, "wire.hybrid"),
    Frame("a wrong version", ANSWER.replace("2.0", "3.0"), ANSWER, "wire.jsonrpc-version"),
    Frame("a result that is a list", '{"jsonrpc":"2.0","id":ID,"result":[]}', ANSWER, "wire.bad-result"),
    Frame("an error without a code", '{"jsonrpc":"2.0","id":ID,"error":{"message":"x"}}', ANSWER, "wire.bad-error"),
    Frame("an error with a float code", '{"jsonrpc":"2.0","id":ID,"error":{"code":1.5,"message":"x"}}', ANSWER, "wire.bad-error"),
    Frame("an error with more members", '{"jsonrpc":"2.0","id":ID,"error":{"code":1,"message":"x","Data":1}}', ANSWER, "wire.bad-error"),
    Frame("noise of a print statement", "Server is ready!", ANSWER, "wire.invalid-json"),
    Frame("noise that is JSON", '"Server is ready!"', ANSWER, "wire.not-an-object"),
]  # fmt: skip


@pytest.mark.parametrize("revision", REVISIONS)
@pytest.mark.parametrize("case", ANSWERS, ids=lambda case: case.name)
def test_a_hostile_frame_of_a_server_never_reaches_the_client_and_its_twin_does(case: Frame, revision: str) -> None:
    for frame, honest in ((case.hostile, False), (case.twin, True)):
        talk = Playbook(revision)
        talk >> call("read_file", path="/x")
        talk.server_got()
        data = frame.encode("utf-8") if isinstance(frame, str) else frame
        talk << data.replace(b"ID", str(talk.last_wire_id).encode())
        heard = talk.all_to_client()
        if honest:
            assert [message["id"] for message in heard] == [talk.last_client_id]
            assert "result" in heard[0]
            continue
        assert talk.rules()[0] == case.rule
        assert all("error" in message and message["id"] == talk.last_client_id for message in heard)
        heard += talk.end().all_to_client()
        assert len(heard) == 1, "the call is answered once, by the refusal or at the end"


@pytest.mark.parametrize("revision", REVISIONS)
def test_a_frame_that_is_too_long_is_refused_and_the_session_goes_on(revision: str) -> None:
    talk = Playbook(revision)
    talk >> Oversized(b'{"jsonrpc"', b"}", 99_999_999)
    assert talk.client_got()["error"]["code"] == -31004
    talk >> call("read_file")
    talk.server_got()
    talk << Oversized(
        b'{"result":{"content":[{"text":"aaaa', b'aaaa"}]},"jsonrpc":"2.0","id":%d}' % talk.last_wire_id, 99_999_999
    )
    answer = talk.client_got()
    assert answer["id"] == talk.last_client_id
    assert answer["error"]["data"] == {"code": -31004, "rule": "limits.message"}


@pytest.mark.parametrize("revision", REVISIONS)
def test_a_blank_line_is_nothing(revision: str) -> None:
    talk = Playbook(revision, OPEN)
    talk >> b"" >> b"\r"
    talk << b""
    assert talk.all_to_client() == talk.all_to_server() == talk.rules() == []


@pytest.mark.parametrize("revision", REVISIONS)
@pytest.mark.parametrize(
    "number",
    ["9007199254740993", "-9223372036854775809", "1" + "0" * 5000, "0.1", "1.0", "1e5", "-0.0",
     "3.141592653589793238462643383279502884197", "1E-7", "9007199254740.993", "1e-400", "-4e-324", "0.0", "2.5e-310", "0.30000000000000004", "5e-324", "123456789012345678901234567890.5"],
)  # fmt: skip
def test_a_number_keeps_its_value_on_its_way(number: str, revision: str) -> None:
    from decimal import Decimal

    talk = Playbook(revision)
    output = talk.session.from_client(as_bytes(tool('{"n":%s}' % number), revision), 1.0)
    (line,) = output.to_server
    sent = json.loads(line, parse_int=Decimal, parse_float=Decimal)["params"]["arguments"]["n"]
    assert sent == Decimal(number)
    assert ("." in number or "e" in number.lower()) == (
        not str(json.loads(line, parse_int=str, parse_float=float)["params"]["arguments"]["n"]).lstrip("-").isdigit()
    )


@pytest.mark.parametrize("revision", REVISIONS)
def test_refused_answers_name_the_request_they_answer(revision: str) -> None:
    for head, expected in (('"id":7', 7), ('"id":"seven"', "seven"), ('"id":7,"id":8', None), ('"id":1.5', None)):
        talk = Playbook(revision)
        talk >> as_bytes('{"jsonrpc":"2.0",%s,"method":"tools/call","params":{META"name":"a","name":"b"}}' % head, revision)
        message = talk.client_got()
        assert message["id"] == expected
        assert type(message["id"]) is type(expected)
        assert refusal(message) is not None


@pytest.mark.parametrize(
    "frame", [b" " + b"9" * 4400, b"9" * 4400 + b" ", b"\t{" + b"9" * 9000, b" [" + b"-" + b"9" * 9000 + b"]"]
)
def test_a_long_number_in_the_wrong_place_is_refused_like_anything_else(frame: bytes) -> None:
    talk = Playbook("2025-11-25")
    talk >> frame
    assert refusal(talk.client_got())
    talk << frame
    assert talk.all_to_client() == []
