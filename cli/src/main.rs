// SPDX-License-Identifier: MPL-2.0
//! The `andon` program.

fn main() {}
