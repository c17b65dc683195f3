"""Just enough of the PostgreSQL protocol to log in where no password is asked, and to run a statement."""

import socket
import struct


class Refused(Exception):
    """The server's ErrorResponse."""

    def __init__(self, fields: dict):
        super().__init__(f"{fields.get('S')} {fields.get('C')}: {fields.get('M')}")
        self.fields = fields


def startup(user: str, database: str, application: str) -> bytes:
    """A start-up packet of protocol 3.0."""
    pairs = {"user": user, "database": database, "application_name": application}
    body = b"".join(key.encode() + b"\0" + value.encode() + b"\0" for key, value in pairs.items()) + b"\0"
    return struct.pack("!ii", len(body) + 8, 3 << 16) + body


def simple_query(text: str) -> bytes:
    """A Query message."""
    body = text.encode() + b"\0"
    return b"Q" + struct.pack("!i", len(body) + 4) + body


TERMINATE = b"X" + struct.pack("!i", 4)


def messages(buffer: bytearray) -> list:
    """Takes the whole messages from the front of the buffer: (type, body) each."""
    found, start = [], 0
    while len(buffer) - start >= 5:
        length = struct.unpack_from("!i", buffer, start + 1)[0]
        end = start + 1 + length
        if end > len(buffer):
            break
        found.append((chr(buffer[start]), bytes(buffer[start + 5:end])))
        start = end
    del buffer[:start]
    return found


def error_fields(body: bytes) -> dict:
    """The fields of an ErrorResponse by their letters."""
    return {part[:1].decode(): part[1:].decode(errors="replace") for part in body.split(b"\0") if part}


class Connection:
    """One blocking connection."""

    def __init__(self, port: int, user: str, database: str, application="bench", timeout=30.0):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = bytearray()
        try:
            self.socket.sendall(startup(user, database, application))
            self._until_ready()
        except BaseException:
            self.socket.close()
            raise

    def query(self, text: str) -> list:
        """Runs a statement; its rows as lists of text."""
        self.socket.sendall(simple_query(text))
        return [_row(body) for kind, body in self._until_ready() if kind == "D"]

    def close(self) -> None:
        """Says goodbye and closes."""
        try:
            self.socket.sendall(TERMINATE)
        except OSError:
            pass
        self.socket.close()

    def _until_ready(self) -> list:
        seen = []
        while True:
            for kind, body in messages(self.buffer):
                if kind == "E":
                    raise Refused(error_fields(body))
                if kind == "R" and body != b"\0\0\0\0":
                    raise Refused({"S": "FATAL", "C": "08P01", "M": "a password is asked for"})
                if kind == "Z":
                    return seen
                seen.append((kind, body))
            data = self.socket.recv(65536)
            if not data:
                raise ConnectionError("closed by the other side")
            self.buffer += data


def _row(body: bytes) -> list:
    columns, at = struct.unpack_from("!h", body)[0], 2
    row = []
    for _ in range(columns):
        length = struct.unpack_from("!i", body, at)[0]
        at += 4
        row.append(None if length < 0 else body[at:at + length].decode())
        at += max(length, 0)
    return row
