"""A round's sum, and how a rank's answers reach it: what is looked at where, and when it is added up."""

from types import SimpleNamespace

import numpy as np
import pytest

from chorale.core.errors import WorkError
from chorale.experiments.fedtts.config.federation import CodecConfig, FederationConfig
from chorale.experiments.fedtts.federation.codecs import encode, require_finite
from chorale.experiments.fedtts.federation.feedback import ErrorFeedback
from chorale.experiments.fedtts.federation.host import Answer
from chorale.experiments.fedtts.federation.report import ClientReport
from chorale.experiments.fedtts.federation.scaffold import control_name
from chorale.experiments.fedtts.federation.sums import RoundSum
from chorale.experiments.fedtts.federation.uplink import Uplink, read_answer

pytestmark = pytest.mark.unit


def answer(seed=0, **more):
    generator = np.random.default_rng(seed)
    values = {"a": generator.normal(size=(4, 5)).astype(np.float32), "b": generator.normal(size=3).astype(np.float32)}
    return {**values, **more}


def config(**changes):
    return FederationConfig.model_validate({"clients": 4, **changes})


def sent_by(tensors, aggregate_in_rank, clients=2, codec=None):
    """What a rank sends for clients that all answer ``tensors``, as one buffer a message."""
    buffers = []
    line = SimpleNamespace(send=lambda parts: buffers.append(np.concatenate(parts)))
    sizes = {name: value.size for name, value in tensors.items()}
    uplink = Uplink(config(aggregate_in_rank=aggregate_in_rank), line, sizes, 10)
    for client in range(clients):
        report = ClientReport(client, 2, 20, 1, 0.5, False, {}, ())
        uplink.take(Answer(encode(tensors, codec or CodecConfig()), report))
    uplink.finish(0.0, 1.0, 0)
    return buffers


def test_means_are_computed_when_they_are_asked_for_and_those_of_controls_apart():
    total = RoundSum(config(), 10)
    for seed, weight in ((0, 2), (1, 6)):
        total.add(encode(answer(seed, **{control_name("b"): np.ones(3, np.float32)}), CodecConfig()), weight)
    means, controls = total.means(), total.means(controls=True)
    assert (list(means), list(controls), len(means)) == (["a", "b"], [control_name("b")], 2)
    wanted = np.average([answer(0)["a"], answer(1)["a"]], axis=0, weights=[2.0, 6.0])
    assert means["a"] == pytest.approx(wanted, abs=2.0**-30)
    assert controls[control_name("b")].tolist() == [1.0] * 3
    assert control_name("b") not in means and "a" not in controls


@pytest.mark.parametrize("dp", ["none", "central"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_an_answer_that_is_not_finite_is_refused_by_the_tensors_name(dp, value):
    total = RoundSum(config(privacy={"dp": dp}, strategy={"weights": "uniform"}), 10)
    broken = answer()
    broken["b"][1] = value
    with pytest.raises(WorkError, match="b: holds values that are not finite"):
        total.add(encode(broken, CodecConfig()), 1)
    assert list(total.fixed) == []


@pytest.mark.parametrize("aggregate_in_rank", [True, False])
def test_a_rank_refuses_to_send_what_is_not_finite(aggregate_in_rank):
    broken = answer()
    broken["b"][1] = np.nan
    with pytest.raises(WorkError, match="b: holds values that are not finite"):
        sent_by(broken, aggregate_in_rank)
    # One answer alone is shorter than a sum, and sent as it is.
    with pytest.raises(WorkError, match="b: holds values that are not finite"):
        sent_by(broken, aggregate_in_rank, clients=1)


def test_added_up_in_the_rank_or_at_the_server_the_sum_is_the_same():
    shapes = {name: value.shape for name, value in answer().items()}
    found = []
    for aggregate_in_rank, messages in ((True, 1), (False, 5)):
        buffers = sent_by(answer(), aggregate_in_rank, clients=4)
        assert len(buffers) == messages
        total = RoundSum(config(), 10)
        for buffer in buffers:
            received = read_answer(buffer, shapes)
            if received.tensors and received.is_last:
                total.merge(received.tensors, 8, 4)
            elif received.tensors:
                total.add(received.tensors, 2)
        assert total.fixed.weights == {"a": 8, "b": 8}
        assert received.report.codec_s >= 1.0
        found.append({name: sums.tolist() for name, sums in total.fixed.sums.items()})
    assert found[0] == found[1]


def test_what_a_lossy_codec_has_looked_at_and_masked_integers_are_not_looked_at_again():
    require_finite(encode(answer(), CodecConfig(kind="int8")))
    require_finite(encode(answer(), CodecConfig(lossless=True)))
    broken = answer(b=np.array([np.inf], np.float32))
    with pytest.raises(WorkError, match="b: holds values that are not finite"):
        require_finite(encode(broken, CodecConfig(lossless=True)))


@pytest.mark.parametrize("lossless", [False, True])
def test_without_a_lossy_codec_the_receiver_gets_the_update_itself(lossless):
    update = answer()
    encoded, received = ErrorFeedback().encode(update, CodecConfig(lossless=lossless))
    assert all(received[name] is value for name, value in update.items())
    assert {name: tensor.shape for name, tensor in encoded.items()} == {"a": (4, 5), "b": (3,)}
