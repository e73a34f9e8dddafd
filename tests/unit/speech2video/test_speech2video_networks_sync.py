import math

import pytest
import torch

from chorale.experiments.speech2video.losses.sync import contrastive, sync_cross_entropy
from chorale.experiments.speech2video.networks.judges_sync import SyncJudge
from chorale.experiments.speech2video.networks.shapes import FrameSize
from chorale.experiments.speech2video.networks.sync_expert import SyncExpert, WindowMel
from chorale.experiments.speech2video.networks.sync_windows import face_windows, lower_half, speech_windows
from chorale.media.audio.mel import log_mel

pytestmark = pytest.mark.unit
SIZES = [FrameSize(3), FrameSize(4), FrameSize(5)]


def seeded(build):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return build()


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def small_expert(size=SIZES[0], norm="batch"):
    return seeded(lambda: SyncExpert(size, width=4, embedding=16, n_mels=16, norm=norm))


def small_judge(size=SIZES[0]):
    return seeded(lambda: SyncJudge(size, width=4, embedding=16))


def pairs(count, size=SIZES[0]):
    return noise(count, 5, 3, size.height, size.width).clamp(-1, 1), 0.1 * noise(count, 3200, seed=1)


def test_windows_are_five_frames_and_the_sound_that_is_heard_with_them():
    frames, waveform = noise(8, 3, 4, 6), torch.arange(8 * 640.0)
    seen, heard = face_windows(frames), speech_windows(waveform)
    assert seen.shape == (4, 5, 3, 4, 6) and heard.shape == (4, 3200)
    for first in range(4):
        assert torch.equal(seen[first], frames[first : first + 5])
        assert torch.equal(heard[first], waveform[640 * first : 640 * (first + 5)])


def test_the_lower_half_is_the_one_further_down():
    assert torch.equal(lower_half(torch.arange(4.0).view(1, 4, 1)), torch.tensor([[[2.0], [3.0]]]))


def test_a_windows_mel_is_that_of_the_recording_scaled_to_minus_one_and_one():
    network, waveforms = WindowMel(16), 0.1 * noise(2, 3200)
    found = network(waveforms)
    expected = torch.stack([log_mel(each, network.config) for each in waveforms]).transpose(1, 2)
    assert found.shape == (2, 16, 16)
    torch.testing.assert_close(found, 1 + 2 * expected / -math.log(1e-5), rtol=1e-4, atol=1e-5)
    assert torch.equal(network(torch.zeros(1, 3200)), torch.full((1, 16, 16), -1.0))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("norm", ["batch", "group"])
def test_an_expert_embeds_faces_of_every_size_and_speech_to_length_one_with_no_negative_values(size, norm):
    expert, (frames, waveforms) = small_expert(size, norm), pairs(2, size)
    for embedding in (expert.embed_faces(frames), expert.embed_speech(waveforms)):
        assert embedding.shape == (2, 16) and embedding.min() >= 0
        torch.testing.assert_close(embedding.norm(dim=1), torch.ones(2))
    cosine = expert(frames, waveforms)
    together = torch.nn.functional.cosine_similarity(expert.embed_faces(frames), expert.embed_speech(waveforms))
    torch.testing.assert_close(cosine, together)
    assert cosine.min() >= 0 and cosine.max() <= 1 + 1e-6


@pytest.mark.parametrize("size", SIZES)
def test_a_judge_tells_the_distance_of_a_pair_at_every_size(size):
    judge, (frames, waveforms) = small_judge(size), pairs(2, size)
    apart = judge.embed_faces(frames) - judge.embed_speech(waveforms)
    torch.testing.assert_close(judge(frames, waveforms), apart.square().sum(1).sqrt())
    with pytest.raises(ValueError, match="windows of 5 frames"):
        judge.embed_faces(frames[:, :4])


@pytest.mark.parametrize("build", [small_expert, small_judge])
@torch.no_grad()
def test_a_pair_is_judged_the_same_whatever_else_is_in_the_batch_and_the_eyes_do_not_count(build):
    network, (frames, waveforms) = build().eval(), pairs(3)
    found = network(frames, waveforms)
    torch.testing.assert_close(network(frames[:1], waveforms[:1]), found[:1], rtol=1e-4, atol=1e-5)
    masked = frames.clone()
    masked[..., :16, :] = 0.5
    assert torch.equal(network(masked, waveforms), found)
    masked[..., 16:, :] = 0.5
    assert not torch.allclose(network(masked, waveforms), found)


@pytest.mark.parametrize("build", [small_expert, small_judge])
def test_gradients_reach_every_weight_and_both_signals_from_a_single_pair(build):
    network, (frames, waveforms) = build(), pairs(1)
    frames, waveforms = frames.requires_grad_(), waveforms.requires_grad_()
    network(frames, waveforms).sum().backward()
    for each in (frames, waveforms, *network.parameters()):
        assert each.grad is not None and torch.isfinite(each.grad).all()
    assert frames.grad[..., 16:, :].any() and not frames.grad[..., :16, :].any() and waveforms.grad.any()


def talking(seed):
    """A clip of 100 frames whose mouth is as bright as its sound is loud, and pairs of it, every other one shifted."""
    loud = torch.rand(100, generator=torch.Generator().manual_seed(seed)).round()
    frames = 0.05 * noise(100, 3, 32, 24, seed=seed)
    frames[:, :, 20:28, 6:18] += (2 * loud - 1)[:, None, None, None]
    waveform = (0.01 + 0.2 * loud).repeat_interleave(640) * noise(64000, seed=seed + 1)
    first = torch.arange(40)
    shifted = (first + 7 * (first % 2)) + 3
    return face_windows(frames)[first + 3], speech_windows(waveform)[shifted], 1 - first % 2


@pytest.mark.parametrize("kind", ["expert", "judge"])
def test_pairs_of_one_moment_are_told_from_shifted_ones_after_a_short_training(kind):
    # Sync experts tend to stay at log 2.
    network = small_expert() if kind == "expert" else small_judge()
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)

    def loss_of(frames, waveforms, together):
        found = network(frames, waveforms)
        return sync_cross_entropy(found, together) if kind == "expert" else contrastive(found, together, 1.0)

    network.train()
    for step in range(50):
        optimizer.zero_grad()
        (loss_of(*talking(100 + 2 * step)) / 40).backward()
        optimizer.step()
    network.eval()
    with torch.no_grad():
        held_out = float(loss_of(*talking(0))) / 40
    assert held_out < (0.5 if kind == "expert" else 0.08)
