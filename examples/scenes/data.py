"""Synthetic scenes: scanned digits pasted on textured canvases, the same bits on every machine.

All arithmetic is on whole numbers, OpenCV's resizing is the bit-exact one, and the random numbers are those of
`RandomState`, whose stream NumPy has promised never to change.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from examples.digits.data import DigitSet, load_digit_sets

CANVAS = 128  # pixels of a side
CLASSES = tuple(str(digit) for digit in range(10))
MOST_DIGITS = 6
SMALLEST, LARGEST = 18, 64  # pixels of a digit's height, before its white margin is cut away

HELD_OUT_SCENES = 200
HELD_OUT_SEED = 2015

NOISE_GRIDS = (2, 4, 8, 32)  # coarse to fine; each is blown up to the canvas
LEAST_CONTRAST = 80  # grey levels between a digit and the mean of what it covers
LARGEST_OVERLAP = 0.05  # of the smaller of two boxes
PLACES_TRIED = 20
PADDING = -1.0  # in labels; GluonCV leaves such rows out


@dataclass(frozen=True)
class Scenes:
    """Scenes and what is in them.

    Attributes:
        pictures: uint8 (N, 128, 128, 3), RGB.
        labels: float32 (N, 6, 5) in GluonCV's form: xmin, ymin, xmax, ymax in pixels and the class, 0 to 9. The
            corners are edges of pixels: a digit that fills the canvas has the box 0, 0, 128, 128. Rows of -1 fill up.
    """

    pictures: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def inputs(self) -> np.ndarray:
        """Return the pictures as the detector takes them: float32 (N, 3, 128, 128) from 0 to 1."""
        return as_input(self.pictures)


def as_input(pictures: np.ndarray) -> np.ndarray:
    """Return pictures, uint8 (N, H, W, 3), as float32 (N, 3, H, W) from 0 to 1."""
    return np.ascontiguousarray(pictures.transpose(0, 3, 1, 2)) / np.float32(255)


def held_out_scenes() -> Scenes:
    """Return 200 scenes of digits that the training never saw, always the same ones."""
    _, held_out = load_digit_sets()
    return make_scenes(held_out, HELD_OUT_SCENES, HELD_OUT_SEED)


def make_scenes(digits: DigitSet, count: int, seed: int) -> Scenes:
    """Return scenes with 1 to 6 of these digits each; the seed decides everything about them."""
    random = np.random.RandomState(seed)
    ink = (digits.pictures[:, 0] * 255).astype(np.uint8)  # (N, 3, 32, 32) with equal channels -> (N, 32, 32)
    pictures = np.empty((count, CANVAS, CANVAS, 3), np.uint8)
    labels = np.full((count, MOST_DIGITS, 5), PADDING, np.float32)
    for picture, label in zip(pictures, labels, strict=True):
        picture[...] = make_canvas(random)
        _paste_digits(picture, label, ink, digits.labels, random)
        grain = random.randint(-6, 7, size=picture.shape)
        picture[...] = np.clip(picture + grain, 0, 255)
    return Scenes(pictures, labels)


def make_canvas(random: np.random.RandomState) -> np.ndarray:
    """Return a canvas without digits, uint8 (128, 128, 3): a gradient, smooth noise and a few lines."""
    canvas = _gradient(random)
    for grid in NOISE_GRIDS:
        strength = random.randint(0, 70)  # of 256
        noise = random.randint(0, 256, size=(grid, grid, 3)).astype(np.uint8)
        noise = cv2.resize(noise, (CANVAS, CANVAS), interpolation=cv2.INTER_LINEAR_EXACT)
        canvas += (noise.astype(np.int64) - 128) * strength // 256
    canvas = np.clip(canvas, 0, 255).astype(np.uint8)
    for _ in range(random.randint(0, 6)):
        ends = random.randint(-CANVAS // 4, CANVAS + CANVAS // 4, size=4).tolist()
        # Near the canvas in colour: a digit stands out, a line need not.
        colour = np.clip(canvas[ends[1] % CANVAS, ends[0] % CANVAS] + random.randint(-70, 71, size=3), 0, 255).tolist()
        draw_line(canvas, ends, colour, width=int(random.randint(1, 6)))
    return canvas


def _gradient(random: np.random.RandomState) -> np.ndarray:
    """Return one colour turning into another across the canvas, in any direction: int64 (128, 128, 3)."""
    start, end = random.randint(0, 256, size=(2, 3))
    start = (start + start.sum() // 3) // 2  # half way to grey: digits are the colourful things
    end = (start + end) // 2
    slope_x, slope_y = random.randint(-8, 9, size=2)
    ramp = slope_x * np.arange(CANVAS) + slope_y * np.arange(CANVAS)[:, np.newaxis]
    ramp -= ramp.min()
    length = max(1, int(ramp.max()))
    colours: np.ndarray = start + (end - start) * ramp[:, :, np.newaxis] // length
    return colours


def draw_line(canvas: np.ndarray, ends: list[int], colour: list[int], width: int) -> None:
    """Draw a straight line between two points, x and y each; OpenCV's own lines differ from version to version."""
    left, top, right, bottom = ends
    run, rise = right - left, bottom - top
    x, y = np.arange(CANVAS) - left, np.arange(CANVAS)[:, np.newaxis] - top
    squared_length = run**2 + rise**2
    along, across = run * x + rise * y, run * y - rise * x  # both times the length, (128, 128)
    canvas[(along >= 0) & (along < squared_length) & (4 * across**2 <= width**2 * squared_length)] = colour


