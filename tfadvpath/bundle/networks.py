"""The network files of a bundle, and the answers of a classifier."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np

import tfadvpath.models  # noqa: F401  registers the classes that saved networks name
from tfadvpath.errors import InputError, first_line, quoted
from tfadvpath.files import is_partial, replacing_file

Networks = Mapping[str, keras.Model]
_BATCH = 64  # images in one call of the classifier


def network_path(folder: Path, stage: str, name: str) -> Path:
    """Returns where a bundle keeps a network: the classifier at the top, others in their stage's folder."""
    return folder / f"{name}.keras" if stage == "classifier" else folder / stage / f"{name}.keras"


def network_files(folder: Path, stage: str) -> list[Path]:
    """Returns the files of a stage's networks that a bundle's folder holds, whole ones, in their order."""
    return sorted(path for path in (folder / stage).glob("*.keras") if not is_partial(path))


def save_network(path: Path, network: keras.Model) -> None:
    """Writes a network without its optimizer, whose state would triple the file; whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    copy = network.__class__.from_config(network.get_config())
    copy.set_weights(network.get_weights())
    with replacing_file(path) as partial:
        copy.save(partial)


def load_network(path: Path) -> keras.Model:
    """Loads a network in safe mode: its file cannot bring code of its own."""
    return keras.saving.load_model(path, compile=False, safe_mode=True)


def load_own_network(path: Path, source: str) -> keras.Model:
    """Loads a Keras file that a person names, in safe mode.

    Args:
        path: File to load.
        source: Name of the parameter and the file, for the message.

    Raises:
        InputError: It cannot be loaded.
    """
    try:
        return load_network(path)
    except Exception as error:  # whatever a file that is no Keras model leads to
        raise InputError(
            source,
            f"cannot be loaded ({quoted(first_line(error))})",
            "Save it by model.save('NAME.keras'), without Lambda layers or classes of its own",
        ) from error


def scores_of(classifier: keras.Model, images: np.ndarray) -> np.ndarray:
    """Returns f of every image, float32 [N]."""
    batches = [
        classifier.predict_on_batch(np.ascontiguousarray(images[i : i + _BATCH]))[:, 0]
        for i in range(0, len(images), _BATCH)
    ]
    return np.concatenate([np.zeros(0, np.float32), *batches])
