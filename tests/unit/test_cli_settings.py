"""File < environment < flags, merged once; what is wrong is told all together."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.cli.settings import load, settings
from headwater.errors import LocalUsageError
from headwater.node.config import Config

STATE = Path("/state")


def _load(
    tmp_path: Path | None = None,
    toml: str | None = None,
    environment: dict[str, str] | None = None,
    **flags: object,
) -> Config:
    file = None
    if toml is not None and tmp_path is not None:
        file = tmp_path / "headwater.toml"
        file.write_text(toml, "utf-8")
    named = {key.replace("__", "."): (f"--{key}", value) for key, value in flags.items()}
    return load(state=STATE, file=file, environment=environment or {}, flags=named)


def test_nothing_said_is_the_defaults() -> None:
    assert _load() == Config(state=STATE)


def test_a_flag_wins_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    toml = 'name = "file"\nprepare = "never"\n[link]\nmax_peers = 3\n'
    config = _load(
        tmp_path,
        toml,
        {"HEADWATER_NAME": "environment", "HEADWATER_LINK_MAX_PEERS": "4"},
        name="flag",
    )
    assert (config.name, config.link.max_peers, config.prepare) == ("flag", 4, "never")


def test_the_page_wins_over_the_file_and_what_the_start_says_over_the_page(tmp_path: Path) -> None:
    kept = {"name": "page", "limits.up_bytes_per_s": 7, "limits.down_bytes_per_s": 8}
    (tmp_path / "settings.json").write_text(json.dumps(kept), "utf-8")
    (tmp_path / "headwater.toml").write_text('name = "file"\n', "utf-8")
    config = load(
        state=tmp_path,
        file=tmp_path / "headwater.toml",
        environment={"HEADWATER_LIMITS_DOWN_BYTES_PER_S": "0"},
        flags={"limits.up_bytes_per_s": ("--up-limit", "2k")},
    )
    limits = config.limits
    assert (config.name, limits.up_bytes_per_s, limits.down_bytes_per_s) == ("page", 2000, 0)
    assert config.said_at_start == {
        "limits.up_bytes_per_s": "--up-limit",
        "limits.down_bytes_per_s": "HEADWATER_LIMITS_DOWN_BYTES_PER_S",
    }


@pytest.mark.parametrize("kept", ['{"name": 5}', "[]", "{", '{"limits.up_bytes_per_s": -1}'])
def test_damaged_settings_of_the_page_are_told_with_their_file(tmp_path: Path, kept: str) -> None:
    (tmp_path / "settings.json").write_text(kept, "utf-8")
    with pytest.raises(LocalUsageError, match=r"settings\.json"):
        load(state=tmp_path, file=None, environment={}, flags={})


def test_every_kind_of_value_is_read_from_each_place(tmp_path: Path) -> None:
    toml = """
folders = ["/a", "/b"]
[limits]
up_bytes_per_s = "20MB"
down_bytes_per_s = 500
[link]
silence_s = 2
[discovery]
lan = false
"""
    config = _load(
        tmp_path,
        toml,
        {"HEADWATER_DISCOVERY_JOIN": "a:1, b:2", "HEADWATER_WEB_LAN": "yes"},
    )
    assert config.folders == (Path("/a"), Path("/b"))
    assert (config.limits.up_bytes_per_s, config.limits.down_bytes_per_s) == (20_000_000, 500)
    assert (config.link.silence_s, config.discovery.lan, config.web.lan) == (2.0, False, True)
    assert config.discovery.join == ("a:1", "b:2")


def test_the_default_port_may_give_way_and_one_asked_for_may_not() -> None:
    assert _load().web.http_is_default
    assert not _load(web__http="127.0.0.1:7333").web.http_is_default


def test_a_relative_folder_is_taken_from_where_one_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    assert _load(folders=[Path("videos/../films")]).folders == (Path("/films"),)


def test_all_that_is_wrong_is_told_at_once_each_with_its_place(tmp_path: Path) -> None:
    toml = 'nme = "x"\nstate = "/x"\n[link]\nmax_peers = "many"\n[web]\nlan = "perhaps"\n'
    with pytest.raises(LocalUsageError) as caught:
        _load(
            tmp_path,
            toml,
            {"HEADWATER_WEB_HTTP": "7333"},
            limits__up_bytes_per_s="fast",
            prepare="x",
        )
    told = str(caught.value).splitlines()
    file = tmp_path / "headwater.toml"
    assert told == [
        f"nme in {file} is no setting: did you mean name?",
        f"state in {file}: say it with --state or HEADWATER_STATE instead",
        f"link.max_peers in {file}: must be a whole number, not 'many'",
        f"web.lan in {file}: must be true or false, not 'perhaps'",
        "HEADWATER_WEB_HTTP: must be host:port (127.0.0.1:7333; port 0 lets the system choose), "
        "not '7333'",
        "--limits__up_bytes_per_s: 'fast' is no size: write it as 500k, 20MB or 1.5G",
        "--prepare: must be one of 'auto', 'never', not 'x'",
    ]


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(LocalUsageError, match=r"none\.toml cannot be read: No such file"):
        load(state=STATE, file=tmp_path / "none.toml", environment={}, flags={})
    with pytest.raises(LocalUsageError, match=r"headwater\.toml is not valid TOML"):
        _load(tmp_path, "name = ")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("link.max_peers", 0),
        ("link.max_peers", -1),
        ("link.silence_s", "soon"),
        ("link.bind", "everywhere"),
        ("link.relay", "always"),
        ("discovery.join", ["nobody"]),
        ("discovery.join", ["host:99999"]),
        ("name", "a\nb"),
        ("name", "x" * 65),
        ("folders", 7),
        ("folders", ["~nobody by this name/films"]),
        ("limits.up_bytes_per_s", "-1"),
        ("limits.up_bytes_per_s", True),
        ("store.quota_bytes", 2**60),
    ],
)
def test_a_value_out_of_bounds_is_refused(key: str, value: object) -> None:
    with pytest.raises(LocalUsageError, match="--flag: "):
        load(state=STATE, file=None, environment={}, flags={key: ("--flag", value)})


def test_links_and_addresses_are_taken_as_nodes_to_join() -> None:
    join = ["headwater://join/abc", "192.0.2.7:7333", "http://host:80/", "[::1]:7333"]
    assert _load(discovery__join=join).discovery.join == tuple(join)


@given(st.sampled_from([setting.variable for setting in settings()]), st.text(max_size=20))
def test_any_text_in_the_environment_is_a_value_or_is_refused(variable: str, text: str) -> None:
    try:
        load(state=STATE, file=None, environment={variable: text}, flags={})
    except LocalUsageError as error:
        assert str(error).startswith(variable)
