"""Run by FlagEmbedding's interpreter: what its programs do in silence, on tiny models made here."""

import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

WORDS = [f"word{number}" for number in range(60)]
SIZE = 16
SMALL = {
    "train_data": ["rows.jsonl"], "output_dir": "output", "use_cpu": True, "report_to": "none",
    "per_device_train_batch_size": 2, "train_group_size": 2, "learning_rate": 0.01,
}  # fmt: skip
ENCODER = {**SMALL, "model_name_or_path": "encoder"}
DECODER = {**SMALL, "model_name_or_path": "decoder", "save_merged_lora_model": True}
EMBEDDER, ICL = "embedder.encoder_only.base", "embedder.decoder_only.icl"
RERANKER, DECODER_RERANKER = "reranker.encoder_only.base", "reranker.decoder_only.base"
Run = Callable[[str, dict[str, Any]], None]
Parse = Callable[[str, dict[str, Any]], Any]


def make_models() -> None:
    """`encoder`, `decoder`, `adapter` and `rows.jsonl` here: one layer, 60 words, nine rows."""
    import torch
    from transformers import BertConfig, BertModel, LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    torch.set_num_threads(1)
    shape = {"hidden_size": SIZE, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32,
             "max_position_embeddings": 2048, "vocab_size": len(WORDS) + 6}  # fmt: skip
    BertModel(BertConfig(**shape)).save_pretrained("encoder")
    LlamaForCausalLM(LlamaConfig(**shape)).save_pretrained("decoder")
    Path("adapter/embedding").mkdir(parents=True)  # as the program writes it beside an adapter
    torch.save(torch.nn.Embedding(len(WORDS) + 6, SIZE), "adapter/embedding/emb.pth")
    tokenizer(encoder=True).save_pretrained("encoder")
    tokenizer(encoder=False).save_pretrained("decoder")
    rows = [
        {"query": " ".join(WORDS[at : at + 3]), "pos": [" ".join(WORDS[at : at + 8])],
         "neg": [" ".join(WORDS[at + 20 : at + 30]), " ".join(WORDS[at + 30 : at + 34])],
         "pos_scores": [1.0], "neg_scores": [0.5, 0.0]}
        for at in range(9)
    ]  # fmt: skip
    Path("rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def tokenizer(*, encoder: bool) -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "<s>", "</s>"]
    made = Tokenizer(models.WordLevel({w: at for at, w in enumerate([*special, *WORDS])}, "[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    if encoder:
        made.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1",
            special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
        )  # fmt: skip
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "bos_token": "<s>", "eos_token": "</s>"}
    if encoder:
        names |= {"cls_token": "[CLS]", "sep_token": "[SEP]"}
    return PreTrainedTokenizerFast(tokenizer_object=made, **names)


def weights(folder: str) -> dict[str, Any]:
    from safetensors.torch import load_file

    found: dict[str, Any] = load_file(Path(folder, "model.safetensors"))
    return found


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    shared = one.keys() & other.keys()
    return bool(shared) and all(bool((one[name] == other[name]).all()) for name in shared)


def losses(run: Run, program: str, arguments: dict[str, Any]) -> list[float]:
    """The loss of every step of one epoch."""
    run(program, {**arguments, "max_steps": -1, "num_train_epochs": 1, "save_strategy": "epoch"})
    (state,) = Path("output").glob("checkpoint-*/trainer_state.json")
    history = json.loads(state.read_text())["log_history"]
    return [float(line["loss"]) for line in history if "loss" in line]


def temperature_zero(run: Run, _parse: Parse) -> object:
    """How many tensors are not numbers, after an exit without an error."""
    run(EMBEDDER, {**ENCODER, "temperature": 0})
    made = weights("output")
    return [sum(bool(tensor.isnan().any()) for tensor in made.values()), len(made)]


def last_batch(run: Run, _parse: Parse) -> object:
    """The losses of nine rows in batches of four: the last batch has one row."""
    wide = {**ENCODER, "per_device_train_batch_size": 4, "train_group_size": 4}
    return [losses(run, RERANKER, {**wide, "dataloader_drop_last": drop}) for drop in (False, True)]


def groups_of_one(run: Run, _parse: Parse) -> object:
    alone = {**ENCODER, "train_group_size": 1}
    return [
        losses(run, RERANKER, {**alone, "dataloader_drop_last": True}),
        losses(run, EMBEDDER, {**alone, "per_device_train_batch_size": 1}),
    ]


def plain_vectors(run: Run, _parse: Parse) -> object:
    """The first loss with vectors of length 1, and without."""
    return [losses(run, EMBEDDER, {**ENCODER, "normalize_embeddings": on})[0] for on in (True, False)]


def half_precision(run: Run, _parse: Parse) -> object:
    """Whether fp16 on the CPU gives the weights of fp32, bit for bit."""
    run(EMBEDDER, ENCODER)
    plain = weights("output")
    run(EMBEDDER, {**ENCODER, "fp16": True})
    return same(plain, weights("output"))


def no_epochs(run: Run, _parse: Parse) -> object:
    run(EMBEDDER, {**ENCODER, "max_steps": -1, "num_train_epochs": 0})
    return same(weights("encoder"), weights("output"))


def no_alpha(run: Run, _parse: Parse) -> object:
    """Whether the merged model is the base model, by lora_alpha."""
    found = []
    for alpha in (0, 16):
        run("embedder.decoder_only.base",
            {**DECODER, "sentence_pooling_method": "last_token", "lora_alpha": alpha})  # fmt: skip
        base = {name.removeprefix("model."): tensor for name, tensor in weights("decoder").items()}
        found.append(same(base, weights("output/merged_model")))
    return found


def dropped_target(run: Run, _parse: Parse) -> object:
    run("embedder.decoder_only.base",
        {**DECODER, "sentence_pooling_method": "last_token", "target_modules": ["q_proj", "embed_tokens"]}
    )  # fmt: skip
    return json.loads(Path("output/adapter_config.json").read_text())["target_modules"]


def best_checkpoint(run: Run, _parse: Parse) -> object:
    run(EMBEDDER, {**ENCODER, "save_strategy": "best", "metric_for_best_model": "loss"})
    return len(list(Path("output").glob("checkpoint-*")))


def _rows(parse: Parse, program: str, arguments: dict[str, Any]) -> Any:
    """The dataset that the program's runner makes of the arguments."""
    from FlagEmbedding.abc.finetune.embedder import AbsEmbedderRunner
    from FlagEmbedding.abc.finetune.reranker import AbsRerankerRunner
    from FlagEmbedding.finetune.embedder.decoder_only.icl import DecoderOnlyEmbedderICLRunner
    from transformers import AutoTokenizer

    model, data, training = parse(program, arguments)
    name = arguments["model_name_or_path"]
    held = SimpleNamespace(model_args=model, data_args=data, training_args=training,
                           tokenizer=AutoTokenizer.from_pretrained(name))  # fmt: skip
    kind: Any = AbsEmbedderRunner if program == EMBEDDER else AbsRerankerRunner
    if program == ICL:
        kind = DecoderOnlyEmbedderICLRunner
    return kind.load_train_dataset(held)


def none_in_front(_run: Run, parse: Parse) -> object:
    grouped = {**ENCODER, "same_dataset_within_batch": True}
    told = {**grouped, "query_instruction_for_retrieval": ""}
    return [_rows(parse, EMBEDDER, one)[0][0] for one in (grouped, told)]


def lost_query(_run: Run, parse: Parse) -> object:
    """The first query under a format with one place, and with two."""
    told = {**ENCODER, "query_instruction_for_retrieval": "Find it:"}
    formats = ("Instruct: {}", "Instruct: {} {}")
    return [_rows(parse, EMBEDDER, {**told, "query_instruction_format": one})[0][0] for one in formats]


def decoder_inputs(_run: Run, parse: Parse) -> object:
    """The dataset of a decoder reranker by model_type, and how many tokens its first pair has."""
    found = []
    for more in ({}, {"model_type": "decoder"}):
        rows = _rows(parse, DECODER_RERANKER, {**DECODER, **more})
        found.append([type(rows).__name__, len(rows[0][0][0]["input_ids"])])
    return found


def longest_pair(_run: Run, parse: Parse) -> object:
    rows = _rows(parse, RERANKER, {**ENCODER, "max_len": 2})
    return len(rows[0][0][0]["input_ids"])


def examples(_run: Run, parse: Parse) -> object:
    """The longest query of thirty batches, in words, by query_max_len."""
    found = []
    for length in (512, 1024):
        random.seed(0)
        asked = {**DECODER, "same_dataset_within_batch": True, "query_instruction_for_retrieval": "",
                 "query_max_len": length}  # fmt: skip
        rows = _rows(parse, ICL, asked)
        batch = rows.dataset[[0, 1]]
        drawn = [rows._create_batch_data(batch)[0] for _ in range(30)]
        found.append(max(len(query.split()) for queries in drawn for query in queries))
    return found


def cls_of_decoder(_run: Run, _parse: Parse) -> object:
    """The largest difference between the vectors of two texts beside a longer one, by pooling."""
    import torch
    from FlagEmbedding.finetune.embedder.decoder_only.base import BiDecoderOnlyEmbedderModel
    from transformers import AutoModel, AutoTokenizer

    made = AutoTokenizer.from_pretrained("decoder", padding_side="left")
    texts = made(["word1 word2", "word7 word9 word3", " ".join(WORDS[:9])], padding=True, return_tensors="pt")
    found = []
    for pooling in ("cls", "last_token"):
        model = BiDecoderOnlyEmbedderModel(AutoModel.from_pretrained("decoder"), made,
                                           sentence_pooling_method=pooling)  # fmt: skip
        with torch.no_grad():
            vectors = model.encode({name: texts[name] for name in ("input_ids", "attention_mask")})
        found.append(float((vectors[0] - vectors[1]).abs().max()))
    return found


def copies(_run: Run, parse: Parse) -> object:
    """How many processes each of two sees, without use_cpu and with it."""
    found = []
    for cpu in (False, True):
        for _ in range(5):  # a port that is free may be another's by the time it is taken
            seen = _two(parse, cpu=cpu)
            if FAILED not in seen:
                break
        found.append(seen)
    return found


FAILED = 99


def _two(parse: Parse, *, cpu: bool) -> list[int]:
    """How many processes each of two sees; FAILED for one that could not say."""
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    children = []
    for rank in range(2):
        child = os.fork()
        if child == 0:
            try:  # whatever happens, a child never goes on as its parent would: that ends the folder
                os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE="2",
                                  MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))  # fmt: skip
                os._exit(int(parse(EMBEDDER, {**ENCODER, "use_cpu": cpu})[2].world_size))
            finally:
                os._exit(FAILED)
        children.append(child)
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]


