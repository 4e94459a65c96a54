"""RECIPE and overrides become one plain configuration, or one line that says what is wrong."""

import sys
from pathlib import Path

import pytest
import yaml
from cli_yaml import write
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig

from lasasr.cli import session
from lasasr.cli.compose import compose, expand, recompose, spelled_out
from lasasr.cli.recipe_keys import refuse_not_taken
from lasasr.errors import UsageError

RECIPE = "synthetic/las_char"


def test_a_recipe_resolves_to_plain_values(dictionary: Path) -> None:
    config = compose(RECIPE)
    assert config["recipe"] == RECIPE
    assert config["choices"] == {"attend": "location", "listen": "pyramid"}
    assert config["attend"] == {"scale": 1.0, "dim": 9, "kernel_size": 31}
    assert config["listen"] == {"layers": 2, "dropout": 0.1}
    assert config["data_dir"] == "data"
    assert yaml.safe_load(yaml.safe_dump(config)) == config  # only plain values survive safe_dump
    assert not GlobalHydra.instance().is_initialized()


def test_overrides_choose_groups_and_set_keys(dictionary: Path) -> None:
    config = compose(RECIPE, ["attend=dot", "listen.layers=4", "seed=3", "optimizer.lr=1"])
    assert config["choices"]["attend"] == "dot"
    assert config["attend"] == {"scale": 1.0, "dim": 8}
    assert (config["listen"]["layers"], config["seed"], config["optimizer"]["lr"]) == (4, 3, 1)


def test_a_recipe_of_ones_own_builds_on_a_shipped_one_and_brings_a_group(dictionary: Path, tmp_path: Path) -> None:
    write(tmp_path, "far away/mine.yaml", "{defaults: [/synthetic/las_char, {override /attend: my}, _self_], seed: 7}")
    write(tmp_path, "far away/attend/my.yaml", "dim: 77")
    config = compose(str(tmp_path / "far away" / "mine.yaml"), ["listen.layers=5"])
    assert (config["recipe"], config["seed"], config["attend"]["dim"]) == ("mine", 7, 77)
    assert config["listen"] == {"layers": 5, "dropout": 0.1}


def test_a_part_that_a_choice_leaves_out_stays_out_whatever_options_a_recipe_has_for_it(
    dictionary: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, "mine.yaml", "{defaults: [/synthetic/las_char, _self_], attend: {window: {width: 3}}}")
    write(tmp_path, "attend/wide.yaml", "{dim: 8, window: {_target_: a.Window, width: 9}}")
    write(tmp_path, "attend/plain.yaml", "{dim: 8, window: null}")
    mine = str(tmp_path / "mine.yaml")
    assert compose(mine, ["attend=wide"])["attend"]["window"] == {"_target_": "a.Window", "width": 3}
    assert capsys.readouterr().err == ""
    assert compose(mine, ["attend=plain"])["attend"] == {"dim": 8, "window": None}
    expected = "note: attend=plain has no attend.window: the recipe's width of it is left out\n"
    assert capsys.readouterr().err == expected
    with pytest.raises(UsageError, match=r"^attend\.window\.width=5: attend=plain has no attend\.window; leave one"):
        compose(mine, ["attend=plain", "attend.window.width=5"])


def test_a_second_choice_of_a_group_is_refused_in_a_recipe_of_ones_own(dictionary: Path, tmp_path: Path) -> None:
    """Hydra would lay one attention over the other and keep keys of both."""
    write(tmp_path, "mine.yaml", "{defaults: [/synthetic/las_char, _self_], seed: 7}")
    with pytest.raises(UsageError, match=r"^\+attend=dot: leave the \+ out, attend is chosen already$"):
        compose(str(tmp_path / "mine.yaml"), ["+attend=dot"])


