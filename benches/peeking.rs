// SPDX-License-Identifier: MPL-2.0
//! Simulates the judgement of two arms: false decisions with a look after every part, and how many labels a decision
//! takes. Prints shares of 10,000 runs (`-- RUNS` sets another number) with their 95 % intervals (Wilson).

use std::{
    collections::VecDeque,
    hint::black_box,
    thread,
    time::{Duration, Instant},
};

use andon_statistics::judgement::{Cell, Decision, Design, Judge, Limits, PROMOTE_SHARE, Plan, Ticket};

/// xorshift64*.
struct Random(u64);

impl Random {
    fn uniform(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn happens(&mut self, chance: f64) -> bool {
        self.uniform() < chance
    }
}

/// The chances of the arms' verdicts on good and on defective parts: only a stops the part, only b does, both do.
#[derive(Clone, Copy)]
struct World {
    defective: f64,
    good: [f64; 3],
    bad: [f64; 3],
}

impl World {
    /// Equal arms, which disagree about this share of the defective parts.
    const fn equal(discordant: f64) -> Self {
        let half = discordant / 2.0;
        Self { defective: 0.1, good: [0.02, 0.02, 0.01], bad: [half, half, 0.97 - discordant] }
    }

    /// Arms that err independently: the escapes of defective parts and the overkill of good ones, of a and of b.
    fn of(escapes: [f64; 2], overkill: [f64; 2]) -> Self {
        let both = |[a, b]: [f64; 2]| [a * (1.0 - b), (1.0 - a) * b, a * b];
        Self { defective: 0.1, good: both(overkill), bad: both(escapes.map(|e| 1.0 - e)) }
    }

    fn part(&self, random: &mut Random) -> (Cell, bool) {
        let defective = random.happens(self.defective);
        let [only_a, only_b, both] = if defective { self.bad } else { self.good };
        let u = random.uniform();
        let cell = if u < only_a {
            Cell::NgOk
        } else if u < only_a + only_b {
            Cell::OkNg
        } else if u < only_a + only_b + both {
            Cell::NgNg
        } else {
            Cell::OkOk
        };
        (cell, defective)
    }
}

/// Returns the cell of one arm from the cell of both.
fn alone(cell: Cell, b: bool) -> Cell {
    let stopped = cell == Cell::NgNg || cell == if b { Cell::OkNg } else { Cell::NgOk };
    match (b, stopped) {
        (false, false) => Cell::AOk,
        (false, true) => Cell::ANg,
        (true, false) => Cell::BOk,
        (true, true) => Cell::BNg,
    }
}

/// The end of a run: the decision, and the labels so far, of all parts, of defective and of discordant ones.
#[derive(Clone, Copy)]
struct End {
    decision: Decision,
    chosen: bool,
    labels: u64,
    defective: u64,
    discordant: u64,
    /// The forecast, at 1,000 labels, of how many are needed in all.
    forecast: Option<u64>,
}

/// One run, and its counts.
struct Run {
    judge: Judge,
    random: Random,
    end: End,
}

impl Run {
    fn label(&mut self, ticket: &Ticket, defective: bool) {
        self.judge.label(ticket, defective);
        self.end.labels += 1;
        self.end.defective += u64::from(defective);
        self.end.discordant += u64::from(matches!(ticket.cell(), Cell::OkNg | Cell::NgOk));
    }

    fn known(&mut self, design: Design, cell: Cell, defective: bool) {
        let ticket = self.judge.known(design, cell).expect("the cell is of the design");
        self.label(&ticket, defective);
    }

