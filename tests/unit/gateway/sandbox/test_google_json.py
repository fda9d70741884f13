from gateway.sandbox.google_json import compact, pretty


def test_documents_are_indented_by_two():
    assert pretty({"a": ["é"]}) == '{\n  "a": [\n    "é"\n  ]\n}'.encode()


def test_events_have_a_space_after_colons_alone():
    assert compact({"a": 1, "b": [1, 2]}) == b'{"a": 1,"b": [1,2]}'
