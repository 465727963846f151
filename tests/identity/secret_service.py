"""A keyring of a Linux desktop (the Secret Service of freedesktop.org), as small as our client needs it, on a bus of its own.

    python -m tests.identity.secret_service works|locked|forgetful

`locked` answers with a prompt that nobody sees; `forgetful` takes what it is given and does not keep it.
"""

from __future__ import annotations

import sys
from typing import Any

from jeepney import DBusAddress, HeaderFields, Message, MessageType, message_bus, new_error, new_method_return
from jeepney.io.blocking import DBusConnection, Proxy, open_dbus_connection

BASE = "/org/freedesktop/secrets"
COLLECTION = f"{BASE}/collection/login"
ADDRESS = DBusAddress(BASE, "org.freedesktop.secrets")


class Service:
    def __init__(self, mode: str) -> None:
        self.mode = mode
        self.items: dict[str, tuple[dict[str, str], bytes]] = {}
        self.made = 0

    def answer(self, path: str, member: str, body: tuple[Any, ...]) -> tuple[str, tuple[Any, ...]] | None:
        """Return signature and body of an answer; `None` where the one asked does not exist."""
        if member == "OpenSession":
            return "vo", (("s", ""), f"{BASE}/session/1")
        if member == "ReadAlias":
            return "o", (COLLECTION,)
        if member == "Unlock":
            return "aoo", ([], f"{BASE}/prompt/1") if self.mode == "locked" else (body[0], "/")
        if member == "Prompt":
            return "", ()
        if member == "Get":
            value = {"Label": ("s", "x"), "Locked": ("b", self.mode == "locked")}[body[1]]
            return (
                ("v", (value,))
                if path.startswith(f"{BASE}/prompt") or path in {*self.items, COLLECTION, f"{BASE}/aliases/default"}
                else None
            )
        if member == "SearchItems":
            return "ao", ([name for name, (attributes, _) in self.items.items() if body[0].items() <= attributes.items()],)
        if member == "CreateItem":
            attributes = body[0]["org.freedesktop.Secret.Item.Attributes"][1]
            for name in [name for name, (other, _) in self.items.items() if other == attributes and body[2]]:
                del self.items[name]
            self.made += 1
            name = f"{COLLECTION}/{self.made}"
            self.items[name] = (attributes, bytes(body[1][2]) if self.mode != "forgetful" else b"something else")
            return "oo", (name, "/")
        if path in self.items and member == "GetSecret":
            return "(oayays)", ((body[0], b"", self.items[path][1], "text/plain"),)
        if path in self.items and member == "Delete":
            del self.items[path]
            return "o", ("/",)
        return None

    def serve(self, connection: DBusConnection) -> None:
        while True:
            message: Message = connection.receive()
            if message.header.message_type is not MessageType.method_call:
                continue
            path, member = message.header.fields[HeaderFields.path], message.header.fields[HeaderFields.member]
            if member == "OpenSession" and message.body[0] != "plain":
                connection.send(new_error(message, "org.freedesktop.DBus.Error.NotSupported", "s", ("plain only",)))
                continue
            answered = self.answer(path, member, message.body)
            if answered is None:
                connection.send(new_error(message, "org.freedesktop.DBus.Error.UnknownObject", "s", ("not here",)))
            else:
                connection.send(new_method_return(message, *answered))


if __name__ == "__main__":
    bus = open_dbus_connection(bus="SESSION")
    Proxy(message_bus, bus).RequestName("org.freedesktop.secrets")
    print("ready", flush=True)
    Service(sys.argv[1]).serve(bus)
