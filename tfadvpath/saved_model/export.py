"""Export of the whole explainer as one SavedModel that needs neither this package nor Keras."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import keras
import tensorflow as tf

from tfadvpath import explainers
from tfadvpath.bundle.bundle import Bundle
from tfadvpath.bundle.manifest import library_versions
from tfadvpath.bundle.method import chosen_method
from tfadvpath.errors import InputError
from tfadvpath.explainers.adversarial_path import AdversarialPath
from tfadvpath.explainers.generator_path import STRAIGHT
from tfadvpath.generators.registry import path_generators
from tfadvpath.path.importance import INTEGRATED, SMOOTHED
from tfadvpath.path.integral import AUTO
from tfadvpath.path.lengths import length_scale
from tfadvpath.path.precision import chosen_precision
from tfadvpath.saved_model.batching import FILE_NAME as BATCHING
from tfadvpath.saved_model.batching import batching_parameters
from tfadvpath.saved_model.check_cases import make_cases, write_cases
from tfadvpath.saved_model.check_process import largest_tolerance
from tfadvpath.saved_model.contract import FOLDER as CONTRACT
from tfadvpath.saved_model.contract import write_contract
from tfadvpath.saved_model.manifest import seal
from tfadvpath.saved_model.model_card import model_card
from tfadvpath.saved_model.signatures import (
    FILES,
    MAX_FILE_PIXELS,
    NO_FILES,
    PNG,
    Signature,
    make_signatures,
)
from tfadvpath.saved_model.signed_manifest import read_private_key, sign_manifest
from tfadvpath.saved_model.versions import check_name, write_version
from tfadvpath.saved_model.warm_up_requests import FILE_NAME as WARM_UP
from tfadvpath.saved_model.warm_up_requests import check_installed, write_warm_up
from tfadvpath.studies.limits import MAX_PIXELS


def export_saved_model(
    bundle: Bundle,
    folder: Path | str,
    *,
    name: str | None = None,
    method: str = AUTO,
    map_name: str = "fi_v2_smooth",
    steps: int | str = 50,
    tolerance: float = 0.05,
    precision: str = "float32",
    sigma: float | None = None,
    kernel_size: int | None = None,
    path: str = STRAIGHT,
    sizes: Sequence[int] = (1, 2, 4, 8),
    xla: bool = False,
    files: str = PNG,
    max_pixels: int = MAX_FILE_PIXELS,
    private_key: Path | str | None = None,
) -> Path:
    """Writes FOLDER/NAME/VERSION, the next version, for TensorFlow Serving and whatever loads SavedModels.

    Its signatures are those of ``saved_model.signatures``. Beside the SavedModel stand recorded cases,
    warm-up requests, batching parameters, the contract of the preprocessing, a model card, and a manifest
    with the sha256 of every file.

    Args:
        bundle: Bundle with the generator of the method.
        folder: Folder of all models.
        name: Name of the model; None is the bundle's.
        method: Name of the method: "syce", "cyce" or "sagen"; "auto" is the first of them that the bundle
            has.
        map_name: Name of the map: "fi_v2_smooth", "fi_v2", "fi_v1" or "difference".
        steps: Number of points of the path where the gradient is taken, or "auto": as many as each image
            needs, which XLA cannot compile.
        tolerance: Relative L1 error of the map at which an image has steps enough, with ``steps="auto"``.
        precision: Floating-point type in which the classifier's gradients are computed: "float32",
            "bfloat16", or "auto" for bfloat16 where it is faster on this machine.
        sigma: Standard deviation, in pixels of the images, of the kernel that smooths the map "fi_v2_smooth";
            None is the paper's 2 pixels of 224, in proportion to the image's side.
        kernel_size: Number of taps per axis of that kernel; None is twice 7 σ, 28 at 224 pixels.
        path: Path from start to adversary: "straight", or "manifold", the curve of the generator's decoder.
        sizes: Batch sizes that the server fills batches up to, and that are recorded and warmed up.
        xla: Whether to add the signature ``explain_xla``.
        files: Files that the signature ``explain_bytes`` takes: "png", "png+jpeg", or "none" for no such
            signature. Damage of a JPEG file cannot be seen by the graph, which then explains what is not in
            the file.
        max_pixels: Largest number of pixels of such a file: decoding takes 60 bytes for each.
        private_key: PEM file of the Ed25519 key that signs the manifest; None leaves it unsigned.

    Returns:
        The version's folder.

    Raises:
        InputError: The bundle has no such generator; the method has no path; an option is not possible; the
            folder cannot be written; the key cannot be read; the extra ``serving``, or for a key ``signing``,
            is not installed.
    """
    name = bundle.recipe.name if name is None else name
    check_name(name)
    check_installed()
    sizes = _checked_sizes(sizes)
    if xla and steps == AUTO:
        raise InputError("`xla`", f"needs a number of steps, not {AUTO!r}", "Leave out one of both")
    given = {
        "steps": steps,
        "tolerance": tolerance,
        "tolerance_map": map_name if map_name in INTEGRATED else SMOOTHED,
        "precision": precision,
        "sigma": sigma,
        "kernel_size": kernel_size,
        "path": path,
    }
    method = chosen_method(bundle, method)
    explainer = _explainer(bundle, method, given, sizes[-1])
    if map_name not in explainer.map_names:
        raise InputError(
            "`map_name`", f"{map_name!r} is no map", f"Choose one of {', '.join(explainer.map_names)}"
        )
    taken = _checked_files(files, max_pixels)
    key = None if private_key is None else read_private_key(Path(private_key))
    image_shape = tuple(bundle.classifier.input_shape[1:])
    smoothing = _smoothing(explainer, map_name, image_shape)

    def fill(version: Path) -> None:
        made = make_signatures(explainer, map_name, image_shape, xla, files, max_pixels)
        signatures = _write_graph(version, made)
        extra = version / "assets.extra"
        extra.mkdir(exist_ok=True)
        cases = make_cases(bundle, explainer, map_name, sizes[-1], files)
        write_cases(extra / "cases.tfrecord", cases)
        write_warm_up(extra / WARM_UP, name, cases, sizes)
        write_contract(version / CONTRACT, image_shape, taken)
        (version / BATCHING).write_text(batching_parameters(sizes), encoding="utf-8")
        about = {
            "name": name,
            "method": method,
            "map": map_name,
            "steps": steps,
            "tolerance_of_steps": tolerance if steps == AUTO else None,
            "precision": chosen_precision(precision, bundle.classifier),
            "path": path,
            "smoothing": smoothing,
            "batch_sizes": sizes,
            "files": taken,
            "signatures": signatures,
            "tolerance": {
                output: largest_tolerance(output)
                for described in signatures.values()
                for output in described["outputs"]
            },
            "versions": library_versions(),
            "bundle": {
                "name": bundle.recipe.name,
                "git_revision": None,
                "data": None,
                **bundle.manifest,
            },
        }
        (version / "model_card.md").write_text(model_card(bundle, about), encoding="utf-8")
        seal(version, about)
        if key is not None:
            sign_manifest(version, key)

    return write_version(Path(folder) / name, fill)


def _checked_sizes(sizes: Sequence[int]) -> list[int]:
    if not sizes or min(sizes) < 1:
        raise InputError("`sizes`", "must be numbers of images from 1", "Write them as 1,2,4,8")
    return sorted(set(sizes))


def _checked_files(files: str, max_pixels: int) -> dict[str, Any] | None:
    """Returns what the manifest says of the files that ``explain_bytes`` takes."""
    if files not in FILES:
        raise InputError("`files`", f"{files!r} are no files", f"Choose one of {', '.join(FILES)}")
    if not 1 <= max_pixels <= MAX_PIXELS:
        raise InputError("`max_pixels`", f"must be in 1…{MAX_PIXELS}", f"Leave it out for {MAX_FILE_PIXELS}")
    return None if files == NO_FILES else {"formats": files.split("+"), "max_pixels": max_pixels}


def _smoothing(
    explainer: AdversarialPath, map_name: str, image_shape: tuple[int, int, int]
) -> dict[str, float] | None:
    """Returns the kernel that smooths the map and the scale of the paper's lengths; None where none does."""
    options = explainer.path_options
    if map_name != SMOOTHED:
        if (options.sigma, options.kernel_size) != (None, None):
            raise InputError(
                "`sigma`, `kernel_size`",
                f"the map {map_name!r} is not smoothed",
                f"Leave them out, or choose the map {SMOOTHED}",
            )
        return None
    height, width, _ = image_shape
    try:
        lengths = explainer.lengths(height, width)
    except ValueError as error:
        problem = f"do not fit these images: {error}".rstrip(".")
        raise InputError("`sigma`, `kernel_size`", problem, "Leave them out for the paper's") from error
    return {**lengths, "scale": length_scale(height, width)}


