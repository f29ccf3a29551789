"""`python -m kefu_core.storage.thumbnail SOURCE TARGET`: a process that may die.

It decodes one untrusted picture within limits that the system enforces, writes a small
WebP and tells in JSON what it was. Any other end than 0 means: no picture.
"""

import json
import sys
import warnings

PIXELS_MAX = 40_000_000
"""Before anything is decoded: a camera's picture has 12 to 24 million."""
SIDE_MAX = 640
"""Of the small picture: sharp at 320 on screens with twice the dots."""
MEMORY_BYTES_MAX = 1_073_741_824
CPU_S_MAX = 10
FORMATS = {"PNG": "image/png", "JPEG": "image/jpeg", "GIF": "image/gif"} | {
    "WEBP": "image/webp"
}


def limit_self() -> None:
    """Let the system end this process where it takes too much."""
    try:
        import resource
    except ModuleNotFoundError:  # Windows has no such limits.
        return
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES_MAX, MEMORY_BYTES_MAX))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S_MAX, CPU_S_MAX))


def shrink(source: str, target: str) -> dict[str, int | str]:
    """Write the small picture; return what the large one is."""
    from PIL import Image, ImageOps

    Image.MAX_IMAGE_PIXELS = PIXELS_MAX
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    with Image.open(source, formats=tuple(FORMATS)) as opened:
        kind = FORMATS[opened.format or ""]
        sides = opened.size
        # Decodes at a fraction of the size where the format can.
        opened.draft("RGB", (2 * SIDE_MAX, 2 * SIDE_MAX))
        opened.load()
        is_turned = opened.getexif().get(0x0112, 1) in {5, 6, 7, 8}
        picture = ImageOps.exif_transpose(opened)
    has_alpha = "A" in picture.getbands() or "transparency" in picture.info
    # A new picture: nothing that stood beside the pixels comes along.
    plain = picture.convert("RGBA" if has_alpha else "RGB")
    plain.thumbnail((SIDE_MAX, SIDE_MAX))
    plain.info.clear()
    plain.save(target, "WEBP", quality=80, exif=b"", icc_profile=b"", xmp=b"")
    width, height = reversed(sides) if is_turned else sides
    return {"width": width, "height": height, "media_type": kind}


def main() -> None:
    """Run; every failure is an end with another code than 0."""
    limit_self()
    sys.stdout.write(json.dumps(shrink(sys.argv[1], sys.argv[2])))


if __name__ == "__main__":
    main()
