// SPDX-License-Identifier: MPL-2.0
//! What a model made of a set, reduced to what every figure is computed from, over all of it or over a resample.

use std::{collections::HashMap, sync::Arc};

use andon_core::result::{Inference, ModelId, Status, Verdict};
use andon_model::Thresholds;

use crate::{
    data::Sample,
    maps,
    score::{Confusion, Curve, Found, Judged, MIN_IOU, OVERLAPS, Tally, Truth, area_under_roc, share},
};

/// A part and what came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct PartOutcome {
    /// Its id.
    pub id: String,
    /// What belongs together: of its first view.
    pub group: String,
    /// Whether it is bad; none where the set does not tell.
    pub truth: Option<Verdict>,
    /// What the model says at its thresholds.
    pub said: Verdict,
    /// The highest deciding score among its views.
    pub score: f32,
    /// Indices of its samples.
    pub samples: Vec<usize>,
}

/// One model on one set.
#[derive(Clone)]
pub struct Measured {
    /// Who spoke.
    pub model: Arc<ModelId>,
    /// What ran it.
    pub provider: Arc<str>,
    /// Labels that the model knows and the set names, in the model's order.
    pub labels: Vec<String>,
    /// At which it decides.
    pub thresholds: Thresholds,
    /// What it said, a frame a sample.
    pub outcomes: Vec<Arc<Inference>>,
    /// Boxes there and boxes found; none of pictures without a word on boxes.
    pub judged: Vec<Option<Judged>>,
    /// By label.
    pub curves: Vec<Curve>,
    /// In the order of their first samples.
    pub parts: Vec<PartOutcome>,
    /// Of each sample, its part.
    pub part_of: Vec<usize>,
    /// What it is as a whole and what it was called, where both are told; indices into the names of `confusion`.
    pub classes: Vec<Option<(String, String)>>,
    /// What was taken for what: boxes, or pictures as a whole; none where the model names neither.
    pub confusion: Option<Confusion>,
    /// Over all cells of anomaly maps; none where there is no map or no mask.
    pub pixel_auroc: Option<f64>,
    /// Labelled boxes of kinds that the model does not know: not scored.
    pub boxes_not_scored: usize,
    /// Time in the element, pre- and post-processing included, microseconds, shortest first.
    pub latency_us: Vec<u64>,
}

impl Measured {
    /// Of `outcomes`, one a sample; `moved` is how far the pictures were shifted to the right, pixels.
    pub fn new(
        samples: &[Sample],
        outcomes: Vec<Arc<Inference>>,
        known: &[String],
        thresholds: Thresholds,
        moved: f64,
    ) -> anyhow::Result<Self> {
        for (sample, outcome) in samples.iter().zip(&outcomes) {
            anyhow::ensure!(
                outcome.status == Status::Ok,
                "{} was not judged: {}{}{}",
                sample.id,
                outcome.status,
                if outcome.reason.is_empty() { "" } else { ": " },
                outcome.reason
            );
        }
        let named: std::collections::HashSet<&str> =
            samples.iter().filter_map(|s| s.boxes.as_ref()).flatten().map(|b| b.label.as_str()).collect();
        let labels: Vec<String> = known.iter().filter(|l| named.contains(l.as_str())).cloned().collect();
        let places: HashMap<&str, usize> = labels.iter().enumerate().map(|(i, l)| (l.as_str(), i)).collect();
        let judged: Vec<_> = samples.iter().zip(&outcomes).map(|(s, o)| boxes(s, o, &places, moved)).collect();
        let scored: usize = judged.iter().flatten().map(|j| j.truth.len()).sum();
        let labelled: usize = samples.iter().filter_map(|s| s.boxes.as_ref()).map(Vec::len).sum();
        let curves = (0..labels.len()).map(|class| Curve::new(&judged, class)).collect();
        let (parts, part_of) = parts(samples, &outcomes, &thresholds);
        let classes: Vec<_> = samples.iter().zip(&outcomes).map(|(s, o)| class(s, o)).collect();
        let confusion = confusion(&judged, &labels, &classes, thresholds.score);
        let mut latency_us: Vec<_> = outcomes.iter().map(|o| o.latency_us).collect();
        latency_us.sort_unstable();
        let first = outcomes.first().ok_or_else(|| anyhow::anyhow!("nothing was judged"))?;
        Ok(Self {
            model: first.model.clone(),
            provider: first.provider.clone(),
            pixel_auroc: maps::auroc(samples, &outcomes)?,
            labels,
            thresholds,
            judged,
            curves,
            parts,
            part_of,
            classes,
            confusion,
            boxes_not_scored: labelled - scored,
            latency_us,
            outcomes,
        })
    }

    /// Average precision of a label at each overlap in `bits`, 0 at others.
    pub fn average_precision(&self, label: &str, bits: u16, weights: &[u32]) -> Option<[f64; OVERLAPS]> {
        self.curve(label)?.average_precision(bits, weights)
    }

