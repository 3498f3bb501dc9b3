"""Run by the engine's interpreter: functions of LLaMA-Factory that no whole run on a CPU gets to.

Each is called with what the engine would hand it: the parser's own answer to the example's arguments.
"""

from collections.abc import Callable, Mapping
from typing import Any

from llamafactory.hparams import get_train_args
from llamafactory.model.adapter import init_adapter
from llamafactory.train.ppo.ppo_utils import get_rewards_from_server
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.utils.quantization_config import QuantizationMethod


def calls(model_folder: str) -> Mapping[str, Callable[[dict[str, Any]], object]]:
    """The function to call in place of a run, by the rule's name."""
    config = AutoConfig.from_pretrained(model_folder)
    # Made here, before any DeepSpeed settings are alive: with those it would be split over devices.
    model = AutoModelForCausalLM.from_pretrained(model_folder)

    def adapter(arguments: dict[str, Any]) -> object:
        model_args, _, training_args, finetuning_args, _ = get_train_args(arguments)
        init_adapter(config, model, model_args, finetuning_args, True)
        return training_args  # kept alive until here: DeepSpeed's settings go with it

    def quantized(arguments: dict[str, Any]) -> object:
        model.quantization_method = QuantizationMethod.BITS_AND_BYTES  # as transformers marks such a model
        try:
            return adapter(arguments)
        finally:
            del model.quantization_method

    return {
        "dora-not-quantized": quantized,
        "unsloth-not-oft": adapter,
        "zero3-one-adapter": adapter,
        "reward-api-address": lambda given: get_rewards_from_server(given["reward_model"], ["a text"]),
    }
