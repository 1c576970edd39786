"""Preparation of a source on disk: TensorFlow Datasets records and a summary."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import io
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds

from tfadvpath.datasets.builder import LabelledImageBuilder, PrepareConfig
from tfadvpath.errors import InputError
from tfadvpath.files import remove_partials, replacing_folder, write_json
from tfadvpath.studies.limits import MEMORY_LIMIT, TIME_LIMIT
from tfadvpath.studies.reader_process import ReaderProcess

RECORDS, SUMMARY = "records", "summary.json"
_REASONS = 5  # said on the console


def prepare(
    builder: Callable[..., LabelledImageBuilder],
    source: Path,
    out: Path,
    config: PrepareConfig,
    on_error: Callable[[InputError], None] = lambda error: None,
    on_progress: Callable[[float], None] = lambda share: None,
    memory_limit: int = MEMORY_LIMIT,
    time_limit: float = TIME_LIMIT,
) -> dict[str, Any]:
    """Reads a source and writes its images, split into parts, as records.

    The records are put in place when they are whole; those of an earlier run stay until then.

    Args:
        builder: Class of the source's form, such as ``BrainTumour``.
        source: Folder of the images.
        out: Folder that gets records/ and summary.json.
        config: Size and split.
        on_error: Function that is called with each error of a case or of a table; the others go on.
        on_progress: Function that is called after each case with its share of the work.
        memory_limit: Bytes of memory that reading one case may take.
        time_limit: Seconds that a case of up to 10 MB may take to be read; a larger one as many times more.

    Returns:
        The summary: for each part the numbers of images and patients and the share of class 1, and what was
        dropped and why.

    Raises:
        InputError: The source is no folder or empty, the list is no list, or a part of the split is left
            without an image.
    """
    if not source.is_dir():
        raise InputError(source, "is no folder", "Name the folder of the images")
    if not any(source.iterdir()):
        raise InputError(source, "is an empty folder", "Name the folder of the images")
    remove_partials(out)
    tfds.disable_progress_bar()
    with ReaderProcess(memory_limit, time_limit) as reader, replacing_folder(out / RECORDS) as folder:
        config = dataclasses.replace(config, name="prepared")
        made = builder(
            data_dir=folder, config=config, on_error=on_error, on_progress=on_progress, reader=reader
        )
        with contextlib.redirect_stdout(io.StringIO()):  # it speaks of a download
            made.download_and_prepare(
                download_dir=folder / "downloads",
                download_config=tfds.download.DownloadConfig(manual_dir=source, try_download_gcs=False),
            )
        shutil.rmtree(folder / "downloads")
        summary = _summary(made, source, made.data_path.relative_to(folder))
        (out / SUMMARY).unlink(missing_ok=True)  # no summary beside other records
    write_json(out / SUMMARY, summary)
    return summary


def _summary(made: LabelledImageBuilder, source: Path, records: Path) -> dict[str, Any]:
    config = made.builder_config
    return {
        "task": made.name.replace("_", "-"),
        "image_size": config.size,
        "source": str(source.absolute()),
        "split": None if config.split is None else str(config.split.absolute()),
        "shares": config.shares._asdict() if config.split is None else None,
        "seed": config.seed,
        "records": str(Path(RECORDS, records)),
        "parts": {
            part: {
                "images": count.images,
                "class_1": count.positive,
                "share_of_class_1": round(count.positive / count.images, 4),
                "annotated": count.annotated,
                "patients": len(count.patients),
                "sha256": count.content.hexdigest(),
            }
            for part, count in made.counts.items()
        },
        "dropped": [
            dataclasses.asdict(dropped) | {"indexes": list(dropped.indexes)} for dropped in made.dropped
        ],
    }


def described(summary: Mapping[str, Any]) -> list[str]:
    """Returns a summary in lines for a person."""
    lines = [
        f"{part}: {_counted(count['images'], 'image')} of {_counted(count['patients'], 'patient')}, "
        f"{count['class_1']} of class 1 ({count['share_of_class_1']:.1%}), "
        f"{count['annotated']} of these annotated"
        for part, count in summary["parts"].items()
    ]
    images: collections.Counter[str] = collections.Counter()
    cases: collections.Counter[str] = collections.Counter()
    for dropped in summary["dropped"]:
        images[dropped["reason"]] += len(dropped["indexes"])
        cases[dropped["reason"]] += 1
    for reason, count in cases.most_common(_REASONS):
        what = _counted(count, "case")
        if images[reason]:
            what = f"{_counted(images[reason], 'image')} of {what}"
        lines.append(f"left out: {what}: {reason}")
    if len(cases) > _REASONS:
        lines.append(f"left out: more, for {len(cases) - _REASONS} other reasons, in {SUMMARY}")
    return lines


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
