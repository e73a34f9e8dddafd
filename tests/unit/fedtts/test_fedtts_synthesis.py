import numpy as np
import pytest
import torch
from made_up_speech import N_MELS, N_SYMBOLS, TINY

from chorale.experiments.fedtts.corpus.batch import Batch
from chorale.experiments.fedtts.network.initial import build
from chorale.experiments.fedtts.network.naming import Depth, full_depth
from chorale.experiments.fedtts.network.synthesis import speak

pytestmark = pytest.mark.unit
SYMBOLS = [3, 1, 4, 1, 5]


def tiny(depth=None):
    return build(TINY, N_SYMBOLS, N_MELS, depth or full_depth(TINY), 0)


@pytest.mark.parametrize("depth", [None, Depth((0, 2), (1,))], ids=["all layers", "some layers"])
@pytest.mark.parametrize("reduction", [1, 2, 3])
def test_speaking_with_a_cache_is_speaking_without(reduction, depth):
    network = tiny(depth).eval()
    spoken = speak(network, SYMBOLS, reduction, threshold=0.999, max_frames=12 * reduction)
    assert spoken.mel.shape == (12 * reduction, N_MELS) and not spoken.stopped
    said = torch.from_numpy(spoken.unrefined).unsqueeze(0)
    lengths = torch.tensor([len(SYMBOLS)]), torch.tensor([said.shape[1]])
    with torch.no_grad():
        again = network(Batch(torch.tensor([SYMBOLS]), lengths[0], said, lengths[1], None), reduction)
    assert again.mel[0].numpy() == pytest.approx(spoken.unrefined, abs=1e-5)
    assert again.refined[0].numpy() == pytest.approx(spoken.mel, abs=1e-5)
    assert torch.stack(again.attention)[:, 0].numpy() == pytest.approx(spoken.attention, abs=1e-5)
    assert spoken.attention.shape == (len(network.depth.decoder), TINY.heads, 12, len(SYMBOLS))


def test_speaking_ends_with_the_step_whose_stop_token_comes():
    network = tiny()
    network.output.stop.weight.data.zero_()
    network.output.stop.bias.data.fill_(2.0)  # a probability of 0.88
    spoken = speak(network, SYMBOLS, 2, threshold=0.85, max_frames=30)
    assert spoken.stopped and len(spoken.mel) == 2
    assert not speak(network, SYMBOLS, 2, threshold=0.9, max_frames=30).stopped


def test_speaking_is_cut_off_at_the_frame_asked_for():
    assert len(speak(tiny(), SYMBOLS, 3, threshold=0.999, max_frames=10).mel) == 10


def test_a_network_in_training_speaks_without_dropout_and_goes_on_training():
    network = tiny().train()
    first = speak(network, SYMBOLS, 2, 0.999, 20)
    assert network.training and network.decoder.prenet.first_dropout.training
    assert np.array_equal(first.mel, speak(network, SYMBOLS, 2, 0.999, 20).mel)
    assert np.array_equal(first.mel, speak(network.eval(), SYMBOLS, 2, 0.999, 20).mel)
