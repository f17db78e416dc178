// SPDX-License-Identifier: MPL-2.0
//! What pages are made of: a skeleton, tables, figures, plots, pictures, and words for figures.

pub mod bars;
pub mod boxes;
pub mod html;
pub mod interval;
pub mod markdown;
pub mod plot;
pub mod strip;
pub mod words;
