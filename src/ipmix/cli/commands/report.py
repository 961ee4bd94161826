"""``ipmix report``: one page from the results of one or several evaluations."""

from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import arg

from ipmix.cli.words import Assignment, once
from ipmix.core.terminal import say


def report(
    results: Annotated[list[Path], arg(metavar="RESULT ...", help_behavior_hint="(at least one)")],
    /,
    *,
    out: Path = Path("report.html"),
    format: Literal["html", "markdown", "csv", "json", "model-card", "robustbench", "robustbench-claim"] | None = None,
    title: str | None = None,
    about: tuple[Assignment, ...] = (),
    fail_if_worse: bool = False,
    junit: Path | None = None,
    summary: Path | None = None,
    force: bool = False,
) -> int:
    """Compare evaluations side by side. The first is what the others are compared with.

    Runs on the same images under the same conditions are compared image by image; where settings differ there is no
    verdict, but a table of what differs.

    Args:
        results: Folders of ipmix evaluate or ipmix quickstart, or their scorecard.json and results.json.
        out: The file to write.
        format: What to write; told by --out's ending if left out (.html, .md, .csv, .json). A model card is a
            Hugging Face README.md with the scorecard in it; robustbench is an entry of RobustBench's model_info,
            robustbench-claim the text of a submission.
        title: The page's heading.
        about: For claims to RobustBench, what can't be measured: link, name, authors, venue, architecture,
            additional_data, footnote, dataset.
        fail_if_worse: Exit with code 1 if a run is decided to be worse than the first in one of the five measures.
        junit: Write the checks to this file as JUnit's XML, which CI systems read.
        summary: Write the checks and the table to this file in Markdown.
        force: Replace the file if it exists.
    """
    from ipmix.core.errors import refuse_idle
    from ipmix.core.files import refuse_existing, refuse_no_folder, write_text
    from ipmix.evaluation.gating import not_worse_than_the_first, refuse_unwritable, told
    from ipmix.evaluation.results import read_runs, told_apart
    from ipmix.report import exports, print_comparison
    from ipmix.report.comparison import compare_runs
    from ipmix.report.gates import Checked
    from ipmix.report.tables import unfinished_runs

    runs = told_apart([(Path(path), run) for path in results for run in read_runs(path)])
    refuse_existing(out, force=force)
    refuse_no_folder(out)
    refuse_unwritable(junit, summary)
    cards = [run.card for run in runs]
    comparisons = compare_runs(runs) if len(runs) > 1 else []
    checks = not_worse_than_the_first(comparisons) if fail_if_worse else Checked(())
    form = format or exports.format_of(out)
    if form not in ("html", "model-card"):
        refuse_idle({"--title": title is not None}, f"{form} has no heading")
    text = exports.rendered(cards, form, title=title, about=once(about, "--about") or None, comparisons=comparisons)
    write_text(out, text)
    say(f"wrote {out}{': open it in a browser' if form == 'html' else ''}\n")
    if comparisons:
        print_comparison(cards, comparisons=comparisons)
    else:
        for line in unfinished_runs(cards):
            say(f"{line}\n")
    return told(checks, runs, junit, summary)
