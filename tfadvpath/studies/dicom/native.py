"""Uncompressed pixels of DICOM images."""

from __future__ import annotations

import math

import numpy as np

from tfadvpath.errors import InputError
from tfadvpath.studies.dicom.attributes import MEND
from tfadvpath.studies.dicom.file import COPY_AGAIN, DicomFile, PixelElement
from tfadvpath.studies.dicom.pixels import PixelFormat, in_shape


class NativeFrames:
    """Frames of uncompressed pixels, each made when it is asked for.

    Args:
        file: File of the image.
        pixels: Its pixels, which are not encapsulated.
        layout: Format of its values.

    Raises:
        InputError: There are fewer or more bytes than the frames take.
    """

    def __init__(self, file: DicomFile, pixels: PixelElement, layout: PixelFormat):
        self._format = layout
        self._little_endian = file.little_endian
        content = memoryview(file.content)[pixels.start :][: pixels.length]
        needed = math.ceil(layout.allocated * layout.size * layout.frames / 8)
        if len(content) < needed:
            if len(content) < (pixels.length or 0):
                problem = f"is truncated: it has {len(content):,} of {needed:,} bytes of pixel data"
                raise InputError(file.path, problem, COPY_AGAIN)
            problem = (
                f"has {len(content):,} bytes of pixel data, where its NumberOfFrames, Rows, Columns and "
                f"BitsAllocated make {needed:,}"
            )
            raise InputError(file.path, problem, MEND)
        one_more = layout.allocated * layout.size * (layout.frames + 1)
        if len(content) * 8 >= one_more and len(content) > needed + 1:
            raise InputError(
                file.path,
                f"holds more than the {layout.frames} frames of its header",
                "Correct its NumberOfFrames, Rows and Columns, or export it again",
            )
        if pixels.vr == "OW" and not file.little_endian and layout.allocated <= 8:
            # Two samples lie in a word, whose bytes are swapped.
            padded = bytes(content) + bytes(len(content) % 2)
            content = memoryview(np.frombuffer(padded, "u2").byteswap().tobytes())
        self._content = content

    def frame(self, index: int) -> np.ndarray:
        """Returns the words, or the floating-point numbers, of a frame [rows, columns(, samples)].

        Args:
            index: Index of the frame, from 0.
        """
        layout = self._format
        if layout.allocated == 1:
            first = index * layout.size
            last = first + layout.size
            octets = np.frombuffer(self._content[first // 8 : math.ceil(last / 8)], np.uint8)
            samples = np.unpackbits(octets, bitorder="little")[first % 8 :][: layout.size]
        else:
            dtype = layout.dtype.newbyteorder("<" if self._little_endian else ">")
            start = index * layout.size * dtype.itemsize
            samples = np.frombuffer(self._content, dtype, layout.size, start)
            samples = samples.astype(layout.dtype, copy=False)
        return in_shape(samples, layout)
