"""sentence-transformers' `CrossEncoder` as its documentation trains and uses it: default settings, from texts."""

import tempfile

from datasets import Dataset
from sentence_transformers.cross_encoder import CrossEncoder, CrossEncoderTrainer, CrossEncoderTrainingArguments
from sentence_transformers.cross_encoder.losses import CrossEntropyLoss

import worker

WORK = worker.workload()
MODEL = CrossEncoder(WORK["model"], num_labels=3, max_length=512)
PLACE = tempfile.TemporaryDirectory()


def train(data):
    left, right = zip(*data["pairs"])
    rows = Dataset.from_dict({"sentence1": left, "sentence2": right, "label": data["labels"]})
    arguments = CrossEncoderTrainingArguments(
        output_dir=PLACE.name,
        num_train_epochs=1,
        per_device_train_batch_size=WORK["batch"],
        learning_rate=1e-8,
        save_strategy="no",
        logging_strategy="no",
        report_to=[],
        disable_tqdm=True,
        use_cpu=True,
    )
    trainer = CrossEncoderTrainer(model=MODEL, args=arguments, train_dataset=rows, loss=CrossEntropyLoss(MODEL))
    # the loop alone: building a trainer is not what is compared
    return trainer.train().metrics["train_runtime"] * 1e3


def run(case):
    words = case.split()
    data = WORK["sets"][words[1]]
    if words[0] == "train":
        return train(data)
    MODEL.predict([tuple(pair) for pair in data["pairs"]], batch_size=WORK["batch"], show_progress_bar=False)
    return None


worker.serve(run)
