// SPDX-License-Identifier: MPL-2.0
//! The results of a model on a set, reduced to what the figures need: over the whole set, or over a resample of it.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use andon_core::result::{Inference, ModelId, Status, Verdict};
use andon_model::Thresholds;

use crate::{
    data::Sample,
    maps::{self, MaskError},
    score::{Confusion, Curve, FoundBox, ImageBoxes, MIN_IOU, OVERLAPS, Tally, TrueBox, area_under_roc, share},
};

/// Why a set cannot be measured.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MeasureError {
    /// The model did not judge a picture.
    #[error("{sample} was not judged: {status}{reason}")]
    NotJudged {
        /// The id of the sample.
        sample: String,
        /// The status of its result.
        status: Status,
        /// The reason after a colon, or nothing.
        reason: String,
    },
    /// There is no result.
    #[error("nothing was judged")]
    Empty,
    /// A mask cannot be read.
    #[error(transparent)]
    Mask(#[from] MaskError),
}

/// A part with its verdict.
#[derive(Clone, Debug, PartialEq)]
pub struct MeasuredPart {
    /// The id of the part.
    pub id: String,
    /// The group of its first view.
    pub group: String,
    /// The verdict that the set says, if it says one.
    pub truth: Option<Verdict>,
    /// The verdict of the model at its thresholds.
    pub verdict: Verdict,
    /// The highest deciding score of its views.
    pub score: f32,
    /// The indices of its samples.
    pub samples: Vec<usize>,
}

/// A model on a set: what all figures are computed from.
#[derive(Clone)]
pub struct Measured {
    /// The model.
    pub model: Arc<ModelId>,
    /// The execution provider that ran it.
    pub provider: Arc<str>,
    /// The labels that the model knows and the set names, in the order of the model.
    pub labels: Vec<String>,
    /// The thresholds at which the model decides.
    pub thresholds: Thresholds,
    /// The results, one a sample.
    pub results: Vec<Arc<Inference>>,
    /// The boxes and detections of each sample; None if the set says nothing about boxes in it.
    pub images: Vec<Option<ImageBoxes>>,
    /// A curve for each label.
    pub(crate) curves: Vec<Curve>,
    /// The parts, in the order of their first samples.
    pub parts: Vec<MeasuredPart>,
    /// The index of the part of each sample.
    pub(crate) part_of: Vec<usize>,
    /// The class of each picture as a whole and the class that the model says, if there are both.
    pub(crate) classes: Vec<Option<(String, String)>>,
    /// What the model takes for what: boxes, or pictures as a whole; None if the model names neither.
    pub confusion: Option<Confusion>,
    /// The area under the ROC over all cells of anomaly maps; None without maps or masks.
    pub pixel_auroc: Option<f64>,
    /// Labelled boxes with labels that the model does not know: not scored.
    pub boxes_not_scored: usize,
    /// Labels of the set that the model does not know, each with the number of its boxes; for a model that names classes also
    /// of the pictures as a whole, which count as wrong.
    pub unknown_labels: BTreeMap<String, usize>,
    /// Times in the element, pre- and post-processing included, microseconds, shortest first.
    pub(crate) latency_us: Vec<u64>,
}

impl Measured {
    /// Measures `results`, one a sample. `known` are the labels of the model; `moved` is how far the pictures were shifted to
    /// the right, pixels.
    ///
    /// # Errors
    /// [`MeasureError::NotJudged`] if a result has another status than ok: a frame that was not judged is not good.
    pub fn new(
        samples: &[Sample],
        results: Vec<Arc<Inference>>,
        known: &[String],
        thresholds: Thresholds,
        moved: f64,
    ) -> Result<Self, MeasureError> {
        for (sample, result) in samples.iter().zip(&results) {
            if result.status != Status::Ok {
                let reason = if result.reason.is_empty() { String::new() } else { format!(": {}", result.reason) };
                return Err(MeasureError::NotJudged { sample: sample.id.clone(), status: result.status, reason });
            }
        }
        let named: HashSet<&str> =
            samples.iter().filter_map(|s| s.boxes.as_ref()).flatten().map(|b| b.label.as_str()).collect();
        let labels: Vec<String> = known.iter().filter(|l| named.contains(l.as_str())).cloned().collect();
        let places: HashMap<&str, usize> = labels.iter().enumerate().map(|(i, l)| (l.as_str(), i)).collect();
        let images: Vec<_> = samples.iter().zip(&results).map(|(s, o)| boxes(s, o, &places, moved)).collect();
        let scored: usize = images.iter().flatten().map(|i| i.truth.len()).sum();
        let labelled: usize = samples.iter().filter_map(|s| s.boxes.as_ref()).map(Vec::len).sum();
        let curves = (0..labels.len()).map(|class| Curve::new(&images, class)).collect();
        let (parts, part_of) = parts(samples, &results, &thresholds);
        let classes: Vec<_> = samples.iter().zip(&results).map(|(s, o)| class(s, o)).collect();
        let confusion = confusion(&images, &labels, &classes, thresholds.score);
        let unknown_labels = unknown_labels(samples, &classes, known);
        let mut latency_us: Vec<_> = results.iter().map(|o| o.latency_us).collect();
        latency_us.sort_unstable();
        let first = results.first().ok_or(MeasureError::Empty)?;
        Ok(Self {
            model: first.model.clone(),
            provider: first.provider.clone(),
            pixel_auroc: maps::auroc(samples, &results)?,
            labels,
            thresholds,
            images,
            curves,
            parts,
            part_of,
            classes,
            confusion,
            boxes_not_scored: labelled - scored,
            unknown_labels,
            latency_us,
            results,
        })
    }

