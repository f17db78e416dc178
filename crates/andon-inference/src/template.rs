// SPDX-License-Identifier: MPL-2.0
//! Inputs that come from image files: the golden template of the part that a frame shows, decoded by a thread of its
//! own and kept in a small cache.
//!
//! A pattern such as `{sku}/{view}.png` becomes a path below the image root by what is known of the part and by the
//! frame's fields. [`TemplateInput::find`] answers at once, with the template or with why there is none yet; as long as
//! neither the path nor the cache changes, it takes no lock and allocates nothing. A file that cannot be read is tried
//! again after a while (one second, doubling to half a minute), a file that was loaded is looked at again when another
//! path has been in use in between.

use std::{
    collections::{HashMap, VecDeque},
    fs::{self, File},
    io::BufReader,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant, SystemTime},
};

use andon_core::{
    image::{Colorimetry, Format, Image, Plane},
    result::{Fields, Part},
};
use andon_model::Pattern;
use parking_lot::{Condvar, Mutex};

use super::{Cancel, cancel::Bell};

/// Bytes of pixels that the cache keeps; the template in use is kept whatever its size.
const MOST_BYTES: usize = 256 << 20;
/// Templates that the cache keeps.
const MOST_KEPT: usize = 64;
/// The largest picture that is decoded, bytes of pixels.
const LARGEST: usize = 512 << 20;
/// From a failure to the next attempt; doubles with each.
const RETRY: Duration = Duration::from_secs(1);
const RETRY_AT_MOST: Duration = Duration::from_secs(30);

/// A picture from a file.
pub struct Template {
    id: u64,
    format: Format,
    width: usize,
    height: usize,
    data: Vec<u8>,
}

impl Template {
    /// Unique in the process: with the same id come the same pixels.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The pixels.
    pub fn image(&self) -> Image<'_> {
        let plane = Plane { data: &self.data, stride: self.width * self.format.pixel_stride() };
        Image::new(self.format, self.width, self.height, &[plane], Colorimetry::default())
            .expect("decoding gave as many bytes as the size asks for")
    }

    /// Decodes a PNG: grey, RGB, with alpha or a palette, of any depth; 16 bits are cut to 8.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        static IDS: AtomicU64 = AtomicU64::new(1);
        let fail = |e: String| format!("{}: {e}", path.display());
        let file = File::open(path).map_err(|e| fail(format!("{e}: put the template there, or correct pattern")))?;
        let bad = |e: png::DecodingError| fail(format!("{e}: a template must be a whole PNG"));
        let mut decoder = png::Decoder::new_with_limits(BufReader::new(file), png::Limits { bytes: LARGEST });
        decoder.set_transformations(png::Transformations::EXPAND | png::Transformations::STRIP_16);
        let mut reader = decoder.read_info().map_err(bad)?;
        let size = reader.output_buffer_size().filter(|n| *n <= LARGEST);
        let mut data = vec![0; size.ok_or_else(|| fail("is too large for a template".into()))?];
        let info = reader.next_frame(&mut data).map_err(bad)?;
        data.truncate(info.buffer_size());
        let format = match info.color_type {
            png::ColorType::Grayscale => Format::Gray8,
            png::ColorType::Rgb => Format::Rgb,
            png::ColorType::Rgba => Format::Rgbx,
            png::ColorType::GrayscaleAlpha => {
                data = data.chunks_exact(2).map(|p| p[0]).collect();
                Format::Gray8
            }
            png::ColorType::Indexed => return Err(fail("its palette was not expanded".into())),
        };
        let (width, height) = (info.width as usize, info.height as usize);
        Ok(Self { id: IDS.fetch_add(1, Ordering::Relaxed), format, width, height, data })
    }
}

/// What tells whether a file is still the one that was read.
type Stamp = (u64, Option<SystemTime>);

fn stamp(path: &Path) -> Option<Stamp> {
    fs::metadata(path).ok().map(|m| (m.len(), m.modified().ok()))
}

enum State {
    /// On the way; nothing was there before.
    Awaited,
    Ready {
        template: Arc<Template>,
        stamp: Option<Stamp>,
    },
    Failed {
        reason: String,
        again: Instant,
        pause: Duration,
    },
}

struct Entry {
    state: State,
    /// Higher is later.
    used: u64,
}

#[derive(Default)]
struct Cache {
    entries: HashMap<String, Entry>,
    queue: VecDeque<String>,
    clock: u64,
    closed: bool,
}