def test_the_file_of_a_shipped_recipe_is_that_recipe(dictionary: Path) -> None:
    assert compose(str(dictionary / "recipes" / f"{RECIPE}.yaml")) == compose(RECIPE)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("attend=dott", "unknown choice attend=dott; nearest: dot"),
        ("attend=", "unknown choice attend=; nearest: dot, location"),
        ("attend=5", "attend takes one of dot, location"),
        ("attend=null", "attend takes one of dot, location"),
        ("+attend=dot", "leave the + out"),
        ("attend=dot,location", "attend=dot,location is a sweep: add -m"),
        ("seed=1,2", "seed=1,2 is a sweep: add -m to run every value, or write seed=[1,2]"),
        ("seed=range(1,3)", "add -m"),
        ("atend=dot", "unknown key atend; nearest: attend"),
        ("listen.layerz=3", "unknown key listen.layerz; nearest: listen.layers"),
        ("layers=3", "unknown key layers; nearest: listen.layers"),
        ("listen={layerz: 3}", "unknown key listen.layerz; nearest: listen.layers"),
        ("listen.layers.x=3", "listen.layers is a value and has no keys below it"),
        ("~sead", "unknown key sead; nearest: seed"),
        ("+listen.layers=3", "listen.layers is there already; leave the + out"),
        ("nonsense", "an override is key=value"),
        ("=3", "an override is key=value"),
        ("seed='1", "cannot read"),
        ("final=two words)", "cannot read"),
        ("seed=abc", "seed takes a whole number (it is 1), got 'abc'"),
        ("seed=1.5", "seed takes a whole number"),
        ("seed=true", "seed takes a whole number (it is 1), got true"),
        ("seed=null", "seed takes a whole number (it is 1), got null"),
        ("seed=???", "leaves seed to you: add seed=..."),
        ("optimizer.lr=fast", "optimizer.lr takes a number"),
        (
            "optimizer.betas=0.9",
            "optimizer.betas takes a list (it is [0.9, 0.98]), got 0.9; write optimizer.betas=[0.9]",
        ),
        ("validation=3", "validation takes keys below it"),
        ("validation.shuffle=1", "validation.shuffle takes true or false"),
        ("final=[best]", "final takes text"),
        ("final=${nowhere}", "final: Interpolation key 'nowhere' not found"),
        ("final=${oc.env:LASASR_NOWHERE}", "final: KeyError raised while resolving interpolation"),
        ("hydra/launcher=cloud", "hydra/launcher=cloud has no effect without -m"),
        ("hydra.run.dir=here", "hydra.run.dir=here has no effect: a run lies in runs_dir=DIR, or LASASR_RUNS"),
        ("hydra.output_subdir=null", "hydra.output_subdir=null has no effect"),
        ("+hydra.job.name=mine", "+hydra.job.name=mine has no effect"),
    ],
)
def test_a_wrong_override_is_one_line(dictionary: Path, override: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        compose(RECIPE, ["listen.dropout=0.2", override])
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not GlobalHydra.instance().is_initialized()


@pytest.mark.parametrize(
    ("override", "key", "value"),
    [
        ("validation.utterances=5", "utterances", 5),
        ("validation.utterances=null", "utterances", None),
        ("++validation.maps=0.5", "maps", 0.5),
        ("validation={maps: 7}", "maps", 7),
    ],
)
def test_a_fitting_value_passes(dictionary: Path, override: str, key: str, value: object) -> None:
    assert compose(RECIPE, [override])["validation"][key] == value


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        ("synthetic/las_cha", "unknown recipe 'synthetic/las_cha'; nearest: synthetic/las_char"),
        ("las_char", "nearest: synthetic/las_char"),
        ("attend=dot", "RECIPE must come first"),
        ("missing.yaml", "there is no recipe file missing.yaml"),
        ("synthetic/las_far", "leaves trainer.nodes to you: add trainer.nodes=..."),
    ],
)
def test_a_wrong_recipe_is_one_line(dictionary: Path, recipe: str, message: str) -> None:
    with pytest.raises(UsageError, match=r"^[^\n]*$") as caught:
        compose(recipe)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("defaults: [/base\nseed: 3", "mine.yaml:2 is not valid YAML"),
        ("seed: 3\nlisten: {layers: 2}\nseed 4", "is not valid YAML"),
        ("defaults: [mine, _self_]", "recipe mine.yaml: its defaults name each other without end"),
        ("defaults: [/bass, _self_]", "recipe mine.yaml names bass, which does not exist"),
        ("defaults: [/base, {override /attend: dott}, _self_]", "unknown choice attend=dott; nearest: dot"),
        (
            "defaults: [/base, {override /atend: dot}, _self_]",
            "mine.yaml: In 'mine': Could not override 'atend'",
        ),
        (
            "defaults: [/base, {override /attend: [dot]}, {/attend@other: dot}, _self_]",
            "recipe mine.yaml: Hydra cannot read its defaults; `override /group: ...` stands after all else",
        ),
        ("listen: {layers: 2}", "recipe mine does not start from /base"),
        ("", "recipe mine does not start from /base"),
        ("[1, 2]", "mine.yaml is no recipe: it holds no keys"),
        ("{defaults: [/base, _self_], listn: {layers: 2}}", "mine sets listn, which nothing reads; nearest: listen"),
        ("{defaults: [/base, _self_], validation: {map: 1}}", "sets validation.map, which nothing reads; nearest: "),
        (
            "{defaults: [/base, _self_], listen: {layerz: 2}}",
            "listen.layerz, which nothing reads; nearest: listen.layers",
        ),
        (
            "{defaults: [/base, _self_], attend: {_target_: lasasr.attend.location.LocationAttention, dimm: 2}}",
            "LocationAttention does not take; nearest: attend.dim",
        ),
    ],
)
def test_a_wrong_recipe_file_is_one_line(dictionary: Path, text: str, message: str) -> None:
    Path("mine.yaml").write_text(text)
    with pytest.raises(UsageError, match=r"^[^\n]*$") as caught:
        compose("mine.yaml")
    assert message in str(caught.value)


