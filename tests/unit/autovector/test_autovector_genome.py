import json
from random import Random

import pytest

from chorale.core.errors import InputError
from chorale.experiments.autovector.genome import (
    active_genes,
    canonical,
    describe,
    draw,
    genome_hash,
    mutate,
    read_genome,
)
from chorale.experiments.autovector.space import SpaceConfig

pytestmark = pytest.mark.unit
SPACE = SpaceConfig()


def test_the_seed_individual_is_the_xvector():
    assert describe(SPACE.xvector()) == "5/1x512 3/2x512 3/3x512 1x512 1x1500 statistics 512"


@pytest.mark.parametrize("seed", range(50))
def test_genomes_that_differ_only_in_dormant_genes_are_the_same_network(seed):
    genome = dict(draw(SPACE, Random(seed)))
    dormant = [gene for gene in genome if gene not in active_genes(genome)]
    random = Random(seed + 1)
    other = {**genome, **{gene: random.choice(SPACE.alleles()[gene]) for gene in dormant}}
    assert canonical(other) == canonical(genome)
    assert genome_hash(other) == genome_hash(genome)


@pytest.mark.parametrize(
    ("gene", "value", "same"),
    [
        ("layer6.kernel", 7, True),  # beyond the depth
        ("layer4.dilation", 3, True),  # of a kernel of one frame
        ("layer5.width", 128, True),  # of the last layer
        ("layer2.dilation", 4, False),
        ("layer5.skip", True, False),
        ("last_width", 512, False),
    ],
)
def test_a_gene_counts_only_where_it_shapes_the_network(gene, value, same):
    changed = {**SPACE.xvector(), gene: value}
    assert (genome_hash(changed) == genome_hash(SPACE.xvector())) is same


@pytest.mark.parametrize("seed", range(200))
def test_a_mutation_changes_exactly_one_gene_and_stays_in_the_space(seed):
    random = Random(seed)
    parent = draw(SPACE, random)
    mutation = mutate(parent, SPACE, random)
    assert [gene for gene in parent if parent[gene] != mutation.genome[gene]] == [mutation.gene]
    assert read_genome(dict(mutation.genome), SPACE) == mutation.genome
    assert genome_hash(mutation.genome) != genome_hash(parent)


def test_mutations_reach_every_active_gene():
    parent = SPACE.xvector()
    assert {mutate(parent, SPACE, Random(seed)).gene for seed in range(1000)} == set(active_genes(parent))


def test_a_genome_survives_json():
    genome = draw(SPACE, Random(0))
    assert read_genome(json.loads(json.dumps(genome)), SPACE) == genome


@pytest.mark.parametrize("change", [{"depth": 9}, {"layer1.kernel": 2}, {"unknown": 1}])
def test_a_genome_outside_the_space_is_an_input_error(change):
    with pytest.raises(InputError, match="genome"):
        read_genome({**SPACE.xvector(), **change}, SPACE)


def test_a_space_that_does_not_hold_the_xvector_is_refused():
    with pytest.raises(ValueError, match=r"layer1\.kernel = 5"):
        SpaceConfig(kernels=(1, 3))


def test_the_multiplier_scales_widths_to_multiples_of_the_step():
    space = SpaceConfig(width_multiplier=0.125)
    assert [space.scaled(width) for width in (512, 1500, 128, 16)] == [64, 184, 16, 8]
    assert SPACE.scaled(1500) == 1500
