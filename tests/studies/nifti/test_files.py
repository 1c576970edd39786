"""NIfTI files byte by byte: names, pairs, offsets, gzip, headers, and values as nibabel has them."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from support.broken_files import nifti_bytes, volume

from tfadvpath.errors import InputError
from tfadvpath.studies.nifti.byte_streams import open_bytes
from tfadvpath.studies.nifti.voxels import header_beside
from tfadvpath.studies.study import open_slices, read_study

WHOLE = nifti_bytes(volume(), np.diag([-1.0, 2.0, 3.0, 1.0]))
SIZE_OF_HEADER = 348


def changed(place: int, *values: object) -> bytes:
    """The whole file with other bytes from that place on."""
    new = b"".join(np.asarray(value).tobytes() for value in values)
    return WHOLE[:place] + new + WHOLE[place + len(new) :]


def read(folder: Path, content: bytes, name: str = "volume.nii", channel: int | None = None) -> np.ndarray:
    """The slices as the reader has them, in float64."""
    (folder / name).write_bytes(content)
    with open_slices(folder / name, channel) as reading:
        return np.stack([np.asarray(values, np.float64) for values in reading.slices])


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"])
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("kind", [nib.Nifti1Header, nib.Nifti2Header])
def test_values_are_those_of_nibabel_to_the_last_bit(tmp_path, kind, order, dtype):
    rng = np.random.default_rng(0)
    for shape, channel in (((6, 5, 4), None), ((6, 5), None), ((6, 5, 4, 3), 1)):
        for slope, inter in ((1, 0), (0, 5), (np.nan, np.nan), (0.1, 0), (-2, 3.7), (1, -7), (1e-7, 1e5)):
            header = kind(endianness=order)
            header.set_data_dtype(np.dtype(order + dtype))
            header.set_data_shape(shape)
            header.set_sform(np.diag([-1.0, 2.0, 3.0, 1.0]), 1)
            header["scl_slope"], header["scl_inter"] = slope, inter
            header["magic"], header["vox_offset"] = header.single_magic, 560
            stored = rng.integers(0, 120, shape).astype(order + dtype)
            head = header.binaryblock
            content = head + bytes(560 - len(head)) + stored.tobytes(order="F")
            found = read(tmp_path, content, channel=channel)
            expected = nib.load(tmp_path / "volume.nii").get_fdata()
            expected = expected if channel is None else expected[..., channel]
            np.testing.assert_array_equal(
                found, read_study(tmp_path / "volume.nii", channel=channel).grid.to_slices(expected)
            )


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.nii.gz", WHOLE),
        ("a.nii", gzip.compress(WHOLE)),
        ("a.nii.gz", gzip.compress(WHOLE, 0)),
        ("a.nii.gz.1", gzip.compress(WHOLE)),
        ("a.hdr", WHOLE),
        ("a.img", WHOLE),
        ("a.png", WHOLE),
        ("a", WHOLE),
        ("a", gzip.compress(WHOLE)),
        ("a", nib.Nifti2Image(volume(), np.diag([-1.0, 2.0, 3.0, 1.0])).to_bytes()),
    ],
)
def test_the_content_counts_and_not_the_name(tmp_path, name, content):
    np.testing.assert_array_equal(read(tmp_path, content, name), read(tmp_path, WHOLE))


@pytest.mark.parametrize("asked", [0, 1])
@pytest.mark.parametrize(
    ("head", "voxels"),
    [
        ("a.hdr", "a.img"),
        ("A.HDR", "A.IMG"),
        ("a.hdr.gz", "a.img.gz"),
        ("a.hdr", "a.img.gz"),
        ("a.hdr.gz", "a.img"),
        ("a.b.hdr", "a.b.img"),
    ],
)
@pytest.mark.parametrize("magic", [b"ni1\0", b"n+1\0"])
def test_either_file_of_a_pair_is_read_with_the_other(tmp_path, head, voxels, asked, magic):
    offset = np.float32(352 if magic == b"n+1\0" else 0)
    contents = {
        head: changed(108, offset)[:344] + magic,
        voxels: WHOLE[352:],
        "other.img": bytes(9),
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    assert header_beside(tmp_path / voxels) == tmp_path / head
    assert header_beside(tmp_path / head) is None
    study = read_study(tmp_path / (head, voxels)[asked])
    (tmp_path / "single.nii").write_bytes(WHOLE)
    np.testing.assert_array_equal(study.images, read_study(tmp_path / "single.nii").images)
    assert bool(study.remarks) == (magic == b"n+1\0")


def test_a_pair_that_is_cut_or_halved_is_refused(tmp_path):
    (tmp_path / "a.hdr").write_bytes(changed(108, np.float32(0))[:344] + b"ni1\0")
    (tmp_path / "a.img").mkdir()
    with pytest.raises(InputError, match=r"a\.hdr: is half of a pair without its \.img file"):
        read_study(tmp_path / "a.hdr")
    (tmp_path / "a.img").rmdir()
    (tmp_path / "a.img").write_bytes(WHOLE[352:-1])
    with pytest.raises(InputError, match="is truncated: it has 11,519 of 11,520 bytes"):
        read_study(tmp_path / "a.img")
    (tmp_path / "b.hdr").write_bytes(WHOLE)
    (tmp_path / "b.img").write_bytes(WHOLE[352:])
    with pytest.raises(InputError, match=r"b\.img: is beside b\.hdr, which holds its voxels itself"):
        read_study(tmp_path / "b.img")


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("offset", [0, 1, 351, 352, 353, 368, 1000, 100_000])
def test_voxels_start_where_the_standard_says(tmp_path, offset, packed):
    """In a single file an offset below 352 counts as 352."""
    content = changed(108, np.float32(offset))[:352] + b"?" * (max(offset, 352) - 352) + WHOLE[352:]
    found = read(tmp_path, gzip.compress(content) if packed else content)
    np.testing.assert_array_equal(found, read(tmp_path, WHOLE))


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("offset", [-16, 352.5, 1e9, 8e9, np.nan, np.inf, 50_000])
def test_an_offset_where_no_voxels_can_start_is_named(tmp_path, offset, packed):
    content = changed(108, np.float32(offset))
    with pytest.raises(InputError, match="vox_offset"):
        read(tmp_path, gzip.compress(content) if packed else content)


def test_gzip_files_of_several_members_and_with_something_behind_are_read(tmp_path):
    pieces = b"".join(gzip.compress(WHOLE[start : start + 999]) for start in range(0, len(WHOLE), 999))
    whole = gzip.compress(WHOLE)
    for content in (
        pieces,
        gzip.compress(b"") * 99 + pieces,
        whole + bytes(1000),
        whole + b"behind",
        gzip.compress(WHOLE + b"behind"),
    ):
        np.testing.assert_array_equal(read(tmp_path, content, "a.nii.gz"), read(tmp_path, WHOLE))


def test_the_checksum_is_compared_also_of_channels_that_are_not_read(tmp_path):
    content = bytearray(gzip.compress(nifti_bytes(volume((6, 5, 4, 3))), 0))
    content[-100] ^= 1  # in the last channel
    with pytest.raises(InputError, match="is damaged: its gzip stream cannot be unpacked"):
        read(tmp_path, bytes(content), "a.nii.gz", channel=0)


def test_what_grows_without_end_is_refused_before_it_does(tmp_path):
    """Of a file of 100 kB half a gigabyte is unpacked at most, a piece at a time."""
    packer = zlib.compressobj(9, wbits=31)
    head = packer.compress(WHOLE) + packer.flush(zlib.Z_FULL_FLUSH)
    zeros = packer.compress(bytes(2**24)) + packer.flush(zlib.Z_FULL_FLUSH)
    path = tmp_path / "a.nii.gz"
    path.write_bytes(head + zeros * 40)
    assert path.stat().st_size < 10**6
    with pytest.raises(InputError, match="which no image of a patient does"):
        read_study(path)


def test_a_claim_of_much_in_little_takes_no_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(np, "empty", lambda *args, **options: pytest.fail("memory is taken"))
    header = nib.Nifti1Header()
    header.set_data_shape((512, 512, 2000))
    header.set_data_dtype(np.uint8)
    header["magic"], header["vox_offset"] = b"n+1", 352
    path = tmp_path / "a.nii.gz"
    path.write_bytes(gzip.compress(header.binaryblock + bytes(10**6)))
    with pytest.raises(InputError, match=r"grows from .* bytes, which no image of a patient does"):
        read_study(path)


@pytest.mark.parametrize("seed", range(20))
def test_packed_bytes_come_in_pieces_of_any_size(tmp_path, seed):
    rng = np.random.default_rng(seed)
    parts = [
        bytes(rng.integers(0, 1 + 255 * (seed % 2), size, np.uint8)) for size in rng.integers(0, 9**5, 4)
    ]
    path = tmp_path / "a.gz"
    path.write_bytes(b"".join(map(gzip.compress, parts)) + b"behind" * (seed % 3))
    expected, place = b"".join(parts), 0
    with open_bytes(path, path) as stream:
        while place < len(expected):
            asked = int(rng.choice([1, 348, 2**14, 2**17, 2**20]))
            if rng.integers(2):
                place += stream.skip(asked)
            else:
                piece = stream.take(asked)
                assert piece == expected[place : place + asked]
                place += len(piece)
        assert stream.take(9) == b""
        stream.finish()


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (nib.Nifti2Image(volume(), np.eye(4)).to_bytes(), "has the scl_slope 1e.308"),
        (changed(344, b"n+7\0"), "has a magic that NIfTI does not know"),
        (changed(280, np.float32("nan")), "has an affine that cannot be inverted"),
        (changed(40, np.int16(3), np.full(3, 32767, np.int16)), "is too large: 32767 x 32767 x 32767"),
        (changed(70, np.int16(0)), "does not say of which type its voxels are"),
        (WHOLE[:SIZE_OF_HEADER], "has a vox_offset of 352, beyond the end of its 348 bytes"),
    ],
)
def test_what_is_wrong_with_a_header_is_named(tmp_path, content, problem):
    if "scl_slope" in problem:
        content = content[:176] + np.array([1e308, 0], "<f8").tobytes() + content[192:]
    with pytest.raises(InputError, match=problem):
        read(tmp_path, content)


def test_bits_that_do_not_go_with_the_datatype_are_remarked(tmp_path):
    (tmp_path / "a.nii").write_bytes(changed(72, np.int16(8)))
    study = read_study(tmp_path / "a.nii")
    assert study.remarks == ("its bitpix of 8 does not go with its datatype (float32), which counts",)
    np.testing.assert_array_equal(study.images[..., 0], unit(read(tmp_path, WHOLE)))


def unit(slices: np.ndarray) -> np.ndarray:
    low, high = slices.min(axis=(1, 2), keepdims=True), slices.max(axis=(1, 2), keepdims=True)
    return ((slices - low) / (high - low)).astype(np.float32)


def test_too_little_memory_is_not_called_damage(tmp_path, monkeypatch):
    def too_much(*args: object, **options: object) -> None:
        raise MemoryError

    monkeypatch.setattr("tfadvpath.studies.nifti.voxels.np.empty", too_much)
    with pytest.raises(InputError, match="does not fit into memory"):
        read(tmp_path, WHOLE)
