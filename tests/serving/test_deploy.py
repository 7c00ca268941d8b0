"""deploy/: the manifest is valid Kubernetes, and says of the service what is true."""

import copy
import re
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from course_lib.doctor import NEWEST_PYTHON, OLDEST_PYTHON
from course_lib.serving.app import create_app
from course_lib.serving.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
MANIFEST = list(yaml.safe_load_all((ROOT / "deploy" / "kubernetes.yaml").read_text(encoding="utf-8")))
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8")
VERSIONS = ["1.30", kubernetes_validate.latest_version()]


def of_kind(kind):
    (found,) = [each for each in MANIFEST if each["kind"] == kind]
    return found


POD = of_kind("Deployment")["spec"]["template"]["spec"]
(CONTAINER,) = POD["containers"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("document", MANIFEST, ids=lambda document: document["kind"])
def test_the_manifest_is_valid(document, version):
    kubernetes_validate.validate(document, version, strict=True)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_misspelt_field_would_be_refused(version):
    wrong = copy.deepcopy(of_kind("Deployment"))
    container = wrong["spec"]["template"]["spec"]["containers"][0]
    container["readynessProbe"] = container.pop("readinessProbe")
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, version, strict=True)


def test_the_probes_ask_what_the_app_answers():
    routes = create_app({}).openapi()["paths"]
    probes = [CONTAINER[name]["httpGet"] for name in ("startupProbe", "readinessProbe", "livenessProbe")]
    assert {probe["path"] for probe in probes} == {"/readyz", "/healthz"} <= set(routes)
    (port,) = CONTAINER["ports"]
    assert (
        {probe["port"] for probe in probes} == {port["name"]} == {of_kind("Service")["spec"]["ports"][0]["targetPort"]}
    )
    assert f'"--port", "{port["containerPort"]}"' in DOCKERFILE and f"EXPOSE {port['containerPort']}" in DOCKERFILE


def test_there_is_time_to_drain():
    wait = int(CONTAINER["lifecycle"]["preStop"]["exec"]["command"][1])
    assert POD["terminationGracePeriodSeconds"] > wait + Settings().drain_seconds + 2


def test_nothing_runs_as_root_and_limits_are_set():
    assert POD["securityContext"]["runAsNonRoot"] and CONTAINER["securityContext"]["readOnlyRootFilesystem"]
    user = POD["securityContext"]["runAsUser"]
    assert f"USER {user}" in DOCKERFILE and f"--uid {user}" in DOCKERFILE
    assert set(CONTAINER["resources"]) == {"requests", "limits"}


def test_selectors_find_the_pods():
    labels = of_kind("Deployment")["spec"]["template"]["metadata"]["labels"]
    assert of_kind("Deployment")["spec"]["selector"]["matchLabels"] == labels
    assert of_kind("Service")["spec"]["selector"] == labels
    assert of_kind("PodDisruptionBudget")["spec"]["selector"]["matchLabels"] == labels
    assert (
        of_kind("HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]["name"]
        == of_kind("Deployment")["metadata"]["name"]
    )


def test_the_image_copies_what_is_there_and_its_command_is_one():
    from course_lib import cli

    sources = [word for line in re.findall(r"^COPY (.*) \S+$", DOCKERFILE, re.MULTILINE) for word in line.split()]
    assert sources and [name for name in sources if not (ROOT / name).exists()] == []
    allowed = (ROOT / "deploy" / "Dockerfile.dockerignore").read_text(encoding="utf-8").split()
    assert [name for name in sources if f"!{name}" not in allowed] == []
    major, minor = re.search(r"FROM python:(\d+)\.(\d+)-slim", DOCKERFILE).groups()
    assert OLDEST_PYTHON <= (int(major), int(minor)) <= NEWEST_PYTHON
    (command,) = re.findall(r"^CMD (\[.*\])$", DOCKERFILE, re.MULTILINE)
    program, *arguments = yaml.safe_load(command)
    assert program == "course" and cli._parse(arguments).models == "/models"
