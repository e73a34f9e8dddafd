import math

import numpy as np
import pytest
import torch

from chorale.core.errors import InputError
from chorale.experiments.speech2video.config.speech import SpeechConfig
from chorale.experiments.speech2video.corpus.speech import FolderSpeech, JoinedSpeech
from chorale.experiments.speech2video.losses.cpc import draw_negatives, info_nce
from chorale.experiments.speech2video.networks.cpc import ContextNetwork, contexts_of_frames
from chorale.experiments.speech2video.networks.predictions import Predictions
from chorale.experiments.speech2video.networks.shapes import FrameSize
from chorale.media.audio.write import write_wav

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return ContextNetwork(channels=8, hidden=6).eval()


@pytest.fixture(scope="module")
def waveform():
    return 0.1 * torch.randn(2, 640 * 5, generator=torch.Generator().manual_seed(1))


def test_a_step_is_ten_milliseconds(network, waveform):
    encoded = network(waveform)
    assert encoded.latents.shape == (2, 20, 8) and encoded.contexts.shape == (2, 20, 6)


def test_no_later_sample_changes_an_earlier_step_and_the_step_s_own_last_sample_does(network, waveform):
    changed = waveform.clone()
    changed[:, 160 * 7 - 1] += 1.0
    before, after = network(waveform), network(changed)
    assert torch.equal(before.latents[:, :6], after.latents[:, :6])
    assert torch.equal(before.contexts[:, :6], after.contexts[:, :6])
    assert not torch.equal(before.latents[:, 6], after.latents[:, 6])


def test_a_stream_in_pieces_gives_what_the_whole_gives(network, waveform):
    whole, state, pieces = network(waveform), None, []
    for first, last in ((0, 640), (640, 1920), (1920, 2080), (2080, 3200)):
        piece, state = network.stream(waveform[:, first:last], state)
        pieces.append(piece.contexts)
    torch.testing.assert_close(torch.cat(pieces, dim=1), whole.contexts, rtol=1e-5, atol=1e-6)
    assert [part.shape[2] for part in state.heard] == [5, 4, 2, 2, 2]


def test_samples_that_are_no_whole_step_are_refused(network):
    with pytest.raises(ValueError, match="a multiple of 160"):
        network(torch.zeros(1, 161))


def test_a_frame_s_context_is_that_of_its_last_ten_milliseconds():
    steps = torch.arange(12.0).view(1, 12, 1)
    assert contexts_of_frames(steps).flatten().tolist() == [3.0, 7.0, 11.0]


def test_info_nce_is_the_cross_entropy_by_hand():
    # One window of three steps, one step ahead: steps 0 and 1 guess. Scores are products of single channels.
    latents = torch.tensor([[[1.0], [2.0], [-1.0]]])
    guesses = torch.tensor([[[[0.5]], [[1.0]], [[9.0]]]])
    negatives = np.array([[[2], [0]]])
    # Step 0: right 0.5 * 2, wrong 0.5 * -1; step 1: right 1 * -1, wrong 1 * 1.
    by_hand = [math.log(1 + math.exp(-0.5 - 1.0)), math.log(1 + math.exp(1.0 + 1.0))]
    found = info_nce(guesses, latents, negatives)
    assert float(found.loss) == pytest.approx(sum(by_hand) / 2, rel=1e-6)
    assert float(found.hits) == 0.5


def test_scores_are_means_over_channels():
    latents, guesses = torch.ones(1, 3, 4), torch.ones(1, 3, 1, 4)
    latents[:, 2] = 0.0
    # Step 0: right 4 / 4, wrong 0; step 1: right 0, wrong 1.
    found = info_nce(guesses, latents, np.array([[[2], [0]]]))
    assert float(found.loss) == pytest.approx((math.log(1 + math.exp(-1)) + math.log(1 + math.exp(1))) / 2, rel=1e-6)


def test_guessing_by_chance_costs_the_logarithm_of_the_candidates():
    found = info_nce(torch.zeros(3, 20, 2, 5), torch.randn(3, 20, 5), draw_negatives(0, 0, 3, 20, 2, 15))
    assert float(found.loss) / 3 == pytest.approx(math.log(16), rel=1e-6)


def test_a_batch_in_two_halves_sums_to_the_whole():
    generator = torch.Generator().manual_seed(3)
    latents, guesses = (torch.randn(4, 20, *rest, generator=generator) for rest in ((5,), (2, 5)))
    whole = info_nce(guesses, latents, draw_negatives(7, 0, 4, 20, 2, 6))
    halves = [info_nce(guesses[a:b], latents[a:b], draw_negatives(7, a, b, 20, 2, 6)) for a, b in ((0, 1), (1, 4))]
    assert float(sum(half.loss for half in halves)) == pytest.approx(float(whole.loss), rel=1e-6)


def test_negatives_lie_in_the_window_and_never_where_a_step_guesses():
    drawn = draw_negatives(5, 0, 3, 30, 4, 500)
    assert drawn.shape == (3, 26, 500)
    for step in range(26):
        assert set(np.unique(drawn[:, step])) == set(range(30)) - set(range(step, step + 5))


def test_each_step_ahead_has_a_map_of_its_own():
    predictions = Predictions(hidden=3, channels=2, ahead=4)
    contexts = torch.randn(2, 7, 3)
    guesses = predictions(contexts)
    assert guesses.shape == (2, 7, 4, 2)
    torch.testing.assert_close(guesses[:, :, 2], contexts @ predictions.maps[2].weight.T)


def test_a_folder_s_recordings_come_at_16_khz_whatever_they_are(tmp_path):
    tone = 0.5 * torch.sin(2 * math.pi * 200 * torch.arange(8000) / 8000)
    write_wav(tmp_path / "deep" / "b.wav", tone, 8000)
    write_wav(tmp_path / "a.wav", torch.zeros(4800), 16000)
    speech = JoinedSpeech([FolderSpeech(tmp_path)])
    assert speech.lengths == [4799, 15999]
    heard = speech.read(1, 4000, 3200)
    wanted = 0.5 * torch.sin(2 * math.pi * 200 * torch.arange(4000, 7200) / 16000)
    # Away from the ends, where resampling a part differs from resampling the whole.
    torch.testing.assert_close(heard[200:-200], wanted[200:-200], rtol=0, atol=0.01)


def test_a_folder_without_recordings_is_refused(tmp_path):
    with pytest.raises(InputError, match="holds no recordings"):
        FolderSpeech(tmp_path)


def test_a_window_too_short_for_what_is_guessed_is_refused():
    with pytest.raises(ValueError, match="at least 26 steps were expected, for 12 are guessed"):
        SpeechConfig(window=160 * 25)


def test_sizes_of_frames_are_four_by_three_doubled():
    assert [FrameSize.of(*size) for size in ((128, 96), (64, 48), (32, 24))] == [(5,), (4,), (3,)]
    assert (FrameSize(5).height, FrameSize(5).width) == (128, 96)
    with pytest.raises(InputError, match="frames of 100 x 80; set faces"):
        FrameSize.of(100, 80)
