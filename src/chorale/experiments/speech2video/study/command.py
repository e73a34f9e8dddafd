"""The verb that makes a user study, and says what came of it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import JsonValue

from chorale.core.errors import InputError
from chorale.runs.contract import Command

if TYPE_CHECKING:
    from chorale.experiments.speech2video.study.analysis import Analysis


def study_command() -> Command:
    """Return the verb ``chorale speech2video study``."""
    return Command(
        name="study",
        help="make a page on which people compare videos in pairs, or analyse their answers",
        add_arguments=_add_arguments,
        run=_run,
        render=render,
        examples=(
            "chorale speech2video study --make pairs.csv --out study",
            "chorale speech2video study --analyse study/key.json answers/*.csv",
        ),
    )


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "--make",
        type=Path,
        metavar="PAIRS.csv",
        help="columns pair, first_system, first_video, second_system, second_video and, where known, emotion",
    )
    what.add_argument("--analyse", type=Path, metavar="KEY.json", help="the key that was made with the page")
    parser.add_argument("answers", type=Path, nargs="*", metavar="ANSWERS.csv", help="what listeners sent back")
    parser.add_argument("--out", type=Path, default=Path("study"), help="folder of page and key (default: %(default)s)")
    parser.add_argument("--title", default="Which video is more natural?", help="heading (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of orders and sides (default: %(default)s)")
    parser.add_argument(
        "--emotions",
        metavar="A,B,...",
        help="what to choose from (default: CREMA-D's six); an empty text leaves the question out",
    )


def _run(arguments: argparse.Namespace) -> JsonValue:
    return _make(arguments) if arguments.make is not None else _analyse(arguments.analyse, arguments.answers)


def _make(arguments: argparse.Namespace) -> JsonValue:
    from chorale.experiments.speech2video.study.page import KEY, make_page
    from chorale.experiments.speech2video.study.plan import EMOTIONS, read_list

    if arguments.answers:
        raise InputError("--make takes no answers", "give them to --analyse")
    given = arguments.emotions
    emotions = EMOTIONS if given is None else tuple(name.strip() for name in given.split(",") if name.strip())
    study = read_list(arguments.make, arguments.title, arguments.seed, emotions)
    page = make_page(study, arguments.out)
    return {"study": study.name, "pairs": len(study.pairs), "page": str(page), "key": str(arguments.out / KEY)}


def _analyse(key: Path, paths: list[Path]) -> JsonValue:
    from chorale.experiments.speech2video.study.analysis import analyse
    from chorale.experiments.speech2video.study.answers import read_answers
    from chorale.experiments.speech2video.study.plan import read_key

    if not paths:
        raise InputError("--analyse needs answers", "name the files that the listeners sent back")
    study = read_key(key)
    return {"study": study.name, **_to_json(analyse(read_answers(paths, study), study))}


def _to_json(found: Analysis) -> dict[str, JsonValue]:
    return {
        "listeners": found.listeners,
        "answers": found.answers,
        "preferences": [
            {
                "first": one.first,
                "second": one.second,
                "natural": one.natural.to_json(),
                "same_person": one.same_person.to_json(),
            }
            for one in found.preferences
        ],
        "emotions": [
            {"system": one.system, "accuracy": one.accuracy.to_json(), "chance": one.chance} for one in found.emotions
        ],
        "left": found.left.to_json(),
    }


def render(value: Any) -> str:
    """Return what was made, or what was found, as text.

    Args:
        value: From the verb.
    """
    if "page" in value:
        return "\n".join(
            [
                f"{value['page']}: {value['pairs']} pairs; give it to the listeners",
                f"{value['key']}: tells which video is whose; keep it, and give it to --analyse",
            ]
        )
    lines = [f"{value['listeners']} listeners, {value['answers']} pairs judged"]
    for one in value["preferences"]:
        lines.append(f"{one['first']} more natural than {one['second']}: {_share(one['natural'])}")
        lines.append(f"  taken for the same person: {_share(one['same_person'])}")
    for one in value["emotions"]:
        lines.append(
            f"emotion of {one['system']} seen: {_share(one['accuracy'])}; by chance {100 * one['chance']:.1f} %"
        )
    lines.append(f"the left one preferred: {_share(value['left'])}")
    lines.append("Intervals: 95 %, listeners drawn again; in brackets Wilson's, which takes answers for independent.")
    return "\n".join(lines)


def _share(one: Any) -> str:
    interval = one["over_listeners"]
    over = "no interval of one listener" if interval is None else _range(interval)
    return f"{100 * one['share']:.1f} % of {one['answers']}, {over} ({_range(one['wilson'])})"


def _range(ends: Any) -> str:
    return f"{100 * ends[0]:.1f} to {100 * ends[1]:.1f} %"
