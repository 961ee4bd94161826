"""The one resize-and-crop of whole images: torchvision's ``Resize`` and ``CenterCrop``, to the byte, on Pillow images.

(Training's random crops are another thing: ``ipmix.training.cropping``. Mixing images are brought to their square by
``ipmix.mixing_set.folder.fit``, whose rounding the published hashes of mixing sets contain.)
"""

from PIL import Image

from ipmix.core.errors import InputError

IMAGENET_CROP = 224 / 256
"""The share of the shorter side that ImageNet's protocol keeps: 256 pixels are resized to, 224 are left."""

PIXELS_MOST = 2**27
"""The most pixels of a resized image: a line of one pixel's width would grow beyond any memory."""


def resize_and_crop(
    image: Image.Image,
    size: int,
    crop: float = 1.0,
    resample: Image.Resampling = Image.Resampling.BILINEAR,
) -> Image.Image:
    """The middle ``size`` x ``size`` pixels of an image whose shorter side was brought to ``size / crop``.

    Equal to torchvision's ``Compose([Resize(outer_side(size, crop), resample), CenterCrop(size)])``: the longer side
    is cut to a whole number, the margins are halved and rounded to the even number.

    Args:
        image: in any mode that Pillow can resize.
        size: the side of the result, in pixels.
        crop: the share of the shorter side that is kept, in (0, 1]; 1 keeps all of it.
        resample: how to interpolate (anti-aliased).

    Raises:
        InputError: the image is so long and thin that the resized one would have more than 2**27 pixels.
    """
    outer = outer_side(size, crop)
    width, height = image.size
    wide, high = (outer, int(outer * height / width)) if width <= height else (int(outer * width / height), outer)
    if wide * high > PIXELS_MOST:
        raise InputError(
            f"an image of {width}x{height} pixels would become {wide}x{high}; crop it to another form first, or "
            "choose a smaller size"
        )
    if (wide, high) != (width, height):
        image = image.resize((wide, high), resample)
    if (wide, high) == (size, size):
        return image
    left, top = round((wide - size) / 2.0), round((high - size) / 2.0)
    return image.crop((left, top, left + size, top + size))


def outer_side(size: int, crop: float) -> int:
    """What the shorter side is brought to before ``size`` pixels are cut out: ``size / crop``, rounded down.

    As the published weights of torchvision (256 for 224 and 0.875) and of timm (248 for 224 and 0.9) were measured.
    """
    # A share that was itself computed as size / outer may lead to a hair below that outer.
    return max(size, int(size / crop + 1e-6))
