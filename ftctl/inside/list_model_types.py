"""Run by LLaMA-Factory's interpreter: writes ftctl/trainers/model_types.py from its transformers.

python ftctl/inside/list_model_types.py > ftctl/trainers/model_types.py
"""

from __future__ import annotations

import textwrap

import transformers
from transformers.models.auto import configuration_auto, modeling_auto

# In this order LLaMA-Factory 0.9.5 (model/loader.py) looks for the class that loads a model.
LOADED = (
    modeling_auto.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES,
    modeling_auto.MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES,
    modeling_auto.MODEL_FOR_TEXT_TO_WAVEFORM_MAPPING_NAMES,
    modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
)
trainable = sorted({name for names in LOADED for name in names})
others = sorted(set(configuration_auto.CONFIG_MAPPING_NAMES) - set(trainable))


def block(name: str, doc: str, names: list[str]) -> str:
    """A frozen set of names as a wrapped text."""
    lines = textwrap.fill(
        " ".join(names), 100, initial_indent="    ", subsequent_indent="    ",
        break_on_hyphens=False, break_long_words=False,
    )  # fmt: skip
    reason = "  # noqa: SIM905 - a wrapped text is read and compared more easily than so many quoted names"
    return f'# {doc}\n{name} = frozenset(\n    """\n{lines}\n    """.split(){reason}\n)\n'


made = f"transformers {transformers.__version__} knows; made by ftctl/inside/list_model_types.py"
print(f'"""The model types that {made}."""\n')
print("from __future__ import annotations\n")
print(block("TRAINABLE", "A `model_type` of config.json that LLaMA-Factory loads to train it.", trainable))
print(block("OTHERS", "Known to transformers, and no generating language model.", others), end="")
