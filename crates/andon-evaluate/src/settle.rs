// SPDX-License-Identifier: MPL-2.0
//! How many parts it takes until an interval says on which side of a limit a figure lies.

/// Returns the number of parts (or groups) at which an interval around the same `estimate` no longer holds `limit`, or None if
/// no number would do: the estimate is the limit, or is not known. `units` is how many the interval rests on.
///
/// The rule: the width of an interval of a mean shrinks with the root of the number of independent units (W. G. Cochran,
/// Sampling Techniques, 3rd edition, 1977, chapter 4), so that the reach from the estimate to its bound, r, comes down to the
/// room between estimate and limit, d, with units · (r / d)². It is an estimate: the figure itself moves with more parts.
///
/// ```
/// # use andon_evaluate::units_to_settle;
/// // Worse by 0.02 with up to 0.04 possible, where 0.01 is allowed: on 100 parts nothing is shown, on 400 it would be.
/// assert_eq!(units_to_settle(100, -0.02, [-0.04, 0.0], -0.01), Some(400));
/// assert_eq!(units_to_settle(100, -0.01, [-0.04, 0.0], -0.01), None);
/// ```
pub fn units_to_settle(units: usize, estimate: f64, [low, high]: [f64; 2], limit: f64) -> Option<u64> {
    let room = (estimate - limit).abs();
    let reach = if estimate > limit { estimate - low } else { high - estimate };
    let needed = (units as f64 * (reach / room).powi(2)).round();
    (room > 0.0 && needed.is_finite()).then_some(needed as u64)
}

#[cfg(test)]
mod tests {
    use super::units_to_settle;

    #[test]
    fn twice_the_reach_takes_four_times_the_parts_on_either_side() {
        assert_eq!(units_to_settle(100, 0.0, [-0.02, 0.5], -0.01), Some(400));
        assert_eq!(units_to_settle(100, 0.03, [0.0, 0.04], 0.035), Some(400));
        assert_eq!(units_to_settle(100, 0.0, [-0.005, 0.0], -0.01), Some(25), "it is settled already");
        for broken in [(f64::NAN, 0.0), (0.0, f64::NAN), (f64::INFINITY, 0.0)] {
            assert_eq!(units_to_settle(100, broken.0, [-1.0, 1.0], broken.1), None);
        }
    }
}
