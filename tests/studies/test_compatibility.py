"""Genuine files of other packages: read as the standards have them, or refused by a true line.

Each file is read a second time without tfadvpath, by ``support.independent_reading``. The counts of a package
are those of the version that is named; another version may add files that the table does not know.
"""

from __future__ import annotations

import fnmatch
import importlib.metadata
import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from support.independent_reading import dicom_slices, nifti_slices, picture_slices

from tfadvpath.errors import InputError
from tfadvpath.studies.study import read_study

READ = "is read"
TOLERANCE = 1e-6  # of the range of the values
_NO_PIXELS = "holds no pixel data"
_COLOUR = "is a colour image ({})"
_NO_FORMAT = "is of no format that is read"
_LOSSLESS_JPEG = "is compressed as JPEG Lossless, Non-Hierarchical, First-Order Prediction"


class Package(NamedTuple):
    """Files of a package, with what is expected of each.

    Attributes:
        module: Module whose folder holds the files.
        folder: Path from that folder.
        version: Version that the counts are of.
        read: Number of files that are read.
        refused: Number of files that are not.
        patterns: What is expected of files, by patterns of their paths; the first that fits counts.
    """

    module: str
    folder: str
    version: str
    read: int
    refused: int
    patterns: dict[str, str]


PACKAGES = {
    "pydicom": Package(
        "pydicom",
        "data",
        "3.0.2",
        59,
        126,
        {
            "charset_files/chrJapMulti*": f"{_NO_PIXELS} (Computed Radiography Image Storage)",
            "charset_files/chrKoreanMulti*": f"{_NO_PIXELS} (Computed Radiography Image Storage)",
            "charset_files/chrSQEncoding*": _NO_PIXELS,
            "charset_files/*": READ,
            "palettes/*": f"{_NO_PIXELS} (Color Palette Storage)",
            "*/TINY_ALPHA/*": f"{_NO_PIXELS} (CT Image Storage)",
            "test_files/dicomdirtests/*": READ,
            # Bytes of the stream were overwritten, and with them its size.
            "*/JPEG2000-embedded-sequence-delimiter.dcm": "a compressed frame of 1024 x 3722445056",
            "*/JPEG-lossy.dcm": "a JPEG stream of 12 bits, for which no decoder is installed",
            "*/JPGExtended.dcm": "a JPEG stream of 12 bits, for which no decoder is installed",
            "*/MR_truncated.dcm": "is truncated: it has 8,130 of 8,192 bytes of pixel data",
            "*/ExplVR_*NoMeta.dcm": "plan (RT Ion Plan Storage)",
            "*/rtplan_truncated.dcm": "is truncated or damaged: its BeamSequence",
            "*/rtplan.dcm": "plan (RT Plan Storage)",
            "*/rtstruct.dcm": "is a set of contours (RT Structure Set Storage)",
            "*/rtdose*.dcm": "is a dose distribution (RT Dose Storage)",
            "*/badVR.dcm": "is a dose distribution (RT Dose Storage)",
            "*/reportsi*.dcm": "is a structured report (Basic Text SR Storage)",
            "*/test-SR.dcm": "is a structured report (Comprehensive SR Storage)",
            "*/waveform_ecg.dcm": "is a waveform (12-lead ECG Waveform Storage)",
            "*/liver_*.dcm": "is a segmentation (Segmentation Storage)",
            "*/GDCMJ2K_TextGBR.dcm": _COLOUR.format("YBR_RCT"),
            "*/examples_jpeg2k.dcm": _COLOUR.format("YBR_RCT"),
            "*/examples_palette.dcm": _COLOUR.format("PALETTE COLOR"),
            "*/examples_rgb_color.dcm": _COLOUR.format("RGB"),
            "*/examples_ybr_color.dcm": _COLOUR.format("YBR_FULL_422"),
            "*/ExplVR_BigEnd.dcm": _COLOUR.format("RGB"),
            "*/SC_rgb_dcmtk_+eb+cr.dcm": _COLOUR.format("RGB"),
            "*/SC_rgb_dcmtk_+eb+cy+np.dcm": _COLOUR.format("YBR_FULL_422"),
            "*/SC_rgb_dcmtk_+eb+cy+s2.dcm": _COLOUR.format("YBR_FULL_422"),
            "*/SC_rgb_dcmtk_*.dcm": _COLOUR.format("YBR_FULL"),
            "*/SC_ybr_full_422_uncompressed.dcm": _COLOUR.format("YBR_FULL_422"),
            "*/SC_rgb_jpeg_dcmtk.dcm": _COLOUR.format("YBR_FULL"),
            "*/SC_rgb_jpeg_lossy_gdcm.dcm": _COLOUR.format("YBR_FULL"),
            "*/SC_rgb_small_odd_jpeg.dcm": _COLOUR.format("YBR_FULL"),
            "*/SC_*.dcm": _COLOUR.format("RGB"),
            "*/meta_missing_tsyntax.dcm": "lacks the DICOM attribute PhotometricInterpretation",
            "*/nested_priv_SQ.dcm": "lacks the DICOM attribute PhotometricInterpretation",
            "*/UN_sequence.dcm": _NO_PIXELS,
            "*/empty_charset_LEI.dcm": _NO_PIXELS,
            "*/no_meta_group_length.dcm": _NO_PIXELS,
            "*/priv_SQ.dcm": _NO_PIXELS,
            "*/no_meta.dcm": "is not a DICOM file",  # a byte lies before its first element
            "*/zipMR.gz": _NO_FORMAT,
            "test_files/*.dcm": READ,
        },
    ),
    "pydicom-data": Package(
        "data_store",
        "data",
        "1.0.0",
        27,
        41,
        {
            "JPEG-LL.dcm": _LOSSLESS_JPEG,
            "JPGLosslessP14SV1_1s_1f_8b.dcm": _LOSSLESS_JPEG,
            "bad_sequence.dcm": _LOSSLESS_JPEG,
            "OBXXXX1A*.dcm": _COLOUR.format("PALETTE COLOR"),
            "OT-PAL-8-face.dcm": _COLOUR.format("PALETTE COLOR"),
            "gdcm-US-ALOKA-16*.dcm": _COLOUR.format("PALETTE COLOR"),
            "SC_ybr_full_uncompressed.dcm": _COLOUR.format("YBR_FULL"),
            "SC_rgb*.dcm": _COLOUR.format("RGB"),
            "US1_J2KI.dcm": _COLOUR.format("YBR_ICT"),
            "US1_J2KR.dcm": _COLOUR.format("YBR_RCT"),
            "US1_UNC*.dcm": _COLOUR.format("RGB"),
            "color-p*.dcm": _COLOUR.format("RGB"),
            "color3d_jpeg_baseline.dcm": _COLOUR.format("YBR_FULL_422"),
            "liver*.dcm": "is a segmentation (Segmentation Storage)",
            "*.dcm": READ,
        },
    ),
    "nibabel": Package(
        "nibabel",
        ".",
        "5.4.2",
        12,
        62,
        {
            "*/csa_slice_norm.dcm": f"{_NO_PIXELS} (MR Image Storage)",
            "*.dcm.gz": _NO_FORMAT,
            "*/analyze.hdr": "is no NIfTI volume but Analyze 7.5",
            "*/nifti?.hdr": "without its .img file",
            "*/row_major.dconn.nii": "is 6-D, where 2-D to 4-D files are read",  # CIFTI-2
            "*/resampled_anat_moved.nii": "holds NaN or infinite values (153 of 1,071)",
            "*.dcm": READ,
            "*.nii": READ,
            "*.nii.gz": READ,
            "*": _NO_FORMAT,
        },
    ),
    "matplotlib": Package(
        "matplotlib",
        "mpl-data",
        "3.11.2",
        0,
        24,
        {
            "*/grace_hopper.jpg": "is a colour image: its channels differ by up to 222 levels",
            "*.png": "has transparent pixels",
        },
    ),
    # Its wheel has no images, the source archive of 0.20.0 has. Unpack what
    # `pip download highdicom==0.20.0 --no-binary :all: --no-deps` gets, and name its folder data/test_files.
    "highdicom": Package(
        "",
        "",
        "",
        2,
        13,
        {
            "seg_image_*.dcm": "is a segmentation (Segmentation Storage)",
            "sm_image*.dcm": _COLOUR.format("RGB"),
            "sr_document.dcm": "is a structured report (Comprehensive 3D SR Storage)",
            "*": READ,
        },
    ),
}
# Formats of images: those that are read, and others.
_ENDINGS = (".dcm", ".dcm.gz", ".nii", ".nii.gz", ".hdr", ".png", ".jpg", ".jpeg", ".gz")
_ENDINGS += (".mgz", ".mnc", ".par", ".rec", ".head", ".brik", ".v")
_OTHERS = ("README", ".gii.gz", ".bin.gz", "DICOMDIR", "s1045.ima.gz")


