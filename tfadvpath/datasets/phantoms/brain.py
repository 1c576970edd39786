"""Brain phantoms: generated four-channel MRI volumes with tumours of known place.

They follow the Medical Segmentation Decathlon's Task01_BrainTumour: skull-stripped, background 0, channels
FLAIR, T1w, T1gd and T2w, labels 0 background, 1 oedema, 2 non-enhancing tumour, 3 enhancing tumour.
"""

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np
from scipy import ndimage
from threadpoolctl import threadpool_limits

from tfadvpath.datasets.phantoms.brain_anatomy import Anatomy, build_anatomy, draw_head
from tfadvpath.datasets.phantoms.brain_tumour import (
    ENHANCING,
    NON_ENHANCING,
    OEDEMA,
    draw_foci,
    grow_tumour,
    mass_effect,
)
from tfadvpath.datasets.phantoms.noise import smooth_noise

FIELD_OF_VIEW = (240.0, 240.0, 155.0)  # mm, the Decathlon's
CHANNELS = ("FLAIR", "T1w", "t1gd", "T2w")
# Signal of each tissue in the four channels, in arbitrary units.
FLUID = (70, 130, 115, 760)
GREY = (330, 305, 300, 360)
WHITE = (275, 430, 410, 250)
SIGNAL = {OEDEMA: (560, 330, 320, 540), NON_ENHANCING: (350, 240, 190, 600), ENHANCING: (450, 345, 760, 420)}
# With contrast agent vessels are the brightest: so a slice's largest value, by which it is scaled, is no
# tumour's.
VESSEL = (150, 300, 980, 200)


@dataclass(frozen=True)
class BrainPhantom:
    """One generated patient, axes left to right, posterior to anterior, inferior to superior.

    Attributes:
        image: float32 [X, Y, Z, 4], FLAIR, T1w, T1gd, T2w in arbitrary units; exactly 0 outside the brain.
        labels: uint8 [X, Y, Z], 0 background, 1 oedema, 2 non-enhancing tumour, 3 enhancing tumour.
    """

    image: np.ndarray
    labels: np.ndarray


# BLAS threads lose more time in waiting than they gain on such small arrays, and their number would change
# the last bits of a phantom.
@threadpool_limits.wrap(limits=1, user_api="blas")
def brain_phantom(
    seed: int, shape: tuple[int, int, int] = (240, 240, 155), tumour: bool = True
) -> BrainPhantom:
    """Generates one patient.

    The shape sets the sampling, not the patient: a seed gives the same brain at any shape, only the noise
    differs. With ``tumour=False`` it is the same patient before the tumour.

    Args:
        seed: Seed of the patient.
        shape: Voxels along the three axes of a 240 x 240 x 155 mm volume.
        tumour: Whether the patient has a tumour.
    """
    sizes, folds, lesion, scanner = np.random.default_rng(seed).spawn(4)
    whole = [
        ((np.arange(n) + 0.5) / n - 0.5) * extent for n, extent in zip(shape, FIELD_OF_VIEW, strict=True)
    ]
    head = draw_head(sizes)
    # Only the box around the brain is computed.
    limits = (head.half_axes[0] + 12, head.half_axes[1] + 12, 80)
    box = tuple(
        slice(*np.searchsorted(axis, (-limit, limit))) for axis, limit in zip(whole, limits, strict=True)
    )
    axes = tuple(axis[cut] for axis, cut in zip(whole, box, strict=True))

    if tumour:
        foci = draw_foci(lesion, head)
        anatomy = build_anatomy(folds, head, axes, mass_effect(foci, axes))
        inner = grow_tumour(lesion, foci, anatomy, axes)
    else:
        anatomy = build_anatomy(folds, head, axes, np.zeros((3, 1, 1, 1), np.float32))
        inner = np.zeros(anatomy.brain.shape, np.uint8)
    image = np.zeros((*shape, 4), np.float32)
    labels = np.zeros(shape, np.uint8)
    image[box] = _scan(scanner, anatomy, inner, axes)
    labels[box] = inner
    return BrainPhantom(image, labels)


