"""render.yaml: what must hold for a deployment that works, keeps its secrets and loses no money."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from hashcache.settings import KNOBS, load

ROOT = Path(__file__).parents[2]
BLUEPRINT = (ROOT / "render.yaml").read_text("utf-8")
#: Of Render's documentation: read by its build, not by us.
RENDERS_OWN = {"PYTHON_VERSION"}
SECRETS = {knob.name for knob in KNOBS if knob.secret}
GENERATED = "q3/Zb1pXk+7yR0sVt2uWn4mLo6jHi8gFe9dCcBbAaE0="
UPSTASH = "rediss://default:p%40ss@eu1-fox-12345.upstash.io:6379"


def service(text: str = BLUEPRINT) -> dict[str, Any]:
    """The web service of a blueprint."""
    [found] = [one for one in yaml.safe_load(text)["services"] if one["type"] == "web"]
    return dict(found)


def variables(text: str = BLUEPRINT) -> dict[str, dict[str, Any]]:
    """The web service's environment, by name."""
    return {one["key"]: one for one in service(text)["envVars"]}


def environment() -> dict[str, str]:
    """What the service finds in its environment on Render."""
    given = {"PORT": "10000", "REDIS_URL": UPSTASH}
    for name, said in variables().items():
        if "value" in said:
            given[name] = str(said["value"])
        elif said.get("generateValue"):
            given[name] = GENERATED
    return given


def test_every_variable_is_known() -> None:
    """Each variable is a setting of ours, or one of Render's own."""
    assert set(variables()) - RENDERS_OWN <= {knob.name for knob in KNOBS}


def test_no_secret_is_written_down() -> None:
    """Each secret is asked for or generated; values are text; and nothing in the file looks like a password."""
    for name, said in variables().items():
        if name in SECRETS:
            assert "value" not in said, name
        else:
            assert isinstance(said["value"], str), name
    assert {name for name, said in variables().items() if said.get("generateValue")} == {
        "HASHCACHE_ADMIN_TOKEN",
        "HASHCACHE_SECRET",
    }
    assert variables()["REDIS_URL"] == {"key": "REDIS_URL", "sync": False}
    assert re.findall(r"://[^\s.]*:(?!\.\.\.)[^\s@]+@", BLUEPRINT) == []


def test_the_service_starts_with_it() -> None:
    """Those settings are accepted as they stand: Upstash over TLS, production's own names, Render's port."""
    settings = load(environment())
    assert (settings.environment, settings.port, settings.workers) == ("prod", 10000, 1)
    assert settings.secrets
    assert settings.admin_token == GENERATED
    assert settings.upload_budget >= settings.max_upload


def test_purchases_outlive_a_deploy() -> None:
    """Render waits longer than we need to finish what is under way, and no longer than it may (300 s)."""
    delay = service()["maxShutdownDelaySeconds"]
    assert load(environment()).grace < timedelta(seconds=delay) <= timedelta(seconds=300)


def test_a_blink_of_redis_restarts_nothing() -> None:
    """The health check asks for this process only."""
    assert service()["healthCheckPath"] == "/healthz"


def test_only_what_is_locked_is_built() -> None:
    """The build installs the locked requirements, checked, then the project and nothing else."""
    first, second = (shlex.split(part) for part in service()["buildCommand"].split("&&"))
    assert first == ["pip", "install", "--require-hashes", "-r", "requirements/run.txt"]
    assert second == ["pip", "install", "--no-deps", "--no-build-isolation", "."]
    assert (ROOT / "requirements" / "run.txt").is_file()


def test_python_is_named_in_full() -> None:
    """Render wants x.y.z; we want at least 3.11."""
    version = str(variables()["PYTHON_VERSION"]["value"])
    assert re.fullmatch(r"3\.(1[1-9]|[2-9]\d)\.\d+", version)


def test_the_start_command_exists() -> None:
    """It is the project's own command, listens on every address, leaves the port to PORT, and knows its options."""
    command, verb, *options = shlex.split(service()["startCommand"])
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["scripts"]
    assert command in scripts
    assert (verb, options) == ("serve", ["--host", "0.0.0.0"])  # noqa: S104 - compared, bound by nobody
    helped = subprocess.run(
        [sys.executable, "-m", "hashcache", verb, "--help"], capture_output=True, text=True, check=False, timeout=50
    )
    assert helped.returncode == 0, helped.stderr
    assert "--host" in helped.stdout


@pytest.mark.parametrize("deprecated", ["env:", "autoDeploy:", "redis"])
def test_nothing_deprecated_is_used(deprecated: str) -> None:
    """No key or type that Render has replaced."""
    keys = {f"{key}:" for one in yaml.safe_load(BLUEPRINT)["services"] for key in one}
    assert deprecated not in keys | {one["type"] for one in yaml.safe_load(BLUEPRINT)["services"]}


def test_the_other_store_fits_in() -> None:
    """The variant in the comments, put where they say, is a blueprint whose Redis is Render's own and private."""
    variable, store = re.findall(r"((?:^#  +\S.*\n)+)", BLUEPRINT, re.MULTILINE)
    live = BLUEPRINT[: BLUEPRINT.index("\n# With a paid provider")]
    asked = re.search(r"      - key: REDIS_URL.*\n        sync: false\n", live)
    assert asked is not None
    changed = live.replace(asked[0], re.sub(r"^# ", "", variable, flags=re.MULTILINE))
    changed += re.sub(r"^# ", "", store, flags=re.MULTILINE)
    [keyvalue] = [one for one in yaml.safe_load(changed)["services"] if one["type"] == "keyvalue"]
    assert variables(changed)["REDIS_URL"]["fromService"] == {
        "type": "keyvalue",
        "name": keyvalue["name"],
        "property": "connectionString",
    }
    assert keyvalue["ipAllowList"] == []
    assert keyvalue["region"] == service(changed)["region"]
    assert set(variables(changed)) == set(variables())
