import pytest
import torch
from torch import nn

from chorale.experiments.speech2video.losses.adversarial import gradient_penalty
from chorale.experiments.speech2video.networks.discriminators import FrameCritic, IdentityCritic
from chorale.experiments.speech2video.networks.generator import Generator, GrowingBlock, context_windows
from chorale.experiments.speech2video.networks.identity_branch import IdentityBranch, IdentityMatching
from chorale.experiments.speech2video.networks.shapes import FrameSize

pytestmark = pytest.mark.unit
SIZES = [FrameSize(3), FrameSize(4), FrameSize(5)]
WIDTHS, CHANNELS = (12, 10, 8, 6, 4), (8, 7, 6, 5, 4)


def seeded(build):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return build()


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def small_generator(size=SIZES[0], **changes):
    values = {"widths": WIDTHS, "identity_channels": CHANNELS, **changes}
    return seeded(lambda: Generator(size, 6, 5, 4, **values))


def given(frames, seed=0):
    return noise(frames, 6, seed=seed), noise(frames, 5, seed=seed + 1), noise(frames, 4, seed=seed + 2)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("norm", ["group", "batch", "none"])
def test_frames_are_made_at_every_size_and_lie_between_minus_one_and_one(size, norm):
    made = small_generator(size, norm=norm)(*given(2))
    assert made.frames.shape == (2, 3, size.height, size.width) and made.frames.abs().max() <= 1
    assert [tuple(each.shape[1:]) for each in made.identity_maps] == [
        (channels, *places) for channels, places in zip(CHANNELS, size.maps, strict=True)
    ]


def test_the_paper_size_has_frames_of_128_by_96_from_the_students_features():
    made = Generator(FrameSize(5))(torch.zeros(1, 256), torch.ones(1, 2048), torch.ones(1, 512))
    assert made.frames.shape == (1, 3, 128, 96)


@pytest.mark.parametrize("grows", [False, True])
def test_an_identity_map_joins_as_if_its_channels_were_appended(grows):
    block = seeded(lambda: GrowingBlock(5, 3, 4, grows, "group")).double()
    features, identity = noise(2, 5, 4, 3).double(), noise(2, 3, 4, 3, seed=1).double()
    joined = torch.cat([features, identity], dim=1)
    if grows:
        joined = joined.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    hidden = nn.functional.leaky_relu(block.norm1(block.joined(joined)), 0.2)
    expected = nn.functional.leaky_relu(block.norm2(block.convolution(hidden)), 0.2)
    torch.testing.assert_close(block(features, identity, None), expected)


@pytest.mark.parametrize("size", SIZES)
def test_maps_made_once_a_clip_give_the_frames_and_gradients_of_maps_made_for_every_frame(size):
    generator, clips = small_generator(size).double(), torch.tensor([0, 0, 1, 0, 1])
    contexts, emotion, identity = (each.double() for each in (noise(5, 6), noise(2, 5), noise(2, 4, seed=1)))
    slopes = []
    for made in (
        generator(contexts, emotion, identity, clips=clips),
        generator(contexts, emotion[clips], identity[clips]),
    ):
        generator.zero_grad()
        made.frames.square().sum().backward()
        slopes.append((made.frames.detach(), [each.grad.clone() for each in generator.parameters()]))
    torch.testing.assert_close(slopes[0][0], slopes[1][0])
    torch.testing.assert_close(slopes[0][1], slopes[1][1])
    maps = generator.identity_maps(identity)
    torch.testing.assert_close(generator.frames(contexts, emotion, maps, clips=clips), slopes[0][0])


@pytest.fixture
def four_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("four_threads")
def test_four_threads_find_the_same_gradients_in_every_run():
    # Each clip has frames in several threads' parts, and there are more values than are left to one thread.
    block, clips = seeded(lambda: GrowingBlock(4, 3, 12, True, "group")), torch.arange(30) % 3
    features, identity = noise(30, 4, 8, 6), noise(3, 3, 8, 6, seed=1).requires_grad_()

    def gradient():
        return torch.autograd.grad(block(features, identity, clips).square().sum(), identity)[0]

    first = gradient()
    assert all(torch.equal(first, gradient()) for _ in range(8))


@pytest.mark.usefixtures("four_threads")
def test_four_threads_find_the_same_gradients_of_neighbours_in_every_run():
    contexts, slopes = noise(1, 75, 64).requires_grad_(), noise(1, 75, 25 * 64, seed=1)

    def gradient():
        return torch.autograd.grad(context_windows(contexts, 25), contexts, slopes)[0]

    first = gradient()
    assert all(torch.equal(first, gradient()) for _ in range(100))


