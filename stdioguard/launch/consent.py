"""What a launch gets ready for asking people: the desk, and the process of the dialogs, while the guard can still start programs."""

from __future__ import annotations

import os
import sys

from stdioguard.approval import proof
from stdioguard.approval.desk import Desk
from stdioguard.wire import strict_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from stdioguard.policy.policy import Policy
    from stdioguard.sandbox.permissions import Resolved


def desk(policy: Policy, resolved: Resolved, session: str, own: Mapping[str, str]) -> Desk:
    """Return the desk of a session. `own` is the guard's environment."""
    approver = None
    if any("dialog" in channels for channels in policy.consent.values()) and _has_desktop(own):
        from stdioguard.approval import approver as processes  # noqa: PLC0415 - where there is a desktop
        from stdioguard.approval import dialog  # noqa: PLC0415

        program = dialog.available(own)
        approver = processes.Approver(program, own) if program is not None else None
    return Desk(server=server(policy, resolved), session=session, channels=policy.consent, approver=approver, key=proof.read())


def _has_desktop(own: Mapping[str, str]) -> bool:
    """Tell whether looking for a dialog program is worth its import."""
    return sys.platform != "linux" or bool(own.get("DISPLAY") or own.get("WAYLAND_DISPLAY"))


def server(policy: Policy, resolved: Resolved) -> str:
    """Return what tells a server as it is now: its command line, the files in it as they were last written, its profile (JSON).

    A file that is replaced or written makes another server of it. Packages that it imports are not looked at.
    """
    files = []
    for word in dict.fromkeys((resolved.executable.realpath, *resolved.argv)):
        try:
            status = os.stat(word)
        except (OSError, ValueError):
            continue
        if status.st_mode & 0o170000 == 0o100000:
            files.append([os.path.realpath(word), status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns])
    return strict_json.canonical([resolved.argv, files, policy.digest])
