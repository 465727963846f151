"""The core: a state machine from messages to verdicts. It does no I/O, reads no clock and knows no process; time comes in as a value."""
