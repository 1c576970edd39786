"""``tfadvpath export``: a bundle as one SavedModel."""

from __future__ import annotations

import enum
import json
from pathlib import Path
from typing import Annotated

import typer

from tfadvpath.cli.console import answer, import_tensorflow, waiting
from tfadvpath.cli.path_options import KernelSize, Precision, Sigma, Tolerance, steps_in
from tfadvpath.errors import InputError


class Files(enum.StrEnum):
    """Files that a server decodes itself."""

    NONE = "none"
    PNG = "png"
    PNG_AND_JPEG = "png+jpeg"


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="What `tfadvpath train` wrote.")],
    out: Annotated[
        Path, typer.Option(metavar="MODELS", help="Gets NAME/VERSION, the next version of the model.")
    ],
    name: Annotated[str | None, typer.Option(help="Of the model. Without it: the bundle's.")] = None,
    method: Annotated[
        str, typer.Option(help="syce, cyce or sagen; auto: the first of them that the bundle has.")
    ] = "auto",
    map_name: Annotated[
        str, typer.Option("--map", help="fi_v2_smooth, fi_v2, fi_v1 or difference.")
    ] = "fi_v2_smooth",
    steps: Annotated[
        str,
        typer.Option(
            metavar="INTEGER|auto",
            help="Points of the path where the gradient is taken; auto: as many as each image needs.",
        ),
    ] = "50",
    tolerance: Tolerance = None,
    precision: Precision = None,
    sigma: Sigma = None,
    kernel_size: KernelSize = None,
    path: Annotated[
        str,
        typer.Option(
            help="From start to adversary: straight, or manifold, the curve of the generator's decoder, "
            "which takes longer."
        ),
    ] = "straight",
    sizes: Annotated[
        str, typer.Option(help="Batch sizes that the server fills batches up to, separated by commas.")
    ] = "1,2,4,8",
    xla: Annotated[
        bool,
        typer.Option("--xla", help="Add explain_xla, which needs a server that was started to allow XLA."),
    ] = False,
    files: Annotated[
        Files,
        typer.Option(
            help="Files that explain_bytes takes. A server cannot tell that a JPEG file is damaged: "
            "it explains what its decoder makes up."
        ),
    ] = Files.PNG,
    max_pixels: Annotated[
        int | None,
        typer.Option(min=1, help="Of a file for explain_bytes. Without it: 16,777,216, which takes 1 GB."),
    ] = None,
    private_key: Annotated[
        Path | None,
        typer.Option(metavar="PEM", help="Ed25519 key that signs the manifest. Without it: unsigned."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the manifest as JSON.")] = False,
) -> None:
    """Write the whole explainer as one SavedModel, ready for TensorFlow Serving.

    It needs neither this package nor Keras. Check it by `tfadvpath serve-check MODELS/NAME/VERSION`.
    Needs the extra: pip install 'tfadvpath[serving]'.

    Example: tfadvpath export RUN --out models --sizes 1,8

    Exit code: 0 written, 2 refused or wrong use, 3 a fault of tfadvpath, 130 or 143 interrupted.
    """
    batch_sizes = _numbers(sizes)
    import_tensorflow()
    # These import TensorFlow, which takes seconds: --help and a mistyped option need not wait for it.
    from tfadvpath.bundle.bundle import load_bundle
    from tfadvpath.saved_model.export import export_saved_model
    from tfadvpath.saved_model.manifest import read_manifest

    with waiting("Exporting"):
        version = export_saved_model(
            load_bundle(run),
            out,
            name=name,
            method=method,
            map_name=map_name,
            steps=steps_in(steps) or 50,
            tolerance=0.05 if tolerance is None else tolerance,
            precision=precision or "float32",
            sigma=sigma,
            kernel_size=kernel_size,
            path=path,
            sizes=batch_sizes,
            xla=xla,
            files=files.value,
            private_key=private_key,
            **({} if max_pixels is None else {"max_pixels": max_pixels}),
        )
    if as_json:
        answer(json.dumps({"folder": str(version), **read_manifest(version)}, indent=2))
    else:
        answer(f"The SavedModel is in {version}. Check it: tfadvpath serve-check {version}")


def _numbers(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise InputError("--sizes", f"{text!r} is no list of numbers", "Write it as 1,2,4,8") from None
