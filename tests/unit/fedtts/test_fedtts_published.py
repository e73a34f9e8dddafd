import numpy as np
import pytest

from chorale.core.errors import InputError
from chorale.experiments.fedtts.config.federation import CodecConfig
from chorale.experiments.fedtts.federation.published import Published, absorb

pytestmark = pytest.mark.unit
NAMES = ("embedding.weight", "encoder.layers.0.weight", "decoder.layers.0.weight")
KINDS = ("none", "fp16", "int8", "top-k")


def published(kind="none", ranks=2, cache=True, **codec):
    return Published(NAMES, CodecConfig(kind=kind, **codec), clients=3, ranks=ranks, cache=cache)


def draws(seed, names=NAMES):
    generator = np.random.default_rng(seed)
    return {name: generator.standard_normal((4, 6), np.float32) for name in names}


def test_a_client_is_sent_only_what_has_changed_since_it_last_downloaded():
    book = published()
    book.publish(draws(0), 0)
    assert book.for_client(0, NAMES) == (NAMES, ())
    assert book.for_client(0, NAMES) == ((), ())
    book.publish(draws(1, NAMES[:1]), 1)
    assert book.for_client(0, NAMES) == (NAMES[:1], ())
    assert book.for_client(1, NAMES) == (NAMES, ())


def test_a_tensor_that_a_round_does_not_have_is_not_sent_and_is_missing_later():
    book = published()
    book.publish(draws(0), 0)
    assert book.for_client(0, NAMES[:2]) == (NAMES[:2], ())
    assert book.for_client(0, NAMES) == (NAMES[2:], ())


def test_without_a_cache_everything_is_sent_every_time():
    book = published(cache=False)
    book.publish(draws(0), 0)
    assert book.for_client(0, NAMES) == book.for_client(0, NAMES) == (NAMES, ())
    assert list(book.for_rank(1, NAMES)) == list(book.for_rank(1, NAMES)) == list(NAMES)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("lossless", [False, True])
def test_whoever_follows_and_whoever_comes_late_hold_the_published_bits(kind, lossless):
    book, follower = published(kind, lossless=lossless), {}
    for version in range(4):
        # The largest value stays where it is: int8 then sends many equal bytes, which zstd shortens.
        book.publish({name: np.round(value) for name, value in draws(version).items()}, version)
        absorb(follower, book.for_rank(0, NAMES))
        assert all(np.array_equal(follower[name], book.values[name]) for name in NAMES)
    late: dict = {}
    absorb(late, book.for_rank(1, NAMES))
    assert all(np.array_equal(late[name], book.values[name]) for name in NAMES)


def test_top_k_sends_differences_to_who_holds_the_version_before_and_all_to_others():
    book = published("top-k", share=0.25)
    book.publish(draws(0), 0)
    assert book.for_client(0, NAMES) == (NAMES, ())
    book.publish(draws(1), 1)
    assert book.for_client(0, NAMES) == ((), NAMES)
    assert book.for_client(1, NAMES) == (NAMES, ())
    book.publish(draws(2), 2)
    book.publish(draws(3), 3)
    assert book.for_client(0, NAMES) == (NAMES, ())
    sparse, whole = book.encoded((), NAMES), book.encoded(NAMES, ())
    assert all(2 * sparse[name].payload_bytes == whole[name].payload_bytes for name in NAMES)


def test_what_top_k_leaves_out_comes_with_later_differences():
    book, target = published("top-k", share=0.25), draws(1)
    book.publish(draws(0), 0)
    for version in range(1, 5):
        book.publish(target, version)
    assert all(np.allclose(book.values[name], target[name], atol=1e-6) for name in NAMES)


def test_top_k_without_a_cache_is_refused_with_a_remedy():
    with pytest.raises(InputError, match="set client_cache to true"):
        published("top-k", cache=False)


@pytest.mark.parametrize("kind", KINDS)
def test_taken_up_again_it_sends_what_it_would_have_sent(kind):
    book, tensors = published(kind), {}
    for version in range(3):
        tensors |= draws(version, NAMES[: 1 + version])
        book.publish(draws(version, NAMES[: 1 + version]), version)
        book.for_rank(1, [name for name in NAMES if name in book.values][:2])
        book.for_client(version % 2, [name for name in NAMES if name in book.values])
    copy = book.copy_of(1)
    again = published(kind)
    again.restore({name: value.copy() for name, value in book.state().items()}, tensors)
    restored = again.copy_of(1)
    assert {name: value.tobytes() for name, value in restored.items()} == {
        name: value.tobytes() for name, value in copy.items()
    }
    for other in (book, again):
        tensors = draws(9)
        other.publish(tensors, 3)
    ours, theirs = book.for_rank(1, NAMES), again.for_rank(1, NAMES)
    assert list(ours) == list(theirs)
    for name in NAMES:
        assert ours[name].kind == theirs[name].kind
        assert all(np.array_equal(a, b) for a, b in zip(ours[name].parts, theirs[name].parts, strict=True))
    assert [book.for_client(client, NAMES) for client in range(3)] == [
        again.for_client(client, NAMES) for client in range(3)
    ]


def test_another_number_of_ranks_holds_nothing_at_first():
    book = published(ranks=2)
    book.publish(draws(0), 0)
    book.for_rank(1, NAMES)
    book.for_client(1, NAMES)
    again = published(ranks=3)
    again.restore(book.state(), draws(0))
    assert again.copy_of(1) == {}
    assert list(again.for_rank(1, NAMES)) == list(NAMES)
    assert again.for_client(1, NAMES) == ((), ())
