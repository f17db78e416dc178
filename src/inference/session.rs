// SPDX-License-Identifier: MPL-2.0
//! A session of the engine: which provider runs it, and how it is set up.

use std::sync::Arc;

use ort::{
    logging::LogLevel,
    session::{Session, builder::GraphOptimizationLevel},
};

use super::{Error, Options, PROVIDERS, engine::guarded, runtime};
use crate::model::Source;

/// A session, and what there is to say of how it came about.
pub(super) struct Opened {
    /// Ready to run.
    pub session: Session,
    /// The execution provider that runs it.
    pub provider: Arc<str>,
    /// Providers that were wanted before it, each with why it was not taken.
    pub fallbacks: Vec<String>,
}

/// Makes a session of a model. Takes its time: never call it on a streaming thread.
pub(super) fn open(source: &Source, options: &Options) -> Result<Opened, Error> {
    let provider = provider(&options.providers)?;
    let session =
        guarded(|| session(source, options)).map_err(|problem| Error::Load { path: source.path.clone(), problem })?;
    Ok(Opened { session, provider: provider.into(), fallbacks: Vec::new() })
}

/// The first of the wanted providers that is there; an error names one that is not, where none is.
fn provider(wanted: &str) -> Result<&'static str, Error> {
    let mut all = wanted.split(',').map(str::trim).filter(|p| !p.is_empty()).peekable();
    let first = all.peek().copied().unwrap_or_default().to_string();
    all.find_map(|p| PROVIDERS.iter().find(|k| k.eq_ignore_ascii_case(p)).copied())
        .ok_or(Error::Provider { name: first })
}

fn session(source: &Source, options: &Options) -> Result<Session, String> {
    let environment = runtime::environment().map_err(|e| e.to_string())?;
    let threads = if options.threads == 0 { runtime::cores() } else { options.threads };
    let configure = || -> ort::Result<Session> {
        Session::builder(environment)?
            .with_optimization_level(GraphOptimizationLevel::All)?
            .with_intra_threads(threads)?
            .with_inter_threads(1)?
            // Threads that spin while they wait take the cores from the decoder and from the other arm: on two busy
            // cores a run of models/pcb/2 took 163 ms with spinning and 90 to 114 ms without, at 55 and 30 ms of CPU.
            .with_intra_op_spinning(false)?
            .with_flush_to_zero()?
            // What goes wrong comes back as an error; printing it too would be I/O on a streaming thread.
            .with_log_level(LogLevel::Fatal)?
            .commit_from_memory(&source.bytes)
    };
    configure().map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_provider_is_told_what_there_is() {
        assert_eq!(provider("cpu").unwrap(), "cpu");
        assert_eq!(provider("cuda, CPU").unwrap(), "cpu", "the next one is taken");
        assert!(provider("cuda").unwrap_err().to_string().contains("'cuda' is not in this version"));
        assert!(provider("").is_err());
    }
}
