"""``ipmix train``: a classifier from a folder of images, CIFAR or digits."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from ipmix.cli.commands.choosing import MethodWords
from ipmix.cli.words import with_defaults
from ipmix.core.errors import refuse_idle
from ipmix.core.terminal import say, tell
from ipmix.core.threads import default_threads
from ipmix.core.torchrun import is_first, process_count
from ipmix.experiment.config import DataConfig, ExecutionConfig, ExperimentConfig, MixingConfig
from ipmix.training.config import TrainingConfig


@dataclass(frozen=True)
class DataWords(DataConfig):
    """The images."""

    source: Annotated[Positional[str], arg(metavar="DATA")]


@dataclass(frozen=True)
class MixingWords(MixingConfig):
    """The images that IPMix and PixMix mix in."""

    folder: Annotated[str | None, arg(name="mixing-set", metavar="PATH")] = MixingConfig.folder
    count: Annotated[int, arg(name="mixing-count")] = MixingConfig.count
    seed: Annotated[int, arg(name="mixing-seed")] = MixingConfig.seed
    mix: Annotated[str | None, arg(name="mixing-kinds", metavar="KIND=COUNT,...")] = MixingConfig.mix


OLD_WORDS = {
    "--learning-rate": "--lr",
    "--minimum-learning-rate": "--min-lr",
    "--smoothing": "--label-smoothing",
    "--average": "--ema-decay",
}
"""What options were called before; still understood."""


def chosen_by(words: Sequence[str]) -> Callable[..., None]:
    """The command, its training settings beginning with the preset that the words name (the last, if several)."""
    names = []
    for word, following in zip(words, [*words[1:], ""]):
        option, equals, value = word.partition("=")
        if option.replace("_", "-") == "--training-preset":
            names.append(value if equals else following)
    if not names:
        return train
    return with_defaults(train, training=TrainingConfig.preset(names[-1]))


def train(
    data: DataWords,
    *,
    out: Path,
    training_preset: str | None = None,
    training: TrainingConfig = TrainingConfig(),
    method: MethodWords = MethodWords(),
    mixing: MixingWords = MixingWords(),
    execution: ExecutionConfig = ExecutionConfig(),
    processes: int = 1,
) -> None:
    """Train a classifier; the last and the best epoch are kept, and an interrupted run can be resumed.

    Several processes train together, started here (--processes) or, on several machines, by torchrun.

    Args:
        out: The run's folder: networks, figures, and what --resume needs.
        training_preset: Settings of training that go together, by name, such as fast-cifar; single ones given beside it
            replace them. With --help, the help shows them.
        processes: Processes of this machine: one for each GPU; on a CPU, one for each core is fastest. BatchNorm sees
            each one's share of a batch, so another number gives other figures.
    """
    from ipmix.experiment import run

    _refuse_idle_mixing(mixing, method)
    experiment = ExperimentConfig(DataConfig(**asdict(data)), method.config(), MixingConfig(**asdict(mixing)), training)
    outcome = run.train(experiment, out, execution)
    if "test_error" in outcome.last and is_first():
        for label, row in (("last", outcome.last), ("best", outcome.best)):
            where = out / f"{label}.safetensors"
            if label == "best" and not where.exists():
                say("best: none, since no epoch's test loss was a number\n")
                continue
            say(f"{label}: epoch {row['epoch']}, test error {row['test_error']:.2f}%  ({where})\n")
    say(f"Measure it: ipmix evaluate {out} {data.source} --out FOLDER\n")
    if processes == 1 and not execution.quiet:
        _suggest_processes()


def _suggest_processes() -> None:
    """Say that several processes are faster on a processor: the default can't be, figures would differ by machine."""
    import torch

    cores = default_threads()
    if cores > 1 and process_count() == 1 and not torch.accelerator.is_available():
        tell(f"one process trained; with --processes {cores} this machine is faster (docs/training.md)\n")


def _refuse_idle_mixing(mixing: MixingWords, method: MethodWords) -> None:
    """What mixing images are made of can't matter to a method without them, nor where they are given."""
    usual = MixingConfig()
    idle = {
        "--mixing-count": mixing.count != usual.count,
        "--mixing-seed": mixing.seed != usual.seed,
        "--mixing-kinds": mixing.mix is not None,
    }
    chosen = method.chosen()
    if chosen is None or not chosen.needs_mixing_images:
        refuse_idle(idle, f"{method.method} mixes no images in")
    elif mixing.folder is not None:
        refuse_idle(idle, "the images of --mixing-set are mixed in, and none is generated")
