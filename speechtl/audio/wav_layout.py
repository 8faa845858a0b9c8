"""Where the samples of a WAV file are, and whether the length in its header is true."""

import dataclasses
import io
from typing import IO

# Streaming writers do not know the length in advance; they leave at least this number of bytes in the header.
STREAMED_BYTES = 0x7FFF0000
# Seconds of bytes behind the samples that are taken for rubbish, not for audio.
_RUBBISH = 0.05


@dataclasses.dataclass(frozen=True)
class WavLayout:
    """The samples of a WAV file.

    Attributes:
        size_at: where the header has the length of the samples in bytes.
        declared: that length.
        present: bytes of samples that are there.
        per_second: bytes of a second.
        end: where the file ends: another WAV file may follow.
        big_endian: of the numbers in the header.
    """

    size_at: int
    declared: int
    present: int
    per_second: int
    end: int
    big_endian: bool

    @property
    def truncated(self) -> bool:
        """Whether the header promises more samples than there are."""
        return self.present < self.declared < STREAMED_BYTES

    @property
    def unfinished(self) -> bool:
        """Whether there are more samples than the header says."""
        return self.present > self.declared

    def opened(self, file: IO[bytes], start: int) -> "Window":
        """Return the file as if its header had been completed."""
        order = "big" if self.big_endian else "little"
        size = min(self.present, 0xFFFFFFFF).to_bytes(4, order)  # type: ignore[arg-type]
        whole = min(self.end - start - 8, 0xFFFFFFFF).to_bytes(4, order)  # type: ignore[arg-type]
        return Window(file, start, self.end, {4: whole, self.size_at - start: size})


def wav_layout(file: IO[bytes], start: int, end: int) -> WavLayout | None:
    """Read the chunks of a WAV file that lies in a file.

    Args:
        file: seekable; its position is changed.
        start: where the WAV file begins.
        end: where the file ends.

    Returns:
        None for anything else, and for RF64, whose lengths are elsewhere.
    """
    file.seek(start)
    mark = file.read(12)
    if mark[:4] not in (b"RIFF", b"RIFX") or mark[8:] != b"WAVE":
        return None
    order = "big" if mark[:4] == b"RIFX" else "little"
    align, per_second, place = 1, 0, start + 12
    while place + 8 <= end:
        file.seek(place)
        head = file.read(8)
        size = int.from_bytes(head[4:], order)  # type: ignore[arg-type]
        if head[:4] == b"fmt ":
            body = file.read(16)
            per_second = int.from_bytes(body[8:12], order)  # type: ignore[arg-type]
            align = max(int.from_bytes(body[12:14], order), 1)  # type: ignore[arg-type]
        if head[:4] == b"data":
            present, last = _measure(file, place + 8, size, end, round(per_second * _RUBBISH), order)
            # Half samples do not count.
            whole = size if size >= STREAMED_BYTES else size - size % align
            return WavLayout(place + 4, whole, present - present % align, per_second, last, order == "big")
        place += 8 + size + size % 2
    return None


def _measure(file: IO[bytes], data: int, declared: int, end: int, rubbish: int, order: str) -> tuple[int, int]:
    """Return how many bytes of samples there are, and where the WAV file ends."""
    after = data + declared
    if declared >= STREAMED_BYTES or after > end:
        return end - data, end
    for place in (after + declared % 2, after):
        file.seek(place)
        if _is_wav(file.read(12)):
            return declared, place
        if _chunks(file, place, end, order):
            return declared, end
    # A header that was never completed: what follows are samples, unless it is next to nothing, or padding.
    file.seek(after)
    if end - after <= rubbish or not file.read(1 << 20).strip(b"\0"):
        return declared, end
    return end - data, end


def _is_wav(head: bytes) -> bool:
    return head[:4] in (b"RIFF", b"RIFX") and head[8:12] == b"WAVE"


def _chunks(file: IO[bytes], place: int, end: int, order: str) -> bool:
    """Whether chunks, and nothing else, lie between here and the end (of the file, or of this WAV file in it)."""
    while place + 8 <= end:
        file.seek(place)
        head = file.read(12)
        if _is_wav(head):
            return False
        size = int.from_bytes(head[4:8], order)  # type: ignore[arg-type]
        if not all(32 <= byte < 127 for byte in head[:4]) or place + 8 + size > end:
            return False
        place += 8 + size + size % 2
    return True


class Window(io.RawIOBase):
    """A stretch of a file, with some bytes replaced.

    Args:
        file: seekable.
        start: first byte of the stretch.
        end: the byte after its last.
        replaced: place in the stretch -> other bytes.
    """

    def __init__(self, file: IO[bytes], start: int, end: int, replaced: dict[int, bytes] | None = None):
        super().__init__()
        self._file, self._start, self._size, self._replaced = file, start, end - start, replaced or {}
        self._place = 0

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def seekable(self) -> bool:
        """Say that it can be sought in."""
        return True

    def tell(self) -> int:
        """Return the place in the stretch."""
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place in the stretch."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size}[whence]
        self._place = max(base + offset, 0)
        return self._place

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Read as many bytes as there is room for."""
        self._file.seek(self._start + self._place)
        content = bytearray(self._file.read(max(min(len(buffer), self._size - self._place), 0)))
        for place, new in self._replaced.items():
            for offset, byte in enumerate(new, start=place - self._place):
                if 0 <= offset < len(content):
                    content[offset] = byte
        buffer[: len(content)] = content
        self._place += len(content)
        return len(content)
