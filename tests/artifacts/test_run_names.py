"""Words of folder names: what was changed first, paths last, nothing that a shell or file system would trip over."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lasasr.artifacts.run_names import LONGEST, folder_words, sanitised_name, shortened
from lasasr.errors import UsageError


@pytest.mark.parametrize(
    ("overrides", "name"),
    [
        ([], "default"),
        (["seed=7", "name=mine"], "default"),
        (["hydra/launcher=basic", "hydra.verbose=true"], "default"),
        (["listen.layers=2", "attend=dot"], "attend-dot_layers-2"),
        (["listen=blstm", "attend=dot", "b.z=1", "a.y=2"], "listen-blstm_attend-dot_z-1_y-2"),
        (["+corpus.train=/my data/tr*in.tsv"], "train-tr-in.tsv"),
        (
            ["corpus.train=/a/very/long/path/train.tsv", "corpus=table", "attend=dot"],
            "corpus-table_attend-dot_train-train.tsv",
        ),
        (["corpus.dev=dev.jsonl", "loss.ctc_weight=0.3"], "ctc_weight-0.3_dev-dev.jsonl"),
        (["corpus.train=[/a/one.txt,/b/two.txt]", "optimizer.lr=1e-3"], "lr-1e-3_train-one.txt,two.txt"),
        (["warm_start.run=runs/x/s1-0/", "ema=0.9"], "ema-0.9_run-s1-0"),
        (["~augment"], "augment"),
        (["attend=dot,location"], "attend-dot,location"),
        (["final=Größe"], "final-Gr-e"),
    ],
)
def test_shortened(overrides: list[str], name: str) -> None:
    assert shortened(overrides) == name


def test_a_long_path_pushes_nothing_out() -> None:
    path = "/".join(["", *("deep" for _ in range(50)), "train.tsv"])
    assert shortened([f"corpus.train={path}", "attend=additive", "listen.layers=4"]) == (
        "attend-additive_layers-4_train-train.tsv"
    )


def test_words_that_do_not_fit_are_left_out_whole() -> None:
    long = [f"a.key{number}={'x' * 16}" for number in range(4)]
    assert shortened([*long, "b.k=1"]) == f"key0-{'x' * 16}_key1-{'x' * 16}_k-1"
    assert shortened([f"a.k={'x' * 99}"]) == f"k-{'x' * 58}"


@given(st.lists(st.text(min_size=1, max_size=80), max_size=20))
def test_a_name_is_safe_for_any_file_system_and_shell(overrides: list[str]) -> None:
    name = shortened(overrides)
    assert 1 <= len(name) <= LONGEST
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._,-")
    assert name[0] not in ".-"


@pytest.mark.parametrize(
    ("name_option", "name"), [("my-run", "my-run"), ("a_b.c,d", "a_b.c,d"), (2, "2"), (0.5, "0.5")]
)
def test_a_given_name_is_used(name_option: object, name: str) -> None:
    assert folder_words(name_option, ["attend=dot"]) == name


@pytest.mark.parametrize(
    "name_option",
    ["", " ", "///", "ü", "my run", "a/b", "..x", "Größe", "a\nb", "a\x1b[31mb", True, ["a"], {"a": 1}, "x" * 200],
)
def test_what_is_no_name_is_refused_by_name(name_option: object) -> None:
    with pytest.raises(UsageError, match=r"^name=[ -~]*$"):
        sanitised_name(name_option)


def test_what_the_jobs_of_a_sweep_differ_in_is_kept_where_there_is_no_room_for_all() -> None:
    long = ["adapt=lora", "listen=conv_blstm", "spell=recurrent_deep", "attend=multi_head_location"]
    job = [*long, "adapt.speaker=f-123", "adapt.minutes=10"]
    assert shortened(job) == "adapt-lora_listen-conv_blstm_spell-recurrent_deep_minutes-10"
    assert shortened(job, swept=job[-2:]) == "adapt-lora_listen-conv_blstm_speaker-f-123_minutes-10"
    assert shortened(job[:2], swept=job[1:2]) == shortened(job[:2])
