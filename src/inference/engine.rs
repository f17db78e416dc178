// SPDX-License-Identifier: MPL-2.0
//! One model ready to judge frames: what is loaded once and shared by all lanes.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::Arc,
};

use ort::{
    logging::LogLevel,
    memory::Allocator,
    session::{Session, SessionInputValue, builder::GraphOptimizationLevel},
    value::{Tensor, TensorElementType},
};
use parking_lot::Mutex;

use super::{
    Error, PROVIDERS, bare, decode::Decode, denormals::FlushDenormals, fields::FieldInput, lane::Lane, runtime,
};
use crate::{
    model::{self, ElementType, Input, InputSource, Layout, Manifest, Source},
    result::ModelId,
};

/// How a model is to be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Threads within one operator; 0 for as many as there are physical cores.
    pub threads: usize,
    /// Execution providers by preference, separated by commas; one of [`PROVIDERS`] must be among them.
    pub providers: String,
    /// Names of the classes of a bare file that does not hold them.
    pub labels: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self { threads: 0, providers: "cpu".into(), labels: Vec::new() }
    }
}

/// A model in memory, checked and loaded; nothing of it changes. Frames are judged in its [`Lane`]s, as many at a time
/// as there are lanes.
pub struct Engine {
    id: Arc<ModelId>,
    manifest: Manifest,
    pub(super) path: PathBuf,
    provider: Arc<str>,
    pub(super) session: Mutex<Session>,
    /// Which outputs the decoder reads: index and name.
    pub(super) outputs: Vec<(usize, String)>,
    /// Element type and shape of each input, in the graph's order.
    inputs: Vec<(ElementType, Vec<i64>)>,
    /// Which of them is the frame.
    pub(super) image: usize,
    /// Which of them come from fields.
    pub(super) fields: Vec<FieldInput>,
}

impl Engine {
    /// Reads, checks and loads what `model` names (see [`model::open`]), and runs it once on an empty frame, so that
    /// what cannot work is refused here. Takes its time and touches the disk: never call it on a streaming thread.
    pub fn load(model: &str, options: &Options) -> Result<Self, Error> {
        let provider = provider(&options.providers)?;
        // The runtime first: that it is missing is the first thing to mend.
        runtime::environment()?;
        let source = model::open(model)?;
        // Loading may set this thread's mode for denormals; the guard puts it back.
        let flush = FlushDenormals::new();
        let session = guarded(|| session(&source, options))
            .map_err(|problem| Error::Load { path: source.path.clone(), problem })?;
        drop(flush);
        let engine = Arc::new(Self::new(source, session, provider, options)?);
        engine.lane()?.warm_up()?;
        Ok(Arc::into_inner(engine).expect("the lane that was warmed up is gone"))
    }

    fn new(source: Source, session: Session, provider: &str, options: &Options) -> Result<Self, Error> {
        let Source { id, manifest, info: _, path, bytes: _ } = source;
        let fail = |problem: String| Error::Graph { path: path.clone(), problem };
        let manifest = match manifest {
            Some(manifest) => manifest,
            None => bare::manifest(&id, &graph(&session), &options.labels).map_err(fail)?,
        };
        let (mut inputs, mut fields, mut image) = (Vec::new(), Vec::new(), None);
        if let Some(stranger) = manifest.inputs.iter().find(|i| session.inputs().iter().all(|o| o.name() != i.name)) {
            let names: Vec<_> = session.inputs().iter().map(|i| i.name()).collect();
            let names = names.join(", ");
            return Err(fail(format!(
                "the graph has no input '{}' as model.json says, it has {names}: correct inputs[].name",
                stranger.name
            )));
        }
        for (index, outlet) in session.inputs().iter().enumerate() {
            let name = outlet.name();
            let told = manifest.inputs.iter().find(|i| i.name == name).ok_or_else(|| {
                fail(format!("the graph has an input '{name}' that model.json does not name: add it to inputs"))
            })?;
            let shape: Vec<i64> = outlet.dtype().tensor_shape().map(|s| s.to_vec()).unwrap_or_default();
            let wants = match told.element {
                ElementType::F32 => TensorElementType::Float32,
                ElementType::I64 => TensorElementType::Int64,
            };
            let has = outlet.dtype().tensor_type();
            if has != Some(wants) {
                let has = has.map_or_else(|| "no tensor".into(), |t| t.to_string());
                return Err(fail(format!("input '{name}' takes {has}, this version feeds {wants}: export it so")));
            }
            let shape = match told.source() {
                Some(InputSource::Field(field)) => {
                    let shape = field_shape(told, &shape).map_err(|e| fail(format!("input '{name}' {e}")))?;
                    let count = shape.iter().product::<i64>() as usize;
                    let input = FieldInput::new(index, field, told, count);
                    fields.push(input.map_err(|e| fail(format!("input '{name}': {e}")))?);
                    shape
                }
                _ => {
                    image = Some(index);
                    image_shape(told, &shape).map_err(|e| fail(format!("input '{name}' {e}")))?
                }
            };
            inputs.push((told.element, shape));
        }
        let image = image.ok_or_else(|| fail("the graph takes no image".into()))?;
        let decode = Decode::new(&manifest);
        let outputs: Vec<_> = session.outputs().iter().map(|o| o.name().to_string()).enumerate().collect();
        let outputs = outputs.into_iter().filter(|(_, name)| decode.reads(name)).collect();
        let (id, provider, session) = (Arc::new(id), provider.into(), Mutex::new(session));
        Ok(Self { id, manifest, path, provider, session, outputs, inputs, image, fields })
    }

