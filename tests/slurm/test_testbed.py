from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import submitit

from chorale.core.errors import InputError
from chorale.launch import testbed as beds
from chorale.launch.testbed import Testbed, hosts, processes
from chorale.launch.testbed.lock import exclusive

pytestmark = pytest.mark.slurm

NODES = ["n1", "n2", "n3", "n4"]


def ran(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def wait_for(ready: Callable[[], object], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not ready():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.1)


def ended(testbed: Testbed, array: str) -> list[dict[str, str]]:
    # An array's tasks have job ids of their own, which the completion file tells; their own lines hold the job's name.
    lines = testbed.completed_jobs.read_text().splitlines() if testbed.completed_jobs.exists() else []
    jobs = [dict(re.findall(r"(\w+)=(\S*)", line)) for line in lines]
    return [job for job in jobs if job["Name"] == array]


def everything_of(testbed: Testbed) -> list[int]:
    found = {pid for host in hosts.known(testbed) for pid in hosts.pids_on(testbed, host)}
    return sorted(found | set(processes.recorded(testbed)))


def test_srun_on_four_nodes_gives_four_host_names(on_testbed: Testbed) -> None:
    assert sorted(ran("srun", "-N4", "hostname").split()) == NODES


def test_each_node_has_its_own_address_and_knows_the_others_by_name(on_testbed: Testbed) -> None:
    told = ran("srun", "-N4", "--label", "hostname", "-I").splitlines()
    assert sorted(line.split(":")[1].strip() for line in told) == [f"10.87.0.{i}" for i in (11, 12, 13, 14)]
    assert ran("srun", "-w", "n1", "getent", "hosts", "n4").split() == ["10.87.0.14", "n4"]


def test_an_array_of_twenty_runs_on_all_nodes(on_testbed: Testbed) -> None:
    ran("sbatch", "--array=0-19", "-J", "twenty", "-o", "task-%a.out", "--wrap", "hostname")
    wait_for(lambda: len(ended(on_testbed, "twenty")) == 20)
    assert {job["JobState"] for job in ended(on_testbed, "twenty")} == {"COMPLETED"}
    assert {Path(f"task-{i}.out").read_text().strip() for i in range(20)} == set(NODES)


def test_mpi_ranks_find_one_another_over_pmix(on_testbed: Testbed) -> None:
    program = """if True:
        from mpi4py import MPI
        world = MPI.COMM_WORLD
        print(world.rank, world.size, MPI.Get_processor_name(), world.allreduce(world.rank))
    """
    told = ran("srun", "--mpi=pmix", "-N4", "-n4", sys.executable, "-c", program)
    assert sorted(told.splitlines()) == [f"{rank} 4 n{rank + 1} 6" for rank in range(4)]


def test_a_job_on_a_node_submits_another(on_testbed: Testbed) -> None:
    ran("sbatch", "-w", "n3", "-o", "outer.out", "--wrap", "sbatch -w n2 -J inner -o inner.out --wrap hostname")
    wait_for(lambda: ended(on_testbed, "inner"))
    assert Path("inner.out").read_text() == "n2\n"


def test_submitit_maps_functions_from_the_ordinary_namespace(on_testbed: Testbed, tmp_path: Path) -> None:
    executor = submitit.SlurmExecutor(folder=tmp_path / "submitit")
    executor.update_parameters(time=5, array_parallelism=8)
    jobs = executor.map_array(pow, [2, 3, 4, 5], [10, 10, 10, 10])
    wait_for(lambda: all(job.paths.result_pickle.exists() for job in jobs))
    assert [job.result() for job in jobs] == [2**10, 3**10, 4**10, 5**10]


def test_status_tells_nodes_and_running_jobs(on_testbed: Testbed) -> None:
    job = ran("sbatch", "--parsable", "-w", "n2", "-o", "/dev/null", "--wrap", "sleep 30").strip()
    wait_for(lambda: beds.status(on_testbed).nodes[1].jobs == (job,))
    told = beds.status(on_testbed)
    ran("scancel", job)
    assert told.state == "up" and told.link_mbit is None and told.uptime_s > 0
    assert [node.name for node in told.nodes] == NODES
    assert told.nodes[1].state == "mixed" and told.nodes[0].address == "10.87.0.11"


def test_exec_in_passes_streams_and_exit_status(testbed: Testbed, capfd: pytest.CaptureFixture[str]) -> None:
    assert beds.exec_in(testbed, ["sh", "-c", "hostname; exit 3"], host="n2") == 3
    assert capfd.readouterr().out == "n2\n"
    assert beds.exec_in(testbed, ["sinfo", "--noheader", "--format=%D"]) == 0
    assert capfd.readouterr().out == "4\n"
    with pytest.raises(InputError, match="no host 'n9'; choose one of ctl, n1, n2, n3, n4"):
        beds.exec_in(testbed, ["true"], host="n9")


RECEIVE = """
import socket
server = socket.create_server(("", 7777))
print("ready", flush=True)
connection = server.accept()[0]
while connection.recv(65536):
    pass
"""
SEND = """
import socket, sys
connection = socket.create_connection((sys.argv[1], 7777))
connection.sendall(bytes(int(sys.argv[2])))
"""


def transfer_s(testbed: Testbed, sender: str, receiver: str, size_bytes: int) -> float:
    command = [*hosts.enter(testbed, receiver), sys.executable, "-c", RECEIVE]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None and server.stdout.readline() == b"ready\n"
        began = time.monotonic()
        assert beds.exec_in(testbed, [sys.executable, "-c", SEND, receiver, str(size_bytes)], host=sender) == 0
        assert server.wait(30) == 0
        return time.monotonic() - began


@pytest.mark.parametrize(("sender", "receiver"), [("ctl", "n1"), ("n1", "ctl")])
def test_a_limited_link_is_slow_in_either_direction(testbed: Testbed, sender: str, receiver: str) -> None:
    size_bytes = 2_500_000
    assert transfer_s(testbed, sender, receiver, size_bytes) < 1
    beds.up(testbed, nodes=4, link_mbit=10)
    try:
        before = beds.counters(testbed, "n1")
        seconds = transfer_s(testbed, sender, receiver, size_bytes)
        after = beds.counters(testbed, "n1")
        assert beds.status(testbed).link_mbit == 10
    finally:
        beds.up(testbed, nodes=4)
    # 20 Mbit at 10 Mbit/s take two seconds, less what the bucket holds.
    assert 1.5 < seconds < 6
    carried = {"ctl": after.received_bytes - before.received_bytes, "n1": after.sent_bytes - before.sent_bytes}
    assert size_bytes < carried[sender] < 1.2 * size_bytes
    assert transfer_s(testbed, sender, receiver, size_bytes) < 1


def test_a_cut_link_carries_nothing_until_it_is_restored(testbed: Testbed) -> None:
    program = "import socket; socket.create_connection(('n3', 6818), timeout=1)"
    connect = [sys.executable, "-c", program]
    assert beds.exec_in(testbed, connect, host="n1") == 0
    beds.cut_link(testbed, "n3")
    try:
        assert beds.exec_in(testbed, connect, host="n1") != 0
    finally:
        beds.restore_link(testbed, "n3")
    wait_for(lambda: beds.exec_in(testbed, connect, host="n1") == 0)


def test_a_job_on_a_killed_node_is_requeued(on_testbed: Testbed) -> None:
    script = 'echo $SLURM_RESTART_COUNT >> restarts; [ -n "$SLURM_RESTART_COUNT" ] || sleep 60'
    job = ran(
        "sbatch", "--parsable", "--requeue", "-w", "n4", "-J", "survivor", "-o", "/dev/null", "--wrap", script
    ).strip()
    wait_for(Path("restarts").exists)
    beds.kill_node(on_testbed, "n4")
    assert len(hosts.pids_on(on_testbed, "n4")) == 1
    assert beds.status(on_testbed).state == "broken"
    beds.restart_node(on_testbed, "n4")
    wait_for(lambda: "1" in Path("restarts").read_text().split())
    wait_for(lambda: ended(on_testbed, "survivor")[-1]["JobState"] == "COMPLETED")
    assert [end["JobState"] for end in ended(on_testbed, "survivor")] == ["NODE_FAIL", "COMPLETED"]
    assert {end["JobId"] for end in ended(on_testbed, "survivor")} == {job}
    assert beds.status(on_testbed).state == "up"
    with pytest.raises(InputError, match="no node 'n7'"):
        beds.kill_node(on_testbed, "n7")


def test_up_again_changes_nothing(testbed: Testbed) -> None:
    before = everything_of(testbed)
    beds.up(testbed, nodes=4)
    assert everything_of(testbed) == before


def test_a_second_up_is_refused_while_one_is_at_work(spare_testbed: Testbed) -> None:
    other = f"from chorale.launch.testbed import Testbed, up; up(Testbed.at('{spare_testbed.directory}'), nodes=2)"
    with exclusive(spare_testbed):
        done = subprocess.run([sys.executable, "-c", other], capture_output=True, text=True, check=False)
    refusal = done.stderr.splitlines()[-1]
    assert f"being started or stopped by process {os.getpid()}" in refusal and "InputError" in refusal


def test_up_repairs_after_everything_was_killed(spare_testbed: Testbed) -> None:
    bystander = subprocess.Popen(["sleep", "60"])
    environment = {**os.environ, **spare_testbed.environment()}
    subprocess.run(["sbatch", "-o", "/dev/null", "--wrap", "sleep 60"], env=environment, check=True)
    wait_for(lambda: beds.status(spare_testbed).nodes[0].jobs)
    try:
        for pid in everything_of(spare_testbed):
            os.kill(pid, signal.SIGKILL)
        # A record whose process id now belongs to somebody else.
        (spare_testbed.run / "slurmd-n1.pid").write_text(f"{bystander.pid} 1\n")
        assert beds.status(spare_testbed).state == "broken"
        assert beds.up(spare_testbed, nodes=2).state == "up"
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()
    told = subprocess.run(["srun", "-N2", "hostname"], env=environment, capture_output=True, text=True, check=True)
    assert sorted(told.stdout.split()) == ["n1", "n2"]


def test_up_with_another_number_of_nodes_starts_anew_with_fresh_job_ids(spare_testbed: Testbed) -> None:
    def srun(nodes: int) -> tuple[int, int]:
        command = ["srun", f"-N{nodes}", "sh", "-c", "echo $SLURM_JOB_ID"]
        environment = {**os.environ, **spare_testbed.environment()}
        lines = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.split()
        return len(lines), int(lines[0])

    assert srun(2)[0] == 2
    assert len(beds.up(spare_testbed, nodes=3).nodes) == 3
    tasks, job = srun(3)
    assert tasks == 3
    beds.down(spare_testbed)
    beds.up(spare_testbed, nodes=1)
    assert srun(1)[1] > job


def test_down_leaves_nothing(spare_testbed: Testbed) -> None:
    def network() -> list[str]:
        # The ordinary namespace's interfaces, addresses, routes and named namespaces.
        return [ran("ip", *words) for words in (["-br", "link"], ["-br", "addr"], ["route"], ["netns", "list"])]

    before = network()
    owned = everything_of(spare_testbed)
    assert len(owned) >= 7 and str(spare_testbed.directory) in Path("/proc/self/mountinfo").read_text()
    assert beds.down(spare_testbed)
    assert not [pid for pid in owned if processes.is_alive(pid)]
    assert str(spare_testbed.directory) not in Path("/proc/self/mountinfo").read_text()
    assert network() == before
    assert beds.status(spare_testbed).state == "down"
    left = {path.name for path in spare_testbed.directory.iterdir()}
    assert left - {"jobcomp.txt"} == {"logs", "first_job_id", "testbed.lock"}
    assert not beds.down(spare_testbed)
    with pytest.raises(InputError, match="no testbed is up; start one with: chorale testbed up"):
        beds.exec_in(spare_testbed, ["true"])


def test_a_directory_with_other_things_is_refused_and_left_alone(testbed: Testbed, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    for command in (beds.up, beds.down):
        with pytest.raises(InputError, match="holds files that are not a testbed's"):
            command(Testbed(directory=tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_numbers_that_make_no_sense_are_refused(testbed: Testbed) -> None:
    with pytest.raises(InputError, match="--nodes 0"):
        beds.up(testbed, nodes=0)
    with pytest.raises(InputError, match="--link-mbit -1"):
        beds.up(testbed, link_mbit=-1)
    with pytest.raises(InputError, match="too long"):
        Testbed.at("/var/tmp/" + 100 * "x")


def test_up_from_inside_a_node_is_refused(testbed: Testbed, capfd: pytest.CaptureFixture[str]) -> None:
    program = f"from chorale.launch.testbed import Testbed, down; down(Testbed.at('{testbed.directory}'))"
    assert beds.exec_in(testbed, [sys.executable, "-c", program], host="n1") == 1
    assert "this is host n1 of the testbed itself" in capfd.readouterr().err


WITHOUT_PACKAGES = 'mount --bind {0} /usr/sbin/slurmd; mount --bind {0} /usr/bin/apt-get; exec "$@"'


@pytest.mark.parametrize(
    ("surroundings", "refusal"),
    [
        (["setpriv", "--reuid=65534", "--clear-groups"], "the Slurm testbed needs root"),
        (["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin"], "this machine forbids namespaces"),
        (["unshare", "--mount", "sh", "-c", WITHOUT_PACKAGES, "sh"], "lacks slurmd, and there is no apt-get"),
    ],
)
def test_a_machine_that_cannot_carry_a_testbed_is_told_why(
    testbed: Testbed, tmp_path: Path, surroundings: list[str], refusal: str
) -> None:
    # An empty file that cannot be executed hides a program.
    (tmp_path / "nothing").touch()
    place = Path(f"/tmp/no-testbed-{os.getpid()}")
    program = f"from chorale.launch.testbed import Testbed, up; up(Testbed.at('{place}'))"
    command = [*(word.format(tmp_path / "nothing") for word in surroundings), sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    told = done.stderr.splitlines()[-1]
    assert "InputError" in told and refusal in told
    assert not place.exists()
