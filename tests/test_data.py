"""Where data come from: found, fetched, verified, resumed, unpacked, parsed, and never silently replaced."""

from __future__ import annotations

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
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
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
    "california": (20_640, 10, 207, None), "boston": (506, 14, 0, None),
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
    published = dict(line.split("  ")[::-1] for line in (REAL / "SHA256SUMS").read_text().splitlines())
    files = [file for spec in data.REGISTRY.values() for file in spec.files]
    assert files and all(published[file.path] == file.sha256 for file in files)
    assert all((REAL / file.path).stat().st_size == file.size for file in files)


def test_sets_that_scikit_learn_carries_are_real_everywhere():
    digits, cancer, iris = (data.load(name) for name in ("digits", "breast_cancer", "iris"))
    assert (len(digits.train.x), len(digits.test.x)) == (1437, 360) and digits.train.x.shape[1:] == (8, 8)
    assert cancer.frame["malignant"].sum() == 212 and cancer.frame.shape == (569, 31)
    assert list(iris.frame.columns) == ["sepal_length", "sepal_width", "petal_length", "petal_width", "species"]
    assert digits.is_real and cancer.is_real and iris.is_real


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
    assert one.frame.equals(two.frame) if isinstance(one, data.Table) else torch.equal(one.train.x, two.train.x)


@with_real_data
@pytest.mark.parametrize("name", FACTS)
def test_a_stand_in_table_has_the_columns_types_and_classes_of_the_real_one(name, monkeypatch):
    drawn = stand_in(name)
    monkeypatch.setenv("DLBOOK_DATA", str(REAL))
    true = data.load(name)
    assert list(drawn.frame.columns) == list(true.frame.columns) and drawn.target == true.target
    for column in true.frame:
        assert pd.api.types.is_numeric_dtype(drawn.frame[column]) == pd.api.types.is_numeric_dtype(true.frame[column])
    if FACTS[name][3]:
        assert drawn.frame[drawn.target].value_counts().to_dict() == FACTS[name][3]


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(-0.9, 0.9))
def test_a_drawn_column_keeps_its_bounds_and_its_link_to_the_target(seed, rho):
    rng = np.random.default_rng(seed)
    z = rng.normal(size=4000)
    x = data._numbers(["10", "2", str(rho), "-90.0", "90.0"], (z - z.mean()) / z.std(), rng)
    assert -90 <= x.min() <= x.max() <= 90 and abs(np.corrcoef(x, z)[0, 1] - rho) < 0.1


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

def test_importing_the_module_imports_neither_torch_nor_pandas_nor_scikit_learn():
    code = "import sys, dlbook.data; print([m for m in ('torch', 'pandas', 'sklearn') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def test_every_registered_file_has_a_checksum_and_a_web_address_that_ends_in_its_name():
    for spec in data.REGISTRY.values():
        for file in spec.files:
            assert re.fullmatch("[0-9a-f]{64}", file.sha256) and file.size > 0 and file.urls
            assert all(re.match("https?://", url) for url in file.urls)
        assert bool(spec.target) != bool(spec.classes)


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


def test_the_command_turns_a_data_error_into_a_sentence_of_its_own():
    from press.book import BookError
    result = dlbook("fetch", "nonsense")
    assert isinstance(result.exception, BookError) and "is not known" in str(result.exception)
