// SPDX-License-Identifier: MPL-2.0
//! The Andon elements of this process, from READY on.

use gst::prelude::*;
use parking_lot::Mutex;

/// None is kept alive by being here.
static ALL: Mutex<Vec<glib::WeakRef<gst::Element>>> = Mutex::new(Vec::new());

/// Takes an element in. Returns false if it is there already.
pub(super) fn add(element: &gst::Element) -> bool {
    let mut all = ALL.lock();
    all.retain(|weak| weak.upgrade().is_some());
    let is_new = !all.iter().any(|weak| weak.upgrade().as_ref() == Some(element));
    if is_new {
        all.push(element.downgrade());
    }
    is_new
}

/// Lets an element go.
pub(super) fn remove(element: &gst::Element) {
    ALL.lock().retain(|weak| weak.upgrade().is_some_and(|other| other != *element));
}

/// Returns the elements, in the order in which they came.
pub(super) fn all() -> Vec<gst::Element> {
    ALL.lock().iter().filter_map(glib::WeakRef::upgrade).collect()
}
