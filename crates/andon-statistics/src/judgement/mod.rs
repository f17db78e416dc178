// SPDX-License-Identifier: MPL-2.0
//! Says of two models beside each other whether the candidate b is better than the running model a, worse, or not yet
//! known: by labels, and right however often one looks.
//!
//! One label of one part is one observation, for frames of a part are not independent.
//!
//! | decision | when it is proven that | share of alpha | is wrong when |
//! |---|---|---|---|
//! | [`Decision::Promote`] | b lets less than [`Limits::max_escape_increase`] more of the defective parts through than a, | 0.8 | it does not, |
//! | | *and* saves cost a part | 0.8 | or does not |
//! | [`Decision::Abort`] | b lets more than that through, | 0.1 | it does not |
//! | | *or* costs more a part | 0.1 | it does not |
//! | [`Decision::Hold`] | nothing of this; or labels are no sample, or parts went by SKU | | never |
//!
//! The chance of any wrong decision, over all looks, is at most [`Limits::alpha`]. Each line is a test whose evidence
//! reaches one over its share with at most that chance if it is not so (Ville's inequality; `mixture.rs`, `evidence.rs`).
//! A wrong `promote` needs one particular test to err, that of a line which is not so, and so has at most the chance
//! 0.8 α, though both have all of it (an intersection-union test: Berger, Technometrics 24, 1982); a wrong `abort` needs
//! one of two to err, 0.1 α each; together at most α. A decision stays until [`Judge::reset`]: evidence may fall again.
//!
//! What is assumed of the parts: nothing of their order or shares but that, given all before, the mean that a hypothesis
//! speaks of is what it says; a mean that moves is tested as long as it stays on one side. Of labels: that they are a
//! random sample of the parts by the [`Plan`] under which they were drawn, and that when one comes does not hang on what
//! the arms said, nor on the truth. An inspector who answers clear cases at once and doubtful ones never breaks that, and
//! nothing here sees it; one who answers what one arm stopped does, and is seen (`answers.rs`), whereupon the decision
//! is hold until a reset. A corrected label counts as if it had always been so, but takes back no decision.
//!
//! Labels from elsewhere, as of the reject bin or from customers, are only counted, for they choose between the arms.
//!
//! Measured by benches/peeking.rs with alpha 0.05, 10,000 runs each (the last three: 1,000), a look after every part:
//!
//! | | |
//! |---|---|
//! | equal arms, false decisions | 2.2 % of 4,000 parts all labelled; 3.1 % of 20,000 drawn at 1 / 0.05 / 0.2; 1.5 % of 10,000 split at 0.1 |
//! | exactly the allowed escapes, promoted | 2.1 % of 12,000 parts; its share of alpha is 4 % |
//! | half the overkill, twice the escapes (4 to 8 %), promoted | 0.07 % of 12,000 parts |
//! | labels of the reject bin said to be a sample | seen and held in all runs |
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
mod limits;
mod mixture;
mod reasons;
mod report;
#[cfg(test)]
mod tests;

pub use self::{
    cell::{Cell, Design, DesignKind, Plan},
    judge::{Judge, Ticket},
    limits::{Decision, Limits, LimitsError, PROMOTE_SHARE},
    report::{CellLabels, Cost, Escapes, JudgementReport, Labels},
};
pub(crate) use self::{draw::Draw, mixture::Mixture};
