import random
from collections import Counter

import pytest
import torch
from made_up_speech import N_MELS, N_SYMBOLS, TINY, MadeUpSpeech, made_up_batch, made_up_config, made_up_sample

from chorale.core.errors import InputError
from chorale.experiments.fedtts.config.network import LossConfig
from chorale.experiments.fedtts.config.training import LocalConfig, RecipeConfig, ReductionStage
from chorale.experiments.fedtts.corpus.batch import collate
from chorale.experiments.fedtts.network.initial import build
from chorale.experiments.fedtts.network.losses import denominators, total_loss
from chorale.experiments.fedtts.network.naming import full_depth
from chorale.experiments.fedtts.rates import learning_rate, local_rate, reduction_at
from chorale.experiments.fedtts.sampling import Ahead, BatchSampler, batches_by_length
from chorale.experiments.fedtts.training import SpeechModel, SpeechTask
from chorale.ranks.group import SingleProcess
from chorale.runs.context import Context
from chorale.runs.contract import Stage
from chorale.runs.directory import Run
from chorale.runs.events import EventWriter, read_events
from chorale.runs.placement import Where
from chorale.training.config import LoopConfig
from chorale.training.dropout import place_samples
from chorale.training.loop import train

pytestmark = pytest.mark.unit
CPU = torch.device("cpu")
FULL = full_depth(TINY)


def tiny():
    return build(TINY, N_SYMBOLS, N_MELS, FULL, 0)


def task_of(config, data=None, group=None):
    return SpeechTask(tiny(), data or MadeUpSpeech(), config, group or SingleProcess(), CPU)


def gradients_of_slices(bounds, samples, reduction, local_denominators=False):
    """The sum over slices of the gradients of each one's part of the loss."""
    model, config = SpeechModel(tiny(), LossConfig()).train(), LossConfig()
    for first, last in bounds:
        random.seed(11)
        place_samples(model, first)
        own = samples[first:last]
        batch = collate(own, reduction)
        sums = model(batch.symbols, batch.symbol_lengths, batch.mel, batch.mel_lengths, batch.durations, reduction)
        counted = own if local_denominators else samples
        divisors = denominators([len(s.mel) for s in counted], [len(s.symbols) for s in counted], reduction, config)
        total_loss({name: value / divisors[name] for name, value in sums.items()}, config).backward()
    return torch.cat([parameter.grad.flatten() for parameter in model.parameters()])


@pytest.mark.parametrize("reduction", [1, 2])
def test_gradients_of_slices_add_up_to_the_whole_batchs_with_dropout_on(reduction):
    samples = [made_up_sample(index, symbols=count) for index, count in enumerate((3, 4, 4, 7, 9))]
    whole = gradients_of_slices([(0, 5)], samples, reduction)
    for bounds in ([(0, 2), (2, 5)], [(0, 1), (1, 4), (4, 5)]):
        parts = gradients_of_slices(bounds, samples, reduction)
        assert float((parts - whole).norm() / whole.norm()) < 1e-5
    wrong = gradients_of_slices([(0, 2), (2, 5)], samples, reduction, local_denominators=True)
    assert float((wrong - whole).norm() / whole.norm()) > 0.1


def test_each_utterance_is_in_one_batch_of_an_epoch_and_batches_are_even():
    lengths = [(index * 37) % 101 + 1 for index in range(53)]
    sampler = BatchSampler(lengths, 8, seed=1)
    assert sampler.batches_per_epoch == 7 and sampler.smallest == 7
    for epoch in range(3):
        batches = [sampler.batch(7 * epoch + index) for index in range(7)]
        assert Counter(index for batch in batches for index in batch) == Counter(range(53))
        assert {len(batch) for batch in batches} <= {7, 8}


