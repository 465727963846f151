"""What the kernel asks the sandbox when a process does something (the hooks of Sandbox.kext; operation names as in Apple's profiles)."""

from __future__ import annotations

from tests.sandbox.cases import Act
from tests.sandbox.macos.disk import Disk
from tests.sandbox.macos.evaluator import Ask


def asks(act: Act, disk: Disk) -> list[Ask]:
    """Return the questions that an act leads to: it is refused when one of them is."""
    kind = act.kind
    if kind in ("connect", "send-udp"):
        host, _, port = act.path.rpartition(":")
        here = "localhost" if host in ("127.0.0.1", "localhost", "[::1]") else host
        protocol = "tcp" if kind == "connect" else "udp"
        socket = {"socket-domain": "AF_INET", "socket-type": "SOCK_STREAM" if kind == "connect" else "SOCK_DGRAM"}
        return [Ask("system-socket", values=socket), Ask("network-outbound", values={"remote": f"{protocol} {here}:{port}"})]
    if kind == "bind":
        return [Ask("network-bind", values={"local": f"tcp {act.path}"})]
    if kind == "connect-unix":
        return [Ask("system-socket", values={"socket-domain": "AF_UNIX"}), Ask("network-outbound", disk.kernel(act.path))]
    if kind == "bind-unix":
        path = disk.kernel(act.path)
        return [Ask("network-bind", path), Ask("network-inbound", path)]
    if kind in ("unlink", "rmdir"):
        return [_vnode("file-write-unlink", disk.kernel(act.path, follow=False), disk)]
    if kind == "rename":
        source, target = disk.kernel(act.path, follow=False), disk.kernel(act.to, follow=False)
        # The type that a filter sees for the target is taken to be the source's: nothing is there yet.
        found = [_vnode("file-write-unlink", source, disk), _vnode("file-write-create", target, disk, like=source)]
        return [*found, _vnode("file-write-unlink", target, disk)] if disk.exists(target) else found
    if kind == "link":
        source, target = disk.kernel(act.path, follow=False), disk.kernel(act.to, follow=False)
        return [
            _vnode("file-link", source, disk),
            _vnode("file-link", target, disk, like=source),
            _vnode("file-write-create", target, disk, like=source),
        ]
    if kind == "clone":
        source, target = disk.kernel(act.path), disk.kernel(act.to, follow=False)
        return [_vnode("file-clone", source, disk), _vnode("file-write-create", target, disk, like=source)]
    if kind == "symlink":
        return [Ask("file-write-create", disk.kernel(act.path, follow=False), {"vnode-type": "SYMLINK"})]
    if kind == "mkdir":
        return [Ask("file-write-create", disk.kernel(act.path, follow=False), {"vnode-type": "DIRECTORY"})]
    path = disk.kernel(act.path)
    if kind == "create":
        return [Ask(operation, path, {"vnode-type": "REGULAR-FILE"}) for operation in ("file-write-create", "file-write-data")]
    operations = {
        "read": ["file-read-data"], "list": ["file-read-data"], "stat": ["file-read-metadata"], "write": ["file-write-data"],
        "append": ["file-write-data"], "truncate": ["file-write-data"], "chmod": ["file-write-mode"], "utime": ["file-write-times"],
        "setxattr": ["file-write-xattr"], "exec": ["process-exec*"], "map": ["file-map-executable"],
    }[kind]  # fmt: skip
    return [_vnode(operation, path, disk) for operation in operations]


def _vnode(operation: str, path: str, disk: Disk, like: str | None = None) -> Ask:
    content = disk.entries.get(like or path, "")
    kind = "DIRECTORY" if content is None else "SYMLINK" if content.startswith("-> ") else "REGULAR-FILE"
    return Ask(operation, path, {"vnode-type": kind})
