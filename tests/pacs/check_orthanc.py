"""Sends sources and results to a real Orthanc and reads them back: ``make pacs-check``.

    PYTHONPATH=tests python tests/pacs/check_orthanc.py BUNDLE

Both ways in are checked, STOW-RS and C-STORE, each with an archive of its own on the loopback interface.
Where TFADVPATH_DATA names a folder, real studies are sent too. Each check is one line. The exit code is 1 if
one failed, 2 if Orthanc is not installed.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import socketserver
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path

import cv2
import highdicom
import nibabel
import numpy as np
import pydicom
import requests
from dicomweb_client import DICOMwebClient
from pydicom.uid import generate_uid
from support.archive import a_series, a_volume_as_series, an_xray
from support.archives import data_set
from support.certificates import write_certificates
from support.series import AXIAL, noise, oblique

from tfadvpath.recipes.recipe import load_recipe
from tfadvpath.studies.study import read_study

INSTALL = "Orthanc is not installed. On Debian and Ubuntu: apt-get install orthanc orthanc-dicomweb"
# Not everybody's PATH has the folder of servers.
ORTHANC = shutil.which("Orthanc", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
LONGEST_START = 60  # seconds
# Of the largest value of a map.
TOLERANCE = 1e-6
# What the archive that gets a data set without a file header writes into its own.
OF_THE_ARCHIVE = {
    "FileMetaInformationGroupLength",
    "FileMetaInformationVersion",
    "ImplementationClassUID",
    "ImplementationVersionName",
    "SourceApplicationEntityTitle",
}

failed: list[str] = []


def check(is_so: object, text: str) -> None:
    """Prints one line of a check."""
    print(f"{'ok    ' if is_so else 'FAILED'}  {text}", flush=True)
    if not is_so:
        failed.append(text)


# === Sources ===


def sources(folder: Path, size: int) -> dict[str, list[Path]]:
    """Writes studies, each with identifiers of its own: the files of each by a name."""
    slices = noise(5, size, size)
    slices[2] = 7  # blank
    series = {
        "axial": (AXIAL, 3.0),
        "flipped": (AXIAL * [[-1.0], [1.0]], -3.0),
        "oblique": (oblique(), 3.0),
    }
    found = {
        name: a_series(folder / name, slices, directions=directions, step=step, **identifiers(name))
        for name, (directions, step) in series.items()
    }
    found["x-ray"] = an_xray(folder / "x-ray", **identifiers("x-ray", instance=True))
    return found | real_sources(folder)


def identifiers(name: str, instance: bool = False) -> dict[str, str]:
    given = {
        key: generate_uid(entropy_srcs=[name, key])
        for key in ("StudyInstanceUID", *(("SOPInstanceUID", "SeriesInstanceUID") if instance else ()))
    }
    if instance:
        return given
    return {**given, "FrameOfReferenceUID": generate_uid(entropy_srcs=[name, "frame"]), "uid": name}


def real_sources(folder: Path) -> dict[str, list[Path]]:
    """One study of each real data set."""
    name = os.environ.get("TFADVPATH_DATA")
    if not name:
        print("        TFADVPATH_DATA is not set: no real study is sent")
        return {}
    data = Path(name)
    found = {
        "rsna_mini": sorted((data / "rsna_mini" / "stage_2_train_images").glob("*.dcm"))[:1],
        "cxr_dicom": sorted((data / "cxr_dicom").glob("*.dcm"))[:1],
    }
    picture = min((data / "nih_cxr" / "images").glob("*.png"))
    values = cv2.imread(str(picture), cv2.IMREAD_GRAYSCALE)
    found["nih_cxr"] = an_xray(folder / "nih_cxr", values, **identifiers("nih_cxr", instance=True))
    image = nibabel.load(min((data / "brain_tumor_progression").glob("*/*_Scan_T1.nii.gz")))
    volume = np.asarray(image.dataobj)
    middle = volume.shape[2] // 2
    found["brain"] = a_volume_as_series(
        folder / "brain",
        volume[:, :, middle - 6 : middle + 6],
        image.header.get_zooms()[:3],
        **identifiers("brain"),
    )
    return found


def explain(bundle: Path, given: dict[str, list[Path]], out: Path) -> dict[str, Path]:
    """Explains all studies in one run: the folder of results of each."""
    inputs = [path for files in given.values() for path in files]
    formats = ["--format", "dicom,dicom-synthetic,npz"]
    run(["explain", *inputs, "--bundle", bundle, *formats, "--out", out])
    by_source = {}
    for record in out.rglob("study.json"):
        paths = json.loads(record.read_text())["sources"]
        by_source[Path(paths[0])] = record.parent
    return {
        name: next(folder for source, folder in by_source.items() if source in files)
        for name, files in given.items()
    }


def run(arguments: list[object], code: int = 0) -> str:
    """Runs the command line, and returns what it said."""
    finished = subprocess.run(
        [sys.executable, "-m", "tfadvpath", *map(str, arguments)], capture_output=True, text=True, check=False
    )
    if finished.returncode != code:
        raise SystemExit(f"tfadvpath {arguments[0]} ended with {finished.returncode}: {finished.stderr}")
    return finished.stdout + finished.stderr


# === Archive ===


class Orthanc:
    """An archive that runs.

    Attributes:
        port: Its port for HTTP.
        web: Root of its DICOMweb.
        node: Its address for C-STORE.
        session: Connections to it.
    """

    def __init__(self, http: int, dicom: int):
        self.address = f"http://127.0.0.1:{http}"
        self.port = http
        self.web, self.node = f"{self.address}/dicom-web", f"ORTHANC@127.0.0.1:{dicom}"
        self.session = requests.Session()
        self.session.trust_env = False
        self.client = DICOMwebClient(self.web, session=self.session)

    def ask(self, path: str, **headers: str) -> requests.Response:
        response = self.session.get(f"{self.address}{path}", headers=headers, timeout=60)
        response.raise_for_status()
        return response

    def count(self) -> int:
        return self.ask("/statistics").json()["CountInstances"]

    def of_study(self, study: str) -> dict[str, str]:
        """The series of each instance of a study, by QIDO."""
        found = self.client.search_for_instances(study_instance_uid=study)
        return {each["00080018"]["Value"][0]: each["0020000E"]["Value"][0] for each in found}

    def file(self, study: str, series: str, instance: str) -> bytes:
        """An instance as a file, by WADO-RS."""
        response = self.ask(
            f"/dicom-web/studies/{study}/series/{series}/instances/{instance}",
            Accept='multipart/related; type="application/dicom"; transfer-syntax=*',
        )
        boundary = response.headers["Content-Type"].partition("boundary=")[2].partition(";")[0].strip('"')
        _, part, _ = response.content.split(f"--{boundary}".encode())
        return part.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n")


@contextmanager
def orthanc(folder: Path, files: Path | None = None):
    """Starts an archive on free ports, with its storage in a folder; `files` encrypt its C-STORE."""
    folder.mkdir()
    http, dicom = free_ports(2)
    settings = {
        "Name": "check",
        "StorageDirectory": str(folder),
        "IndexDirectory": str(folder),
        "Plugins": [str(PLUGIN)],
        "HttpPort": http,
        "DicomPort": dicom,
        "DicomAet": "ORTHANC",
        "DicomCheckCalledAet": True,
        "DicomAlwaysAllowStore": True,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
    }
    if files:
        settings |= {
            "DicomTlsEnabled": True,
            "DicomTlsCertificate": str(files / "server.pem"),
            "DicomTlsPrivateKey": str(files / "server.key"),
            "DicomTlsTrustedCertificates": str(files / "ca.pem"),
        }
    (folder / "orthanc.json").write_text(json.dumps(settings))
    log = folder / "log"
    with log.open("w") as opened:
        process = subprocess.Popen([ORTHANC, folder / "orthanc.json"], stdout=opened, stderr=opened)
    try:
        archive = Orthanc(http, dicom)
        wait_until_ready(process, archive, log)
        yield archive
    finally:
        process.terminate()
        process.wait(30)


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def wait_until_ready(process: subprocess.Popen, archive: Orthanc, log: Path) -> None:
    end = time.monotonic() + LONGEST_START
    while True:
        if process.poll() is not None or time.monotonic() > end:
            raise SystemExit(f"Orthanc does not start: {log.read_text()[-2000:]}")
        try:
            archive.ask("/system")
            return
        except requests.RequestException:
            time.sleep(0.2)


# === Checks ===


def check_way(way: str, archive: Orthanc, given: dict[str, list[Path]], results: dict[str, Path]) -> None:
    """Sends all by one way, and reads it back."""
    target = archive.web if way == "STOW-RS" else archive.node
    files = [path for paths in given.values() for path in paths]
    folders = list(results.values())
    said = run(["send", *files, *folders, "--to", target])
    objects = [path for folder in folders for path in folder.glob("*.dcm")]
    leaving = [path for path in objects if not path.name.startswith("synthetic_")]
    print(f"        {way}: {said.splitlines()[0]}")
    count = archive.count()
    check(count == len(files) + len(leaving), f"{way}: the archive has all {count} instances")
    run(["send", *files, *folders, "--to", target])
    check(archive.count() == count, f"{way}: it has as many after sending twice")
    rewritten: set[str] = set()
    for name, folder in results.items():
        rewritten |= check_study(f"{way}, {name}", archive, given[name], folder)
    check(
        rewritten <= OF_THE_ARCHIVE,
        f"{way}: of the file header it wrote anew {sorted(rewritten) or 'nothing'}",
    )
    run(["send", *folders, "--to", target, "--synthetic"])
    more = len(objects) - len(leaving)
    check(archive.count() == count + more, f"{way}: the {more} generated images came by --synthetic alone")


def check_study(name: str, archive: Orthanc, files: list[Path], folder: Path) -> set[str]:
    """Compares one study; returns which elements of the file header are others."""
    sent = {}
    for path in [*files, *(each for each in folder.glob("*.dcm") if not each.name.startswith("synthetic_"))]:
        sent[pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID] = path
    study = pydicom.dcmread(files[0], stop_before_pixels=True).StudyInstanceUID
    found = archive.of_study(study)
    check(found.keys() == sent.keys(), f"{name}: QIDO finds {len(found)} instances in the source's study")
    got = {uid: archive.file(study, series, uid) for uid, series in found.items()}
    same = sum(data_set(got[uid]) == data_set(path.read_bytes()) for uid, path in sent.items() if uid in got)
    check(same == len(sent), f"{name}: WADO gives {same} of {len(sent)} data sets back byte for byte")
    read = {path.stem: got[uid] for uid, path in sent.items() if path.parent == folder and uid in got}
    record = json.loads((folder / "study.json").read_text())
    with np.load(folder / "explanation.npz") as arrays:
        maps = {each: arrays[each] for each in record["made_with"]["maps"]}
    if any(each.startswith("parametric_map_") for each in read):
        check_in_space(name, [Path(path) for path in record["sources"]], maps, read)
    else:
        check_picture(name, files[0], maps, read)
    check_report(name, found, read["report"])
    return {
        keyword for uid, path in sent.items() for keyword in rewritten_elements(path.read_bytes(), got[uid])
    }


def rewritten_elements(sent: bytes, got: bytes) -> set[str]:
    before, after = (
        pydicom.dcmread(BytesIO(content), stop_before_pixels=True).file_meta for content in (sent, got)
    )
    return {each for each in {*before.dir(), *after.dir()} if before.get(each) != after.get(each)}


def check_in_space(name: str, files: list[Path], maps: dict[str, np.ndarray], read: dict[str, bytes]) -> None:
    """Compares each pixel of the arrays, placed by the source's own attributes, with the object's there."""
    places = np.stack([places_of(path) for path in files])  # [slices, rows, columns, 3] in millimetres
    maps = {each: on_grid(files, values, places.shape[:3]) for each, values in maps.items()}
    segmentation = highdicom.seg.Segmentation.from_dataset(dataset(read["segmentation"]))
    chosen = segmentation.get_volume(combine_segments=False)
    apart, wrong, far = 0.0, 0, 0.0
    for number, (each, values) in enumerate(maps.items()):
        volume = highdicom.Image.from_dataset(dataset(read[f"parametric_map_{each}"])).get_volume(
            dtype=np.float32
        )
        there, distance = values_at(places, volume.affine, volume.array)
        apart = max(apart, float(np.abs(there - values).max() / values.max()))
        least = np.percentile(values, 95, axis=(1, 2), keepdims=True)
        inside, further = values_at(places, chosen.affine, chosen.array[..., number])
        wrong += int((inside.astype(bool) != ((values >= least) & (values > 0))).sum())
        far = max(far, distance, further)
    check(far < 1e-3, f"{name}: every pixel lies on one of the objects' (farthest by {far:.0e} of a pixel)")
    check(apart <= TOLERANCE, f"{name}: {len(maps)} Parametric Maps are the arrays there (apart {apart:.1e})")
    check(wrong == 0, f"{name}: the Segmentation is the arrays' largest 5 % there ({wrong} pixels are not)")


def dataset(content: bytes) -> pydicom.Dataset:
    return pydicom.dcmread(BytesIO(content))


def places_of(path: Path) -> np.ndarray:
    """Where the pixels of a slice are in the patient, float [rows, columns, 3] in millimetres."""
    image = pydicom.dcmread(path, stop_before_pixels=True)
    directions = np.array(image.ImageOrientationPatient, float).reshape(2, 3)
    between_rows, between_columns = map(float, image.PixelSpacing)
    rows, columns = np.mgrid[: image.Rows, : image.Columns][..., None]
    corner = np.array(image.ImagePositionPatient, float)
    return corner + columns * between_columns * directions[0] + rows * between_rows * directions[1]


def on_grid(files: list[Path], values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """An array on the grid of the files [slices, rows, columns]; as it is where it has their size."""
    if values.shape[:3] == shape:
        return values[..., 0]
    study = read_study(files, values.shape[1:3])
    return study.to_grid(values).reshape(study.grid.slices_shape)


def values_at(places: np.ndarray, affine: np.ndarray, array: np.ndarray) -> tuple[np.ndarray, float]:
    """The values of a volume at places, and how far in pixels the farthest place is from a pixel."""
    inverse = np.linalg.inv(affine)
    indices = places @ inverse[:3, :3].T + inverse[:3, 3]
    nearest = np.rint(indices).astype(int)
    return array[tuple(np.moveaxis(nearest, -1, 0))], float(np.abs(indices - nearest).max())


def check_picture(name: str, file: Path, maps: dict[str, np.ndarray], read: dict[str, bytes]) -> None:
    """Compares the levels of a fractional Segmentation with the arrays."""
    image = pydicom.dcmread(file, stop_before_pixels=True)
    segmentation = highdicom.seg.Segmentation.from_dataset(dataset(read["segmentation"]))
    shares = segmentation.get_pixels_by_source_instance([image.SOPInstanceUID])[
        0
    ]  # [rows, columns, segments]
    apart = 0.0
    for number, values in enumerate(maps.values()):
        values = on_grid([file], values, (1, image.Rows, image.Columns))[0]
        apart = max(apart, float(np.abs(shares[..., number] - values / values.max()).max()))
    level = 1 / segmentation.MaximumFractionalValue
    check(
        apart <= level / 2 + TOLERANCE,
        f"{name}: the Segmentation is the arrays to half a level ({apart:.4f})",
    )
    captures = [dataset(content) for each, content in read.items() if each.startswith("secondary_capture_")]
    sizes = {each.pixel_array.shape for each in captures}
    check(len(captures) == len(maps), f"{name}: {len(captures)} Secondary Captures are read, of {sizes}")


def check_report(name: str, found: dict[str, str], content: bytes) -> None:
    """Looks whether the archive has what the report refers to."""
    read = highdicom.sr.srread(BytesIO(content))
    evidence = [
        instance.ReferencedSOPInstanceUID
        for study in read.CurrentRequestedProcedureEvidenceSequence
        for series in study.ReferencedSeriesSequence
        for instance in series.ReferencedSOPSequence
    ]
    missing = [uid for uid in evidence if uid not in found]
    check(
        evidence and not missing,
        f"{name}: the archive has all {len(evidence)} instances that the report names",
    )


@contextmanager
def encrypted(port: int, files: Path):
    """Puts an end of HTTPS before a port, as archives have it: its port. It asks for a certificate."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(files / "ca.pem"))
    context.load_cert_chain(files / "server.pem", files / "server.key")
    context.verify_mode = ssl.CERT_REQUIRED

    class Pass(socketserver.BaseRequestHandler):
        def handle(self):
            with (
                suppress(OSError),
                context.wrap_socket(self.request, server_side=True) as outside,
                socket.create_connection(("127.0.0.1", port)) as inside,
            ):
                back = threading.Thread(target=forward, args=(inside, outside), daemon=True)
                back.start()
                forward(outside, inside)
                back.join()

    def forward(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while content := source.recv(2**16):
                target.sendall(content)
            target.shutdown(socket.SHUT_WR)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Pass) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()


