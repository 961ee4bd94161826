"""``ipmix train``: a classifier from a folder of images, CIFAR or digits."""

import sys
from pathlib import Path
from typing import Literal

from ipmix.cli.commands.choosing import values_of
from ipmix.core.errors import InputError


def train(
    data: str,
    *,
    out: Path,
    model: str = "wrn-40-4",
    method: str = "ipmix",
    preset: str | None = None,
    method_option: dict[str, str] | None = None,
    mixing_set: Path | None = None,
    mixing_count: int = 2000,
    mixing_seed: int = 0,
    jsd: bool = False,
    jsd_coefficient: float = 12.0,
    epochs: int = 100,
    batch_size: int = 128,
    learning_rate: float = 0.1,
    minimum_learning_rate: float = 1e-6,
    warmup_epochs: float = 0.0,
    schedule: Literal["cosine", "steps", "constant"] = "cosine",
    optimizer: Literal["sgd", "adam", "adamw"] = "sgd",
    momentum: float = 0.9,
    nesterov: bool = True,
    weight_decay: float = 1e-4,
    smoothing: float = 0.0,
    precision: Literal["float32", "bfloat16", "float16"] = "float32",
    channels_last: bool = True,
    compile: bool = False,
    accumulate: int = 1,
    clip_norm: float | None = None,
    average: float | None = None,
    sync_batchnorm: bool = False,
    dropout: float | None = None,
    flip: bool = True,
    pad: int = 4,
    pretrained: bool = False,
    weights: Path | None = None,
    seed: int = 0,
    size: int | None = None,
    crop: Literal["pad", "resized"] = "pad",
    test_split: str | None = None,
    root: Path | None = None,
    download: bool = False,
    skip_broken: bool = False,
    threads: int = 1,
    engine: str = "compiled",
    device: Literal["auto", "cpu"] = "auto",
    checkpoint_seconds: float = 300.0,
    trackers: tuple[str, ...] = (),
    resume: bool = False,
    force: bool = False,
    quiet: bool = False,
) -> None:
    """Train a classifier; the last and the best epoch are kept, and an interrupted run can be resumed.

    Started by torchrun, all its processes train together.

    Args:
        data: A folder (train/<class>/<image>, and the same under test or val), cifar10, cifar100 or digits.
        out: The run's folder: networks, figures, and what --resume needs.
        model: wrn-D-W, resnext-29, resnet-18-cifar, vit-small-cifar, torchvision:NAME or timm:NAME; with -dubin
            behind a residual network's name, the norms that AugMax needs.
        method: The augmentation; "none" for flips and crops alone.
        preset: The method's settings by name, such as paper-cifar or code-cifar.
        method_option: One of the method's settings, such as k=4 or patch_sizes=[4,8].
        mixing_set: A folder of images or a made mixing set to mix in.
        mixing_count: How many mixing images are generated where none are given.
        mixing_seed: Seed of the generated mixing images.
        jsd: Make predictions consistent over the clean image and two augmented views (the paper's headline
            results; three times the computing).
        jsd_coefficient: The weight of that.
        epochs: Passes over the training images (paper: 100; ResNet and ResNeXt 200).
        batch_size: Images in one step, all processes together.
        learning_rate: The highest; it is not rescaled with the batch.
        minimum_learning_rate: Where the cosine ends.
        warmup_epochs: The rate climbs over this many epochs first.
        schedule: How the learning rate falls: cosine, steps (a tenth after each third) or not at all.
        optimizer: What follows the gradient.
        momentum: Of sgd.
        nesterov: Nesterov's form of momentum.
        weight_decay: Pull on the weights; 0.0001 in the paper, 0.0005 in the authors' code.
        smoothing: Label smoothing.
        precision: Of the network; losses are always float32.
        channels_last: Keep tensors in NHWC order.
        compile: Let torch.compile fuse the network.
        accumulate: Compute each batch in this many slices to save memory.
        clip_norm: The gradient's largest norm.
        average: Decay of a moving average of the weights, which is then what is measured and kept.
        sync_batchnorm: BatchNorm statistics over all processes (CUDA).
        dropout: The network's rate; its own default if left out.
        flip: Mirror images at random; turn it off where left and right differ (digits, text).
        pad: Zero pixels around an image before the random crop.
        pretrained: Start from weights that torchvision or timm publishes.
        weights: Start from a file of weights.
        seed: Of everything random; the same seed gives the same network on a CPU.
        size: Bring all images to this side.
        crop: pad keeps images in memory and shifts them; resized reads files in every epoch and brings a
            random part of each to --size (ImageNet; 224 if --size is left out).
        test_split: What to test on after each epoch; test or val, whichever is there, if left out.
        root: Where CIFAR's files lie.
        download: Fetch CIFAR if it is missing.
        skip_broken: Pass over images that can't be decoded.
        threads: Threads of the augmentation; they don't change the result.
        engine: What augments.
        device: auto takes an accelerator if there is one.
        checkpoint_seconds: Save the state this often, besides after each epoch.
        trackers: Where the figures go besides --out: tensorboard, or others that Accelerate knows.
        resume: Go on with the run in --out, if there is one.
        force: Replace the run in --out.
        quiet: Show no progress.
    """
    from ipmix.experiment import config, run
    from ipmix.training.config import TrainingConfig

    if resume and force:
        raise InputError("--resume goes on with a run and --force replaces it: pass one of them")
    chosen = config.ExperimentConfig(
        config.DataConfig(data, size, crop, test_split, skip_broken),
        config.MethodConfig(method, preset, values_of(method_option or {})),
        config.MixingConfig(None if mixing_set is None else str(mixing_set), mixing_count, mixing_seed),
        TrainingConfig(
            model=model,
            epochs=epochs,
            batch_size=batch_size,
            learning_rate=learning_rate,
            minimum_learning_rate=minimum_learning_rate,
            warmup_epochs=warmup_epochs,
            schedule=schedule,
            optimizer=optimizer,
            momentum=momentum,
            nesterov=nesterov,
            weight_decay=weight_decay,
            jsd=jsd,
            jsd_coefficient=jsd_coefficient,
            smoothing=smoothing,
            precision=precision,
            channels_last=channels_last,
            compile=compile,
            accumulate=accumulate,
            clip_norm=clip_norm,
            average=average,
            sync_batchnorm=sync_batchnorm,
            dropout=dropout,
            flip=flip,
            pad=pad,
            pretrained=pretrained,
            weights=None if weights is None else str(weights),
            seed=seed,
            size=size or 224,
        ),
    )
    outcome = run.train(
        chosen,
        out,
        root=root,
        download=download,
        resume=resume,
        force=force,
        threads=threads,
        engine=engine,
        device=device,
        checkpoint_seconds=checkpoint_seconds,
        trackers=trackers,
        quiet=quiet,
    )
    if "test_error" in outcome.last:
        for label, row in (("last", outcome.last), ("best", outcome.best)):
            where = out / f"{label}.safetensors"
            sys.stdout.write(f"{label}: epoch {row['epoch']}, test error {row['test_error']:.2f}%  ({where})\n")
