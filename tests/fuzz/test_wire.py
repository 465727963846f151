"""Properties of the wire: what is decoded, what is written back, and how a stream is cut, held against a second strict parser."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stdioguard.wire import messages, strict_json
from stdioguard.wire.errors import MalformedError
from stdioguard.wire.framing import EXCERPT, FrameReader, Oversized
from stdioguard.wire.strict_json import Number
from tests.fuzz import reference
from tests.fuzz.budget import budget
from tests.fuzz.reference import Num, Refused, num

# --- values -----------------------------------------------------------------------------------------------------------------


def tree(value: Any) -> Any:
    """Return a decoded value in the reference's terms: type-strict, numbers without loss."""
    if type(value) is dict:
        return {key: tree(member) for key, member in value.items()}
    if type(value) is list:
        return [tree(member) for member in value]
    if isinstance(value, Number):
        return num(value.text)
    if type(value) is int:
        return num(str(value))
    if type(value) is float:
        return num(repr(value), integral=False)
    return value


long_integers = st.builds(
    lambda sign, first, rest, length: Number(sign + first + (rest * length)[:length]),
    st.sampled_from(["", "-"]), st.sampled_from("123456789"), st.text("0123456789", min_size=1, max_size=9), st.integers(4301, 6000),
)  # fmt: skip
long_decimals = st.builds(
    lambda whole, digits, power: Number(f"{whole}.{digits}7{power}"),
    st.sampled_from(["1", "-7", "30", "-99"]),
    st.text("0123456789", min_size=20, max_size=60),
    st.sampled_from(["", "e5", "E-7", "e+20"]),
)
texts = st.text(max_size=12) | st.sampled_from(
    ["\u2028", "\x7f", "\ufeff", "\u0130", "\0", "\U0001f600", "a\r\nb", "id", "ID", "\x85"]
)
scalars = (
    st.none() | st.booleans() | st.integers() | st.integers(min_value=10**60, max_value=10**300) | texts
    | st.floats(allow_nan=False, allow_infinity=False) | long_integers | long_decimals
)  # fmt: skip