def test_a_batch_depends_on_seed_and_step_alone_and_epochs_differ():
    lengths = list(range(1, 41))
    forwards = BatchSampler(lengths, 4, seed=1)
    batches = [forwards.batch(step) for step in range(30)]
    assert BatchSampler(lengths, 4, seed=1).batch(25) == batches[25]
    assert BatchSampler(lengths, 4, seed=2).batch(25) != batches[25]
    assert sorted(map(sorted, batches[:10])) != sorted(map(sorted, batches[10:20]))


def test_utterances_of_a_batch_are_of_similar_length():
    lengths = [(index * 37) % 101 for index in range(101)]
    sampler = BatchSampler(lengths, 8, seed=1)
    batches = [[lengths[index] for index in sampler.batch(step)] for step in range(sampler.batches_per_epoch)]
    spread = sum(max(batch) - min(batch) for batch in batches) / len(batches)
    assert spread < 25  # of 8 drawn at random it would be about 80


def test_batches_for_validation_hold_everything_once_the_shortest_first():
    assert batches_by_length([5, 1, 4, 2, 3], 2) == [[1, 3], [4, 2], [0]]


def test_what_is_made_ahead_is_what_would_be_made_now():
    made = []

    def make(step):
        made.append(step)
        if step == 5:
            raise ValueError("nothing there")
        return step * 10

    ahead = Ahead(make)
    assert [ahead.get(step) for step in (2, 3)] == [20, 30]
    assert ahead.get(0) == 0 and ahead.get(0) == 0
    ahead.get(4)
    with pytest.raises(ValueError, match="nothing there"):
        ahead.get(5)
    assert made[:2] == [2, 3]


def test_the_learning_rate_peaks_at_the_end_of_the_warm_up():
    recipe = RecipeConfig(rate=1e-3, warmup_steps=100)
    assert learning_rate(recipe, 0) == pytest.approx(1e-5)
    assert learning_rate(recipe, 49) == pytest.approx(5e-4)
    assert learning_rate(recipe, 99) == pytest.approx(1e-3)
    assert learning_rate(recipe, 399) == pytest.approx(5e-4)


def test_the_clients_rate_rises_over_rounds_and_stays_or_falls():
    local = LocalConfig(rate=1e-3, warmup_rounds=4)
    assert [local_rate(local, round_) for round_ in (0, 1, 3, 4, 40)] == pytest.approx([2.5e-4, 5e-4, 1e-3, 1e-3, 1e-3])
    falling = local.model_copy(update={"rate_decay": "inverse-sqrt"})
    assert [local_rate(falling, round_) for round_ in (3, 4, 16)] == pytest.approx([1e-3, 1e-3, 5e-4])
    assert local_rate(LocalConfig(rate=1e-3, rate_decay="inverse-sqrt"), 3) == pytest.approx(5e-4)


def test_the_reduction_factor_is_that_of_the_last_stage_begun():
    stages = tuple(ReductionStage(start=start, factor=factor) for start, factor in ((0, 10), (0.1, 5), (0.5, 2)))
    recipe = RecipeConfig(steps=100, reduction=stages)
    assert [reduction_at(recipe, step) for step in (0, 9, 10, 49, 50, 99)] == [10, 10, 5, 5, 2, 2]


def test_a_tiny_network_learns_two_utterances_by_heart(tmp_path):
    config = made_up_config(
        recipe={"steps": 100, "batch": 2, "rate": 1e-2, "warmup_steps": 10, "reduction": [{"start": 0, "factor": 2}]},
        network={"dropout": 0.0, "prenet_dropout": 0.1},
        corpus={"held_out": 0},
    )
    network = build(config.network, N_SYMBOLS, N_MELS, FULL, 0)
    task = SpeechTask(network, MadeUpSpeech(train=2, valid=2), config, SingleProcess(), CPU)
    events = EventWriter(tmp_path / "events" / "train" / "000000.1-0.jsonl")
    context = Context(Run(tmp_path), Stage(name="train", function="none:none"), 0, 1, events, Where())
    train(task, LoopConfig(steps=100, log_every=10, evaluate_every=50), context, 0)
    logged = {name: [] for name in ("loss/train", "mel_after/train", "stop/train", "loss/valid", "frames")}
    for event in read_events(tmp_path / "events", "train", 0):
        if event.name in logged:
            logged[event.name].append(event.value)
    assert logged["loss/train"][-1] < 0.4 * logged["loss/train"][0]
    assert logged["mel_after/train"][-1] < 0.4
    assert logged["stop/train"][-1] < 0.05
    assert len(logged["loss/valid"]) == 2
    assert set(logged["frames"]) == {sum(entry.frames for entry in MadeUpSpeech(train=2, valid=2).train)}


