"""Storage over DICOM's own protocol, C-STORE (PS3.4, annex B; PS3.7, 9.1.1)."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from pynetdicom import _config
from pynetdicom.ae import ApplicationEntity
from pynetdicom.association import Association
from pynetdicom.presentation import PresentationContext, build_context

from tfadvpath.errors import InputError
from tfadvpath.pacs.archive import Archive, Barred, State, state_of
from tfadvpath.pacs.instances import Instance
from tfadvpath.pacs.targets import NodeTarget
from tfadvpath.serving.access import Access
from tfadvpath.serving.failures import Unavailable

_MOST_CONTEXTS = 128  # of an association: their identifiers are the odd numbers of a byte
_LONGEST_CONNECT = 30.0  # seconds
_SLOWEST = 2**17  # bytes a second that a network carries at least
_TRANSIENT = 2
# Reasons of a rejection by the user of the service (PS3.8, 9.3.4).
_REJECTIONS: dict[int | None, tuple[str, str]] = {
    3: ("does not know this side's AE title", "Enter it there, or give another by `calling_aet`"),
    7: ("has another AE title", "Write its title before the @"),
}


class DicomNode(Archive):
    """Sends files to a DICOM application, over one association as long as it lasts.

    Args:
        target: Application.
        access: Certificates, and whether the connection is encrypted.
        calling_aet: Title that this side calls itself by.
        timeout: Seconds that the application may take to answer, once it has a file.
        instances: Files that are to be sent; the application is asked for their classes.

    Raises:
        InputError: A file of ``access`` cannot be used.
    """

    def __init__(
        self,
        target: NodeTarget,
        access: Access,
        calling_aet: str,
        timeout: float,
        instances: Iterable[Instance],
    ):
        self._target, self._timeout = target, timeout
        self._context = access.ssl_context() if access.is_encrypted else None
        self._kinds = list(dict.fromkeys(map(_kind, instances)))
        self._application = ApplicationEntity(calling_aet)
        self._application.connection_timeout = self._application.acse_timeout = min(timeout, _LONGEST_CONNECT)
        self._association: Association | None = None

    def close(self, at_once: bool) -> None:
        association, self._association = self._association, None
        if association is not None and association.is_established:
            if at_once:
                association.abort()
            else:
                association.release()

    def send(self, instance: Instance) -> State:
        association = self._associated(instance)
        if _kind(instance) not in _kinds(association.accepted_contexts):
            problem = f"was refused: the archive takes no {_names(association, instance)}"
            raise InputError(instance.path, problem, "Let it take these, or send to its DICOMweb")
        # The wait begins before the file is on its way.
        association.dimse_timeout = self._timeout + instance.size / _SLOWEST
        try:
            with _sending_files_as_they_are():
                status = association.send_c_store(instance.path)
        except RuntimeError:  # it ended between two files
            raise Unavailable("ended the association") from None
        if "Status" not in status:
            # It has ended, or is about to: pynetdicom may not say so yet, and would wait for an answer.
            self._association = None
            raise Unavailable("gave no answer to a file, or broke the connection")
        return state_of(instance.path, status.Status)

    def _associated(self, instance: Instance) -> Association:
        """Returns an association in which the file's kind was asked for, or was refused."""
        kind, association = _kind(instance), self._association
        if (
            association is not None
            and kind in _kinds(association.requestor.requested_contexts)
            # What was refused in an association that has ended is not asked for again.
            and (association.is_established or kind not in _kinds(association.accepted_contexts))
        ):
            return association
        self.close(False)
        first = self._kinds.index(kind)
        kinds = [*self._kinds[first:], *self._kinds[:first]][:_MOST_CONTEXTS]
        try:
            association = self._application.associate(
                self._target.host,
                self._target.port,
                [build_context(sop_class, syntax) for sop_class, syntax in kinds],
                self._target.aet,
                tls_args=None if self._context is None else (self._context, self._target.host),
            )
        except OSError as error:  # the name of the machine is not known
            raise Unavailable(f"cannot be reached ({error.strerror or 'its name is not known'})") from None
        # Where all kinds are refused there is no association, but an answer.
        if not association.is_established and not association.rejected_contexts:
            raise self._failure(association)
        self._association = association
        return association

    def _failure(self, association: Association) -> Exception:
        """Returns the error of an association that was not made."""
        answer = association.acceptor.primitive
        if association.is_rejected and answer is not None:
            if answer.result == _TRANSIENT:
                return Unavailable("takes no association now")
            reason = answer.diagnostic if answer.result_source == 1 else None
            return Barred(*_REJECTIONS.get(reason, ("rejects the association", "Look at the archive's log")))
        try:
            self._connect()
        except ssl.SSLError:
            return Barred(
                "makes no secure connection", "Check the certificates, and whether its port is for TLS"
            )
        except OSError as error:
            return Unavailable(f"cannot be reached ({error.strerror or 'it did not answer in time'})")
        return Unavailable("does not answer as DICOM does, or asks for TLS")

    def _connect(self) -> None:
        """Makes a connection and ends it; pynetdicom does not say why one fails."""
        place = self._target.host, self._target.port
        with socket.create_connection(place, min(self._timeout, _LONGEST_CONNECT)) as plain:
            if self._context is None:
                return
            with self._context.wrap_socket(plain, server_hostname=self._target.host) as secure:
                secure.settimeout(1.0)  # who refuses our certificate says so after its own handshake
                try:
                    secure.recv(1)
                except TimeoutError:
                    return


def _kind(instance: Instance) -> tuple[str, str]:
    return instance.sop_class, instance.syntax


def _kinds(contexts: Iterable[PresentationContext]) -> set[tuple[str, str]]:
    return {(str(each.abstract_syntax), str(each.transfer_syntax[0])) for each in contexts}


def _names(association: Association, instance: Instance) -> str:
    """Returns the words of the standard for a file's class and transfer syntax."""
    for each in association.requestor.requested_contexts:
        syntax = each.transfer_syntax[0]
        if (each.abstract_syntax, syntax) == _kind(instance) and each.abstract_syntax is not None:
            return f"{each.abstract_syntax.name} in {syntax.name}"
    return f"{instance.sop_class} in {instance.syntax}"


@contextmanager
def _sending_files_as_they_are() -> Iterator[None]:
    """Lets pynetdicom send a file's bytes; else it decodes them and encodes them anew."""
    before = _config.STORE_SEND_CHUNKED_DATASET
    _config.STORE_SEND_CHUNKED_DATASET = True
    try:
        yield
    finally:
        _config.STORE_SEND_CHUNKED_DATASET = before
