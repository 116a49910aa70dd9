"""``paxos simulate``."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from paxos.cli.options import JSON, Number
from paxos.testing.mutants import MUTANTS, mutated
from paxos.testing.simulation import (
    MOST_RUNS,
    Campaign,
    Outcome,
    Plan,
    Run,
    Setting,
    Simulation,
    run_campaign,
    run_seed,
    shrink,
    simulation_of,
)

LAST_LINES = 60
"""How much of the transcript of a failing seed is shown."""


def _seed_range(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> range | None:
    """Read seeds as ``FIRST:END``, the end not included."""
    if value is None:
        return None
    first, _, end = value.partition(":")
    if not (first.isdecimal() and end.isdecimal()) or int(first) >= int(end):
        raise click.BadParameter(f"{value!r} is no range of seeds such as 0:1000")
    return range(int(first), int(end))


@click.command()
@click.option(
    "--seeds",
    callback=_seed_range,
    metavar="FIRST:END",
    help="Run these seeds; END is not included.",
)
@click.option("--seed", type=click.IntRange(0), help="Run one seed.")
@click.option("--trace", is_flag=True, help="With --seed: print all that happens.")
@click.option(
    "--keep", help="With --seed: only these actions of its plan, by number, such as 0,3,4."
)
@click.option(
    "--mutant",
    metavar="NAME",
    help="Put this known bug into the nodes first, and stop when it is caught; 'list' lists them. "
    "Without --seeds or --seed, up to 2,000 seeds are run.",
)
@click.option(
    "--scheduler",
    metavar="ADDRESS",
    help="Run the seeds on the workers of this Dask scheduler, such as tcp://host:8786 "
    "(needs: pip install 'trio-paxos[campaign]').",
)
@click.option("--jobs", type=click.IntRange(1, 256), default=1, show_default=True)
@click.option(
    "--nodes",
    type=click.IntRange(1, 15),
    help="How many nodes; without it 3 in most seeds, and 4 or 5 in some.",
)
@click.option(
    "--duration",
    type=Number(0.1, 1000),
    default=4.0,
    show_default=True,
    help="Seconds of virtual time with faults, before a core is healed.",
)
@JSON
def simulate(
    seeds: range | None,
    seed: int | None,
    trace: bool,
    keep: str | None,
    mutant: str | None,
    scheduler: str | None,
    jobs: int,
    nodes: int | None,
    duration: float,
    as_json: bool,
) -> None:
    """Run simulated clusters with random faults, and check every invariant after every event.

    The same seed gives the same run, to the byte, on every machine. Exits 1 when an invariant did
    not hold; the failing seed is then shown with the shortest list of faults that still breaks it.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: no files are left
    if mutant == "list":
        click.echo(_mutants())
        return
    if mutant is not None and mutant not in MUTANTS:
        raise click.UsageError(f"no known bug is called {mutant!r}; see --mutant list")
    if mutant is not None and seeds is None and seed is None:
        seeds = range(2_000)
    setting = Setting(nodes=nodes, duration=duration, mutant=mutant or "")
    if (seeds is None) == (seed is None):
        raise click.UsageError("say either --seeds FIRST:END or --seed SEED")
    if seeds is not None:
        if trace or keep is not None:
            raise click.UsageError("--trace and --keep go with --seed")
        with _somewhere(scheduler) as run:
            sys.exit(_campaign(seeds, setting, jobs, run, as_json))
    assert seed is not None
    if scheduler is not None:
        raise click.UsageError("--scheduler goes with --seeds")
    with mutated(mutant) if mutant else nullcontext():
        sys.exit(_one(seed, setting, trace, keep, as_json))


def _mutants() -> str:
    """Return a line for each known bug."""
    width = max(map(len, MUTANTS))
    return "\n".join(f"{name:<{width}}  {bug.breaks}" for name, bug in MUTANTS.items())


@contextmanager
def _somewhere(scheduler: str | None) -> Iterator[Run | None]:
    """Return what runs seeds on Dask, if that is wanted; say what is wrong if it fails."""
    if scheduler is None:
        yield None
        return
    try:
        from paxos.testing.simulation.on_dask import run_on_dask
    except ImportError as error:
        raise click.ClickException(
            f"--scheduler needs Dask ({error}): pip install 'trio-paxos[campaign]'"
        ) from None
    try:
        yield partial(run_on_dask, scheduler=scheduler)
    except (OSError, ValueError) as error:
        raise click.ClickException(f"the Dask scheduler {scheduler}: {error}") from None


