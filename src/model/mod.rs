// SPDX-License-Identifier: MPL-2.0
//! A model on disk: bundle manifest, labels, digests.
