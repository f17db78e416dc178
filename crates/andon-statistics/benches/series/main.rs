// SPDX-License-Identifier: MPL-2.0
//! Plays recordings and made scenes into a meter at its defaults: how many frames it learns, how much it watches, how
//! often it raises an alarm though nothing changes — and, with `--changes`, which changes it finds, how soon, and by
//! which cause. Prints Markdown tables.
//!
//! ```text
//! scripts/drift-series /tmp/series RECORDING…
//! cargo bench -p andon-statistics --bench series -- [OPTION…] /tmp/series
//!
//!   FILE or FOLDER   YUV4MPEG2 files, each a series
//!   --made[=PART]    the made scenes, or those whose name has this part
//!   --seed N         another play of each made scene (default 1)
//!   --frames N       so many frames of each (default: a recording once, a made scene 20,000)
//!   --starts A,B     recordings begin with frame A, then again with frame B
//!   --loop           recordings begin anew at their end; without it they go back as they came
//!   --learn N        learn-frames
//!   --run-length N   expected-run-length
//!   --changes[=PART] puts changes in, or those whose name has this part
//!   --settle N       frames in ok, after learning, that come before a change (default 60)
//!   --within N       changed frames until a change counts as missed (default 900)
//!   --csv FOLDER     writes the features of every frame
//! ```

mod changes;
mod frame;
mod play;
mod table;

use std::{path::PathBuf, process::exit};

use andon_statistics::meter::Config;
use changes::{CHANGES, Changer, Kind};
use frame::{Again, Made, Recording, Source};
use play::Options;

/// What the command line asks for.
struct Asked {
    options: Options,
    changes: Option<String>,
    made: Option<String>,
    seed: u64,
    starts: Vec<u64>,
    again: Again,
    paths: Vec<String>,
}

fn refuse(what: &str) -> ! {
    eprintln!("{what}");
    exit(2)
}

fn asked() -> Asked {
    let config = Config::default();
    let options = Options { config, frames: None, most_learnt: 20_000, settle: 60, most_changed: 900, csv: None };
    let mut asked =
        Asked { options, changes: None, made: None, seed: 1, starts: vec![0], again: Again::Mirror, paths: Vec::new() };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let (key, part) = word.split_once('=').unwrap_or((&word, ""));
        let mut value = || words.next().unwrap_or_else(|| refuse(&format!("{key} needs a value")));
        fn number<T: std::str::FromStr>(text: &str) -> T {
            text.parse().unwrap_or_else(|_| refuse(&format!("{text} is no number")))
        }
        match key {
            "--made" => asked.made = Some(part.into()),
            "--changes" => asked.changes = Some(part.into()),
            "--seed" => asked.seed = number(&value()),
            "--frames" => asked.options.frames = Some(number(&value())),
            "--starts" => asked.starts = value().split(',').map(number).collect(),
            "--loop" => asked.again = Again::Loop,
            "--learn" => {
                (asked.options.config.learn_frames, asked.options.config.scene_frames) = (number(&value()), 0);
            }
            "--run-length" => asked.options.config.expected_run_length = number(&value()),
            "--settle" => asked.options.settle = number(&value()),
            "--within" => asked.options.most_changed = number(&value()),
            "--csv" => asked.options.csv = Some(PathBuf::from(value())),
            // What cargo gives to every bench.
            "--bench" => {}
            _ if key.starts_with("--") => {
                refuse(&format!("{key} is no option: the first lines of the source list them"))
            }
            _ => asked.paths.push(word),
        }
    }
    if let Some(folder) = &asked.options.csv {
        std::fs::create_dir_all(folder).unwrap_or_else(|e| refuse(&format!("{}: {e}", folder.display())));
    }
    asked
}

fn series(asked: &Asked) -> Vec<Box<dyn Source>> {
    let files = frame::files(&asked.paths).unwrap_or_else(|e| refuse(&e.to_string()));
    let mut all: Vec<Box<dyn Source>> = Vec::new();
    for file in &files {
        for start in &asked.starts {
            match Recording::open(file, *start, asked.again) {
                Ok(recording) => all.push(Box::new(recording)),
                Err(e) => eprintln!("left out: {e}"),
            }
        }
    }
    if let Some(part) = &asked.made {
        let chosen = andon_boards::scene::DESIGNS.iter().filter(|d| d.name.contains(part.as_str()));
        all.extend(chosen.map(|design| Box::new(Made::new(design, asked.seed)) as Box<dyn Source>));
    }
    all
}

fn main() {
    let asked = asked();
    let mut all = series(&asked);
    if all.is_empty() {
        println!("no series: name YUV4MPEG2 files made by scripts/drift-series, or --made");
        return;
    }
    let Some(part) = &asked.changes else {
        table::unchanged(all.iter_mut().map(|source| {
            let course = play::unchanged(source.as_mut(), &asked.options);
            (source.name().to_string(), source.rate(), course)
        }));
        return;
    };
    let chosen: Vec<_> = CHANGES.iter().filter(|c| c.name.contains(part.as_str())).collect();
    let mut table = table::Changes::new(&chosen);
    for i in 0..all.len() {
        // The next series is what another camera sees.
        all.rotate_left(usize::from(i > 0));
        let (first, others) = all.split_first_mut().expect("there is a series");
        for change in &chosen {
            let other = others.first_mut().filter(|_| change.kind == Kind::AnotherCamera);
            let mut changer = Changer::new(change.kind, other.map(|o| o.as_mut() as &mut dyn Source));
            let (size, grey) = first.shape();
            if !changer.fits(&frame::Frame::new(size, grey)) {
                continue;
            }
            let finding = play::changed(first.as_mut(), change, &mut changer, &asked.options);
            table.add(first.name(), first.rate(), change, finding);
        }
    }
    table.print();
}
