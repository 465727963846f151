"""What a launch gets ready for asking people: the desk, and the process of the dialogs, while the guard can still start programs."""

from __future__ import annotations

import sys

from stdioguard.approval import proof
from stdioguard.approval.desk import Desk

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from stdioguard.policy.policy import Policy


def desk(policy: Policy, pin: str, session: str, own: Mapping[str, str]) -> Desk:
    """Return the desk of a session. `pin` stands for the server (see `pins`), `own` is the guard's environment."""
    approver = None
    if any("dialog" in channels for channels in policy.consent.values()) and _has_desktop(own):
        from stdioguard.approval import approver as processes  # noqa: PLC0415 - where there is a desktop
        from stdioguard.approval import dialog  # noqa: PLC0415

        program = dialog.available(own)
        approver = processes.Approver(program, own) if program is not None else None
    return Desk(server_pin=pin, session=session, channels=policy.consent, approver=approver, key=proof.read())


def _has_desktop(own: Mapping[str, str]) -> bool:
    """Tell whether looking for a dialog program is worth its import."""
    return sys.platform != "linux" or bool(own.get("DISPLAY") or own.get("WAYLAND_DISPLAY"))
