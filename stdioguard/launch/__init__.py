"""One guarded session: check, spawn, relay, shut down. The only floor with processes and pipes."""