def test_the_same_seed_trains_the_same_network_and_another_trains_another():
    def hash_after(seed, steps=3):
        config = made_up_config(recipe={"batch": 4}, seed=seed)
        random.seed(seed)
        task = task_of(config)
        for step in range(steps):
            task.step(step)
        return task.engine.parameters_hash()

    assert hash_after(1) == hash_after(1) != hash_after(2)


def test_the_rate_and_the_reduction_factor_are_of_the_last_step():
    config = made_up_config(
        recipe={"steps": 10, "reduction": [{"start": 0, "factor": 3}, {"start": 0.5, "factor": 1}]},
    )
    task = task_of(config)
    assert task.gauges(5) == {"rate": learning_rate(config.recipe, 4), "reduction": 3.0}
    assert task.gauges(6)["reduction"] == 1.0


class OneOf(SingleProcess):
    """A rank that remembers what it would have added up with others."""

    def __init__(self, rank, size):
        self.rank, self.size, self.told = rank, size, None

    def total(self, values):
        self.told = list(values)
        return self.told


@pytest.mark.parametrize("size", [2, 4])
def test_ranks_validate_as_one_process_does_even_if_some_have_nothing(size):
    config, data = made_up_config(recipe={"batch": 5}), MadeUpSpeech(train=10, valid=7)
    alone, whole = OneOf(0, 1), task_of(config, data)
    whole._group = alone
    loss = whole.evaluate(0)
    assert set(loss) == {f"{name}/valid" for name in ("loss", "mel_before", "mel_after", "stop", "guide")}
    told = []
    for rank in range(size):
        task = task_of(config, data)
        task._group = OneOf(rank, size)
        task.evaluate(0)
        told.append(task._group.told)
    assert [sum(parts) for parts in zip(*told, strict=True)] == pytest.approx(alone.told, rel=1e-5)


@torch.no_grad()
def test_validation_draws_nothing_and_its_losses_are_means_over_all_utterances():
    config, data = made_up_config(recipe={"batch": 2}), MadeUpSpeech(train=4, valid=3)
    state = random.getstate()
    found = task_of(config, data).evaluate(0)
    assert random.getstate() == state
    batch = made_up_batch([4, 5, 6], 1)
    outputs = tiny().eval()(batch, 1)
    off = sum(
        float((outputs.refined[row, :length] - batch.mel[row, :length]).abs().mean(dim=1).sum())
        for row, length in enumerate(batch.mel_lengths)
    )
    assert found["mel_after/valid"] == pytest.approx(off / batch.frames, rel=1e-5)


def test_a_batch_smaller_than_the_number_of_ranks_is_refused():
    with pytest.raises(InputError, match=r"a batch of 2 utterance.* does not go round 3 ranks"):
        task_of(made_up_config(recipe={"batch": 3}), MadeUpSpeech(train=5), OneOf(0, 3))


def test_bf16_computes_close_to_fp32():
    losses = []
    for precision in ("fp32", "bf16"):
        random.seed(0)
        task = task_of(made_up_config(recipe={"batch": 4}, backend={"precision": precision}))
        losses.append(task.step(0)["loss/train"])
    assert losses[0] != losses[1]
    assert losses[1] == pytest.approx(losses[0], rel=0.03)