    /// The average precision of a label at each overlap in `bits`, 0 at others.
    pub(crate) fn average_precision(&self, label: &str, bits: u16, weights: &[u32]) -> Option<[f64; OVERLAPS]> {
        self.curve(label)?.average_precision(bits, weights)
    }

    /// Counts the detections of a label from the threshold of the model up, at [`MIN_IOU`].
    pub(crate) fn tally(&self, label: &str, weights: &[u32]) -> Option<Tally> {
        self.curve(label).map(|c| c.at(self.thresholds.score, 0, weights))
    }

    /// The curve of a label, or None if the label is not scored.
    pub fn curve(&self, label: &str) -> Option<&Curve> {
        self.curves.get(self.labels.iter().position(|l| l == label)?)
    }

    /// The share of the bad parts called ok, of the good parts called ng, and of all parts left to a person.
    pub(crate) fn part_rates(&self, weights: &[u32]) -> [Option<f64>; 3] {
        let mut n = [[0u64; 2]; 3];
        // A part that was not judged is neither caught nor an escape.
        for part in self.parts.iter().filter(|p| p.verdict != Verdict::Unjudged) {
            let weight = u64::from(part.samples.first().map_or(0, |s| weights[*s]));
            let hit = |n: &mut [u64; 2], of: Verdict| {
                n[0] += if part.verdict == of { weight } else { 0 };
                n[1] += weight;
            };
            match part.truth {
                Some(Verdict::Ng) => hit(&mut n[0], Verdict::Ok),
                Some(Verdict::Ok) => hit(&mut n[1], Verdict::Ng),
                _ => {}
            }
            hit(&mut n[2], Verdict::Review);
        }
        n.map(|[k, of]| share(k, of))
    }

    /// The area under the ROC of the deciding scores of the parts.
    pub(crate) fn part_auroc(&self, weights: &[u32]) -> Option<f64> {
        let mut scores: Vec<_> = self
            .parts
            .iter()
            .filter(|p| p.verdict != Verdict::Unjudged)
            .filter_map(|p| Some((p.score, p.truth? == Verdict::Ng, weights[*p.samples.first()?])))
            .collect();
        area_under_roc(&mut scores)
    }

    /// The share of the pictures whose class the model says.
    pub(crate) fn accuracy(&self, weights: &[u32]) -> Option<f64> {
        let both = || self.classes.iter().zip(weights).filter_map(|(c, w)| Some((c.as_ref()?, u64::from(*w))));
        share(both().filter(|(c, _)| c.0 == c.1).map(|(_, w)| w).sum(), both().map(|(_, w)| w).sum())
    }

    /// The time in which `percent` of the frames were judged, microseconds.
    pub(crate) fn latency(&self, percent: usize) -> u64 {
        self.latency_us[(self.latency_us.len() - 1) * percent / 100]
    }
}

/// Counts the boxes and the classes of pictures whose labels are none of `known`.
fn unknown_labels(
    samples: &[Sample],
    classes: &[Option<(String, String)>],
    known: &[String],
) -> BTreeMap<String, usize> {
    let boxes = samples.iter().filter_map(|s| s.boxes.as_ref()).flatten().map(|b| &b.label);
    let pictures = classes.iter().flatten().map(|(there, _)| there);
    let mut unknown = BTreeMap::new();
    for label in boxes.chain(pictures).filter(|label| !known.contains(label)) {
        *unknown.entry(label.clone()).or_default() += 1;
    }
    unknown
}

