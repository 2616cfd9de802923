from __future__ import annotations

import re
from pathlib import Path

import pytest

from trioscsi import UsageError
from trioscsi.cli.secrets import Chosen, choose, read, web_token

ENVIRONMENT = {
    b"TRIOSCSI_CHAP_SECRET": b"from the environment",
    b"TRIOSCSI_MUTUAL_CHAP_SECRET": b"the target's own",
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "secrets"
    path.touch(mode=0o600)
    path.write_bytes(
        b"# names and secrets\n\nalice  alice's secret \nbob \xff\xfe\ndisk the disk's\n"
    )
    return path


def test_without_options_there_are_no_secrets() -> None:
    assert choose(None, None, None, ENVIRONMENT) == Chosen(None, None)


def test_secrets_come_from_the_environment() -> None:
    assert choose("alice", "disk", None, ENVIRONMENT) == Chosen(
        {"alice": b"from the environment"}, ("disk", b"the target's own")
    )


def test_a_file_comes_first(file: Path) -> None:
    assert choose("alice", "disk", file, ENVIRONMENT) == Chosen(
        {"alice": b"alice's secret"}, ("disk", b"the disk's")
    )
    assert choose("carol", None, file, ENVIRONMENT).chap == {"carol": b"from the environment"}


def test_all_names_of_a_file_may_log_in_but_the_targets_own(file: Path) -> None:
    assert choose(None, "disk", file, {}) == Chosen(
        {"alice": b"alice's secret", "bob": b"\xff\xfe"}, ("disk", b"the disk's")
    )


def test_a_name_may_be_for_some_initiators_alone(file: Path) -> None:
    assert choose(None, "disk", file, {}, ["alice=iqn.*:a", "bob=iqn.*:b"]).chap == {
        "alice": (b"alice's secret", "iqn.*:a"),
        "bob": (b"\xff\xfe", "iqn.*:b"),
    }
    said = choose("a=b", None, None, ENVIRONMENT, ["a=b=iqn.*"])
    assert said.chap == {"a=b": (b"from the environment", "iqn.*")}


@pytest.mark.parametrize("said", ["alice", "alice=", "=iqn.*", "carol=iqn.*", "disk=iqn.*"])
def test_initiators_are_those_of_a_name(file: Path, said: str) -> None:
    with pytest.raises(UsageError, match=f"--chap-initiator {re.escape(said)}: this is no"):
        choose(None, "disk", file, {}, [said])


def test_a_name_has_one_pattern(file: Path) -> None:
    with pytest.raises(UsageError, match="alice has a pattern already"):
        choose(None, None, file, {}, ["alice=iqn.a", "alice=iqn.b"])


def test_a_file_with_nobody_in_it_is_named(tmp_path: Path) -> None:
    path = tmp_path / "empty"
    path.write_bytes(b"# nobody\n")
    path.chmod(0o600)
    with pytest.raises(UsageError, match="empty: there is nobody in it who could log in"):
        choose(None, None, path, {})


def test_what_is_chosen_does_not_show(file: Path) -> None:
    assert "secret" not in repr(choose("alice", None, file, {}))


@pytest.mark.parametrize(
    ("user", "mutual", "complaint"),
    [
        ("alice", None, "no secret for alice: set TRIOSCSI_CHAP_SECRET, or"),
        (None, "disk", "mutual CHAP needs CHAP"),
    ],
)
def test_a_missing_secret_is_said_with_the_remedy(
    user: str | None, mutual: str | None, complaint: str
) -> None:
    with pytest.raises(UsageError, match=complaint):
        choose(user, mutual, None, {})


def test_a_missing_secret_of_the_target_is_said(file: Path) -> None:
    with pytest.raises(UsageError, match="no secret for other: set TRIOSCSI_MUTUAL_CHAP_SECRET"):
        choose("alice", "other", file, {})


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"alice\n", "line 1: a name without a secret after it$"),
        (b"alice one\n\nalice two\n", "line 3: alice has a secret already"),
        (b"\xff secret\n", "line 1: a name that is not UTF-8"),
    ],
)
def test_a_file_that_makes_no_sense_is_refused_by_line(
    file: Path, content: bytes, complaint: str
) -> None:
    file.write_bytes(content)
    with pytest.raises(UsageError, match=complaint):
        read(file)


def test_blanks_of_any_kind_are_around_a_name_and_its_secret(file: Path) -> None:
    file.write_bytes(b"alice\tone\n  bob  \t two words \n\t# nobody\n \t \n")
    assert read(file) == {"alice": b"one", "bob": b"two words"}


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        read(tmp_path / "nothing")


def test_a_file_that_others_can_read_is_a_warning(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    read(file)
    assert not caplog.messages
    file.chmod(0o640)
    read(file)
    assert caplog.messages == [f"{file} can be read by others than its owner: chmod 600 {file}"]


# The token of the live page.


def test_a_token_is_what_a_file_has_in_it(file: Path) -> None:
    file.write_bytes(b"  some token\n")
    assert web_token(file, {"TRIOSCSI_WEB_TOKEN": "another"}) == "some token"


def test_without_a_file_a_token_comes_from_the_environment() -> None:
    assert web_token(None, {"TRIOSCSI_WEB_TOKEN": "another"}) == "another"
    assert web_token(None, {"TRIOSCSI_WEB_TOKEN": ""}) is None
    assert web_token(None, {}) is None


@pytest.mark.parametrize(
    ("content", "complaint"),
    [(b" \n", "there is no token in it"), (b"\xff\xfe", "this is no text")],
)
def test_a_file_without_a_token_is_refused(file: Path, content: bytes, complaint: str) -> None:
    file.write_bytes(content)
    with pytest.raises(UsageError, match=complaint):
        web_token(file)


def test_a_token_that_others_can_read_is_a_warning(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file.write_bytes(b"some token")
    file.chmod(0o644)
    web_token(file)
    assert caplog.messages == [f"{file} can be read by others than its owner: chmod 600 {file}"]
