import pytest
import torch
from torch import nn

from chorale.core.errors import InputError
from chorale.experiments.speech2video.networks.emotion_teacher import EmotionTeacher
from chorale.experiments.speech2video.networks.identity_teacher import IdentityTeacher
from chorale.experiments.speech2video.networks.judges_faces import FaceJudge
from chorale.experiments.speech2video.networks.layers import convolve_doubled, direction, normalisation, of_frames
from chorale.experiments.speech2video.networks.registry import GivenEmotionTeacher, GivenIdentityTeacher
from chorale.experiments.speech2video.networks.shapes import FrameSize
from chorale.experiments.speech2video.networks.squeeze_excitation import ResidualBlock, SqueezeExcitation
from chorale.ranks.batch_norm import GlobalBatchNorm2d

pytestmark = pytest.mark.unit
SIZES = [FrameSize(3), FrameSize(4), FrameSize(5)]


def seeded(build):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return build()


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def frames(batch, size=SIZES[0], seed=0):
    return noise(batch, 3, size.height, size.width, seed=seed).clamp(-1, 1)


def parameters(network):
    return sum(parameter.numel() for parameter in network.parameters())


def small_emotion(size=SIZES[0], **changes):
    values = {"emotions": 5, "blocks": (1, 1, 1, 1), "widths": (4, 6, 8, 10), "bottleneck": False, **changes}
    return seeded(lambda: EmotionTeacher(size, **values))


def small_identity(size=SIZES[0], **changes):
    values = {"convolutions": (1, 2, 1, 1, 1), "widths": (4, 5, 6, 7, 8), **changes}
    return seeded(lambda: IdentityTeacher(size, 9, **values))


def small_judge(size=SIZES[0]):
    return seeded(lambda: FaceJudge(size, 4, widths=(6, 8, 10), blocks=(1, 1, 1)))


def logits(network, pictures):
    found = network(pictures)
    return found if isinstance(found, torch.Tensor) else found.logits


def test_sizes_of_maps_are_those_of_the_contract():
    assert FrameSize(5).maps == ((4, 3), (8, 6), (16, 12), (32, 24), (64, 48)) and all(FrameSize(5).grows)
    assert FrameSize(4).maps == ((4, 3), (4, 3), (8, 6), (16, 12), (32, 24))
    assert FrameSize(3).maps == ((4, 3), (4, 3), (4, 3), (8, 6), (16, 12))
    assert FrameSize(3).grows == (False, False, True, True, True)


@pytest.mark.parametrize("bias", [False, True])
def test_a_doubled_picture_is_convolved_as_if_it_had_been_doubled_first(bias):
    features, weight = noise(2, 4, 5, 3).double().requires_grad_(), noise(6, 4, 3, 3, seed=1).double().requires_grad_()
    shift = noise(6).double() if bias else None
    doubled = features.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    expected = nn.functional.conv2d(doubled, weight, shift, padding=1)
    found = convolve_doubled(features, weight, shift)
    torch.testing.assert_close(found, expected)
    slopes = [torch.autograd.grad(each.square().sum(), (features, weight)) for each in (found, expected)]
    torch.testing.assert_close(*slopes)


def test_a_direction_has_a_mean_square_of_one_at_any_length():
    features = noise(3, 7)
    torch.testing.assert_close(direction(features).square().mean(1), torch.ones(3))
    torch.testing.assert_close(direction(40 * features), direction(features))
    assert torch.equal(direction(torch.zeros(1, 4)), torch.zeros(1, 4))


@pytest.mark.parametrize("places", [(), (4, 3)])
def test_each_frame_has_what_its_clip_has_and_a_clip_the_sum_of_its_frames_gradients(places):
    clips, slopes = torch.tensor([0, 2, 2, 0, 2]), noise(5, 6, *places).double()
    values = noise(3, 6, *places, seed=1).double().requires_grad_()
    found = of_frames(values, clips)
    assert torch.equal(found, torch.stack([values[clip] for clip in clips.tolist()]))
    found.backward(slopes)
    torch.testing.assert_close(values.grad[0], slopes[0] + slopes[3])
    torch.testing.assert_close(values.grad[2], slopes[1] + slopes[2] + slopes[4])
    assert not values.grad[1].any() and of_frames(values, None) is values


