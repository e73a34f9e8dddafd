"""Carry out one item of one stage in this process: claim it, call its function, keep what came of it."""

from __future__ import annotations

import contextlib
import traceback

from chorale.core.errors import ChoraleError, DiskFullError, InputError
from chorale.core.files import is_disk_full
from chorale.core.logs import get_logger
from chorale.ranks.group import Group, PeerLostError, SingleProcess
from chorale.runs.context import Context
from chorale.runs.contract import Outcome, Stage
from chorale.runs.directory import Run
from chorale.runs.events import EventWriter, event_file
from chorale.runs.items import Claim, Failure, State, SupersededError, claim, read_item
from chorale.runs.stopping import StopFlag, StoppedError

_log = get_logger(__name__)


def execute(
    run: Run,
    stage: Stage,
    index: int,
    job: str = "",
    stop: StopFlag | None = None,
    debug: bool = False,
    group: Group | None = None,
) -> State:
    """Do one item unless it has ended or somebody else is at it, and return how it stands then.

    Where a group of processes was started for the item, rank 0 claims it and keeps its record; all call the function.
    An interrupt (Ctrl-C, a signal) leaves the attempt open: whoever comes next goes on from there.

    Args:
        run: The run.
        stage: The stage, as declared.
        index: The item.
        job: This process's job, for status and logs.
        stop: Set by whoever wants the work to stop at the next step boundary.
        debug: Let an exception of the experiment's code through, for a debugger.
        group: The processes that share the item; this one alone if not given.
    """
    group = group or SingleProcess()
    directory = run.stage_directory(stage.name)
    claimed = claim(directory, index, job) if group.rank == 0 else None
    attempt = group.broadcast(claimed.record.attempt if claimed is not None else 0)
    if not attempt:
        return read_item(directory, index).state
    config = run.config
    stop = StopFlag() if stop is None else stop
    still_ours = claimed.check if claimed is not None else lambda: None
    events = EventWriter(event_file(run.events, stage.name, index, attempt, group.rank), still_ours)
    context = Context(run, stage, index, attempt, events, config.where, group, stop, still_ours)
    with claimed.heartbeat() if claimed is not None else contextlib.nullcontext():
        try:
            outcome = stage.load()(context, config) or Outcome()
            group.barrier()
            if claimed is not None:
                _finish(run, claimed, outcome)
            # The others read how the item stands, which rank 0 has to have written.
            group.barrier()
        except SupersededError as error:
            _log.warning("%s", error)
            group.fail()
        except StoppedError as error:
            _log.info("%s", error)
            if claimed is not None:
                _pause(claimed, stop, error)
            # Whoever ends first may take the others along: not before rank 0 has written this down.
            with contextlib.suppress(PeerLostError):
                group.barrier()
            return State.PENDING
        except Exception as error:
            if claimed is not None:
                _fail(claimed, error)
            group.fail()
            if debug or group.rank != 0:
                raise
        finally:
            events.close()
    # A step that measured nothing has nothing to track.
    if claimed is not None and events.path.exists():
        _track(run, stage, index)
    return read_item(directory, index).state


def _finish(run: Run, claimed: Claim, outcome: Outcome) -> None:
    try:
        claimed.check()
        run.declare(outcome.stages)
        claimed.finish(outcome.result)
    except SupersededError as error:
        _log.warning("%s", error)


def _pause(claimed: Claim, stop: StopFlag, error: StoppedError) -> None:
    try:
        claimed.pause(Failure(stop.reason), str(error))
    except SupersededError as superseded:
        _log.warning("%s", superseded)


def _fail(claimed: Claim, error: Exception) -> None:
    # First, for whoever cannot write a file says that the directory is wrong.
    if isinstance(error, DiskFullError) or is_disk_full(error):
        failure, message = Failure.DISK_FULL, str(error)
    elif isinstance(error, InputError):
        failure, message = Failure.INPUT, str(error)
    elif isinstance(error, PeerLostError):
        failure, message = Failure.LOST, str(error)
    elif isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        failure, message = Failure.OUT_OF_MEMORY, str(error)
    else:
        failure, message = Failure.ERROR, f"{type(error).__name__}: {error}"
    if not isinstance(error, ChoraleError):
        _log.error("%s", traceback.format_exc())
    try:
        claimed.fail(failure, message)
    except SupersededError as superseded:
        _log.warning("%s", superseded)


def _track(run: Run, stage: Stage, index: int) -> None:
    from chorale.tracking.export import track_item

    track_item(run, stage.name, index)
