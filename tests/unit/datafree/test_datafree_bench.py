"""Claims about the bench: the reference learns, both loops do the same work, and the report's figures fit together."""

import argparse
import json
import subprocess
import sys

import pytest
import torch
from torch import nn

from chorale.core.config import load
from chorale.core.errors import InputError
from chorale.experiments.datafree.bench.card import flops_of, product_rate
from chorale.experiments.datafree.bench.datafree_bench import datafree_bench
from chorale.experiments.datafree.bench.reference import Reference
from chorale.experiments.datafree.bench.throughput import measure, summary
from chorale.experiments.datafree.bench.work import PAPER, TINY, Distillation, Work, make_loops
from chorale.experiments.datafree.config import DatafreeConfig
from chorale.experiments.datafree.networks.shapes import ImageShape

pytestmark = pytest.mark.unit

CPU = torch.device("cpu")
SMALL = Work("resnet8", "resnet8-half", ImageShape(1, 8, 8), width=8, latent=6, batch=8, classes=4)


class KeyedReference(Reference):
    """The reference with the noise that the other loop draws."""

    round_number = step = 0

    def noise(self):
        key = ("student", self.round_number, self.step) if self.step < 5 else ("generator", self.round_number, 0)
        self.step = (self.step + 1) % 6
        self.round_number += self.step == 0
        return self.players.noise((SMALL.latent,), *key)


def keyed_loops():
    torch.manual_seed(0)
    own, reference = make_loops(SMALL, CPU)
    reference.__class__ = KeyedReference
    reference.players = own.parts.players
    return own, reference


def layers_of(network):
    return [module for module in network.modules() if isinstance(module, nn.Conv2d | nn.Linear)]


def forward_flops(network, inputs):
    """Return the operations of each affine layer in one forward pass, by its output's size alone."""
    found = {}

    def note(module, given, output):
        per_value = module.weight[0].numel()
        found[module] = 2 * per_value * output.numel()

    handles = [layer.register_forward_hook(note) for layer in layers_of(network)]
    output = network(inputs)
    for handle in handles:
        handle.remove()
    return sum(found.values()), found[layers_of(network)[0]], output


def test_given_the_same_noise_both_loops_have_the_same_losses() -> None:
    own, reference = keyed_loops()
    for _ in range(4):
        assert own.round() == pytest.approx(reference.round(), rel=1e-4)


def test_the_references_student_comes_nearer_to_the_teacher_where_the_generator_stands_still() -> None:
    torch.manual_seed(0)
    players = Distillation(SMALL, CPU).parts.players
    loop = Reference(
        players.teacher,
        players.student_network,
        players.generator.network,
        SMALL.batch,
        SMALL.latent,
        student_rate=0.02,
        generator_rate=0.0,
    )
    losses = [loop.round()[0] for _ in range(20)]
    assert sum(losses[-5:]) < 0.7 * sum(losses[:5])


def test_the_references_generator_finds_where_a_student_that_stands_still_disagrees() -> None:
    torch.manual_seed(0)
    players = Distillation(SMALL, CPU).parts.players
    loop = Reference(
        players.teacher,
        players.student_network,
        players.generator.network,
        SMALL.batch,
        SMALL.latent,
        student_rate=0.0,
        weight_decay=0.0,
        generator_rate=0.01,
    )
    losses = [loop.round()[1] for _ in range(20)]
    assert sum(losses[-5:]) < 1.05 * sum(losses[:5]) < 0


def test_both_loops_generate_the_images_that_they_count() -> None:
    own, reference = make_loops(SMALL, CPU)
    for loop, generator in ((own, own.parts.players.generator.network), (reference, reference.generator)):
        counted = []
        generator.register_forward_hook(lambda module, given, images, counted=counted: counted.append(len(images)))
        loop.round()
        assert sum(counted) == loop.images_per_round == 6 * SMALL.batch


