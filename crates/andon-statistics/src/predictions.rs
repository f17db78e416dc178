// SPDX-License-Identifier: MPL-2.0
//! What is watched of a model's outcome: how often it finds what, how large and how sure, where its embeddings lie, and what
//! it was given beside the image.

use std::{collections::BTreeMap, sync::Arc};

use andon_core::result::{Inference, Status, Verdict};

use super::{
    embedding::{EmbeddingNormal, EmbeddingWatch},
    features::*,
    unchanged::ChangeWatch,
};

/// Reads outcomes into rows; remembers which class and which field has which place.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    classes: [Option<Arc<str>>; CLASSES],
    fields: Vec<Arc<str>>,
    embeddings: EmbeddingWatch,
    /// Whether it says something else of one frame than of another.
    pub(crate) changes: ChangeWatch,
    /// Fields of a name not seen so far get a place.
    open: bool,
}

impl Reader {
    /// One that gives a place to each field it meets, while there are any.
    pub(crate) fn learning() -> Self {
        Self { open: true, ..Self::default() }
    }

    /// One that reads as a reference was read.
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

    /// No new places from now on.
    pub(crate) fn close(&mut self) {
        self.open = false;
    }

    /// What the feature at a place is of: a class's label, a field's name.
    pub(crate) fn name(&self, feature: usize) -> Option<&Arc<str>> {
        match feature {
            i if (CLASS..CLASS + CLASSES).contains(&i) => self.classes[i - CLASS].as_ref(),
            i if (FIELD..FIELD + FIELDS).contains(&i) => self.fields.get(i - FIELD),
            _ => None,
        }
    }

    /// The names, as a reference keeps them.
    pub(crate) fn names(&self) -> BTreeMap<String, String> {
        let named = |i: usize| Some((SPECS[i].name.to_string(), self.name(i)?.to_string()));
        OF_MODEL.filter_map(named).collect()
    }

    /// Where embeddings lie, once it is known.
    pub(crate) fn embedding(&self) -> Option<&EmbeddingNormal> {
        self.embeddings.place()
    }

    /// Writes what the model said into a row. Of a frame that it did not judge, only why, and what it was given.
    pub(crate) fn read(&mut self, said: &Inference, row: &mut Row) {
        match said.status {
            Status::Ok => row[MISSING] = 0.0,
            Status::MissingField | Status::NonFinite => row[MISSING] = 1.0,
            Status::Skipped | Status::Error => {}
        }
        self.read_fields(said, row);
        if said.status != Status::Ok {
            return;
        }
        self.changes.add(said);
        if let Some(embedding) = &said.embedding {
            row[EMBEDDING] = self.embeddings.add(embedding);
        }
        if let Some(anomaly) = &said.anomaly {
            row[ANOMALY] = f64::from(anomaly.score);
        }
        if said.verdict == Verdict::Unjudged {
            return;
        }
        row[TOP_SCORE] = f64::from(said.detections.first().map_or(said.score, |d| d.score));
        row[DETECTIONS] = said.detections.len() as f64;
        row[NG_SHARE] = f64::from(u8::from(said.verdict == Verdict::Ng));
        row[REVIEW_SHARE] = f64::from(u8::from(said.verdict == Verdict::Review));
        self.read_classes(said, row);
    }

    fn read_classes(&mut self, said: &Inference, row: &mut Row) {
        row[CLASS..CLASS + CLASSES].fill(0.0);
        let pixels = f64::from(said.frame[0]) * f64::from(said.frame[1]);
        let mut size = 0.0;
        for d in &said.detections {
            self.count(d.class, &d.label, row);
            size += (f64::from(d.bbox[2]) * f64::from(d.bbox[3]) / pixels).max(0.0).sqrt();
        }
        if said.detections.is_empty() {
            said.classes.iter().take(1).for_each(|c| self.count(c.class, &c.label, row));
        } else {
            row[BOX_SIZE] = size / said.detections.len() as f64;
        }
    }

    fn count(&mut self, class: u32, label: &Arc<str>, row: &mut Row) {
        let place = (class as usize).min(CLASSES - 1);
        row[CLASS + place] += 1.0;
        self.classes[place].get_or_insert_with(|| label.clone());
    }

    fn read_fields(&mut self, said: &Inference, row: &mut Row) {
        for (name, value) in &*said.fields {
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

    fn said() -> Inference {
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
        reader.read(&said(), &mut row);
        assert_eq!((row[CLASS], row[CLASS + 2], row[CLASS + 7]), (0.0, 2.0, 1.0));
        assert!((row[BOX_SIZE] - 0.2).abs() < 1e-9 && row[NG_SHARE] == 1.0 && row[DETECTIONS] == 3.0);
        assert_eq!(reader.name(CLASS + 2).map(|n| &**n), Some("class 2"));
    }

    #[test]
    fn numbers_among_the_fields_keep_their_places() {
        let (mut reader, mut row) = (Reader::learning(), UNKNOWN);
        reader.read(&said(), &mut row);
        assert_eq!((row[FIELD], row[FIELD + 1]), (1.0, 1.5), "by name; a text is no number");
        let mut again = Reader::new(&reader.names(), None);
        let mut row = UNKNOWN;
        again.read(&Inference { fields: fields(json!({"speed": 2.0, "unheard-of": 5})), ..said() }, &mut row);
        assert!(row[FIELD].is_nan() && row[FIELD + 1] == 2.0 && row[FIELD + 2].is_nan());
    }

    #[test]
    fn a_frame_that_was_not_judged_says_why_and_nothing_of_what_was_found() {
        for (status, missing) in [(Status::MissingField, 1.0), (Status::NonFinite, 1.0), (Status::Error, f64::NAN)] {
            let (mut reader, mut row) = (Reader::learning(), UNKNOWN);
            reader.read(&Inference { status, ..said() }, &mut row);
            assert_eq!(row[MISSING].to_bits(), f64::to_bits(missing));
            assert!(row[TOP_SCORE].is_nan() && row[CLASS].is_nan() && row[FIELD] == 1.0);
        }
    }
}
