from itertools import combinations

import numpy as np
import pytest
from scipy.stats import chi2

from chorale.core.errors import WorkError
from chorale.experiments.fedtts.federation.privacy import shares
from chorale.experiments.fedtts.federation.privacy.keys import draw_secrets, keyed_bytes
from chorale.experiments.fedtts.federation.privacy.masks import add_masks
from chorale.experiments.fedtts.federation.privacy.secure import SecureRound, threshold_count

pytestmark = pytest.mark.unit
SEED = 7


def vectors(clients: list[int], length: int = 50) -> dict[int, np.ndarray]:
    """Signed fixed-point updates as the federation sums them: two's complement in 64 bits."""
    generator = np.random.default_rng(0)
    return {client: generator.integers(-(2**40), 2**40, length).view(np.uint64) for client in clients}


def summed(parts: list[np.ndarray]) -> np.ndarray:
    return np.sum(parts, axis=0, dtype=np.uint64)


def bytes_look_uniform(words: np.ndarray) -> bool:
    """Chi-square over the 256 byte values, at a level of one in a million."""
    counts = np.bincount(words.view(np.uint8), minlength=256)
    expected = counts.sum() / 256
    return bool(((counts - expected) ** 2 / expected).sum() < chi2.isf(1e-6, 255))


@pytest.mark.parametrize("count", [3, 4, 5])
def test_every_set_of_answers_above_the_threshold_unmasks_to_the_plain_sum(count):
    clients = [0, 3, 4, 7, 9]
    plain = vectors(clients)
    for answered in combinations(clients, count):
        secure = SecureRound(2, clients, 3, SEED)
        total = summed([secure.masked(client, plain[client]) for client in answered])
        assert np.array_equal(secure.unmask(total, answered), summed([plain[client] for client in answered]))


def test_sums_come_back_as_signed_fixed_point_with_the_weight_beside_them():
    secure = SecureRound(0, [0, 1, 2], 2, SEED)
    updates = [np.array([-5, 7, 11]), np.array([2, -9, 13]), np.array([1, 1, 17])]
    total = summed([secure.masked(client, update.view(np.uint64)) for client, update in enumerate(updates)])
    assert secure.unmask(total, [0, 1, 2]).view(np.int64).tolist() == [-2, -1, 41]


def test_the_order_and_grouping_of_masked_answers_change_no_bit():
    clients = list(range(6))
    plain = vectors(clients)
    one, other = SecureRound(1, clients, 4, SEED), SecureRound(1, clients, 4, SEED)
    masked = [one.masked(client, plain[client]) for client in clients]
    grouped = summed([summed(masked[4:][::-1]), summed(masked[:4])])
    assert np.array_equal(one.unmask(summed(masked), clients), other.unmask(grouped, clients))


def test_a_hundred_clients_of_whom_thirty_drop_out_are_summed():
    clients = list(range(100))
    plain = vectors(clients, 8)
    secure = SecureRound(0, clients, threshold_count(0.6, 100), SEED)
    answered = [client for client in clients if client % 10 not in (2, 5, 8)]
    total = summed([secure.masked(client, plain[client]) for client in answered])
    assert np.array_equal(secure.unmask(total, answered), summed([plain[client] for client in answered]))


def test_fewer_answers_than_the_threshold_are_an_error_and_unmask_nothing():
    clients = [0, 1, 2, 3]
    for answered in combinations(clients, 2):
        secure = SecureRound(0, clients, 3, SEED)
        with pytest.raises(WorkError, match=r"2 of 4 clients answered in round 0, 3 are needed"):
            secure.unmask(np.zeros(4, np.uint64), answered)


def test_a_masked_vector_and_a_sum_before_unmasking_look_uniform_where_the_plain_one_does_not():
    clients = [0, 1, 2]
    plain = np.arange(40_000, dtype=np.uint64)
    secure = SecureRound(0, clients, 2, SEED)
    masked = [secure.masked(client, plain) for client in clients]
    assert not bytes_look_uniform(plain)
    assert not (masked[0] == plain).any()
    for words in (*masked, summed(masked), summed(masked[:2]), masked[0] - masked[1]):
        assert bytes_look_uniform(words)


