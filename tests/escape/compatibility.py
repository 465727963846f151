"""What honest servers do: each case must end inside the sandbox as it ends without one.

A case is a function that returns something that can be compared; it runs in a forked child of the attacker's process, bare and guarded.
Standard library only, since it is imported inside the sandbox.
"""

from __future__ import annotations

import inspect
import json
import os
import shutil
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class Case:
    """One case. `needs` are the programs without which it is skipped; `work` is a folder that may be written, made afresh."""

    def __init__(self, function: Callable[..., Any], needs: tuple[str, ...], timeout: float, profile: str, world: bool) -> None:
        self.function, self.needs, self.timeout, self.profile, self.world = function, needs, timeout, profile, world
        self.parameters = frozenset(inspect.signature(function).parameters)

    def prepare(self, work: str) -> None:
        """Empty the folder and lay out what the case starts from."""
        shutil.rmtree(work)
        os.makedirs(f"{work}/package")
        with open(f"{work}/package/package.json", "w") as file:
            json.dump({"name": "inner", "version": "1.0.0", "main": "index.js"}, file)
        with open(f"{work}/package/index.js", "w") as file:
            file.write("module.exports = 42\n")


CASES: dict[str, Case] = {}


def case(*, needs: tuple[str, ...] = (), timeout: float = 20.0, profile: str = "closed", world: bool = False) -> Any:
    """Make a function a case; its name is the case's."""

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        CASES[function.__name__.replace("_", "-")] = Case(function, needs, timeout, profile, world)
        return function

    return register


def _run(*command: str, cwd: str, **environment: str) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=cwd, timeout=18, env={**os.environ, **environment}, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"{command}: {done.returncode}: {done.stderr[-1500:]}{done.stdout[-500:]}")
    return done.stdout


def _python(code: str, work: str) -> str:
    """Run code as a program of its own (multiprocessing's spawn imports the main module again). Raises its `PermissionError`."""
    path = f"{work}/program.py"
    with open(path, "w") as file:
        file.write(code)
    try:
        return _run(sys.executable, path, cwd=work)
    except RuntimeError as error:
        if "\nPermissionError: [Errno 13]" in str(error):
            raise PermissionError(13, str(error)) from None
        raise


_MULTIPROCESSING = """
import multiprocessing as m
from multiprocessing import shared_memory

def square(x): return x * x
def put(queue, x): queue.put(x)
def fill(name):
    block = shared_memory.SharedMemory(name); block.buf[0] = 7; block.close()

if __name__ == "__main__":
    context = m.get_context("{method}")
    with context.Pool(2) as pool: print(pool.map(square, range(5)))
    queue = context.Queue(); child = context.Process(target=put, args=(queue, "through")); child.start(); print(queue.get(timeout=10)); child.join()
    block = shared_memory.SharedMemory(create=True, size=64)
    child = context.Process(target=fill, args=(block.name,)); child.start(); child.join(); print(block.buf[0], child.exitcode)
    block.close(); block.unlink()
    with context.Manager() as manager:
        shared = manager.dict(); shared["a"] = 1; print(dict(shared))
    lock = context.Lock()
    with lock: print("locked")
"""


@case()
def python_multiprocessing_by_fork(work: str) -> str:
    return _python(_MULTIPROCESSING.replace("{method}", "fork"), work)


@case()
def python_multiprocessing_by_spawn(work: str) -> str:
    return _python(_MULTIPROCESSING.replace("{method}", "spawn"), work)


@case()
def python_multiprocessing_by_forkserver(work: str) -> str:
    return _python(_MULTIPROCESSING.replace("{method}", "forkserver"), work)


@case()
def python_threads() -> list[int]:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(lambda x: x * 2, range(20)))


@case()
def python_process_pool(work: str) -> str:
    code = """
from concurrent.futures import ProcessPoolExecutor
def double(x): return x * 2
if __name__ == "__main__":
    with ProcessPoolExecutor(2) as pool: print(list(pool.map(double, range(6))))
"""
    return _python(code, work)


@case()
def asyncio_subprocesses_and_signals(work: str) -> str:
    code = """
import asyncio, os, signal
async def main():
    child = await asyncio.create_subprocess_exec("cat", stdin=-1, stdout=-1)
    out, _ = await child.communicate(b"through")
    print(out, child.returncode)
    got = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, got.set)
    os.kill(os.getpid(), signal.SIGUSR1)
    await asyncio.wait_for(got.wait(), 5)
    child = await asyncio.create_subprocess_shell("exec sleep 30")  # without `exec` the shell's end may leave the sleep behind
    child.terminate()
    print(await child.wait())
    print(await asyncio.to_thread(sum, range(10)))
asyncio.run(main())
"""
    return _python(code, work)


