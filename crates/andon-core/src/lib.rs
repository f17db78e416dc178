// SPDX-License-Identifier: MPL-2.0
//! What all of Andon speaks of: results of models, the parts that frames show, and frames as planes of bytes.

pub mod files;
pub mod image;
pub mod random;
pub mod result;
