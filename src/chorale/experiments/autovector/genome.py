"""Genomes: one value for each gene of the space, their canonical form, mutation and random draws.

A genome is a plain mapping from gene to value, so that it is its own JSON. Slots of layers beyond the depth are kept,
dormant, so that a mutation of one gene never has to invent others.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from random import Random
from typing import Any, NamedTuple

from chorale.core.config import short_hash
from chorale.core.errors import InputError
from chorale.experiments.autovector.space import GeneValue, SpaceConfig

Genome = Mapping[str, GeneValue]
"""Gene -> value, such as ``{"depth": 5, "layer1.kernel": 5, ...}``."""


class Mutation(NamedTuple):
    """A child and the one gene in which it differs from its parent."""

    genome: Genome
    gene: str
    before: GeneValue
    after: GeneValue

    def __str__(self) -> str:
        return f"{self.gene}: {self.before} -> {self.after}"


def active_genes(genome: Genome) -> list[str]:
    """Return the genes that shape the network.

    Not active are: every gene of a layer beyond the depth, the dilation of a kernel of one frame, and the width of
    the last layer, which ``last_width`` sets.
    """
    depth = int(genome["depth"])
    genes = []
    for gene in genome:
        layer_name, _, part = gene.partition(".")
        if part:
            layer = int(layer_name.removeprefix("layer"))
            dormant = layer > depth or (part == "width" and layer == depth)
            if dormant or (part == "dilation" and genome[f"{layer_name}.kernel"] == 1):
                continue
        genes.append(gene)
    return genes


def canonical(genome: Genome) -> dict[str, GeneValue]:
    """Return the active genes alone: two genomes with the same canonical form are the same network."""
    return {gene: genome[gene] for gene in active_genes(genome)}


def genome_hash(genome: Genome) -> str:
    """Return 12 hexadecimal digits that equal networks share."""
    return short_hash(json.dumps(canonical(genome), sort_keys=True))


def draw(space: SpaceConfig, random: Random) -> Genome:
    """Return a genome with every gene drawn uniformly."""
    return {gene: random.choice(values) for gene, values in space.alleles().items()}


def mutate(genome: Genome, space: SpaceConfig, random: Random) -> Mutation:
    """Change one active gene, drawn uniformly, to another of its values, drawn uniformly (after Real et al. 2019)."""
    alleles = space.alleles()
    gene = random.choice([gene for gene in active_genes(genome) if len(alleles[gene]) > 1])
    after = random.choice([value for value in alleles[gene] if value != genome[gene]])
    return Mutation({**genome, gene: after}, gene, genome[gene], after)


def read_genome(value: Any, space: SpaceConfig) -> Genome:
    """Return the genome that a JSON value holds.

    Raises:
        InputError: A gene is missing, unknown, or outside the space.
    """
    alleles = space.alleles()
    if not isinstance(value, dict) or set(value) != set(alleles):
        raise InputError("genome: not a mapping of exactly the space's genes", "was it made with another `space`?")
    for gene, values in alleles.items():
        if value[gene] not in values:
            raise InputError(f"genome: {gene} = {value[gene]!r} is outside the space", f"one of {values}")
    return {gene: value[gene] for gene in alleles}


def describe(genome: Genome) -> str:
    """Return one line for people: ``5/1x512 3/2x512+ ... 1500 statistics 512`` (kernel/dilation x width, + skips)."""
    depth = int(genome["depth"])
    words = []
    for layer in range(1, depth + 1):
        name = f"layer{layer}"
        width = genome["last_width"] if layer == depth else genome[f"{name}.width"]
        kernel = genome[f"{name}.kernel"]
        context = f"{kernel}" if kernel == 1 else f"{kernel}/{genome[f'{name}.dilation']}"
        words.append(f"{context}x{width}{'+' if genome[f'{name}.skip'] else ''}")
    return " ".join([*words, str(genome["pooling"]), str(genome["embedding"])])
