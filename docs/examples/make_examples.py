"""Makes the data of the shipped examples; the MLTable files beside it are written by hand.

    python docs/examples/make_examples.py

Seeded: the same rows on every machine. (Delta gives its data files random names.)
"""

from __future__ import annotations

import datetime as dt
import json
import random
import shutil
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import write_deltalake

HERE = Path(__file__).parent
SEED = 20240101
ZONES = ["007", "012", "048", "132", "138", "236"]  # codes, not numbers: their zeros matter


def trips(random_: random.Random, rows: int, first: dt.datetime, days: int) -> pd.DataFrame:
    """Return trips sorted by pickup time."""
    starts = sorted(first + dt.timedelta(seconds=random_.randrange(days * 86_400)) for _ in range(rows))
    records = []
    for start in starts:
        distance = round(random_.lognormvariate(1.2, 0.7), 2)
        fare = round(3 + 2.1 * distance + random_.random() * 4, 2)
        payment = random_.choices(["card", "cash", "voucher"], [70, 27, 3])[0]
        tip = round(fare * random_.choice([0.0, 0.1, 0.15, 0.2]), 2) if payment == "card" else None
        records.append(
            {
                "pickup": start,
                "dropoff": start + dt.timedelta(seconds=int(120 + distance * 190)),
                "zone": random_.choice(ZONES),
                "passengers": random_.choices([1, 2, 3, 4], [70, 18, 8, 4])[0],
                "distance_km": distance,
                "fare": fare,
                "tip": tip,
                "payment": payment,
            }
        )
    return pd.DataFrame(records)


def make_taxi(folder: Path) -> None:
    """Three CSV files, one a month, in folders by year and month."""
    random_ = random.Random(SEED)
    for month in (1, 2, 3):
        first = dt.datetime(2024, month, 1)
        target = folder / f"2024/{month:02d}/trips.csv"
        target.parent.mkdir(parents=True, exist_ok=True)
        trips(random_, 700, first, 28).to_csv(target, index=False, lineterminator="\n")


def make_trips_parquet(folder: Path) -> None:
    """Write one Parquet file of six row groups, sorted by pickup time, so that statistics can rule row groups out."""
    frame = trips(random.Random(SEED + 1), 3_000, dt.datetime(2024, 1, 1), 90)
    table = pa.Table.from_pandas(frame, preserve_index=False)
    table = table.set_column(0, "pickup", table["pickup"].cast("timestamp[us]"))
    table = table.set_column(1, "dropoff", table["dropoff"].cast("timestamp[us]"))
    folder.mkdir(exist_ok=True)
    pq.write_table(table.replace_schema_metadata(None), folder / "trips.parquet", row_group_size=500)


def make_events(folder: Path) -> None:
    """Two JSON lines files of app events; some events carry a nested object, some lack a key."""
    random_ = random.Random(SEED + 2)
    moment = dt.datetime(2024, 5, 1, tzinfo=dt.UTC)
    folder.mkdir(exist_ok=True)
    for name in ("events-0.jsonl", "events-1.jsonl"):
        lines = []
        for _ in range(300):
            moment += dt.timedelta(seconds=random_.randrange(1, 240))
            event = {
                "at": f"{moment:%Y-%m-%dT%H:%M:%SZ}",
                "user": random_.randrange(1, 60),
                "event": random_.choices(["open", "search", "book", "cancel"], [40, 40, 15, 5])[0],
            }
            if event["event"] == "book":
                event["price"] = round(random_.uniform(5, 80), 2)
            if random_.random() < 0.8:
                event["device"] = {
                    "os": random_.choice(["android", "ios", "web"]),
                    "app": random_.randrange(3, 7),
                }
            lines.append(json.dumps(event))
        (folder / name).write_text("\n".join(lines) + "\n", encoding="utf8")


def make_sales(folder: Path) -> None:
    """Write a Delta table partitioned by region, with two versions."""
    random_ = random.Random(SEED + 3)
    shutil.rmtree(folder / "table", ignore_errors=True)
    for version in (0, 1):
        rows = [
            {
                "order": 1_000 * (version + 1) + number,
                "region": random_.choice(["north", "south", "west"]),
                "day": dt.date(2024, 6, 1) + dt.timedelta(days=random_.randrange(30)),
                "amount": round(random_.uniform(5, 500), 2),
            }
            for number in range(200)
        ]
        table = pa.Table.from_pylist(rows)
        write_deltalake(str(folder / "table"), table, mode="append", partition_by=["region"])


if __name__ == "__main__":
    make_taxi(HERE / "taxi")
    make_trips_parquet(HERE / "trips-parquet")
    make_events(HERE / "events-jsonl")
    make_sales(HERE / "sales-delta")
