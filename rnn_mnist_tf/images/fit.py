"""Image files of any size and mode become what a model was trained on."""

import pathlib
import struct
import warnings

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError
from scipy import ndimage

from rnn_mnist_tf.errors import InputError

# An allow-list: Pillow's other readers are not needed, and some have been attacked.
FORMATS = ("PNG", "JPEG", "BMP")
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp")
INVERT = ("auto", "yes", "no")
MAX_PIXELS = 50_000_000  # a small network has no use for more

# What Pillow raises at damaged EXIF, and at other damaged parts of a file.
_DAMAGED = (
    struct.error,
    EOFError,
    IndexError,
    KeyError,
    OSError,
    SyntaxError,
    TypeError,
    ValueError,
    ZeroDivisionError,
)

_DRAWING_SIDE = 20  # of MNIST's 28: the rest is border
_INK = 0.1  # of the darkest: fainter is background
_NOISE = 5  # standard deviations of the border's squares
_MOST_NOISE = 64  # gray levels: a drawing cut at its edge covers much of the border
_SPECK = 0.02  # of the largest piece's area
_COARSE_SIDE = 224
_FITS = 3
_USUAL = 3  # standard deviations from the ground


def read_image(path):
    """Reads a PNG, JPEG or BMP file.

    Returns:
        A `PIL.Image` of mode L or RGB: palettes looked up, transparency laid on white, 16 bits
        made 8.

    Raises:
        InputError: the file is missing, empty, truncated, not such an image, or has more than
            `MAX_PIXELS` pixels.
    """
    path = pathlib.Path(path)
    try:
        if path.stat().st_size == 0:
            raise InputError(f"Received {path}, which is empty, expected an image.")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # damaged EXIF and the like
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=FORMATS) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise InputError(
                        f"Received {path} of {image.width} x {image.height} pixels, expected at "
                        f"most {MAX_PIXELS}. Scale it down first."
                    )
                image.load()
                return _as_gray_or_rgb(_upright(image))
    except UnidentifiedImageError as error:
        raise InputError(
            f"Received {path}, which is not an image, expected {', '.join(FORMATS)}."
        ) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InputError(f"Received {path}, which has too many pixels: {error}") from error
    except InputError:
        raise
    except _DAMAGED as error:
        raise InputError(f"Received {path}, which cannot be read: {error}.") from error


def _upright(image):
    """Turns a photograph as its EXIF says; where that is damaged, the image is as it is stored."""
    try:
        return ImageOps.exif_transpose(image)
    except _DAMAGED:
        return image


def _as_gray_or_rgb(image):
    if image.mode.startswith("I"):  # 16 bits
        values = np.asarray(image, np.float64)
        transparent = image.info.get("transparency")
        if isinstance(transparent, int):
            values = np.where(values == transparent, 65535, values)
        scale = 255 / 65535
        return Image.fromarray(np.clip(values * scale, 0, 255).round().astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image).convert("RGB")
    gray = image.mode in ("1", "L")
    return image.convert("L" if gray else "RGB")


def list_images(paths):
    """Returns the files to answer for: each file named, and the images in each directory named.

    Hidden files of a directory, such as the `._three.png` that macOS leaves, and what hidden
    directories hold are no images.

    >>> list_images(["a.png"])
    [PosixPath('a.png')]
    """
    files = []
    for path in map(pathlib.Path, paths):
        if path.is_dir():
            files += sorted(
                p
                for p in path.rglob("*")
                if p.suffix.lower() in SUFFIXES
                and not any(part.startswith(".") for part in p.relative_to(path).parts)
                and p.is_file()
            )
        else:
            files.append(path)
    return files


def fit_image(image, image_shape, invert="auto", as_digit=True):
    """Makes an image what a model was trained on.

    A gray model of digits gets them as MNIST was made: light ink on black, the drawing cropped,
    scaled into 20 x 20 of 28 with its proportions kept, its centre of mass in the middle. The
    ground may be of any gray, darker to one side, and have a camera's noise or specks of dust.
    Other models get the whole image, resized.

    Args:
        image: a `PIL.Image` of mode L or RGB.
        image_shape: `(h, w)` or `(h, w, 3)`.
        invert: `yes`, `no`, or `auto`: of a drawing, yes if it is darker than its ground; of a
            whole image, no.
        as_digit: whether the image is a drawing on plain ground.

    Returns:
        uint8 of shape `image_shape`.

    Raises:
        InputError: a drawing without ink.

    >>> page = Image.new("L", (60, 80), 255)
    >>> page.paste(0, (10, 10, 20, 70))
    >>> digit = fit_image(page, (28, 28))
    >>> int(digit.max()), int(digit[0].max()), np.flatnonzero(digit.max(axis=1)).size
    (255, 0, 20)
    """
    height, width = image_shape[:2]
    colour = len(image_shape) == 3
    image = image.convert("RGB" if colour else "L")
    if colour or not as_digit:
        image = ImageOps.invert(image) if invert == "yes" else image
        return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC))
    pixels = np.asarray(image, np.float64)
    drawing = _crop(*_light_on_black(pixels, invert))
    return _centre(_scale(drawing, min(height, width)), height, width)


