"""PNG and JPEG files written byte by byte, for what the usual writers do not write."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image

SIGNATURE = b"\x89PNG\r\n\x1a\n"
# First column and row, and distances of the columns and rows, of the passes of an interlaced PNG.
PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk of a PNG file."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def packed_rows(samples: np.ndarray, depth: int) -> bytes:
    """The rows of a PNG file, without a filter.

    Args:
        samples: Integers [rows, columns] or [rows, columns, channels].
        depth: Bits of a sample.
    """
    lines = samples.reshape(len(samples), -1)
    if depth < 8:
        bits = np.unpackbits(lines.astype(np.uint8)[..., np.newaxis], axis=2)[..., 8 - depth :]
        lines = np.packbits(bits.reshape(len(samples), -1), axis=1)
    return b"".join(b"\0" + line.astype(">u2" if depth == 16 else np.uint8).tobytes() for line in lines)


def png(
    samples: np.ndarray,
    depth: int = 8,
    colour: int = 0,
    interlaced: bool = False,
    before: bytes = b"",
    pixels: bytes | None = None,
) -> bytes:
    """A PNG file.

    Args:
        samples: Integers [rows, columns] or [rows, columns, channels].
        depth: Bits of a sample.
        colour: Colour type.
        interlaced: Whether it is written in seven passes.
        before: Chunks between the header and the pixels.
        pixels: Packed pixels in place of those of the samples.
    """
    rows, columns = samples.shape[:2]
    header = struct.pack(">IIBBBBB", columns, rows, depth, colour, 0, 0, int(interlaced))
    if pixels is None:
        steps = PASSES if interlaced else ((0, 0, 1, 1),)
        parts = (samples[top::down, left::across] for left, top, across, down in steps)
        pixels = zlib.compress(b"".join(packed_rows(part, depth) for part in parts if part.size))
    return SIGNATURE + chunk(b"IHDR", header) + before + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def jpeg(values: np.ndarray, mode: str | None = None, **options: object) -> bytes:
    """A JPEG stream, as Pillow writes it."""
    buffer = io.BytesIO()
    image = (
        Image.fromarray(values)
        if mode is None
        else Image.frombytes(mode, values.shape[1::-1], values.tobytes())
    )
    image.save(buffer, "JPEG", **{"quality": 85, **options})
    return buffer.getvalue()


def pillows(content: bytes) -> np.ndarray:
    """What Pillow shows of a picture."""
    image = Image.open(io.BytesIO(content))
    return np.asarray(image.convert("RGB") if image.mode == "CMYK" else image)


def waves(rows: int = 64, columns: int = 80, channels: int = 1) -> np.ndarray:
    """uint8 [rows, columns] or [rows, columns, channels]: smooth, with some noise."""
    y, x = np.mgrid[:rows, :columns]
    noise = np.random.default_rng(3).normal(0, 8, (channels, rows, columns))
    layers = [127 + 90 * np.sin(x / 7 + k) * np.cos(y / (9 + k)) + noise[k] for k in range(channels)]
    values = np.clip(np.stack(layers, axis=-1), 0, 255).astype(np.uint8)
    return values[..., 0] if channels == 1 else values
