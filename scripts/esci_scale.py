"""Writes made-up tables with the schema and the size that Amazon's Shopping Queries (ESCI) are published in: 2,621,738
judgements of 1,814,924 products. What an import of that size takes is measured on them:

    python scripts/esci_scale.py FOLDER [--share 1.0]
    /usr/bin/time -v sextant data import recipes/import/esci.toml --source FOLDER --out FOLDER/rows.parquet

Needs numpy and pyarrow. Texts are drawn from a vocabulary; a product has about 1,300 characters, some of them HTML.
"""

import argparse
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

JUDGEMENTS, PRODUCTS, QUERIES = 2_621_738, 1_814_924, 130_652
LOCALES = (["us", "jp", "es"], [0.67, 0.19, 0.14])


def phrases(rng, count, words, html=False):
    vocabulary = np.array(["".join(rng.choice(list("aeioubcdfghlmnprst"), rng.integers(3, 9))) for _ in range(6000)])
    made = []
    for _ in range(count):
        text = " ".join(rng.choice(vocabulary, max(1, int(rng.normal(words, words / 4)))))
        made.append(f"<p>{text}</p><br/>&amp; " if html else text)
    return np.array(made, dtype=object)


def joined(rng, pool, rows, parts, present):
    text = pool[rng.integers(0, len(pool), rows)]
    for _ in range(parts - 1):
        text = text + " " + pool[rng.integers(0, len(pool), rows)]
    return pa.array(text, mask=rng.random(rows) > present, type=pa.string())


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--share", type=float, default=1.0)
    arguments.add_argument("--short", action="store_true", help="no descriptions: the same keys in a tenth of the room")
    options = arguments.parse_args()
    products, judgements = int(PRODUCTS * options.share), int(JUDGEMENTS * options.share)
    long = 0 if options.short else 1
    queries = max(1, int(QUERIES * options.share))
    rng = np.random.default_rng(1)
    options.folder.mkdir(parents=True, exist_ok=True)
    titles, sentences, marked = phrases(rng, 20000, 8), phrases(rng, 20000, 25), phrases(rng, 20000, 25, html=True)
    brands, colors = phrases(rng, 5000, 1), phrases(rng, 300, 1)
    ids = np.array([f"B{n:09X}" for n in rng.permutation(products)], dtype=object)
    locales = rng.choice(LOCALES[0], products, p=LOCALES[1]).astype(object)
    path = options.folder / "shopping_queries_dataset_products.parquet"
    writer = None
    for start in range(0, products, 100_000):
        rows = min(100_000, products - start)
        table = pa.table({
            "product_id": pa.array(ids[start : start + rows], type=pa.string()),
            "product_title": joined(rng, titles, rows, 2, 0.9995),
            "product_description": joined(rng, marked, rows, 4, 0.52 * long),
            "product_bullet_point": joined(rng, sentences, rows, 5, 0.84 * long),
            "product_brand": joined(rng, brands, rows, 1, 0.93),
            "product_color": joined(rng, colors, rows, 1, 0.65),
            "product_locale": pa.array(locales[start : start + rows], type=pa.string()),
        })
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table)
    writer.close()
    query = np.sort(rng.integers(0, queries, judgements))
    product = rng.integers(0, products, judgements)
    texts = joined(rng, phrases(rng, 20000, 2), queries, 2, 1.0).to_numpy(zero_copy_only=False)
    pq.write_table(
        pa.table({
            "example_id": pa.array(np.arange(judgements), type=pa.int64()),
            "query": pa.array(texts[query], type=pa.string()),
            "query_id": pa.array(query, type=pa.int64()),
            "product_id": pa.array(ids[product], type=pa.string()),
            "product_locale": pa.array(locales[product], type=pa.string()),
            "esci_label": pa.array(rng.choice(list("ESCI"), judgements, p=[0.65, 0.22, 0.03, 0.1]).astype(object), type=pa.string()),
            "small_version": pa.array(rng.integers(0, 2, judgements), type=pa.int64()),
            "large_version": pa.array(np.ones(judgements, dtype=int), type=pa.int64()),
            "split": pa.array(rng.choice(["train", "test"], judgements, p=[0.76, 0.24]).astype(object), type=pa.string()),
        }),
        options.folder / "shopping_queries_dataset_examples.parquet",
    )


main()
