// SPDX-License-Identifier: MPL-2.0
//! Simulates trials that are cut and go on in other processes: the process ends at random, the ledger is torn at a random
//! byte, labels come in later processes than their parts. Prints shares of 10,000 trials (`-- TRIALS` sets another number) with
//! their 95 % intervals (Wilson).
//!
//! ```sh
//! cargo bench -p andon-statistics --bench resumed
//! ```

use std::{sync::Arc, thread, time::Instant};

use andon_core::result::{Arm, ModelId, PartVerdict, Verdict};
use andon_statistics::{
    agreement::{Each, PairedPart},
    judgement::{Decision, Limits, Plan},
    trial::{Kept, Rules, Trial},
};

/// Parts of a trial.
const PARTS: u64 = 1500;
/// The plan of `andon ab` on a line with few labels.
const PLAN: Plan = Plan { disagree: 1.0, both_ok: 0.1, both_ng: 0.2 };

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

    fn below(&mut self, n: usize) -> usize {
        (self.uniform() * n as f64) as usize
    }
}

/// The chances that a and b stop a good part, and a defective one; the arms err independently.
#[derive(Clone, Copy)]
struct World {
    name: &'static str,
    good: [f64; 2],
    bad: [f64; 2],
    /// What is right to decide; None: nothing.
    right: Option<Decision>,
}

const WORLDS: [World; 4] = [
    World { name: "equal arms", good: [0.04, 0.04], bad: [0.92, 0.92], right: None },
    World {
        name: "half the overkill, twice the escapes",
        good: [0.04, 0.02],
        bad: [0.96, 0.92],
        right: Some(Decision::Abort),
    },
    World {
        name: "a twentieth of the escapes, overkill 10 points more",
        good: [0.04, 0.14],
        bad: [0.60, 0.98],
        right: None,
    },
    World {
        name: "a tenth of the escapes, half the overkill",
        good: [0.04, 0.02],
        bad: [0.80, 0.98],
        right: Some(Decision::Promote),
    },
];

struct End {
    decision: Decision,
    labels: u64,
    runs: u64,
}

fn verdict(id: &str, arm: Arm, stopped: bool) -> PartVerdict {
    PartVerdict {
        schema: "andon.part-verdict/1".into(),
        id: id.into(),
        part: None,
        verdict: if stopped { Verdict::Ng } else { Verdict::Ok },
        views_seen: 1,
        views_judged: 1,
        score: 0.5,
        labels: Vec::new(),
        frames: [1; 2],
        arm,
        decides: true,
        element: "m".into(),
        model: Arc::default(),
        pts_ns: None,
        utc_ns: 0,
    }
}

fn rules() -> Rules {
    Rules { limits: Limits { escape_cost: 5.0, ..Limits::default() }, deadline_us: None, max_ng_difference: 0.5 }
}

