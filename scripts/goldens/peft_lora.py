"""Writes LoRA adapters as `peft` saves them, and what `peft` computes with them.

    python scripts/goldens/peft_lora.py [OUT]      (needs torch, transformers and peft)

OUT is `crates/sextant-model/tests/goldens/peft` unless given. The bases are the tiny checkpoints of
`families.py` beside it; their heads are replaced by the adapters'. OUT receives a folder for each case:

* `adapter_config.json`, `adapter_model.safetensors`: as `PeftModel.save_pretrained` writes them, every factor
  drawn at random;
* `golden.json`: the `family` of the base, and the `logits` of the rows of the family's `golden.json`.

Everything is computed in f32, in eval mode, row by row, without padding.
"""

import json
import sys
import warnings
from pathlib import Path

import peft
import torch
import transformers as t

CASES = {
    "all_linear": ("llama", dict(r=3, lora_alpha=6, target_modules="all-linear")),
    "some": ("qwen2", dict(r=2, lora_alpha=8, use_rslora=True, target_modules=["q_proj", "v_proj"])),
    "saved": (
        "gemma3",
        dict(
            r=4,
            lora_alpha=4,
            lora_dropout=0.1,
            target_modules=["q_proj", "k_proj", "up_proj"],
            modules_to_save=["model.norm", "model.layers.1.mlp.down_proj"],
        ),
    ),
    "encoder": ("bert", dict(r=3, lora_alpha=6, target_modules=["query", "value", "output.dense"])),
}


def main():
    warnings.simplefilter("ignore")
    goldens = Path(__file__).parents[2] / "crates/sextant-model/tests/goldens"
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else goldens / "peft"
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(20262)
    for case, (family, settings) in CASES.items():
        base = goldens / "families" / family
        golden = json.loads((base / "golden.json").read_text())
        model = t.AutoModelForSequenceClassification.from_pretrained(base, attn_implementation="eager")
        model = peft.get_peft_model(model, peft.LoraConfig(task_type="SEQ_CLS", **settings)).eval()
        with torch.no_grad():
            for name, tensor in sorted(model.named_parameters()):
                if tensor.requires_grad:
                    noise = torch.randn(tensor.shape, generator=generator)
                    tensor.copy_(1 + 0.2 * noise if "norm" in name else 0.2 * noise)
            rows = golden["rows"]
            types = family == "bert"
            inputs = lambda row: {k: torch.tensor([row[k]]) for k in ("input_ids", "token_type_ids")[: 1 + types]}
            logits = [[float(f"{x:.9g}") for x in model(**inputs(row)).logits[0].tolist()] for row in rows]
        config = model.peft_config["default"]
        config.base_model_name_or_path = family
        config.target_modules = sorted(config.target_modules)
        model.save_pretrained(out / case)
        (out / case / "README.md").unlink()
        (out / case / "adapter_model.safetensors").chmod(0o644)
        (out / case / "golden.json").write_text(json.dumps({"family": family, "logits": logits}) + "\n")


if __name__ == "__main__":
    main()
