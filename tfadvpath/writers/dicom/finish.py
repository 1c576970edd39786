"""Last touches to an object before it is written: what it inherits, and nothing that differs between runs."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items

from tfadvpath.files import replacing_file
from tfadvpath.writers.dicom.header import Source
from tfadvpath.writers.dicom.made_by import MadeBy

_Object = TypeVar("_Object", bound=Dataset)
# highdicom makes identifiers of its own for what is inside of an object, at random.
_RANDOM_UIDS = "1.2.826.0.1.3680043.10.511.3."


# Parts of the body that have no side (PS3.16, Annex L).
_UNPAIRED = (
    *("ABDOMEN", "ABDOMENPELVIS", "AORTA", "BLADDER", "BRAIN", "CERVIX", "CHEST", "CHESTABDOMEN"),
    *("CHESTABDPELVIS", "COCCYX", "COLON", "CSPINE", "ESOPHAGUS", "HEAD", "HEADNECK", "HEART", "LIVER"),
    *("LSPINE", "LSSPINE", "MEDIASTINUM", "NECK", "NECKCHEST", "NECKCHESTABDOMEN", "NECKCHESTABDPELV"),
    *("PANCREAS", "PELVIS", "PROSTATE", "SKULL", "SPINE", "SPLEEN", "SSPINE", "STERNUM", "STOMACH"),
    *("THYMUS", "THYROID", "TLSPINE", "TRACHEA", "TSPINE", "UTERUS", "WHOLEBODY"),
)


def finish(dataset: _Object, made_by: MadeBy) -> _Object:
    """Makes an object depend on its source and settings alone, and returns it.

    Its dates are the source's, for the time of a run would make another object of the same maps.

    Args:
        dataset: Object, with its identifiers.
        made_by: Source and settings.
    """
    source = made_by.source
    dataset.SpecificCharacterSet = "ISO_IR 192"
    for name in ("InstanceCreationDate", "InstanceCreationTime"):
        if name in dataset:
            del dataset[name]
    dataset.ContentDate, dataset.ContentTime = source.date, source.time
    if "ContributingEquipmentSequence" in dataset:
        # The last is highdicom itself. Before it stands what it takes for the scanner.
        library = dataset.ContributingEquipmentSequence[-1]
        del library.ContributionDateTime
        dataset.ContributingEquipmentSequence = Items([library])
    if dataset.Modality != "SR":
        _set_body_part(dataset, source)
        if "FrameOfReferenceUID" not in dataset:
            dataset.PatientOrientation = source.first.get("PatientOrientation", "")
    _name_again(dataset, made_by, {})
    return dataset


def _set_body_part(dataset: Dataset, source: Source) -> None:
    """Names the part of the body where the side that belongs to it is known, or where it has none."""
    part, side = source.first.get("BodyPartExamined"), source.first.get("Laterality")
    if part in _UNPAIRED or (part and side):
        dataset.BodyPartExamined = part
    if part not in _UNPAIRED and dataset.Modality != "SEG":  # a segment names its part itself
        dataset.Laterality = side if part and side else ""


def write(path: Path, dataset: Dataset) -> None:
    """Writes an object as a DICOM file, whole or not at all.

    Args:
        path: File to write.
        dataset: Finished object.
    """
    with replacing_file(path) as partial:
        dataset.save_as(partial, enforce_file_format=True)


def refer_to_source(dataset: Dataset, source: Source) -> None:
    """Names the source's instances by their series, as viewers look for what belongs to a series.

    Args:
        dataset: Object that has no such reference.
        source: Headers of the source.
    """
    instances = [instance_reference(image) for image in source.images]
    series = Dataset()
    series.SeriesInstanceUID = source.first.SeriesInstanceUID
    series.ReferencedInstanceSequence = Items(instances)
    dataset.ReferencedSeriesSequence = Items([series])


def instance_reference(image: Dataset) -> Dataset:
    """Returns an item that refers to an instance."""
    reference = Dataset()
    reference.ReferencedSOPClassUID = image.SOPClassUID
    reference.ReferencedSOPInstanceUID = image.SOPInstanceUID
    return reference


def _name_again(dataset: Dataset, made_by: MadeBy, names: dict[str, str]) -> None:
    """Replaces identifiers that were made at random by such that follow from the object."""
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value:
                _name_again(item, made_by, names)
        elif element.VR == "UI" and str(element.value).startswith(_RANDOM_UIDS):
            known = names.setdefault(
                element.value, made_by.uid("inside", made_by.source.first.SOPInstanceUID, str(len(names)))
            )
            element.value = known