def files_of(package: Package) -> Iterator[tuple[str, Path]]:
    """Yields the image files of an installed package, with their paths in it."""
    root = Path(os.environ.get("HIGHDICOM_FILES", "."))
    if package.module:
        found = importlib.util.find_spec(package.module)
        assert found is not None
        assert found.submodule_search_locations
        root = Path(found.submodule_search_locations[0]) / package.folder
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        listed = path.name.lower().endswith(_ENDINGS) or ("dicomdirtests/" in name and not path.suffix)
        if path.is_file() and listed and not any(other in path.name for other in _OTHERS):
            yield name, path


def outcome(path: Path, channel: int | None = None) -> str:
    """Returns ``READ`` if a file is read as the independent reading has it, or the line that refuses it."""
    try:
        study = read_study(path, channel=channel)
    except InputError as error:
        line = str(error)
        assert line.startswith(f"{path}: ")
        return line.removeprefix(f"{path}: ")
    name = path.name.lower()
    if name.endswith((".png", ".jpg", ".jpeg")):
        slices = picture_slices(path)
    elif name.endswith((".nii", ".nii.gz")):
        slices = nifti_slices(path, channel or 0)
    else:
        slices = dicom_slices(path)
    for image, blank, wanted in zip(study.images[..., 0], study.blank, slices, strict=True):
        error = np.abs(image - wanted).max()
        assert error < TOLERANCE, f"{path.name}: {error} of the range"
        assert blank == (not wanted.any()), path.name
    return READ


@pytest.mark.slow
@pytest.mark.parametrize("name", PACKAGES)
def test_genuine_files_are_read_right_or_refused_by_a_true_line(name, capsys):
    package = PACKAGES[name]
    if package.module and importlib.util.find_spec(package.module) is None:
        pytest.skip(f"{name} is not installed")
    if not package.module and "HIGHDICOM_FILES" not in os.environ:
        pytest.skip("HIGHDICOM_FILES is not set")
    known = not package.version or importlib.metadata.version(name) == package.version
    counts = {READ: 0, "refused": 0}
    for file, path in files_of(package):
        expected = next(
            (what for pattern, what in package.patterns.items() if fnmatch.fnmatch(file, pattern)), None
        )
        found = outcome(path)
        if "channels (0 to" in found:  # a 4-D file is a study once a channel is chosen
            found = outcome(path, 0)
        if expected is None:
            assert not known, f"{file} is not in the table: {found}"
        else:
            assert expected in found if expected != READ else found == READ, f"{file}: {found}"
        counts[READ if found == READ else "refused"] += 1
    with capsys.disabled():
        print(f"\n{name}: {counts[READ]} genuine files read, {counts['refused']} refused")
    if known:
        assert (counts[READ], counts["refused"]) == (package.read, package.refused)
