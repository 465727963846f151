"""The profile: what it may say, how it is found, checked, and turned into decisions. Nothing here knows of messages."""
