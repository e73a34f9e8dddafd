import random

import numpy as np
import pytest
import torch
from made_up_speech import N_MELS, N_SYMBOLS, TINY, MadeUpSpeech, made_up_config

from chorale.core.errors import WorkError
from chorale.experiments.fedtts.federation.trainer import ClientWork
from chorale.experiments.fedtts.local import LocalTrainer
from chorale.experiments.fedtts.network.initial import initial_tensors
from chorale.experiments.fedtts.network.naming import Depth, full_depth, tensor_group
from chorale.experiments.fedtts.noise import NoiseTrainer

pytestmark = pytest.mark.unit
FULL, SHALLOW = full_depth(TINY), Depth((0,), (0, 2))
SEED = 3
RATE = 0.01


def trainer(data=None, **local):
    local = {"steps": 2, "batch": 3, **local}
    config = made_up_config("federated", local=local, federation={"reduction": 2, "clients": 3})
    data = data or MadeUpSpeech()
    clients = [data.train[:4], data.train[4:], []]
    return LocalTrainer(data, config, clients, SEED)


def first_tensors(depth=FULL):
    tensors = initial_tensors(TINY, N_SYMBOLS, N_MELS, depth, SEED)
    for value in tensors.values():
        value.setflags(write=False)
    return tensors


def work(client=0, round_=0, depth=FULL, trainable=None, rate=RATE, **changes):
    tensors = first_tensors(depth)
    return ClientWork(
        client, round_, tensors, depth, frozenset(tensors if trainable is None else trainable), rate, **changes
    )


def same(one, other):
    return list(one.delta) == list(other.delta) and all(
        np.array_equal(value, other.delta[name]) for name, value in one.delta.items()
    )


def test_a_clients_update_is_the_same_in_whatever_order_clients_work():
    tasks = [
        work(0),
        work(1),
        work(0, depth=SHALLOW),
        work(1, round_=1),
        work(0, round_=1, trainable=["output.mel.bias"]),
    ]
    forwards, backwards = trainer(), trainer()
    there = [forwards.train(task) for task in tasks]
    torch.manual_seed(1)
    random.seed(2)  # what was drawn before must not matter
    backwards.evaluate(first_tensors(SHALLOW), SHALLOW)
    back = [backwards.train(task) for task in reversed(tasks)][::-1]
    assert all(same(one, other) and one.metrics == other.metrics for one, other in zip(there, back, strict=True))
    assert not same(there[0], there[1])
    alone = trainer().train(work(0, round_=1))
    assert not same(there[0], alone)


def test_an_update_holds_exactly_the_trainable_tensors_in_fp32():
    trainable = [name for name in first_tensors() if tensor_group(name) in ("decoder.layers.1", "postnet")]
    result = trainer().train(work(trainable=trainable))
    assert list(result.delta) == trainable
    assert all(value.dtype == np.float32 and np.isfinite(value).all() for value in result.delta.values())
    assert all(result.delta[name].any() for name in trainable if name.endswith("weight"))
    assert result.steps == 2 and set(result.metrics) == {"loss", "mel_before", "mel_after", "stop", "guide"}


def test_epochs_count_where_no_steps_are_given():
    result = trainer(steps=None, epochs=2, batch=3).train(work(client=1))
    assert result.steps == 4  # 6 utterances in batches of 3, twice
    assert result.frames == 2 * trainer().sizes()[1]


def test_training_lowers_the_loss_of_the_validation():
    local = trainer(steps=30)
    tensors = first_tensors()
    result = local.train(work())
    after = {name: value + result.delta[name] for name, value in tensors.items()}
    assert local.evaluate(after, FULL)["loss"] < 0.8 * local.evaluate(tensors, FULL)["loss"]


def test_a_correction_is_added_to_the_gradient():
    local = trainer(steps=1, optimizer="sgd", clip_norm=None)
    generator = np.random.default_rng(0)
    correction = {
        name: generator.normal(size=value.shape).astype(np.float32) for name, value in first_tensors().items()
    }
    plain, corrected = local.train(work()), local.train(work(correction=correction))
    for name, value in plain.delta.items():
        assert corrected.delta[name] == pytest.approx(value - RATE * correction[name], abs=2e-7)


def test_the_proximal_term_pulls_by_mu_times_the_way_gone():
    plain = {steps: trainer(steps=steps, optimizer="sgd", clip_norm=None).train(work()) for steps in (1, 2)}
    mu = 5.0
    pulled = trainer(steps=2, optimizer="sgd", clip_norm=None).train(work(mu=mu))
    # The first step begins where the term is 0; the second adds mu times what the first has moved.
    for name, moved in plain[1].delta.items():
        assert pulled.delta[name] == pytest.approx(plain[2].delta[name] - RATE * mu * moved, abs=3e-7)
    assert any(abs(RATE * mu * moved).max() > 1e-4 for moved in plain[1].delta.values())


def test_the_whole_gradient_is_clipped():
    result = trainer(steps=1, optimizer="sgd", clip_norm=0.5).train(work())
    norm = np.sqrt(sum(float(np.square(value.astype(np.float64)).sum()) for value in result.delta.values()))
    assert norm == pytest.approx(0.5 * RATE, rel=1e-3)


def test_validation_does_not_depend_on_how_it_is_batched():
    found = [trainer(batch=batch).evaluate(first_tensors(), FULL) for batch in (1, 2, 5)]
    for other in found[1:]:
        assert other == pytest.approx(found[0], rel=1e-5)
    assert trainer(MadeUpSpeech(valid=0)).evaluate(first_tensors(), FULL) == {}


def test_a_client_without_utterances_or_with_a_broken_loss_says_so():
    with pytest.raises(WorkError, match="client 2 has no utterances"):
        trainer().train(work(client=2))
    data = MadeUpSpeech()
    data.sample(data.train[4]).mel[:] = np.nan
    with pytest.raises(WorkError, match="the loss of client 1 is nan at step 0 of round 7"):
        trainer(data, batch=6).train(work(client=1, round_=7, trainable=["output.mel.bias"]))


def test_noise_has_the_shapes_asked_for_and_is_keyed_by_round_and_client():
    noise = NoiseTrainer([100, 200], SEED)
    assert noise.sizes() == [100, 200] and noise.evaluate({}, FULL) == {}
    trainable = ["embedding.weight", "output.mel.bias"]
    result = noise.train(work(client=1, trainable=trainable))
    assert {name: value.shape for name, value in result.delta.items()} == {
        name: first_tensors()[name].shape for name in trainable
    }
    assert all(value.dtype == np.float32 and 0 < np.abs(value).max() <= 1e-3 for value in result.delta.values())
    assert same(NoiseTrainer([100, 200], SEED).train(work(client=1, trainable=trainable)), result)
    for other in (noise.train(work(client=0, trainable=trainable)), noise.train(work(1, 1, trainable=trainable))):
        assert not same(other, result)