def _paste_digits(
    picture: np.ndarray, label: np.ndarray, ink: np.ndarray, classes: np.ndarray, random: np.random.RandomState
) -> None:
    """Paste digits into a picture (128, 128, 3) and write their boxes and classes into its label (6, 5)."""
    boxes: list[tuple[int, int, int, int]] = []
    for _ in range(random.randint(1, MOST_DIGITS + 1)):
        chosen = random.randint(len(ink))
        digit = scaled_digit(ink[chosen], random)
        box = _free_place(digit.shape, boxes, random)
        if box is None:
            continue
        left, top, right, bottom = box
        _blend(picture[top:bottom, left:right], digit, random)
        label[len(boxes)] = (*box, classes[chosen])
        boxes.append(box)


def scaled_digit(ink: np.ndarray, random: np.random.RandomState) -> np.ndarray:
    """Return a scan (32, 32) at a random size, cut to its ink: uint8 (height, width), 0 where the canvas shows."""
    # The smaller of two draws: small digits are as frequent as large ones are conspicuous.
    height = random.randint(SMALLEST, LARGEST + 1, size=2).min()
    width = height * random.randint(80, 121) // 100
    scaled = cv2.resize(ink, (int(width), int(height)), interpolation=cv2.INTER_LINEAR_EXACT)
    # Steepened, so that a digit of any size has an outline.
    opacity: np.ndarray = np.clip((scaled.astype(np.int64) - 64) * 3 // 2, 0, 255).astype(np.uint8)
    rows, columns = (np.flatnonzero((opacity >= 128).any(axis=axis)) for axis in (1, 0))
    return opacity[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _free_place(
    shape: tuple[int, ...], taken: list[tuple[int, int, int, int]], random: np.random.RandomState
) -> tuple[int, int, int, int] | None:
    """Return a box of this shape (height, width) that hardly covers another one; None when none was found."""
    height, width = shape
    for _ in range(PLACES_TRIED):
        left, top = int(random.randint(CANVAS - width + 1)), int(random.randint(CANVAS - height + 1))
        box = (left, top, left + width, top + height)
        if all(_overlap(box, other) <= LARGEST_OVERLAP for other in taken):
            return box
    return None


def _overlap(one: tuple[int, int, int, int], other: tuple[int, int, int, int]) -> float:
    """Return the area that two boxes share, over the area of the smaller one."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return max(0, width) * max(0, height) / min(areas)


def _blend(patch: np.ndarray, opacity: np.ndarray, random: np.random.RandomState) -> None:
    """Paint a digit, given by its opacity (height, width), into a patch of the picture (height, width, 3)."""
    below = int(patch.sum()) // patch.size
    colour = random.randint(0, 256, size=3)
    while abs(int(colour.sum()) // 3 - below) < LEAST_CONTRAST:
        colour = random.randint(0, 256, size=3)
    weight = opacity[:, :, np.newaxis].astype(np.int64)
    patch[...] = (patch * (255 - weight) + colour * weight + 127) // 255