impl Cache {
    fn ask(&mut self, key: &str) {
        if !self.queue.iter().any(|k| k == key) {
            self.queue.push_back(key.into());
        }
    }

    /// Drops what was not used for longest, until the rest fits. What is awaited stays.
    fn shrink(&mut self) {
        let bytes = |e: &Entry| match &e.state {
            State::Ready { template, .. } => template.data.len(),
            _ => 0,
        };
        while self.entries.len() > MOST_KEPT || self.entries.values().map(bytes).sum::<usize>() > MOST_BYTES {
            let idle = self.entries.iter().filter(|(_, e)| e.used < self.clock && !matches!(e.state, State::Awaited));
            let Some(oldest) = idle.min_by_key(|(_, e)| e.used).map(|(key, _)| key.clone()) else { break };
            self.entries.remove(&oldest);
        }
    }
}

struct Shared {
    root: PathBuf,
    cache: Mutex<Cache>,
    /// Something was asked for, or it is over.
    asked: Condvar,
    /// Something changed in the cache.
    told: Condvar,
    /// Counts those changes.
    generation: AtomicU64,
}

/// Frames that wait for a template are let go when their runs are ended.
impl Bell for Shared {
    fn ring(&self) {
        // With the lock, so that nobody is between looking and waiting.
        let _cache = self.cache.lock();
        self.told.notify_all();
    }
}

/// The templates below one folder. Cheap to share: all lanes of an element use one.
pub struct Templates {
    shared: Arc<Shared>,
    loader: Mutex<Option<JoinHandle<()>>>,
}

impl Templates {
    /// Of the files below `root`. Reads nothing yet, and starts its thread when something is asked for.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        let (cache, asked, told) = Default::default();
        let shared = Shared { root: root.into(), cache, asked, told, generation: AtomicU64::new(1) };
        Self { shared: Arc::new(shared), loader: Mutex::default() }
    }

    /// The folder.
    pub fn root(&self) -> &Path {
        &self.shared.root
    }

    /// Forgets all that was read or failed, so that the next frame asks for its template anew.
    pub fn reset(&self) {
        let mut cache = self.shared.cache.lock();
        cache.entries.clear();
        self.shared.generation.fetch_add(1, Ordering::Release);
        self.shared.told.notify_all();
    }

    /// What is known of `key`, a path below the root; asks for it where that is nothing, or old.
    fn look(&self, key: &str) -> Result<Arc<Template>, Absent> {
        let mut cache = self.shared.cache.lock();
        let cache = &mut *cache;
        cache.clock += 1;
        let (clock, now) = (cache.clock, Instant::now());
        let new = || Entry { state: State::Awaited, used: clock };
        let entry = match cache.entries.get_mut(key) {
            Some(entry) => entry,
            None => cache.entries.entry(key.into()).or_insert_with(new),
        };
        entry.used = clock;
        let (answer, ask) = match &mut entry.state {
            State::Awaited => (Err(Absent::Loading), true),
            // The caller has just come back to it: whether the file has changed is looked up behind its back.
            State::Ready { template, .. } => (Ok(template.clone()), true),
            State::Failed { reason, again, pause } => {
                let due = *again <= now;
                if due {
                    *again = now + *pause;
                }
                (Err(Absent::Failed(reason.clone())), due)
            }
        };
        if ask {
            if let Err(reason) = self.start() {
                cache.entries.remove(key);
                return Err(Absent::Failed(reason));
            }
            cache.ask(key);
            self.shared.asked.notify_one();
        }
        answer
    }

    /// The thread that reads, if it is not there yet.
    fn start(&self) -> Result<(), String> {
        let mut loader = self.loader.lock();
        if loader.is_none() {
            let shared = self.shared.clone();
            let started = thread::Builder::new().name("andon-template".into()).spawn(move || load(&shared));
            *loader = Some(started.map_err(|e| format!("no thread to read templates with: {e}"))?);
        }
        Ok(())
    }
}

impl Drop for Templates {
    fn drop(&mut self) {
        self.shared.cache.lock().closed = true;
        self.shared.asked.notify_all();
        if let Some(loader) = self.loader.get_mut().take() {
            // It panics on nothing that it reads; if it did, there is nothing left to do.
            let _ = loader.join();
        }
    }
}

