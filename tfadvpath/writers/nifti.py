"""Maps as NIfTI volumes on the grid of the study that was explained."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
from nibabel.nifti1 import Nifti1Header
from nibabel.nifti2 import Nifti2Header

from tfadvpath.explanation import StudyExplanation
from tfadvpath.files import replacing_file
from tfadvpath.studies.grid import Grid
from tfadvpath.writers.formats import register
from tfadvpath.writers.npz import at_slices

_PLACEMENT_FIELDS = (
    "qform_code",
    "sform_code",
    "quatern_b",
    "quatern_c",
    "quatern_d",
    "qoffset_x",
    "qoffset_y",
    "qoffset_z",
    "srow_x",
    "srow_y",
    "srow_z",
    "xyzt_units",
)


@register("nifti", applies=lambda study: study.grid.affine is not None)
def write_maps(folder: Path, result: StudyExplanation) -> None:
    """Writes a volume NAME.nii.gz for every map; blank slices are 0."""
    study = result.study
    for name, values in result.explanation.maps.items():
        volume = study.to_grid(at_slices(values, study.blank, 0))
        write_nifti(folder / f"{name}.nii.gz", volume, study.grid, f"tfadvpath {name}")


@register("nifti-4d", applies=lambda study: study.grid.affine is not None, on_request=True)
def write_maps_together(folder: Path, result: StudyExplanation) -> None:
    """Writes maps.nii.gz: all maps as the volumes of one file, in their order; blank slices are 0."""
    study, maps = result.study, result.explanation.maps
    volumes = [study.to_grid(at_slices(values, study.blank, 0)) for values in maps.values()]
    text = f"tfadvpath {','.join(maps)}"[:79]
    write_nifti(folder / "maps.nii.gz", np.stack(volumes, axis=-1), study.grid, text)


def write_nifti(path: Path | str, volume: np.ndarray, grid: Grid, description: str) -> None:
    """Writes a float32 volume on a study's grid, or several as one 4-D file.

    A volume that was read from NIfTI gets the affine, the codes and the units of that file's header. The rest
    of the header stays behind: its texts and extensions may name a patient. The volume of a DICOM series has
    the axes column, row, slice, and the series' position in the patient.

    Args:
        path: File to write, ending in .nii or .nii.gz.
        volume: float of the shape ``grid.shape``; of M volumes the shape of ``grid.shape`` and M.
        grid: Grid of a NIfTI file or of a DICOM series with even distances.
        description: Text for the header, at most 79 bytes.

    Raises:
        ValueError: The grid has no affine, or the volume has another shape.
    """
    if grid.affine is None:
        raise ValueError("`grid` must lie in space. Received: one without an affine")
    if volume.shape[: len(grid.shape)] != tuple(grid.shape) or volume.ndim > len(grid.shape) + 1:
        raise ValueError(f"`volume` must have the grid's shape {grid.shape}. Received: {volume.shape}")
    if grid.source is None:
        # [slices, rows, columns(, M)] -> [columns, rows, slices(, M)], the order of the affine's axes
        image = nibabel.Nifti1Image(np.asarray(volume, np.float32).swapaxes(0, 2), grid.affine)
        image.header.set_xyzt_units("mm")
        image.header["descrip"] = description.encode()
    else:
        image = _on_the_files_grid(volume, grid, description)
    with replacing_file(path) as partial:
        nibabel.save(image, partial)


def _on_the_files_grid(volume: np.ndarray, grid: Grid, description: str) -> nibabel.Nifti1Image:
    axes = len(grid.shape)
    if volume.ndim > axes == 2:  # the fourth axis of a file is that of its volumes
        volume = volume[:, :, np.newaxis]
    second = isinstance(grid.source, Nifti2Header)
    header = Nifti2Header() if second else Nifti1Header()
    header.set_data_dtype(np.float32)
    header.set_data_shape(volume.shape)
    for field in _PLACEMENT_FIELDS:
        header[field] = grid.source[field]
    header["pixdim"][: 1 + axes] = grid.source["pixdim"][: 1 + axes]
    header["descrip"] = description.encode()
    kind = nibabel.Nifti2Image if second else nibabel.Nifti1Image
    return kind(np.asarray(volume, np.float32), grid.affine, header)