@case()
def subprocesses_with_pipes() -> list[Any]:
    one = subprocess.Popen(["printf", "b\na\n"], stdout=subprocess.PIPE)
    two = subprocess.run(["sort"], stdin=one.stdout, capture_output=True, text=True, check=True)
    one.wait()
    shell = subprocess.run("echo $((6 * 7)) | cat; exit 3", shell=True, capture_output=True, text=True, check=False)
    return [two.stdout, shell.stdout, shell.returncode, os.popen("echo popen").read()]


@case()
def temporary_files() -> list[Any]:
    import tempfile

    with tempfile.TemporaryDirectory() as folder, tempfile.NamedTemporaryFile() as named, tempfile.TemporaryFile() as nameless:
        named.write(b"x" * 100000)
        nameless.write(b"y")
        named.flush()
        os.rename(named.name, f"{folder}/moved")
        os.link(f"{folder}/moved", named.name)
        os.symlink("moved", f"{folder}/link")
        os.chmod(f"{folder}/moved", 0o640)
        os.utime(f"{folder}/moved", (5, 5))
        return [
            os.path.getsize(named.name),
            sorted(os.listdir(folder)),
            oct(os.stat(f"{folder}/link").st_mode),
            os.stat(f"{folder}/moved").st_mtime,
        ]


@case()
def files_in_a_granted_folder(work: str) -> list[Any]:
    os.makedirs(f"{work}/a/b/c")
    with open(f"{work}/a/b/c/file.txt", "w") as file:
        file.write("text")
    os.rename(f"{work}/a/b", f"{work}/a/renamed")
    os.symlink("renamed/c/file.txt", f"{work}/a/link")
    os.link(f"{work}/a/renamed/c/file.txt", f"{work}/a/hard")
    os.chmod(f"{work}/a/hard", 0o755)
    os.truncate(f"{work}/a/hard", 2)
    os.utime(f"{work}/a/hard", (7, 7))
    shutil.copytree(f"{work}/a", f"{work}/copy", symlinks=True)
    shutil.move(f"{work}/copy", f"{work}/moved")
    found = [(os.path.relpath(folder, work), sorted(folders), sorted(files)) for folder, folders, files in os.walk(work)]
    status = os.stat(f"{work}/moved/hard")
    shutil.rmtree(f"{work}/moved")
    return [sorted(found), status.st_size, oct(status.st_mode), status.st_mtime, open(f"{work}/a/link").read()]


@case()
def extended_attributes_and_locks(work: str) -> list[Any]:
    import fcntl

    path = f"{work}/file"
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        fcntl.lockf(file, fcntl.LOCK_EX)
        os.setxattr(path, "user.mine", b"value")
        return [
            os.getxattr(path, "user.mine").decode(),
            os.listxattr(path),
            os.posix_fallocate(file.fileno(), 0, 1000),
            os.stat(path).st_size,
        ]


@case()
def a_fifo(work: str) -> str:
    os.mkfifo(f"{work}/fifo")
    if os.fork() == 0:
        with open(f"{work}/fifo", "w") as file:
            file.write("through a fifo")
        os._exit(0)
    with open(f"{work}/fifo") as file:
        return file.read()


@case()
def memory_maps(work: str) -> list[Any]:
    import mmap

    with open(f"{work}/mapped", "wb+") as file:
        file.truncate(8192)
        with mmap.mmap(file.fileno(), 8192) as view:
            view[:5] = b"hello"
            view.flush()
        found = os.pread(file.fileno(), 5, 0)
    nameless = os.memfd_create("mine")
    os.write(nameless, b"x")
    return [found.decode(), os.fstat(nameless).st_size]


@case()
def sqlite_with_a_write_ahead_log(work: str) -> list[Any]:
    import sqlite3

    one, two = (sqlite3.connect(f"{work}/data.db", timeout=10) for _ in range(2))
    mode = one.execute("pragma journal_mode = wal").fetchone()
    one.execute("create table t (x)")
    with one:
        one.executemany("insert into t values (?)", [(x,) for x in range(100)])
    rows = two.execute("select count(*), sum(x) from t").fetchone()
    with two:
        two.execute("delete from t where x > 50")
    rows2 = one.execute("select count(*) from t").fetchone()
    one.execute("vacuum")
    names = sorted(os.listdir(work))
    one.close()
    two.close()
    return [mode, rows, rows2, names, sorted(os.listdir(work))]


