"""What do all tests share?"""
import pytest

from harness import Node


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    with Node(tmp_path_factory.mktemp("node")) as node:
        yield node


@pytest.fixture
def fresh(tmp_path):
    """A node that the test may kill, stop and start again."""
    with Node(tmp_path) as node:
        yield node
