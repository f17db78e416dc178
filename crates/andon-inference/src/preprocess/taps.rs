// SPDX-License-Identifier: MPL-2.0
//! Taps: which samples of an axis make one resized sample, and with which weights, by the rules of OpenCV's `resize`.
//!
//! - `INTER_LINEAR`: between pixel centres, edges repeated, no low-pass.
//! - `INTER_AREA`, both axes shrinking: the samples that each resized pixel covers, by coverage.
//! - `INTER_AREA` otherwise: between two samples, but each sample keeps its own pixels as long as it can.
//!
//! Antialias is by the rules of Pillow's `resize` with `BILINEAR` (ImagingResample): a triangle about each resized sample's
//! centre, one sample wide to each side, and where the axis shrinks as many times wider as it shrinks; weights beyond an
//! edge fall away, and the others are scaled up to a sum of 1.

use std::ops::Range;

use super::mapping::Axis;

/// A place closer than this to a sample, or to the middle between two, is taken as exactly there.
const SNAP: f64 = 1e-6;

/// How an axis is resized.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// Bilinear.
    Linear,
    /// By coverage.
    Area,
    /// OpenCV's form of area for an axis that grows.
    AreaGrowing,
    /// Pillow's bilinear.
    Antialias,
}

/// The regularity of the taps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Order {
    /// Every `k`-th sample, as it is.
    Every(usize),
    /// The middle between two neighbours, every `k`-th.
    Middle(usize),
    /// No useful regularity.
    #[default]
    Any,
}

/// One resized sample between a sample and the next one: `a + (b - a) * weight`. The next one exists if the weight is not
/// 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Tap {
    pub at: u32,
    pub weight: f32,
}

/// One resized sample as a weighted sum of `count` samples from `first` on. The weights start at `weights`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub first: u32,
    pub count: u32,
    pub weights: u32,
}

/// The taps of one axis, for one plane. They are filled again when the geometry changes.
#[derive(Debug, Default)]
pub(super) struct Taps {
    /// The taps of the rules between two samples.
    pub pairs: Vec<Tap>,
    pub order: Order,
    /// The same taps as weighted sums, if requested.
    pub spans: Vec<Span>,
    pub weights: Vec<f32>,
}

impl Taps {
    /// Fills the taps of an axis of `samples`, of which `length` from `start` on count; with `sums` also as weighted sums.
    pub(super) fn fill(&mut self, samples: usize, (start, length): (f64, f64), axis: &Axis, rule: Rule, sums: bool) {
        // Computed as OpenCV does, so that the same numbers are rounded down.
        let step = 1.0 / (axis.resized as f64 / length);
        let of = axis.cut..axis.cut + axis.count;
        self.pairs.clear();
        self.spans.clear();
        self.weights.clear();
        self.order = Order::Any;
        if rule == Rule::Area {
            of.for_each(|i| self.cover(samples, start + i as f64 * step, step));
            return;
        }
        // A region's edge is repeated like the frame's, as if the region was cut out.
        let (first, last) = (start.floor(), ((start + length).ceil() - 1.0).clamp(0.0, (samples - 1) as f64));
        if rule == Rule::Antialias {
            let of = of.map(|i| start + (i as f64 + 0.5) * step);
            of.for_each(|centre| self.triangle(first.min(last) as usize..last as usize + 1, centre, step.max(1.0)));
            return;
        }
        for i in of.map(|i| i as f64) {
            let at = if rule == Rule::Linear {
                start + (i + 0.5) * step - 0.5
            } else {
                let whole = (i * step).floor();
                let part = (i + 1.0) - (whole + 1.0) / step;
                start + whole + if part <= 0.0 { 0.0 } else { part - part.floor() }
            };
            self.pairs.push(tap(at.clamp(first.min(last), last)));
        }
        self.order = order(&self.pairs);
        if sums {
            for tap in &self.pairs {
                let count = 1 + u32::from(tap.weight != 0.0);
                self.spans.push(Span { first: tap.at, count, weights: self.weights.len() as u32 });
                self.weights.push(1.0 - tap.weight);
                self.weights.extend((count == 2).then_some(tap.weight));
            }
        }
    }

    /// The weights of a span.
    pub(super) fn of(&self, span: &Span) -> &[f32] {
        &self.weights[span.weights as usize..][..span.count as usize]
    }

    /// The first sample of all spans, and one past the last.
    pub(super) fn reach(&self) -> (usize, usize) {
        let first = self.spans.iter().map(|s| s.first).min().unwrap_or(0);
        let end = self.spans.iter().map(|s| s.first + s.count).max().unwrap_or(0);
        (first as usize, end as usize)
    }

    /// Adds the span of the samples that `from..from + long` covers.
    fn cover(&mut self, samples: usize, from: f64, long: f64) {
        let to = (from + long).min(samples as f64);
        let first = (from + SNAP).floor() as usize;
        let end = ((to - SNAP).ceil() as usize).clamp(first + 1, samples.max(first + 1));
        let covered = |i: usize| ((i + 1) as f64).min(to) - (i as f64).max(from);
        let all: f64 = (first..end).map(covered).sum();
        self.spans.push(Span { first: first as u32, count: (end - first) as u32, weights: self.weights.len() as u32 });
        self.weights.extend((first..end).map(|i| (covered(i) / all) as f32));
    }

