"""Base of the TensorFlow Datasets builders: the split, the stored form, and what is left out and why."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from abc import abstractmethod
from collections import deque
from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any, ClassVar

import cv2
import numpy as np
import tensorflow_datasets as tfds

from tfadvpath.datasets.splits import Case, Shares, Split, split_by_list, split_by_shares
from tfadvpath.errors import InputError, unforeseen
from tfadvpath.studies.reader_process import ReaderProcess

# Images are stored as 16-bit PNG: an intensity in [0, 1] is off by 7.7e-6 at most.
LEVELS = 2**16 - 1
_LACKING = "the source lacks it"


@dataclasses.dataclass(kw_only=True, eq=False)
class PrepareConfig(tfds.core.BuilderConfig):
    """Configuration of a builder: all that the stored images depend on besides their source.

    Attributes:
        size: Rows and columns.
        split: List of the images of each part (see ``split_by_list``); None splits the patients by shares and
            seed.
        shares: Shares of the patients for each part.
        seed: Seed of the patients' order.
    """

    name: str = "default"
    size: int = 224
    split: Path | None = None
    shares: Shares = dataclasses.field(default_factory=Shares)
    seed: int = 0


@dataclasses.dataclass(frozen=True, eq=False)
class Record:
    """One image of a case.

    Attributes:
        index: Place of a slice in its volume; 0 for single images.
        image: float [size, size] in [0, 1].
        mask: bool [size, size].
        positive: Whether it is of class 1.
    """

    index: int
    image: np.ndarray
    mask: np.ndarray
    positive: bool


@dataclasses.dataclass(frozen=True)
class Dropped:
    """Images of the source, or of the list, that are not among the prepared ones.

    Attributes:
        case: Name of the case.
        reason: Reason why they are left out.
        part: Part of the split, where the case had one.
        indexes: Places of the images in the case; empty for all.
    """

    case: str
    reason: str
    part: str | None = None
    indexes: tuple[int, ...] = ()


@dataclasses.dataclass
class Count:
    """Count of a part of the split.

    Attributes:
        images: Number of images.
        positive: Number of images of class 1.
        annotated: Number of these with a mask or a box.
        patients: Names of the patients.
        content: SHA-256 of all that is stored, in order. The record files of the same images differ from run
            to run: TensorFlow does not order an example's features.
    """

    images: int = 0
    positive: int = 0
    annotated: int = 0
    patients: set[str] = dataclasses.field(default_factory=set)
    content: hashlib._Hash = dataclasses.field(default_factory=hashlib.sha256)


class _Info(tfds.core.DatasetInfo):
    def initialize_from_bucket(self) -> None:
        """No bucket knows of these data. The inherited method leaves a folder in /tmp before it looks."""


@dataclasses.dataclass(eq=False)
class _Read:
    """What was read of a case.

    Attributes:
        images: Its images, up to the one that could not be read.
        left_out: Images of it that are left out.
        error: Why no more was read; None where all was.
    """

    images: list[Record] = dataclasses.field(default_factory=list)
    left_out: list[Dropped] = dataclasses.field(default_factory=list)
    error: InputError | None = None


class LabelledImageBuilder(tfds.core.GeneratorBasedBuilder):
    """Builder that reads a folder with images of two classes.

    A case that cannot be read is left out, the others go on; one is read while the one before it is written.
    Nothing outside the folder is read. After ``download_and_prepare``, ``dropped`` says what is left out, and
    ``counts`` what each part holds.

    Args:
        on_error: Function that is called with each error of a case or of a table.
        on_progress: Function that is called after each case with its share of the work.
        reader: Process that reads the files; None reads them in this one.
        **options: Arguments of ``tfds.core.GeneratorBasedBuilder``: data_dir, config.
    """

    VERSION = tfds.core.Version("1.0.0")
    CONFIG: ClassVar[type[PrepareConfig]] = PrepareConfig
    BUILDER_CONFIGS: ClassVar[list[PrepareConfig]] = [PrepareConfig()]
    CLASSES: ClassVar[tuple[str, str]]
    DESCRIPTION: ClassVar[str]
    HOMEPAGE: ClassVar[str | None] = None

    def __init__(
        self,
        *,
        on_error: Callable[[InputError], None] = lambda error: None,
        on_progress: Callable[[float], None] = lambda share: None,
        reader: ReaderProcess | None = None,
        **options: Any,
    ):
        super().__init__(**options)
        self._reader = reader
        self.dropped: list[Dropped] = []
        self.counts: dict[str, Count] = {}
        self.on_error = on_error
        self._on_progress = on_progress
        self._source = Path()
        self._unusable: dict[str, str] = {}
        self._being_read = _Read()

    @abstractmethod
    def _cases(self) -> list[Case]:
        """Returns the cases below ``_source``, and notes in ``_unusable`` which have no place in it and why.

        Raises:
            InputError: The folder is no such source.
        """

    @abstractmethod
    def _images(self, case: str, wanted: frozenset[int] | None, part: str) -> Iterator[Record]:
        """Yields the wanted images of a case that it has; with None those of its images that count.

        It runs in a thread of its own.

        Raises:
            InputError: The case cannot be read.
        """

    def read(self, sources: Sequence[Path], function: Callable[..., Any], *arguments: Any) -> Any:
        """Returns what a function reads of some files, in the process that reads if there is one.

        Args:
            sources: The files.
            function: Function of a module, which returns what can be pickled.
            *arguments: Arguments of the function.

        Raises:
            InputError: The files cannot be read.
        """
        if self._reader is None:
            return function(*arguments)
        return self._reader.call(sources, function, *arguments)

    def leave_out(self, case: str, reason: str, part: str, indexes: Collection[int]) -> None:
        """Notes that some images of the case that is read are left out, if there are any."""
        if indexes:
            self._being_read.left_out.append(Dropped(case, reason, part, tuple(sorted(indexes))))

    def _info(self) -> tfds.core.DatasetInfo:
        shape = (self.builder_config.size, self.builder_config.size, 1)
        return _Info(
            builder=self,
            description=self.DESCRIPTION,
            homepage=self.HOMEPAGE,
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=shape, dtype=np.uint16, encoding_format="png"),
                    "mask": tfds.features.Image(shape=shape, dtype=np.uint8, encoding_format="png"),
                    "label": tfds.features.ClassLabel(names=self.CLASSES),
                    "patient": tfds.features.Text(),
                    "case": tfds.features.Text(),
                    "index": tfds.features.Scalar(np.int64),
                }
            ),
            disable_shuffling=True,  # slices of a case stay together, in order
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        config = self.builder_config
        self._source = Path(dl_manager.manual_dir)
        self.dropped, self.counts, self._unusable = [], {}, {}
        cases = self._cases()
        if config.split is None:
            self.dropped = [Dropped(case, reason) for case, reason in self._unusable.items()]
            split: Split = split_by_shares(cases, config.shares, config.seed)
        else:
            split = split_by_list(config.split, cases)
        patients = {case.name: case.patient for case in cases}
        share = 1 / sum(map(len, split.values()))
        return {part: self._generate_examples(part, split[part], patients, share) for part in split}

    def _generate_examples(
        self, part: str, wanted: dict[str, frozenset[int] | None], patients: dict[str, str], share: float
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        count = self.counts[part] = Count()
        usable = [(case, indexes) for case, indexes in wanted.items() if case in patients]
        with closing(self._read_ahead(usable, part)) as contents:
            for case, indexes in wanted.items():
                missing = set(indexes or ())
                if case not in patients:
                    self._drop_rest(case, self._unusable.get(case, _LACKING), part, missing)
                    self._on_progress(share)
                    continue
                content = next(contents)
                for image in content.images:
                    try:
                        example = self._example(image, case, patients[case], count)
                    except Exception as error:
                        content.error = unforeseen(case, error)
                        break
                    yield count.images - 1, example
                    missing.discard(image.index)
                self.dropped += content.left_out
                if content.error is None:
                    self._drop_rest(case, _LACKING, part, missing)
                else:
                    self.on_error(content.error)
                    self.dropped.append(Dropped(case, content.error.problem, part, tuple(sorted(missing))))
                self._on_progress(share)
        if not count.images:
            raise InputError(
                self._source,
                f"leaves no image for the part {part}",
                "Name the folder that the list was made for, or mend the files named above",
            )

    def _read_ahead(
        self, wanted: Sequence[tuple[str, frozenset[int] | None]], part: str
    ) -> Generator[_Read, None, None]:
        """Yields what is read of each case; the next one is read meanwhile."""
        thread = ThreadPoolExecutor(1, "reading ahead")
        reading: deque[Future[_Read]] = deque()
        try:
            for case, indexes in wanted:
                reading.append(thread.submit(self._read_case, case, indexes, part))
                if len(reading) > 1:
                    yield reading.popleft().result()
            while reading:
                yield reading.popleft().result()
        finally:
            # Whoever stops here does not wait for what is read: the process that reads it will be ended.
            thread.shutdown(wait=False, cancel_futures=True)

    def _read_case(self, case: str, indexes: frozenset[int] | None, part: str) -> _Read:
        content = self._being_read = _Read()
        try:
            for image in self._images(case, indexes, part):
                content.images.append(image)  # what was read before an error counts
        except InputError as error:
            content.error = error
        except MemoryError:
            content.error = InputError(case, "does not fit into memory", "Crop or shrink it")
        except Exception as error:
            content.error = unforeseen(case, error)
        return content

    def _drop_rest(self, case: str, reason: str, part: str, missing: Collection[int]) -> None:
        if missing:
            self.dropped.append(Dropped(case, reason, part, tuple(sorted(missing))))

    @staticmethod
    def _example(image: Record, case: str, patient: str, count: Count) -> dict[str, Any]:
        """Returns what is stored of an image, and counts it."""
        pixels = np.rint(image.image * LEVELS).astype(np.uint16)
        mask = image.mask.astype(np.uint8)
        count.images += 1
        count.positive += int(image.positive)
        count.annotated += int(image.positive and mask.any())
        count.patients.add(patient)
        count.content.update(json.dumps([case, image.index, patient, bool(image.positive)]).encode())
        count.content.update(pixels.astype("<u2").tobytes() + mask.tobytes())
        return {
            "image": _png(pixels),
            "mask": _png(mask),
            "label": int(image.positive),
            "patient": patient,
            "case": case,
            "index": image.index,
        }


def _png(pixels: np.ndarray) -> bytes:
    return cv2.imencode(".png", pixels)[1].tobytes()