/// The loader: reads what was asked for, one after the other, without the lock.
fn load(shared: &Shared) {
    loop {
        let (key, known) = {
            let mut cache = shared.cache.lock();
            let key = loop {
                if cache.closed {
                    return;
                }
                match cache.queue.pop_front() {
                    Some(key) => break key,
                    None => shared.asked.wait(&mut cache),
                }
            };
            let known = match cache.entries.get(&key).map(|e| &e.state) {
                Some(State::Ready { stamp, .. }) => Some(*stamp),
                _ => None,
            };
            (key, known)
        };
        let path = shared.root.join(&key);
        let now = stamp(&path);
        if known.is_some_and(|before| before.is_some() && before == now) {
            continue;
        }
        let read = inside(&shared.root, &path).and_then(|path| Template::read(&path));
        let mut cache = shared.cache.lock();
        // It may have been forgotten meanwhile; who still wants it asks again.
        if let Some(entry) = cache.entries.get_mut(&key) {
            entry.state = match read {
                Ok(template) => State::Ready { template: Arc::new(template), stamp: now },
                Err(reason) => {
                    let pause = match &entry.state {
                        State::Failed { pause, .. } => (*pause * 2).min(RETRY_AT_MOST),
                        _ => RETRY,
                    };
                    State::Failed { reason, again: Instant::now() + pause, pause }
                }
            };
            cache.shrink();
            shared.generation.fetch_add(1, Ordering::Release);
            shared.told.notify_all();
        }
    }
}

/// The path with links followed, if it lies below the root.
fn inside(root: &Path, path: &Path) -> Result<PathBuf, String> {
    let real = |p: &Path, what: &str| p.canonicalize().map_err(|e| format!("{}: {e}: {what}", p.display()));
    let root = real(root, "set image-root to the folder of the templates")?;
    let path = real(path, "put the template there, or correct pattern")?;
    if path.starts_with(&root) {
        Ok(path)
    } else {
        Err(format!("{}: lies outside of image-root: keep the templates below it", path.display()))
    }
}

/// Why there is no template.
#[derive(Debug)]
enum Absent {
    Loading,
    Failed(String),
}

/// One input of the graph that a template fills, for one frame at a time.
pub struct TemplateInput {
    pattern: Pattern,
    /// The path below the root of the last frame's template, and of this one's while it is made.
    key: String,
    next: String,
    /// The cache's count of changes when `found` was looked up.
    generation: u64,
    found: Option<Arc<Template>>,
}

impl TemplateInput {
    /// For a checked input of a manifest.
    pub fn new(pattern: Pattern) -> Self {
        Self { pattern, key: String::new(), next: String::new(), generation: 0, found: None }
    }

    /// The template of a frame that shows `part` and has `fields`, or why there is none: a piece of the pattern was not
    /// told, the file cannot be read, or it is still being read. With `wait`, the last is waited for, until the run is
    /// ended.
    pub fn find(
        &mut self,
        templates: Option<&Templates>,
        part: Option<&Part>,
        fields: &Fields,
        wait: Option<&Cancel>,
    ) -> Result<&Arc<Template>, String> {
        let templates = templates.ok_or("image-root is not set: set it to the folder of the templates")?;
        self.pattern.fill(part, fields, &mut self.next).map_err(|e| e.to_string())?;
        let mut generation = templates.shared.generation.load(Ordering::Acquire);
        if self.next != self.key || generation != self.generation || self.found.is_none() {
            std::mem::swap(&mut self.key, &mut self.next);
            self.found = None;
            loop {
                match templates.look(&self.key) {
                    Ok(template) => {
                        self.found = Some(template);
                        break;
                    }
                    Err(Absent::Failed(reason)) => return Err(reason),
                    Err(Absent::Loading) => {}
                }
                let Some(cancel) = wait else {
                    return Err(format!("template '{}' is still being read", self.key));
                };
                let _ring = cancel.rings(templates.shared.clone());
                let mut cache = templates.shared.cache.lock();
                while templates.shared.generation.load(Ordering::Acquire) == generation {
                    if cancel.ended() {
                        return Err("the run was ended".into());
                    }
                    templates.shared.told.wait(&mut cache);
                }
                generation = templates.shared.generation.load(Ordering::Acquire);
            }
            self.generation = generation;
        }
        Ok(self.found.as_ref().expect("it was found just now, or before"))
    }
}

#[cfg(test)]
#[path = "template_tests.rs"]
mod tests;
