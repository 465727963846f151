"""The server's way to the network: a proxy of its own process, which goes where the profile's `network` says and nowhere else."""
