// SPDX-License-Identifier: MPL-2.0
//! Opens a session of ONNX Runtime: chooses the execution provider that runs it, and sets it up.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use andon_model::Source;
use ort::{
    logging::LogLevel,
    session::{
        Session,
        builder::{GraphOptimizationLevel, SessionBuilder},
    },
};

use crate::{
    Error, Options, advice, denormals,
    panic::{Panic, catch_panic},
    pool,
    providers::{self, Provider, ProviderError, Requested},
    runtime,
};

/// A session, and how it was opened.
pub(super) struct Opened {
    /// The session.
    pub session: Session,
    /// The execution provider that runs it.
    pub provider: Arc<str>,
    /// The providers that were preferred to it, each with the reason why it was passed over.
    pub fallbacks: Vec<String>,
    /// How many threads the session lacks, because the system did not give them; 0 if it has all.
    pub lacking: usize,
}

/// Why a session cannot be opened on a provider.
#[derive(Debug, thiserror::Error)]
enum OpenError {
    #[error(transparent)]
    Panic(#[from] Panic),
    #[error(transparent)]
    Provider(#[from] ProviderError),
    #[error(transparent)]
    Runtime(#[from] ort::Error),
}

/// Opens a session of a model with the first of the requested providers that the runtime has, that accepts its options
/// and the model, and on which `make`, which runs the session once, succeeds. With [`Options::strict`] only the first
/// provider counts. Nodes of the graph that a provider does not know run on the CPU within the same session.
///
/// Opening takes up to minutes: never call it on a streaming thread.
pub(super) fn open<T>(
    source: &Source,
    options: &Options,
    mut make: impl FnMut(Opened) -> Result<T, Error>,
) -> Result<T, Error> {
    let requested = providers::requested(&options.providers)?;
    let load = |one: &Requested| catch_panic(|| session(source, options, one));
    first(&requested, options.strict, &source.path, load, |(session, lacking), one, mut fallbacks| {
        if lacking > 0 {
            fallbacks
                .push(format!("{one} on {} threads: the system gives too few, so that it runs on one", lacking + 1));
        }
        make(Opened { session, provider: one.provider.name().into(), fallbacks, lacking })
    })
}

/// Tries the requested providers in order until both `load` and `make` succeed. `make` receives the reasons why those
/// before were passed over.
fn first<S, T>(
    requested: &[Requested],
    strict: bool,
    path: &Path,
    load: impl Fn(&Requested) -> Result<S, OpenError>,
    mut make: impl FnMut(S, &Requested, Vec<String>) -> Result<T, Error>,
) -> Result<T, Error> {
    let requested = if strict { &requested[..1] } else { requested };
    let mut fallbacks = Vec::new();
    for one in requested {
        // The CPU runs every good model: what it refuses is the model's fault, not the provider's.
        let plain = one.provider == Provider::Cpu && one.options.is_empty();
        let session = match load(one) {
            Ok(session) => session,
            Err(problem) if plain => return Err(Error::Load { path: path.into(), problem: problem.to_string() }),
            Err(problem) => {
                fallbacks.push(format!("{one}: {}", providers::reason(&problem.to_string(), None)));
                continue;
            }
        };
        let problem = match make(session, one, fallbacks.clone()) {
            Err(Error::Run(problem)) => problem,
            Err(memory @ Error::OutOfMemory { .. }) => memory.to_string(),
            made => return made,
        };
        if plain {
            let advice = advice::on_running(&problem);
            return Err(Error::Graph { path: path.into(), problem: format!("it cannot run: {problem}: {advice}") });
        }
        fallbacks.push(format!("{one}: loads the model but cannot run it: {}", providers::reason(&problem, None)));
    }
    let advice = if strict {
        "fix that, or unset strict to try the next of execution-providers"
    } else {
        "fix one, or add cpu to execution-providers"
    };
    Err(Error::NoProvider { path: path.into(), reasons: fallbacks.join("; "), advice })
}

/// The session option that names the folder of weights outside the graph.
const WEIGHTS_FOLDER: &str = "session.model_external_initializers_file_folder_path";

/// A folder in which no file can be.
const NOWHERE: &str = "/dev/null/weights-come-from-memory";

/// The session option that names the format of the graph. Without it, ONNX Runtime takes bytes for a graph in its own format
/// which look like one, and nobody has gone through such a graph for the files that it names.
const FORMAT: [&str; 2] = ["session.load_model_format", "ONNX"];

/// Makes a session, and returns how many threads it lacks. Where the system refuses one of its threads, it has one in all: a
/// model that runs slower is better than none.
fn session(source: &Source, options: &Options, requested: &Requested) -> Result<(Session, usize), OpenError> {
    let wanted = if options.threads == 0 { runtime::cores() } else { sensible(options.threads) };
    let (made, refused) = session_on(source, options, requested, wanted)?;
    if made.is_err() && refused.load(Ordering::Acquire) {
        return Ok((session_on(source, options, requested, 1)?.0?, wanted - 1));
    }
    Ok((made?, 0))
}

/// Makes a session that runs on so many threads. Also returns whether the system refused one of them.
fn session_on(
    source: &Source,
    options: &Options,
    requested: &Requested,
    threads: usize,
) -> Result<(ort::Result<Session>, Arc<AtomicBool>), OpenError> {
    let (mut builder, refused) = builder(options, requested, threads)?;
    requested.register(&mut builder, sensible(options.threads))?;
    // ONNX Runtime opens no file: what it gets was read, and held to its digests, before. It copies what it keeps, so the
    // buffers go with the source.
    for weights in &source.weights {
        let bytes = weights.bytes.clone();
        builder = builder.with_external_initializer_file_in_memory(&weights.name, bytes).map_err(ort::Error::from)?;
    }
    for (key, value) in [(WEIGHTS_FOLDER, NOWHERE), (FORMAT[0], FORMAT[1])] {
        builder = builder.with_config_entry(key, value).map_err(ort::Error::from)?;
    }
    Ok((denormals::restored(|| builder.commit_from_memory(&source.bytes)), refused))
}

/// Returns no more threads than a few for each processor. Hundreds that wait for each other while they spin never end.
fn sensible(threads: usize) -> usize {
    const FOR_EACH_PROCESSOR: usize = 4;
    threads.min(FOR_EACH_PROCESSOR * std::thread::available_parallelism().map_or(1, |n| n.get()))
}

/// The options of a session that do not depend on the model.
fn builder(options: &Options, requested: &Requested, threads: usize) -> ort::Result<(SessionBuilder, Arc<AtomicBool>)> {
    let environment = runtime::environment().map_err(|e| ort::Error::new(e.to_string()))?;
    let (builder, refused) = pool::refusable(Session::builder(environment)?, threads)?;
    let mut builder = builder
        .with_optimization_level(GraphOptimizationLevel::All)?
        // Failures come back as errors; to print them, too, would be I/O on a streaming thread.
        .with_log_level(LogLevel::Fatal)?;
    if let Some(profile) = &options.profile {
        builder = builder.with_profiling(profile)?;
    }
    if requested.provider != Provider::Cpu {
        // The cores belong to the provider's own threads; those of ONNX Runtime run the nodes that it leaves over.
        builder = builder.with_intra_op_spinning(false)?;
    }
    Ok((builder, refused))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requested(providers: &[Provider]) -> Vec<Requested> {
        providers.iter().map(|provider| Requested { provider: *provider, options: Vec::new() }).collect()
    }

    /// The provider that runs the model if those in `broken` cannot, and why those before it were passed over.
    fn taken(broken: &[Provider], strict: bool) -> Result<(Provider, Vec<String>), String> {
        let all = requested(&[Provider::Cuda, Provider::OpenVino, Provider::Cpu]);
        first(
            &all,
            strict,
            Path::new("model.onnx"),
            |_| Ok(()),
            |(), one, fallbacks| {
                let lost = broken.contains(&one.provider);
                if lost { Err(Error::Run("the device was lost".into())) } else { Ok((one.provider, fallbacks)) }
            },
        )
        .map_err(|e| e.to_string())
    }

    #[test]
    fn a_provider_that_takes_the_model_and_cannot_run_it_is_passed_over() {
        let (provider, fallbacks) = taken(&[Provider::Cuda], false).unwrap();
        assert_eq!(provider, Provider::OpenVino);
        assert_eq!(fallbacks, ["cuda: loads the model but cannot run it: the device was lost"]);
        let refused = taken(&[Provider::Cuda], true).unwrap_err();
        assert!(refused.contains("cuda: loads the model") && refused.contains("unset strict"), "{refused}");
    }

    #[test]
    fn what_the_processor_cannot_run_is_the_models_fault() {
        let refused = taken(&[Provider::Cuda, Provider::OpenVino, Provider::Cpu], false).unwrap_err();
        assert!(refused.starts_with("model.onnx: it cannot run: the device was lost: "), "{refused}");
    }
}
