"""``chorale report``: make a run's page again."""

from __future__ import annotations

from chorale.cli.options import Parser, add_runs, which_run


def main(words: list[str]) -> int:
    """Run the verb."""
    parser = Parser("report", "Make a run's page, of a run that has not ended too.", ["chorale report tiny"])
    parser.add_argument("run", metavar="RUN", help="a directory, or part of a run's name")
    add_runs(parser)
    options = parser.parse_args(words)
    run = which_run(options.run, options.runs)

    from chorale.report.page import build_report

    print(build_report(run))
    return 0
