"""Side-by-side benchmarks; see `bench/session.py` for what is measured and how."""
