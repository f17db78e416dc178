// SPDX-License-Identifier: MPL-2.0
//! Plays the inputs that fuzzing kept (fuzz/corpus) through the readers that it fuzzes: what was found once stays mended. It is
//! no harness of its own tests, for the readers are taken as the fuzzer takes them.

#[path = "../../fuzz/src/lib.rs"]
#[allow(dead_code, unused_imports, reason = "the fuzzer uses each by its name; what is included brings its own tests")]
mod fuzz;

use std::{
    fs,
    panic::catch_unwind,
    path::Path,
    process::ExitCode,
    time::{Duration, Instant},
};

/// The longest that an input may take, unoptimised and on a busy machine.
const LONGEST: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    // Cargo asks every test for its list.
    if std::env::args().any(|argument| argument == "--list") {
        return ExitCode::SUCCESS;
    }
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
    let mut failed = Vec::new();
    let mut played = 0;
    for (name, target) in fuzz::TARGETS {
        let files = fs::read_dir(corpora.join(name)).into_iter().flatten().flatten().map(|entry| entry.path());
        let files: Vec<_> = files.filter(|path| path.is_file()).collect();
        if files.is_empty() {
            failed.push(format!("{name}: there is no input in fuzz/corpus/{name}"));
        }
        for file in files {
            let data = fs::read(&file).expect("a kept input can be read");
            let begun = Instant::now();
            let outcome = catch_unwind(|| target(&data));
            if outcome.is_err() || begun.elapsed() > LONGEST {
                failed.push(format!(
                    "{}: {:?} after {:?}",
                    file.display(),
                    outcome.err().map(|_| "panic"),
                    begun.elapsed()
                ));
            }
            played += 1;
        }
    }
    println!("{played} kept inputs of {} targets, {} failed", fuzz::TARGETS.len(), failed.len());
    for line in &failed {
        eprintln!("{line}");
    }
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
