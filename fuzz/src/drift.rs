// SPDX-License-Identifier: MPL-2.0
//! The program's pages of drift, but for its command: the program is no library.

#[path = "../../cli/src/drift/course.rs"]
pub mod course;
#[path = "../../cli/src/drift/headline.rs"]
pub mod headline;
#[path = "../../cli/src/drift/page.rs"]
pub mod page;
#[path = "../../cli/src/drift/plots.rs"]
pub mod plots;
#[path = "../../cli/src/drift/read.rs"]
pub mod read;
#[path = "../../cli/src/drift/tables.rs"]
pub mod tables;
#[path = "../../cli/src/drift/times.rs"]
pub mod times;
#[path = "../../cli/src/drift/words.rs"]
pub mod words;