def test_a_group_that_is_left_out_can_be_written_out(dictionary: Path) -> None:
    Path("mine.yaml").write_text("{defaults: [/base, _self_]}")
    config = compose("mine.yaml", ["~attend", "+attend.width=3"])
    assert config["attend"] == {"width": 3}


@pytest.mark.parametrize("override", ["+x=1", "++x=1", "+x.y=1", "+validation.map=1"])
def test_a_key_that_is_added_and_that_nothing_reads_is_refused(dictionary: Path, override: str) -> None:
    key = override.lstrip("+").partition("=")[0].removesuffix(".y")
    with pytest.raises(UsageError, match=rf"^\+ adds {key}, which nothing reads; nearest: "):
        compose("synthetic/las_char", [override])
    config = compose("synthetic/las_char", ["+x=2", "attend.dim=${x}"])
    assert config["attend"]["dim"] == 2  # read by another key


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["+spell.layerz=2"],
            "sets spell.layerz, which lasasr.spell.recurrent.RecurrentDecoder does not take; nearest: s",
        ),
        (["search=ctc_greedy", "+search.beam=4"], "CTCGreedySearch does not take; it takes no options (~search.beam"),
        (["+loss.focus=2"], "sets loss.focus, which lasasr.losses.joint.JointLoss does not take; nearest: "),
        (
            ["attend._target_=lasasr.attend.content.DotAttention"],
            "which lasasr.attend.content.DotAttention does not take",
        ),
        (
            ["+search.scorers.x._target_=lasasr.search.scorer_set.LengthBonus", "+search.scorers.x.depth=1"],
            "x.depth, which",
        ),
        (
            ["+listen.input_dim=40"],
            "sets listen.input_dim, which the toolkit supplies itself (~listen.input_dim leaves",
        ),
        (["++optimizer.params=null"], "sets optimizer.params, which the toolkit supplies itself"),
        (["+spell.vocabulary_size=30"], "sets spell.vocabulary_size, which the toolkit supplies itself"),
    ],
)
def test_a_key_that_a_part_of_a_shipped_recipe_does_not_take_is_refused_at_once(
    overrides: list[str], message: str
) -> None:
    with pytest.raises(UsageError, match=r"^recipe synthetic/las_char [^\n]*$") as caught:
        compose("synthetic/las_char", overrides)
    assert message in str(caught.value)
    offered = str(caught.value).partition("nearest: ")[2]
    assert not {"attend.query_dim", "spell.attend", "spell.encoded_dim"} & set(offered.split(" (")[0].split(", "))


def test_what_a_method_gets_by_itself_is_no_key() -> None:
    with pytest.raises(UsageError) as caught:
        refuse_not_taken({"_target_": "torch.optim.SGD", "sel": 1}, "mine", "optimizer")
    assert "optimizer.self" not in str(caught.value)
    assert str(caught.value).endswith("(~optimizer.sel leaves it out)")


def test_a_part_in_a_list_is_asked_what_it_takes() -> None:
    speeds = {"_target_": "lasasr.audio.perturb.SpeedPerturb", "factor": 2}
    with pytest.raises(
        UsageError, match=r"augment\.waveform\[0\]\.factor, which .*SpeedPerturb does not take; nearest: "
    ):
        refuse_not_taken({"augment": {"waveform": [speeds]}}, "mine")


def test_a_recipe_may_have_keys_of_its_own_that_others_read(dictionary: Path) -> None:
    Path("mine.yaml").write_text("{defaults: [/base, _self_], size: 5, listen: {layers: '${size}'}}")
    config = compose("mine.yaml", ["+width=9", "attend.dim=${width}"])
    assert (config["size"], config["listen"]["layers"], config["attend"]["dim"]) == (5, 5, 9)


def test_keys_that_a_part_takes_by_name_or_by_unpacking_pass(dictionary: Path) -> None:
    target = "_target_: lasasr.attend.location.LocationAttention"
    Path("mine.yaml").write_text(
        f"{{defaults: [/base, _self_], attend: {{{target}, dim: 3, kernel_size: 5, top_k: 2}}}}"
    )
    assert compose("mine.yaml")["attend"]["top_k"] == 2


def test_of_a_target_that_may_not_be_imported_nothing_is_asked(dictionary: Path) -> None:
    Path("mine.yaml").write_text("{defaults: [/base, _self_], attend: {_target_: antigravity.fly, far: 3}}")
    assert compose("mine.yaml")["attend"]["far"] == 3
    assert "antigravity" not in sys.modules


