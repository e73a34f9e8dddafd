import math
from random import Random

import numpy as np
import pytest
import torch

from chorale.core.errors import WorkError
from chorale.experiments.autovector.architecture import architecture
from chorale.experiments.autovector.config import RecipeConfig
from chorale.experiments.autovector.embedding import embed
from chorale.experiments.autovector.scoring import cosine_scores
from chorale.experiments.autovector.space import SpaceConfig
from chorale.experiments.autovector.training import ChunkSampler, SpeakerTask, build, cut, learning_rate
from chorale.ranks.config import BackendConfig
from chorale.ranks.group import SingleProcess
from chorale.runs.context import Context
from chorale.runs.contract import Stage
from chorale.runs.directory import Run
from chorale.runs.events import EventWriter, read_events
from chorale.runs.placement import Where
from chorale.training.config import LoopConfig
from chorale.training.loop import train

pytestmark = pytest.mark.unit
SPACE = SpaceConfig(width_multiplier=0.03125)
SIZES = architecture(SPACE.xvector(), SPACE, n_features=6)
RECIPE = RecipeConfig(steps=60, batch=12, chunk_frames=(15, 25), warmup_steps=5, rate=5e-3, log_every=10)
CPU = torch.device("cpu")


def made_up_speakers(n_speakers=4, per_speaker=5):
    """Noise around a mean of each speaker's own."""
    generator = np.random.default_rng(0)
    features, utterances = [], []
    for _ in range(n_speakers):
        mean = generator.normal(size=6) * 2
        utterances.append(list(range(len(features), len(features) + per_speaker)))
        features += [
            (generator.normal(size=(generator.integers(12, 60), 6)) + mean).astype(np.float32)
            for _ in range(per_speaker)
        ]
    return features, utterances


def trained(directory, recipe=RECIPE, seed=0, features=None):
    """The mean loss of every logged interval."""
    made_up, utterances = made_up_speakers()
    sampler = ChunkSampler(features or made_up, utterances, recipe, seed)
    task = SpeakerTask(build(SIZES, len(utterances), recipe, seed), sampler, BackendConfig(), SingleProcess(), CPU)
    events = EventWriter(directory / "events" / "train" / "000000.1-0.jsonl")
    context = Context(Run(directory), Stage(name="train", function="none:none"), 0, 1, events, Where())
    train(task, LoopConfig(steps=recipe.steps, log_every=recipe.log_every), context, seed)
    return [event.value for event in read_events(directory / "events", "train", 0) if event.name == "loss"]


@pytest.mark.parametrize("kind", ["aam-softmax", "softmax"])
@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_training_lowers_the_loss(kind, optimizer, tmp_path):
    changes = {"loss": kind, "optimizer": optimizer, "rate": 5e-3 if optimizer == "adamw" else 2e-2}
    losses = trained(tmp_path, RECIPE.model_copy(update=changes))
    assert len(losses) == 6
    assert losses[-1] < 0.7 * losses[0]


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_the_same_seed_gives_the_same_numbers_and_another_seed_others(dropout, tmp_path):
    recipe = RECIPE.model_copy(update={"dropout": dropout})
    torch.manual_seed(1)
    first = trained(tmp_path / "1", recipe, seed=7)
    torch.manual_seed(2)  # what happened to be drawn before must not matter
    assert trained(tmp_path / "2", recipe, seed=7) == first
    assert trained(tmp_path / "3", recipe, seed=8) != first


def test_a_loss_that_is_not_finite_stops_the_training_and_tells_the_step(tmp_path):
    features = [np.full_like(array, np.nan) for array in made_up_speakers()[0]]
    with pytest.raises(WorkError, match="the loss is nan at step 1 of 60"):
        trained(tmp_path, features=features)


def test_a_batch_depends_on_its_step_alone():
    features, utterances = made_up_speakers()
    forwards = ChunkSampler(features, utterances, RECIPE, 3)
    first = [forwards.batch(step) for step in (0, 1, 2)]
    again = ChunkSampler(features, utterances, RECIPE, 3).batch(2)
    assert torch.equal(first[2][0], again[0])
    assert torch.equal(first[2][1], again[1])
    assert len({chunks.shape[1] for chunks, _ in first}) > 1


def test_a_short_utterance_is_repeated_and_a_long_one_cut():
    utterance = np.arange(5, dtype=np.float32)[:, None]
    repeated = cut(utterance, 12, Random(0))[:, 0]
    assert np.array_equal((repeated[1:] - repeated[:-1]) % 5, np.ones(11))
    part = cut(utterance, 3, Random(0))[:, 0]
    assert np.array_equal(part[1:] - part[:-1], np.ones(2))


def test_the_learning_rate_rises_and_then_falls_to_its_last_value():
    rates = [learning_rate(RECIPE, step) for step in range(RECIPE.steps + 1)]
    assert rates[0] == pytest.approx(RECIPE.rate / 5)
    assert max(rates) == rates[5] == pytest.approx(RECIPE.rate)
    assert rates[-1] == pytest.approx(RECIPE.final_rate)
    assert rates[5:] == sorted(rates[5:], reverse=True)


def test_an_embedding_does_not_depend_on_the_batch_it_is_in():
    features, _ = made_up_speakers()
    lengths = [len(array) for array in features]
    network = build(SIZES, 4, RECIPE, 0).network
    together = embed(network, features, lengths, range(len(features)), 10, 500, CPU)
    alone = np.concatenate([embed(network, features, lengths, [i], 10, 1, CPU) for i in range(len(features))])
    assert np.allclose(together, alone, atol=1e-6)
    expected = network(torch.from_numpy(features[3][: lengths[3] // 10 * 10][None])).detach().numpy()
    assert np.allclose(together[3:4], expected, atol=1e-6)


def test_an_utterance_shorter_than_the_length_step_is_embedded_whole():
    utterance = np.random.default_rng(0).normal(size=(7, 6)).astype(np.float32)
    network = build(SIZES, 4, RECIPE, 0).network
    whole = network.eval()(torch.from_numpy(utterance[None])).detach().numpy()
    assert np.allclose(embed(network, [utterance], [7], [0], 10, 100, CPU), whole, atol=1e-6)


def test_scores_are_cosines_after_centring():
    embeddings = np.array([[2.0, 1.0], [1.0, 3.0], [1.0, 1.0]], dtype=np.float32)
    scores = cosine_scores(embeddings, np.array([1.0, 1.0], dtype=np.float32), np.array([0, 0, 0]), np.array([0, 1, 2]))
    assert scores == pytest.approx([1.0, 0.0, 0.0])
    # Without centring the second cosine is 1/sqrt(2).
    plain = cosine_scores(embeddings, np.zeros(2, dtype=np.float32), np.array([0]), np.array([1]))
    assert plain == pytest.approx([5 / math.sqrt(50)])
