// SPDX-License-Identifier: MPL-2.0
//! Self-contained pages with tables and plots, and words for figures.
//!
//! A page is one HTML file: its style, its SVG plots and its pictures are in it, and no script runs. A reader can attach
//! it to a mail or keep it for years. Pieces are [`maud::Markup`], so that text is escaped wherever it enters a page. The
//! same [`Table`] becomes HTML on a page and Markdown in a comment of a CI.
//!
//! This crate knows results ([`andon_core::result`]) because it draws their boxes. It knows nothing of GStreamer, of
//! models, or of the program that makes a page: that program measures, and hands over numbers.
//!
//! ```
//! use andon_report::{Lines, Series, Table, page, words};
//! use maud::html;
//!
//! let table = Table::new(["part", "score"], vec![vec!["<7>".into(), words::decimal(Some(0.875), 3)]]);
//! let points = vec![(0.0, 0.91), (40.0, 0.88), (80.0, 0.93)];
//! let series = vec![Series { name: "agreement".into(), class: "arm-a", points }];
//! let plot = Lines { title: "Agreement over frames".into(), series, ..Lines::default() };
//! let page = page("Shift report", html! {
//!     h1 { "Shift report" }
//!     (table.html())
//!     (plot.svg())
//! });
//! assert!(page.into_string().contains("<td>&lt;7&gt;</td><td>0.875</td>"));
//! ```

#![warn(missing_docs)]

mod axis;
mod bars;
mod boxes;
mod image;
mod interval;
mod page;
mod plot;
mod strip;
mod svg;
mod table;

pub mod markdown;
pub mod words;

pub use axis::{Across, Mark, Stretch, WIDTH};
pub use bars::{Bar, Bars, verdict_legend};
pub use boxes::{Found, boxes, label, letters, outline};
pub use image::Image;
pub use interval::Interval;
pub use page::{escape, fact, facts, figure, key, page, panel};
pub use plot::{Band, Lines, Series, legend};
pub use strip::{Span, Strip};
pub use table::Table;
