# SPDX-License-Identifier: Apache-2.0
"""Every policy: nanoseconds of a select and of an update at the sizes it is meant for (the table in
policy_bench.c), long runs with a million arms, a long plan, and durable decisions over HTTP."""

import dataclasses
import json

import bench_http
from bench import Row, case

# Goals of a select and an update together, in ns, by policy and size.
GOALS = {("groupwise", "regress, d = 96, 5 groups awake"): 1e9 / 20_000,
         ("tsallis_inf", "20 arms"): 1000}
# What a policy cannot do without, and what it is for: parameters, slots, and a decision's members.
NEEDS = {"cheb_cb": {"context": ["hour"], "params": {"ctx_hi": 24}},
         "tsallis_bins": {"context": ["hour"], "params": {"ctx_hi": 24}},
         "recovering": {"slots": 2},
         "tallying": {"params": {"memory_bound": 20}}}
GROUPS = {"groupwise": ["mobile", "night", "new", "north"]}


@case("ns per select and update, every policy at its natural sizes")
def sizes(bench):
    rows = []
    for row in bench.lines("policy_bench", "sizes"):
        name = f"{row['policy']}, {row['what']}"
        goal = GOALS.get((row["policy"], row["what"]))
        rows.append(Row(name + ": select", row["select_ns"], "ns"))
        rows.append(Row(name + ": update", row["update_ns"], "ns"))
        if goal:
            rows.append(Row(name + ": both", row["select_ns"] + row["update_ns"], "ns", goal, 1,
                            True))
        if row["plans"]:
            rows.append(Row(name + ": a plan", row["plan_ms"], "ms"))
    return rows


def long(bench, spec, arms, rounds):
    return bench.lines("policy_bench", "long", spec, str(arms), str(rounds))[0]


@case("ucb1: select and update, a million arms against a thousand")
def ucb1(bench):
    small = long(bench, "ucb1", 1000, 1_000_000)
    large = long(bench, "ucb1", 1_000_000, 2_000_000)
    return [Row("ucb1, 10^6 arms", large["ns"], "ns", small["ns"], 6, True),
            Row("ucb1, 10^6 arms, worst round", large["worst_us"] / 1000, "ms", 2, 1, True)]


@case("exp3_flad: select and update, a million arms against a thousand and against a scan")
def exp3_flad(bench):
    small = long(bench, "exp3_flad", 1000, 1_000_000)
    # Uniform, and so without a tree, for the first 13.8 million rounds.
    large = long(bench, "exp3_flad", 1_000_000, 15_000_000)
    return [Row("exp3_flad, 10^6 arms", large["ns"], "ns", small["ns"], 6, True),
            Row("exp3_flad, 10^6 arms, of a scan", large["ns"], "ns", large["scan_ns"], 0.002, True),
            Row("exp3_flad, 10^6 arms, worst round", large["worst_us"] / 1000, "ms", 2, 1, True)]


@case("recovering: a plan for 10,000 arms, d_max 32, slates of 50, and selects meanwhile")
def plan(bench):
    row = bench.lines("policy_bench", "plan")[0]
    return [Row("plan for 10,000 arms", row["seconds"], "s", 10, 1, True),
            Row("selects while it is made", row["beside_ns"], "ns", row["alone_ns"], 1.01, True),
            Row("its input, taken between decisions", row["input_ms"], "ms"),
            Row("its result, applied between decisions", row["apply_ms"], "ms")]


def warmed_up(server, groups):
    """A thousand decisions and their rewards: a policy that knows nothing has less to do, or more."""
    path = bench_http.EXPERIMENT
    for turn in range(10):
        asked = [{"id": f"warm-{turn}-{i}", "subject": f"u-{i % 17}", "context": {"hour": i % 24},
                  **groups} for i in range(100)]
        told = []
        for reply in server.send("POST", path + "/decisions", asked):
            arms = {a["arm"]: (sum(map(ord, reply["id"] + a["arm"])) % 10 < int(a["arm"][1:])) * 1
                    for a in reply["arms"]}
            if arms:
                told.append({"decision": reply["id"], "key": reply["id"]} |
                            ({"rewards": arms} if reply["policy"] == "recovering"
                             else {"reward": sum(arms.values())}))
        if told:
            server.send("POST", path + "/rewards", told)


@case("single durable decisions, 10 arms, 64 connections: every policy against the echo")
def served(bench):
    rows = []
    turns = dataclasses.replace(bench, seconds=bench.seconds / bench.rounds)  # many, so short ones
    with bench_http.daemon(bench, None) as d:
        names = [p["name"] for p in d.send("GET", "/v1/policies", None)["items"]]
    for name in names:
        needs = dict(NEEDS.get(name, {}))
        groups = {"groups": GROUPS[name]} if name in GROUPS else {}
        experiment = {"policy": {"name": name, "params": needs.pop("params", {})},
                      "arms": bench_http.UCB1["arms"], **needs}
        body = json.dumps({"subject": "u-17", "context": {"hour": 21}, **groups})
        with bench_http.both(bench, experiment) as (d, e):
            warmed_up(d, groups)
            rows.append(bench_http.against_echo(
                turns, f"{name}, decisions over HTTP", 0.65,
                lambda: bench_http.load(turns, d, arguments=["", body]),
                lambda: bench_http.load(turns, e, arguments=["", body])))
    return rows
