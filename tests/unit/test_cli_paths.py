"""Where things are kept, by the XDG specification and by ftctl's own variables."""

from __future__ import annotations

from pathlib import Path

import pytest

from ftctl import paths


@pytest.mark.parametrize(
    ("environ", "data", "state", "engines"),
    [
        ({"HOME": "/h"}, "/h/.local/share/ftctl", "/h/.local/state/ftctl", "/h/.local/share/ftctl/engines"),
        (
            {"HOME": "/h", "XDG_DATA_HOME": "/d", "XDG_STATE_HOME": "/s"},
            "/d/ftctl",
            "/s/ftctl",
            "/d/ftctl/engines",
        ),
        (
            {"HOME": "/h", "XDG_DATA_HOME": "relative"},
            "/h/.local/share/ftctl",
            "/h/.local/state/ftctl",
            "/h/.local/share/ftctl/engines",
        ),
        ({"HOME": "/h", "FTCTL_HOME": "/f", "XDG_DATA_HOME": "/d"}, "/f", "/f/state", "/f/engines"),
        ({"HOME": "/h", "FTCTL_HOME": "/f", "FTCTL_ENGINES": "/e"}, "/f", "/f/state", "/e"),
    ],
)
def test_folders_follow_the_environment(environ: dict[str, str], data: str, state: str, engines: str) -> None:
    assert paths.data_dir(environ) == Path(data)
    assert paths.state_dir(environ) == Path(state)
    assert paths.engines_dir(environ) == Path(engines)
    assert paths.deployments_dir(environ) == Path(state) / "deployments"


@pytest.mark.parametrize("folder", ["schemas", "configs"])
def test_what_is_bundled_is_found(folder: str) -> None:
    assert any(paths.bundled(folder).iterdir())
