"""What stands for a server as it is now: who has approved that one has approved no other."""

from __future__ import annotations

import os
from _blake2 import blake2b  # hashlib's own, which costs a launch milliseconds to import

from stdioguard.wire import strict_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from stdioguard.policy.policy import Policy
    from stdioguard.sandbox.permissions import Resolved


def server(policy: Policy, resolved: Resolved) -> str:
    """Return the pin of a server (BLAKE2b of 32 bytes, hex): its command line, the files in it as they were last written, its profile.

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
    text = strict_json.canonical([resolved.argv, files, policy.digest])
    return blake2b(text.encode("ascii"), digest_size=32).hexdigest()