    /// Name, version and digest.
    pub fn id(&self) -> &Arc<ModelId> {
        &self.id
    }

    /// What the bundle says of the model, or what was made out of a bare file.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The execution provider that runs it.
    pub fn provider(&self) -> &Arc<str> {
        &self.provider
    }

    /// Providers that were wanted before the one in use, each with why it was not taken.
    pub fn fallbacks(&self) -> &[String] {
        &[]
    }

    /// Frames that one run can take: 1, or [`usize::MAX`] where the graph leaves the batch axis open.
    pub fn most_in_batch(&self) -> usize {
        1
    }

    /// What one frame in work needs. Allocates: make it before frames flow.
    pub fn lane(self: &Arc<Self>) -> Result<Lane, Error> {
        Lane::new(self.clone())
    }

    /// A set of input tensors, zeros.
    pub(super) fn tensors(&self) -> Result<Vec<SessionInputValue<'static>>, Error> {
        let made = self.inputs.iter().map(|(element, shape)| tensor(*element, shape));
        made.collect::<ort::Result<_>>().map_err(|e| Error::Runtime(e.to_string()))
    }
}

/// The first of the wanted providers that is there; an error names one that is not, where none is.
fn provider(wanted: &str) -> Result<&'static str, Error> {
    let mut all = wanted.split(',').map(str::trim).filter(|p| !p.is_empty()).peekable();
    let first = all.peek().copied().unwrap_or_default().to_string();
    all.find_map(|p| PROVIDERS.iter().find(|k| k.eq_ignore_ascii_case(p)).copied())
        .ok_or(Error::Provider { name: first })
}

/// Runs foreign code; its panic becomes an error.
pub(super) fn guarded<T>(run: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| Err(format!("panic: {}", text_of(&*panic))))
}

fn text_of(panic: &(dyn Any + Send)) -> &str {
    panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("?")
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

/// The graph's face, for a file without a manifest.
fn graph(session: &Session) -> bare::Graph {
    let side = |outlets: &[ort::value::Outlet]| {
        let shape = |o: &ort::value::Outlet| o.dtype().tensor_shape().map(|s| s.to_vec()).unwrap_or_default();
        let port = |o: &ort::value::Outlet| bare::Port {
            name: o.name().to_string(),
            shape: shape(o),
            kind: o.dtype().tensor_type(),
        };
        outlets.iter().map(port).collect()
    };
    let notes = session.metadata().ok().map(|m| {
        let keys = m.custom_keys().unwrap_or_default();
        keys.into_iter().filter_map(|k| m.custom(&k).map(|v| (k, v))).collect()
    });
    bare::Graph { inputs: side(session.inputs()), outputs: side(session.outputs()), notes: notes.unwrap_or_default() }
}

/// The shape to feed, batch of one, where graph and manifest agree on it.
fn image_shape(input: &Input, graph: &[i64]) -> Result<Vec<i64>, String> {
    let [w, h] = input.size.expect("a checked image input has a size").map(i64::from);
    let c = input.colour.channels() as i64;
    let shape = match input.layout {
        Layout::Nchw => vec![1, c, h, w],
        Layout::Nhwc => vec![1, h, w, c],
    };
    if fits(&shape, graph) {
        Ok(shape)
    } else {
        Err(format!(
            "has shape {graph:?} in the graph and {shape:?} in model.json: correct colour, size or layout there"
        ))
    }
}

fn field_shape(input: &Input, graph: &[i64]) -> Result<Vec<i64>, String> {
    let open = || graph.iter().map(|d| (*d).max(1)).collect();
    let shape: Vec<i64> = input.shape.as_ref().map_or_else(open, |s| s.iter().map(|d| *d as i64).collect());
    if fits(&shape, graph) {
        Ok(shape)
    } else {
        Err(format!("has shape {graph:?} in the graph and {shape:?} in model.json: correct its shape there"))
    }
}

/// Whether a tensor of `shape` may be fed where the graph says `graph`, with -1 for any length.
fn fits(shape: &[i64], graph: &[i64]) -> bool {
    shape.len() == graph.len() && shape.iter().zip(graph).all(|(s, g)| *g < 0 || s == g)
}

fn tensor(element: ElementType, shape: &[i64]) -> ort::Result<SessionInputValue<'static>> {
    let allocator = Allocator::default();
    Ok(match element {
        ElementType::F32 => {
            let mut t = Tensor::<f32>::new(&allocator, shape.to_vec())?;
            t.extract_tensor_mut().1.fill(0.0);
            t.into_dyn().into()
        }
        ElementType::I64 => {
            let mut t = Tensor::<i64>::new(&allocator, shape.to_vec())?;
            t.extract_tensor_mut().1.fill(0);
            t.into_dyn().into()
        }
    })
}

/// Lanes on several threads share it.
const _: () = {
    const fn may_share<T: Send + Sync>() {}
    may_share::<Engine>();
};

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

    #[test]
    fn a_panic_becomes_an_error_with_its_text() {
        assert_eq!(guarded::<()>(|| panic!("at {}", 7)).unwrap_err(), "panic: at 7");
    }
}
