"""NIfTI files: from bytes to slices as radiologists see them."""

from __future__ import annotations

import gzip
import math
from pathlib import Path
from typing import cast

import nibabel as nib
import numpy as np
from nibabel.arrayproxy import ArrayProxy
from nibabel.nifti1 import Nifti1Pair

from tfadvpath.errors import InputError
from tfadvpath.studies.grid import Grid
from tfadvpath.studies.limits import check_size
from tfadvpath.studies.readers import Reader, Reading, check_finite, register

COPY_AGAIN = "Copy or write it again"


@register
class NiftiReader(Reader):
    """Reads NIfTI-1 and NIfTI-2 volumes (.nii, .nii.gz, or the .hdr of a pair) as axial slices.

    The axes nearest to RAS+ are taken, so oblique volumes are not resampled. A volume that is one sagittal
    or coronal slice is shown in its own plane. A 4-D file needs a channel.
    """

    endings = (".nii.gz", ".nii", ".hdr")

    def read(self, path: Path, channel: int | None) -> Reading:
        image = _open(path)
        shape = _check_header(path, image)
        grid = _grid(path, image, shape)
        check_size(path, image.shape, math.prod(grid.slices_shape[1:]))
        index = _channel(path, image.shape, channel)
        voxels = _voxels(path, image, index)
        check_finite(path, voxels)
        return Reading(grid.to_slices(voxels.reshape(shape)), grid)


def _open(path: Path) -> Nifti1Pair:
    """Returns the header; the voxels stay in the file."""
    try:
        image = nib.load(path)
    except (nib.filebasedimages.ImageFileError, gzip.BadGzipFile):
        raise InputError(
            path, "is not a NIfTI file, whatever its name says", "Give it its true ending"
        ) from None
    except EOFError:
        raise InputError(path, "is truncated: it ends within its header", COPY_AGAIN) from None
    except Exception as error:  # nibabel's header errors, zlib and struct errors
        raise InputError(path, f"has a damaged NIfTI header ({error})", COPY_AGAIN) from None
    if not isinstance(image, Nifti1Pair):
        kind = type(image).__name__.removesuffix("Image")
        raise InputError(path, f"is no NIfTI volume but {kind}", "Convert it to a NIfTI volume")
    if not Path(image.file_map["image"].filename or path).exists():
        raise InputError(path, "is half of a pair without its .img file", "Put the .img file beside it")
    return image


def _check_header(path: Path, image: Nifti1Pair) -> tuple[int, ...]:
    """Returns the spatial shape: two or three lengths."""
    shape = tuple(int(length) for length in image.shape)
    used = len(shape)
    while used > 3 and shape[used - 1] == 1:
        used -= 1
    if used < 2 or used > 4:
        raise InputError(path, f"is {used}-D, where 2-D to 4-D files are read", "Take one volume out of it")
    dtype = image.get_data_dtype()
    if dtype.fields is not None:
        raise InputError(path, "holds colour (RGB) voxels", "Convert it to one grey value a voxel")
    if dtype.kind == "c":
        raise InputError(path, "holds complex voxels", "Take their magnitude")
    return shape[:3]


def _grid(path: Path, image: Nifti1Pair, shape: tuple[int, ...]) -> Grid:
    affine = np.asarray(image.affine, dtype=np.float64)
    axes = affine[:3, :3].copy()
    if len(shape) == 2 and not axes[:, 2].any():
        axes[:, 2] = np.cross(axes[:, 0], axes[:, 1])  # a 2-D file may leave out the third axis
    lengths = np.linalg.norm(axes, axis=0)
    # The volume spanned by the unit axes: 1 if they are perpendicular, 0 if they do not span space.
    if not np.isfinite(affine).all() or not lengths.all() or abs(np.linalg.det(axes / lengths)) < 1e-4:
        raise InputError(
            path,
            "has an affine that cannot be inverted, so its orientation is unknown",
            "Correct its sform or qform, for example with nibabel or fslorient",
        )
    directions = np.eye(4)
    directions[:3, :3] = axes
    orientation = nib.orientations.io_orientation(directions).astype(int)
    thin = [int(orientation[axis, 0]) for axis in range(3) if (*shape, 1)[axis] == 1]
    slice_axis = thin[0] if len(thin) == 1 else 2
    return Grid(shape, affine, image.header.copy(), orientation, slice_axis)


def _channel(path: Path, shape: tuple[int, ...], channel: int | None) -> int | None:
    """Returns the index into the fourth axis; None for a file without one, whatever channel is asked for."""
    if len(shape) < 4:
        return None
    channels = shape[3]
    if channel is None and channels > 1:
        raise InputError(
            path,
            f"has {channels} channels (0 to {channels - 1})",
            "Choose one by `channel`",
        )
    if channels == 1:
        return 0
    if channel is None or not 0 <= channel < channels:
        raise InputError(
            path,
            f"has no channel {channel}",
            f"Choose one of 0 to {channels - 1} by `channel`",
        )
    return channel


def _voxels(path: Path, image: Nifti1Pair, channel: int | None) -> np.ndarray:
    """Returns the scaled voxels of one channel, in the file's axes."""
    stored = math.prod(image.shape) * image.get_data_dtype().itemsize
    needed = cast(ArrayProxy, image.dataobj).offset + stored
    try:
        if isinstance(image, nib.Nifti1Image) and path.name.lower().endswith(".gz"):
            with gzip.open(path) as stream:
                content = stream.read(needed)
                stream.read(2**24)  # gzip compares the checksum at the end, which damage may move
            found = len(content)
            if found >= needed:
                image = type(image).from_bytes(content)
        else:
            found = Path(image.file_map["image"].filename or path).stat().st_size
        if found >= needed:
            return np.asarray(image.dataobj if channel is None else image.dataobj[:, :, :, channel])
    except EOFError:
        raise InputError(path, "is truncated: its gzip stream ends early", COPY_AGAIN) from None
    except Exception as error:  # zlib.error, BadGzipFile, OSError and nibabel's own
        raise InputError(path, f"is damaged ({error})", COPY_AGAIN) from None
    raise InputError(path, f"is truncated: it has {found:,} of {needed:,} bytes", COPY_AGAIN)
