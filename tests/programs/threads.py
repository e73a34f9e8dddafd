"""Ranks as threads of this process: a group and a channel that behave like those of MPI, in memory."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from chorale.ranks.channel import Counters, LostRankError, Parts


class ThreadGroup:
    """A rank of a group of threads."""

    def __init__(self, rank: int, size: int, shared: dict[str, Any]) -> None:
        self.rank, self.size, self._shared = rank, size, shared

    def gather(self, value: Any) -> list[Any]:
        self._shared["values"][self.rank] = value
        self._shared["barrier"].wait(20)
        values = list(self._shared["values"])
        self._shared["barrier"].wait(20)
        return values

    def broadcast(self, value: Any) -> Any:
        return self.gather(value)[0]

    def barrier(self) -> None:
        self.gather(None)

    def agree(self, flag: bool) -> bool:
        return any(self.gather(flag))

    def total(self, values: Iterable[float]) -> list[float]:
        return [sum(each) for each in zip(*self.gather(tuple(values)), strict=True)]

    def watched(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    def fail(self) -> None:
        pass

    def close(self) -> None:
        pass


class ThreadChannel:
    """A rank's channel to the other threads."""

    def __init__(self, rank: int, size: int, shared: dict[str, Any]) -> None:
        self.rank, self.size, self._shared = rank, size, shared
        others = [peer for peer in range(size) if peer != rank]
        self.sent_bytes = dict.fromkeys(others, 0)
        self.received_bytes, self.control_bytes = dict(self.sent_bytes), dict(self.sent_bytes)
        self.seconds = self.waiting_s = 0.0
        self.lost: set[int] = set()
        self.exit_status = 1

    def send(self, peer: int, tag: int, buffer: Parts) -> None:
        whole = buffer.copy() if isinstance(buffer, np.ndarray) else np.concatenate(list(buffer))
        self.sent_bytes[peer] += whole.nbytes
        self._shared["messages"][self.rank, peer].put(whole)

    def send_all(self, buffers: Mapping[int, Parts], tag: int) -> None:
        for peer, buffer in buffers.items():
            self.send(peer, tag, buffer)

    def receive(self, peer: int, tag: int) -> np.ndarray:
        return next(self.receive_from([peer], tag))[1]

    def receive_from(self, peers: Iterable[int], tag: int) -> Iterator[tuple[int, np.ndarray]]:
        missing = sorted(peers)
        until = time.monotonic() + 20
        while missing:
            self._hear()
            for peer in missing:
                with contextlib.suppress(queue.Empty):
                    buffer = self._shared["messages"][peer, self.rank].get_nowait()
                    self._hear()
                    self.received_bytes[peer] += buffer.nbytes
                    missing.remove(peer)
                    yield peer, buffer
                    break
            else:
                assert time.monotonic() < until, f"rank {self.rank} waits for {missing}"
                time.sleep(1e-3)

    def beat(self, peer: int) -> None:
        self._tell(peer, b"")

    def fail(self, reason: str) -> None:
        for peer in self.sent_bytes:
            self._tell(peer, reason.encode())

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            self.fail(str(error) or "failed")
            raise

    def counters(self) -> Counters:
        return Counters(dict(self.sent_bytes), dict(self.received_bytes))

    def _tell(self, peer: int, text: bytes) -> None:
        self.sent_bytes[peer] += 1 + len(text)
        self._shared["signs"][self.rank, peer].put(text)

    def _hear(self) -> None:
        for peer in self.control_bytes:
            while True:
                try:
                    text = self._shared["signs"][peer, self.rank].get_nowait()
                except queue.Empty:
                    break
                self.control_bytes[peer] += 1 + len(text)
                self.received_bytes[peer] += 1 + len(text)
                if text:
                    self.lost.add(peer)
                    raise LostRankError(f"rank {peer} failed: {text.decode()}", "", (peer,))


def on_threads(size: int, work: Callable[[ThreadGroup, ThreadChannel], Any]) -> list[Any]:
    """Let ``size`` threads do ``work``; return what each returned, or the exception that it raised."""
    pairs = [(a, b) for a in range(size) for b in range(size) if a != b]
    shared: dict[str, Any] = {
        "values": [None] * size,
        "barrier": threading.Barrier(size),
        "messages": {pair: queue.Queue() for pair in pairs},
        "signs": {pair: queue.Queue() for pair in pairs},
    }
    outcomes: list[Any] = [None] * size

    def be(rank: int) -> None:
        try:
            outcomes[rank] = work(ThreadGroup(rank, size, shared), ThreadChannel(rank, size, shared))
        except Exception as error:
            outcomes[rank] = error

    threads = [threading.Thread(target=be, args=(rank,), daemon=True) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive(), "a rank hangs"
    return outcomes
