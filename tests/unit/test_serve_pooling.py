"""What a model is served as, and vLLM's arguments for embedders and rerankers."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, processors

from ftctl.artifacts.model import Artifact
from ftctl.errors import UsageError
from ftctl.facts.model import MachineFacts, ModelFacts, RetrievalFacts
from ftctl.job.model import Deploy
from ftctl.plan.model import RetrievalPlan, ServePlan
from ftctl.plan.serve import plan_serve
from ftctl.plan.serve_kind import served_as
from ftctl.servers import server
from ftctl.servers.vllm_score import (
    MARK,
    QUESTION,
    begin_token,
    score_template,
    score_tokenizer,
    tokenizer_config,
)

MACHINE = MachineFacts((), None, 2, 2**34, 2**34)
EMBEDDER = RetrievalPlan(
    "encoder-only-base", "full", 8, 64, 256, 0.02, "mean", True, "query: ", None, False, False
)
RERANKER = replace(EMBEDDER, temperature=None, pooling=None, normalize=None, query_instruction=None)


def model(architecture: str, table: int | None = 512, **said: Any) -> ModelFacts:
    return ModelFacts(
        "/m", local=True, architecture=architecture, max_positions=table, weight_bytes=2**20,
        retrieval=RetrievalFacts(**said),
    )  # fmt: skip


def planned(facts: ModelFacts, deploy: Deploy | None = None, **more: Any) -> ServePlan:
    return plan_serve(deploy or Deploy(), name="ft", model=facts, machine=MACHINE, **more)[0]


def flags(plan: ServePlan, deploy: Deploy | None = None) -> dict[str, str]:
    """vLLM's arguments by name."""
    rendered = server("vllm").render(
        plan, deploy or Deploy(), Artifact("model", Path("/m")), python=Path("/p"), port=1, machine=MACHINE
    )
    words = [*rendered.argv, "--"]
    return {word: following for word, following in itertools.pairwise(words) if word.startswith("--")}


@pytest.mark.parametrize(
    ("facts", "kind", "pooling", "head"),
    [
        (model("Qwen3ForCausalLM"), "generate", None, None),
        (ModelFacts("org/model", local=False), "generate", None, None),
        (model("BertModel", pooling="mean", normalize=True), "embed", "mean", None),
        (model("Qwen3ForCausalLM", pooling="last_token"), "embed", "last_token", None),
        (model("BertModel"), "embed", "cls", None),
        (model("BertForSequenceClassification", labels=1), "score", None, "label"),
        (model("Qwen3ForCausalLM", others=("LogitScore",)), "score", None, "yes"),
    ],
)
def test_the_kind_follows_from_the_folder(
    facts: ModelFacts, kind: str, pooling: str | None, head: str | None
) -> None:
    served = served_as(facts, None)
    assert (served.kind, served.pooling, served.head) == (kind, pooling, head)


def test_what_is_trained_decides_before_the_folder_is_there() -> None:
    base = model("Qwen3ForCausalLM")
    assert served_as(base, EMBEDDER).kind == "embed"
    assert served_as(base, RERANKER).head == "label"
    scorer = served_as(base, replace(RERANKER, variant="decoder-only-base"))
    assert (scorer.head, scorer.query_prompt, scorer.passage_prompt) == ("yes", None, None)
    learner = served_as(base, replace(EMBEDDER, variant="decoder-only-icl"))
    assert learner.query_suffix == "\nResponse:"


@pytest.mark.parametrize(
    ("facts", "trained", "says"),
    [
        (model("BertForSequenceClassification", labels=3), None, "3 labels is a classifier"),
        (model("BertModel", pooling="max_tokens"), None, "pools by max_tokens, which vLLM does not do"),
        (model("MiniCPM", start_layer=8), None, "layerwise"),
        (model("MiniCPM"), replace(RERANKER, variant="decoder-only-layerwise"), "layerwise"),
    ],
)
def test_what_cannot_be_served_is_said_before_it_is_trained(
    facts: ModelFacts, trained: RetrievalPlan | None, says: str
) -> None:
    with pytest.raises(UsageError, match=says) as caught:
        planned(facts, trained=trained)
    assert caught.value.remedy


def test_an_adapter_of_an_embedder_is_merged() -> None:
    with pytest.raises(UsageError, match="merged into its base"):
        planned(model("Qwen3ForCausalLM"), trained=EMBEDDER, adapter="attach")


