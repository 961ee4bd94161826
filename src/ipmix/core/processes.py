"""One process or many, a CPU or accelerators: what the training loop needs of either, through Accelerate."""

import atexit
import gc
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from ipmix.core.errors import InputError
from ipmix.core.torchrun import check_meeting, process_count, process_count_here

Thing = TypeVar("Thing")
Network = TypeVar("Network", bound=nn.Module)

_ACCELERATE = {"float32": "no", "bfloat16": "bf16", "float16": "fp16"}


class Processes:
    """The processes of this run (those that torchrun started, or just this one).

    Attributes:
        rank: this process's number, from 0.
        count: how many there are.
        first: whether this is the one that writes and shows.
        device: where this process computes.
    """

    def __init__(
        self, precision: str, device: str = "auto", trackers: Sequence[str] = (), folder: Path | None = None
    ) -> None:
        from accelerate import Accelerator
        from accelerate.state import AcceleratorState
        from accelerate.tracking import get_available_trackers

        if device not in ("auto", "cpu"):
            raise InputError(f"the device is auto or cpu, got {device!r}")
        accelerated = device != "cpu" and (torch.cuda.is_available() or torch.backends.mps.is_available())
        if precision == "float16" and not accelerated:
            raise InputError(
                "precision float16 is for accelerators, and this run computes on the processor, which has no fast "
                "arithmetic of it: take bfloat16 or float32"
            )
        check_one_each(device)
        usable = [str(getattr(name, "value", name)) for name in get_available_trackers()]
        for name in trackers:
            if name not in usable:
                raise InputError(f"there is no tracker {name!r} here; installed are {', '.join(usable) or 'none'}")
        # Accelerate keeps its settings for the life of the process; another run may have used others.
        joined = torch.distributed.is_initialized()
        AcceleratorState._reset_state(reset_partial_state=not joined)
        try:
            self._accelerator = Accelerator(
                mixed_precision=_ACCELERATE[precision],
                cpu=_on_processors(device),
                log_with=list(trackers) or None,
                project_dir=folder,
            )
        except ValueError as error:
            raise InputError(f"precision {precision} can't be used here ({error})") from None
        if torch.distributed.is_initialized() and not joined:
            atexit.register(_leave)
        self.rank: int = self._accelerator.process_index
        self.count: int = self._accelerator.num_processes
        self.first = self.rank == 0
        self.device: torch.device = self._accelerator.device
        self._figures = _widest_float(self.device)

    def prepare(
        self, network: nn.Module, optimizer: torch.optim.Optimizer, *, compile: bool
    ) -> tuple[nn.Module, torch.optim.Optimizer]:
        """Network and optimizer on the device, for all processes; ``network`` itself moves there too."""
        module, prepared = self._accelerator.prepare(network, optimizer)
        if compile:
            module = torch.compile(module)
        return module, prepared

    @contextmanager
    def tracking(self) -> Iterator[None]:
        """The trackers are open within the block."""
        if not self._accelerator.log_with:
            yield
            return
        self._accelerator.init_trackers("trackers")
        try:
            yield
        finally:
            self._accelerator.end_training()

    def track(self, row: Mapping[str, Any]) -> None:
        """Give a line of figures to the trackers."""
        if self._accelerator.log_with:
            figures = {key: value for key, value in row.items() if key != "step"}
            self._accelerator.log(figures, step=row["step"])

    def bare(self, network: Network) -> Network:
        """The network without what :meth:`prepare` has put around it (half precision)."""
        unwrapped: Network = self._accelerator.unwrap_model(network, keep_fp32_wrapper=False)
        return unwrapped

    def backward(self, loss: torch.Tensor) -> None:
        """Gradients of the loss, averaged over the processes, scaled where float16 needs it."""
        self._accelerator.backward(loss)

    def clip(self, network: nn.Module, norm: float) -> None:
        """Shorten the gradient to this norm."""
        self._accelerator.clip_grad_norm_(network.parameters(), norm)

    def autocast(self) -> AbstractContextManager[Any]:
        """Compute in the run's precision."""
        context: AbstractContextManager[Any] = self._accelerator.autocast()
        return context

    def synchronising(self, network: nn.Module, wanted: bool) -> AbstractContextManager[Any]:
        """Within, gradients are exchanged between processes only if ``wanted``."""
        if wanted or self.count == 1:
            return nullcontext()
        context: AbstractContextManager[Any] = self._accelerator.no_sync(network)
        return context

    def figures(self, count: int) -> torch.Tensor:
        """Zeros on the device, to add up in: float64[count], or float32 where the device has no float64 (MPS)."""
        return torch.zeros(count, dtype=self._figures, device=self.device)

    def add_up(self, figures: torch.Tensor) -> None:
        """Replace the figures by their sum over all processes."""
        if self.count > 1:
            torch.distributed.all_reduce(figures)

    def same_buffers(self, network: nn.Module) -> None:
        """Give every process the first one's BatchNorm statistics."""
        if self.count > 1:
            for buffer in network.buffers():
                torch.distributed.broadcast(buffer, 0)

    def first_opens(self, open_it: Callable[[], Thing]) -> Thing | None:
        """What ``open_it`` gives in the first process, None in the others; its bad input is raised in all."""
        thing: Thing | None = None
        message = None
        if self.first:
            try:
                thing = open_it()
            except InputError as error:
                message = str(error)
        message = self.shared(message)
        if message is not None:
            raise InputError(message)
        return thing

    def shared(self, value: Thing) -> Thing:
        """The first process's value, in every process."""
        if self.count == 1:
            return value
        values = [value]
        torch.distributed.broadcast_object_list(values, 0)
        return values[0]

    def scaler_state(self) -> dict[str, Any] | None:
        """The state of float16's loss scaling, where there is one."""
        scaler = self._accelerator.scaler
        return None if scaler is None else scaler.state_dict()

    def restore_scaler(self, state: dict[str, Any] | None) -> None:
        """Go back to a state of the loss scaling."""
        if state is not None and self._accelerator.scaler is not None:
            self._accelerator.scaler.load_state_dict(state)

    @contextmanager
    def keeping_randomness(self) -> Iterator[None]:
        """Torch's own generators are after the block as they were before."""
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            yield


