// SPDX-License-Identifier: MPL-2.0
//! Keeping frames: a ring of recent ones, encoders, sidecars, a writer thread.
