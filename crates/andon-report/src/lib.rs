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
//! use andon_report::{Head, Lines, Origin, Series, Table, heading, page, words};
//! use maud::html;
//!
//! let table = Table::new(["part", "score"], vec![vec!["<7>".into(), words::decimal(Some(0.875), 3)]])
//!     .of("Scores by part");
//! let points = vec![(0.0, 0.91), (40.0, 0.88), (80.0, 0.93)];
//! let series = vec![Series { name: "agreement".into(), class: "arm-a", points }];
//! let plot = Lines { title: "Agreement over frames".into(), series, ..Lines::default() };
//! let origin = Origin { what: "Shift report".into(), when: "2026-03-02 06:00 to 14:00 +01:00".into(), ..Origin::default() };
//! let head = Head { title: "Shift report", headline: "All well", lead: html! { "Nothing differed." }, origin: &origin };
//! let page = page(&head, html! {
//!     (heading("scores", "Scores"))
//!     (table.html())
//!     (plot.svg())
//! });
//! assert!(page.into_string().contains("<th scope=\"row\">&lt;7&gt;</th><td>0.875</td>"));
//! ```

#![warn(missing_docs)]

mod axis;
mod bars;
mod boxes;
mod gallery;
mod image;
mod interval;
mod origin;
mod page;
mod plot;
mod secrets;
mod strip;
mod svg;
mod table;

pub mod markdown;
pub mod words;

pub use axis::{Across, Mark, Stretch, WIDTH};
pub use bars::{Bar, Bars, verdict_legend};
pub use boxes::{Found, boxes, label, letters, outline};
pub use gallery::{Gallery, linked};
pub use image::Image;
pub use interval::Interval;
pub use origin::{ModelOf, Origin, command_line, digest};
pub use page::{Head, both, escape, fact, fact_of, facts, figure, heading, key, page, panel};
pub use plot::{Band, Lines, Series, legend};
pub use secrets::masked;
pub use strip::{Span, Strip};
pub use table::Table;