def _objects(members: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.lists(st.tuples(texts, members), max_size=5, unique_by=lambda pair: pair[0].casefold()).map(dict)


values: st.SearchStrategy[Any] = st.deferred(
    lambda: st.recursive(scalars, lambda inner: st.lists(inner, max_size=5) | _objects(inner), max_leaves=20)
)


@given(values)
@budget(300)
def test_what_is_encoded_is_one_ascii_line_that_decodes_to_the_same_value(value: Any) -> None:
    text = strict_json.encode(value)
    assert reference.line(text) == tree(value)
    again = strict_json.decode(text.encode("ascii"))
    assert tree(again) == tree(value)
    assert strict_json.encode(again) == text


@given(values, st.randoms(use_true_random=False))
@budget(200)
def test_any_spelling_of_a_value_decodes_to_that_value(value: Any, random: Any) -> None:
    spelled = _spell(value, random)
    decoded = strict_json.decode(spelled.encode("utf-8"))
    assert tree(decoded) == tree(value)
    assert strict_json.canonical(decoded) == strict_json.canonical(value)


def _spell(value: Any, random: Any) -> str:
    """Write a value in one of the many ways that JSON allows: order, white space, escapes."""

    def space() -> str:
        return random.choice(["", "", " ", "\t", "\n "])

    if type(value) is dict:
        items = list(value.items())
        random.shuffle(items)
        inside = ",".join(
            f"{space()}{_spell(key, random)}{space()}:{space()}{_spell(member, random)}{space()}" for key, member in items
        )
        return "{" + (inside or space()) + "}"
    if type(value) is list:
        return "[" + (",".join(f"{space()}{_spell(member, random)}{space()}" for member in value) or space()) + "]"
    if type(value) is str:
        return '"' + "".join(_spell_char(char, random) for char in value) + '"'
    return value.text if isinstance(value, Number) else json.dumps(value)


def _spell_char(char: str, random: Any) -> str:
    if char not in '"\\' and char >= " " and random.random() < 0.7:
        return char
    units = char.encode("utf-16-be")
    escaped = "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))
    return escaped.upper().replace("\\U", "\\u") if random.random() < 0.5 else escaped


@given(values, values)
@budget(200)
@example(1, 1.0)
@example(1, True)
@example(0, False)
@example([1], ["1"])
@example({"a": 1, "b": 2}, {"b": 2, "a": 1})
@example([], {})
@example(0.0, -0.0)
@example("1", 1)
@example(Number("0." + "1" * 30), Number("0." + "1" * 31))
def test_canonical_texts_are_equal_exactly_if_the_values_are(one: Any, other: Any) -> None:
    assert (strict_json.canonical(one) == strict_json.canonical(other)) == (tree(one) == tree(other))
    assert strict_json.canonical(one).isascii()


@given(
    st.one_of(
        st.from_regex(r"-?(0|[1-9][0-9]{0,19})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?", fullmatch=True),
        st.from_regex(r"[1-9]\.[0-9]{14,16}", fullmatch=True),
        st.from_regex(r"[1-9](\.[0-9]{1,5})?[eE]-3[0-4][0-9]", fullmatch=True),
    )
)
@budget(400)
@example("1e-400")
@example("4.9e-324")
@example("9.999999999999999")
@example("-0.0")
@example("-0")
@example("0e999")
@example("1E400")
def test_a_number_keeps_its_value(text: str) -> None:
    try:
        expected = num(text)
    except Refused:
        with pytest.raises(MalformedError):
            strict_json.decode(text.encode())
        return
    assert reference.line(strict_json.encode(strict_json.decode(text.encode()))) == expected


# --- frames -----------------------------------------------------------------------------------------------------------------


def _judge(frame: bytes) -> None:
    """Hold one frame against the reference, against Python's own parser, and the guard's writing of it against both."""
    try:
        expected: Any = reference.parse(frame)
    except Refused:
        with pytest.raises(MalformedError):
            strict_json.decode(frame)
        with pytest.raises(MalformedError):
            messages.parse(frame)
        return
    value = strict_json.decode(frame)
    assert _in_doubles(tree(value)) == _in_doubles(expected)
    assert reference.line(strict_json.encode(value)) == tree(value)
    written = strict_json.encode(value)
    assert json.loads(written, parse_int=num) == json.loads(frame.removesuffix(b"\r").decode("utf-8"), parse_int=num)
    try:
        meant = reference.classify(expected)
    except Refused:
        with pytest.raises(MalformedError):
            messages.parse(frame)
        return
    message = messages.parse(frame)
    assert type(message).__name__.lower() == meant.kind
    if not isinstance(message, messages.Notification):
        assert tree(message.id) == meant.id
    envelope = reference.classify(reference.line(strict_json.encode(message.envelope())))
    assert _in_doubles(envelope) == _in_doubles(meant)


def _in_doubles(value: Any) -> Any:
    """Take decimals to what a double keeps: whether all their digits survive is the business of another test."""
    if type(value) is dict:
        return {key: _in_doubles(member) for key, member in value.items()}
    if type(value) is Num:
        return value if value.integral else ("float", float(f"{value.digits}e{value.exponent}"), value.negative)
    if isinstance(value, list | tuple):
        return [_in_doubles(member) for member in value]
    return value


@given(st.binary(max_size=200) | st.text('{}[]",:\\u0dDeE+-.19 \t\r\0truefalsn\u2028', max_size=60).map(str.encode))
@budget(400)
def test_arbitrary_bytes_raise_malformed_and_nothing_else(frame: bytes) -> None:
    _judge(frame)


SEEDS = (
    b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"drop","arguments":{"path":"/x","n":[1,2.50,-0,1e3]}}}',
    b'{"jsonrpc":"2.0","id":"1","method":"tools/list"}',
    b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":12,"reason":"caf\xc3\xa9 \xf0\x9f\x98\x80"}}',
    b'{"jsonrpc":"2.0","id":9007199254740993,"result":{"content":[{"type":"text","text":"\\ud83d\\ude00 \\u0041"}],"isError":false}}',
    b'{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"no","data":{"a":null,"b":[true,false]}}}',
)
INSERTED = (
    b"\r", b"\n", b"\0", b"\xef\xbb\xbf", "\u2028".encode(), b"\xc2\x85", b"\x0c", b"\x0b", b"\xff", b"\xc0\xaf", b"\xed\xa0\x80",
    b"\\ud800", b"\\udc00", b"\\u0000", b"\\u000d", b'"', b"\\", b"/", b",", b":", b"{", b"}", b"[", b"]", b"/**/", b"//", b"'",
    b'"id":2,', b'"ID":2,', b'"i\\u0064":2,', b'"method":"ping",', b'"Method":"ping",', b'"method\\u0000":"ping",', b'"result":{},',
    b'"params":{},', b'"error":null,', b'"jsonrpc":"2.0",', b'"\\u017fesult":1,', b"NaN", b"Infinity", b"-", b"+", b".", b"e9", b"1e400",
    b"0", b"9" * 300, b"9" * 5000, b"null", b"true", b"[" * 130, b"{\"a\":" * 130, b" ", b"\t",
)  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A valid frame after one to three accidents."""
    frame = bytearray(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(frame)))
        match draw(st.sampled_from(["insert", "insert", "member", "flip", "delete", "double", "cut"])):
            case "insert":
                frame[at:at] = draw(st.sampled_from(INSERTED))
            case "member":
                # Where a member is likely to parse: behind an opening brace.
                braces = [place + 1 for place, byte in enumerate(frame) if byte == ord("{")]
                at = draw(st.sampled_from(braces)) if braces else at
                frame[at:at] = draw(st.sampled_from(INSERTED))
            case "flip" if at < len(frame):
                frame[at] ^= 1 << draw(st.integers(0, 7))
            case "delete":
                del frame[at : at + draw(st.integers(1, 4))]
            case "double":
                frame[at:at] = frame[at : at + draw(st.integers(1, 30))]
            case "cut":
                del frame[at:]
    return bytes(frame)


@given(mutated())
@budget(1200)
@example(SEEDS[0] + b"\r")
@example(SEEDS[0] + b"\r\r")
@example(b"\xef\xbb\xbf" + SEEDS[1])
@example(SEEDS[1].replace(b'"id"', b'"ID":2,"id"'))
@example(SEEDS[1].replace(b'"id"', b'"\\u0069d":2,"id"'))
@example(SEEDS[1].replace(b'"1"', b'"' + b"x" * 256 + b'"'))
@example(SEEDS[1].replace(b'"1"', b'"' + "\u00e9".encode() * 129 + b'"'))
@example(b"[" * 100000)
@example(b'{"a":' * 128 + b"1" + b"}" * 128)
@example(b"[" * 128 + b"]" * 128)
@example(b"[" * 129 + b"]" * 129)
@example(b'{"jsonrpc":"2.0","id":' + b"9" * 5000 + b',"method":"ping"}')
def test_a_damaged_frame_means_the_same_to_every_parser_or_is_refused(frame: bytes) -> None:
    for part in frame.split(b"\n"):
        _judge(part)


@given(st.integers(225, 260), st.sampled_from(["", "-"]))
@budget(60)
@example(231, "")
@example(232, "")
@example(256, "")
@example(257, "")
def test_an_integer_id_may_have_as_many_characters_as_a_string_may_have_bytes(width: int, sign: str) -> None:
    text = sign + "9" * (width - len(sign))
    frame = b'{"jsonrpc":"2.0","id":%s,"method":"ping"}' % text.encode()
    if width > messages.MAX_ID:
        with pytest.raises(MalformedError):
            messages.parse(frame)
    else:
        message = messages.parse(frame)
        assert isinstance(message, messages.Request)
        assert message.id == int(text)


@given(mutated())
@budget(300)
def test_a_refused_frame_names_an_id_only_if_there_is_no_doubt_about_it(frame: bytes) -> None:
    frame = frame.replace(b"\n", b"")
    named = _named_by_refusal(frame)
    if named is None:
        return
    assert type(named) in (int, str)
    try:
        value = reference.parse(frame)
    except Refused:
        assert b'"id"' in frame or b"\\u" in frame
    else:
        assert tree(named) == value["id"]


def _named_by_refusal(frame: bytes) -> int | str | None:
    try:
        messages.parse(frame)
    except MalformedError as error:
        return error.id
    return None


# --- framing ----------------------------------------------------------------------------------------------------------------


def _frames(stream: bytes, cuts: list[int], limit: int) -> list[Any]:
    reader = FrameReader(limit)
    found: list[Any] = []
    edges = [0, *sorted(cuts), len(stream)]
    for begin, end in itertools.pairwise(edges):
        found += reader.feed(stream[begin:end])
    assert reader.pending == len(stream) - (stream.rfind(b"\n") + 1)
    return [(frame.head, frame.tail, frame.size) if isinstance(frame, Oversized) else frame for frame in found]


lines = st.lists(
    st.one_of(
        st.binary(max_size=30),
        st.sampled_from([b"", b"\r", b"a\rb", "\u2028\u0085".encode(), b"\x0c\x0b", b"x" * EXCERPT, b"y" * (EXCERPT + 1)]),
        st.integers(EXCERPT - 2, 3 * EXCERPT).map(lambda size: bytes(97 + at % 26 for at in range(size))),
    ),
    max_size=6,
)


@given(lines, st.data())
@budget(200)
def test_a_stream_gives_the_same_frames_however_it_is_cut(parts: list[bytes], data: st.DataObject) -> None:
    stream = b"\n".join(parts)
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=12))
    limit = EXCERPT
    expected: list[Any] = [
        (part[:EXCERPT], part[-EXCERPT:], len(part)) if len(part) > limit else part for part in stream.split(b"\n")[:-1]
    ]
    assert _frames(stream, cuts, limit) == expected
    assert _frames(stream, [], limit) == expected


@given(st.binary(max_size=40), st.integers(1, 10))
@budget(100)
def test_one_byte_at_a_time_gives_what_splitting_at_line_feeds_gives(stream: bytes, limit: int) -> None:
    found = _frames(stream, list(range(len(stream))), limit)
    expected = stream.split(b"\n")[:-1]
    assert len(found) == len(expected)
    for frame, part in zip(found, expected, strict=True):
        assert frame == part if len(part) <= limit else frame[2] == len(part)


@given(st.binary(max_size=50), st.binary(max_size=50))
@budget(100)
def test_an_abandoned_frame_is_oversized_and_the_next_one_is_whole(begun: bytes, rest: bytes) -> None:
    begun, rest = begun.replace(b"\n", b""), rest.replace(b"\n", b"")
    reader = FrameReader()
    assert reader.feed(begun) == []
    reader.abandon()
    first, second = reader.feed(rest + b"\nnext\n")
    if begun:
        assert isinstance(first, Oversized)
        assert first.size == len(begun) + len(rest)
    else:
        assert first == rest
    assert second == b"next"
