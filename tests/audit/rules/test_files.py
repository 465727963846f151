"""Rules about the files of this machine: who may change what a client starts, and whether it is there."""

from __future__ import annotations

import os

import pytest

from stdioguard.audit.interface import Level
from tests.audit.looked import found, machine, placed, servers

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")
OTHER = 65534


@pytest.fixture
def tool(tmp_path):
    """A program in a folder of its own."""
    program = tmp_path / "tools" / "server"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    return program


def test_a_program_that_only_its_owner_can_change_is_fine(tmp_path, tool):
    assert found("writable-program", placed(tmp_path, servers(one=[str(tool)]))) == []


def test_a_program_that_everybody_can_change_is_found_and_the_fix_takes_that_right_alone(tmp_path, tool):
    tool.chmod(0o757)
    (finding,) = found("writable-program", placed(tmp_path, servers(one=[str(tool), "x"])))
    assert finding.severity == Level.HIGH
    assert str(tool) in finding.message
    assert finding.path == ("mcpServers", "one", "command")
    assert (finding.fix.kind, finding.fix.target, finding.fix.mode) == ("chmod", str(tool), 0o755)


def test_a_folder_on_the_way_is_as_good_as_the_program(tmp_path, tool):
    tool.parent.chmod(0o777)
    (finding,) = found("writable-program", placed(tmp_path, servers(one=[str(tool)])))
    assert f"{tool.parent} can be changed by every user" in finding.message
    assert f"on the way to {tool}" in finding.message


def test_one_open_folder_is_told_once_for_all_servers_in_it(tmp_path, tool):
    tool.parent.chmod(0o777)
    (finding,) = found(
        "writable-program", placed(tmp_path, servers(one=[str(tool)], two=[str(tool), "2"], three=[str(tool), "3"]))
    )
    assert (finding.entry, finding.related) == ("one", ("two", "three"))


def test_a_sticky_folder_lets_nobody_replace_what_is_in_it(tmp_path, tool):
    tool.parent.chmod(0o1777)
    assert found("writable-program", placed(tmp_path, servers(one=[str(tool)]))) == []


def test_a_script_and_the_program_that_a_link_leads_to_are_looked_at(tmp_path, tool):
    script = tmp_path / "server.py"
    script.write_text("")
    script.chmod(0o666)
    link = tmp_path / "link"
    link.symlink_to(tool)
    tool.parent.chmod(0o777)
    places = found("writable-program", placed(tmp_path, servers(one=["python3", str(script)], two=[str(link)])))
    assert {str(script) in finding.message or str(tool.parent) in finding.message for finding in places} == {True}
    assert len(places) == 2


def test_the_interpreter_that_a_first_line_names_is_looked_at(tmp_path, tool):
    tool.chmod(0o777)
    script = tmp_path / "script"
    script.write_text(f"#!{tool} -x\n")
    script.chmod(0o755)
    (finding,) = found("writable-program", placed(tmp_path, servers(one=[str(script)])))
    assert "its interpreter" in finding.message


def test_the_folder_that_an_installed_package_is_in_is_looked_at(tmp_path):
    script = tmp_path / "node_modules" / "@scope" / "server" / "dist" / "index.js"
    script.parent.mkdir(parents=True)
    script.write_text("")
    entry = placed(tmp_path, servers(one=["node", str(script)]))
    assert found("writable-program", entry) == []
    (tmp_path / "node_modules").chmod(0o777)
    assert str(tmp_path / "node_modules") in found("writable-program", entry)[0].message


def test_the_packages_of_a_virtual_environment_are_looked_at(tmp_path):
    packages = tmp_path / "venv" / "lib" / "python3.11" / "site-packages"
    packages.mkdir(parents=True)
    (tmp_path / "venv" / "pyvenv.cfg").write_text("")
    program = tmp_path / "venv" / "bin" / "server"
    program.parent.mkdir()
    program.write_text("")
    program.chmod(0o755)
    entry = placed(tmp_path, servers(one=[str(program)]))
    assert found("writable-program", entry) == []
    packages.chmod(0o777)
    assert str(packages) in found("writable-program", entry)[0].message


def test_files_of_another_machine_are_not_looked_at(tmp_path, tool):
    tool.chmod(0o777)
    assert found("writable-program", placed(tmp_path, servers(one=[str(tool)])), on=machine(here=False)) == []


def test_what_a_client_fills_in_is_not_guessed(tmp_path):
    entries = servers(one=["${workspaceFolder}/server"], two=["node", "$HOME/server.js"], three=["%APPDATA%\\x.exe"])
    for slug in ("writable-program", "missing-program", "setuid-program"):
        assert found(slug, placed(tmp_path, entries)) == []


@as_root
def test_a_program_of_another_user_is_found(tmp_path, tool):
    os.chown(tool, OTHER, OTHER)
    (finding,) = found("writable-program", placed(tmp_path, servers(one=[str(tool)])))
    assert "belongs to" in finding.message
    assert finding.fix is None


@pytest.mark.parametrize(("mode", "bits"), [(0o4755, "setuid"), (0o2755, "setgid"), (0o6755, "setuid and setgid")])
def test_a_setuid_program_is_found(tmp_path, tool, mode, bits):
    tool.chmod(mode)
    (finding,) = found("setuid-program", placed(tmp_path, servers(one=[str(tool)])))
    assert f"is {bits}:" in finding.message


def test_bits_that_do_nothing_are_no_finding(tmp_path, tool):
    tool.chmod(0o4644)
    assert found("setuid-program", placed(tmp_path, servers(one=[str(tool)]))) == []
    tool.chmod(0o755)
    assert found("setuid-program", placed(tmp_path, servers(one=[str(tool)]))) == []


