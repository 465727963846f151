"""Rules about servers that are running: on a made-up table of processes, and once on the real one."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import psutil
import pytest

from stdioguard.audit.interface import Level
from stdioguard.audit.machine import Machine, Process
from tests.audit.looked import found, machine, placed, servers

NPX = ["npx", "-y", "@modelcontextprotocol/server-everything@2026.1.2"]
RUN = ["/usr/bin/node", "/usr/bin/npx", *NPX[1:]]
GUARD = ["/home/ana/.config/stdioguard/bin/stdioguard", "run", "--server", "one", "--profile", "default", "--"]
INIT = Process(1, 0, 0, "systemd", ("/sbin/init",))
CLIENT = Process(10, 1, 1000, "claude", ("claude",))


def process(pid, argv, parent=10, uid=1000, listens=(), name="node"):
    return Process(pid, parent, uid, name, tuple(argv), tuple(listens))


def test_a_server_that_runs_without_a_guard_is_found_whatever_the_kernel_put_before_it(tmp_path):
    place = placed(tmp_path, servers(one=NPX, two=["mcp-server-time", "--x"]))
    on = machine(INIT, CLIENT, process(20, RUN), process(21, ["/home/ana/bin/mcp-server-time", "--x"]))
    findings = found("running-unguarded", place, on=on)
    assert [(finding.entry, finding.severity) for finding in findings] == [("one", Level.INFO), ("two", Level.INFO)]


def test_a_server_behind_a_guard_is_fine(tmp_path):
    place = placed(tmp_path, servers(one=[*GUARD, *NPX]))
    guard = process(20, ["/usr/bin/python3", "-I", "-m", "stdioguard", *GUARD[1:], *NPX])
    on = machine(INIT, CLIENT, guard, process(21, ["init"], 20), process(22, RUN, 21))
    assert found("running-unguarded", place, on=on) == []


def test_a_wrapped_entrys_server_without_the_guard_is_one_that_was_not_restarted(tmp_path):
    place = placed(tmp_path, servers(one=[*GUARD, *NPX]))
    (finding,) = found("running-unguarded", place, on=machine(INIT, CLIENT, process(20, RUN)))
    assert (finding.severity, finding.advice) == (Level.MEDIUM, "Restart the client.")


def test_a_server_that_no_configuration_has_is_found_below_a_client_only(tmp_path):
    words = ["/usr/bin/node", "/home/ana/.npm/_npx/1/node_modules/@acme/notes-mcp/dist/index.js"]
    place = placed(tmp_path, servers())
    (finding,) = found("running-unguarded", place, on=machine(INIT, CLIENT, process(20, words)))
    assert "npm:@acme/notes-mcp (process 20)" in finding.message
    assert found("running-unguarded", place, on=machine(INIT, process(20, words, parent=1))) == []
    assert (
        found("running-unguarded", place, on=machine(INIT, CLIENT, process(20, ["node", "/x/node_modules/eslint/bin.js"]))) == []
    )


def test_a_launcher_and_what_it_started_are_one_server(tmp_path):
    place = placed(tmp_path, servers(one=NPX))
    again = process(21, ["node", "/x/node_modules/@modelcontextprotocol/server-everything/dist/index.js"], 20)
    assert len(found("running-unguarded", place, on=machine(INIT, CLIENT, process(20, RUN), again))) == 1


@pytest.mark.parametrize("argv", [["npx", "-y", "other"], [*RUN, "more"], NPX[:2], ["vim", NPX[2]]], ids=" ".join)
def test_another_command_line_is_another_program(tmp_path, argv):
    assert found("running-unguarded", placed(tmp_path, servers(one=NPX)), on=machine(INIT, CLIENT, process(20, argv))) == []


def test_processes_that_are_each_others_parents_end_no_audit_in_a_circle(tmp_path):
    place = placed(tmp_path, servers(one=NPX))
    on = machine(process(20, RUN, parent=21), process(21, ["x"], parent=20))
    assert len(found("running-unguarded", place, on=on)) == 1
    assert found("public-listener", place, on=on) == []


def test_a_server_of_roots_is_found_the_worse_if_its_client_is_not(tmp_path):
    place = placed(tmp_path, servers(one=NPX))
    (plain,) = found("running-as-root", place, on=machine(INIT, process(10, ["claude"], 1, 0), process(20, RUN, uid=0)))
    (gained,) = found("running-as-root", place, on=machine(INIT, CLIENT, process(20, RUN, uid=0)))
    assert (plain.severity, gained.severity) == (Level.MEDIUM, Level.HIGH)
    assert found("running-as-root", place, on=machine(INIT, CLIENT, process(20, RUN))) == []


@pytest.mark.parametrize(
    ("listens", "at"),
    [
        ([("0.0.0.0", 8080)], "0.0.0.0:8080"), ([("::", 8080)], "[::]:8080"), ([("192.168.1.5", 80)], "192.168.1.5:80"),
        ([("127.0.0.1", 1)], None), ([("::1", 1)], None), ([], None), ([("fe80::1%eth0", 5)], "[fe80::1%eth0]:5"),
    ],
    ids=str,
)  # fmt: skip
def test_a_server_that_other_machines_reach_is_found_also_by_what_it_has_started(tmp_path, listens, at):
    place = placed(tmp_path, servers(one=NPX))
    on = machine(INIT, CLIENT, process(20, RUN), process(21, ["chrome"], 20), process(22, ["worker"], 21, listens=listens))
    findings = found("public-listener", place, on=on)
    assert [finding.message.rpartition(" ")[2] for finding in findings] == ([at] if at else [])


def test_another_programs_port_is_not_the_servers(tmp_path):
    other = process(30, ["nginx", "-g"], 1, listens=[("0.0.0.0", 80)])
    assert found("public-listener", placed(tmp_path, servers(one=NPX)), on=machine(INIT, CLIENT, process(20, RUN), other)) == []


def test_a_server_that_the_system_has_adopted_is_found(tmp_path):
    place = placed(tmp_path, servers(one=NPX))
    session = Process(5, 1, 1000, "systemd", ("/usr/lib/systemd/systemd", "--user"))
    (finding,) = found("orphaned-server", place, on=machine(INIT, process(20, RUN, 1)))
    assert (finding.severity, finding.confidence) == (Level.LOW, Level.HIGH)
    (finding,) = found("orphaned-server", place, on=machine(INIT, session, process(20, RUN, 5)))
    assert finding.confidence == Level.MEDIUM
    assert found("orphaned-server", place, on=machine(INIT, CLIENT, process(20, RUN))) == []


def test_a_client_that_is_process_one_of_a_container_is_no_orphanage(tmp_path):
    client = Process(1, 0, 1000, "claude", ("claude",))
    assert found("orphaned-server", placed(tmp_path, servers(one=NPX)), on=machine(client, process(20, RUN, 1))) == []


def test_two_versions_at_once_are_found(tmp_path):
    old = [*NPX[:2], "@modelcontextprotocol/server-everything@2025.1.1"]
    place = placed(tmp_path, servers(one=NPX, two=old))
    (finding,) = found("several-versions", place, on=machine(INIT, CLIENT, process(20, RUN), process(21, [*RUN[:3], old[2]])))
    assert "2025.1.1, 2026.1.2" in finding.message
    assert found("several-versions", place, on=machine(INIT, CLIENT, process(20, RUN), process(21, RUN))) == []


def test_nothing_is_asked_of_the_machine_about_files_that_are_not_its_own():
    assert Machine(is_here=False).processes() == {}


@pytest.mark.skipif(sys.platform != "linux", reason="another user's sockets are shown to root alone elsewhere")
def test_a_real_process_and_its_port_are_seen(tmp_path):
    script = tmp_path / "server.py"
    script.write_text(
        "import socket, sys\ns = socket.create_server(('127.0.0.1', 0))\nprint(s.getsockname()[1], flush=True)\nsys.stdin.read()\n"
    )
    words = [sys.executable, str(script)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        port = int(child.stdout.readline())
        seen = Machine().processes()[child.pid]
        assert (seen.parent, seen.uid, seen.argv) == (os.getpid(), os.geteuid(), tuple(words))
        assert seen.listens == (("127.0.0.1", port),)
        assert found("running-unguarded", placed(tmp_path, servers(one=words)), on=Machine())
        child.stdin.close()


def test_a_machine_that_hides_its_sockets_and_processes_makes_no_noise(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise psutil.AccessDenied

    monkeypatch.setattr(psutil, "net_connections", refuse)
    monkeypatch.setattr(psutil.Process, "cmdline", refuse)
    monkeypatch.setattr(socket, "socket", refuse)
    assert Machine().processes() == {}
    assert found("running-unguarded", placed(tmp_path, servers(one=NPX)), on=Machine()) == []
