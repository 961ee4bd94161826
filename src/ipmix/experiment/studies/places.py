"""Where a study's images lie on this machine: figures don't depend on it, so that it is no part of the settings."""

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from ipmix.core.errors import InputError
from ipmix.data.built_in import BUILT_IN, SIZES, is_fetched
from ipmix.data.datasets import splits
from ipmix.data.folders import class_folders
from ipmix.experiment.config import ExperimentConfig
from ipmix.experiment.studies.study import NAMED

CIFAR = ("cifar10", "cifar100")


@dataclass(frozen=True)
class Places:
    """Where images lie.

    Attributes:
        data: the folder of the study's images (with train and test in it), or one that holds such folders by name.
        folders: folders that a study names with braces, such as {photos}.
        download: fetch CIFAR if it is missing.
    """

    data: Path | None = None
    folders: Mapping[str, Path] = field(default_factory=dict)
    download: bool = False

    def check_there(self, experiment: ExperimentConfig) -> None:
        """Refuse, before anything is trained, CIFAR that isn't there.

        Args:
            experiment: a cell's, with the folders of this machine.

        Raises:
            InputError: saying what to pass.
        """
        source = experiment.data.source
        if source in CIFAR and not self.download and not is_fetched(source, self.root):
            raise InputError(
                f"{source} is not here: pass --data DIR (a folder with train/<class>/<image> and test, or one that "
                "holds CIFAR's own files), or --download to fetch it"
            )

    def experiment(self, experiment: ExperimentConfig, sources: Iterable[str]) -> ExperimentConfig:
        """The experiment with folders for names; ``sources`` are all the names of data that the study's cells use.

        Raises:
            InputError: a folder that is needed was not given, or isn't there.
        """
        data = replace(experiment.data, source=self.source(experiment.data.source, sources))
        mixing = experiment.mixing
        if mixing.folder is not None:
            mixing = replace(mixing, folder=self.named(mixing.folder))
        return replace(experiment, data=data, mixing=mixing)

    def source(self, name: str, sources: Iterable[str]) -> str:
        """The folder of the data of this name, or the name where the library knows it and no folder was given."""
        if self.data is None or name == "digits":
            if name not in BUILT_IN and not splits(name):
                raise InputError(
                    f"this needs {name}: pass --data DIR, a folder with train/<class>/<image> and val or test"
                )
            return name
        if (self.data / name).is_dir() and splits(self.data / name):
            _check_classes(self.data / name, name)
            return _folder(self.data / name)
        if splits(self.data):
            others = sorted(set(sources) - {"digits"})
            if len(others) == 1:
                _check_classes(self.data, name)
                return _folder(self.data)
            raise InputError(
                f"--data {self.data} is one set of images, and the cells need {', '.join(others)}: give the folder "
                "that holds folders of these names, or choose --cells of one"
            )
        if not self.data.is_dir():
            raise InputError(f"there is no folder {self.data} (--data)")
        if name in CIFAR:
            return name  # the folder holds CIFAR's own files, or downloads go there
        raise InputError(f"--data {self.data} holds no folder {name}, and no train/<class>/<image> either")

    @property
    def root(self) -> Path | None:
        """Where CIFAR's own files lie."""
        return self.data

    def named(self, text: str) -> str:
        """A folder's name with {NAME} replaced."""

        def found(match: re.Match[str]) -> str:
            if match[1] not in self.folders:
                raise InputError(f"this needs a folder that the study calls {match[1]}: pass --folder {match[1]}=DIR")
            return str(self.folders[match[1]])

        return NAMED.sub(found, text)


def _check_classes(path: Path, name: str) -> None:
    """A folder given for CIFAR has its classes: results of other images would stand in its table."""
    if name not in CIFAR or not (path / "train").is_dir():
        return
    wanted = SIZES[name][3]
    found = len(class_folders(path / "train")[0])
    if found != wanted:
        raise InputError(
            f"--data: {path} has {found} classes, and {name}, which the study is of, has {wanted}: give that, or "
            "write a study of your own for other images"
        )


def _folder(path: Path) -> str:
    """The folder as a source of data: one called cifar10 in the current folder is not the data of that name."""
    return os.path.join(os.curdir, path) if str(path) in BUILT_IN else str(path)
