"""The sandbox on macOS: a generated profile in Apple's sandbox profile language (SBPL), applied by `/usr/bin/sandbox-exec`.

Nobody has tried it by hand: every rule is *not verified on macOS* but for what the CI job runs there.
"""
