"""What is wrong with the MCP servers of a machine: findings about installs, one rule a file, and reporters beside them.

Nothing here starts a program or opens a socket; `probe` and `online`, which do, are asked for by name.
"""
