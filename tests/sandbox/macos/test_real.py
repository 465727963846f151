"""The real thing: `/usr/bin/sandbox-exec` with generated profiles, on a Mac.

The same table as by the evaluator, each act in its own process under its own profile. A refused attack has to leave the world as it was;
that it works where nothing guards is held by `tests/sandbox/test_table.py` and, for the spellings, here.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from pathlib import Path

import pytest

from stdioguard.sandbox import protected
from stdioguard.sandbox.macos import launch
from stdioguard.sandbox.plan import Plan
from tests.sandbox import cases, table
from tests.sandbox.cases import Act
from tests.sandbox.macos import plans, test_generated

REQUIRED = "STDIOGUARD_REAL_SANDBOX"
"""Set where a Mac is what the tests are for, so that they cannot be left out in silence."""

if sys.platform != "darwin" and not os.environ.get(REQUIRED):
    pytest.skip(f"sandbox-exec is part of macOS, and this is {sys.platform}", allow_module_level=True)

CASES = [case for case in cases.CASES if "macos" in case.where]


def sandboxed(plan: Plan, arguments: list[str]) -> list[str]:
    return launch.command(plan, [plan.program, *arguments])


def plan(at: dict[str, str], **changes: object) -> Plan:
    return plans.plan(at, **{"runtime": [at["RUNTIME"], *table.RUNTIME], **changes})


def refused(said: str) -> bool:
    # EPERM is what Seatbelt answers; anything else was not its doing.
    return said == "refused 1"


def test_this_is_a_mac_with_its_sandbox() -> None:
    assert launch.problem() is None


def test_an_interpreter_starts() -> None:
    with table.world() as at:
        done = subprocess.run(
            sandboxed(plan(at), ["-I", "-S", "-c", "print('started')"]),
            capture_output=True,
            text=True,
            timeout=60,
            cwd=at["PROJECT"],
        )
        assert (done.returncode, done.stdout) == (0, "started\n"), done.stderr


def test_the_profile_of_all_that_is_protected_by_default_is_read() -> None:
    with table.world() as at:
        everything = plan(at, protected=protected.patterns(at["BASE"], [f"{at['BASE']}/stdioguard"], {}))
        done = subprocess.run(
            sandboxed(everything, ["-I", "-S", "-c", "print('started')"]),
            capture_output=True,
            text=True,
            timeout=60,
            cwd=at["PROJECT"],
        )
        assert (done.returncode, done.stdout) == (0, "started\n"), done.stderr


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_the_attack_is_refused_and_the_honest_act_is_not(case: cases.Case) -> None:
    with table.world() as at:
        before = table.snapshot(at)
        said = table.do(sandboxed(plan(at), table.arguments(case.attack.at(at))), at)
        assert refused(said), f"{case.attack}: {said}"
        assert table.snapshot(at) == before
        said = table.do(sandboxed(plan(at), table.arguments(case.honest.at(at))), at)
        assert said == "done", f"{case.honest}: {said}"


# A clone or a mapping takes more than an interpreter, and `/tmp/x` and what belongs to the system is not for a test to touch.
SPELLINGS = [
    pair
    for pair in test_generated.SPELLINGS
    if all(act.kind not in ("clone", "map", "exec") and "/ann/" in act.path.casefold() for act in pair)
]


@pytest.mark.parametrize(
    ("attack", "honest"), SPELLINGS, ids=[ascii(f"{attack.kind} {attack.path} {attack.to}") for attack, _ in SPELLINGS]
)
def test_a_name_is_the_name_however_it_is_spelled(attack: Act, honest: Act) -> None:
    with table.world() as at:
        here = [Act(act.kind, _moved(act.path, at), _moved(act.to, at)) for act in (attack, honest)]
        before = table.snapshot(at)
        said = table.do(sandboxed(plan(at), table.arguments(here[0])), at)
        assert refused(said), said
        assert table.snapshot(at) == before
        assert table.do(sandboxed(plan(at), table.arguments(here[1])), at) == "done"
    with table.world() as at:
        control = Act(attack.kind, _moved(attack.path, at), _moved(attack.to, at))
        assert table.do([table.PYTHON, *table.arguments(control)], at) == "done"


def _moved(path: str, at: dict[str, str]) -> str:
    return path.replace("/Users/ann", at["BASE"]).replace("/users/ANN", at["BASE"].upper())


@pytest.mark.parametrize("name", cases.NASTY_NAMES)
def test_a_granted_folder_is_that_folder_whatever_its_name_says(name: str) -> None:
    with table.world({f"{{BASE}}/granted/{name}/file": "x", f"{{BASE}}/granted/{name}/.git/config": ""}) as at:
        folder = f"{at['BASE']}/granted/{name}"
        granted = plan(at, write=[folder], cwd=at["STATE"])
        for act, works in (
            (Act("read", f"{folder}/file"), True),
            (Act("create", f"{folder}/new"), True),
            (Act("write", f"{folder}/.git/config"), False),
            (Act("read", f"{at['BASE']}/.ssh/id_ed25519"), False),
            (Act("write", f"{at['BASE']}/.zshrc"), False),
        ):
            said = table.do(sandboxed(granted, table.arguments(act)), at)
            assert said == "done" if works else refused(said), (act, said)


@pytest.mark.parametrize(("pattern", "covered", "other"), cases.PATTERNS)
def test_a_pattern_covers_what_it_says(pattern: str, covered: str, other: str) -> None:
    with table.world() as at:
        for name in (covered, other):
            Path(at["PROJECT"], name).parent.mkdir(parents=True, exist_ok=True)
        denied = plan(at, deny=[pattern.format_map(at) if "{PROJECT}" in pattern else pattern], protected=[])
        said = table.do(sandboxed(denied, table.arguments(Act("create", f"{at['PROJECT']}/{covered}"))), at)
        assert refused(said), said
        assert table.do(sandboxed(denied, table.arguments(Act("create", f"{at['PROJECT']}/{other}"))), at) == "done"


# What ordinary servers do has to go on working. The standard library is all that these use.
ORDINARY = {
    "who am I": "import os, pwd; assert pwd.getpwuid(os.getuid()).pw_name",
    "where am I": "import os; assert os.getcwd()",
    "a temporary file": "import tempfile; tempfile.NamedTemporaryFile().write(b'x')",
    "a database": "import os, sqlite3; c = sqlite3.connect(os.environ['HOME'] + '/db'); c.execute('create table t(x)'); c.commit()",
    "an event loop": "import asyncio; asyncio.run(asyncio.sleep(0))",
    "a child": "import subprocess, sys; assert subprocess.check_output([sys.executable, '-I', '-S', '-c', 'print(1)']) == b'1\\n'",
    "ending a child": "import subprocess, sys; c = subprocess.Popen([sys.executable, '-I', '-S', '-c', 'import time; time.sleep(60)']); c.terminate(); c.wait()",
    "a semaphore": "import multiprocessing; multiprocessing.get_context('fork').Lock()",
    "shared memory": "from multiprocessing import shared_memory as s; m = s.SharedMemory(create=True, size=16); m.close(); m.unlink()",
    "a thread": "import threading; t = threading.Thread(target=print); t.start(); t.join()",
    "the time zone": "import time; time.localtime(); time.tzset()",
    "random bytes": "import os; os.urandom(8); open('/dev/urandom', 'rb').read(1)",
    "nothing": "open('/dev/null', 'w').write('x')",
    "certificates": "import ssl; ssl.create_default_context()",
    "processors": "import os; assert os.cpu_count()",
}

# What reaches others, each with what would have to be true for it to have worked.
PARENT = "import os; parent = os.getppid(); "
REACHING = {
    "signal the guard": PARENT + "os.kill(parent, 0)",
    "read the guard's environment": PARENT
    + "import ctypes; lib = ctypes.CDLL(None, use_errno=True); size = ctypes.c_size_t(1 << 20); text = ctypes.create_string_buffer(1 << 20); "
    "mib = (ctypes.c_int * 3)(1, 49, parent); r = lib.sysctl(mib, 3, text, ctypes.byref(size), None, 0); "
    "assert r == 0, OSError(ctypes.get_errno(), 'sysctl')",
    "look at the guard": PARENT
    + "import ctypes; lib = ctypes.CDLL(None, use_errno=True); text = ctypes.create_string_buffer(4096); "
    "assert lib.proc_pidpath(parent, text, 4096) > 0",
    "list processes": "import ctypes; lib = ctypes.CDLL(None, use_errno=True); text = ctypes.create_string_buffer(1 << 16); "
    "assert lib.proc_listallpids(text, 1 << 16) > 1",
    "shared memory of a name": "from multiprocessing import shared_memory as s; m = s.SharedMemory('sgother', create=True, size=16); m.close(); m.unlink()",
    "the resolver": "import socket; socket.socket(socket.AF_UNIX).connect('/var/run/mDNSResponder')",
    "a raw look at routes": "import socket; socket.socket(17, socket.SOCK_RAW, 0)",
    "an Apple service": "import ctypes; lib = ctypes.CDLL(None); port = ctypes.c_uint(); bootstrap = ctypes.c_uint.in_dll(lib, 'bootstrap_port'); "
    "assert lib.bootstrap_look_up(bootstrap, b'com.apple.SecurityServer', ctypes.byref(port)) == 0",
    "the clipboard": "import ctypes; lib = ctypes.CDLL(None); port = ctypes.c_uint(); bootstrap = ctypes.c_uint.in_dll(lib, 'bootstrap_port'); "
    "assert lib.bootstrap_look_up(bootstrap, b'com.apple.pasteboard.1', ctypes.byref(port)) == 0",
}


def _run(command: list[str], at: dict[str, str]) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": "/usr/bin:/bin", "HOME": at["STATE"], "TMPDIR": at["TMP"]}
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, cwd=at["PROJECT"], env=environment, stdin=subprocess.DEVNULL
    )


@pytest.mark.parametrize("name", ORDINARY)
def test_ordinary_programs_work(name: str) -> None:
    with table.world() as at:
        done = _run(sandboxed(plan(at), ["-I", "-c", ORDINARY[name]]), at)
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", REACHING)
def test_nothing_beyond_files_is_reached(name: str) -> None:
    with table.world() as at:
        control = _run([table.PYTHON, "-I", "-c", REACHING[name]], at)
        done = _run(sandboxed(plan(at), ["-I", "-c", REACHING[name]]), at)
    if control.returncode != 0:
        pytest.skip(f"it does not work without a sandbox either: {control.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 1, done.stderr
    assert "Error" in done.stderr


def test_a_set_user_id_program_is_not_executed_though_it_is_granted() -> None:
    program = "/bin/ps"
    if not os.stat(program).st_mode & 0o4000:
        pytest.skip("this system's ps is not set-user-id")
    with table.world() as at:
        act = Act("exec", program, "-A")
        assert table.do([table.PYTHON, *table.arguments(act)], at) == "done"
        assert refused(table.do(sandboxed(plan(at, runtime=[at["RUNTIME"], *table.RUNTIME, program]), table.arguments(act)), at))


def test_a_folder_is_not_cloned_with_what_is_in_it() -> None:
    clone = "import ctypes, sys; lib = ctypes.CDLL(None, use_errno=True); r = lib.clonefile(sys.argv[1].encode(), sys.argv[2].encode(), 0); sys.exit(r != 0)"
    with table.world() as at:
        source, target = f"{at['READONLY']}/repository", f"{at['PROJECT']}/x"
        assert _run(sandboxed(plan(at), ["-I", "-S", "-c", clone, source, target]), at).returncode == 1
        assert not os.path.exists(target)
        assert _run([table.PYTHON, "-I", "-S", "-c", clone, source, target], at).returncode == 0
        assert os.path.exists(f"{target}/.git/hooks/pre-commit")


def test_a_long_profile_is_read_from_a_file(tmp_path: Path) -> None:
    with table.world() as at:
        many = [f"{at['BASE']}/docs/{'x' * 100}/{number}" for number in range(3000)]
        command = launch.command(
            plan(at, read=[at["READONLY"], *many]),
            [table.PYTHON, *table.arguments(Act("read", f"{at['READONLY']}/note.txt"))],
            str(tmp_path),
        )
        assert command[1] == "-f"
        assert table.do(command, at) == "done"


def test_the_sandbox_cannot_be_replaced_from_inside() -> None:
    code = (
        "import ctypes, sys; lib = ctypes.CDLL('/usr/lib/libSystem.B.dylib'); error = ctypes.c_char_p(); "
        "r = lib.sandbox_init(b'(version 1)(allow default)', ctypes.c_uint64(0), ctypes.byref(error)); "
        "open(sys.argv[1])"
    )
    with table.world() as at:
        key = f"{at['BASE']}/.ssh/id_ed25519"
        assert _run([table.PYTHON, "-I", "-S", "-c", code, key], at).returncode == 0
        assert "Operation not permitted" in _run(sandboxed(plan(at), ["-I", "-S", "-c", code, key]), at).stderr


def test_the_kernel_s_name_of_a_path() -> None:
    from stdioguard.sandbox.macos import paths

    with table.world() as at:
        for spelled in (at["BASE"], at["BASE"].removeprefix("/private"), f"/System/Volumes/Data{at['BASE']}"):
            assert paths.kernel_path(spelled) == at["BASE"]
            assert paths.kernel_path(f"{spelled}/new/one") == f"{at['BASE']}/new/one"
        assert ctypes.sizeof(ctypes.c_void_p) == 8
