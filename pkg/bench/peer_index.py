"""Measures hnswlib or faiss on vectors from files; started by facesearch bench index.

Reads a job (JSON) named by the first argument, writes the result as one JSON object to standard
output, and lines beginning with "# " about its progress to standard error. Labels are row numbers.
"""

import json
import os
import sys
import time

CHUNK = 10_000  # rows added between two looks at the clock


class LeftOut(Exception):
    pass


def resident():
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return None


def say(text):
    print("# " + text, file=sys.stderr, flush=True)


class HNSWLib:
    """hnswlib, with M=16 and efConstruction=200, its own defaults."""

    def __init__(self, job):
        import hnswlib

        self.version = getattr(hnswlib, "__version__", "")
        self.threads = job["build_threads"]
        self.index = hnswlib.Index(space="l2", dim=job["dim"])
        self.index.init_index(max_elements=job["n"], M=16, ef_construction=200, random_seed=100)
        self.index.set_num_threads(self.threads)

    def add(self, rows):
        self.index.add_items(rows)

    def ready(self):
        self.index.set_num_threads(1)

    def tune(self, ef):
        self.index.set_ef(ef)

    def parameters(self, ef):
        return "ef=%d" % ef

    def nearest(self, probe, k):
        labels, _ = self.index.knn_query(probe, k=k)
        return labels[0]

    def within(self, probe, radius, k):
        labels, squares = self.index.knn_query(probe, k=k)
        return labels[0][squares[0] <= radius * radius]


class Faiss:
    def __init__(self, job):
        import faiss

        self.faiss = faiss
        self.version = faiss.__version__
        faiss.omp_set_num_threads(job["build_threads"])
        self.index = self.make(job["dim"])

    def add(self, rows):
        self.index.add(rows)

    def ready(self):
        self.faiss.omp_set_num_threads(1)

    def nearest(self, probe, k):
        return self.index.search(probe, k)[1][0]


class FaissFlat(Faiss):
    tune = None

    def make(self, dim):
        return self.faiss.IndexFlatL2(dim)

    def parameters(self, ef):
        return ""

    def within(self, probe, radius, k):
        _, squares, labels = self.index.range_search(probe, radius * radius)
        return labels[squares.argsort()[:k]]


class FaissHNSW(Faiss):
    def make(self, dim):
        index = self.faiss.IndexHNSWFlat(dim, 16)
        index.hnsw.efConstruction = 200
        return index

    def tune(self, ef):
        self.index.hnsw.efSearch = ef

    def parameters(self, ef):
        return "ef=%d" % ef

    def within(self, probe, radius, k):
        squares, labels = self.index.search(probe, k)
        return labels[0][squares[0] <= radius * radius]


ENGINES = {"hnswlib": HNSWLib, "faiss flat": FaissFlat, "faiss HNSW": FaissHNSW}


def build(engine, rows, seconds_max):
    started = time.perf_counter()
    for begin in range(0, len(rows), CHUNK):
        engine.add(rows[begin : begin + CHUNK])
        if time.perf_counter() - started > seconds_max:
            raise LeftOut("building it took longer than %d s" % seconds_max)
        say("building: %d of %d" % (min(begin + CHUNK, len(rows)), len(rows)))
    engine.ready()
    return time.perf_counter() - started


def ask(probes, search):
    """Times each search alone, after a few to warm up."""
    for i in range(min(20, len(probes))):
        search(probes[i : i + 1])
    times, labels = [], []
    for i in range(len(probes)):
        probe = probes[i : i + 1]
        started = time.perf_counter()
        found = search(probe)
        times.append((time.perf_counter() - started) * 1000)
        labels.append([int(label) for label in found])
    return {"times_ms": times, "labels": labels}


def choose(engine, job, rows, tuning):
    """Doubles ef until the share of nearest neighbours found is what is asked for."""
    import numpy

    tried = []
    ef = 16
    while True:
        engine.tune(ef)
        answers = ask(tuning, lambda probe: engine.nearest(probe, 1))
        right = 0
        for probe, labels, true in zip(tuning, answers["labels"], job["tuning_distances"]):
            if labels and labels[0] >= 0:
                difference = rows[labels[0]].astype(numpy.float64) - probe.astype(numpy.float64)
                right += float(numpy.sqrt((difference * difference).sum())) <= true * (1 + 1e-9)
        recall = right / len(tuning)
        tried.append({"parameter": ef, "recall_at_1": recall, "p50_ms": sorted(answers["times_ms"])[len(tuning) // 2]})
        say("ef=%d finds %.3f" % (ef, recall))
        if recall >= job["recall"] or ef >= job["ef_max"] or ef >= len(rows):
            return ef, tried
        ef *= 2


def measure(job):
    try:
        import numpy
        rows, probes, tuning = (
            numpy.fromfile(job[name], dtype=numpy.float32).reshape(-1, job["dim"])
            for name in ("vectors", "probes", "tuning")
        )
        ENGINES[job["engine"]](dict(job, n=1))  # loads the library, which is not the index's memory
        before = resident()
        engine = ENGINES[job["engine"]](job)
    except ImportError as error:
        raise LeftOut("the Python package %s is not installed" % (error.name or error))
    seconds = build(engine, rows, job["build_seconds_max"])
    after = resident()
    ef, tried = choose(engine, job, rows, tuning) if engine.tune else (0, [])
    say("searching")
    k, radius, listed = min(job["k"], len(rows)), job["radius"], min(job["list"], len(rows))
    nearest_1 = ask(probes, lambda probe: engine.nearest(probe, 1))
    nearest_k = ask(probes, lambda probe: engine.nearest(probe, k))
    if engine.tune and ef < listed:
        engine.tune(listed)  # a graph cannot return more than it looks at
    within = ask(probes, lambda probe: engine.within(probe, radius, listed))
    return {
        "version": engine.version,
        "parameters": engine.parameters(ef),
        "build_seconds": seconds,
        "memory_bytes": after - before if before and after else None,
        "tuning": tried,
        "nearest_1": nearest_1,
        "nearest_k": nearest_k,
        "within": within,
    }


def main():
    with open(sys.argv[1]) as file:
        job = json.load(file)
    try:
        result = measure(job)
    except LeftOut as reason:
        result = {"left_out": str(reason)}
    json.dump(result, sys.stdout)


if __name__ == "__main__":
    main()
