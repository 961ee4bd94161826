"""``ipmix explore``: a page on this machine to play on."""

from pathlib import Path


def explore(
    image: Path | None = None,
    /,
    *,
    scorecard: Path | None = None,
    mixing_set: Path | None = None,
    host: str = "127.0.0.1",
    port: int = 8765,
    browser: bool = True,
) -> None:
    """Serve a page on this machine: drop an image, move a method's knobs, see what becomes of it.

    Three tabs: augmentations taken apart, corruptions by severity, a saved scorecard. It listens on 127.0.0.1 only and
    asks nothing of the network. Ctrl+C ends it.

    Args:
        image: The image to begin with; others can be dropped on the page.
        scorecard: Results to show: a folder of ipmix evaluate, quickstart or experiment, or a scorecard.json.
        mixing_set: A folder of images or a made mixing set to mix in; otherwise images that come with the package.
        host: 127.0.0.1 or localhost, which is the same; any other is refused.
        port: To listen on; 0 takes a free one.
        browser: Open the page; --no-browser only prints its address.
    """
    from ipmix.core.checking import check_count
    from ipmix.core.errors import InputError

    check_count("--port", port, 0, 65535)
    try:
        from ipmix.explore import serving
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in ("streamlit", "starlette", "uvicorn"):
            raise
        raise InputError(f'explore needs {error.name}, which is not installed: pip install "ipmix[explore]"') from None
    from ipmix.explore import scorecards, uploads, versions
    from ipmix.explore.beginning import beginning

    serving.checked_host(host)
    if image is not None:
        uploads.read_image(image, 224)
    if scorecard is not None:
        scorecards.page_of(scorecard)
    if mixing_set is not None:
        versions.mixing_images(mixing_set)
    beginning.image, beginning.scorecard, beginning.mixing_set = image, scorecard, mixing_set
    serving.serve(host, port, browser=browser)
