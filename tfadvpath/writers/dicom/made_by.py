"""Names of an object: its identifiers, its series, and the algorithm that made it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from highdicom import AlgorithmIdentificationSequence
from highdicom.sr import AlgorithmIdentification
from pydicom.sr.codedict import codes
from pydicom.uid import generate_uid

from tfadvpath._version import __version__
from tfadvpath.writers.dicom.header import Source

MANUFACTURER = "tfadvpath"
WARNING = "research use, not for diagnosis"
# Settings that no map depends on. With steps "auto" the first map asked for tells when an image has steps
# enough.
_OF_WRITING = ("formats", "channel", "maps")
_OF_WRITING_WITH_AUTO = ("formats", "channel")
_NOT_KNOWN = "not recorded"
# Series of a study are told apart by their numbers in most viewers.
_SERIES_STEP = 1000
_KINDS = ("map", "segmentation", "picture", "report", "synthetic")


@dataclass(frozen=True, eq=False)
class MadeBy:
    """Source and settings of an object, and the names that follow from them.

    The same source and settings give the same identifiers: an object of a second run takes the place of the
    first's in an archive.

    Attributes:
        source: Headers of the source.
        settings: Settings of the run, such as the method and the bundle's digest.
    """

    source: Source
    settings: Mapping[str, Any]

    @property
    def method(self) -> str:
        """Name of the method."""
        return str(self.settings.get("method") or _NOT_KNOWN)

    @property
    def bundle(self) -> str:
        """Digest of the bundle in hexadecimal."""
        return str(self.settings.get("bundle") or _NOT_KNOWN)

    @property
    def version(self) -> str:
        """Version of this package."""
        return str(self.settings.get("tfadvpath") or __version__)

    def uid(self, *what: str) -> str:
        """Returns the identifier of a thing that is made of the source.

        Args:
            *what: Words that tell it from all others of the same source and settings.
        """
        unused = _OF_WRITING_WITH_AUTO if self.settings.get("steps") == "auto" else _OF_WRITING
        settings = {name: value for name, value in self.settings.items() if name not in unused}
        instances = [image.SOPInstanceUID for image in self.source.images]
        return str(generate_uid(entropy_srcs=[*instances, json.dumps(settings, sort_keys=True), *what]))

    def names(self, kind: str, index: int = 0, what: Sequence[str] = ()) -> dict[str, Any]:
        """Returns the names that every object has, as arguments of highdicom's classes.

        Args:
            kind: Kind of the object; those of one kind are a series.
            index: Index of the object in its series, from 0.
            what: Words that tell it from the others of its kind, such as the name of its map.
        """
        return {
            "series_instance_uid": self.uid("series", kind),
            "series_number": _SERIES_STEP * (1 + self.source.series_number) + _KINDS.index(kind),
            "sop_instance_uid": self.uid("instance", kind, *what),
            "instance_number": index + 1,
            "manufacturer": MANUFACTURER,
            "manufacturer_model_name": f"{MANUFACTURER} {self.method}"[:64],
            "software_versions": self.version,
            "device_serial_number": self.bundle[:64],
            "series_description": described(f"{self.method} {_SERIES_OF[kind]}"),
        }

    @property
    def _parameters(self) -> dict[str, str]:
        parameters = {"bundle sha256": self.bundle}
        return parameters | {
            name: str(self.settings[name])
            for name in ("steps", "tolerance", "precision", "path", "seed")
            if self.settings.get(name) is not None
        }

    def algorithm(self) -> AlgorithmIdentificationSequence:
        """Returns the algorithm as an image names it."""
        return AlgorithmIdentificationSequence(
            name=f"{MANUFACTURER} {self.method}",
            family=codes.DCM.ArtificialIntelligence,
            version=self.version,
            source=MANUFACTURER,
            parameters=self._parameters,
        )

    def reported_algorithm(self) -> AlgorithmIdentification:
        """Returns the algorithm as a structured report names it."""
        return AlgorithmIdentification(
            name=f"{MANUFACTURER} {self.method}",
            version=self.version,
            parameters=[f"{name}={value}" for name, value in self._parameters.items()],
        )


_SERIES_OF = {
    "map": "maps",
    "segmentation": "segmentation",
    "picture": "overlays",
    "report": "report",
    "synthetic": "SYNTHETIC images",
}


def described(text: str) -> str:
    """Returns a description of an object that says what it is not for.

    Args:
        text: Words on the object, which are cut to what an attribute holds.
    """
    return f"{text[: 62 - len(WARNING)]}, {WARNING}"
