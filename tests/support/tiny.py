"""The smallest bundle and recipe: for tests of what happens around the networks."""

import keras

from tfadvpath.bundle.bundle import save_bundle
from tfadvpath.models.unet import UNet
from tfadvpath.recipes.recipe import Recipe

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
# Every stage, two epochs of two steps each.
_EPOCHS = {"epochs": 2, "steps_per_epoch": 2}
_UNET = {**_EPOCHS, "filters": [4, 8], "batch_size": 2, "warm_up_steps": 2, "dropout": 0.1}
EVERY_STAGE = Recipe.model_validate(
    {
        **RECIPE.model_dump(),
        "classifier": {**RECIPE.classifier.model_dump(), **_EPOCHS},
        "cyce": {**_UNET, "schedule": "cosine", "residual": 2},
        "syce": {**_UNET, "clip_norm": 1.0, "residual": 2, "flip_target": 0.9, "keep_target": 0.9},
        "sagen": {**_UNET, "batch_size": 4},
        "mask_generator": {**_EPOCHS, "width": 4, "batch_size": 4, "blur_sigma": 2.0},
        "fixed_point_gan": {
            **_EPOCHS,
            "width": 4,
            "residual_blocks": 1,
            "discriminator_width": 4,
            "levels": 3,
            "n_critic": 1,
            "batch_size": 4,
        },
    }
)


def small_classifier(input_shape, *_):
    """Builds a classifier by brightness that hardly trains, in place of ResNet50, which takes long to trace.

    It finds both classes among the slices of any brain.
    """
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input(input_shape),
            layers.Conv2D(2, 3, strides=2, padding="same", kernel_initializer="ones", trainable=False),
            layers.Conv2D(2, 3, strides=2, padding="same", kernel_initializer="ones", trainable=False),
            layers.GlobalAveragePooling2D(),
            layers.Rescaling(1 / 162),
            layers.Dropout(0.1),
            layers.Dense(1, kernel_initializer="ones", activation="sigmoid", dtype="float32"),
        ]
    )
    model.layers[-1].bias.assign([-0.16])
    return model


def write_tiny_bundle(folder):
    """Writes a bundle with an untrained classifier and the U-Nets of SyCE."""
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
    unets = {f"generator_{k}": UNet((SIZE, SIZE, 1), [4, 8], dropout=0.0) for k in (0, 1)}
    save_bundle(folder, classifier, {"syce": unets}, RECIPE, {"validation": {}})
    return folder