def test_a_recipe_must_be_called_yaml(dictionary: Path) -> None:
    Path("mine.yml").write_text("defaults: [/base, _self_]")
    with pytest.raises(UsageError, match=r"mine\.yml cannot be a recipe"):
        compose("mine.yml")


@pytest.mark.parametrize(
    ("recipe", "overrides", "compositions"),
    [
        (RECIPE, [], 1),
        (RECIPE, ["attend=dot"], 1),
        (RECIPE, ["attend=dot", "seed=3"], 2),  # and without the seed: what kind of value it takes
        ("mine.yaml", [], 2),  # and /base: which keys there are
        ("mine.yaml", ["seed=3"], 3),
    ],
)
def test_how_often_is_composed(
    dictionary: Path, recipe: str, overrides: list[str], compositions: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(Path(), "mine.yaml", "{defaults: [/base, _self_], final: last}")
    composed: list[str] = []
    compose_once = session.Session.compose

    def counted(self: session.Session, overrides: list[str]) -> DictConfig:
        composed.append(self.config)
        return compose_once(self, overrides)

    monkeypatch.setattr(session.Session, "compose", counted)
    compose(recipe, overrides)
    assert len(composed) == compositions


def test_what_is_done_is_said_before_a_recipe_of_ones_own_has_classes_loaded(
    dictionary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(Path(), "mine.yaml", "{defaults: [/base, _self_], final: last}")
    order: list[str] = []
    monkeypatch.setattr("lasasr.cli.compose.refuse_not_taken", lambda *_: order.append("loaded"))
    compose("mine.yaml", ["seed=3"], before_loading=lambda config: order.append(f"said {config['seed']}"))
    assert order == ["said 3", "loaded"]
    compose(RECIPE, before_loading=lambda config: order.append("said"))  # nothing is loaded
    assert len(order) == 2


def test_expand_is_the_product_of_all_choices(dictionary: Path) -> None:
    jobs = expand(RECIPE, ["attend=dot,location", "seed=range(1,3)", "listen.layers=4"])
    assert jobs == [
        [f"attend={attend}", f"seed={seed}", "listen.layers=4"] for attend in ("dot", "location") for seed in (1, 2)
    ]


def test_expand_takes_what_the_recipe_sweeps_over(dictionary: Path) -> None:
    write(Path(), "grid.yaml", "{defaults: [/base, _self_], hydra: {sweeper: {params: {attend: 'dot,location'}}}}")
    assert expand("grid.yaml", ["seed=3"]) == [["attend=dot", "seed=3"], ["attend=location", "seed=3"]]
    assert expand("grid.yaml", ["attend=dot"]) == [["attend=dot"]]


def test_glob_leaves_parts_of_others_out(dictionary: Path) -> None:
    assert expand(RECIPE, ["attend=glob(*)"]) == [["attend=dot"], ["attend=location"]]
    with session.on_recipe(RECIPE) as opened:
        assert spelled_out(opened, ["attend=glob(*)", "seed=1,2"]) == ["attend=dot,location", "seed=1,2"]


def test_a_continuous_range_needs_another_sweeper(dictionary: Path) -> None:
    with pytest.raises(UsageError, match="needs a sweeper that searches"):
        expand(RECIPE, ["optimizer.lr=interval(0,1)"])


def test_recompose_changes_only_what_is_asked(dictionary: Path) -> None:
    config = compose(RECIPE, ["listen.layers=4", "attend.dim=5"])
    assert recompose(config, []) == config
    changed = recompose(config, ["attend=dot", "seed=9"])
    assert changed["attend"] == {"scale": 1.0, "dim": 8}  # anew: dim=5 belonged to the attention before
    assert changed["choices"] == {"attend": "dot", "listen": "pyramid"}
    assert {**changed, "attend": config["attend"], "seed": 1, "choices": config["choices"]} == config


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("attend=do", "unknown choice attend=do; nearest: dot"),
        ("attend.dimm=3", "unknown key attend.dimm; nearest: attend.dim"),
        ("seed=x", "seed takes a whole number"),
        ("seed=1,2", "is a sweep"),
    ],
)
def test_recompose_refuses_what_compose_refuses(dictionary: Path, override: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        recompose(compose(RECIPE), [override])
    assert message in str(caught.value)


def test_a_recipe_file_cannot_set_where_hydra_would_write(dictionary: Path) -> None:
    for key, value in (("run", "{dir: here}"), ("sweep", "{dir: here}"), ("output_subdir", "null")):
        write(Path(), "mine.yaml", f"{{defaults: [/base, _self_], hydra: {{{key}: {value}}}}}")
        with pytest.raises(UsageError, match=f"recipe mine sets hydra.{key}.*has no effect"):
            compose("mine.yaml")
