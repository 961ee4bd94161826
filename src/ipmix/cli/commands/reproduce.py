"""``ipmix reproduce list | show | run | status | table``: the paper's tables, from nothing or from results."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ipmix.cli.words import Assignment, once
from ipmix.core.terminal import say, tell

if TYPE_CHECKING:
    from ipmix.experiment.studies.carrying_out import Manner
    from ipmix.experiment.studies.results import Job, Results
    from ipmix.experiment.studies.study import Study

OUT = Path("studies")

LONG_SECONDS = 24 * 3600.0
"""A cell that takes longer than this is begun only with --yes."""


def list_studies() -> None:
    """The studies: the paper's tables and figures, and this project's own."""
    from ipmix.core.progress import counted
    from ipmix.experiment.studies.study import open_study, study_names

    width = max(map(len, study_names()))
    for name in study_names():
        study = open_study(name)
        cells = counted(len(study.config.cells), "cell")
        say(f"{name:<{width}}  {study.config.title} ({cells}; {', '.join(study.scales)})\n")


def show(name: str, /, *, markdown: bool = False, trust: bool = False) -> None:
    """What a study asks, the paper's figures (misprints corrected and marked), its cells and scales.

    Args:
        name: The study, or a file of your own (.yaml).
        markdown: The figures as a Markdown table.
        trust: Let a file of your own name code (module:Name), which is then run.
    """
    import yaml  # type: ignore[import-untyped]

    from ipmix.core.errors import plain
    from ipmix.core.progress import counted
    from ipmix.experiment.studies.rendering import paper_table
    from ipmix.experiment.studies.study import open_study

    study = open_study(name, trust=trust)
    if study.source != study.name:  # what can't be run is no study to show; the package's own can
        _check_cells(study)
    write = partial(say, lines=True)
    write(f"{study.name}: {plain(study.config.title)}\n")
    if study.config.text:
        write(f"\n{study.config.text}\n")
    if study.config.paper is not None:
        write(f"\nThe paper, {study.config.paper.where} ({study.config.paper.measured_on}):\n\n")
        write(paper_table(study, markdown=markdown) + "\n")
        for note in study.config.paper.notes:
            write(f"- {note}\n")
    write("\nCells, and what differs from the base:\n")
    for cell, changes in study.config.cells.items():
        words = yaml.safe_dump(changes, default_flow_style=True, width=1000).strip() if changes else "nothing"
        write(f"  {cell}: {words}\n")
    write("\nScales:\n")
    for scale, at in study.scales.items():
        cells = counted(len(study.cells(scale)), "cell")
        write(f"  {scale}: {at.text} ({cells}; measures {', '.join(study.passes(scale))})\n")


def _check_cells(study: "Study") -> None:
    from ipmix.experiment.studies.carrying_out import check_settings
    from ipmix.experiment.studies.results import jobs

    for scale in study.scales:
        for job in jobs(study, scale, (0,)):
            check_settings(job)


def status(name: str | None = None, /, *, out: Path = OUT, trust: bool = False) -> None:
    """What there is of each study: results, cells at work, cells that were interrupted.

    Args:
        name: Only this study, or file of your own (.yaml).
        out: The folder of results.
        trust: Let a file of your own name code (module:Name), which is then run.
    """
    from ipmix.experiment.studies.results import Results
    from ipmix.experiment.studies.state import states
    from ipmix.experiment.studies.study import open_study

    _check_folder(out, "(--out); ipmix reproduce run makes it")
    study = None if name is None else open_study(name, trust=trust)
    lines = states(out, Results([out]), study)
    nothing = f"{out} holds no results {'yet' if study is None else f'of {study.name} yet'}\n"
    for line in lines:
        say(f"{line}\n")
    if not lines:
        say(nothing)


def table(
    name: str,
    /,
    folders: list[Path] = [],  # noqa: B006
    *,
    scale: str = "laptop",
    seeds: tuple[int, ...] = (),
    cells: tuple[str, ...] = (),
    out: Path = OUT,
    format: Literal["text", "markdown", "csv", "json"] = "text",
    paper: bool = True,
    plot: Path | None = None,
    plane: tuple[str, ...] = (),
    force: bool = False,
    trust: bool = False,
) -> None:
    """The paper's table beside ours: means and deviations over seeds, and where our order differs.

    Args:
        name: The study, or a file of your own (.yaml).
        folders: Folders of results besides --out, as from other machines.
        scale: The scale: laptop, paper or another that the study has.
        seeds: Over these seeds; if left out, over all that any row but the one compared with has.
        cells: Only these cells.
        out: The folder of results.
        format: text, markdown, csv or json.
        paper: In text, Markdown and plots the paper's figures too; --no-paper leaves ours alone.
        plot: Draw it as well, to this file (.png, .pdf, .svg; needs matplotlib): a panel for each measure.
        plane: In the plot one measure against another instead, such as clean_error,mean_corruption_error.
        force: Replace the file of --plot if it exists.
        trust: Let a file of your own name code (module:Name), which is then run.
    """
    from ipmix.core.errors import InputError
    from ipmix.experiment.studies.comparing import compare
    from ipmix.experiment.studies.plotting import check_plot
    from ipmix.experiment.studies.plotting import plot as draw
    from ipmix.experiment.studies.rendering import rendered
    from ipmix.experiment.studies.results import Results
    from ipmix.experiment.studies.study import open_study

    seeds = tuple(dict.fromkeys(seeds))
    study = open_study(name, trust=trust)
    study.cells(scale, cells)  # wrong names first
    if plot is not None:
        check_plot(plot, study.config.measures, plane, force=force)
    elif plane:
        raise InputError("--plane says what --plot FILE draws; pass that too")
    for folder in (*folders, *([] if folders and out == OUT else [out])):
        _check_folder(folder, f"of results; ipmix reproduce run {name} --out {folder} makes it")
    results = Results([out, *folders])
    comparison = compare(study, scale, seeds, results, cells)
    if not comparison.found:
        raise InputError(_no_results(study, scale, seeds, cells, results, name))
    if plot is not None:
        draw(comparison, plot, plane, paper=paper, force=force)
        tell(f"wrote {plot}\n")
    say(rendered(comparison, format, paper=paper), lines=True)


def _check_folder(path: Path, otherwise: str) -> None:
    """Raise :class:`InputError` unless there is a folder of this name; ``otherwise``: of what, and how it is made."""
    from ipmix.core.errors import InputError

    if path.exists() and not path.is_dir():
        raise InputError(f"{path} is a file; expected a folder of results")
    if not path.is_dir():
        raise InputError(f"there is no folder {path} {otherwise}")


def _no_results(
    study: "Study", scale: str, seeds: tuple[int, ...], cells: tuple[str, ...], results: "Results", name: str
) -> str:
    """That there is nothing to make a table of, and what there is."""
    from ipmix.experiment.studies.comparing import seeds_of
    from ipmix.experiment.studies.rendering import seed_words

    what = f"there are no results of {study.name} at scale {scale}"
    what += f" of {'cell' if len(cells) == 1 else 'cells'} {', '.join(cells)}" if cells else ""
    if seeds and (there := seeds_of(study, scale, results, cells)):
        return f"{what} with {seed_words(seeds)}; there are with {seed_words(there)}"
    at = "" if scale == "laptop" else f" --scale {scale}"
    made = f"{what} yet: ipmix reproduce run {name}{at} makes them"
    return f"{made}, and reproduce show {name} has the paper's figures" if study.paper else made


def run(
    name: str,
    /,
    *,
    scale: str = "laptop",
    seeds: tuple[int, ...] = (0,),
    cells: tuple[str, ...] = (),
    jobs: int = 2,
    threads: int = 1,
    shard: str = "1/1",
    data: Path | None = None,
    folder: tuple[Assignment, ...] = (),
    download: bool = False,
    out: Path = OUT,
    keep_weights: bool = False,
    device: Literal["auto", "cpu"] = "auto",
    estimate: bool = True,
    dry: bool = False,
    yes: bool = False,
    force: bool = False,
    here: bool = False,
    trust: bool = False,
    quiet: bool = False,
) -> int:
    """Run the cells of a study that are missing, each in a process of its own; started again, it goes on.

    Before it starts it says which cells, how long they will take here, and how much room they need.

    Args:
        name: The study (see ipmix reproduce list), or a file of your own (.yaml).
        scale: At which size: laptop, paper or another that the study has.
        seeds: One run of each cell for each of these.
        cells: Only these cells.
        jobs: How many cells at a time.
        threads: Of each process; one gives the same figures on any processor of a kind.
        shard: i/n runs the i-th of n parts of the work, each on a machine of its own.
        data: The folder of images (with train and test in it), or one that holds cifar10, cifar100, imagenet.
        folder: A folder that the study names, such as photos=DIR.
        download: Fetch CIFAR if it is missing.
        out: The folder of results.
        keep_weights: Keep each cell's last network beside its result.
        device: auto takes an accelerator if there is one.
        estimate: Measure this machine first, for at most a minute, to say how long it will take, and ask for --yes
            if that is more than a day a cell.
        dry: Say what would be done, and stop.
        yes: Begin also what will take days.
        force: Replace results of other settings in --out.
        here: Run the cells in this process, one after the other, as under torchrun.
        trust: Let a file of your own name code (module:Name) as method, network, corruption or measure, which is then
            run.
        quiet: Show no progress.
    """
    from ipmix.core.checking import check_count, check_threads, parse_shard
    from ipmix.core.errors import InputError
    from ipmix.core.progress import counted
    from ipmix.core.torchrun import check_meeting, is_first, process_count
    from ipmix.experiment.studies.carrying_out import carry_out, check_settings, sweep_killed
    from ipmix.experiment.studies.results import Results, refuse_other
    from ipmix.experiment.studies.results import jobs as jobs_of
    from ipmix.experiment.studies.running import Stopped, run_jobs
    from ipmix.experiment.studies.study import open_study

    check_count("--jobs", jobs, 1)
    check_threads(threads)
    if not seeds:
        raise InputError("--seeds is empty; give at least one, such as 0,1,2")
    part, parts = parse_shard(shard)
    check_meeting()
    seeds = tuple(dict.fromkeys(seeds))
    study = open_study(name, trust=trust)
    here = here or process_count() > 1
    if study.config.kind == "epoch_time" and jobs > 1:
        tell(f"{study.name} measures time: one cell at a time\n")
        jobs = 1
    manner = _manner(study, scale, data, folder, download, device, threads, keep_weights, force, trust, quiet)
    every = jobs_of(study, scale, seeds, cells)[part - 1 :: parts]
    there = Results([out])
    todo = [job for job in every if there.of(job, weights=job.needs_weights) is None]
    for job in todo:
        check_settings(job)
        if not force:
            refuse_other(job, out)
        manner.places.check_there(manner.places.experiment(job.experiment, manner.sources))
    first = is_first()
    if first and not dry:
        sweep_killed([job for job in every if job not in todo], every, out)
    if here and not dry:
        for job in todo:
            carry_out(job, out, manner)
        return 0
    if first and not quiet:
        tell(
            f"{study.name} at scale {scale}: {counted(len(every), 'cell')}"
            f"{f' (part {shard})' if parts > 1 else ''}, {len(every) - len(todo)} done, {len(todo)} to do\n"
        )
    if not todo:
        return _finish(study, every, out, manner)
    if estimate and not _announce(todo, manner, device, jobs, out, threads, yes or dry):
        return 2
    if dry and not estimate:
        for job in todo:
            tell(f"  {job.name}\n")
    if dry:
        return 0
    words = _words(data, folder, download, device, threads, keep_weights, force, trust)
    try:
        failed = run_jobs(todo, out, words, jobs=jobs, threads=threads, quiet=quiet)
    except Stopped:
        tell("stopped; the same command goes on\n")
        return 130
    for ended in failed:
        tell(f"{ended.job.name}: {ended.reason}\n")
    return 1 if failed else _finish(study, every, out, manner)


def _finish(study: "Study", every: "list[Job]", out: Path, manner: "Manner") -> int:
    """What is made of all cells together: the page of Figure 1."""
    if study.config.kind == "attention":
        from ipmix.experiment.studies.attention import write_attention

        say(f"open {write_attention(study, every, out, manner)}\n")
    return 0


def _manner(
    study: "Study", scale: str, data: Path | None, folder: tuple[Assignment, ...], download: bool,
    device: Literal["auto", "cpu"], threads: int, keep: bool, force: bool, trust: bool, quiet: bool,
) -> "Manner":  # fmt: skip
    from ipmix.core.errors import InputError
    from ipmix.experiment.config import ExecutionConfig
    from ipmix.experiment.studies.carrying_out import Manner
    from ipmix.experiment.studies.places import Places

    folders = {key: Path(value) for key, value in once(folder, "--folder").items()}
    if idle := sorted(folders.keys() - study.folders):
        raise InputError(
            f"--folder {idle[0]}=... does nothing here: {study.name} names "
            f"{'only ' + ', '.join(sorted(study.folders)) if study.folders else 'no folder'}"
        )
    sources = {study.experiment(cell, scale, 0).data.source for cell in study.cells(scale)}
    return Manner(
        Places(data, folders, download),
        tuple(sorted(sources)),
        ExecutionConfig(device=device, threads=threads, quiet=quiet),
        keep or study.config.kind == "attention",
        force,
        trust,
    )


def _words(
    data: Path | None, folder: tuple[Assignment, ...], download: bool, device: str, threads: int, keep: bool,
    force: bool, trust: bool,
) -> list[str]:  # fmt: skip
    words = ["--device", device, "--threads", str(threads)]
    words += [] if data is None else ["--data", str(data)]
    for key, value in folder:
        words += ["--folder", f"{key}={value}"]
    for name, wanted in (("--download", download), ("--keep-weights", keep), ("--force", force),
                         ("--trust", trust)):  # fmt: skip
        words += [name] if wanted else []
    return words


def _announce(todo: "list[Job]", manner: "Manner", device: str, jobs: int, out: Path, threads: int, yes: bool) -> bool:
    """Say how long it will take and what room it needs; whether to go on."""
    import shutil

    import torch

    from ipmix.core.errors import InputError
    from ipmix.experiment.studies.estimating import estimates, long_words

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        found = estimates(todo, lambda job: manner.places.experiment(job.experiment, manner.sources), device)
    finally:
        torch.set_num_threads(before)
    for job, one in zip(todo, found, strict=True):
        tell(f"  {job.name}: about {long_words(one.seconds)}\n")
    total = sum(one.seconds for one in found) / min(jobs, len(todo))
    most = max(one.seconds for one in found)
    largest = sorted((one.bytes for one in found), reverse=True)[:jobs]
    tell(
        f"about {long_words(total)} in all with {jobs} at a time on this machine "
        f"({'processor' if device == 'cpu' or not torch.cuda.is_available() else torch.cuda.get_device_name()}), "
        f"about {sum(largest) / 2**20:.0f} MB on the disk while they run\n"
    )
    if compiling := {job.experiment.method.name for job in todo} - {"none"}:
        tell(
            "not counted: the first run on a machine compiles as well, about half a minute for "
            f"{'the method' if len(compiling) == 1 else f'each of {len(compiling)} methods'}\n"
        )
    where = next(path for path in (out, *out.absolute().parents) if path.exists())
    free = shutil.disk_usage(where).free
    if free < sum(largest):
        raise InputError(f"{out}: {free / 2**20:.0f} MB are free, and the cells need {sum(largest) / 2**20:.0f} MB")
    if most > LONG_SECONDS and not yes:
        tell(f"about {long_words(most)} a run: pass --yes to begin all the same, or choose another --scale\n")
        return False
    return True


COMMANDS = {"list": list_studies, "show": show, "run": run, "status": status, "table": table}