def _scan(
    rng: np.random.Generator, anatomy: Anatomy, labels: np.ndarray, axes: tuple[np.ndarray, ...]
) -> np.ndarray:
    """Gives every tissue its signal, then the scanner's shading, blur and noise: float32 [X, Y, Z, 4]."""
    voxel = axes[0][1] - axes[0][0]
    blend = 0.7 / max(voxel, 0.7)  # standard deviation in voxels of the soft border between tumour and tissue
    lesion = {
        label: ndimage.gaussian_filter((labels == label).astype(np.float32), blend, truncate=2.5)
        for label in SIGNAL
        if (labels == label).any()
    }
    healthy = np.clip(1 - sum(lesion.values()), 0, 1) if lesion else np.float32(1)
    texture = smooth_noise(rng, axes, 5.0)
    enhancement = rng.uniform(0.7, 1.15)
    channels = []
    for c in range(4):
        vary = rng.normal(1, 0.05, 7).tolist()
        signal = anatomy.fluid * FLUID[c] * vary[0] + anatomy.grey * GREY[c] * vary[1]
        signal += anatomy.white * WHITE[c] * vary[2]
        signal += anatomy.vessels * (VESSEL[c] * vary[3] - signal)
        signal *= healthy
        for label, share in lesion.items():
            gain = enhancement if (label == ENHANCING and c == 2) else vary[3 + label]
            # Tumour is uneven, above all where it enhances.
            signal += share * SIGNAL[label][c] * gain * (1 + (0.14 if label == ENHANCING else 0.07) * texture)
        shading = np.exp(0.08 * smooth_noise(rng, axes, 70.0))
        signal *= shading * rng.uniform(0.75, 1.3) * (1 + 0.02 * texture)
        noise = rng.uniform(6, 16)
        signal += noise * rng.standard_normal(signal.shape, dtype=np.float32)
        signal = np.hypot(signal, noise * rng.standard_normal(signal.shape, dtype=np.float32))
        channels.append(np.where(anatomy.brain, np.maximum(signal, 1), 0))
    return np.stack(channels, axis=-1).astype(np.float32)


def write_brain_phantoms(
    out: str | os.PathLike[str], seeds: Iterable[int], shape: tuple[int, int, int] = (240, 240, 155)
) -> None:
    """Writes patients with tumours as the Medical Segmentation Decathlon lays them out.

    Args:
        out: Folder that gets dataset.json, imagesTr/BRATS_001.nii.gz and labelsTr/BRATS_001.nii.gz and so on.
        seeds: Seeds, one for each patient.
        shape: Voxels of each volume.
    """
    out = Path(out)
    affine = np.diag([extent / n for n, extent in zip(shape, FIELD_OF_VIEW, strict=True)] + [1.0])
    training = []
    for number, seed in enumerate(seeds, start=1):
        phantom = brain_phantom(seed, shape)
        name = f"BRATS_{number:03d}.nii.gz"
        _write_nifti(out / "imagesTr" / name, phantom.image, affine)
        _write_nifti(out / "labelsTr" / name, phantom.labels, affine)
        training.append({"image": f"./imagesTr/{name}", "label": f"./labelsTr/{name}"})
    description = {
        "name": "BRATS",
        "description": "Generated brain phantoms in the layout of Task01_BrainTumour",
        "licence": "Apache-2.0",
        "tensorImageSize": "4D",
        "modality": {str(i): channel for i, channel in enumerate(CHANNELS)},
        "labels": {
            "0": "background",
            "1": "edema",
            "2": "non-enhancing tumor",
            "3": "enhancing tumour",
        },
        "numTraining": len(training),
        "numTest": 0,
        "training": training,
        "test": [],
    }
    temporary = out / f".dataset.json.{os.getpid()}"
    temporary.write_text(json.dumps(description, indent=2) + "\n")
    temporary.replace(out / "dataset.json")


def _write_nifti(path: Path, values: np.ndarray, affine: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{os.getpid()}.{path.name}")
    nifti = nibabel.Nifti1Image(values, affine)
    nifti.header.set_xyzt_units("mm", "sec")
    nibabel.save(nifti, temporary)
    temporary.replace(path)