fn boxes(sample: &Sample, result: &Inference, places: &HashMap<&str, usize>, moved: f64) -> Option<ImageBoxes> {
    let labelled = sample.boxes.as_ref()?;
    let truth = labelled.iter().filter_map(|b| {
        let [x, y, w, h] = b.bbox;
        Some(TrueBox { class: *places.get(b.label.as_str())?, bbox: [x + moved, y, w, h], crowd: b.crowd })
    });
    let found = result.detections.iter().filter_map(|d| {
        Some(FoundBox { class: *places.get(&*d.label)?, score: d.score, bbox: d.upright().map(f64::from) })
    });
    Some(ImageBoxes { truth: truth.collect(), found: found.collect() })
}

/// The verdict by the deciding score. The verdict of the element is of a lower threshold, which keeps detections for the
/// curve.
fn verdict(result: &Inference, thresholds: &Thresholds) -> Verdict {
    if result.verdict == Verdict::Unjudged {
        return Verdict::Unjudged;
    }
    match thresholds.review {
        Some([low, high]) if (low..=high).contains(&result.score) => Verdict::Review,
        _ if result.score >= thresholds.score => Verdict::Ng,
        _ => Verdict::Ok,
    }
}

fn parts(samples: &[Sample], results: &[Arc<Inference>], thresholds: &Thresholds) -> (Vec<MeasuredPart>, Vec<usize>) {
    let mut parts: Vec<MeasuredPart> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut part_of = Vec::with_capacity(samples.len());
    for (i, (sample, result)) in samples.iter().zip(results).enumerate() {
        let at = *places.entry(sample.part.id.as_str()).or_insert_with(|| {
            parts.push(MeasuredPart {
                id: sample.part.id.clone(),
                group: sample.group.clone(),
                truth: None,
                verdict: Verdict::Ok,
                score: 0.0,
                samples: Vec::new(),
            });
            parts.len() - 1
        });
        part_of.push(at);
        let part = &mut parts[at];
        // One bad view makes a bad part.
        part.truth = match (part.truth, sample.verdict) {
            (Some(Verdict::Ng), _) | (_, Some(Verdict::Ng)) => Some(Verdict::Ng),
            (before, now) => now.or(before),
        };
        let rank =
            |v: Verdict| [Verdict::Ok, Verdict::Review, Verdict::Unjudged, Verdict::Ng].iter().position(|o| *o == v);
        let verdict = verdict(result, thresholds);
        if rank(verdict) > rank(part.verdict) {
            part.verdict = verdict;
        }
        part.score = part.score.max(result.score);
        part.samples.push(i);
    }
    (parts, part_of)
}

fn class(sample: &Sample, result: &Inference) -> Option<(String, String)> {
    Some((sample.class.clone()?, result.classes.first()?.label.to_string()))
}

