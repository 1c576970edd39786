"""Masks in DICOM files: stored values whatever a viewer shows, segmentations, and grids that do not fit."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    ExplicitVRBigEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    MRImageStorage,
    RLELossless,
    SegmentationStorage,
)
from support.broken_files import dicom, dicom_bytes, jpeg_bytes, picture, png_bytes

from tfadvpath.errors import InputError
from tfadvpath.studies.dicom.reader import DicomReader

FINDING = np.zeros((48, 40), bool)
FINDING[20:30, 10:30] = True
PLACE = {
    "ImagePositionPatient": ["-10", "5.5", "30"],
    "ImageOrientationPatient": ["1", "0", "0", "0", "1", "0"],
    "PixelSpacing": ["0.5", "0.75"],
}
FLIPPED = ["-1", "0", "0", "0", "1", "0"]


def written(path, dataset):
    path.write_bytes(dicom_bytes(dataset))
    return path


def image_file(folder, uid="1.2.3.1", **attributes):
    given = {key: value for key, value in {**PLACE, **attributes}.items() if value is not None}
    dataset = dicom(picture(top=1000).astype(np.uint16), SOPInstanceUID=uid, **given)
    return written(folder / f"image{uid[-1]}.dcm", dataset)


def mask_of(folder, dataset, image=None):
    """The slices of a mask [N, rows, columns]."""
    path = written(folder / "mask.dcm", dataset)
    reading = DicomReader().read_mask(path, image or image_file(folder))
    slices = np.stack(list(reading.slices))
    assert slices.dtype == bool
    assert slices.shape == reading.grid.slices_shape
    return slices


def refused(folder, dataset, problem, image=None):
    with pytest.raises(InputError, match=problem) as error:
        mask_of(folder, dataset, image)
    assert str(error.value).startswith(str(folder / "mask.dcm"))
    return True


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"PixelPaddingValue": 0},
        {"PixelPaddingValue": 1, "PixelPaddingRangeLimit": 3},
        {"PhotometricInterpretation": "MONOCHROME1"},
        {"RescaleSlope": "1", "RescaleIntercept": "-1024"},
        {"RescaleSlope": "0"},
        {"RescaleSlope": "2", "RescaleIntercept": "-2"},
        {"WindowCenter": "2048", "WindowWidth": "400"},
        {"WindowCenter": "0", "WindowWidth": "1"},
        {"WindowCenter": "50", "WindowWidth": "-3"},
        {"PhotometricInterpretation": "PALETTE COLOR"},
        {"Modality": "SEG"},
    ],
    ids=str,
)
def test_a_mask_is_where_the_stored_value_is_not_zero(tmp_path, attributes):
    for label in (1, 3, 700):
        dataset = dicom((FINDING * label).astype(np.uint16), **attributes)
        for name in ("PixelPaddingValue", "PixelPaddingRangeLimit"):
            if name in dataset:
                dataset[name].VR = "US"
        np.testing.assert_array_equal(mask_of(tmp_path, dataset), [FINDING])


def test_negative_labels_and_labels_of_floating_point_count(tmp_path):
    np.testing.assert_array_equal(mask_of(tmp_path, dicom((FINDING * -3).astype(np.int16), 12)), [FINDING])
    floats = dicom(
        FINDING.astype(np.uint32),
        PixelData=None,
        FloatPixelData=(FINDING * np.float32(1e-6)).tobytes(),
    )
    np.testing.assert_array_equal(mask_of(tmp_path, floats), [FINDING])


def test_bits_beside_the_stored_ones_are_no_finding(tmp_path):
    words = (FINDING * 5 + 0xA000).astype(np.uint16)
    np.testing.assert_array_equal(mask_of(tmp_path, dicom(words, 12)), [FINDING])


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless, JPEG2000Lossless], ids=lambda s: s.keyword)
def test_compressed_masks_are_read(tmp_path, syntax):
    dataset = dicom(FINDING.astype(np.uint8))
    dataset.compress(syntax)
    np.testing.assert_array_equal(mask_of(tmp_path, dataset), [FINDING])


def test_masks_in_jpeg_are_told_by_their_two_levels(tmp_path):
    stream = jpeg_bytes((FINDING * 255).astype(np.uint8))
    assert (np.asarray(Image.open(io.BytesIO(stream))) != 0).sum() > FINDING.sum()
    dataset = dicom(FINDING.astype(np.uint8), syntax=JPEGBaseline8Bit, frames=encapsulate([stream]))
    np.testing.assert_array_equal(mask_of(tmp_path, dataset), [FINDING])


@pytest.mark.parametrize("planar", [0, 1])
def test_a_colour_is_a_finding_wherever_one_of_its_samples_is_not_zero(tmp_path, planar):
    colours = np.zeros((48, 40, 3), np.uint8)
    colours[FINDING, 2] = 9
    stored = colours if planar == 0 else np.moveaxis(colours, -1, 0)
    dataset = dicom(FINDING.astype(np.uint8), PhotometricInterpretation="RGB", SamplesPerPixel=3)
    dataset.PlanarConfiguration, dataset.PixelData = planar, np.ascontiguousarray(stored).tobytes()
    np.testing.assert_array_equal(mask_of(tmp_path, dataset), [FINDING])
    dataset.PhotometricInterpretation = "YBR_FULL"
    assert refused(tmp_path, dataset, "of which 0 is not black")


def test_single_bits_are_a_mask(tmp_path):
    packed = np.packbits(FINDING.ravel(), bitorder="little").tobytes()
    dataset = dicom(FINDING.astype(np.uint8), 1, BitsAllocated=1, PixelData=packed)
    np.testing.assert_array_equal(mask_of(tmp_path, dataset), [FINDING])


@pytest.mark.parametrize(
    ("attributes", "name"),
    [
        ({"ImageOrientationPatient": FLIPPED}, "ImageOrientationPatient"),
        ({"ImagePositionPatient": ["-10", "5.5", "33"]}, "ImagePositionPatient"),
        ({"ImagePositionPatient": ["9.25", "5.5", "30"]}, "ImagePositionPatient"),
        ({"PixelSpacing": ["0.75", "0.5"]}, "PixelSpacing"),
    ],
)
def test_a_mask_on_another_grid_is_refused(tmp_path, attributes, name):
    dataset = dicom(FINDING.astype(np.uint8), **{**PLACE, **attributes})
    assert refused(tmp_path, dataset, f"lies on another grid than its image: its {name} is another")


def test_a_mask_on_the_same_grid_up_to_rounding_is_taken(tmp_path):
    place = {
        **PLACE,
        "ImagePositionPatient": ["-10.0004", "5.5", "30.0001"],
        "PixelSpacing": ["0.50001", "0.75"],
    }
    np.testing.assert_array_equal(mask_of(tmp_path, dicom(FINDING.astype(np.uint8), **place)), [FINDING])
    bare = image_file(tmp_path, ImagePositionPatient=None, PixelSpacing=None)
    np.testing.assert_array_equal(
        mask_of(tmp_path, dicom(FINDING.astype(np.uint8), **place), bare), [FINDING]
    )


def test_a_mask_of_another_size_is_refused(tmp_path):
    assert refused(
        tmp_path, dicom(FINDING[:40].astype(np.uint8)), r"has 1 x 40 x 40 pixels, where its image has"
    )
    frames = np.stack([FINDING, FINDING]).astype(np.uint8)
    assert refused(tmp_path, dicom(frames), "has 2 x 48 x 40 pixels")


def test_a_mask_of_a_picture_is_compared_by_whoever_knows_its_size(tmp_path):
    picture_file = tmp_path / "image.png"
    picture_file.write_bytes(png_bytes(picture().astype(np.uint8)))
    small = FINDING[:40]
    np.testing.assert_array_equal(mask_of(tmp_path, dicom(small.astype(np.uint8)), picture_file), [small])


@pytest.mark.parametrize("modality", ["RTDOSE", "SR", "PR"])
def test_what_is_no_mask_is_named(tmp_path, modality):
    assert refused(
        tmp_path, dicom(FINDING.astype(np.uint8), Modality=modality), rf"\(modality {modality}\), not a mask"
    )


# Segmentations


def source(uid, *frames):
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = MRImageStorage, uid
    if frames:
        item.ReferencedFrameNumber = list(frames)
    return item


def frame_group(uid=None, position=None, frames=(), **others):
    """What a segmentation says of a frame: its source, and its place."""
    group = Dataset()
    if uid is not None:
        derivation = Dataset()
        derivation.SourceImageSequence = [source(uid, *frames)]
        group.DerivationImageSequence = [derivation]
    if position is not None:
        place = Dataset()
        place.ImagePositionPatient = position
        group.PlanePositionSequence = [place]
    for name, item in others.items():
        setattr(group, name, [item])
    return group


def shared_group(orientation=PLACE["ImageOrientationPatient"], spacing=PLACE["PixelSpacing"]):
    group, turn, measures = Dataset(), Dataset(), Dataset()
    turn.ImageOrientationPatient, measures.PixelSpacing = orientation, spacing
    group.PlaneOrientationSequence, group.PixelMeasuresSequence = [turn], [measures]
    return group


def segmentation(frames, groups, kind="BINARY", shared=None, of_file=(), **attributes):
    frames = np.asarray(frames)
    given = {
        "Modality": "SEG",
        "SOPClassUID": SegmentationStorage,
        "SegmentationType": kind,
        "SegmentSequence": [Dataset()],
        "SharedFunctionalGroupsSequence": [shared_group() if shared is None else shared],
        "PerFrameFunctionalGroupsSequence": groups,
        **attributes,
    }
    if of_file:
        series = Dataset()
        series.ReferencedInstanceSequence = [source(uid) for uid in of_file]
        given["ReferencedSeriesSequence"] = [series]
    if kind == "BINARY":
        packed = np.packbits(frames.astype(bool).ravel(), bitorder="little").tobytes()
        given |= {"BitsAllocated": 1, "PixelData": packed + bytes(len(packed) % 2)}
    stored = frames.astype(np.uint8)
    return dicom(stored if len(stored) > 1 else stored[0], 1 if kind == "BINARY" else 8, **given)


OTHER = np.roll(FINDING, 7, axis=0)
HERE, THERE = PLACE["ImagePositionPatient"], ["-10", "5.5", "33"]


@pytest.mark.parametrize("kind", ["BINARY", "FRACTIONAL", "LABELMAP"])
def test_the_frames_of_an_image_are_united(tmp_path, kind):
    level = {"BINARY": 1, "FRACTIONAL": 40, "LABELMAP": 2}[kind]
    frames = [FINDING * level, OTHER * level, OTHER * level]
    groups = [frame_group("1.2.3.1", HERE), frame_group("1.2.3.1", HERE), frame_group("1.2.3.2", THERE)]
    dataset = segmentation(frames, groups, kind)
    np.testing.assert_array_equal(mask_of(tmp_path, dataset), [FINDING | OTHER])
    other = image_file(tmp_path, "1.2.3.2", ImagePositionPatient=THERE)
    np.testing.assert_array_equal(mask_of(tmp_path, dataset, other), [OTHER])


def test_an_image_that_is_named_and_has_no_frame_has_no_finding(tmp_path):
    dataset = segmentation([OTHER], [frame_group("1.2.3.2", THERE)], of_file=["1.2.3.1", "1.2.3.2"])
    assert not mask_of(tmp_path, dataset).any()


@pytest.mark.parametrize("of_file", [(), ["1.2.3.1", "1.2.3.2"]])
def test_frames_without_a_source_belong_to_the_image_of_their_place(tmp_path, of_file):
    groups = [frame_group(None, THERE), frame_group(None, HERE)]
    dataset = segmentation([OTHER, FINDING], groups, of_file=of_file)
    np.testing.assert_array_equal(mask_of(tmp_path, dataset), [FINDING])


def test_a_segmentation_of_new_identifiers_is_told_by_its_place(tmp_path):
    dataset = segmentation([OTHER, FINDING], [frame_group("9.9.1", THERE), frame_group("9.9.2", HERE)])
    np.testing.assert_array_equal(mask_of(tmp_path, dataset), [FINDING])
    elsewhere = image_file(tmp_path, ImagePositionPatient=["-10", "5.5", "90"])
    assert refused(tmp_path, dataset, "is a segmentation of other images", elsewhere)
    dataset.FrameOfReferenceUID = "1.2.1"
    another = image_file(tmp_path, FrameOfReferenceUID="1.2.2")
    assert refused(tmp_path, dataset, "is a segmentation of other images", another)


def test_one_image_that_the_file_names_needs_no_source_for_each_frame(tmp_path):
    groups = [frame_group(), frame_group()]
    dataset = segmentation([FINDING, OTHER], groups, shared=Dataset(), of_file=["1.2.3.1"])
    np.testing.assert_array_equal(mask_of(tmp_path, dataset), [FINDING | OTHER])


@pytest.mark.parametrize(
    ("shared", "position", "name"),
    [
        (shared_group(orientation=FLIPPED), HERE, "ImageOrientationPatient"),
        (shared_group(orientation=FLIPPED), ["9.5", "5.5", "30"], "ImageOrientationPatient"),
        (shared_group(spacing=["0.25", "0.75"]), HERE, "PixelSpacing"),
        (None, ["-9", "5.5", "30"], "ImagePositionPatient"),
        (None, THERE, "ImagePositionPatient"),
    ],
)
def test_a_segmentation_on_another_grid_is_refused(tmp_path, shared, position, name):
    dataset = segmentation([FINDING], [frame_group("1.2.3.1", position)], shared=shared)
    assert refused(tmp_path, dataset, f"another grid than its image: its {name} is another")
    if position is not THERE:  # also where nothing but the place tells the image
        dataset = segmentation([FINDING], [frame_group(None, position)], shared=shared)
        assert refused(tmp_path, dataset, f"another grid than its image: its {name} is another")


def test_a_segmentation_of_another_size_is_refused(tmp_path):
    dataset = segmentation([FINDING[:, :32]], [frame_group("1.2.3.1", HERE)])
    assert refused(tmp_path, dataset, "has 48 x 32 pixels, where its image has 48 x 40")


def test_frames_of_an_enhanced_image_are_told_by_their_numbers_or_places(tmp_path):
    frames = np.stack([picture(top=1000), picture(top=1000)]).astype(np.uint16)
    groups = [frame_group(None, HERE), frame_group(None, THERE)]
    dataset = dicom(
        frames,
        SOPInstanceUID="1.2.3.1",
        SharedFunctionalGroupsSequence=[shared_group()],
        PerFrameFunctionalGroupsSequence=groups,
    )
    enhanced = written(tmp_path / "enhanced.dcm", dataset)
    for group in (
        frame_group("1.2.3.1", THERE, [2]),
        frame_group("1.2.3.1", THERE),
        frame_group(None, THERE),
    ):
        found = mask_of(tmp_path, segmentation([FINDING], [group]), enhanced)
        np.testing.assert_array_equal(found, [np.zeros_like(FINDING), FINDING])
    untold = segmentation([FINDING], [frame_group("1.2.3.1")], shared=Dataset())
    assert refused(tmp_path, untold, "does not say to which frames of its image", enhanced)


def test_a_segmentation_of_a_picture_has_one_plane(tmp_path):
    picture_file = tmp_path / "image.png"
    picture_file.write_bytes(png_bytes(picture().astype(np.uint8)))
    one = segmentation([FINDING, OTHER], [frame_group("1.2.3.1", HERE), frame_group("1.2.3.1", HERE)])
    np.testing.assert_array_equal(mask_of(tmp_path, one, picture_file), [FINDING | OTHER])
    for groups in (
        [frame_group("1.2.3.1", HERE), frame_group("1.2.3.2", THERE)],
        [frame_group(None, HERE), frame_group(None, THERE)],
        [frame_group(), frame_group()],
    ):
        several = segmentation([FINDING, OTHER], groups, shared=Dataset())
        assert refused(tmp_path, several, "is a segmentation of several planes", picture_file)


def test_a_segmentation_that_is_cut_is_refused(tmp_path):
    dataset = segmentation([FINDING, OTHER], [frame_group("1.2.3.1", HERE)] * 2)
    dataset.PixelData = dataset.PixelData[:-100]
    assert refused(tmp_path, dataset, "bytes of pixel data")


def test_an_image_whose_place_cannot_be_read_is_named(tmp_path):
    path = image_file(tmp_path, ImagePositionPatient=["1", "2"])
    mask = written(tmp_path / "mask.dcm", dicom(FINDING.astype(np.uint8), **PLACE))
    with pytest.raises(InputError, match="has an ImagePositionPatient that is not of 3 numbers") as error:
        list(DicomReader().read_mask(mask, path).slices)
    assert str(error.value).startswith(str(path))


def test_big_endian_masks_are_read(tmp_path):
    values = (FINDING * 256).astype(">u2")
    np.testing.assert_array_equal(mask_of(tmp_path, dicom(values, syntax=ExplicitVRBigEndian)), [FINDING])
