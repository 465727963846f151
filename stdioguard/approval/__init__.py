"""Asking a person: the queue of questions, one file a channel, and the decisions that are remembered."""
