"""The smallest bundle, untrained: for tests of what happens around the networks."""

import keras

from tfadvpath.bundle import save_bundle
from tfadvpath.models.unet import UNet
from tfadvpath.training.recipe import Recipe

SIZE = 32
RECIPE = Recipe.model_validate(
    {
        "name": "tiny",
        "data": {
            "task": "phantom-brain",
            "image_size": SIZE,
            "patients": {"train": 3, "validation": 2, "test": 2},
            "min_tumour_pixels": 2,
        },
        "classifier": {"weights": None, "width": 4, "epochs": 1, "batch_size": 8, "learning_rate": 1e-3},
        "syce": {"filters": [4, 8], "batch_size": 1, "epochs": 1, "steps_per_epoch": 2, "dropout": 0.0},
    }
)


def write_tiny_bundle(folder):
    """Writes a bundle with a classifier of three layers: ResNet50 takes seconds, and has tests of its own."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    classifier = keras.Sequential(
        [
            keras.Input((SIZE, SIZE, 1)),
            layers.Conv2D(8, 5, strides=4, activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    unets = tuple(UNet((SIZE, SIZE, 1), [4, 8], dropout=0.0) for _ in (0, 1))
    save_bundle(folder, classifier, unets, RECIPE, {"validation": {}})
    return folder
