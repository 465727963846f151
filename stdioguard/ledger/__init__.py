"""The record: what was decided, one JSON line a decision."""
