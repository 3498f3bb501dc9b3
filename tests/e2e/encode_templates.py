"""Run by LLaMA-Factory's interpreter: what a training by several templates would see, after one import.

encode_templates.py INSIDE MODEL FOLDER TEMPLATE … writes FOLDER/TEMPLATE/trained_template.json; INSIDE is
ftctl's folder of the program that a training runs.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

inside, model, folder, *names = sys.argv[1:]
sys.path.insert(0, inside)

import llamafactory_template  # type: ignore[import-not-found] # noqa: E402 - found by the line above
from llamafactory.hparams import DataArguments, ModelArguments  # noqa: E402

for name in names:
    found = llamafactory_template.examine(
        ModelArguments(model_name_or_path=model), DataArguments(template=name, dataset_dir=folder)
    )
    place = Path(folder, name)
    place.mkdir()
    (place / llamafactory_template.OUT).write_text(json.dumps(found))