def test_without_recovery_the_masks_of_a_client_that_dropped_out_stay_in_the_sum():
    clients = [0, 1, 2]
    plain = {client: np.zeros(10_000, np.uint64) for client in clients}
    secure = SecureRound(0, clients, 2, SEED)
    total = summed([secure.masked(client, plain[client]) for client in (0, 2)])
    # The server is told that all answered: own masks go, those shared with client 1 stay.
    assert bytes_look_uniform(secure.unmask(total, clients))


def test_masks_differ_from_round_to_round_and_seed_to_seed_and_repeat_for_the_same():
    zeros = np.zeros(100, np.uint64)

    def masks(round_: int, seed: int) -> np.ndarray:
        return SecureRound(round_, [0, 1], 2, seed).masked(0, zeros)

    assert np.array_equal(masks(3, SEED), masks(3, SEED))
    assert not (masks(3, SEED) == masks(4, SEED)).any()
    assert not (masks(3, SEED) == masks(3, SEED + 1)).any()


def test_keys_of_the_systems_randomness_never_repeat_and_cancel_all_the_same():
    plain = vectors([0, 1, 2])
    one, other = (SecureRound(0, [0, 1, 2], 2, SEED, deterministic=False) for _ in range(2))
    masked = [one.masked(client, plain[client]) for client in (0, 2)]
    assert not (masked[0] == other.masked(0, plain[0])).any()
    assert np.array_equal(one.unmask(summed(masked), [0, 2]), summed([plain[0], plain[2]]))


def test_ranks_that_each_hold_a_part_of_the_clients_and_a_server_agree():
    clients = list(range(5))
    plain = vectors(clients)
    here, there, server = (SecureRound(6, clients, 3, SEED) for _ in range(3))
    total = summed([here.masked(0, plain[0]), here.masked(1, plain[1]), there.masked(4, plain[4])])
    assert np.array_equal(server.unmask(total, [0, 1, 4]), summed([plain[client] for client in (0, 1, 4)]))


def test_what_helpers_reveal_gives_one_secret_of_each_client_and_never_both():
    clients = [0, 1, 2, 3]
    secure = SecureRound(0, clients, 3, SEED)
    secure.unmask(np.zeros(0, np.uint64), [0, 1, 3])
    revealed = {client + 1: secure.client_part(client).reveal([0, 1, 3]) for client in (0, 1, 3)}
    for client in clients:
        secrets = draw_secrets(keyed_bytes(SEED, 0, client))
        wanted = secrets.masking if client == 2 else secrets.self_seed
        assert shares.join({point: row[client] for point, row in revealed.items()}, 3) == wanted


def test_a_server_that_asks_again_with_other_answers_is_refused():
    clients = [0, 1, 2, 3]
    secure = SecureRound(0, clients, 3, SEED)
    secure.unmask(np.zeros(1, np.uint64), [0, 1, 2])
    with pytest.raises(WorkError, match="both shares of one client would uncover its update"):
        secure.unmask(np.zeros(1, np.uint64), [0, 1, 3])


def test_a_client_masks_no_second_vector_in_a_round():
    secure = SecureRound(0, [0, 1], 2, SEED)
    secure.masked(0, np.zeros(3, np.uint64))
    with pytest.raises(WorkError, match="client 0 was to mask twice in round 0"):
        secure.masked(0, np.ones(3, np.uint64))


def test_shares_that_were_changed_on_the_way_or_meant_for_another_are_noticed():
    clients = [0, 1, 2]
    secure = SecureRound(0, clients, 2, SEED)
    publics = {client: secure.client_keys(client) for client in clients}
    sealed = secure.client_part(0).sealed_shares(publics)
    damaged = sealed[1][:-1] + bytes([sealed[1][-1] ^ 1])
    for wrong in (damaged, sealed[2]):
        with pytest.raises(WorkError, match="client 0's shares for 1 are damaged"):
            secure.client_part(1).accept(0, wrong, publics[0])
    secure.client_part(1).accept(0, sealed[1], publics[0])


def test_the_bytes_counted_are_those_of_the_messages():
    clients, answered = [0, 1, 2, 3], [0, 1, 3]
    secure = SecureRound(0, clients, 3, SEED)
    publics = {client: secure.client_keys(client) for client in clients}
    sealed = secure.client_part(2).sealed_shares(publics)
    counted = {row[:3]: row.bytes for row in secure.message_bytes(answered)}
    keys = len(publics[2].channel) + len(publics[2].masking)
    assert counted[2, "up", "keys"] == 4 + keys == 68
    assert counted[2, "down", "keys"] == 4 * 68
    assert counted[2, "up", "shares"] == sum(4 + len(message) for message in sealed.values()) == 3 * 86
    assert counted[0, "down", "masks"] == 3 * 4
    assert counted[0, "up", "masks"] == 4 * 33
    assert (2, "down", "masks") not in counted
    assert (2, "up", "masks") not in counted

    def total(direction: str, kind: str) -> int:
        return sum(row.bytes for row in secure.message_bytes(answered) if row[1:3] == (direction, kind))

    assert total("up", "shares") == total("down", "shares")


