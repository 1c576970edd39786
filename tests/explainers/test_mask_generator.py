import keras
import numpy as np
from support.toys import SHAPE, brightness_classifier, domains

from tfadvpath.explainers import GeneratedMask
from tfadvpath.generators import MaskGenerator
from tfadvpath.models import mask_decoder


def test_the_map_is_the_generators_mask_and_the_score_its_classifiers():
    keras.utils.set_random_seed(0)
    image = keras.Input(SHAPE)
    brightness = brightness_classifier()
    pooled = keras.layers.UpSampling2D(2)(keras.layers.AveragePooling2D(2)(image))  # a level to decode
    classifier = keras.Model(image, brightness(pooled))
    generator = MaskGenerator(classifier, mask_decoder(classifier, width=4))
    images = np.concatenate(domains(2))
    explanation = GeneratedMask(generator, batch_size=3).explain(images)
    values = explanation.maps["mask_generator"]
    np.testing.assert_allclose(values, generator.mask(images), atol=1e-5)
    assert np.ptp(values) > 0.01
    mean = images.mean(axis=(1, 2, 3), dtype=np.float64)
    np.testing.assert_allclose(explanation.score, 1 / (1 + np.exp(4 - 8 * mean)), rtol=1e-5)
    assert explanation.decision.tolist() == [False, False, True, True]
