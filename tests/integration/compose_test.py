"""Checks docker-compose.yml and what it refers to, with docker compose or PyYAML where they are there.

Without both, a reader of the small part of YAML that the files use looks at the same things.
"""
import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(sys.argv[1])
COMPOSE = ROOT / "docker-compose.yml"
SERVICES = {"kafka", "topics", "tidecast", "prometheus", "grafana"}
failures = []


def expect(condition, words):
    if not condition:
        failures.append(words)


def run_compose():
    """True when docker compose has judged the file."""
    try:
        known = subprocess.run(["docker", "compose", "version"], capture_output=True, timeout=20)
        if known.returncode != 0:
            return False
        judged = subprocess.run(["docker", "compose", "-f", str(COMPOSE), "config", "-q"], capture_output=True, text=True, timeout=40)
    except (OSError, subprocess.TimeoutExpired):
        return False
    expect(judged.returncode == 0, f"docker compose refuses the file: {judged.stderr.strip()}")
    return True


def run_yaml():
    """True when PyYAML has judged the files."""
    try:
        import yaml
    except ImportError:
        return False
    for path in [COMPOSE, *(ROOT / "deploy").rglob("*.y*ml")]:
        try:
            yaml.safe_load(path.read_text())
        except yaml.YAMLError as error:
            failures.append(f"{path.relative_to(ROOT)}: {error}")
    services = (yaml.safe_load(COMPOSE.read_text()) or {}).get("services", {})
    for name, service in services.items():
        expect("image" in service or "build" in service, f"service {name} has neither image nor build")
        for needed in service.get("depends_on", []):
            expect(needed in services, f"service {name} depends on {needed}, which is not there")
    return True


def check_structure():
    """Indentation and section names, for every YAML file."""
    for path in [COMPOSE, *(ROOT / "deploy").rglob("*.y*ml")]:
        for number, line in enumerate(path.read_text().splitlines(), 1):
            place = f"{path.relative_to(ROOT)}:{number}"
            expect("\t" not in line, f"{place}: a tab")
            expect((len(line) - len(line.lstrip(" "))) % 2 == 0, f"{place}: odd indentation")
            expect(line.count('"') % 2 == 0, f"{place}: a quote is not closed")
    names = set(re.findall(r"^  ([a-z]+):$", COMPOSE.read_text().split("\nvolumes:")[0], re.M))
    expect(names == SERVICES, f"services are {sorted(names)}, expected {sorted(SERVICES)}")


def check_references():
    text = COMPOSE.read_text()
    mounts = re.findall(r"- (\./[^:\s]+):(/[^:\s]+)", text)
    expect(len(mounts) >= 4, "the shipped configs are not mounted")
    for source, _ in mounts:
        expect((ROOT / source).exists(), f"{source} is mounted and does not exist")
    for name in re.findall(r"- ([a-z]+-[a-z]+):/", text):
        expect(re.search(rf"^  {name}:$", text.split("\nvolumes:")[1], re.M), f"volume {name} is not declared")
    for port in re.findall(r'- "([^"]*:\d+:\d+)"', text):
        expect(port.startswith("127.0.0.1:"), f"port {port} is open to other machines")

    # The dashboards lie where Grafana is told to look.
    provider = (ROOT / "deploy/grafana/provisioning/dashboards/tidecast.yaml").read_text()
    folder = re.search(r"path: (\S+)", provider).group(1)
    expect(folder in {target for _, target in mounts}, f"Grafana looks for dashboards in {folder}, where nothing is mounted")
    rules = re.findall(r"^  - (\S+\.yml)$", (ROOT / "deploy/prometheus/prometheus.yml").read_text(), re.M)
    for rule in rules:
        expect((ROOT / "deploy/prometheus" / rule).exists(), f"Prometheus rule file {rule} does not exist")


def check_commands():
    """The verbs that compose and the image run are verbs of the binary, and its config is the one that is mounted."""
    text = COMPOSE.read_text()
    verbs = {path.name.removesuffix("_verb.cc") for path in (ROOT / "engine/app").glob("*_verb.cc")}
    command = json.loads(re.search(r'command: (\["run".*\])', text).group(1))
    image = json.loads(re.search(r"^CMD (\[.*\])$", (ROOT / "Dockerfile").read_text(), re.M).group(1))
    for words in (command, image):
        expect(words[0] in verbs, f"`tidecast {words[0]}` is not a verb; there are {sorted(verbs)}")
    expect(f":{command[1]}:ro" in text, f"{command[1]} is not mounted")
    dev = (ROOT / "dev").read_text()
    for word in re.findall(r"\./dev (\w+)", (ROOT / "Dockerfile").read_text()):
        expect(re.search(rf"^\s+{word}\b", dev, re.M), f"./dev has no command {word}")


def check_metrics():
    """Every metric of the dashboard and the alert rules is one that the engine makes."""
    made = set()
    for folder in ("engine", "operators", "models", "state"):
        for path in [*(ROOT / folder).rglob("*.cc"), *(ROOT / folder).rglob("*.h")]:
            made.update(re.findall(r'"(tidecast_[a-z0-9_]+)"', path.read_text()))
    board = (ROOT / "deploy/grafana/dashboards/tidecast.json").read_text()
    panels = json.loads(board)["panels"]
    expect(len(panels) >= 8, "the dashboard is almost empty")
    expect(len({panel["id"] for panel in panels}) == len(panels), "panels share an id")
    asked = [target["expr"] for panel in panels for target in panel["targets"]]
    asked += re.findall(r"expr: (.*)", (ROOT / "deploy/prometheus/alerts.yml").read_text())
    for expression in asked:
        for name in re.findall(r"tidecast_[a-z0-9_]+", expression):
            expect(name in made, f"{name} is shown and never made")


judges = [name for name, judge in (("docker compose", run_compose), ("PyYAML", run_yaml)) if judge()]
for check in (check_structure, check_references, check_commands, check_metrics):
    check()
for failure in failures:
    print(f"FAILED: {failure}")
print(f"judged by {', '.join([*judges, 'the structural check'])}: {len(failures)} failures")
sys.exit(1 if failures else 0)
