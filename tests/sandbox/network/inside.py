"""The body of `test_internet`: run in a network of its own, whose one neighbour has public addresses. Prints JSON."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading

from stdioguard.sandbox.linux import landlock
from tests.sandbox.network.running import running
from tests.sandbox.network.upstream import OK

PUBLIC, OWN, PRIVATE = "93.184.215.14", "93.184.215.1", "10.9.8.7"
NEIGHBOUR = f"""
import socket, threading
def serve(family, address):
    listener = socket.create_server((address, 80), family=family)
    while True:
        connection = listener.accept()[0]
        connection.recv(65536)
        connection.sendall({OK!r})
        connection.close()
for family, address in ((socket.AF_INET, "{PUBLIC}"), (socket.AF_INET, "{PRIVATE}"), (socket.AF_INET6, "2606:2800::14")):
    threading.Thread(target=serve, args=(family, address)).start()
print("up", flush=True)
"""


def name_server(asked: list[str]) -> None:
    """Answer every question with "no such name", and keep it."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 53))
    while True:
        data, client = server.recvfrom(512)
        labels, at = [], 12
        while data[at]:
            labels.append(data[at + 1 : at + 1 + data[at]].decode())
            at += 1 + data[at]
        asked.append(".".join(labels))
        server.sendto(data[:2] + b"\x81\x83" + data[4:6] + bytes(6) + data[12:], client)


def main(neighbour: str) -> None:
    """Try each place directly and through proxies of several rules."""
    asked: list[str] = []
    threading.Thread(target=name_server, args=(asked,), daemon=True).start()
    own = socket.create_server((OWN, 80))
    threading.Thread(target=lambda: [own.accept()[0].sendall(OK) for _ in range(9)], daemon=True).start()
    other = subprocess.Popen(["nsenter", "-t", neighbour, "-n", sys.executable, "-c", NEIGHBOUR], stdout=subprocess.PIPE)
    assert other.stdout
    other.stdout.readline()
    found: dict[str, object] = {}
    try:
        for address in (PUBLIC, PRIVATE, OWN, "2606:2800::14"):
            with socket.create_connection((address, 80), timeout=5) as direct:
                direct.sendall(b"x")
                found[f"direct {address}"] = direct.recv(100).decode().split()[1]
        for rules in (["*:80"], ["web.example:80"], []):
            with running(rules, landlock=landlock.ability() > 0) as proxy:
                for place in (
                    "web.example",
                    PUBLIC,
                    f"[{'2606:2800::14'}]",
                    "private.example",
                    PRIVATE,
                    "own.example",
                    OWN,
                    "gone.example",
                ):
                    before = len(asked)
                    answer = proxy.say(f"GET http://{place}/ HTTP/1.1\r\nHost: {place}\r\nConnection: close\r\n\r\n".encode())
                    found[f"{' '.join(rules) or 'nothing'}: {place}"] = answer.decode().split()[1]
                    found[f"asked for {' '.join(rules) or 'nothing'}: {place}"] = sorted(set(asked[before:]))
    finally:
        other.kill()
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1])