    /// Adds the span of a triangle about `centre` that reaches `reach` samples to each side, within the samples `of`.
    fn triangle(&mut self, of: Range<usize>, centre: f64, reach: f64) {
        let weight = |i: usize| (1.0 - ((i as f64 + 0.5 - centre) / reach).abs()).max(0.0);
        let inside = |at: f64| (at.max(0.0) as usize).clamp(of.start, of.end);
        let (mut first, mut end) = (inside(centre - reach + 0.5), inside(centre + reach + 0.5));
        // The nearest sample is there however the place was rounded.
        let nearest = inside(centre).min(of.end - 1);
        (first, end) = (first.min(nearest), end.max(nearest + 1));
        while first < nearest && weight(first) < SNAP {
            first += 1;
        }
        while end > nearest + 1 && weight(end - 1) < SNAP {
            end -= 1;
        }
        let all: f64 = (first..end).map(weight).sum();
        self.spans.push(Span { first: first as u32, count: (end - first) as u32, weights: self.weights.len() as u32 });
        self.weights.extend((first..end).map(|i| (weight(i) / all) as f32));
    }
}

fn tap(at: f64) -> Tap {
    let nearest = at.round();
    if (at - nearest).abs() < SNAP {
        return Tap { at: nearest as u32, weight: 0.0 };
    }
    let weight = at - at.floor();
    let weight = if (weight - 0.5).abs() < SNAP { 0.5 } else { weight as f32 };
    Tap { at: at as u32, weight }
}

fn order(pairs: &[Tap]) -> Order {
    let k = match pairs {
        [a, b, ..] => (b.at as usize).saturating_sub(a.at as usize),
        _ => 1,
    };
    let regular = k > 0 && pairs.windows(2).all(|p| p[1].at as usize == p[0].at as usize + k);
    let all = |weight: f32| pairs.iter().all(|t| t.weight == weight);
    match regular {
        true if all(0.0) => Order::Every(k),
        true if all(0.5) => Order::Middle(k),
        _ => Order::Any,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(samples: usize, start: f64, length: f64, to: usize, rule: Rule) -> Taps {
        let axis = Axis { start, length, whole: false, resized: to, cut: 0, count: to, place: 0 };
        let mut taps = Taps::default();
        taps.fill(samples, (start, length), &axis, rule, true);
        taps
    }

    #[test]
    fn taps_of_the_same_size_are_the_samples_themselves() {
        let taps = filled(7, 0.0, 7.0, 7, Rule::Linear);
        assert_eq!(taps.order, Order::Every(1));
        assert!(taps.pairs.iter().enumerate().all(|(i, t)| t.at as usize == i && t.weight == 0.0));
        assert_eq!(filled(1, 0.0, 1.0, 4, Rule::Linear).pairs, [Tap { at: 0, weight: 0.0 }; 4]);
    }

    #[test]
    fn whole_ratios_are_known_for_what_they_are() {
        for (from, order) in [(640, Order::Middle(2)), (960, Order::Every(3)), (1280, Order::Middle(4))] {
            assert_eq!(filled(from, 0.0, from as f64, 320, Rule::Linear).order, order);
        }
        assert_eq!(filled(500, 0.0, 500.0, 320, Rule::Linear).order, Order::Any);
    }

    #[test]
    fn a_triangle_widens_with_what_the_axis_shrinks_and_loses_what_lies_beyond_the_edge() {
        let taps = filled(8, 0.0, 8.0, 4, Rule::Antialias);
        // Pillow's: 8 samples to 4 reach two to each side; the first lacks the sample before the edge.
        let of = |i: usize| (taps.spans[i].first, taps.of(&taps.spans[i]).to_vec());
        assert_eq!(of(0), (0, vec![3.0 / 7.0, 3.0 / 7.0, 1.0 / 7.0]));
        assert_eq!(of(1), (1, vec![0.125, 0.375, 0.375, 0.125]));
        // Growing, it is the line between two samples.
        let taps = filled(4, 0.0, 4.0, 8, Rule::Antialias);
        assert_eq!(taps.of(&taps.spans[1]), [0.75, 0.25]);
        assert_eq!(taps.of(&taps.spans[0]), [1.0]);
    }

    #[test]
    fn weights_add_up_to_one_and_stay_on_the_axis() {
        for rule in [Rule::Linear, Rule::Area, Rule::AreaGrowing, Rule::Antialias] {
            for (samples, start, length, to) in
                [(7, 0.0, 7.0, 3), (7, 1.3, 4.9, 3), (640, 0.0, 640.0, 213), (2, 0.5, 1.0, 1), (9, 8.0, 1.0, 4)]
            {
                let taps = filled(samples, start, length, to, rule);
                for span in &taps.spans {
                    let sum: f32 = taps.of(span).iter().sum();
                    assert!((sum - 1.0).abs() < 1e-5, "{rule:?} {samples} to {to}: {sum}");
                    assert!((span.first + span.count) as usize <= samples, "{rule:?} {samples} to {to}: {span:?}");
                }
            }
        }
    }
}
