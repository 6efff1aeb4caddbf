"""Image files of any kind become what a model was trained on, or one line that says why not."""

import struct
import warnings
import zlib

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from rnn_mnist_tf.errors import InputError
from rnn_mnist_tf.images.fit import fit_image, list_images, read_image

FEW = hypothesis.settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],
)


def page(ink=0, ground=255):
    """A page with a seven on it, off the middle."""
    image = Image.new("L", (90, 120), ground)
    ImageDraw.Draw(image).line([(20, 15), (65, 18), (38, 90)], fill=ink, width=9)
    return image


def with_transparent_ground(mode):
    """The seven in black on a ground that is black too, and transparent."""
    alpha = Image.eval(page(), lambda value: 255 - value)
    black = Image.new("L", alpha.size, 0)
    if mode == "P":
        image = Image.eval(alpha, lambda value: value // 255).convert("P")
        image.putpalette([0] * 768)
        return image
    return Image.merge(mode, [black] * (len(mode) - 1) + [alpha])


def sixteen_bits():
    """The seven in 16 bits."""
    return Image.fromarray(np.asarray(page(), np.uint16) * 257)


def fit(path, **options):
    """Reads and fits a file, as the predict door does for a model of MNIST."""
    return fit_image(read_image(path), (28, 28), **options)


def save(path, image, **options):
    """Saves an image and returns its path."""
    image.save(path, **options)
    return path


@pytest.mark.parametrize(
    ("image", "suffix", "options"),
    [
        pytest.param(page().convert(mode), suffix, options, id=f"{suffix[1:]}-{mode}{note}")
        for mode, suffix, options, note in [
            ("1", ".png", {}, ""),
            ("L", ".png", {}, ""),
            ("L", ".png", {"transparency": 7}, "-transparency"),
            ("LA", ".png", {}, ""),
            ("P", ".png", {}, ""),
            ("RGB", ".png", {}, ""),
            ("RGB", ".png", {"transparency": (7, 7, 7)}, "-transparency"),
            ("RGBA", ".png", {}, ""),
            ("1", ".bmp", {}, ""),
            ("L", ".bmp", {}, ""),
            ("P", ".bmp", {}, ""),
            ("RGB", ".bmp", {}, ""),
            ("RGBA", ".bmp", {}, ""),
        ]
    ]
    + [
        pytest.param(sixteen_bits(), ".png", {}, id="png-16-bits"),
        pytest.param(with_transparent_ground("LA"), ".png", {}, id="png-LA-transparent"),
        pytest.param(with_transparent_ground("RGBA"), ".png", {}, id="png-RGBA-transparent"),
        pytest.param(
            with_transparent_ground("P"), ".png", {"transparency": 0}, id="png-P-transparent"
        ),
    ],
)
def test_lossless_files_give_the_same_pixels(tmp_path, image, suffix, options):
    """What the same drawing is stored as has no part in the answer."""
    path = save(tmp_path / f"seven{suffix}", image, **options)
    np.testing.assert_array_equal(fit(path), fit_image(page(), (28, 28)))


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_jpeg_gives_nearly_the_same_pixels(tmp_path, mode):
    """The loss of JPEG is all that differs."""
    path = save(tmp_path / "seven.jpg", page().convert(mode), quality=95)
    difference = fit(path).astype(float) - fit_image(page(), (28, 28))
    assert np.abs(difference).mean() < 2


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
@pytest.mark.parametrize(
    ("orientation", "stored_as"),
    [
        (2, Image.Transpose.FLIP_LEFT_RIGHT),
        (3, Image.Transpose.ROTATE_180),
        (6, Image.Transpose.ROTATE_90),
        (8, Image.Transpose.ROTATE_270),
    ],
)
def test_photographs_are_read_upright(tmp_path, orientation, stored_as, suffix):
    """Cameras store what the sensor saw, and say in EXIF how it was held."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(tmp_path / f"photo{suffix}", page().transpose(stored_as), exif=exif, quality=95)
    upright = fit_image(page(), (28, 28))
    assert np.corrcoef(fit(path).ravel(), upright.ravel())[0, 1] > 0.8


@pytest.mark.parametrize(
    "exif",
    [b"MM\0*\0\0\0\x08\0\x05", b"MM\0*", b"MM\0+\0\0\0\x08", b"MM\0*\0\0\0\x08\0\x01\1\x12\0"],
    ids=["cut off", "header alone", "BigTIFF", "cut within a tag"],
)
@pytest.mark.parametrize(("suffix", "options"), [(".png", {}), (".jpg", {"dpi": (72, 72)})])
def test_damaged_exif_is_nobodys_business(tmp_path, exif, suffix, options):
    """An image whose EXIF is damaged is read, and no library's warning reaches the user."""
    path = save(tmp_path / f"photo{suffix}", page(), exif=b"Exif\0\0" + exif, quality=95, **options)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fitted = fit(path)
    assert fitted.max() > 200
    assert [str(warning.message) for warning in caught] == []


def test_dark_on_light_is_light_on_dark():
    """Which of ink and ground is dark has no part in the answer."""
    dark_on_light, light_on_dark = page(0, 255), page(255, 0)
    expected = fit_image(light_on_dark, (28, 28))
    np.testing.assert_array_equal(fit_image(dark_on_light, (28, 28)), expected)
    np.testing.assert_array_equal(fit_image(dark_on_light, (28, 28), "yes"), expected)
    np.testing.assert_array_equal(fit_image(light_on_dark, (28, 28), "no"), expected)


def test_gray_on_gray_is_black_and_white():
    """Ink is stretched to full, whatever the pen and the paper."""
    np.testing.assert_array_equal(
        fit_image(page(100, 220), (28, 28)), fit_image(page(0, 255), (28, 28))
    )


@pytest.mark.parametrize(("image", "invert"), [(page(0, 255), "no"), (page(255, 0), "yes")])
def test_the_wrong_way_round_shows_no_drawing(image, invert):
    """Ink darker than its ground is none to who says that ink is light."""
    with pytest.raises(InputError, match="no drawing"):
        fit_image(image, (28, 28), invert)


@pytest.mark.parametrize("factor", [1, 3, 7])
@pytest.mark.parametrize("corner", [(1, 1), (40, 11)])
def test_a_bar_is_scaled_into_the_box_and_centred(factor, corner):
    """A bar of 40 x 20 becomes 20 x 10 in the middle of 28 x 28, wherever it stood."""
    left, top = corner
    image = Image.new("L", (100 * factor, 80 * factor), 255)
    box = (left * factor, top * factor, (left + 20) * factor, (top + 40) * factor)
    image.paste(0, box)
    fitted = fit_image(image, (28, 28))
    assert fitted[4:24].sum() == fitted.sum() == 255 * 20 * 10
    assert np.flatnonzero(fitted[4]).tolist() in [[*range(9, 19)], [*range(10, 20)]]


@pytest.mark.parametrize(
    ("shape", "rows", "columns"), [((56, 56), 40, 20), ((32, 28), 20, 10), ((28, 40), 20, 10)]
)
def test_other_sizes_keep_the_proportions_of_mnist(shape, rows, columns):
    """The box is 20 of 28 parts of the shorter side."""
    image = Image.new("L", (60, 80), 255)
    image.paste(0, (20, 20, 40, 60))
    ink = fit_image(image, shape) > 0
    assert ink.shape == shape
    assert (ink.any(axis=1).sum(), ink.any(axis=0).sum()) == (rows, columns)
    assert ink.sum() == rows * columns


@FEW
@hypothesis.given(
    index=st.integers(0, 999),
    scale=st.floats(0.7, 6),
    left=st.integers(3, 60),
    top=st.integers(3, 60),
    dark=st.booleans(),
)
def test_real_digits_are_centred_by_mass(mnist5k, index, scale, left, top, dark):
    """A digit anywhere on a page ends in a box of 20 x 20, its centre of mass in the middle."""
    side = round(28 * scale)
    digit = Image.fromarray(mnist5k.test_images[index]).resize((side, side))
    image = Image.new("L", (left + side + 9, top + side + 5), 0)
    image.paste(digit, (left, top))
    fitted = fit_image(Image.eval(image, lambda v: 255 - v) if dark else image, (28, 28))
    assert fitted.dtype == np.uint8
    mass = fitted.sum(dtype=float)
    rows, columns = np.indices((28, 28))
    assert abs((rows * fitted).sum() / mass - 14) <= 1
    assert abs((columns * fitted).sum() / mass - 14) <= 1
    inked = [np.flatnonzero(fitted.any(axis=axis)) for axis in (0, 1)]
    lengths = [places[-1] - places[0] + 1 for places in inked]
    assert 18 <= max(lengths) <= 20


def test_real_digits_stay_nearly_what_they_are(mnist5k):
    """MNIST's own digits were made so: fitting them again changes little."""
    digits = mnist5k.test_images[:200]
    fitted = np.stack([fit_image(Image.fromarray(digit), (28, 28)) for digit in digits])
    correlations = [
        np.corrcoef(before.ravel(), after.ravel())[0, 1] for before, after in zip(digits, fitted)
    ]
    assert np.mean(np.array(correlations) > 0.99) > 0.98


def test_digits_cut_at_their_edge(mnist5k):
    """However tightly a digit is cut out, of which a good part of the border may be, it is one."""
    alike = []
    for digit in mnist5k.test_images:
        rows, columns = (np.flatnonzero(digit.any(axis=axis)) for axis in (1, 0))
        cut = digit[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        whole, fitted = (fit_image(Image.fromarray(one), (28, 28)) for one in (digit, cut))
        alike.append(np.corrcoef(whole.ravel(), fitted.ravel())[0, 1])
    assert np.mean(np.array(alike) > 0.9) > 0.98


def test_a_thin_pen_leaves_a_mark():
    """A drawing that is many times larger than the model's image keeps its ink."""
    image = Image.new("L", (2400, 2400), 255)
    ImageDraw.Draw(image).line([(400, 400), (2000, 450), (900, 2000)], fill=0, width=3)
    assert fit_image(image, (28, 28)).max() >= 128


def test_two_specks_are_an_image_or_an_input_error():
    """Ink that scaling makes vanish is no reason to fail in another way."""
    image = Image.new("L", (2000, 2000), 255)
    image.putpixel((100, 100), 0)
    image.putpixel((1800, 1900), 0)
    try:
        fitted = fit_image(image, (28, 28))
    except InputError:
        return
    assert fitted.max() > 0


@pytest.mark.parametrize("ground", [0, 255, 128])
@pytest.mark.parametrize("size", [(1, 1), (30, 40)])
def test_a_blank_page_is_an_input_error(ground, size):
    """Nothing is drawn on a page of one colour."""
    with pytest.raises(InputError, match="no drawing"):
        fit_image(Image.new("L", size, ground), (28, 28))


def test_faint_noise_is_blank():
    """Paper that is not quite even shows no drawing."""
    noise = np.random.default_rng(0).integers(240, 256, (40, 40)).astype(np.uint8)
    with pytest.raises(InputError, match="no drawing"):
        fit_image(Image.fromarray(noise), (28, 28))


def test_colour_models_get_the_whole_image():
    """For a model of colour images nothing is cropped, and inverted only where it is asked for."""
    image = Image.new("RGB", (64, 48), (250, 10, 20))
    image.paste((0, 200, 0), (0, 0, 64, 24))
    fitted = fit_image(image, (32, 32, 3))
    assert fitted.shape == (32, 32, 3)
    assert fitted.dtype == np.uint8
    assert fitted[0, 0].tolist() == [0, 200, 0]
    assert fitted[31, 31].tolist() == [250, 10, 20]
    inverted = fit_image(image, (32, 32, 3), "yes")
    assert np.abs(inverted.astype(int) - (255 - fitted.astype(int))).max() <= 1  # of rounding


def test_gray_models_of_other_things_get_the_whole_image():
    """For a gray model of no digits the image is resized, ground and all."""
    fitted = fit_image(page(30, 200), (24, 18), as_digit=False)
    assert fitted.shape == (24, 18)
    assert fitted[0, 0] == 200
    assert fitted.min() < 60
    inverted = fit_image(page(30, 200), (24, 18), "yes", as_digit=False)
    assert np.abs(inverted.astype(int) - (255 - fitted.astype(int))).max() <= 1  # of rounding
    for invert in ("auto", "no"):
        again = fit_image(page(30, 200), (24, 18), invert, as_digit=False)
        np.testing.assert_array_equal(again, fitted)


def png_header(width, height):
    """A PNG that claims a size and holds next to nothing."""

    def chunk(kind, content):
        checksum = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + checksum

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(100)))
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")


