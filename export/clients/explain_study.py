"""Explains one study by a server over gRPC and writes the maps on its grid.

    python explain_study.py scan.nii.gz --server 127.0.0.1:8500 --model phantom_brain --out maps
    python explain_study.py scan.dcm --server http://127.0.0.1:8501 --model phantom_brain --out maps

Needs: pip install 'tfadvpath[serving]'
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tfadvpath.batch.plan import Task
from tfadvpath.batch.results import write_study
from tfadvpath.errors import InputError
from tfadvpath.serving import Access, Client, GrpcClient, RestClient


def access(options: argparse.Namespace) -> Access:
    """Returns what the server gets to see and is checked by."""
    pairs = [each.partition("=") for each in options.metadata]
    return Access(
        token=None if options.token_file is None else options.token_file.read_text().strip(),
        ca=options.ca,
        certificate=options.certificate,
        key=options.key,
        metadata={name: value for name, _, value in pairs},
        tls=options.tls,
        proxy=options.proxy,
    )


def main() -> None:
    """Reads the options, explains, writes and prints."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("study", type=Path, help="a DICOM, NIfTI, PNG or JPEG file, or a series' folder")
    parser.add_argument("--server", default="127.0.0.1:8500", help="HOST:PORT (gRPC) or http://HOST:PORT")
    parser.add_argument("--model", default="phantom_brain")
    parser.add_argument("--label", default="stable", help="of the version, such as stable or canary")
    parser.add_argument(
        "--map",
        default="fi_v2_smooth",
        help="name of the maps in the files: what the export was made with, which the server does not say",
    )
    parser.add_argument("--channel", type=int, help="of a 4-D NIfTI file")
    # A token in a file: every user of the machine can read a command's arguments.
    parser.add_argument("--token-file", type=Path, help="bearer token, sent with every request")
    parser.add_argument(
        "--ca", type=Path, help="authorities that the server's certificate is checked by (PEM)"
    )
    parser.add_argument("--certificate", type=Path, help="the client's certificate (PEM)")
    parser.add_argument("--key", type=Path, help="its private key (PEM)")
    parser.add_argument("--tls", action="store_true", help="encrypt gRPC, which --ca does too")
    parser.add_argument(
        "--metadata", action="append", default=[], metavar="NAME=VALUE", help="a further header"
    )
    parser.add_argument(
        "--proxy", action="store_true", help="take the proxies that the environment names; images go to them"
    )
    parser.add_argument("--out", type=Path, default=Path("maps"))
    options = parser.parse_args()
    kind: type[Client] = RestClient if options.server.startswith("http") else GrpcClient
    try:
        client = kind(
            options.server,
            options.model,
            label=options.label,
            map_name=options.map,
            access=access(options),
        )
        result = client.explain_study(options.study, options.channel)
        task = Task(result.study.sources, Path(options.study.name))
        record = write_study(result, task, options.out, ("png", "npz", "nifti"))
    except (InputError, OSError) as error:  # OSError of the token's file
        sys.exit(str(error))
    print(
        f"{record['slices']} slices, in {record['crossings']} of them the adversary crossed the decision: "
        f"{options.out / task.name}"
    )


if __name__ == "__main__":
    main()
