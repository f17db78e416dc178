// SPDX-License-Identifier: MPL-2.0
//! `AndonResult`: what decides a frame, as a `GstCustomMeta` that every language reads without a header of Andon's.
//!
//! A buffer has at most one. It is registered without tags, so that the verdict survives conversion, scaling and crops;
//! therefore it has no boxes of this buffer: those in `json` are pixels of `frame` as the model saw it. A copy whose arm
//! does not decide the frame carries none.
//!
//! | field | type | |
//! |---|---|---|
//! | `verdict` | string | `ok`, `ng`, `review` or `unjudged` |
//! | `status` | string | `ok`, `skipped`, `error`, `missing-field` or `non-finite` |
//! | `score` | double | the score that decides the verdict, 0..1 |
//! | `run` | string | the UUID of the process start that gave the frame id |
//! | `frame-id` | uint64 | unique within the run |
//! | `part` | string | the id of the part; empty if the frame is a part of its own |
//! | `element`, `arm` | string | who gave the verdict |
//! | `model`, `version`, `digest` | string | the model that gave the verdict |
//! | `latency` | uint64 | the time that it took, ns |
//! | `json` | string | `andon.result/1` with all deciding results; left out with `result-json=false` |

use std::{
    borrow::Cow,
    cell::Cell,
    slice,
    sync::{Arc, Once},
};

use andon_core::result::{Arm, Decided, Frame, Inference, LatencyFrom, ModelId, Part};
use gst::meta::CustomMeta;

use super::decided_on;

/// The name of the meta.
pub const ANDON_RESULT: &str = "AndonResult";

/// The schema name of its `json`.
const SCHEMA: &str = "andon.result/1";

/// Registers the meta, unless the application has.
pub(crate) fn register() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if !CustomMeta::is_registered(ANDON_RESULT) {
            CustomMeta::register(ANDON_RESULT, &[]);
        }
    });
}

/// The `json` of the meta.
#[derive(serde::Serialize)]
struct Document<'a> {
    schema: &'static str,
    verdict: &'static str,
    status: &'static str,
    score: f32,
    run: uuid::Uuid,
    frame_id: u64,
    part: Option<&'a Part>,
    pts_ns: Option<u64>,
    element: &'a str,
    arm: Arm,
    model: &'a ModelId,
    latency_ns: u64,
    results: Cow<'a, [Arc<Inference>]>,
}

/// Calls `take` with what decides a frame as JSON, schema `andon.result/1`, on one line. Each thread writes all of its
/// documents in one place, so that no frame allocates one.
fn with_json<R>(decided: &Decided, take: impl FnOnce(&str) -> R) -> R {
    thread_local! {
        static TEXT: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    }
    let by = &*decided.by;
    let document = Document {
        schema: SCHEMA,
        verdict: by.verdict.as_str(),
        status: by.status.as_str(),
        score: by.score,
        run: by.run,
        frame_id: by.frame_id,
        part: by.part.as_deref(),
        pts_ns: by.pts_ns,
        element: &by.element,
        arm: by.arm,
        model: &by.model,
        latency_ns: by.latency_us.saturating_mul(1000),
        // Most lines have one model, and need no list.
        results: match decided.others.as_slice() {
            [] => slice::from_ref(&decided.by).into(),
            _ => decided.all().cloned().collect(),
        },
    };
    let mut text = TEXT.take();
    text.clear();
    serde_json::to_writer(&mut text, &document).expect("plain data with string keys always serialises");
    let done = take(str::from_utf8(&text).expect("JSON is UTF-8"));
    TEXT.set(text);
    done
}

/// Returns what decides a frame as JSON, schema `andon.result/1`, on one line.
pub(crate) fn to_json(decided: &Decided) -> String {
    with_json(decided, str::to_string)
}

/// Puts what decides a frame on its buffer, in place of what is there.
pub(crate) fn set(buffer: &mut gst::BufferRef, decided: &Decided, has_json: bool) {
    register();
    let by = &*decided.by;
    let mut run = uuid::Uuid::encode_buffer();
    let write = |s: &mut gst::StructureRef| {
        s.set("verdict", by.verdict.as_str());
        s.set("status", by.status.as_str());
        s.set("score", f64::from(by.score));
        s.set("run", &*by.run.as_hyphenated().encode_lower(&mut run));
        s.set("frame-id", by.frame_id);
        s.set("part", by.part.as_ref().map_or("", |p| p.id.as_str()));
        s.set("element", &*by.element);
        s.set("arm", by.arm.as_str());
        s.set("model", by.model.name.as_str());
        s.set("version", by.model.version.as_str());
        s.set("digest", by.model.digest.as_str());
        s.set("latency", by.latency_us.saturating_mul(1000));
        match has_json {
            true => with_json(decided, |json| s.set("json", json)),
            false => s.remove_field("json"),
        }
    };
    let mut write = Some(write);
    for mut meta in buffer.iter_meta_mut::<gst::Meta>() {
        if let Some(meta) = meta.try_as_mut_custom_meta()
            && is_ours(meta)
            && let Some(mut write) = write.take()
        {
            write(meta.mut_structure());
        }
    }
    if let Some(mut write) = write
        && let Ok(mut meta) = CustomMeta::add(buffer, ANDON_RESULT)
    {
        write(meta.mut_structure());
    }
}

/// Puts what the own metas of a buffer say of its frame on it as `AndonResult`, and returns it. A buffer without a result of
/// the arm that decides its frame stays as it is.
pub fn put_decided(buffer: &mut gst::BufferRef, with_json: bool) -> Option<Decided> {
    let decided = decided_on(buffer)?;
    set(buffer, &decided, with_json);
    Some(decided)
}

