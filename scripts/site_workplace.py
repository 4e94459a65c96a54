"""The small data with which `site_check.py` runs the commands of pages: recordings, tables, runs, others' results."""

from __future__ import annotations

import gzip
import itertools
import json
import os
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import soundfile
from page_commands import commands

RECIPE: Final = "synthetic/las_char"
SPEECH: Final = ("corpus.hours=0.02", "corpus.dev_utterances=6", "corpus.test_utterances=6", "corpus.workers=1")
TINY: Final = (
    "listen.hidden_dim=16",
    "spell.hidden_dim=24",
    "batching.max_utterances=8",
    "trainer.max_steps=6",
    "trainer.max_epochs=-1",
    "trainer.val_check_interval=1",
    "trainer.check_val_every_n_epoch=null",
    "trainer.accelerator=cpu",
    "checkpoint.best=-1",
    "evaluate.maps=0",
    "validation.maps=0",
)
TINY_TEXT: Final = ("lm.hidden_dim=16", "lm.layers=1", "trainer.max_epochs=1", "trainer.val_check_interval=1.0")
TABLES: Final = "tables"  # as they were made
FEWEST_SEEDS: Final = "4"  # of a race: those of its first look
SWEPT: Final = re.compile(r"[^\[({'\"]*=[^\[({'\"]*,.*|.*=glob\(.*")
MARKS: Final = "<!-- lasasr compare {card} begins -->\n<!-- lasasr compare {card} ends -->\n"
OF_ONE_SYSTEM: Final = re.compile(r"(\w+=)RUN(?:,RUN)+")
NAMES: Final = ("ref", "hyp", "a", "b", "s1", "s2", "s3", "s4", "t1", "t2", "t3", "t4")
STANDS_FOR: Final = {
    "RECIPE": RECIPE,
    "SWEEP": "SWEEP",
    **dict.fromkeys(("RUN", "BASE", "TEACHER", "DEMO", "BEFORE", "BEFORE_SWEEP"), "RUN"),
    **dict.fromkeys(("AFTER", "ADAPTED", "DELTA", "AFTER_SWEEP"), "ADAPTED"),
    **dict.fromkeys(("LMRUN", "LM"), "LMRUN"),
    "BOOKS": "books",
}

Run = Callable[[list[str], Path, Path], int | None]


def placeholders(word: str, root: Path) -> str:
    """A word of a command with real names in the place of those in capitals and of `...`."""
    word = re.sub(r"(runs/[\w/]*)sweep-(\.\.\.)?$", lambda found: str(_sweep(root, found[1])), word)
    word = re.sub(r"runs/[\w/]*(default-s1-)?(\.\.\.|1234abcd)$", str(_link(root, "RUN")), word)
    other_search = next(iter(sorted((_link(root, "RUN") / "results").glob("test@greedy-*.json"))), None)
    if other_search is not None:
        word = word.replace("test@greedy-1a2b3c4d.json", other_search.name)
    return re.sub(r"\b[A-Z]+(_[A-Z]+)?\b", lambda found: _real(found[0], root), word)


def _real(name: str, root: Path) -> str:
    stands_for = STANDS_FOR.get(name, name)
    return str(_link(root, stands_for)) if stands_for in ("RUN", "ADAPTED", "SWEEP", "LMRUN") else stands_for


def _sweep(root: Path, place: str) -> Path:
    """A sweep: that of the race which an earlier command of the pages made in this place, else SWEEP."""
    races = sorted(path.parent for path in root.glob(f"{place}sweep-*/race.json"))
    return races[0] if races else _link(root, "SWEEP")


def _link(root: Path, name: str) -> Path:
    """The run of a name."""
    return (root / "named" / name).resolve()