def bmp_header(width, height):
    """A BMP that claims a size and holds nothing."""
    information = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + information


@pytest.mark.parametrize(
    "sides", [(60000, 60000), (11000, 9000), (8000, 7000)], ids=["huge", "large", "56M"]
)
@pytest.mark.parametrize("header", [png_header, bmp_header])
def test_decompression_bombs_are_refused_by_their_header(tmp_path, monkeypatch, header, sides):
    """A file that claims too many pixels is refused before any is decoded."""
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda image: pytest.fail("decoded"))
    path = tmp_path / "bomb.png"
    path.write_bytes(header(*sides))
    assert_unreadable(path, "pixels")


def assert_unreadable(path, *words):
    """The file is an `InputError` of one line that names it and has the words."""
    with pytest.raises(InputError) as caught:
        read_image(path)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    assert [word for word in (str(path), *words) if word not in message] == []


def test_missing_file(tmp_path):
    """The error names the file."""
    assert_unreadable(tmp_path / "none.png", "No such file")


def test_empty_file(tmp_path):
    """The error says that it is empty."""
    (tmp_path / "empty.png").touch()
    assert_unreadable(tmp_path / "empty.png", "empty")


def test_directory(tmp_path):
    """A directory is not an image."""
    assert_unreadable(tmp_path)


