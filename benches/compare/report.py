"""What do the rounds say, as ratios with their ranges?"""

from statistics import median

STEAL_MAX = 0.05
DRIFT_MAX = 0.25
QUEUE_MAX = 1.5
NAMES = {"probe": "raw write", "write": "raw write without its queue", "frazil": "Frazil",
         "null": "null broker", "kafka-fsync": "Kafka, flush.messages=1", "kafka": "Kafka, default"}
SHORT = "none"

# (what, numerator, denominator, latency, goal): latencies of single runs of one round.
F1_RATIOS = {
    2000: [
        ("Frazil ÷ raw write", "frazil", "probe", "p50", "≤ 1.5"),
        ("Frazil ÷ raw write", "frazil", "probe", "p99", "≤ 1.5"),
        ("Frazil ÷ raw write", "frazil", "probe", "p999", ""),
        ("Frazil ÷ raw write without its queue", "frazil", "write", "p50", ""),
        ("Frazil ÷ raw write without its queue", "frazil", "write", "p99", ""),
        ("Kafka flush.messages=1 ÷ Frazil", "kafka-fsync", "frazil", "p50", ""),
        ("Kafka default ÷ Frazil", "kafka", "frazil", "p50", ""),
        ("Kafka default ÷ Frazil", "kafka", "frazil", "p999", ""),
    ],
    200: [
        ("Frazil ÷ raw write", "frazil", "probe", "p50", ""),
        ("Frazil ÷ raw write", "frazil", "probe", "p99", ""),
        ("Kafka flush.messages=1 ÷ Frazil", "kafka-fsync", "frazil", "p50", "≥ 4"),
        ("Kafka flush.messages=1 ÷ Frazil", "kafka-fsync", "frazil", "p99", ""),
        ("Kafka default ÷ Frazil", "kafka", "frazil", "p50", ""),
    ],
}
# (what, numerator, denominator, goal): acked batches per broker CPU-second.
F4_RATIOS = [
    ("Frazil ÷ Kafka flush.messages=1, 256 partitions", "frazil-256", "kafka-fsync-256", "≥ 20"),
    ("Frazil ÷ Kafka default, 256 partitions", "frazil-256", "kafka-256", "≥ 2"),
    ("null broker ÷ Frazil, 256 partitions", "null-256", "frazil-256", ""),
    ("cost of 256 ÷ 16 partitions, Frazil", "frazil-16", "frazil-256", "≤ 1.3"),
    ("cost of 256 ÷ 16 partitions, Kafka flush.messages=1", "kafka-fsync-16", "kafka-fsync-256", ""),
    ("cost of 256 ÷ 16 partitions, Kafka default", "kafka-16", "kafka-256", ""),
]
# (what, numerator, denominator, goal): processor seconds of the broker per GiB.
F3_RATIOS = [
    ("Frazil ÷ null broker", "frazil", "null", "≤ 1.5"),
    ("Frazil ÷ Kafka default", "frazil", "kafka", "≤ 0.30"),
    ("Frazil ÷ Kafka flush.messages=1", "frazil", "kafka-fsync", ""),
]


class Round:
    """The runs of one round by name, the probes before and after it, and whether it can be believed."""

    def __init__(self, number, probes, runs, steal):
        self.number, self.probes, self.runs, self.steal = number, probes, runs, steal

    @property
    def drift(self):
        before, after = (probe["latency_us"]["p50"] for probe in self.probes)
        return max(before, after) / min(before, after) - 1

    @property
    def queue(self):
        """How many times longer a raw write takes for those that it had to wait for, at the median."""
        return self.latency("probe", "p50") / self.latency("write", "p50")

    def latency(self, name, figure):
        if name in ("probe", "write"):
            field = "latency_us" if name == "probe" else "write_us"
            return sum(probe[field][figure] for probe in self.probes) / len(self.probes)
        found = self.runs[name]["latency_us"]
        return found[figure] if found else None

    def per_cpu_s(self, name):
        return self.runs[name]["acked_batches_per_broker_cpu_s"]

    def cpu_s_per_gib(self, name):
        run = self.runs[name]
        return run["broker_cpu_s"] / (run["acked_batches"] * run["request_bytes"] / 2**30)

    def objections(self):
        found = []
        if self.steal > STEAL_MAX:
            found.append(f"{self.steal:.0%} of the processors were stolen")
        if self.drift > DRIFT_MAX:
            found.append(f"the probe drifted by {self.drift:.0%}")
        if self.queue > QUEUE_MAX:
            found.append(f"raw writes cannot hold the rate: with their queue they take {self.queue:.1f} times as long")
        failed = [name for name, run in self.runs.items() if run["failed"]]
        if failed:
            found.append(f"refused requests: {', '.join(failed)}")
        return found


def accepted(rounds):
    return [one for one in rounds if not one.objections()]