def several_runs(words: Sequence[str], root: Path) -> list[str]:
    """Where a command names several runs, they are those of the sweep, two to each NAME=RUN,RUN,...

    The first method of `adapted` that has one run has that which was adapted.
    """
    folders, adapted = iter(map(str, runs_of_sweep(root))), iter(["ADAPTED"] if words[0] == "adapted" else [])
    several = list(words).count("RUN") > 1
    replaced = []
    for word in words:
        if of_one := OF_ONE_SYSTEM.fullmatch(word):
            replaced.append(f"{of_one[1]}{next(folders)},{next(folders)}")
        elif words[0] == "adapted" and re.fullmatch(r"\w+=RUN", word):
            replaced.append(word.replace("RUN", next(adapted, "") or next(folders)))
        else:
            replaced.append(next(folders) if several and word == "RUN" else word)
    return replaced


def runs_of_sweep(root: Path) -> list[Path]:
    """The run folders of SWEEP."""
    sweep = _link(root, "SWEEP")
    return [(sweep / name).resolve() for name in json.loads((sweep / "sweep.json").read_text())["runs"]]


def shortened(words: Sequence[str], tiny: Sequence[str]) -> list[str]:
    """A training of a few updates; a sweep of two runs."""
    if words[0] not in ("train", "race", "prepare", "doctor") or "--resume" in words or "--help" in words:
        return list(words)
    if "--most-seeds" in words:  # one look
        pairs = itertools.pairwise(["", *words])
        words = [FEWEST_SEEDS if before == "--most-seeds" else word for before, word in pairs]
    if words[0] in ("train", "race"):
        kept = [
            word for word in words if word.partition("=")[0] not in {key.partition("=")[0] for key in (*tiny, *SPEECH)}
        ]
        lists = [word for word in kept if SWEPT.fullmatch(word)]
        for word in lists:
            kept[kept.index(word)] = _fewer(word, 2 if word is lists[0] else 1)
    else:
        kept, tiny = list(words), [key for key in tiny if not key.startswith(("trainer.m", "checkpoint"))]
    speech = () if any(word.startswith(("corpus=", "lm/")) for word in words) else SPEECH
    return [*kept, *tiny, *(speech if not any("yaml" in word for word in words) else ())]


def _fewer(word: str, most: int) -> str:
    key, _, values = word.partition("=")
    return f"{key}=dot,location" if "glob(" in values else f"{key}={','.join(values.split(',')[:most])}"


def make(root: Path, run: Run) -> None:
    """Fill a folder, unless it is filled.

    Raises:
        RuntimeError: a command that makes something of it fails.
    """
    if (root / "named" / "LMRUN").exists():
        return
    root.mkdir(parents=True, exist_ok=True)
    for name in ("LASASR_DATA", "LASASR_PREPARED", "LASASR_RUNS", "LASASR_ALLOW"):
        os.environ.pop(name, None)
    (root / "named").mkdir(exist_ok=True)

    def lasasr(*words: str) -> None:
        log = root / "output.txt"
        if (status := run(list(words), root, log)) != 0:
            raise RuntimeError(f"lasasr {' '.join(words)}: {status}\n{log.read_text(encoding='utf-8')}")

    lasasr("train", RECIPE, *TINY, *SPEECH, "name=run")
    _name(root, "RUN", f"runs/{RECIPE}/run-s1-*")
    lasasr("evaluate", "named/RUN", "evaluate.splits=[dev]")
    lasasr("evaluate", "named/RUN", "search=greedy")
    lasasr("fisher", "named/RUN", "--utterances", "4")
    lasasr("train", RECIPE, *TINY, *SPEECH, "adapt=lora", f"warm_start.run={_link(root, 'RUN')}", "name=adapted")
    _name(root, "ADAPTED", f"runs/{RECIPE}/adapted-s1-*")
    lasasr("train", RECIPE, *TINY, *SPEECH, "-m", "attend=dot,location", "seed=1,2", "name=swept")
    _name(root, "SWEEP", f"runs/{RECIPE}/sweep-swept-*")
    for folder in runs_of_sweep(root):
        lasasr("evaluate", str(folder), "search=greedy")
        lasasr("evaluate", str(folder), "evaluate.splits=[dev]")
    (root / "results").mkdir()
    lasasr("compare", "named/SWEEP", "--card", "results/attention.json")
    lasasr(
        "train", "lm/synthetic_char", *TINY_TEXT, "tokenizer=of_run", f"tokenizer.run={_link(root, 'RUN')}", "name=lm"
    )
    _name(root, "LMRUN", "runs/lm/synthetic_char/lm-s1-*")
    _write_files(root)


