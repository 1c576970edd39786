"""Results are sent to an archive, by DICOMweb or by DICOM's own protocol."""

from __future__ import annotations

import functools
import importlib.util
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from tfadvpath.errors import InputError, unforeseen
from tfadvpath.pacs.archive import Archive, Barred
from tfadvpath.pacs.instances import Instance, find_files, read_instance
from tfadvpath.pacs.outcomes import NotSent, SendSummary, Sent
from tfadvpath.pacs.targets import NodeTarget, WebTarget, check_aet, parse_target
from tfadvpath.serving.access import Access
from tfadvpath.serving.failures import Unavailable, with_retries

Listener = Callable[[Sent | NotSent], None]

CALLING_AET = "TFADVPATH"
_PACKAGES = ("pynetdicom", "dicomweb_client")
_AGAIN = "Check that it runs and its address, and give the same command again"


def send_results(
    results: Iterable[Path | str] | Path | str,
    target: str,
    *,
    access: Access | None = None,
    calling_aet: str = CALLING_AET,
    synthetic: bool = False,
    unencrypted_token: bool = False,
    attempts: int = 5,
    timeout: float = 120.0,
    listener: Listener = lambda outcome: None,
    on_progress: Callable[[float, float], None] = lambda amount, total: None,
) -> SendSummary:
    """Sends DICOM files to an archive (PACS), the data set of each byte for byte.

    They go by DICOMweb (STOW-RS) or by C-STORE. Nothing is decoded or compressed anew: the archive has to
    take the class and the transfer syntax of a file. Where the connection fails or the archive is busy, a
    file is sent again, after waits that double from half a second to eight; where the archive refuses it, it
    is not. After a file for which all attempts were in vain each further one gets a single attempt, until
    one succeeds. Sending twice does no harm: an archive knows an instance by its identifier.

    Args:
        results: Folders, as ``explain_studies`` writes them with the format "dicom", and DICOM files; or one
            of them.
        target: URL of DICOMweb's root, such as "https://HOST/dicom-web", or "AET@HOST:PORT".
        access: Token, certificates, and whether the proxies of the environment are used; None is no token,
            the system's authorities and no proxy. C-STORE knows certificates alone, and is encrypted where
            gRPC would be.
        calling_aet: AE title that this side calls itself by, over C-STORE.
        synthetic: Whether generated images are sent too. They are told by the word SYNTHETIC in their
            descriptions. Without it those in folders are left out, and those that are named are failures.
        unencrypted_token: Whether the token may be sent as plain text to another machine.
        attempts: Number of times that a file is sent at most.
        timeout: Seconds that the archive may take to answer once it has a file.
        listener: Function that gets what became of each file.
        on_progress: Function that gets how many bytes were dealt with since its last call, and how many
            there are.

    Returns:
        What became of each file. One that cannot be sent keeps no other from it.

    Raises:
        InputError: The address is none, does not go with an option, or a file of ``access`` cannot be used;
            the extra ``pacs`` is not installed; a folder cannot be listed; or there is no DICOM file.
        ValueError: ``attempts`` or ``timeout`` is not positive.
    """
    if attempts < 1 or timeout <= 0:
        raise ValueError(f"`attempts` and `timeout` must be positive. Received: {attempts}, {timeout}")
    access = Access() if access is None else access
    place = parse_target(target)
    _check_options(place, access, calling_aet, unencrypted_token)
    _check_installed()
    start = time.monotonic()
    outcomes: list[Sent | NotSent] = []

    def note(outcome: Sent | NotSent) -> None:
        outcomes.append(outcome)
        listener(outcome)

    instances, left_out = _instances(results, synthetic, note)
    sizes = {instance.path: instance.size for instance in instances}
    total = sum(sizes.values())
    with _archive(place, access, calling_aet, timeout, instances) as archive:
        for outcome in _sent(archive, place, instances, attempts):
            note(outcome)
            on_progress(sizes[outcome.path], total)
    sent = [outcome for outcome in outcomes if isinstance(outcome, Sent)]
    return SendSummary(
        target=str(place),
        sent=sent,
        failures=[outcome for outcome in outcomes if isinstance(outcome, NotSent)],
        left_out=left_out,
        megabytes=sum(sizes[each.path] for each in sent) / 1e6,
        seconds=time.monotonic() - start,
    )


