"""The sandbox on Linux: namespaces and a mount view, Landlock, seccomp, and a broker for rules about names."""
