import pytest

from chorale.experiments.fedtts.config.federation import ParticipationConfig
from chorale.experiments.fedtts.federation.participation import ask, late_joiners

pytestmark = pytest.mark.unit
EVERYBODY = ParticipationConfig()


def test_all_are_asked_where_nothing_else_is_said():
    asked = ask(EVERYBODY, 5, 0, 0)
    assert asked.clients == (0, 1, 2, 3, 4)
    assert asked.dropped == frozenset()


def test_so_many_are_asked_in_a_round_others_in_another_and_in_the_long_run_all_alike():
    config = ParticipationConfig(per_round=3)
    rounds = [ask(config, 10, round_, 1).clients for round_ in range(1000)]
    assert all(len(set(clients)) == 3 for clients in rounds)
    assert len(set(rounds)) > 50
    counts = [sum(client in clients for clients in rounds) for client in range(10)]
    # 300 expected, deviation 14.5: five of them.
    assert all(abs(count - 300) < 73 for count in counts)


def test_who_takes_part_depends_on_seed_and_round_alone():
    config = ParticipationConfig(per_round=4, drop_out=0.5)
    assert ask(config, 20, 7, 3) == ask(config, 20, 7, 3)
    assert ask(config, 20, 7, 3) != ask(config, 20, 8, 3)
    assert ask(config, 20, 7, 3) != ask(config, 20, 7, 4)


def test_the_share_that_drops_out_is_the_configured_one_and_only_of_those_asked():
    config = ParticipationConfig(per_round=5, drop_out=0.3)
    rounds = [ask(config, 10, round_, 0) for round_ in range(400)]
    assert all(asked.dropped <= set(asked.clients) for asked in rounds)
    share = sum(len(asked.dropped) for asked in rounds) / 2000
    # Deviation 0.0102: five of them.
    assert abs(share - 0.3) < 0.052


def test_late_joiners_are_not_asked_before_their_round():
    config = ParticipationConfig(late_share=0.4, late_round=3)
    late = late_joiners(config, 10, 5)
    assert len(late) == 4
    assert set(ask(config, 10, 2, 5).clients) == set(range(10)) - late
    assert ask(config, 10, 3, 5).clients == tuple(range(10))


def test_where_fewer_have_joined_than_are_to_be_asked_all_that_have_are():
    config = ParticipationConfig(per_round=8, late_share=0.5, late_round=2)
    assert len(ask(config, 10, 0, 0).clients) == 5
    assert len(ask(config, 10, 2, 0).clients) == 8
