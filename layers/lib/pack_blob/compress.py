"""One blob: a tar of entries, made, hashed, compressed and hashed again in one pass, a chunk at a time."""

import hashlib
import os
import zlib
from collections.abc import Callable, Iterable
from compression import zstd
from pathlib import Path
from typing import NamedTuple, Protocol

from entries import BLOCK, FILE, RECORD, Entry, blocks

CHUNK = 1 << 20


class Compressor(Protocol):
    def compress(self, data: memoryview) -> bytes: ...
    def flush(self) -> bytes: ...


class Format(NamedTuple):
    media_type: str
    suffix: str
    # Blobs made at a time, at most.
    streams: int
    # From a number of threads, on which the bytes do not depend.
    compressor: Callable[[int], Compressor]


def zstd_compressor(threads: int) -> Compressor:
    # Level 9 saves 5 % of CUDA's libraries for three and a half times the work. Never without threads: that gives other bytes.
    # A job is what a thread takes at a time; half of the level's own size takes 40 % less memory, and 0.1 % more bytes.
    parameter = zstd.CompressionParameter
    return zstd.ZstdCompressor(options={parameter.compression_level: 3, parameter.job_size: 4 << 20, parameter.nb_workers: threads})


def gzip_compressor(_threads: int) -> Compressor:
    return zlib.compressobj(6, zlib.DEFLATED, 16 + zlib.MAX_WBITS)


FORMATS = {
    "zstd": Format("application/vnd.oci.image.layer.v1.tar+zstd", "tar.zst", 3, zstd_compressor),
    "gzip": Format("application/vnd.oci.image.layer.v1.tar+gzip", "tar.gz", 16, gzip_compressor),
}


class Blob(NamedTuple):
    digest: str
    diff_id: str
    size: int
    tar_size: int


def write_blob(entries: Iterable[Entry], compressor: Compressor, target: Path) -> Blob:
    with target.open("wb") as file:
        stream = Stream(compressor, file.write)
        padding = b""
        for entry in entries:
            stream.write(padding + entry.header())
            if entry.kind == FILE:
                stream.write_file(entry.source, entry.size)
            padding = bytes(blocks(entry.size) - entry.size)
        stream.write(padding + bytes(2 * BLOCK))
        stream.write(bytes(-stream.tar_size % RECORD))
        return stream.finish()


class Stream:
    def __init__(self, compressor: Compressor, put: Callable[[bytes], object]):
        self.compressor, self.put = compressor, put
        self.tar_hash, self.hash = hashlib.sha256(), hashlib.sha256()
        self.tar_size = self.size = 0
        self.chunk = memoryview(bytearray(CHUNK))
        self.used = 0

    def write(self, data: bytes) -> None:
        """Headers and zeros: less than a chunk."""
        if self.used + len(data) > CHUNK:
            self._pass_on()
        self.chunk[self.used : self.used + len(data)] = data
        self._took(len(data))

    def write_file(self, source: str, size: int) -> None:
        # Python's own file objects take twice as long to open a small file.
        file = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
        try:
            while size > 0:
                taken = os.readinto(file, self.chunk[self.used : self.used + size])
                if taken == 0:
                    raise EOFError(f"{source} is shorter than it was, by {size} bytes")
                size -= taken
                self._took(taken)
        finally:
            os.close(file)

    def _took(self, length: int) -> None:
        self.used += length
        self.tar_size += length
        if self.used == CHUNK:
            self._pass_on()

    def _pass_on(self) -> None:
        data, self.used = self.chunk[: self.used], 0
        self.tar_hash.update(data)
        self._out(self.compressor.compress(data))

    def _out(self, data: bytes) -> None:
        self.hash.update(data)
        self.size += len(data)
        self.put(data)

    def finish(self) -> Blob:
        self._pass_on()
        self._out(self.compressor.flush())
        return Blob(f"sha256:{self.hash.hexdigest()}", f"sha256:{self.tar_hash.hexdigest()}", self.size, self.tar_size)
