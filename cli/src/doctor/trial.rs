// SPDX-License-Identifier: MPL-2.0
//! One provider and one model, tried in a process of its own: a driver that crashes or hangs takes nothing with it, and
//! loading is timed from a cold start.

use std::{
    collections::BTreeMap,
    fs,
    io::Read,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use andon_inference::{Engine, Error, Options};
use anyhow::{Context, Result, anyhow, bail};
use gst::prelude::*;
use gstandon::meta::message::json_of;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    app::init,
    play::{Listener, wait},
};

/// Longest that the pipeline may be silent, beside what the caller grants.
const LONGEST: gst::ClockTime = gst::ClockTime::from_seconds(3600);

/// What is to be tried.
pub struct Trial {
    /// What `model=` takes.
    pub model: PathBuf,
    /// Frames to judge.
    pub frames: u32,
    /// Threads of the engine; 0 for its default.
    pub threads: u32,
    /// Seconds.
    pub patience: u64,
    /// For temporary files.
    pub scratch: PathBuf,
}

/// What came of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Told {
    /// It runs.
    Ran(Ran),
    /// It does not, and why.
    Failed {
        /// With what to do.
        problem: String,
    },
}

/// How it runs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Ran {
    /// What the property `provider` reads.
    pub provider: String,
    /// Reading, checking, setting up and a first run.
    pub load_ms: f64,
    /// Time in `modelinfer`, pre- and post-processing included; none where no frame was judged.
    pub median_us: Option<u64>,
    /// Share of the time in the graph's nodes, by provider.
    pub shares: Vec<(String, f64)>,
    /// Why frames were not judged, where some were not.
    pub unjudged: Option<String>,
    /// `andon.inference/1` of every frame.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub outcomes: Vec<Value>,
}

impl Told {
    /// How it runs, if it does.
    pub fn ran(&self) -> Option<&Ran> {
        match self {
            Told::Ran(ran) => Some(ran),
            Told::Failed { .. } => None,
        }
    }
}

impl Trial {
    /// Tries one provider, in a process of its own.
    pub fn run(&self, provider: &str) -> Told {
        self.child(provider).unwrap_or_else(|e| Told::Failed { problem: format!("{e:#}") })
    }

    fn child(&self, provider: &str) -> Result<Told> {
        let program = std::env::current_exe().context("the program does not find itself")?;
        let mut child = Command::new(program)
            .arg("doctor")
            .arg(&self.model)
            .arg(format!("--trial={provider}"))
            .arg(format!("--frames={}", self.frames))
            .arg(format!("--threads={}", self.threads))
            .env("TMPDIR", &self.scratch)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("the program cannot be run again")?;
        let (mut out, mut err) = (child.stdout.take().context("no output")?, child.stderr.take().context("no output")?);
        let out = thread::spawn(move || read(&mut out));
        let err = thread::spawn(move || read(&mut err));
        let status = ended(&mut child, Duration::from_secs(self.patience));
        let (out, err) = (out.join().unwrap_or_default(), err.join().unwrap_or_default());
        let status = status?.with_context(|| format!("did not end within {} s: see --patience", self.patience))?;
        // A runtime may print on its own before the answer.
        match out.lines().rev().find(|l| l.starts_with('{')) {
            Some(answer) if status.success() => Ok(serde_json::from_str(answer)?),
            _ => bail!("ended with {status}: {}", err.lines().last().unwrap_or("it said nothing")),
        }
    }
}

