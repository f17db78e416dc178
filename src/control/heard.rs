// SPDX-License-Identifier: MPL-2.0
//! Why an element refuses what a client asks of it: what it warns of, or says by [`because`], while the request is being done
//! on this thread.

use std::{cell::RefCell, fmt::Display};

use gst::prelude::*;

/// The element that is asked, and what it has said.
struct Listening {
    element: gst::Element,
    said: Vec<String>,
}

thread_local! {
    static LISTENING: RefCell<Option<Listening>> = const { RefCell::new(None) };
}

/// Calls `act`, and returns with what it does what `element` says meanwhile against it.
pub(super) fn listen<R>(element: &gst::Element, act: impl FnOnce() -> R) -> (R, Vec<String>) {
    /// Ends listening also if `act` panics.
    struct End;
    impl Drop for End {
        fn drop(&mut self) {
            LISTENING.take();
        }
    }
    LISTENING.replace(Some(Listening { element: element.clone(), said: Vec::new() }));
    let end = End;
    let done = act();
    let said = LISTENING.take().map(|listening| listening.said).unwrap_or_default();
    drop(end);
    (done, said)
}

/// Says why an action is refused, for the reply to a client. Does nothing for any other caller.
pub(crate) fn because(why: &impl Display) {
    LISTENING.with_borrow_mut(|listening| {
        if let Some(listening) = listening {
            listening.said.push(why.to_string());
        }
    });
}

/// Takes a warning or an error that was just posted on this thread.
pub(super) fn posted(source: Option<&gst::Object>, text: &str) {
    LISTENING.with_borrow_mut(|listening| {
        if let Some(listening) = listening
            && source == Some(listening.element.upcast_ref())
        {
            listening.said.push(text.into());
        }
    });
}
