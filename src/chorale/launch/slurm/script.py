"""From a template, a profile and a stage's wishes to submitit's parameters, and the batch script they make."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from chorale.core.errors import InputError
from chorale.launch.slurm.clusters import Cluster
from chorale.launch.slurm.templates import Flags, Template, minutes
from chorale.runs.contract import Resources

# submitit computes these itself; everything else passes through as it stands in the template.
_COUNTS = {"nodes": "nodes", "ntasks-per-node": "ntasks_per_node"}
_OWN = ("job-name", "array", "output", "error", "signal", "time", "open-mode", "ntasks")
_DEFAULT_SIGNAL_LEAD_S = 60


def parameters(template: Template, cluster: Cluster, wished: Resources, job_name: str, comment: str) -> dict[str, Any]:
    """Return the arguments of ``update_parameters`` of submitit's ``SlurmExecutor``.

    The template's lines come first; the cluster's profile and what the stage (or its launcher) explicitly wishes win
    over them.

    Raises:
        InputError: The time limit is longer than the cluster allows.
    """
    flags: dict[str, str | Literal[True]] = {**template.flags, **_cluster_flags(cluster), **_resource_flags(wished)}
    limit = minutes(str(flags.get("time", "60")))
    if cluster.max_minutes is not None and limit > cluster.max_minutes:
        raise InputError(
            f"{template.path}: the time limit of {limit} min is above the cluster's {cluster.max_minutes} min",
            "lower --time in the template, or max_minutes in the profile is wrong",
        )
    result: dict[str, Any] = {
        "job_name": job_name,
        "time": limit,
        "signal_delay_s": _signal_lead_s(flags),
        "setup": [
            f"export CHORALE_SIGNAL_LEAD_S={_signal_lead_s(flags)}",
            *(f"module load {name}" for name in cluster.modules),
            *cluster.setup,
            *template.setup,
        ],
        "teardown": list(template.teardown),
        "array_parallelism": _throttle(flags, cluster),
        "comment": comment,
    }
    for flag, name in _COUNTS.items():
        if flag in flags:
            result[name] = int(flags[flag])
    result["additional_parameters"] = {
        key.replace("-", "_"): value for key, value in flags.items() if key not in _OWN and key not in _COUNTS
    }
    # Since Slurm 22.05 srun no longer inherits this from the job; one task would see one core.
    if "cpus-per-task" in flags:
        result["srun_args"] = [f"--cpus-per-task={flags['cpus-per-task']}"]
    return result


def script_text(parameters: dict[str, Any], folder: Path, items: int) -> str:
    """Return the batch script that submitit makes of ``parameters``, for showing."""
    from submitit.slurm import slurm

    command = "python -u -m chorale.launch.slurm.task RUN STAGE NUMBER"
    text: str = slurm._make_sbatch_string(
        command=command, folder=folder, map_count=items if items > 1 else None, **parameters
    )
    return text


def _cluster_flags(cluster: Cluster) -> dict[str, str | Literal[True]]:
    named = {"partition": cluster.partition, "account": cluster.account, "qos": cluster.qos}
    flags: dict[str, str | Literal[True]] = {key: value for key, value in named.items() if value is not None}
    flags.update({key: True if value is True else str(value) for key, value in cluster.sbatch.items()})
    return flags


def _resource_flags(wished: Resources) -> dict[str, str | Literal[True]]:
    flags: dict[str, str | Literal[True]] = {}
    if wished.cpus is not None:
        flags["cpus-per-task"] = str(wished.cpus)
    if wished.memory_gb is not None:
        flags["mem"] = f"{round(wished.memory_gb * 1024)}M"
    if wished.minutes is not None:
        flags["time"] = str(wished.minutes)
    if wished.gpus is not None:
        flags["gpus-per-node"] = str(wished.gpus)
    if wished.nodes is not None:
        flags["nodes"] = str(wished.nodes)
    if wished.ranks_per_node is not None:
        flags["ntasks-per-node"] = str(wished.ranks_per_node)
    return flags


def _signal_lead_s(flags: Flags) -> int:
    _, _, lead = str(flags.get("signal", "")).partition("@")
    return int(lead) if lead.isdigit() else _DEFAULT_SIGNAL_LEAD_S


def _throttle(flags: Flags, cluster: Cluster) -> int:
    _, _, limit = str(flags.get("array", "")).partition("%")
    return min(int(limit), cluster.throttle) if limit.isdigit() else cluster.throttle
