"""Ten thousand clients in one process: non-blocking sockets, one epoll, dialling again and again.

Most behave; some say nothing, some stop in the middle of their start-up packet, some vanish with a reset.
"""

import errno
import heapq
import random
import re
import select
import socket
import struct
import time
from collections import Counter

from postgres import DATABASE, USER
from wire import TERMINATE, error_fields, messages, simple_query, startup

IP_BIND_ADDRESS_NO_PORT = 24
ADDRESSES = 250
ANSWER_SECONDS = 30.0
DIALS_PER_TURN = 200
KINDS = (("polite", 88), ("silent", 4), ("half", 4), ("rude", 4))
RESET_ON_CLOSE = struct.pack("ii", 1, 0)
STARTUP = startup(USER, DATABASE, "storm")
RULE = re.compile(r"FLOODWALL\[rule=(\w+)")


class Caller:
    """One client and the attempt it is making."""

    __slots__ = ("address", "kind", "socket", "phase", "buffer", "attempt")

    def __init__(self, number: int):
        self.address = f"127.1.0.{1 + number % ADDRESSES}"
        self.kind = self.socket = self.phase = None
        self.buffer = bytearray()
        self.attempt = 0


class Crowd:
    """Dials until the time is over. `outcomes` counts how the attempts ended, `inside_max` the most let in at once."""

    def __init__(self, port: int, clients: int, seed: int):
        self.target = ("127.0.0.1", port)
        self.chance = random.Random(seed)
        self.callers = [Caller(number) for number in range(clients)]
        self.by_descriptor = {}
        self.epoll = select.epoll()
        self.timers = []
        self.outcomes = Counter()
        self.inside = self.inside_max = 0

    def run(self, seconds: float) -> None:
        """One storm; everything is closed when it returns."""
        begun = time.monotonic()
        for caller in self.callers:
            self._at(begun + self.chance.uniform(0, 1), caller)
        while time.monotonic() < begun + seconds:
            self._due(time.monotonic())
            wait = max(0.0, self.timers[0][0] - time.monotonic()) if self.timers else 0.1
            for descriptor, _ in self.epoll.poll(min(wait, 0.1), 1024):
                self._event(self.by_descriptor.get(descriptor))
        for caller in self.callers:
            if caller.socket:
                self._close(caller, "cut off at the end")
        self.timers.clear()

    def _at(self, when: float, caller: Caller) -> None:
        heapq.heappush(self.timers, (when, id(caller), caller.attempt, caller))

    def _due(self, now: float) -> None:
        """Acts for those whose time has come: to dial, to leave, or to give up."""
        for _ in range(DIALS_PER_TURN):
            if not self.timers or self.timers[0][0] > now:
                return
            _, _, attempt, caller = heapq.heappop(self.timers)
            if attempt != caller.attempt:
                continue
            if caller.socket is None:
                self._dial(caller, now)
            elif caller.phase == "inside":
                self._leave(caller)
            else:
                self._close(caller, "no answer" if caller.kind == "polite" else f"{caller.kind}, gave up")

    def _dial(self, caller: Caller, now: float) -> None:
        names, weights = zip(*KINDS)
        caller.kind = self.chance.choices(names, weights)[0]
        caller.attempt += 1
        caller.socket = socket.socket()
        caller.socket.setblocking(False)
        caller.socket.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
        caller.socket.bind((caller.address, 0))
        code = caller.socket.connect_ex(self.target)
        if code not in (0, errno.EINPROGRESS):
            self._close(caller, f"dial: {errno.errorcode.get(code, code)}")
            return
        caller.phase = "dialling"
        self.by_descriptor[caller.socket.fileno()] = caller
        self.epoll.register(caller.socket.fileno(), select.EPOLLOUT)
        self._at(now + (ANSWER_SECONDS if caller.kind == "polite" else self.chance.uniform(0.1, 8)), caller)

    def _event(self, caller) -> None:
        if caller is None:
            return
        try:
            if caller.phase == "dialling":
                self._greet(caller)
            else:
                self._read(caller)
        except OSError as error:
            self._close(caller, f"{caller.phase}: {errno.errorcode.get(error.errno, error.errno)}")

    def _greet(self, caller: Caller) -> None:
        """Connected: what it says first depends on its kind."""
        code = caller.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            raise OSError(code, "dial")
        if caller.kind != "silent":
            caller.socket.send(STARTUP[:9] if caller.kind == "half" else STARTUP)
        if caller.kind == "rude" and self.chance.random() < 0.5:
            self._close(caller, "rude, reset")
            return
        caller.phase = "asking"
        self.epoll.modify(caller.socket.fileno(), select.EPOLLIN)

    def _read(self, caller: Caller) -> None:
        data = caller.socket.recv(16384)
        if not data:
            self._close(caller, f"{caller.phase}: closed without a word" if caller.kind == "polite" else f"{caller.kind}, closed")
            return
        caller.buffer += data
        for kind, body in messages(caller.buffer):
            if kind == "E":
                self._close(caller, f"{caller.phase}: {_reason(error_fields(body))}")
                return
            if kind == "Z" and caller.phase == "asking":
                self._enter(caller)

    def _enter(self, caller: Caller) -> None:
        self.outcomes["let in"] += 1
        self.inside += 1
        self.inside_max = max(self.inside_max, self.inside)
        caller.phase = "inside"
        caller.socket.send(simple_query("SELECT 1"))
        caller.attempt += 1
        self._at(time.monotonic() + self.chance.uniform(0.05, 1), caller)

    def _leave(self, caller: Caller) -> None:
        """Half say goodbye, half just vanish."""
        if self.chance.random() < 0.5:
            try:
                caller.socket.send(TERMINATE)
            except OSError:
                pass
            self._close(caller, "left")
        else:
            self._close(caller, "vanished")

    def _close(self, caller: Caller, outcome: str) -> None:
        """Ends the attempt; the next one follows after a moment."""
        self.outcomes[outcome] += 1
        if caller.phase == "inside":
            self.inside -= 1
        if caller.kind == "rude" or outcome == "vanished":
            caller.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        self.by_descriptor.pop(caller.socket.fileno(), None)
        caller.socket.close()
        caller.socket = caller.phase = None
        caller.buffer.clear()
        caller.attempt += 1
        self._at(time.monotonic() + self.chance.uniform(0.2, 2), caller)


def _reason(fields: dict) -> str:
    """SQLSTATE and rule of a cap, whose text holds figures; of anything else the beginning of the text as well."""
    code, text = fields.get("C"), fields.get("M", "")
    rule = RULE.search(text)
    return f"{code} {rule.group(1)}" if rule and code == "53300" else f"{code} {text[:100]}"
