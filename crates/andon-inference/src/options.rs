// SPDX-License-Identifier: MPL-2.0
//! The options that a model is loaded with.

use std::path::PathBuf;

/// How to load and run a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Threads within one operator; 0 for one a physical core.
    pub threads: usize,
    /// Execution providers by preference, each with its options, as in `tensorrt,openvino(device_type=GPU),cpu`, or
    /// `auto`.
    pub providers: String,
    /// Refuse every provider but the first.
    pub strict: bool,
    /// The beginning of the name of a file in which ONNX Runtime records the time and provider of each node, in the
    /// format of Chrome's trace viewer. The file is complete once the engine is dropped. Profiling makes runs slower.
    pub profile: Option<PathBuf>,
    /// Names of the classes of a graph that has no manifest and does not hold the names itself.
    pub labels: Vec<String>,
    /// A file of minisign public keys: a model that none of them signed is refused. With `None` the store decides.
    pub trusted_keys: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            threads: 0,
            providers: "cpu".into(),
            strict: false,
            profile: None,
            labels: Vec::new(),
            trusted_keys: None,
        }
    }
}
