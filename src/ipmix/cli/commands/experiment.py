"""``ipmix experiment``: run an experiment file."""

from pathlib import Path
from typing import Literal


def experiment(
    file: Path,
    *,
    out: Path,
    set: dict[str, str] | None = None,
    evaluate: bool = True,
    root: Path | None = None,
    download: bool = False,
    threads: int = 1,
    device: Literal["auto", "cpu"] = "auto",
    checkpoint_seconds: float = 300.0,
    trackers: tuple[str, ...] = (),
    resume: bool = False,
    force: bool = False,
    quiet: bool = False,
) -> None:
    """Run an experiment file: train, measure the last and the best epoch, record everything in results.json.

    Args:
        file: The experiment, YAML; see the folder experiments.
        out: The folder for the run.
        set: Replace a setting, such as training.epochs=10 or data.source=images/mine.
        evaluate: Measure the networks after training.
        root: Where CIFAR's files lie.
        download: Fetch CIFAR if it is missing.
        threads: Threads of augmentation and corruptions; they don't change the result.
        device: auto takes an accelerator if there is one.
        checkpoint_seconds: Save the state this often, besides after each epoch.
        trackers: Where the figures go besides --out: tensorboard, or others that Accelerate knows.
        resume: Go on with the run in --out, if there is one.
        force: Replace the run in --out.
        quiet: Show no progress.
    """
    from ipmix.core.errors import InputError
    from ipmix.experiment import config_file
    from ipmix.experiment.config import ExperimentConfig
    from ipmix.experiment.run import run

    if resume and force:
        raise InputError("--resume goes on with a run and --force replaces it: pass one of them")
    run(
        config_file.read(ExperimentConfig, file, set),
        out,
        names=("last", "best") if evaluate else (),
        root=root,
        download=download,
        resume=resume,
        force=force,
        threads=threads,
        device=device,
        checkpoint_seconds=checkpoint_seconds,
        trackers=trackers,
        quiet=quiet,
    )