def check_one_each(device: str) -> None:
    """Refuse more processes on this machine than it has GPUs: two on one cannot exchange anything.

    Raises:
        InputError: saying how many to start.
    """
    check_meeting()
    here = process_count_here()
    if device == "cpu" or here == 1 or not torch.cuda.is_available():
        return
    there = torch.cuda.device_count()
    if here > there:
        raise InputError(
            f"this machine has {there} GPU{'' if there == 1 else 's'} and was given {here} processes: start one each "
            f"(--processes {there}; torchrun: --nproc-per-node {there}), or compute on the processors (--device cpu)"
        )


def _on_processors(device: str) -> bool:
    """Whether this run computes on the processors: asked for, or several processes without an accelerator between them.

    Accelerate joins processes on processors only where it is told to: left to itself each would train alone, all of
    them in one folder. Over MPS no two can speak.
    """
    if device == "cpu" or process_count() == 1:
        return device == "cpu"
    if not torch.accelerator.is_available():
        return True
    found = torch.accelerator.current_accelerator()
    return found is not None and found.type == "mps"


def _widest_float(device: torch.device) -> torch.dtype:
    try:
        return torch.zeros(1, dtype=torch.float64, device=device).dtype
    except TypeError:
        return torch.float32


def _leave() -> None:
    """Leave the group of processes before the interpreter takes itself apart.

    The group's threads still let go of the last gradients they exchanged. For that they need the interpreter, and
    one that finds it gone ends the whole process with an abort. Gathering what is unused lets the group be taken
    down, which waits for its threads; where a network in use keeps the group alive, the pause lets them finish.
    """
    if torch.distributed.is_initialized():
        gc.collect()
        torch.distributed.destroy_process_group()
        time.sleep(0.2)


class Team:
    """The processes that torchrun started, or just this one.

    Attributes:
        rank: this process's number, from 0.
        count: how many there are.
        first: whether this is the one that writes and shows.
        device: where this process computes.
    """

    def __init__(self, device: str) -> None:
        self.rank, self.count, self.device = 0, 1, device
        self._state: Any = None
        if process_count() > 1:
            from accelerate import PartialState

            check_one_each(device)
            joined = torch.distributed.is_initialized()
            self._state = PartialState(cpu=device == "cpu" or not torch.cuda.is_available())
            if torch.distributed.is_initialized() and not joined:
                atexit.register(_leave)
            self.rank, self.count = self._state.process_index, self._state.num_processes
            self.device = str(self._state.device) if device == "auto" else device
        self.first = self.rank == 0

    def wait(self) -> None:
        """Until all processes are here."""
        if self._state is not None:
            self._state.wait_for_everyone()

    def first_does(self, action: Callable[[], Thing]) -> Thing:
        """What ``action`` gives in the first process, in every process; its bad input is raised in all of them."""
        if self.count == 1:
            return action()
        answer: list[Any] = [None, None]
        if self.first:
            try:
                answer[0] = action()
            except InputError as error:
                answer[1] = str(error)
        torch.distributed.broadcast_object_list(answer, 0)
        if answer[1] is not None:
            raise InputError(answer[1])
        thing: Thing = answer[0]
        return thing