    /// What the model's threshold makes of a label's detections, at [`MIN_IOU`].
    pub fn tally(&self, label: &str, weights: &[u32]) -> Option<Tally> {
        self.curve(label).map(|c| c.at(self.thresholds.score, 0, weights))
    }

    /// A label's curve; none of one that it does not know.
    pub fn curve(&self, label: &str) -> Option<&Curve> {
        self.curves.get(self.labels.iter().position(|l| l == label)?)
    }

    /// Among bad parts the share called ok, among good parts the share called ng, among all the share left to a person.
    pub fn part_rates(&self, weights: &[u32]) -> [Option<f64>; 3] {
        let mut n = [[0u64; 2]; 3];
        // What is not judged is neither caught nor an escape.
        for part in self.parts.iter().filter(|p| p.said != Verdict::Unjudged) {
            let weight = u64::from(part.samples.first().map_or(0, |s| weights[*s]));
            let hit = |n: &mut [u64; 2], of: Verdict| {
                n[0] += if part.said == of { weight } else { 0 };
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

    /// The area under the ROC of the parts' deciding scores.
    pub fn part_auroc(&self, weights: &[u32]) -> Option<f64> {
        let mut scores: Vec<_> = self
            .parts
            .iter()
            .filter(|p| p.said != Verdict::Unjudged)
            .filter_map(|p| Some((p.score, p.truth? == Verdict::Ng, weights[*p.samples.first()?])))
            .collect();
        area_under_roc(&mut scores)
    }

    /// The share of pictures called what they are.
    pub fn accuracy(&self, weights: &[u32]) -> Option<f64> {
        let told = || self.classes.iter().zip(weights).filter_map(|(c, w)| Some((c.as_ref()?, u64::from(*w))));
        share(told().filter(|(c, _)| c.0 == c.1).map(|(_, w)| w).sum(), told().map(|(_, w)| w).sum())
    }

    /// The time within which `percent` of the frames were judged, microseconds.
    pub fn latency(&self, percent: usize) -> u64 {
        self.latency_us[(self.latency_us.len() - 1) * percent / 100]
    }
}

fn boxes(sample: &Sample, outcome: &Inference, places: &HashMap<&str, usize>, moved: f64) -> Option<Judged> {
    let labelled = sample.boxes.as_ref()?;
    let truth = labelled.iter().filter_map(|b| {
        let [x, y, w, h] = b.bbox;
        Some(Truth { class: *places.get(b.label.as_str())?, bbox: [x + moved, y, w, h], crowd: b.crowd })
    });
    let found = outcome.detections.iter().filter_map(|d| {
        Some(Found { class: *places.get(&*d.label)?, score: d.score, bbox: d.upright().map(f64::from) })
    });
    Some(Judged { truth: truth.collect(), found: found.collect() })
}

/// A verdict of a deciding score: an element that keeps low scores for the sake of the curve decides on those.
fn verdict(outcome: &Inference, thresholds: &Thresholds) -> Verdict {
    if outcome.verdict == Verdict::Unjudged {
        return Verdict::Unjudged;
    }
    match thresholds.review {
        Some([low, high]) if (low..=high).contains(&outcome.score) => Verdict::Review,
        _ if outcome.score >= thresholds.score => Verdict::Ng,
        _ => Verdict::Ok,
    }
}

fn parts(samples: &[Sample], outcomes: &[Arc<Inference>], thresholds: &Thresholds) -> (Vec<PartOutcome>, Vec<usize>) {
    let mut parts: Vec<PartOutcome> = Vec::new();
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut part_of = Vec::with_capacity(samples.len());
    for (i, (sample, outcome)) in samples.iter().zip(outcomes).enumerate() {
        let at = *places.entry(sample.part.id.as_str()).or_insert_with(|| {
            parts.push(PartOutcome {
                id: sample.part.id.clone(),
                group: sample.group.clone(),
                truth: None,
                said: Verdict::Ok,
                score: 0.0,
                samples: Vec::new(),
            });
            parts.len() - 1
        });
        part_of.push(at);
        let part = &mut parts[at];
        // One bad view makes a bad part, whatever the others are.
        part.truth = match (part.truth, sample.verdict) {
            (Some(Verdict::Ng), _) | (_, Some(Verdict::Ng)) => Some(Verdict::Ng),
            (before, now) => now.or(before),
        };
        let rank =
            |v: Verdict| [Verdict::Ok, Verdict::Review, Verdict::Unjudged, Verdict::Ng].iter().position(|o| *o == v);
        let said = verdict(outcome, thresholds);
        if rank(said) > rank(part.said) {
            part.said = said;
        }
        part.score = part.score.max(outcome.score);
        part.samples.push(i);
    }
    (parts, part_of)
}

fn class(sample: &Sample, outcome: &Inference) -> Option<(String, String)> {
    Some((sample.class.clone()?, outcome.classes.first()?.label.to_string()))
}

fn confusion(
    judged: &[Option<Judged>],
    labels: &[String],
    classes: &[Option<(String, String)>],
    threshold: f32,
) -> Option<Confusion> {
    if !labels.is_empty() {
        return Some(Confusion::of_boxes(judged.iter().flatten(), labels, threshold, MIN_IOU));
    }
    let names = |of: fn(&(String, String)) -> &String| {
        let mut names: Vec<_> = classes.iter().flatten().map(of).cloned().collect();
        names.sort_unstable();
        names.dedup();
        names
    };
    let mut all = Confusion::new(names(|c| &c.0), names(|c| &c.1));
    classes.iter().flatten().for_each(|(there, said)| all.add(there, said));
    (!all.rows.is_empty()).then_some(all)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::data::{Labelled, SamplePart};
    use andon_core::result::{Arm, Detection, Frame};

    /// A picture of a part with boxes at these places, and what a model found there, surely or not.
    pub fn seen(part: &str, view: u32, boxes: &[f64], found: &[(f32, f32)]) -> (Sample, Arc<Inference>) {
        let labelled = |x: &f64| Labelled { label: "open".into(), bbox: [*x, 0.0, 10.0, 10.0], crowd: false };
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
        let mut said = Inference::new("m".into(), Arm::A, &Frame::new(None), [640, 640]);
        said.detections =
            found.iter().map(|(x, score)| Detection::new(0, "open".into(), *score, [*x, 0.0, 10.0, 10.0])).collect();
        said.score = found.iter().map(|f| f.1).fold(0.0, f32::max);
        said.verdict = Verdict::Ok;
        (sample, Arc::new(said))
    }

    /// A model at the threshold 0.5 on such pictures.
    pub fn measured(seen: Vec<(Sample, Arc<Inference>)>) -> Measured {
        let (samples, outcomes): (Vec<_>, Vec<_>) = seen.into_iter().unzip();
        let thresholds = Thresholds { score: 0.5, ..Thresholds::default() };
        Measured::new(&samples, outcomes, &["open".into(), "short".into()], thresholds, 0.0).unwrap()
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
        let said: Vec<_> = m.parts.iter().map(|p| (p.truth.unwrap(), p.said)).collect();
        use Verdict::{Ng, Ok};
        assert_eq!(said, [(Ng, Ng), (Ng, Ok), (Ok, Ng), (Ok, Ok)]);
        assert_eq!(m.part_rates(&[1; 5]), [Some(0.5), Some(0.5), Some(0.0)]);
        assert_eq!(m.part_rates(&[1, 1, 0, 0, 1]), [Some(0.0), Some(0.0), Some(0.0)]);
        assert_eq!(m.part_auroc(&[1; 5]), Some(0.75));
    }

    #[test]
    fn a_model_that_gives_no_verdict_has_neither_escapes_nor_overkill() {
        let (sample, said) = seen("p", 0, &[50.0], &[(50.0, 0.9)]);
        let m = measured(vec![(sample, Arc::new(Inference { verdict: Verdict::Unjudged, ..(*said).clone() }))]);
        assert_eq!((m.part_rates(&[1]), m.part_auroc(&[1])), ([None; 3], None));
    }

    #[test]
    fn labels_are_those_that_the_model_knows_and_the_set_names() {
        let m = measured(vec![seen("p", 0, &[50.0], &[(50.0, 0.9)])]);
        assert_eq!((m.labels, m.boxes_not_scored), (vec!["open".to_string()], 0));
        let (mut sample, said) = seen("p", 0, &[50.0], &[]);
        sample.boxes.as_mut().unwrap()[0].label = "stain".into();
        let m = measured(vec![(sample, said)]);
        assert_eq!((m.labels.len(), m.boxes_not_scored), (0, 1));
    }

    #[test]
    fn a_frame_that_was_not_judged_is_an_error() {
        let (sample, said) = seen("p", 0, &[], &[]);
        let said = Inference { status: Status::NonFinite, reason: "NaN in output0".into(), ..(*said).clone() };
        let error = Measured::new(&[sample], vec![Arc::new(said)], &[], Thresholds::default(), 0.0);
        let error = error.err().expect("nobody may take it for a result").to_string();
        assert!(error.contains("p-0 was not judged: non-finite: NaN in output0"), "{error}");
    }

    #[test]
    fn labels_move_with_a_shift() {
        let (sample, said) = seen("p", 0, &[50.0], &[(58.0, 0.9)]);
        let of = |moved| {
            let known = ["open".to_string()];
            let m =
                Measured::new(std::slice::from_ref(&sample), vec![said.clone()], &known, Thresholds::default(), moved);
            m.unwrap().average_precision("open", 1, &[1]).unwrap()[0]
        };
        assert!(of(0.0) == 0.0 && of(8.0) > 0.999);
    }
}