def layers(_run: Run, _parse: Parse) -> object:
    """What the layerwise program's own model says to its own default configuration."""
    from FlagEmbedding.finetune.reranker.decoder_only.layerwise import load_model
    from try_rules import attempt  # type: ignore[import-not-found] # beside this file

    small = {"hidden_size": SIZE, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    return attempt(
        lambda shape: load_model.LayerWiseMiniCPMForCausalLM(load_model.LayerWiseMiniCPMConfig(**shape)),
        small,
    )


def foreign_configuration(_run: Run, parse: Parse) -> object:
    """What merging after a layerwise training asks the hub for."""
    from FlagEmbedding.finetune.reranker.decoder_only.layerwise.load_model import save_merged_model
    from try_rules import attempt

    model = parse("reranker.decoder_only.layerwise", DECODER)[0]
    return attempt(lambda _: save_merged_model(model, "output"), {})


PROOFS: dict[str, Callable[[Run, Parse], object]] = {
    proof.__name__: proof
    for proof in (
        temperature_zero, last_batch, groups_of_one, plain_vectors, half_precision, no_epochs, no_alpha,
        dropped_target, best_checkpoint, none_in_front, lost_query, decoder_inputs, longest_pair, examples,
        cls_of_decoder, copies, layers, foreign_configuration,
    )
}  # fmt: skip
