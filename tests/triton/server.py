"""Serves an exported version by NVIDIA Triton until it is ended; runs in the environment of requirements.txt.

    python server.py MODELS/NAME/VERSION HTTP_PORT GRPC_PORT FILE

FILE gets a line for each batch that Triton ran: the signature, and the number of images.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf
from pytriton.decorators import batch
from pytriton.model_config import DynamicBatcher, ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig

# The protocol has no signatures: each is a model. The client asks for these names.
ENDINGS = {"serving_default": "", "predict": "_predict"}
_WAIT_MICROSECONDS = 200_000  # for other requests, as this is to see them joined


def main(folder, http_port, grpc_port, record):
    manifest = json.loads((folder / "manifest.json").read_text())
    signatures = tf.saved_model.load(str(folder)).signatures
    config = TritonConfig(
        http_address="127.0.0.1",
        grpc_address="127.0.0.1",
        http_port=http_port,
        grpc_port=grpc_port,
        allow_metrics=False,
        strict_readiness=True,
    )
    batching = ModelConfig(
        batching=True,
        max_batch_size=max(manifest["batch_sizes"]),
        batcher=DynamicBatcher(max_queue_delay_microseconds=_WAIT_MICROSECONDS),
    )
    with Triton(config=config) as triton:
        for name, ending in ENDINGS.items():
            described = manifest["signatures"][name]
            triton.bind(
                model_name=manifest["name"] + ending,
                infer_func=answering(name, signatures[name], record),
                inputs=[tensor(*each) for each in described["inputs"].items()],
                outputs=[tensor(*each) for each in described["outputs"].items()],
                config=batching,
            )
        triton.serve()


def answering(name, signature, record):
    @batch
    def answer(images):
        with record.open("a") as file:
            file.write(f"{name} {len(images)}\n")
        outputs = {key: value.numpy() for key, value in signature(images=tf.constant(images)).items()}
        # Triton wants an axis behind that of the batch.
        return {key: value if value.ndim > 1 else value[:, None] for key, value in outputs.items()}

    return answer


def tensor(name, described):
    kind = np.bool_ if described["dtype"] == "bool" else np.dtype(described["dtype"]).type
    return Tensor(name=name, dtype=kind, shape=tuple(described["shape"][1:]) or (1,))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))
