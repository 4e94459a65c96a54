"""Guards of the source: each a text that stands once, what it is without it, and the tests that must see that.

`scripts/mutate_guards.py` takes each away in a copy of the tree and runs its tests.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Guard:
    """A guard, and what proves it.

    Args:
        name: what is lost without it.
        file: below `lasasr/`.
        text: in the source, exactly once.
        without: what stands there instead.
        tests: arguments of pytest, below `tests/`, one of which must fail.
    """

    name: str
    file: str
    text: str
    without: str
    tests: tuple[str, ...]


FILES = "artifacts/test_files.py"
TEMPORARY = "artifacts/test_temporary.py"
CHECKPOINTS = "training/test_training_checkpoints.py"
OWNER = "training/test_checkpoint_owner.py"
LOCK = "artifacts/test_run_lock.py"
RESULTS = "artifacts/test_results.py"
RESUME = "training/test_training_resume.py"
MODULE = "training/test_training_module.py"
GATE = "configuration/test_gate.py"
LOADER = "data/test_data_loader.py"
JOINT = "losses/test_losses_joint.py"
TOKENIZERS = "models/test_models_factory_tokenizers.py"


def hostile(*names: str) -> tuple[str, ...]:
    """Cases of the hostile files."""
    return tuple(f"hostile/test_hostile.py::test_a_hostile_file_is_refused_in_one_line[{name}]" for name in names)


GUARDS = (
    # files
    Guard(
        "a file is renamed, not written in its place",
        "artifacts/files.py",
        "        written.replace(path)\n",
        "        path.write_bytes(written.read_bytes())\n",
        (TEMPORARY,),
    ),
    Guard("content is flushed", "artifacts/files.py", "        temporary.flush_file(written)\n", "", (TEMPORARY,)),
    Guard(
        "the name of a file is flushed",
        "artifacts/files.py",
        "        written.replace(path)\n        temporary.flush_folder(path.parent)\n",
        "        written.replace(path)\n",
        (TEMPORARY,),
    ),
    Guard("a folder is flushed", "artifacts/files.py", "        temporary.flush_tree(written)\n", "", (TEMPORARY,)),
    Guard(
        "the name of a folder is flushed",
        "artifacts/files.py",
        "        written.rename(path)\n        temporary.flush_folder(path.parent)\n",
        "        written.rename(path)\n",
        (TEMPORARY,),
    ),
    Guard(
        "folders above a new one are flushed",
        "artifacts/temporary.py",
        "    for path in missing:\n        flush_folder(path.parent)\n",
        "",
        (TEMPORARY,),
    ),
    Guard(
        "names in inner folders are flushed",
        "artifacts/temporary.py",
        "        flush_folder(Path(parent))\n",
        "",
        (TEMPORARY,),
    ),
    Guard(
        "a temporary file goes when writing fails",
        "artifacts/temporary.py",
        "        temporary.unlink(missing_ok=True)\n",
        "",
        (FILES,),
    ),
    Guard(
        "what a living process writes is not taken away",
        "artifacts/temporary.py",
        (
            "        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)\n"
            "        if not _is(descriptor, hidden_path):\n"
        ),
        "        if not _is(descriptor, hidden_path):\n",
        (TEMPORARY,),
    ),
    Guard(
        "JSON holds no NaN", "artifacts/files.py", "ensure_ascii=False, allow_nan=False", "ensure_ascii=False", (FILES,)
    ),
    Guard(
        "a document is bounded",
        "artifacts/files.py",
        "    if len(content) > limit:\n",
        "    if False:\n",
        (FILES, *hostile("run-result-huge", "run-card-huge")),
    ),
    Guard(
        "a FIFO is not waited for",
        "artifacts/files.py",
        "    refuse_irregular(path, path.stat().st_mode)  # before",
        "    path.stat()  # before",
        (FILES, *hostile("run-result-fifo")),
    ),
    Guard(
        "levels of a document are bounded",
        "artifacts/files.py",
        "        _refuse_deep(value)\n",
        "        pass\n",
        (FILES, *hostile("run-card-150-levels")),
    ),
    Guard(
        "what unpacks to far more than it holds is refused",
        "artifacts/files.py",
        "        if self._unpacked > max(ALWAYS_UNPACKED, MOST_UNPACKED * self._packed.tell()):\n",
        "        if False:\n",
        (FILES,),
    ),
    # one writer
    Guard(
        "one process writes a run folder",
        "artifacts/run_lock.py",
        "            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)\n",
        "            pass\n",
        (LOCK,),
    ),
    Guard(
        "forked processes do not keep the lock",
        "artifacts/run_lock.py",
        "os.register_at_fork(after_in_child=_leave_to_the_parent)\n",
        "",
        (LOCK,),
    ),
    Guard(
        "a lock file that was deleted meanwhile is no lock",
        "artifacts/run_lock.py",
        "        if _is(descriptor, path):\n            break\n",
        "        break\n",
        (LOCK,),
    ),
    # results
    Guard(
        "an older summary goes first",
        "artifacts/results.py",
        "    path.unlink(missing_ok=True)  # an older summary must not stand beside newer utterances\n",
        "",
        (RESULTS,),
    ),
    Guard(
        "an utterance stands once in a result",
        "artifacts/results.py",
        '        if line["id"] in seen:\n',
        "        if False:\n",
        (RESULTS,),
    ),
    Guard(
        "counts of a result add up",
        "artifacts/results.py",
        "        if summary[name] != total:\n",
        "        if False:\n",
        (RESULTS,),
    ),
    # checkpoints
    Guard(
        "a checkpoint runs no code",
        "training/checkpoint_file.py",
        'map_location="cpu", weights_only=True, mmap=mmap',
        'map_location="cpu", weights_only=False, mmap=mmap',
        hostile("average-evil-zip", "average-evil-pickle", "resume-evil-zip"),
    ),
    Guard(
        "a checkpoint runs no code when training goes on",
        "training/fit.py",
        "ckpt_path=start, weights_only=True",
        "ckpt_path=start, weights_only=False",
        (OWNER,),
    ),
    Guard(
        "the state of a user's callback is plain",
        "training/own_callbacks.py",
        "torch.load(file, weights_only=True)",
        "torch.load(file, weights_only=False)",
        ("training/test_own_callbacks.py",),
    ),
    Guard(
        "the checkpoint before the last stays",
        "training/checkpoints.py",
        "                    _keep(path, path.with_name(BEFORE))\n",
        "                    pass\n",
        (CHECKPOINTS,),
    ),
    Guard(
        "every byte of a checkpoint is checked",
        "training/checkpoint_file.py",
        "            wrong = archive.testzip()\n",
        "            wrong = None\n",
        (CHECKPOINTS,),
    ),
    Guard(
        "a checkpoint that unpacks to more than it holds is refused",
        "training/checkpoint_file.py",
        "        any(member.compress_type != zipfile.ZIP_STORED for member in members)\n        or sum(",
        "        False and sum(",
        ("training/test_checkpoint_file.py",),
    ),
    Guard(
        "weights are stored, not made larger by strides",
        "training/checkpoint_file.py",
        "        _refuse_hollow(name, value)\n",
        "        pass\n",
        hostile("average-hollow", "average-sparse"),
    ),
    Guard(
        "another run's checkpoint is passed over",
        "training/checkpoint_owner.py",
        "    if run_id is None or held is None or held == run_id:\n",
        "    if True:\n",
        (OWNER,),
    ),
    Guard(
        "a moved run knows its best checkpoints",
        "training/checkpoints.py",
        '"best_k_models": best, "dirpath": self.dirpath}',
        '"best_k_models": best}',
        (OWNER,),
    ),
    Guard(
        "a lost worker is no full disk",
        "training/checkpoints.py",
        "            with naming_lost_workers(), files.replacing(path)",
        "            with files.replacing(path)",
        (CHECKPOINTS,),
    ),
    Guard(
        "shapes of averaged checkpoints agree",
        "training/averaging.py",
        "        if (value.shape, value.dtype) != (other[name].shape, other[name].dtype):\n",
        "        if False:\n",
        ("training/test_training_averaging.py",),
    ),
    # training
    Guard(
        "dropout is drawn by the batch",
        "training/token_normalized.py",
        '        torch.manual_seed(int.from_bytes(digest[:7], "little"))\n',
        "",
        (MODULE,),
    ),
    Guard(
        "an update that is not finite is not made",
        "training/token_normalized.py",
        "            optimizer.zero_grad()  # to None: the optimizer has nothing to do\n",
        "",
        (MODULE, "training/test_training_losses.py"),
    ),
    Guard(
        "nonsense ends training",
        "training/non_finite_guard.py",
        "        if self.in_a_row >= MOST_IN_A_ROW:\n",
        "        if False:\n",
        (MODULE, "training/test_training_losses.py"),
    ),
    Guard(
        "gradients are divided by the target tokens of all ranks",
        "training/token_normalized.py",
        "        scale = self.trainer.world_size / self.tokens_in_update  # DDP",
        "        scale = torch.ones(())  # DDP",
        (MODULE, "training/test_training_losses.py"),
    ),
    Guard(
        "a resumed run begins with the next batch",
        "data/datamodule.py",
        "            batches.start_from(*_position(self._resume, len(batches), world_size))\n",
        "            pass\n",
        (RESUME,),
    ),
    Guard(
        "a checkpoint of other data is refused",
        "data/datamodule.py",
        "            if split in contents and contents[split] != self.content.get(split, contents[split]):\n",
        "            if False:\n",
        ("data/test_data_datamodule.py",),
    ),
    Guard(
        "an utterance that two ranks decoded counts once",
        "training/module.py",
        "        self.outcomes = list({outcome.id: outcome for share in shares for outcome in share}.values())\n",
        "        self.outcomes = [outcome for share in shares for outcome in share]\n",
        ("training/test_validation_ranks.py",),
    ),
    Guard(
        "a signal to one rank stops all",
        "training/interrupt.py",
        "            self.received, save = exchange.largest(agreed).tolist()\n",
        "            save = agreed.tolist()[1]\n",
        ("training/test_interrupt_ranks.py",),
    ),
    # losses and masks
    Guard(
        "padding has no weight in attention",
        "attend/weights.py",
        "        scores = torch.where(mask, energy, -torch.inf)\n",
        "        scores = energy\n",
        ("attend/test_attend_conformance.py",),
    ),
    Guard(
        "padding has no part in cross-entropy",
        "losses/joint.py",
        "    return torch.where(lengths.mask(token_lengths + 1, nats.shape[1]), nats, 0.0).sum(1)\n",
        "    return nats.sum(1)\n",
        (JOINT,),
    ),
    Guard(
        "an utterance without a CTC path adds nothing",
        "losses/ctc.py",
        "    return torch.where(unfit, 0.0, _nats(precise, frames, tokens, token_lengths, unfit))\n",
        "    return _nats(precise, frames, tokens, token_lengths, unfit)\n",
        (JOINT,),
    ),
    Guard(
        "nor where the log-probabilities are those of its own labels",
        "losses/ctc.py",
        "    return torch.where(unfit, 0.0, nats)\n",
        "    return nats\n",
        ("losses/test_losses_ctc.py",),
    ),
    Guard(
        "an utterance without a CTC path gives no NaN",
        "losses/ctc.py",
        "host_mirror.on_host(token_lengths).masked_fill(host_mirror.on_host(unfit), 0)",
        "host_mirror.on_host(token_lengths)",
        (JOINT,),
    ),
    Guard(
        "tokens outside the vocabulary are refused",
        "losses/target_tokens.py",
        "    elif bool(wrong.any()):\n",
        "    elif False:\n",
        (JOINT,),
    ),
    # bundles and configurations
    Guard(
        "what may be built lies below an allowed prefix",
        "configuration/gate.py",
        '    if not below(path, allowed_prefixes()):\n        raise _RefusalError(f"is outside',
        '    if False:\n        raise _RefusalError(f"is outside',
        (GATE,),
    ),
    Guard(
        "what may be built is defined below an allowed prefix",
        "configuration/gate.py",
        "        _check_definition(part)\n",
        "",
        (GATE,),
    ),
    Guard(
        "what may be built keeps the contract of its place",
        "configuration/gate.py",
        '        _check_kind(part, path.rpartition(".")[2], kind)\n',
        "",
        (GATE,),
    ),
    Guard(
        "a tokenizer.json names a class that may be built",
        "models/factory.py",
        'gate.resolve(stored.get("type") if isinstance(stored, dict) else None, "tokenizer", f"{file}: type")',
        '__import__("pydoc").locate(stored["type"])',
        (TOKENIZERS,),
    ),
    Guard(
        "a tokenizer.json names a class of tokenizers",
        "models/factory.py",
        "    if not (isinstance(kind, type) and issubclass(kind, Tokenizer)):\n",
        "    if False:\n",
        (TOKENIZERS,),
    ),
    Guard(
        "shapes of a bundle's weights are those of its configuration",
        "artifacts/bundle.py",
        "        if tuple(value.shape) != header.tensors[name].shape:\n",
        "        if False:\n",
        hostile("weights-other-shape", "weights-one-row"),
    ),
    Guard(
        "a bundle's weights are finite",
        "artifacts/bundle.py",
        "        if not bool(tensors[name].isfinite().all()):\n",
        "        if False:\n",
        hostile("weights-nan", "weights-infinite"),
    ),
    Guard(
        "a bundle describes no model far larger than its weights",
        "artifacts/bundle.py",
        "        with explained(config), allocation.of_weights(",
        "        with explained(config), allocation.Bounded(1 << 60, 1 << 60) if header else allocation.of_weights(",
        hostile("config-hidden-20000", "config-layers-1e5"),
    ),
    Guard(
        "a full disk names the weights",
        "artifacts/tensor_file.py",
        "    except SafetensorError as error:\n",
        "    except KeyboardInterrupt as error:\n",
        ("artifacts/test_tensor_file.py", "cli/test_cli_export.py"),
    ),
    # data
    Guard(
        "an id stands once in a split",
        "data/manifest.py",
        '        raise UnusableError("duplicate id", name, twice)\n',
        "        pass\n",
        ("data/test_data_manifest.py",),
    ),
    Guard(
        "an archive leads nowhere else",
        "corpora/download.py",
        "            archive.extractall(folder, filter=_plain)\n",
        '            archive.extractall(folder, filter="fully_trusted")\n',
        ("corpora/test_corpora_download.py",),
    ),
    Guard(
        "a character error rate is that of the texts",
        "comparison/entries.py",
        "    _check_characters(stored.path, summary, lines)\n",
        "",
        ("comparison/test_comparison_grouping.py",),
    ),
    Guard(
        "an archive holds files and folders only",
        "corpora/download.py",
        "    if not (member.isfile() or member.isdir()):\n",
        "    if False:\n",
        ("corpora/test_corpora_download.py",),
    ),
    Guard(
        "a download is what it should be",
        "corpora/download.py",
        "    if received != wanted:\n",
        "    if False:\n",
        ("corpora/test_corpora_download.py",),
    ),
    Guard(
        "workers work on through a signal from others",
        "data/loader.py",
        "        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})\n",
        "",
        (LOADER,),
    ),
    Guard(
        "a killed worker is named",
        "data/loader.py",
        "        if lost is None:\n            raise\n",
        "        raise\n",
        (LOADER,),
    ),
)
