"""The approvals page: a web server on loopback that shows a person what waits for them, and takes their decisions."""
