from __future__ import annotations

from pathlib import Path
from typing import Callable, Iterator, List, Optional

import pytest

from host import MODULES, Host


@pytest.fixture
def start() -> Iterator[Callable[..., Host]]:
    """Start module processes that are gone when the test is."""
    hosts: List[Host] = []

    def start_one(script: str = "probe.py", cwd: Optional[Path] = None, **env: str) -> Host:
        hosts.append(Host(MODULES / script, cwd, **env))
        return hosts[-1]

    yield start_one
    for host in hosts:
        host.close()


@pytest.fixture
def probe(start: Callable[..., Host]) -> Host:
    """The module of modules/probe.py, initialised, with room for one handler."""
    host = start()
    assert host.init()["status"] == "success"
    return host


@pytest.fixture
def wide_probe(start: Callable[..., Host]) -> Host:
    """The same with room for three handlers."""
    host = start(PROBE_CONCURRENCY="3")
    assert host.init()["status"] == "success"
    return host


@pytest.fixture
def services(start: Callable[..., Host]) -> Host:
    """The module of modules/services.py, initialised, with room for two handlers."""
    host = start("services.py")
    assert host.init()["status"] == "success"
    return host
