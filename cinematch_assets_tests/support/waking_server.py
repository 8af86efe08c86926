"""A port before a real Postgres server that is asleep at first contact.

Here: refusing as a starting server does, keeping quiet as a sleeping one does, then passing everything on. Not here:
the server (``support.servers``).
"""

import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from psycopg.conninfo import conninfo_to_dict, make_conninfo

_REFUSAL = b"SFATAL\0VFATAL\0C57P03\0Mthe database system is starting up\0\0"


@contextmanager
def waking_server(behind: str, *, refusals: int = 0, silence_s: float = 0.0) -> Iterator[tuple[str, list[float]]]:
    """Yield how to reach the database of ``behind`` through it, and the times of the contacts."""
    contacts: list[float] = []
    parts = conninfo_to_dict(behind)

    def serve() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return  # closed: the block has ended
            contacts.append(time.monotonic())
            threading.Thread(target=answer, args=(client, len(contacts)), daemon=True).start()

    def answer(client: socket.socket, number: int) -> None:
        with client:
            if number <= refusals:
                client.recv(4096)
                client.sendall(b"E" + struct.pack("!I", len(_REFUSAL) + 4) + _REFUSAL)
                return
            if number == refusals + 1:
                time.sleep(silence_s)
            with _dial(parts) as server:
                back = threading.Thread(target=_pass_on, args=(server, client), daemon=True)
                back.start()
                _pass_on(client, server)
                back.join()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, daemon=True).start()
        port = listener.getsockname()[1]
        reached = {"host": "127.0.0.1", "port": port, "sslmode": "disable", "gssencmode": "disable"}
        yield make_conninfo(**{**parts, **reached}), contacts


def _dial(parts: dict[str, object]) -> socket.socket:
    host, port = str(parts["host"]), int(str(parts.get("port", 5432)))
    if not host.startswith("/"):
        return socket.create_connection((host, port))
    dialled = socket.socket(socket.AF_UNIX)
    dialled.connect(f"{host}/.s.PGSQL.{port}")
    return dialled


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65_536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return  # one of the two has hung up
