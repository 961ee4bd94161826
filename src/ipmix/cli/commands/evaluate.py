"""``ipmix evaluate``: the safety scorecard of a classifier."""

from pathlib import Path
from typing import Literal

from ipmix.cli.words import Repeated


def evaluate(
    model: str,
    data: str,
    /,
    *,
    out: Path,
    name: str | None = None,
    clean: str | None = None,
    split: str | None = None,
    size: int | None = None,
    crop: float | None = None,
    interpolation: Literal["bilinear", "bicubic"] | None = None,
    trim: int = 0,
    exif: bool = True,
    subset: str | None = None,
    class_map: str | None = None,
    restrict: bool = False,
    limit: int | None = None,
    corruptions: tuple[str, ...] = ("test",),
    severities: tuple[int, ...] = (1, 2, 3, 4, 5),
    form: Literal["original", "corrected"] = "original",
    perturbations: tuple[str, ...] = (),
    anomalies: Path | None = None,
    attack: bool = True,
    attack_images: int | None = None,
    epsilon: float = 2 / 255,
    steps: int = 20,
    step_size: float = 0.5 / 255,
    centre: Literal["clean", "noisy"] = "clean",
    norm: Literal["linf", "l2"] = "linf",
    restarts: int = 1,
    autoattack: bool = False,
    autoattack_images: int | None = None,
    autoattack_epsilon: float | None = None,
    baseline: Path | None = None,
    no_worse_than: float | None = None,
    fail_if: tuple[Repeated, ...] = (),
    junit: Path | None = None,
    summary: Path | None = None,
    own_measures: tuple[str, ...] = (),
    mean: tuple[float, ...] | None = None,
    std: tuple[float, ...] | None = None,
    classes: int | None = None,
    batch_size: int = 128,
    device: str = "auto",
    threads: int = 2,
    processes: int = 1,
    seed: int = 0,
    root: Path | None = None,
    trust: bool = False,
    skip_broken: bool = False,
    force: bool = False,
    quiet: bool = False,
) -> int:
    """Measure how safe a classifier is: clean, corrupted, attacked, and how far its confidence can be trusted.

    Prints a table; writes scorecard.json, report.html and the predictions to --out. Started again with the same
    words after an interruption, it goes on where it was.

    Args:
        model: A run's folder or .safetensors of ipmix train, timm:NAME[:FILE], torchvision:NAME[:FILE],
            wrn-D-W:FILE, a TorchScript, .pt2 or .onnx file, or module:function. FILE@ema takes the moving average
            of the weights in a checkpoint.
        data: A folder (<split>/<class>/<image> or <class>/<image>), cifar10, cifar100, digits, an .npz with
            images (uint8 [N, H, W, C]) and labels, a .npy of images beside labels.npy, WebDataset shards
            (part-{000..009}.tar), a Hugging Face data set (hf:NAME, hf:FOLDER), or corrupted images on the disk:
            CIFAR-10-C, ImageNet-C, C-bar, -P, or what ipmix corrupt wrote.
        out: The folder to write to.
        name: What the run is called in results; the model's name if left out.
        clean: With corrupted images as DATA, the clean ones that they were made of; without, only the corrupted
            are measured.
        split: Which split of the data; test or val, whichever is there, if left out.
        size: The side that images are brought to; the model's own, if it knows one.
        crop: The share of the shorter side that is kept: 0.875 with --size 224 is ImageNet's usual 256 and 224. If
            left out, all of it, or what published weights were measured with.
        trim: Pixels to cut off each side of a file's image first; 2 for ObjectNet, whose images have a red frame.
        interpolation: How images are resized; bilinear, or what published weights were measured with, if left out.
        exif: Turn images upright; --no-exif: read images as they are stored, without turning them upright by
            their EXIF tag, as torchvision does.
        subset: imagenet-a, imagenet-o or imagenet-r: score 1,000-class models on these sets' 200 classes.
        class_map: Which folder is which of the model's outputs, for sets with other folders than the training set:
            imagenet (WordNet identifiers: Sketch, Stylized), numbers (ImageNet-V2), objectnet, sorted, or a JSON
            file such as {"folder": 5, "other": [7, 9]}.
        restrict: Let only the outputs of the data's classes compete; all of the model's do otherwise.
        limit: Use only this many images, evenly spread.
        corruptions: test (the 15 of -C), validation (4 more), bar (C-bar, the set for the images' size), none,
            or names; module:Name for one's own, which counts in no mean (docs/extending.md).
        severities: Which severities of the corruptions.
        form: original keeps the mistakes of the public generators, which published figures contain.
        perturbations: Perturbation sequences (small changes, frame by frame): cifar or imagenet (ten each), or names.
            Ten cost 310 passes an image.
        anomalies: A folder of images of nothing the model knows: how well does it notice?
        attack: Measure the error under a PGD attack.
        attack_images: Attack only so many of the images, evenly spread.
        epsilon: The attack's reach in units of the pixel range (2/255 in the paper).
        steps: The attack's gradient steps.
        step_size: Length of a step.
        centre: clean keeps changes within epsilon; noisy is the authors' code, which reaches twice as far.
        norm: What epsilon measures.
        restarts: Random starts of the attack for each image.
        autoattack: Measure the error under the standard AutoAttack as well (needs the extra autoattack; slow).
        autoattack_images: Let AutoAttack have only so many of the images, evenly spread.
        autoattack_epsilon: AutoAttack's reach; --epsilon if left out. Published claims for CIFAR use 0.03137 (8/255).
        baseline: Another run (its folder, scorecard.json or predictions) to divide by: mCE and mFR against it.
        no_worse_than: Exit with code 1 unless the paired intervals against --baseline rule out that a measure is
            worse by more than this (0.01 is one percentage point).
        fail_if: A bound such as "mCE > 40" (percent, as in the table); if it holds, exit with code 1 and say so. A
            measure is named as in scorecard.json, by its title, or for short; an unknown one lists all there are.
        junit: Write the checks to this file as JUnit's XML, which CI systems read.
        summary: Write the checks and the table to this file in Markdown.
        own_measures: Measures of one's own, module:Name (docs/extending.md).
        mean: Subtracted from each channel of [0, 1] first, for models that don't normalise themselves and instead of
            what published weights bring.
        std: Divided by afterwards.
        classes: How many classes a timm or torchvision model has; 1000 for published weights.
        batch_size: Images in one forward pass.
        device: auto, cpu, cuda, cuda:1 or mps.
        threads: Threads that make corruptions.
        processes: Processes of this machine, each with a share of the images; the figures stay the same. One for each
            GPU; on a CPU, one for each core.
        seed: Of corruptions, attack and intervals.
        root: Where CIFAR's files lie.
        trust: Open files that can run code when they are opened: a pickled model, TorchScript, .pt2.
        skip_broken: Pass over images that can't be decoded; broken.txt in --out names them.
        force: Replace another run's results in --out.
        quiet: Show no progress.
    """
    from functools import partial

    from ipmix.core.errors import refuse_idle
    from ipmix.evaluation import evaluating
    from ipmix.evaluation.gating import Gate
    from ipmix.evaluation.plan import AttackConfig, AutoAttackConfig
    from ipmix.evaluation.request import EvaluationRequest, MeasureRequest

    if data not in ("cifar10", "cifar100"):
        refuse_idle({"--root": root is not None and clean is None}, f"{data} is no CIFAR")
    # The settings of both are checked also where they aren't run; --epsilon under its own name.
    gradient = AttackConfig(epsilon, steps, step_size, centre, norm, restarts, attack_images)
    reach = epsilon if autoattack_epsilon is None else autoattack_epsilon
    standard = AutoAttackConfig(reach, norm, autoattack_images)
    usual = AttackConfig()
    if not attack:
        pgd = {f"--{key.replace('_', '-')}": getattr(gradient, key) != getattr(usual, key)
               for key in ("steps", "step_size", "centre", "restarts")}  # fmt: skip
        refuse_idle({**pgd, "--attack-images": attack_images is not None}, "there is no PGD attack (--attack)")
        if not autoattack:
            both = {"--epsilon": epsilon != usual.epsilon, "--norm": norm != usual.norm}
            refuse_idle(both, "there is no attack (--attack, --autoattack)")
    if not autoattack:
        own = {"--autoattack-images": autoattack_images is not None, "--autoattack-epsilon": autoattack_epsilon}
        refuse_idle({key: value not in (None, False) for key, value in own.items()}, "pass --autoattack")
    wanted = MeasureRequest(
        corruptions=corruptions, severities=severities, form=form, perturbations=perturbations, seed=seed,
        own=own_measures, attack=gradient if attack else None,
        auto_attack=standard if autoattack else None,
    )  # fmt: skip
    gate = Gate.of(
        fail_if, wanted, data=data, baseline=baseline, anomalies=anomalies, no_worse_than=no_worse_than, junit=junit,
        summary=summary, out=out,
    )  # fmt: skip
    card = evaluating.evaluate(
        EvaluationRequest(
            model=model, data=data, out=out, name=name, clean=clean, split=split, size=size, crop=crop, trim=trim,
            exif=exif, subset=subset, interpolation=interpolation, restrict=restrict,
            class_map=class_map, baseline=baseline, limit=limit, anomalies=anomalies, mean=mean, std=std,
            classes=classes, root=root, trust=trust, skip_broken=skip_broken,
        ),
        wanted, batch_size=batch_size, device=device, threads=threads, force=force, quiet=quiet,
        foresee=partial(gate.foresee, skip_broken=skip_broken) if gate.checks or gate.baseline else None,
    )  # fmt: skip
    return gate.passed(out) if card else 0
