// SPDX-License-Identifier: MPL-2.0
//! A model in memory: runtime, session, preprocessing, decoding.