def reset(words: Sequence[str], root: Path) -> None:
    """Take away what an earlier command has left in the place of a command's output, and put back its input."""
    outputs = [root / following for word, following in itertools.pairwise(words) if word == "--out"]
    if words[0] == "average":
        outputs.append(_link(root, "RUN") / f"average-{words[2].strip('-')}{words[3]}")
    for path in outputs:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    shutil.copyfile(root / "named" / "SWEEP" / "comparison.json", root / "comparison.json")
    for table in sorted((root / TABLES).iterdir()):  # `lasasr import` writes over them
        if root / table.name not in outputs:
            shutil.copyfile(table, root / table.name)


def _name(root: Path, name: str, pattern: str) -> None:
    (found,) = root.glob(pattern)
    link = root / "named" / name
    link.unlink(missing_ok=True)
    link.symlink_to(Path("..") / found.relative_to(root))  # the folder can be copied


def _write_files(root: Path) -> None:
    """What readers have: recordings, tables, texts of other toolkits."""
    splits = {name: _utterances(root, name) for name in ("train", "dev", "test")}
    for name, rows in splits.items():
        _table(root / f"{name}.tsv", rows)
    _table(root / "children.tsv", splits["test"])
    _table(root / "pseudo.tsv", splits["train"])
    (root / TABLES).mkdir(exist_ok=True)
    for path in root.glob("*.tsv"):
        shutil.copyfile(path, root / TABLES / path.name)
    (root / "list.tsv").write_text("id\taudio\n" + "".join(f"{row[0]}\t{row[1]}\n" for row in splits["test"]))
    (root / "clips.csv").write_text("path,sentence\n" + "".join(f"{row[1]},{row[2]}\n" for row in splits["train"]))
    manifest = [{"audio_filepath": row[1], "text": row[2], "duration": _seconds(row[1])} for row in splits["train"]]
    (root / "manifest.json").write_text("".join(json.dumps(line) + "\n" for line in manifest))
    _audio(root, splits)
    _texts(root, splits["test"])
    (root / "my").mkdir(exist_ok=True)
    recipe = "# @package _global_\ndefaults: [/synthetic/las_char, _self_]\n"
    shorter = "corpus: {hours: 0.02, dev_utterances: 6, test_utterances: 6, workers: 1}\n"
    for path in (root / "my" / "recipe.yaml", root / "my.yaml"):
        path.write_text(recipe + shorter)
    (root / "names.txt").write_text("ada lovelace\n")
    for page, cards in tables_of_pages().items():
        (root / page).parent.mkdir(parents=True, exist_ok=True)
        (root / page).write_text("".join(MARKS.format(card=card) for card in cards))
    (root / "books").mkdir(exist_ok=True)
    sentences = "".join(f"{row[2]}.\n" for row in splits["train"])
    for name in ("books/one", "books/two", "books/carroll-alice", "train", "dev", "alice"):
        (root / f"{name}.txt").write_text(sentences)
    (root / "cmudict").write_text("LOVELACE  L AH1 V L EY2 S\n")


def tables_of_pages() -> dict[str, list[str]]:
    """The pages that shown commands write tables into, and the cards of these tables, as the marks name them."""
    cards: dict[str, list[str]] = {}
    for command in commands():
        words = command.words
        if "--readme" in words:
            page = words[words.index("--readme") + 1]
            card = words[words.index("--card") + 1] if "--card" in words else words[2]
            cards.setdefault(page, []).append(os.path.relpath(card, Path(page).parent))
    return {page: list(dict.fromkeys(of_page)) for page, of_page in cards.items()}


def _utterances(root: Path, split: str) -> list[tuple[str, str, str, str]]:
    """(id, audio, text, speaker) of a split of the run's corpus."""
    (manifest,) = (root / "data" / "prepared").glob(f"synthetic-*/{split}.jsonl.gz")
    rows = []
    with gzip.open(manifest, "rt", encoding="utf-8") as file:
        for line in file:
            cut = json.loads(line)
            said = cut["supervisions"][0]
            audio = root / cut["recording"]["sources"][0]["source"]
            rows.append((cut["id"], str(audio.resolve()), said["text"], said["speaker"]))
    return rows