@contextmanager
def _progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show on a terminal how many of the runs are done; return what hears of some more."""
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        yield partial(progress.advance, progress.add_task(what, total=total))


def _campaign(seeds: range, setting: Setting, jobs: int, run: Run | None, as_json: bool) -> int:
    with _progress("seeds", len(seeds)) as advance:
        campaign = run_campaign(seeds, setting, jobs, advance, run)
    if as_json:
        click.echo(json.dumps(_describe(campaign)))
    else:
        _show(campaign)
    if campaign.violations:
        _explain(campaign.violations[0].seed, setting)
    if campaign.missing:
        click.echo(f"never injected: {', '.join(campaign.missing)}", err=True)
    return 1 if campaign.violations or campaign.missing else 0


def _describe(campaign: Campaign) -> dict[str, object]:
    return {
        "seeds": campaign.seeds,
        "violations": [
            {"seed": outcome.seed, "violation": outcome.violation}
            for outcome in campaign.violations
        ],
        "events": campaign.events,
        "events_per_second": round(campaign.events / campaign.seconds),
        "faults": dict(sorted(campaign.faults.items())),
        "trace_sha256": campaign.trace_sha256,
    }


def _show(campaign: Campaign) -> None:
    table = Table("fault", "injected", title="faults")
    table.columns[1].justify = "right"
    for fault, count in sorted(campaign.faults.items()):
        table.add_row(fault, f"{count:,}")
    Console(highlight=False).print(table)
    for outcome in campaign.violations:
        click.echo(f"seed {outcome.seed}: {outcome.violation}")
    seconds = campaign.seconds
    click.echo(
        f"{campaign.seeds:,} seeds, {campaign.events:,} events, {campaign.answered:,} operations; "
        f"{campaign.seeds / seconds:,.1f} seeds/s, {campaign.events / seconds:,.0f} events/s; "
        f"{len(campaign.violations)} violations"
    )


def _explain(seed: int, setting: Setting) -> None:
    """Print on standard error how to see the failure again, with as few faults as possible."""
    whole = simulation_of(seed, setting).plan
    with _progress(f"runs to find the fewest faults for seed {seed}", MOST_RUNS) as advance:

        def run(plan: Plan) -> Outcome:
            advance(1)
            return run_seed(seed, setting, plan)

        plan = shrink(whole, run)
    simulation = simulation_of(seed, setting, plan, keep_trace=True)
    with mutated(setting.mutant) if setting.mutant else nullcontext():
        simulation.run()
    numbers = ",".join(str(whole.index(action)) for action in plan)
    click.echo(f"\nseed {seed} still fails with {len(plan)} of {len(whole)} actions:", err=True)
    for action in plan:
        click.echo(f"  {action}", err=True)
    click.echo(f"\nthe last of what then happens:\n{_last(simulation)}", err=True)
    mutant = f" --mutant {setting.mutant}" if setting.mutant else ""
    nodes = f" --nodes {setting.nodes}" if setting.nodes else ""
    click.echo(
        f"to see all of it:\n  paxos simulate --seed {seed}{nodes} "
        f"--duration {setting.duration:g}{mutant} --keep '{numbers}' --trace",
        err=True,
    )


def _last(simulation: Simulation) -> str:
    return "".join((simulation.world.lines or [])[-LAST_LINES:])


def _one(seed: int, setting: Setting, trace: bool, keep: str | None, as_json: bool) -> int:
    plan = simulation_of(seed, setting).plan
    if keep is not None:
        try:
            plan = tuple(plan[int(number)] for number in keep.split(",") if number)
        except (ValueError, IndexError):
            raise click.UsageError(
                f"--keep {keep!r}: say numbers from 0 to {len(plan) - 1}, such as 0,3,4"
            ) from None
    simulation = simulation_of(seed, setting, plan, keep_trace=True)
    campaign = Campaign(setting)
    outcome = simulation.run()
    campaign.add(outcome)
    if trace:
        click.echo("".join(simulation.world.lines or []), nl=False, err=as_json)
    elif outcome.violation:
        click.echo(_last(simulation), err=True)
    if as_json:
        campaign.seconds = 1e-9 + simulation.world.now
        click.echo(json.dumps(_describe(campaign) | {"events_per_second": None}))
    else:
        click.echo(outcome.violation or f"seed {seed}: every invariant holds")
    return 1 if outcome.violation else 0