def _explainer(bundle: Bundle, method: str, given: Mapping[str, Any], batch_size: int) -> AdversarialPath:
    known = [name for name in path_generators() if name in bundle.generators]
    if method not in known:
        remedy = (
            f"Choose one of {', '.join(known)}" if known else f"Train one of {', '.join(path_generators())}"
        )
        raise InputError("`method`", f"{method!r} is no path across the decision in this bundle", remedy)
    if given["steps"] != AUTO and (not isinstance(given["steps"], int) or given["steps"] < 1):
        raise InputError("`steps`", "must be positive", f"Leave it out for 50, or give {AUTO!r}")
    try:
        explainer = explainers.get(method, bundle, **given, batch_size=batch_size, jit_compile=False)
    except InputError:
        raise
    except ValueError as error:
        raise InputError(
            "`tolerance`, `precision`", f"do not fit: {error}".rstrip("."), "Leave them out"
        ) from error
    return cast(AdversarialPath, explainer)


def _write_graph(version: Path, signatures: Mapping[str, Signature]) -> dict[str, Any]:
    """Writes the SavedModel; returns its signatures' inputs and outputs with type and shape."""
    # It collects the variables that the signatures use, of every network. Tracking the networks as well would
    # store each weight twice.
    archive = keras.export.ExportArchive()
    described = {}
    for name, (function, spec) in signatures.items():
        endpoint = archive.add_endpoint(name, function, input_signature=[spec])
        outputs = endpoint.get_concrete_function().structured_outputs
        described[name] = {
            "inputs": {spec.name: _described(spec)},
            "outputs": {each: _described(values) for each, values in sorted(outputs.items())},
        }
    # Nobody differentiates a served graph. The gradients that operations define of themselves would be stored
    # with tensors of the traced loops, which no loaded graph has.
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
    archive.write_out(str(version), options, verbose=False)
    return described


def _described(tensor: tf.TensorSpec | tf.Tensor) -> dict[str, Any]:
    return {
        "dtype": tensor.dtype.name,
        "shape": [-1 if length is None else length for length in tensor.shape],
    }
