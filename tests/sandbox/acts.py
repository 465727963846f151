"""What a server can do to files and sockets, one function each, and a script that does one of them and says how it went.

Only the standard library, nothing of the project: the script is what runs inside of a sandbox. Given on the command line as one JSON list
`[kind, path, to]`, it prints `done`, or `refused ERRNO`.
"""

from __future__ import annotations

import json
import os
import socket
import sys


def _read(path, to):
    with open(path, "rb") as file:
        file.read(1)


def _list(path, to):
    os.listdir(path)


def _stat(path, to):
    os.stat(path)


def _write(path, to):
    os.close(os.open(path, os.O_WRONLY))


def _append(path, to):
    with open(path, "ab") as file:
        file.write(b"x")


def _truncate(path, to):
    os.truncate(path, 0)


def _create(path, to):
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644))


def _symlink(path, to):
    os.symlink(to, path)


def _chmod(path, to):
    os.chmod(path, 0o755)


def _utime(path, to):
    os.utime(path, (1, 1))


def _setxattr(path, to):
    if hasattr(os, "setxattr"):
        os.setxattr(path, "user.stdioguard", b"x")
    else:
        import ctypes

        library = ctypes.CDLL(None, use_errno=True)
        if library.setxattr(os.fsencode(path), b"stdioguard", b"x", ctypes.c_size_t(1), 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "setxattr")


def _exec(path, to):
    child = os.fork()
    if child == 0:
        try:
            os.execv(path, [path, *([to] if to else [])])
        except OSError as error:
            os._exit(100 + (error.errno or 0) % 100)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code != 0:
        raise OSError(code - 100 if code >= 100 else 1, "exec")


def _connect(path, to):
    host, _, port = path.rpartition(":")
    socket.create_connection((host, int(port)), 5).close()


def _send_udp(path, to):
    host, _, port = path.rpartition(":")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as end:
        end.sendto(b"x", (host, int(port)))


def _bind(path, to):
    host, _, port = path.rpartition(":")
    with socket.socket() as end:
        end.bind((host, int(port)))
        end.listen(1)


def _connect_unix(path, to):
    with socket.socket(socket.AF_UNIX) as end:
        end.connect(path)


def _bind_unix(path, to):
    with socket.socket(socket.AF_UNIX) as end:
        end.bind(path)
        end.listen(1)


DO = {
    "read": _read,
    "list": _list,
    "stat": _stat,
    "write": _write,
    "append": _append,
    "truncate": _truncate,
    "create": _create,
    "mkdir": lambda path, to: os.mkdir(path),
    "symlink": _symlink,
    "unlink": lambda path, to: os.unlink(path),
    "rmdir": lambda path, to: os.rmdir(path),
    "rename": os.rename,
    "link": lambda path, to: os.link(path, to, follow_symlinks=False),
    "chmod": _chmod,
    "utime": _utime,
    "setxattr": _setxattr,
    "exec": _exec,
    "connect": _connect,
    "send-udp": _send_udp,
    "bind": _bind,
    "connect-unix": _connect_unix,
    "bind-unix": _bind_unix,
}


if __name__ == "__main__":
    kind, path, to = json.loads(sys.argv[1])
    try:
        DO[kind](path, to)
    except OSError as error:
        print("refused", error.errno, flush=True)
    else:
        print("done", flush=True)