@pytest.mark.parametrize(
    ("share", "clients", "count"), [(0.6, 8, 5), (0.6, 5, 3), (1.0, 7, 7), (0.1, 4, 2), (0.3, 1, 1), (0.7, 10, 7)]
)
def test_the_threshold_is_a_share_rounded_up_and_no_sum_of_one_among_several(share, clients, count):
    assert threshold_count(share, clients) == count


def test_a_mask_is_the_published_keystream_across_pieces_and_taken_away_leaves_nothing():
    # RFC 8439, appendix A.1, test vectors 1 and 2: key, nonce zero; blocks 0 and 1.
    first = np.zeros(70_000, np.uint64)
    add_masks(first, [(bytes(32), 1)])
    known = bytes.fromhex("76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7")
    assert first[:4].astype("<u8").tobytes() == known
    assert first[8:10].astype("<u8").tobytes() == bytes.fromhex("9f07e7be5551387a98ba977c732d080d")
    from cryptography.hazmat.primitives.ciphers import Cipher
    from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20

    stream = Cipher(ChaCha20(bytes(32), bytes(16)), mode=None).encryptor().update(bytes(8 * len(first)))
    assert np.array_equal(first, np.frombuffer(stream, "<u8"))
    add_masks(first, [(bytes(32), -1)])
    assert not first.any()


def test_shares_are_points_of_the_polynomial_and_any_two_give_the_secret():
    # 1234 + 166 x, worked by hand: the draw of 49 bytes is the number 166.
    dealt = shares.split((1234).to_bytes(32, "big"), 2, [1, 2, 3, 5], lambda count: (166).to_bytes(count, "big"))
    assert dealt == {1: 1400, 2: 1566, 3: 1732, 5: 2064}
    for pair in combinations(dealt, 2):
        assert shares.join({point: dealt[point] for point in pair}, 2) == (1234).to_bytes(32, "big")


def test_the_known_example_of_a_parabola_is_joined():
    # 1234 + 166 x + 94 x^2 at 2, 4, 5: the example of the encyclopedias.
    assert shares.join({2: 1942, 4: 3402, 5: 4414}, 3) == (1234).to_bytes(32, "big")


def test_shares_wrap_around_the_prime_and_the_largest_secret_survives():
    assert all(pow(base, shares.PRIME - 1, shares.PRIME) == 1 for base in (2, 3, 5, 7, 11))
    secret = bytes([255]) * 32
    dealt = shares.split(secret, 3, list(range(1, 8)), keyed_bytes(1, 2, 3))
    assert max(dealt.values()) >= 2**200
    for points in combinations(dealt, 3):
        assert shares.join({point: dealt[point] for point in points}, 3) == secret
    with pytest.raises(WorkError, match="2 shares, where 3 are needed"):
        shares.join({1: dealt[1], 2: dealt[2]}, 3)


def test_fewer_shares_than_the_threshold_fit_every_secret():
    # Given one share of a line, the other points of any line through it and any secret are as likely.
    point, value = 3, 10**30
    for secret in (0, 1, 2**256 - 1):
        slope = (value - secret) * pow(point, -1, shares.PRIME) % shares.PRIME
        dealt = shares.split(secret.to_bytes(32, "big"), 2, [point, 4], lambda count, a=slope: a.to_bytes(count, "big"))
        assert dealt[point] == value


def test_a_share_of_another_secret_is_no_answer():
    one = shares.split(bytes(31) + b"\x01", 2, [1, 2], keyed_bytes(0, 0, 0))
    other = shares.split(bytes(31) + b"\x02", 2, [1, 2], keyed_bytes(0, 0, 1))
    mixed = {1: one[1], 2: other[2]}
    try:
        assert shares.join(mixed, 2) not in (bytes(31) + b"\x01", bytes(31) + b"\x02")
    except WorkError as error:
        assert "do not belong together" in str(error)
