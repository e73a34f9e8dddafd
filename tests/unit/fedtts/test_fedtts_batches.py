import time

import numpy as np
import pytest
import torch

from chorale.experiments.fedtts.corpus.batch import Sample, collate

pytestmark = pytest.mark.unit


def sample(n: int, frames: int, labelled: bool = True, n_mels: int = 3) -> Sample:
    durations = np.array([frames - n + 1, *[1] * (n - 1)])
    mel = np.arange(frames * n_mels, dtype=np.float32).reshape(frames, n_mels) + 1
    return Sample(f"{n}-{frames}", np.arange(2, n + 2), mel, durations if labelled else None)


def test_every_utterance_stands_at_the_begin_and_zeros_follow():
    samples = [sample(4, 7), sample(2, 5)]
    batch = collate(samples, reduction=1)
    assert batch.symbols.tolist() == [[2, 3, 4, 5], [2, 3, 0, 0]]
    assert batch.mel.shape == (2, 7, 3) and batch.mel.dtype == torch.float32
    for row, one in enumerate(samples):
        assert np.array_equal(batch.mel[row, : len(one.mel)].numpy(), one.mel)
        assert not batch.mel[row, len(one.mel) :].any()
    assert batch.durations is not None and batch.durations.tolist() == [[4, 1, 1, 1], [4, 1, 0, 0]]


@pytest.mark.parametrize(("reduction", "padded"), [(1, 7), (2, 8), (3, 9), (5, 10), (7, 7)])
def test_frames_are_padded_to_a_multiple_of_the_reduction_and_lengths_stay_true(reduction, padded):
    batch = collate([sample(4, 7), sample(2, 5)], reduction)
    assert batch.mel.shape[1] == padded
    assert batch.mel_lengths.tolist() == [7, 5] and batch.symbol_lengths.tolist() == [4, 2]
    assert batch.frames == 12


def test_a_batch_has_durations_only_if_every_utterance_has():
    assert collate([sample(4, 7), sample(2, 5, labelled=False)], 1).durations is None


def test_a_batch_moves_as_a_whole():
    for labelled in (True, False):
        moved = collate([sample(4, 7, labelled)], 2).to("meta")
        assert {
            tensor.device.type for tensor in (moved.symbols, moved.symbol_lengths, moved.mel, moved.mel_lengths)
        } == {"meta"}
        assert (moved.durations is not None) is labelled


def test_a_batch_of_sixteen_long_sentences_costs_milliseconds():
    samples = [sample(120, 700 + 20 * index, n_mels=80) for index in range(16)]
    collate(samples, 2)
    costs = []
    for _ in range(5):
        started = time.perf_counter()
        collate(samples, 2)
        costs.append(time.perf_counter() - started)
    assert min(costs) < 0.02
