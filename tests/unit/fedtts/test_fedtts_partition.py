from collections import Counter
from typing import NamedTuple

import numpy as np
import pytest

from chorale.core.errors import InputError
from chorale.experiments.fedtts.config.federation import PartitionConfig
from chorale.experiments.fedtts.federation.partition import partition

pytestmark = pytest.mark.unit
KINDS = ("iid", "chapter", "size-skew", "speaker", "dirichlet")


class Said(NamedTuple):
    key: str
    speaker: str
    group: str
    frames: int


def corpus(n=120, speakers=3, chapters=12):
    """Chapters of unequal length, four to a speaker."""
    generator = np.random.default_rng(0)
    found = []
    for index in range(n):
        chapter = int(chapters * (index / n) ** 1.5)
        found.append(Said(f"u{index:04d}", f"s{chapter % speakers}", f"c{chapter}", int(generator.integers(50, 900))))
    return found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("clients", [1, 4, 9])
@pytest.mark.parametrize("seed", [0, 1])
def test_every_utterance_is_somebodys_exactly_once_and_nobody_has_none(kind, clients, seed):
    entries = corpus()
    shares = partition(entries, PartitionConfig(kind=kind, alpha=0.05, sigma=3.0), clients, seed)
    assert len(shares) == clients
    assert sorted(index for share in shares for index in share) == list(range(len(entries)))
    assert all(shares)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "chapter"])
def test_as_many_clients_as_utterances_have_one_each(kind):
    entries = corpus(30)
    shares = partition(entries, PartitionConfig(kind=kind, alpha=0.05, sigma=3.0), 30, 0)
    assert sorted(shares) == [[index] for index in range(30)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_share_depends_on_keys_and_seed_not_on_the_order_of_the_list(kind):
    entries = corpus()
    shuffled = [entries[index] for index in np.random.default_rng(3).permutation(len(entries))]
    config = PartitionConfig(kind=kind)

    def keys(listed, seed=0):
        return [sorted(listed[index].key for index in share) for share in partition(listed, config, 5, seed)]

    assert keys(entries) == keys(shuffled)
    if kind != "chapter":
        assert keys(entries) != keys(entries, seed=1)


@pytest.mark.parametrize("kind", KINDS)
def test_more_clients_than_utterances_are_told_how_many_there_may_be(kind):
    with pytest.raises(InputError, match=r"set federation\.clients to 10 at most"):
        partition(corpus(10), PartitionConfig(kind=kind), 11, 0)


def test_iid_shares_are_as_even_as_can_be():
    sizes = [len(share) for share in partition(corpus(), PartitionConfig(kind="iid"), 7, 0)]
    assert max(sizes) - min(sizes) == 1


def test_chapters_stay_whole_and_the_longest_is_the_largest_shares_bound():
    entries = corpus()
    shares = partition(entries, PartitionConfig(kind="chapter"), 4, 0)
    owners = {}
    for client, share in enumerate(shares):
        for index in share:
            owners.setdefault(entries[index].group, set()).add(client)
    assert all(len(clients) == 1 for clients in owners.values())
    loads = [sum(entries[index].frames for index in share) for share in shares]
    # Graham's bound of the rule: 4/3 of the best possible, which is no less than the mean and the longest chapter.
    longest = max(sum(entry.frames for entry in entries if entry.group == group) for group in owners)
    assert max(loads) <= 4 / 3 * max(longest, sum(loads) / 4) + 1


def test_more_clients_than_chapters_are_told_of_a_way_out():
    with pytest.raises(
        InputError, match=r"12 chapters .* set federation\.clients to 12 at most, or partition\.kind to iid"
    ):
        partition(corpus(), PartitionConfig(kind="chapter"), 13, 0)


def test_a_client_of_a_speaker_partition_has_one_speaker_and_large_speakers_have_more_clients():
    entries = corpus()
    shares = partition(entries, PartitionConfig(kind="speaker"), 9, 0)
    owners = Counter()
    for share in shares:
        (speaker,) = {entries[index].speaker for index in share}
        owners[speaker] += 1
    spoken = Counter(entry.speaker for entry in entries)
    assert sum(owners.values()) == 9
    assert max(owners, key=owners.get) == max(spoken, key=spoken.get)


def test_fewer_clients_than_speakers_have_whole_speakers():
    entries = corpus()
    shares = partition(entries, PartitionConfig(kind="speaker"), 2, 0)
    speakers = [{entries[index].speaker for index in share} for share in shares]
    assert speakers[0].isdisjoint(speakers[1])


def test_sizes_are_log_normal_with_the_given_deviation():
    entries = corpus(40000)
    shares = partition(entries, PartitionConfig(kind="size-skew", sigma=0.5), 400, 0)
    logarithms = np.log([len(share) for share in shares])
    # Deviation of the estimate: 0.5 / sqrt(800) = 0.018.
    assert abs(logarithms.std() - 0.5) < 0.08


def test_small_alphas_make_clients_differ_more():
    entries = corpus(2000)

    def spread(alpha):
        shares = partition(entries, PartitionConfig(kind="dirichlet", alpha=alpha), 10, 0)
        counts = np.array(
            [[sum(entries[i].speaker == s for i in share) for s in ("s0", "s1", "s2")] for share in shares]
        )
        return float((counts / counts.sum(axis=1, keepdims=True)).std(axis=0).mean())

    assert spread(0.1) > 2 * spread(10.0)
    assert spread(1000.0) < 0.05


def test_dirichlet_divides_chapters_where_there_is_one_speaker():
    entries = corpus(600, speakers=1)
    shares = partition(entries, PartitionConfig(kind="dirichlet", alpha=0.05), 4, 0)
    whole = sum(
        len({client for client, share in enumerate(shares) for i in share if entries[i].group == f"c{c}"})
        for c in range(12)
    )
    # With so small an alpha most of a chapter is one client's: far from 4 clients for each of the 12.
    assert whole < 36
