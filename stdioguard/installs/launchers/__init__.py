"""The programs that start servers: what each of them starts, read from its words alone. `commands` puts them together."""