@pytest.mark.parametrize(
    "words",
    [
        ["/tmp/server"], ["/private/tmp/x/server"], ["/var/tmp/server"], ["/dev/shm/s"], ["node", "/tmp/x/index.js"],
        ["/home/ana/Downloads/server"], ["python3", "/Users/ana/Downloads/x/server.py"], ["C:\\Users\\ana\\AppData\\Local\\Temp\\s.exe"],
        ["env", "A=B", "/tmp/server"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_a_program_in_a_temporary_or_download_folder_is_found_once(tmp_path, words):
    assert len(found("temporary-program", placed(tmp_path, servers(one=words)))) == 1


@pytest.mark.parametrize(
    "words",
    [
        ["/usr/bin/server"], ["/home/ana/tmp/server"], ["/opt/tmpl/server"], ["/home/ana/code/Downloads/server"],
        ["npx", "-y", "@modelcontextprotocol/server-filesystem", "/tmp/work"], ["node", "/srv/index.js", "--out", "/tmp/x"],
        ["server", "/home/ana/Downloads"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_a_temporary_folder_as_an_argument_is_fine(tmp_path, words):
    assert found("temporary-program", placed(tmp_path, servers(one=words))) == []


def test_a_program_that_is_gone_is_found(tmp_path):
    (finding,) = found("missing-program", placed(tmp_path, servers(one=[str(tmp_path / "gone")])))
    assert (finding.severity, finding.message) == (Level.LOW, f"its program {tmp_path}/gone is not there")


def test_a_place_that_others_can_take_is_worse_than_an_empty_one(tmp_path):
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o1777)
    (finding,) = found("missing-program", placed(tmp_path, servers(one=["python3", str(tmp_path / "open" / "server.py")])))
    assert finding.severity == Level.HIGH
    assert "others can put one there" in finding.message


def test_what_is_there_what_is_off_and_what_is_looked_for_by_name_is_not_missing(tmp_path, tool):
    entries = servers(
        one=[str(tool)], two=["surely-no-such-program"], three={"command": str(tmp_path / "gone"), "disabled": True}
    )
    assert found("missing-program", placed(tmp_path, entries)) == []


def test_a_projects_file_is_for_other_machines_too(tmp_path):
    entry = placed(tmp_path, servers(one=[str(tmp_path / "gone")]), name=".mcp.json", level="project")
    assert found("missing-program", entry) == []


def test_a_config_that_others_can_change_is_found(tmp_path):
    place = placed(tmp_path, servers())
    assert found("writable-config", place) == []
    os.chmod(place.path, 0o666)
    (finding,) = found("writable-config", place)
    assert (finding.severity, finding.fix.mode, finding.fix.target) == (Level.HIGH, 0o644, place.path)


def test_a_config_in_a_folder_that_others_can_change_is_found(tmp_path):
    place = placed(tmp_path, servers(), name="open/mcp.json")
    (tmp_path / "open").chmod(0o777)
    (finding,) = found("writable-config", place)
    assert str(tmp_path / "open") in finding.message
    assert found("writable-config", place, on=machine(here=False)) == []


@as_root
def test_a_link_into_another_users_folder_is_found_and_told_once(tmp_path):
    theirs = tmp_path / "theirs.json"
    theirs.write_text("{}")
    os.chown(theirs, OTHER, OTHER)
    (tmp_path / ".claude.json").symlink_to(theirs)
    place = placed(tmp_path, None)
    (finding,) = found("foreign-config", place)
    assert str(theirs) in finding.message
    assert found("writable-config", place) == []


def test_a_link_to_a_file_of_ones_own_is_fine(tmp_path):
    (tmp_path / "dotfiles.json").write_text("{}")
    (tmp_path / ".claude.json").symlink_to(tmp_path / "dotfiles.json")
    assert found("foreign-config", placed(tmp_path, None)) == []


def test_an_open_folder_before_the_one_that_has_the_program_is_found(tmp_path, tool):
    early = tmp_path / "early"
    early.mkdir()
    path = f"{early}:{tool.parent}"
    place = placed(tmp_path, servers(one=["server"], two=["server", "again"]))
    assert found("unsafe-path-entry", place, on=machine(path=path)) == []
    early.chmod(0o1777)  # sticky: nobody's file can be replaced, but a new one wins
    (finding,) = found("unsafe-path-entry", place, on=machine(path=path))
    assert f"server is looked for in {early} first" in finding.message
    assert found("unsafe-path-entry", place, on=machine(path=f"{tool.parent}:{early}")) == []


def test_a_program_with_a_path_is_looked_for_nowhere_else(tmp_path, tool):
    (tmp_path / "early").mkdir(mode=0o777)
    (tmp_path / "early").chmod(0o777)
    assert found("unsafe-path-entry", placed(tmp_path, servers(one=[str(tool)])), on=machine(path=f"{tmp_path}/early")) == []


@pytest.mark.parametrize(
    ("path", "count"), [(".:/usr/bin", 1), ("/usr/bin:", 1), ("./bin:/usr/bin", 1), ("/usr/bin:/bin", 0), ("${PATH}:/x", 0)]
)
def test_a_relative_folder_in_an_entrys_own_path_is_found(tmp_path, path, count):
    place = placed(tmp_path, servers(one={"command": "/bin/true", "env": {"PATH": path}}))
    findings = found("unsafe-path-entry", place, on=machine(here=False))
    assert len(findings) == count
    assert all(finding.path == ("mcpServers", "one", "env", "PATH") for finding in findings)
