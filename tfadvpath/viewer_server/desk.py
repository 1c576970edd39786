"""The studies that lie on the page, each seen by the browser's tab that brought it alone."""

from __future__ import annotations

import dataclasses
import secrets
import shutil
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tfadvpath.errors import InputError, unforeseen
from tfadvpath.explanation import StudyExplanation
from tfadvpath.studies.reader_process import ReaderProcess
from tfadvpath.studies.study import Study
from tfadvpath.viewer_server.downloads import Offer, download, offers
from tfadvpath.viewer_server.explaining import Explaining
from tfadvpath.viewer_server.phantoms import write_phantom
from tfadvpath.viewer_server.preview import write_preview
from tfadvpath.viewer_server.uploads import Upload, named, read_upload, wait_for

# Tabs whose last study is kept.
MOST_TABS = 8
# Explanations of a tab that are kept: a browser may still ask for the preview when all is explained.
_MOST_SHOWN = 2
PAGE = "page"


@dataclass(frozen=True, eq=False)
class Shown:
    """An explanation that a tab shows.

    Attributes:
        token: Word that nobody can guess, by which its files are asked for.
        name: Name by which the person calls the study.
        result: Study and explanation.
        folder: Folder of its files.
        page: File of the viewer's page.
        offers: Formats to download it in; none of a preview.
    """

    token: str
    name: str
    result: StudyExplanation
    folder: Path
    page: Path
    offers: Sequence[Offer] = ()


@dataclass
class _Tab:
    upload: Upload
    shown: list[Shown] = field(default_factory=list)


