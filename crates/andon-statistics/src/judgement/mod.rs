// SPDX-License-Identifier: MPL-2.0
//! Decides by inspection labels whether challenger b is better than champion a, worse, or not yet known. The decision
//! holds however often one looks.
//!
//! One label of one part is one observation, because frames of a part are not independent.
//!
//! | decision | when it is proven that | share of alpha | is wrong when |
//! |---|---|---|---|
//! | [`Decision::Promote`] | b lets less than [`Limits::max_escape_increase`] more of the defective parts through than a, | 0.8 | it does not, |
//! | | *and* stops at most [`Limits::max_overkill_increase`] more of the good parts, | 0.8 | or does not |
//! | | *and* saves cost per part | 0.8 | or does not |
//! | [`Decision::Abort`] | b lets more than that through, | 0.1 | it does not |
//! | | *or* costs more per part | 0.1 | it does not |
//! | [`Decision::Hold`] | none of these; or the labels are no sample, or parts went by SKU | | never |
//!
//! The chance of any wrong decision, over all looks, is at most [`Limits::alpha`]. Each line is a test. If its claim is
//! false, its evidence reaches one over its share of alpha with at most that chance (Ville's inequality; `mixture.rs`,
//! `evidence.rs`). A wrong `promote` needs one particular test to err, that of the false claim. So its chance is at
//! most 0.8 α, although all three tests have all of it (an intersection-union test: Berger, Technometrics 24, 1982). A wrong
//! `abort` needs one of two tests to err, 0.1 α each. Together that is at most α. A decision stays for the life of a
//! [`Judge`], because evidence may fall again.
//!
//! The tests assume nothing of the order of parts or of their shares. They assume only that, given all parts before,
//! the mean is what the hypothesis says. A mean that moves is tested as long as it stays on one side. Of labels they
//! assume two things: that they are a random sample of the parts by the [`Plan`] under which they were drawn, and that
//! the time of a label depends neither on the verdicts of the arms nor on the truth. An inspector who labels clear
//! cases at once and doubtful ones never breaks the second assumption, and nothing here detects it. An inspector who
//! labels what one arm stopped is detected (`answers.rs`), and from then on the decision is hold. A corrected label
//! counts as if it had always been so, but it does not undo a decision.
//!
//! Labels from elsewhere, such as the reject bin or customers, are only counted, because they choose between the arms.
//!
//! Measured by benches/peeking.rs with alpha 0.05, 10,000 runs each (the last three: 1,000), a look after every part:
//!
//! | | |
//! |---|---|
//! | equal arms, false decisions | 2.2 % of 4,000 parts all labelled; 3.1 % of 20,000 drawn at 1 / 0.05 / 0.2; 1.5 % of 10,000 split at 0.1 |
//! | exactly the allowed escapes, promoted | 2.1 % of 12,000 parts; its share of alpha is 4 % |
//! | half the overkill, twice the escapes (4 to 8 %), promoted | 0.07 % of 12,000 parts |
//! | labels of the reject bin passed off as a sample | detected and held in all runs |
//! | all proposals answered in turn, held by mistake | 3.6 %, also when defects begin midway |
//! | discordant parts until b is shown to save, 60 / 70 / 80 % in its favour, equal costs | median 180 / 41 / 18 |
//! | defective labels until equal escapes are shown, 0 / 1 / 2 / 5 % of them discordant | median 477 / 840 / 1,418 / 3,703 |
//! | labels until a b is promoted that halves escapes (8 %) and overkill (4 %), a tenth of the parts defective | median 2,900 with all labelled; 350 drawn at 1 / 0.05 / 0.2 |
//! | the same by a split at 0.5 / 0.1 | median 5,900 / 18,000: a split shows the arms to different parts, and guards more than it proves |
//! | the same, forecast at 1,000 labels over what it took | 10 and 90 of 100: half to eight times |

mod answers;
mod cell;
mod draw;
mod evidence;
mod judge;
mod judgement_report;
mod limits;
mod mixture;
mod reasons;
#[cfg(test)]
mod tests;

pub use self::{
    cell::{Cell, Design, DesignKind, Plan},
    judge::{Judge, Ticket},
    judgement_report::{
        CellLabels, Cost, Decided, Escapes, Grounds, JudgementReport, LabelEValues, Labels, Overkill, Since,
    },
    limits::{Decision, Limits, LimitsError, PROMOTE_SHARE},
};
pub(crate) use self::{draw::Draw, mixture::Mixture};
