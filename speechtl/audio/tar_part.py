"""Audio inside a tar file: where it begins, how long it is, and how to tell whether it is whole."""

import io
import re
import zlib
from typing import NamedTuple

from speechtl.audio.pipe import is_pipe, run_pipe
from speechtl.errors import DataError, printable
from speechtl.remote_file import is_remote, read_remote

_PLACE = re.compile(r"(.+\.tar):([0-9]+):([0-9]+):([0-9a-f]{8})")


class TarPart(NamedTuple):
    """The place of an audio file in an uncompressed tar file; as a string, a value of ``wav.scp``.

    Attributes:
        file: path or address of the tar file.
        offset: of the audio, in bytes.
        size: of the audio, in bytes.
        crc32: of the audio, as in ZIP and gzip.
    """

    file: str
    offset: int
    size: int
    crc32: int

    def __str__(self) -> str:
        return f"{self.file}:{self.offset}:{self.size}:{self.crc32:08x}"

    @classmethod
    def parse(cls, audio: str) -> "TarPart | None":
        """Return the place that a value of ``wav.scp`` names, or None if it is something else."""
        found = _PLACE.fullmatch(audio) if ".tar:" in audio else None
        return None if found is None else cls(found[1], int(found[2]), int(found[3]), int(found[4], 16))

    def read(self, copy: str | None = None) -> bytes:
        """Return the audio file.

        Args:
            copy: a local copy of the tar file to read it from.

        Raises:
            DataError: the tar file cannot be read, is truncated, or its bytes have changed.
        """
        file = copy or self.file
        if is_remote(file):
            content = read_remote(file, self.offset, self.size)
        else:
            try:
                with open(file, "rb", buffering=0) as opened:
                    opened.seek(self.offset)
                    content = opened.read(self.size)
            except OSError as error:
                raise DataError(f"{printable(self.file)}: cannot read: {error.strerror}; check the path") from error
        fault = ""
        if len(content) < self.size:
            fault = f"truncated (got {len(content)} of the {self.size} bytes"
        elif zlib.crc32(content) != self.crc32:
            fault = f"damaged (the checksum is wrong of the {self.size} bytes"
        if fault:
            raise DataError(f"{printable(self.file)}: {fault} from {self.offset} on); copy the shard again")
        return content


def audio_source(audio: str, allow_pipes: bool = False) -> str | io.BytesIO:
    """Return what a value of ``wav.scp`` leads to: a path, or the bytes of an audio file.

    Raises:
        DataError: a command is not permitted or fails, or a tar file cannot be read.
    """
    if is_pipe(audio):
        return io.BytesIO(run_pipe(audio, allow_pipes))
    part = TarPart.parse(audio)
    return audio if part is None else io.BytesIO(part.read())
