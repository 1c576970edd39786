"""Real images go in, and every object that comes out is valid."""

from __future__ import annotations

import cv2
import nibabel as nib
import numpy as np
import pytest
from pydicom.uid import generate_uid
from support.archive import a_volume_as_series, an_xray, dciodvfy, explained, written

pytestmark = pytest.mark.real_data
ROLES = {"report", "segmentation", "synthetic_adversary", "synthetic_start"}


def check(paths, folder, kind):
    objects = written(folder, explained(paths, (64, 64)))
    assert objects.keys() == ROLES | {f"{kind}_{name}" for name in ("fi_v2_smooth", "difference")}
    for name in objects:
        assert dciodvfy(folder / f"{name}.dcm") == [], name


def some(paths, count=4):
    found = sorted(paths)
    assert len(found) >= count
    return found[:: len(found) // count][:count]


def test_xrays_of_the_pneumonia_challenge(real_data, tmp_path):
    for path in some((real_data / "rsna_mini" / "stage_2_train_images").glob("*.dcm")):
        check([path], tmp_path / path.stem, "secondary_capture")


def test_a_genuine_chest_xray_and_its_negative(real_data, tmp_path):
    for path in some((real_data / "cxr_dicom").glob("*.dcm"), 2):
        check([path], tmp_path / path.stem, "secondary_capture")


def test_xrays_that_were_pictures(real_data, tmp_path):
    for path in some((real_data / "nih_cxr" / "images").glob("*.png")):
        values = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        uid = generate_uid(entropy_srcs=[path.name])
        wrapped = an_xray(tmp_path / f"{path.stem}_in", values, SOPInstanceUID=uid)
        check(wrapped, tmp_path / path.stem, "secondary_capture")


def test_brains_as_series(real_data, tmp_path):
    for path in some((real_data / "brain_tumor_progression").glob("*/*_Scan_T1.nii.gz"), 2):
        image = nib.load(path)
        volume = np.asarray(image.dataobj)
        paths = a_volume_as_series(tmp_path / f"{path.parent.name}_in", volume, image.header.get_zooms()[:3])
        check(paths, tmp_path / path.parent.name, "parametric_map")
