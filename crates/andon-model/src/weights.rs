// SPDX-License-Identifier: MPL-2.0
//! The files of weights that a graph names: found beside it, held to what it needs of them, and read once.

use std::{
    collections::BTreeMap,
    fmt,
    fs::File,
    path::{Path, PathBuf},
    sync::Arc,
};

use andon_core::files::read_shared;

use super::{
    Error,
    files::{self, MANIFEST},
    manifest::plain_path,
    onnx::{self, Fault, Needed},
    trust::SIGNATURE,
};

/// The largest graph, bytes: no message of protobuf is larger.
pub(super) const GRAPH: u64 = i32::MAX as u64;

/// A file of a model, as it was when the model was read.
#[derive(Clone)]
pub struct Content {
    /// The name by which the graph or the manifest names it.
    pub name: String,
    /// Its path, for messages. What lies there may have changed.
    pub path: PathBuf,
    /// Its bytes.
    pub bytes: Arc<[u8]>,
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} bytes)", self.path.display(), self.bytes.len())
    }
}

/// A file of weights that a graph names.
pub(super) struct Named {
    /// Its path as the graph writes it.
    pub location: String,
    /// Its path below the folder of the bundle.
    pub name: String,
    needed: Needed,
}

/// What a graph names, see [`named`].
pub(super) struct Outside {
    /// The files, each once for every way in which the graph writes its path.
    pub files: Vec<Named>,
    /// Whether some are to be put into the graph, for ONNX Runtime to find them all.
    pub inner: bool,
}

/// Goes through a graph for the files that it names. `own` is its path below the folder of the bundle; `path` is for messages.
pub(super) fn named(graph: &[u8], own: &str, path: &Path) -> Result<Outside, Error> {
    let found = onnx::outside(graph).map_err(|fault| refusal(path, fault))?;
    let above = own.rsplit_once('/').map_or("", |(above, _)| above);
    let files = found.files.into_iter().map(|(location, needed)| {
        let name = plain_path(&format!("{above}/{location}"));
        let what = if name == own {
            "the graph itself"
        } else if name == MANIFEST || name.ends_with(SIGNATURE) {
            "a file that says what the model is"
        } else {
            return Ok(Named { location, name, needed });
        };
        let problem = format!("are said to lie in '{location}', which is {what}: export the model again");
        Err(Error::Weights { path: path.into(), tensor: needed.tensor, problem })
    });
    Ok(Outside { files: files.collect::<Result<_, _>>()?, inner: found.inner })
}

/// Opens a file of weights below `folder`, and checks that it is as long as the graph needs it.
pub(super) fn open(folder: &Path, named: &Named, graph: &Path) -> Result<File, Error> {
    let Named { location, name, needed } = named;
    let fail = |problem| Error::Weights { path: graph.into(), tensor: needed.tensor.clone(), problem };
    let file = files::open(folder, name).map_err(|e| match e {
        Error::Io { error, .. } if error.kind() == std::io::ErrorKind::NotFound => fail(format!(
            "are in a file of their own, '{location}', which is not there: put that file beside the graph under the name \
             that it was exported with, or export the model as one file"
        )),
        e => e,
    })?;
    let path = folder.join(name);
    let size = file.metadata().map_err(|error| Error::Io { path, error })?.len();
    if size < needed.bytes {
        return Err(fail(format!(
            "need the first {} bytes of '{location}', which has {size}: copy that file again, whole",
            needed.bytes
        )));
    }
    Ok(file)
}

/// Reads the files of weights that a graph names. `check` is shown every file once, by its path below the folder, with its
/// bytes. Returns the graph that ONNX Runtime runs, and the files that it needs beside it.
pub(super) fn read(
    folder: &Path,
    graph: Arc<[u8]>,
    outside: &Outside,
    path: &Path,
    mut check: impl FnMut(&str, &Arc<[u8]>) -> Result<(), Error>,
) -> Result<(Arc<[u8]>, Vec<Content>), Error> {
    let mut read = BTreeMap::<&str, Arc<[u8]>>::new();
    let mut weights = Vec::new();
    for named in &outside.files {
        let at = folder.join(&named.name);
        let bytes = match read.get(&*named.name) {
            Some(bytes) => bytes.clone(),
            None => {
                let file = open(folder, named, path)?;
                let bytes = read_shared(&file, u64::MAX).map_err(|error| files::refusal(&at, error))?;
                check(&named.name, &bytes)?;
                read.insert(&named.name, bytes.clone());
                bytes
            }
        };
        weights.push(Content { name: named.location.clone(), path: at, bytes });
    }
    let graph = if outside.inner {
        let content = |name: &str| weights.iter().find(|w| w.name == name).map(|w| &*w.bytes);
        onnx::inlined(&graph, &content).map_err(|fault| refusal(path, fault))?.into()
    } else {
        graph
    };
    Ok((graph, weights))
}

/// Returns the files of weights that a graph names, by their paths from the folder in which it lies. Each is there and as long
/// as the graph needs it; none is read.
///
/// # Errors
/// A file that is no ONNX graph, and weights that the graph must not name, or that are not there.
pub fn weights(graph: &Path) -> Result<Vec<String>, Error> {
    let (folder, own) = place(graph)?;
    let bytes = read_graph(graph)?;
    let outside = named(&bytes, own, graph)?;
    let mut names =
        outside.files.iter().map(|n| open(folder, n, graph).map(|_| n.name.clone())).collect::<Result<Vec<_>, _>>()?;
    names.sort();
    names.dedup();
    Ok(names)
}

/// The folder of a graph, and its name there.
pub(super) fn place(graph: &Path) -> Result<(&Path, &str), Error> {
    let own = graph.file_name().and_then(|n| n.to_str()).ok_or_else(|| Error::NotAModel { path: graph.into() })?;
    let folder = graph.parent().filter(|f| !f.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Ok((folder, own))
}

/// Reads a graph that is a model by itself. Its path may be a link.
pub(super) fn read_graph(path: &Path) -> Result<Arc<[u8]>, Error> {
    let read = andon_core::files::open(path).and_then(|file| read_shared(&file, GRAPH));
    read.map_err(|error| files::refusal(path, error))
}

fn refusal(path: &Path, fault: Fault) -> Error {
    let path = path.to_path_buf();
    match fault {
        Fault::NotAGraph(why) => {
            let problem = format!("cannot load it, for it is no whole ONNX model ({why}): copy or download it again");
            Error::NotAGraph { path, problem }
        }
        Fault::Other(problem) => Error::NotAGraph { path, problem: problem.into() },
        Fault::Weights { tensor, problem } => Error::Weights { path, tensor, problem },
        Fault::Compiled => Error::Compiled { path },
    }
}
