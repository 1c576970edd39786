"""Attributes of a DICOM data set, each decoded when it is asked for.

What cannot be decoded is an ``InputError`` that names the attribute. pydicom's own errors are of many kinds,
and their texts hold values of the header.
"""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

import numpy as np
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement, RawDataElement

from tfadvpath.errors import InputError
from tfadvpath.studies.dicom.parse import Elements, TooManyElements, parse_items
from tfadvpath.studies.dicom.values import AMBIGUOUS, KNOWN_VRS, Stored, decoded, number_of

MEND = "Correct the attribute, or export the file again"
_LARGEST = 2**32


class Attributes:
    """Attributes of a data set or of an item of a sequence, by keyword.

    Args:
        path: File, for the messages.
        elements: Elements as they were parsed.
    """

    def __init__(self, path: Path, elements: Elements):
        self._path = path
        self._elements = elements
        self._items: dict[str, list[Attributes]] = {}

    def __contains__(self, name: str) -> bool:
        return tag_for_keyword(name) in self._elements

    def stored(self, name: str) -> Stored | None:
        """Returns an attribute's bytes; None where it is missing or empty.

        Args:
            name: Keyword of the attribute.

        Raises:
            InputError: Its value representation is unknown.
        """
        element = self._elements.get(tag_for_keyword(name) or 0)
        if element is None:
            return None
        if not isinstance(element, RawDataElement):
            self._refuse(name, "is a sequence of items, where it should be a value")
        if not element.value:
            return None
        vr = element.VR
        if vr is not None and vr not in KNOWN_VRS:
            self._refuse(name, "cannot be read")
        is_named = vr is not None and vr != "UN"
        if not is_named:
            vr = dictionary_VR(name)
        # What is stored as UN is as in implicit little endian, whatever the file is (PS3.5 6.2.2).
        unknown = element.VR == "UN"
        return Stored(
            element.value,
            AMBIGUOUS if " or " in str(vr) else str(vr),
            is_named,
            element.is_little_endian or unknown,
            element.is_implicit_VR or unknown,
        )

    def texts(self, name: str) -> tuple[str, ...]:
        """Returns the values of an attribute as texts, without the spaces around them; () if it is missing.

        Args:
            name: Keyword of the attribute.

        Raises:
            InputError: It cannot be read.
        """
        return tuple(str(value) for value in self._values(name))

    def text(self, name: str) -> str:
        """Returns the first value of an attribute as a text; "" if it is missing.

        Args:
            name: Keyword of the attribute.

        Raises:
            InputError: It cannot be read.
        """
        return next(iter(self.texts(name)), "")

    def numbers(self, name: str) -> tuple[float, ...]:
        """Returns the values of an attribute as numbers, finite or not; () if it is missing.

        Args:
            name: Keyword of the attribute.

        Raises:
            InputError: A value is no number.
        """
        values = [value for value in self._values(name) if value != ""]
        try:
            return tuple(map(number_of, values))
        except ValueError as error:
            self._refuse(name, str(error))

    def number(self, name: str) -> float | None:
        """Returns the one value of an attribute as a finite number; None if it is missing.

        Args:
            name: Keyword of the attribute.

        Raises:
            InputError: It is no number, or it has several values.
        """
        numbers = self.numbers(name)
        if not numbers:
            return None
        if len(numbers) > 1:
            self._refuse(name, f"has {len(numbers)} values, where one is meant")
        if not np.isfinite(numbers[0]):
            self._refuse(name, "is no finite number")
        return numbers[0]

    def whole(self, name: str) -> int | None:
        """Returns the one value of an attribute as a whole number; None if it is missing.

        Args:
            name: Keyword of the attribute.

        Raises:
            InputError: It is no whole number, or it has several values.
        """
        number = self.number(name)
        if number is None:
            return None
        if number != int(number) or abs(number) > _LARGEST:
            self._refuse(name, "is no whole number of 32 bits")
        return int(number)

    def needed(self, name: str) -> int:
        """Returns the one value of an attribute that an image must have, as a whole number.

        Args:
            name: Keyword of the attribute.

        Raises:
            InputError: It is missing, no whole number, or has several values.
        """
        number = self.whole(name)
        if number is None:
            raise InputError(self._path, f"lacks the DICOM attribute {name}", "Export the file again")
        return number

    def words(self, name: str) -> tuple[tuple[int, ...], Stored | None]:
        """Returns an attribute of 16-bit words without their sign, and how it is stored.

        Args:
            name: Keyword of the attribute.

        Raises:
            InputError: It cannot be read, or holds what is no whole number.
        """
        stored = self.stored(name)
        if stored is None:
            return (), None
        numbers = self.numbers(name)
        if not all(np.isfinite(number) and number == int(number) for number in numbers):
            self._refuse(name, "holds what is no whole number")
        short = stored.vr in ("US", "SS", "OW")
        return tuple(int(number) & 0xFFFF if short else int(number) for number in numbers), stored

    def items(self, name: str) -> list[Attributes]:
        """Returns the items of a sequence; [] if it is missing or empty.

        Args:
            name: Keyword of the attribute.

        Raises:
            InputError: It cannot be read.
        """
        if name not in self._items:
            self._items[name] = [Attributes(self._path, elements) for elements in self._parsed_items(name)]
        return self._items[name]

    def items_of_frame(self, frame: int, name: str) -> list[Attributes]:
        """Returns the items of a frame's sequence: of its own group, else of the group that all share.

        Args:
            frame: Index of the frame, from 0.
            name: Keyword of the sequence.

        Raises:
            InputError: A sequence cannot be read.
        """
        own = self.items("PerFrameFunctionalGroupsSequence")[frame : frame + 1]
        for group in [*own, *self.items("SharedFunctionalGroupsSequence")]:
            items = group.items(name)
            if items:
                return items
        return []

    def of_frame(self, frame: int, name: str) -> Attributes:
        """Returns where the attributes of a frame stand: in its sequence, else at the top.

        Args:
            frame: Index of the frame, from 0.
            name: Keyword of the sequence that may hold them.

        Raises:
            InputError: A sequence cannot be read.
        """
        return next(iter(self.items_of_frame(frame, name)), self)

    def _parsed_items(self, name: str) -> list[Elements]:
        element = self._elements.get(tag_for_keyword(name) or 0)
        if isinstance(element, DataElement):
            if element.VR != "SQ":
                self._refuse(name, "is no sequence of items")
            return [{int(each.tag): each for each in item.elements()} for item in element.value]
        stored = self.stored(name)
        if stored is None:
            return []
        if stored.vr != "SQ":
            self._refuse(name, "is no sequence of items")
        try:
            return parse_items(stored.content, stored.implicit, stored.little_endian)
        except TooManyElements:
            self._refuse(name, "has more elements than any image needs")
        except Exception:  # pydicom has one of many kinds for what cannot be parsed
            self._refuse(name, "cannot be read")

    def _values(self, name: str) -> list[str] | list[int] | list[float]:
        stored = self.stored(name)
        if stored is None:
            return []
        try:
            return decoded(stored)
        except ValueError as error:
            self._refuse(name, str(error))

    def _refuse(self, name: str, problem: str) -> NoReturn:
        raise InputError(self._path, f"has a DICOM header that cannot be used: its {name} {problem}", MEND)