def _table(path: Path, rows: Sequence[tuple[str, str, str, str]]) -> None:
    path.write_text("id\taudio\ttext\tspeaker\n" + "".join("\t".join(row) + "\n" for row in rows))


def _seconds(audio: str) -> float:
    return float(soundfile.info(audio).duration)


def _audio(root: Path, splits: dict[str, list[tuple[str, str, str, str]]]) -> None:
    """a.wav, folders of recordings, and one with a text beside each recording."""
    for name in ("talks", "calls", "more"):
        (root / name).mkdir(exist_ok=True)
    for number, row in enumerate(splits["test"][:3]):
        samples, rate = soundfile.read(row[1])
        soundfile.write(root / "talks" / f"{number}.wav", samples, rate)
        soundfile.write(root / "calls" / f"{number}.flac", samples, rate)
        soundfile.write(root / "more" / f"{number}.mp3", samples, rate)
    shutil.copyfile(root / "talks" / "0.wav", root / "a.wav")
    for name, audio, text, speaker in (row for rows in splits.values() for row in rows):
        folder = root / "recordings" / speaker
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(audio, folder / f"{name}.flac")
        (folder / f"{name}.txt").write_text(text)


def _texts(root: Path, rows: Sequence[tuple[str, str, str, str]]) -> None:
    """References and hypotheses of other toolkits, of the utterances of the run's test set."""
    said = {name: text for name, _, text, _ in rows}
    heard = {name: " ".join(text.split()[:-1] or ["nothing"]) for name, text in said.items()}
    speakers = {name: speaker for name, _, _, speaker in rows}
    for name in NAMES:
        texts = said if name == "ref" else heard
        (root / f"{name}.trn").write_text("".join(f"{text} ({key})\n" for key, text in texts.items()))
    for folder, texts in (("data/test", said), ("exp/decode", heard), ("exp/decode_test", heard)):
        (root / folder).mkdir(parents=True, exist_ok=True)
        (root / folder / "text").write_text("".join(f"{key} {text}\n" for key, text in sorted(texts.items())))
    (root / "data" / "test" / "utt2spk").write_text("".join(f"{key} {who}\n" for key, who in sorted(speakers.items())))
    for folder in ("exp/decode/test", "exp/decode_test/test"):
        (root / folder / "score_wer").mkdir(parents=True, exist_ok=True)
        for name, texts in (("ref", said), ("hyp", heard)):
            lines = "".join(f"{text} ({speakers[key]}-{key})\n" for key, text in texts.items())
            (root / folder / "score_wer" / f"{name}.trn").write_text(lines)
        (root / folder / "text").write_text("".join(f"{key} {text}\n" for key, text in sorted(heard.items())))
    own = [{"id": key, "text": said[key], "pred_text": heard[key]} for key in said]
    for name in ("manifest.jsonl", "out.jsonl"):
        (root / name).write_text("".join(json.dumps(line) + "\n" for line in own))
    _timed(root, said, heard)
    (root / "data" / "train").mkdir(exist_ok=True)
    recordings = {name: (audio, text, speaker) for name, audio, text, speaker in _utterances(root, "train")}
    for file, column in (("wav.scp", 0), ("text", 1), ("utt2spk", 2)):
        lines = (f"{name} {values[column]}\n" for name, values in sorted(recordings.items()))
        (root / "data" / "train" / file).write_text("".join(lines))


def _timed(root: Path, said: dict[str, str], heard: dict[str, str]) -> None:
    """ref.stm and hyp.ctm."""
    stm = (f"{key} 1 speaker 0.00 9.00 {text}\n" for key, text in sorted(said.items()))
    (root / "ref.stm").write_text("".join(stm))
    ctm = (
        f"{key} 1 {0.1 * place:.2f} 0.10 {word}\n"
        for key, text in sorted(heard.items())
        for place, word in enumerate(text.split())
    )
    (root / "hyp.ctm").write_text("".join(ctm))
