"""Writing files so that nothing is ever half-written, and one build at a time."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from press.book import Book, BookError


def write_if_changed(path: Path, text: str) -> bool:
    """Write text under a temporary name and move it there; True where it differed from what was there."""
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)
    return True


@contextmanager
def alone(book: Book) -> Iterator[None]:
    """Hold the book's `_build/` against other builds of it; the system lets go of it with the process.

    Raises BookError where another process has it.
    """
    book.build.mkdir(parents=True, exist_ok=True)
    with (book.build / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BookError("another dlbook is building this book; wait until it is done, or stop it") from None
        yield
