"""``ipmix experiment``: run an experiment file."""

from pathlib import Path

from ipmix.cli.words import Assignment, once
from ipmix.experiment.config import ExecutionConfig, ExperimentConfig


def experiment(
    file: Path,
    /,
    *,
    out: Path,
    set: tuple[Assignment, ...] = (),
    evaluate: bool = True,
    trust: bool = False,
    execution: ExecutionConfig = ExecutionConfig(),
    processes: int = 1,
) -> None:
    """Run an experiment file: train, measure the last and the best epoch, record everything in results.json.

    Args:
        file: The experiment, YAML; see the folder experiments.
        out: The folder for the run.
        set: Replace a setting, such as training.epochs=10 or data.source=images/mine.
        evaluate: Measure the networks after training.
        trust: Let the file name code of its own (module:Name) as method, corruptions or measures, which is then run.
        processes: Processes of this machine: one for each GPU; on a CPU, one for each core is fastest. BatchNorm sees
            each one's share of a batch, so another number gives other figures.
    """
    from ipmix.core.errors import InputError
    from ipmix.experiment import config_file
    from ipmix.experiment.run import check, run_experiment

    settings = config_file.read(ExperimentConfig, file, once(set, "--set"), trust=trust)
    try:
        check(settings)
    except InputError as error:
        raise InputError(f"{file}: {error}") from None
    run_experiment(settings, out, execution, names=("last", "best") if evaluate else ())
