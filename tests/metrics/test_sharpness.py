import numpy as np
import pytest
from scipy import ndimage

from tfadvpath.metrics.sharpness import high_frequency_energy, structural_similarity


@pytest.fixture
def images():
    return np.random.default_rng(0).random((70, 24, 20, 1)).astype(np.float32)


def ssim(a, b):
    """The map of SSIM by its formula, at the pixels that the window fits around."""
    offsets = np.arange(-5, 6)
    window = np.exp(-(offsets**2) / (2 * 1.5**2))
    window = np.outer(window, window) / window.sum() ** 2

    def mean(x):
        return ndimage.correlate(x, window)[5:-5, 5:-5]

    a, b = a.astype(np.float64), b.astype(np.float64)
    ma, mb = mean(a), mean(b)
    va, vb, cov = mean(a * a) - ma**2, mean(b * b) - mb**2, mean(a * b) - ma * mb
    c1, c2 = 0.01**2, 0.03**2
    return (2 * ma * mb + c1) * (2 * cov + c2) / ((ma**2 + mb**2 + c1) * (va + vb + c2))


def test_similarity_is_the_formula_of_wang(images):
    others = np.clip(0.7 * images + 0.2 * images[:, ::-1], 0, 1)
    expected = [ssim(a[..., 0], b[..., 0]).mean() for a, b in zip(images, others, strict=True)]
    np.testing.assert_allclose(structural_similarity(images, others), expected, atol=1e-4)
    np.testing.assert_allclose(structural_similarity(images, images), 1.0, atol=1e-5)


def test_similarity_outside_a_region_does_not_see_what_is_inside(images):
    others = images.copy()
    others[:, :8] = 0.5
    where = np.zeros(images.shape[:3], bool)
    where[:, 14:] = True  # the window reaches five pixels further
    np.testing.assert_allclose(structural_similarity(images, others, where), 1.0, atol=1e-5)
    assert structural_similarity(images, others).max() < 0.9
    expected = [ssim(a[..., 0], b[..., 0])[:5].mean() for a, b in zip(images, others, strict=True)]
    where = ~where
    where[:, 10:] = False
    np.testing.assert_allclose(structural_similarity(images, others, where), expected, atol=1e-4)


def test_a_region_of_no_pixel_has_no_similarity(images):
    nothing = np.zeros(images.shape[:3], bool)
    assert np.isnan(structural_similarity(images, images, nothing)).all()
    assert structural_similarity(images[:0], images[:0]).shape == (0,)


@pytest.mark.parametrize("shape", [(2, 24, 20), (2, 10, 20, 1), (3, 24, 20, 1)])
def test_other_shapes_are_refused(images, shape):
    with pytest.raises(ValueError, match="at least 11"):
        structural_similarity(np.zeros(shape), images[:2])


def test_high_frequencies_are_the_variance_of_the_laplacian(images):
    expected = [np.var(ndimage.laplace(image[..., 0].astype(np.float64))[1:-1, 1:-1]) for image in images]
    np.testing.assert_allclose(high_frequency_energy(images), expected)
    slope = np.broadcast_to(np.linspace(0, 1, 20)[None, None, :, None], (1, 24, 20, 1))
    assert high_frequency_energy(slope)[0] < 1e-20


def test_blur_lowers_and_noise_raises_the_high_frequencies(images):
    smooth = ndimage.gaussian_filter(images, (0, 2, 2, 0))
    noisy = smooth + 0.05 * np.random.default_rng(1).standard_normal(smooth.shape)
    assert np.all(high_frequency_energy(smooth) < 0.1 * high_frequency_energy(images))
    assert np.all(high_frequency_energy(noisy) > 2 * high_frequency_energy(smooth))
