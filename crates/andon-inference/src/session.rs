// SPDX-License-Identifier: MPL-2.0
//! A session of the engine: which provider runs it, and how it is set up.

use std::{path::Path, sync::Arc};

use andon_model::Source;
use ort::{
    logging::LogLevel,
    session::{
        Session,
        builder::{GraphOptimizationLevel, SessionBuilder},
    },
};

use super::{
    Error, Options,
    engine::catch_panic,
    pool,
    providers::{self, Provider, Requested},
    runtime,
};

/// A session, and what there is to say of how it came about.
pub(super) struct Opened {
    /// Ready to run.
    pub session: Session,
    /// The execution provider that runs it.
    pub provider: Arc<str>,
    /// Providers that were wanted before it, each with why it was not taken.
    pub fallbacks: Vec<String>,
}

/// Makes a session of a model with the first of the wanted providers that the runtime has, that can be set up with its
/// options, that takes the model, and on which `make`, which runs it once, does not fail to; with [`Options::strict`]
/// with the first of them or not at all. Nodes of the graph that a provider does not know run on the CPU within the same
/// session.
///
/// Takes its time: never call it on a streaming thread.
pub(super) fn open<T>(
    source: &Source,
    options: &Options,
    mut make: impl FnMut(Opened) -> Result<T, Error>,
) -> Result<T, Error> {
    let wanted = providers::requested(&options.providers)?;
    let load = |one: &Requested| catch_panic(|| session(source, options, one));
    first(&wanted, options.strict, &source.path, load, |session, one, fallbacks| {
        make(Opened { session, provider: one.provider.name().into(), fallbacks })
    })
}

/// The first of the wanted that both `load` and `make` succeed with; `make` is told why those before it were not taken.
fn first<S, T>(
    wanted: &[Requested],
    strict: bool,
    path: &Path,
    load: impl Fn(&Requested) -> Result<S, String>,
    mut make: impl FnMut(S, &Requested, Vec<String>) -> Result<T, Error>,
) -> Result<T, Error> {
    let wanted = if strict { &wanted[..1] } else { wanted };
    let mut fallbacks = Vec::new();
    for one in wanted {
        // The processor takes every good model: what it refuses is the model's fault, not the provider's.
        let plain = one.provider == Provider::Cpu && one.options.is_empty();
        let session = match load(one) {
            Ok(session) => session,
            Err(problem) if plain => return Err(Error::Load { path: path.into(), problem }),
            Err(problem) => {
                fallbacks.push(format!("{one}: {}", providers::reason(&problem, None)));
                continue;
            }
        };
        let problem = match make(session, one, fallbacks.clone()) {
            Err(Error::Run(problem)) => problem,
            Err(memory @ Error::OutOfMemory { .. }) => memory.to_string(),
            made => return made,
        };
        if plain {
            return Err(Error::Graph { path: path.into(), problem });
        }
        fallbacks.push(format!("{one}: took the model and could not run it: {}", providers::reason(&problem, None)));
    }
    let advice = if strict {
        "mend that, or unset strict to go on with the next of execution-providers"
    } else {
        "mend one, or add cpu to execution-providers"
    };
    Err(Error::NoProvider { path: path.into(), reasons: fallbacks.join("; "), advice })
}

/// The session option that names the folder of weights outside the graph (ONNX Runtime 1.18; older ones ignore it).
const WEIGHTS_FOLDER: &str = "session.model_external_initializers_file_folder_path";

fn session(source: &Source, options: &Options, wanted: &Requested) -> Result<Session, String> {
    let mut builder = builder(options).map_err(|e| e.to_string())?;
    if wanted.provider != Provider::Cpu {
        // The cores belong to the provider's own threads: those of ONNX Runtime are for the nodes that it left over.
        builder = builder.with_intra_op_spinning(false).map_err(|e| e.to_string())?;
    }
    wanted.register(&mut builder, options.threads).map_err(|e| e.to_string())?;
    // Some exporters put the weights into a file beside the graph, whose folder a graph in memory does not tell.
    if let Some(folder) = source.path.parent().and_then(|p| p.to_str()) {
        let folder = if folder.is_empty() { "." } else { folder };
        builder = builder.with_config_entry(WEIGHTS_FOLDER, folder).map_err(|e| e.to_string())?;
    }
    builder.commit_from_memory(&source.bytes).map_err(|e| e.to_string())
}

/// What holds for every provider.
fn builder(options: &Options) -> ort::Result<SessionBuilder> {
    let environment = runtime::environment().map_err(|e| ort::Error::new(e.to_string()))?;
    let threads = if options.threads == 0 { runtime::cores() } else { options.threads };
    let mut builder = pool::threads(Session::builder(environment)?, threads)?
        .with_optimization_level(GraphOptimizationLevel::All)?
        // What goes wrong comes back as an error; printing it too would be I/O on a streaming thread.
        .with_log_level(LogLevel::Fatal)?;
    if let Some(profile) = &options.profile {
        builder = builder.with_profiling(profile)?;
    }
    Ok(builder)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(providers: &[Provider]) -> Vec<Requested> {
        providers.iter().map(|provider| Requested { provider: *provider, options: Vec::new() }).collect()
    }

    /// Who runs the model where these cannot, and why not those before.
    fn taken(broken: &[Provider], strict: bool) -> Result<(Provider, Vec<String>), String> {
        let all = wanted(&[Provider::Cuda, Provider::OpenVino, Provider::Cpu]);
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
        assert_eq!(fallbacks, ["cuda: took the model and could not run it: the device was lost"]);
        let refused = taken(&[Provider::Cuda], true).unwrap_err();
        assert!(refused.contains("cuda: took the model") && refused.contains("unset strict"), "{refused}");
    }

    #[test]
    fn what_the_processor_cannot_run_is_the_models_fault() {
        let refused = taken(&[Provider::Cuda, Provider::OpenVino, Provider::Cpu], false).unwrap_err();
        assert_eq!(refused, "model.onnx: the device was lost");
    }
}
