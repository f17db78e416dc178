// SPDX-License-Identifier: MPL-2.0
//! Drift detectors and distances: pure mathematics.

pub mod agreement;
