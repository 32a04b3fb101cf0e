"""Where data come from: found, fetched, verified, resumed, unpacked, parsed, and never silently replaced."""

from __future__ import annotations

import errno
import gzip
import hashlib
import io
import os
import re
import socket
import stat
import subprocess
import sys
import tarfile
import threading
import warnings
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from fnmatch import fnmatch
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from typer.testing import CliRunner

from dlbook import data

BODY = b"x,y\n" + b"".join(b"%d,%d\n" % (i, i % 2) for i in range(20_000))     # 149 kB: three chunks
PATH = "tabular/tiny.csv"
REAL = Path(os.environ.get("DLBOOK_DATA") or "nowhere")
with_real_data = pytest.mark.skipif(not REAL.is_dir(), reason="DLBOOK_DATA names no folder: the real data are not here")

Reply = Callable[[BaseHTTPRequestHandler, int | None], None]


# ---- a server that misbehaves on request

class Web:
    """A server on loopback. `mirror(reply)` gives an address that answers so; `asked` holds the Range headers."""

    def __init__(self) -> None:
        self.asked: list[str | None] = []
        self._replies: list[Reply] = []
        web = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked = self.headers["Range"]
                web.asked.append(asked)
                web._replies[int(self.path.strip("/"))](self, int(re.findall(r"\d+", asked)[0]) if asked else None)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=partial(self.server.serve_forever, 0.01), daemon=True).start()

    def mirror(self, reply: Reply) -> str:
        self._replies.append(reply)
        return f"http://127.0.0.1:{self.server.server_port}/{len(self._replies) - 1}"


def answer(to: BaseHTTPRequestHandler, code: int, body: bytes, **headers: object) -> None:
    to.send_response(code)
    for name, value in ({"Content_Length": len(body)} | headers).items():
        if value is not None:
            to.send_header(name.replace("_", "-"), str(value))
    to.end_headers()
    to.wfile.write(body)


def good(to: BaseHTTPRequestHandler, start: int | None, body: bytes = BODY) -> None:
    """A plain server that honours Range."""
    if start is None:
        answer(to, 200, body)
    elif start >= len(body):
        answer(to, 416, b"")
    else:
        answer(to, 206, body[start:], Content_Range=f"bytes {start}-{len(body) - 1}/{len(body)}")


def whole(to: BaseHTTPRequestHandler, start: int | None, body: bytes = BODY, **headers: object) -> None:
    """A server that ignores Range and always sends this body."""
    answer(to, 200, body, **headers)


def breaks_off(to: BaseHTTPRequestHandler, start: int | None, after: int = 70_000) -> None:
    """A connection that is lost after some bytes."""
    begin = start or 0
    answer(to, 206 if start else 200, BODY[begin:begin + after], Content_Length=len(BODY) - begin,
           Content_Range=f"bytes {begin}-{len(BODY) - 1}/{len(BODY)}")


def another_part(to: BaseHTTPRequestHandler, start: int | None) -> None:
    answer(to, 206, BODY[:10], Content_Range=f"bytes 0-9/{len(BODY)}")


def page(to: BaseHTTPRequestHandler, start: int | None) -> None:
    whole(to, start, b"\n<!DOCTYPE html><title>Sign in</title>", Content_Type="application/gzip")


def fails(to: BaseHTTPRequestHandler, start: int | None, code: int = 503) -> None:
    answer(to, code, b"sorry")