    fn is_over(&self) -> bool {
        self.judge.decision() != Decision::Hold || self.judge.is_chosen()
    }
}

/// Runs on every core; `step` takes one part, given its number.
fn simulate<S>(
    runs: u64,
    parts: u64,
    limits: Limits,
    new: fn() -> S,
    step: impl Fn(&mut Run, &mut S, u64) + Sync,
) -> Vec<End> {
    let cores = thread::available_parallelism().map_or(1, |n| n.get() as u64);
    let one = |i: u64| {
        let end =
            End { decision: Decision::Hold, chosen: false, labels: 0, defective: 0, discordant: 0, forecast: None };
        let random = Random((i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let mut run = Run { judge: Judge::new(limits).expect("the limits make sense"), random, end };
        let mut state = new();
        for part in 0..parts {
            step(&mut run, &mut state, part);
            if run.is_over() {
                break;
            }
        }
        End { decision: run.judge.decision(), chosen: run.judge.is_chosen(), ..run.end }
    };
    thread::scope(|scope| {
        let one = &one;
        let threads: Vec<_> = (0..cores)
            .map(|c| scope.spawn(move || (c..runs).step_by(cores as usize).map(one).collect::<Vec<_>>()))
            .collect();
        threads.into_iter().flat_map(|t| t.join().expect("a run panicked")).collect()
    })
}

/// A share of so many, in percent, with its 95 % interval.
fn share(k: usize, n: usize) -> String {
    let (k, n, z) = (k as f64, n as f64, 1.96);
    let (p, size) = (k / n, 1.0 + z * z / n);
    let half = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    let [low, high] = [-1.0, 1.0].map(|side| 100.0 * ((p + z * z / (2.0 * n) + side * half) / size).clamp(0.0, 1.0));
    format!("{:6.2} % ({low:.2} – {high:.2})", 100.0 * p)
}

fn quantile(values: impl Iterator<Item = u64>, q: f64) -> String {
    let mut values: Vec<_> = values.collect();
    values.sort_unstable();
    let at = ((values.len() as f64 * q) as usize).min(values.len().saturating_sub(1));
    values.get(at).map_or("–".into(), u64::to_string)
}

fn decided(name: &str, ends: &[End]) {
    let count = |decision| ends.iter().filter(|e| e.decision == decision).count();
    let chosen = ends.iter().filter(|e| e.chosen).count();
    println!(
        "{name:<62} promote {:<24} abort {:<24} labels seen to be chosen {}",
        share(count(Decision::Promote), ends.len()),
        share(count(Decision::Abort), ends.len()),
        share(chosen, ends.len())
    );
}

/// How many labels until promote, of the runs that got there.
fn delays(name: &str, ends: &[End]) {
    let promoted: Vec<_> = ends.iter().filter(|e| e.decision == Decision::Promote).collect();
    let of = |what: fn(&End) -> u64, q| quantile(promoted.iter().map(|e| what(e)), q);
    println!(
        "{name:<62} promote {:<24} labels: median {:>6}, 90 % {:>6}; defective: median {:>5}, 90 % {:>5}",
        share(promoted.len(), ends.len()),
        of(|e| e.labels, 0.5),
        of(|e| e.labels, 0.9),
        of(|e| e.defective, 0.5),
        of(|e| e.defective, 0.9)
    );
}

fn paired(world: World) -> impl Fn(&mut Run, &mut (), u64) + Sync {
    move |run, (), _| {
        let (cell, defective) = world.part(&mut run.random);
        run.known(Design::Paired, cell, defective);
    }
}

/// Every part to one arm; b's share by the part's number.
fn split(world: World, weight: fn(u64) -> f64) -> impl Fn(&mut Run, &mut (), u64) + Sync {
    move |run, (), part| {
        let weight = weight(part);
        let (cell, defective) = world.part(&mut run.random);
        let b = run.random.happens(weight);
        if weight < 1.0 {
            run.known(Design::Split { weight }, alone(cell, b), defective);
        }
    }
}

fn ramp(part: u64) -> f64 {
    [0.01, 0.05, 0.25, 1.0][(part / 1000).min(3) as usize]
}

/// Parts are drawn and proposed; of these `answers` says which are labelled, a hundred proposals later.
fn asked(
    plan: Plan,
    world: impl Fn(u64) -> World + Sync,
    answers: impl Fn(Cell, bool) -> bool + Sync,
) -> impl Fn(&mut Run, &mut VecDeque<(Ticket, bool)>, u64) + Sync {
    move |run, waiting, part| {
        let (cell, defective) = world(part).part(&mut run.random);
        if run.random.happens(plan.rate(cell)) {
            let ticket = run.judge.ask(Design::Paired, plan, cell).expect("the cell is of the design");
            waiting.push_back((ticket, defective));
        }
        if waiting.len() > 100
            && let Some((ticket, defective)) = waiting.pop_front()
            && answers(ticket.cell(), defective)
        {
            run.label(&ticket, defective);
        }
    }
}

fn false_decisions(runs: u64) {
    let limits = Limits::default();
    let even = Limits { escape_cost: 1.0, ..limits };
    println!("\nEqual arms, a look after every part; alpha {} in all:", limits.alpha);
    let equal = World::equal(0.1);
    decided("truth of 4,000 parts, costs 10:1", &simulate(runs, 4000, limits, || (), paired(equal)));
    decided("truth of 4,000 parts, costs 1:1", &simulate(runs, 4000, even, || (), paired(equal)));
    let exactly = World { bad: [0.03, 0.02, 0.90], good: [0.04, 0.0, 0.01], ..equal };
    decided(
        "b saves, and lets exactly 1 % more through (costs 1:1, 12,000)",
        &simulate(runs, 12_000, even, || (), paired(exactly)),
    );
    let frames = |part_by_part: bool| {
        move |run: &mut Run, (): &mut (), _: u64| {
            let (cell, defective) = World::equal(0.1).part(&mut run.random);
            // Ten frames of a part say the same, but for one in a hundred of an arm.
            let [mut ng_a, mut ng_b] = [false; 2];
            for _ in 0..10 {
                let flips = [0.01; 2].map(|chance| run.random.happens(chance));
                let a = matches!(cell, Cell::NgOk | Cell::NgNg) ^ flips[0];
                let b = matches!(cell, Cell::OkNg | Cell::NgNg) ^ flips[1];
                if !part_by_part {
                    run.known(Design::Paired, Cell::ALL[2 * usize::from(a) + usize::from(b)], defective);
                }
                ng_a |= a;
                ng_b |= b;
            }
            if part_by_part {
                run.known(Design::Paired, Cell::ALL[2 * usize::from(ng_a) + usize::from(ng_b)], defective);
            }
        }
    };
    decided("ten frames a part, one observation a part, 1,000 parts", &simulate(runs, 1000, even, || (), frames(true)));
    decided("  the wrong way: every frame an observation", &simulate(runs, 1000, even, || (), frames(false)));
    let plan = Plan { disagree: 1.0, both_ok: 0.05, both_ng: 0.2 };
    let all = |_: Cell, _: bool| true;
    decided(
        "drawn at 1 / 0.05 / 0.2, 20,000 parts, costs 10:1",
        &simulate(runs, 20_000, limits, VecDeque::new, asked(plan, |_| equal, all)),
    );
    let pinholes = move |part: u64| if part < 5000 { equal } else { World { defective: 0.3, ..equal } };
    decided(
        "  the same, defects begin after 5,000 of 10,000 parts",
        &simulate(runs, 10_000, limits, VecDeque::new, asked(plan, pinholes, all)),
    );
    decided("split at 0.1, 10,000 parts, costs 10:1", &simulate(runs, 10_000, limits, || (), split(equal, |_| 0.1)));
    decided("split at 0.1, 10,000 parts, costs 1:1", &simulate(runs, 10_000, even, || (), split(equal, |_| 0.1)));
    decided(
        "ramp 0.01, 0.05, 0.25, 1,000 parts each, costs 1:1",
        &simulate(runs, 3000, even, || (), split(equal, ramp)),
    );

    println!("\nEqual arms, labels of the reject bin (what a stopped) alone, 6,000 parts:");
    let shown = move |run: &mut Run, (): &mut (), _: u64| {
        let (cell, defective) = equal.part(&mut run.random);
        if matches!(cell, Cell::NgOk | Cell::NgNg) {
            run.judge.show(cell, defective);
        }
    };
    decided("as they are: shown", &simulate(runs, 6000, even, || (), shown));
    let bin = |cell: Cell, _: bool| matches!(cell, Cell::NgOk | Cell::NgNg);
    for (name, limits) in [("called a sample, costs 10:1", limits), ("called a sample, costs 1:1", even)] {
        decided(name, &simulate(runs, 6000, limits, VecDeque::new, asked(plan, move |_| equal, bin)));
    }
    let half = |cell: Cell, _: bool| cell != Cell::OkNg;
    decided(
        "all but what only b stopped, called a sample",
        &simulate(runs, 6000, even, VecDeque::new, asked(plan, move |_| equal, half)),
    );
    let unseen = move |run: &mut Run, (): &mut (), _: u64| {
        let (cell, defective) = equal.part(&mut run.random);
        if matches!(cell, Cell::NgOk | Cell::NgNg) {
            run.known(Design::Paired, cell, defective);
        }
    };
    decided("  declared as the truth of every part, which nothing checks", &simulate(runs, 6000, even, || (), unseen));

    println!("\nb with half the overkill and twice the escapes, 12,000 parts:");
    for (name, escapes) in [("escapes 4 % and 8 %", [0.04, 0.08]), ("escapes 2 % and 4 %", [0.02, 0.04])] {
        let worse = World::of(escapes, [0.1, 0.05]);
        decided(&format!("{name}, costs 10:1"), &simulate(runs, 12_000, limits, || (), paired(worse)));
        decided(&format!("{name}, costs 1:1"), &simulate(runs, 12_000, even, || (), paired(worse)));
    }

    println!("\nb lets half as many escape and stops half of what is good, as before a 7th of it, 4,000 parts:");
    let greedy = World::of([0.4, 0.02], [0.15, 0.5]);
    decided("may stop 5 % more, costs 10:1", &simulate(runs, 4000, limits, || (), paired(greedy)));
    let any = Limits { max_overkill_increase: 1.0, ..limits };
    decided("may stop any, costs 10:1", &simulate(runs, 4000, any, || (), paired(greedy)));
}

fn power(runs: u64) {
    // One claim at a time: overkill is no question where the savings are.
    let limits = Limits { escape_cost: 1.0, max_overkill_increase: 1.0, ..Limits::default() };
    println!("\nDiscordant good parts until b is shown to save, with p in its favour (median, 90 %):");
    for p in [0.6, 0.7, 0.8] {
        // A hundred defective parts at once, about which both arms are right: the escapes are no question.
        let step = move |run: &mut Run, (): &mut (), part: u64| {
            if part == 0 {
                for _ in 0..600 {
                    run.known(Design::Paired, Cell::NgNg, true);
                }
            }
            let cell = if run.random.happens(p) { Cell::NgOk } else { Cell::OkNg };
            run.known(Design::Paired, cell, false);
        };
        let ends = simulate(runs, 20_000, limits, || (), step);
        let two_sided: Vec<_> =
            (0..runs).map(|i| beta_mixture(p, &mut Random((i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1))).collect();
        let discordant = || ends.iter().filter(|e| e.decision == Decision::Promote).map(|e| e.discordant);
        println!(
            "p = {p}: {} {}; the two-sided Beta(1,1) mixture at 0.05: {} {}; promoted {}",
            quantile(discordant(), 0.5),
            quantile(discordant(), 0.9),
            quantile(two_sided.iter().copied(), 0.5),
            quantile(two_sided.iter().copied(), 0.9),
            share(discordant().count(), ends.len())
        );
    }

    println!("\nDefective labels until b is shown to keep the margin of 1 %, equal escapes (median, 90 %):");
    for (discordant, alpha) in [(0.02, 0.05), (0.02, 0.05 / PROMOTE_SHARE), (0.0, 0.05), (0.01, 0.05), (0.05, 0.05)] {
        let limits = Limits { alpha, ..limits };
        let step = move |run: &mut Run, (): &mut (), part: u64| {
            if part == 0 {
                // b saves for certain: the cost is no question.
                for _ in 0..3000 {
                    run.known(Design::Paired, Cell::NgOk, false);
                }
            }
            let u = run.random.uniform();
            let cell = match u {
                u if u < discordant / 2.0 => Cell::NgOk,
                u if u < discordant => Cell::OkNg,
                _ => Cell::NgNg,
            };
            run.known(Design::Paired, cell, true);
        };
        let ends = simulate(runs, 40_000, limits, || (), step);
        let defective = || ends.iter().filter(|e| e.decision == Decision::Promote).map(|e| e.defective);
        println!(
            "discordant {:>4} %, the test's share of alpha {:.3}: {} {}; promoted {}",
            100.0 * discordant,
            alpha * PROMOTE_SHARE,
            quantile(defective(), 0.5),
            quantile(defective(), 0.9),
            share(defective().count(), ends.len())
        );
    }

    let few = (runs / 10).max(100);
    println!("\nLabels until promote, {few} runs of at most 40,000 parts, costs 10:1 unless stated:");
    let better = World::of([0.08, 0.04], [0.04, 0.02]);
    let default = Limits::default();
    delays("b halves escapes and overkill, paired", &simulate(few, 40_000, default, || (), paired(better)));
    let plan = Plan { disagree: 1.0, both_ok: 0.05, both_ng: 0.2 };
    let drawn = asked(plan, move |_| better, |_, _| true);
    forecasts(few, better);
    delays("  drawn at 1 / 0.05 / 0.2", &simulate(few, 40_000, default, VecDeque::new, drawn));
    delays("  split at 0.5", &simulate(few, 40_000, default, || (), split(better, |_| 0.5)));
    delays("  split at 0.1", &simulate(few, 40_000, default, || (), split(better, |_| 0.1)));
    let slow_ramp = |part: u64| [0.01, 0.05, 0.25, 0.5][(part / 2000).min(3) as usize];
    delays(
        "  ramp 0.01, 0.05, 0.25, 0.5, 2,000 parts each",
        &simulate(few, 40_000, default, || (), split(better, slow_ramp)),
    );
    let thrifty = World { bad: [0.01, 0.01, 0.95], good: [0.03, 0.01, 0.01], ..better };
    delays("b halves overkill, equal escapes, paired", &simulate(few, 40_000, default, || (), paired(thrifty)));
    delays("  costs 1:1", &simulate(few, 40_000, limits, || (), paired(thrifty)));
}

/// Prints the forecast at 1,000 labels over the number of labels that it took.
fn forecasts(runs: u64, world: World) {
    let step = move |run: &mut Run, (): &mut (), _: u64| {
        let (cell, defective) = world.part(&mut run.random);
        run.known(Design::Paired, cell, defective);
        if run.end.labels == 1000 {
            run.end.forecast = run.judge.report().labels.needed.map(|needed| 1000 + needed);
        }
    };
    let ends = simulate(runs, 40_000, Limits::default(), || (), step);
    let later: Vec<_> = ends.iter().filter(|e| e.decision == Decision::Promote && e.labels > 1000).collect();
    let forecasts = || later.iter().filter_map(|e| Some(1000 * e.forecast? / e.labels));
    let [low, middle, high] =
        [0.1, 0.5, 0.9].map(|q| quantile(forecasts(), q).parse::<f64>().unwrap_or(f64::NAN) / 1000.0);
    println!(
        "  forecast at 1,000 labels over what it took: 10 / 50 / 90 % {low:.2} / {middle:.2} / {high:.2}; no forecast in {}",
        share(later.len() - forecasts().count(), later.len())
    );
}

/// Returns the discordant parts until 2ⁿ B(1+s, 1+n−s) reaches 20.
fn beta_mixture(p: f64, random: &mut Random) -> u64 {
    let (mut ln, mut wins) = (0.0, 0.0);
    for n in 0..20_000_u32 {
        let win = random.happens(p);
        let favoured = if win { wins } else { f64::from(n) - wins };
        ln += (2.0 * (favoured + 1.0) / (f64::from(n) + 2.0)).ln();
        wins += f64::from(u8::from(win));
        if ln >= 20f64.ln() {
            return u64::from(n) + 1;
        }
    }
    20_000
}

/// Prints the cost of a label and of a report, on one thread.
fn cost() {
    let mut judge = Judge::new(Limits::default()).expect("the limits make sense");
    let mut random = Random(7);
    let world = World::equal(0.1);
    let mut spent = Duration::ZERO;
    let labels = 100_000;
    for _ in 0..labels {
        let (cell, _) = world.part(&mut random);
        let ticket = judge.known(Design::Paired, cell).expect("the cell is of the design");
        let began = Instant::now();
        judge.label(black_box(&ticket), true);
        spent += began.elapsed();
    }
    let began = Instant::now();
    for _ in 0..20 {
        black_box(judge.report());
    }
    println!(
        "\nOne label (of a defective part): {:.2} µs; one judgement with its bounds, one plan: {:.1} ms",
        spent.as_secs_f64() * 1e6 / f64::from(labels),
        began.elapsed().as_secs_f64() * 1e3 / 20.0
    );
}

fn main() {
    let runs = std::env::args().find_map(|arg| arg.parse().ok()).unwrap_or(10_000);
    println!("{runs} runs");
    cost();
    false_decisions(runs);
    power(runs);
}