fn confusion(
    images: &[Option<ImageBoxes>],
    labels: &[String],
    classes: &[Option<(String, String)>],
    threshold: f32,
) -> Option<Confusion> {
    if !labels.is_empty() {
        return Some(Confusion::of_boxes(images.iter().flatten(), labels, threshold, MIN_IOU));
    }
    let names = |of: fn(&(String, String)) -> &String| {
        let mut names: Vec<_> = classes.iter().flatten().map(of).cloned().collect();
        names.sort_unstable();
        names.dedup();
        names
    };
    let mut all = Confusion::new(names(|c| &c.0), names(|c| &c.1));
    classes.iter().flatten().for_each(|(there, result)| all.add(there, result));
    (!all.rows.is_empty()).then_some(all)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::data::{LabelledBox, SamplePart};
    use andon_core::result::{Arm, Detection, Frame};

    /// A picture of a part with boxes at these places, and detections at places with scores.
    pub(crate) fn seen(part: &str, view: u32, boxes: &[f64], found: &[(f32, f32)]) -> (Sample, Arc<Inference>) {
        let labelled = |x: &f64| LabelledBox { label: "open".into(), bbox: [*x, 0.0, 10.0, 10.0], crowd: false };
        let sample = Sample {
            id: format!("{part}-{view}"),
            group: part[..1].into(),
            part: SamplePart { id: part.into(), sku: String::new(), view, views: view + 1 },
            image: "".into(),
            template: None,
            verdict: Some(if boxes.is_empty() { Verdict::Ok } else { Verdict::Ng }),
            boxes: Some(boxes.iter().map(labelled).collect()),
            class: None,
            mask: None,
        };
        let mut result = Inference::new("m".into(), Arm::A, &Frame::new(None), [640, 640]);
        result.detections =
            found.iter().map(|(x, score)| Detection::new(0, "open".into(), *score, [*x, 0.0, 10.0, 10.0])).collect();
        result.score = found.iter().map(|f| f.1).fold(0.0, f32::max);
        result.verdict = Verdict::Ok;
        (sample, Arc::new(result))
    }

    /// A model at the threshold 0.5 on such pictures.
    pub(crate) fn measured(seen: Vec<(Sample, Arc<Inference>)>) -> Measured {
        let (samples, results): (Vec<_>, Vec<_>) = seen.into_iter().unzip();
        let thresholds = Thresholds { score: 0.5, ..Thresholds::default() };
        Measured::new(&samples, results, &["open".into(), "short".into()], thresholds, 0.0).unwrap()
    }

    #[test]
    fn one_bad_view_makes_a_bad_part_and_one_that_is_found_a_caught_one() {
        let m = measured(vec![
            seen("p", 0, &[], &[]),
            seen("p", 1, &[50.0], &[(50.0, 0.9)]),
            seen("q", 0, &[50.0], &[(50.0, 0.4)]),
            seen("r", 0, &[], &[(10.0, 0.6)]),
            seen("s", 0, &[], &[(10.0, 0.2)]),
        ]);
        let result: Vec<_> = m.parts.iter().map(|p| (p.truth.unwrap(), p.verdict)).collect();
        use Verdict::{Ng, Ok};
        assert_eq!(result, [(Ng, Ng), (Ng, Ok), (Ok, Ng), (Ok, Ok)]);
        assert_eq!(m.part_rates(&[1; 5]), [Some(0.5), Some(0.5), Some(0.0)]);
        assert_eq!(m.part_rates(&[1, 1, 0, 0, 1]), [Some(0.0), Some(0.0), Some(0.0)]);
        assert_eq!(m.part_auroc(&[1; 5]), Some(0.75));
    }

    #[test]
    fn a_model_that_gives_no_verdict_has_neither_escapes_nor_overkill() {
        let (sample, result) = seen("p", 0, &[50.0], &[(50.0, 0.9)]);
        let m = measured(vec![(sample, Arc::new(Inference { verdict: Verdict::Unjudged, ..(*result).clone() }))]);
        assert_eq!((m.part_rates(&[1]), m.part_auroc(&[1])), ([None; 3], None));
    }

    #[test]
    fn labels_are_those_that_the_model_knows_and_the_set_names() {
        let m = measured(vec![seen("p", 0, &[50.0], &[(50.0, 0.9)])]);
        assert_eq!((m.labels, m.boxes_not_scored), (vec!["open".to_string()], 0));
        let (mut sample, result) = seen("p", 0, &[50.0], &[]);
        sample.boxes.as_mut().unwrap()[0].label = "stain".into();
        let m = measured(vec![(sample, result)]);
        assert_eq!((m.labels.len(), m.boxes_not_scored), (0, 1));
        assert_eq!(m.unknown_labels, [("stain".to_string(), 1)].into());
    }

    #[test]
    fn a_frame_that_was_not_judged_is_an_error() {
        let (sample, result) = seen("p", 0, &[], &[]);
        let result = Inference { status: Status::NonFinite, reason: "NaN in output0".into(), ..(*result).clone() };
        let error = Measured::new(&[sample], vec![Arc::new(result)], &[], Thresholds::default(), 0.0);
        let error = error.err().expect("it is no measurement").to_string();
        assert!(error.contains("p-0 was not judged: non-finite: NaN in output0"), "{error}");
    }

    #[test]
    fn labels_move_with_a_shift() {
        let (sample, result) = seen("p", 0, &[50.0], &[(58.0, 0.9)]);
        let of = |moved| {
            let known = ["open".to_string()];
            let m = Measured::new(
                std::slice::from_ref(&sample),
                vec![result.clone()],
                &known,
                Thresholds::default(),
                moved,
            );
            m.unwrap().average_precision("open", 1, &[1]).unwrap()[0]
        };
        assert!(of(0.0) == 0.0 && of(8.0) > 0.999);
    }
}