class Desk:
    """Reads and explains what tabs bring, and keeps the last study of each of the latest tabs.

    Args:
        explaining: Explainers of the bundle.
        folder: Folder that nobody else can read.
        reader: Process that reads files.
    """

    def __init__(self, explaining: Explaining, folder: Path, reader: ReaderProcess):
        self.explaining = explaining
        self._folder, self._reader = folder, reader
        self._tabs: OrderedDict[str, _Tab] = OrderedDict()
        self._lock = threading.Lock()

    def bring(self, tab: str, file: Path, name: str) -> Upload:
        """Reads a file as the study of a tab; its earlier study is deleted, whatever becomes of this one.

        Args:
            tab: Name of the browser's tab.
            file: File, which is moved away.
            name: Name that it had.

        Raises:
            InputError: The file cannot be read.
        """
        with self.explaining.busy:
            self.forget(tab)
            wait_for(file)
            folder = self._folder / secrets.token_hex(8)
            size, channel = self.explaining.size, self.explaining.channel
            try:
                upload = read_upload(file, name, folder, size, channel, self._reader)
            except BaseException as error:
                shutil.rmtree(folder, ignore_errors=True)
                file.unlink(missing_ok=True)
                if isinstance(error, InputError) or not isinstance(error, Exception):
                    raise
                raise unforeseen(name, error) from None
            with self._lock:
                self._tabs[tab] = _Tab(upload)
                oldest = list(self._tabs)[:-MOST_TABS]
            for other in oldest:
                self.forget(other)
            return upload

    def bring_phantom(self, tab: str, number: int) -> Upload:
        """Generates a phantom as the study of a tab.

        Args:
            tab: Name of the browser's tab.
            number: Number of the phantom, from 0.
        """
        with self.explaining.busy:
            folder = self._folder / secrets.token_hex(8)
            folder.mkdir(mode=0o700)
            try:
                file = write_phantom(self.explaining.bundle, number, folder)
                return self.bring(tab, file, f"Phantom {number + 1}{''.join(file.suffixes)}")
            finally:
                shutil.rmtree(folder, ignore_errors=True)

    def preview(self, tab: str, method: str, maps: Sequence[str], steps: int | None) -> Shown | None:
        """Explains the middle slice of a tab's study, to show something while all are explained.

        Args:
            tab: Name of the browser's tab.
            method: Name of the method.
            maps: Names of the maps.
            steps: Number of steps of the path; None is the method's own.

        Returns:
            What is shown meanwhile; None where all slices are explained as soon.

        Raises:
            InputError: The same as of ``explain``.
        """
        with self.explaining.busy:
            study = self._tab(tab).upload.study
            places = np.flatnonzero(~study.blank)
            if len(places) <= self.explaining.options.batch_size:
                return None
            middle = int(places[len(places) // 2])
            alone = dataclasses.replace(
                study, images=study.images[[middle]], blank=study.blank[[middle]], remarks=()
            )

            def write(result: StudyExplanation, folder: Path) -> Path:
                return write_preview(result, middle, len(study.images), folder)

            return self._explained(tab, alone, method, maps, steps, write)

    def explain(self, tab: str, method: str, maps: Sequence[str], steps: int | None) -> Shown:
        """Explains the study of a tab; of its earlier explanations the last one is kept.

        Args:
            tab: Name of the browser's tab.
            method: Name of the method.
            maps: Names of the maps.
            steps: Number of steps of the path; None is the method's own.

        Raises:
            InputError: The tab has no study, or it cannot be explained so.
        """
        with self.explaining.busy:
            study = self._tab(tab).upload.study

            def write(result: StudyExplanation, folder: Path) -> Path:
                return download(result, "html", folder)

            return self._explained(tab, study, method, maps, steps, write, offers(study))

    def _tab(self, tab: str) -> _Tab:
        with self._lock:
            known = self._tabs.get(tab)
            if known is None:
                raise InputError(
                    "The page", "has no study, or it is no longer kept", "Drop a file, or take a phantom"
                )
            self._tabs.move_to_end(tab)
            return known

    def _explained(
        self,
        tab: str,
        study: Study,
        method: str,
        maps: Sequence[str],
        steps: int | None,
        write: Callable[[StudyExplanation, Path], Path],
        offered: Sequence[Offer] = (),
    ) -> Shown:
        known = self._tab(tab)
        upload = known.upload
        folder = upload.folder / secrets.token_hex(8)
        try:
            result = self.explaining.explain(study, method, maps, steps)
            written = write(result, folder)
        except InputError as error:
            raise named(error, {}, upload.name) from None
        except Exception as error:
            raise unforeseen(upload.name, error) from None
        shown = Shown(secrets.token_urlsafe(16), upload.name, result, folder, written, offered)
        with self._lock:
            old, known.shown = known.shown[: 1 - _MOST_SHOWN], [*known.shown[1 - _MOST_SHOWN :], shown]
        for each in old:
            shutil.rmtree(each.folder, ignore_errors=True)
        return shown

    def file(self, token: str, name: str) -> Path:
        """Returns a file of an explanation; it is written when it is first asked for.

        Args:
            token: Word of the explanation.
            name: Name of a format, or "page" for the viewer's page, which does not wait for what is computed.

        Raises:
            InputError: There is no such explanation any more, or it cannot be written in the format.
        """
        shown = self._shown(token)
        if name == PAGE:
            return shown.page
        with self.explaining.busy:
            self._shown(token)  # it may have been deleted meanwhile
            try:
                return download(shown.result, name, shown.folder)
            except InputError as error:
                raise named(error, {}, shown.name) from None
            except Exception as error:
                raise unforeseen(shown.name, error) from None

    def _shown(self, token: str) -> Shown:
        with self._lock:
            for tab in self._tabs.values():
                for shown in tab.shown:
                    if shown.token == token:
                        return shown
        raise InputError("This explanation", "is no longer kept", "Explain the study again")

    def forget(self, tab: str) -> None:
        """Deletes what a tab brought."""
        with self.explaining.busy:
            with self._lock:
                known = self._tabs.pop(tab, None)
            if known is not None:
                shutil.rmtree(known.upload.folder, ignore_errors=True)
