from tests.support.sandbox_calls import ask, new_sandbox


def test_models_are_listed_and_found():
    listed = ask(new_sandbox(), "/v1/models", method="GET", x_sandbox_provider="cohere").json["models"]

    assert [model["endpoints"] for model in listed] == [["chat"], ["chat"], ["embed"], ["rerank"]]
    found = ask(new_sandbox(), "/v1/models/embed-v4.0", method="GET")
    assert found.json == listed[2]
    assert ask(new_sandbox(), "/v1/models/no", method="GET", x_sandbox_provider="cohere").status == 404


def test_a_text_is_taken_apart_and_put_together_unbilled():
    told = ask(new_sandbox(), "/v1/tokenize", {"text": "hello world", "model": "command-a-03-2025"})

    assert told.json["token_strings"] == ["hell", "o wo", "rld"]
    assert told.entry is None
    asked = {"tokens": told.json["tokens"], "model": "command-a-03-2025"}
    assert ask(new_sandbox(), "/v1/detokenize", asked).json["text"] == "hello world"


def test_tokenize_refuses_what_it_cannot():
    assert ask(new_sandbox(), "/v1/tokenize", {"text": "a", "model": "no"}).status == 404
    assert ask(new_sandbox(), "/v1/detokenize", {"tokens": [1], "model": "no"}).status == 404
    assert ask(new_sandbox(), "/v1/tokenize", {"text": "", "model": "command-a-03-2025"}).status == 400
    assert ask(new_sandbox(), "/v1/detokenize", {"tokens": [-1], "model": "command-a-03-2025"}).status == 400
