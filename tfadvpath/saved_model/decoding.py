"""Decoding of PNG and JPEG files, as ``tfadvpath.read_study`` does it, by graph code."""

from __future__ import annotations

import tensorflow as tf

from tfadvpath.saved_model.jpeg_markers import is_sequential
from tfadvpath.studies.limits import MAX_PIXELS
from tfadvpath.studies.pictures.reader import JPEG_CHANNEL_TOLERANCE
from tfadvpath.studies.sizes import FLAT

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Of the IHDR chunk, which every PNG file begins with: where width and height stand, big endian in 4 bytes
# each, and the colour type with its bit for alpha.
_PNG_SIZE, _PNG_COLOUR_TYPE, _PNG_ALPHA = 16, 25, 4
# Neither JPEG nor DICOM can hold a longer axis. The weights of resizing grow with the longest axis.
_MAX_LENGTH = 2**16 - 1


def decode_images(
    files: tf.Tensor, size: tuple[int, int], *, jpeg: bool = True, max_pixels: int | None = None
) -> tf.Tensor:
    """Decodes, scales to [0, 1] and resizes every file; NaN where it is no grey image that can be explained.

    That is a colour image or a transparent one, and, undecoded, a file that is neither PNG nor JPEG and one
    that is larger than allowed by its header: it would take the memory of the server. Progressive JPEG files
    are not decoded either: few bytes of theirs can take minutes.

    TensorFlow's JPEG decoder fills in what a damaged file lacks and says nothing of it: it read 300 of 300
    files whose scan was cut, whatever its options. PNG files have checksums, which its PNG decoder checks.

    Args:
        files: string [B], each the bytes of a PNG (1 to 16 bits) or JPEG file.
        size: Height and width of the images.
        jpeg: Whether JPEG files are decoded; they are NaN otherwise.
        max_pixels: Largest number of pixels of a file; None is that of the readers.

    Returns:
        float32 [B, height, width, 1], each image scaled by its own smallest and largest value; 0 where all
        values are the same. Equal to ``read_study(file, size).images`` up to rounding.

    Raises:
        tf.errors.InvalidArgumentError: A PNG file is damaged, or a JPEG file so that it has no image at all.
    """
    limit = MAX_PIXELS if max_pixels is None else max_pixels
    return tf.map_fn(
        lambda file: _decode(file, size, jpeg, limit),
        files,
        fn_output_signature=tf.TensorSpec([*size, 1], tf.float32),
        parallel_iterations=1,
    )


def _decode(file: tf.Tensor, size: tuple[int, int], jpeg: bool, max_pixels: int) -> tf.Tensor:
    is_jpeg = tf.io.is_jpeg(file) if jpeg else tf.constant(False)

    shape = tf.cond(is_jpeg, lambda: _jpeg_shape(file), lambda: _png_shape(file))
    not_decoded = tf.fill([*size, 1], tf.constant(float("nan")))
    return tf.cond(
        _is_allowed(shape, max_pixels), lambda: _decode_allowed(file, is_jpeg, size), lambda: not_decoded
    )


def _is_allowed(shape: tf.Tensor, max_pixels: int) -> tf.Tensor:
    """Returns whether an image of that int32 [rows, columns] may be decoded."""
    lengths = tf.cast(shape, tf.int64)  # whose product is below 2**63
    return (
        tf.reduce_all(lengths > 0)
        & tf.reduce_all(lengths <= _MAX_LENGTH)
        & (tf.reduce_prod(lengths) <= max_pixels)
    )


def _jpeg_shape(file: tf.Tensor) -> tf.Tensor:
    """Returns int32 [rows, columns] by the file's header; zeros where it is not to be decoded."""
    return tf.cond(
        is_sequential(file),
        lambda: tf.io.extract_jpeg_shape(file)[:2],
        lambda: tf.zeros([2], tf.int32),
    )