@case()
def sqlite_in_the_home_folder() -> list[Any]:
    import sqlite3

    folder = os.path.join(os.environ["HOME"], ".server")
    os.makedirs(folder, exist_ok=True)
    connection = sqlite3.connect(f"{folder}/data.db")
    connection.execute("create table if not exists t (x)")
    connection.execute("delete from t")
    connection.execute("insert into t values (1)")
    connection.commit()
    return [connection.execute("select * from t").fetchall()]


@case(needs=("tar", "gzip"))
def archives(work: str) -> list[Any]:
    os.makedirs(f"{work}/source/deep")
    with open(f"{work}/source/deep/file", "w") as file:
        file.write("in an archive\n")
    os.chmod(f"{work}/source/deep/file", 0o750)
    _run("tar", "czf", "a.tar.gz", "source", cwd=work)
    os.mkdir(f"{work}/out")
    _run("tar", "xzpf", "a.tar.gz", "-C", "out", cwd=work)
    _run("gzip", "-k", "out/source/deep/file", cwd=work)
    status = os.stat(f"{work}/out/source/deep/file")
    return [oct(status.st_mode), sorted(os.listdir(f"{work}/out/source/deep")), _run("zcat", "out/source/deep/file.gz", cwd=work)]


_GIT = {
    "GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@example", "GIT_COMMITTER_NAME": "A", "GIT_COMMITTER_EMAIL": "a@example",
    "GIT_AUTHOR_DATE": "2024-05-01T12:00:00Z", "GIT_COMMITTER_DATE": "2024-05-01T12:00:00Z",
}  # fmt: skip


@case(needs=("git",))
def git_in_a_private_folder() -> list[str]:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        return _git_session(folder, fresh=True)


@case(needs=("git",))
def git_in_a_granted_repository(work: str, repository: str) -> list[str]:
    """The repository is there: to make one means to write its config, which is refused."""
    return _git_session(repository, fresh=False)


def _git_session(folder: str, *, fresh: bool) -> list[str]:
    def git(*words: str) -> str:
        return _run("git", "-c", "safe.directory=*", *words, cwd=folder, **_GIT)

    if fresh:
        git("init", "--quiet", "--initial-branch=main")
    with open(f"{folder}/file.txt", "w") as file:
        file.write("one\n")
    git("add", ".")
    git("commit", "--quiet", "-m", "one")
    with open(f"{folder}/file.txt", "a") as file:
        file.write("two\n")
    found = [git("status", "--short"), git("diff"), git("log", "--format=%H %s")]
    git("stash")
    git("switch", "--quiet", "-c", "branch")
    git("stash", "pop", "--quiet")
    git("commit", "--quiet", "-a", "-m", "two")
    git("tag", "v1")
    git("switch", "--quiet", "main")
    git("merge", "--quiet", "branch")
    git("gc", "--quiet")
    git("reset", "--quiet", "--hard", "HEAD~1")
    return [*found, git("log", "--format=%H %s", "--all"), git("branch"), git("rev-parse", "HEAD")]


_NODE = """
const { Worker } = require('worker_threads');
const { execFileSync, spawn, fork } = require('child_process');
const fs = require('fs'), os = require('os'), path = require('path'), crypto = require('crypto');
const folder = process.argv[1];
const out = [];
async function main() {
  out.push(await new Promise((good, bad) => {
    const worker = new Worker("const {parentPort} = require('worker_threads'); parentPort.postMessage(6 * 7)", { eval: true });
    worker.on('message', good); worker.on('error', bad);
  }));
  out.push(execFileSync('echo', ['child']).toString());
  out.push(await new Promise((good) => { const c = spawn('cat', { stdio: ['pipe', 'pipe', 'inherit'] });
    c.stdout.on('data', (d) => good(d.toString())); c.stdin.end('spawned'); }));
  fs.writeFileSync(path.join(folder, 'child.js'), "process.on('message', (m) => { process.send(m + 1); process.disconnect(); })");
  out.push(await new Promise((good) => { const c = fork(path.join(folder, 'child.js')); c.on('message', good); c.send(1); }));
  out.push(await new Promise((good) => {
    const watcher = fs.watch(folder, (kind, name) => { if (name === 'watched') { watcher.close(); good(name); } });
    setTimeout(() => fs.writeFileSync(path.join(folder, 'watched'), 'x'), 50);
  }));
  out.push(await fs.promises.readFile(path.join(folder, 'watched'), 'utf8'));
  await fs.promises.mkdir(path.join(folder, 'x', 'y'), { recursive: true });
  await fs.promises.cp(path.join(folder, 'watched'), path.join(folder, 'x', 'y', 'copied'));
  await fs.promises.rm(path.join(folder, 'x'), { recursive: true });
  out.push(crypto.createHash('sha256').update('x').digest('hex').slice(0, 8), typeof os.cpus().length, os.tmpdir().length > 0);
  out.push(typeof os.hostname(), typeof os.homedir());
  console.log(JSON.stringify(out));
}
main().then(() => process.exit(0), (e) => { console.error(e); process.exit(1); });
"""


