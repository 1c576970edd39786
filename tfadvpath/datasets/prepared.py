"""Prepared images, which ``prepare`` wrote, as arrays that need not fit into memory."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tensorflow as tf
import tensorflow_datasets as tfds

from tfadvpath.datasets.batches import untuned
from tfadvpath.datasets.builder import LEVELS
from tfadvpath.datasets.labelled_images import LabelledImages
from tfadvpath.datasets.prepare import SUMMARY
from tfadvpath.errors import InputError, quoted
from tfadvpath.files import replacing_file, replacing_folder
from tfadvpath.studies.sizes import at_size, nearest

_AGAIN = "Run `tfadvpath prepare` again"
# More have no room on any disk.
_MOST_IMAGES = 2**31
_ARRAYS = ("images", "labels", "masks", "patients")
_CASES = "cases.npy"


class Prepared:
    """A folder that ``prepare`` wrote.

    Args:
        folder: Folder that ``prepare`` wrote to.
        task: Task that was prepared: "brain-tumour", "pneumonia" or "image-folder".

    Raises:
        InputError: The folder is missing or incomplete, or holds another task's images.
    """

    def __init__(self, folder: Path, task: str):
        try:
            summary = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
            found, self.counts = summary["task"], summary["parts"]
            self._records = folder / summary["records"]
            counts = [part["images"] for part in self.counts.values()]
            whole = all(isinstance(count, int) and 0 <= count < _MOST_IMAGES for count in counts)
            there = self._records.is_dir()
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            whole = there = False
        if not whole:
            raise InputError(
                folder, f"holds no prepared images (no readable {SUMMARY})", f"Run `tfadvpath prepare {task}`"
            )
        if found != task:
            problem = f"holds images of the task {quoted(found)}, not {task}"
            raise InputError(folder, problem, "Name another folder")
        if not there:
            raise InputError(folder, f"lacks its {quoted(summary['records'])}", _AGAIN)
        self.folder = folder

    def load(self, part: str, image_size: int) -> LabelledImages:
        """Returns a part's images in the order of their cases and indexes, as memory maps.

        The first call writes them as .npy files beside the records; they take 5 bytes a pixel.

        Args:
            part: Name of the part of the split.
            image_size: Height and width in pixels.

        Raises:
            InputError: The folder has no such part, is damaged, or cannot be written to.
        """
        count = self._count(part)
        cache = self._records / "cache" / f"{part}_{image_size}"
        if not cache.is_dir():
            try:
                with replacing_folder(cache) as partial:
                    shape = (count, image_size, image_size)
                    images = _new(partial / "images.npy", np.float32, (*shape, 1))
                    masks = _new(partial / "masks.npy", np.bool_, shape)
                    labels, patients, cases = self._fill(part, range(count), images, masks)
                    images.flush()
                    masks.flush()
                    np.save(partial / "labels.npy", labels)
                    np.save(partial / "patients.npy", patients)
                    np.save(partial / _CASES, cases)
            except OSError as error:
                problem = f"cannot take the images of {part} ({error.strerror or error})"
                raise InputError(
                    cache, problem, "Make room, or copy the folder to where you may write"
                ) from None
        try:
            arrays = {name: np.load(cache / f"{name}.npy", mmap_mode="r") for name in _ARRAYS}
            return LabelledImages(**arrays, cases=self._cases(part, cache))
        except (OSError, ValueError) as error:
            raise InputError(cache, f"is damaged ({error})", "Remove it") from None

    def sample(self, part: str, image_size: int, number: int, seed: int) -> LabelledImages:
        """Returns some of a part's images, drawn by a seed, in their order; all if there are no more.

        Args:
            part: Name of the part of the split.
            image_size: Height and width in pixels.
            number: Number of images.
            seed: Seed of the draw.

        Raises:
            InputError: The folder has no such part, or is damaged.
        """
        count = self._count(part)
        chosen = np.random.default_rng(seed).permutation(count)[:number]
        shape = (len(chosen), image_size, image_size)
        images, masks = np.empty((*shape, 1), np.float32), np.empty(shape, np.bool_)
        labels, patients, cases = self._fill(part, chosen.tolist(), images, masks)
        return LabelledImages(images, labels, masks, patients, cases)

    def digests(self) -> dict[str, str]:
        """Returns the SHA-256 of each part's images, labels, masks, patients and their order."""
        return {part: count["sha256"] for part, count in self.counts.items()}

    def _count(self, part: str) -> int:
        if part not in self.counts:
            raise InputError(
                self.folder,
                f"holds no part {part}, but {quoted(', '.join(self.counts))}",
                "Prepare it with that part",
            )
        return int(self.counts[part]["images"])

    def _cases(self, part: str, cache: Path) -> np.ndarray:
        """Returns the names of a part's images; the files of an earlier version lack them."""
        path = cache / _CASES
        if path.exists():
            return np.load(path, mmap_mode="r")
        names = _names([_case_and_index(example) for example in self._examples(part)])
        with contextlib.suppress(OSError), replacing_file(path) as partial:  # it may be read-only
            np.save(partial, names)
        return names

    def _fill(
        self, part: str, places: range | list[int], images: np.ndarray, masks: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Writes the part's examples at these places into two arrays; returns labels, patients and cases."""
        size = masks.shape[1:]
        wanted, row = set(places), 0
        labels, patients, cases = np.zeros(len(places), np.float32), [], []
        for place, example in enumerate(self._examples(part)):
            if place not in wanted:
                continue
            pixels = _pixels(example["image"]).astype(np.float32) / LEVELS
            images[row, ..., 0] = pixels if pixels.shape == size else at_size(pixels, size)
            masks[row] = nearest(_pixels(example["mask"]) > 0, size)
            labels[row] = example["label"]
            patients.append(example["patient"].decode())
            cases.append(_case_and_index(example))
            row += 1
            if row == len(places):
                break
        if row != len(places):
            raise InputError(self._records, f"has not all images of the part {part}", _AGAIN)
        return labels, np.array(patients), _names(cases)

    def _examples(self, part: str) -> Iterator[dict[str, Any]]:
        skip = tfds.decode.SkipDecoding()
        try:
            builder = tfds.builder_from_directory(self._records)
            examples = builder.as_dataset(
                split=part,
                decoders={"image": skip, "mask": skip},
                read_config=tfds.ReadConfig(options=untuned(), try_autocache=False),
            )
            yield from tfds.as_numpy(examples)
        except (tf.errors.OpError, ValueError, AssertionError, OSError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise InputError(self._records, f"is damaged ({reason})", _AGAIN) from None


def _case_and_index(example: dict[str, Any]) -> tuple[str, int]:
    return example["case"].decode(), int(example["index"])


def _names(cases: Sequence[tuple[str, int]]) -> np.ndarray:
    """Returns names of images, str [N]: of the case, and behind a colon the index where any case has more."""
    volumes = any(index for _, index in cases)
    return np.array([f"{case}:{index}" if volumes else case for case, index in cases], np.str_)


def _new(path: Path, dtype: type, shape: tuple[int, ...]) -> np.memmap:
    return np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)


def _pixels(png: bytes) -> np.ndarray:
    """Decodes a stored image: uint8 or uint16 [rows, columns]."""
    return np.asarray(cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED))
