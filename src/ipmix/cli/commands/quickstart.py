"""``ipmix quickstart``: a plain and an IPMix network, trained alike, measured alike, on one page."""

from pathlib import Path
from typing import Literal

from ipmix.core.terminal import tell


def quickstart(
    *,
    data: str = "digits",
    seed: int = 0,
    out: Path = Path("quickstart"),
    model: str = "wrn-10-1",
    epochs: int = 16,
    jsd: bool = False,
    size: int = 32,
    train_images: int = 5000,
    test_images: int = 1000,
    device: Literal["cpu", "auto"] = "cpu",
    force: bool = False,
    quiet: bool = False,
) -> None:
    """Train a small network plainly and with IPMix, measure both, and write a page that compares them.

    Needs no download and about two minutes: scikit-learn's handwritten digits are the default. Prints a table;
    writes report.html, results.json and both networks to --out.

    Args:
        data: digits, cifar10, cifar100, or a folder (train/<class>/<image>, test/<class>/<image>).
        seed: Of everything random; on a CPU the same seed gives the same figures.
        out: The folder to write to.
        model: The network: wrn-D-W, resnet-18-cifar, ... (see ipmix train).
        epochs: Passes over the training images, the same for both networks.
        jsd: Train IPMix with the Jensen-Shannon loss of the paper's headline results (three times the time).
        size: The side that images are brought to.
        train_images: The most images to train on; more are thinned evenly.
        test_images: The most images to test on.
        device: cpu, or auto to take an accelerator if there is one.
        force: Replace what is in --out.
        quiet: Show no progress.
    """
    from ipmix.experiment.quickstart import QuickstartConfig
    from ipmix.experiment.quickstart import quickstart as run

    settings = QuickstartConfig(
        data=data,
        seed=seed,
        model=model,
        epochs=epochs,
        jsd=jsd,
        size=size,
        train_images=train_images,
        test_images=test_images,
    )
    try:
        run(settings, out, force=force, device=device, quiet=quiet)
    except KeyboardInterrupt:
        tell("\n")
        tell(f"stopped; what is in {out} is unfinished, and --force starts anew\n")
        raise
