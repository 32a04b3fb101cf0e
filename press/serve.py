"""Serving the finished book on this machine only."""

from __future__ import annotations

import errno
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from press.book import Book, BookError

HOST = "127.0.0.1"


class Handler(SimpleHTTPRequestHandler):
    """Files of one folder, never cached, so that a rebuilt page shows at once; no line per request."""

    extensions_map = SimpleHTTPRequestHandler.extensions_map | {".ipynb": "application/x-ipynb+json",
                                                                ".js": "text/javascript", ".wasm": "application/wasm",
                                                                ".epub": "application/epub+zip"}

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass

    def list_directory(self, path: str) -> None:
        self.send_error(404, "There is no such page")

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        page = Path(self.directory) / "404.html"
        if code != 404 or not page.is_file():
            super().send_error(code, message, explain)
            return
        body = page.read_bytes().replace(b"<head>", b'<head><base href="/">', 1)  # the address may lie in any folder
        self.send_response(404, message)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def server(book: Book, port: int) -> ThreadingHTTPServer:
    """A server of `_book/` on loopback, not yet running; port 0 takes a free one.

    Raises BookError where the book is not built or the port is taken or not allowed.
    """
    if not (book.output / "index.html").is_file():
        raise BookError(f"{book.output} holds no book yet; run dlbook build (or make book) first")
    try:
        return ThreadingHTTPServer((HOST, port), partial(Handler, directory=str(book.output)))
    except OverflowError:
        raise BookError(f"port {port} is no port; expected 0 to 65535") from None
    except OSError as error:
        why = {errno.EADDRINUSE: "is taken by another program", errno.EACCES: "is not allowed to you"}
        reason = why.get(error.errno, f"cannot be used ({error.strerror})")
        raise BookError(f"port {port} {reason}; choose another with --port, or --port 0 for a free one") from None
