"""Check of this installation: one call that looks at everything."""

from __future__ import annotations

from collections.abc import Callable

from tfadvpath.doctor.control_group import core_limit, memory_limit
from tfadvpath.doctor.environment import environment_rows
from tfadvpath.doctor.installation import Fault, Installation, Row
from tfadvpath.doctor.machine import memory_rows, room_rows, system_rows
from tfadvpath.doctor.processor import processor_rows, read_cpuinfo
from tfadvpath.doctor.trials import SPEED_STEPS, STEPS, try_files, try_tensorflow

# Samples of try_files, roughly: it is the length of a bar.
_SAMPLES = 10


def check_installation(
    speed: bool = True, *, on_progress: Callable[[str, float, float], None] = lambda *_: None
) -> Installation:
    """Looks at the machine and the installation: what is there, what is missing, and what mends it.

    The formats, TensorFlow and the speed are tried in processes of their own. So the call works where
    TensorFlow or another package is missing or crashes, and imports none of them here.

    Args:
        speed: Whether the speed is measured: products of matrices, and maps of the shipped bundle. It takes
            five seconds, and the compilation before it ten or more.
        on_progress: Function that is called with what is done now, how much of it was done since the last
            call, and its total.

    Returns:
        Rows of what was found, and the faults with the command that mends each. ``print`` shows them.

    Example:
        >>> installation = check_installation(speed=False)  # doctest: +SKIP
        >>> installation.is_whole  # doctest: +SKIP
        True
    """
    rows, has_gpu_libraries = _package_rows()
    steps = len(STEPS) + (len(SPEED_STEPS) if speed else 0)
    return Installation(
        (
            *system_rows(),
            *processor_rows(read_cpuinfo(), quota=core_limit()),
            *memory_rows(memory_limit()),
            *room_rows(),
            *environment_rows(),
            *rows,
            *try_files(_begun(on_progress, "Reading a sample of every format", _SAMPLES)),
            *try_tensorflow(speed, has_gpu_libraries, _begun(on_progress, "Trying TensorFlow", steps)),
        )
    )


def _begun(on_progress: Callable[[str, float, float], None], title: str, total: int) -> Callable[[], None]:
    """Returns a function that says that one more step is done, after saying that none is."""
    on_progress(title, 0, total)
    return lambda: on_progress(title, 1, total)


def _package_rows() -> tuple[list[Row], bool | None]:
    """Returns the rows of packages and extras, and whether the extra for GPUs is complete."""
    try:
        # TensorFlow, Keras and matplotlib ask for packaging, which compares versions.
        from tfadvpath.doctor.packages import Packages, extra_rows, has_extra, package_rows
    except ImportError:
        fault = Fault(
            "packaging is not installed",
            "versions cannot be compared, and Keras needs it",
            "pip install packaging",
            True,
        )
        return [Row("packages", "packaging", None, "not installed", fault)], None
    packages = Packages()
    return [*package_rows(packages), *extra_rows(packages)], has_extra(packages, "gpu")
