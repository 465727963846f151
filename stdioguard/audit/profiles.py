"""Profiles as rules read them: compiled afresh, without the cache that a launch keeps, since an audit writes nothing."""

from __future__ import annotations

import functools
import os
import stat

from stdioguard.policy import check, load
from stdioguard.policy.errors import ProfileError
from stdioguard.policy.policy import Policy


def read(reference: str) -> Policy:
    """Return the profile that an entry names. Raises `ProfileError`."""
    path = load.find(reference)
    try:
        is_file = stat.S_ISREG(os.stat(path).st_mode)
    except (OSError, ValueError):
        is_file = True  # reading it says what is wrong
    if not is_file:
        raise ProfileError(path, "is no regular file")
    return _compiled(path, load.read(path))


def problem(reference: str) -> str:
    """Return why a profile cannot be used, in one line; empty where it can."""
    try:
        read(reference)
    except ProfileError as error:
        return str(error)
    return ""


def is_shipped(policy: Policy) -> bool:
    """Tell whether a profile is one of those that come with stdioguard."""
    return os.path.dirname(os.path.abspath(policy.source)) == os.path.abspath(load.shipped_directory())


@functools.lru_cache(maxsize=256)
def _compiled(path: str, text: str) -> Policy:
    return Policy(check.compile_profile(text, path))
