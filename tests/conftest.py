"""Fixtures that several test modules share."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from store_factory import World
from transcript_factory import new_id


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A userData folder with two accounts and nothing in them."""
    dice = Random(7)
    user_data, projects = tmp_path / "Claude", tmp_path / "projects"
    stores = [user_data / "claude-code-sessions" / new_id(dice) / new_id(dice) for _ in range(2)]
    for folder in (*stores, projects):
        folder.mkdir(parents=True)
    return World(dice, user_data, projects, stores, sparse=True, scenarios=["here"])
