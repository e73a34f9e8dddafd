import pytest
import torch
from torch import nn

from chorale.experiments.speech2video.networks import shapes
from chorale.experiments.speech2video.networks.cpc import ContextNetwork, contexts_of_frames
from chorale.experiments.speech2video.networks.judges_speech import SpeechJudge
from chorale.experiments.speech2video.networks.probes import Probe, reverse_gradient
from chorale.experiments.speech2video.networks.student import Student, pool_contexts

pytestmark = pytest.mark.unit


def seeded(build):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return build()


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def listener():
    return seeded(lambda: ContextNetwork(channels=12, hidden=10)).eval()


def latents_by_loops(network, waveform):
    """The encoder again, written out: every step from the sound before its end alone."""
    features = waveform[:, None].double()
    for convolution, norm in zip(network.convolutions, network.norms, strict=True):
        kernel, stride = convolution.kernel_size[0], convolution.stride[0]
        weight, bias = convolution.weight.double(), convolution.bias.double()
        padded = nn.functional.pad(features, (kernel - stride, 0))
        steps = []
        for step in range(features.shape[2] // stride):
            seen = padded[:, :, step * stride : step * stride + kernel]
            channels = (seen[:, None] * weight).sum((2, 3)) + bias
            centred = channels - channels.mean(1, keepdim=True)
            scaled = centred / (centred.square().mean(1, keepdim=True) + 1e-5).sqrt()
            steps.append((scaled * norm.weight.double() + norm.bias.double()).clamp_min(0.0))
        features = torch.stack(steps, dim=2)
    return features.transpose(1, 2)


def test_a_frame_is_heard_in_four_steps_of_160_samples():
    assert (shapes.FRAMES_PER_S, shapes.SAMPLE_RATE_HZ, shapes.SAMPLES_PER_FRAME) == (25, 16000, 640)
    assert shapes.STEPS_PER_FRAME == 4 and shapes.STEPS_PER_FRAME * shapes.STEP_SAMPLES == shapes.SAMPLES_PER_FRAME


@pytest.mark.parametrize("steps", [1, 4, 7])
def test_160_samples_are_a_step(listener, steps):
    latents, contexts = listener(noise(2, 160 * steps))
    assert latents.shape == (2, steps, 12) and contexts.shape == (2, steps, 10)


def test_the_training_window_has_128_steps_of_256_channels():
    latents, contexts = ContextNetwork()(torch.zeros(1, 20480))
    assert latents.shape == contexts.shape == (1, 128, 256)


def test_latents_are_those_of_convolutions_that_see_the_past_alone(listener):
    # Loud, and without the first biases, so that the level at which the encoder takes the sound is no matter.
    waveform = 100 * noise(2, 480)
    with torch.no_grad():
        listener.convolutions[0].bias.zero_()
        for norm in listener.norms:
            norm.weight.uniform_(0.5, 1.5, generator=torch.Generator().manual_seed(1))
        found, expected = listener(waveform).latents, latents_by_loops(listener, waveform)
    assert found.abs().max() > 0.1
    torch.testing.assert_close(found.double(), expected, rtol=1e-4, atol=1e-5)


def test_no_later_sample_changes_an_earlier_step_and_the_next_one_changes_the_next(listener):
    waveform = noise(1, 160 * 9)
    for step in range(1, 9):
        later = waveform.clone()
        later[:, 160 * step] += 3.0
        for before, after in zip(listener(waveform), listener(later), strict=True):
            assert torch.equal(before[:, :step], after[:, :step])
            assert not torch.allclose(before[:, step:], after[:, step:])


def test_an_utterance_is_heard_the_same_whatever_else_is_in_the_batch(listener):
    pair = noise(2, 640)
    torch.testing.assert_close(listener(pair).contexts[:1], listener(pair[:1]).contexts, rtol=0, atol=1e-5)


@pytest.mark.parametrize("frames", [[1] * 6, [2, 1, 3], [5, 1]])
@torch.no_grad()
def test_a_stream_of_whole_frames_has_the_contexts_of_the_whole(listener, frames):
    waveform, state, streamed = noise(2, 640 * 6), None, []
    for piece in waveform.split([640 * each for each in frames], dim=1):
        encoded, state = listener.stream(piece, state)
        streamed.append(encoded.contexts)
    torch.testing.assert_close(torch.cat(streamed, dim=1), listener(waveform).contexts, rtol=0, atol=1e-5)


@torch.no_grad()
def test_without_what_was_heard_before_a_stream_would_have_other_contexts(listener):
    waveform = noise(1, 1280)
    _, state = listener.stream(waveform[:, :640], None)
    deaf = state._replace(heard=[torch.zeros_like(each) for each in state.heard])
    encoded, _ = listener.stream(waveform[:, 640:], deaf)
    assert (encoded.contexts - listener(waveform).contexts[:, 4:]).abs().max() > 1e-3


@torch.no_grad()
def test_what_a_stream_keeps_does_not_grow(listener):
    state, sizes = None, set()
    for frame in range(20):
        _, state = listener.stream(noise(1, 640, seed=frame), state)
        sizes.add(tuple(each.numel() for each in (*state.heard, *state.memory)))
    assert sizes == {(5, 12 * 4, 12 * 2, 12 * 2, 12 * 2, 10, 10)}


def test_the_sound_of_a_frame_changes_its_context_and_none_before(listener):
    waveform = noise(1, 640 * 3)
    later = waveform.clone()
    later[:, 1279] += 3.0
    before, after = (contexts_of_frames(listener(each).contexts) for each in (waveform, later))
    assert torch.equal(before[:, 0], after[:, 0]) and not torch.allclose(before[:, 1], after[:, 1])


def test_the_student_has_the_teachers_sizes_from_any_number_of_utterances():
    heard = Student()(noise(1, 3, 256))
    assert [tuple(each.shape) for each in heard] == [(1, 2048), (1, 512), (1, 8)]


def small_student(**changes):
    return seeded(lambda: Student(6, emotion_features=5, identity_features=4, emotions=3, width=7, **changes))


def test_omega_is_the_last_context_or_the_mean_over_them():
    contexts = noise(2, 9, 6)
    others = contexts.clone()
    others[:, :-1] += 1.0
    last, mean = small_student(), small_student(pooling="mean")
    assert torch.equal(last(contexts).emotion, last(others).emotion)
    assert not torch.allclose(mean(contexts).emotion, mean(others).emotion)
    torch.testing.assert_close(pool_contexts(contexts, "mean"), contexts.mean(1))


@pytest.mark.parametrize("pooling", ["last", "mean"])
def test_the_student_hears_nothing_of_what_lies_beyond_an_utterances_end(pooling):
    student, contexts = small_student(pooling=pooling), noise(2, 9, 6)
    padded = student(contexts, torch.tensor([9, 4]))
    for number, steps in enumerate((9, 4)):
        alone = student(contexts[number : number + 1, :steps])
        for one, other in zip(padded, alone, strict=True):
            torch.testing.assert_close(one[number : number + 1], other)


def test_the_heads_share_nothing_and_the_emotion_is_told_from_mu():
    student, contexts = small_student(), noise(2, 3, 6)
    student(contexts).identity.sum().backward()
    assert all(each.grad is None for each in (*student.emotion.parameters(), *student.emotion_classes.parameters()))
    student.zero_grad(set_to_none=True)
    heard = student(contexts)
    heard.emotion_logits.square().sum().backward()
    assert all(each.grad is None for each in student.identity.parameters())
    assert all(each.grad is not None and each.grad.any() for each in student.emotion.parameters())
    torch.testing.assert_close(heard.emotion_logits, student.emotion_classes(heard.emotion))


def test_a_reversed_gradient_is_multiplied_and_turned_and_the_values_stay():
    features, probe = noise(3, 4).requires_grad_(), seeded(lambda: Probe(4, 2, width=5))
    probe(features).square().sum().backward()
    forward = features.grad.clone()
    weights = [each.grad.clone() for each in probe.parameters()]
    features.grad = None
    probe.zero_grad()
    reversed_ = reverse_gradient(features, 0.5)
    assert torch.equal(reversed_, features)
    probe(reversed_).square().sum().backward()
    torch.testing.assert_close(features.grad, -0.5 * forward)
    # What lies after the reversal learns as ever.
    assert all(torch.equal(each.grad, weight) for each, weight in zip(probe.parameters(), weights, strict=True))


def test_a_probe_of_no_width_is_linear():
    probe, features = seeded(lambda: Probe(4, 3, width=0)), noise(2, 4)
    torch.testing.assert_close(probe(2 * features) - probe(features), probe(features) - probe(torch.zeros(2, 4)))
    assert [tuple(each.shape) for each in probe.parameters()] == [(3, 4), (3,)]


def test_a_probe_finds_a_speaker_who_lies_in_the_features_and_none_where_there_is_none():
    speakers = torch.arange(40) % 4
    hidden, told = noise(80, 6), noise(80, 6, seed=1)
    told[:40, :4] += 2 * nn.functional.one_hot(speakers, 4)
    told[40:, :4] += 2 * nn.functional.one_hot(speakers, 4)
    accuracy = {}
    for name, features in (("hidden", hidden), ("told", told)):
        probe = seeded(lambda: Probe(6, 4, width=16))
        optimizer = torch.optim.Adam(probe.parameters(), 0.02)
        for _ in range(60):
            optimizer.zero_grad()
            nn.functional.cross_entropy(probe(features[:40]), speakers).backward()
            optimizer.step()
        accuracy[name] = float((probe(features[40:]).argmax(1) == speakers).float().mean())
    assert accuracy["told"] > 0.6 > 0.5 > accuracy["hidden"]


def test_a_judge_hears_15_frames_at_once_and_any_length():
    judge = seeded(lambda: SpeechJudge(3, n_mels=8, width=6))
    assert judge(noise(1, 1, 8)).shape == (1, 3) and judge.embed(noise(2, 50, 8)).shape == (2, 6)
    reach = sum(each.dilation[0] * (each.kernel_size[0] - 1) for each in judge.convolutions) + 1
    assert reach == 15


@torch.no_grad()
def test_a_judge_says_the_same_of_an_utterance_however_far_it_is_padded():
    judge, mel = seeded(lambda: SpeechJudge(3, n_mels=8, width=6)), noise(2, 30, 8)
    mel[1, 11:] = float("nan")
    together = judge(mel, torch.tensor([30, 11]))
    torch.testing.assert_close(together[:1], judge(mel[:1]))
    torch.testing.assert_close(together[1:], judge(mel[1:, :11]))


@torch.no_grad()
def test_a_judge_pools_mean_and_deviation():
    judge, mel = seeded(lambda: SpeechJudge(3, n_mels=8, width=6)), noise(1, 20, 8)
    pooled = []
    judge.embedding.register_forward_hook(lambda module, given, result: pooled.append(given[0]))
    frames = mel
    for convolution, norm in zip(judge.convolutions, judge.norms, strict=True):
        frames = norm(torch.relu(convolution(frames.transpose(1, 2)).transpose(1, 2)))
    judge(mel)
    torch.testing.assert_close(pooled[0][0, :6], frames[0].mean(0))
    torch.testing.assert_close(pooled[0][0, 6:], frames[0].std(0, unbiased=False))
