// SPDX-License-Identifier: MPL-2.0
//! The options that a model is loaded with.

use std::{path::PathBuf, time::Duration};

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
    /// Names of the classes of a graph that has no manifest and does not hold the names itself, or `@` and the path of a
    /// file of them (see [`split_labels`](crate::split_labels)).
    pub labels: Vec<String>,
    /// A file of minisign public keys: a model that none of them signed is refused. With `None` the store decides.
    pub trusted_keys: Option<PathBuf>,
    /// The longest that loading may take, reading the disk included; `None` for no limit. A run that takes longer is ended; what
    /// cannot be ended, ONNX Runtime's reading of a graph or a disk that does not answer, is left behind on its thread.
    pub time_limit: Option<Duration>,
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
            time_limit: None,
        }
    }
}