def check_encrypted(folder: Path, results: Path) -> None:
    """Sends by both ways to an archive that asks for the client's certificate."""
    files = folder / "certificates"
    files.mkdir()
    write_certificates(files)
    trusted = ["--ca", files / "ca.pem", "--certificate", files / "client.pem", "--key", files / "client.key"]
    with orthanc(folder / "encrypted", files) as archive, encrypted(archive.port, files) as port:
        web = f"https://127.0.0.1:{port}/dicom-web"
        for way, target, options in (("STOW-RS", web, []), ("C-STORE", archive.node, ["--synthetic"])):
            before = archive.count()
            run(["send", results, "--to", target, *trusted, *options])
            check(archive.count() > before, f"{way}, encrypted: both sides show certificates")
            said = run(["send", results, "--to", target, *trusted[2:]], code=2)
            check("makes no secure connection" in said, f"{way}, encrypted: an unknown authority is refused")
            said = run(["send", results, "--to", target, *trusted[:2], "--attempts", 1], code=2)
            check(
                "was not sent" in said, f"{way}, encrypted: without the client's certificate nothing gets in"
            )


def main(bundle: Path) -> int:
    if ORTHANC is None or not PLUGIN.exists():
        print(INSTALL, file=sys.stderr)
        return 2
    size = load_recipe(bundle / "recipe.yaml").data.image_size
    with tempfile.TemporaryDirectory(prefix="tfadvpath-pacs-") as name:
        folder = Path(name)
        given = sources(folder / "in", size)
        results = explain(bundle, given, folder / "out")
        print(f"        {len(given)} studies are explained: {', '.join(given)}")
        for way in ("STOW-RS", "C-STORE"):
            with orthanc(folder / way) as archive:
                print(
                    f"        {way}: Orthanc {archive.ask('/system').json()['Version']}, "
                    f"DICOMweb {archive.ask('/plugins/dicom-web').json()['Version']}"
                )
                check_way(way, archive, given, results)
        check_encrypted(folder, results["x-ray"])
    print(f"{len(failed)} checks failed" if failed else "every check passed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