/// One trial, which is cut `cuts` times on average.
fn trial(world: World, seed: u64, cuts: f64) -> End {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    for _ in 0..8 {
        random.uniform();
    }
    let models = Each {
        a: Arc::new(ModelId { version: "1".into(), ..ModelId::default() }),
        b: Arc::new(ModelId { version: "2".into(), ..ModelId::default() }),
    };
    let mut ledger: Vec<Kept> = Vec::new();
    // Parts that were asked about, with what they are: by RUN/ID, as a person writes them down.
    let mut open: Vec<(String, Verdict)> = Vec::new();
    let (mut part, mut runs, mut clock) = (0, 0, 1);
    loop {
        runs += 1;
        let run = format!("run{runs}");
        let mut trial = Trial::new(rules(), &run).expect("the limits make sense");
        trial.at(clock);
        trial.keep_for(&models);
        trial.replay(&ledger);
        let mut own = Kept { run: run.clone(), lines: Vec::new() };
        let mut count = 0;
        let cut = loop {
            clock += 1;
            trial.at(clock);
            if part < PARTS {
                (part, count) = (part + 1, count + 1);
                // As part-by makes them: ids that no other run has.
                let id = format!("{run}-{count}");
                let defective = random.happens(0.1);
                let chances = if defective { world.bad } else { world.good };
                let [a, b] = chances.map(|chance| random.happens(chance));
                let pair = PairedPart {
                    id: id.clone(),
                    told: true,
                    frame_id: part,
                    a: verdict(&id, Arm::A, a),
                    b: verdict(&id, Arm::B, b),
                    truth: None,
                };
                if trial.paired(pair, PLAN).is_some() {
                    open.push((format!("{run}/{id}"), if defective { Verdict::Ng } else { Verdict::Ok }));
                }
            }
            // Someone labels now and then, in any order.
            while !open.is_empty() && random.happens(if part < PARTS { 0.4 } else { 0.95 }) {
                let (id, truth) = open.swap_remove(random.below(open.len()));
                trial.label(&id, truth, "sample");
            }
            if trial.is_due() {
                trial.look();
            }
            own.lines.extend(trial.take_entries().iter().map(|e| serde_json::to_string(e).expect("it is plain data")));
            if trial.decision() != Decision::Hold || (part == PARTS && open.is_empty()) {
                return End { decision: trial.decision(), labels: trial.labels()[0], runs };
            }
            if random.happens(cuts / PARTS as f64) {
                break random.uniform();
            }
        };
        // Killed while it wrote: some of the last lines are gone, and one is torn.
        if cut < 0.7 {
            let torn = own.lines.len() - random.below(4.min(own.lines.len()));
            own.lines.truncate(torn);
            if let Some(last) = own.lines.last_mut() {
                let at = random.below(last.len());
                last.truncate(at);
            }
        }
        ledger.push(own);
    }
}

/// The 95 % interval of a share (Wilson).
fn wilson(k: u64, n: u64) -> [f64; 2] {
    let (z, n, p) = (1.96, n as f64, k as f64 / n as f64);
    let (middle, half) = (p + z * z / (2.0 * n), z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt());
    [middle - half, middle + half].map(|x| 100.0 * x / (1.0 + z * z / n))
}

fn main() {
    let trials = std::env::args().skip(1).find_map(|a| a.parse().ok()).unwrap_or(10_000_u64);
    println!("{trials} trials a row of at most {PARTS} parts; a look after every part; alpha 0.05\n");
    println!("| arms | cut | runs | promoted | aborted | wrong, 95 % interval | labels, median and 90 % |");
    println!("|---|---|---|---|---|---|---|");
    for world in WORLDS {
        for cuts in [0.0, 6.0] {
            let begun = Instant::now();
            let cores = thread::available_parallelism().map_or(1, usize::from) as u64;
            let ends: Vec<End> = thread::scope(|s| {
                let work = |core| {
                    s.spawn(move || {
                        (core..trials).step_by(cores as usize).map(|k| trial(world, k + 1, cuts)).collect::<Vec<_>>()
                    })
                };
                let all: Vec<_> = (0..cores).map(work).collect();
                all.into_iter().flat_map(|w| w.join().expect("a trial does not panic")).collect()
            });
            let of = |d| ends.iter().filter(|e| e.decision == d).count() as u64;
            let (promoted, aborted) = (of(Decision::Promote), of(Decision::Abort));
            let wrong =
                ends.iter().filter(|e| e.decision != Decision::Hold && Some(e.decision) != world.right).count() as u64;
            let mut labels: Vec<_> = ends.iter().filter(|e| e.decision != Decision::Hold).map(|e| e.labels).collect();
            labels.sort_unstable();
            let at = |q: f64| labels.get((q * labels.len() as f64) as usize).copied().unwrap_or(0);
            let percent = |n: u64| 100.0 * n as f64 / trials as f64;
            let [low, high] = wilson(wrong, trials);
            let runs = ends.iter().map(|e| e.runs).sum::<u64>() as f64 / trials as f64;
            println!(
                "| {} | {} | {runs:.1} | {:.2} % | {:.2} % | {:.2} % [{low:.2}, {high:.2}] | {} {} |",
                world.name,
                if cuts > 0.0 { "at random" } else { "never" },
                percent(promoted),
                percent(aborted),
                percent(wrong),
                at(0.5),
                at(0.9)
            );
            eprintln!("{:.1} s", begun.elapsed().as_secs_f64());
        }
    }
}
