import random

import numpy as np
import pytest
import torch
from made_up_speech import N_MELS, N_SYMBOLS, TINY, made_up_batch, made_up_sample

from chorale.experiments.fedtts.config.network import NetworkConfig
from chorale.experiments.fedtts.corpus.batch import collate
from chorale.experiments.fedtts.network.attention import MultiHeadAttention
from chorale.experiments.fedtts.network.initial import build, initial_tensors, tensor_shapes
from chorale.experiments.fedtts.network.naming import Depth, exists_at, full_depth, layer_name, names_at, tensor_group
from chorale.experiments.fedtts.network.positions import sinusoids
from chorale.experiments.fedtts.network.transformer import frames_before
from chorale.training.dropout import place_samples

pytestmark = pytest.mark.unit
FULL = full_depth(TINY)
BASE = NetworkConfig(
    encoder_layers=6,
    decoder_layers=6,
    width=512,
    heads=8,
    feed_forward=1024,
    encoder_prenet=256,
    encoder_prenet_layers=2,
    decoder_prenet=256,
    postnet=256,
)
SMALL = NetworkConfig()


def tiny(depth=FULL, seed=0, **changes):
    return build(TINY.model_copy(update=changes), N_SYMBOLS, N_MELS, depth, seed)


def close(one, other, tolerance=1e-5):
    return torch.allclose(one, other, rtol=0, atol=tolerance)


@pytest.mark.parametrize("reduction", [1, 2, 3])
def test_a_step_sees_the_frames_of_earlier_steps_alone(reduction):
    network, batch = tiny().eval(), made_up_batch([0], reduction)
    before = network(batch, reduction)
    changed_step = 3
    batch.mel[:, changed_step * reduction :] += 1.0
    after = network(batch, reduction)
    seen = changed_step + 1  # the step after the changed one is the first that is told of it
    assert close(after.mel[:, : seen * reduction], before.mel[:, : seen * reduction], 1e-6)
    assert close(after.stop_logits[:, :seen], before.stop_logits[:, :seen], 1e-6)
    assert not close(after.stop_logits[:, seen], before.stop_logits[:, seen], 1e-3)


def test_a_step_is_told_the_last_frame_of_the_step_before_and_at_first_zeros():
    mel = torch.arange(1.0, 7.0).view(1, 6, 1)
    assert frames_before(mel, 1).flatten().tolist() == [0, 1, 2, 3, 4, 5]
    assert frames_before(mel, 2).flatten().tolist() == [0, 2, 4]
    assert frames_before(mel, 3).flatten().tolist() == [0, 3]


