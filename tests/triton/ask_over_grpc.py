"""Asks Triton over gRPC by NVIDIA's own client; runs in the environment of requirements.txt.

python ask_over_grpc.py 127.0.0.1:PORT MODEL IMAGES.npy ANSWERS.npz
"""

from __future__ import annotations

import sys

import numpy as np
from pytriton.client import ModelClient

if __name__ == "__main__":
    address, model, images, answers = sys.argv[1:]
    with ModelClient(f"grpc://{address}", model, init_timeout_s=60, inference_timeout_s=600) as client:
        np.savez(answers, **client.infer_batch(images=np.load(images)))
