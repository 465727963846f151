"""The entry point: `run` goes straight to the launch, every other command through click."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command line and return the exit code."""
    if len(sys.argv) > 1 and sys.argv[1] == "run":
        import gc

        gc.disable()  # nothing that start-up makes is garbage; the launch switches it on again
        from stdioguard.cli.run import main as run

        return run(sys.argv[2:])
    from stdioguard.cli.app import main as app

    return app()


if __name__ == "__main__":
    # `python -m` puts the working directory first: whatever is there must not be imported in place of a library.
    if not sys.flags.safe_path:
        del sys.path[0]
    sys.exit(main())
