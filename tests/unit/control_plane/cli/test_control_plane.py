import socket

from control_plane.cli.control_plane import main


def test_what_keeps_it_from_serving_is_a_message(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("LENSAI_CONTROL_DATA_DIR", str(tmp_path))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        monkeypatch.setenv("LENSAI_CONTROL_LISTEN_PORT", str(taken.getsockname()[1]))
        assert main([]) == 2
    said = capsys.readouterr().err
    assert said.startswith("lensai control-plane: cannot listen on 127.0.0.1:")
    assert said.endswith("Address already in use\n")
