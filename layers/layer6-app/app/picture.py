"""A picture drawn from numbers: interference of waves, computed by numexpr (layer 5) on numpy arrays (layer 3)."""

import io

import numexpr
import numpy
from PIL import Image

MAX_SIZE = 1024


def waves(seed: int, size: int) -> numpy.ndarray:
    """Values from 0 to 1, one per pixel and colour."""
    random = numpy.random.default_rng(seed)
    y, x = numpy.mgrid[0:size, 0:size] / size
    channels = []
    for _ in range(3):
        cx, cy, frequency, phase = random.random(4) * [1, 1, 60, 6.28]
        distance = numexpr.evaluate("sqrt((x - cx)**2 + (y - cy)**2)")
        channels.append(numexpr.evaluate("0.5 + 0.5 * sin(distance * (10 + frequency) + phase) * exp(-distance)"))
    return numpy.stack(channels, axis=-1)


def render(seed: int, size: int) -> bytes:
    if not 1 <= size <= MAX_SIZE:
        raise ValueError(f"size is {size}, expected 1 to {MAX_SIZE}")
    pixels = (waves(seed, size) * 255).astype(numpy.uint8)
    target = io.BytesIO()
    Image.fromarray(pixels).save(target, "PNG")
    return target.getvalue()
