"""The text of Slurm's configuration files for the testbed."""

from __future__ import annotations

from chorale.core.files import write_text
from chorale.launch.testbed.layout import CONTROLLER, CPUS_PER_NODE, Testbed, address, node_names

# The nodes share the machine's memory; what they announce is for the scheduler, and the same on every machine.
_MEMORY_PER_NODE_MB = 32768
_MEMORY_PER_CPU_MB = 4096
# A requeued job waits until its old credential has run out.
_CREDENTIAL_S = 10
_NODE_SILENT_S = 10
_KILL_WAIT_S = 5
_PREEMPTION_GRACE_S = 5
_MEMORY_CHECK_S = 2


def write(testbed: Testbed, nodes: int, first_job_id: int) -> None:
    """Write ``slurm.conf`` and ``mpi.conf``."""
    write_text(testbed.slurm_conf, slurm_conf(testbed, nodes, first_job_id))
    write_text(testbed.slurm_conf.with_name("mpi.conf"), mpi_conf(testbed))


def slurm_conf(testbed: Testbed, nodes: int, first_job_id: int) -> str:
    """Return ``slurm.conf``: partition ``debug`` by default, ``urgent`` preempts and requeues what runs in it."""
    lines = [
        "ClusterName=testbed",
        f"SlurmctldHost={CONTROLLER}({address(CONTROLLER)})",
        "SlurmUser=root",
        "SlurmdUser=root",
        "AuthType=auth/munge",
        f"AuthInfo=socket={testbed.munge_socket},cred_expire={_CREDENTIAL_S}",
        f"StateSaveLocation={testbed.spool}/{CONTROLLER}",
        f"SlurmdSpoolDir={testbed.spool}/%n",
        f"SlurmctldPidFile={testbed.spool}/slurmctld.pid",
        f"SlurmdPidFile={testbed.spool}/slurmd-%n.pid",
        f"SlurmctldLogFile={testbed.logs}/slurmctld.log",
        f"SlurmdLogFile={testbed.logs}/slurmd-%n.log",
        "LogTimeFormat=iso8601_ms",
        f"FirstJobId={first_job_id}",
        # Several daemons, more CPUs than the machine has, and no cgroups: what one kernel can carry.
        "ProctrackType=proctrack/linuxproc",
        "TaskPlugin=task/none",
        "SlurmdParameters=config_overrides",
        "SelectType=select/cons_tres",
        # The least loaded node first: the tasks of a small array then meet several hosts, as they do on a busy cluster.
        "SelectTypeParameters=CR_Core_Memory,CR_LLN",
        f"DefMemPerCPU={_MEMORY_PER_CPU_MB}",
        # Without cgroups this is what ends a job that takes more memory than it asked for.
        "JobAcctGatherType=jobacct_gather/linux",
        f"JobAcctGatherFrequency=task={_MEMORY_CHECK_S}",
        "JobAcctGatherParams=OverMemoryKill,UsePss",
        "AccountingStorageType=accounting_storage/none",
        "JobCompType=jobcomp/filetxt",
        f"JobCompLoc={testbed.completed_jobs}",
        "MpiDefault=none",
        "MailProg=/bin/true",
        "ReturnToService=2",
        f"SlurmdTimeout={_NODE_SILENT_S}",
        f"KillWait={_KILL_WAIT_S}",
        "JobRequeue=1",
        "PreemptType=preempt/partition_prio",
        "PreemptMode=REQUEUE",
        "SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=1",
        _node_line(nodes),
        *(f"NodeName={node} NodeAddr={address(node)} NodeHostname={node}" for node in node_names(nodes)),
        f"PartitionName=debug Nodes=ALL Default=YES MaxTime=INFINITE PriorityTier=1 GraceTime={_PREEMPTION_GRACE_S}",
        "PartitionName=urgent Nodes=ALL MaxTime=INFINITE PriorityTier=10",
    ]
    return "\n".join(lines) + "\n"


def mpi_conf(testbed: Testbed) -> str:
    """Return ``mpi.conf``: the daemons of all nodes make files of one name, so each gets its private folder."""
    return f"PMIxCliTmpDirBase={testbed.private}\n"


def _node_line(nodes: int) -> str:
    return f"NodeName=DEFAULT CPUs={CPUS_PER_NODE} RealMemory={_MEMORY_PER_NODE_MB} State=UNKNOWN"
