import pytest

from gateway.sandbox.openai_operations import AZURE_OPERATIONS, DEPLOYMENT_OPERATIONS, OPENAI_OPERATIONS


@pytest.mark.parametrize("operations", [AZURE_OPERATIONS, DEPLOYMENT_OPERATIONS, OPENAI_OPERATIONS])
def test_no_two_operations_have_the_same_path(operations: tuple[tuple[str, str, str, object], ...]):
    places = [(method, path) for method, path, _, _ in operations]

    assert len(set(places)) == len(places)


def test_openai_has_whatever_azure_has():
    assert {operation[:3] for operation in (*AZURE_OPERATIONS, *DEPLOYMENT_OPERATIONS)} < {
        operation[:3] for operation in OPENAI_OPERATIONS
    }
