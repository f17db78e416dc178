// SPDX-License-Identifier: MPL-2.0
//! The area under the receiver operating characteristic: how well a score tells bad from good, whatever the threshold.

/// Returns the chance that something bad has a higher score than something good; ties count half (Mann-Whitney). None if
/// there are not both. Each score comes with whether it is of something bad, and how often it counts; `scores` are sorted
/// afterwards.
pub fn area_under_roc(scores: &mut [(f32, bool, u32)]) -> Option<f64> {
    scores.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let (mut good_below, mut good, mut bad, mut won) = (0u64, 0u64, 0u64, 0.0f64);
    for ties in scores.chunk_by(|a, b| a.0 == b.0) {
        let count = |of: bool| ties.iter().filter(|s| s.1 == of).map(|s| u64::from(s.2)).sum::<u64>();
        let (g, b) = (count(false), count(true));
        won += b as f64 * (good_below as f64 + g as f64 / 2.0);
        good_below += g;
        good += g;
        bad += b;
    }
    (good > 0 && bad > 0).then(|| won / (good as f64 * bad as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn area(scores: &[(f32, bool)]) -> Option<f64> {
        area_under_roc(&mut scores.iter().map(|s| (s.0, s.1, 1)).collect::<Vec<_>>())
    }

    #[test]
    fn a_score_that_tells_them_apart_is_one_and_one_that_does_not_is_a_half() {
        assert_eq!(area(&[(0.1, false), (0.2, false), (0.8, true)]), Some(1.0));
        assert_eq!(area(&[(0.5, false), (0.5, true)]), Some(0.5));
        assert_eq!(area(&[(0.9, false), (0.1, true)]), Some(0.0));
    }

    #[test]
    fn ties_count_half_and_pairs_are_counted_all() {
        // Of four pairs two are won, one is a tie, one is lost.
        assert_eq!(area(&[(0.1, false), (0.5, false), (0.5, true), (0.4, true)]), Some(0.625));
    }

    #[test]
    fn one_kind_alone_is_no_area() {
        assert_eq!(area(&[(0.1, true)]), None);
        assert_eq!(area(&[]), None);
    }

    #[test]
    fn weights_count_as_often() {
        let mut weighted = [(0.1, false, 3), (0.5, false, 1), (0.3, true, 2)];
        assert_eq!(area_under_roc(&mut weighted), Some(0.75));
    }
}
