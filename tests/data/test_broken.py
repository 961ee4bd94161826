from pathlib import Path

from ipmix.data.broken import list_broken


def test_broken_files_are_named_and_counted(tmp_path, capsys):
    list_broken([Path("a/b.png"), Path("two\nlines.png"), Path("caf\udce9.jpg")], tmp_path)
    assert (tmp_path / "broken.txt").read_bytes() == b"a/b.png\ntwo\\nlines.png\ncaf\xe9.jpg\n"
    assert capsys.readouterr().err == f"passed over 3 broken images; {tmp_path}/broken.txt names them\n"


def test_none_broken_leaves_no_list_of_before(tmp_path, capsys):
    list_broken([], tmp_path)
    list_broken([Path("a.png")], tmp_path)
    assert "1 broken image;" in capsys.readouterr().err
    list_broken([], tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr().err == ""
