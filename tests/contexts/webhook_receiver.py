"""A department's own system for the tests: writes each event down, then answers; may die before its N-th answer."""

from __future__ import annotations

import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

PORT, BOOK, DIES = int(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
heard = 0


class Hook(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        global heard
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        told = {"path": self.path, "body": body, "headers": dict(self.headers.items()), "at": time.time()}
        with BOOK.open("a", encoding="utf-8") as book:
            book.write(json.dumps(told, ensure_ascii=False) + "\n")
        heard += 1
        if heard == DIES:
            os._exit(9)
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing on the tests' own output."""


HTTPServer(("127.0.0.1", PORT), Hook).serve_forever()
