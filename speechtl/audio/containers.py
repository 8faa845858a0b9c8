"""What kind of file it is: told by its content, since names lie."""

import functools
import os
import re
from collections.abc import Iterator
from typing import IO

_CHUNK, _OVERLAP = 1 << 20, 64
_FLAC = re.compile(rb"fLaC[\x00\x80]\x00\x00\x22")
_OGG_FIRST, _OGG_LAST = re.compile(rb"OggS\x00[\x02\x03\x06\x07]"), re.compile(rb"OggS\x00[\x04-\x07]")
_MP3_HEADER = re.compile(rb"Xing|Info|VBRI")
# Bytes from the beginning of the first frame to its header of the whole file: MPEG 1 or 2, stereo or mono.
_MP3_OFFSETS = (36, 21, 13)


def read_head(file: IO[bytes]) -> tuple[bytes, bytes]:
    """Return the first kilobyte of a file, and the bytes behind an ID3 tag at its beginning (else the same)."""
    file.seek(0)
    head = file.read(1024)
    if not head.startswith(b"ID3") or len(head) < 10:
        return head, head
    file.seek(10 + sum((byte & 0x7F) << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0))))
    return head, file.read(16)


def ffmpeg_format(head: bytes, body: bytes) -> str | None:
    """Return FFmpeg's name of a container that libsndfile does not read; None for all others.

    Only containers that hold their audio themselves: FFmpeg also knows play lists, which name other files.

    Args:
        head: the first kilobyte of the file.
        body: the same, or what lies behind an ID3 tag.
    """
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"):
        return "mp4"
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return "avi"
    if len(head) > 376 and head[0] == head[188] == head[376] == 0x47:
        return "mpegts"
    for mark, name in _MARKS.items():
        if head.startswith(mark):
            return name
    # AAC frames begin like those of MP3, but with layer 0.
    if len(body) > 1 and body[0] == 0xFF and body[1] & 0xF6 == 0xF0:
        return "aac"
    return None


_MARKS = {
    b"\x1a\x45\xdf\xa3": "matroska",
    b"#!AMR": "amr",
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11": "asf",
    b"FLV\x01": "flv",
    b"wvpk": "wv",
    b"MAC ": "ape",
    b"\x0b\x77": "ac3",
}


def second_choice(head: bytes) -> str | None:
    """Return FFmpeg's name of a container that libsndfile reads, but perhaps not with every codec in it."""
    marks = {b"OggS": "ogg", b"RIFF": "wav", b"caff": "caf", b"FORM": "aiff", b"fLaC": "flac"}
    return marks.get(head[:4])


def is_mp3(head: bytes, body: bytes) -> bool:
    """Whether it is MPEG audio: libsndfile's decoder of it writes to standard error."""
    return head.startswith(b"ID3") or (len(body) > 1 and body[0] == 0xFF and body[1] & 0xE6 in (0xE2, 0xE4, 0xE6))


def parts_of(file: IO[bytes], head: bytes, body: bytes, end: int) -> list[int]:
    """Return where files begin that were joined byte by byte, as with ``cat``: ``[0]`` of a single one.

    Args:
        file: seekable FLAC, Ogg or MP3; its position is changed.
        head: its first bytes.
        body: those behind an ID3 tag.
        end: its size.
    """
    if head.startswith(b"fLaC"):
        return [0, *(place for place, _ in _find(file, _FLAC, end) if place)]
    if head.startswith(b"OggS"):
        last = next((place for place, _ in _find(file, _OGG_LAST, end)), end)
        return [0, *(place for place, _ in _find(file, _OGG_FIRST, end) if place > last)]
    if is_mp3(head, body):
        return [0, *_mp3_parts(file, end)]
    return [0]


def parts_of_path(path: str) -> tuple[int, ...]:
    """Return the same of a file; it is looked for once, however many segments are read."""
    status = os.stat(path)
    return _parts_of_path(path, status.st_size, status.st_mtime_ns)


@functools.lru_cache(maxsize=4096)
def _parts_of_path(path: str, size: int, changed: int) -> tuple[int, ...]:
    with open(path, "rb") as file:
        return tuple(parts_of(file, *read_head(file), size))


def _mp3_parts(file: IO[bytes], end: int) -> Iterator[int]:
    first = True
    for place, _ in _find(file, _MP3_HEADER, end):
        file.seek(max(place - 36, 0))
        before = file.read(min(place, 36))
        # A frame that only describes the file is empty: zeros from its header on.
        if not any(
            len(before) >= size and before[-size] == 0xFF and before[1 - size] >= 0xE2 and not any(before[4 - size :])
            for size in _MP3_OFFSETS
        ):
            continue
        if not first:
            size = next(size for size in _MP3_OFFSETS if before[-size] == 0xFF and before[1 - size] >= 0xE2)
            yield place - size
        first = False


def _find(file: IO[bytes], pattern: re.Pattern[bytes], end: int) -> Iterator[tuple[int, bytes]]:
    place = 0
    seen = -1
    while place < end:
        file.seek(place)
        content = file.read(_CHUNK + _OVERLAP)
        for match in pattern.finditer(content):
            if place + match.start() > seen:
                seen = place + match.start()
                yield seen, match[0]
        place += _CHUNK


def explain(head: bytes, error: Exception | None) -> str:
    """Explain why a file cannot be decoded.

    Args:
        head: its first bytes; none if it could be opened.
        error: of the library that decodes.
    """
    reason = str(getattr(error, "error_string", error)).strip().rstrip(".")
    if head.startswith(b"NIST_1A") and b"shorten" in head:
        return "SPHERE file compressed with shorten, which libsndfile cannot read; convert it with sph2pipe -f wav"
    damaged = not head or "lost sync" in reason
    what = "truncated or damaged" if damaged else "not audio that libsndfile or FFmpeg can read"
    return f"{what} ({reason}); restore the file or remove its utterances"