@case(needs=("node",))
def node_workers_children_and_watches(work: str) -> str:
    return _run("node", "-e", _NODE, work, cwd=work)


@case(needs=("node",))
def node_serves_itself(work: str) -> str:
    code = """
const net = require('net'), path = require('path'), fs = require('fs'), os = require('os');
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'own-')), file = path.join(folder, 'own.sock');
const server = net.createServer((c) => c.end('own socket')).listen(file, () => {
  net.connect(file).on('data', (d) => { console.log(d.toString()); server.close(() => fs.rmSync(folder, { recursive: true })); });
});
"""
    return _run("node", "-e", code, work, cwd=work)


@case(needs=("npm", "node"), timeout=40)
def npm_ci_offline(work: str) -> list[Any]:
    with open(f"{work}/package.json", "w") as file:
        json.dump({"name": "outer", "version": "1.0.0", "dependencies": {"inner": "file:package"}}, file)
    lock = {
        "name": "outer", "version": "1.0.0", "lockfileVersion": 3, "requires": True,
        "packages": {
            "": {"name": "outer", "version": "1.0.0", "dependencies": {"inner": "file:package"}},
            "node_modules/inner": {"resolved": "package", "link": True}, "package": {"name": "inner", "version": "1.0.0"},
        },
    }  # fmt: skip
    with open(f"{work}/package-lock.json", "w") as file:
        json.dump(lock, file)
    _run("npm", "ci", "--offline", "--no-audit", "--no-fund", cwd=work, npm_config_update_notifier="false")
    return [sorted(os.listdir(f"{work}/node_modules")), _run("node", "-p", "require('inner')", cwd=work)]


@case()
def a_socket_of_ones_own() -> str:
    """In the private temporary folder: a socket in a granted one could be taken for another's."""
    import socket
    import tempfile
    import threading

    with (
        tempfile.TemporaryDirectory() as folder,
        socket.socket(socket.AF_UNIX) as server,
        socket.socket(socket.AF_UNIX) as client,
    ):
        server.bind(f"{folder}/own.sock")
        server.listen(1)
        thread = threading.Thread(target=lambda: server.accept()[0].sendall(b"own"))
        thread.start()
        client.connect(f"{folder}/own.sock")
        thread.join()
        one, two = socket.socketpair()
        one.send(b"pair")
        return client.recv(10).decode() + two.recv(10).decode()


@case()
def a_server_on_the_loopback_address() -> str:
    """Where the sandbox has a network of its own; without namespaces there is none to listen on, and the test says so."""
    import http.server
    import threading
    import urllib.request

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"own server")

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.handle_request, daemon=True).start()
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"http://127.0.0.1:{server.server_port}/", timeout=5) as answer:
        return str(answer.read().decode())


@case()
def time_zones_and_locales() -> list[Any]:
    import datetime
    import locale
    import time
    import zoneinfo

    there = datetime.datetime(2024, 5, 1, 12, tzinfo=datetime.UTC).astimezone(zoneinfo.ZoneInfo("Europe/Berlin")).isoformat()
    os.environ["TZ"] = "America/New_York"
    time.tzset()
    return [there, time.strftime("%H %Z", time.localtime(0)), locale.setlocale(locale.LC_ALL, "C.UTF-8"), time.tzname]


@case()
def certificates() -> list[Any]:
    import ssl

    context = ssl.create_default_context()
    paths = ssl.get_default_verify_paths()
    return [
        len(context.get_ca_certs()) > 0 or bool(paths.capath and os.path.isdir(paths.capath) and os.listdir(paths.capath)),
        bool(paths.openssl_cafile),
    ]


