"""Point-to-point messages over MPI: plain buffers, every byte counted, and no wait that cannot end.

A collective of MPI that waits for a dead rank waits for ever. Here nothing but non-blocking calls is used, so whoever
waits can look at the clock, and says which rank on which host did not answer.
"""

from __future__ import annotations

import atexit
import os
import sys
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chorale.core.errors import MissingExtraError, WorkError
from chorale.ranks.buffers import Buffers
from chorale.ranks.environment import host_name
from chorale.ranks.group import TIMEOUT_S, Group, MpiGroup, PeerLostError
from chorale.ranks.pause import Pause, Spin

Buffer = NDArray[np.uint8]
Parts = Buffer | Sequence[Buffer]
"""A buffer, or several that are sent as if they were one, without being copied into one."""
PIECE_BYTES = 1 << 30
"""Larger buffers are cut: MPI counts in 32-bit integers."""
# MPI promises tags up to 32767; the last one carries signs of life.
_CONTROL_TAG = 32767
_ALIVE, _FAILED, _LEFT = 0, 1, 2
# Small enough for every transport to take it at once, whether or not the peer still listens.
_FAREWELL_BYTES = 2000
# The longest sleep between two looks at a transfer, which stands still meanwhile.
_TRANSFER_SLEEP_S = 50e-6
# MPI moves a few pieces of 32 KiB in each call: to look at other ranks and at the clock after every call would cost as
# much again.
_CALLS = 16


class LostRankError(PeerLostError):
    """A rank is gone, has failed, or did not answer in time.

    Args:
        what: What happened.
        remedy: How to mend it.
        ranks: Who is lost.
    """

    def __init__(self, what: str, remedy: str, ranks: tuple[int, ...]) -> None:
        super().__init__(what, remedy)
        self.ranks = ranks


@dataclass(frozen=True)
class Counters:
    """What one rank has handed to MPI and was handed by it, signs of life included.

    Attributes:
        sent: Bytes by receiving rank.
        received: Bytes by sending rank.
    """

    sent: Mapping[int, int]
    received: Mapping[int, int]


