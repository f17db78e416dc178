// SPDX-License-Identifier: MPL-2.0
//! Detects a choice of the labelled parts. Chosen labels are no sample, and prove nothing.
//!
//! Proposed parts form blocks of 64, in the order in which they are proposed. Suppose that whether and when a part is
//! labelled does not depend on the verdicts of the arms. Then, given that a label comes for one of a block's open
//! parts, each of them is equally likely. So for two cells i and j with oᵢ and oⱼ open parts in the block, and a label
//! for one of them, it is i with the chance p = oᵢ/(oᵢ + oⱼ). The alternatives are that a part of i is ρ times as
//! likely, with ρ in 9, 3, 1/3, 1/9. Without a choice, the factors ρ/(ρp + 1 − p) for i, 1/(ρp + 1 − p) for j have the
//! mean 1. The mean over the six pairs of cells and the four ρ is an e-process: P(it ever reaches 1/α) ≤ α.
//!
//! The comparison within a block makes this hold while the line changes: defects that begin at noon fill the later
//! blocks, not one cell of an earlier block. It assumes that 64 proposals in a row are alike. It does not detect a
//! choice by something other than the cell (a person who labels clear cases only), labels that all come before the next
//! part is proposed, and a choice too mild for the number of labels. It needs ten one-sided labels of disagreements, or
//! a few more.

use std::collections::VecDeque;

use super::cell::Cell;

/// Parts per block.
const BLOCK: u32 = 64;
/// The most blocks that are kept. Labels of older parts are not checked.
const MOST_BLOCKS: usize = 4096;
/// How many times as likely a part of the first cell is labelled.
const ODDS: [f64; 4] = [9.0, 3.0, 1.0 / 3.0, 1.0 / 9.0];
const PAIRS: [[usize; 2]; 6] = [[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]];

/// Which parts were proposed, and which were labelled.
#[derive(Clone, Debug)]
pub(super) struct Answers {
    /// The open parts of each cell, block by block.
    blocks: VecDeque<[u32; 4]>,
    /// The number of the first block that is kept.
    first: u64,
    /// The number of parts in the last block, and whether they are paired.
    last: (u32, bool),
    evidence: [[f64; 4]; 6],
    pub asked: u64,
    pub answered: u64,
    /// The highest evidence so far.
    pub most: f64,
}

impl Answers {
    /// Starts without proposals.
    pub(super) fn new() -> Self {
        Self {
            blocks: VecDeque::new(),
            first: 0,
            last: (BLOCK, true),
            evidence: [[1.0; 4]; 6],
            asked: 0,
            answered: 0,
            most: 1.0,
        }
    }

    /// Adds a proposed part, and returns the number of its block.
    pub(super) fn ask(&mut self, cell: Cell) -> u64 {
        if self.last.0 >= BLOCK || self.last.1 != cell.is_paired() {
            if self.blocks.len() == MOST_BLOCKS {
                self.blocks.pop_front();
                self.first += 1;
            }
            self.blocks.push_back([0; 4]);
            self.last = (0, cell.is_paired());
        }
        self.asked += 1;
        self.last.0 += 1;
        if let Some(block) = self.blocks.back_mut() {
            block[cell.index()] += 1;
        }
        self.first + self.blocks.len() as u64 - 1
    }

    /// Ends the block: the next proposal begins another.
    pub(super) fn begin_block(&mut self) {
        self.last.0 = BLOCK;
    }

    /// Takes the first label for a part of that block.
    pub(super) fn answer(&mut self, cell: Cell, block: u64) {
        self.answered += 1;
        let at = block.checked_sub(self.first).and_then(|at| usize::try_from(at).ok());
        let Some(open) = at.and_then(|at| self.blocks.get_mut(at)) else { return };
        let cell = cell.index();
        if open[cell] == 0 {
            return;
        }
        for (pair, evidence) in PAIRS.iter().zip(&mut self.evidence) {
            let Some(place) = pair.iter().position(|c| *c == cell) else { continue };
            let [i, j] = pair.map(|c| f64::from(open[c]));
            let p = i / (i + j);
            for (evidence, odds) in evidence.iter_mut().zip(ODDS) {
                *evidence *= if place == 0 { odds } else { 1.0 } / (odds * p + 1.0 - p);
            }
        }
        open[cell] -= 1;
        let mean = self.evidence.iter().flatten().sum::<f64>() / 24.0;
        self.most = self.most.max(mean);
    }
}