fn read(from: &mut impl Read) -> String {
    let mut bytes = Vec::new();
    // What was read before an error is worth having.
    let _ = from.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Waits for the process; ends it when the time is over, and then answers none.
fn ended(child: &mut Child, patience: Duration) -> Result<Option<ExitStatus>> {
    let until = Instant::now() + patience;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= until {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// Tries one provider in this process.
pub fn here(model: &str, provider: &str, frames: u32, threads: u32) -> Told {
    tried(model, provider, frames, threads).map_or_else(|e| Told::Failed { problem: format!("{e:#}") }, Told::Ran)
}

fn tried(model: &str, provider: &str, frames: u32, threads: u32) -> Result<Ran> {
    init()?;
    andon_inference::runtime::info()?;
    let folder = Folder::new("profile")?;
    let options = Options {
        providers: provider.into(),
        strict: true,
        threads: threads as usize,
        profile: Some(folder.0.join("run")),
        ..Options::default()
    };
    let started = Instant::now();
    let engine = Engine::load(model, &options).map_err(|e| match e {
        // What is asked for, and for which model, stands beside it.
        Error::NoProvider { reasons, .. } => anyhow!("{}", reasons.trim_start_matches(&format!("{provider}: "))),
        other => other.into(),
    })?;
    let load_ms = started.elapsed().as_secs_f64() * 1e3;
    let provider_used = engine.provider().to_string();
    drop(engine);
    let shares = shares(&folder.0);
    let outcomes = judge(model, provider, frames, threads)?;
    let judged = |o: &&Value| o["status"] == "ok";
    let mut times: Vec<_> = outcomes.iter().filter(judged).filter_map(|o| o["latency_us"].as_u64()).collect();
    times.sort_unstable();
    let unjudged = outcomes.iter().find(|o| !judged(o)).map(|o| {
        let reason = o.get("reason").and_then(Value::as_str).map_or_else(String::new, |r| format!(": {r}"));
        format!("{}{reason}", o["status"].as_str().unwrap_or_default())
    });
    let median_us = times.get(times.len() / 2).copied();
    Ok(Ran { provider: provider_used, load_ms, median_us, shares, unjudged, outcomes })
}

/// What the element says of made-up boards, the same in every trial.
fn judge(model: &str, provider: &str, frames: u32, threads: u32) -> Result<Vec<Value>> {
    let source = gst::ElementFactory::make("defecttestsrc")
        .property("num-buffers", i32::try_from(frames)?)
        .property("defect-rate", 0.5)
        .build()?;
    let judge = gst::ElementFactory::make("modelinfer")
        .property("model", model)
        .property("execution-providers", provider)
        .property("threads", threads)
        .property("post-messages", true)
        .build()?;
    let sink = gst::ElementFactory::make("fakesink").build()?;
    let pipeline = gst::Pipeline::new();
    pipeline.add_many([&source, &judge, &sink])?;
    gst::Element::link_many([&source, &judge, &sink])?;
    // The element that made it fail says why on the bus.
    let _ = pipeline.set_state(gst::State::Playing);
    let mut results = Results(Vec::new());
    let end = wait(&pipeline, &mut results, LONGEST);
    pipeline.set_state(gst::State::Null)?;
    end.map(|()| results.0)
}

/// Collects the results that modelinfer posts.
struct Results(Vec<Value>);

impl Listener for Results {
    fn hear(&mut self, message: &gst::Message) -> Vec<String> {
        self.0.extend(json_of(message, "andon/inference"));
        Vec::new()
    }
}

/// Of the time that nodes took in what ONNX Runtime wrote of a run, each provider's share, the largest first.
fn shares(folder: &Path) -> Vec<(String, f64)> {
    let mut times: BTreeMap<String, f64> = BTreeMap::new();
    for file in fs::read_dir(folder).into_iter().flatten().flatten() {
        let text = fs::read_to_string(file.path()).unwrap_or_default();
        let events: Vec<Value> = serde_json::from_str(&text).unwrap_or_default();
        for event in events {
            if let (Some(provider), Some(us)) = (event["args"]["provider"].as_str(), event["dur"].as_f64()) {
                let name = provider.strip_suffix("ExecutionProvider").unwrap_or(provider).to_ascii_lowercase();
                // Below a microsecond the clock says 0.
                *times.entry(name).or_default() += us.max(0.5);
            }
        }
    }
    let whole: f64 = times.values().sum();
    let mut shares: Vec<_> = times.into_iter().map(|(name, us)| (name, us / whole)).collect();
    shares.sort_by(|a, b| b.1.total_cmp(&a.1));
    shares
}

/// A folder that is gone when this is dropped.
struct Folder(PathBuf);

impl Folder {
    fn new(what: &str) -> Result<Self> {
        let path = std::env::temp_dir().join(format!("andon-doctor-{}-{what}", std::process::id()));
        fs::create_dir_all(&path).with_context(|| format!("{} cannot be written", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A folder for temporary files is emptied anyway.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A graph of a few nodes that every provider takes, for machines without a model.
pub struct Tiny(Folder);

impl Tiny {
    const NAME: &str = "andon-doctor-tiny.onnx";

    /// Writes it.
    pub fn new() -> Result<Self> {
        let folder = Folder::new("tiny")?;
        fs::write(folder.0.join(Self::NAME), include_bytes!("tiny.onnx"))?;
        Ok(Self(folder))
    }

    /// A folder for what is written meanwhile; gone with this, whatever becomes of who writes there.
    pub fn folder(&self) -> PathBuf {
        self.0.0.clone()
    }

    /// Where it lies.
    pub fn path(&self) -> PathBuf {
        self.0.0.join(Self::NAME)
    }
}
