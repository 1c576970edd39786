"""Archives on the loopback interface that note what they get: DICOMweb's store, and a storage application."""

from __future__ import annotations

import json
import re
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, generate_uid
from pynetdicom import AE, evt
from pynetdicom.sop_class import (
    ComputedRadiographyImageStorage,
    MRImageStorage,
    ParametricMapStorage,
    SecondaryCaptureImageStorage,
)

from support.broken_files import dicom, dicom_bytes, picture

PATIENT = {"PatientName": "Zebra^Quagga", "PatientID": "MRN-7731894", "PatientBirthDate": "19310417"}
WORDS = ("zebra", "quagga", "7731894", "19310417", "1931-04-17")
SYNTAXES = [ExplicitVRLittleEndian, ImplicitVRLittleEndian]
CLASSES = (
    ComputedRadiographyImageStorage,
    MRImageStorage,
    ParametricMapStorage,
    SecondaryCaptureImageStorage,
)


def write_object(path: Path, **attributes: object) -> Path:
    """Writes a picture that names all that an archive wants to know; None removes an attribute."""
    given = {
        **PATIENT,
        "StudyInstanceUID": generate_uid(entropy_srcs=["study"]),
        "SeriesInstanceUID": generate_uid(entropy_srcs=["series"]),
        "SOPInstanceUID": generate_uid(entropy_srcs=[path.name]),
        "SOPClassUID": SecondaryCaptureImageStorage,
        **attributes,
    }
    dataset = dicom(picture(16, 12).astype(np.uint8), **{k: v for k, v in given.items() if v is not None})
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(dicom_bytes(dataset))
    return path


def data_set(content: bytes) -> bytes:
    """What follows the file header, whose length it says itself."""
    assert content[128:132] == b"DICM"
    length = int.from_bytes(content[140:144], "little")
    return content[144 + length :]


def answer(code: int, failure: int | None = None, warning: int | None = None) -> tuple[int, str, bytes]:
    """An answer of DICOMweb in JSON: its code, its type, and what it says of an instance."""
    said = {}
    if failure is not None:
        said["00081198"] = {"vr": "SQ", "Value": [{"00081197": {"vr": "US", "Value": [failure]}}]}
    if warning is not None:
        said["00081199"] = {"vr": "SQ", "Value": [{"00081196": {"vr": "US", "Value": [warning]}}]}
    return code, "application/dicom+json", json.dumps(said).encode()


STORED = answer(200)


def _files(kind: str, body: bytes) -> list[bytes]:
    """The files of a request of several parts."""
    boundary = re.fullmatch(r'multipart/related; type="application/dicom"; boundary="(\w+)"', kind)[1]
    _, *parts, end = body.split(f"\r\n--{boundary}".encode())
    assert end == b"--"
    heads, files = zip(*(part.split(b"\r\n\r\n", 1) for part in parts), strict=True)
    assert set(heads) == {b"\r\nContent-Type: application/dicom"}
    return list(files)


class _Store(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.seen.append((self.path, dict(self.headers), _files(self.headers["Content-Type"], body)))
        code, kind, content, *more = self.server.answers.pop(0) if self.server.answers else STORED
        self.server.wait.wait()
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        for name, value in dict(*more).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def do_CONNECT(self):
        self.server.seen.append((self.path, dict(self.headers), []))
        self.send_error(502)

    do_GET = do_CONNECT

    def log_message(self, *_):
        pass


@contextmanager
def dicom_web(*answers, context=None):
    """A server of DICOMweb, or a proxy: its root, and the path, headers and files of every request.

    The answers are given one after the other; all that follow say that the file is stored.
    """
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Store)
    server.seen, server.answers, server.wait = [], list(answers), threading.Event()
    server.wait.set()
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http{'s' if context else ''}://127.0.0.1:{server.server_address[1]}/dicom-web", server.seen
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def dicom_node(*statuses, classes=CLASSES, syntaxes=SYNTAXES, context=None, known=None):
    """A storage application called ARCHIVE: its address, and the data sets that it got.

    The statuses are given one after the other; all that follow are success. None ends the association.

    Args:
        known: The only calling AE title that it lets in.
    """
    got, left = [], list(statuses)

    def store(event):
        status = left.pop(0) if left else 0
        if status is None:
            event.assoc.abort()
            return 0
        got.append(event.request.DataSet.getvalue())
        return status

    application = AE("ARCHIVE")
    application.require_called_aet = True
    if known is not None:
        application.require_calling_aet = [known]
    for each in classes:
        application.add_supported_context(each, syntaxes)
    server = application.start_server(
        ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, store)], ssl_context=context
    )
    try:
        yield f"ARCHIVE@127.0.0.1:{server.server_address[1]}", got
    finally:
        server.shutdown()


def data_sets(folder: Path) -> list[bytes]:
    """The data sets of the DICOM files of a folder, in the order in which they are sent."""
    return [data_set(path.read_bytes()) for path in sorted(folder.rglob("*.dcm"))]
