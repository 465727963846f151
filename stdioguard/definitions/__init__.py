"""What a server says it offers: how its definitions are judged. No I/O here; the guard uses the same rules as the audit."""
