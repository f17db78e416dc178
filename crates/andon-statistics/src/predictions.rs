// SPDX-License-Identifier: MPL-2.0
//! The features of a model's results: how often it finds what, how large and how sure, where its embeddings lie, and
//! what its inputs beside the image were.

use std::{collections::BTreeMap, sync::Arc};

use andon_core::result::{Inference, Status, Verdict};

use super::{
    embedding::{EmbeddingNormal, EmbeddingWatch},
    features::*,
    unchanged::ChangeWatch,
};

/// Reads results into rows. Remembers the place of each class and of each field.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    classes: [Option<Arc<str>>; CLASSES],
    fields: Vec<Arc<str>>,
    embeddings: EmbeddingWatch,
    /// Whether the result changes from frame to frame.
    pub(crate) changes: ChangeWatch,
    /// Whether a new field gets a place.
    open: bool,
}

impl Reader {
    /// Makes a reader that gives a place to each new field, while there are any left.
    pub(crate) fn learning() -> Self {
        Self { open: true, ..Self::default() }
    }

    /// Makes a reader with the places of a reference.
    pub(crate) fn new(names: &BTreeMap<String, String>, embedding: Option<&EmbeddingNormal>) -> Self {
        let named = |i: usize| names.get(SPECS[i].name).map(|n| Arc::from(n.as_str()));
        Self {
            classes: std::array::from_fn(|i| named(CLASS + i)),
            fields: (FIELD..FIELD + FIELDS).map_while(named).collect(),
            embeddings: EmbeddingWatch::new(embedding),
            changes: ChangeWatch::default(),
            open: false,
        }
    }

    /// Gives no new places from now on.
    pub(crate) fn close(&mut self) {
        self.open = false;
    }

    /// Returns what the feature at a place belongs to: a class's label, or a field's name.
    pub(crate) fn name(&self, feature: usize) -> Option<&Arc<str>> {
        match feature {
            i if (CLASS..CLASS + CLASSES).contains(&i) => self.classes[i - CLASS].as_ref(),
            i if (FIELD..FIELD + FIELDS).contains(&i) => self.fields.get(i - FIELD),
            _ => None,
        }
    }

    /// Returns the names, as a reference keeps them.
    pub(crate) fn names(&self) -> BTreeMap<String, String> {
        let named = |i: usize| Some((SPECS[i].name.to_string(), self.name(i)?.to_string()));
        OF_MODEL.filter_map(named).collect()
    }

    /// What is normal of embeddings, once that is known.
    pub(crate) fn embedding(&self) -> Option<&EmbeddingNormal> {
        self.embeddings.normal()
    }

    /// Writes a result into a row. A frame that was not judged only gives the reason, and the fields.
    pub(crate) fn read(&mut self, result: &Inference, row: &mut Row) {
        match result.status {
            Status::Ok => row[MISSING] = 0.0,
            Status::MissingField | Status::NonFinite => row[MISSING] = 1.0,
            Status::Skipped | Status::Error => {}
        }
        self.read_fields(result, row);
        if result.status != Status::Ok {
            return;
        }
        self.changes.add(result);
        if let Some(embedding) = &result.embedding {
            row[EMBEDDING] = self.embeddings.add(embedding);
        }
        if let Some(anomaly) = &result.anomaly {
            row[ANOMALY] = f64::from(anomaly.score);
        }
        if result.verdict == Verdict::Unjudged {
            return;
        }
        row[TOP_SCORE] = f64::from(result.detections.first().map_or(result.score, |d| d.score));
        row[DETECTIONS] = result.detections.len() as f64;
        row[NG_SHARE] = f64::from(u8::from(result.verdict == Verdict::Ng));
        row[REVIEW_SHARE] = f64::from(u8::from(result.verdict == Verdict::Review));
        self.read_classes(result, row);
    }

