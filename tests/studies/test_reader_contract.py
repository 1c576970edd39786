"""What every reader promises. A new format needs a line in FILES, and nothing else here."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from nibabel.nifti1 import Nifti1Header
from support.broken_files import dicom, dicom_bytes, jpeg_bytes, picture, png_bytes, png_header

from tfadvpath.errors import InputError
from tfadvpath.studies.dicom.reader import DicomReader
from tfadvpath.studies.masks import read_mask
from tfadvpath.studies.nifti.reader import NiftiReader
from tfadvpath.studies.pictures.reader import ImageFileReader
from tfadvpath.studies.registry import HEAD_BYTES, endings, reader_for, readers
from tfadvpath.studies.study import read_study

SIZE = (48, 40)


@dataclass(frozen=True)
class Files:
    """How files of a format are written.

    Attributes:
        write: Writes uint8 [slices, rows, columns], which the reader must show as they are.
        huge: Writes a small file that claims far too large a size.
        frames: Whether a file may hold several slices.
        lossy: Endings of which a value in [0, 1] may be 0.15 off at an edge; of the others none is.
    """

    write: Callable[[Path, np.ndarray], object]
    huge: Callable[[Path], object]
    frames: bool
    lossy: tuple[str, ...] = ()


def write_dicom(path, slices):
    path.write_bytes(dicom_bytes(dicom(slices if len(slices) > 1 else slices[0])))


def huge_dicom(path):
    header = dicom(picture().astype(np.uint8), Rows=65535, Columns=65535, NumberOfFrames=900)
    path.write_bytes(dicom_bytes(header))


def write_nifti(path, slices):
    volume = slices.transpose(2, 1, 0)[::-1, ::-1]  # rows from anterior to posterior, columns to the left
    if of_pair(path):
        image = nib.Nifti1Pair(volume, np.eye(4))
        write_pair(path, image.header.binaryblock, volume.tobytes(order="F"))
    else:
        nib.save(nib.Nifti1Image(volume, np.eye(4)), path)


def huge_nifti(path):
    header = Nifti1Header()
    header.set_data_shape((30000, 30000, 30000))
    header.set_data_dtype(np.int16)
    if of_pair(path):
        header["magic"] = b"ni1"
        write_pair(path, header.binaryblock, bytes(1000))
    else:
        header["magic"], header["vox_offset"] = b"n+1", 352
        path.write_bytes(packed(path, header.binaryblock + bytes(4 + 1000)))


def of_pair(path):
    return re.search(r"\.(hdr|img)(\.gz)?$", path.name.lower()) is not None


def write_pair(path, header, voxels):
    """Writes both files of a pair, of which the name of one is given, in its spelling."""
    for ending, content in (("hdr", header), ("img", voxels)):
        spelt = ending.upper() if path.name.isupper() else ending
        file = path.with_name(re.sub("hdr|img", spelt, path.name, flags=re.IGNORECASE))
        file.write_bytes(packed(file, content))


def packed(path, content):
    return gzip.compress(content) if path.name.lower().endswith(".gz") else content


def write_picture(path, slices):
    [values] = slices
    path.write_bytes((png_bytes if path.suffix.lower() == ".png" else jpeg_bytes)(values))


def huge_picture(path):
    if path.suffix.lower() == ".png":
        path.write_bytes(png_header(60000, 60000))
        return
    content = bytearray(jpeg_bytes(picture().astype(np.uint8)))
    frame = content.index(b"\xff\xc0")  # whose header holds rows and columns, big endian in 2 bytes each
    content[frame + 5 : frame + 9] = b"\xff\xf0" * 2
    path.write_bytes(content)


FILES = {
    DicomReader: Files(write_dicom, huge_dicom, frames=True),
    NiftiReader: Files(write_nifti, huge_nifti, frames=True),
    ImageFileReader: Files(write_picture, huge_picture, frames=False, lossy=(".jpg", ".jpeg")),
}
every_ending = pytest.mark.parametrize(
    ("files", "ending"),
    [(FILES.get(type(reader)), ending) for reader in readers() for ending in reader.endings],
    ids=endings(),
)


def slices_of(files, count=3):
    """Slices that differ under every flip and turn, and from each other; one where the format has no more."""
    ramp = picture(*SIZE).astype(np.uint8)
    return np.stack([ramp, ramp[::-1] // 2, 255 - ramp])[: count if files.frames else 1]


def unit(slices):
    low, high = slices.min(axis=(1, 2), keepdims=True), slices.max(axis=(1, 2), keepdims=True)
    return (slices - low.astype(float)) / (high - low.astype(float))


def test_every_reader_is_tested():
    assert {type(reader) for reader in readers()} == set(FILES)


def test_no_two_readers_share_an_ending():
    known = endings()
    assert len(set(known)) == len(known)
    for ending in known:
        assert ending == ending.lower()
        assert ending.startswith(".")


@every_ending
@pytest.mark.parametrize("spelt", [str.lower, str.upper])
def test_values_come_back_scaled_and_as_they_are_shown(tmp_path, files, ending, spelt):
    slices = slices_of(files)
    path = tmp_path / spelt(f"a{ending}")
    files.write(path, slices)
    study = read_study(path)
    assert study.sources == (path,)
    assert study.images.dtype == np.float32
    assert study.images.shape == (len(slices), *SIZE, 1)
    apart = np.abs(study.images[..., 0] - unit(slices))
    assert apart.max() <= (0.15 if ending in files.lossy else 1e-6)
    assert apart.mean() <= 0.01
    assert (study.images.min(), study.images.max()) == (0, 1)
    assert not study.blank.any()


@every_ending
def test_maps_go_back_to_where_the_values_came_from(tmp_path, files, ending):
    path = tmp_path / f"a{ending}"
    files.write(path, slices_of(files))
    study = read_study(path)
    assert study.grid.slices_shape == study.images.shape[:3]
    back = study.to_grid(study.images)
    assert back.shape == tuple(study.grid.shape)
    np.testing.assert_array_equal(study.grid.to_slices(back), study.images[..., 0])
    half = (SIZE[0] // 2, SIZE[1] // 2)
    smaller = read_study(path, half)
    assert smaller.images.shape == (len(study.images), *half, 1)
    assert smaller.to_grid(smaller.images).shape == tuple(study.grid.shape)


@every_ending
def test_a_slice_of_one_value_is_blank_and_the_others_are_not(tmp_path, files, ending):
    slices = slices_of(files)
    slices[-1] = 77
    path = tmp_path / f"a{ending}"
    files.write(path, slices)
    study = read_study(path)
    assert study.blank.tolist() == [False] * (len(slices) - 1) + [True]
    assert not study.images[-1].any()


@every_ending
def test_a_channel_is_ignored_by_a_file_that_has_one(tmp_path, files, ending):
    path = tmp_path / f"a{ending}"
    files.write(path, slices_of(files))
    np.testing.assert_array_equal(read_study(path, channel=3).images, read_study(path).images)


@every_ending
def test_a_size_that_no_memory_holds_is_refused_by_the_header(tmp_path, files, ending):
    path = tmp_path / f"a{ending}"
    files.huge(path)
    assert path.stat().st_size < 10_000
    with pytest.raises(InputError, match="is too large: ") as error:
        read_study(path)
    assert_one_line_of(path, error)


@every_ending
def test_a_broken_file_is_refused_in_one_line_that_names_it(tmp_path, files, ending):
    path = tmp_path / f"a{ending}"
    files.write(path, slices_of(files))
    whole = path.read_bytes()
    for content in (b"", b"this is not an image\n" * 20, whole[:9], whole[: len(whole) // 2]):
        path.write_bytes(content)
        with pytest.raises(InputError) as error:
            read_study(path)
        assert_one_line_of(path, error)
        assert len(error.value.remedy) > 5


def assert_one_line_of(path, error):
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


@every_ending
def test_a_file_without_its_ending_is_known_by_its_first_bytes_to_one_reader_at_most(tmp_path, files, ending):
    path = tmp_path / f"a{ending}"
    files.write(path, slices_of(files))
    head = path.read_bytes()[:HEAD_BYTES]
    knowing = [reader for reader in readers() if reader.recognizes(head)]
    assert knowing in ([], [reader_for(path)])
    bare = path.rename(tmp_path / "bare")
    if knowing:
        assert reader_for(bare) is knowing[0]
    if knowing and not of_pair(path):
        assert read_study(bare).images.shape[1:3] == SIZE
    else:
        with pytest.raises(InputError, match=r"is of no format that is read|is half of a pair"):
            read_study(bare)


@every_ending
def test_a_mask_is_read_by_its_stored_values(tmp_path, files, ending):
    """255 where the finding is: exactly, but for the pixels at the edge that a lossy format moves."""
    finding = slices_of(files) > 150
    image, mask = tmp_path / f"a{ending}", tmp_path / "masks" / f"a{ending}"
    mask.parent.mkdir()
    files.write(image, slices_of(files))
    files.write(mask, finding * np.uint8(255))
    grid = read_study(image).grid
    found = read_mask(mask, image, grid)
    assert found.dtype == bool
    assert np.count_nonzero(found != finding) <= (0.01 * finding.size if ending in files.lossy else 0)
    if ending not in files.lossy:
        files.write(mask, finding * np.uint8(1))
        np.testing.assert_array_equal(read_mask(mask, image, grid), finding)
    files.write(mask, slices_of(files)[:, :-1] * np.uint8(0))
    with pytest.raises(InputError, match=r"size|grid"):
        read_mask(mask, image, grid)
