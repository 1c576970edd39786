"""A process of the cluster that reads studies."""

from __future__ import annotations

from tfadvpath.batch.on_ray.place import Place
from tfadvpath.batch.reading import Earlier, images_of
from tfadvpath.errors import InputError
from tfadvpath.studies.reader_process import Request
from tfadvpath.studies.study import Study


class Reading:
    """A process that reads studies, by a process of its own for what a file may do to it.

    Args:
        place: Place and limits.
    """

    def __init__(self, place: Place):
        self._place = place

    def start(self) -> None:
        """Begins to start the reading process."""
        self._place.enter()
        self._reader = self._place.reader()
        self._reader.start()

    def read(self, request: Request) -> tuple[int | Earlier | InputError, Study | None]:
        """Reads a study.

        Args:
            request: Request to a reading process.

        Returns:
            The number of the study's images to explain, or what an earlier run has of it, or the reason why
            there is none; and the study, which is not sent on before it is asked for.
        """
        sources, function, arguments = request
        try:
            found = self._reader.call(sources, function, *arguments)
        except InputError as error:
            return error, None
        return (images_of(found), found) if isinstance(found, Study) else (found, None)

    def stop(self) -> None:
        """Ends the reading process, whatever it is doing."""
        self._reader.close()
