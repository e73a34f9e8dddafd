import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.special import gammaln, logsumexp
from scipy.stats import norm as normal

from chorale.experiments.fedtts.federation.privacy import differential

pytestmark = pytest.mark.unit


def gaussian_delta(epsilon: float, sigma: float) -> float:
    """Balle and Wang 2018, theorem 8, for sensitivity 1: exact."""
    shift = 1 / (2 * sigma)
    return normal.cdf(shift - epsilon * sigma) - math.exp(epsilon) * normal.cdf(-shift - epsilon * sigma)


def sampled_delta(epsilon: float, rate: float, sigma: float) -> float:
    """Hockey-stick divergence of one Poisson-sampled Gaussian, both ways, by quadrature."""

    def mixture(x: float) -> float:
        return (1 - rate) * normal.pdf(x, 0, sigma) + rate * normal.pdf(x, 1, sigma)

    def plain(x: float) -> float:
        return normal.pdf(x, 0, sigma)

    def divergence(p, q) -> float:
        return quad(lambda x: max(p(x) - math.exp(epsilon) * q(x), 0.0), -12 * sigma, 12 * sigma, limit=400)[0]

    return max(divergence(mixture, plain), divergence(plain, mixture))


def renyi_epsilon(rounds: int, rate: float, sigma: float, delta: float) -> float:
    """Mironov, Talwar and Zhang 2019 at integer orders, turned into epsilon by Mironov 2017, proposition 3."""
    best = math.inf
    for order in range(2, 200):
        k = np.arange(order + 1)
        binomials = gammaln(order + 1) - gammaln(k + 1) - gammaln(order - k + 1)
        terms = binomials + (order - k) * math.log1p(-rate) + k * math.log(rate) + k * (k - 1) / (2 * sigma**2)
        best = min(best, rounds * logsumexp(terms) / (order - 1) + math.log(1 / delta) / (order - 1))
    return best


def test_updates_are_scaled_down_together_to_the_norm_and_shorter_ones_are_left_alone():
    update = {"a": np.array([3.0], np.float32), "b": np.array([[0.0, 4.0]], np.float32)}
    clipped = differential.clip(update, 1.0)
    assert clipped["a"] == pytest.approx([0.6], rel=1e-6)
    assert clipped["b"][0] == pytest.approx([0.0, 0.8], rel=1e-6)
    assert differential.norm(update) == 5.0
    untouched = differential.clip(update, 5.0)
    assert all(np.array_equal(untouched[name], update[name]) for name in update)


def test_a_clipped_update_is_never_longer_than_the_norm_in_exact_arithmetic():
    generator = np.random.default_rng(0)
    for trial in range(200):
        update = {"w": (generator.standard_normal(1 + 7 * trial) * 10.0 ** (trial % 9 - 4)).astype(np.float32)}
        clipped = differential.clip(update, 1e-5)
        assert math.fsum(float(value) ** 2 for value in clipped["w"]) <= 1e-10
        assert clipped["w"].dtype == np.float32


def test_noise_has_the_deviation_asked_for_and_a_mean_of_nothing():
    zeros = {"w": np.zeros((500, 400), np.float32)}
    drawn = differential.noise(zeros, 0.25, seed=1, round_=2)["w"]
    assert drawn.std() == pytest.approx(0.25, rel=0.01)
    assert abs(drawn.mean()) < 5 * 0.25 / math.sqrt(drawn.size)
    assert drawn.dtype == np.float32


def test_noise_is_a_function_of_its_key_alone_and_differs_between_keys():
    zeros = {"a": np.zeros(50, np.float32), "b": np.zeros(50, np.float32)}
    drawn = differential.noise(zeros, 1.0, 1, 2, 3)
    again = differential.noise({"b": zeros["b"]}, 1.0, 1, 2, 3)
    assert np.array_equal(drawn["b"], again["b"])
    others = [differential.noise(zeros, 1.0, *key)["b"] for key in ((1, 2), (0, 2, 3), (1, 3, 3), (1, 2, 4))]
    for other in (*others, drawn["a"]):
        assert not (other == drawn["b"]).any()


def test_no_noise_changes_nothing():
    update = {"w": np.array([1.5, -2.5], np.float32)}
    assert np.array_equal(differential.noise(update, 0.0, 0, 0)["w"], update["w"])


def test_the_servers_noise_on_the_mean_is_that_on_the_sum_divided_by_the_clients():
    assert differential.central_std(1.1, 0.5, 4) == pytest.approx(1.1 * 0.5 / 4)


@pytest.mark.parametrize(("rounds", "noise"), [(1, 1.0), (1, 4.0), (25, 2.0), (100, 5.0)])
def test_epsilon_of_all_clients_is_that_of_the_analytic_gaussian_mechanism(rounds, noise):
    # Rounds of Gaussian noise compose to one of the deviation divided by the root of their number.
    sigma = noise / math.sqrt(rounds)
    exact = brentq(lambda epsilon: gaussian_delta(epsilon, sigma) - 1e-5, 0.0, 50.0)
    assert differential.epsilon(rounds, 1.0, noise, 1e-5) == pytest.approx(exact, rel=1e-4)


@pytest.mark.parametrize(("rate", "noise"), [(0.1, 1.0), (0.5, 2.0)])
def test_epsilon_of_one_sampled_round_bounds_that_of_the_integral_from_above_and_nearly(rate, noise):
    stated = differential.epsilon(1, rate, noise, 1e-5)
    assert sampled_delta(stated, rate, noise) < 1e-5
    assert sampled_delta(0.6 * stated, rate, noise) > 1e-5


@pytest.mark.parametrize(("rounds", "rate", "noise"), [(50, 0.2, 1.5), (300, 0.05, 1.0), (10, 0.5, 0.4)])
def test_epsilon_of_many_sampled_rounds_lies_just_below_the_classical_renyi_bound(rounds, rate, noise):
    # The library turns Renyi's divergence into epsilon by a tighter rule than that of 2017.
    bound = renyi_epsilon(rounds, rate, noise, 1e-5)
    assert 0.8 * bound < differential.epsilon(rounds, rate, noise, 1e-5) < bound


def test_less_sampling_more_noise_and_fewer_rounds_lose_less():
    base = differential.epsilon(20, 0.4, 1.0, 1e-5)
    for better in ((20, 0.2, 1.0), (20, 0.4, 2.0), (10, 0.4, 1.0)):
        assert differential.epsilon(*better, 1e-5) < base
    assert base < differential.epsilon(20, 1.0, 1.0, 1e-5)


def test_without_noise_there_is_no_privacy_and_without_rounds_no_loss():
    assert differential.epsilon(10, 0.5, 0.0, 1e-5) == math.inf
    assert differential.epsilon(0, 0.5, 0.0, 1e-5) == 0.0


def test_local_noise_counts_half_and_sampling_does_not_help():
    local = differential.local_epsilon(9, 6.0, 1e-5)
    exact = brentq(lambda epsilon: gaussian_delta(epsilon, 6.0 / 2 / 3) - 1e-5, 0.0, 50.0)
    assert local == pytest.approx(exact, rel=1e-4)