def test_group_normalisation_has_four_groups_where_channels_allow():
    assert [normalisation("group", channels).num_groups for channels in (16, 6, 3)] == [4, 2, 1]
    assert isinstance(normalisation("batch", 4), GlobalBatchNorm2d)
    assert isinstance(normalisation("none", 4), nn.Identity)


def test_channels_are_weighted_by_what_the_whole_picture_shows():
    layer, features = seeded(lambda: SqueezeExcitation(6, reduction=2)), noise(2, 6, 4, 3)
    layer = layer.double()
    features = features.double()
    for sample in features:
        means = sample.mean((1, 2))
        hidden = (layer.squeeze.weight @ means + layer.squeeze.bias).clamp_min(0)
        weights = 1 / (1 + (-(layer.excite.weight @ hidden + layer.excite.bias)).exp())
        torch.testing.assert_close(layer(sample[None])[0], sample * weights[:, None, None])


def test_a_residual_block_adds_before_the_last_relu():
    block, features = seeded(lambda: ResidualBlock(4, 4, 1, bottleneck=False)).eval(), noise(2, 4, 6, 5)
    torch.testing.assert_close(block(features), (features + block.layers(features)).clamp_min(0))
    assert (block.layers(features) < 0).any()


def test_se_resnet_50_has_the_parameters_of_resnet_50_and_its_squeezes():
    squeezes = sum(
        blocks * (2 * channels * channels // 16 + channels // 16 + channels)
        for blocks, channels in ((3, 256), (4, 512), (6, 1024), (3, 2048))
    )
    affine = 2048 * 8 + 8
    # ResNet-50 has 25,557,032, of which 2048 x 1000 + 1000 are in its last layer.
    assert parameters(EmotionTeacher(FrameSize(5))) == 25_557_032 - 2_049_000 + squeezes + affine


def test_vgg_16_has_the_parameters_of_its_convolutions():
    network = IdentityTeacher(FrameSize(5), 100, norm="none")
    assert parameters(network) - parameters(network.output) == 14_714_688
    assert network.n_features == 512 and network.n_classes == 100


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("bottleneck", [False, True])
def test_the_emotion_teachers_deepest_map_has_4_by_3_places_at_any_size(size, bottleneck):
    teacher = small_emotion(size, bottleneck=bottleneck).eval()
    assert teacher.layers(frames(1, size)).shape == (1, 40 if bottleneck else 10, 4, 3)
    seen = teacher(frames(2, size))
    assert seen.features.shape == (2, teacher.n_features) and seen.logits.shape == (2, 5)


@torch.no_grad()
def test_a_clip_is_seen_as_the_mean_over_its_frames():
    teacher = small_emotion().eval()
    clips = frames(6).view(2, 3, 3, *frames(1).shape[2:])
    seen = teacher(clips)
    alone = [teacher(clip) for clip in clips]
    torch.testing.assert_close(seen.features, torch.stack([each.features.mean(0) for each in alone]))
    torch.testing.assert_close(seen.logits, torch.stack([each.logits for each in alone]))
    torch.testing.assert_close(seen.logits.mean(1), teacher.output(seen.features))
    assert teacher.features(clips).shape == (2, 3, 10)


@pytest.mark.parametrize("size", SIZES)
@torch.no_grad()
def test_vggs_levels_have_the_sizes_of_the_generators_maps_from_the_largest(size):
    teacher = small_identity(size).eval()
    levels = teacher.levels(frames(2, size))
    assert [tuple(each.shape[2:]) for each in levels] == list(size.maps[::-1])
    assert tuple(each.shape[1] for each in levels) == teacher.channels == (4, 5, 6, 7, 8)
    seen = teacher(frames(2, size))
    torch.testing.assert_close(seen.features, levels[-1].mean((2, 3)))
    assert torch.equal(teacher.features(frames(2, size)), seen.features)
    assert seen.logits.shape == (2, 9) and seen.features.shape == (2, teacher.n_features)


@pytest.mark.parametrize("build", [small_emotion, small_identity, small_judge])
@torch.no_grad()
def test_a_frame_is_judged_the_same_whatever_else_is_in_the_batch(build):
    network, pair = build().eval(), frames(2)
    torch.testing.assert_close(logits(network, pair)[:1], logits(network, pair[:1]), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("build", [small_emotion, small_identity, small_judge])
def test_one_frame_is_enough_to_learn_from_and_every_weight_does(build):
    network = build().train()
    logits(network, frames(1)).square().sum().backward()
    assert all(each.grad is not None and torch.isfinite(each.grad).all() for each in network.parameters())
    assert not any(getattr(module, "inplace", False) for module in network.modules())


@pytest.mark.parametrize("size", SIZES)
def test_the_judge_of_faces_ends_at_8_by_6_places_and_has_no_batch_normalisation(size):
    judge = small_judge(size)
    assert judge.layers(frames(1, size)).shape == (1, 10, 8, 6)
    assert judge(frames(2, size)).shape == (2, 4) and judge.embed(frames(2, size)).shape == (2, judge.n_features)
    assert not any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in judge.modules())


@pytest.mark.parametrize("build", [small_emotion, small_identity, small_judge])
def test_a_bright_face_is_told_from_a_dark_one_after_a_few_steps(build):
    network, labels = build().train(), torch.arange(16) % 2
    pictures = frames(16) * 0.3 + 0.4 * (2.0 * labels - 1)[:, None, None, None]
    optimizer = torch.optim.Adam(network.parameters(), 0.01)
    for _ in range(15):
        optimizer.zero_grad()
        nn.functional.cross_entropy(logits(network, pictures), labels).backward()
        optimizer.step()
    assert (logits(network, pictures).argmax(1) == labels).all()


OWN = """
import torch
from torch import nn

class Emotion(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm, self.output = nn.BatchNorm2d(3), nn.Linear(3, 7)
    def forward(self, frames):
        features = self.norm(frames).mean(dim=(2, 3))
        return features, self.output(features)

class Identity(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        self.sizes = sizes
    def forward(self, frames):
        maps = [nn.functional.adaptive_avg_pool2d(frames, size) for size in self.sizes]
        return maps, frames.mean(dim=(2, 3))

def emotion(height, width):
    return Emotion()

def identity(height, width):
    return Identity([(16, 12), (8, 6), (4, 3), (4, 3), (4, 3)])

def shallow(height, width):
    return Identity([(16, 12), (8, 6), (4, 3)])

def number(height, width):
    return 3

def square(height):
    return Emotion()

def dense(height, width):
    return nn.Linear(5, 5)
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    (tmp_path / "own_teachers.py").write_text(OWN)
    monkeypatch.syspath_prepend(str(tmp_path))


@pytest.mark.usefixtures("own")
def test_a_teacher_of_ones_own_tells_its_sizes_and_does_not_learn():
    teacher = GivenEmotionTeacher("own_teachers:emotion", SIZES[0]).train()
    assert (teacher.n_features, teacher.n_classes) == (3, 7)
    assert not any(module.training for module in teacher.modules())
    assert not any(each.requires_grad for each in teacher.parameters())
    seen = teacher(frames(6).view(2, 3, *frames(1).shape[1:]))
    assert seen.features.shape == (2, 3) and seen.logits.shape == (2, 3, 7)
    assert teacher(frames(2)).logits.shape == (2, 7) and teacher.features(frames(2)).shape == (2, 3)
    assert torch.equal(teacher.network.norm.running_mean, torch.zeros(3))


@pytest.mark.usefixtures("own")
def test_an_identity_teacher_of_ones_own_has_five_levels():
    teacher = GivenIdentityTeacher("own_teachers:identity", SIZES[0])
    assert (teacher.n_features, teacher.channels) == (3, (3, 3, 3, 3, 3))
    assert [tuple(each.shape[2:]) for each in teacher.levels(frames(1))] == list(SIZES[0].maps[::-1])
    torch.testing.assert_close(teacher.features(frames(2)), frames(2).mean((2, 3)))


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize(
    ("kind", "name", "told"),
    [
        (GivenEmotionTeacher, "absent", "no function of height and width"),
        (GivenEmotionTeacher, "square", "no function of height and width"),
        (GivenEmotionTeacher, "number", "returned no torch.nn.Module but int"),
        (GivenEmotionTeacher, "dense", "its network takes no frames of 32 x 24"),
        (GivenEmotionTeacher, "identity", "its network returned list"),
        (GivenIdentityTeacher, "emotion", "let it return a pair: 5 maps of 16 x 12, 8 x 6"),
        (GivenIdentityTeacher, "shallow", "let it return a pair: 5 maps"),
    ],
)
def test_what_is_no_teacher_is_refused_in_one_line(kind, name, told):
    with pytest.raises(InputError, match=told) as caught:
        kind(f"own_teachers:{name}", SIZES[0])
    assert "\n" not in str(caught.value)
