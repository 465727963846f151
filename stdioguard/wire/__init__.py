"""Bytes to messages and back: framing, strict JSON, ids, and the two protocol eras. No I/O, no policy."""