@pytest.mark.parametrize("content", [b"\0", b"not an image", b"GIF89a", bytes(5000)])
def test_not_an_image(tmp_path, content):
    """The error says what is expected."""
    (tmp_path / "text.png").write_bytes(content)
    assert_unreadable(tmp_path / "text.png", "PNG, JPEG, BMP")


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "PPM", "WEBP"])
def test_other_formats_are_not_read(tmp_path, kind):
    """Only the three formats are ever handed to a decoder, whatever the name says."""
    page().save(tmp_path / "image.png", kind)
    assert_unreadable(tmp_path / "image.png", "PNG, JPEG, BMP")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP"])
def test_truncated_files(tmp_path, kind):
    """A file that ends too soon is an error, wherever it ends before its last pixels."""
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    page().save(whole, kind)
    content = whole.read_bytes()
    for length in np.linspace(1, 0.8 * len(content), 40).astype(int):
        cut.write_bytes(content[:length])
        assert_unreadable(cut)


@pytest.mark.parametrize(
    ("kind", "mode"), [("PNG", "L"), ("PNG", "P"), ("JPEG", "RGB"), ("BMP", "P"), ("BMP", "RGB")]
)
@FEW
@hypothesis.given(data=st.data())
def test_damaged_files_are_images_or_input_errors(tmp_path, data, kind, mode):
    """Whatever bytes are changed, nothing but an `InputError` comes out."""
    path = tmp_path / "image"
    Image.eval(page(), lambda value: value).resize((30, 40)).convert(mode).save(path, kind)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        assert fit(path).shape == (28, 28)
    except InputError as error:
        assert len(str(error).splitlines()) == 1