    fn read_classes(&mut self, result: &Inference, row: &mut Row) {
        row[CLASS..CLASS + CLASSES].fill(0.0);
        let pixels = f64::from(result.frame[0]) * f64::from(result.frame[1]);
        let mut size = 0.0;
        for d in &result.detections {
            self.count(d.class, &d.label, row);
            size += (f64::from(d.bbox[2]) * f64::from(d.bbox[3]) / pixels).max(0.0).sqrt();
        }
        if result.detections.is_empty() {
            result.classes.iter().take(1).for_each(|c| self.count(c.class, &c.label, row));
        } else {
            row[BOX_SIZE] = size / result.detections.len() as f64;
        }
    }

    fn count(&mut self, class: u32, label: &Arc<str>, row: &mut Row) {
        let place = (class as usize).min(CLASSES - 1);
        row[CLASS + place] += 1.0;
        self.classes[place].get_or_insert_with(|| label.clone());
    }

    fn read_fields(&mut self, result: &Inference, row: &mut Row) {
        for (name, value) in &*result.fields {
            let value = value.as_f64().or_else(|| value.as_bool().map(|b| f64::from(u8::from(b))));
            let Some(value) = value else { continue };
            let place = self.fields.iter().position(|f| **f == **name).or_else(|| {
                let free = self.open && self.fields.len() < FIELDS;
                free.then(|| {
                    self.fields.push(Arc::from(name.as_str()));
                    self.fields.len() - 1
                })
            });
            if let Some(place) = place {
                row[FIELD + place] = value;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use andon_core::result::{Arm, Detection, Fields, Frame};
    use serde_json::json;

    fn fields(json: serde_json::Value) -> Arc<Fields> {
        Arc::new(json.as_object().unwrap().clone().into_iter().collect())
    }

    fn result() -> Inference {
        let boxed =
            |class: u32, side| Detection::new(class, format!("class {class}").into(), 0.8, [0.0, 0.0, side, side]);
        Inference {
            verdict: Verdict::Ng,
            detections: vec![boxed(2, 10.0), boxed(2, 30.0), boxed(11, 20.0)],
            fields: fields(json!({"speed": 1.5, "lamp": true, "sku": "A"})),
            ..Inference::new("model".into(), Arm::A, &Frame::new(None), [100, 100])
        }
    }

    #[test]
    fn detections_are_counted_by_class_and_measured() {
        let (mut reader, mut row) = (Reader::learning(), UNKNOWN);
        reader.read(&result(), &mut row);
        assert_eq!((row[CLASS], row[CLASS + 2], row[CLASS + 7]), (0.0, 2.0, 1.0));
        assert!((row[BOX_SIZE] - 0.2).abs() < 1e-9 && row[NG_SHARE] == 1.0 && row[DETECTIONS] == 3.0);
        assert_eq!(reader.name(CLASS + 2).map(|n| &**n), Some("class 2"));
    }

    #[test]
    fn numbers_among_the_fields_keep_their_places() {
        let (mut reader, mut row) = (Reader::learning(), UNKNOWN);
        reader.read(&result(), &mut row);
        assert_eq!((row[FIELD], row[FIELD + 1]), (1.0, 1.5), "by name; a text is no number");
        let mut again = Reader::new(&reader.names(), None);
        let mut row = UNKNOWN;
        again.read(&Inference { fields: fields(json!({"speed": 2.0, "unheard-of": 5})), ..result() }, &mut row);
        assert!(row[FIELD].is_nan() && row[FIELD + 1] == 2.0 && row[FIELD + 2].is_nan());
    }

    #[test]
    fn a_frame_that_was_not_judged_gives_the_reason_and_no_detections() {
        for (status, missing) in [(Status::MissingField, 1.0), (Status::NonFinite, 1.0), (Status::Error, f64::NAN)] {
            let (mut reader, mut row) = (Reader::learning(), UNKNOWN);
            reader.read(&Inference { status, ..result() }, &mut row);
            assert_eq!(row[MISSING].to_bits(), f64::to_bits(missing));
            assert!(row[TOP_SCORE].is_nan() && row[CLASS].is_nan() && row[FIELD] == 1.0);
        }
    }
}
