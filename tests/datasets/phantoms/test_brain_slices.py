import nibabel as nib
import numpy as np

from tfadvpath.datasets.phantoms.brain import brain_phantom
from tfadvpath.datasets.phantoms.brain_slices import phantom_brain_slices, phantom_shape
from tfadvpath.studies.study import read_study


def test_slices_are_what_the_reader_makes_of_the_same_volume(tmp_path):
    phantom = brain_phantom(5, phantom_shape(48))
    nib.save(nib.Nifti1Image(phantom.image, np.diag([5.0, 5.0, 5.0, 1.0])), tmp_path / "brain.nii.gz")
    study = read_study(tmp_path / "brain.nii.gz", (48, 48), channel=2)
    body = phantom.image[..., 2].transpose(2, 0, 1) > 0
    kept = body.mean(axis=(1, 2)) >= 0.05
    slices = phantom_brain_slices([5], 48)
    np.testing.assert_allclose(slices.images, study.images[kept], atol=1e-6)


def test_tumour_is_the_core_and_the_rim_without_the_oedema():
    slices = phantom_brain_slices([5], 48)
    labels = brain_phantom(5, phantom_shape(48)).labels
    assert slices.masks.sum() == (labels >= 2).sum()
    assert (labels == 1).sum() > 0


def test_label_is_1_from_the_least_number_of_tumour_pixels_on():
    pixels = phantom_brain_slices([5], 48).masks.sum(axis=(1, 2))
    least = int(pixels.max())
    slices = phantom_brain_slices([5], 48, min_tumour_pixels=least)
    np.testing.assert_array_equal(slices.labels == 1, pixels >= least)
    assert (slices.labels[pixels > 0] == 0).any()


def test_slices_outside_the_body_are_left_out_and_patients_are_kept_apart():
    slices = phantom_brain_slices([5, 6], 48, min_body_fraction=0.2)
    assert ((slices.images[..., 0] > 0).mean(axis=(1, 2)) > 0.15).all()
    assert set(slices.patients) == {"phantom_5", "phantom_6"}
    assert len(slices.images) == len(slices.labels) == len(slices.masks) == len(slices.patients)


def test_twins_differ_by_the_tumour_alone():
    slices = phantom_brain_slices([5], 48, min_tumour_pixels=4, twins=True)
    half = len(slices.labels) // 2
    assert slices.labels.tolist() == [1.0] * half + [0.0] * half
    assert not slices.masks[half:].any()
    outside = ~(slices.images[:half, ..., 0] > 0)
    assert (slices.images[half:, ..., 0][outside] == 0).mean() > 0.99  # the same brain's outline
