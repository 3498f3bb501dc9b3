"""The table of advice: what each note asks for, why, and which guide says so."""

from __future__ import annotations

from dataclasses import dataclass

from ftctl.advice.plan import (
    ADAPTER_RATES,
    EPOCHS,
    FEW,
    MANY,
    PREFERENCE_RATES,
    RANKS,
    WEIGHT_RATES,
)


@dataclass(frozen=True)
class Source:
    """A public page: its short name for a message, its title and its address."""

    short: str
    title: str
    address: str


@dataclass(frozen=True)
class Note:
    """One piece of advice. `when` says in words what `advice/plan` or `advice/course` looks for, `key` is the
    job's key that it points to, `remedy` what to try; `reason` is why, as `sources` give it."""

    name: str
    key: str
    when: str
    reason: str
    remedy: str
    sources: tuple[Source, ...]

    @property
    def cited(self) -> str:
        """The reason with its sources' short names, for a message."""
        return f"{self.reason} ({', '.join(source.short for source in self.sources)})"


_UNSLOTH = "https://unsloth.ai/docs/get-started/fine-tuning-llms-guide"
_EXAMPLES = "https://github.com/hiyouga/LLaMA-Factory/tree/main/examples"
LORA_GUIDE = Source(
    "Unsloth's LoRA guide", "Unsloth: LoRA fine-tuning Hyperparameters Guide",
    f"{_UNSLOTH}/lora-hyperparameters-guide",
)  # fmt: skip
GUIDE = Source("Unsloth's guide", "Unsloth: Fine-tuning LLMs Guide", _UNSLOTH)
MODELS = Source(
    "Unsloth's guide to models", "Unsloth: What Model Should I Use for Fine-tuning?",
    f"{_UNSLOTH}/what-model-should-i-use",
)  # fmt: skip
REQUIREMENTS = Source(
    "Unsloth's requirements", "Unsloth: Requirements",
    "https://unsloth.ai/docs/get-started/fine-tuning-for-beginners/unsloth-requirements",
)  # fmt: skip
EXAMPLES = Source(
    "LLaMA-Factory's examples",
    "LLaMA-Factory: examples/train_lora (SFT 1e-4, DPO 5e-6) and examples/train_full (SFT 1e-5)", _EXAMPLES,
)  # fmt: skip
HARDWARE = Source(
    "LLaMA-Factory's README", "LLaMA-Factory: README, Hardware Requirement",
    "https://github.com/hiyouga/LLaMA-Factory#hardware-requirement",
)  # fmt: skip
QLORA = Source("QLoRA", "Dettmers et al. 2023: QLoRA", "https://arxiv.org/abs/2305.14314")
LORA = Source("LoRA", "Hu et al. 2021: LoRA", "https://arxiv.org/abs/2106.09685")

_RATES = (
    f"adapters (lora, oft) {ADAPTER_RATES[0]:g} to {ADAPTER_RATES[1]:g}, whole weights (full, freeze) "
    f"{WEIGHT_RATES[0]:g} to {WEIGHT_RATES[1]:g}, dpo, kto and ppo {PREFERENCE_RATES[0]:g} to "
    f"{PREFERENCE_RATES[1]:g}; of a model under 100 million parameters guides say nothing"
)

NOTES: tuple[Note, ...] = (
    Note(
        "learning-rate-high", "train.learning_rate", f"the learning rate is over: {_RATES}",
        "large steps make a training unstable, or let it learn its rows by heart",
        "start from 2e-4 for LoRA, 1e-5 for whole weights, 5e-6 for preferences",
        (LORA_GUIDE, EXAMPLES),
    ),
    Note(
        "learning-rate-low", "train.learning_rate", f"the learning rate is under: {_RATES}",
        "small steps may learn next to nothing in the epochs there are",
        "start from 2e-4 for LoRA, 1e-5 for whole weights, 5e-6 for preferences",
        (LORA_GUIDE, EXAMPLES),
    ),
    Note(
        "epochs-many", "train.epochs",
        f"more than {EPOCHS[1]} epochs, or the steps of as many, without early_stopping",
        "after three the gain is small and the model begins to learn its rows by heart",
        "take 1 to 3, or hold rows out (data.eval) and set train.early_stopping",
        (LORA_GUIDE,),
    ),
    Note(
        "epochs-few", "train.epochs", f"sft for less than {EPOCHS[0]} epoch, or the steps of as little",
        "a training that ends before it has seen every row leaves the model undertrained",
        "take 1 to 3 epochs, or fewer rows (max_samples)",
        (LORA_GUIDE,),
    ),
    Note(
        "lora-rank-low", "train.lora.rank", f"LoRA with a rank under {RANKS[0]}",
        "so small an adapter has little room for what is new in the rows",
        "16 or 32 is the usual choice",
        (LORA_GUIDE, LORA),
    ),
    Note(
        "lora-rank-high", "train.lora.rank", f"LoRA with a rank over {RANKS[1]}",
        "a large adapter takes more memory and overfits sooner",
        "16 or 32 is the usual choice",
        (LORA_GUIDE,),
    ),
    Note(
        "lora-alpha-low", "train.lora.alpha", "LoRA without rsLoRA whose alpha is under its rank",
        "an adapter is scaled by alpha / rank, and under 1 what it learns counts for less",
        "set alpha to the rank or to twice the rank, which is the default",
        (LORA_GUIDE, LORA),
    ),
    Note(
        "base-with-few-rows", "model", f"sft of a base model on fewer than {FEW} rows",
        "so few rows do not teach a base model to follow instructions",
        "take the model's instruct version",
        (MODELS,),
    ),
    Note(
        "instruct-with-many-rows", "model", f"sft of an instruct model on more than {MANY} rows",
        "so many rows can teach a base model, which has no habits to unlearn",
        "compare with the model's base version; to keep what the instruct model can do, stay with it",
        (MODELS,),
    ),
    Note(
        "memory-short", "train.quantization",
        "lora or full training without quantization, of a model that the GPU cannot hold in 16 bits",
        "QLoRA holds the weights in 4 bits and takes about a quarter of LoRA's memory",
        "set train.method: lora and train.quantization: 4",
        (QLORA, REQUIREMENTS, HARDWARE),
    ),
    Note(
        "loss-near-zero", "", "sft or pretrain, and the mean of 10 logged losses is under 0.2",
        "a training loss that goes to 0 is a sign that rows are learnt by heart",
        "fewer epochs, a lower learning rate or more rows; ask it what it has not seen",
        (GUIDE, LORA_GUIDE),
    ),
    Note(
        "evaluation-rises", "",
        "the evaluation loss rises twice in a row, over 1 % above its best, while the training loss falls",
        "what it still learns does not hold for rows that it has not seen",
        "fewer epochs, train.early_stopping, or train.checkpoints.keep_best: eval_loss",
        (LORA_GUIDE,),
    ),
)  # fmt: skip

BY_NAME = {note.name: note for note in NOTES}
