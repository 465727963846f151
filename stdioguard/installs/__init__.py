"""The client configurations of this machine: found, read, edited in place, wrapped and put back. Never imported by `run`."""
