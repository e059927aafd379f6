"""What the racing processes of the tests run; each is a process of its own, as on another host."""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor

from store import ANY, Database, SqlStore

THREADS = 16


def race(url: str, accounts: int, steps: int) -> None:
    """Make the same accounts as everybody else, then count up by compare-and-set, in each thread."""
    database = Database(url)
    store = SqlStore(database)
    print("ready", flush=True)
    sys.stdin.readline()

    def work(number: int) -> int:
        created = 0
        for account in range(accounts):
            match = {"account": str((account + number) % accounts)}
            created += store.put_if_absent(match, {**match, "by": str(number)})[1]
        for _ in range(steps):
            while True:
                now = store.get({"counter": ANY}, limit=1)[0].data["counter"]
                if store.update({"counter": now}, {"counter": str(int(now) + 1)}) is not None:
                    break
        return created

    with ThreadPoolExecutor(THREADS) as pool:
        print(sum(pool.map(work, range(THREADS))), flush=True)
    database.close()


def write(url: str) -> None:
    """Put pairs of entries, update them, and say after each what was acknowledged, until killed."""
    database = Database(url)
    store = SqlStore(database)
    name = sys.stdin.readline().strip()

    def work(thread: int) -> None:
        for number in range(1_000_000):
            pair = f"{name}-{thread}-{number}"
            first, _ = store.put_many([{"pair": pair, "half": "1"}, {"pair": pair, "half": "2"}])
            store.update_by_id(first, {"half": "one", "more": pair})
            # One system call, so that a line is there as a whole or not at all.
            os.write(sys.stdout.fileno(), f"{pair}\n".encode())

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))


if __name__ == "__main__":
    if sys.argv[1] == "race":
        race(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    else:
        write(sys.argv[2])