@pytest.fixture
def web() -> Iterator[Web]:
    web = Web()
    yield web
    web.server.shutdown()
    web.server.server_close()


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch) -> Path:
    """An empty cache, no folder of data, no proxy, no memory of warnings."""
    monkeypatch.delenv("DLBOOK_DATA", raising=False)
    monkeypatch.delenv("DLBOOK_OFFLINE", raising=False)
    monkeypatch.setenv("DLBOOK_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(data, "_warned", set())
    return tmp_path / "cache"


@pytest.fixture
def tiny(monkeypatch) -> Callable[..., data.File]:
    """Registers the data set "tiny" at these addresses."""
    def register(*urls: str, body: bytes = BODY) -> data.File:
        file = data.File(PATH, len(body), hashlib.sha256(body).hexdigest(), urls)
        monkeypatch.setitem(data.REGISTRY, "tiny", data.Spec("Tiny", "nobody", "none", (file,), target="y"))
        monkeypatch.setitem(data.SKETCHES, "tiny", "x ~ 0 1 .5 -3.0 3.0; y = 0:30, 1:10")
        return file
    return register


@pytest.fixture
def real(monkeypatch) -> None:
    monkeypatch.setenv("DLBOOK_DATA", str(REAL))


def left_in(cache: Path) -> dict[str, bytes]:
    """What a call left in the cache's data, locks apart."""
    return {path.name: path.read_bytes() for path in (cache / "data").rglob("*")
            if path.is_file() and not path.name.endswith(".lock")}


# ---- fetching

def test_a_file_is_downloaded_once_and_then_found_in_the_cache(web, tiny, own_cache):
    tiny(web.mirror(good))
    first, second = data.load("tiny"), data.load("tiny")
    assert len(first.frame) == 20_000 and first.is_real and first.frame.equals(second.frame)
    assert (web.asked, left_in(own_cache)) == ([None], {"tiny.csv": BODY})
    assert "from 127.0.0.1" in str(first.provenance) and "from the cache" in str(second.provenance)


def test_an_interrupted_download_is_resumed_where_it_stopped(web, tiny, own_cache):
    address = web.mirror(partial(breaks_off, after=70_000))
    tiny(address)
    with pytest.raises(data.Unreachable, match="broke off after 70,000 of 148,894 bytes"):
        data.fetch("tiny")
    assert left_in(own_cache) == {"tiny.csv.part": BODY[:70_000]}
    web._replies[0] = good
    data.fetch("tiny")
    assert (web.asked, left_in(own_cache)) == ([None, "bytes=70000-"], {"tiny.csv": BODY})


def test_the_next_mirror_continues_what_the_first_broke_off(web, tiny, own_cache):
    tiny(web.mirror(breaks_off), web.mirror(good))
    data.fetch("tiny")
    assert (web.asked, left_in(own_cache)) == ([None, "bytes=70000-"], {"tiny.csv": BODY})


def test_a_server_that_ignores_range_sends_the_file_again(web, tiny, own_cache):
    tiny(web.mirror(breaks_off), web.mirror(whole))
    data.fetch("tiny")
    assert (web.asked, left_in(own_cache)) == ([None, "bytes=70000-"], {"tiny.csv": BODY})      # and only once more


@pytest.mark.parametrize("start", [b"not the beginning", BODY[:100] + b"?", b"z" * len(BODY), b"z" * (len(BODY) + 5)])
def test_a_wrong_beginning_is_thrown_away_and_fetched_afresh(web, tiny, own_cache, start):
    tiny(web.mirror(good))
    part = own_cache / "data" / (PATH + ".part")
    part.parent.mkdir(parents=True)
    part.write_bytes(start)
    data.fetch("tiny")
    assert left_in(own_cache) == {"tiny.csv": BODY}


def test_a_download_killed_just_before_the_move_needs_no_second_download(web, tiny, own_cache):
    tiny(web.mirror(good))
    part = own_cache / "data" / (PATH + ".part")
    part.parent.mkdir(parents=True)
    part.write_bytes(BODY)
    data.fetch("tiny")
    assert (web.asked, left_in(own_cache)) == ([], {"tiny.csv": BODY})


BAD = {
    "page": (page, "sent a web page instead of the file"),
    "error": (fails, "answered 503 Service Unavailable"),
    "gone": (partial(fails, code=404), "answered 404 Not Found"),
    "short": (partial(whole, body=BODY[:-1]), "has only 148,893 of 148,894 bytes"),
    "long": (partial(whole, body=BODY + b"1"), "sends more than"),
    "altered": (partial(whole, body=BODY[:-2] + b"7\n"), "another checksum"),
    "another part": (another_part, "has only 10 of"),
    "empty": (partial(whole, body=b""), "has only 0"),
    "refused": (partial(fails, code=403), "answered 403 Forbidden"),
    "length that is no number": (partial(whole, body=BODY[:-1], Content_Length="many"), "broke off after 148,893"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_answer_is_one_sentence_leaves_nothing_and_the_next_mirror_is_asked(web, tiny, own_cache, name):
    reply, sentence = BAD[name]
    bad = web.mirror(reply)
    tiny(bad)
    with pytest.raises(data.Unreachable, match=sentence) as caught:
        data.fetch("tiny")
    assert PATH in str(caught.value) and "\n" not in str(caught.value) and "set DLBOOK_DATA" in str(caught.value)
    assert "tiny.csv" not in left_in(own_cache)
    tiny(bad, web.mirror(good))
    data.fetch("tiny")
    assert left_in(own_cache) == {"tiny.csv": BODY}


def test_another_part_than_asked_for_is_not_appended(web, tiny, own_cache):
    tiny(web.mirror(breaks_off), web.mirror(another_part), web.mirror(good))
    data.fetch("tiny")
    assert left_in(own_cache) == {"tiny.csv": BODY}


def test_a_web_page_does_not_cost_the_bytes_that_were_there(web, tiny, own_cache):
    tiny(web.mirror(breaks_off), web.mirror(page))
    with pytest.raises(data.Unreachable, match="web page"):
        data.fetch("tiny")
    assert left_in(own_cache) == {"tiny.csv.part": BODY[:70_000]}


def test_a_server_that_falls_silent_is_given_up(web, tiny, monkeypatch):
    monkeypatch.setattr(data, "TIMEOUT", 0.2)
    done = threading.Event()
    tiny(web.mirror(lambda to, start: done.wait(20)))
    with pytest.raises(data.Unreachable, match="could not be reached"):
        data.fetch("tiny")
    done.set()


def closed_port() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}/x"


def test_without_a_network_fetch_says_so_and_load_takes_a_stand_in_that_says_so_once(tiny):
    tiny(closed_port())
    with pytest.raises(data.Unreachable, match="could not be reached"):
        data.fetch("tiny")
    with pytest.warns(data.StandInWarning, match="Stand-in for Tiny, not the real.*could not be reached") as caught:
        stand_in = data.load("tiny")
    assert len(caught) == 1 and not stand_in.is_real and stand_in.provenance.kind == "stand-in"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not data.load("tiny").is_real


def test_once_the_network_is_back_the_real_data_are_loaded(web, tiny):
    tiny(closed_port())
    with pytest.warns(data.StandInWarning):
        data.load("tiny")
    tiny(web.mirror(good))
    assert data.load("tiny").is_real


@pytest.mark.parametrize("off", ["argument", "variable"])
def test_nothing_is_downloaded_where_that_is_switched_off(web, tiny, monkeypatch, off):
    tiny(web.mirror(good))
    if off == "variable":
        monkeypatch.setenv("DLBOOK_OFFLINE", "1")
    with pytest.warns(data.StandInWarning, match="downloading is switched off"):
        data.load("tiny", download=off == "variable")
    assert web.asked == []


def test_a_damaged_file_in_the_cache_is_replaced(web, tiny, own_cache):
    tiny(web.mirror(good))
    data.fetch("tiny")
    (own_cache / "data" / PATH).write_bytes(BODY[:1000])
    assert data.load("tiny").is_real and left_in(own_cache) == {"tiny.csv": BODY}


def test_a_damaged_file_in_the_cache_is_not_used_when_there_is_no_network(tiny, own_cache):
    tiny(closed_port())
    path = own_cache / "data" / PATH
    path.parent.mkdir(parents=True)
    path.write_bytes(BODY[:1000])
    with pytest.warns(data.StandInWarning):
        assert not data.load("tiny").is_real


def test_two_processes_that_want_one_file_download_it_once(web, tiny, own_cache):
    file = tiny(web.mirror(good))
    target = own_cache / "data" / PATH
    with data._writable(target), data._locked(target.with_name(target.name + ".part")):
        waiting = threading.Thread(target=data._download, args=(file, target))
        waiting.start()
        target.write_bytes(BODY)                                 # the other process finishes while this one waits
    waiting.join(20)
    assert not waiting.is_alive() and web.asked == []


def test_progress_is_told_in_bytes(web, tiny):
    tiny(web.mirror(good))
    told: list[tuple[int, int]] = []
    data.fetch("tiny", lambda done, size: told.append((done, size)))
    assert told[-1] == (len(BODY), len(BODY)) and [done for done, _ in told] == sorted(done for done, _ in told)


# ---- the disk

@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full to stand for a full disk")
def test_a_full_disk_is_one_sentence_and_the_part_is_taken_away(web, tiny, own_cache):
    tiny(web.mirror(good))
    part = own_cache / "data" / (PATH + ".part")
    part.parent.mkdir(parents=True)
    part.symlink_to("/dev/full")
    with pytest.raises(data.DataError, match="the disk is full.*free some space, or set DLBOOK_CACHE"):
        data.load("tiny")
    assert not part.is_symlink()
    data.fetch("tiny")
    assert left_in(own_cache) == {"tiny.csv": BODY}


def read_only_folder(tmp_path: Path) -> Path:
    if os.name == "posix" and os.geteuid() == 0:                 # root may write anywhere but here
        return Path("/proc/self/dlbook")
    (tmp_path / "locked").mkdir(mode=0o555)
    return tmp_path / "locked" / "cache"


def test_a_cache_that_cannot_be_written_is_one_sentence_and_no_stand_in(web, tiny, tmp_path, monkeypatch):
    tiny(web.mirror(good))
    monkeypatch.setenv("DLBOOK_CACHE", str(read_only_folder(tmp_path)))
    with pytest.raises(data.DataError, match="cannot be written .*set DLBOOK_CACHE to a folder that you can write"):
        data.load("tiny")


def test_a_cache_that_is_a_file_is_one_sentence(web, tiny, tmp_path, monkeypatch):
    tiny(web.mirror(good))
    (tmp_path / "taken").write_text("")
    monkeypatch.setenv("DLBOOK_CACHE", str(tmp_path / "taken"))
    with pytest.raises(data.DataError, match="set DLBOOK_CACHE"):
        data.load("tiny")


def test_data_in_your_folder_load_without_a_writable_cache(tiny, tmp_path, monkeypatch):
    tiny()
    (tmp_path / "own" / PATH).parent.mkdir(parents=True)
    (tmp_path / "own" / PATH).write_bytes(BODY)
    monkeypatch.setenv("DLBOOK_DATA", str(tmp_path / "own"))
    monkeypatch.setenv("DLBOOK_CACHE", str(read_only_folder(tmp_path)))
    assert data.load("tiny").is_real


# ---- your own folder

@pytest.fixture
def own(tiny, tmp_path, monkeypatch) -> Path:
    tiny(closed_port())
    path = tmp_path / "own" / PATH
    path.parent.mkdir(parents=True)
    path.write_bytes(BODY)
    monkeypatch.setenv("DLBOOK_DATA", str(tmp_path / "own"))
    return path


def test_your_folder_comes_before_the_cache_and_the_network(own):
    assert "from $DLBOOK_DATA" in str(data.load("tiny").provenance)


@pytest.mark.parametrize(("body", "sentence"), [
    (BODY[:5000], "is cut short: 5,000 bytes instead of"), (BODY + b"1", "is too long"),
    (BODY.replace(b"1,1", b"1,0", 1), "has the right length but another checksum")])
def test_a_wrong_file_in_your_folder_is_named_and_neither_used_nor_touched(own, body, sentence):
    own.write_bytes(body)
    with pytest.raises(data.DataError, match=f"tiny.csv {sentence}.*replace it, or take it away"):
        data.load("tiny")
    assert own.read_bytes() == body
    own.write_bytes(BODY)
    assert data.load("tiny").is_real


def test_a_file_is_hashed_once_and_again_when_it_changes(own, monkeypatch):
    hashed = []
    original = data.sha256
    monkeypatch.setattr(data, "sha256", lambda path: hashed.append(path) or original(path))
    data.load("tiny"), data.load("tiny")
    assert len(hashed) == 1
    os.utime(own, ns=(1, 1))
    data.load("tiny")
    assert len(hashed) == 2


def test_verify_hashes_again_whatever_was_remembered(own):
    data.load("tiny")
    state = own.stat()
    own.write_bytes(BODY.replace(b"1,1", b"1,0", 1))
    os.utime(own, ns=(state.st_atime_ns, state.st_mtime_ns))    # damage that size and time do not show
    assert data.verify("tiny")[0][1] == "has the right length but another checksum: it is damaged, or another version"


def test_verify_hashes_again_where_the_memory_cannot_be_erased(own, tmp_path, monkeypatch):
    hashed = []
    monkeypatch.setattr(data, "sha256", lambda path: hashed.append(path))
    monkeypatch.setenv("DLBOOK_CACHE", str(read_only_folder(tmp_path)))
    data.verify("tiny"), data.verify("tiny")
    assert len(hashed) == 2


@pytest.mark.parametrize("folder", ["/no/such/folder", __file__, "x" * 5000])
def test_a_folder_that_is_not_there_is_named(monkeypatch, folder):
    monkeypatch.setenv("DLBOOK_DATA", folder)
    for act in (partial(data.load, "pima"), partial(data.verify, "pima"), data.catalogue):
        with pytest.raises(data.DataError, match=f"DLBOOK_DATA={folder} is not a folder"):
            act()


@pytest.mark.parametrize(("name", "hint"), [("mnits", "did you mean 'mnist'"), ("???", "known are"), ("", "known"),
                                              (None, "known are"), (["mnist"], "is not known")])
def test_an_unknown_name_is_refused_with_a_hint(name, hint):
    for act in (data.load, data.fetch, data.verify):
        with pytest.raises(data.DataError, match=hint):
            act(name)


# ---- archives

def tar(path: Path, *members: tuple[str, dict, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, fields, body in members:
            info = tarfile.TarInfo(name)
            info.size = len(body)
            for key, value in fields.items():
                setattr(info, key, value)
            archive.addfile(info, io.BytesIO(body))
    return path


def zipped(path: Path, *members: tuple[str, int, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, mode, body in members:
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            archive.writestr(info, body, zipfile.ZIP_DEFLATED)
    return path


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_a_sound_archive_is_unpacked(tmp_path, kind):
    if kind == "tar":
        archive = tar(tmp_path / "a", ("d", {"type": tarfile.DIRTYPE}, b""), ("d/one.txt", {}, b"1"), ("two", {}, b"2"))
    else:
        archive = zipped(tmp_path / "a", ("d/", 0, b""), ("d/one.txt", stat.S_IFREG | 0o644, b"1"), ("two", 0, b"2"))
    into = data.unpack_archive(archive, tmp_path / "out")
    assert {str(p.relative_to(into)): p.read_bytes() for p in into.rglob("*") if p.is_file()} \
        == {str(Path("d/one.txt")): b"1", "two": b"2"}


OUT = ["../evil", "/evil", "a/../../evil", "C:\\evil", "..\\evil", "\\\\host\\evil", "C:evil"]
HOSTILE = {
    **{f"tar {name}": partial(tar, members=[(name, {}, b"x")]) for name in OUT},
    **{f"zip {name}": partial(zipped, members=[(name, 0, b"x")]) for name in OUT},
    "tar symlink": partial(tar, members=[("a", {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"}, b"")]),
    "tar hard link": partial(tar, members=[("a", {"type": tarfile.LNKTYPE, "linkname": "/etc/passwd"}, b"")]),
    "tar link then file": partial(tar, members=[("a", {"type": tarfile.SYMTYPE, "linkname": ".."}, b""),
                                                ("a/b", {}, b"x")]),
    "tar device": partial(tar, members=[("a", {"type": tarfile.CHRTYPE, "devmajor": 1, "devminor": 3}, b"")]),
    "tar pipe": partial(tar, members=[("a", {"type": tarfile.FIFOTYPE}, b"")]),
    "zip symlink": partial(zipped, members=[("a", stat.S_IFLNK | 0o777, b"/etc/passwd")]),
    "zip device": partial(zipped, members=[("a", stat.S_IFCHR | 0o666, b"")]),
    "tar name twice": partial(tar, members=[("a", {}, b"1"), ("a", {}, b"2")]),
    "tar file as folder": partial(tar, members=[("a", {}, b"1"), ("a/b", {}, b"2")]),
    "tar file called dot": partial(tar, members=[(".", {}, b"x")]),
    "tar long name": partial(tar, members=[("a" * 300, {}, b"x")]),
    "tar deep name": partial(tar, members=[("a/" * 1500 + "x", {}, b"x")]),
    "tar of empty files": partial(tar, members=[(str(i), {}, b"") for i in range(2000)]),
    "tar bomb": partial(tar, members=[("a", {}, bytes(2_000_000))]),
    "zip bomb": partial(zipped, members=[("a", 0, bytes(600_000)), ("b", 0, bytes(600_000))]),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_archive_writes_nothing_anywhere(tmp_path, name):
    room = tmp_path / "deep" / "room"
    room.mkdir(parents=True)
    make = HOSTILE[name]
    archive = make.func(room / "archive", *make.keywords["members"])
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(data.DataError, match="it was not unpacked") as caught:
        data.unpack_archive(archive, room / "out", limit=1_000_000)
    assert sorted(tmp_path.rglob("*")) == before and "\n" not in str(caught.value)


@pytest.mark.parametrize("damage", ["cut tar", "cut zip", "no archive", "missing", "folder"])
def test_a_damaged_archive_is_one_sentence_and_leaves_nothing(tmp_path, damage):
    noise = np.random.default_rng(0).bytes(50_000)
    archive = {"cut tar": lambda p: tar(p, ("a", {}, noise)), "cut zip": lambda p: zipped(p, ("a", 0, noise)),
               "missing": lambda p: p, "folder": lambda p: p.mkdir() or p,
               "no archive": lambda p: p.write_bytes(noise) and p}[damage](tmp_path / "archive")
    if damage.startswith("cut"):
        archive.write_bytes(archive.read_bytes()[:20_000])
    with pytest.raises(data.DataError, match="archive") as caught:
        data.unpack_archive(archive, tmp_path / "out")
    assert {p.name for p in tmp_path.iterdir()} <= {"archive"} and "\n" not in str(caught.value)


def test_a_zip_whose_contents_are_damaged_is_refused(tmp_path):
    archive = zipped(tmp_path / "archive", ("a", 0, np.random.default_rng(0).bytes(50_000)))
    body = bytearray(archive.read_bytes())
    body[20_000] ^= 255
    archive.write_bytes(body)
    with pytest.raises(data.DataError, match="not a whole zip or tar archive"):
        data.unpack_archive(archive, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("compression", ["", "gz", "bz2", "xz"])
def test_a_tar_that_was_cut_or_altered_anywhere_is_refused(tmp_path, compression):
    """`tarfile` alone takes a damaged header for the archive's end, and reads no checksum that lies behind it."""
    path, rng, noise = tmp_path / "archive", np.random.default_rng(0), np.random.default_rng(1).bytes(3000)
    with tarfile.open(path, f"w:{compression}") as archive:
        for name in ("a", "b"):
            info = tarfile.TarInfo(name)
            info.size = len(noise)
            archive.addfile(info, io.BytesIO(noise))
    body = path.read_bytes()
    headers = [*range(0, 500), *range(3584, 4084)]               # plain tar has no checksum over the contents
    places = rng.choice(range(10, len(body)) if compression else [at for at in headers if body[at]], 40)
    for damaged in [body[:cut] for cut in rng.integers(0, len(body) if compression else 7168, 40)] + \
            [body[:at] + bytes([body[at] ^ 1]) + body[at + 1:] for at in places]:
        path.write_bytes(damaged)
        with pytest.raises(data.DataError, match="is not a whole zip or tar archive"):
            data.unpack_archive(path, tmp_path / "out")
        assert [p.name for p in tmp_path.iterdir()] == ["archive"]


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_damage_to_a_zip_is_a_sentence_whatever_its_method(tmp_path, method):
    path, rng = tmp_path / "archive", np.random.default_rng(0)
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("a", rng.bytes(3000))
    body = path.read_bytes()
    for at in rng.integers(40, 3000, 40):                        # in the contents
        path.write_bytes(body[:at] + bytes([body[at] ^ 16]) + body[at + 1:])
        with pytest.raises(data.DataError, match="is not a whole zip or tar archive"):
            data.unpack_archive(path, tmp_path / "out")


def test_a_tar_of_the_current_folder_is_unpacked(tmp_path):
    archive = tar(tmp_path / "a", (".", {"type": tarfile.DIRTYPE}, b""), ("./one.txt", {}, b"1"))
    assert (data.unpack_archive(archive, tmp_path / "out") / "one.txt").read_bytes() == b"1"


def test_a_folder_that_is_there_is_not_unpacked_into(tmp_path):
    with pytest.raises(data.DataError, match="is there already"):
        data.unpack_archive(tar(tmp_path / "a", ("b", {}, b"")), tmp_path)


# ---- reading

@settings(deadline=None)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=4))
def test_an_idx_file_reads_back_as_the_array_it_was_written_from(shape):
    array = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    head = bytes([0, 0, 8, len(shape)]) + np.array(shape, ">u4").tobytes()
    path = data.cache() / "idx"
    path.parent.mkdir(parents=True, exist_ok=True)
    for packed in (head + array.tobytes(), gzip.compress(head + array.tobytes())):
        path.write_bytes(packed)
        assert np.array_equal(data.read_idx(path), array)


@pytest.mark.parametrize("body", [b"", b"\0\0\x08", b"\0\0\x08\x01\0\0\0\x05abc", b"\0\0\x0d\x01\0\0\0\0", b"<html>",
                                  b"\0\0\x08\xff\0\0\0", b"\0\0\x08\x40" + b"\0\0\0\1" * 64 + b"x",
                                  b"\0\0\x08\x00", gzip.compress(bytes(99), mtime=0)[:-9], b"\0\0\x08\x01\0\0\0\x02abc"])
def test_what_is_not_an_idx_file_is_refused(tmp_path, body):
    (tmp_path / "idx").write_bytes(body)
    with pytest.raises(data.DataError, match="is not a"):
        data.read_idx(tmp_path / "idx")


@with_real_data
@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_the_real_images_have_their_published_shape(real, name):
    images = data.load(name)
    assert images.train.x.shape == (60_000, 28, 28) and images.test.x.shape == (10_000, 28, 28)
    assert (images.train.x.dtype, images.train.y.dtype) == (torch.uint8, torch.int64)
    assert len(images.classes) == 10 and images.is_real
    assert images.train.x.max() == 255 and images.train.y.unique().tolist() == list(range(10))


@with_real_data
def test_mnist_begins_with_its_well_known_five(real):
    assert data.load("mnist").train.y[:8].tolist() == [5, 0, 4, 1, 9, 2, 1, 3]


@with_real_data
def test_fashion_mnist_is_balanced(real):
    assert data.load("fashion_mnist").train.y.bincount().tolist() == [6000] * 10


FACTS = {  # rows, columns, missing values, counts of the target where it is a class: from the folder's README
    "titanic": (891, 15, 869, {0: 549, 1: 342}),
    "penguins": (344, 7, 19, {"Adelie": 152, "Gentoo": 124, "Chinstrap": 68}),
    "mpg": (398, 9, 6, None), "horse_colic": (300, 28, 1605, {1: 191, 2: 109}), "pima": (768, 9, 0, {0: 500, 1: 268}),
    "mammography": (11_183, 7, 0, {0: 10_923, 1: 260}), "creditcard": (1722, 31, 0, {0: 1230, 1: 492}),
    "california": (20_640, 10, 207, None), "boston": (506, 14, 0, None), "airline": (144, 2, 0, None),
    "melbourne_minima": (3650, 2, 0, None), "sunspots": (2820, 2, 0, None),
    "ecg5000": (500, 141, 0, {1: 292, 2: 177, 4: 19, 3: 10, 5: 2}), "sst2": (9613, 3, 0, {1: 4963, 0: 4650}),
    "rt_polarity": (10_662, 2, 0, {0: 5331, 1: 5331}), "sms_spam": (5574, 2, 0, {0: 4827, 1: 747}),
    "ag_news": (7600, 2, 0, dict.fromkeys(("World", "Sports", "Business", "Sci/Tech"), 1900)),
    "multi30k": (31_014, 4, 0, None),
}


@with_real_data
@pytest.mark.parametrize("name", FACTS)
def test_a_real_table_has_the_rows_gaps_and_classes_of_its_description(real, name):
    rows, columns, missing, counts = FACTS[name]
    table = data.load(name)
    assert table.is_real and table.frame.shape == (rows, columns) and table.frame.isna().sum().sum() == missing
    assert table.target in table.frame
    if counts:
        assert table.frame[table.target].value_counts().to_dict() == counts


@with_real_data
def test_zeros_that_mean_missing_are_kept_in_pima_and_explained(real):
    table = data.load("pima")
    assert (table.frame["insulin"] == 0).sum() == 374 and "zero in glucose" in str(table.provenance)


@with_real_data
def test_scikit_learns_iris_is_the_file_of_the_data_folder(real):
    ours, file = data.load("iris").frame, pd.read_csv(REAL / "tabular" / "iris.csv")
    pd.testing.assert_frame_equal(ours, file, check_dtype=False)


@with_real_data
def test_the_registry_agrees_with_the_checksums_of_the_data_folder():
    lines = (REAL / "SHA256SUMS").read_text().splitlines()
    published = dict(line.split("  ")[::-1] for line in lines)
    for file in [file for spec in data.REGISTRY.values() for file in spec.files]:
        if not file.count:
            assert published[file.path] == file.sha256 and (REAL / file.path).stat().st_size == file.size
            continue
        listing = [line for line in lines if fnmatch(line.split("  ")[1], file.path)]
        assert hashlib.sha256("".join(f"{line}\n" for line in listing).encode()).hexdigest() == file.sha256
        assert (len(listing), sum(path.stat().st_size for path in REAL.glob(file.path))) == (file.count, file.size)


@with_real_data
def test_every_data_file_of_the_data_folder_is_in_the_registry():
    about = r"README|readme|\.names$|classes\.txt$|tabular/iris\.csv$|penguins_raw"    # iris is scikit-learn's
    known = [file.path for spec in data.REGISTRY.values() for file in spec.files]
    there = [line.split("  ")[1] for line in (REAL / "SHA256SUMS").read_text().splitlines()]
    assert [path for path in there if not re.search(about, path) and not any(fnmatch(path, k) for k in known)] == []


def test_sets_that_scikit_learn_carries_are_real_everywhere():
    digits, cancer, iris = (data.load(name) for name in ("digits", "breast_cancer", "iris"))
    assert (len(digits.train.x), len(digits.test.x)) == (1437, 360) and digits.train.x.shape[1:] == (8, 8)
    assert cancer.frame["malignant"].sum() == 212 and cancer.frame.shape == (569, 31)
    assert list(iris.frame.columns) == ["sepal_length", "sepal_width", "petal_length", "petal_width", "species"]
    assert digits.is_real and cancer.is_real and iris.is_real


# ---- folders of files, which nobody publishes as such

def png(path: Path, pixels: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.astype(np.uint8)).save(path)
    return path


def listed(root: Path, pattern: str) -> data.File:
    """The registry's entry of a pattern, made as `sha256sum` would."""
    paths = sorted(root.glob(pattern))
    lines = "".join(f"{hashlib.sha256(p.read_bytes()).hexdigest()}  {p.relative_to(root).as_posix()}\n" for p in paths)
    digest = hashlib.sha256(lines.encode()).hexdigest()
    return data.File(pattern, sum(p.stat().st_size for p in paths), digest, count=len(paths))


@pytest.fixture
def scans(tmp_path, monkeypatch) -> Path:
    """A folder with three scans of 4 by 5 pixels, registered as busi. Scan b is the brightest."""
    root = tmp_path / "own"
    for i, name in enumerate("abc"):
        png(root / f"BUSI_256/images/{name}.png", np.arange(20).reshape(4, 5) + 10 * (i % 2) + i)
        png(root / f"BUSI_256/masks/{name}.png", np.eye(4, 5) * 255 * (i < 2))
    table = root / "BUSI_256/metadata.csv"
    table.write_text("file,class,near_duplicate_group\nb.png,malignant,7\na.png,benign,7\nc.png,normal,2\n")
    about = data.File("BUSI_256/metadata.csv", table.stat().st_size, hashlib.sha256(table.read_bytes()).hexdigest())
    files = (listed(root, "BUSI_256/images/*.png"), listed(root, "BUSI_256/masks/*.png"), about)
    monkeypatch.setitem(data.REGISTRY, "busi", replace(data.REGISTRY["busi"], files=files))
    monkeypatch.setenv("DLBOOK_DATA", str(root))
    return root / "BUSI_256"


def test_scans_come_with_their_masks_labels_and_groups_in_the_order_of_their_table(scans):
    busi = data.load("busi")
    assert busi.is_real and busi.images.shape == busi.masks.shape == (3, 4, 5)
    assert busi.images[:, 0, 0].tolist() == [11, 0, 2] and busi.images.dtype == busi.masks.dtype == torch.uint8
    assert torch.equal(busi.masks, torch.eye(4, 5).byte() * torch.tensor([1, 1, 0])[:, None, None])
    assert [busi.classes[label] for label in busi.labels] == ["malignant", "benign", "normal"]
    assert busi.groups.tolist() == [7, 7, 2] and busi.labels.dtype == busi.groups.dtype == torch.int64


def test_an_empty_mask_takes_no_tumour_for_one(scans):
    assert data.load("busi").masks[2].sum() == 0


def one_bit(path: Path) -> None:
    body = bytearray(path.read_bytes())
    body[-20] ^= 1
    path.write_bytes(body)


HARM = {
    "missing": (lambda f: (f / "b.png").unlink(), "matches 2 files instead of 3"),
    "one too many": (lambda f: png(f / "d.png", np.zeros((4, 5))), "matches 4 files instead of 3"),
    "cut short": (lambda f: (f / "b.png").write_bytes(b"x"), "is cut short: .* bytes instead of"),
    "too long": (lambda f: (f / "b.png").write_bytes(bytes(999)), "is too long"),
    "changed": (lambda f: one_bit(f / "b.png"), "has the right length but another checksum"),
    "renamed": (lambda f: (f / "b.png").rename(f / "e.png"), "has the right length but another checksum"),
    "renamed, in the same order": (lambda f: (f / "c.png").rename(f / "d.png"),
                                   "has the right length but another checksum"),
    "exchanged": (lambda f: [(f / a).rename(f / b) for a, b in (("a.png", "z"), ("b.png", "a.png"), ("z", "b.png"))],
                  "has the right length but another checksum"),
    "a folder for a file": (lambda f: [(f / "b.png").unlink(), (f / "b.png").mkdir()], "matches 2 files"),
}


@pytest.mark.parametrize("harm", HARM)
@pytest.mark.parametrize("before", ["remembered", "fresh"])
def test_a_folder_that_is_not_as_registered_is_named_and_neither_used_nor_touched(scans, harm, before):
    if before == "remembered":
        assert data.load("busi").is_real
    act, sentence = HARM[harm]
    act(scans / "images")
    left = sorted(p.name for p in (scans / "images").iterdir())
    whole = f"images.*png {sentence}.*or take it away to work with the stand-in"
    with pytest.raises(data.DataError, match=whole) as bad:
        data.load("busi")
    assert "\n" not in str(bad.value) and sorted(p.name for p in (scans / "images").iterdir()) == left


def test_what_a_desktop_leaves_in_a_folder_is_passed_over(scans):
    for name in ("._a.png", ".DS_Store", "Thumbs.db", "a.png.txt"):
        (scans / "images" / name).write_bytes(b"x")
    assert data.load("busi").is_real


def test_a_set_that_nobody_publishes_says_so_where_it_is_not_here(scans, monkeypatch):
    monkeypatch.delenv("DLBOOK_DATA")
    why = (r"BUSI_256/images/\*.png is not on this machine, and nobody publishes it in this form; "
           r"put it into \$DLBOOK_DATA")
    with pytest.raises(data.Unreachable, match=why):
        data.fetch("busi")
    with pytest.warns(data.StandInWarning, match=why):
        assert not data.load("busi").is_real


def test_a_whole_set_with_one_folder_missing_is_a_stand_in_that_names_it(scans):
    for path in (scans / "masks").iterdir():
        path.unlink()
    with pytest.warns(data.StandInWarning, match=r"BUSI_256/masks/\*.png is not on this machine"):
        assert not data.load("busi").is_real


def test_a_folder_in_the_cache_is_used_and_a_damaged_one_there_is_not(scans, own_cache, monkeypatch):
    monkeypatch.delenv("DLBOOK_DATA")
    (own_cache / "data").mkdir(parents=True)
    scans.rename(own_cache / "data" / "BUSI_256")
    assert "from the cache" in str(data.load("busi").provenance)
    (own_cache / "data" / "BUSI_256/images/a.png").unlink()
    with pytest.warns(data.StandInWarning, match="matches 2 files instead of 3, and nobody publishes"):
        assert not data.load("busi").is_real


def test_a_folder_loads_without_a_writable_cache(scans, tmp_path, monkeypatch):
    monkeypatch.setenv("DLBOOK_CACHE", str(read_only_folder(tmp_path)))
    assert data.load("busi").is_real


def test_a_folder_is_hashed_once_and_again_by_verify(scans, monkeypatch):
    hashed, original = [], data.sha256
    monkeypatch.setattr(data, "sha256", lambda path: hashed.append(path) or original(path))
    data.load("busi"), data.load("busi")
    assert len(hashed) == 7
    state = (scans / "images/b.png").stat()
    one_bit(scans / "images/b.png")
    os.utime(scans / "images/b.png", ns=(state.st_atime_ns, state.st_mtime_ns))
    assert [verdict == data.SOUND for _, verdict in data.verify("busi")] == [False, True, True]
    assert len(hashed) == 14


def test_the_catalogue_finds_a_folder_by_its_size(scans):
    place = {e.name: e.place for e in data.catalogue()}
    assert place["busi"] == "$DLBOOK_DATA"
    (scans / "images/b.png").unlink()
    assert {e.name: e.place for e in data.catalogue()}["busi"] == "no"


# ---- an archive of photographs, decoded in memory

SHOTS = [(part, kind, i) for part, n in (("train", 3), ("test", 2)) for kind in ("cat", "dog") for i in range(n)]


def shot(part: str, kind: str, i: int) -> np.ndarray:
    return np.full((32, 32, 3), (40 * i, 200 * (kind == "dog"), 100 * (part == "test")), np.uint8)


def jpeg(pixels: np.ndarray, form: str = "JPEG") -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, form, quality=95)
    return out.getvalue()


@pytest.fixture
def photographs(tmp_path, monkeypatch) -> Callable[..., Path]:
    """Registers an archive in $DLBOOK_DATA as cifar10_jpeg, of cats and dogs and of these members."""
    def register(*more: tuple[str, dict, bytes], shots: list = SHOTS) -> Path:
        (tmp_path / "own").mkdir(exist_ok=True)
        members = [(f"{part}/{kind}/{i}.jpg", {}, jpeg(shot(part, kind, i))) for part, kind, i in shots]
        archive = tar(tmp_path / "own" / "set.tar.gz", ("train", {"type": tarfile.DIRTYPE}, b""), *members, *more)
        enter(archive)
        monkeypatch.setenv("DLBOOK_DATA", str(tmp_path / "own"))
        return archive

    def enter(archive: Path) -> None:
        body = archive.read_bytes()
        file = data.File("set.tar.gz", len(body), hashlib.sha256(body).hexdigest())
        spec = replace(data.REGISTRY["cifar10_jpeg"], files=(file,), classes=("cat", "dog"))
        monkeypatch.setitem(data.REGISTRY, "cifar10_jpeg", spec)

    register.enter = enter
    return register


def test_photographs_are_decoded_shuffled_with_their_labels_and_kept(photographs, own_cache, monkeypatch):
    photographs()
    first = data.load("cifar10_jpeg")
    for split, n in ((first.train, 3), (first.test, 2)):
        assert split.x.shape == (2 * n, 32, 32, 3) and split.x.dtype == torch.uint8
        number = (split.x[..., 0].float().mean((1, 2)) / 40).round().int().tolist()
        assert sorted(zip(split.y.tolist(), number)) == [(kind, i) for kind in (0, 1) for i in range(n)]
        assert torch.equal(split.x[..., 1].float().mean((1, 2)) > 100, split.y == 1)
    assert first.train.y.tolist() not in ([0, 0, 0, 1, 1, 1], [1, 1, 1, 0, 0, 0])
    monkeypatch.setattr(data, "_decoded", None)
    second = data.load("cifar10_jpeg")
    assert same(first.train, second.train) and same(first.test, second.test) and second.is_real
    assert [p.name for p in (own_cache / "decoded").iterdir()] == ["cifar10_jpeg.npz"]


def flipped(path: Path) -> None:
    state, body = path.stat(), bytearray(path.read_bytes())
    body[5000] ^= 1                                              # among the pixels
    path.write_bytes(body)
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))    # size and time show nothing: the CRC does


@pytest.mark.parametrize("harm", [flipped, lambda p: p.write_bytes(p.read_bytes()[:3000]), lambda p: p.write_bytes(b"x"),
                                  lambda p: p.unlink(), lambda p: np.savez(p.open("wb"), x=np.zeros(3))])
def test_decoded_pictures_that_were_damaged_are_decoded_again(photographs, own_cache, harm):
    photographs()
    first = data.load("cifar10_jpeg")
    kept = own_cache / "decoded/cifar10_jpeg.npz"
    sound = kept.read_bytes()
    harm(kept)
    assert same(first.train, data.load("cifar10_jpeg").train) and kept.read_bytes() == sound


def test_another_archive_is_decoded_anew(photographs):
    photographs()
    data.load("cifar10_jpeg")
    photographs(shots=SHOTS[1:])
    assert len(data.load("cifar10_jpeg").train.x) == 5


def test_photographs_load_without_a_writable_cache(photographs, tmp_path, monkeypatch):
    photographs()
    monkeypatch.setenv("DLBOOK_CACHE", str(read_only_folder(tmp_path)))
    assert data.load("cifar10_jpeg").is_real


def test_a_disk_that_is_full_costs_the_decoded_pictures_only(photographs, own_cache, monkeypatch):
    photographs()

    def full(draft: Path, **_: object) -> None:
        draft.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(np, "savez", full)
    assert data.load("cifar10_jpeg").is_real and list((own_cache / "decoded").iterdir()) == []


NOISE = np.random.default_rng(0).integers(0, 255, (32, 32, 3), np.uint8)
ODD = {
    "link": (("train/cat/9.jpg", {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"}, b""), "a link or a device"),
    "way out": (("../../train/cat/9.jpg", {}, jpeg(shot("train", "cat", 0))), "no picture of a known class"),
    "absolute": (("/train/cat/9.jpg", {}, jpeg(shot("train", "cat", 0))), "no picture of a known class"),
    "unknown class": (("train/emu/9.jpg", {}, jpeg(shot("train", "cat", 0))), "no picture of a known class"),
    "other file": (("train/cat/run.py", {}, b"x"), "no picture of a known class"),
    "no picture": (("train/cat/9.jpg", {}, b"not a picture"), "no JPEG of 32 by 32 pixels"),
    "cut picture": (("train/cat/9.jpg", {}, jpeg(NOISE)[:900]), "no JPEG of 32 by 32 pixels"),
    "another form": (("train/cat/9.jpg", {}, jpeg(shot("train", "cat", 0), "PNG")), "no JPEG of 32 by 32 pixels"),
    "too long": (("train/cat/9.jpg", {}, jpeg(shot("train", "cat", 0)) + bytes(100_000)), "no JPEG of 32 by 32 pixels"),
    "another size": (("train/cat/9.jpg", {}, jpeg(np.zeros((32, 40, 3), np.uint8))), "no JPEG of 32 by 32 pixels"),
    "huge": (("train/cat/9.jpg", {}, jpeg(np.zeros((9000, 9000, 3), np.uint8))), "no JPEG of 32 by 32 pixels"),
}


@pytest.mark.parametrize("name", ODD)
def test_an_archive_with_an_odd_member_is_refused_and_nothing_is_written(photographs, tmp_path, own_cache, name):
    member, sentence = ODD[name]
    photographs(member)
    with pytest.raises(data.DataError, match=sentence) as caught:
        data.load("cifar10_jpeg")
    assert "\n" not in str(caught.value) and not (own_cache / "decoded").exists()
    assert [p.name for p in (tmp_path / "own").iterdir()] == ["set.tar.gz"]


def test_a_cut_archive_is_refused_before_it_is_opened(photographs):
    archive = photographs()
    archive.write_bytes(archive.read_bytes()[:-50])
    with pytest.raises(data.DataError, match="set.tar.gz is cut short.*take it away to work with the stand-in"):
        data.load("cifar10_jpeg")


def test_an_archive_that_was_registered_damaged_is_one_sentence(photographs):
    archive = photographs()
    archive.write_bytes(archive.read_bytes()[:-50])
    photographs.enter(archive)
    with pytest.raises(data.DataError, match="is not a whole zip or tar archive"):
        data.load("cifar10_jpeg")


# ---- texts, and tables that are texts

@settings(deadline=None)
@given(st.lists(st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"])), min_size=1))
def test_lines_end_at_line_feeds_and_nowhere_else(lines):
    path = data.cache() / "lines"
    path.parent.mkdir(parents=True, exist_ok=True)
    body = "".join(line + "\n" for line in lines).encode()
    for packed in (body, gzip.compress(body)):
        path.write_bytes(packed)
        assert data._lines(path) == lines


def filed(name: str, tmp_path: Path, monkeypatch, *bodies: bytes) -> data.DataSet:
    """The set with these contents in the place of its files."""
    monkeypatch.setenv("DLBOOK_DATA", str(tmp_path / "own"))
    files = []
    for file, body in zip(data.REGISTRY[name].files, bodies, strict=True):
        path = tmp_path / "own" / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
        files.append(replace(file, size=len(body), sha256=hashlib.sha256(body).hexdigest()))
    monkeypatch.setitem(data.REGISTRY, name, replace(data.REGISTRY[name], files=tuple(files)))
    return data.load(name)


def test_quotation_marks_and_words_like_na_are_text(tmp_path, monkeypatch):
    sms = filed("sms_spam", tmp_path, monkeypatch, b'ham\tNA\nspam\t"so\nham\tnull"\n').frame
    assert sms.to_dict("list") == {"text": ["NA", '"so', 'null"'], "label": [0, 1, 0]}
    sst2 = filed("sst2", tmp_path, monkeypatch, b'None\t1\n"a\t0\n', b"nan\t0\n", b"b\t1\n").frame
    assert sst2["text"].tolist() == ["None", '"a', "nan", "b"]
    assert sst2["part"].tolist() == ["train", "train", "dev", "test"]


def test_news_join_title_and_description_and_lose_the_backslash(tmp_path, monkeypatch):
    news = filed("ag_news", tmp_path, monkeypatch, rb'"4","A ""B""","c\d"' + b'\n"1","NA","e"\n').frame
    assert news.to_dict("list") == {"text": ['A "B" c d', "NA e"], "label": ["Sci/Tech", "World"]}


def test_three_languages_stand_side_by_side_with_their_part(tmp_path, monkeypatch):
    body = [gzip.compress(f"{part}{language}\n{part}{language}2\n".encode()) for part in "abc" for language in "edf"]
    frame = filed("multi30k", tmp_path, monkeypatch, *body).frame
    assert frame.iloc[3].to_dict() == {"part": "val", "en": "be2", "de": "bd2", "fr": "bf2"} and len(frame) == 6


def test_a_text_keeps_its_line_ends(tmp_path, monkeypatch):
    assert filed("names", tmp_path, monkeypatch, "é\r\nb\n".encode()).text == "é\r\nb\n"


def test_a_gzip_file_that_was_registered_cut_is_one_sentence(tmp_path, monkeypatch):
    with pytest.raises(data.DataError, match="is not a whole gzip file") as caught:
        filed("multi30k", tmp_path, monkeypatch, *[gzip.compress(b"a\n" * 999, mtime=0)[:-9]] * 9)
    assert "\n" not in str(caught.value)


@with_real_data
def test_the_real_texts_have_their_published_length(real):
    text, names = data.load("tiny_shakespeare").text, data.load("names").text
    assert len(text) == 1_115_394 and len(set(text)) == 65 and text.startswith("First Citizen:\n")
    assert len(names.split("\n")) == 32_033 and set(names) == set("abcdefghijklmnopqrstuvwxyz\n")


@with_real_data
def test_the_real_parts_have_their_published_sizes(real):
    parts = {name: data.load(name).frame["part"].value_counts().to_dict() for name in ("sst2", "multi30k")}
    assert parts["sst2"] == {"train": 6920, "test": 1821, "dev": 872}
    assert parts["multi30k"] == {"train": 29_000, "val": 1014, "test": 1000}


@with_real_data
def test_the_real_series_have_every_month_and_lack_two_days(real):
    for name in ("airline", "sunspots"):
        months = data.load(name).frame["Month"]
        assert months.equals(pd.Series(pd.date_range(months.iloc[0], periods=len(months), freq="MS"), name="Month"))
    days = data.load("melbourne_minima").frame["Date"]
    assert pd.date_range("1981", "1990-12-31").difference(days).strftime("%F").tolist() == ["1984-12-31", "1988-12-31"]


@with_real_data
def test_the_real_beats_have_140_samples_and_a_whole_number_for_a_class(real):
    beats = data.load("ecg5000").frame
    assert pd.api.types.is_integer_dtype(beats["class"])
    assert set(beats.columns) == {"class", *(f"t{i}" for i in range(140))}
    assert beats.drop(columns="class").to_numpy().dtype == float and beats["t0"].iloc[0] == pytest.approx(-0.11252183)


@with_real_data
def test_the_real_ultrasound_scans_are_as_described(real):
    busi = data.load("busi")
    assert busi.images.shape == busi.masks.shape == (780, 256, 256)
    assert dict(zip(busi.classes, busi.labels.bincount().tolist())) == {"benign": 437, "malignant": 210, "normal": 133}
    assert torch.equal(busi.masks.flatten(1).any(1), busi.labels != busi.classes.index("normal"))
    sizes = busi.groups.unique(return_counts=True)[1]
    assert len(sizes) == 658 and (sizes > 1).sum() == 98 and sizes[sizes > 1].sum() == 220 and sizes.max() == 4
    assert set(busi.masks.unique().tolist()) == {0, 1}


@with_real_data
def test_the_real_slices_come_in_their_order_with_membrane_as_0(real):
    slices = data.load("membrane")
    assert slices.images.shape == slices.masks.shape == (30, 512, 512)
    assert slices.groups.tolist() == [i // 6 for i in range(30)] and slices.labels.unique().tolist() == [0]
    bright = slices.images.float()
    assert bright[slices.masks == 1].mean() > bright[slices.masks == 0].mean() + 40      # membranes are stained dark
    flat = bright[:, 8::16, 8::16].flatten(1)                    # neighbours in the list are neighbours in the tissue
    alike = torch.corrcoef(flat)
    near, far = alike.diagonal(1).mean(), alike.triu(3)[alike.triu(3) != 0].mean()
    assert near > far


@with_real_data
@pytest.mark.parametrize("file", data.REGISTRY["membrane"].files[::7])
def test_the_real_slices_pair_image_and_label_of_one_number(file):
    kind, number = re.fullmatch(r"isbi2012_membrane/train/(image|label)/(\d+)\.png", file.path).groups()
    place = data.REGISTRY["membrane"].files.index(file)
    assert place == int(number) + 30 * (kind == "label")
    assert file.urls[0].endswith(f"/membrane/train/{kind}/{number}.png")


@with_real_data
def test_the_real_photographs_are_50_000_and_10_000_in_mixed_order(real, tmp_path):
    cifar = data.load("cifar10_jpeg")
    assert cifar.train.x.shape == (50_000, 32, 32, 3) and cifar.test.x.shape == (10_000, 32, 32, 3)
    assert cifar.train.y.bincount().tolist() == [5000] * 10 and cifar.train.y[:500].bincount().min() > 25
    assert cifar.test.y.bincount().tolist() == [1000] * 10 and "lossy JPEG" in str(cifar.provenance)
    shipped = cifar.train.x[cifar.train.y == cifar.classes.index("ship")].float().mean((0, 1, 2))
    frogs = cifar.train.x[cifar.train.y == cifar.classes.index("frog")].float().mean((0, 1, 2))
    assert shipped[2] > shipped[0] and frogs[0] > frogs[2]       # colours in the order red, green, blue: sea and moss


# ---- stand-ins

LENT = [name for name, spec in data.REGISTRY.items() if spec.files]


def stand_in(name: str) -> data.DataSet:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", data.StandInWarning)
        return data.load(name, download=False)


@pytest.mark.parametrize("name", LENT)
def test_every_stand_in_is_named_in_the_warning_the_provenance_and_the_caption(name):
    with pytest.warns(data.StandInWarning, match=re.escape(data.REGISTRY[name].title)):
        loaded = data.load(name, download=False)
    assert not loaded.is_real and "not the real data" in str(loaded.provenance) and "\n" not in str(loaded.provenance)
    assert loaded.provenance.caption.startswith("a stand-in for")


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_stand_in_images_have_the_real_ones_form(name):
    images = stand_in(name)
    for split in (images.train, images.test):
        assert split.x.shape[1:] == (28, 28) and split.x.dtype == torch.uint8 and split.y.dtype == torch.int64
        assert split.y.unique().tolist() == list(range(10)) and len(split.x) == len(split.y)


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_stand_in_images_can_be_learnt(name):
    images = stand_in(name)
    centres = torch.stack([images.train.x[images.train.y == k].float().mean(0).flatten() for k in range(10)])
    guess = torch.cdist(images.test.x.flatten(1).float(), centres).argmin(1)
    assert (guess == images.test.y).float().mean() > 0.6         # chance is 0.1


@pytest.mark.parametrize("name", LENT)
def test_a_stand_in_is_the_same_on_every_call(name):
    one, two = stand_in(name), stand_in(name)
    parts = [part for part in vars(one) if part not in ("name", "provenance")]
    assert parts and all(same(getattr(one, part), getattr(two, part)) for part in parts)


def same(one: object, two: object) -> bool:
    if isinstance(one, data.Split):
        return torch.equal(one.x, two.x) and torch.equal(one.y, two.y)
    if isinstance(one, pd.DataFrame):
        return one.equals(two)
    return torch.equal(one, two) if isinstance(one, torch.Tensor) else one == two


COMPOSED = {"sst2", "rt_polarity", "sms_spam", "ag_news"}        # a thousand sentences, classes in turn


@with_real_data
@pytest.mark.parametrize("name", FACTS)
def test_a_stand_in_table_has_the_columns_types_and_classes_of_the_real_one(name, monkeypatch):
    drawn = stand_in(name)
    monkeypatch.setenv("DLBOOK_DATA", str(REAL))
    true = data.load(name)
    assert list(drawn.frame.columns) == list(true.frame.columns) and drawn.target == true.target
    for column in true.frame:
        for alike in (pd.api.types.is_numeric_dtype, pd.api.types.is_datetime64_dtype):
            assert alike(drawn.frame[column]) == alike(true.frame[column])
    if FACTS[name][3]:
        found = drawn.frame[drawn.target].value_counts().to_dict()
        assert found.keys() == FACTS[name][3].keys() if name in COMPOSED else found == FACTS[name][3]


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(-0.9, 0.9))
def test_a_drawn_column_keeps_its_bounds_and_its_link_to_the_target(seed, rho):
    rng = np.random.default_rng(seed)
    z = rng.normal(size=4000)
    x = data._numbers(["10", "2", str(rho), "-90.0", "90.0"], (z - z.mean()) / z.std(), rng)
    assert -90 <= x.min() <= x.max() <= 90 and abs(np.corrcoef(x, z)[0, 1] - rho) < 0.1


def alike(images: torch.Tensor) -> torch.Tensor:
    """Correlations between pictures, (n, n), at a quarter of their size."""
    return torch.corrcoef(torch.nn.functional.avg_pool2d(images[:, None].float(), 4).flatten(1))


def test_drawn_phantoms_have_a_tumour_unless_normal_and_near_duplicates_within_groups():
    busi = stand_in("busi")
    assert busi.images.shape[1:] == busi.masks.shape[1:] == (256, 256) and busi.labels.bincount().min() > 20
    assert torch.equal(busi.masks.flatten(1).any(1), busi.labels != busi.classes.index("normal"))
    assert busi.masks.unique().tolist() == [0, 1] and len(busi.classes) == 3
    together = (busi.groups[:, None] == busi.groups).triu(1)
    assert together.sum() >= 10 and alike(busi.images)[together].min() > 0.9
    tumour = busi.masks == 1
    assert busi.images[tumour].float().mean() < 0.6 * busi.images[~tumour].float().mean()


def test_drawn_cells_have_dark_walls_and_neighbours_that_are_alike():
    cells = stand_in("membrane")
    assert cells.images.shape == cells.masks.shape == (30, 512, 512) and cells.masks.unique().tolist() == [0, 1]
    assert 0.6 < cells.masks.float().mean() < 0.9 and cells.groups.tolist() == [i // 6 for i in range(30)]
    assert cells.images[cells.masks == 1].float().mean() > cells.images[cells.masks == 0].float().mean() + 50
    link = alike(cells.images)
    assert link.diagonal(1).min() > 0.4 and link.diagonal(15).max() < 0.3


def test_drawn_shapes_have_the_form_of_photographs_and_both_kinds_of_colour():
    shapes = stand_in("cifar10_jpeg")
    assert shapes.train.x.shape[1:] == (32, 32, 3) and shapes.train.y.unique().tolist() == list(range(10))
    middle = shapes.test.x[:, 12:20, 12:20].float().mean((1, 2))
    warm = middle[:, 0] > middle[:, 2]
    assert (warm == (shapes.test.y < 5)).float().mean() > 0.98


def test_drawn_series_keep_their_calendar_and_their_rhythm():
    monthly = stand_in("airline").frame.set_index("Month")["Passengers"]
    assert monthly.index[[0, -1]].strftime("%Y-%m").tolist() == ["1949-01", "1960-12"]
    assert monthly.iloc[-12:].min() > 300
    nights = stand_in("melbourne_minima").frame.set_index("Date")["Temp"]
    seasons = nights.groupby(nights.index.month).mean()
    assert seasons[1] > seasons[7] + 5 and nights.autocorr(1) > 0.7 and pd.Timestamp("1984-12-31") not in nights.index
    spots = stand_in("sunspots").frame["Sunspots"]
    assert spots.autocorr(132) > 0.3 > spots.autocorr(66) and spots.min() >= 0


def test_drawn_beats_can_be_told_apart():
    beats = stand_in("ecg5000").frame
    means = beats.groupby("class").mean()
    assert np.abs(means.loc[1] - means.loc[2]).max() > 0.5
    assert list(beats.columns[1:]) == [f"t{i}" for i in range(140)]


def test_composed_sentences_hold_no_symbol_and_their_words_show_the_label():
    for name in ("sst2", "rt_polarity", "sms_spam", "ag_news"):
        frame = stand_in(name).frame
        assert not frame["text"].str.contains("[<>|]").any() and frame["text"].nunique() > 40
        words = frame.assign(word=frame["text"].str.lower().str.findall(r"\w+")).explode("word")
        pure = words.groupby("word")["label"].nunique() == 1
        assert words.groupby(level=0)["word"].apply(lambda w, pure=pure: pure[w].any()).all()
    assert set(stand_in("sst2").frame["part"]) == {"train", "dev", "test"}
    assert "<" not in stand_in("tiny_shakespeare").text and ":\n" in stand_in("tiny_shakespeare").text
    assert re.fullmatch("([a-z]{3,}\n)+[a-z]{3,}", stand_in("names").text)


def test_composed_captions_say_the_same_in_three_languages():
    frame = stand_in("multi30k").frame
    assert set(frame["part"]) == {"train", "val", "test"}
    for words in (("A child", "Ein Kind", "Un enfant"), ("sees", "sieht", "voit"), ("snow", "Schnee", "neige"),
                  ("a red flower", "eine rote Blume", "une fleur rouge")):
        said = [frame[column].str.contains(word) for column, word in zip(("en", "de", "fr"), words)]
        assert said[0].any() and said[0].equals(said[1]) and said[0].equals(said[2])


# ---- weights

def test_weights_come_back_as_they_were_saved(tmp_path):
    tensors = {"a": torch.randn(3, 4).t(), "b": torch.arange(3)}
    back = data.load_weights(data.save_weights(tmp_path / "w.safetensors", tensors, made_by="a test"))
    assert back.keys() == tensors.keys() and all(torch.equal(back[name], tensors[name]) for name in back)
    assert [p.name for p in tmp_path.iterdir()] == ["w.safetensors"]


def test_a_pickle_is_refused_unopened(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "ran",))

    torch.save({"a": Bomb()}, tmp_path / "w.pt")
    with pytest.raises(data.DataError, match="looks like a pickle, which could run code"):
        data.load_weights(tmp_path / "w.pt")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("body", [b"", b"\xff" * 40, None])
def test_what_holds_no_weights_is_one_sentence(tmp_path, body):
    if body is not None:
        (tmp_path / "w").write_bytes(body)
    with pytest.raises(data.DataError, match="is not a readable safetensors file|cannot be read") as caught:
        data.load_weights(tmp_path / "w")
    assert "\n" not in str(caught.value)


# ---- the registry and the command

def test_importing_the_module_imports_nothing_heavy():
    heavy = "'torch', 'pandas', 'sklearn', 'PIL', 'scipy'"
    code = f"import sys, dlbook.data; print([m for m in ({heavy}) if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def test_every_registered_file_has_a_checksum_and_all_but_two_sets_have_web_addresses():
    for spec in data.REGISTRY.values():
        for file in spec.files:
            assert re.fullmatch("[0-9a-f]{64}", file.sha256) and file.size > 0
            assert bool(file.count) == ("*" in file.path) and all(re.match("https?://", url) for url in file.urls)
        assert bool(spec.target) == (spec.kind == "table") and bool(spec.classes) == (spec.kind in ("images", "scans"))
    assert [name for name, spec in data.REGISTRY.items() if not spec.published] == ["cifar10_jpeg", "busi"]


def dlbook(*words: str):
    from press import cli
    return CliRunner().invoke(cli.app, ["data", *words])


def test_the_command_lists_every_set():
    result = dlbook("list")
    assert result.exit_code == 0 and all(name in result.output for name in data.REGISTRY)


def test_the_command_fetches_and_verifies(web, tiny, own_cache):
    tiny(web.mirror(good))
    assert dlbook("verify", "tiny").exit_code == 1
    assert dlbook("fetch", "tiny").exit_code == 0 and left_in(own_cache) == {"tiny.csv": BODY}
    assert dlbook("verify", "tiny").exit_code == 0
    (own_cache / "data" / PATH).write_bytes(BODY[:-1])
    result = dlbook("verify", "tiny")
    assert result.exit_code == 1 and "is cut short" in result.output


def test_the_command_fetches_all_but_what_nobody_publishes_and_names_that(web, tiny, own_cache, monkeypatch):
    tiny(web.mirror(good))
    monkeypatch.setenv("DLBOOK_DATA", str(own_cache.parent))     # else the command takes the folder beside the book
    monkeypatch.setattr(data, "REGISTRY", {name: data.REGISTRY[name] for name in ("busi", "tiny")})
    result = dlbook("fetch")
    assert result.exit_code == 0 and left_in(own_cache) == {"tiny.csv": BODY}
    assert "busi: nobody publishes it in this form; put it into $DLBOOK_DATA" in result.output
    assert dlbook("verify").exit_code == 0 and dlbook("verify", "busi").exit_code == 1


def test_the_command_says_of_a_set_that_was_named_that_nobody_publishes_it(tmp_path, monkeypatch):
    monkeypatch.setenv("DLBOOK_DATA", str(tmp_path))
    assert "nobody publishes it in this form" in str(dlbook("fetch", "busi").exception)


def test_the_command_turns_a_data_error_into_a_sentence_of_its_own():
    from press.book import BookError
    result = dlbook("fetch", "nonsense")
    assert isinstance(result.exception, BookError) and "is not known" in str(result.exception)
