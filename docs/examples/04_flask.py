"""
Flask: a plain function behind a view, with a SyncCache; the write beside it forgets.

    python docs/examples/04_flask.py [STORE]

It needs Flask (pip install flask), and prints:

    reading product 7
    GET /products/7 -> {'id': 7, 'name': 'lamp'}
    GET /products/7 -> {'id': 7, 'name': 'lamp'}
    PUT /products/7 -> 204
    reading product 7
    GET /products/7 -> {'id': 7, 'name': 'desk lamp'}
"""

from __future__ import annotations

import sys

from flask import Flask, request
from flask.typing import ResponseReturnValue

from hashcache import SyncCache

app = Flask(__name__)
cache = SyncCache(sys.argv[1] if sys.argv[1:] else "memory://", environment="example-04")
names = {7: "lamp"}


@cache.cached("product", key="product:{id}")
def product(id: int) -> dict[str, int | str]:
    print("reading product", id)
    return {"id": id, "name": names[id]}


@cache.invalidates(key="product:{id}")
def rename(id: int, name: str) -> None:
    names[id] = name


@app.get("/products/<int:id>")
def show(id: int) -> ResponseReturnValue:
    return product(id)


@app.put("/products/<int:id>")
def change(id: int) -> ResponseReturnValue:
    rename(id, request.get_json()["name"])
    return "", 204


def main() -> None:
    with cache:  # a server that forks opens it in each worker, after the fork
        cache.clear()
        visitor = app.test_client()
        for _ in range(2):
            print("GET /products/7 ->", visitor.get("/products/7").json)
        print("PUT /products/7 ->", visitor.put("/products/7", json={"name": "desk lamp"}).status_code)
        print("GET /products/7 ->", visitor.get("/products/7").json)


main()
