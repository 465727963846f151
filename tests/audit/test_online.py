"""What `audit --online` sends, and what it makes of the answers: held against a server on this machine only."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from click.testing import CliRunner

from stdioguard.audit import online
from stdioguard.audit.interface import Level
from stdioguard.cli.audit import audit

ADVISORY = {
    "id": "GHSA-aaaa-bbbb-cccc", "aliases": ["CVE-2030-1"], "summary": "a tool's\narguments reach a shell",
    "database_specific": {"severity": "MODERATE"},
    "affected": [{"package": {"ecosystem": "npm", "name": "notes-mcp"},
                  "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}, {"fixed": "0.9.0"}, {"introduced": "1.0.0"}, {"fixed": "1.2.4"}]}]}],
}  # fmt: skip


class Osv:
    """What OSV would answer, and what it was asked."""

    def __init__(self):
        self.asked = []
        self.vulns = {"notes-mcp": ["GHSA-aaaa-bbbb-cccc"]}
        self.details = {"GHSA-aaaa-bbbb-cccc": ADVISORY}
        self.answer = None
        self.status = 200
        self.headers = {}

    def respond(self, path, body):
        self.asked.append((path, body))
        if self.answer is not None:
            return self.answer
        if path == "/v1/querybatch":
            results = [
                {"vulns": [{"id": one} for one in self.vulns.get(query["package"]["name"], [])]}
                for query in json.loads(body)["queries"]
            ]
            return json.dumps({"results": results}).encode()
        return json.dumps(self.details.get(path.removeprefix("/v1/vulns/"), {})).encode()


@pytest.fixture
def osv():
    state = Osv()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            answer = state.respond(self.path, body.decode())
            self.send_response(state.status)
            for name, value in state.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer)

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        state.address = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield state
        server.shutdown()
        thread.join()


def run(tmp_path, servers, address, *options):
    file = tmp_path / "mcp.json"
    file.write_text(json.dumps({"mcpServers": servers}))
    outcome = CliRunner().invoke(audit, ["--format", "json", "--online", "--osv", address, *options, str(file)])
    return outcome, json.loads(outcome.stdout)["findings"]


NOTES = {
    "command": "npx",
    "args": ["-y", "notes-mcp@1.2.3", "--token", "gh" + "p_" + "n4Jk7Qw2Zp9Xv5Rt8Ly1Cb6Md3Hs0Fg2Ka7E", "/home/ana/secret"],
}


def test_an_advisory_that_the_snapshot_does_not_have_is_found(osv, tmp_path):
    outcome, findings = run(tmp_path, {"my notes": NOTES}, osv.address)
    (finding,) = [one for one in findings if one["rule"] == "vulnerable-package"]
    assert finding["message"] == "notes-mcp 1.2.3 has GHSA-aaaa-bbbb-cccc: a tool's arguments reach a shell"
    assert finding["advice"] == "Use 1.2.4 or later."
    assert finding["severity"] == str(Level.MEDIUM)
    assert finding["path"][-2:] == ["args", 1]
    assert outcome.exit_code == 1


def test_names_and_versions_of_packages_are_sent_and_nothing_else(osv, tmp_path):
    servers = {
        "my notes": NOTES, "git": {"command": "uvx", "args": ["mcp-server-git==2026.10.19", "--repository", "/home/ana"]},
        "unpinned": {"command": "npx", "args": ["-y", "free-mcp"]}, "remote": {"url": "https://x.example/mcp?api_key=abcdefgh12345"},
        "private": {"command": "npx", "args": ["-y", "--registry", "https://npm.example.com", "acme-mcp@1.0.0"]},
        "local": {"command": "node", "args": ["/home/ana/server.js"]}, "image": {"command": "docker", "args": ["run", "a/b:1.2.3"]},
    }  # fmt: skip
    run(tmp_path, servers, osv.address)
    (path, body), *rest = osv.asked
    assert path == "/v1/querybatch"
    assert json.loads(body) == {
        "queries": [
            {"package": {"ecosystem": "npm", "name": "notes-mcp"}, "version": "1.2.3"},
            {"package": {"ecosystem": "PyPI", "name": "mcp-server-git"}, "version": "2026.10.19"},
        ]
    }
    assert rest == [("/v1/vulns/GHSA-aaaa-bbbb-cccc", "")]


def test_nothing_is_sent_without_online_or_where_there_is_nothing_to_ask(osv, tmp_path):
    file = tmp_path / "mcp.json"
    file.write_text(json.dumps({"mcpServers": {"notes": NOTES}}))
    CliRunner().invoke(audit, ["--osv", osv.address, str(file)])
    run(tmp_path, {"unpinned": {"command": "npx", "args": ["-y", "free-mcp"]}}, osv.address)
    assert osv.asked == []


def test_what_the_snapshot_says_is_not_said_twice(osv, tmp_path):
    osv.vulns = {"mcp-remote": ["GHSA-6xpm-ggf7-wc3p"]}
    _, findings = run(tmp_path, {"r": {"command": "npx", "args": ["-y", "mcp-remote@0.1.15", "https://x.example"]}}, osv.address)
    (finding,) = [one for one in findings if one["rule"] == "vulnerable-package"]
    assert "CVE-2025-6514" in finding["message"]


def test_malware_and_withdrawn_advisories_are_what_they_are(osv, tmp_path):
    osv.vulns = {"notes-mcp": ["MAL-2030-1", "GHSA-gone-gone-gone"]}
    osv.details = {
        "MAL-2030-1": {"summary": "Malicious code"},
        "GHSA-gone-gone-gone": {**ADVISORY, "withdrawn": "2030-01-01T00:00:00Z"},
    }
    _, findings = run(tmp_path, {"notes": NOTES}, osv.address)
    assert [one["rule"] for one in findings if one["severity"] == "high"] == ["malicious-package"]
    assert not [one for one in findings if "gone" in one["message"]]


@pytest.mark.parametrize(
    "answer",
    [b"", b"<html>", b"[]", b"{}", b'{"results": 1}', b'{"results": []}', b"\xff", b"[" * 100_000, b'{"results": [1, 2, 3]}'],
)  # fmt: skip
def test_an_answer_of_something_else_is_one_line_and_the_report_is_there(osv, tmp_path, answer):
    osv.answer = answer
    outcome, findings = run(tmp_path, {"notes": {"command": "npx", "args": ["-y", "notes-mcp@1.2.3"]}}, osv.address)
    assert findings == []
    assert outcome.stderr.count("\n") == 1
    assert "something else than OSV" in outcome.stderr
    assert outcome.exit_code == 78


@pytest.mark.parametrize(
    "result", [None, 1, [], {}, {"vulns": None}, {"vulns": [None, 1, {}, {"id": 3}, {"id": "../../x"}, {"id": ""}]}]
)
def test_rows_that_make_no_sense_are_left_out(osv, tmp_path, result):
    osv.answer = json.dumps({"results": [result]}).encode()
    outcome, findings = run(tmp_path, {"notes": {"command": "npx", "args": ["-y", "notes-mcp@1.2.3"]}}, osv.address)
    assert (findings, outcome.exit_code) == ([], 0)


@pytest.mark.parametrize(
    "detail", [{}, {"affected": 1, "aliases": 3, "summary": 4}, {"affected": [{"package": 1, "ranges": [{"events": [1]}]}]}]
)
def test_an_advisory_without_sense_is_told_by_its_name(osv, tmp_path, detail):
    osv.details = {"GHSA-aaaa-bbbb-cccc": detail}
    _, findings = run(tmp_path, {"notes": {"command": "npx", "args": ["-y", "notes-mcp@1.2.3"]}}, osv.address)
    assert [one["message"] for one in findings] == ["notes-mcp 1.2.3 has GHSA-aaaa-bbbb-cccc: see the advisory"]


def test_a_redirection_is_not_followed(osv, tmp_path):
    osv.status, osv.headers = 307, {"Location": "http://127.0.0.1:1/elsewhere"}
    outcome, _ = run(tmp_path, {"notes": NOTES}, osv.address)
    assert "127.0.0.1 answered 307" in outcome.stderr
    assert len(osv.asked) == 1


@pytest.mark.parametrize(("status", "said"), [(500, "answered 500"), (429, "answered 429"), (404, "answered 404")])
def test_an_error_of_osvs_is_one_line(osv, tmp_path, status, said):
    osv.status = status
    outcome, _ = run(tmp_path, {"notes": NOTES}, osv.address, "--fail-on", "never")
    assert said in outcome.stderr
    assert outcome.stderr.count("\n") == 1
    assert outcome.exit_code == 78


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("http://127.0.0.1:1", "cannot be asked"), ("http://osv.example.com", "no https address"), ("file:///etc/passwd", "no https address"),
        ("ftp://127.0.0.1", "no https address"), ("nonsense", "no https address"), ("https://", "no https address"), ("http://[", "is none"),
    ],
)  # fmt: skip
def test_an_address_that_is_none_or_does_not_answer_is_one_line(tmp_path, address, said):
    outcome, _ = run(tmp_path, {"notes": NOTES}, address, "--fail-on", "never")
    assert said in outcome.stderr
    assert outcome.stderr.count("\n") == 1
    assert outcome.exit_code == 78


def test_what_would_be_sent_can_be_listed():
    assert online.sent([]) == []