def _check_options(
    place: WebTarget | NodeTarget, access: Access, calling_aet: str, unencrypted_token: bool
) -> None:
    if isinstance(place, WebTarget):
        if access.is_encrypted and not place.is_encrypted:
            raise InputError(str(place), "is not encrypted, as the options ask for", "Write it with https://")
        if not unencrypted_token:
            remedy = "Write it with https://, or allow it by `unencrypted_token`"
            access.check_secret(str(place), place.host, place.is_encrypted, remedy)
        return
    check_aet(calling_aet)
    given = {"token": access.token is not None, "metadata": access.metadata, "proxy": access.proxy}
    for name, is_given in given.items():
        if is_given:
            raise InputError(str(place), f"knows no `{name}`", "Leave it out, or name a URL of DICOMweb")


def _check_installed() -> None:
    for name in _PACKAGES:
        if importlib.util.find_spec(name) is None:
            raise InputError(name, "is not installed", "Run: pip install 'tfadvpath[pacs]'")


def _instances(
    results: Iterable[Path | str] | Path | str, synthetic: bool, note: Listener
) -> tuple[list[Instance], list[tuple[Path, str]]]:
    """Returns the files that can be sent, and what is left out; notes those that cannot."""
    found = find_files(results)
    if not found.files:
        remedy = "Name folders that were explained with the format dicom"
        raise InputError("`results`", "hold no DICOM file", remedy)
    instances, left_out = [], [(path, "is a link") for path in found.links]
    for path, is_named in found.files.items():
        try:
            instance = read_instance(path)
            if instance.is_synthetic and not synthetic:
                if is_named:
                    raise InputError(path, "is a generated image", "Send it by `synthetic`, or leave it out")
                left_out.append((path, "is a generated image, and `synthetic` is not given"))
                continue
        except InputError as error:
            note(NotSent(path, error))
        except Exception as error:
            note(NotSent(path, unforeseen(path, error)))
        else:
            instances.append(instance)
    return instances, left_out


def _archive(
    place: WebTarget | NodeTarget,
    access: Access,
    calling_aet: str,
    timeout: float,
    instances: Sequence[Instance],
) -> Archive:
    # They import the packages of the extra.
    if isinstance(place, WebTarget):
        from tfadvpath.pacs.dicom_web import DicomWeb

        return DicomWeb(place, access, timeout)
    from tfadvpath.pacs.dicom_node import DicomNode

    return DicomNode(place, access, calling_aet, timeout, instances)


def _sent(
    archive: Archive, place: WebTarget | NodeTarget, instances: Sequence[Instance], attempts: int
) -> Iterator[Sent | NotSent]:
    left, barred = attempts, None
    for instance in instances:
        path = instance.path
        try:
            if barred is not None:
                raise barred
            yield Sent(path, instance.uid, with_retries(functools.partial(archive.send, instance), left))
            left = attempts
        except Barred as error:
            barred = error
            yield NotSent(path, InputError(path, f"was not sent: {place} {error.problem}", error.remedy))
        except Unavailable as error:
            left = 1
            yield NotSent(path, InputError(path, f"was not sent: {place} {error}", _AGAIN))
        except InputError as error:
            left = attempts
            yield NotSent(path, error)
        except MemoryError:
            yield NotSent(path, InputError(path, "does not fit into the memory", "Close other programs"))
        except OSError as error:
            problem = f"cannot be read again ({error.strerror or error})"
            yield NotSent(path, InputError(path, problem, "Check that nobody else changes it"))
        except Exception as error:
            yield NotSent(path, unforeseen(path, error))
