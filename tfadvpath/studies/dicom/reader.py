"""DICOM files: from bytes to frames as a viewer shows them, or to masks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tfadvpath.errors import InputError
from tfadvpath.studies.dicom.display import Display
from tfadvpath.studies.dicom.file import open_dicom
from tfadvpath.studies.dicom.frames import stored_frames
from tfadvpath.studies.dicom.kinds import check_is_image
from tfadvpath.studies.dicom.mask import read_dicom_mask
from tfadvpath.studies.dicom.pixels import read_format
from tfadvpath.studies.dicom.start import looks_like_dicom
from tfadvpath.studies.grid import Grid
from tfadvpath.studies.readers import Reader, Reading, register

_COLOURS = (
    *("PALETTE COLOR", "RGB", "ARGB", "HSV", "CMYK", "XYB"),
    *("YBR_FULL", "YBR_FULL_422", "YBR_PARTIAL_422", "YBR_PARTIAL_420", "YBR_ICT", "YBR_RCT"),
)


@register
class DicomReader(Reader):
    """Reads grey DICOM images; each frame of a multi-frame file is a slice.

    Transfer syntaxes: uncompressed, deflated, RLE, JPEG of 8 bits, JPEG 2000 and JPEG-LS; others if a pydicom
    plugin for them is installed. See ``display`` for the way from stored to shown values.
    """

    endings = (".dcm", ".dicom", ".ima")

    def recognizes(self, head: bytes) -> bool:
        return looks_like_dicom(head)

    def read(self, path: Path, channel: int | None) -> Reading:
        file = open_dicom(path)
        attributes = file.attributes
        check_is_image(path, attributes, file.pixels is not None)
        assert file.pixels is not None
        photometric = attributes.text("PhotometricInterpretation").upper()
        if not photometric:
            raise InputError(
                path, "lacks the DICOM attribute PhotometricInterpretation", "Export the file again"
            )
        if photometric in _COLOURS:
            raise InputError(path, f"is a colour image ({photometric})", "Convert it to MONOCHROME2")
        if photometric not in ("MONOCHROME1", "MONOCHROME2"):
            raise InputError(path, "has an unknown PhotometricInterpretation", "Convert it to MONOCHROME2")
        layout = read_format(file, file.pixels)
        if layout.samples != 1:
            raise InputError(
                path,
                f"has {layout.samples} samples per pixel, where its PhotometricInterpretation {photometric} "
                "has one",
                "Correct the attribute, or convert it to one grey value a pixel",
            )
        remarks: list[str] = []
        display = Display(file, layout, remarks)
        frames = stored_frames(file, file.pixels, layout)
        shape = (layout.rows, layout.columns)
        grid = Grid(shape if layout.frames == 1 else (layout.frames, *shape))
        return Reading(_shown(display, frames), grid, remarks)

    def read_mask(self, path: Path, image: Path) -> Reading:
        return read_dicom_mask(path, image)


def _shown(display: Display, frames: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    for index, stored in enumerate(frames):
        values = display.shown(stored, index)
        del stored  # whoever takes the values needs the room
        yield values