def _light_on_black(pixels, invert):
    """Takes the ground away, which may be of any gray, and makes the ink light.

    Returns:
        `(ink, coarse, side)`: the ink, its means over squares, and how many pixels their side has.
    """
    ink = pixels - _ground(pixels)
    coarse, side = _coarsen(ink)
    if invert == "yes" or (invert == "auto" and -coarse.min() > coarse.max()):
        ink, coarse = -ink, -coarse
    return ink, coarse, side


def _ground(pixels):
    """The plane through the border's pixels: paper is lit from one side.

    What is further from it than half of the ink, or than most of the border is, is no ground:
    drawings may touch the border.
    """
    rows, columns = (places - places.mean() for places in np.indices(pixels.shape, sparse=True))
    values = _border(pixels)
    places = [_border(np.broadcast_to(side, pixels.shape)) for side in (rows, columns)]
    terms = np.stack([np.ones_like(values), *places], axis=1)
    ground = np.full_like(values, np.median(values))
    furthest = max(pixels.max() - ground[0], ground[0] - pixels.min()) / 2 + 1  # 1: rounding
    for _ in range(_FITS):
        usual = max(_USUAL * _deviation(values - ground), furthest * _INK)
        near = np.abs(values - ground) <= min(furthest, usual)
        plane = np.linalg.lstsq(terms[near], values[near])[0]
        ground = terms @ plane
    return plane[0] + plane[1] * rows + plane[2] * columns


def _border(pixels):
    return np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])


def _coarsen(pixels):
    """Means over squares, at most 224 a side, where a camera's noise is small; and their side."""
    side = -(-max(pixels.shape) // _COARSE_SIDE)
    return np.asarray(Image.fromarray(pixels.astype(np.float32)).reduce(side)), side


def _crop(ink, coarse, side):
    """Cuts the drawing out and stretches its ink to 255."""
    noise = min(_NOISE * _deviation(_border(coarse)), _MOST_NOISE)
    if ink.max() < 255 * _INK or coarse.max() <= noise:
        raise InputError("the image is empty: it shows no drawing on its ground")
    box = _bounds(_largest(coarse > max(coarse.max() * _INK, noise)))
    # One square more on each side, whose own pixels then say where the drawing ends.
    rows, columns = (slice(max(0, s.start - 1) * side, (s.stop + 1) * side) for s in box)
    cut = np.clip(ink[rows, columns], 0, None)
    cut = cut[_bounds(cut > cut.max() * _INK)]
    return cut * (255 / cut.max())


def _deviation(values):
    """The standard deviation, by the median, of which a drawing at the border is no part."""
    return 1.4826 * np.median(np.abs(values - np.median(values)))


def _largest(ink):
    """Without specks of dust: pieces much smaller than the largest one."""
    pieces, _ = ndimage.label(ink, np.ones([3, 3]))
    areas = np.bincount(pieces.ravel())
    areas[0] = 0  # the ground
    return (areas >= areas.max() * _SPECK)[pieces]


def _bounds(ink):
    """The rows and the columns, as slices, that hold everything that is true."""
    sides = (np.flatnonzero(ink.any(axis=axis)) for axis in (1, 0))
    return tuple(slice(places[0], places[-1] + 1) for places in sides)


def _scale(drawing, side):
    """Scales the longer side to 20 of 28."""
    target = max(1, round(side * _DRAWING_SIDE / 28))
    factor = target / max(drawing.shape)
    size = [max(1, round(length * factor)) for length in drawing.shape[::-1]]
    image = Image.fromarray(drawing.round().astype(np.uint8))
    scaled = np.asarray(image.resize(size, Image.Resampling.LANCZOS), np.float64)
    if not scaled.max():
        raise InputError("the image is empty: its drawing vanishes when it is scaled")
    # Scaling thins strokes: they are stretched to 255 again.
    return (scaled * (255 / scaled.max())).round().astype(np.uint8)


def _centre(drawing, height, width):
    """Puts the centre of mass in the middle, as far as the drawing stays inside."""
    rows, columns = drawing.shape
    mass = drawing.sum()
    row = (drawing.sum(axis=1) @ np.arange(rows)) / mass
    column = (drawing.sum(axis=0) @ np.arange(columns)) / mass
    top = int(np.clip(round(height / 2 - row), 0, height - rows))
    left = int(np.clip(round(width / 2 - column), 0, width - columns))
    canvas = np.zeros((height, width), np.uint8)
    canvas[top : top + rows, left : left + columns] = drawing
    return canvas