@pytest.mark.parametrize("training", [False, True], ids=["speaking", "training"])
@pytest.mark.parametrize("reduction", [1, 2])
def test_an_utterance_is_computed_alike_alone_and_beside_a_longer_one(reduction, training):
    network = tiny().train(training)
    short, long = made_up_sample(1, symbols=3), made_up_sample(2, symbols=8)
    random.seed(3)
    together = network(collate([short, long], reduction), reduction)
    random.seed(3)
    alone = network(collate([short], reduction), reduction)
    frames, steps = len(short.mel), -(-len(short.mel) // reduction)
    assert together.mel.shape[1] > frames
    assert close(together.mel[0, :frames], alone.mel[0, :frames])
    assert close(together.refined[0, :frames], alone.refined[0, :frames])
    assert close(together.stop_logits[0, :steps], alone.stop_logits[0, :steps])
    for one, other in zip(together.attention, alone.attention, strict=True):
        assert close(one[0, :, :steps, :3], other[0, :, :steps])
        assert not one[0, :, :, 3:].any()


def test_what_stands_in_the_padding_does_not_matter():
    network = tiny().eval()
    batch = collate([made_up_sample(1, symbols=3), made_up_sample(2, symbols=8)], 2)
    before = network(batch, 2)
    frames = int(batch.mel_lengths[0])
    batch.mel[0, frames:] = 50.0
    batch.symbols[0, 3:] = 5
    after = network(batch, 2)
    assert close(after.refined[0, :frames], before.refined[0, :frames], 1e-6)
    assert torch.equal(after.refined[1], before.refined[1])


def test_a_sample_drops_the_same_values_wherever_its_slice_begins():
    network = tiny().train()
    samples = [made_up_sample(index) for index in range(4)]
    random.seed(3)
    whole = network(collate(samples, 2), 2)
    random.seed(3)
    place_samples(network, 2)
    slice_ = network(collate(samples[2:], 2), 2)
    for index, sample in enumerate(samples[2:]):
        frames = len(sample.mel)
        assert close(slice_.refined[index, :frames], whole.refined[2 + index, :frames])


@pytest.mark.parametrize("depth", [Depth((0,), (2,)), Depth((0, 2), (0, 1)), Depth((1,), (0, 1, 2))])
def test_any_subset_of_layers_makes_a_network(depth):
    network = tiny(depth)
    outputs = network(made_up_batch([0, 1], 2), 2)
    assert len(outputs.attention) == len(depth.decoder)
    names = list(network.state_dict())
    assert names == names_at(tiny().state_dict(), depth)


def test_a_reduction_factor_uses_the_first_rows_of_the_output_layer():
    network, batch = tiny().eval(), made_up_batch([0], 6)
    network.output.mel.bias.data[2 * N_MELS :] = 1e6
    for reduction in (1, 2):
        outputs = network(batch, reduction)
        assert outputs.mel.shape == batch.mel.shape
        assert float(outputs.mel.detach().abs().max()) < 1e3
    assert float(network(batch, 3).mel.detach().abs().max()) > 1e3
    with pytest.raises(ValueError, match=r"frames are not a multiple of a reduction factor of 4"):
        network(made_up_batch([0], 6), 4)


def test_a_network_without_its_optional_parts_computes():
    network = tiny(encoder_prenet=0, postnet=0)
    outputs = network(made_up_batch([0], 2), 2)
    assert torch.equal(outputs.mel, outputs.refined)
    assert not any(name.startswith(("postnet", "encoder.prenet")) for name in network.state_dict())


def test_there_are_no_buffers_to_be_sent():
    assert list(tiny().buffers()) == []


def test_attention_without_weights_finds_what_attention_with_weights_finds():
    torch.manual_seed(0)
    attention, values = MultiHeadAttention(16, 2), torch.randn(2, 5, 16)
    mask = torch.tensor([[True] * 5, [True] * 3 + [False] * 2])
    memory = attention.project(values)
    found, weights = attention.with_weights(values, memory, mask)
    assert close(attention(values, memory, mask), found, 1e-6)
    assert close(weights.sum(dim=3), torch.ones(2, 2, 5), 1e-6)


def test_positions_are_sines_and_cosines_of_place_over_wave_length():
    places = sinusoids(3, 2, 4, torch.device("cpu"))
    expected = [[f(p / 10000 ** (i / 4)) for i in (0, 2) for f in (np.sin, np.cos)] for p in (3, 4)]
    assert places.numpy() == pytest.approx(np.array(expected), abs=1e-6)


def test_a_tensor_starts_the_same_whatever_other_layers_there_are():
    shallow = initial_tensors(TINY, N_SYMBOLS, N_MELS, Depth((0,), (2,)), 4)
    deep = initial_tensors(TINY, N_SYMBOLS, N_MELS, FULL, 4)
    assert all(np.array_equal(value, deep[name]) for name, value in shallow.items())
    other = initial_tensors(TINY, N_SYMBOLS, N_MELS, FULL, 5)
    weight = "decoder.layers.{}.cross_attention.query.weight"
    assert not np.array_equal(deep[weight.format(0)], other[weight.format(0)])
    assert not np.array_equal(deep[weight.format(0)], deep[weight.format(1)])


def test_first_weights_have_the_spread_of_glorot_and_biases_are_zero():
    tensors = initial_tensors(BASE, 40, 80, Depth((0,), (0,)), 0)
    weight = tensors["encoder.layers.0.feed_forward.hidden.weight"]
    assert weight.std() == pytest.approx(np.sqrt(2 / (512 + 1024)), rel=0.01)
    kernel = tensors["postnet.layers.1.convolution.convolution.weight"]
    assert kernel.std() == pytest.approx(np.sqrt(2 / (5 * (256 + 256))), rel=0.01)
    assert not tensors["encoder.layers.0.feed_forward.hidden.bias"].any()
    assert not tensors["embedding.weight"][0].any()
    assert tensors["encoder.positions.alpha"].tolist() == [1.0]
    assert all(value.dtype == np.float32 for value in tensors.values())


def parameters(config, depth=None):
    shapes = tensor_shapes(config, 60, 80, depth or full_depth(config))
    return sum(int(np.prod(shape)) for shape in shapes.values())


def test_the_base_size_has_33_million_parameters():
    assert parameters(BASE.model_copy(update={"encoder_prenet": 0})) == pytest.approx(33.0e6, rel=0.01)
    assert parameters(BASE) == pytest.approx(33.0e6, rel=0.04)


def test_the_small_size_has_7_million_parameters_and_a_million_more_with_an_encoder_prenet():
    assert parameters(SMALL.model_copy(update={"encoder_prenet": 0})) == pytest.approx(6.9e6, rel=0.01)
    assert parameters(SMALL) == pytest.approx(7.95e6, rel=0.01)


def test_a_pair_of_layers_of_the_base_size_has_5_million_parameters():
    shallow = Depth(tuple(range(5)), tuple(range(5)))
    assert parameters(BASE) - parameters(BASE, shallow) == pytest.approx(5.26e6, rel=0.001)


def test_tensors_are_grouped_by_layer_or_part():
    groups = {tensor_group(name) for name in tensor_shapes(TINY, N_SYMBOLS, N_MELS, Depth((0, 2), (1,)))}
    assert groups == {
        "embedding",
        "encoder",
        "encoder.layers.0",
        "encoder.layers.2",
        "decoder",
        "decoder.layers.1",
        "output",
        "postnet",
    }


def test_a_layers_tensor_exists_where_its_layer_does():
    name = "decoder.layers.12.self_attention.key.weight"
    assert layer_name(name) == ("decoder", 12, "self_attention.key.weight")
    assert layer_name(name).full == name
    assert exists_at(name, Depth((), (1, 12))) and not exists_at(name, Depth((12,), (1, 2)))
    assert exists_at("decoder.norm.weight", Depth((), ()))
    assert layer_name("postnet.layers.0.normalisation.bias") is None
