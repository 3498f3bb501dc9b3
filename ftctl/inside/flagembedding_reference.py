"""Embed texts, or score pairs, by FlagEmbedding's own inference on trained weights: what a server must equal.

    PYTHON flagembedding_reference.py FILE [OUT]            (OUT is reference.json)

FILE is JSON or YAML: `model` (folder), `task` (embedding or reranker), `variant`, and `texts` or `pairs`
([query, passage]); for an embedder also `pooling`, `normalize` and `queries`. Texts are embedded as they
stand, queries with `query_instruction` in front; pairs get it and `passage_instruction` where they are given.
`query_max_length` and `passage_max_length` are in tokens (512). OUT holds what was asked for beside `vectors`
(and `query_vectors`) or `scores`, which are logits; all computed in float32 on the CPU.
"""

import json
import pathlib
import sys
from typing import Any

import FlagEmbedding
import yaml

EMBEDDERS = {
    "encoder-only-base": "FlagModel",
    "encoder-only-m3": "BGEM3FlagModel",
    "decoder-only-base": "FlagLLMModel",
    "decoder-only-icl": "FlagICLModel",
}
RERANKERS = {
    "encoder-only-base": "FlagReranker",
    "decoder-only-base": "FlagLLMReranker",
    "decoder-only-layerwise": "LayerWiseFlagLLMReranker",
}
LENGTH = 512  # tokens
ICL_SUFFIX = "\nResponse:"  # what its training puts after a query; its inference has another default


def inference_class(classes: dict[str, str], variant: str) -> Any:
    if variant not in classes:
        raise ValueError(f"{variant} is no variant of this task; it is one of {', '.join(classes)}")
    return getattr(FlagEmbedding, classes[variant])


def embedder(asked: dict[str, Any]) -> Any:
    """The model, with the instruction joined to a query as the training joins it unless the file says.

    Raises ValueError for a pooling that FlagEmbedding trains with and cannot embed with.
    """
    encoder = asked["variant"].startswith("encoder")
    if asked["pooling"] not in (("cls", "mean") if encoder else ("last_token",)):
        # Release 1.4.2 takes its own "not implemented" for a full memory and tries again without an end.
        raise ValueError(f"FlagEmbedding embeds no {asked['variant']} with {asked['pooling']} pooling")
    more = {"suffix": asked.get("query_suffix", ICL_SUFFIX)} if asked["variant"].endswith("icl") else {}
    return inference_class(EMBEDDERS, asked["variant"])(
        asked["model"],
        normalize_embeddings=bool(asked.get("normalize", True)),
        pooling_method=asked["pooling"],
        query_instruction_for_retrieval=asked.get("query_instruction") or None,
        query_instruction_format=asked.get("query_instruction_format", "{}{}"),
        trust_remote_code=bool(asked.get("trust_remote_code", False)),
        use_fp16=False,
        devices="cpu",
        query_max_length=asked.get("query_max_length", LENGTH),
        passage_max_length=asked.get("passage_max_length", LENGTH),
        **more,
    )


def vectors(encoded: Any) -> list[list[float]]:
    """The dense vectors, one a text; m3 hands them back among others."""
    dense = encoded["dense_vecs"] if isinstance(encoded, dict) else encoded
    return [[float(number) for number in vector] for vector in dense]


def embed(asked: dict[str, Any]) -> dict[str, Any]:
    model = embedder(asked)
    answer: dict[str, Any] = {
        "texts": asked["texts"],
        "vectors": vectors(model.encode_corpus(asked["texts"])),
    }
    if asked.get("queries"):
        answer |= {"queries": asked["queries"]}
        answer |= {"query_vectors": vectors(model.encode_queries(asked["queries"]))}
    return {**answer, "dtype": dtype(model)}


def score(asked: dict[str, Any]) -> dict[str, Any]:
    length = asked.get("query_max_length", LENGTH) + asked.get("passage_max_length", LENGTH)
    model = inference_class(RERANKERS, asked["variant"])(
        asked["model"],
        use_fp16=False,
        devices="cpu",
        trust_remote_code=bool(asked.get("trust_remote_code", False)),
        # Named even if None: the decoders' inference puts "A: " and "B: " where the training puts nothing.
        query_instruction_for_rerank=asked.get("query_instruction"),
        passage_instruction_for_rerank=asked.get("passage_instruction"),
        query_instruction_format=asked.get("query_instruction_format", "{}{}"),
        passage_instruction_format=asked.get("passage_instruction_format", "{}{}"),
        max_length=min(length, positions(asked["model"])),
        normalize=False,
    )
    scores = model.compute_score([tuple(pair) for pair in asked["pairs"]])
    return {"pairs": asked["pairs"], "scores": [float(number) for number in scores], "dtype": dtype(model)}


def positions(folder: str) -> int:
    """The most tokens that the model's tokenizer lets through, which a cross-encoder cannot go beyond."""
    config = json.loads(pathlib.Path(folder, "tokenizer_config.json").read_text(encoding="utf-8"))
    return int(config.get("model_max_length") or LENGTH)


def dtype(model: Any) -> str:
    return str(next(model.model.parameters()).dtype).removeprefix("torch.")


def main() -> None:
    if len(sys.argv) not in (2, 3):
        sys.exit("usage: flagembedding_reference.py FILE [OUT]")
    asked = yaml.safe_load(pathlib.Path(sys.argv[1]).read_text(encoding="utf-8"))
    answer = score(asked) if asked["task"] == "reranker" else embed(asked)
    said = {key: asked.get(key) for key in ("task", "variant", "query_instruction")}
    out = pathlib.Path(sys.argv[2] if len(sys.argv) == 3 else "reference.json")
    half = out.with_name(f".{out.name}.half")  # renamed when whole: a reader never sees a part
    half.write_text(json.dumps({**said, **answer}, ensure_ascii=False) + "\n", encoding="utf-8")
    half.replace(out)


if __name__ == "__main__":
    main()