/// Whether a custom meta is `AndonResult`. Looking it up by name would allocate the name.
fn is_ours(meta: &CustomMeta) -> bool {
    meta.structure().name() == ANDON_RESULT
}

/// Takes the meta off a copy whose arm does not decide the frame.
pub(crate) fn remove(buffer: &mut gst::BufferRef) {
    let has_one = buffer.iter_meta::<gst::Meta>().any(|m| m.try_as_custom_meta().is_some_and(|m| is_ours(m)));
    if !has_one {
        return;
    }
    if let Ok(meta) = CustomMeta::from_mut_buffer(buffer, ANDON_RESULT) {
        // It has just been found on this buffer.
        let _ = meta.remove();
    }
}

/// Returns what the meta says of a frame of `size`, without boxes, or `None` if the buffer carries none.
pub(crate) fn get(buffer: &gst::BufferRef, frame: Option<&Frame>, size: [u32; 2]) -> Option<Inference> {
    let metas = || buffer.iter_meta::<gst::Meta>();
    if !metas().any(|m| m.try_as_custom_meta().is_some_and(|m| is_ours(m))) {
        return None;
    }
    let meta = CustomMeta::from_buffer(buffer, ANDON_RESULT).ok()?;
    let s = meta.structure();
    let text = |name: &str| s.get::<&str>(name).ok();
    let frame = match frame {
        Some(frame) => frame.clone(),
        None => {
            let part = text("part").filter(|id| !id.is_empty());
            let part = part.map(|id| Arc::new(Part { id: id.into(), ..Part::default() }));
            Frame { run: text("run")?.parse().ok()?, id: s.get("frame-id").ok()?, ..Frame::new(part) }
        }
    };
    let mut i = Inference::new(text("element")?.into(), text("arm")?.parse().ok()?, &frame, size);
    i.verdict = text("verdict")?.parse().ok()?;
    i.status = text("status")?.parse().ok()?;
    i.score = s.get::<f64>("score").ok()? as f32;
    i.latency_us = s.get::<u64>("latency").unwrap_or(0) / 1000;
    i.pts_ns = buffer.pts().map(|t| t.nseconds());
    i.verdict_latency_from = LatencyFrom::Entry;
    let own = |name| text(name).unwrap_or_default().to_string();
    i.model = Arc::new(ModelId { name: own("model"), version: own("version"), digest: own("digest") });
    i.reason = "an element between has lost the boxes".into();
    Some(i)
}

/// Returns the `json` of the meta, or `None` if the buffer carries none.
pub(crate) fn json(buffer: &gst::BufferRef) -> Option<String> {
    register();
    let meta = CustomMeta::from_buffer(buffer, ANDON_RESULT).ok()?;
    meta.structure().get("json").ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use andon_core::result::{Verdict, decided};

    fn result(element: &str, verdict: Verdict) -> Arc<Inference> {
        let mut i = Inference::new(element.into(), Arm::A, &Frame::new(None), [640, 480]);
        i.verdict = verdict;
        i.score = 0.5;
        i.latency_us = 7;
        i.model = Arc::new(ModelId { name: "pcb".into(), version: "2".into(), digest: "sha256:0".into() });
        Arc::new(i)
    }

    fn structure(buffer: &gst::BufferRef) -> gst::Structure {
        CustomMeta::from_buffer(buffer, ANDON_RESULT).unwrap().structure().to_owned()
    }

    #[test]
    fn a_buffer_has_one_which_names_the_result_that_gave_the_verdict() {
        gst::init().unwrap();
        let mut buffer = gst::Buffer::with_size(8).unwrap();
        let results = [result("one", Verdict::Ok), result("other", Verdict::Ng)];
        for n in 1..=2 {
            set(buffer.get_mut().unwrap(), &decided(&results[..n], Arm::A).unwrap(), true);
        }
        let metas = buffer.iter_meta::<gst::Meta>().filter(|m| m.try_as_custom_meta().is_some()).count();
        assert_eq!(metas, 1);
        let s = structure(&buffer);
        let text = |name| s.get::<String>(name).unwrap();
        assert_eq!((text("verdict"), text("element"), text("model")), ("ng".into(), "other".into(), "pcb".into()));
        assert_eq!((s.get::<u64>("latency").unwrap(), s.get::<f64>("score").unwrap()), (7000, 0.5));
        let json: serde_json::Value = serde_json::from_str(&text("json")).unwrap();
        assert_eq!((&json["schema"], json["results"].as_array().unwrap().len()), (&"andon.result/1".into(), 2));
        assert_eq!(json["results"][0]["element"], "other", "the one that decides comes first");
    }

    #[test]
    fn it_survives_copies_and_pieces_and_leaves_when_told() {
        gst::init().unwrap();
        let mut buffer = gst::Buffer::with_size(8).unwrap();
        set(buffer.get_mut().unwrap(), &decided(&[result("m", Verdict::Ng)], Arm::A).unwrap(), false);
        let piece = buffer.copy_region(gst::BufferCopyFlags::all(), 0..4).unwrap();
        let read = get(&piece, None, [4, 4]).unwrap();
        assert_eq!((read.verdict, &*read.element, read.frame), (Verdict::Ng, "m", [4, 4]));
        assert!(json(&piece).is_none());
        remove(buffer.get_mut().unwrap());
        assert!(get(&buffer, None, [4, 4]).is_none());
    }
}