@case()
def devices() -> list[Any]:
    with open("/dev/null", "wb") as null:
        null.write(b"x")
    with open("/dev/zero", "rb") as zero, open("/dev/urandom", "rb") as random, open("/dev/random", "rb") as slow:
        found = [zero.read(3).hex(), len(random.read(9)), len(slow.read(9))]
    try:
        with open("/dev/full", "wb", buffering=0) as full:
            full.write(b"x")
    except OSError as error:
        found.append(error.errno)
    return [*found, os.path.exists("/dev/fd/1"), os.path.exists("/dev/stdout"), len(os.urandom(4))]


@case()
def a_pseudo_terminal() -> list[Any]:
    """A terminal server's whole business; it is made in the sandbox's own instance."""
    master, slave = os.openpty()
    os.write(slave, b"x\n")
    found = os.read(master, 10)
    import pty

    pid, fd = pty.fork()
    if pid == 0:
        os.execvp("sh", ["sh", "-c", "tty >/dev/null && echo terminal"])
    text = b""
    try:
        while chunk := os.read(fd, 100):
            text += chunk
    except OSError:
        pass
    os.waitpid(pid, 0)
    return [found.decode(), text.decode()]


@case()
def who_and_where() -> list[Any]:
    import getpass
    import platform
    import socket

    home = os.path.expanduser("~")
    return [
        (os.cpu_count() or 0) > 0, len(os.sched_getaffinity(0)), bool(getpass.getuser()), home == os.environ["HOME"], os.access(home, os.W_OK),
        bool(socket.gethostname()), platform.system(), platform.machine(), os.path.isdir(os.getcwd()), os.getpgid(0) > 0,
    ]  # fmt: skip


@case()
def the_home_folder_can_be_written() -> list[Any]:
    home = os.path.expanduser("~")
    os.makedirs(f"{home}/.config/server", exist_ok=True)
    with open(f"{home}/.config/server/settings.json", "w") as file:
        json.dump({"a": 1}, file)
    with open(f"{home}/.bashrc-of-the-server", "a") as file:
        file.write("x")
    return [os.listdir(f"{home}/.config/server")]


@case()
def what_a_process_can_see_of_itself() -> list[Any]:
    with (
        open("/proc/self/status") as status,
        open("/proc/meminfo") as memory,
        open("/proc/cpuinfo") as processors,
        open("/proc/self/maps") as maps,
    ):
        found = [bool(status.read()), "MemTotal" in memory.read(), bool(processors.read()), "python" in maps.read()]
    return [*found, os.path.exists("/proc/self/exe"), os.readlink("/proc/self/cwd") == os.getcwd(), os.getloadavg() is not None]


@case()
def priorities_and_timers() -> list[Any]:
    import signal

    os.nice(1)
    got = []
    signal.signal(signal.SIGALRM, lambda *_: got.append(1))
    signal.setitimer(signal.ITIMER_REAL, 0.01)
    signal.pause()
    os.setpriority(os.PRIO_PROCESS, 0, 5)
    return [got, os.getpriority(os.PRIO_PROCESS, 0)]


@case()
def port_of_the_proxy() -> str:
    """Not a case of its own: `attempts/proxy.py` asks for it."""
    from urllib.parse import urlsplit

    return str(urlsplit(os.environ.get("HTTPS_PROXY", "")).port or 0)


@case(needs=("curl",), profile="proxied", world=True)
def curl_reaches_a_granted_host(port: int) -> str:
    return _run("curl", "-sS", "--max-time", "5", f"http://allowed.test:{port}/", cwd="/")


@case(profile="proxied", world=True)
def python_reaches_a_granted_host(port: int) -> str:
    import urllib.request

    with urllib.request.urlopen(f"http://allowed.test:{port}/", timeout=5) as answer:
        return str(answer.read().decode())


CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "chrome", "headless_shell")


@case(needs=("chromium",), timeout=40)
def chromium_without_a_window(work: str) -> bool:
    browser = next(path for name in CHROMIUM if (path := shutil.which(name)))
    with open(f"{work}/page.html", "w") as file:
        file.write("<p id=x></p><script>document.getElementById('x').textContent = 6 * 7</script>")
    # Its profile holds links to its sockets, so it belongs where the sockets are: in the server's own temporary folder.
    options = ("--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tempfile.mkdtemp()}", "--dump-dom")
    # As in containers: without namespaces there is no /dev/shm of the server's own, and the machine's is not its.
    options = ("--disable-dev-shm-usage", *options)
    return "42" in _run(browser, *options, f"file://{work}/page.html", cwd=work)