@torch.no_grad()
def test_a_frame_is_made_the_same_whatever_else_is_in_the_batch():
    generator = small_generator()
    together, alone = generator(*given(3)).frames, generator(*(each[:1] for each in given(3))).frames
    torch.testing.assert_close(together[:1], alone, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_sound_emotion_and_person_each_change_the_frame_and_the_length_of_features_does_not():
    generator, (contexts, emotion, identity) = small_generator(), given(1)
    frames = generator(contexts, emotion, identity).frames
    for other in (
        (contexts + 1, emotion, identity),
        (contexts, emotion.flip(1), identity),
        (contexts, emotion, identity.flip(1)),
    ):
        assert (generator(*other).frames - frames).abs().max() > 1e-3
    torch.testing.assert_close(generator(contexts, 9 * emotion, 0.1 * identity).frames, frames)


def test_the_person_enters_by_every_map_and_every_weight_learns():
    generator = small_generator()
    contexts, emotion, identity = given(2)
    maps = [each.detach().requires_grad_() for each in generator.identity_maps(identity)]
    generator.frames(contexts, emotion, maps).square().sum().backward()
    assert all(each.grad is not None and each.grad.any() for each in maps)
    generator(contexts, emotion, identity).frames.square().sum().backward()
    assert all(each.grad is not None and torch.isfinite(each.grad).all() for each in generator.parameters())
    assert not any(getattr(module, "inplace", False) for module in generator.modules())


def test_noise_is_given_where_it_is_wanted_and_nowhere_else():
    still, moved = small_generator(), small_generator(noise=2)
    with pytest.raises(ValueError, match="noise of 2 dimensions"):
        moved(*given(1))
    with pytest.raises(ValueError, match="noise of 0 dimensions"):
        still(*given(1), noise(1, 2))
    with torch.no_grad():
        one, other = (moved(*given(1), noise(1, 2, seed=seed)).frames for seed in (0, 1))
    assert (one - other).abs().max() > 1e-3


def test_a_window_holds_the_neighbours_earliest_first_and_repeats_the_ends():
    contexts = noise(2, 4, 6)
    found = context_windows(contexts, 3)
    for frame in range(4):
        around = [contexts[:, min(3, max(0, frame + shift))] for shift in (-1, 0, 1)]
        assert torch.equal(found[:, frame], torch.cat(around, dim=1))
    assert torch.equal(context_windows(contexts, 1), contexts)
    assert torch.equal(context_windows(contexts[:, :1], 5), contexts[:, :1].repeat(1, 1, 5))
    assert small_generator(window=3)(found[:, 0], *given(2)[1:]).frames.shape[0] == 2
    with pytest.raises(ValueError, match="odd"):
        context_windows(contexts, 2)


def test_each_identity_map_is_made_of_the_one_before():
    branch = seeded(lambda: IdentityBranch(FrameSize(4), 4, CHANNELS))
    maps = branch(noise(1, 4))
    for number, each in enumerate(maps):
        (slope,) = torch.autograd.grad(each.square().sum(), maps[0], retain_graph=True)
        assert slope.any() and each.shape[1] == CHANNELS[number]


def test_matched_maps_come_in_the_order_of_vggs_levels_with_their_channels():
    levels = (3, 4, 5, 6, 7)
    maps = seeded(lambda: IdentityBranch(FrameSize(5), 4, CHANNELS))(noise(2, 4))
    matching = seeded(lambda: IdentityMatching(CHANNELS, levels))
    found = matching(maps)
    expected = [(2, channels, *places) for channels, places in zip(levels, FrameSize(5).maps[::-1], strict=True)]
    assert [tuple(each.shape) for each in found] == expected
    weight = matching.convolutions[0].weight[:, :, 0, 0]
    by_hand = torch.einsum("oc,bchw->bohw", weight, maps[0]) + matching.convolutions[0].bias[:, None, None]
    torch.testing.assert_close(found[-1], by_hand)


def small_critic(size=SIZES[0], **changes):
    return seeded(lambda: FrameCritic(size, 5, 4, widths=(4, 6, 8, 8, 8), condition=3, **changes))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("spectral", [False, True])
def test_a_frame_critic_scores_frames_of_every_size(size, spectral):
    critic, pictures = small_critic(size, spectral=spectral), noise(3, 3, size.height, size.width)
    scores = critic(pictures, *given(3)[1:])
    assert scores.shape == (3,)
    features = pictures
    for layer in critic.convolutions:
        features = layer(features)
    assert features.shape == (3, 8, 4, 3)


@torch.no_grad()
def test_a_critic_scores_a_frame_for_its_emotion_and_person_whatever_else_is_in_the_batch():
    critic, pictures, (_, emotion, identity) = small_critic(), noise(3, 3, 32, 24), given(3)
    scores = critic(pictures, emotion, identity)
    torch.testing.assert_close(critic(pictures[1:2], emotion[1:2], identity[1:2]), scores[1:2])
    for others in ((pictures.flip(3), emotion, identity), (pictures, emotion.flip(0), identity)):
        assert (critic(*others) - scores)[0].abs() > 1e-4
    assert (critic(pictures, emotion, identity.flip(0)) - scores)[0].abs() > 1e-4


@pytest.mark.parametrize("size", SIZES)
def test_an_identity_critic_scores_the_deepest_map(size):
    critic, maps = seeded(lambda: IdentityCritic(6, 5)), noise(3, 6, *size.maps[0])
    scores = critic(maps)
    assert scores.shape == (3,)
    torch.testing.assert_close(critic(maps[:1]), scores[:1])


def test_every_weight_of_a_spectral_critic_has_a_norm_of_one():
    for critic in (small_critic(spectral=True), seeded(lambda: IdentityCritic(6, 5, spectral=True))):
        inputs = (noise(1, 3, 32, 24), *given(1)[1:]) if isinstance(critic, FrameCritic) else (noise(1, 6, 4, 3),)
        for _ in range(100):
            critic(*inputs)
        critic.eval()
        layers = [module for module in critic.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
        norms = [float(torch.linalg.matrix_norm(layer.weight.detach().flatten(1), 2)) for layer in layers]
        assert norms == pytest.approx([1.0] * len(layers), abs=0.02)


def test_a_frame_critic_learns_from_the_penalty_of_its_slopes():
    critic, (_, emotion, identity) = small_critic(), given(2)
    real, made = noise(2, 3, 32, 24), noise(2, 3, 32, 24, seed=1)
    gradient_penalty(lambda frames: critic(frames, emotion, identity), real, made, torch.tensor([0.2, 0.7])).backward()
    learning = [each for name, each in critic.named_parameters() if name.endswith("weight")]
    assert all(each.grad is not None and torch.isfinite(each.grad).all() for each in learning)
    assert critic.convolutions[0].weight.grad.any()