def spread(values, form="{:.2f}"):
    """Median and range; a figure that is missing in any round is missing."""
    if not values or None in values:
        return SHORT
    low, high = form.format(min(values)), form.format(max(values))
    return f"{form.format(median(values))} ({low} .. {high})"


def divided(over, under):
    return [a / b if a is not None and b else None for a, b in zip(over, under)]


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return lines + ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]


def rounds_table(rounds):
    rows = [(one.number, f"{one.drift:.0%}", f"{one.steal:.1%}", "; ".join(one.objections()) or "counts")
            for one in rounds]
    return table(["round", "probe drift", "steal", "verdict"], rows)


def f1(rate, rounds):
    good = accepted(rounds)
    lines = [f"## F1: {rate} single records per second over 16 partitions, acks=all, open loop", ""]
    lines.append(f"{len(good)} of {len(rounds)} rounds count.")
    rows = []
    for what, over, under, figure, goal in F1_RATIOS[rate]:
        ratio = divided([one.latency(over, figure) for one in good], [one.latency(under, figure) for one in good])
        rows.append((what, figure.replace("p999", "p99.9"), spread(ratio), goal))
    lines += ["", *table(["ratio of latencies", "at", "median (min .. max)", "goal"], rows), ""]
    rows = []
    for name in ("probe", "write", "frazil", "kafka-fsync", "kafka"):
        figures = ("p50", "p99", "p999", "max")
        cells = [spread([one.latency(name, figure) for one in good], "{:.0f}") for figure in figures]
        runs = [run for one in good for run in (one.probes if name in ("probe", "write") else [one.runs[name]])]
        rows.append((NAMES[name], *cells, sum(run["late"] for run in runs)))
    head = ["latency in microseconds", "p50", "p99", "p99.9", "max", "late"]
    lines += [*table(head, rows), "", *rounds_table(rounds), ""]
    return lines


def ratios(what, wanted, rounds, figure):
    """Of the rounds that count, and of all of them: where the disk drifts, processor seconds hardly do."""
    rows = []
    for name, over, under, goal in wanted:
        cells = [spread(divided([figure(one, over) for one in some], [figure(one, under) for one in some]))
                 for some in (accepted(rounds), rounds)]
        rows.append((name, *cells, goal))
    return table([f"ratio of {what}", "rounds that count", "all rounds", "goal"], rows)


def f3(rounds):
    lines = ["## F3: batches of 64 records of 1 KiB, lz4, 16 partitions, consumers reading along", ""]
    lines.append(f"{len(accepted(rounds))} of {len(rounds)} rounds count. A GiB is one of batches as they were sent.")
    lines += ["", *ratios("broker CPU-seconds per GiB", F3_RATIOS, rounds, Round.cpu_s_per_gib), ""]
    rows = []
    for name in ("null", "frazil", "kafka-fsync", "kafka"):
        spent = spread([one.cpu_s_per_gib(name) for one in rounds])
        read = spread([one.runs[name]["consumed_bytes"] / (one.runs[name]["acked_batches"]
                      * one.runs[name]["request_bytes"]) for one in rounds])
        rows.append((NAMES[name], spent, read, sum(one.runs[name]["late"] for one in rounds)))
    head = ["broker (all rounds)", "CPU-seconds per GiB", "consumed ÷ produced", "late"]
    return lines + [*table(head, rows), "", *rounds_table(rounds), ""]


def f7(idle):
    lines = ["## F7: fresh nodes without clients", ""]
    goals = {"frazil": "≤ 0.3 %, ≤ 48 MiB"}
    rows = [(NAMES[name], f"{share:.2%}", f"{mib:.0f}", goals.get(name, "")) for name, (share, mib) in idle.items()]
    return lines + [*table(["broker", "of one processor", "resident MiB", "goal"], rows), ""]


def f4(rounds):
    lines = ["## F4: one keyed record of 100 bytes per batch, 64 connections, acks=all, closed loop", ""]
    lines.append(f"{len(accepted(rounds))} of {len(rounds)} rounds count.")
    lines += ["", *ratios("acked batches per broker CPU-second", F4_RATIOS, rounds, Round.per_cpu_s), ""]
    rows = []
    for partitions in (256, 16):
        for name in ("frazil", "null", "kafka-fsync", "kafka"):
            label = f"{name}-{partitions}"
            per_cpu_s = spread([one.per_cpu_s(label) for one in rounds], "{:.0f}")
            per_s = spread([one.runs[label]["acked_batches_per_s"] for one in rounds], "{:.0f}")
            p99 = spread([one.latency(label, "p99") for one in rounds], "{:.0f}")
            rows.append((NAMES[name], partitions, per_cpu_s, per_s, p99))
    head = ["broker (all rounds)", "partitions", "batches per CPU-second", "batches per second", "p99 in microseconds"]
    lines += [*table(head, rows), "", *rounds_table(rounds), ""]
    return lines
