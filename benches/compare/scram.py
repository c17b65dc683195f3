"""SCRAM-SHA-256 from the client's side, with keys that are derived beforehand: a login costs the dialler two HMACs."""

import base64
import hashlib
import hmac
import os

ITERATIONS = 4096
MECHANISM = "SCRAM-SHA-256"
# "n,,": no channel binding.
HEADER = "biws"


class Account:
    """A user with a password, its verifier, and the keys that prove it."""

    def __init__(self, user: str):
        self.user = user
        salt = os.urandom(16)
        salted = hashlib.pbkdf2_hmac("sha256", f"secret of {user}".encode(), salt, ITERATIONS)
        self.client_key = hmac.digest(salted, b"Client Key", "sha256")
        self.stored_key = hashlib.sha256(self.client_key).digest()
        server_key = hmac.digest(salted, b"Server Key", "sha256")
        word = lambda data: base64.b64encode(data).decode()  # noqa: E731
        self.verifier = f"{MECHANISM}${ITERATIONS}:{word(salt)}${word(self.stored_key)}:{word(server_key)}"

    def first(self, nonce: str) -> bytes:
        """The body of the SASLInitialResponse."""
        message = f"n,,n=,r={nonce}".encode()
        return MECHANISM.encode() + b"\0" + len(message).to_bytes(4, "big") + message

    def final(self, nonce: str, challenge: bytes) -> bytes:
        """The body of the SASLResponse to the server's first message."""
        theirs = challenge.decode().split(",", 1)[0][2:]
        without_proof = f"c={HEADER},r={theirs}"
        signed = f"n=,r={nonce},{challenge.decode()},{without_proof}".encode()
        signature = hmac.digest(self.stored_key, signed, "sha256")
        proof = bytes(a ^ b for a, b in zip(self.client_key, signature))
        return f"{without_proof},p={base64.b64encode(proof).decode()}".encode()
