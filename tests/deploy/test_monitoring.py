"""The dashboard and the alert rules speak of metrics and labels that there are."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from bitmail.door import Knock
from bitmail.service import Service
from mta.claim import Result
from mta.outcomes import Outcome
from mta.service import ServiceState
from tests.bitmail.conftest import make_service

DEPLOY = Path(__file__).parents[2] / "deploy"
DASHBOARD = json.loads((DEPLOY / "grafana.json").read_text())
RULES: list[dict[str, Any]] = yaml.safe_load((DEPLOY / "alerts.yml").read_text())["groups"][0]["rules"]
EXPRESSIONS = [
    *(target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]),
    *(rule["expr"] for rule in RULES),
]
OTHERS = {"up"}
"""What Prometheus itself knows of whatever it asks."""
_NAME = re.compile(r"\b(bitmail_[a-z_]+|up)\b(?:\{([^}]*)\})?")
_LABEL = re.compile(r'(\w+)=(~?)"([^"]*)"')


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, str]]]:
    """The labels of each sample of a server in which everything happened once, by its name."""
    service: Service = make_service(tmp_path_factory.mktemp("var"))
    metrics = service.metrics
    for outcome in Outcome:
        metrics.attempted("loopback", Result(outcome, 10, ""))
    metrics.accepted()
    metrics.refused(401)
    for area in ("hooks", "api"):
        for status in (200, 401, 503):
            metrics.answered(f"/{area}/x", status)
    metrics.knocked(Knock.REFUSED)
    metrics.stored("get", 0.1, failed=True)
    metrics._lag.observe(0.1)
    text = metrics.text().decode()
    service.stop()
    found: dict[str, list[dict[str, str]]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, []).append(sample.labels)
    return found


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_every_metric_and_label_that_is_named_is_there(
    samples: dict[str, list[dict[str, str]]], expression: str
) -> None:
    named = _NAME.findall(expression)
    assert named
    for name, conditions in named:
        if name in OTHERS:
            continue
        assert name in samples, f"there is no {name}"
        for label, is_pattern, value in _LABEL.findall(conditions):
            values = {labels.get(label, "") for labels in samples[name]}
            wanted = re.compile(value if is_pattern else re.escape(value))
            assert any(wanted.fullmatch(one) for one in values), f"{name} never has {label} {value}"
    for grouped in re.findall(r"by \(([^)]*)\)", expression):
        for label in set(grouped.replace(" ", "").split(",")) - {"instance"}:
            assert any(label in labels for name, _ in named for labels in samples.get(name, ())), label


def test_every_metric_is_on_the_dashboard(samples: dict[str, list[dict[str, str]]]) -> None:
    shown = {name for expression in EXPRESSIONS for name, _ in _NAME.findall(expression)}
    families = {re.sub(r"_(total|bucket|count|sum|created)$", "", name) for name in samples}
    assert families == {re.sub(r"_(total|bucket|count|sum)$", "", name) for name in shown} - OTHERS


def test_states_that_rules_name_are_those_of_providers() -> None:
    named = {value for one in EXPRESSIONS for value in re.findall(r'state="([^"]*)"', one)}
    assert named <= {str(state) for state in ServiceState}


def test_panels_have_places_of_their_own() -> None:
    squares = [
        (x, y)
        for panel in DASHBOARD["panels"]
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(squares) == len(set(squares))
    assert max(x for x, _ in squares) < 24
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


def test_rules_are_whole() -> None:
    assert len({rule["alert"] for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
        assert re.fullmatch(r"\d+[smh]", rule.get("for", "0s"))
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"]["summary"].endswith(".")
        for opening, closing in ("()", "{}", "[]"):
            assert rule["expr"].count(opening) == rule["expr"].count(closing)
    promtool = shutil.which("promtool")
    if promtool is not None:
        done = subprocess.run(
            [promtool, "check", "rules", str(DEPLOY / "alerts.yml")],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