class Channel:
    """Buffers between this rank and others; for a group of one, an object that has nobody to send to.

    Made on ALL ranks at once; afterwards no call but ``send`` and ``receive`` concerns another rank. One thread may
    use it. A buffer that is received is new, contiguous, aligned for every type, and the caller's own.

    Args:
        group: The ranks, joined by MPI.
        timeout_s: Seconds of silence after which a rank counts as lost. A single transfer counts as silence too, so
            it must be above the time that the largest buffer takes on the slowest link.
        piece_bytes: Buffers of this length or more are cut.

    Attributes:
        rank: Of this process.
        size: Number of ranks.
        sent_bytes: Lengths of the buffers handed to MPI, by receiving rank; signs of life included.
        received_bytes: Lengths of the buffers taken from MPI, by sending rank; signs of life included.
        control_bytes: The part of ``received_bytes`` that is signs of life.
        seconds: Time spent in transfers.
        waiting_s: Time spent waiting for a message to arrive.
        lost: Ranks found lost.
        exit_status: With which the processes end if a rank was lost: 1, unless the work was done without it.

    Raises:
        MissingExtraError: mpi4py is not installed.
        WorkError: The ranks are not joined by MPI.
    """

    def __init__(self, group: Group, timeout_s: float = TIMEOUT_S, piece_bytes: int = PIECE_BYTES) -> None:
        self.rank, self.size, self.timeout_s = group.rank, group.size, timeout_s
        self.sent_bytes = {rank: 0 for rank in range(group.size) if rank != group.rank}
        self.received_bytes, self.control_bytes = dict(self.sent_bytes), dict(self.sent_bytes)
        self.seconds = self.waiting_s = 0.0
        self.lost: set[int] = set()
        self.exit_status = 1
        self._piece_bytes = piece_bytes
        self._buffers = Buffers()
        self._heard: dict[int, float] = {}
        self._farewells: dict[int, str] = {}
        self._left: set[int] = set()
        # What MPI may still read or write must not be freed: signs of life under way, transfers given up.
        self._under_way: list[tuple[Any, Sequence[Buffer]]] = []
        if group.size > 1:
            try:
                from mpi4py import MPI
            except ImportError as error:
                raise MissingExtraError("mpi4py", "mpi") from error
            if MPI.COMM_WORLD.Get_size() != group.size:
                raise WorkError("messages between ranks need MPI", "declare the stage's kind as mpi")
            self._mpi = MPI
            self._hosts: list[str] = group.gather(host_name())
            # Of its own, so that no tag is mistaken for one of the group's.
            self._world = MPI.COMM_WORLD.Dup()
            atexit.register(self._leave)
            if isinstance(group, MpiGroup):
                group.ended_by_channel = True

    def send(self, peer: int, tag: int, buffer: Parts) -> None:
        """Send one buffer; returns when it may be changed again.

        Args:
            peer: The receiving rank.
            tag: 0 to 32766; a receiver asks for it.
            buffer: Contiguous, or contiguous parts of it in their order.

        Raises:
            LostRankError: The rank does not take it.
        """
        self.send_all({peer: buffer}, tag)

    def send_all(self, buffers: Mapping[int, Parts], tag: int) -> None:
        """Send a buffer to each of several ranks, all at the same time; the same arrays may go to many.

        Args:
            buffers: By receiving rank, as for ``send``.
            tag: 0 to 32766.

        Raises:
            LostRankError: Ranks did not take theirs within the time-out, or failed; the others have theirs.
        """
        requests: list[tuple[int, Any, Sequence[Buffer]]] = []
        total = 0
        for peer, buffer in buffers.items():
            self._require_peer(peer)
            parts = [buffer] if isinstance(buffer, np.ndarray) else buffer
            n_bytes = sum(part.nbytes for part in parts)
            with self._explained(peer):
                requests += [
                    (peer, self._begin(piece, peer, tag), piece) for piece in _pieces(parts, self._piece_bytes)
                ]
            self.sent_bytes[peer] += n_bytes
            total += n_bytes
        self._finish(requests, total, "take a message")

    def receive(self, peer: int, tag: int) -> Buffer:
        """Return the next buffer that ``peer`` sends with ``tag``.

        Raises:
            LostRankError: None came, nor a sign of life, within the time-out; or the rank says that it has failed.
        """
        return next(self.receive_from((peer,), tag))[1]

    def receive_from(self, peers: Iterable[int], tag: int) -> Iterator[tuple[int, Buffer]]:
        """Yield (rank, buffer) once for each of ``peers``, as they come; time between yields is not held against them.

        Raises:
            LostRankError: As for ``receive``; what the others send can be received with another call.
        """
        missing = sorted(set(peers))
        for peer in missing:
            self._require_peer(peer)
        while missing:
            peer = self._await_any(missing, tag)
            missing.remove(peer)
            yield peer, self._take(peer, tag)

    def beat(self, peer: int) -> None:
        """Tell ``peer`` that this rank is alive, so that it goes on waiting: between two pieces of long work."""
        self._tell(peer, _ALIVE, b"")

    def fail(self, reason: str) -> None:
        """Tell all ranks that this one will send nothing any more, so that they need not wait for the time-out."""
        for peer in self.sent_bytes:
            if peer not in self.lost:
                self._tell(peer, _FAILED, " ".join(reason.split()).encode()[:_FAREWELL_BYTES])

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Within this context an exception that ends the work here is told to the other ranks."""
        try:
            yield
        except Exception as error:
            self.fail(str(error) or type(error).__name__)
            raise

    def counters(self) -> Counters:
        """Return what has been sent and received until now."""
        return Counters(dict(self.sent_bytes), dict(self.received_bytes))

    def _begin(self, piece: Sequence[Buffer], peer: int, tag: int) -> Any:
        """Begin to send what lies in several places as one message."""
        if len(piece) == 1:
            return self._world.Isend([piece[0], self._mpi.BYTE], dest=peer, tag=tag)
        places = [self._mpi.Get_address(part) for part in piece]
        layout = self._mpi.BYTE.Create_hindexed([part.nbytes for part in piece], places).Commit()
        try:
            return self._world.Isend([self._mpi.BOTTOM, 1, layout], dest=peer, tag=tag)
        finally:
            # MPI keeps it until the transfer is complete.
            layout.Free()

    def _require_peer(self, peer: int) -> None:
        if peer not in self.sent_bytes:
            raise WorkError(f"rank {self.rank} of {self.size}: there is no other rank {peer}")
        if peer in self.lost:
            raise self._lost([peer], "was lost before")

    def meanwhile(self, peers: Collection[int], started: float) -> None:
        """Do what is to be done while this rank waits; called again and again. Here, nothing.

        Args:
            peers: Those it waits for.
            started: When it began to wait, by the monotonic clock.
        """

    def _await_any(self, peers: Collection[int], tag: int) -> int:
        """Return a rank whose message can be taken."""
        started = time.monotonic()
        pause = Pause()
        try:
            while True:
                # In this order: whoever says that it leaves has sent everything before.
                self._listen()
                for peer in peers:
                    with self._explained(peer):
                        if self._world.Iprobe(source=peer, tag=tag):
                            return peer
                self._judge(peers, started, "send anything")
                pause.rest()
        finally:
            self.waiting_s += time.monotonic() - started

    def _take(self, peer: int, tag: int) -> Buffer:
        pieces: list[Buffer] = []
        while not pieces or pieces[-1].nbytes == self._piece_bytes:
            if pieces:
                self._await_any((peer,), tag)
            status = self._mpi.Status()
            with self._explained(peer):
                self._world.Probe(source=peer, tag=tag, status=status)
                piece = self._buffers.take(status.Get_count(self._mpi.BYTE))
                request = self._world.Irecv([piece, self._mpi.BYTE], source=peer, tag=tag)
            self._finish([(peer, request, [piece])], piece.nbytes, "send the rest of a message")
            self.received_bytes[peer] += piece.nbytes
            pieces.append(piece)
        # Signs of life sent before this message have arrived with it: counted now, both sides agree at any time.
        self._listen()
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)

    def _finish(self, requests: list[tuple[int, Any, Sequence[Buffer]]], n_bytes: int, expected: str) -> None:
        """Wait until transfers are complete."""
        started = time.monotonic()
        spin, pause = Spin(started, n_bytes), Pause(_TRANSFER_SLEEP_S)
        errors: list[LostRankError] = []
        while requests:
            try:
                self._listen()
                began = time.monotonic()
                requests = [entry for entry in requests if not self._is_done(entry)]
                if requests and spin.goes_on(began):
                    os.sched_yield()
                elif requests:
                    self._judge({peer for peer, _, _ in requests}, started, expected)
                    pause.rest()
            except LostRankError as error:
                # The other transfers are brought to their end first: whoever goes on without the lost rank needs them.
                errors.append(error)
                self._under_way += [(request, buffer) for peer, request, buffer in requests if peer in self.lost]
                requests = [entry for entry in requests if entry[0] not in self.lost]
        self.seconds += time.monotonic() - started
        if len(errors) > 1:
            ranks = tuple(sorted({rank for error in errors for rank in error.ranks}))
            raise LostRankError("; ".join(error.what for error in errors), errors[0].remedy, ranks)
        if errors:
            raise errors[0]

    def _is_done(self, entry: tuple[int, Any, Sequence[Buffer]]) -> bool:
        with self._explained(entry[0]):
            return any(entry[1].Test() for _ in range(_CALLS))

    def _listen(self) -> None:
        """Take signs of life, and farewells, from whoever has sent some."""
        status = self._mpi.Status()
        while self._world.Iprobe(source=self._mpi.ANY_SOURCE, tag=_CONTROL_TAG, status=status):
            peer = status.Get_source()
            message = np.empty(status.Get_count(self._mpi.BYTE), np.uint8)
            self._world.Recv([message, self._mpi.BYTE], source=peer, tag=_CONTROL_TAG)
            if message[0] == _LEFT:
                self._left.add(peer)
                continue
            self.received_bytes[peer] += message.nbytes
            self.control_bytes[peer] += message.nbytes
            self._heard[peer] = time.monotonic()
            if message[0] == _FAILED:
                self._farewells[peer] = message[1:].tobytes().decode(errors="replace")

    def _judge(self, peers: Collection[int], started: float, expected: str) -> None:
        """Fail for those of ``peers`` that have said farewell, or have given no sign of life since ``started``."""
        for peer in peers:
            if peer in self._farewells:
                raise self._lost([peer], f"failed: {self._farewells[peer]}")
            if peer in self._left:
                raise self._lost([peer], f"has ended and did not {expected}")
        latest = time.monotonic() - self.timeout_s
        silent = [peer for peer in peers if max(started, self._heard.get(peer, 0.0)) < latest]
        if silent:
            raise self._lost(silent, f"did not {expected} within {self.timeout_s:g} s")
        self.meanwhile(peers, started)

    def _tell(self, peer: int, sign: int, text: bytes) -> None:
        message = np.frombuffer(bytes([sign]) + text, np.uint8)
        with self._explained(peer):
            self._under_way = [entry for entry in self._under_way if not entry[0].Test()]
            request = self._world.Isend([message, self._mpi.BYTE], dest=peer, tag=_CONTROL_TAG)
        self._under_way.append((request, [message]))
        # Leaving is no part of the work: by then, counters have been compared.
        if sign != _LEFT:
            self.sent_bytes[peer] += message.nbytes

    @contextmanager
    def _explained(self, peer: int) -> Iterator[None]:
        """Turn an error of MPI into one that names the peer."""
        try:
            yield
        except self._mpi.Exception as error:
            raise self._lost([peer], f"cannot be reached: {error}") from error

    def _lost(self, ranks: list[int], how: str) -> LostRankError:
        self.lost.update(ranks)
        who = ", ".join(f"rank {rank} on {self._hosts[rank]}" for rank in sorted(ranks))
        remedy = f"look into its log; if it was only slow, raise where.timeout_s above {self.timeout_s:g}"
        return LostRankError(f"rank {self.rank}: {who} {how}", remedy, tuple(sorted(ranks)))

    def _leave(self) -> None:
        """End this rank's part in MPI, at the interpreter's end and before MPI's own.

        MPI's regular end waits for all ranks, a lost one too, for ever; and a launcher can crash or hang if some are
        aborted while others wait there. So all wait here until everyone has come, or rank 0 aborts the rest.
        """
        sys.stdout.flush()
        sys.stderr.flush()
        if self.lost and (self.exit_status or self.rank):
            self._world.Abort(self.exit_status)
        others = {0} if self.rank else self.sent_bytes.keys() - self.lost
        try:
            if not self.lost:
                for peer in others:
                    self._tell(peer, _LEFT, b"")
            started = time.monotonic()
            pause = Pause()
            while not others <= self._left:
                self._listen()
                # The server may still have much to do, of which it tells nobody.
                if self.rank == 0:
                    self._judge(others - self._left, started, "come to its end")
                pause.rest()
        except LostRankError as error:
            sys.stderr.write(f"{error}\n")
            sys.stderr.flush()
            self._world.Abort(1)
        if self.lost:
            self._world.Abort(self.exit_status)


def length_of(buffer: Parts) -> int:
    """Return the bytes of a buffer, or of all its parts."""
    return buffer.nbytes if isinstance(buffer, np.ndarray) else sum(part.nbytes for part in buffer)


def _pieces(parts: Sequence[Buffer], piece_bytes: int) -> list[list[Buffer]]:
    """Cut a buffer so that only the last piece is shorter than ``piece_bytes``, which ends the message."""
    pieces: list[list[Buffer]] = [[]]
    room = piece_bytes
    for part in parts:
        while part.nbytes >= room:
            pieces[-1].append(part[:room])
            pieces.append([])
            part, room = part[room:], piece_bytes
        if part.nbytes:
            pieces[-1].append(part)
            room -= part.nbytes
    return [piece or [np.empty(0, np.uint8)] for piece in pieces]
