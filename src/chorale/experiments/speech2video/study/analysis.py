"""What listeners prefer, whether they see one person, and whether they see the emotion that was meant."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

from chorale.core.intervals import Interval
from chorale.experiments.speech2video.metrics.resampling import bootstrap_ratio, wilson
from chorale.experiments.speech2video.study.answers import Answer
from chorale.experiments.speech2video.study.plan import Study


class Share(NamedTuple):
    """A share of answers.

    Attributes:
        chosen: Answers of the kind.
        answers: Of all.
        share: Their ratio.
        over_listeners: Bootstrap interval: listeners are drawn again, each with all answers. None of a single one.
        of_answers: Wilson's, a check: it takes answers for independent and so is too narrow where listeners differ.
    """

    chosen: int
    answers: int
    share: float
    over_listeners: Interval | None
    of_answers: Interval

    def to_json(self) -> dict[str, Any]:
        """Return everything as one object."""
        return {
            "chosen": self.chosen,
            "answers": self.answers,
            "share": self.share,
            "over_listeners": None if self.over_listeners is None else list(self.over_listeners[1:]),
            "wilson": list(self.of_answers[1:]),
        }


class Preference(NamedTuple):
    """Two systems, judged side by side.

    Attributes:
        first: One system.
        second: The other.
        natural: How often the first one's mouth was found more natural; without preference it is one half.
        same_person: How often both were taken for one person.
    """

    first: str
    second: str
    natural: Share
    same_person: Share


class Seen(NamedTuple):
    """The emotion of one system's videos.

    Attributes:
        system: Whose.
        accuracy: How often the emotion was seen that was meant.
        chance: ``1 / choices``.
    """

    system: str
    accuracy: Share
    chance: float


class Analysis(NamedTuple):
    """Everything that the answers say.

    Attributes:
        listeners: How many.
        answers: Pairs they judged, all together.
        preferences: For every two systems that were shown together.
        emotions: For every system.
        left: How often the video on the left was preferred: far from one half, listeners did not look.
    """

    listeners: int
    answers: int
    preferences: list[Preference]
    emotions: list[Seen]
    left: Share


def analyse(answers: Sequence[Answer], study: Study) -> Analysis:
    """Return shares with intervals.

    Args:
        answers: At least one.
        study: The key.
    """
    by_systems: dict[tuple[str, str], list[tuple[str, bool, bool]]] = defaultdict(list)
    by_system: dict[str, list[tuple[str, bool]]] = defaultdict(list)
    for answer in answers:
        pair = answer.pair
        systems = (pair.first_system, pair.second_system)
        preferred = systems[0 if answer.natural == "a" else 1]
        # A list may name two systems in either order.
        both = systems if systems in by_systems or systems[::-1] not in by_systems else systems[::-1]
        by_systems[both].append((answer.listener, preferred == both[0], answer.same_person))
        if pair.emotion:
            for system, emotion in zip(systems, answer.emotions, strict=False):
                by_system[system].append((answer.listener, emotion == pair.emotion))
    preferences = [
        Preference(
            *both,
            _share([(listener, natural) for listener, natural, _ in judged], study.seed),
            _share([(listener, same) for listener, _, same in judged], study.seed),
        )
        for both, judged in by_systems.items()
    ]
    emotions = [Seen(name, _share(judged, study.seed), 1 / len(study.emotions)) for name, judged in by_system.items()]
    left = _share([(answer.listener, answer.natural == answer.left) for answer in answers], study.seed)
    return Analysis(len({answer.listener for answer in answers}), len(answers), preferences, emotions, left)


def _share(judged: Sequence[tuple[str, bool]], seed: int) -> Share:
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    # In the order of names, so that the order of the files changes no draw.
    for listener, yes in sorted(judged):
        counts[listener][0] += yes
        counts[listener][1] += 1
    found, asked = ([count[side] for count in counts.values()] for side in (0, 1))
    by_answers = wilson(sum(found), sum(asked))
    assert by_answers is not None
    over_listeners = bootstrap_ratio(found, asked, seed)
    return Share(sum(found), sum(asked), sum(found) / sum(asked), over_listeners, by_answers)
