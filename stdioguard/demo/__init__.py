"""A server that tries bad things, and a client that speaks to it bare and guarded. Nothing but `stdioguard demo` imports it."""
