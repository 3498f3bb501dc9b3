"""Run by LLaMA-Factory's interpreter: what a training by several templates would see, after one import.

encode_templates.py INSIDE MODEL FOLDER TEMPLATE … writes FOLDER/TEMPLATE/trained_template.json and, in the
folder model beside it, the model's configuration with the tokenizer that such a training saves; INSIDE is
ftctl's folder of the program that a training runs.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

inside, model, folder, *names = sys.argv[1:]
sys.path.insert(0, inside)

import llamafactory_template  # type: ignore[import-not-found] # noqa: E402 - found by the line above
from llamafactory.hparams import DataArguments, ModelArguments  # noqa: E402

for name in names:
    asked = ModelArguments(model_name_or_path=model), DataArguments(template=name, dataset_dir=folder)
    found = llamafactory_template.examine(*asked)
    place = Path(folder, name)
    (place / "model").mkdir(parents=True)
    shutil.copy(Path(model, "config.json"), place / "model")
    llamafactory_template.Trained(*asked).tokenizer.save_pretrained(place / "model")
    (place / llamafactory_template.OUT).write_text(json.dumps(found))