def test_an_embedders_arguments() -> None:
    found = flags(planned(model("BertModel", pooling="mean", normalize=True, length=256)))
    assert (found["--runner"], found["--convert"], found["--dtype"]) == ("pooling", "embed", "float32")
    assert json.loads(found["--pooler-config"]) == {"pooling_type": "MEAN", "use_activation": True}
    assert found["--max-model-len"] == "256"
    assert "--hf-overrides" not in found


def test_a_generators_arguments_are_without_a_pooler() -> None:
    assert "--runner" not in flags(planned(model("Qwen3ForCausalLM")))


def test_xlm_robertas_oddities() -> None:
    found = flags(planned(model("XLMRobertaModel", 514, pooling="cls", normalize=False, positions=512)))
    assert json.loads(found["--hf-overrides"]) == {"position_embedding_type": "absolute"}
    assert json.loads(found["--pooler-config"]) == {"pooling_type": "CLS", "use_activation": False}
    assert found["--max-model-len"] == "512"


def test_a_cross_encoder_gives_logits() -> None:
    found = flags(planned(model("BertForSequenceClassification", labels=1)))
    assert (found["--convert"], json.loads(found["--pooler-config"])) == (
        "classify",
        {"use_activation": False},
    )
    assert "--tokenizer" not in found


def test_a_language_model_scores_by_its_own_template_and_token() -> None:
    plan = replace(planned(model("Qwen3ForCausalLM", others=("LogitScore",))), yes="ĠYes")
    found = flags(plan)
    assert json.loads(found["--hf-overrides"]) == {
        "architectures": ["Qwen3ForSequenceClassification"],
        "classifier_from_token": ["ĠYes"],
        "method": "no_post_processing",
    }
    assert (found["--tokenizer"], found["--chat-template"]) == ("tokenizer", "score.jinja")


def test_a_native_mapping_changes_only_the_keys_it_names() -> None:
    plan = planned(model("BertModel", pooling="mean", normalize=True))
    wrong = Deploy(native={"pooler_config": {"pooling_type": "CLS"}})
    assert json.loads(flags(plan, wrong)["--pooler-config"]) == {
        "pooling_type": "CLS",
        "use_activation": True,
    }


def test_the_template_has_what_flagembedding_has_around_a_pair() -> None:
    template = score_template("<s>", "A: ", "B: ")
    assert template.startswith('{{ "<s>A: " }}')
    assert template.endswith(f'{{{{ "{MARK}\\n{MARK}{QUESTION}" }}}}')
    assert f'{{{{ "{MARK}\\n{MARK}B: " }}}}' in template


def word_tokenizer() -> Tokenizer:
    """Words, and punctuation with the line break after it, as Qwen's tokenizer has it."""
    words = {"[UNK]": 0, "?": 1, "\n": 2, "?\n": 3, "</s>": 4}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"\?\n|\?|\n|[^?\n]+"), "isolated")
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 4)])
    return tokenizer


def test_the_line_breaks_between_the_parts_are_tokens_of_their_own() -> None:
    line = f"{MARK}\n{MARK}"
    plain = word_tokenizer()
    assert plain.encode("why?\nso?\nthere\nGiven").ids == [0, 3, 0, 3, 0, 2, 0, 4]
    scoring = Tokenizer.from_str(score_tokenizer(plain.to_str()))
    # The line break inside the passage stays as it was trained.
    assert scoring.encode(f"why?{line}so?\nthere{line}Given").ids == [0, 1, 2, 0, 3, 0, 2, 0]


def test_a_tokenizer_that_changes_every_part_is_refused() -> None:
    legacy = {"normalizer": {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"}]}}
    with pytest.raises(UsageError, match="a space in front of every text"):
        score_tokenizer(json.dumps(legacy))


@pytest.mark.parametrize(
    ("config", "begin"),
    [
        ({}, None),
        ({"bos_token": "<s>", "pad_token": "<p>"}, "<s>"),
        ({"bos_token": {"content": "<s>"}, "pad_token": None}, "<s>"),
        ({"bos_token": "<s>", "pad_token": "<s>"}, None),
    ],
)
def test_the_token_at_the_start_is_flagembeddings(config: dict[str, Any], begin: str | None) -> None:
    assert begin_token(json.dumps(config)) == begin


def test_the_served_tokenizer_is_read_as_it_is_written() -> None:
    changed = json.loads(tokenizer_config('{"tokenizer_class": "Qwen2Tokenizer", "eos_token": "x"}'))
    assert (changed["tokenizer_class"], changed["eos_token"]) == ("PreTrainedTokenizerFast", "x")
