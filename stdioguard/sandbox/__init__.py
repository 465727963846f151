"""The sandbox: what the profile grants is all that the server has of the machine."""
