"""The markers of a JPEG file, by graph code: how it is compressed, and in how many scans."""

from __future__ import annotations

import tensorflow as tf

_START = 0xFF  # of a marker
_BASELINE, _EXTENDED = 0xC0, 0xC1  # sequential, with Huffman's codes
_SCAN = 0xDA
# SOF0 to SOF15 describe a frame, but for DHT, JPG and DAC among their numbers.
_FRAMES, _NO_FRAMES = range(0xC0, 0xD0), (0xC4, 0xC8, 0xCC)
# Segments before the frame: tables, comments, notes of the camera, parts of a colour profile.
_MAX_SEGMENTS = 300
# A sequential file has one scan, or one for each component, and its thumbnail has some.
_MAX_SCANS = 8


def is_sequential(file: tf.Tensor) -> tf.Tensor:
    """Returns whether a JPEG file is sequential and of few scans, bool [].

    A progressive file may have any number of scans, each of which costs a pass over all pixels.

    Args:
        file: string [], bytes of a JPEG file.
    """
    content = tf.cast(tf.io.decode_raw(file, tf.uint8), tf.int32)
    size = tf.size(content)
    frames = tf.constant([number for number in _FRAMES if number not in _NO_FRAMES])

    def marker(place: tf.Tensor) -> tf.Tensor:
        """Returns the marker that begins at a place, 0 where there is none."""
        inside = tf.minimum(place, size - 4)
        whole = (place <= size - 4) & (content[inside] == _START)
        return tf.where(whole, content[inside + 1], 0)

    def before_frame(place: tf.Tensor) -> tf.Tensor:
        found = marker(place)
        return (found != 0) & (found != _SCAN) & ~tf.reduce_any(frames == found)

    def next_segment(place: tf.Tensor) -> tuple[tf.Tensor]:
        # Bytes 0xFF may fill up the room before a marker.
        length = 256 * content[place + 2] + content[place + 3]
        filling = content[place + 1] == _START
        return (place + tf.where(filling, 1, 2 + tf.maximum(length, 2)),)

    def by_markers() -> tf.Tensor:
        (place,) = tf.while_loop(
            before_frame, next_segment, (tf.constant(2),), maximum_iterations=_MAX_SEGMENTS
        )
        kind = marker(place)
        scans = tf.math.count_nonzero((content[:-1] == _START) & (content[1:] == _SCAN))
        return ((kind == _BASELINE) | (kind == _EXTENDED)) & (scans <= _MAX_SCANS)

    return tf.cond(size >= 4, by_markers, lambda: tf.constant(False))
