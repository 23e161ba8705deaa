#!/usr/bin/env python3
"""Receives Trainyard's alerts, with Python alone: verifies each one, and prints it once.

    WEBHOOK_SECRET=whsec_... python receiver.py 9000

Trainyard's API then needs the same secret, and TRAINYARD_API_WEBHOOK_URL with this host and port;
https:// unless it is a Service of the same cluster.
"""

import base64
import hashlib
import hmac
import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOLERANCE_SECONDS = 5 * 60
MAX_BYTES = 64 * 1024
# A real receiver keeps these in its database, in the transaction that acts on the alert.
SEEN = set()


def signing_key(secret):
    """A secret is base64 after whsec_; any other text is the key itself."""
    prefix = "whsec_"
    if secret.startswith(prefix):
        return base64.b64decode(secret[len(prefix) :])
    return secret.encode()


def is_genuine(key, headers, body):
    """Whether the body, its id and its time are as Trainyard sent them, a moment ago."""
    identifier = headers.get("webhook-id", "")
    timestamp = headers.get("webhook-timestamp", "")
    if not timestamp.isdecimal() or abs(time.time() - int(timestamp)) > TOLERANCE_SECONDS:
        return False
    signed = f"{identifier}.{timestamp}.".encode() + body
    digest = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    # There may be several, while a secret is being replaced.
    given = headers.get("webhook-signature", "").split()
    return any(hmac.compare_digest(f"v1,{digest}".encode(), one.encode()) for one in given)


class Receiver(BaseHTTPRequestHandler):
    """Answers 204 to what is genuine: any other answer has it delivered again."""

    def do_POST(self):
        """One delivery."""
        length = int(self.headers.get("Content-Length", "0"))
        if length > MAX_BYTES:
            self.answer(413)
            return
        body = self.rfile.read(length)
        if not is_genuine(signing_key(os.environ["WEBHOOK_SECRET"]), self.headers, body):
            self.answer(401)
            return
        identifier = self.headers["webhook-id"]
        if identifier not in SEEN:
            SEEN.add(identifier)
            alert = json.loads(body)
            data = alert["data"]
            line = (alert["type"], data["model"], data["reason"], data["message"])
            sys.stdout.write(" ".join(map(str, line)) + "\n")
            sys.stdout.flush()
        self.answer(204)

    def answer(self, status):
        """Only the status counts."""
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        """No line for each request."""


if __name__ == "__main__":
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 9000
    ThreadingHTTPServer(("", port), Receiver).serve_forever()
