"""The graph of a run: what needs what, what is still to come, how it stands."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from chorale.launch.graph import LATER, as_text, graph
from chorale.launch.graph_svg import as_svg
from chorale.launch.plan import Plan, order, read_part, read_plan, read_stage
from chorale.launch.worker import work
from chorale.runs.contract import Stage
from chorale.runs.directory import Run
from chorale.runs.items import ItemRecord

pytestmark = pytest.mark.unit

RunMaker = Callable[..., Run]
SVG = "{http://www.w3.org/2000/svg}"


def plan_of(**needs: tuple[str, ...]) -> Plan:
    stages = {name: Stage(name=name, function="time:sleep", needs=needs[name]) for name in needs}
    return order(stages, lambda stage: [ItemRecord(0)])


def test_before_a_run_begins_its_graph_has_the_stages_that_others_will_declare(new_run: RunMaker) -> None:
    nodes = {node.name: node for node in graph(read_plan(new_run(numbers=4)))}
    assert nodes["squares-0"].needs == ("prepare",)
    assert nodes["squares-0"].items == {"pending": 4}
    assert (nodes["total"].kind, nodes["total"].is_declared) == (LATER, False)
    assert nodes["report"].needs == ("total",)


def test_the_text_draws_a_chain_downwards_and_branches_sideways() -> None:
    plan = plan_of(a=(), b=("a",), c=("a",), d=("b", "c"), e=("d",))
    assert as_text(graph(plan)).splitlines() == [
        "a     task",
        "├─ b  task",
        "└─ c  task",
        "   d  task    and after b",
        "   e  task",
    ]


def test_a_stage_that_failed_and_those_cancelled_for_it_are_shown_with_the_reason(new_run: RunMaker) -> None:
    run = new_run(fail_at=2, intolerant=True)
    work(run)
    lines = as_text(graph(read_plan(run))).splitlines()
    (squares,) = [line for line in lines if " array " in line]
    assert "4: 3 done, 1 failed" in squares
    assert "squares-0 item 2: error: ValueError: told to fail" in squares
    assert any("1 cancelled" in line and "needs stage squares-0, which failed" in line for line in lines)


def test_a_circle_of_needs_is_drawn_and_does_not_hang() -> None:
    nodes = graph(plan_of(a=("b",), b=("a",)))
    assert {node.name for node in nodes} == {"a", "b"}
    assert "a" in as_text(nodes)


def test_the_svg_has_a_box_for_each_stage_and_an_arrow_for_each_need(new_run: RunMaker) -> None:
    nodes = graph(read_plan(new_run()))
    root = ElementTree.fromstring(as_svg(nodes, 'counting <&> "test"'))
    boxes = root.findall(f"{SVG}g")
    names = {group.findall(f"{SVG}text")[0].text for group in boxes}
    assert names == {node.name for node in nodes}
    assert len(root.findall(f"{SVG}path")) == sum(len(node.needs) for node in nodes)
    dashed = [group for group in boxes if group.find(f"{SVG}rect").get("stroke-dasharray")]  # type: ignore[union-attr]
    assert [group.findall(f"{SVG}text")[0].text for group in dashed] == [n.name for n in nodes if not n.is_declared]
    assert root.find(f"{SVG}title").text == 'counting <&> "test"'  # type: ignore[union-attr]


def test_boxes_do_not_overlap(new_run: RunMaker) -> None:
    run = new_run(meet="ranks")
    rects = ElementTree.fromstring(as_svg(graph(read_plan(run)), "x")).findall(f"{SVG}g/{SVG}rect")
    corners = [(int(rect.get("x", 0)), int(rect.get("y", 0))) for rect in rects]
    assert len(set(corners)) == len(corners) == len(graph(read_plan(run)))


def test_a_part_of_a_plan_reads_only_the_stages_that_are_named(new_run: RunMaker) -> None:
    run = new_run()
    work(run)
    # A damaged stage elsewhere shows that nobody looks at it.
    (run.stage_directory("squares-1") / "stage.json").write_text("{}")
    part = read_part(run, ("squares-0", "nowhere"))
    assert list(part) == ["squares-0"]
    assert part["squares-0"].state == "done"
    assert read_stage(run, "nowhere") is None


def test_the_verb_draws_a_configuration_without_making_a_run(tmp_path: Path, counting: Path) -> None:
    config = tmp_path / "count.yaml"
    config.write_text(f"experiment: counting\nwhere: {{runs: {tmp_path / 'runs'}}}\n")
    command = [sys.executable, "-m", "chorale", "plan", str(config), "--numbers", "7", "--svg", str(tmp_path / "p.svg")]
    done = subprocess.run([*command, "--json"], capture_output=True, text=True, timeout=60, check=True)
    stages = {stage["name"]: stage for stage in json.loads(done.stdout)["stages"]}
    assert stages["squares-0"]["items"] == {"pending": 7}
    assert stages["total"]["declared"] is False
    assert ElementTree.parse(tmp_path / "p.svg").getroot().tag == f"{SVG}svg"
    assert not (tmp_path / "runs").exists()
