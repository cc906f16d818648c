"""The calls one begins with: `python examples/quickstart.py`."""

from __future__ import annotations

from vecstore import Collection, Distance, PointStruct, VectorParams, field

CITIES = [  # in earnest a vector comes from a model, and has some hundred numbers
    PointStruct(id=1, vector=[0.05, 0.61, 0.76, 0.74], payload={"city": "Berlin", "country": "DE", "millions": 3.9}),
    PointStruct(id=2, vector=[0.19, 0.81, 0.75, 0.11], payload={"city": "London", "country": "GB", "millions": 8.9}),
    PointStruct(id=3, vector=[0.36, 0.55, 0.47, 0.94], payload={"city": "Munich", "country": "DE", "millions": 1.5}),
    PointStruct(id=4, vector=[0.18, 0.01, 0.85, 0.80], payload={"city": "Lisbon", "country": "PT", "millions": 0.6}),
]
QUERY = [0.2, 0.1, 0.9, 0.7]


def main() -> None:
    with Collection("cities.vecstore", vectors=VectorParams(size=4, distance=Distance.COSINE)) as col:
        col.upsert(CITIES).result()  # the same ids again replace the points, so this can run twice
        print(col)
        show("nearest", col.search(QUERY, limit=2))
        show("nearest, in Germany", col.search(QUERY, filter=field("country") == "DE", limit=2))
        show("like Berlin", col.search(1, limit=1))
        col.set_payload({"visited": True}, field("millions") > 2).result()
        col.delete([4]).result()
        records, _ = col.scroll(field("visited") == True)  # noqa: E712 - a filter, not a comparison
        print("visited:", ", ".join(record.payload["city"] for record in records))
    with Collection("cities.vecstore") as col:  # it says itself what its vectors are
        print("opened again:", len(col), "points; the first is", col.get(1).payload)


def show(what: str, hits: list) -> None:
    print(f"{what}: " + ", ".join(f"{hit.payload['city']} {hit.score:.3f}" for hit in hits))


if __name__ == "__main__":
    main()
