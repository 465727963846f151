"""How sessions end, and that nothing is left behind: no process, no unanswered request, no dead-lock."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.launch.guarded import ALLOW_ALL, GUARD, INITIALIZE, PROBE, READY, Guarded, gone, shared

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc, which only Linux has")


@pytest.mark.parametrize("code", [0, 3, 77])
def test_the_exit_code_is_the_servers_own(tmp_path: Path, code: int) -> None:
    with Guarded(tmp_path) as guarded:
        guarded.open().start_call("exit", code=code)
        assert guarded.process.wait(10) == code


def test_a_server_killed_by_a_signal_exits_as_a_shell_would_say(tmp_path: Path) -> None:
    with Guarded(tmp_path) as guarded:
        guarded.open().start_call("die", signal=int(signal.SIGSEGV))
        assert guarded.process.wait(10) == 128 + signal.SIGSEGV


def test_a_call_in_flight_is_answered_when_the_server_dies(tmp_path: Path) -> None:
    with Guarded(tmp_path) as guarded:
        id_ = guarded.open().start_call("exit", code=1)
        answer = guarded.read()
        assert answer is not None
        assert answer["id"] == id_
        assert answer["error"]["data"]["rule"] == "session.ended"
        assert guarded.read() is None


def test_a_server_that_closes_its_output_ends_the_session(tmp_path: Path) -> None:
    with Guarded(tmp_path) as guarded:
        guarded.open().start_call("close_stdout")
        answer = guarded.read()
        assert answer is not None
        assert "error" in answer
        guarded.process.wait(10)


def test_half_closed_input_still_gets_its_answers(tmp_path: Path) -> None:
    with Guarded(tmp_path) as guarded:
        messages = [INITIALIZE, READY]
        messages += [
            {"jsonrpc": "2.0", "id": n, "method": "tools/call", "params": {"name": "sleep", "arguments": {"seconds": 0.3}}}
            for n in range(10, 14)
        ]
        guarded.write(*messages)
        guarded.stdin.close()
        answers = [guarded.read() for _ in range(5)]
        assert [answer["id"] for answer in answers if answer] == [1, 10, 11, 12, 13]
        assert guarded.process.wait(10) == 0


def test_an_idle_session_ends_at_once_when_the_client_closes_its_input(tmp_path: Path) -> None:
    with Guarded(tmp_path) as guarded:
        pid = guarded.open().status()["pid"]
        begun = time.monotonic()
        code, _ = guarded.finish()
        assert code == 0
        assert time.monotonic() - begun < 1.9, "SDK clients wait two seconds before they kill"
        assert gone(pid)


@pytest.mark.parametrize("how", ["close", "SIGTERM", "SIGINT", "SIGHUP", "vanish"])
def test_daemons_children_and_deaf_servers_go_with_the_session(tmp_path: Path, how: str) -> None:
    with Guarded(tmp_path) as guarded:
        pids = [guarded.open().status()["pid"]]
        pid_file = guarded.shared / "daemon"
        guarded.call("daemon", pid_file=str(pid_file))
        pids.append(guarded.host_pid(int(pid_file.read_text())))
        pids.append(guarded.host_pid(guarded.call("child")["result"]["structuredContent"]["pid"]))
        guarded.call("stubborn")
        assert not any(gone(pid, within=0.05) for pid in pids)
        if how == "close":
            guarded.stdin.close()
        elif how == "vanish":
            guarded.stdin.close()
            guarded.stdout.close()
        else:
            guarded.process.send_signal(getattr(signal, how))
        guarded.process.wait(10)
        assert all(gone(pid) for pid in pids)


def test_the_server_dies_with_a_guard_that_is_killed(tmp_path: Path) -> None:
    with Guarded(tmp_path) as guarded:
        pid = guarded.open().status()["pid"]
        guarded.call("stubborn")
        guarded.process.kill()
        assert gone(pid)


def test_ten_megabytes_come_through_whole(tmp_path: Path) -> None:
    with Guarded(tmp_path) as guarded:
        answer = guarded.open().call("big", size=10 << 20)
        assert len(answer["result"]["structuredContent"]["text"]) == 10 << 20


def test_a_result_over_the_limit_is_an_error_and_the_session_goes_on(tmp_path: Path) -> None:
    with Guarded(tmp_path) as guarded:
        answer = guarded.open().call("big", size=20 << 20)
        assert answer["error"]["code"] == -31004
        assert "result" in guarded.call("echo", a=1)


def test_big_messages_in_both_directions_do_not_lock_each_other(tmp_path: Path) -> None:
    with Guarded(tmp_path) as guarded:
        guarded.open()
        count, size = 40, 1 << 20
        sender = threading.Thread(target=lambda: [guarded.start_call("echo", text="y" * size) for _ in range(count)])
        sender.start()
        for _ in range(count):
            answer = guarded.read(60)
            assert answer is not None
            assert len(answer["result"]["structuredContent"]["text"]) == size
        sender.join()


def test_a_client_that_writes_and_does_not_read_is_held_back_and_gets_everything(tmp_path: Path) -> None:
    with Guarded(tmp_path) as guarded:
        guarded.open()
        lines = b"".join(b'{"jsonrpc":"2.0","id":%d,"method":"vendor/x"}\n' % n for n in range(50_000))
        writer = threading.Thread(target=guarded.write, args=(lines,))
        writer.start()
        writer.join(1.5)
        assert writer.is_alive(), "the guard stops reading a client that does not read"
        with open(f"/proc/{guarded.process.pid}/status") as file:
            resident = next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))
        assert resident < 60_000, "KiB"
        seen = []
        while len(seen) < 50_000:
            answer = guarded.read()
            assert answer is not None
            seen.append(answer["id"])
        assert seen == list(range(50_000))
        writer.join()


def test_floods_of_stderr_and_notifications_block_nobody(tmp_path: Path) -> None:
    with Guarded(tmp_path) as guarded:
        guarded.open()
        assert "result" in guarded.call("stderr", text="z" * 999 + "\n", times=20_000)
        assert "result" in guarded.call("flood", times=5_000)
        assert "result" in guarded.call("echo", a=1)


def test_a_frame_that_trickles_in_costs_linear_time(tmp_path: Path) -> None:
    with Guarded(tmp_path) as guarded:
        guarded.open()
        frame = json.dumps(
            {"jsonrpc": "2.0", "id": 5, "method": "tools/call", "params": {"name": "echo", "arguments": {"t": "a" * 200_000}}}
        )
        for start in range(0, len(frame), 50):
            guarded.write(frame[start : start + 50].encode())
        guarded.write(b"\n")
        answer = guarded.read()
        assert answer is not None
        assert answer["id"] == 5


SCRIPT = """
import sys
from stdioguard.launch import relay
relay.FRAME_PATIENCE = 1.0
relay.LINGER = 2.0
from stdioguard.cli.run import main
sys.exit(main(sys.argv[1:]))
"""
IMPATIENT = [sys.executable, "-P", "-c", SCRIPT]
"""A guard whose patience is short enough for a test."""


def test_a_frame_that_never_ends_is_given_up_and_said_so(tmp_path: Path) -> None:
    with Guarded(tmp_path, guard=IMPATIENT) as guarded:
        guarded.open()
        guarded.write(b'{"jsonrpc":"2.0",')
        time.sleep(1.5)
        guarded.write(b'"id":5,"method":"ping"}\n')
        answer = guarded.read()
        assert answer is not None
        assert answer["error"]["data"] == {"code": -31004, "rule": "limits.slow"}
        assert "result" in guarded.call("echo", a=1)


def test_a_steady_stream_is_not_slow_wherever_its_frames_are_cut(tmp_path: Path) -> None:
    with Guarded(tmp_path, guard=IMPATIENT) as guarded:
        guarded.open()
        frames = [json.dumps({"jsonrpc": "2.0", "id": n, "method": "ping"}).encode() + b"\n" for n in range(60)]
        stream = b"".join(frames)
        position = 0
        for frame in frames:
            guarded.write(stream[position : position + len(frame)] if position else stream[: len(frame) + 10])
            position += len(frame) + (0 if position else 10)
            time.sleep(0.03)
        guarded.write(stream[position:])
        assert [(guarded.read() or {})["id"] for _ in frames] == list(range(60))


def test_a_server_held_back_by_a_slow_client_is_not_slow(tmp_path: Path) -> None:
    with Guarded(tmp_path, guard=IMPATIENT) as guarded:
        guarded.open()
        ids = [guarded.start_call("big", size=1_500_000) for _ in range(5)]
        time.sleep(2.5)
        for id_ in ids:
            answer = guarded.read()
            assert answer is not None
            assert answer["id"] == id_
            assert len(answer["result"]["structuredContent"]["text"]) == 1_500_000


@pytest.mark.parametrize("size", [900_000, 5_000_000])
def test_what_a_server_said_before_it_ended_reaches_a_client_that_reads_late(tmp_path: Path, size: int) -> None:
    with Guarded(tmp_path) as guarded:
        guarded.open().start_call("big_and_exit", size=size)
        time.sleep(4)
        answer = guarded.read()
        assert answer is not None
        assert len(answer["result"]["structuredContent"]["text"]) == size
        assert guarded.process.wait(10) == 0


def test_half_closed_input_and_a_late_reader(tmp_path: Path) -> None:
    with Guarded(tmp_path) as guarded:
        guarded.open().start_call("big", size=3_000_000)
        guarded.stdin.close()
        time.sleep(5)
        answer = guarded.read()
        assert answer is not None
        assert len(answer["result"]["structuredContent"]["text"]) == 3_000_000


def test_a_server_that_takes_nothing_more_is_given_up(tmp_path: Path) -> None:
    with Guarded(tmp_path) as guarded:
        first = guarded.open().start_call("close_stdin")
        line = b""
        while b"stdin is closed" not in line:
            line = guarded.stderr.readline()
            assert line
        # Both in one write: what comes after the guard has given up is not read any more.
        call = {"jsonrpc": "2.0", "method": "tools/call", "params": {"name": "echo", "arguments": {"a": 1}}}
        guarded.write({**call, "id": 1}, {**call, "id": 2})
        answers = [guarded.read() for _ in range(3)]
        assert {answer["id"] for answer in answers if answer} == {first, 1, 2}
        assert all(answer and "error" in answer for answer in answers)


@pytest.mark.parametrize("order", ["stdin first", "stdout first"])
def test_a_client_that_dies_while_it_is_held_back_is_noticed(tmp_path: Path, order: str) -> None:
    with Guarded(tmp_path, guard=IMPATIENT) as guarded:
        pid = guarded.open().status()["pid"]
        guarded.start_call("deaf")
        line = json.dumps(
            {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1, "reason": "y" * 9000}}
        ).encode()
        os.set_blocking(guarded.stdin.fileno(), False)
        call = json.dumps(
            {"jsonrpc": "2.0", "id": 9, "method": "tools/call", "params": {"name": "echo", "arguments": {"t": "z" * 900_000}}}
        ).encode()
        for data in (
            call + b"\n",
            call.replace(b'"id": 9', b'"id": 10') + b"\n",
            call.replace(b'"id": 9', b'"id": 11') + b"\n",
            (line + b"\n") * 50,
        ):
            view = memoryview(data)
            deadline = time.monotonic() + 1
            while view and time.monotonic() < deadline:
                sent = guarded.stdin.write(view)
                view = view[sent or 0 :]
                if not sent:
                    time.sleep(0.01)
        for stream in (guarded.stdin, guarded.stdout) if order == "stdin first" else (guarded.stdout, guarded.stdin):
            stream.close()
        guarded.process.wait(15)
        assert gone(pid)


@pytest.mark.parametrize("output", ["closed", "open"])
def test_what_a_server_leaves_behind_ends_with_it(tmp_path: Path, output: str) -> None:
    with Guarded(tmp_path) as guarded:
        guarded.open()
        if output == "open":
            pid_file = guarded.shared / "daemon"
            guarded.call("daemon", pid_file=str(pid_file))
            pid = int(pid_file.read_text())
        else:
            pid = guarded.call("child")["result"]["structuredContent"]["pid"]
        pid = guarded.host_pid(pid)
        assert not gone(pid, within=0.1), "control: it outlives its parent's call"
        id_ = guarded.start_call("exit", code=3)
        answer = guarded.read()
        assert answer is not None
        assert answer["id"] == id_
        assert "error" in answer
        assert guarded.process.wait(10) == 3
        assert gone(pid)


def test_a_log_line_that_has_an_id_takes_nobodys_answer(tmp_path: Path) -> None:
    with Guarded(tmp_path) as guarded:
        assert "result" in guarded.open().call("log")


def test_more_calls_at_once_than_the_guard_holds_are_held_back_not_refused(tmp_path: Path) -> None:
    with Guarded(tmp_path) as guarded:
        guarded.open()
        lines = [json.dumps({"jsonrpc": "2.0", "id": n, "method": "ping"}).encode() + b"\n" for n in range(9000)]
        writer = threading.Thread(target=guarded.write, args=(b"".join(lines),))
        writer.start()
        seen = [(guarded.read() or {}) for _ in lines]
        writer.join()
        assert sorted(answer["id"] for answer in seen) == list(range(9000))
        assert all("result" in answer for answer in seen)


def test_what_was_running_before_the_guard_is_left_alone(tmp_path: Path) -> None:
    shell = ["sh", "-c", 'sleep 300 </dev/null >/dev/null 2>&1 & echo $! >"$0"; exec "$@"', str(tmp_path / "helper")]
    with Guarded(tmp_path, guard=[*shell, *GUARD]) as guarded:
        guarded.open().call("echo", a=1)
        guarded.finish()
    helper = int((tmp_path / "helper").read_text())
    assert not gone(helper, within=0.2)
    os.kill(helper, signal.SIGKILL)


def test_a_chain_of_forks_is_caught(tmp_path: Path) -> None:
    chain, alive = tmp_path / "chain.py", shared(tmp_path) / "alive"
    chain.write_text(
        "import os, sys, time\nend = time.monotonic() + 4\nwhile time.monotonic() < end:\n"
        "    if os.fork(): os._exit(0)\n    os.setsid()\n    time.sleep(0.002)\n"
        "    open(sys.argv[1], 'w').write(str(time.time()))\n"
    )
    server = tmp_path / "server.py"
    server.write_text(
        "import os, subprocess, sys\nnull = subprocess.DEVNULL\n"
        f"subprocess.Popen([sys.executable, {str(chain)!r}, {str(alive)!r}], stdin=null, stdout=null, stderr=null)\n"
        f"os.execv(sys.executable, [sys.executable, {PROBE!r}])\n"
    )
    profile = ALLOW_ALL + f'[sandbox]\nread = ["{chain}", "{PROBE}"]\n'
    with Guarded(tmp_path, sys.executable, str(server), profile=profile) as guarded:
        guarded.open().call("echo", a=1)
        time.sleep(0.5)
        assert alive.exists(), "control: the chain is running"
        code, errors = guarded.finish()
    assert code == 0
    assert "could not be ended" not in errors
    last = alive.read_text()
    time.sleep(0.3)
    assert alive.read_text() == last


def test_the_output_of_a_terminal_is_left_as_it_was(tmp_path: Path) -> None:
    read_end, write_end = os.pipe()
    with Guarded(tmp_path, stdout=write_end) as guarded:
        guarded.write(INITIALIZE)
        guarded.stdin.close()
        guarded.process.wait(10)
    assert os.get_blocking(write_end)
    for end in (read_end, write_end):
        os.close(end)


def test_a_last_line_without_a_line_feed_is_refused_aloud(tmp_path: Path) -> None:
    with Guarded(tmp_path) as guarded:
        guarded.open()
        guarded.write(b'{"jsonrpc":"2.0","id":77,"method":"ping"}')
        guarded.stdin.close()
        answer = guarded.read()
        assert answer is not None
        assert answer["id"] == 77
        assert answer["error"]["data"]["rule"] == "wire.unterminated"


def test_noise_does_not_fill_the_disk(tmp_path: Path) -> None:
    with Guarded(tmp_path) as guarded:
        guarded.open().call("noise", lines=20_000)
        guarded.finish()
        noise = [entry for entry in guarded.records() if entry.get("rule") == "wire.invalid-json"]
        assert 100 < len(noise) < 200
        assert noise[-1]["times"] == 20_000


# --- no record, no call ---------------------------------------------------------------------------------------------------------


def test_without_a_record_there_is_no_session(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir(0o700)
    (tmp_path / "state" / "records").write_text("in the way")
    started = shared(tmp_path) / "started"
    with Guarded(tmp_path, sys.executable, PROBE, "--start-file", str(started)) as guarded:
        code, errors = guarded.finish()
    assert code == 77
    assert "the record cannot be written" in errors
    assert len([line for line in errors.splitlines() if line]) == 1
    assert not started.exists()


def test_a_record_open_to_others_is_refused_with_the_mend(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir(mode=0o755)
    with Guarded(tmp_path) as guarded:
        code, errors = guarded.finish()
    assert code == 77
    assert f"chmod 700 {tmp_path}/state" in errors


def test_a_full_disk_stops_the_next_call_before_it_reaches_the_server(tmp_path: Path) -> None:
    # RLIMIT_FSIZE stands for the full disk: the write of the record fails, nothing else does.
    import resource

    marker = shared(tmp_path) / "marker"
    with Guarded(tmp_path) as guarded:
        guarded.open()
        (record,) = (tmp_path / "state" / "records").glob("*.jsonl")
        room = record.stat().st_size + 4096
        resource.prlimit(guarded.process.pid, resource.RLIMIT_FSIZE, (room, room))  # Python ignores SIGXFSZ: write(2) gives EFBIG
        answer = None
        for number in range(200):
            id_ = guarded.start_call("daemon" if number == 199 else "echo", pid_file=str(marker))
            answer = guarded.read()
            if answer is None or "error" in answer:
                break
        assert answer is not None
        assert answer["id"] == id_
        assert "the record cannot be written" in answer["error"]["message"]
        assert guarded.process.wait(10) == 77
        entries = guarded.records()
        assert all(entry["seq"] for entry in entries), "whole lines only"
        sent = [entry for entry in entries if entry.get("tool") == "echo" and entry["verdict"] == "forward"]
        answered = [entry for entry in entries if entry.get("method") == "tools/call" and entry["from"] == "server"]
        assert len(sent) - len(answered) <= 1


def test_the_record_is_private_and_holds_no_secrets(tmp_path: Path) -> None:
    with Guarded(tmp_path, sys.executable, PROBE, "--api-key", "sk-abcdefghijklmnopqrstuvwx") as guarded:
        guarded.open()
        guarded.call(
            "echo", password="hunter2hunter2", note="uses ghp_abcdefghijklmnopqrstuvwxyz012345", nested={"apiKey": ["k1"]}
        )
        guarded.finish()
        (path,) = (tmp_path / "state" / "records").iterdir()
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700
        text = path.read_text()
    for secret in ("hunter2", "ghp_abc", "sk-abc", "k1"):
        assert secret not in text
    assert os.fspath(tmp_path) in text