def test_both_loops_do_the_arithmetic_of_their_passes_and_no_more() -> None:
    own, reference = make_loops(SMALL, CPU)
    with torch.no_grad():
        generator, generator_first, images = forward_flops(reference.generator, torch.randn(SMALL.batch, SMALL.latent))
        teacher, _, _ = forward_flops(reference.teacher, images)
        student, student_first, _ = forward_flops(reference.student, images)
    # A backward pass costs a forward pass for the weights and one for the inputs, which the first layer may leave out.
    step_of_student = generator + teacher + student + (2 * student - student_first)
    step_of_generator = (generator + teacher + student) + (2 * generator - generator_first) + teacher + student
    assert flops_of(own.round) == flops_of(reference.round) == 5 * step_of_student + step_of_generator


def test_the_ratio_told_is_of_the_rates_told() -> None:
    told = summary([{"chorale": 30.0, "reference": 20.0}, {"chorale": 8.0, "reference": 10.0}])
    assert [turn["ratio"] for turn in told["turns"]] == [1.5, 0.8]
    assert told["ratio"] == {"median": pytest.approx(1.15), "min": 0.8, "max": 1.5}
    assert told["images_per_s"]["chorale"] == {"median": 19.0, "min": 8.0, "max": 30.0}


def test_what_is_measured_holds_its_own_ratios_goes_into_json_and_leaves_the_threads_alone() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(before + 1)
    measured = measure(SMALL, CPU, rounds=1, repeats=3)
    assert torch.get_num_threads() == before + 1
    torch.set_num_threads(before)
    assert json.loads(json.dumps(measured)) == measured
    assert len(measured["turns"]) == 3
    for turn in measured["turns"]:
        assert turn["ratio"] == pytest.approx(turn["chorale"] / turn["reference"])
        assert turn["chorale"] > 0
    assert measured["images_per_round"] == {"chorale": 48, "reference": 48}


def test_a_table_of_a_cpu_says_that_the_gpu_is_not_measured_and_of_a_gpu_its_share() -> None:
    bench, measured = datafree_bench(), measure(SMALL, CPU, rounds=1, repeats=1)
    told = bench.render(measured)
    assert told.count("not measured") == 2
    assert f"{measured['ratio']['median']:.3f}" in told
    row = {name: {"median": 0.25, "min": 0.2, "max": 0.3} for name in ("images_per_s", "flop_per_s", "share")}
    card = {"product_flop_per_s": 700e12, "precisions": {"fp32": row, "bf16": row}}
    told = bench.render({**measured, "card": card})
    assert "700 TFLOP/s" in told
    assert "not measured" not in told


def test_in_bf16_with_channels_last_the_first_rounds_loss_of_the_student_is_that_of_fp32_but_for_rounding() -> None:
    loop = Distillation(SMALL, CPU, "bf16", channels_last=True)
    players = loop.parts.players
    for network in (players.teacher, players.student.network, players.generator.network):
        weights = [module.weight for module in network.modules() if isinstance(module, nn.Conv2d)]
        assert weights and all(weight.is_contiguous(memory_format=torch.channels_last) for weight in weights)
    rounded, exact = loop.round()[0], Distillation(SMALL, CPU).round()[0]
    assert rounded != exact
    assert rounded == pytest.approx(exact, rel=0.05)


def test_the_rate_of_matrix_products_is_a_rate() -> None:
    assert 1e7 < product_rate(CPU, 128, repeats=3) < 1e14


@pytest.mark.parametrize(("work", "size"), [(TINY, "tiny"), (PAPER, "paper")])
def test_the_networks_are_those_of_the_configurations(work, size, checkout) -> None:
    config = load(DatafreeConfig, checkout / "configs" / "datafree" / f"{size}.yaml")
    found = (config.teacher.network, config.student.network, config.generator.width, config.generator.latent)
    assert found == (work.teacher, work.student, work.width, work.latent)
    assert config.schedule.batch == work.batch


@pytest.mark.parametrize(
    ("words", "what"),
    [(["--rounds", "0"], "rounds"), (["--repeats", "0"], "repeats"), (["--batch", "3"], "batch")],
)
def test_numbers_that_mean_nothing_are_refused_by_name(words, what) -> None:
    bench, parser = datafree_bench(), argparse.ArgumentParser()
    bench.add_arguments(parser)
    with pytest.raises(InputError, match=f"--{what}"):
        bench.run(parser.parse_args(words))


def test_the_help_of_benches_shows_an_example() -> None:
    words = [sys.executable, "-m", "chorale", "bench", "--help"]
    told = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    assert "chorale bench datafree --rounds" in told
