"""Run by FlagEmbedding's interpreter: write the references asked for, compare one with transformers.

    PYTHON compare_references.py INSIDE FILE [FILE ...]

INSIDE is the folder of flagembedding_reference.py; FILE.out is its answer to FILE. The last line printed is
the least cosine, over the texts of the first FILE, to a forward pass and a mean written out here.
"""

import json
import sys
from pathlib import Path

inside, *files = sys.argv[1:]
sys.path.insert(0, inside)

import flagembedding_reference  # type: ignore[import-not-found] # noqa: E402 - found by the line above
import torch  # noqa: E402
from transformers import AutoModel, AutoTokenizer  # noqa: E402

for file in files:
    sys.argv[1:] = [file, f"{file}.out"]
    flagembedding_reference.main()

asked = json.loads(Path(files[0]).read_text())
tokenizer = AutoTokenizer.from_pretrained(asked["model"])
model = AutoModel.from_pretrained(asked["model"]).eval()
cosines = []
for text, vector in zip(
    asked["texts"], json.loads(Path(f"{files[0]}.out").read_text())["vectors"], strict=True
):
    with torch.no_grad():
        states = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0]
    cosines.append(torch.nn.functional.cosine_similarity(states.mean(0), torch.tensor(vector), dim=0).item())
print(min(cosines))