def test_list_images(tmp_path):
    """Directories are searched for images, in order; files are taken as they are named."""
    (tmp_path / "deep" / "deeper").mkdir(parents=True)
    for name in ("b.png", "a.JPG", "notes.txt", "deep/deeper/c.bmp", "deep/d.jpeg"):
        (tmp_path / name).touch()
    (tmp_path / "._b.png").touch()
    (tmp_path / "deep" / ".thumbnails").mkdir()
    (tmp_path / "deep" / ".thumbnails" / "b.png").touch()
    (tmp_path / "directory.png").mkdir()
    found = list_images([tmp_path / "notes.txt", str(tmp_path), tmp_path / "missing.png"])
    assert [str(path.relative_to(tmp_path)) for path in found] == [
        "notes.txt",
        "a.JPG",
        "b.png",
        "deep/d.jpeg",
        "deep/deeper/c.bmp",
        "missing.png",
    ]


def test_a_chunk_without_content(tmp_path):
    """A PNG whose colour profile is empty and comes after the pixels is an image or an error."""
    path = tmp_path / "damaged.png"
    Image.new("L", (28, 28), 200).save(path)
    whole = path.read_bytes()
    end = whole.index(b"IEND") - 4
    chunk = struct.pack(">I", 0) + b"iCCP" + struct.pack(">I", zlib.crc32(b"iCCP"))
    path.write_bytes(whole[:end] + chunk + whole[end:])
    with pytest.raises(InputError, match="which cannot be read"):
        read_image(path)


def test_transparency_of_16_bits(tmp_path):
    """The value that a PNG says is transparent is white."""
    path = tmp_path / "sixteen.png"
    image = Image.fromarray(np.array([[1000, 30000], [65535, 0]], np.uint16))
    image.save(path, transparency=1000)
    np.testing.assert_array_equal(read_image(path), [[255, 117], [255, 0]])
