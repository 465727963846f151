"""The attempts, one file a class. Each is imported inside the sandbox too, so all of this is standard library only."""

from . import (  # noqa: F401
    denied,
    descriptors,
    files,
    identity,
    launches,
    metadata,
    network,
    persistence,
    processes,
    proxy,
    resources,
    shared,
    sockets,
    syscalls,
)
