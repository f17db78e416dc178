// SPDX-License-Identifier: MPL-2.0
//! When elements come and go.

use gst::prelude::*;

use super::{buses, list, opening};

/// Changes the state of an Andon element by `change`, and has it take part in the control socket from READY on. The first of
/// a process opens the socket, if the environment asks for one.
pub(crate) fn change_state(
    element: &impl IsA<gst::Element>,
    transition: gst::StateChange,
    change: impl FnOnce() -> Result<gst::StateChangeSuccess, gst::StateChangeError>,
) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
    let element = element.upcast_ref::<gst::Element>();
    let done = change();
    match transition {
        gst::StateChange::NullToReady if done.is_ok() && opening::open(element) => {
            list::add(element);
            buses::watch(element);
        }
        // A bin that was started outside of a pipeline has a bus only now.
        gst::StateChange::ReadyToPaused if opening::is_open() => buses::watch(element),
        gst::StateChange::ReadyToNull if opening::is_open() => {
            list::remove(element);
            buses::leave(element);
        }
        _ => {}
    }
    done
}
