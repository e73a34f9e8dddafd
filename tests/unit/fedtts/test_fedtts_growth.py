from itertools import pairwise, product

import numpy as np
import pytest
import torch
from made_up_speech import N_MELS, N_SYMBOLS, TINY, made_up_batch, made_up_config

from chorale.core.errors import InputError
from chorale.experiments.fedtts.config.network import GrowthConfig
from chorale.experiments.fedtts.network.growth import (
    depth_at,
    grown,
    is_warmup,
    new_layers,
    stage_at,
    stages,
    trainable_at,
)
from chorale.experiments.fedtts.network.initial import initial_tensors, tensor_shapes
from chorale.experiments.fedtts.network.naming import Depth, full_depth, tensor_group
from chorale.experiments.fedtts.network.transformer import TransformerTts
from chorale.experiments.fedtts.schedule import make_schedule

pytestmark = pytest.mark.unit
FULL = full_depth(TINY)
DEEP = TINY.model_copy(update={"encoder_layers": 6, "decoder_layers": 6})
GROW = GrowthConfig(kind="grow")


def says(tensors, depth, batch):
    network = TransformerTts(TINY, N_SYMBOLS, N_MELS, depth).eval()
    network.load_state_dict({name: torch.from_numpy(value) for name, value in tensors.items()})
    return network(batch, 2)


def test_layers_are_added_on_top():
    growth = GrowthConfig(kind="grow", first_layers=2, add_layers=2)
    assert [depth.encoder for depth in stages(growth, DEEP)] == [(0, 1), (0, 1, 2, 3), (0, 1, 2, 3, 4, 5)]


def test_interleaved_layers_start_evenly_spaced_and_split_the_largest_gap():
    growth = GrowthConfig(kind="grow", first_layers=2, position="interleaved")
    assert [depth.encoder for depth in stages(growth, DEEP)] == [
        (0, 3),
        (0, 1, 3),
        (0, 1, 3, 4),
        (0, 1, 2, 3, 4),
        (0, 1, 2, 3, 4, 5),
    ]


def test_the_layers_of_a_stage_are_among_those_of_the_next_and_the_last_has_all():
    for encoder, decoder, first, add, position in product((3, 5, 8), (3, 6), (1, 2, 3), (1, 2), ("top", "interleaved")):
        network = TINY.model_copy(update={"encoder_layers": encoder, "decoder_layers": decoder})
        found = stages(GrowthConfig(kind="grow", first_layers=first, add_layers=add, position=position), network)
        assert found[-1] == full_depth(network)
        assert all(0 in depth.encoder and 0 in depth.decoder for depth in found)
        assert len(found[0].encoder) == len(found[0].decoder) == first
        for before, after in pairwise(found):
            assert set(before.encoder) <= set(after.encoder) and set(before.decoder) <= set(after.decoder)
            assert before != after


def test_a_stage_lasts_a_half_of_its_equal_share_and_the_last_takes_the_rest():
    found = [stage_at(round_, 60, GROW, TINY) for round_ in range(60)]  # 3 stages: 60 / (2 * 3) rounds
    assert found == [0] * 10 + [1] * 10 + [2] * 40
    every = GROW.model_copy(update={"every": 0.25})
    assert [stage_at(round_, 20, every, TINY) for round_ in range(20)] == [0] * 5 + [1] * 5 + [2] * 10


def test_rounds_that_do_not_reach_the_last_stage_are_refused():
    with pytest.raises(InputError, match=r"3 stages of 3 round.* do not fit into 6 rounds"):
        depth_at(0, 6, GROW.model_copy(update={"every": 0.5}), TINY, 0)
    assert depth_at(2, 3, GROW, TINY, 0) == FULL


def test_without_growth_every_layer_is_there_in_every_round():
    assert {depth_at(round_, 9, GrowthConfig(), TINY, 0) for round_ in range(9)} == {FULL}


def test_random_depth_is_keyed_by_round_and_keeps_the_lowest_layers():
    growth = GrowthConfig(kind="random", keep=0.7)
    drawn = [depth_at(round_, 400, growth, DEEP, 1) for round_ in range(400)]
    assert drawn == [depth_at(round_, 400, growth, DEEP, 1) for round_ in range(400)]
    assert drawn != [depth_at(round_, 400, growth, DEEP, 2) for round_ in range(400)]
    assert all(depth.encoder[0] == 0 and depth.decoder[0] == 0 for depth in drawn)
    share = np.mean([(len(depth.encoder) + len(depth.decoder) - 2) / 10 for depth in drawn])
    assert share == pytest.approx(0.7, abs=0.03)
    assert len({depth.encoder == depth.decoder for depth in drawn}) == 2


def test_after_each_growth_the_new_layers_alone_are_trained():
    growth = GROW.model_copy(update={"warmup_rounds": 2})
    assert [round_ for round_ in range(60) if is_warmup(round_, 60, growth, TINY)] == [10, 11, 20, 21]
    names = tensor_shapes(TINY, N_SYMBOLS, N_MELS, FULL)
    warming = trainable_at(names, 20, 60, growth, TINY, 0)
    assert {tensor_group(name) for name in warming} == {"encoder.layers.2", "decoder.layers.2"}
    everything = trainable_at(names, 22, 60, growth, TINY, 0)
    assert everything == frozenset(names)
    first = trainable_at(names, 0, 60, growth, TINY, 0)
    assert first == frozenset(tensor_shapes(TINY, N_SYMBOLS, N_MELS, Depth((0,), (0,))))


