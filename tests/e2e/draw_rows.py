"""Draws rows as FlagEmbedding does: `python draw_rows.py CASES.json`, with its interpreter."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

from FlagEmbedding.abc.finetune.embedder.AbsDataset import AbsEmbedderTrainDataset


def main() -> None:
    for case in json.loads(Path(sys.argv[1]).read_text()):
        arguments = SimpleNamespace(
            train_data=case["files"],
            cache_path=sys.argv[1] + ".cache",
            shuffle_ratio=0.0,
            train_group_size=3,
            max_example_num_per_dataset=1_000_000,
            knowledge_distillation=case["scores"],
            query_instruction_for_retrieval=case["instruction"],
            query_instruction_format="{}{}",
            passage_instruction_for_retrieval=None,
        )
        try:
            rows = AbsEmbedderTrainDataset(arguments, None)
            said: object = [rows[number] for number in range(len(rows))]
        except Exception as error:  # noqa: BLE001 - whatever the engine raises is what is asked for
            said = type(error).__name__
        print(json.dumps({"name": case["name"], "said": said}), flush=True)


if __name__ == "__main__":
    main()
