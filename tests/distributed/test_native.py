"""The native installs at work: Horovod and mpi4py under mpirun, DeepSpeed with its operators built ahead."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

pytestmark = pytest.mark.distributed

TIME_LIMIT_S = 60
# A sum over ranks adds in another order than a mean over the batch: float32, a handful of steps.
TOLERANCE = 1e-6

# The same small regression in every program: 8 samples, of which each rank takes its share, and SGD or Adam.
_PROBLEM = """
import json, os, sys
import torch

def problem(rank, size):
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(5, 7), torch.nn.Tanh(), torch.nn.Linear(7, 1))
    inputs, targets = torch.randn(8, 5), torch.randn(8, 1)
    share = slice(rank * 8 // size, (rank + 1) * 8 // size)
    return model, inputs[share], targets[share]

def loss(model, inputs, targets):
    return torch.nn.functional.mse_loss(model(inputs), targets)

def tell(model, **more):
    weights = torch.cat([p.detach().flatten() for p in model.parameters()])
    print("RESULT " + json.dumps({"weights": weights.tolist(), **more}), flush=True)
"""

_ONE_PROCESS = """
model, inputs, targets = problem(0, 1)
kind = {"sgd": torch.optim.SGD, "adam": torch.optim.AdamW}[sys.argv[1]]
optimizer = kind(model.parameters(), lr=0.05)
for _ in range(int(sys.argv[2])):
    optimizer.zero_grad()
    loss(model, inputs, targets).backward()
    optimizer.step()
tell(model)
"""

_HOROVOD = """
import horovod.torch as hvd

hvd.init()
total = hvd.allreduce(torch.tensor([float(hvd.rank() + 1)]), op=hvd.Sum).item()
model, inputs, targets = problem(hvd.rank(), hvd.size())
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
optimizer = hvd.DistributedOptimizer(optimizer, named_parameters=model.named_parameters())
for _ in range(int(sys.argv[1])):
    optimizer.zero_grad()
    loss(model, inputs, targets).backward()
    optimizer.step()
tell(model, total=total, size=hvd.size(), mpi=hvd.mpi_built())
hvd.shutdown()
"""

_DEEPSPEED = """
import deepspeed
from deepspeed.ops.adam import DeepSpeedCPUAdam

rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
model, inputs, targets = problem(rank, size)
config = {
    "train_micro_batch_size_per_gpu": 8 // size,
    "zero_optimization": {"stage": 2},
    "gradient_clipping": 0.0,  # DeepSpeed clips at 1.0 unless told
}
optimizer = DeepSpeedCPUAdam(model.parameters(), lr=0.05, weight_decay=0.01, adamw_mode=True)
engine, *_ = deepspeed.initialize(model=model, optimizer=optimizer, config=config)
for _ in range(int(sys.argv[1])):
    engine.backward(loss(engine, inputs, targets))
    engine.step()
tell(engine.module, size=torch.distributed.get_world_size(), stage=engine.zero_optimization_stage())
torch.distributed.destroy_process_group()
"""

_MPI4PY = """
import json
import numpy as np
from mpi4py import MPI

world = MPI.COMM_WORLD
total = np.empty(3)
world.Allreduce(np.full(3, float(10 ** world.rank)), total, MPI.SUM)
print("RESULT " + json.dumps({"total": total.tolist(), "size": world.size}), flush=True)
"""


def _need(command: str = "", module: str = "") -> None:
    if command and shutil.which(command) is None:
        pytest.skip(f"{command} is not installed: run make native as root")
    if module and find_spec(module) is None:
        pytest.skip(f"{module} is not installed: run make native")


def _environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OMPI_", "PMIX_", "SLURM_"))}
    return {**kept, "OMP_NUM_THREADS": "1", "PYTHONNOUSERSITE": "1", **more}


def _results(output: str) -> list[dict]:
    """Return what each rank told, whatever else stands on its line."""
    decoder = json.JSONDecoder()
    return [decoder.raw_decode(part)[0] for part in output.split("RESULT ")[1:]]


def _finish(process: subprocess.Popen[str]) -> list[dict]:
    try:
        output, errors = process.communicate(timeout=TIME_LIMIT_S)
    finally:
        process.kill()
    assert process.returncode == 0, f"{output}\n{errors}"
    return _results(output)


def _start(command: list[str], environment: dict[str, str], folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command, cwd=folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def _mpirun(ranks: int, folder: Path, program: Path, *arguments: str) -> list[dict]:
    environment = _environment(
        OMPI_ALLOW_RUN_AS_ROOT="1",
        OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1",
        # Containers forbid the system call behind Open MPI's single-copy transfers.
        OMPI_MCA_btl_vader_single_copy_mechanism="none",
        # Without these, other addresses of the machine are tried first, some of which lead nowhere.
        OMPI_MCA_oob_tcp_if_include="lo",
        OMPI_MCA_btl_tcp_if_include="lo",
    )
    mpirun = ["mpirun", "--oversubscribe", "--bind-to", "none", "-np", str(ranks)]
    return _finish(_start([*mpirun, sys.executable, str(program), *arguments], environment, folder))


def _program(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


def _one_process(folder: Path, optimizer: str, steps: int) -> list[float]:
    program = _program(folder, "one_process.py", _PROBLEM + _ONE_PROCESS)
    command = [sys.executable, str(program), optimizer, str(steps)]
    return _finish(_start(command, _environment(), folder))[0]["weights"]


def _free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return bound.getsockname()[1]


def _path_without_compiler(folder: Path) -> str:
    bin_folder = folder / "bin"
    bin_folder.mkdir()
    for command in ("sh", "bash", "uname", "lscpu", "cat"):
        found = shutil.which(command)
        if found:
            (bin_folder / command).symlink_to(found)
    return str(bin_folder)


def test_two_horovod_ranks_end_with_the_weights_of_one_process_with_the_global_batch(tmp_path: Path) -> None:
    _need("mpirun", "horovod")
    alone = _one_process(tmp_path, "sgd", steps=3)
    ranks = _mpirun(2, tmp_path, _program(tmp_path, "ranks.py", _PROBLEM + _HOROVOD), "3")
    assert [(rank["size"], rank["total"], rank["mpi"]) for rank in ranks] == [(2, 3.0, True)] * 2
    for rank in ranks:
        assert rank["weights"] == pytest.approx(alone, abs=TOLERANCE)


def test_two_deepspeed_ranks_with_prebuilt_operators_end_with_the_weights_of_one_process(tmp_path: Path) -> None:
    _need(module="deepspeed")
    alone = _one_process(tmp_path, "adam", steps=2)
    program = _program(tmp_path, "ranks.py", _PROBLEM + _DEEPSPEED)
    # Nothing may be compiled now: no compiler on the path, and nowhere to have kept an earlier result.
    shared = {
        "DS_ACCELERATOR": "cpu",
        "WORLD_SIZE": "2",
        "LOCAL_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(_free_port()),
        "PATH": _path_without_compiler(tmp_path),
        "TORCH_EXTENSIONS_DIR": str(tmp_path / "extensions"),
        "TRITON_CACHE_DIR": str(tmp_path / "triton"),
    }
    processes = [
        _start([sys.executable, str(program), "2"], _environment(**shared, RANK=rank, LOCAL_RANK=rank), tmp_path)
        for rank in ("0", "1")
    ]
    ranks = [result for process in processes for result in _finish(process)]
    assert [(rank["size"], rank["stage"]) for rank in ranks] == [(2, 2)] * 2
    for rank in ranks:
        assert rank["weights"] == pytest.approx(alone, abs=TOLERANCE)
    assert not list((tmp_path / "extensions").rglob("*.so"))


def test_an_mpi4py_sum_reaches_all_of_four_ranks(tmp_path: Path) -> None:
    _need("mpirun", "mpi4py")
    ranks = _mpirun(4, tmp_path, _program(tmp_path, "ranks.py", _MPI4PY))
    assert ranks == [{"total": [1111.0] * 3, "size": 4}] * 4
