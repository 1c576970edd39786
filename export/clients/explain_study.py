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
from tfadvpath.serving import Client, GrpcClient, RestClient


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
    parser.add_argument("--out", type=Path, default=Path("maps"))
    options = parser.parse_args()
    kind: type[Client] = RestClient if options.server.startswith("http") else GrpcClient
    try:
        client = kind(options.server, options.model, label=options.label, map_name=options.map)
        result = client.explain_study(options.study, options.channel)
        task = Task(result.study.sources, Path(options.study.name))
        record = write_study(result, task, options.out, ("png", "npz", "nifti"))
    except InputError as error:
        sys.exit(str(error))
    print(
        f"{record['slices']} slices, in {record['crossings']} of them the adversary crossed the decision: "
        f"{options.out / task.name}"
    )


if __name__ == "__main__":
    main()