def _png_shape(file: tf.Tensor) -> tf.Tensor:
    """Returns int32 [rows, columns] by the file's header; zeros where it is no PNG file."""

    def by_header() -> tf.Tensor:
        big_endian = tf.io.decode_raw(tf.strings.substr(file, _PNG_SIZE, 8), tf.int32, little_endian=False)
        return tf.ensure_shape(big_endian, [2])[::-1]

    begins_so = tf.strings.substr(file, 0, len(_PNG_SIGNATURE)) == _PNG_SIGNATURE
    is_png = begins_so & (tf.strings.length(file) > _PNG_COLOUR_TYPE)
    return tf.cond(is_png, by_header, lambda: tf.zeros([2], tf.int32))


def _decode_allowed(file: tf.Tensor, is_jpeg: tf.Tensor, size: tuple[int, int]) -> tf.Tensor:
    pixels, grey = tf.cond(is_jpeg, lambda: _jpeg(file), lambda: _png(file))
    values = _min_max(pixels)
    shrunk = _resized(values, size)
    # Resizing may leave noise of a flat image, which is not to be scaled up.
    flat = tf.reduce_max(shrunk) - tf.reduce_min(shrunk) < FLAT
    scaled = tf.where(flat, tf.zeros_like(shrunk), _min_max(shrunk))
    image = tf.cast(scaled, tf.float32)[..., tf.newaxis]
    return tf.where(grey, image, tf.constant(float("nan")))


def _jpeg(file: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns grey values, float64 [rows, columns], and whether it is a grey image."""
    levels = tf.io.decode_jpeg(file, channels=3, dct_method="INTEGER_ACCURATE")
    return _mean_channel(levels, JPEG_CHANNEL_TOLERANCE)


def _png(file: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    levels = tf.io.decode_png(file, channels=4, dtype=tf.uint16)
    values, grey = _mean_channel(levels[..., :3], 0)
    alpha = levels[..., 3]
    # The decoder fills in an alpha channel that the file does not have, for 1 to 4 bits not with opaque.
    kind = tf.io.decode_raw(tf.strings.substr(file, _PNG_COLOUR_TYPE, 1), tf.uint8)[0]
    has_alpha = tf.bitwise.bitwise_and(kind, tf.constant(_PNG_ALPHA, tf.uint8)) > 0
    filled = tf.where(has_alpha, tf.constant(tf.uint16.max, tf.uint16), alpha[0, 0])
    return values, grey & tf.reduce_all(alpha == filled)


def _mean_channel(levels: tf.Tensor, tolerance: int) -> tuple[tf.Tensor, tf.Tensor]:
    levels = tf.cast(levels, tf.int32)
    apart = tf.reduce_max(tf.reduce_max(levels, axis=2) - tf.reduce_min(levels, axis=2))
    return tf.reduce_mean(tf.cast(levels, tf.float64), axis=2), apart <= tolerance


def _min_max(values: tf.Tensor) -> tf.Tensor:
    low, high = tf.reduce_min(values), tf.reduce_max(values)
    return tf.math.divide_no_nan(values - low, high - low)


def _resized(values: tf.Tensor, size: tuple[int, int]) -> tf.Tensor:
    """Averages over areas along axes that shrink and interpolates along axes that grow, float64 [H, W]."""
    rows = _axis_weights(tf.shape(values)[0], size[0])
    columns = _axis_weights(tf.shape(values)[1], size[1])
    return tf.matmul(rows, tf.matmul(values, columns, transpose_b=True))


def _axis_weights(length: tf.Tensor, size: int) -> tf.Tensor:
    """Returns what each new pixel takes of each old one along an axis, float64 [size, length]."""
    pixels = tf.cast(tf.range(length), tf.float64)[tf.newaxis]
    new = tf.range(size, dtype=tf.float64)[:, tf.newaxis]
    factor = tf.cast(length, tf.float64) / size
    # Shrinking: the overlap of the new pixel's stretch of the axis with each old pixel's.
    first, last = tf.maximum(new * factor, pixels), tf.minimum((new + 1) * factor, pixels + 1)
    area = tf.maximum(last - first, 0.0) / factor
    # Growing: the two nearest centres, the border's value beyond the outermost.
    centre = tf.clip_by_value((new + 0.5) * factor - 0.5, 0.0, tf.cast(length - 1, tf.float64))
    linear = tf.maximum(1.0 - tf.abs(centre - pixels), 0.0)
    return tf.where(factor > 1.0, area, linear)
