from __future__ import annotations

import os
import time

import pytest

from stdioguard.approval import grants, proof, queue
from stdioguard.approval.page import decisions, diff, pieces, records, views
from stdioguard.guard.asking import Question
from stdioguard.wire import strict_json
from tests.approval.page.served import PASSPHRASE, ask, decided, serving, set_passphrase


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("STDIOGUARD_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture(name="inside")
def _inside(home):
    with serving() as served:
        yield served.log_in()


def text(row):
    return "".join(piece if isinstance(piece, str) else piece[0] for piece in row)


def of_kind(row, kind):
    return [piece[0] for piece in row if not isinstance(piece, str) and piece[1] == kind]


# Pieces


@pytest.mark.parametrize(
    ("hidden", "shown"),
    [
        ("\u202e", "\\u202e"),
        ("\x1b", "\\u001b"),
        ("\u200b", "\\u200b"),
        ("\r", "\\r"),
        ("\x00", "\\u0000"),
        ("\u2028", "\\u2028"),
        ("\U000e0041", "\\U000e0041"),
        ("\ufeff", "\\ufeff"),
        ("\u3164", "\\u3164"),
    ],
)
def test_what_nobody_sees_is_marked(hidden, shown):
    row = pieces.plain(f"a{hidden}b")
    assert row == ["a", [shown, "escape"], "b"]
    assert pieces.plain("ab") == ["ab"]


def test_an_escape_that_was_typed_is_not_marked_as_one():
    assert pieces.plain("a\\u202eb") == ["a\\u202eb"]


def test_the_name_of_a_path_is_told_from_its_folder():
    assert pieces.path("/home/ana/x.txt") == [["/home/ana/", "folder"], ["x.txt", "name"]]
    assert pieces.path("/home/ana/") == [["/home/", "folder"], ["ana/", "name"]]
    assert pieces.path("x") == [["x", "name"]]


def test_a_letter_of_another_script_stands_out_in_a_path():
    assert of_kind(pieces.path("/home/\u0430na/x"), "odd") == ["\u0430"]
    assert pieces.path("/\u0430/x")[1][2] == "CYRILLIC SMALL LETTER A"
    assert of_kind(pieces.path("/home/ana/x"), "odd") == []


def test_the_host_of_an_address_is_what_follows_the_at():
    assert of_kind(pieces.url("https://github.com@evil.example/x"), "name") == ["evil.example"]
    assert of_kind(pieces.url("https://github.com/evil.example"), "name") == ["github.com"]
    assert pieces.url("no address") is None


def test_what_a_shell_takes_otherwise_is_marked():
    assert of_kind(pieces.command("ls a; rm -rf $HOME && x `y` > z"), "meta") == [";", "$", "&&", "`", "`", ">"]
    assert of_kind(pieces.command("ls -l a.txt"), "meta") == []


def test_no_line_is_shown_without_bound_and_none_is_cut_in_silence():
    row = pieces.plain("a" * 100_000)
    assert len(text(row)) < 5000
    assert "100,000 characters" in of_kind(row, "gap")[0]
    assert len(pieces.plain("\u202ex" * 1000)) <= pieces.MAX_PIECES * 2 + 1


def test_each_line_ending_is_seen():
    assert pieces.ended([["rm x"], []]) == [["rm x", ["\u21b5", "end"]]]
    assert pieces.ended([["rm x"]]) == [["rm x"]]
    assert pieces.ended([[]]) == [[]]


# Differences


def signs(found):
    return [(kind, text(row)) for kind, row in found["rows"] if kind in ("add", "del")]


def test_a_write_is_compared_with_the_file(tmp_path):
    (tmp_path / "a").write_text("one\ntwo\nthree\n")
    found = diff.of({"path": str(tmp_path / "a"), "content": "one\n2\nthree\n"}, "/")
    assert signs(found) == [("del", "two"), ("add", "2")]
    assert found["covers"] == ["path", "content"]


def test_a_write_to_no_file_is_all_new(tmp_path):
    found = diff.of({"path": "a", "content": "one\ntwo"}, str(tmp_path))
    assert signs(found) == [("add", "one"), ("add", "two")]


def test_edits_are_applied_where_they_match_once(tmp_path):
    (tmp_path / "a").write_text("one\ntwo\nthree\n")
    found = diff.of({"path": str(tmp_path / "a"), "edits": [{"oldText": "two", "newText": "2"}]}, "/")
    assert signs(found) == [("del", "two"), ("add", "2")]
    assert any(text(row) == "one" for kind, row in found["rows"] if kind == "same")


def test_edits_that_match_twice_are_shown_by_themselves(tmp_path):
    (tmp_path / "a").write_text("two\ntwo\n")
    found = diff.of({"path": str(tmp_path / "a"), "edits": [{"oldText": "two", "newText": "2"}]}, "/")
    assert signs(found) == [("del", "two"), ("add", "2")]
    assert "by themselves" in " ".join(found["notes"])


def test_an_edit_with_more_in_it_than_is_understood_is_not_hidden_behind_a_comparison():
    assert diff.of({"path": "/a", "edits": [{"oldText": "a", "newText": "b", "mode": "x"}]}, "/") is None
    assert diff.of({"path": "/a", "edits": [{"oldText": "a", "newText": "b"}]}, "/") is not None


def test_a_call_that_writes_nothing_has_no_comparison():
    assert diff.of({"path": "/etc/passwd"}, "/") is None
    assert diff.of({"content": "x"}, "/") is None
    assert diff.of({"path": 7, "content": "x"}, "/") is None


def test_nothing_but_a_regular_file_is_read(tmp_path, monkeypatch):
    fifo, big, opened = tmp_path / "fifo", tmp_path / "big", []
    os.mkfifo(fifo)
    big.write_bytes(b"a" * (diff.MAX_FILE + 1))
    real = os.open
    monkeypatch.setattr(os, "open", lambda path, *rest, **more: opened.append(path) or real(path, *rest, **more))
    for path in (str(fifo), "/dev/zero", str(tmp_path), str(big)):
        found = diff.of({"path": path, "content": "x"}, "/")
        assert found["rows"] == []
        assert found["covers"] == []
        assert found["notes"]
    assert opened == []
    (tmp_path / "small").write_text("y")
    assert diff.of({"path": str(tmp_path / "small"), "content": "x"}, "/")["rows"]
    assert opened == [str(tmp_path / "small")]


@pytest.mark.parametrize("path", ["~/x", "file:///x", "a\0b", "x", "", "/x" * 5000])
def test_a_path_that_leads_nowhere_certain_is_compared_with_nothing(path):
    found = diff.of({"path": path, "content": "x"}, "")
    assert found["covers"] == []
    assert found["notes"]


def test_a_link_that_leads_elsewhere_is_said(tmp_path):
    (tmp_path / "secret").write_text("x")
    (tmp_path / "innocent").symlink_to(tmp_path / "secret")
    found = diff.of({"path": str(tmp_path / "innocent"), "content": "y"}, "/")
    assert any(str(tmp_path / "secret") in note for note in found["notes"])


def test_a_comparison_takes_no_longer_for_being_hostile(tmp_path):
    (tmp_path / "a").write_text("\n".join(str(n % 97) for n in range(100_000)))
    begun = time.process_time()
    found = diff.of({"path": str(tmp_path / "a"), "content": "\n".join(str(n * 7 % 89) for n in range(100_000))}, "/")
    assert time.process_time() - begun < 5
    assert len(found["rows"]) <= diff.MAX_ROWS
    assert found["gap"][1] > 0


def test_the_last_line_ending_is_not_lost(tmp_path):
    (tmp_path / "a").write_text("one\n")
    assert "loses its line ending" in " ".join(diff.of({"path": str(tmp_path / "a"), "content": "one"}, "/")["notes"])


# Views and decisions


def shown(inside, members):
    return next(one for one in inside.shown() if one["id"] == members["id"])


def test_a_question_shows_every_argument_or_says_what_it_leaves_out(inside):
    members = ask("t", {f"a{n}": n for n in range(100)})
    found = shown(inside, members)
    assert len(found["arguments"]) + found["more_count"] == 100
    assert not found["remember"]


def test_a_risk_that_nobody_knows_is_high(inside):
    assert shown(inside, ask(risk="whatever"))["risk"] == "high"
    assert shown(inside, ask(risk="low"))["risk"] == "low"


@pytest.mark.parametrize("risk", ["low", "normal", "high"])
def test_arguments_that_were_put_in_the_place_of_others_cannot_be_approved(inside, risk):
    set_passphrase()
    members = ask(arguments={"path": "/home/ana/harmless"}, risk=risk)
    false = members | {"arguments": {"path": "/home/ana/other"}}
    queue.write(members["id"], {key: value for key, value in false.items() if key != "id"})
    assert "Deny it" in shown(inside, members)["blocked"]
    status, _ = inside.decide(members, passphrase=PASSPHRASE)
    assert status == 403
    assert queue.decision(members["id"]) is None
    honest = ask(arguments={"path": "/home/ana/harmless"}, risk=risk)
    assert inside.decide(honest, passphrase=PASSPHRASE)[0] == 200


def test_a_decision_on_what_was_withdrawn_in_between_is_left_to_nobody(inside, monkeypatch):
    members = ask()
    decide = queue.decide

    def too_late(id_, digest, **more):
        os.unlink(os.path.join(queue.folder(), f"{id_}.json"))
        return decide(id_, digest, **more)

    monkeypatch.setattr(queue, "decide", too_late)
    assert inside.decide(members)[0] == 404
    assert not [name for name in os.listdir(queue.folder()) if name.startswith(members["id"])]


def test_a_disk_that_is_full_is_said(inside, monkeypatch):
    members = ask()

    def full(*_, **more):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(queue, "decide", full)
    assert inside.decide(members) == (500, {"error": "The decision could not be written: No space left on device."})


def test_high_risk_is_signed_over_what_is_decided(inside):
    setting, members = set_passphrase(), ask(risk="high")
    assert inside.decide(members, passphrase=PASSPHRASE)[0] == 200
    found = decided(members)
    assert proof.is_signed(setting, found)
    assert not proof.is_signed(setting, found | {"approved": False})


@pytest.mark.parametrize("passphrase", [None, "", "wrong passphrase", "\ud800", 7, ["x"]])
def test_high_risk_without_the_passphrase_is_not_approved(inside, passphrase):
    set_passphrase()
    members = ask(risk="high")
    status, _ = inside.decide(members, passphrase=passphrase)
    assert status == 403
    assert queue.decision(members["id"]) is None
    assert inside.decide(members, approved=False)[0] == 200  # to deny needs none


def test_where_no_passphrase_is_set_high_risk_can_only_be_denied(inside):
    members = ask(risk="high")
    assert "stdioguard approvals passphrase" in shown(inside, members)["blocked"]
    assert inside.decide(members, passphrase=PASSPHRASE)[0] == 403
    assert inside.decide(members, approved=False)[0] == 200
    assert decided(members)["approved"] is False


@pytest.mark.parametrize("scope", ["until", "always"])
def test_high_risk_is_allowed_for_a_session_at_most(inside, scope):
    setting, members = set_passphrase(), ask(risk="high")
    limits = {"path": "equals"}
    assert not shown(inside, members)["lasting"]
    assert inside.decide(members, scope=scope, seconds=3600, limits=limits, passphrase=PASSPHRASE)[0] == 403
    assert inside.decide(members, scope="session", limits=limits, passphrase=PASSPHRASE)[0] == 200
    assert proof.is_signed(setting, decided(members))


@pytest.mark.parametrize("why", [{"remember": False}, {"arguments_size": 300000, "arguments": {}}, {"tool_pin": ""}])
@pytest.mark.parametrize("approved", [True, False])
def test_what_may_not_be_remembered_is_decided_once(inside, why, approved):
    members = ask(**why)
    for scope in ("session", "until", "always"):
        limits = dict.fromkeys(members["arguments"], "equals")
        assert inside.decide(members, approved=approved, scope=scope, seconds=3600, limits=limits)[0] == 403
    assert inside.decide(members, approved=approved)[0] == 200
    assert "scope" not in decided(members)


def test_a_lasting_decision_takes_its_values_from_the_question(inside):
    raw = strict_json.decode(
        b'{"path": "/home/ana/notes/plan.txt", "n": 1.0, "big": 12345678901234567890.5, "o": {"b": 1, "a": [true]}}'
    )
    members = ask(arguments=raw)
    limits = {"path": {"inside": "/home/ana"}, "n": "equals", "big": "equals", "o": "any"}
    assert inside.decide(members, scope="until", seconds=3600, limits=limits) == (200, {"decided": True})
    found = decided(members)
    assert strict_json.canonical(found["constraints"]) == strict_json.canonical(
        {"path": {"inside": "/home/ana"}, "n": {"equals": raw["n"]}, "big": {"equals": raw["big"]}, "o": {"any": True}}
    )
    assert abs(found["until"] - time.time() - 3600) < 30


BAD_LIMITS = [
    None, {}, {"path": "equals", "other": "any"}, {"path": True}, {"path": {"any": True}}, {"path": {"inside": "/"}}, {"path": {"inside": "/home/an"}},
    {"path": {"inside": "/home/ana/notes/"}}, {"path": {"inside": "/home/ana", "any": True}}, {"path": {"equals": "/etc"}}, {"path": {"inside": ["/home"]}}, [],
]  # fmt: skip


@pytest.mark.parametrize("limits", BAD_LIMITS)
def test_a_limit_that_the_page_does_not_offer_is_refused(inside, limits):
    members = ask()
    assert inside.decide(members, scope="always", limits=limits)[0] == 400
    assert queue.decision(members["id"]) is None
    assert inside.decide(members, scope="always", limits={"path": {"inside": "/home/ana/notes"}})[0] == 200


@pytest.mark.parametrize(
    "body",
    [
        {"scope": "forever"},
        {"scope": "until", "seconds": 10**9},
        {"scope": "until", "seconds": True},
        {"scope": "until"},
        {"approved": "yes"},
        {"approved": 1},
        {"scope": None},
    ],
)
def test_a_decision_that_the_page_does_not_offer_is_refused(inside, body):
    members = ask()
    assert inside.decide(members, **({"limits": {"path": "equals"}} | body))[0] == 400
    assert queue.decision(members["id"]) is None


@pytest.mark.parametrize("item", ["/a/../b/c", "a/b", "~/a/b", "", 7, None, ["/a/b"], "/a//b", "/", "/a/b\0c", "file:///a/b"])
def test_what_is_no_plain_path_is_inside_no_folder(item):
    assert views.folders(item) == []
    assert views.folders("/a/b/c") == ["/a/b", "/a"]


def test_a_path_that_a_link_leads_out_is_not_inside_the_links_folder(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "in" / "link").symlink_to(tmp_path / "out")
    found = views.folders(str(tmp_path / "in" / "link" / "x"))
    assert str(tmp_path / "in") not in found
    assert str(tmp_path) in found


def test_what_has_changed_since_it_was_shown_is_not_approved(inside):
    members = ask()
    version = shown(inside, members)["version"]
    queue.write(members["id"], {key: value for key, value in (members | {"server": "another"}).items() if key != "id"})
    body = {"id": members["id"], "digest": members["digest"], "version": version, "approved": True}
    assert inside.raw("POST", "/api/decide", body)[0] == 409
    assert inside.raw("POST", "/api/decide", body | {"digest": "0" * 64})[0] == 409
    assert inside.decide(members)[0] == 200


def test_a_write_is_not_approved_over_a_file_that_has_changed_meanwhile(inside, tmp_path):
    (tmp_path / "a").write_text("one\n")
    members = ask(arguments={"path": str(tmp_path / "a"), "content": "two\n"})
    version = shown(inside, members)["version"]
    (tmp_path / "a").write_text("one\nand more\n")
    assert (
        inside.raw(
            "POST", "/api/decide", {"id": members["id"], "digest": members["digest"], "version": version, "approved": True}
        )[0]
        == 409
    )


def test_the_second_decision_is_none(inside):
    members = ask()
    version = shown(inside, members)["version"]
    body = {"id": members["id"], "digest": members["digest"], "version": version}
    assert inside.raw("POST", "/api/decide", body | {"approved": False})[0] == 200
    assert inside.raw("POST", "/api/decide", body | {"approved": True})[0] in (404, 409)
    assert decided(members)["approved"] is False


def test_bulk_denies_what_is_named_and_nothing_else(inside):
    first, second, third = ask(), ask(risk="high"), ask()
    named = [{"id": one["id"], "digest": one["digest"]} for one in (first, second)] + [
        {"id": third["id"], "digest": "0" * 64},
        7,
        {},
    ]
    status, found, _ = inside.raw("POST", "/api/deny", {"questions": named, "approved": True})
    assert (status, found) == (200, {"denied": 2})
    assert decided(first)["approved"] is decided(second)["approved"] is False
    assert queue.decision(third["id"]) is None


# Records and grants


def test_decisions_of_people_are_told_from_what_a_rule_refused(inside, home):
    folder = home / "state" / "records"
    folder.mkdir(parents=True, mode=0o700)
    lines = [
        {"seq": 1, "time": "2026-11-21T10:00:00.000Z", "event": "launch", "server": "fs"},
        {"verdict": "ask", "method": "tools/call", "id": 1, "tool": "w", "time": "2026-11-21T10:00:01.000Z"},
        {
            "verdict": "approve",
            "method": "tools/call",
            "id": 1,
            "tool": "w",
            "time": "2026-11-21T10:00:02.000Z",
            "arguments": {"a": "<b>"},
        },
        {
            "verdict": "refuse",
            "method": "tools/call",
            "id": 2,
            "tool": "x",
            "time": "2026-11-21T10:00:03.000Z",
            "detail": 'the tool "x" did not run: the person said no.',
        },
        {
            "verdict": "refuse",
            "method": "tools/call",
            "id": 3,
            "tool": "y",
            "time": "2026-11-21T10:00:04.000Z",
            "detail": "denied by tools.default",
        },
    ]
    path = folder / "20261121T100000Z-fs-1-aaaaaa.jsonl"
    path.write_text("".join(strict_json.encode(line) + "\n" for line in lines) + "no json\n[1]\n")
    path.chmod(0o600)
    found = inside.raw("GET", "/api/decisions")[1]["decisions"]
    assert [(text(one["tool"]), one["approved"], text(one["server"])) for one in found] == [("x", False, "fs"), ("w", True, "fs")]
    path.chmod(0o644)
    assert inside.raw("GET", "/api/decisions")[1]["decisions"] == []


def test_a_long_record_is_read_at_both_ends_only(home, monkeypatch):
    monkeypatch.setattr(records, "_SPAN", 2000)
    folder = home / "state" / "records"
    folder.mkdir(parents=True, mode=0o700)
    path = folder / "20261121T100000Z-fs-1-aaaaaa.jsonl"
    path.write_text("".join(strict_json.encode({"n": n}) + "\n" for n in range(10000)))
    path.chmod(0o600)
    numbers = [line["n"] for line in records._lines(str(path))]
    assert numbers[0] == 0
    assert numbers[-1] == 9999
    assert len(numbers) < 1000
    short = folder / "20261121T100001Z-fs-1-aaaaaa.jsonl"
    short.write_text("".join(strict_json.encode({"n": n}) + "\n" for n in range(300)))
    short.chmod(0o600)
    assert [line["n"] for line in records._lines(str(short))] == list(range(300))


def test_sessions_of_living_guards_are_shown_with_what_they_may_reach(inside, home):
    folder = home / "state" / "records"
    folder.mkdir(parents=True, mode=0o700)
    profile = home / "p.toml"
    profile.write_text(
        'schema = 1\nname = "p"\ndescription = "d"\n[sandbox]\nread = ["/srv/data"]\nnetwork = ["api.example:443"]\n[tools]\ndefault = "deny"\n[tools.rules]\n"r_*" = { action = "allow" }\n"w_*" = { action = "confirm" }\n'
    )
    import hashlib

    launch = {
        "time": "2026-11-21T10:00:00.000Z", "event": "launch", "server": "fs", "command": ["x", "<y>"],
        "profile": {"source": str(profile), "sha256": hashlib.sha256(profile.read_bytes()).hexdigest()},
    }  # fmt: skip
    sandbox = {
        "event": "sandbox",
        "guarantees": {"files": {"state": "enforced", "by": "Landlock"}, "ipc": {"state": "absent", "why": "x"}},
    }
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    for pid, more in ((os.getpid(), []), (os.getpid(), [{"event": "end", "exit": 0}]), (2**22 + 5, [])):
        path = folder / f"{stamp}-fs-{pid}-{os.urandom(3).hex()}.jsonl"
        path.write_text("".join(strict_json.encode(line) + "\n" for line in [launch, sandbox, *more]))
        path.chmod(0o600)
    old = folder / f"20200101T000000Z-fs-{os.getpid()}-aaaaaa.jsonl"  # of another process that had this number
    old.write_text(strict_json.encode(launch) + "\n")
    old.chmod(0o600)
    (found,) = inside.raw("GET", "/api/sessions")[1]["sessions"]
    reach = {group["what"]: [text(entry) for entry in group["entries"]] for group in found["reach"]}
    assert reach["May read"] == ["/srv/data"]
    assert reach["Network"] == ["api.example:443"]
    assert reach["Tools without asking"] == ["r_*"]
    assert reach["Tools with your consent"] == ["w_*"]
    assert [(text(one["name"]), one["enforced"]) for one in found["guarantees"]] == [("files", True), ("ipc", False)]
    profile.write_text(profile.read_text() + "\n")
    (found,) = inside.raw("GET", "/api/sessions")[1]["sessions"]
    assert found["reach"] == []
    assert "changed" in found["problem"]


def granted():
    question = Question("aaaaaaaa", "write_file", {"path": "/home/ana/x"}, "d", deadline=1)
    question.client, question.server, question.server_pin, question.tool_pin = "c", "fs", "p", "t"
    made = grants.make(
        question, {"approved": True, "scope": "always", "constraints": {"path": {"equals": "/home/ana/x"}}, "channel": "page"}
    )
    grants.keep(made)
    return made


def test_a_grant_is_listed_and_revoked(inside):
    made = granted()
    (found,) = inside.raw("GET", "/api/grants")[1]["grants"]
    assert (found["id"], text(found["tool"]), text(found["limits"][0]["limit"])) == (
        made.id,
        "write_file",
        'exactly "/home/ana/x"',
    )
    assert inside.raw("POST", "/api/revoke", {"id": made.id})[0] == 200
    assert inside.raw("POST", "/api/revoke", {"id": made.id})[0] == 404
    assert inside.raw("GET", "/api/grants")[1]["grants"] == []


@pytest.mark.parametrize("id_", ["../x", "", "a/b", "x" * 5000, "\0"])
def test_no_id_of_a_grant_leads_to_another_file(inside, id_):
    assert inside.raw("POST", "/api/revoke", {"id": id_})[0] == 404


def test_a_lasting_decision_makes_the_grant_that_was_seen(inside):
    members = ask()
    assert inside.decide(members, scope="always", limits={"path": {"inside": "/home/ana/notes"}})[0] == 200
    question = Question(members["id"], members["tool"], members["arguments"], members["digest"], deadline=1)
    question.tool_pin = "t"
    made = grants.make(question, decided(members))
    assert made is not None
    assert grants.meets(made.constraints, {"path": "/home/ana/notes/other.txt"})
    assert not grants.meets(made.constraints, {"path": "/home/ana/other.txt"})
    assert not grants.meets(made.constraints, {"path": "/home/ana/notes/x", "mode": 1})


def test_decisions_module_refuses_a_question_that_has_gone():
    with pytest.raises(decisions.RefusedError) as refused:
        decisions.question({"id": "aaaaaaaa", "digest": "x"})
    assert refused.value.status == 404
