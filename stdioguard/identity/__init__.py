"""Clients, their secrets and tokens, and what these grant."""