def test_new_layers_are_those_that_were_not_there():
    assert new_layers(Depth((0, 2), (0,)), Depth((0, 1, 2), (0, 1, 2))) == Depth((1,), (1, 2))


@pytest.mark.parametrize("before", [Depth((0,), (0,)), Depth((0, 2), (0, 2))], ids=["top", "between"])
def test_a_network_that_grows_by_zero_projections_says_what_it_said_before(before):
    fresh, batch = initial_tensors(TINY, N_SYMBOLS, N_MELS, FULL, 0), made_up_batch([0, 1], 2)
    tensors = initial_tensors(TINY, N_SYMBOLS, N_MELS, before, 7)
    old = says(tensors, before, batch)
    after = grown(tensors, before, FULL, GROW, fresh)
    new = says(after, FULL, batch)
    assert torch.equal(new.refined, old.refined)
    assert torch.equal(new.stop_logits, old.stop_logits)
    assert list(after) == list(fresh)
    # Without the zeros it would say something else, and zero everywhere could not learn.
    unlike = says(grown(tensors, before, FULL, GROW.model_copy(update={"kind": "random"}), fresh), FULL, batch)
    assert not torch.allclose(unlike.refined, old.refined, atol=1e-3)
    assert after["decoder.layers.1.cross_attention.query.weight"].any()


def test_the_new_layers_of_a_network_that_grew_by_zero_projections_can_learn():
    before = Depth((0,), (0,))
    tensors = initial_tensors(TINY, N_SYMBOLS, N_MELS, before, 7)
    fresh = initial_tensors(TINY, N_SYMBOLS, N_MELS, FULL, 0)
    network = TransformerTts(TINY, N_SYMBOLS, N_MELS, FULL)
    after = grown(tensors, before, FULL, GROW, fresh)
    network.load_state_dict({name: torch.from_numpy(value) for name, value in after.items()})
    network(made_up_batch([0], 2), 2).refined.square().sum().backward()
    assert float(network.decoder.layers["1"].feed_forward.output.weight.grad.abs().max()) > 0


def test_a_copied_layer_is_the_nearest_one_below():
    growth = GROW.model_copy(update={"initial": "copy", "position": "interleaved"})
    before = Depth((0, 2), (0,))
    tensors = initial_tensors(TINY, N_SYMBOLS, N_MELS, before, 7)
    after = grown(tensors, before, FULL, growth, initial_tensors(TINY, N_SYMBOLS, N_MELS, FULL, 0))
    rest = "attention.query.weight"
    assert np.array_equal(after[f"encoder.layers.1.{rest}"], tensors[f"encoder.layers.0.{rest}"])
    rest = "self_attention.query.weight"
    assert np.array_equal(after[f"decoder.layers.2.{rest}"], tensors[f"decoder.layers.0.{rest}"])
    assert after[f"decoder.layers.2.{rest}"] is not after[f"decoder.layers.1.{rest}"]


def test_layers_that_are_out_for_a_round_keep_their_values():
    growth = GrowthConfig(kind="random")
    fresh = initial_tensors(TINY, N_SYMBOLS, N_MELS, FULL, 0)
    before, after = Depth((0, 1), (0, 1)), Depth((0, 2), (0,))
    tensors = initial_tensors(TINY, N_SYMBOLS, N_MELS, before, 7)
    result = grown(tensors, before, after, growth, fresh)
    assert all(result[name] is value for name, value in tensors.items())
    assert {tensor_group(name) for name in result if name not in tensors} == {"encoder.layers.2"}


def test_the_schedule_of_a_federation_follows_growth_and_rates():
    config = made_up_config(
        "federated",
        growth={"kind": "grow", "warmup_rounds": 1},
        federation={"rounds": 12},
        local={"rate": 1e-3, "warmup_rounds": 4},
    )
    schedule = make_schedule(config, N_SYMBOLS, symbols_per_frame=0.3)
    assert [len(schedule.depth_at(round_).decoder) for round_ in range(12)] == [1] * 2 + [2] * 2 + [3] * 8
    groups = {tensor_group(name) for name in schedule.trainable_at(2, schedule.depth_at(2))}
    assert groups == {"encoder.layers.1", "decoder.layers.1"}
    assert schedule.cost_at(FULL) == 1.0
    assert schedule.cost_at(Depth((0,), (0,))) < schedule.cost_at(Depth((0, 1), (0, 1))) < 1.0
    assert [schedule.rate_at(round_) for round_ in (0, 3, 9)] == pytest.approx([2.5e-4, 1e-3, 1e-3])
    tensors = initial_tensors(TINY, N_SYMBOLS, N_MELS, Depth((0,), (0,)), 0)
    assert set(schedule.grow(tensors, Depth((0,), (0,)), FULL)) == set(tensor_shapes(TINY, N_SYMBOLS, N_MELS, FULL))
